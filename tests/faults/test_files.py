"""Files of a layout or of the set-up that vanish or change while they are read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.content.layout.files import LayoutFiles
from tests.faults.state import UNDECIDED, files
from tests.unit.cli.command_line import CommandLine


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
    wabbit: CommandLine,
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
    wabbit: CommandLine,
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
