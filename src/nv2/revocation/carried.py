"""Evidence that was carried here, over an air gap: where it lies, how old it may be, and what time it proves to be.

A clock that is behind makes old evidence look fresh. What authorities signed cannot have been signed later than now: the
latest such instant is a floor under the clock. What this module does not do: judge; see `by_carried`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import RemoteError
from nv2.pki.certificate_status import STRICT, Allowance
from nv2.plain_text import rfc3339, span

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.pki.crl import Crl
    from nv2.revocation.caches import CrlCache, OcspCache


class Place(NamedTuple):
    """Where carried evidence lies."""

    crl: CrlCache
    ocsp: OcspCache
    is_fetched: bool = False
    """Whether this machine fetched it itself: then it is no older than its nextUpdate."""

    @property
    def caches(self) -> tuple[CrlCache, OcspCache]:
        """Both."""
        return self.crl, self.ocsp


class Carried:
    """The carried evidence of a run.

    `allowance` says how old that of an issuer may be, `floor` when it is at least, and `clock_behind` how far the clock
    may be behind that. `alone`: nobody else is asked.
    """

    def __init__(
        self,
        places: Sequence[Place],
        allowance: Callable[[Certificate], Allowance],
        floor: datetime | None,
        clock_behind: timedelta,
        *,
        alone: bool = False,
    ) -> None:
        self.places = tuple(places)
        self.rule = allowance
        self.alone = alone
        self._floor = floor
        self._clock_behind = clock_behind
        self._crls: dict[str, tuple[tuple[Crl, Crl | None, Place], ...]] = {}

    def allowance(self, place: Place, issuer: Certificate) -> Allowance:
        """How old what `issuer` said, and lies in `place`, may be."""
        rule = self.rule(issuer)
        return rule._replace(grace=STRICT.grace) if place.is_fetched else rule

    def crls(self, url: str) -> tuple[tuple[Crl, Crl | None, Place], ...]:
        """Those kept for `url` that can be read, each with its delta; parsed once in a run."""
        if url not in self._crls:
            found = ((place, place.crl.load(url)) for place in self.places)
            read = ((place, _parsed(*kept)) for place, kept in found if kept)
            self._crls[url] = tuple((*crl, place) for place, crl in read if crl)
        return self._crls[url]

    def answers(self, key: str) -> tuple[tuple[bytes, Place], ...]:
        """Those kept under `key` (`pki.ocsp.cache_key`)."""
        found = ((place, place.ocsp.load(key)) for place in self.places)
        return tuple((answer, place) for place, answer in found if answer is not None)

    def instant(self, now: datetime) -> datetime:
        """What time it is at least, if the clock says `now`: ages are counted from then."""
        return now if self._floor is None else max(now, self._floor)

    def clock_fault(self, now: datetime) -> str:
        """Why no age can be told by a clock that says `now`; empty if it can."""
        return clock_fault(self._floor, now, self._clock_behind)


def clock_fault(floor: datetime | None, now: datetime, allowed: timedelta) -> str:
    """Why a clock that says `now` is too far behind the instant `floor`; empty if it is not."""
    if floor is None or floor - now <= allowed:
        return ""
    return (
        f"the clock of this machine is behind: it says {rfc3339(now)}, and there is evidence of "
        f"{rfc3339(floor)}; {span(allowed)} are allowed (clockBehind)"
    )


def _parsed(base: bytes, delta: bytes | None) -> tuple[Crl, Crl | None] | None:
    from nv2.pki.crl import parse_crl

    try:
        return parse_crl(base), None if delta is None else parse_crl(delta)
    except RemoteError:
        return None  # as good as absent
