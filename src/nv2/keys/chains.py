"""The certificate chain of a signing key, out of certificates in any order, and a check that it may sign.

Nothing here is lenient about what is signed with: a chain that a verifier would refuse is refused now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from nv2.errors import InvalidCertificate, SigningKeyError
from nv2.files import read_file
from nv2.keys.interface import MAX_KEY_FILE
from nv2.pki.certificate import Certificate
from nv2.pki.chain import Chain, check_validity, parse_chain
from nv2.pki.pem import certificates_from

WHAT_SIGNS = "'nv2 key generate NAME --subject ...' makes a pair that can sign"


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """The certificates in the file `path`, at least one. Raises `SigningKeyError`."""
    data = read_file(path, MAX_KEY_FILE, "certificates", error=SigningKeyError)
    try:
        return certificates_from(data, str(path), mixed=True)
    except InvalidCertificate as e:
        raise SigningKeyError(e.message, at=e.at or str(path), hint=e.hint) from None


def signing_chain(
    certificates: Sequence[Certificate], spki: bytes, *, key: str, place: str, now: datetime | None = None
) -> tuple[bytes, ...]:
    """The DER chain of the key whose SubjectPublicKeyInfo is `spki`, good to sign with.

    `key` and `place` (where the certificates were) are for messages. With `now`, every certificate must
    be valid then. Raises `SigningKeyError`.
    """
    with _as_key_error(place):
        leaf = next((found for found in certificates if found.spki == spki), None)
        if leaf is None:
            raise _no_match(certificates[0], key, place)
    return chain_of(leaf, certificates, place=place, now=now)


def chain_of(
    leaf: Certificate, certificates: Sequence[Certificate], *, place: str, now: datetime | None = None
) -> tuple[bytes, ...]:
    """The DER chain from `leaf` up, good to sign with; see `signing_chain`."""
    with _as_key_error(place):
        ordered = _ordered(leaf, certificates)
        _check_end(ordered[-1], place)
        chain = parse_chain(tuple(certificate.der for certificate in ordered))
    if now is not None:
        _check_now(chain, now, place)
    return tuple(certificate.der for certificate in chain.certificates)


@contextmanager
def _as_key_error(place: str) -> Iterator[None]:
    """A certificate that breaks the profile is, here, a key that cannot be used."""
    try:
        yield
    except InvalidCertificate as e:
        where = f"{place}: {e.at}" if e.at and e.at != place else place
        raise SigningKeyError(
            f"cannot be signed with: {e.message}", at=where, hint=e.hint or WHAT_SIGNS
        ) from None


def _no_match(certificate: Certificate, key: str, place: str) -> SigningKeyError:
    return SigningKeyError(
        f"the certificate of {certificate.subject} does not match the key {key}",
        at=place,
        hint="name the file of the key's own certificate (--cert; of 'nv2 key add', --cert-file)",
    )


def _ordered(leaf: Certificate, certificates: Sequence[Certificate]) -> list[Certificate]:
    """`leaf`, its issuer, and so on: files, archives and tokens have them in any order."""
    chain = [leaf]
    while not chain[-1].is_self_issued:
        issuer = next((found for found in certificates if _issued(found, chain[-1])), None)
        if issuer is None or issuer in chain:
            break
        chain.append(issuer)
    return chain


def _issued(issuer: Certificate, child: Certificate) -> bool:
    return issuer.subject_der == child.issuer_der and issuer.has_signed(child)


def _check_end(last: Certificate, place: str) -> None:
    if not last.is_self_issued:
        raise SigningKeyError(
            f"the chain ends with {last.subject}, and the certificate of its issuer {last.issuer} is missing",
            at=place,
            hint="append the certificates of the issuers, the root's included",
        )


def _check_now(chain: Chain, now: datetime, place: str) -> None:
    try:
        check_validity(chain, now)
    except InvalidCertificate as e:
        raise SigningKeyError(
            f"cannot sign now: {e.message}",
            at=f"{place}: {e.at}" if e.at else place,
            hint="sign with a certificate that is valid, and look at the clock of this machine",
        ) from None
