"""Good inputs to begin with, from the world of the tests: what is changed a little gets past the first check."""

from __future__ import annotations

import functools
import json
import tarfile
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509 import ocsp

from nv2.bundling.contents import TRUST, Contents, Image, build_contents
from nv2.bundling.evidence import ARTIFACT_TYPE, Evidence, Gap, Kind
from nv2.bundling.evidence_manifest import pack, piece
from nv2.bundling.trust_manifest import CarriedTrust, StoreFile, pack_trust
from nv2.content.memory import MemoryStore
from nv2.envelope import cbor
from nv2.envelope.envelope import ExtendedAttribute, Scheme
from nv2.errors import MalformedEnvelope
from nv2.home.crl_cache import _encoded
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.reference import parse_registry
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.chain import Chain, parse_chain
from nv2.pki.ocsp_response import OcspResponse, parse_response
from nv2.pki.timestamp_request import build_request
from nv2.plugin import Capability, Envelope, Plugin, Result, Verified
from tests.world.artifacts import push_image, push_index
from tests.world.ca import CA, Pair, pem, self_signed
from tests.world.crl import HOLD, REVOKED_AT, Revoked, crl, issuing_point
from tests.world.ocsp import about, around, delegate, response, unsuccessful
from tests.world.signed import SIGNED_AT, artifact, sealed, sign
from tests.world.tsa import STAMPED_AT, TSA

LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
_DIGEST = "sha256:" + "ab" * 32

PUBLIC_TOKENS = Path(__file__).parent.parent / "unit" / "pki" / "tokens"
"""Timestamps of public authorities; its README states their sources."""


def _documents(*documents: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(document).encode() for document in documents)


def denials() -> tuple[bytes, ...]:
    since = {"reason": "stolen", "deniedAt": "2026-01-02T15:04:05Z"}
    entries = [
        {"kind": "key", "spki": "ab" * 32, **since},
        {"kind": "signature", "spki": "ab" * 32, "signedBytes": "cd" * 32, **since, "deniedBy": "alice"},
        {"kind": "keyForArtifact", "spki": "ab" * 32, "artifact": _DIGEST, **since},
        {"kind": "artifact", "artifact": _DIGEST, **since},
    ]
    return _documents({"schema": "nv2.trust.denials/v1", "denials": entries})


def references() -> tuple[bytes, ...]:
    return (
        b"localhost:5000/net-monitor:v1",
        f"registry.example.com/a/b__c/d-e@{_DIGEST}".encode(),
        f"[::1]:5000/x:y@{_DIGEST}".encode(),
        b"layout:/tmp/images:v1",
        f"layout:a b@{_DIGEST}".encode(),
        b"docker:busybox",
        b"https://registry.example.com/x",
    )


# --- envelopes and certificates ---------------------------------------------------------------------------


@functools.cache
def pair() -> Pair:
    return CA("Root").intermediate("Middle").issue("build", key="EC-256")


@functools.cache
def chain() -> Chain:
    return parse_chain(pair().chain)


@functools.cache
def leaf() -> Certificate:
    return parse_certificate(pair().leaf)


@functools.cache
def image() -> Descriptor:
    """The image that everything in `blobs` is about."""
    return artifact(MemoryStore())


@functools.cache
def envelopes(media_type: str) -> tuple[bytes, ...]:
    extended = [ExtendedAttribute("com.example.x", {"a": [1, None, True, "é"]}, True)]
    later = SIGNED_AT + timedelta(days=1)
    return (
        sealed(image(), pair(), media_type=media_type),
        sealed(
            image(),
            self_signed(key="EC-384"),
            media_type=media_type,
            scheme=Scheme.SIGNING_AUTHORITY,
            expiry=later,
            user_metadata={"a": "b"},
            extended=extended,
        ),
    )


def jws_headers() -> tuple[bytes, ...]:
    return tuple(urlsafe_b64decode(json.loads(data)["protected"] + "==") for data in envelopes(mt.JWS))


def jws_around(protected: bytes) -> bytes:
    """An envelope with this protected header, which is base64url already."""
    return json.dumps({**json.loads(envelopes(mt.JWS)[0]), "protected": protected.decode()}).encode()


def cose_headers() -> tuple[bytes, ...]:
    return tuple(cbor.decode(data, MalformedEnvelope).value[0] for data in envelopes(mt.COSE))


def cose_around(protected: bytes) -> bytes:
    """An envelope with this protected header."""
    _, *rest = cbor.decode(envelopes(mt.COSE)[0], MalformedEnvelope).value
    return cbor.encode(cbor.Tag(18, [protected, *rest]))


@functools.cache
def certificates() -> tuple[bytes, ...]:
    urls: dict[str, Any] = {
        "ocsp_urls": ["http://ocsp.example.com"],
        "crl_urls": ["http://crl.example.com/a"],
    }
    return (
        *pair().chain,
        self_signed(key="RSA-2048", **urls).leaf,
        self_signed("CN=a+OU=b,O=x\\,y,ST=WA,C=US,1.2.3.4=z", key="EC-521").leaf,
    )


@functools.cache
def chains() -> tuple[bytes, ...]:
    return frame(pair().chain), frame(self_signed(key="RSA-2048").chain)


STAMPED, NONCE = b"the signature", 1 << 127


@functools.cache
def _clocks() -> tuple[TSA, ...]:
    return TSA("Clock"), TSA("Old clock", key="RSA-2048")


def timestamp_roots() -> tuple[bytes, ...]:
    return tuple(clock.root for clock in _clocks())


@functools.cache
def timestamps() -> tuple[bytes, ...]:
    """In DER and in BER, with each kind of signature; and those of notation's test data."""
    clock, old = _clocks()
    made = [clock.token(STAMPED, ber=form, signing_time=STAMPED_AT) for form in ("", "indefinite", "parts")]
    made += [old.token(STAMPED, padding_=kind, fraction=".5", nonce=NONCE) for kind in ("PKCS1", "PSS")]
    return (*made, (PUBLIC_TOKENS / "globalsign-2021.p7s").read_bytes())


@functools.cache
def timestamp_replies() -> tuple[bytes, ...]:
    asked = build_request(STAMPED, "sha256", NONCE)
    refused = _clocks()[0].reply(asked, status=2, texts=("no",), failure=b"\x05\x20")
    return (*(clock.reply(asked) for clock in _clocks()), refused)


def frame(parts: Iterable[bytes]) -> bytes:
    """Each part after its length in two bytes."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def unframe(data: bytes) -> tuple[bytes, ...]:
    """The parts of whatever bytes there are; the last one may be short."""
    parts: list[bytes] = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        parts.append(data[2:end])
        data = data[end:]
    return tuple(parts)


@functools.cache
def crls() -> tuple[bytes, ...]:
    """Of the authority of `chain`: listed, not listed, partitions, a delta, and one by somebody else."""
    middle = CA("Root").intermediate("Middle")
    held = Revoked(leaf().serial, HOLD, invalid_since=REVOKED_AT)
    point = issuing_point(["http://crl.example.com/a"], flags=[1], only_some_reasons=[1, 2])
    return (
        crl(middle, [Revoked(1), Revoked(2, 1)]),
        crl(middle, [Revoked(1), held, Revoked(3)], freshest=["http://crl.example.com/delta"]),
        crl(middle, delta_of=1, number=2),
        crl(middle, issuing_point=point),
        crl(CA("Other")),
    )


@functools.cache
def ocsp_answers() -> tuple[bytes, ...]:
    """About the leaf of `chain`: by its issuer, by a delegate, revoked, unknown, an error, and one by somebody else."""
    middle, old = (
        CA("Root").intermediate("Middle"),
        about(pair(), "revoked", reason=1, invalid_since=SIGNED_AT),
    )
    return (
        response(middle, about(pair()), nonce=b"n" * 16),
        response(middle, about(pair(), hash_name="sha256"), signed_by=delegate(middle), by_key=True),
        response(middle, about(pair(), "unknown"), old, signed_by=delegate(middle, extensions=())),
        unsuccessful(3),
        response(CA("Other"), about(pair())),
    )


def ocsp_data() -> tuple[bytes, ...]:
    """What is signed in the answers of the issuer itself."""
    found = (parse_response(data) for data in ocsp_answers()[:1])
    middle = CA("Root").intermediate("Middle")
    revoked = about(
        pair(), "revoked", reason=HOLD, invalid_since=SIGNED_AT, extensions=(("1.2.3", False, b"x"),)
    )
    said = (about(pair(), hash_name="sha256"), revoked, about(pair(), "unknown"))
    more = parse_response(response(middle, *said, by_key=True))
    return tuple(data.signed_bytes for data in (*found, more) if isinstance(data, OcspResponse))


def ocsp_around(data: bytes) -> bytes:
    """An answer of the issuer of the leaf of `chain` that says this."""
    return around(data, CA("Root").intermediate("Middle").key)


def said_by_cryptography(data: bytes) -> frozenset[str] | None:
    """What another library finds said about the leaf of `chain`; None if it cannot read the answer."""
    try:
        found = ocsp.load_der_ocsp_response(data)
        return frozenset(
            said.certificate_status.name for said in found.responses if said.serial_number == leaf().serial
        )
    except ValueError:
        return None  # it reads statements about others, too, and knows no reason above 10


def listed_by_cryptography(data: bytes) -> frozenset[int]:
    """The serial numbers that another library finds in a CRL; none if it cannot read it."""
    try:
        found = x509.load_der_x509_crl(data)
        return frozenset(entry.serial_number for entry in found)
    except ValueError:
        return frozenset()


def crl_cache_files() -> tuple[bytes, ...]:
    """As notation keeps CRLs."""
    return tuple(b"".join(_encoded(data, delta)) for data in crls()[:2] for delta in (None, crls()[2]))


def pem_files() -> tuple[bytes, ...]:
    chain = pair().chain
    return pem(chain), pair().pem_public_key(), pair().pem_key() + pem(chain[:1]), b"".join(chain)


# --- bundles ----------------------------------------------------------------------------------------------


def framed(packed: tuple[bytes, Iterable[tuple[Descriptor, bytes]]]) -> bytes:
    """A manifest with its blobs."""
    return frame((packed[0], *(data for _, data in packed[1])))


def evidence_sets() -> tuple[bytes, ...]:
    certificates = chain().certificates
    leaf_of, issuer = certificates[0].thumbprint, certificates[1].thumbprint
    base, delta, answer = crls()[1], crls()[2], ocsp_answers()[0]
    pieces = (
        piece(Kind.CRL, "http://crl.example.com/a", issuer, "", base),
        piece(Kind.DELTA, "http://crl.example.com/a", issuer, "", delta),
        piece(Kind.OCSP, "http://ocsp.example.com", issuer, leaf_of, answer),
    )
    gap = Gap(Kind.CRL, "http://crl.example.com/b", leaf_of, "CN=build", "answered 404")
    whole = Evidence(SIGNED_AT, certificates, pieces, (gap,))
    return tuple(framed(pack(each)) for each in (whole, Evidence(SIGNED_AT), whole._replace(gaps=())))


def bundle_contents() -> tuple[bytes, ...]:
    evidence = describe(b"evidence", mt.IMAGE_MANIFEST, artifact_type=ARTIFACT_TYPE)
    trust = describe(b"trust", mt.IMAGE_MANIFEST, artifact_type=TRUST)
    names = (
        "registry.example.com/app:v1",
        "other.example.com/app:v1",
        f"localhost:5000/app@{image().digest}",
    )
    images = tuple(Image(parse_registry(name), image()) for name in names)
    referrer = describe(b"signature", mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE)
    whole = Contents(SIGNED_AT, images, (referrer,), evidence, trust)
    return tuple(build_contents(each)[0] for each in (whole, Contents(SIGNED_AT, images[:1])))


def carried_trust() -> tuple[bytes, ...]:
    files = {
        StoreFile("ca", "acme", "root.crt"): pem(pair().chain[-1:]),
        StoreFile("tsa", "t", "é.der"): b"x",
    }
    return tuple(framed(pack_trust(CarriedTrust(policies()[0], found))) for found in (files, {}))


# --- manifests and layouts --------------------------------------------------------------------------------


@functools.cache
def _store() -> tuple[MemoryStore, Descriptor]:
    """A signed image, an index with it, and two signatures; and the index."""
    store = MemoryStore()
    made = artifact(store)
    sign(store, made, pair())
    sign(store, made, pair(), media_type=mt.COSE)
    return store, push_index(store, [made, push_image(store, b"layer", subject=made)], subject=made)


def blobs() -> tuple[tuple[Descriptor, bytes], ...]:
    store, _ = _store()
    return tuple(
        (store.manifests.get(digest, Descriptor("application/blob", digest, len(data))), data)
        for digest, data in store.contents.items()
    )


def _manifests(media_type: str) -> tuple[bytes, ...]:
    return tuple(data for descriptor, data in blobs() if descriptor.media_type == media_type)


def manifests() -> tuple[bytes, ...]:
    return _manifests(mt.IMAGE_MANIFEST)


def indexes() -> tuple[bytes, ...]:
    return _manifests(mt.IMAGE_INDEX)


def layout_manifests() -> tuple[bytes, ...]:
    return (*manifests(), *indexes())


def layout_archives() -> tuple[bytes, ...]:
    """A layout as a tar archive, in each form of tar, with a name that is too long for a header."""
    return tuple(_layout_archive(form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))


def _layout_archive(form: int) -> bytes:
    names = ("./oci-layout", "index.json", "blobs/sha256/" + "0" * 64, "blobs/sha512/" + "0" * 128)
    with tarfile.open(fileobj=(made := BytesIO()), mode="w", format=form) as archive:
        archive.addfile(tarfile.TarInfo("blobs/"))
        for name in names:
            header = tarfile.TarInfo(name)
            header.size = len(LAYOUT_FILE)
            archive.addfile(header, BytesIO(LAYOUT_FILE))
    return made.getvalue()


def layout_indexes() -> tuple[bytes, ...]:
    store, index = _store()
    listed = [descriptor.to_json() for descriptor in store.manifests.values()]
    tagged = {**index.to_json(), "annotations": {mt.REF_NAME: "v1"}}
    whole = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [tagged, *listed]}
    large = {"schemaVersion": 2, "manifests": [{**tagged, "size": 2**31}]}
    return _documents(whole, {"schemaVersion": 2, "manifests": [tagged]}, {"manifests": None}, large)


# --- the files of the set-up ------------------------------------------------------------------------------


def blob_policies() -> tuple[bytes, ...]:
    return _documents(
        {
            "version": "1.0",
            "trustPolicies": [
                {
                    "name": "releases",
                    "signatureVerification": {"level": "strict", "verifyTimestamp": "always"},
                    "trustStores": ["ca:wabbit", "tsa:clock"],
                    "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"],
                    "globalPolicy": True,
                },
                {"name": "drafts", "signatureVerification": {"level": "skip"}, "globalPolicy": False},
            ],
        }
    )


def policies() -> tuple[bytes, ...]:
    return _documents(
        {
            "version": "1.0",
            "trustPolicies": [
                {
                    "name": "images",
                    "registryScopes": ["registry.example.com/a", "localhost:5000/b"],
                    "signatureVerification": {
                        "level": "permissive",
                        "override": {"expiry": "enforce"},
                        "verifyTimestamp": "afterCertExpiry",
                    },
                    "trustStores": ["ca:wabbit", "tsa:clock", "signingAuthority:acme"],
                    "trustedIdentities": [
                        "x509.subject: C=US, ST=WA, O=wabbit-networks.io",
                        "x509.subject: C=US, ST=WA, O=acme\\, \\C3\\A9, CN=x",
                    ],
                },
                {
                    "name": "rest",
                    "registryScopes": ["*"],
                    "signatureVerification": {"level": "strict"},
                    "trustStores": ["ca:wabbit"],
                    "trustedIdentities": ["*"],
                },
                {
                    "name": "unsigned",
                    "registryScopes": ["localhost:5000/c"],
                    "signatureVerification": {"level": "skip"},
                    "trustStores": None,
                },
            ],
        }
    )


def configs() -> tuple[bytes, ...]:
    settings = {"insecureRegistries": ["localhost:5000"], "credsStore": "pass", "signatureFormat": "cose"}
    return _documents({**settings, "credHelpers": {"docker.io": "x"}}, {"insecureRegistries": None})


def docker_configs() -> tuple[bytes, ...]:
    auths = {
        "https://index.docker.io/v1/": {"auth": b64encode(b"user:password").decode()},
        "localhost:5000": {"username": "user", "password": "password"},
        "registry.example.com": {"identitytoken": "abc"},
    }
    helped = {"credsStore": "pass", "credHelpers": {"docker.io": "x"}}
    return _documents({"auths": auths}, {"auths": auths, **helped})


def own_settings() -> tuple[bytes, ...]:
    ages = {"grace": "7d", "maxAge": "60d12h", "issuers": {"0" * 64: {"grace": "36h"}}}
    return _documents(
        {"verificationPlugins": ["acme", "com.example.plugin"], "evidenceAge": ages, "clockBehind": "1h"},
        {"verificationPlugins": None},
    )


def hosts_files() -> tuple[bytes, ...]:
    return (
        b"""server = "https://upstream.test"
ca = "up.crt"
[host."https://one.test:5000"]
  capabilities = ["pull", "resolve"]
  client = [["me.cert", "me.key"]]
  dial_timeout = "1.5s"
  header = {X-Team = "wabbit", X-More = ["a", "b"]}
[host."http://two.test/cache/v2"]
  override_path = true
""",
    )


def descriptors() -> tuple[bytes, ...]:
    """As oras prints one, and as buildx does."""
    found = {**image().to_json(), "annotations": {"a": "b"}, "platform": {"os": "linux"}}
    return _documents(found, {"buildx.build.ref": "x", "containerimage.descriptor": found})


def signature_names() -> tuple[bytes, ...]:
    return (b"tool.jws.sig", b"/a b/tool.tar.gz.COSE.SIG", b"tool.sig", b"..jws.sig")


def signing_keys() -> tuple[bytes, ...]:
    pairs = {"name": "files", "keyPath": "/k.key", "certPath": "/k.crt", "note": {"é": "<&>"}}
    plugin = {"name": "vault", "id": "1", "pluginName": "p", "pluginConfig": {"a": "b"}}
    return _documents({"default": "files", "keys": [pairs, plugin], "x": [1]}, {"keys": None})


PIN = "pin-of-the-seeds"


def pkcs11_uris() -> tuple[bytes, ...]:
    return (
        b"pkcs11:token=ci%20token;object=build;id=%01%ff?module-path=/usr/lib/x.so&pin-source=file:/pin",
        b"pkcs11:serial=1;slot-id=7;type=private;manufacturer=M;model=N;slot-description=S?module-name=softhsm2",
        f"pkcs11:object=%C3%BC?pin-value={PIN}&module-name=a".encode(),
        b"pkcs11:",
    )


@functools.cache
def plugin() -> Plugin:
    """Every command has a function that does what it is asked."""
    pair = CA("Wabbit").issue("plugin", "EC-256")
    made = Plugin("com.example.fuzz", "1.0.0", "d", "u")
    made.signer(lambda *_: pair.signer())
    made.generate_envelope(lambda request: Envelope(request.payload))
    made.verify_signature(Capability.TRUSTED_IDENTITY)(
        lambda request: Verified(dict.fromkeys(request.wanted, Result(True)), request.unprocessed)
    )
    return made


def plugin_requests() -> tuple[bytes, ...]:
    key: dict[str, Any] = {"contractVersion": "1.0", "keyId": "k", "pluginConfig": {"a": "b"}}
    to_sign = {"keySpec": "EC-256", "hashAlgorithm": "SHA-256", "payload": "cGF5bG9hZA=="}
    wrap = {
        "payload": "e30=",
        "payloadType": "a/b",
        "signatureEnvelopeType": "a/c",
        "expiryDurationInSeconds": 9,
    }
    critical = {"contentType": "a/b", "signingScheme": "notary.x509", "extendedAttributes": {"x": 1}}
    question = {
        "contractVersion": "1.0",
        "signature": {
            "criticalAttributes": critical,
            "unprocessedAttributes": ["x"],
            "certificateChain": ["ZGVy"],
        },
        "trustPolicy": {
            "trustedIdentities": ["*"],
            "signatureVerification": [str(Capability.TRUSTED_IDENTITY)],
        },
    }
    asked = {
        "get-plugin-metadata": {},
        "describe-key": key,
        "generate-signature": {**key, **to_sign},
        "generate-envelope": {**key, **wrap},
        "verify-signature": question,
    }
    return tuple(f"{command}\n{json.dumps(fields)}".encode() for command, fields in asked.items())


def plugin_outputs() -> tuple[bytes, ...]:
    """Every answer that a plugin can give."""
    about = {"name": "acme", "description": "d", "version": "1.0.0", "url": "u"}
    wanted = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY"
    return _documents(
        {**about, "supportedContractVersions": ["1.0"], "capabilities": ["SIGNATURE_GENERATOR.RAW"]},
        {"keyId": "k1", "keySpec": "RSA-2048"},
        {
            "keyId": "k1",
            "signature": "AAAA",
            "signingAlgorithm": "RSASSA-PSS-SHA-256",
            "certificateChain": ["AAAA", "AAAA"],
        },
        {
            "signatureEnvelope": "e30=",
            "signatureEnvelopeType": "application/jose+json",
            "annotations": {"a": "b"},
        },
        {"verificationResults": {wanted: {"success": False, "reason": "no"}}, "processedAttributes": ["a"]},
        {"errorCode": "ACCESS_DENIED", "errorMessage": "no", "errorMetadata": {"a": "b"}},
    )
