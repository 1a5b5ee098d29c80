"""What goes wrong outside nv2: nothing is lost, nothing is half-written, and nobody hears a yes.

Each row is a fault at one place of a command's way. The state of registry, layout and configuration is held
against what it was before; then the fault is taken away, and the command must work. Signals are in
`cli/test_interruption.py`, a disk that fills up in `cli/test_full_disk.py`, races for the fallback tag in
`content/remote/test_fallback.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nv2
from nv2.content.layout.files import LayoutFiles
from nv2.transport.http import HttpTransport
from tests.unit.cli.command_line import ENVIRONMENT, CommandLine, Ended
from tests.unit.cli.conftest import IMAGE, line, wabbit  # noqa: F401  fixtures
from tests.world.images import image
from tests.world.registry import Registry, Repository
from tests.world.wire import Wire, broken, busy, dead, gone, lost, page, reset, stalled, truncated

State = dict[str, bytes]


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
def setting(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:  # noqa: F811
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


def files(directory: Path) -> State:
    """What the directory holds, but for the records that signing keeps for `list --heal`."""
    found = (path for path in directory.rglob("*") if path.is_file() and "state" not in path.parts)
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def contents(registry: Registry) -> dict[str, Any]:
    return {
        name: (dict(r.tags), dict(r.manifests), dict(r.blobs)) for name, r in registry.repositories.items()
    }


def check_nothing_is_lost(before: dict[str, Any], registry: Registry) -> None:
    """All content is there, tags say what they said, and the list has at least the entries that it had."""
    for name, (tags, manifests, blobs) in before.items():
        now = registry.repository(name)
        lists = {digest for tag, digest in tags.items() if tag.startswith("sha256-")}
        assert manifests.keys() - lists <= now.manifests.keys() and blobs.items() <= now.blobs.items()
        for tag, digest in tags.items():
            if tag.startswith("sha256-"):
                assert listed(manifests[digest]) <= listed(now.manifests[now.tags[tag]])
            else:
                assert now.tags[tag] == digest


def check_nothing_is_half_written(registry: Registry) -> None:
    """Whatever a tag leads to is there, down to the last blob."""
    for repository in registry.repositories.values():
        for digest in repository.tags.values():
            document = json.loads(repository.manifests[digest][1])
            for entry in document.get("manifests", [document]):
                manifest = (
                    json.loads(repository.manifests[entry["digest"]][1]) if "digest" in entry else entry
                )
                for part in (manifest["config"], *manifest["layers"]):
                    assert part["digest"] in repository.blobs


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
UNDECIDED = "could not decide"

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


def struck(setting: Setting, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command under the fault, and once more when it is over."""
    setting.wire.strike(fault.method, fault.part, fault.how)
    with monkeypatch.context() as meanwhile:
        if fault.how is stalled:
            meanwhile.setattr("nv2.transport.connections.READ_TIMEOUT", 0.2)
        ended = setting.run(fault.words)
    assert (ended.code, fault.says in ended.err) == (fault.code, True), ended.err
    assert "Traceback" not in ended.err and "Successfully" not in ("" if fault.code == 0 else ended.out)
    check_nothing_is_half_written(setting.wire.registry)
    setting.wire.strikes.clear()


@pytest.mark.parametrize("fault", READING, ids=lambda fault: fault.name)
def test_reading_under_a_fault_says_so_and_changes_nothing(
    setting: Setting, fault: Fault, monkeypatch
) -> None:
    before = contents(setting.wire.registry), files(setting.line.directory)
    struck(setting, fault, monkeypatch)
    after = files(setting.line.directory)
    assert b"image.ref.name" not in after.get("copy/index.json", b"")
    kept = {name: data for name, data in after.items() if not name.startswith("copy/")}
    assert (contents(setting.wire.registry), kept) == before
    assert setting.run(fault.words).code == 0


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


class Clock(NamedTuple):
    """The machine's clock when it signs, and when it verifies."""

    name: str
    signs: datetime
    verifies: datetime
    code: int
    says: str


NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, CENTURY = timedelta(hours=1), timedelta(days=36525)


class Stopped(NamedTuple):
    instant: datetime

    def now(self, _: object) -> datetime:
        return self.instant


# fmt: off
CLOCKS = (
    Clock("stands still",                            NOW, NOW,                0, ""),
    Clock("forwards, within the signature's time",   NOW, NOW + HOUR / 2,     0, ""),
    Clock("forwards, past the signature's time",     NOW, NOW + 2 * HOUR,     1, "expiry failed"),
    Clock("forwards, past the certificate's time",   NOW, NOW + CENTURY,      1, ""),
    # The signing time is then in the future; it is the signer's word, and nothing is decided by it.
    Clock("backwards, before the signing",           NOW, NOW - HOUR,         0, ""),
    Clock("was ahead when it signed",                NOW + HOUR, NOW,         0, ""),
    Clock("backwards, before the certificate",       NOW, NOW - CENTURY / 2,  1, ""),
)
# fmt: on


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: clock.name)
def test_a_clock_that_jumps(wabbit: CommandLine, clock: Clock, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(clock.signs))
    assert wabbit("sign", "-k", "wabbit.key", "-e", "1h", IMAGE).code == 0
    before = files(wabbit.directory)
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(clock.verifies))
    ended = wabbit("verify", "-k", "leaf.crt", IMAGE)
    assert (ended.code, clock.says in ended.err) == (clock.code, True), ended.err
    assert files(wabbit.directory) == before


@pytest.mark.parametrize("instant", [NOW - CENTURY / 2, NOW + CENTURY], ids=["before", "after"])
def test_nothing_is_signed_when_the_clock_is_outside_the_certificate(
    wabbit: CommandLine,  # noqa: F811
    instant: datetime,
    monkeypatch,
) -> None:
    before = files(wabbit.directory)
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(instant))
    ended = wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert ended.code == 3 and files(wabbit.directory) == before


class Disturbed(NamedTuple):
    """`change` happens to a file of the layout just before it is opened for the `nth` time."""

    name: str
    words: str
    which: str
    change: Callable[[Path], object]
    code: int
    says: str
    nth: int = 1


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    os.truncate(path, 20)


LAYOUT_VERIFY = "verify -k leaf.crt layout:image:v1"
LAYOUT_SIGN = "sign -k wabbit.key layout:image:v1"
LAYOUT_COPY = "copy layout:image:v1 layout:copy:v1"

# fmt: off
DISTURBED = (
    Disturbed("the index is gone",                    LAYOUT_VERIFY, "index",    Path.unlink, 3, "no index.json"),
    Disturbed("the index goes after the tag",         LAYOUT_VERIFY, "index",    Path.unlink, 3, "no index.json", 2),
    Disturbed("the index is cut after the tag",       LAYOUT_VERIFY, "index",    _cut,        3, "not JSON", 2),
    Disturbed("the artifact is gone",                 LAYOUT_VERIFY, "image",    Path.unlink, 3, "no such blob"),
    Disturbed("the artifact is another",              LAYOUT_VERIFY, "image",    _spoil,      3, "the content has digest"),
    Disturbed("the envelope is gone",                 LAYOUT_VERIFY, "envelope", Path.unlink, 3, UNDECIDED),
    Disturbed("the envelope is another",              LAYOUT_VERIFY, "envelope", _spoil,      1, "the content has digest"),
    Disturbed("the envelope is cut",                  LAYOUT_VERIFY, "envelope", _cut,        1, "bytes instead of"),
    # It may have been a good signature.
    Disturbed("the signature manifest is gone",       LAYOUT_VERIFY, "manifest", Path.unlink, 3, UNDECIDED),
    # It was none: these bytes are not what is listed.
    Disturbed("the signature manifest is another",    LAYOUT_VERIFY, "manifest", _spoil,      1, "no signature"),
    Disturbed("sign: the artifact is gone",           LAYOUT_SIGN,   "image",    Path.unlink, 3, "no such blob"),
    Disturbed("sign: the artifact is another",        LAYOUT_SIGN,   "image",    _spoil,      3, "the content has digest"),
    Disturbed("sign: the index goes before writing",  LAYOUT_SIGN,   "index",    Path.unlink, 3, "no index.json", 2),
    Disturbed("sign: the index is cut before writing", LAYOUT_SIGN,  "index",    _cut,        3, "not JSON", 2),
    Disturbed("copy: the artifact is gone",           LAYOUT_COPY,   "image",    Path.unlink, 3, "no such blob", 2),
    Disturbed("copy: the artifact is another",        LAYOUT_COPY,   "image",    _spoil,      3, "the content has digest", 2),
    Disturbed("copy: the envelope is gone",           LAYOUT_COPY,   "envelope", Path.unlink, 4, "left out"),
    Disturbed("copy: the envelope is another",        LAYOUT_COPY,   "envelope", _cut,        4, "left out"),
    Disturbed("copy: the index is cut",               LAYOUT_COPY,   "index",    _cut,        3, "not JSON", 2),
)
# fmt: on


def _find(layout: Path, which: str) -> str:
    if which == "index":
        return "index.json"
    image, signature = json.loads((layout / "index.json").read_bytes())["manifests"]
    name = (image if which == "image" else signature)["digest"]
    if which == "envelope":
        name = json.loads((layout / "blobs/sha256" / name[7:]).read_bytes())["layers"][0]["digest"]
    return f"blobs/sha256/{name[7:]}"


@pytest.mark.parametrize("row", DISTURBED, ids=lambda row: row.name)
def test_a_file_that_vanishes_or_changes_while_it_is_read(
    wabbit: CommandLine,  # noqa: F811
    row: Disturbed,
    monkeypatch,
) -> None:
    assert wabbit(*LAYOUT_SIGN.split()).code == 0
    layout = wabbit.directory / "image"
    name, opened, opening = _find(layout, row.which), [0], LayoutFiles.open

    def disturbed(self: LayoutFiles, relative: str) -> Any:
        if relative == name:
            opened[0] += 1
            if opened[0] == row.nth:
                row.change(layout / name)
        return opening(self, relative)

    before = files(wabbit.directory)
    monkeypatch.setattr(LayoutFiles, "open", disturbed)
    ended = wabbit(*row.words.split())
    assert (ended.code, row.says in ended.err) == (row.code, True), ended.err
    after = files(wabbit.directory)
    # The file that was disturbed is left as it was found: nothing is written over what cannot be read.
    ours = {path: data for path, data in after.items() if path != f"image/{name}"}
    assert {path: data for path, data in before.items() if path != f"image/{name}"}.items() <= ours.items()
    assert b"image.ref.name" not in after.get("copy/index.json", b"") or row.code == 4
    assert not [path for path in after if ".nv2-" in path]


class SetUp(NamedTuple):
    """`change` happens to `file` of the configuration just before it is opened for the first time."""

    name: str
    words: str
    file: str
    change: Callable[[Path], object]
    code: int
    says: str


POLICY_FILE, ROOT_FILE, KEYS_FILE = (
    "trustpolicy.oci.json",
    "truststore/x509/ca/wabbit/root.crt",
    "signingkeys.json",
)
BY_POLICY = "verify --scope registry.test/app layout:image:v1"
BY_NAME = "sign -k ci layout:image:v1"


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _no_store(path: Path) -> None:
    shutil.rmtree(path.parent)


def _trust_nobody(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"O=wabbit-networks.io", b"O=somebody.else"))


# fmt: off
SET_UPS = (
    SetUp("the policy is gone",           BY_POLICY, POLICY_FILE, Path.unlink,   3, "no such file"),
    SetUp("the policy is cut",            BY_POLICY, POLICY_FILE, _cut,          3, "not JSON"),
    SetUp("the policy is empty",          BY_POLICY, POLICY_FILE, _empty,        3, "not JSON"),
    SetUp("the policy is another",        BY_POLICY, POLICY_FILE, _trust_nobody, 1, "authenticity failed"),
    SetUp("a certificate is gone",        BY_POLICY, ROOT_FILE,   Path.unlink,   3, UNDECIDED),
    SetUp("a certificate is cut",         BY_POLICY, ROOT_FILE,   _cut,          3, UNDECIDED),
    SetUp("the trust store is gone",      BY_POLICY, ROOT_FILE,   _no_store,     3, UNDECIDED),
    SetUp("the list of keys is gone",     BY_NAME,   KEYS_FILE,   Path.unlink,   3, "no such file"),
    SetUp("the list of keys is cut",      BY_NAME,   KEYS_FILE,   _cut,          3, "not JSON"),
    SetUp("the list goes before a change", "key delete ci", KEYS_FILE, Path.unlink, 3, "no such file"),
    SetUp("the list is cut before a change", "key delete ci", KEYS_FILE, _cut, 3, "not JSON"),
)
# fmt: on


@pytest.mark.parametrize("row", SET_UPS, ids=lambda row: row.name)
def test_a_file_of_the_set_up_that_vanishes_or_changes_while_it_is_read(
    wabbit: CommandLine,  # noqa: F811
    row: SetUp,
    monkeypatch,
) -> None:
    identity = "x509.subject:C=US,ST=WA,O=wabbit-networks.io"
    trusted = ("--trust-store", "ca:wabbit", "--trusted-identity", identity)
    for words in (
        ("cert", "add", "-t", "ca", "-s", "wabbit", "root.crt"),
        ("policy", "init", "--name", "p", "--registry-scope", "registry.test/app", *trusted),
        ("key", "add", "ci", "--key-file", "wabbit.key", "--cert-file", "wabbit.crt"),
        ("sign", "-k", "ci", "layout:image:v1"),
    ):
        done = wabbit(*words)
        assert done.code == 0, done.err
    assert wabbit(*BY_POLICY.split()).code == 0
    path, opening, came = wabbit.config / row.file, os.open, []

    def disturbed(name: Any, *words: Any, **more: Any) -> int:
        if not came and os.fspath(name) == str(path):
            came.append(path)
            row.change(path)
        return opening(name, *words, **more)

    before = files(wabbit.directory)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "open", disturbed)
        ended = wabbit(*row.words.split())
    assert came
    assert (ended.code, row.says in ended.err) == (row.code, True), ended.err
    kept = {name: data for name, data in before.items() if name != f"config/{row.file}"}
    assert {name: data for name, data in files(wabbit.directory).items() if name in kept} == kept


WRITER = """
import io, sys
from nv2.cli.dispatch import main
from nv2.cli.output import Output
for number in range(int(sys.argv[1])):
    for line in " ".join(sys.argv[2:]).split(" THEN "):
        out = io.StringIO()
        code = main(line.replace("%", str(number)).split(), Output(out, out, "nv2"))
        if code:
            raise SystemExit(out.getvalue())
"""
TIMES = 6


def _all_keys(here: Path, who: str) -> bool:
    names = {key["name"] for key in json.loads((here / "config/signingkeys.json").read_bytes())["keys"]}
    return {f"{who}{number}" for number in range(TIMES)} <= names


def _a_whole_policy(here: Path, who: str) -> bool:
    found = json.loads((here / "config/trustpolicy.oci.json").read_bytes())
    return found["trustPolicies"][0]["name"] in ("a", "b")


def _all_certificates(here: Path, who: str) -> bool:
    names = {path.name for path in (here / "config/truststore/x509/ca/wabbit").iterdir()}
    return {f"{who}{number}.crt" for number in range(TIMES)} <= names


def _no_certificates(here: Path, who: str) -> bool:
    return not (here / "config/truststore/x509/ca/wabbit").exists()


class Written(NamedTuple):
    """Two processes run `words` `TIMES` times, as `a` and `b`; `is_kept` must hold for both."""

    name: str
    words: str
    is_kept: Callable[[Path, str], bool]


WRITTEN = (
    Written("the list of keys", "key add WHO% --key-file wabbit.key --cert-file wabbit.crt", _all_keys),
    Written("one policy", "policy import --force WHO.json", _a_whole_policy),
    Written("files of one store", "cert add -t ca -s wabbit WHO%.crt", _all_certificates),
    Written(
        "a store that comes and goes",
        "cert add -t ca -s wabbit WHO%.crt THEN cert delete -y -t ca -s wabbit WHO%.crt",
        _no_certificates,
    ),
    Written("keys that are made", "key generate WHO% --subject C=US,ST=WA,O=o,CN=WHO", _all_keys),
)


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_two_processes_that_write_the_same_configuration(wabbit: CommandLine, row: Written) -> None:  # noqa: F811
    here = wabbit.directory
    statement = {
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
    }
    for who in "ab":
        policy = {"version": "1.0", "trustPolicies": [{"name": who, **statement}]}
        (here / f"{who}.json").write_text(json.dumps(policy))
        for number in range(TIMES):
            (here / f"{who}{number}.crt").write_bytes((here / "root.crt").read_bytes())
    environ = {name: str(here / directory) for name, directory in ENVIRONMENT.items()}
    environ |= {"PATH": os.defpath, "PYTHONPATH": str(Path(nv2.__file__).parent.parent)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(TIMES), *row.words.replace("WHO", who).split()],
            cwd=here,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in "ab"
    ]
    assert [process.communicate(timeout=60)[1] for process in both] == ["", ""]
    assert row.is_kept(here, "a") and row.is_kept(here, "b")
    assert not [path for path in files(here) if path.endswith((".tmp", ".lock"))]
