"""The extensions of a certificate that the Notary Project looks at (RFC 5280, 4.2), read one by one."""

from __future__ import annotations

from typing import NamedTuple

from nv2.pki import der

BASIC_CONSTRAINTS = "2.5.29.19"
KEY_USAGE = "2.5.29.15"
EXTENDED_KEY_USAGE = "2.5.29.37"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
_OCSP = "1.3.6.1.5.5.7.48.1"
_URI, _ZERO = 0x86, 0xA0
"""Tags of GeneralName.uniformResourceIdentifier, and of an explicit [0]."""

KEY_USAGES = (
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
"""By bit (RFC 5280, 4.2.1.3)."""


class BasicConstraints(NamedTuple):
    """RFC 5280, 4.2.1.9."""

    critical: bool
    is_ca: bool
    path_length: int | None


Extensions = dict[str, tuple[bytes, bool]]
"""By dotted object identifier: the value, and whether it is critical."""


def read_extensions(data: bytes) -> Extensions:
    """All of them, from the content of the field `extensions`. Raises `NotDer`, also if one occurs twice."""
    found: Extensions = {}
    for extension in der.children(der.single(data, der.SEQUENCE)):
        oid, *critical, value = der.items(extension)
        name = der.object_identifier(oid)
        if name in found:
            raise der.NotDer(f"extension {name} occurs twice")
        is_critical = bool(critical) and der.boolean(critical[0])
        found[name] = (der.expect(value, der.OCTET_STRING), is_critical)
    return found


def _sequence(extensions: Extensions, oid: str) -> list[der.Element]:
    """The elements of an extension that is a SEQUENCE; none if it is absent."""
    return der.children(der.single(extensions[oid][0], der.SEQUENCE)) if oid in extensions else []


def basic_constraints(extensions: Extensions) -> BasicConstraints | None:
    """4.2.1.9, or None if absent."""
    if BASIC_CONSTRAINTS not in extensions:
        return None
    fields = _sequence(extensions, BASIC_CONSTRAINTS)
    is_ca = bool(fields) and fields[0].tag == der.BOOLEAN and der.boolean(fields.pop(0))
    path_length = der.integer(fields.pop(0)) if fields else None
    if fields or (path_length is not None and path_length < 0):
        raise der.NotDer("malformed basic constraints")
    return BasicConstraints(extensions[BASIC_CONSTRAINTS][1], is_ca, path_length)


def key_usage(extensions: Extensions) -> tuple[frozenset[str] | None, bool]:
    """4.2.1.3: names out of `KEY_USAGES`, or None if absent; and whether it is critical."""
    if KEY_USAGE not in extensions:
        return None, False
    value, critical = extensions[KEY_USAGE]
    element, end = der.read(value)
    positions = der.bits(element)
    if end != len(value) or any(position >= len(KEY_USAGES) for position in positions):
        raise der.NotDer("malformed key usage")
    return frozenset(KEY_USAGES[position] for position in positions), critical


def extended_key_usage(extensions: Extensions) -> tuple[str, ...] | None:
    """4.2.1.12: dotted object identifiers, or None if absent."""
    if EXTENDED_KEY_USAGE not in extensions:
        return None
    return tuple(der.object_identifier(item) for item in _sequence(extensions, EXTENDED_KEY_USAGE))


def ocsp_urls(extensions: Extensions) -> tuple[str, ...]:
    """4.2.2.1: the OCSP responders that are named by URL."""
    pairs = [der.items(item) for item in _sequence(extensions, AUTHORITY_INFORMATION_ACCESS)]
    return tuple(
        _url(where) for method, where in pairs if der.object_identifier(method) == _OCSP and where.tag == _URI
    )


def crl_urls(extensions: Extensions) -> tuple[str, ...]:
    """4.2.1.13: the distribution points that are named by URL."""
    found = []
    for point in _sequence(extensions, CRL_DISTRIBUTION_POINTS):
        for name in (part for part in der.items(point) if part.tag == _ZERO):
            for full_name in (choice for choice in der.children(name.content) if choice.tag == _ZERO):
                found += [_url(name) for name in der.children(full_name.content) if name.tag == _URI]
    return tuple(found)


def _url(name: der.Element) -> str:
    return name.content.decode("ascii")
