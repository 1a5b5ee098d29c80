"""Signed content only: a tag may name what a trust policy trusts, and nothing else.

Content by digest comes in as ever, signatures too, so that an artifact can be signed here before a tag leads
anybody to it. What this module does not do: judge; that is wiring's (`notary.admission`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from nv2.content.interface import Source
from nv2.errors import Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.plain_text import one_line
from nv2.server.registry.errors import Refusal
from nv2.server.registry.own_content import OwnContent
from nv2.server.registry.storage import Storage

MAX_REMEMBERED = 10_000
"""Artifacts that were found trusted and need not be judged again: a few megabytes."""

MAX_REASON = 600
"""Characters of the reason that a client is told."""


class Judge(Protocol):
    """Judges by one state of the policy; another state has another judge."""

    def refusal(self, source: Source, repository: str, subject: Descriptor) -> str | None:
        """Why a tag of `repository` may not name `subject`, whose signatures are in `source`; None if it may."""


class _Trusted(NamedTuple):
    judge: Judge
    referrers: frozenset[Digest]


class Admission:
    """Asks the judge of the hour, and remembers a yes as long as judge and referrers stay the same."""

    def __init__(self, current: Callable[[], Judge]) -> None:
        self._current = current
        self._lock = threading.Lock()
        self._trusted: dict[tuple[str, Digest, str], _Trusted] = {}

    def refusal(self, storage: Storage, repository: str, subject: Descriptor) -> str | None:
        """Why no tag of `repository` may name `subject`; None if it may. Fails closed."""
        try:
            judge = self._current()
        except Nv2Error as e:
            return f"could not decide: the trust policy cannot be used: {e}"
        found = _Trusted(judge, storage.referrer_digests(repository, subject.digest))
        key = repository, subject.digest, subject.media_type
        if self._trusted.get(key) == found:
            return None
        reason = judge.refusal(OwnContent(storage, repository), repository, subject)
        if reason is None:
            self._remember(key, found)
        return reason

    def _remember(self, key: tuple[str, Digest, str], found: _Trusted) -> None:
        with self._lock:
            while len(self._trusted) >= MAX_REMEMBERED:
                del self._trusted[next(iter(self._trusted))]
            self._trusted[key] = found


def denied(repository: str, subject: Descriptor, tags: tuple[str, ...], reason: str) -> Refusal:
    """What the client is told: which tag, why, and what to do."""
    return Refusal(
        403,
        "DENIED",
        f"this registry sets tags on signed content only, and {', '.join(tags)} was not set: "
        f"{one_line(reason, MAX_REASON)}. The manifest was kept without the tag: sign "
        f"{repository}@{subject.digest} ('nv2 sign'), then push again. 'nv2 copy' brings signatures along",
        detail={"digest": subject.digest, "tags": list(tags)},
    )
