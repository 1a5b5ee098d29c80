"""A registry in memory and stores that talk to it, for the tests of `content.remote`."""

from __future__ import annotations

from collections.abc import Callable

from nv2.content.interface import Journal, Lock
from nv2.content.remote.pieces import UploadNotes
from nv2.content.remote.store import RemoteStore
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.transport.interface import Request, Transport
from tests.world.artifacts import push_manifest, thread_lock
from tests.world.network import FunctionTransport
from tests.world.registry import Registry


class World:
    """`registry`, and as many stores as a test wants; sleeping takes no time."""

    def __init__(
        self,
        *quirks: str,
        referrers_api: bool = True,
        page_size: int = 0,
        on_sleep: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.registry = Registry(referrers_api=referrers_api, quirks=set(quirks), page_size=page_size)
        self.naps: list[float] = []
        self.on_sleep = on_sleep

    def store(
        self,
        repository: str = "app",
        *,
        lock: Lock | None = None,
        transport: Transport | None = None,
        plain_http: bool = True,
        force_referrers_tag: bool = False,
        push: bool = False,
        journal: Journal | None = None,
        uploads: UploadNotes | None = None,
    ) -> RemoteStore:
        return RemoteStore(
            self.registry.host,
            repository,
            transport or FunctionTransport(self.registry),
            plain_http=plain_http,
            lock=lock or thread_lock(),
            force_referrers_tag=force_referrers_tag,
            push=push,
            sleep=self._sleep,
            journal=journal,
            uploads=uploads,
        )

    def _sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.on_sleep(seconds)

    def asked(self, method: str = "", part: str = "") -> list[Request]:
        return [r for r in self.registry.requests if r.method.startswith(method) and part in r.url]


def push_signature(store: RemoteStore, subject: Descriptor, name: str = "one") -> Descriptor:
    """A signature-like manifest on `subject`, as a referrer; not attached yet."""
    document = {
        "artifactType": mt.SIGNATURE,
        "config": {"mediaType": mt.EMPTY, "digest": "sha256:" + "4" * 64, "size": 2},
        "layers": [],
        "subject": subject.to_json(),
        "annotations": {"name": name},
    }
    found = push_manifest(store, document, mt.IMAGE_MANIFEST)
    return found._replace(artifact_type=mt.SIGNATURE, annotations={"name": name})


def sign(store: RemoteStore, subject: Descriptor, *names: str) -> list[Descriptor]:
    """Push signatures and attach them in one go."""
    found = [push_signature(store, subject, name) for name in names]
    store.attach(subject, found)
    return found
