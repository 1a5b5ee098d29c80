"""Distinguished names: out of certificates, as text, and as `x509.subject` identities of a trust policy.

The text form is that of Go's `pkix.Name.String()`, which notation shows, and which it reads back to match
identities. So a subject with two values of one attribute, or with an attribute of a type that has
no short name, matches no identity there; nor does it here.
(trust-store-trust-policy.md, "Trusted Identities Constraints"; RFC 4514.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nv2.pki import der
from nv2.plain_text import one_line

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.strict_json import ErrorType

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

MANDATORY = ("C", "ST", "O")
HINT = "C, ST and O are needed, and one value for each attribute: C=US,ST=WA,O=example.com"

Attributes = tuple[tuple[str, str], ...]
"""Dotted object identifier and value, in the order of the certificate."""


# --- out of a certificate ---------------------------------------------------------------------------------


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
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


# --- identities -------------------------------------------------------------------------------------------


class Name(NamedTuple):
    """An `x509.subject` identity: attributes that a signing certificate must have, by short name."""

    attributes: Mapping[str, str]

    def matches(self, leaf: Certificate) -> bool:
        """Whether every attribute of this identity is in the subject of `leaf`, with an equal value."""
        subject = _unambiguous(leaf)
        return subject is not None and all(subject.get(k) == v for k, v in self.attributes.items())

    def __str__(self) -> str:
        return ",".join(f"{key}={_escape(value)}" for key, value in self.attributes.items())


def _unambiguous(leaf: Certificate) -> dict[str, str] | None:
    """The subject by short name, or None if an identity cannot be matched with it (see above)."""
    found: dict[str, str] = {}
    for oid, value in leaf.subject_attributes:
        short = SHORT_NAMES.get(oid)
        if short is None or short in found:
            return None
        found[short] = value
    # Notation takes any "=#" in the text for a value in hexadecimal, and gives up.
    return None if "=#" in leaf.subject else found


def overlaps(a: Name, b: Name) -> bool:
    """Whether one identity is part of the other, so that it says nothing more."""
    return a.attributes.items() <= b.attributes.items() or b.attributes.items() <= a.attributes.items()


def parse_name(text: str, at: str, error: ErrorType) -> Name:
    """Read the part of an identity after `x509.subject:` (RFC 4514). Raises `error(message, at=at, hint=…)`.

    Short names are those of `SHORT_NAMES`, in upper case, and `S` for `ST`; attributes of other types are
    read, and match nothing.
    """
    found: dict[str, str] = {}
    try:
        if "=#" in text:
            raise _Refusal('values in hexadecimal ("=#") are not supported')
        for kind, value in _attributes(text):
            short = "ST" if kind == "S" else kind
            if short in found:
                raise _Refusal(f"{short} occurs twice")
            if not value:
                raise _Refusal(f"{short} has no value")
            found[short] = value
    except (_Refusal, UnicodeDecodeError) as e:
        why = one_line(str(e))
        raise error(f"{one_line(text)!r} is not a distinguished name: {why}", at=at, hint=HINT) from None
    if missing := [short for short in MANDATORY if short not in found]:
        raise error(f"{one_line(text)!r} has no {' and no '.join(missing)}", at=at, hint=HINT)
    return Name(found)


class _Refusal(ValueError):
    pass


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for part in _split(text.encode()):
        kind, equals, value = _partition(part)
        if not equals or not (name := _unescape(kind)):
            raise _Refusal(f"{part.decode(errors='replace')!r} is not TYPE=VALUE")
        yield name, _unescape(value)


_SPECIAL = b' "#+,;<=>\\'


def _split(data: bytes) -> Iterator[bytes]:
    """The parts between commas and semicolons that are not escaped."""
    start = at = 0
    while at < len(data):
        if data[at] == 0x2B:  # "+", which would join several values to one part
            raise _Refusal("several values in one part (+) are not supported")
        if data[at] in b",;":
            yield data[start:at]
            start = at + 1
        at += 2 if data[at] == 0x5C else 1  # a backslash takes the next byte along
    yield data[start:]


def _partition(part: bytes) -> tuple[bytes, bool, bytes]:
    at = 0
    while at < len(part) and part[at] != 0x3D:
        at += 2 if part[at] == 0x5C else 1
    return part[:at], at < len(part), part[at + 1 :]


def _unescape(data: bytes) -> str:
    """Without spaces around it, and with `\\,` and `\\C3` resolved."""
    stripped = data.strip(b" ")
    if stripped.endswith(b"\\") and data.endswith(b" "):
        stripped += b" "
    found, at = bytearray(), 0
    while at < len(stripped):
        if stripped[at] != 0x5C:
            found.append(stripped[at])
            at += 1
        elif stripped[at + 1 : at + 2] and stripped[at + 1] in _SPECIAL:
            found.append(stripped[at + 1])
            at += 2
        else:
            found.append(_hexadecimal(stripped[at + 1 : at + 3]))
            at += 3
    return found.decode()


def _hexadecimal(digits: bytes) -> int:
    if len(digits) != 2 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise _Refusal("a backslash escapes a special character or two hexadecimal digits")
    return int(digits, 16)
