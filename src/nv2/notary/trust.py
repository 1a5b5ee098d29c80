"""What is trusted, wired: a file that the caller names, or the policy and the trust stores of this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from nv2.errors import InvalidCertificate, PolicyError, UsageError
from nv2.files import read_file
from nv2.home.policy import load_policy
from nv2.home.signing_keys import load_signing_keys
from nv2.home.store import load_store
from nv2.keys.interface import MAX_KEY_FILE
from nv2.notary.session import Session
from nv2.oci.reference import AnyReference, LayoutReference
from nv2.pki.certificate import Certificate
from nv2.pki.pem import certificates_from, public_key_from
from nv2.trust.level import LEVELS
from nv2.trust.policy import Statement, TimestampWhen, TrustPolicy, parse_policy
from nv2.trust.store import Anchors, CertificateAnchors, KeyAnchor, StoreName, Stores
from nv2.verification import Trust as Trust
from nv2.verification import trust_of

TrustChoice = Callable[[AnyReference], "Trust | Statement"]
"""What is trusted for a reference; a statement where its level skips verification."""


def trust_in_file(session: Session, key: str) -> TrustChoice:
    """Exactly what `key` names is trusted, strictly; no policy is read.

    `key` is a signing key's name (first) or a path: a certificate, a bare public key, or a private key,
    whose public half then counts. Raises `UsageError`, `SigningKeyError`, `EnvironmentFailure`.
    """
    trust = Trust(f"-k {key}", LEVELS["strict"], _anchor(session, key), (), TimestampWhen.ALWAYS)
    return lambda _: trust


def _anchor(session: Session, key: str) -> Anchors:
    known = load_signing_keys(session.paths).find(key)
    path = Path(key)
    if known is not None:
        if known.certificate_path is None:
            raise UsageError("has no certificate file to trust", at=key)
        return CertificateAnchors((_signing_certificate(key, Path(known.certificate_path)),))
    absent = "-k names a file, or a signing key that 'nv2 key list' shows"
    data = read_file(path, MAX_KEY_FILE, "key or certificate", absent=absent)
    spki = public_key_from(data, key)
    if spki is not None:
        return KeyAnchor(spki)
    if b"PRIVATE KEY-----" in data:
        from nv2.keys.file import public_key_of  # rare: -k should name what may be handed out

        session.warn(
            f"{key} is a private key: only its public half is used. "
            f"Hand out {path.with_suffix('.crt').name} to those who verify, never the key"
        )
        return KeyAnchor(public_key_of(data, key))
    certificates = _certificates(path, data)
    if len(certificates) > 1:
        raise UsageError(
            f"holds {len(certificates)} certificates, and exactly one can be trusted this way",
            at=key,
            hint="name a file with the signing certificate alone, or use a trust store and a policy",
        )
    return CertificateAnchors(certificates)


def _signing_certificate(name: str, path: Path) -> Certificate:
    """The one that issued no other: the file may hold its issuers too, in any order, and none of them is meant."""
    found = _certificates(path)
    issuers = {each.issuer_der for each in found if not each.is_self_issued}
    leaves = [each for each in found if each.subject_der not in issuers]
    if len(leaves) != 1:
        raise UsageError(
            f"cannot tell the signing certificate of {name!r} among {len(found)}",
            at=str(path),
            hint="name a file with the signing certificate alone",
        )
    return leaves[0]


def _certificates(path: Path, data: bytes | None = None) -> tuple[Certificate, ...]:
    read = read_file(path, MAX_KEY_FILE, "certificate") if data is None else data
    try:
        return certificates_from(read, str(path))
    except InvalidCertificate as e:
        raise UsageError(
            e.message, at=str(path), hint="-k takes a certificate, a public key or a private key (PEM)"
        ) from None


def trust_by_policy(session: Session, scope: str | None = None) -> TrustChoice:
    """The trust policy decides, by repository or by `scope`. It is read and checked at once.

    Raises `PolicyError`.
    """
    file = load_policy(session.paths)
    for warning in file.warnings:
        session.warn(warning)
    policy = parse_policy(file.data, str(file.path))

    @cache
    def load(name: StoreName) -> tuple[Certificate, ...]:
        return load_store(session.paths, name)

    return choice_of(policy, load, scope)


def choice_of(policy: TrustPolicy, load: Stores, scope: str | None) -> TrustChoice:
    """What `policy` says of a reference, or of the repository `scope` whatever the reference is."""

    def choose(reference: AnyReference) -> Trust | Statement:
        statement = policy.statement_for(scope or _scope_of(reference))
        return statement if statement.level.skips else trust_of(statement, load)

    return choose


def _scope_of(reference: AnyReference) -> str:
    if isinstance(reference, LayoutReference):
        raise PolicyError(
            "an image layout has no repository that a policy statement could name",
            at=str(reference),
            hint="say which statement applies: --scope <registry>/<repository>",
        )
    return reference.name
