"""Content that is not what it should be, in every kind of source, on its way to every kind of destination.

Each row ends in one error that says where (the source), and which digest. The destination shows nothing of it, and takes
the good artifact afterwards.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.oci import media_types as mt
from nv2.transport.http import HttpTransport
from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.test_interruption import nothing_unfinished
from tests.world.artifacts import push_image, push_index, thread_lock
from tests.world.carried_content import (
    Content,
    Document,
    Fault,
    hold_in_archive,
    hold_in_layout,
    hold_in_registry,
)
from tests.world.registry import Registry
from tests.world.wire import Wire

MIB = 1024 * 1024
PARTLY = 4
WAYS = (
    ("registry", "registry"),
    ("registry", "layout"),
    ("registry", "archive"),
    ("layout", "registry"),
    ("archive", "registry"),
)


class Places(NamedTuple):
    """A machine, a registry, and one signed index of two images."""

    line: CommandLine
    wire: Wire
    """The registry that is copied to."""
    origin: Wire
    """The one that is copied from."""
    good: Content

    def name(self, kind: str, word: str) -> str:
        """What the place of the `kind` and the name `word` is called, with its tag."""
        names = {
            "registry": f"{(self.origin if word == 'from' else self.wire).address}/{word}:v1",
            "layout": f"layout:{word}:v1",
            "archive": f"layout:{word}.tar:v1",
        }
        return names[kind]

    def hold(self, kind: str, content: Content) -> str:
        """Let the source of the `kind` have `content`; what it is called."""
        here = self.line.directory
        if kind == "registry":
            hold_in_registry(self.origin.registry.repository("from"), content)
        elif kind == "layout":
            hold_in_layout(here / "from", content)
        else:
            hold_in_archive(here / "from.tar", content)
        return self.name(kind, "from")

    def tags(self, kind: str) -> set[str]:
        """Tags of the destination, but for those of fallback lists."""
        here = self.line.directory
        if kind == "registry":
            found = set(self.wire.registry.repository("to").tags)
        elif kind == "layout":
            found = _tags(here / "to/index.json")
        else:
            found = _tags_in_archive(here / "to.tar")
        return {tag for tag in found if not tag.startswith("sha256-")}

    def check_whole(self, kind: str) -> None:
        """Nothing at the destination is half-written, or has another digest than its name says."""
        here = self.line.directory
        nothing_unfinished(here)
        repository = self.wire.registry.repository("to")
        found = {**repository.blobs, **{d: data for d, (_, data) in repository.manifests.items()}}
        if kind == "layout":
            found = {f"sha256:{p.name}": p.read_bytes() for p in (here / "to/blobs").glob("*/*")}
        for digest, data in found.items():
            assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"

    def check_good_copy(self, source: str, destination: str, kind: str) -> None:
        """The same copy succeeds, and what arrived is whole and trusted."""
        again = self.line("copy", source, destination)
        assert again.code == 0, again.err
        self.check_whole(kind)
        verified = self.line("verify", "-k", "leaf.crt", destination)
        assert verified.code == 0, verified.err


def _tags(index: Path) -> set[str]:
    return _of(json.loads(index.read_text())) if index.exists() else set()


def _tags_in_archive(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with tarfile.open(path) as archive:
        index = archive.extractfile("index.json")
        assert index is not None
        return _of(json.load(index))


def _of(index: Document) -> set[str]:
    annotations = (entry.get("annotations", {}) for entry in index["manifests"])
    return {each[mt.REF_NAME] for each in annotations if mt.REF_NAME in each}


@pytest.fixture
def places(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    assert HttpTransport.__init__.__kwdefaults__
    monkeypatch.setitem(HttpTransport.__init__.__kwdefaults__, "sleep", lambda _: None)
    monkeypatch.setattr("nv2.content.remote.fallback.MIN_WAIT", 0.0)
    monkeypatch.setattr("nv2.content.remote.downloads.PAUSES", (0.0,))
    store = LayoutStore(wabbit.directory / "good", create=True, lock=thread_lock())
    images = [push_image(store, text, config=b'{"os":"linux"}') for text in (b"one" * 99, b"two" * 99)]
    store.tag(push_index(store, images), "v1")
    signed = wabbit("sign", "-k", "wabbit.key", "layout:good:v1")
    assert signed.code == 0, signed.err
    with Wire(Registry()) as wire, Wire(Registry()) as origin:
        yield Places(wabbit, wire, origin, Content.of_layout(wabbit.directory / "good"))


def check_error(ended: Ended, side: str, place: str, digest: str, says: str) -> None:
    """One error: which side, its name, the digest, and what is wrong."""
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert ended.code == 3, ended.err
    assert len(errors) == 1, ended.err
    name = place.removesuffix(":v1")
    assert errors[0].startswith(f"Error: {side} {name}"), errors[0]
    assert digest in errors[0], errors[0]
    assert re.search(says, errors[0]), errors[0]
    assert "Traceback" not in ended.err + ended.out
    assert all(len(line) < 1024 for line in ended.err.splitlines())


def other_bytes(content: Content) -> str:
    content.blobs[content.layer] = b"two" * 33 + b"one" * 66
    return content.layer


def cut_layer(content: Content) -> str:
    content.blobs[content.layer] = content.blobs[content.layer][:100]
    return content.layer


def long_layer(content: Content) -> str:
    content.blobs[content.layer] += b"and more"
    return content.layer


def empty_layer(content: Content) -> str:
    content.blobs[content.layer] = b""
    return content.layer


def no_layer(content: Content) -> str:
    del content.blobs[content.layer]
    return content.layer


def layer_said_to_be(size: int) -> Callable[[Content], str]:
    def spoil(content: Content) -> str:
        digest = content.layer
        content.change(content.children[0], lambda image: image["layers"][0].update(size=size))
        return digest

    return spoil


def other_config(content: Content) -> str:
    digest = content.document(content.children[0])["config"]["digest"]
    content.blobs[digest] = b'{"os":"plan9"}'
    return str(digest)


def no_child(content: Content) -> str:
    digest = content.children[1]
    del content.manifests[digest]
    return digest


def other_child(content: Content) -> str:
    digest, (media_type, data) = content.children[1], content.manifests[content.children[1]]
    content.manifests[digest] = (media_type, data.replace(b"layers", b"LAYERS"))
    return digest


def cut_child(content: Content) -> str:
    digest, (media_type, data) = content.children[1], content.manifests[content.children[1]]
    content.manifests[digest] = (media_type, data[:-9])
    return digest


def child_of_other_size(content: Content) -> str:
    digest = content.children[1]
    content.change(content.root, lambda index: index["manifests"][1].update(size=7))
    return digest


def child_twice_of_two_sizes(content: Content) -> str:
    digest = content.children[1]
    content.change(
        content.root, lambda index: index["manifests"].append({**index["manifests"][1], "size": 11})
    )
    return digest


def child_of_two_kinds(content: Content) -> str:
    digest = content.children[1]
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    content.change(
        content.root, lambda index: index["manifests"].append({**index["manifests"][1], "mediaType": docker})
    )
    return digest


def child_that_is_no_document(content: Content) -> str:
    data = b"no document"
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    content.manifests[digest] = (mt.IMAGE_MANIFEST, data)
    entry = {"mediaType": mt.IMAGE_MANIFEST, "digest": digest, "size": len(data)}
    content.change(content.root, lambda index: index["manifests"].append(entry))
    return digest


def child_of_5_mib(content: Content) -> str:
    return content.change(content.children[1], lambda image: image.update(annotations={"a": "x" * 5 * MIB}))


def root_of_5_mib(content: Content) -> str:
    content.change(content.root, lambda index: index.update(annotations={"a": "x" * 5 * MIB}))
    return ""  # a registry is not asked for it again to learn its digest


def nested(depth: int) -> Callable[[Content], str]:
    """An index of an index of an index … of the artifact; the digest at which patience ends."""

    def spoil(content: Content) -> str:
        chain = [content.root]
        for _ in range(depth):
            media_type, data = content.manifests[chain[-1]]
            entry = {"mediaType": media_type, "digest": chain[-1], "size": len(data)}
            index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [entry]}
            chain.append(content.add(index)["digest"])
        content.root = chain[-1]
        return chain[-9]

    return spoil


def ring(content: Content) -> str:
    """Two indexes that name each other: one of the digests is a lie, for a hash cannot be made to fit."""
    lie = f"sha256:{'5' * 64}"
    entry = {"mediaType": mt.IMAGE_INDEX, "digest": lie, "size": 0}
    root = content.add({"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [entry]})
    back = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [root]}
    content.manifests[lie] = (mt.IMAGE_INDEX, json.dumps(back).encode())
    content.root = root["digest"]
    return lie


# fmt: off
FAULTS = (
    Fault("a layer of the same length with other bytes", other_bytes,          "the content has digest"),
    Fault("a layer that is cut",                         cut_layer,            "100 bytes instead of 297"),
    Fault("a layer that goes on",                        long_layer,           "more than 297 bytes"),
    Fault("an empty layer",                              empty_layer,          "0 bytes instead of 297"),
    Fault("no layer",                                    no_layer,             "no such blob"),
    Fault("a layer said to be longer",                   layer_said_to_be(298), "297 bytes instead of 298"),
    Fault("a layer said to be shorter",                  layer_said_to_be(296), "more than 296 bytes"),
    Fault("a layer said to be of 1 TiB",                 layer_said_to_be(2**40), f"297 bytes instead of {2**40}"),
    Fault("another config",                              other_config,         "the content has digest"),
    Fault("no image",                                    no_child,             "no such"),
    Fault("another image",                               other_child,          "the content has digest"),
    Fault("an image that is cut",                        cut_child,            "bytes instead of"),
    Fault("an image said to be of another size",         child_of_other_size,  r"(instead of|longer than) 7\b"),
    Fault("an image twice, of two sizes",                child_twice_of_two_sizes, r"(instead of|longer than) 11\b"),
    Fault("an image twice, of two kinds",                child_of_two_kinds,   "but came as"),
    Fault("an image that is no document",                child_that_is_no_document, "not JSON"),
    Fault("an image of 5 MiB",                           child_of_5_mib,       "a manifest of more than 4194304 bytes"),
    Fault("an index of 5 MiB",                           root_of_5_mib,        "4194304"),
    Fault("indexes nested nine times",                   nested(9),            "indexes are nested deeper than 8"),
    Fault("indexes nested 10,000 times",                 nested(10_000),       "indexes are nested deeper than 8"),
    Fault("indexes that name each other",                ring,                 r"(instead of|longer than) 0\b"),
)
# fmt: on
MOST_REQUESTS = 60
"""More would mean that nobody counts the levels."""


@pytest.mark.parametrize(("source", "destination"), WAYS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_bad_content_in_the_source_is_one_error_and_leaves_the_destination_usable(
    places: Places, fault: Fault, source: str, destination: str
) -> None:
    spoiled = places.good.copy()
    digest = fault.spoil(spoiled)
    there, here = places.hold(source, spoiled), places.name(destination, "to")
    ended = places.line("copy", there, here)
    check_error(ended, "source", there, digest, fault.says)
    assert len(places.origin.registry.requests) <= MOST_REQUESTS
    assert places.tags(destination) == set()
    places.check_whole(destination)
    places.check_good_copy(places.hold(source, places.good), here, destination)


def other_envelope(content: Content) -> str:
    content.blobs[content.envelope] = b"x" * len(content.blobs[content.envelope])
    return content.envelope


def cut_envelope(content: Content) -> str:
    content.blobs[content.envelope] = content.blobs[content.envelope][:-1]
    return content.envelope


def no_envelope(content: Content) -> str:
    digest = content.envelope
    del content.blobs[digest]
    return digest


def envelope_of_other_size(content: Content) -> str:
    digest = content.envelope
    content.change(content.signature, lambda manifest: manifest["layers"][0].update(size=3))
    return digest


def signature_of_5_mib(content: Content) -> str:
    return content.change(content.signature, lambda manifest: manifest.update(padding="x" * 5 * MIB))


def signature_that_says_to_be_an_index(content: Content) -> str:
    digest, data = content.signature, content.manifests[content.signature][1]
    content.manifests[digest] = (mt.IMAGE_INDEX, data)
    return digest


# fmt: off
OF_SIGNATURES = (
    Fault("another envelope",                    other_envelope,          "the content has digest"),
    Fault("an envelope that is cut",             cut_envelope,            "bytes instead of"),
    Fault("no envelope",                         no_envelope,             "no such blob"),
    Fault("an envelope said to be shorter",      envelope_of_other_size,  "more than 3 bytes"),
    Fault("a signature of 5 MiB",                signature_of_5_mib,      "4194304"),
    Fault("a signature listed as an index",      signature_that_says_to_be_an_index, "but came as"),
)
# fmt: on


@pytest.mark.parametrize(("source", "destination"), WAYS)
@pytest.mark.parametrize("fault", OF_SIGNATURES, ids=lambda fault: fault.name)
def test_a_bad_signature_is_left_out_and_the_rest_is_copied(
    places: Places, fault: Fault, source: str, destination: str
) -> None:
    spoiled = places.good.copy()
    digest = fault.spoil(spoiled)
    there, here = places.hold(source, spoiled), places.name(destination, "to")
    ended = places.line("copy", there, here)
    warnings = [line for line in ended.err.splitlines() if digest in line]
    assert (ended.code, ended.error_lines) == (PARTLY, []), ended.err
    assert len(warnings) == 1, ended.err
    assert warnings[0].startswith(f"Warning: source {there.removesuffix(':v1')}"), warnings
    assert re.search(fault.says, warnings[0]), warnings
    assert places.tags(destination) == {"v1"}
    places.check_whole(destination)
    places.check_good_copy(places.hold(source, places.good), here, destination)
