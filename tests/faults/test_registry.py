"""A registry that dies, stalls, truncates, answers nonsense, or changes its mind."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.transport.connections import Connection
from nv2.transport.http import HttpTransport
from nv2.transport.interface import Request
from tests.faults.state import UNDECIDED, State, files
from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.images import image
from tests.world.registry import Registry, Repository
from tests.world.wire import Wire, broken, busy, dead, gone, lost, page, reset, stalled, truncated


class Setting(NamedTuple):
    """A machine, and a registry without the referrers API with one image that is signed once."""

    line: CommandLine
    wire: Wire
    image: str
    """By digest."""

    @property
    def repository(self) -> Repository:
        return self.wire.registry.repository("app")

    def run(self, words: str) -> Ended:
        address = self.wire.address
        places = {"IMAGE": self.image, "TAG": f"{address}/app:v1", "OTHER": f"{address}/other:v1"}
        return self.line(*(places.get(word, word) for word in words.split()))


@pytest.fixture
def setting(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    assert HttpTransport.__init__.__kwdefaults__
    monkeypatch.setitem(HttpTransport.__init__.__kwdefaults__, "sleep", lambda _: None)
    monkeypatch.setattr("nv2.content.remote.fallback.MIN_WAIT", 0.0)
    with Wire(Registry(referrers_api=False)) as wire:
        digest = push(wire.registry.repository("app"), "app", "v1")
        found = Setting(wabbit, wire, f"{wire.address}/app@{digest}")
        signed = found.run(SIGN)
        assert signed.code == 0, signed.err
        yield found


def push(repository: Repository, text: str, tag: str | None = None) -> str:
    made = image(text)
    for _, data in made.blobs:
        repository.add_blob(data)
    return repository.add(made.manifest, made.descriptor.media_type, tag)


def contents(registry: Registry) -> dict[str, Any]:
    with registry.lock:  # somebody who was interrupted may have asked for something just now
        return {
            name: (dict(r.tags), dict(r.manifests), dict(r.blobs))
            for name, r in registry.repositories.items()
        }


def check_nothing_is_lost(before: dict[str, Any], registry: Registry) -> None:
    """All content is there, tags say what they said, and the list has at least the entries that it had."""
    after = contents(registry)
    for name, (tags, manifests, blobs) in before.items():
        tags_now, manifests_now, blobs_now = after[name]
        lists = {digest for tag, digest in tags.items() if tag.startswith("sha256-")}
        assert manifests.keys() - lists <= manifests_now.keys() and blobs.items() <= blobs_now.items()
        for tag, digest in tags.items():
            if tag.startswith("sha256-"):
                assert listed(manifests[digest]) <= listed(manifests_now[tags_now[tag]])
            else:
                assert tags_now[tag] == digest


def check_nothing_is_half_written(registry: Registry) -> None:
    """Whatever a tag leads to is there, down to the last blob."""
    for tags, manifests, blobs in contents(registry).values():
        for digest in tags.values():
            document = json.loads(manifests[digest][1])
            for entry in document.get("manifests", [document]):
                manifest = json.loads(manifests[entry["digest"]][1]) if "digest" in entry else entry
                for part in (manifest["config"], *manifest["layers"]):
                    assert part["digest"] in blobs


KEPT = "cache/nv2/content/"
"""What reading may write: content of the registry, for the next run."""


def check_only_whole_content_is_kept(setting: Setting, after: State) -> None:
    """Whatever was kept is something that the registry has, to the last byte."""
    there = [*setting.repository.blobs.values(), *(data for _, data in setting.repository.manifests.values())]
    assert {data for name, data in after.items() if name.startswith(KEPT)} <= set(there)


def listed(index: tuple[str, bytes]) -> set[str]:
    return {entry["digest"] for entry in json.loads(index[1])["manifests"]}


class Fault(NamedTuple):
    """`how` strikes every request with `method` and `part` in its address."""

    name: str
    words: str
    method: str
    part: str
    how: Callable[[Callable[[], bytes]], bytes | None]
    says: str
    code: int = 3


VERIFY = "verify -k leaf.crt IMAGE"
SIGN = "sign -k wabbit.key IMAGE"
TO_LAYOUT = "copy IMAGE layout:copy:v1"
TO_OTHER = "copy IMAGE OTHER"
ARTIFACT, LISTING, API, ENVELOPE = "/manifests/sha256:", "/manifests/sha256-", "/referrers/", "/blobs/"
UPLOAD = "/blobs/uploads/"

# fmt: off
READING = (
    # fault                                        command         request           how        said
    Fault("the registry is dead",                  VERIFY,         "GET", ARTIFACT,  dead,      "closed without an answer"),
    Fault("… when asked who refers",               VERIFY,         "GET", API,       dead,      "closed without an answer"),
    Fault("… when asked for the fallback tag",     VERIFY,         "GET", LISTING,   dead,      "closed without an answer"),
    Fault("… when asked for the envelope",         VERIFY,         "GET", ENVELOPE,  dead,      UNDECIDED),
    Fault("the connection is reset",               VERIFY,         "GET", ARTIFACT,  reset,     "the connection was cut"),
    Fault("… at the fallback tag",                 VERIFY,         "GET", LISTING,   reset,     "the connection was cut"),
    Fault("… at the envelope",                     VERIFY,         "GET", ENVELOPE,  reset,     UNDECIDED),
    Fault("half a manifest",                       VERIFY,         "GET", ARTIFACT,  truncated, "in the middle of the answer"),
    Fault("half a list",                           VERIFY,         "GET", LISTING,   truncated, "in the middle of the answer"),
    Fault("half an envelope",                      VERIFY,         "GET", ENVELOPE,  truncated, UNDECIDED),
    Fault("a silent registry",                     VERIFY,         "GET", ARTIFACT,  stalled,   "no answer within"),
    Fault("a silent registry at the envelope",     VERIFY,         "GET", ENVELOPE,  stalled,   UNDECIDED),
    Fault("too many requests",                     VERIFY,         "GET", ARTIFACT,  busy,      "429"),
    Fault("too many requests at the list",         VERIFY,         "GET", LISTING,   busy,      "429"),
    Fault("too many requests at the envelope",     VERIFY,         "GET", ENVELOPE,  busy,      UNDECIDED),
    Fault("a broken registry",                     VERIFY,         "GET", ARTIFACT,  broken,    "500"),
    Fault("a broken referrers API",                VERIFY,         "GET", API,       broken,    "500"),
    Fault("a broken list",                         VERIFY,         "GET", LISTING,   broken,    "500"),
    Fault("a broken envelope",                     VERIFY,         "GET", ENVELOPE,  broken,    UNDECIDED),
    Fault("a login page for a manifest",           VERIFY,         "GET", ARTIFACT,  page,      "the content has digest"),
    Fault("the artifact vanished",                 VERIFY,         "GET", ARTIFACT,  gone,      "no such manifest"),
    Fault("list: a broken list",                   "list IMAGE",   "GET", LISTING,   broken,    "500"),
    Fault("inspect: a broken envelope",            "inspect IMAGE", "GET", ENVELOPE, broken,    "500"),
    Fault("copy: a dead source",                   TO_LAYOUT,      "GET", ENVELOPE,  dead,      "closed without an answer"),
    Fault("copy: half a blob",                     TO_LAYOUT,      "GET", ENVELOPE,  truncated, "in the middle of the answer"),
    Fault("copy: a page for a blob",               TO_LAYOUT,      "GET", ENVELOPE,  page,      "bytes instead of"),
    Fault("copy: a blob vanished",                 TO_LAYOUT,      "GET", ENVELOPE,  gone,      "no such blob"),
    Fault("copy: a broken list",                   TO_LAYOUT,      "GET", LISTING,   broken,    "500"),
    Fault("a login page for the list",             VERIFY,         "GET", LISTING,   page,      "not a manifest"),
    Fault("list: a login page for the list",       "list IMAGE",   "GET", LISTING,   page,      "not a manifest"),
    Fault("list: a login page for the artifact",   "list IMAGE",   "GET", ARTIFACT,  page,      "the content has digest"),
    Fault("inspect: a login page for the envelope", "inspect IMAGE", "GET", ENVELOPE, page,     "bytes instead of"),
    Fault("copy: a login page for the list",       TO_LAYOUT,      "GET", LISTING,   page,      "not a manifest"),
    Fault("verify by tag: a login page",           "verify -k leaf.crt TAG", "GET", "/manifests/v1", page, "not a manifest"),
    # Registries without the API are known to answer it with a page: the fallback tag is what counts.
    Fault("a login page for the referrers API",    VERIFY,         "GET", API,       page,      "", 0),
    # These bytes have not the digest of the envelope, and never will.
    Fault("a login page for the envelope",         VERIFY,         "GET", ENVELOPE,  page,      "verification failed", 1),
)
WRITING = (
    Fault("sign: dead at the upload",              SIGN,           "POST", UPLOAD,   dead,      "closed without an answer"),
    Fault("sign: dead at the envelope",            SIGN,           "PUT",  UPLOAD,   dead,      "closed without an answer"),
    Fault("sign: dead at the manifest",            SIGN,           "PUT",  ARTIFACT, dead,      "closed without an answer"),
    Fault("sign: dead at the list",                SIGN,           "PUT",  LISTING,  dead,      "closed without an answer"),
    Fault("sign: dead when the list is read",      SIGN,           "GET",  LISTING,  dead,      "closed without an answer"),
    Fault("sign: the answer to a manifest is lost", SIGN,          "PUT",  ARTIFACT, lost,      "closed without an answer"),
    Fault("sign: the answer to the list is lost",  SIGN,           "PUT",  LISTING,  lost,      "closed without an answer"),
    Fault("sign: reset at the list",               SIGN,           "PUT",  LISTING,  reset,     "the connection was cut"),
    Fault("sign: silence at the list",             SIGN,           "PUT",  LISTING,  stalled,   "no answer within"),
    Fault("sign: too many requests",               SIGN,           "PUT",  LISTING,  busy,      "429"),
    Fault("sign: a broken upload",                 SIGN,           "PUT",  UPLOAD,   broken,    "500"),
    Fault("sign: a broken list",                   SIGN,           "PUT",  LISTING,  broken,    "500"),
    Fault("sign: a page at the manifest",          SIGN,           "PUT",  ARTIFACT, page,      "answered 200"),
    Fault("sign: a page at the upload",            SIGN,           "POST", UPLOAD,   page,      "answered 200"),
    Fault("sign: a page at the envelope",          SIGN,           "PUT",  UPLOAD,   page,      "answered 200"),
    Fault("sign: a page at the list",              SIGN,           "PUT",  LISTING,  page,      "answered 200"),
    Fault("sign: a page where the list is",        SIGN,           "GET",  LISTING,  page,      "not a manifest"),
    Fault("sign: a page for the artifact",         SIGN,           "GET",  ARTIFACT, page,      "the content has digest"),
    Fault("copy: a page at the tag",               TO_OTHER,       "PUT",  "/manifests/v1",     page, "answered 200"),
    Fault("sign: the old list cannot be deleted",  SIGN,           "DELETE", ARTIFACT, broken,  "stays", 0),
    Fault("copy: dead at a manifest",              TO_OTHER,       "PUT",  "/other" + ARTIFACT, dead,   "closed without an answer"),
    Fault("copy: dead at the list",                TO_OTHER,       "PUT",  "/other" + LISTING,  dead,   "closed without an answer"),
    Fault("copy: dead at the tag",                 TO_OTHER,       "PUT",  "/manifests/v1",     dead,   "closed without an answer"),
    Fault("copy: a broken list",                   TO_OTHER,       "PUT",  "/other" + LISTING,  broken, "500"),
)
# fmt: on


def hurry(meanwhile: pytest.MonkeyPatch, fault: Fault) -> None:
    """Whoever asks what is struck waits for a moment only; all others as long as they would, for the machine may be busy."""
    here, ask, patience = threading.local(), HttpTransport._ask, Connection._patience

    def asked(transport: HttpTransport, connection: Any, address: Any, request: Request, job: Any) -> Any:
        here.struck = request.method == fault.method and fault.part in request.url
        return ask(transport, connection, address, request, job)

    meanwhile.setattr(HttpTransport, "_ask", asked)
    meanwhile.setattr(
        Connection,
        "_patience",
        lambda connection: 0.2 if getattr(here, "struck", False) else patience(connection),
    )


def struck(setting: Setting, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command under the fault, and once more when it is over."""
    setting.wire.strike(fault.method, fault.part, fault.how)
    with monkeypatch.context() as meanwhile:
        if fault.how is stalled:
            hurry(meanwhile, fault)
        ended = setting.run(fault.words)
    assert (ended.code, fault.says in ended.err) == (fault.code, True), ended.err
    assert "Traceback" not in ended.err and "Successfully" not in ("" if fault.code == 0 else ended.out)
    check_nothing_is_half_written(setting.wire.registry)
    setting.wire.strikes.clear()


@pytest.mark.parametrize("fault", READING, ids=lambda fault: fault.name)
def test_reading_under_a_fault_says_so_and_changes_nothing_but_what_is_kept(
    setting: Setting, fault: Fault, monkeypatch
) -> None:
    before = contents(setting.wire.registry), files(setting.line.directory)
    struck(setting, fault, monkeypatch)
    after = files(setting.line.directory)
    assert b"image.ref.name" not in after.get("copy/index.json", b"")
    check_only_whole_content_is_kept(setting, after)
    rest = {name: data for name, data in after.items() if not name.startswith(("copy/", KEPT))}
    assert (contents(setting.wire.registry), rest) == before
    assert setting.run(fault.words).code == 0


@pytest.mark.parametrize("words", [VERIFY, "list IMAGE", "inspect IMAGE", "tree IMAGE"])
def test_reading_does_not_fail_where_nothing_can_be_kept(setting: Setting, words: str) -> None:
    (setting.line.directory / "cache").write_text("a file where a directory belongs")
    ended = setting.run(words)
    assert (ended.code, ended.error_lines) == (0, []), ended.err
    assert "cache" not in ended.err


@pytest.mark.parametrize("words", [VERIFY, "inspect IMAGE"])
def test_that_nothing_can_be_kept_is_said_to_whoever_asks(setting: Setting, words: str) -> None:
    (setting.line.directory / "cache").write_text("a file where a directory belongs")
    assert "nothing is kept for the next run" in setting.run(f"{words} --debug").err


def kept_files(setting: Setting) -> list[Path]:
    """What `verify` kept for the next run; there is something."""
    assert setting.run(VERIFY).code == 0
    found = [path for path in (setting.line.directory / KEPT).rglob("*") if path.is_file()]
    assert len(found) == 2  # the signature's manifest, and its envelope
    return found


def _as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _as_hard_link(path: Path) -> None:
    path.unlink()
    os.link(path.parents[4] / "leaf.crt", path)


SPOILT: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "another content": lambda path: path.write_bytes(b"{}"),
    "huge": lambda path: os.truncate(path, 10**12),
    "not to be read": lambda path: path.chmod(0),
    "a pipe": _as_fifo,
    "a directory": _as_directory,
    "a link": _as_link,
    "a hard link to another file": _as_hard_link,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_whatever_becomes_of_what_is_kept_the_registry_says_the_same(
    setting: Setting, spoil: Callable[[Path], object]
) -> None:
    for path in kept_files(setting):
        spoil(path)
    leaf = (setting.line.directory / "leaf.crt").read_bytes()
    for _ in range(2):
        ended = setting.run(VERIFY)
        assert (ended.code, ended.error_lines) == (0, []), ended.err
    assert (setting.line.directory / "leaf.crt").read_bytes() == leaf


def test_a_signature_that_is_listed_no_more_does_not_count_because_it_is_kept(setting: Setting) -> None:
    kept_files(setting)
    _drop_the_list(setting)
    assert setting.run(VERIFY).code == 1


@pytest.mark.parametrize("what", ["--artifact", "--signature"])
def test_what_is_kept_can_be_denied(setting: Setting, what: str) -> None:
    kept_files(setting)
    repository, digest = setting.repository, setting.image.partition("@")[2]
    if what == "--signature":
        (digest,) = listed(repository.manifests[repository.tags[digest.replace(":", "-")]])
    where = [setting.image] if what == "--signature" else []
    denied = setting.line("trust", "deny", "--reason", "stolen", what, digest, *where)
    assert (denied.code, setting.run(VERIFY).code) == (0, 1), denied.err


@pytest.mark.parametrize("fault", WRITING, ids=lambda fault: fault.name)
def test_writing_under_a_fault_loses_nothing_and_can_be_done_again(
    setting: Setting, fault: Fault, monkeypatch
) -> None:
    before = contents(setting.wire.registry), files(setting.line.directory)
    struck(setting, fault, monkeypatch)
    check_nothing_is_lost(before[0], setting.wire.registry)
    assert "v1" not in setting.wire.registry.repository("other").tags
    assert files(setting.line.directory) == before[1]
    again = setting.run(fault.words)
    assert again.code == 0, again.err
    check_nothing_is_half_written(setting.wire.registry)
    assert setting.run(VERIFY).code == 0


@pytest.mark.parametrize("words", [VERIFY, SIGN, "list IMAGE", TO_LAYOUT])
def test_a_host_whose_name_cannot_be_resolved_decides_nothing(
    setting: Setting, words: str, monkeypatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    before = contents(setting.wire.registry), files(setting.line.directory)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(socket, "getaddrinfo", unknown)
        ended = setting.run(words)
    assert ended.code == 3 and "cannot find the host" in ended.err
    assert (contents(setting.wire.registry), files(setting.line.directory)) == before
    assert setting.run(words).code == 0


class Change(NamedTuple):
    """`change` happens just before the registry answers a request with `method` and `part`."""

    name: str
    words: str
    method: str
    part: str
    change: Callable[[Setting], None]
    code: int
    says: str


def _move_the_tag(setting: Setting) -> None:
    push(setting.repository, "somebody else's", "v1")


def _delete_signatures(setting: Setting) -> None:
    digest = next(d for t, d in setting.repository.tags.items() if t.startswith("sha256-"))
    for signature in listed(setting.repository.manifests[digest]):
        del setting.repository.manifests[signature]


def _drop_the_list(setting: Setting) -> None:
    setting.repository.tags = {"v1": setting.repository.tags["v1"]}


def _forget_manifests(setting: Setting) -> None:
    setting.repository.manifests.clear()
    setting.repository.tags.clear()


def _forget_blobs(setting: Setting) -> None:
    setting.repository.blobs.clear()


# fmt: off
CHANGES = (
    Change("the tag moves before the list is asked for", "verify -k leaf.crt TAG", "GET", API, _move_the_tag, 0, ""),
    Change("the tag moves before the upload",     "sign -k wabbit.key TAG", "POST", UPLOAD, _move_the_tag,      0, ""),
    Change("the signatures go after the listing", VERIFY,   "GET", "/blobs/",  _forget_blobs,      3, UNDECIDED),
    Change("what is listed is not there",         VERIFY,   "GET", LISTING,    _delete_signatures, 3, UNDECIDED),
    Change("the list goes before it is written",  SIGN,     "PUT", LISTING,    _drop_the_list,     0, ""),
    Change("the list goes before it is read",     VERIFY,   "GET", LISTING,    _drop_the_list,     1, "no signature"),
    Change("the list goes before it is read again", SIGN,   "PUT", ARTIFACT,   _drop_the_list,     0, ""),
    Change("the artifact goes after the question", VERIFY,  "GET", ENVELOPE,   _forget_manifests,  0, ""),
    Change("a blob goes after the listing",       TO_LAYOUT, "GET", ENVELOPE,  _forget_blobs,      3, "no such blob"),
)
# fmt: on


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_registry_that_changes_its_mind(setting: Setting, change: Change) -> None:
    setting.wire.registry.before(change.method, change.part, lambda: change.change(setting))
    ended = setting.run(change.words)
    assert (ended.code, change.says in ended.err) == (change.code, True), ended.err
    assert b"image.ref.name" not in files(setting.line.directory).get("copy/index.json", b"")
    if change.code == 0:
        assert setting.image in ended.out
        assert change.change is _forget_manifests or setting.run(VERIFY).code == 0
