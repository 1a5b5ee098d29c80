"""`nv2.verify` and `nv2.evaluate` give the same verdict; the former stops as soon as it may."""

from __future__ import annotations

import pytest

import nv2
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE, line, wabbit  # noqa: F401  they are fixtures


def test_verify_stops_at_the_first_trusted_signature_and_evaluate_looks_at_all(wabbit: CommandLine) -> None:  # noqa: F811
    for _ in range(3):
        wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert len(nv2.verify(IMAGE, key="leaf.crt").verdict.signatures) == 1
    assert len(nv2.evaluate(IMAGE, key="leaf.crt").verdict.signatures) == 3


def test_what_is_not_trusted_is_raised_with_every_finding(wabbit: CommandLine) -> None:  # noqa: F811
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    wabbit("key", "generate", "other", "--subject", "C=US,ST=WA,O=o")
    with pytest.raises(nv2.NotTrusted) as caught:
        nv2.verify(IMAGE, key="other")
    assert caught.value.verdict is not None
    assert [item.verdict.value for item in caught.value.verdict.signatures] == ["notTrusted"]
