"""Files of certificates and public keys: PEM (RFC 7468) or DER. Bytes in, values out; nobody reads files here."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from nv2.errors import InvalidCertificate
from nv2.pki import der
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.public_keys import spki_of
from nv2.strict_json import ErrorType

MAX_BUNDLE = 1000
"""Certificates in one file. The bundle of a whole operating system has about 150."""

_BEGIN, _END = b"-----BEGIN ", b"-----END "
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_PUBLIC_KEYS = ("PUBLIC KEY", "RSA PUBLIC KEY")


class Block(NamedTuple):
    """One PEM block: what it says it is, and all of it from `-----BEGIN` on."""

    label: str
    text: bytes


def blocks_of(data: bytes, at: str, error: ErrorType = InvalidCertificate) -> Iterator[Block]:
    """Every PEM block; text between blocks is ignored. Raises `error` for a block that does not end."""
    position = 0
    while (begin := data.find(_BEGIN, position)) >= 0:
        line = _LABEL.match(data, begin)
        last = _END + line[1] + b"-----" if line else b""
        end = data.find(last, line.end()) if line else -1
        if not line or end < 0:
            raise error("a PEM block is cut short or malformed", at=at)
        position = end + len(last)
        yield Block(line[1].decode(), data[begin:position] + b"\n")


def _der_of(block: Block, at: str) -> bytes:
    body = block.text.split(b"-----", 2)[2].rpartition(_END)[0]
    try:
        return binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except binascii.Error:
        raise InvalidCertificate(f"a PEM block ({block.label}) is not base64", at=at) from None


def is_pem(data: bytes) -> bool:
    """Whether `data` has a PEM block."""
    return _BEGIN in data


def certificates_from(data: bytes, at: str, *, mixed: bool = False) -> tuple[Certificate, ...]:
    """The certificates of a PEM bundle, or of DER. At least one.

    With `mixed`, other PEM blocks (a private key) may stand beside them; otherwise they are refused, as
    notation refuses them. Raises `InvalidCertificate` at `at`.
    """
    found = [parse_certificate(block, at) for block in _certificate_blocks(data, at, mixed)]
    if not found:
        raise InvalidCertificate("holds no certificate", at=at)
    return tuple(found)


def _certificate_blocks(data: bytes, at: str, mixed: bool) -> list[bytes]:
    if not is_pem(data):
        try:
            return [element.raw for element in der.children(data)]
        except der.NotDer:
            raise InvalidCertificate("is neither PEM nor a certificate in DER", at=at) from None
    found = []
    for block in blocks_of(data, at):
        if block.label in _CERTIFICATES:
            found.append(_der_of(block, at))
        elif not mixed:
            raise InvalidCertificate(f"holds a {block.label.lower()} beside certificates", at=at)
    if len(found) > MAX_BUNDLE:
        raise InvalidCertificate(f"holds more than {MAX_BUNDLE} certificates", at=at)
    return found


def public_key_from(data: bytes, at: str) -> bytes | None:
    """SubjectPublicKeyInfo of a bare public key in PEM or DER; None if `data` is something else.

    Raises `InvalidCertificate` for a public key that cannot be read.
    """
    key = _public_key_der(data, at)
    if key is None:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return spki_of(load_der_public_key(key))  # type: ignore[arg-type]  # any kind has an SPKI
    except (ValueError, UnsupportedAlgorithm) as e:
        raise InvalidCertificate(f"the public key cannot be used: {e}", at=at) from None


def _public_key_der(data: bytes, at: str) -> bytes | None:
    if is_pem(data):
        blocks = list(blocks_of(data, at))
        return _der_of(blocks[0], at) if len(blocks) == 1 and blocks[0].label in _PUBLIC_KEYS else None
    try:
        kind, key = der.children(der.single(data, der.SEQUENCE))
    except ValueError:
        return None
    return data if (kind.tag, key.tag) == (der.SEQUENCE, der.BIT_STRING) else None
