"""Mirrors: asked first, believed by digest, and never about what is signed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from nv2.content.remote.mirrors import Mirror, Mirrored
from nv2.content.remote.store import RemoteStore
from nv2.copying import copy
from nv2.errors import ContentMismatch, NotFound, Refused
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.transport.failures import Cut
from nv2.transport.interface import CONNECT_TIMEOUT, TOTAL_TIMEOUT, Request, Response
from tests.unit.content.remote.registry_world import World, sign
from tests.world.artifacts import push_blob, push_image, thread_lock
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


LARGE = bytes(range(256)) * 40


def _large(here: Here, monkeypatch: pytest.MonkeyPatch, *copies: bytes) -> Descriptor:
    """A blob that is streamed, of which each mirror has a copy."""
    monkeypatch.setattr("nv2.content.remote.mirrors.MAX_METADATA", 1000)
    blob = describe(LARGE, mt.OCTET_STREAM)
    here.world.registry.repository("app").add_blob(LARGE)
    hosts: dict[str, Answer] = {"registry.test": here.world.registry}
    for number, data in enumerate(copies):
        other = World()
        other.registry.repository("app").blobs[blob.digest] = data
        other.registry.host = f"m{number}.test"
        hosts[other.registry.host] = other.registry
    here.network = FunctionTransport(hosts)
    mirrors = [Mirror(f"http://m{number}.test/v2", True, True) for number in range(len(copies))]
    root = "http://registry.test/v2"
    here.transport = Mirrored(here.network, "registry.test", root, mirrors, here.notes.append)
    return blob


WRONG = (b"!" * len(LARGE), LARGE[:-1], LARGE + b"!", LARGE[:-1] + b"!")


@pytest.mark.parametrize("wrong", WRONG, ids=["other bytes", "short", "long", "another last byte"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_copy_goes_on_with_the_next_one_where_a_mirror_streamed_wrong_bytes(
    wrong: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here()
    blob = _large(here, monkeypatch, *[wrong] * count)
    source, goal = here.store(), World()
    image = push_image(here.world.store(), TEXT, LARGE)
    copy(source, goal.store(), image.digest, "v1")
    assert goal.registry.repository("app").blobs[blob.digest] == LARGE
    asked = [url.partition("/")[0] for url in here.asked() if f"/blobs/{blob.digest}" in url]
    assert asked == [*(f"m{number}.test" for number in range(count)), "registry.test"]


def test_a_large_blob_that_is_right_comes_from_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here()
    blob = _large(here, monkeypatch, LARGE)
    with here.store().open(blob) as stream:
        assert stream.read() == LARGE
    assert here.asked() == [f"m0.test/v2/app/blobs/{blob.digest}?ns=registry.test"]


def test_whoever_streams_a_blob_alone_hears_that_the_mirrors_copy_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Here()
    blob = _large(here, monkeypatch, WRONG[0])
    store = here.store()
    with store.open(blob) as stream, pytest.raises(ContentMismatch) as caught:
        stream.read()
    assert caught.value.again
    with store.open(blob) as stream:
        assert stream.read() == LARGE


def test_a_registry_that_streams_wrong_bytes_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here()
    blob = _large(here, monkeypatch, WRONG[0])
    image = push_image(here.world.store(), TEXT, LARGE)
    here.world.registry.repository("app").blobs[blob.digest] = WRONG[0]
    source = here.store()
    with pytest.raises(ContentMismatch):
        copy(source, World().store(), image.digest, "v1")
    assert len([url for url in here.asked() if url.startswith("registry.test") and blob.digest in url]) == 1


def _unsized(here: Here) -> Answer:
    """A manifest with other bytes, whose length nobody told."""

    def found(request: Request) -> Response:
        given = _other_bytes(here)(request)
        return given._replace(headers={k: v for k, v in given.headers.items() if k != "content-length"})

    return found


def test_wrong_bytes_without_a_length_are_no_answer_either() -> None:
    here = Here()
    here.answer = _unsized(here)
    assert here.store().resolve(here.image.digest) == here.image


def _page(here: Here) -> Answer:
    return lambda request: answer(request, 200, b"<html>", {"Content-Type": "text/html"})


def _contradicts_itself(here: Here) -> Answer:
    headers = {"Content-Type": here.image.media_type, "Docker-Content-Digest": digest_of(b"something else")}
    data = here.world.registry.repository("app").manifests[here.image.digest][1]
    return lambda request: answer(request, 200, data, headers)


def _broken_off(here: Here) -> Answer:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise Cut("the connection was cut", at="mirror.test")

    headers = {"Content-Type": here.image.media_type}
    return lambda request: answer(request, 200, b"", headers)._replace(stream=Broken())


def _endless(here: Here) -> Answer:
    headers = {"Content-Type": here.image.media_type}
    return lambda request: answer(request, 200, bytes(5 * 1024 * 1024), headers)


@pytest.mark.parametrize("bad", [_page, _contradicts_itself, _broken_off, _endless, _status(204)])
def test_what_is_no_manifest_does_not_resolve_a_tag(bad: Callable[[Here], Answer]) -> None:
    here = Here(resolves=True)
    here.answer = bad(here)
    assert here.store().resolve("v1") == here.image
    assert here.notes and "the next one is asked" in here.notes[0]


@pytest.mark.parametrize(("bad", "times"), [(_other_bytes, 1), (_broken_off, 2), (_status(404), 2)])
def test_who_gives_wrong_bytes_is_not_asked_again_and_who_has_bad_luck_is(
    bad: Callable[[Here], Answer], times: int
) -> None:
    here = Here()
    here.answer = bad(here)
    store = here.store()
    store.resolve(here.image.digest)
    store.fetch(here.signature, 10_000)
    assert len([url for url in here.asked() if url.startswith("mirror.test")]) == times


def test_who_cannot_be_reached_is_not_asked_again_in_this_run() -> None:
    here = Here()
    hosts = {"registry.test": here.world.registry}
    here.network = FunctionTransport(hosts)
    mirrors = [Mirror("http://nowhere.test/v2", True, True)]
    root = "http://registry.test/v2"
    here.transport = Mirrored(here.network, "registry.test", root, mirrors, here.notes.append)
    store = here.store()
    store.resolve(here.image.digest)
    store.fetch(here.signature, 10_000)
    assert [url for url in here.asked() if url.startswith("nowhere.test")] == [
        f"nowhere.test/v2/app/manifests/{here.image.digest}?ns=registry.test"
    ]


def test_a_mirror_has_half_of_the_time_that_there_is_for_what_is_small() -> None:
    here = Here()
    here.store().resolve(here.image.digest)
    mirror, registry = here.network.requests
    assert (mirror.total_timeout, registry.total_timeout) == (TOTAL_TIMEOUT / 2, TOTAL_TIMEOUT)
    assert (mirror.head_timeout, registry.head_timeout) == (CONNECT_TIMEOUT, None)


def test_a_small_blob_with_other_bytes_is_no_answer() -> None:
    here = Here()
    blob = describe(b"right", mt.OCTET_STREAM)
    here.world.registry.repository("app").add_blob(b"right")
    here.mirror.registry.repository("app").blobs[blob.digest] = b"wrong"
    assert here.store().fetch(blob, 100) == b"right"
    assert [url.partition("/")[0] for url in here.asked()] == ["mirror.test", "registry.test"]


def test_a_mirror_is_not_asked_for_what_cannot_be_held_against_its_digest() -> None:
    here = Here()
    with pytest.raises(NotFound):
        here.store().resolve("blake3:" + "0" * 64)
    assert [url.partition("/")[0] for url in here.asked()] == ["registry.test"]


def test_whoever_writes_to_a_server_does_not_say_for_whom_it_stands() -> None:
    here = Here()
    here.transport = Mirrored(
        here.network, "docker.io", "http://registry.test/v2", (), here.notes.append, proxied=True
    )
    push_blob(here.store(), b"new")
    assert {r.method: "ns=" in r.url for r in here.network.requests} == {"POST": False, "PUT": False}
    here.transport.start(Request("GET", "http://elsewhere.test/v2/"))
    assert here.asked()[-1] == "elsewhere.test/v2/"


class Counted:
    """A cache that has everything; counts how often it was made."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.made = 0

    def __call__(self) -> Counted:
        self.made += 1
        return self

    def load(self, digest: str, size: int) -> bytes | None:
        return self.data if digest_of(self.data) == digest else None

    def keep(self, digest: str, data: bytes) -> None:
        """It has everything."""


def test_what_was_kept_is_used_once_the_registry_itself_has_answered() -> None:
    here = Here()
    here.copy_to_mirror(here.image)
    cache = Counted(here.world.registry.repository("app").manifests[here.signature.digest][1])
    store = RemoteStore(
        "registry.test", "app", here.transport, plain_http=True, lock=thread_lock(), cache=cache
    )
    store.resolve(here.image.digest)
    assert cache.made == 0  # the mirror's word opens nothing
    (listed,) = store.referrers(here.image).descriptors
    here.network.requests.clear()
    assert store.fetch(listed, 10_000) == cache.data
    assert (here.asked(), cache.made) == ([], 1)


@pytest.mark.parametrize("status", [401, 403])
def test_what_was_kept_is_not_used_where_the_registry_refuses_though_a_mirror_has_it(status: int) -> None:
    here = Here()
    here.copy_to_mirror(here.image, here.signature)
    here.world.registry.fail("GET", "/app/", status=status, times=9)
    cache = Counted(b"")
    store = RemoteStore(
        "registry.test", "app", here.transport, plain_http=True, lock=thread_lock(), cache=cache
    )
    subject = store.resolve(here.image.digest)
    with pytest.raises(Refused):
        store.referrers(subject)
    assert cache.made == 0


def test_what_is_missing_after_a_cut_is_asked_of_the_registry_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here()
    blob = _large(here, monkeypatch, LARGE)

    class Cutting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 5000:
                raise Cut("the connection was cut", at="m0.test")
            return super().read(5000)

    whole = here.network._answer["m0.test"]  # type: ignore[index]
    here.network._answer["m0.test"] = lambda request: whole(request)._replace(stream=Cutting(LARGE))  # type: ignore[index]
    with here.store().open(blob) as stream:
        assert b"".join(iter(lambda: stream.read(1000), b"")) == LARGE
    asked = [(r.url.split("/")[2], r.headers.get("Range")) for r in here.network.requests]
    assert asked == [("m0.test", None), ("registry.test", "bytes=5000-")]


@pytest.mark.parametrize(("pulls", "resolves"), [(True, False), (False, True), (False, False)])
def test_a_mirror_is_asked_for_no_more_than_it_may_do(pulls: bool, resolves: bool) -> None:
    here = Here()
    mirrors = [Mirror("http://mirror.test/v2", pulls, resolves)]
    root = "http://registry.test/v2"
    here.transport = Mirrored(here.network, "registry.test", root, mirrors, here.notes.append)
    here.copy_to_mirror(here.image)
    here.mirror.registry.repository("app").tags["v1"] = here.image.digest
    for name, allowed in ((here.image.digest, pulls), ("v1", resolves)):
        assert here.store().resolve(name) == here.image
        assert here.asked()[0].startswith("mirror.test") is allowed


def test_an_address_that_says_it_already_does_not_say_twice_for_whom_it_stands() -> None:
    """As the next page of a list does that the server has named."""
    here = Here()
    here.transport = Mirrored(
        here.network, "docker.io", "http://registry.test/v2", (), here.notes.append, proxied=True
    )
    url = "http://registry.test/v2/app/tags/list?last=a&ns=docker.io"
    here.transport.start(Request("GET", url))
    assert here.network.requests[-1].url == url


def test_what_is_no_answer_is_closed() -> None:
    here = Here()
    given: list[Response] = []

    def refuses(request: Request) -> Response:
        given.append(answer(request, 503, b"later"))
        return given[0]

    here.answer = refuses
    here.store().resolve(here.image.digest)
    assert given[0].stream.closed


def test_only_manifests_and_envelopes_are_looked_for_in_what_was_kept() -> None:
    here = Here()
    blob = describe(TEXT, mt.OCTET_STREAM)
    cache = Counted(TEXT)
    store = RemoteStore(
        "registry.test", "app", here.transport, plain_http=True, lock=thread_lock(), cache=cache
    )
    store.referrers(store.resolve(here.image.digest))
    here.network.requests.clear()
    assert store.fetch(blob, 100) == TEXT and here.asked()
    assert store.fetch(blob._replace(media_type=mt.JWS), 100) == TEXT
    assert len([url for url in here.asked() if url.startswith("registry.test")]) == 1
