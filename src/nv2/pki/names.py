"""Distinguished names out of certificates, as text: that of Go's `pkix.Name.String()`, which notation shows.

What this module does not do: read what people write; that is `pki.rfc4514`.
"""

from __future__ import annotations

from nv2.pki import der

SHORT_NAMES = {
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.3": "CN",
    "2.5.4.11": "OU",
    "2.5.4.10": "O",
    "2.5.4.17": "POSTALCODE",
    "2.5.4.9": "STREET",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.6": "C",
}
"""In the order of the text form."""

_SINGLE = ("2.5.4.3", "2.5.4.5")
"""Of these Go keeps only the last value when it writes a name."""

Attributes = tuple[tuple[str, str], ...]
"""Dotted object identifier and value, in the order of the certificate."""


def attributes_of(name: bytes) -> Attributes:
    """The attributes of a DER-encoded Name. Raises `ValueError`, also for string types that Go cannot read."""
    found = []
    for relative in der.children(der.single(name, der.SEQUENCE)):
        for attribute in der.items(relative, der.SET):
            kind, value = der.items(attribute)
            found.append((der.object_identifier(kind), _string(value)))
    return tuple(found)


_PRINTABLE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '()+,-./:=?")
_UTF8, _PRINTABLE_STRING = 0x0C, 0x13


def _string(value: der.Element) -> str:
    content = value.content
    match value.tag:
        case 0x0C:
            return content.decode("utf-8")
        case 0x13 if _PRINTABLE.issuperset(content.translate(None, b"*&")):
            return content.decode("ascii")
        case 0x12 if not content.translate(None, b"0123456789 "):
            return content.decode("ascii")
        case 0x16:
            return content.decode("ascii")
        case 0x14:
            return content.decode("latin-1")
        case 0x1E:
            return _bmp(content)
        case _:
            raise der.NotDer(
                f"a name holds a string of type {value.tag:#04x} that is malformed or not supported"
            )


def _bmp(content: bytes) -> str:
    text = content.decode("utf-16-be").removesuffix("\0")
    if len(content) % 2 or any(ord(c) > 0xFFFD or 0xFDD0 <= ord(c) <= 0xFDEF for c in text):
        raise der.NotDer("a malformed BMPString")
    return text


def text_of(attributes: Attributes) -> str:
    """The text form: known attributes in fixed order, several values joined by `+`, then all others."""
    parts = []
    for oid, short in SHORT_NAMES.items():
        values = [value for kind, value in attributes if kind == oid]
        if oid in _SINGLE:
            values = [value for value in values[-1:] if value]
        if values:
            parts.append("+".join(f"{short}={_escape(value)}" for value in values))
    others = [(kind, value) for kind, value in attributes if kind not in SHORT_NAMES]
    parts += [f"{kind}=#{_encode(value).hex()}" for kind, value in reversed(others)]
    return ",".join(parts)


def _escape(value: str) -> str:
    return "".join(
        "\\" + c
        if c in ',+"\\<>;' or (c == " " and at in (0, len(value) - 1)) or (c == "#" and at == 0)
        else c
        for at, c in enumerate(value)
    )


def _encode(value: str) -> bytes:
    """As Go's asn1.Marshal encodes a string."""
    content = value.encode()
    tag = _PRINTABLE_STRING if _PRINTABLE.issuperset(content) else _UTF8
    return der.write(tag, content)
