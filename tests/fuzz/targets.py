"""Every reader of what strangers wrote, as a function of bytes: it accepts, or raises a documented error.

What is accepted is used as its callers use it, too: a reader must not let through what breaks later. The
errors stand in the table `TARGETS`; whatever else a function raises is a finding.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm

from nv2.bundling.arrival import arriving, left_open, notation_warnings
from nv2.bundling.contents import build_contents, layout_tags, parse_contents
from nv2.bundling.evidence_manifest import pack, unpack
from nv2.bundling.places import places_of
from nv2.bundling.trust_manifest import unpack_trust
from nv2.cli.inspected import signature_document, signature_tree
from nv2.content.layout.index import parse_index
from nv2.content.layout.store import LayoutStore
from nv2.content.layout.tar_index import index_members
from nv2.envelope import formats
from nv2.envelope.algorithms import ALGORITHMS
from nv2.envelope.envelope import Envelope
from nv2.errors import (
    BadAnswer,
    ConfigurationError,
    ContentMismatch,
    CredentialError,
    DenialListError,
    EnvironmentFailure,
    InvalidCertificate,
    InvalidReference,
    InvalidRevocationData,
    InvalidSignature,
    InvalidTimestamp,
    MalformedEnvelope,
    MalformedManifest,
    NotFound,
    Nv2Error,
    PluginError,
    PolicyError,
    SigningKeyError,
    UsageError,
)
from nv2.home.config import load_config
from nv2.home.crl_cache import _encoded, decoded
from nv2.home.hosts import parse_hosts
from nv2.home.ocsp_cache import OcspCache
from nv2.home.own_settings import load_own_settings
from nv2.home.paths import Paths
from nv2.home.signing_keys import load_signing_keys
from nv2.inspection import Inspected
from nv2.keys.pkcs11.uri import parse_uri
from nv2.notary.attaching import read_descriptor
from nv2.notary.signature_files import format_of, signature_path
from nv2.oci import media_types as mt
from nv2.oci import reference
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import is_signature, parse_manifest, signature_manifest
from nv2.pki.certificate import parse_certificate
from nv2.pki.certificate_status import Allowance, CertificateStatus, Status
from nv2.pki.chain import Chain, check_validity, parse_chain
from nv2.pki.crl import parse_crl, status_by_crl
from nv2.pki.essentials import Essentials, essentials_of
from nv2.pki.ocsp import status_by_ocsp
from nv2.pki.ocsp_response import OcspResponse, parse_response
from nv2.pki.pem import certificates_from, public_key_from
from nv2.pki.profile import check_code_signing
from nv2.pki.public_keys import spki_of
from nv2.pki.timestamp import parse_token
from nv2.pki.timestamp_chain import timestamp_chain
from nv2.pki.timestamp_request import open_reply, read_reply
from nv2.pki.usual_form import usual_form
from nv2.plain_text import rfc3339
from nv2.programs.plugins import messages
from nv2.strict_json import Fields
from nv2.transport.credentials import CredentialStore, parse_docker_config
from nv2.trust.blob_policy import parse_blob_policy
from nv2.trust.denial import parse_denials
from nv2.trust.policy import parse_policy
from tests.fuzz import packages, seeds
from tests.world import crl as crl_world
from tests.world.signed import NOW


class Target(NamedTuple):
    """A function to fuzz, the errors that it may raise, the most bytes it gets, and where to begin."""

    run: Callable[[bytes], None]
    errors: tuple[type[Nv2Error], ...]
    limit: int
    seeds: Callable[[], tuple[bytes, ...]]

    def __call__(self, data: bytes) -> bool:
        """Whether `data` is accepted. Raises what must not be raised."""
        try:
            self.run(data[: self.limit])
        except self.errors as e:
            assert type(e) in self.errors, f"{type(e).__name__} is more than was promised"
            return False
        return True


# --- names and manifests ----------------------------------------------------------------------------------


def _reference(data: bytes) -> None:
    found = reference.parse(data.decode("utf-8", "surrogateescape"))
    assert reference.parse(str(found)) == found
    _ = found.name, found.wanted


def _manifest(data: bytes) -> None:
    found = parse_manifest(data, mt.IMAGE_MANIFEST)
    _ = found.kind, found.blobs
    if is_signature(found):
        signature_manifest(found, "signature")


def _index(data: bytes) -> None:
    assert parse_manifest(data, mt.IMAGE_INDEX).layers == ()


# --- envelopes and certificates ---------------------------------------------------------------------------


def _envelope(media_type: str, data: bytes) -> None:
    found = formats.parse(media_type, data)
    chain = parse_chain(found.unsigned.certificates)
    _show(found, chain)
    assert found.open(chain.leaf.public_key).envelope is found


def _show(found: Envelope, chain: Chain) -> None:
    """As `nv2 inspect` does, which believes no signature."""
    inspected = Inspected(seeds.image(), found, chain, found.claimed)
    assert json.dumps(signature_document(inspected), allow_nan=False, ensure_ascii=False).encode()
    assert all(signature_tree(inspected).lines())


def _jws_header(data: bytes) -> None:
    protected = urlsafe_b64encode(data).rstrip(b"=")
    _show(formats.parse(mt.JWS, seeds.jws_around(protected)), seeds.chain())


def _cose_header(data: bytes) -> None:
    _show(formats.parse(mt.COSE, seeds.cose_around(data)), seeds.chain())


def _denials(data: bytes) -> None:
    found = parse_denials(data, DenialListError)
    if parse_denials(found.encode(), DenialListError).denials != found.denials:
        raise AssertionError("a list of denials is written otherwise than it was read")


def _certificate(data: bytes) -> None:
    found = parse_certificate(data, "certificate")
    _ = repr(found), found.key_kind, found.spki, found.has_revocation_information, found.path_length
    found.has_signed(found)
    check_code_signing((found,))


def _usual_form(data: bytes) -> None:
    """What is read without `cryptography.x509` is what it reads."""
    ours = usual_form(data)
    if ours is None:
        raise InvalidCertificate("no answer")
    theirs = essentials_of(data)
    assert ours._replace(spki=None, load_key=theirs.load_key) == theirs
    assert _spki(ours) == _spki(theirs)
    assert _spki(theirs) in (ours.spki, None)


def _spki(found: Essentials) -> bytes | None:
    try:
        return spki_of(found.load_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _crl(data: bytes) -> None:
    """Whoever signed it: what is judged is what another library reads. Changed, it is never believed."""
    leaf, issuer = seeds.chain().certificates[:2]
    found = parse_crl(data, "crl")
    if status_by_crl(leaf, issuer, found, None, crl_world.NOW, None).status is not Status.UNKNOWN:
        assert data in seeds.crls()
    found._authentic.add(issuer.thumbprint)
    told = status_by_crl(leaf, issuer, found, found, crl_world.NOW, crl_world.NOW)
    assert (told.status is Status.GOOD) <= (not told.reason)
    alone = status_by_crl(leaf, issuer, found, None, crl_world.NOW, None)
    if alone.status is Status.GOOD:
        assert leaf.serial not in seeds.listed_by_cryptography(data)


def _check_said(status: CertificateStatus, answer: bytes) -> None:
    """Good with a reason is revoked, but later than it was signed."""
    said = seeds.said_by_cryptography(answer)
    assert said is None or ("REVOKED" if status.reason else status.status.name) in said


def _ocsp(data: bytes) -> None:
    """Changed, it is never believed: every byte is under the signature, or nobody reads it. And what is read in it is what
    another library reads."""
    leaf, issuer = seeds.chain().certificates[:2]
    told = status_by_ocsp(data, leaf, issuer, NOW, b"n" * 16, NOW)
    found = parse_response(data)
    if told.status.status is not Status.UNKNOWN and isinstance(found, OcspResponse):
        _check_said(told.status, data)
        known = [parse_response(seed) for seed in seeds.ocsp_answers()]
        assert found.signed_bytes in [seed.signed_bytes for seed in known if isinstance(seed, OcspResponse)]


def _ocsp_data(data: bytes) -> None:
    """Signed by whom it should be, whatever it says."""
    leaf, issuer = seeds.chain().certificates[:2]
    answer = seeds.ocsp_around(data)
    told = status_by_ocsp(answer, leaf, issuer, NOW, None, NOW)
    if told.status.status is not Status.UNKNOWN:
        _check_said(told.status, answer)
        assert told.responder is None


def _ocsp_cache(data: bytes) -> None:
    """What somebody put into the cache is judged as what a responder says, but for the nonce."""
    leaf, issuer = seeds.chain().certificates[:2]
    directory = _home() / "ocsp"
    directory.mkdir(exist_ok=True)
    (directory / ("0" * 64)).write_bytes(data)
    loaded = OcspCache(directory).load("0" * 64)
    assert loaded == data
    if status_by_ocsp(loaded, leaf, issuer, NOW, None, None).status.status is Status.GOOD:
        _check_said(CertificateStatus(Status.GOOD), loaded)
        assert "GOOD" in (seeds.said_by_cryptography(loaded) or ("GOOD",))


def _crl_cache(data: bytes) -> None:
    base, delta = decoded(data, "file")
    assert decoded(b"".join(_encoded(base, delta)), "file") == (base, delta)


def _timestamp(data: bytes) -> None:
    """As `nv2 inspect` shows it, and as `nv2 verify` believes it."""
    token = parse_token(data)
    with contextlib.suppress(InvalidTimestamp):
        assert token.claimed().accuracy.total_seconds() >= 0
    opened = token.open()
    _ = opened.info.earliest, opened.info.latest
    timestamp_chain(opened, [parse_certificate(root) for root in seeds.timestamp_roots()])


def _timestamp_reply(data: bytes) -> None:
    assert read_reply(data)
    open_reply(data, seeds.STAMPED, "sha256", seeds.NONCE)


def _chain(data: bytes) -> None:
    chain = parse_chain(seeds.unframe(data))
    assert len(chain.thumbprints) == len(chain.certificates)
    check_validity(chain, NOW)


def _pem(data: bytes) -> None:
    public_key_from(data, "file")
    assert certificates_from(data, "file", mixed=True)


# --- the files of the set-up ------------------------------------------------------------------------------


def _policy(data: bytes) -> None:
    policy = parse_policy(data, "trustpolicy.json")
    for statement in policy.statements:
        assert all(policy.statement_for(scope) is statement for scope in statement.scopes if scope != "*")
        assert statement.level.skips or (statement.identities and statement.stores)
        _ = [identity.matches(seeds.leaf()) for identity in statement.identities]
    policy.statement_for("registry.example.com/elsewhere")


def _blob_policy(data: bytes) -> None:
    policy = parse_blob_policy(data, "trustpolicy.blob.json")
    for statement in policy.statements:
        assert not statement.name.strip() or policy.statement_for(statement.name) is statement
        assert statement.level.skips or (statement.identities and statement.stores)
    assert not policy.statement_for(None).level.skips


_SCRATCH: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def _home() -> Path:
    """A directory of this process, which goes with it."""
    _SCRATCH.append(tempfile.TemporaryDirectory(prefix="nv2-fuzz-"))
    return Path(_SCRATCH[0].name)


@functools.cache
def _paths() -> Paths:
    paths = Paths.from_environment({"HOME": str(_home())}, "linux")
    paths.config.mkdir(parents=True)
    return paths


def _config(data: bytes) -> None:
    _paths().settings.write_bytes(data)
    config = load_config(_paths())
    _ = config.is_insecure("Localhost:5000")


def _own_settings(data: bytes) -> None:
    _paths().own_settings.parent.mkdir(parents=True, exist_ok=True)
    _paths().own_settings.write_bytes(data)
    settings = load_own_settings(_paths())
    assert settings.verification_plugins is None or not settings.allows("of nobody")


def _hosts(data: bytes) -> None:
    found = parse_hosts(data, _home())
    for mirror in found.mirrors:
        assert mirror.root.startswith(("https://", "http://"))
        assert not any(c in f"{name}{value}" for name, value in mirror.headers.items() for c in "\r\n")


def _descriptor(data: bytes) -> None:
    """What is signed is what the file says, and names nothing more."""
    (file := _home() / "descriptor.json").write_bytes(data)
    found = read_descriptor(file)
    assert found.to_json().keys() == {"mediaType", "digest", "size"}
    assert found.size >= 0
    assert found.media_type in mt.MANIFESTS


def _signature_name(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    media_type = format_of(name)
    assert format_of(signature_path("blob", media_type)) == media_type


def _signing_keys(data: bytes) -> None:
    _paths().signing_keys.write_bytes(data)
    keys = load_signing_keys(_paths())
    _paths().signing_keys.write_bytes(keys.encode())
    assert load_signing_keys(_paths()) == keys
    for key in keys.keys:
        assert keys.get(key.name) is key


_PLUGIN_READERS: tuple[Callable[[Fields], object], ...] = (
    messages.read_metadata,
    lambda fields: messages.read_key(fields, "k1"),
    lambda fields: messages.read_signature(fields, "k1", ALGORITHMS[0]),
    lambda fields: messages.read_envelope(fields, mt.JWS),
    messages.read_verdict,
)


def _plugin_output(data: bytes) -> None:
    """One of the answers, or an error: whichever it is not is refused."""
    shown = str(messages.read_error(data, "plugin acme", 1))
    assert shown.isprintable()
    assert len(shown) < 2000
    fields = messages.read(data, "plugin acme")
    refusals = []
    for read in _PLUGIN_READERS:
        try:
            read(fields)
        except PluginError as e:
            refusals.append(e)
    if len(refusals) == len(_PLUGIN_READERS):
        raise refusals[0]


def _pkcs11_uri(data: bytes) -> None:
    try:
        found = parse_uri(data.decode("latin-1"))
    except UsageError as e:
        assert seeds.PIN not in f"{e} {e.hint}"
        raise
    assert parse_uri(found.shown)._replace(pin_value=found.pin_value, shown=found.shown) == found
    assert "pin-value" not in found.shown.partition("?")[2] or found.pin_value is None


def _plugin_request(data: bytes) -> None:
    command, _, request = data.partition(b"\n")
    code, answer = seeds.plugin().answer([command.decode("latin-1")], BytesIO(request))
    document = json.loads(answer)
    if code:
        # The functions of this plugin raise nothing, so whatever is unexpected came out of ours.
        assert not document["errorMessage"].startswith("unexpected"), document
        raise UsageError(document["errorMessage"])


class _NoPrograms:
    """Nothing is installed."""

    def run(
        self, arguments: tuple[str, ...], standard_input: bytes, *, timeout: float = 0, max_output: int = 0
    ) -> NoReturn:
        raise EnvironmentFailure("no such program", at=arguments[0])


def _docker_config(data: bytes) -> None:
    config = parse_docker_config(data, "config.json")
    store = CredentialStore(config, _NoPrograms())
    for host in ("docker.io", "localhost:5000", "registry.example.com"):
        if found := store.get(host):
            _ = found.basic


# --- bundles ----------------------------------------------------------------------------------------------


def _parts(data: bytes) -> tuple[bytes, Callable[[Descriptor], bytes]]:
    """A manifest, and who hands out the blobs behind it, in the order of their digests: what was changed as well."""
    manifest, *blobs = seeds.unframe(data) or (b"",)
    named = re.findall(rb"sha256:[0-9a-f]{64}", manifest)
    found = dict(reversed(list(zip(named, blobs, strict=False))))
    return manifest, lambda descriptor: found.get(descriptor.digest.encode(), b"")


def _evidence(data: bytes) -> None:
    """What was read is written, shown and looked up again, and reads the same."""
    found = unpack(*_parts(data))
    packed = pack(found)
    contents = {descriptor.digest: blob for descriptor, blob in packed.blobs}
    again = unpack(packed.manifest, lambda descriptor: contents[descriptor.digest])
    # Fractions of seconds are not written.
    assert again.gathered_at == found.gathered_at.replace(microsecond=0)
    assert set(again.pieces) == set(found.pieces)
    assert set(again.certificates) == set(found.certificates)
    _ = [
        rfc3339(instant)
        for each in found.pieces
        for instant in (each.this_update, each.next_update)
        if instant
    ]
    _ = [str(gap) for gap in found.gaps], notation_warnings(found)
    grace = Allowance(timedelta.max, timedelta.max)
    for now in (found.gathered_at, NOW):
        left_open(found, arriving(found, now, lambda _: grace))
    for place in places_of(found):
        _ = [place.crl.load(each.address) for each in found.pieces]


def _bundle_contents(data: bytes) -> None:
    found = parse_contents(data, "contents")
    assert rfc3339(found.created)
    tags = [tag for _, tag in layout_tags(found.images)]
    assert len(tags) == len(set(tags))
    again = parse_contents(build_contents(found)[0], "contents")
    assert again.images == found.images
    assert (again.evidence, again.trust) == (found.evidence, found.trust)


def _carried_trust(data: bytes) -> None:
    found = unpack_trust(*_parts(data), "trust")
    for file in found.files:
        assert file.name.isprintable()
        assert str(file).count("/") == 4
        assert not os.path.lexists(_home() / "truststore" / str(file))
    parse_policy(found.policy, "trust policy")


# --- layouts ----------------------------------------------------------------------------------------------


@functools.cache
def _layout() -> Path:
    """A layout with a signed image."""
    directory = _home() / "layout"
    (directory / "blobs" / "sha256").mkdir(parents=True)
    (directory / "oci-layout").write_bytes(seeds.LAYOUT_FILE)
    for descriptor, data in seeds.blobs():
        (directory / "blobs" / "sha256" / descriptor.digest.partition(":")[2]).write_bytes(data)
    return directory


def _nobody_else(key: str) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def _store() -> LayoutStore:
    return LayoutStore(_layout(), lock=_nobody_else)


def _layout_index(data: bytes) -> None:
    """The bytes are index.json: read, edited, written, and the store asked about what it names."""
    index = parse_index(data, "index.json")
    edited = index.tagging(seeds.image(), "fuzz").listing([seeds.image()])
    assert parse_index(edited.to_json(), "index.json").entries == edited.entries
    (_layout() / "index.json").write_bytes(data)
    store = _store()
    store.referrers(seeds.image())
    for tag in [tag for tag in index.tags if reference.is_tag(tag)][:5]:
        store.resolve(tag)


def _layout_file(data: bytes) -> None:
    (_layout() / "oci-layout").write_bytes(data)
    try:
        _store()
    finally:
        (_layout() / "oci-layout").write_bytes(seeds.LAYOUT_FILE)


def _layout_manifest(data: bytes) -> None:
    """The bytes are a manifest or index that the layout lists, and which may refer to another."""
    listed = describe(data, mt.IMAGE_INDEX if b'"manifests"' in data else mt.IMAGE_MANIFEST)
    path = _layout() / "blobs" / "sha256" / listed.digest.partition(":")[2]
    known = path.exists()
    path.write_bytes(data)
    (_layout() / "index.json").write_bytes(parse_index(b"{}", "").listing([listed]).to_json())
    try:
        _store().referrers(seeds.image())
        _store().resolve(listed.digest)
    finally:
        if not known:
            path.unlink()


def _with_checksum(block: bytes) -> bytes:
    spaces = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(spaces) + block[156:]


def _layout_archive(data: bytes) -> None:
    """The bytes are an archive, of which only the checksums are made right: what is found lies in it, one by one."""
    blocks = (data[start : start + 512] for start in range(0, len(data), 512))
    data = b"".join(_with_checksum(block) if any(block) else block for block in blocks)
    members = index_members(BytesIO(data), len(data), "image.tar")
    ends = 0
    for name, member in sorted(members.items(), key=lambda item: item[1].offset):
        assert name == "blobs" or name in ("oci-layout", "index.json") or name.startswith("blobs/")
        assert ".." not in name.split("/")
        assert ends <= member.offset <= member.offset + member.size <= len(data)
        ends = member.offset + member.size


_CONFIG_BYTES = 16 * 1024
_ENVELOPE_BYTES = 16 * 1024

# What comes after the reader, as in use, has errors of its own: an envelope may hold a bad chain.
_ENVELOPE_ERRORS = (MalformedEnvelope, InvalidCertificate, InvalidSignature)
_LAYOUT_ERRORS = (MalformedManifest, NotFound, ContentMismatch, BadAnswer)

TARGETS: dict[str, Target] = {
    "reference": Target(_reference, (InvalidReference,), 512, seeds.references),
    "manifest": Target(_manifest, (MalformedManifest,), 8192, seeds.manifests),
    "index": Target(_index, (MalformedManifest,), 8192, seeds.indexes),
    "jws": Target(
        functools.partial(_envelope, mt.JWS),
        _ENVELOPE_ERRORS,
        _ENVELOPE_BYTES,
        functools.partial(seeds.envelopes, mt.JWS),
    ),
    "jws-header": Target(_jws_header, (MalformedEnvelope,), 4096, seeds.jws_headers),
    "cose": Target(
        functools.partial(_envelope, mt.COSE),
        _ENVELOPE_ERRORS,
        _ENVELOPE_BYTES,
        functools.partial(seeds.envelopes, mt.COSE),
    ),
    "cose-header": Target(_cose_header, (MalformedEnvelope,), 4096, seeds.cose_headers),
    "certificate": Target(_certificate, (InvalidCertificate,), 8192, seeds.certificates),
    "usual-form": Target(_usual_form, (InvalidCertificate,), 8192, seeds.certificates),
    "chain": Target(_chain, (InvalidCertificate,), _ENVELOPE_BYTES, seeds.chains),
    "crl": Target(_crl, (InvalidRevocationData,), 4096, seeds.crls),
    "ocsp": Target(_ocsp, (InvalidRevocationData,), 8192, seeds.ocsp_answers),
    "ocsp-data": Target(_ocsp_data, (InvalidRevocationData,), 4096, seeds.ocsp_data),
    "ocsp-cache": Target(_ocsp_cache, (InvalidRevocationData,), 8192, seeds.ocsp_answers),
    "crl-cache": Target(_crl_cache, (EnvironmentFailure,), 8192, seeds.crl_cache_files),
    "timestamp": Target(_timestamp, (InvalidTimestamp,), _ENVELOPE_BYTES, seeds.timestamps),
    "timestamp-reply": Target(
        _timestamp_reply, (InvalidTimestamp,), _ENVELOPE_BYTES, seeds.timestamp_replies
    ),
    "pem": Target(_pem, (InvalidCertificate,), _ENVELOPE_BYTES, seeds.pem_files),
    "denials": Target(_denials, (DenialListError,), _CONFIG_BYTES, seeds.denials),
    "policy": Target(_policy, (PolicyError,), _CONFIG_BYTES, seeds.policies),
    "blob-policy": Target(_blob_policy, (PolicyError,), _CONFIG_BYTES, seeds.blob_policies),
    "config.json": Target(_config, (ConfigurationError,), _CONFIG_BYTES, seeds.configs),
    "docker-config.json": Target(_docker_config, (CredentialError,), _CONFIG_BYTES, seeds.docker_configs),
    "settings.json": Target(_own_settings, (ConfigurationError,), _CONFIG_BYTES, seeds.own_settings),
    "hosts.toml": Target(_hosts, (ConfigurationError,), _CONFIG_BYTES, seeds.hosts_files),
    "descriptor": Target(_descriptor, (UsageError, MalformedManifest), 8192, seeds.descriptors),
    "signature-name": Target(_signature_name, (UsageError,), 512, seeds.signature_names),
    "pkcs11-uri": Target(_pkcs11_uri, (UsageError,), 512, seeds.pkcs11_uris),
    "plugin-request": Target(_plugin_request, (UsageError,), 8192, seeds.plugin_requests),
    "plugin-output": Target(_plugin_output, (PluginError,), 8192, seeds.plugin_outputs),
    "plugin-zip": Target(packages.take, (PluginError,), 8192, packages.zips),
    "plugin-tar": Target(packages.take_tar, (PluginError,), 8192, packages.tars),
    "signingkeys.json": Target(_signing_keys, (SigningKeyError,), _CONFIG_BYTES, seeds.signing_keys),
    "layout-index": Target(_layout_index, _LAYOUT_ERRORS, _CONFIG_BYTES, seeds.layout_indexes),
    "layout-file": Target(_layout_file, (MalformedManifest, BadAnswer), 8192, lambda: (seeds.LAYOUT_FILE,)),
    "layout-archive": Target(_layout_archive, (MalformedManifest, BadAnswer), 16384, seeds.layout_archives),
    "bundle-contents": Target(_bundle_contents, (MalformedManifest,), 8192, seeds.bundle_contents),
    "bundle-evidence": Target(
        _evidence,
        (MalformedManifest, InvalidRevocationData, InvalidCertificate),
        _ENVELOPE_BYTES,
        seeds.evidence_sets,
    ),
    "bundle-trust": Target(
        _carried_trust, (MalformedManifest, PolicyError), _CONFIG_BYTES, seeds.carried_trust
    ),
    "layout-manifest": Target(_layout_manifest, _LAYOUT_ERRORS, 8192, seeds.layout_manifests),
}
