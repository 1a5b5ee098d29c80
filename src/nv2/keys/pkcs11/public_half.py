"""The public half of a key in a token, from what the token shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nv2.errors import SigningKeyError
from nv2.keys.pkcs11 import token as tokens
from nv2.pki.public_keys import spki_of

if TYPE_CHECKING:
    import pkcs11


def public_half(session: pkcs11.Session, key: Any, identifier: bytes) -> bytes | None:
    """SubjectPublicKeyInfo (DER) of the private `key`, or None where the token does not show it.

    An RSA key shows its modulus; an EC key only the public key beside it, of the same CKA_ID. Raises
    `SigningKeyError` for kinds of keys that cannot sign.
    """
    reader = _READERS.get(getattr(key.key_type, "name", ""))
    if reader is None:
        kind = getattr(key.key_type, "name", key.key_type)
        raise SigningKeyError(f"the key is of kind {kind}, which cannot sign", hint="possible: RSA and EC")
    shown = [key, *(tokens.public_keys(session, identifier) if identifier else ())]
    try:
        return next((spki for item in shown if (spki := reader(item)) is not None), None)
    except ValueError:
        return None  # what it shows is no key; the first signature will tell whether the certificate fits


def _rsa(item: Any) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from pkcs11 import Attribute

    modulus, exponent = (tokens.read(item, name) for name in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT))
    if not modulus or not exponent:
        return None
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    return spki_of(numbers.public_key())


def _ec(item: Any) -> bytes | None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from pkcs11 import Attribute
    from pkcs11.util.ec import encode_ec_public_key

    if not tokens.read(item, Attribute.EC_POINT) or not tokens.read(item, Attribute.EC_PARAMS):
        return None
    key = load_der_public_key(encode_ec_public_key(item))
    return spki_of(key) if isinstance(key, ec.EllipticCurvePublicKey) else None


_READERS: Mapping[str, Callable[[Any], bytes | None]] = {"RSA": _rsa, "EC": _ec}
