"""The machine that things happen to."""

from tests.unit.cli.conftest import line, wabbit

__all__ = ["line", "wabbit"]
