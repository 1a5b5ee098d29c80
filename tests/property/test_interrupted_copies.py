"""A copy that ends at any request, as if the machine had lost its power, is finished by a second one."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nv2.content.layout import tar_writer
from nv2.content.layout.store import LayoutStore
from nv2.content.remote import pieces, uploads
from nv2.content.remote.store import RemoteStore
from nv2.copying import copy, presence
from nv2.home.unfinished_uploads import FileUploadNotes
from nv2.oci.digest import is_fallback_tag
from nv2.transport.interface import Request, Response
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, thread_lock
from tests.world.network import FunctionTransport
from tests.world.registry import Registry

WHOLE, PIECE, SMALL = 3000, 4096, 64


class PowerCut(BaseException):
    """Nothing is tidied up."""


@pytest.fixture(autouse=True)
def _sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WHOLE", WHOLE)
    monkeypatch.setattr(pieces, "PIECE", PIECE)
    monkeypatch.setattr(presence, "SMALL", SMALL)


class Line:
    """A line to `registry` that is cut with request number `cut`, before it arrives or before its answer does."""

    def __init__(self, registry: Registry, cut: int | None = None, *, arrives: bool = False) -> None:
        self.registry = registry
        self.cut = cut
        self.arrives = arrives
        self.requests = 0
        self.sent = 0
        """Bytes of blobs."""

    def __call__(self, request: Request) -> Response:
        self.requests += 1
        if self.requests == self.cut and not self.arrives:
            raise PowerCut
        if "/blobs/uploads/" in request.url and request.body:
            self.sent += request.body_size
        response = self.registry(request)
        if self.requests == self.cut:
            raise PowerCut
        return response


class Places:
    """What is copied, where to, and the notes of uploads that were begun."""

    def __init__(self, here: Registry, directory: Path, number: int = 0) -> None:
        self.here = here
        self.there = Registry("there.test", referrers_api=here.referrers_api, quirks={"checks_blobs"})
        self._notes = FileUploadNotes(directory / f"notes-{number}")

    def copy(self, line: Line | None = None, source: Line | None = None) -> Line:
        line = line or Line(self.there)
        copy(
            store(self.here, source or Line(self.here)),
            store(self.there, line, self._notes),
            "v1",
            "v1",
        )
        return line

    def state(self) -> tuple[Any, ...]:
        """Tags, manifests, blobs and lists of the destination; lists without their order, as there is none."""
        repository = self.there.repository("app")
        lists = {tag: found for tag, found in repository.tags.items() if is_fallback_tag(tag)}
        manifests = {
            digest: found for digest, found in repository.manifests.items() if not _is_list(found[1])
        }
        entries = {
            tag: sorted(
                json.dumps(entry) for entry in json.loads(repository.manifests[found][1])["manifests"]
            )
            for tag, found in lists.items()
        }
        named = {tag: found for tag, found in repository.tags.items() if tag not in lists}
        return named, manifests, repository.blobs, entries


def store(
    registry: Registry,
    line: Callable[[Request], Response] | None = None,
    notes: FileUploadNotes | None = None,
) -> RemoteStore:
    transport = FunctionTransport(line or registry)
    return RemoteStore(
        registry.host,
        "app",
        transport,
        plain_http=True,
        lock=thread_lock(),
        sleep=lambda _: None,
        uploads=notes,
        push=notes is not None,
    )


@pytest.fixture(params=[False, True], ids=["fallback", "api"])
def here(request: pytest.FixtureRequest) -> Registry:
    """A registry with an index of two images, signed at every level."""
    registry = Registry("here.test", referrers_api=request.param)
    source = store(registry)
    large = bytes(range(256)) * 48
    images = [
        push_image(source, b"small %d" % n, bytes([n]) * 2000, large, config=b'{"n":%d}' % n) for n in (1, 2)
    ]
    index = push_index(source, images)
    for subject in (index, *images):
        attach_referrer(source, subject, b"a signature of " + subject.digest.encode())
    sbom = attach_referrer(source, images[0], b"packages" * 100, artifact_type=SBOM)
    attach_referrer(source, sbom, b"another signature")
    source.tag(index, "v1")
    return registry


def _is_list(data: bytes) -> bool:
    """Superseded lists stay where a run was cut before it deleted them."""
    entries = json.loads(data).get("manifests", ())
    return bool(entries) and all("artifactType" in entry for entry in entries)


@pytest.mark.parametrize("arrives", [False, True], ids=["request lost", "answer lost"])
def test_wherever_the_line_to_the_destination_is_cut_a_second_run_finishes_the_copy(
    here: Registry, tmp_path: Path, *, arrives: bool
) -> None:
    undisturbed = Places(here, tmp_path)
    whole = undisturbed.copy()
    in_vain = max(WHOLE, PIECE) + sum(
        len(blob) for blob in undisturbed.there.repository("app").blobs.values() if len(blob) <= SMALL
    )
    for number in range(1, whole.requests + 1):
        places = Places(here, tmp_path, number)
        line = Line(places.there, number, arrives=arrives)
        with pytest.raises(PowerCut):
            places.copy(line)
        if "v1" in places.there.repository("app").tags:
            assert places.state() == undisturbed.state(), f"request {number}: a tag before what belongs to it"
        again = places.copy()
        assert places.state() == undisturbed.state(), f"request {number}"
        assert line.sent + again.sent <= whole.sent + in_vain, f"request {number}"


def test_wherever_the_line_to_the_source_is_cut_a_second_run_finishes_the_copy(
    here: Registry, tmp_path: Path
) -> None:
    undisturbed = Places(here, tmp_path)
    reading = Line(undisturbed.here)
    undisturbed.copy(source=reading)
    for number in range(1, reading.requests + 1):
        places = Places(here, tmp_path, number)
        with pytest.raises(PowerCut):
            places.copy(source=Line(places.here, number))
        assert "v1" not in places.there.repository("app").tags
        places.copy()
        assert places.state() == undisturbed.state(), f"request {number}"


def _archived(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as members:
        return {m.name: members.extractfile(m).read() for m in members if m.isfile()}  # type: ignore[union-attr]


def test_wherever_the_line_to_the_source_is_cut_a_second_run_finishes_the_archive(
    here: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks for no blob that had arrived."""
    monkeypatch.setattr(tar_writer, "SMALL", SMALL)

    def run(archive: Path, line: Line) -> None:
        there = LayoutStore(archive, create=True, lock=thread_lock())
        try:
            copy(store(here, line), there, "v1", "v1")
            there.finish()
        finally:
            there.close()

    line = Line(here)
    run(tmp_path / "undisturbed.tar", line)
    whole = _archived(tmp_path / "undisturbed.tar")
    blobs = len(here.asked("GET", "/blobs/"))
    for number in range(1, line.requests + 1):
        archive = tmp_path / f"{number}.tar"
        here.requests.clear()
        with pytest.raises(PowerCut):
            run(archive, Line(here, number))
        assert not archive.exists()
        run(archive, Line(here))
        assert _archived(archive) == whole, f"request {number}"
        assert len(here.asked("GET", "/blobs/")) <= blobs + 1, f"request {number}"
    assert list(tmp_path.glob(".nv2-*")) == []
