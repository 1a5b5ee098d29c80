"""How many blobs are sent at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import BinaryIO

import pytest

from nv2.content.remote import uploads
from nv2.content.remote.uploads import LARGE_AT_ONCE
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.transport.interface import Request, Response
from tests.unit.content.remote.registry_world import World
from tests.world.network import FunctionTransport

PATIENCE = 60
"""Seconds until a test that would never end fails."""


class _Sources:
    """Contents, of which as many must be open at a time as may be; `most` is how many were."""

    def __init__(self) -> None:
        self.most = 0
        self._open = 0
        self._lock = threading.Lock()
        self._company = threading.Barrier(LARGE_AT_ONCE)

    def open(self, data: bytes) -> BinaryIO:
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        self._company.wait(PATIENCE)
        return _Source(data, self)

    def leave(self) -> None:
        with self._lock:
            self._open -= 1


class _Source(BytesIO):
    def __init__(self, data: bytes, sources: _Sources) -> None:
        super().__init__(data)
        self._sources = sources

    def close(self) -> None:
        if not self.closed:
            self._sources.leave()
        super().close()


def test_of_large_blobs_a_few_are_sent_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGE", 3)
    world, sources, alone = World(), _Sources(), threading.Lock()

    def registry(request: Request) -> Response:
        with alone:
            return world.registry(request)

    store = world.store(transport=FunctionTransport(registry))
    contents = [b"blob %d" % number for number in range(3 * LARGE_AT_ONCE)]
    blobs = [describe(data, mt.OCTET_STREAM) for data in contents]
    with ThreadPoolExecutor(len(contents)) as pool:
        pushed = [
            pool.submit(store.push, blob, lambda data=data: sources.open(data))  # type: ignore[misc]
            for blob, data in zip(blobs, contents, strict=True)
        ]
        for each in pushed:
            each.result(PATIENCE)
    assert sources.most == LARGE_AT_ONCE
    assert {blob.digest for blob in blobs} <= world.registry.repository("app").blobs.keys()
