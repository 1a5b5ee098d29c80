"""Puts carried evidence where verifiers look, if a trusted authority made it, and nothing newer is there.

Whoever made the bundle can leave evidence out, and can bring old one. What he cannot do: put anything in the place of
evidence that is newer, or that is about certificates of authorities that this machine does not trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from nv2.bundling.evidence import Evidence, Kind, Piece
from nv2.bundling.kinship import Kin, kin_of
from nv2.errors import InvalidRevocationData, RemoteError
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CLOCK_SKEW, Allowance, Status
from nv2.pki.crl import Crl, parse_crl
from nv2.pki.ocsp import cache_key, status_by_ocsp
from nv2.plain_text import rfc3339
from nv2.revocation.caches import CrlNumbers
from nv2.revocation.carried import Place
from nv2.revocation.circumstances import Link

_HOWEVER_OLD = Allowance(grace=timedelta.max)
"""Here it is asked who said something. How old it may be is asked by whoever uses it."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class Fate(Enum):
    """What became of a piece."""

    INSTALLED = "installed"
    KEPT_NEWER = "newerIsHere"
    """What is here is as new, or newer."""
    REFUSED = "refused"


class Placed(NamedTuple):
    """A piece, what became of it, and why."""

    piece: Piece
    fate: Fate
    reason: str = ""


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
    kin = kin_of(evidence.certificates, anchors)
    work = _Work(places, numbers, now, {(p.kind, p.address, p.issuer): p for p in evidence.pieces})
    return tuple(
        _placed(piece, kin, work.keep_answer if piece.kind is Kind.OCSP else work.keep_crl)
        for piece in evidence.pieces
        if piece.kind is not Kind.DELTA
    )


def _placed(piece: Piece, kin: Kin, keep: Callable[[Piece, Link], Placed]) -> Placed:
    link = next(_links_naming(piece, kin), None)
    if link is None:
        reason = "no certificate of an authority that is trusted here names it"
        return Placed(piece, Fate.REFUSED, reason)
    try:
        return keep(piece, link)
    except RemoteError as e:
        return Placed(piece, Fate.REFUSED, e.message)


def _links_naming(piece: Piece, kin: Kin) -> Iterator[Link]:
    for link in kin:
        certificate = link.certificate
        urls = certificate.ocsp_urls if piece.kind is Kind.OCSP else certificate.crl_urls
        is_about = piece.certificate in ("", certificate.thumbprint)
        if piece.address in urls and is_about and piece.issuer == link.issuer.thumbprint:
            yield link


class _Work(NamedTuple):
    places: Sequence[Place]
    numbers: CrlNumbers
    now: datetime
    pieces: dict[tuple[Kind, str, str], Piece]

    def keep_crl(self, piece: Piece, link: Link) -> Placed:
        """Keep a CRL with its delta. Raises `InvalidRevocationData`."""
        base = self._read(piece, link.issuer, is_delta=False)
        carried = self.pieces.get((Kind.DELTA, piece.address, piece.issuer))
        delta = self._read(carried, link.issuer, is_delta=True) if carried else None
        for crl in (base, delta) if delta else (base,):
            if older := self.numbers.refusal(crl.series(link.issuer), crl.number):
                return Placed(piece, Fate.KEPT_NEWER, older)
        stored = False
        for cache in (place.crl for place in self.places):
            if _age(base, delta) > _age_of_kept(cache.load(piece.address), link.issuer):
                cache.store(piece.address, base.der, delta.der if delta else None)
                stored = True
        return Placed(piece, Fate.INSTALLED if stored else Fate.KEPT_NEWER)

    def _read(self, piece: Piece, issuer: Certificate, *, is_delta: bool) -> Crl:
        crl = parse_crl(piece.data)
        crl.check_origin(issuer)
        if (crl.delta_base is not None) is not is_delta:
            raise InvalidRevocationData("a delta CRL in the place of a complete one, or the other way round")
        self._check_past(crl.this_update)
        return crl

    def keep_answer(self, piece: Piece, link: Link) -> Placed:
        """Keep an answer. Raises `InvalidRevocationData`."""
        made_at = self._made_at(piece.data, link)
        if made_at is None:
            raise InvalidRevocationData(self._reason(piece.data, link))
        key = cache_key(piece.address, link.certificate, link.issuer)
        stored = False
        for cache in (place.ocsp for place in self.places):
            kept = cache.load(key)
            if made_at > ((self._made_at(kept, link) if kept else None) or _NEVER):
                cache.store(key, piece.data)
                stored = True
        return Placed(piece, Fate.INSTALLED if stored else Fate.KEPT_NEWER)

    def _made_at(self, data: bytes, link: Link) -> datetime | None:
        """When the responder said it; None if nobody said it who may, or it says nothing."""
        try:
            answer = status_by_ocsp(data, *link, self.now, None, None, _HOWEVER_OLD)
        except RemoteError:
            return None
        return answer.status.made_at if answer.status.status is not Status.UNKNOWN else None

    def _reason(self, data: bytes, link: Link) -> str:
        return status_by_ocsp(data, *link, self.now, None, None, _HOWEVER_OLD).status.reason

    def _check_past(self, instant: datetime) -> None:
        if instant > self.now + CLOCK_SKEW:
            raise InvalidRevocationData(
                f"is from the future: {rfc3339(instant)}; is this machine's clock behind?"
            )


def _age(base: Crl, delta: Crl | None) -> tuple[datetime, datetime]:
    return base.this_update, delta.this_update if delta else _NEVER


def _age_of_kept(kept: tuple[bytes, bytes | None] | None, issuer: Certificate) -> tuple[datetime, datetime]:
    """Of what is there; as old as can be where it is of no use: then it makes room."""
    try:
        if kept is None:
            return _NEVER, _NEVER
        base, delta = parse_crl(kept[0]), parse_crl(kept[1]) if kept[1] else None
        for crl in (base, delta) if delta else (base,):
            crl.check_origin(issuer)
    except RemoteError:
        return _NEVER, _NEVER
    return _age(base, delta)


def floor_of(placed: Iterable[Placed]) -> datetime | None:
    """The latest instant that authorities signed: it cannot be earlier now."""
    known = [each.piece.this_update for each in placed if each.fate is not Fate.REFUSED]
    return max(known, default=None)
