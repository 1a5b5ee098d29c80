"""What the file of `-k` holds: a certificate, a public key, or a private key whose public half counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nv2.errors import InvalidCertificate, UsageError
from nv2.pki.certificate import Certificate
from nv2.pki.chain import signing_certificates
from nv2.pki.pem import certificates_from, public_key_from
from nv2.trust.anchors import Anchors, CertificateAnchors, KeyAnchor


def anchor_in(data: bytes, key: str, warn: Callable[[str], None]) -> Anchors:
    """What is trusted by the file `key`, which holds `data`. Raises `UsageError`, `SigningKeyError`."""
    spki = public_key_from(data, key)
    if spki is not None:
        return KeyAnchor(spki)
    if b"PRIVATE KEY-----" in data:
        from nv2.keys.file import public_key_of  # rare: -k should name what may be handed out

        warn(
            f"{key} is a private key: only its public half is used. "
            f"Hand out {Path(key).with_suffix('.crt').name} to those who verify, never the key"
        )
        return KeyAnchor(public_key_of(data, key))
    certificates = _certificates(data, key)
    if len(certificates) > 1:
        raise UsageError(
            f"holds {len(certificates)} certificates, and exactly one can be trusted this way",
            at=key,
            hint="name a file with the signing certificate alone, or use a trust store and a policy",
        )
    return CertificateAnchors(certificates)


def anchor_of(data: bytes, name: str, path: str) -> Anchors:
    """The certificate of the signing key `name`, which the file `path` holds. Raises `UsageError`.

    It is the one that issued no other: the file may hold its issuers too, in any order, and none of them is meant.
    """
    found = _certificates(data, path)
    leaves = signing_certificates(found)
    if len(leaves) != 1:
        raise UsageError(
            f"cannot tell the signing certificate of {name!r} among {len(found)}",
            at=path,
            hint="name a file with the signing certificate alone",
        )
    return CertificateAnchors(leaves)


def _certificates(data: bytes, path: str) -> tuple[Certificate, ...]:
    try:
        return certificates_from(data, path)
    except InvalidCertificate as e:
        raise UsageError(
            e.message, at=path, hint="-k takes a certificate, a public key or a private key (PEM)"
        ) from None
