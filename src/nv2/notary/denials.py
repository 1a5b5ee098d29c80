"""Denials, wired: what is denied is found out from files, keys or registries, and kept in this machine's list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nv2.discovery import discover
from nv2.errors import (
    DenialListError,
    InvalidCertificate,
    NotFound,
    Nv2Error,
    SigningKeyError,
    TrustStoreError,
    UsageError,
)
from nv2.files import read_file
from nv2.home.denials import MAX_DENIALS, change_denials, load_denials
from nv2.home.paths import Paths
from nv2.home.signing_keys import load_signing_keys
from nv2.home.trust_stores import list_certificates, read_certificates
from nv2.inspection import Inspected, inspect
from nv2.keys.interface import MAX_KEY_FILE
from nv2.notary.machine import Machine
from nv2.notary.session import Session
from nv2.notary.signature_files import read_envelope
from nv2.oci.digest import Digest, is_computable, parse_digest
from nv2.oci.reference import AnyReference
from nv2.pki.certificate import Certificate
from nv2.pki.chain import parse_chain, signing_certificates
from nv2.pki.pem import certificates_from, public_key_from
from nv2.strict_json import ErrorType
from nv2.trust.denial import Denial, DenialList, parse_denials, signature_target, spki_hash

_A_LIST = "a list is what 'nv2 trust denials --output json' prints on another machine"
_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
SPKI = "spki:"
"""Before the SHA-256 of a SubjectPublicKeyInfo, which looks like a certificate's thumbprint."""


def _located(place: Path) -> ErrorType:
    def error(message: str, *, at: str | None = None, hint: str | None = None) -> Nv2Error:
        return DenialListError(message, at=f"{place}: {at}" if at else str(place), hint=hint or _MEND)

    return error


_MEND = "nothing is trusted before the list can be read: mend it, or bring back a copy of it"


def read_denials(paths: Paths) -> DenialList | None:
    """This machine's list; None if there is none. Raises `DenialListError`."""
    data = load_denials(paths)
    return None if data is None else parse_denials(data, _located(paths.denials))


def denials_of(machine: Machine) -> DenialList:
    """The list, empty where there is none. Raises `DenialListError`."""
    return read_denials(machine.paths) or DenialList()


class Merged(NamedTuple):
    """What was new, and what was on the list already."""

    added: tuple[Denial, ...]
    known: tuple[Denial, ...]


def add_denials(paths: Paths, denials: Iterable[Denial]) -> Merged:
    """Put `denials` on this machine's list; nothing is ever removed by it. Raises `DenialListError`."""
    found = tuple(denials)
    merged: list[Merged] = []

    def change(data: bytes | None) -> bytes:
        before = _parsed(data, paths)
        known = {denial.id for denial in before.denials}
        new = tuple(denial for denial in found if denial.id not in known)
        merged.append(Merged(new, tuple(denial for denial in found if denial.id in known)))
        return before.merged(new).encode()

    change_denials(paths, change)
    return merged[0]


def remove_denial(machine: Machine, name: str) -> Denial:
    """Take the denial with the id `name` off the list; what it was. Raises `UsageError`, `DenialListError`."""
    removed: list[Denial] = []

    def change(data: bytes | None) -> bytes:
        before = _parsed(data, machine.paths)
        denial = find_denial(before, name)
        removed.append(denial)
        return before.without(denial).encode()

    change_denials(machine.paths, change)
    return removed[0]


def find_denial(denials: DenialList, name: str) -> Denial:
    """The denial with the id `name`. Raises `UsageError`."""
    found = next((denial for denial in denials.denials if denial.id == name), None)
    if found is None:
        raise UsageError(f"no denial {name!r}", hint="'nv2 trust denials' shows them, the id first")
    return found


def _parsed(data: bytes | None, paths: Paths) -> DenialList:
    return DenialList() if data is None else parse_denials(data, _located(paths.denials))


def read_document(path: Path) -> tuple[Denial, ...]:
    """The denials in a file that somebody handed out. Raises `DenialListError`, `EnvironmentFailure`."""
    data = read_file(path, MAX_DENIALS, "a list of denials")

    def error(message: str, *, at: str | None = None, hint: str | None = None) -> Nv2Error:
        return UsageError(message, at=f"{path}: {at}" if at else str(path), hint=hint or _A_LIST)

    return parse_denials(data, error).denials


def key_named(session: Session, text: str, references: Iterable[AnyReference]) -> str:
    """SHA-256 of the public key that `text` means, lower hexadecimal.

    `text` is `spki:` with that hash, a certificate's thumbprint (looked for in the trust stores, among the
    signing keys and in the signatures of `references`), a signing key's name, or the file of a certificate,
    public key or private key. Raises `UsageError` and what reading raises.
    """
    if text.startswith(SPKI):
        if not _HEX.fullmatch(text.removeprefix(SPKI)):
            raise UsageError("expected SHA-256 as 64 hexadecimal digits after 'spki:'", at=text)
        return text.removeprefix(SPKI).lower()
    if _HEX.fullmatch(text):
        return _key_of_thumbprint(session, text.lower(), references)
    known = load_signing_keys(session.paths).find(text)
    path = Path(known.certificate_path if known and known.certificate_path else text)
    return _key_in(read_file(path, MAX_KEY_FILE, "key or certificate", absent=_WHICH), path)


_WHICH = "name the file of a certificate or key, a signing key, a certificate's thumbprint, or spki:<SHA-256>"


def _key_in(data: bytes, path: Path) -> str:
    from hashlib import sha256

    spki = public_key_from(data, str(path))
    if spki is None and b"PRIVATE KEY-----" in data:
        from nv2.keys.file import public_key_of

        spki = public_key_of(data, str(path))
    if spki is not None:
        return sha256(spki).hexdigest()
    try:
        found = certificates_from(data, str(path))
    except InvalidCertificate as e:
        raise UsageError(e.message, at=str(path), hint=_WHICH) from None
    leaves = signing_certificates(found)  # of a chain, the one that signs is meant
    if len(leaves) != 1:
        raise UsageError(
            f"holds {len(found)} certificates, and one key is denied at a time",
            at=str(path),
            hint="name a file with the one certificate",
        )
    return spki_hash(leaves[0])


def _key_of_thumbprint(session: Session, thumbprint: str, references: Iterable[AnyReference]) -> str:
    for certificate in (*_certificates_here(session.paths), *_certificates_of(session, references)):
        if certificate.thumbprint == thumbprint:
            return spki_hash(certificate)
    raise UsageError(
        "no certificate with this thumbprint is in a trust store or in a signature of the references",
        at=thumbprint,
        hint="name an artifact that it signed too, or the certificate's file; a key's own hash is spki:<SHA-256>",
    )


def _certificates_here(paths: Paths) -> Iterator[Certificate]:
    for file in list_certificates(paths, "", ""):
        try:
            yield from read_certificates(file.path, regular=True)
        except TrustStoreError:
            continue  # a file that is no certificate is not the one that is looked for
    for key in load_signing_keys(paths).keys:
        if key.certificate_path:
            try:
                data = read_file(
                    Path(key.certificate_path), MAX_KEY_FILE, "a certificate", error=SigningKeyError
                )
                yield from certificates_from(data, key.certificate_path, mixed=True)
            except (SigningKeyError, InvalidCertificate):
                continue


def _certificates_of(session: Session, references: Iterable[AnyReference]) -> Iterator[Certificate]:
    for reference in references:
        for signature in _signatures(session, reference):
            yield from signature.chain.certificates


MAX_LOOKED_AT = 1000
"""Signatures of one artifact among which the one to deny is looked for."""


def _signatures(session: Session, reference: AnyReference) -> Iterator[Inspected]:
    artifact = session.resolve(reference, hurried=True)
    found = discover(artifact.store, artifact.subject)
    for signature in inspect(artifact.store, artifact.subject, found, MAX_LOOKED_AT):
        if isinstance(signature, Inspected):
            yield signature


def signature_of(session: Session, reference: AnyReference, manifest: Digest) -> tuple[str, str]:
    """What means the signature that has the signature manifest `manifest`. Raises `NotFound`, `InvalidSignature`."""
    for signature in _signatures(session, reference):
        if signature.manifest.digest == manifest:
            signature.envelope.open(signature.chain.leaf.public_key)
            return signature_target(signature.envelope, signature.chain)
    raise NotFound(
        f"{reference} has no readable signature of this digest",
        at=manifest,
        hint=f"see 'nv2 list {reference}'",
    )


def signature_in(path: Path) -> tuple[str, str]:
    """What means the signature in a file. Raises `ArtifactError` for one without integrity, `EnvironmentFailure`."""
    envelope = read_envelope(path)
    chain = parse_chain(envelope.unsigned.certificates)
    envelope.open(chain.leaf.public_key)
    return signature_target(envelope, chain)


def digest_to_deny(text: str) -> Digest:
    """The digest `text`. Raises `UsageError` for one that nothing is ever looked up by."""
    digest = parse_digest(text, "--artifact")
    if not is_computable(digest):
        raise UsageError(
            "artifacts are denied by sha256 or sha512, and this would deny nothing",
            at=text,
            hint="a file's sha256 will do, whatever hash its signatures have",
        )
    return digest


def artifact_digest(session: Session, reference: AnyReference) -> Digest:
    """The digest of the artifact: as written, or what the reference resolves to now. Raises `UsageError`."""
    if reference.digest is not None:
        return digest_to_deny(reference.digest)
    return session.resolve(reference, hurried=True).subject.digest
