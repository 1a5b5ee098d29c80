"""BER made DER (X.690, 8 and 10): as much of it as CMS needs, whose readers must take both (RFC 5652, 1).

Lengths become definite and minimal, and OCTET STRINGs that came in parts are joined. What this module does not do: sort
a SET OF, or know any other type; whoever reads the result does that.
"""

from __future__ import annotations

from nv2.pki import der

MAX_DEPTH = 32
"""Levels of nesting. A token with its certificates has 13."""

MAX_ELEMENTS = 100_000
"""Elements. A token with six certificates has 600; the rest is for those who put a CRL beside them."""

_CONSTRUCTED = 0x20
_INDEFINITE = 0x80


def to_der(data: bytes) -> bytes:
    """The one element that `data` is, as DER. Raises `NotDer`."""
    found, end = _Reader(data).element(0, len(data), 0)
    if end != len(data):
        raise der.NotDer("trailing bytes")
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._elements = 0

    def element(self, at: int, end: int, depth: int) -> tuple[bytes, int]:
        """The element at `at`, which ends before `end`, as DER; and where it ends."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise der.NotDer("more elements, or deeper ones, than a token can have")
        if at + 2 > end:
            raise der.NotDer("cut short")
        tag = self._data[at]
        if tag & 0x1F == 0x1F or tag == 0:
            raise der.NotDer("a tag that is not expected")
        length, body = self._length(at + 1, end)
        if length is None:
            content, after = self._until_the_end(tag, body, end, depth)
        else:
            after = body + length
            if after > end:
                raise der.NotDer("cut short")
            content = self._children(body, after, depth) if tag & _CONSTRUCTED else self._data[body:after]
        if tag == der.OCTET_STRING | _CONSTRUCTED:
            parts = [der.expect(part, der.OCTET_STRING) for part in der.children(content)]
            return der.write(der.OCTET_STRING, b"".join(parts)), after
        return der.write(tag, content), after

    def _length(self, at: int, end: int) -> tuple[int | None, int]:
        """The length at `at`, None if it is indefinite, and where the content begins."""
        first = self._data[at]
        if first == _INDEFINITE:
            return None, at + 1
        if first < 0x80:
            return first, at + 1
        body = at + 1 + (first & 0x7F)
        if body > end:
            raise der.NotDer("cut short")
        return int.from_bytes(self._data[at + 1 : body], "big"), body

    def _children(self, at: int, end: int, depth: int) -> bytes:
        found = []
        while at < end:
            child, at = self.element(at, end, depth + 1)
            found.append(child)
        return b"".join(found)

    def _until_the_end(self, tag: int, at: int, end: int, depth: int) -> tuple[bytes, int]:
        """The children of an element of indefinite length, and where it ends, its mark included."""
        if not tag & _CONSTRUCTED:
            raise der.NotDer("a length that must not be indefinite")
        found = []
        while self._data[at : min(at + 2, end)] != b"\0\0":
            child, at = self.element(at, end, depth + 1)
            found.append(child)
        return b"".join(found), at + 2
