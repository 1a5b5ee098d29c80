"""Certificate revocation lists (RFC 5280, 5), read from bytes: all but the entries, which are found when asked for.

What this module does not do: judge; see `crl`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, cast

from nv2.errors import InvalidCertificate, InvalidRevocationData
from nv2.pki import der, public_keys
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import MAX_CRL
from nv2.pki.crl_entries import Entries
from nv2.pki.distribution_points import FRESHEST_CRL, IssuingPoint, issuing_point_of, points_of
from nv2.pki.extensions import Extensions, read_extensions

MAX_EXTENSIONS = 64 * 1024
"""Bytes of the extensions of a CRL, those of its entries aside."""

CRL_NUMBER, DELTA_INDICATOR, ISSUING_POINT = "2.5.29.20", "2.5.29.27", "2.5.29.28"
_PROCESSED = (CRL_NUMBER, DELTA_INDICATOR, ISSUING_POINT, FRESHEST_CRL)
_EXTENSIONS = 0xA0
_VERSION_2 = 1


class Crl:
    """One CRL, well-formed and believed in nothing. Immutable; one is equal to itself alone."""

    __slots__ = (
        "_authentic",
        "_signed",
        "algorithm",
        "delta_base",
        "der",
        "entries",
        "freshest_urls",
        "hash_name",
        "issuer_der",
        "issuing_point",
        "names_delta",
        "next_update",
        "number",
        "scope",
        "signature",
        "this_update",
        "unknown_critical",
    )

    _authentic: set[str]
    """Thumbprints of the issuers that were found to have signed it."""
    _signed: tuple[int, int]
    """TBSCertList: begin and end."""
    der: bytes
    algorithm: str
    hash_name: str | None
    signature: bytes
    issuer_der: bytes
    this_update: datetime
    next_update: datetime | None
    entries: Entries
    number: int | None
    """CRLNumber (5.2.3)."""
    delta_base: int | None
    """BaseCRLNumber (5.2.4): with it this is a delta, and lists only what changed since that number."""
    issuing_point: IssuingPoint | None
    scope: bytes
    """The bytes of `issuing_point`, none if it is absent: a delta has the same as its base."""
    names_delta: bool
    """Whether it says that there is a delta to it (5.2.6)."""
    freshest_urls: tuple[str, ...]
    """Where that delta is published; one of them is enough."""
    unknown_critical: tuple[str, ...]

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a CRL is immutable")

    def series(self, issuer: Certificate) -> str:
        """A name, lower-case hexadecimal, of all CRLs of this issuer's key and this scope: their numbers only grow.

        Deltas are a series of their own.
        """
        kind = b"base" if self.delta_base is None else b"delta"
        return hashlib.sha256(b"".join((kind, self.scope, issuer.spki))).hexdigest()

    def check_origin(self, issuer: Certificate) -> None:
        """Raise `InvalidRevocationData` unless `issuer` made this CRL: name, key usage cRLSign, signature.

        To be called before the number is remembered (`home.crl_numbers`), or anybody in the way could make one up.
        The signature is checked once for each issuer.
        """
        if self.issuer_der != issuer.subject_der:
            raise InvalidRevocationData("the CRL was made by another issuer than the certificate's")
        if issuer.key_usage is not None and "cRLSign" not in issuer.key_usage:
            raise InvalidRevocationData(
                f"{issuer.subject} must not sign CRLs: the key usage cRLSign is missing"
            )
        if issuer.thumbprint in self._authentic:
            return
        start, end = self._signed
        # Without a copy, for there may be 42 MB of it. `cryptography` takes any buffer, and says so for most keys.
        data = cast("bytes", memoryview(self.der)[start:end])
        try:
            public_keys.check_signature(
                issuer.public_key, self.algorithm, self.hash_name, self.signature, data
            )
        except InvalidCertificate as e:
            raise InvalidRevocationData(f"the CRL cannot be believed: {e.message}") from None
        self._authentic.add(issuer.thumbprint)


def parse_crl(data: bytes, at: str | None = None) -> Crl:
    """Read one DER CRL, its entries aside. Raises `InvalidRevocationData` at `at`."""
    if len(data) > MAX_CRL:
        raise InvalidRevocationData(f"a CRL of more than {MAX_CRL} bytes", at=at)
    try:
        return Crl(der=data, _authentic=set(), **_outer(data))
    except (ValueError, IndexError) as e:
        raise InvalidRevocationData(f"not a CRL: {e}", at=at) from None


def _outer(data: bytes) -> dict[str, Any]:
    tag, start, end = der.span(data)
    signed_tag, body, signed_end = der.span(data, start)
    if (tag, signed_tag, end) != (der.SEQUENCE, der.SEQUENCE, len(data)):
        raise der.NotDer("not one sequence")
    algorithm, at = der.read(data, signed_end)
    signature, at = der.read(data, at)
    bits = der.expect(signature, der.BIT_STRING)
    if at != end or bits[:1] != b"\0":
        raise der.NotDer("a signature that does not fill its bytes")
    fields = _Fields(data, body, signed_end)
    found = _inner(fields, algorithm)
    kind, hash_name = public_keys.signature_algorithm(algorithm)
    return {
        **found,
        "_signed": (start, signed_end),
        "algorithm": kind,
        "hash_name": hash_name,
        "signature": bits[1:],
    }


class _Fields:
    """The fields of TBSCertList, one after the other. The last one must end where the list does."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def next_is(self, *tags: int) -> bool:
        return self.at < self.end and self.data[self.at] in tags

    def take(self, *tags: int) -> der.Element:
        if not self.next_is(*tags):
            raise der.NotDer("a field is missing, or one too many")
        element, self.at = der.read(self.data, self.at)
        return element

    def skip(self) -> Entries:
        _, start, self.at = der.span(self.data, self.at)
        return Entries(self.data, start, self.at)


def _inner(fields: _Fields, outer_algorithm: der.Element) -> dict[str, Any]:
    """5.1.2."""
    version = der.integer(fields.take(der.INTEGER)) if fields.next_is(der.INTEGER) else None
    if version not in (None, _VERSION_2):
        raise der.NotDer("a version that is neither 1 nor 2")
    # Unsigned, the outer one could make the signature mean another thing.
    if fields.take(der.SEQUENCE).raw != outer_algorithm.raw:
        raise der.NotDer("two signature algorithms")
    issuer = fields.take(der.SEQUENCE).raw
    this_update = der.instant(fields.take(der.UTC_TIME, der.GENERALIZED_TIME))
    times = (der.UTC_TIME, der.GENERALIZED_TIME)
    next_update = der.instant(fields.take(*times)) if fields.next_is(*times) else None
    entries = fields.skip() if fields.next_is(der.SEQUENCE) else Entries(fields.data, fields.at, fields.at)
    rest = fields.take(_EXTENSIONS).content if version == _VERSION_2 and fields.next_is(_EXTENSIONS) else b""
    if fields.at != fields.end:
        raise der.NotDer("fields that do not end with the list")
    return {
        "issuer_der": issuer,
        "this_update": this_update,
        "next_update": next_update,
        "entries": entries,
        **_extensions(rest, issuer),
    }


def _extensions(data: bytes, issuer: bytes) -> dict[str, Any]:
    """5.2."""
    if len(data) > MAX_EXTENSIONS:
        raise der.NotDer(f"extensions of more than {MAX_EXTENSIONS} bytes")
    found = read_extensions(data) if data else {}
    scope = found[ISSUING_POINT][0] if ISSUING_POINT in found else b""
    freshest = points_of(found[FRESHEST_CRL][0], issuer) if FRESHEST_CRL in found else ()
    return {
        "number": _number(found, CRL_NUMBER),
        "delta_base": _number(found, DELTA_INDICATOR),
        "scope": scope,
        "issuing_point": issuing_point_of(scope, issuer) if scope else None,
        "names_delta": FRESHEST_CRL in found,
        "freshest_urls": tuple(url for point in freshest for url in point.urls),
        "unknown_critical": tuple(
            name for name, (_, critical) in found.items() if critical and name not in _PROCESSED
        ),
    }


MAX_NUMBER = 20
"""Bytes of a CRL number (5.2.3)."""


def _number(found: Extensions, oid: str) -> int | None:
    if oid not in found:
        return None
    element, end = der.read(found[oid][0])
    number = der.integer(element)
    if end != len(found[oid][0]) or number < 0 or len(element.content) > MAX_NUMBER + 1:
        raise der.NotDer("a malformed CRL number")
    return number
