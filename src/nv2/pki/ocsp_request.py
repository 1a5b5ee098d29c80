"""Requests for the status of a certificate (RFC 6960, 4.1; 8954; 5019)."""

from __future__ import annotations

import base64
import hashlib

from nv2.pki import der
from nv2.pki.certificate import Certificate
from nv2.pki.ocsp_cert_id import cert_id

MAX_NONCE = 32
"""Bytes of a nonce (RFC 8954, 2.1)."""

MAX_GET = 255
"""Characters of a request that goes by GET (RFC 5019, 5), responder's URL not counted, as notation has it."""

NONCE = "1.3.6.1.5.5.7.48.1.2"
_NONCE_OID = bytes.fromhex("06092b0601050507300102")
_EXPLICIT_2 = 0xA2
_ESCAPED = str.maketrans({"+": "%2B", "/": "%2F", "=": "%3D"})


def build_request(
    certificate: Certificate, issuer: Certificate, nonce: bytes | None, hash_name: str
) -> bytes:
    """An OCSPRequest, DER, about `certificate`, which `issuer` issued.

    `nonce` has 1 to 32 bytes (RFC 8954, 2.1); None leaves it out. `hash_name` is `sha1`, which every responder knows, or
    `sha256`; it only names the issuer, and nothing hangs on nobody finding a second name. Raises `ValueError`.
    """
    single = der.write(der.SEQUENCE, cert_id(certificate, issuer, hash_name))
    fields = der.write(der.SEQUENCE, single)
    if nonce is not None:
        if not 1 <= len(nonce) <= MAX_NONCE:
            raise ValueError(f"a nonce has 1 to {MAX_NONCE} bytes")
        extension = der.write(der.SEQUENCE, _NONCE_OID + der.write(der.OCTET_STRING, nonce_value(nonce)))
        fields += der.write(_EXPLICIT_2, der.write(der.SEQUENCE, extension))
    return der.write(der.SEQUENCE, der.write(der.SEQUENCE, fields))


def nonce_value(nonce: bytes) -> bytes:
    """The value of the extension that carries `nonce`."""
    return der.write(der.OCTET_STRING, nonce)


def request_path(request: bytes) -> str | None:
    """What follows the responder's URL and a slash when `request` is sent by GET (RFC 5019, 5).

    None if it is too long for that and must be sent by POST.
    """
    path = base64.b64encode(request).decode().translate(_ESCAPED)
    return path if len(path) <= MAX_GET else None


def cache_key(url: str, certificate: Certificate, issuer: Certificate) -> str:
    """What an answer is kept under: SHA-256, lower-case hexadecimal, of what was asked of whom.

    That is the responder's URL, the issuer's name and key, and the serial number.
    """
    asked = cert_id(certificate, issuer, "sha256")
    return hashlib.sha256(asked + url.encode()).hexdigest()
