"""The profiles of code-signing and of timestamping certificates (signature-specification, "Certificate Requirements").

Where notation is laxer than the specification, the specification wins: basic constraints of an authority
must be critical, and `anyExtendedKeyUsage` is forbidden; notation looks at neither. `OCSPSigning` is forbidden
by notation only; it stays forbidden, for nothing may be trusted here that notation refuses.
What this module does not do: order, links, signatures and validity; see `chain`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from nv2.errors import InvalidCertificate
from nv2.pki.certificate import Certificate, extensions_of
from nv2.pki.extensions import EXTENDED_KEY_USAGE

LEAF_KEYS = ("RSA-2048", "RSA-3072", "RSA-4096", "EC-256", "EC-384", "EC-521")
"""Each prescribes its signature algorithm; for other sizes there is none."""

MAX_RSA = 8192
"""Bits of an RSA key in a chain: checking one signature takes a millisecond then, and eight times that with 16384."""

MAX_EXPONENT = 2**31 - 1
"""Public exponent of an RSA key in a chain. Nearly all have 65537; the work grows with the bits of it."""

MIN_RSA = 2048
MIN_EC = 224
"""Bits of an authority's key (NIST SP 800-131A: 112 bits of security). The specification has a rule for leaves alone."""

FORBIDDEN_KEY_USAGES = (
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)

TIME_STAMPING, OCSP_SIGNING = "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"

FORBIDDEN_EXTENDED_KEY_USAGES = {
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    TIME_STAMPING: "timeStamping",
    OCSP_SIGNING: "OCSPSigning",
}


def check_work(certificate: Certificate, at: str | None = None) -> None:
    """Raise `InvalidCertificate` if it would take long to check a signature with the key of `certificate`.

    To be called before any signature of a chain is checked: whoever may push makes up the chain.
    """
    try:
        key = certificate.public_key
    except InvalidCertificate as e:
        raise InvalidCertificate(e.message, at=at) from None
    if not isinstance(key, rsa.RSAPublicKey):
        return
    if key.key_size > MAX_RSA:
        raise InvalidCertificate(f"an RSA key of more than {MAX_RSA} bits", at=at)
    if key.public_numbers().e > MAX_EXPONENT:
        raise InvalidCertificate(f"an RSA key with a public exponent above {MAX_EXPONENT}", at=at)


def check_leaf(leaf: Certificate, at: str | None = None) -> None:
    """Raise `InvalidCertificate` unless `leaf` may sign code."""
    _check_signing(leaf, at, critical=True)
    for oid in leaf.extended_key_usage or ():
        if oid in FORBIDDEN_EXTENDED_KEY_USAGES:
            name = FORBIDDEN_EXTENDED_KEY_USAGES[oid]
            raise InvalidCertificate(
                f"a signing certificate must not have the extended key usage {name}", at=at
            )


def _check_signing(leaf: Certificate, at: str | None, *, critical: bool) -> None:
    """What both profiles demand of who signs."""
    if leaf.is_ca:
        raise InvalidCertificate("a signing certificate must not be a certificate authority", at=at)
    usage = _key_usage(leaf, "digitalSignature", at, critical=critical)
    for forbidden in FORBIDDEN_KEY_USAGES:
        if forbidden in usage:
            raise InvalidCertificate(f"a signing certificate must not have the key usage {forbidden}", at=at)
    if leaf.key_kind not in LEAF_KEYS:
        raise InvalidCertificate(
            f"its key is {leaf.key_kind}, which cannot sign",
            at=at,
            hint=f"possible keys: {', '.join(LEAF_KEYS)}",
        )


def check_authority(
    authority: Certificate, below: int, at: str | None = None, *, critical: bool = True
) -> None:
    """Raise `InvalidCertificate` unless `authority` may issue, with `below` authorities under it.

    `critical` says whether its key usage must be marked so.
    """
    constraints = authority.basic_constraints
    if constraints is None or not constraints.is_ca:
        raise InvalidCertificate("an issuer must be a certificate authority (basic constraints)", at=at)
    if not constraints.critical:
        raise InvalidCertificate("the basic constraints of an authority must be critical", at=at)
    if constraints.path_length is not None and constraints.path_length < below:
        raise InvalidCertificate(
            f"it allows {constraints.path_length} authorities under it, but there are {below}", at=at
        )
    _key_usage(authority, "keyCertSign", at, critical=critical)
    check_strength(authority, at)


def check_strength(authority: Certificate, at: str | None = None) -> None:
    """Raise `InvalidCertificate` if the key of `authority`, or of who speaks for one, is too weak."""
    match authority.public_key:
        case rsa.RSAPublicKey(key_size=bits) if bits < MIN_RSA:
            least = MIN_RSA
        case ec.EllipticCurvePublicKey(key_size=bits) if bits < MIN_EC:
            least = MIN_EC
        case _:
            return
    raise InvalidCertificate(
        f"the key of an authority must have at least {least} bits, and this is {authority.key_kind}", at=at
    )


def _key_usage(certificate: Certificate, needed: str, at: str | None, *, critical: bool) -> frozenset[str]:
    if certificate.key_usage is None:
        raise InvalidCertificate("the key usage extension is missing", at=at)
    if critical and not certificate.key_usage_critical:
        raise InvalidCertificate("the key usage extension must be critical", at=at)
    if needed not in certificate.key_usage:
        raise InvalidCertificate(f"the key usage {needed} is missing", at=at)
    return certificate.key_usage


def check_code_signing(certificates: tuple[Certificate, ...], places: tuple[str, ...] = ()) -> None:
    """Raise `InvalidCertificate` unless the first may sign code and all others may issue.

    `places` name the certificates in messages. A single certificate is judged as a leaf.
    """
    where = places or (None,) * len(certificates)
    check_leaf(certificates[0], where[0])
    for below, (authority, at) in enumerate(zip(certificates[1:], where[1:], strict=True)):
        check_authority(authority, below, at)


def check_time_stamping(certificates: tuple[Certificate, ...], places: tuple[str, ...]) -> None:
    """Raise `InvalidCertificate` unless the first may sign timestamps, and nothing else, and all others may issue.

    RFC 3161, 2.3. Their key usage SHOULD be critical: public authorities have some that is not.
    """
    leaf, at = certificates[0], places[0]
    _check_signing(leaf, at, critical=False)
    if leaf.extended_key_usage != (TIME_STAMPING,):
        raise InvalidCertificate(
            "the extended key usage of a timestamping certificate must be timeStamping alone", at=at
        )
    if not extensions_of(leaf)[EXTENDED_KEY_USAGE][1]:
        raise InvalidCertificate(
            "the extended key usage of a timestamping certificate must be critical", at=at
        )
    for below, (authority, where) in enumerate(zip(certificates[1:], places[1:], strict=True)):
        check_authority(authority, below, where, critical=False)
