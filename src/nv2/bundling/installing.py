"""Puts carried evidence where verifiers look, if a trusted authority made it, and nothing newer is there.

Whoever made the bundle can leave evidence out, and can bring old one. What he cannot do: put anything in the place of
evidence that is newer, or that is about certificates of authorities that this machine does not trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from nv2.bundling.evidence import Evidence, Kind, Piece
from nv2.bundling.kinship import Kin, kin_of
from nv2.errors import InvalidRevocationData, RemoteError
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CLOCK_SKEW, Allowance, Status
from nv2.pki.crl import Crl, check_fit, check_scope, parse_crl
from nv2.pki.ocsp import cache_key, status_by_ocsp
from nv2.plain_text import rfc3339
from nv2.revocation.caches import CrlCache, CrlNumbers, OcspCache
from nv2.revocation.carried import Place
from nv2.revocation.circumstances import Link

_HOWEVER_OLD = Allowance(grace=timedelta.max)
"""Here it is asked who said something. How old it may be is asked by whoever uses it."""

_OCCUPIED = (
    "what another authority made is at its address, and no trusted one issued the certificate that names it"
)

_NEVER = datetime.min.replace(tzinfo=UTC)


class Fate(Enum):
    """What became of a piece."""

    INSTALLED = "installed"
    KEPT_NEWER = "newerIsHere"
    """What is here is as new, or newer."""
    REFUSED = "refused"
    FAILED = "failed"
    """It counts, and a place did not take it: what was there before is there still."""


class Placed(NamedTuple):
    """A piece, what became of it, and why."""

    piece: Piece
    fate: Fate
    reason: str = ""
    is_vouched: bool = True
    """Whether a trusted authority issued a certificate that names its address."""


def install(
    evidence: Evidence,
    anchors: Iterable[Certificate],
    places: Sequence[Place],
    numbers: CrlNumbers,
    now: datetime,
) -> tuple[Placed, ...]:
    """Keep in all of `places` what authorities said who lead to `anchors`, and what is newer than what is there.

    One line for each CRL, its delta included, and each answer. Nothing is raised but `MalformedManifest` for more
    certificates of one name than anybody has.
    """
    pieces = {(piece.kind, piece.address, piece.issuer): piece for piece in evidence.pieces}
    work = _Work(kin_of(evidence.certificates, anchors), places, numbers, now, pieces)
    return tuple(work.placed(piece) for piece in evidence.pieces if piece.kind is not Kind.DELTA)


def _links_naming(piece: Piece, kin: Kin) -> Iterator[Link]:
    for link in kin.links.get(piece.issuer, ()):
        certificate = link.certificate
        urls = certificate.ocsp_urls if piece.kind is Kind.OCSP else certificate.crl_urls
        is_about = piece.certificate in ("", certificate.thumbprint)
        if piece.address in urls and is_about:
            yield link


class _Work(NamedTuple):
    kin: Kin
    places: Sequence[Place]
    numbers: CrlNumbers
    now: datetime
    pieces: dict[tuple[Kind, str, str], Piece]

    def placed(self, piece: Piece) -> Placed:
        """Keep a CRL or an answer, or say why not."""
        links = tuple(_links_naming(piece, self.kin))
        if not links:
            reason = "no certificate of an authority that is trusted here names it"
            return Placed(piece, Fate.REFUSED, reason)
        keep = self._keep_answer if piece.kind is Kind.OCSP else self._keep_crl
        try:
            return keep(piece, links)._replace(is_vouched=self._is_vouched(links))
        except RemoteError as e:
            return Placed(piece, Fate.REFUSED, e.message)

    def _is_vouched(self, links: Sequence[Link]) -> bool:
        return any(link.certificate.thumbprint in self.kin.vouched for link in links)

    def _keep_crl(self, piece: Piece, links: Sequence[Link]) -> Placed:
        """Keep a CRL with its delta. Raises `InvalidRevocationData`.

        Under an address that is only claimed, nothing takes the place of what somebody else made.
        """
        issuer = links[0].issuer
        found, problem = self._read_both(piece, issuer)
        _check_is_about_one(found.base, links)
        if older := self.numbers.older(found.base.series(issuer), found.base.number):
            return Placed(piece, Fate.KEPT_NEWER, older)
        here = [(place.crl, place.crl.load(piece.address)) for place in self.places]
        if not self._is_vouched(links) and any(_is_of_another(kept, issuer) for _, kept in here):
            raise InvalidRevocationData(_OCCUPIED)
        tried = [
            _stored(cache, piece.address, found.base.der, found.delta and found.delta.der)
            for cache, kept in here
            if _is_newer(found, _kept(kept, issuer))
        ]
        # Only now: a number that is known, of a CRL that lies nowhere, would leave all of its issuer's signers undecided.
        for crl in found.both:
            self.numbers.refusal(crl.series(issuer), crl.number)
        return Placed(piece, _fate(tried), problem)

    def _read_both(self, piece: Piece, issuer: Certificate) -> tuple[_Crls, str]:
        """Without the delta if it is none, and why: what the complete one lists is news all the same."""
        base = self._read(piece, issuer, is_delta=False)
        carried = self.pieces.get((Kind.DELTA, piece.address, piece.issuer))
        if carried is None:
            return _Crls(base, None), ""
        try:
            delta = self._read(carried, issuer, is_delta=True)
            check_fit(delta, base)
            if older := self.numbers.older(delta.series(issuer), delta.number):
                raise InvalidRevocationData(older)
        except RemoteError as e:
            return _Crls(base, None), f"without its delta: {e.message}"
        return _Crls(base, delta), ""

    def _read(self, piece: Piece, issuer: Certificate, *, is_delta: bool) -> Crl:
        crl = parse_crl(piece.data)
        crl.check_origin(issuer)
        if (crl.delta_base is not None) is not is_delta:
            raise InvalidRevocationData("a delta CRL in the place of a complete one, or the other way round")
        self._check_past(crl.this_update)
        return crl

    def _keep_answer(self, piece: Piece, links: Sequence[Link]) -> Placed:
        """Keep an answer; those about other certificates lie elsewhere. Raises `InvalidRevocationData`."""
        link = links[0]
        age = self._age(piece.data, link)
        if age is None:
            raise InvalidRevocationData(self._reason(piece.data, link))
        key = cache_key(piece.address, link.certificate, link.issuer)
        tried = []
        for cache in (place.ocsp for place in self.places):
            kept = cache.load(key)
            known = self._age(kept, link) if kept else None
            if known is None or age > known:
                tried.append(_stored(cache, key, piece.data))
        return Placed(piece, _fate(tried))

    def _age(self, data: bytes, link: Link) -> tuple[datetime, bool] | None:
        """When the responder said it; None if nobody said it who may, or it says nothing.

        Of two answers of one instant, that it was revoked is the news.
        """
        try:
            status = status_by_ocsp(data, *link, self.now, None, None, _HOWEVER_OLD).status
        except RemoteError:
            return None
        if status.status is Status.UNKNOWN:
            return None
        return status.made_at or _NEVER, status.status is Status.REVOKED

    def _reason(self, data: bytes, link: Link) -> str:
        return status_by_ocsp(data, *link, self.now, None, None, _HOWEVER_OLD).status.reason

    def _check_past(self, instant: datetime) -> None:
        if instant > self.now + CLOCK_SKEW:
            raise InvalidRevocationData(
                f"is from the future: {rfc3339(instant)}; is this machine's clock behind?"
            )


class _Crls(NamedTuple):
    base: Crl
    delta: Crl | None

    @property
    def both(self) -> tuple[Crl, ...]:
        return (self.base, self.delta) if self.delta else (self.base,)


def _check_is_about_one(base: Crl, links: Sequence[Link]) -> None:
    """Raise `InvalidRevocationData` if `base` answers for none of the certificates that name the address.

    The same authority has a CRL for others at another address, and whoever made the bundle wrote this one on it.
    """
    problem = ""
    for link in links:
        try:
            return check_scope(base, link.certificate)
        except RemoteError as e:
            problem = e.message
        except (ValueError, IndexError):
            problem = "what the certificate says of its CRLs is malformed"
    raise InvalidRevocationData(problem)


def _is_of_another(found: tuple[bytes, bytes | None] | None, issuer: Certificate) -> bool:
    """Whether a CRL is there, and `issuer` did not make it."""
    if found is None:
        return False
    try:
        crl = parse_crl(found[0])
    except RemoteError:
        return False
    try:
        crl.check_origin(issuer)
    except RemoteError:
        return True
    return False


def _kept(found: tuple[bytes, bytes | None] | None, issuer: Certificate) -> _Crls | None:
    """What is there; None where it is of no use: then it makes room."""
    if found is None:
        return None
    try:
        kept = _Crls(parse_crl(found[0]), parse_crl(found[1]) if found[1] else None)
        for crl in kept.both:
            crl.check_origin(issuer)
    except RemoteError:
        return None
    return kept


def _is_newer(found: _Crls, kept: _Crls | None) -> bool:
    """Whether `found` brings news, in its base or else in its delta."""
    if kept is None or found.base.scope != kept.base.scope:
        return kept is None or found.base.this_update > kept.base.this_update
    if difference := _rank(found.base, kept.base):
        return difference > 0
    if found.delta is None or kept.delta is None:
        return found.delta is not None
    return _rank(found.delta, kept.delta) > 0


def _rank(one: Crl, other: Crl) -> int:
    """Positive if `one` is newer: by its number, for two may be made in one second (RFC 5280, 5.2.3); else by time."""
    if one.number is not None and other.number is not None and one.number != other.number:
        return 1 if one.number > other.number else -1
    return (one.this_update > other.this_update) - (one.this_update < other.this_update)


def _stored(cache: CrlCache | OcspCache, *what: Any) -> bool:
    """Whether the cache took it; why it did not is among its warnings."""
    before = len(cache.warnings)
    cache.store(*what)
    return len(cache.warnings) == before


def _fate(tried: Sequence[bool]) -> Fate:
    if not all(tried):
        return Fate.FAILED
    return Fate.INSTALLED if tried else Fate.KEPT_NEWER


def floor_of(placed: Iterable[Placed]) -> datetime | None:
    """The latest instant that trusted authorities signed: it cannot be earlier now."""
    known = [each.piece.this_update for each in placed if each.fate is not Fate.REFUSED and each.is_vouched]
    return max(known, default=None)
