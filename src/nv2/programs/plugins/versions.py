"""Semantic versions (semver.org 2.0.0) of plugins: which of two is later."""

from __future__ import annotations

import re

from nv2.errors import PluginError
from nv2.plain_text import quoted
from nv2.strict_json import ErrorType

MAX_VERSION = 256
"""Characters."""

_NUMBER = r"0|[1-9][0-9]*"
_WORD = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_WORD}(?:\.{_WORD})*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)


def check_version(version: str, error: ErrorType, what: str) -> str:
    """`version`, if it is a semantic version; raises `error`, which calls it `what`."""
    if not is_semantic(version):
        raise error(f"{what} is {quoted(version)}, which is not a semantic version")
    return version


def is_semantic(version: str) -> bool:
    """Whether `version` can be compared with another one."""
    return len(version) <= MAX_VERSION and _VERSION.fullmatch(version) is not None


Rank = tuple[tuple[int, str], ...]


def rank_of(version: str, at: str) -> Rank:
    """A key by which versions compare. Raises `PluginError` unless it is a semantic version."""
    found = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION else None
    if found is None:
        raise PluginError(f"{quoted(version)} is not a semantic version", at=at)
    major, minor, patch, before = found.groups()
    numbers = tuple((int(part), "") for part in (major, minor, patch))
    # A release comes after its pre-releases; numbers in those come before words (11.4).
    if before is None:
        return (*numbers, (1, ""))
    words = tuple((1, _padded(word)) if word.isdigit() else (2, word) for word in before.split("."))
    return (*numbers, (0, ""), *words)


def _padded(digits: str) -> str:
    """Digits so that texts compare as their numbers do."""
    return digits.rjust(MAX_VERSION, "0")
