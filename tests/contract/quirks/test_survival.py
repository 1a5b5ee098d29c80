"""Every quirk and every profile of the embedded registry, and what nv2 makes of it: each verb, over real sockets.

What is to come out is what comes out of a registry without quirks: the same signatures, and a yes. Where that cannot
be, because the registry refuses what signing needs, or lies, `OTHERWISE` says what comes in its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.content.interface import opener
from nv2.content.remote.store import RemoteStore
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.server.quirks import PROFILES, QUIRKS, layers_of, limits_of
from nv2.server.quirks.logins import REFRESH_TOKEN
from nv2.server.registry import serve
from nv2.transport.auth import Authenticated
from nv2.transport.credentials import Credential
from nv2.transport.http import HttpTransport
from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.artifacts import thread_lock
from tests.world.ca import CA, pem
from tests.world.images import image_layout
from tests.world.registry import QUIRKS as IN_MEMORY

NOT_TRUSTED, UNDECIDED, PARTLY = 1, 3, 4
PAIR = CA("Wabbit").issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")

WITH: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("alias-tag", "alias-unset-tag", "forgets-fallback", "displaces"), ("no-referrers",)
)
"""Quirks that show only beside another."""

LOGINS = {"refresh-token-login", "profile acr"}
"""Where nobody is let in without the refresh token."""

NAMES = ("none", *QUIRKS, *(f"profile {name}" for name in PROFILES))


class World(NamedTuple):
    """A registry at `address`, with an image `app:v1` that was signed twice, as far as it let us."""

    line: CommandLine
    address: str
    pushed: Ended
    signed: tuple[Ended, Ended]

    @property
    def app(self) -> str:
        return f"{self.address}/app:v1"

    def listed(self, name: str) -> set[str]:
        """The signatures of an artifact, by their digests."""
        ended = self.line("list", "-o", "json", name)
        assert ended.code == 0, ended.err
        return {item["digest"] for item in ended.document["signatures"]}

    def verified(self, name: str) -> Ended:
        return self.line("verify", "-k", "leaf.crt", name)


def chosen(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Quirks and profiles."""
    kind, _, profile = name.partition(" ")
    if kind == "profile":
        return (), (profile,)
    return () if name == "none" else (name, *WITH.get(name, ())), ()


@pytest.fixture(scope="module", params=NAMES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("quirk")
    with (
        pytest.MonkeyPatch.context() as patch,
        serve(
            directory / "r",
            layers=layers_of(*chosen(request.param)),
            limits=limits_of(*chosen(request.param)),
        ) as running,
    ):
        for name, value in (("MIN_WAIT", 0.0), ("MAX_WAIT", 0.01), ("MAX_ROUNDS", 5)):
            patch.setattr(f"nv2.content.remote.fallback.{name}", value)
        line = prepared(CommandLine(directory, patch))
        if request.param in LOGINS:
            logged_in(line, running.address)
        app = f"{running.address}/app:v1"
        pushed = line("copy", "layout:image:v1", app)
        yield World(line, running.address, pushed, (sign(line, app), sign(line, app)))


def logged_in(line: CommandLine, address: str) -> None:
    """As `docker login` and `az acr login` leave a refresh token, without a helper."""
    auths = {"auths": {address: {"auth": "", "identitytoken": REFRESH_TOKEN}}}
    (line.directory / "docker").mkdir()
    (line.directory / "docker/config.json").write_text(json.dumps(auths))


def prepared(line: CommandLine) -> CommandLine:
    """Keys, and two layouts: `image`, and `signed`, which is another and has a signature."""
    (line.directory / "wabbit.key").write_bytes(PAIR.pem_key())
    (line.directory / "wabbit.key").chmod(0o600)
    (line.directory / "wabbit.crt").write_bytes(PAIR.pem_chain())
    (line.directory / "leaf.crt").write_bytes(pem([PAIR.leaf]))
    for name in ("image", "signed"):
        image_layout(line.directory / name, name)
    assert sign(line, "layout:signed:v1").code == 0
    return line


def sign(line: CommandLine, name: str) -> Ended:
    return line("sign", "-k", "wabbit.key", name)


Verb = Callable[[World], Ended]


def push(world: World) -> Ended:
    return world.pushed


def signs(world: World) -> Ended:
    return world.signed[0]


def signs_again(world: World) -> Ended:
    return world.signed[1]


def verifies(world: World) -> Ended:
    return world.verified(world.app)


def lists(world: World) -> Ended:
    return world.line("list", "-o", "json", world.app)


def copies_out(world: World) -> Ended:
    return world.line("copy", world.app, "layout:out:v1")


def copies_in(world: World) -> Ended:
    return world.line("copy", "layout:signed:v1", f"{world.address}/in:v1")


def copies_across(world: World) -> Ended:
    return world.line("copy", world.app, f"{world.address}/across:v1")


VERBS: dict[str, Verb] = {
    "push": push,
    "sign": signs,
    "sign again": signs_again,
    "verify": verifies,
    "list": lists,
    "copy out": copies_out,
    "copy in": copies_in,
    "copy across": copies_across,
}

ARRIVED = {"copy out": "layout:out:v1", "copy in": "{}/in:v1", "copy across": "{}/across:v1"}
"""Where a copy arrives."""

ALWAYS = {"checks-blobs", "etag"}
"""What the embedded registry does without being told to."""

BY_TLS = {"downgraded-location"}
"""It is `absolute-location` to whoever came by TLS."""

Ends = dict[str, tuple[int, str]]
READING = ("verify", "list", "copy out", "copy across")
SIGNING = ("sign", "sign again")


def ends(verbs: Sequence[str], code: int, says: str) -> Ends:
    return dict.fromkeys(verbs, (code, says))


NO_SIGNATURE = ends(("verify",), NOT_TRUSTED, "no signature is associated")
NEVER_KEPT = "and never kept ours"
NO_SUBJECT = {**ends((*SIGNING, "copy in"), UNDECIDED, "405"), **NO_SIGNATURE}
FORGOTTEN = {**ends((*SIGNING, "copy in"), UNDECIDED, NEVER_KEPT), **NO_SIGNATURE}

OTHERWISE: dict[str, Ends] = {
    "link-cross-origin": ends(READING, UNDECIDED, "the next page of the referrers is at 127.0.0.1"),
    "link-for-ever": ends(("copy out", "copy across"), PARTLY, "the list of its referrers is incomplete"),
    "alias-tag": FORGOTTEN,
    "forgets-fallback": FORGOTTEN,
    "refuses-subject": NO_SUBJECT,
    "profile ecr405": NO_SUBJECT,
    "displaces": ends(("sign again",), UNDECIDED, NEVER_KEPT),
    "profile gar-immutable": ends(("sign again",), UNDECIDED, "TAG_INVALID"),
    "wrong-digest-header": ends((*SIGNING, *READING), UNDECIDED, "the content has digest"),
    "gzip-unasked": ends((*SIGNING, *READING, "copy in"), UNDECIDED, "the answer came compressed"),
}
"""How the verbs end that cannot end well: in one error that says why."""

SIGNED = dict.fromkeys(
    ("alias-tag", "forgets-fallback", "refuses-subject", "profile ecr405"), 0
) | dict.fromkeys(("displaces", "profile gar-immutable"), 1)
"""How many signatures there are in the end, if not two."""


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_comes_to_the_same_whatever_the_registry_does_otherwise(
    world: World, verb: str, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["world"]
    ended = VERBS[verb](world)
    otherwise, count = OTHERWISE.get(name, {}), SIGNED.get(name, 2)
    code, says = otherwise.get(verb, (0, ""))
    assert (ended.code, says in ended.err) == (code, True), ended.err
    assert len([line for line in ended.error_lines if line.startswith("Error: ")]) == (
        code not in (0, PARTLY)
    )
    if code:
        return
    if verb == "list":
        assert len(ended.document["signatures"]) == count
    if verb in ARRIVED and (verb == "copy out" or "list" not in otherwise):
        there = ARRIVED[verb].format(world.address)
        count = 1 if verb == "copy in" else count
        assert len(world.listed(there)) == count
        assert world.verified(there).code == (0 if count else NOT_TRUSTED)


NOT_DELETED = {
    "no-delete": (UNDECIDED, "the registry does not delete manifests"),
    "link-for-ever": (UNDECIDED, "not everything that refers to it could be listed"),
    "displaces": (UNDECIDED, NEVER_KEPT),
    "profile gar-immutable": (UNDECIDED, "TAG_INVALID"),
}
"""Where a signature cannot be deleted, or not be taken off the list: how that ends, and both stay."""

READABLE = [name for name in NAMES if not {"copy in", "list"} & OTHERWISE.get(name, {}).keys()]


@pytest.mark.parametrize("world", READABLE, indirect=True)
def test_a_signature_is_deleted_and_is_listed_no_more(world: World, request: pytest.FixtureRequest) -> None:
    name, place = request.node.callspec.params["world"], f"{world.address}/gone"
    assert world.line("copy", "layout:signed:v1", f"{place}:v1").code == 0
    (signature,) = world.listed(f"{place}:v1")
    ended = world.line("delete", "--yes", f"{place}@{signature}")
    code, says = NOT_DELETED.get(name, (0, ""))
    assert (ended.code, says in ended.err) == (code, True), ended.err
    assert world.listed(f"{place}:v1") == ({signature} if code else set())


@pytest.mark.parametrize("quirk", NAMES)
def test_a_blob_in_pieces_arrives_and_comes_back(
    quirk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.content.remote.uploads.WHOLE", 1000)
    monkeypatch.setattr("nv2.content.remote.pieces.PIECE", 4096)
    data = bytes(range(256)) * 64
    blob = describe(data, mt.OCTET_STREAM)
    transport = HttpTransport()
    authenticated = Authenticated(transport, lambda _: Credential(identity_token=REFRESH_TOKEN))
    with serve(tmp_path / "r", layers=layers_of(*chosen(quirk)), limits=limits_of(*chosen(quirk))) as running:
        store = RemoteStore(running.address, "app", authenticated, plain_http=True, lock=thread_lock())
        store.push(blob, opener(data))
        assert store.exists(blob)
        with store.open(blob) as stream:
            assert b"".join(iter(lambda: stream.read(5000), b"")) == data
    transport.close()


def test_what_ends_otherwise_is_a_quirk_or_profile() -> None:
    assert OTHERWISE.keys() | SIGNED.keys() | WITH.keys() | NOT_DELETED.keys() <= set(NAMES)


def test_the_registry_in_memory_has_no_quirk_that_the_embedded_one_has_not() -> None:
    assert {name.replace("_", "-") for name in IN_MEMORY} - ALWAYS - BY_TLS <= set(QUIRKS)


@pytest.mark.parametrize("world", sorted(LOGINS), indirect=True)
def test_whoever_has_another_refresh_token_is_told_to_log_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTATION_PASSWORD", "another")
    ended = world.verified(world.app)
    assert (ended.code, "refused the credentials" in ended.err) == (UNDECIDED, True), ended.err
