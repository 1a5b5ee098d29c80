"""What is trusted for an artifact, and how much is done to find it: chosen before anybody is asked.

What this module does not do: read certificates, or judge. It is loaded before a registry is asked, and
`trust.validations`, with all that reads envelopes, only afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import PolicyError
from nv2.trust.anchors import Anchors, StoreAnchors, Stores
from nv2.trust.identity import Identity
from nv2.trust.level import Level
from nv2.trust.policy import Statement, TimestampWhen

if TYPE_CHECKING:
    from nv2.trust.denial import DenialList

MAX_SIGNATURES = 100
"""Signatures with a trusted anchor that are judged for one artifact: each may cost questions to its CA."""

NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Trust(NamedTuple):
    """What is trusted, and how strictly."""

    name: str
    """Of the statement, or how the trust was named (`-k FILE`)."""
    level: Level
    anchors: Anchors
    identities: tuple[Identity, ...] = ()
    """Empty: anyone whom `anchors` vouch for."""
    timestamp: TimestampWhen = TimestampWhen.ALWAYS
    """When timestamps are verified, if `anchors` serve them at all."""
    denials: DenialList | None = None
    """What does not count, whatever else is trusted; None where there is no list."""


def trust_of(statement: Statement, load: Stores, denials: DenialList | None = None) -> Trust:
    """The trust that a policy statement describes; `load` reads its trust stores. Raises `PolicyError`."""
    if not statement.identities and not statement.level.skips:
        raise PolicyError(f"statement {statement.name!r} trusts nobody")
    anchors = StoreAnchors(statement.stores, load)
    return Trust(statement.name, statement.level, anchors, statement.identities, statement.timestamp, denials)
