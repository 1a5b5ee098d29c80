"""Several things at once with several jobs each, by a fixed number of hands."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from functools import partial

import pytest

from nv2.copying import Outcome
from nv2.errors import NotFound
from nv2.notary.arrivals import Together
from nv2.notary.hands import AHEAD, Hands
from nv2.notary.threads import Abandoned

LONG = 20
"""Seconds after which a test that waits has failed."""


class Most:
    """How many are inside at a time, at most. Each stays a moment, or until there are more than `bound`."""

    def __init__(self, bound: int) -> None:
        self.inside = self.most = 0
        self.bound = bound
        self.lock = threading.Lock()
        self.exceeded = threading.Event()

    def __call__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.most > self.bound:
                self.exceeded.set()
        self.exceeded.wait(0.01)
        with self.lock:
            self.inside -= 1


def test_results_of_things_come_in_order_whoever_is_done_first() -> None:
    last = threading.Event()

    def third() -> str:
        last.set()
        return "third"

    things = [lambda: "first" if last.wait(LONG) else "late", lambda: "second", third]
    assert list(Hands(3).each(things)) == ["first", "second", "third"]


def test_as_many_things_are_under_way_as_there_are_hands() -> None:
    together = threading.Barrier(3)
    assert sorted(Hands(3).each([partial(together.wait, LONG)] * 3)) == [0, 1, 2]


def test_hands_that_find_no_thing_help_with_the_jobs_of_another() -> None:
    hands, together = Hands(4), threading.Barrier(4)
    thing = lambda: sorted(hands([partial(together.wait, LONG)] * 4))  # noqa: E731
    assert list(hands.each([thing, lambda: "short"])) == [[0, 1, 2, 3], "short"]


def test_there_are_never_more_jobs_than_hands() -> None:
    hands, most = Hands(3), Most(3)
    things = [lambda: list(hands([most] * 5)) for _ in range(6)]
    assert len(list(hands.each(things))) == 6
    assert 1 <= most.most <= 3


def test_a_hand_that_waits_for_another_one_is_not_missed_and_comes_back() -> None:
    hands, most = Hands(2), Most(2)
    busy = threading.Event()

    def waits() -> str:
        with hands.resting():
            busy.wait(LONG)
        most()
        return "waited"

    def lets_it() -> str:
        busy.set()
        list(hands([most] * 5))
        return "let"

    things = [waits, waits, waits, lets_it, *([lambda: list(hands([most] * 5))] * 5)]
    assert list(hands.each(things))[:4] == ["waited"] * 3 + ["let"]
    assert most.most <= 2


def test_hands_that_wait_for_one_another_do_not_wait_for_ever() -> None:
    """Two things wait for the last of their jobs, and those who do these wait for a hand to go on with."""
    hands, ended = Hands(2), threading.Event()
    begun, over = [threading.Event() for _ in "ab"], [threading.Event() for _ in "ab"]

    def job(number: int, own: int) -> bool:
        if threading.get_ident() != own:
            begun[number].set()
            with hands.resting():
                return all(event.wait(LONG) for event in over)
        with hands.resting() if number == 0 else nullcontext():
            met = all(event.wait(LONG) for event in begun)
        over[number].set()
        return met

    def thing(number: int) -> list[bool]:
        assert number == 0 or begun[0].wait(LONG)
        return list(hands([partial(job, number, threading.get_ident())] * 2))

    def wait_for_all() -> None:
        assert list(hands.each([partial(thing, 0), partial(thing, 1)])) == [[True, True]] * 2
        ended.set()

    threading.Thread(target=wait_for_all, daemon=True).start()
    assert ended.wait(LONG)


def test_results_of_jobs_come_in_order_and_their_errors_where_they_are_wanted() -> None:
    hands = Hands(3)

    def fails() -> int:
        raise ValueError("job")

    def thing() -> object:
        found = []
        with pytest.raises(ValueError, match="job"):
            for result in hands([lambda: 1, lambda: 2, fails, lambda: 4]):
                found.append(result)  # noqa: PERF402
        return found

    assert list(hands.each([thing] * 5)) == [[1, 2]] * 5
    with pytest.raises(ValueError, match="job"):
        list(Hands(2).each([fails, lambda: 1]))


def test_not_all_things_wait_in_memory_for_their_turn() -> None:
    begun: list[int] = []
    many = threading.Event()

    def thing(number: int) -> int:
        begun.append(number)
        if len(begun) > 2 * AHEAD:
            many.set()
        if number == 0:
            many.wait(0.3)
        return len(begun)

    results = Hands(2).each([partial(thing, number) for number in range(100)])
    assert next(results) <= 2 * AHEAD
    assert len(list(results)) == 99
    assert sorted(begun) == list(range(100))


def test_nothing_is_begun_after_the_results_are_not_wanted_any_more() -> None:
    hands, begun, over = Hands(2), threading.Event(), threading.Event()
    seen: list[object] = []

    def thing() -> None:
        begun.set()
        over.wait(LONG)
        try:
            seen.extend(hands([partial(seen.append, "job")] * 3))
        except Abandoned as e:
            seen.append(e)
        finished.release()

    finished = threading.Semaphore(0)
    results = hands.each([lambda: None, *([thing] * 20)])
    next(results)
    begun.wait(LONG)
    results.close()
    over.set()
    assert finished.acquire(timeout=LONG)
    assert seen
    assert all(isinstance(item, Abandoned) for item in seen)
    assert len(seen) <= 2


def test_what_one_copy_brings_the_others_wait_for_and_do_not_bring() -> None:
    together, began, go_on = Together(2), threading.Event(), threading.Event()
    jobs: list[str] = []

    def bring(name: str) -> Outcome:
        jobs.append(name)
        return Outcome.COPIED

    def slow() -> Outcome:
        jobs.append("slow")
        began.set()
        go_on.wait(LONG)
        return Outcome.COPIED

    def second() -> Outcome | object:
        began.wait(LONG)
        go_on.set()
        return together.once("there", "blob", partial(bring, "again"))

    found = list(together.hands.each([lambda: together.once("there", "blob", slow), second]))
    assert (found, jobs) == ([Outcome.COPIED, Outcome.SKIPPED], ["slow"])
    assert together.once("elsewhere", "blob", lambda: Outcome.MOUNTED) is Outcome.MOUNTED


@pytest.mark.parametrize("outcome", [NotFound("no"), Outcome.LEFT])
def test_what_one_copy_could_not_bring_the_next_tries_itself(outcome: Outcome | NotFound) -> None:
    together = Together(2)
    assert together.once("there", "blob", lambda: outcome) is outcome
    assert together.once("there", "blob", lambda: Outcome.COPIED) is Outcome.COPIED


def test_a_copy_that_fails_lets_the_next_begin() -> None:
    together = Together(2)

    def fails() -> Outcome:
        raise NotFound("no")

    with pytest.raises(NotFound):
        together.once("there", "blob", fails)
    assert together.once("there", "blob", lambda: Outcome.COPIED) is Outcome.COPIED


def test_only_so_many_pieces_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nv2.notary.arrivals.MAX_REMEMBERED", 2)
    together = Together(1)
    for key in "abc":
        together.once("there", key, lambda: Outcome.COPIED)
    found = [together.once("there", key, lambda: Outcome.MOUNTED) for key in "cba"]
    assert found == [Outcome.SKIPPED, Outcome.SKIPPED, Outcome.MOUNTED]
