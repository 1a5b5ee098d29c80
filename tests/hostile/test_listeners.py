"""Registries that send their clients elsewhere or never end, over real sockets: who gets to see a password?"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from nv2.oci import media_types as mt
from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks import layers_of
from nv2.server.registry import serve
from nv2.server.tls import ServerCertificate
from tests.hostile.machine import KIB, MIB, UNDECIDED, check_ended
from tests.unit.cli.command_line import CommandLine
from tests.world.images import image, image_layout
from tests.world.logins import PASSWORD, basic
from tests.world.sockets import Received, Server, http, make_identity

LOGIN = ("-u", "alice", "-p", PASSWORD)
ALICE = basic("alice", PASSWORD)
APP = image("app")


# --- the embedded registry with a login, and uploads and blobs at another host ------------------------------


class Guard:
    """Lets in whoever shows the password, keeps what everybody showed, and does not ask at the storage."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        """The host that was asked, and what was shown to it."""

    def __call__(self, call: Call, respond: Respond) -> Answer:
        shown = call.headers.get("authorization", "")
        self.shown.append((call.headers["host"], shown))
        if shown == ALICE or call.first("stored"):
            return respond(call)
        return Answer(401, {"WWW-Authenticate": 'Basic realm="registry"'})


@pytest.fixture
def guarded(wabbit: CommandLine, request: pytest.FixtureRequest) -> Iterator[tuple[CommandLine, str, Guard]]:
    guard = Guard()
    layers: tuple[Layer, ...] = (guard, *layers_of(request.param))
    with serve(wabbit.directory / "registry", layers=layers) as running:
        yield wabbit, running.address, guard


@pytest.mark.parametrize("guarded", [("cross-host-location", "redirected-blobs")], indirect=True)
def test_uploads_and_blobs_at_another_host_work_and_show_it_no_password(
    guarded: tuple[CommandLine, str, Guard],
) -> None:
    line, address, guard = guarded
    for words in (
        ("copy", "layout:image:v1", f"{address}/app:v1"),
        ("sign", "-k", "wabbit.key", f"{address}/app:v1"),
        ("verify", "-k", "leaf.crt", f"{address}/app:v1"),
        ("copy", f"{address}/app:v1", "layout:out:v1"),
        ("copy", "layout:out:v1", f"{address}/back:v1"),
    ):
        ended = line(*words, *LOGIN)
        assert ended.code == 0, ended.err
    elsewhere = [shown for host, shown in guard.shown if host != address]
    assert len(elsewhere) > 8 and set(elsewhere) == {""}
    assert ALICE in {shown for host, shown in guard.shown if host == address}


def test_an_upload_that_goes_on_without_tls_is_refused_and_nothing_is_sent(line: CommandLine) -> None:
    identity = make_identity(line.directory)
    image_layout(line.directory / "image", "app")
    guard = Guard()
    certificate = ServerCertificate(identity.certificate, identity.key)
    layers: tuple[Layer, ...] = (guard, *layers_of(("absolute-location",)))
    with serve(line.directory / "registry", layers=layers, certificate=certificate) as running:
        place = f"127.0.0.1:{running.port}"
        ca = ("--ca-file", str(identity.certificate))
        ended = line("copy", "layout:image:v1", f"{place}/app:v1", *LOGIN, *ca)
    check_ended(ended, UNDECIDED, "sends from https to http")
    assert [path for path in (line.directory / "registry" / "blobs").rglob("*") if path.is_file()] == []


# --- listeners that say anything ----------------------------------------------------------------------------


class Wires(NamedTuple):
    """A command line, a registry that says what a script says, and somebody else, who wants a password."""

    line: CommandLine
    registry: Server
    other: Server


Words = bytes | Iterator[bytes]
Script = Callable[[Received, Wires], Words]


@pytest.fixture
def wires(wabbit: CommandLine, request: pytest.FixtureRequest) -> Iterator[Wires]:
    other = Server(lambda _: http(401, WWW_Authenticate=f'Bearer realm="{other.url}/token"'))
    registry = Server(lambda received: request.param(received, found))
    found = Wires(wabbit, registry, other)
    yield found
    registry.close()
    other.close()


def run(wires: Wires, *words: str) -> tuple[int, str]:
    places = {"IMAGE": f"127.0.0.1:{wires.registry.port}/app@{APP.descriptor.digest}"}
    ended = wires.line(*(places.get(word, word) for word in words), *LOGIN, "--insecure-registry")
    check_ended(ended, ended.code, "127.0.0.1")
    assert PASSWORD not in ended.err + ended.out
    return ended.code, ended.err


VERIFY = ("verify", "-k", "leaf.crt", "IMAGE")


def logged_in(received: Received) -> bool:
    return received.headers.get("authorization") == ALICE


def then(script: Script) -> Script:
    """What `script` says to whoever has logged in."""

    def said(received: Received, wires: Wires) -> Words:
        if not logged_in(received):
            return http(401, WWW_Authenticate='Basic realm="registry"')
        return script(received, wires)

    return said


def to(place: str) -> Script:
    """A redirect: PORT is that of the other listener."""
    return lambda received, wires: http(
        307, Location=place.replace("PORT", str(wires.other.port)).replace("PATH", received.target)
    )


@pytest.mark.parametrize(
    "wires",
    [
        to("http://127.0.0.1:PORTPATH"),
        to("http://localhost:PORTPATH"),
        to("//127.0.0.1:PORTPATH"),
        then(to("http://127.0.0.1:PORTPATH")),
    ],
    ids=["port", "host", "without a scheme", "after a login"],
    indirect=True,
)
def test_a_challenge_that_comes_after_a_redirect_is_not_answered(wires: Wires) -> None:
    code, said = run(wires, *VERIFY)
    assert (code, "where 127.0.0.1" in said) == (UNDECIDED, True), said
    assert wires.other.requests
    assert all("authorization" not in request.headers for request in wires.other.requests)


def storage(received: Received, wires: Wires) -> Words:
    if received.method == "POST":
        return http(202, Location=f"{wires.other.url}/upload")
    return http(404)


@pytest.mark.parametrize("wires", [storage], indirect=True)
def test_an_upload_at_another_host_shows_it_not_even_the_password_that_is_kept_for_it(wires: Wires) -> None:
    docker = wires.line.directory / "docker"
    docker.mkdir()
    kept = {f"127.0.0.1:{wires.other.port}": {"auth": ALICE.removeprefix("Basic ")}}
    (docker / "config.json").write_text(json.dumps({"auths": kept}))
    place = f"127.0.0.1:{wires.registry.port}/app:v1"
    ended = wires.line("copy", "layout:image:v1", place, "--insecure-registry")
    check_ended(ended, UNDECIDED, "was refused (401) by 127.0.0.1")
    assert {request.target.partition("?")[0] for request in wires.other.requests} == {"/upload"}
    assert all("authorization" not in request.headers for request in wires.other.requests)


def realm(place: str) -> Script:
    """A registry that has its tokens from `place`."""
    return lambda _, wires: http(
        401,
        WWW_Authenticate=f'Bearer realm="{place.replace("PORT", str(wires.other.port))}",service="registry"',
    )


# fmt: off
REALMS = {
    "a cloud's secrets":          ("http://169.254.169.254/token",          "link-local address 169.254.169.254"),
    "the same by IPv6":           ("http://[fd00:ec2::254]/token",          "link-local address"),
    "link-local":                 ("http://[fe80::1]:PORT/token",           "link-local address"),
    "a private network":          ("http://10.0.0.1/token",                 "private address 10.0.0.1"),
    "a private address in IPv6":  ("http://[::ffff:192.168.0.1]/token",     "private address"),
    "nowhere":                    ("http://0.0.0.0:PORT/token",             "invalid address"),
    "a number":                   ("http://2130706433:PORT/token",          "invalid address"),
    "half an address":            ("http://127.1:PORT/token",               "invalid address"),
    "a name and a password":      ("http://alice:x@127.0.0.1:PORT/token",   "not an http or https address"),
    "a file":                     ("file:///etc/passwd",                    "not an http or https address"),
}
# fmt: on


@pytest.mark.parametrize(
    ("wires", "says"),
    [pytest.param(realm(place), says, id=name) for name, (place, says) in REALMS.items()],
    indirect=["wires"],
)
def test_a_token_server_where_none_may_be_is_not_asked(wires: Wires, says: str) -> None:
    code, said = run(wires, *VERIFY)
    assert (code, says in said) == (UNDECIDED, True), said
    assert wires.other.requests == []


def test_a_registry_with_tls_cannot_have_its_tokens_fetched_without(wabbit: CommandLine) -> None:
    identity = make_identity(wabbit.directory)
    other = Server(lambda _: http(200, b'{"token":"x"}'))
    challenge = f'Bearer realm="{other.url}/token"'
    registry = Server(lambda _: http(401, WWW_Authenticate=challenge), identity.server_context())
    place = f"127.0.0.1:{registry.port}/app@{APP.descriptor.digest}"
    ended = wabbit("verify", "-k", "leaf.crt", place, *LOGIN, "--ca-file", str(identity.certificate))
    registry.close()
    other.close()
    check_ended(ended, UNDECIDED, "without TLS")
    assert other.requests == []


# --- answers that do not end, or are not what they seem ------------------------------------------------------

CHUNK = b"%x\r\n%b\r\n" % (64 * KIB, b"x" * 64 * KIB)


def endless(media_type: str, status: int = 200) -> Words:
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return itertools.chain([head.encode()], itertools.repeat(CHUNK))


def packed(body: bytes, media_type: str) -> Words:
    return http(200, gzip.compress(body, 1), Content_Encoding="gzip", Content_Type=media_type)


def where(part: str, answer: Callable[[Received], Words]) -> Script:
    """`answer` to requests with `part` in their address; the image to the others, and nobody refers to it."""

    def said(received: Received, _: Wires) -> Words:
        if part in received.target:
            return answer(received)
        if str(APP.descriptor.digest) in received.target and "/manifests/" in received.target:
            return http(200, APP.manifest, Content_Type=mt.IMAGE_MANIFEST)
        return http(404)

    return said


def next_page(received: Received) -> Words:
    number = int(received.target.partition("n=")[2] or 0)
    entry = {
        "mediaType": mt.IMAGE_MANIFEST,
        "digest": f"sha256:{number:064x}",
        "size": 7,
        "artifactType": "x/y",
    }
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [entry]}
    link = f'<{received.target.partition("?")[0]}?n={number + 1}>; rel="next"'
    return http(200, json.dumps(index).encode(), Content_Type=mt.IMAGE_INDEX, Link=link)


def greedy(body: Callable[[], Words]) -> Script:
    """A registry that is its own token server, which says `body`."""

    def said(received: Received, wires: Wires) -> Words:
        if received.target.startswith("/token"):
            return body()
        return http(401, WWW_Authenticate=f'Bearer realm="{wires.registry.url}/token"')

    return said


LISTING = "/referrers/"
# fmt: off
ENDLESS: dict[str, tuple[Script, str, int]] = {
    "a manifest without end":      (where("/manifests/", lambda _: endless(mt.IMAGE_MANIFEST)), "longer than 4194304 bytes", 6),
    "a listing without end":       (where(LISTING, lambda _: endless(mt.IMAGE_INDEX)), "longer than 4194304 bytes", 6),
    "pages without end":           (where(LISTING, next_page), "not every referrer could be read", 110),
    "a refusal without end":       (where("/manifests/", lambda _: endless("application/json", 403)), "was refused (403)", 6),
    "a failure without end":       (where("/manifests/", lambda _: endless("text/html", 501)), "answered 501", 6),
    "a token without end":         (greedy(lambda: endless("application/json")), "longer than 131072 bytes", 9),
    "a manifest that is packed":   (where("/manifests/", lambda _: packed(bytes(64 * MIB), mt.IMAGE_MANIFEST)), "compressed", 6),
    "a listing that is packed":    (where(LISTING, lambda _: packed(bytes(64 * MIB), mt.IMAGE_INDEX)), "compressed", 6),
    "a token that is packed":      (greedy(lambda: packed(b'{"token":"x"}', "application/json")), "compressed", 9),
}
# fmt: on


@pytest.mark.parametrize(
    ("wires", "says", "requests"),
    [pytest.param(script, says, most, id=name) for name, (script, says, most) in ENDLESS.items()],
    indirect=["wires"],
)
def test_what_does_not_end_ends(wires: Wires, says: str, requests: int) -> None:
    code, said = run(wires, *VERIFY)
    assert (code, says in said) == (UNDECIDED, True), said
    assert len(wires.registry.requests) <= requests


@pytest.mark.parametrize("packing", [False, True], ids=["more bytes", "packed"])
def test_a_blob_that_is_not_what_was_asked_for_is_not_kept(wabbit: CommandLine, packing: bool) -> None:
    def blob(received: Received) -> Words:
        return packed(b"layer", mt.OCTET_STREAM) if packing else endless(mt.OCTET_STREAM)

    script = where("/blobs/", blob)
    registry = Server(lambda received: script(received, Wires(wabbit, registry, registry)))
    place = f"127.0.0.1:{registry.port}/app@{APP.descriptor.digest}"
    ended = wabbit("copy", place, "layout:out:v1", *LOGIN, "--insecure-registry")
    registry.close()
    check_ended(ended, UNDECIDED, "compressed" if packing else "sha256:")
    assert [path for path in (wabbit.directory / "out").rglob("blobs/*/*") if path.is_file()] == []
