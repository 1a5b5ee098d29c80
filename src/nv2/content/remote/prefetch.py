"""What is asked at once: of whoever has a digest to verify, the manifest and both lists of its referrers; of many contents, a few.

It saves round trips. None of the answers is believed sooner, or checked less, than if it had been asked for
when it was needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, Endpoint
from nv2.content.remote.referrers import start_api, start_fallback
from nv2.errors import Nv2Error
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST
from nv2.transport.interface import Pending, Request, Response

WINDOW = 8
"""Contents under way at a time."""


class Asked(NamedTuple):
    """Both ways to list referrers, under way; None where that way need not be tried."""

    api: Pending | None
    tag: Pending | None


class Ahead(NamedTuple):
    """The three questions about `subject`, under way."""

    subject: Digest
    artifact_type: str | None
    manifest: Pending
    listings: Asked


def manifest_request(endpoint: Endpoint, name: str) -> Request:
    """The request for the manifest under a tag or digest."""
    return endpoint.request("GET", f"manifests/{name}", ACCEPT_MANIFESTS, limit=MAX_MANIFEST)


def start_ahead(endpoint: Endpoint, subject: Digest, artifact_type: str | None) -> Ahead:
    """Ask for the manifest and for both lists of its referrers."""
    return Ahead(
        subject,
        artifact_type,
        endpoint.start(manifest_request(endpoint, subject)),
        Asked(start_api(endpoint, subject, artifact_type), start_fallback(endpoint, subject)),
    )


def needed_login(response: Response) -> bool:
    """Whether `response` came to somebody who had logged in.

    What was asked along with it then waits for an answer each, one after the other, to the challenge that it
    met: with the token that is there now, asking anew and at once is quicker.
    """
    return "Authorization" in response.request.headers


def in_order(questions: Iterable[Callable[[], Callable[[], bytes]]]) -> Iterator[bytes | Nv2Error]:
    """The contents, or what became of them, in order; up to `WINDOW` under way at a time.

    Calling a question asks, and calling what it returns waits for the content.
    """
    waiting: deque[Callable[[], bytes]] = deque()
    for ask in questions:
        if len(waiting) == WINDOW:
            yield _outcome(waiting.popleft())
        waiting.append(_asked(ask))
    while waiting:
        yield _outcome(waiting.popleft())


def _asked(ask: Callable[[], Callable[[], bytes]]) -> Callable[[], bytes]:
    try:
        return ask()
    except Nv2Error as e:
        return partial(_raise, e)


def _raise(error: Nv2Error) -> bytes:
    raise error


def _outcome(finish: Callable[[], bytes]) -> bytes | Nv2Error:
    try:
        return finish()
    except Nv2Error as e:
        return e
