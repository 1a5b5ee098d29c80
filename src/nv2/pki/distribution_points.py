"""Where an authority publishes its CRLs, and what one of them answers for (RFC 5280, 4.2.1.13, 4.2.1.15, 5.2.5).

Read from the certificate only when a CRL is asked for. What this module does not do: compare names in any other way
than byte for byte.
"""

from __future__ import annotations

from typing import NamedTuple

from nv2.pki import der, extensions
from nv2.pki.certificate import Certificate

FRESHEST_CRL = "2.5.29.46"

_POINT, _REASONS, _CRL_ISSUER = 0xA0, 0x81, 0xA2
_FULL_NAME, _RELATIVE_NAME = 0xA0, 0xA1
_DIRECTORY_NAME, _URI = 0xA4, 0x86
_SOME_REASONS = 0x83
_FLAGS = {
    0x81: "onlyContainsUserCerts",
    0x82: "onlyContainsCACerts",
    0x84: "indirectCRL",
    0x85: "onlyContainsAttributeCerts",
}


class DistributionPoint(NamedTuple):
    """One place of publication; several URLs of one point lead to the same CRL."""

    names: frozenset[bytes]
    """GeneralNames, DER."""
    urls: tuple[str, ...]
    reasons: frozenset[int] | None
    """Bits of ReasonFlags; None is all of them."""
    issuer_names: frozenset[bytes]
    """cRLIssuer: whoever else signs the CRL; empty if the certificate's issuer does."""


class IssuingPoint(NamedTuple):
    """What a CRL answers for: the value of its issuingDistributionPoint."""

    names: frozenset[bytes]
    flags: frozenset[str]
    """Those of `_FLAGS` that are set."""
    reasons: frozenset[int] | None


def distribution_points(certificate: Certificate) -> tuple[DistributionPoint, ...]:
    """Where CRLs about `certificate` are published. Raises `ValueError` (`NotDer`) if that cannot be read."""
    value = certificate.extension(extensions.CRL_DISTRIBUTION_POINTS)
    return points_of(value, certificate.issuer_der) if value is not None else ()


def freshest_points(certificate: Certificate) -> tuple[DistributionPoint, ...]:
    """Where deltas are published, as `certificate` says, beside what the base CRL says. Raises like the above."""
    value = certificate.extension(FRESHEST_CRL)
    return points_of(value, certificate.issuer_der) if value is not None else ()


def points_of(value: bytes, issuer: bytes) -> tuple[DistributionPoint, ...]:
    """CRLDistributionPoints; `issuer` is the Name that relative names belong to. Raises `ValueError`."""
    return tuple(_point(item, issuer) for item in der.children(der.single(value, der.SEQUENCE)))


def issuing_point_of(value: bytes, issuer: bytes) -> IssuingPoint:
    """IssuingDistributionPoint of a CRL of `issuer`. Raises `ValueError`."""
    fields = _fields(der.children(der.single(value, der.SEQUENCE)), {_POINT, _SOME_REASONS, *_FLAGS})
    flags = {
        name for tag, name in _FLAGS.items() if tag in fields and der.boolean(_as(der.BOOLEAN, fields[tag]))
    }
    return IssuingPoint(
        _names(fields.get(_POINT), issuer), frozenset(flags), _bits(fields.get(_SOME_REASONS))
    )


def _point(item: der.Element, issuer: bytes) -> DistributionPoint:
    fields = _fields(der.items(item), {_POINT, _REASONS, _CRL_ISSUER})
    names = _names(fields.get(_POINT), issuer)
    others = der.children(fields[_CRL_ISSUER].content) if _CRL_ISSUER in fields else []
    return DistributionPoint(
        names,
        _urls(fields.get(_POINT)),
        _bits(fields.get(_REASONS)),
        frozenset(other.raw for other in others),
    )


def _fields(elements: list[der.Element], allowed: set[int]) -> dict[int, der.Element]:
    found = {element.tag: element for element in elements}
    if len(found) != len(elements) or not found.keys() <= allowed:
        raise der.NotDer("a malformed distribution point")
    return found


def _as(tag: int, element: der.Element) -> der.Element:
    """What an implicit tag hides."""
    return element._replace(tag=tag)


def _bits(element: der.Element | None) -> frozenset[int] | None:
    return None if element is None else der.bits(_as(der.BIT_STRING, element))


def _names(point: der.Element | None, issuer: bytes) -> frozenset[bytes]:
    if point is None:
        return frozenset()
    choice, end = der.read(point.content)
    if end != len(point.content) or choice.tag not in (_FULL_NAME, _RELATIVE_NAME):
        raise der.NotDer("a malformed name of a distribution point")
    if choice.tag == _FULL_NAME:
        return frozenset(name.raw for name in der.children(choice.content))
    relative = der.write(der.SET, choice.content)
    name = der.write(der.SEQUENCE, der.single(issuer, der.SEQUENCE) + relative)
    return frozenset({der.write(_DIRECTORY_NAME, name)})


def _urls(point: der.Element | None) -> tuple[str, ...]:
    """In the order in which they are to be tried."""
    choice = der.children(point.content)[0] if point else None
    if choice is None or choice.tag != _FULL_NAME:
        return ()
    return tuple(name.content.decode("ascii") for name in der.children(choice.content) if name.tag == _URI)
