"""Mirrors: asked first, believed by digest, and never about what is signed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from nv2.content.remote.mirrors import Mirror, Mirrored
from nv2.content.remote.store import RemoteStore
from nv2.errors import NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.transport.interface import Request, Response
from tests.unit.content.remote.registry_world import World, sign
from tests.world.artifacts import push_blob, push_image
from tests.world.network import Answer, FunctionTransport, answer

TEXT = b"layer"


class Here:
    """A registry with a signed image, and a mirror that has copies of what the test puts there."""

    def __init__(self, *, referrers_api: bool = True, resolves: bool = False, proxied: bool = False) -> None:
        self.world = World(referrers_api=referrers_api)
        self.image = push_image(self.world.store(), TEXT)
        self.world.store().tag(self.image, "v1")
        self.signature = sign(self.world.store(), self.image, "one")[0]
        self.mirror = World()
        self.mirror.registry.host = "mirror.test"
        self.answer: Answer = self.mirror.registry
        self.notes: list[str] = []
        hosts: dict[str, Answer] = {
            "registry.test": self.world.registry,
            "mirror.test": self._mirrored,
        }
        self.network = FunctionTransport(hosts)
        mirrors = [Mirror("http://mirror.test/v2", True, resolves)]
        root = "http://registry.test/v2"
        self.transport = Mirrored(
            self.network, "registry.test", root, mirrors, self.notes.append, proxied=proxied
        )

    def _mirrored(self, request: Request) -> Response:
        return self.answer(request)

    def store(self) -> RemoteStore:
        self.network.requests.clear()
        return self.world.store(transport=self.transport)

    def copy_to_mirror(self, *items: Descriptor) -> None:
        there = self.mirror.registry.repository("app")
        for item in items:
            there.manifests[item.digest] = self.world.registry.repository("app").manifests[item.digest]

    def asked(self) -> list[str]:
        return [request.url.partition("//")[2] for request in self.network.requests]


def test_what_the_mirror_has_comes_from_the_mirror_and_says_for_whom() -> None:
    here = Here()
    here.copy_to_mirror(here.image)
    assert here.store().resolve(here.image.digest) == here.image
    assert here.asked() == [f"mirror.test/v2/app/manifests/{here.image.digest}?ns=registry.test"]


@pytest.mark.parametrize("resolves", [True, False])
def test_tags_are_asked_of_a_mirror_only_where_it_may_resolve(resolves: bool) -> None:
    here = Here(resolves=resolves)
    here.copy_to_mirror(here.image)
    here.mirror.registry.repository("app").tags["v1"] = here.image.digest
    assert here.store().resolve("v1") == here.image
    host = (
        "mirror.test/v2/app/manifests/v1?ns=registry.test"
        if resolves
        else "registry.test/v2/app/manifests/v1"
    )
    assert here.asked() == [host]


@pytest.mark.parametrize("referrers_api", [True, False], ids=["API", "fallback tag"])
def test_a_mirror_without_signatures_does_not_make_an_image_look_unsigned(referrers_api: bool) -> None:
    here = Here(referrers_api=referrers_api, resolves=True)
    here.copy_to_mirror(here.image)
    store = here.store()
    subject = store.resolve(here.image.digest)
    assert [item.digest for item in store.referrers(subject).descriptors] == [here.signature.digest]
    lists = [url for url in here.asked() if "/referrers/" in url or "/manifests/sha256-" in url]
    assert lists and all(url.startswith("registry.test/") for url in lists)
    assert store.fetch(here.signature, 10_000)  # the mirror has it not either


def _status(status: int) -> Callable[[Here], Answer]:
    return lambda _: lambda request: answer(request, status, b"<html>", {"Content-Type": "text/html"})


def _other_bytes(here: Here) -> Answer:
    def found(request: Request) -> Response:
        body = b'{"schemaVersion": 2}'
        headers = {"Content-Type": here.image.media_type, "Docker-Content-Digest": here.image.digest}
        return answer(request, 200, body, headers)

    return found


def _long(here: Here) -> Answer:
    def found(request: Request) -> Response:
        given = answer(request, 200, b"x" * 100, {"Content-Type": here.image.media_type})
        return given._replace(
            headers={**given.headers, "content-length": "10"}, stream=io.BytesIO(b"x" * 100)
        )

    return found


@pytest.mark.parametrize(
    "bad",
    [_status(401), _status(403), _status(404), _status(429), _status(500), _status(302), _other_bytes, _long],
    ids=["401", "403", "404", "429", "500", "302", "other bytes", "a wrong length"],
)
def test_whatever_a_mirror_answers_but_the_content_the_registry_is_asked(
    bad: Callable[[Here], Answer],
) -> None:
    here = Here()
    here.answer = bad(here)
    assert here.store().resolve(here.image.digest) == here.image
    assert [url.partition("/")[0] for url in here.asked()] == ["mirror.test", "registry.test"]
    assert here.notes[0].startswith("mirror http://mirror.test/v2/app/manifests/")


def test_a_mirror_that_is_not_there_costs_one_try() -> None:
    here = Here()
    transport = FunctionTransport({"registry.test": here.world.registry})
    mirrors = [Mirror(f"http://{name}.test/v2", True, False) for name in ("one", "two")]
    mirrored = Mirrored(transport, "registry.test", "http://registry.test/v2", mirrors, here.notes.append)
    assert here.world.store(transport=mirrored).resolve(here.image.digest) == here.image
    asked = [(r.url.split("/")[2], r.persistent) for r in transport.requests]
    assert asked == [("one.test", False), ("two.test", False), ("registry.test", True)]


def test_what_nobody_has_is_not_there() -> None:
    here = Here()
    with pytest.raises(NotFound):
        here.store().resolve(digest_of(b"nothing"))


def test_what_is_there_is_asked_of_the_registry_itself() -> None:
    here = Here()
    there = here.mirror.registry.repository("app")
    blob = describe(b"only in the mirror", mt.OCTET_STREAM)
    there.blobs[blob.digest] = b"only in the mirror"
    assert not here.store().exists(blob)
    assert all(url.startswith("registry.test/") for url in here.asked())


def test_what_is_written_is_written_to_the_registry() -> None:
    here = Here(resolves=True)
    store = here.store()
    push_blob(store, b"new")
    store.tag(here.image, "v2")
    assert here.world.registry.repository("app").tags["v2"] == here.image.digest
    assert not [r for r in here.network.requests if r.method != "GET" and "mirror.test" in r.url]


@pytest.mark.parametrize("tag", ["sha256-" + "0" * 64, "sha256-" + "0" * 64 + ".sig", "sha512-" + "0" * 64])
def test_tags_that_say_what_is_signed_are_asked_of_the_registry(tag: str) -> None:
    here = Here(resolves=True)
    with pytest.raises(NotFound):
        here.store().resolve(tag)
    assert here.asked() == [f"registry.test/v2/app/manifests/{tag}"]


def test_a_server_that_is_not_the_registry_hears_whom_it_stands_for() -> None:
    here = Here(proxied=True)
    here.transport = Mirrored(
        here.network, "docker.io", "http://registry.test/v2", (), here.notes.append, proxied=True
    )
    store = here.store()
    store.referrers(store.resolve("v1"))
    assert all(url.endswith("?ns=docker.io") for url in here.asked()), here.asked()
