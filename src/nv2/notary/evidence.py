"""Evidence about revocation that is carried, wired: gathered here, judged without a network there, and installed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from nv2.bundling.arrival import Arriving, arriving, notation_warnings
from nv2.bundling.chains import FoundChains
from nv2.bundling.chains import chains_of as chains_in
from nv2.bundling.evidence import Evidence, Piece
from nv2.bundling.gathering import gather as gather_about
from nv2.bundling.installing import Fate, Placed, floor_of
from nv2.bundling.installing import install as install_in
from nv2.bundling.places import places_of
from nv2.envelope.envelope import Scheme
from nv2.errors import EnvironmentFailure, TrustStoreError, Unreachable
from nv2.home.crl_cache import CrlCache
from nv2.home.crl_numbers import CrlNumbers
from nv2.home.lock import host_lock
from nv2.home.ocsp_cache import OcspCache
from nv2.home.own_settings import load_own_settings
from nv2.home.trust_stores import list_certificates, read_certificates
from nv2.notary.age_rule import AgeRule
from nv2.notary.carried import CarriedHere
from nv2.plain_text import one_line, rfc3339
from nv2.revocation.caches import Caches
from nv2.revocation.carried import Carried, Place, clock_fault
from nv2.revocation.circumstances import MAX_ADDRESS
from nv2.revocation.online import OnlineRevocation
from nv2.transport.deadline import Hurried

if TYPE_CHECKING:
    from nv2.home.paths import Paths
    from nv2.notary.session import Session
    from nv2.pki.certificate import Certificate
    from nv2.pki.chain import Chain
    from nv2.transport.interface import Pending, Request
    from nv2.trust.anchors import Anchors

__all__ = [
    "NOTHING_INSTALLED",
    "AgeRule",
    "Arriving",
    "Evidence",
    "Fate",
    "FoundChains",
    "Installation",
    "Placed",
    "age_rule",
    "arriving_at",
    "chains_of",
    "checker",
    "gather",
    "install",
    "notation_warnings",
    "piece_json",
    "shown",
]

BARE_KEY = (
    "a bare key vouches for no authority, so evidence about its signer was not kept, and 'nv2 verify' will not find it "
    "here: let -k name the certificate"
)
"""Why what was refused was refused. Anybody can issue a certificate for somebody's public key, and name any address in it."""

MAX_GATHERING = 600.0
"""Seconds for everything that is asked for one bundle."""


def age_rule(session: Session) -> AgeRule:
    """The rule of this machine. Raises `ConfigurationError`."""
    return AgeRule(load_own_settings(session.paths))


def arriving_at(session: Session, evidence: Evidence, instant: datetime) -> tuple[Arriving, ...]:
    """What each piece will be worth at `instant`, by the age rule of this machine. Raises `ConfigurationError`."""
    return arriving(evidence, instant, load_own_settings(session.paths).evidence_age.of)


class _Anchors(NamedTuple):
    """All certificates of all trust stores of this machine."""

    every: tuple[Certificate, ...]
    timestamping: tuple[Certificate, ...]

    def vouch_for(self, chain: Chain) -> bool:
        return not set(self.every).isdisjoint(chain.certificates)


def _anchors(session: Session) -> _Anchors:
    """A file that cannot be read is a warning: it anchors nothing."""
    every: list[Certificate] = []
    timestamping: list[Certificate] = []
    for file in list_certificates(session.paths):
        try:
            found = read_certificates(file.path, regular=True)
        except TrustStoreError as e:
            session.warn(str(e))
            continue
        every += found
        timestamping += found if file.kind == "tsa" else ()
    return _Anchors(tuple(every), tuple(timestamping))


def chains_of(envelopes: Iterable[tuple[str, bytes]], session: Session) -> FoundChains:
    """The chains of signatures (media type, envelope), and of their timestamps, with what could not be read."""
    return chains_in(envelopes, _anchors(session).timestamping)


def gather(
    chains: Sequence[Chain],
    session: Session,
    trusted: Sequence[Anchors] = (),
    own: Chain | None = None,
) -> Evidence:
    """Fetch anew all that the certificates of `chains` name, and judge it; what could not be had is in `gaps`.

    Asked is only about chains that lead to a trust store of this machine, or that one of `trusted` vouches for; and about
    `own`, the chain of who signs here. Raises `UsageError` and what else `trusted` raise.
    """
    paths = session.paths
    stores = _anchors(session)

    def vouched(chain: Chain) -> bool:
        is_named = any(anchors.refusal(chain, Scheme.X509) is None for anchors in trusted)
        return chain == own or is_named or stores.vouch_for(chain)

    transport = Hurried(session.registries.transport_to_strangers(), MAX_GATHERING)
    numbers = CrlNumbers(paths.crl_numbers, host_lock(paths.locks))
    every = dict.fromkeys((*chains, *((own,) if own else ())))
    found = gather_about(tuple(every), vouched, transport, numbers, threading.Lock, session.now)
    for warning in numbers.warnings:
        session.warn(str(warning))
    return found


def checker(evidence: Evidence, session: Session) -> OnlineRevocation:
    """Judges revocation by `evidence`, and by what this machine has already; asks nobody and writes nothing.

    Raises `ConfigurationError`, and `EnvironmentFailure` where the clock is too far behind the evidence.
    """
    here = CarriedHere(session.paths, learn=False)
    _check_clock(evidence, session, here)
    stated = [evidence.gathered_at, *(piece.this_update for piece in evidence.pieces)]
    floor = max(instant for instant in (here.floor.read(), *stated) if instant is not None)
    numbers = CrlNumbers(session.paths.crl_numbers, host_lock(session.paths.locks), learn=False)
    places = (*places_of(evidence), here.place, _fetched(session.paths))
    carried = Carried(places, here.allowance, floor, here.settings.clock_behind, alone=True)
    return OnlineRevocation(_Nobody, threading.Lock, Caches(numbers=numbers, carried=carried), session.warn)


def _check_clock(evidence: Evidence, session: Session, here: CarriedHere) -> None:
    if fault := clock_fault(evidence.gathered_at, session.now, here.settings.clock_behind):
        raise EnvironmentFailure(fault, hint="set the clock of this machine")


def _fetched(paths: Paths) -> Place:
    """Where this machine keeps what it fetched, CRLs where notation does: to be read."""
    return Place(CrlCache(paths.crl_cache, learn=False), OcspCache(paths.ocsp_cache), is_fetched=True)


class _Nobody:
    """A transport for those who ask nobody."""

    def start(self, request: Request) -> Pending:
        raise Unreachable("nobody is asked", at=request.place)


class Installation(NamedTuple):
    """What became of the evidence of a bundle on this machine."""

    placed: tuple[Placed, ...]
    """One for each CRL, with its delta, and each answer."""
    problems: tuple[str, ...]
    """What could not be kept, or read."""
    warnings: tuple[str, ...]
    """What notation cannot use."""

    def count(self, fate: Fate) -> int:
        """How many had it."""
        return sum(each.fate is fate for each in self.placed)

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each piece, with its times."""
        return tuple(map(_line, self.placed))

    def to_json(self) -> list[dict[str, object]]:
        """The same for programs."""
        return [
            {**piece_json(each.piece), "outcome": each.fate.value, "reason": each.reason}
            for each in self.placed
        ]


NOTHING_INSTALLED = Installation((), (), ())
"""Of a bundle without evidence."""

_WORDS = {
    Fate.INSTALLED: "installed",
    Fate.KEPT_NEWER: "not needed, for what is here is as new",
    Fate.REFUSED: "refused",
    Fate.FAILED: "could not be kept everywhere",
}


def _line(placed: Placed) -> str:
    reason = f": {one_line(placed.reason)}" if placed.reason else ""
    return f"{shown(placed.piece)}: {_WORDS[placed.fate]}{reason}"


def shown(piece: Piece) -> str:
    """A piece in one line, with its times."""
    until = rfc3339(piece.next_update) if piece.next_update else "no nextUpdate"
    return (
        f"{piece.kind.value} {one_line(piece.address, MAX_ADDRESS)} ({rfc3339(piece.this_update)} to {until})"
    )


def piece_json(piece: Piece) -> dict[str, object]:
    """A piece as an object."""
    return {
        "kind": piece.kind.value,
        "address": piece.address,
        "issuer": piece.issuer,
        "certificate": piece.certificate or None,
        "thisUpdate": rfc3339(piece.this_update),
        "nextUpdate": rfc3339(piece.next_update) if piece.next_update else None,
    }


def install(
    evidence: Evidence | None, session: Session, trusted: frozenset[str] | None = None
) -> Installation:
    """Keep `evidence` where nv2 and notation look, unless it is not an authority's that is trusted here, or older.

    Trusted are the stores of this machine, and certificates with the thumbprints `trusted`; an empty set is that of a bare
    key. Raises `ConfigurationError`, and `EnvironmentFailure` where the clock is too far behind the evidence.
    """
    if evidence is None:
        return NOTHING_INSTALLED
    here, paths = CarriedHere(session.paths), session.paths
    _check_clock(evidence, session, here)
    lock = host_lock(paths.locks)
    places = (here.place, Place(CrlCache(paths.crl_cache), OcspCache(paths.ocsp_cache)))
    numbers = CrlNumbers(paths.crl_numbers, lock)
    now = max(session.now, evidence.gathered_at)
    named = [found for found in evidence.certificates if found.thumbprint in (trusted or ())]
    with lock(str(paths.carried)):
        placed = install_in(evidence, (*_anchors(session).every, *named), places, numbers, now)
    proven = floor_of(placed)
    if proven is not None:
        here.floor.raise_to(proven)
    keepers = (*here.place.caches, *places[1].caches, numbers, here.floor)
    problems = [str(warning) for keeper in keepers for warning in keeper.warnings]
    is_bare = trusted is not None and not trusted and any(each.fate is Fate.REFUSED for each in placed)
    warnings = (*((BARE_KEY,) if is_bare else ()), *notation_warnings(evidence))
    return Installation(placed, tuple(problems), warnings)
