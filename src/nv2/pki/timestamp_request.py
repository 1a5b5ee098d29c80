"""Asking for a timestamp: TimeStampReq and TimeStampResp (RFC 3161, 2.4). Pure: bytes in, bytes out."""

from __future__ import annotations

import hashlib

from nv2.errors import InvalidTimestamp
from nv2.pki import ber, der
from nv2.pki.cms import hash_identifier
from nv2.pki.timestamp import OpenedToken, parse_token
from nv2.plain_text import one_line, quoted

MIN_NONCE = 64
"""Bits of randomness: nobody answers with a reply to somebody else's request."""

_GRANTED = (0, 1)
_STATUS = {
    2: "rejected",
    3: "waiting",
    4: "a revocation is imminent",
    5: "a revocation was announced",
}
_FAILURES = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
MAX_SAID = 4
"""Texts of an authority's that are shown."""

MAX_FAILURES = 8
"""Bytes of the bit string that says why; the highest bit that anyone uses is 25."""

_UTF8 = 0x0C


def build_request(data: bytes, hash_name: str, nonce: int) -> bytes:
    """A request to stamp `data`, DER, that asks for the authority's certificates. `nonce` is positive."""
    imprint = der.write(
        der.SEQUENCE,
        hash_identifier(hash_name) + der.write(der.OCTET_STRING, hashlib.new(hash_name, data).digest()),
    )
    parts = (
        der.write(der.INTEGER, b"\x01"),
        imprint,
        der.write(der.INTEGER, nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")),
        der.write(der.BOOLEAN, b"\xff"),
    )
    return der.write(der.SEQUENCE, b"".join(parts))


def read_reply(reply: bytes) -> bytes:
    """The token in a reply, as DER. Raises `InvalidTimestamp`, with the authority's reason if it gives none."""
    try:
        status, *token = der.children(der.single(ber.to_der(reply), der.SEQUENCE))
        granted, said = _read_status(status)
    except ValueError as e:
        raise InvalidTimestamp(f"not a timestamp reply: {e}") from None
    if not granted:
        raise InvalidTimestamp(f"the timestamping authority refused: {said}")
    if len(token) != 1:
        raise InvalidTimestamp("the timestamping authority granted a timestamp, and sent none")
    return token[0].raw


def _read_status(element: der.Element) -> tuple[bool, str]:
    status, *details = der.items(element)
    number = der.integer(status)
    said = [_STATUS.get(number, f"status {number}")]
    for detail in details:
        if detail.tag == der.SEQUENCE:
            shown = der.items(detail)[:MAX_SAID]
            texts = (der.expect(text, _UTF8).decode("utf-8") for text in shown)
            said += [quoted(one_line(text)) for text in texts]
        else:
            if len(detail.content) > MAX_FAILURES:
                raise der.NotDer("more failures than there are")
            said += [_FAILURES.get(bit, f"failure {bit}") for bit in sorted(der.bits(detail))]
    return number in _GRANTED, ", ".join(said)


def open_reply(reply: bytes, data: bytes, hash_name: str, nonce: int) -> tuple[bytes, OpenedToken]:
    """The token in the reply to `build_request(data, hash_name, nonce)`, and what it says, opened by its signature.

    Raises `InvalidTimestamp`, also if it answers another request.
    """
    token = read_reply(reply)
    opened = parse_token(token).open()
    if opened.info.nonce != nonce:
        raise InvalidTimestamp("it answers another request: its nonce is not the one that was sent")
    if opened.info.hash_name != hash_name:
        raise InvalidTimestamp(f"it was made with {opened.info.hash_name} instead of {hash_name}")
    opened.info.check_imprint(data)
    return token, opened
