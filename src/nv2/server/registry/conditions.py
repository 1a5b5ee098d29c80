"""Conditional requests (RFC 9110, section 13): the entity tag of content is its digest, in quotes.

They make a compare-and-swap of a tag possible, which clients that keep an index under a tag need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_TAG = re.compile(r'(W/)?"([^"]*)"')


class Condition(NamedTuple):
    """What the current digest must be; None where the request does not ask."""

    match: str | None = None
    none_match: str | None = None

    def holds(self, current: str | None) -> bool:
        """Whether `current`, the digest that stands there now (None if nothing does), meets the condition."""
        if self.match is not None and not _names(self.match, current, weak=False):
            return False
        return self.none_match is None or not _names(self.none_match, current, weak=True)


ALWAYS = Condition()


def condition_of(headers: Mapping[str, str]) -> Condition:
    """The condition in the `If-Match` and `If-None-Match` of a request."""
    return Condition(headers.get("if-match"), headers.get("if-none-match"))


def _names(field: str, current: str | None, *, weak: bool) -> bool:
    if current is None:
        return False
    if field == "*":
        return True
    return any(tag == current and (weak or not mark) for mark, tag in _TAG.findall(field))


def entity_tag(digest: str) -> str:
    """The entity tag of content with `digest`."""
    return f'"{digest}"'
