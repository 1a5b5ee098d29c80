"""A short run of every fuzz target, the same each time; `make fuzz` runs them for long, led by coverage."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS

SHORT = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_accepts_what_it_begins_with(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert any(TARGETS[name](seed) for seed in seeds)
    assert all(len(seed) <= TARGETS[name].limit for seed in seeds)


@pytest.mark.parametrize("name", TARGETS)
@SHORT
@given(data=st.data(), changes=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_a_target_accepts_a_changed_input_or_raises_its_error(
    name: str, data: st.DataObject, changes: int, seed: int
) -> None:
    changed, random = data.draw(st.sampled_from(TARGETS[name].seeds())), Random(seed)
    for _ in range(changes):
        changed = mutate(changed, random)
    TARGETS[name](changed)


@pytest.mark.parametrize("name", TARGETS)
@SHORT
@given(data=st.binary(max_size=100))
def test_a_target_accepts_any_bytes_or_raises_its_error(name: str, data: bytes) -> None:
    TARGETS[name](data)
