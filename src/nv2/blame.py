"""Who is at fault where something moves from one place to another: the source or the destination, and with which digest.

Stores do not know which of the two they are. Whoever asks them does, and notes it on the error that comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nv2.errors import ArtifactError, EnvironmentFailure, Nv2Error, RemoteError

SOURCE, DESTINATION = "source", "destination"

_OF_STORES = (ArtifactError, EnvironmentFailure, RemoteError)
"""What stores raise. Whoever set this machine up wrongly is at fault for the rest, at neither place."""


@contextmanager
def blaming(side: str | None = None, digest: str | None = None) -> Iterator[None]:
    """Note on an error of a store at which `side` it happened and what was asked for; what is noted first stays."""
    try:
        yield
    except _OF_STORES as e:
        note(e, side, digest)
        raise


def note(error: Nv2Error, side: str | None, digest: str | None) -> None:
    """As `blaming` does, for an error that is handed on as a value."""
    error.side = error.side or side
    error.about = error.about or digest


def locate(error: Nv2Error, names: dict[str, str]) -> None:
    """Let `at` of `error` begin with the side and, of `names`, what the user calls it, and hold the digest.

    Nothing happens where the side is unknown, or was told before.
    """
    side = error.side
    if side is None or side not in names or (error.at or "").startswith(f"{side} "):
        return
    pinpoint(error, names[side])
    error.at = f"{side} {error.at}"


def pinpoint(error: Nv2Error, name: str) -> None:
    """Let `at` of `error` begin with `name`, and hold the digest that was asked for."""
    place = _place(name, error.at)
    if error.about and error.about not in f"{place} {error.message}":
        place = f"{place}: {error.about}"
    error.at = place


def _place(name: str, at: str | None) -> str:
    if not at or name.startswith(at):
        return name
    if at.startswith(name):
        return at
    return f"{name}@{at}" if at.startswith(("sha256:", "sha512:")) else f"{name}: {at}"
