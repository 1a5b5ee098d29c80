"""Several artifacts that are copied at once; what is said of each comes in the order in which they were named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nv2.cli.progress import progress_on
from nv2.notary.arrivals import Together

if TYPE_CHECKING:
    from nv2.cli.command import Call
    from nv2.copying import Watcher
    from nv2.notary.copy_sources import Pair

Say = Callable[[Callable[[], object]], object]
"""Takes what prints something, to be called in its turn."""

Watching = Callable[[], AbstractContextManager["Watcher | None"]]
Result = tuple[int, dict[str, Any] | None]
"""The exit code of one, and its result in JSON."""

Copy = Callable[["Together | None", Watching, Say, "Pair"], Result]


class _Done(NamedTuple):
    result: Result
    said: list[Callable[[], object]]


def copied_together(call: Call, pairs: Sequence[Pair], copy: Copy) -> Iterator[Result]:
    """What came of each of `pairs`, in order, after it was said. Closed, it begins with no other."""
    together = Together(call.number("concurrency"))
    with progress_on(call.output, len(pairs)) as progress:
        watching: Watching = progress.part if progress else nullcontext
        for done in together.hands.each([partial(_done, copy, together, watching, pair) for pair in pairs]):
            with progress.aside() if progress else nullcontext():
                for tell in done.said:
                    tell()
            yield done.result


def _done(copy: Copy, together: Together, watching: Watching, pair: Pair) -> _Done:
    said: list[Callable[[], object]] = []
    return _Done(copy(together, watching, said.append, pair), said)
