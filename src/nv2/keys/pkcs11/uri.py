"""PKCS#11 URIs (RFC 7512), strictly read: an attribute that is overlooked could mean another key.

What this module does not do: look for tokens, or read a PIN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from nv2.errors import UsageError
from nv2.plain_text import quoted

SCHEME = "pkcs11:"

MAX_URI = 4096
"""Characters. A token has 32 for its label, and a key's is rarely longer."""

MAX_ID = 256
"""Bytes of a key's id; tokens make them of 20."""

WHERE = (
    "token", "manufacturer", "serial", "model", "slot-id", "slot-description", "slot-manufacturer",
    "library-manufacturer", "library-description", "library-version",
)  # fmt: skip
"""Attributes that choose the token."""

_PATH = (*WHERE, "object", "id", "type")
_QUERY = ("module-path", "module-name", "pin-source", "pin-value")

_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_PLAIN = r"A-Za-z0-9._~:\[\]@!$'()*+,=\-"
_IN_PATH = re.compile(rf"(?:[{_PLAIN}&]|%[0-9a-fA-F]{{2}})*", re.ASCII)
_IN_QUERY = re.compile(rf"(?:[{_PLAIN}/|]|%[0-9a-fA-F]{{2}})*", re.ASCII)
# RFC 7512 has "?" in values, too; here a second one is a slip for "&", and a PIN behind it would not be known as one.
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)

EXAMPLE = "write it as 'pkcs11:token=LABEL;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so'"


class Uri(NamedTuple):
    """What a PKCS#11 URI says. Neither `str` nor `repr` shows the PIN that may stand in it."""

    where: Mapping[str, str]
    """What the token must have, by names of `WHERE`."""
    object: str | None
    """The key's label."""
    id: bytes | None
    """The key's CKA_ID."""
    module_path: str | None
    module_name: str | None
    pin_source: str | None
    pin_value: str | None
    shown: str
    """The URI as it was written, without the PIN."""

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Uri({self.shown!r})"


def is_uri(text: str) -> bool:
    """Whether `text` means a key in a token rather than a name or a file."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse_uri(text: str) -> Uri:
    """The URI `text` of a private key. Raises `UsageError`, which quotes nothing that could be a PIN, misspelt or not."""
    if not is_uri(text):
        raise UsageError(f"is no PKCS#11 URI, for it does not begin with {SCHEME!r}", hint=EXAMPLE)
    if len(text) > MAX_URI:
        raise UsageError(f"longer than {MAX_URI} characters", at=SCHEME)
    path_text, _, query_text = text[len(SCHEME) :].partition("?")
    path = _attributes(path_text, ";", _PATH, _IN_PATH)
    query = _attributes(query_text, "&", _QUERY, _IN_QUERY)
    if path.get("type", b"private") != b"private":
        raise UsageError("names something else than a private key", at="pkcs11: type", hint="leave type out")
    values = {name: _text(name, value) for name, value in (path | query).items() if name != "id"}
    return Uri(
        {name: values[name] for name in WHERE if name in values},
        values.get("object"),
        _id(path.get("id")),
        _module_path(values.get("module-path")),
        values.get("module-name"),
        values.get("pin-source"),
        values.get("pin-value"),
        _without_pin(path_text, query_text),
    )


def _attributes(
    text: str, separator: str, known: tuple[str, ...], allowed: re.Pattern[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number, part in enumerate(text.split(separator) if text else (), 1):
        name, equals, value = part.partition("=")
        if name not in known:
            shown = quoted(name) if known is _PATH else f"attribute {number} of the query"
            at = f"pkcs11: {shown}" if equals else "pkcs11:"
            raise UsageError("unknown attribute", at=at, hint=f"known here: {', '.join(known)}")
        if name in found:
            raise UsageError("is given twice", at=f"pkcs11: {name}")
        if not value:
            raise UsageError("has no value", at=f"pkcs11: {name}", hint="leave out what does not matter")
        if not allowed.fullmatch(value):
            raise UsageError(
                "has a character that must be percent-encoded", at=f"pkcs11: {name}", hint="a space is %20"
            )
        found[name] = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), value).encode("latin-1")
    return found


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8", at=f"pkcs11: {name}") from None
    if not text.isprintable():
        raise UsageError("has a character that cannot be shown", at=f"pkcs11: {name}")
    if name == "slot-id" and not _NUMBER.fullmatch(text):
        raise UsageError("is not a number", at="pkcs11: slot-id")
    return text


def _id(value: bytes | None) -> bytes | None:
    if value is not None and len(value) > MAX_ID:
        raise UsageError(f"is longer than {MAX_ID} bytes", at="pkcs11: id")
    return value


def _module_path(path: str | None) -> str | None:
    """A relative path would load another program from every directory."""
    if path is not None and not path.startswith("/"):
        raise UsageError("is not an absolute path", at="pkcs11: module-path", hint=EXAMPLE)
    return path


def _without_pin(path: str, query: str) -> str:
    kept = "&".join(part for part in query.split("&") if not part.startswith("pin-value="))
    return f"{SCHEME}{path}{'?' + kept if kept else ''}"
