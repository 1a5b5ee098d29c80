"""Two registries in memory to copy between, and what they are asked."""

from __future__ import annotations

from nv2.content.interface import Store
from nv2.content.remote.store import RemoteStore
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import push_image, push_referrer, thread_lock
from tests.world.network import FunctionTransport
from tests.world.registry import Registry


class Pair:
    """`here` and `there`, with a new store at each for every run, which knows nothing of earlier ones."""

    def __init__(self, *quirks: str, referrers_api: bool = False) -> None:
        self.here = Registry("here.test", referrers_api=referrers_api, quirks=set(quirks))
        self.there = Registry("there.test", referrers_api=referrers_api, quirks=set(quirks))

    def source(self) -> RemoteStore:
        return _store(self.here)

    def destination(self) -> RemoteStore:
        return _store(self.there)

    def forget(self) -> None:
        """Count from here."""
        self.here.requests.clear()
        self.there.requests.clear()

    @property
    def asked(self) -> int:
        """Requests to both."""
        return len(self.here.requests) + len(self.there.requests)


def push_signed(store: Store, signatures: int, tag: str = "v1") -> Descriptor:
    """An image with that many signatures."""
    image = push_image(store, b"layer")
    sign(store, image, *(b"signature %d" % number for number in range(signatures)))
    store.tag(image, tag)
    return image


def sign(store: Store, image: Descriptor, *contents: bytes) -> None:
    """One write for all."""
    store.attach(image, [push_referrer(store, image, content) for content in contents])


def _store(registry: Registry) -> RemoteStore:
    transport = FunctionTransport(registry)
    return RemoteStore(
        registry.host, "app", transport, plain_http=True, lock=thread_lock(), sleep=lambda _: None
    )
