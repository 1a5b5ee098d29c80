"""The embedded registry is killed, or its disk is full: what it acknowledged is there, and nothing is there by halves.

`NV2_KILL_ROUNDS` says how often it is killed; by hand, try a hundred.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

import nv2
from nv2.oci import media_types as mt
from nv2.oci.digest import Digest, digest_of
from nv2.server.registry import serve
from nv2.server.registry.checking import check
from nv2.server.registry.collection import Rule, collect
from nv2.server.registry.limits import Limits

ROUNDS = int(os.environ.get("NV2_KILL_ROUNDS", "2"))
PUSHES = 200
"""At a time."""

PROGRAM = (
    "import sys, threading; from pathlib import Path; from nv2.server.registry import serve;"
    "print(serve(Path(sys.argv[1])).port, flush=True); threading.Event().wait()"
)


RESERVE = 256 * 1024


class Image(NamedTuple):
    """A tiny image with a layer of its own."""

    layer: bytes
    manifest: bytes
    tag: str

    @classmethod
    def numbered(cls, number: int, size: int = 500) -> Image:
        layer = b"%08d" % number * (size // 8)
        document = {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "config": {"mediaType": mt.EMPTY, "digest": digest_of(b"{}"), "size": 2},
            "layers": [{"mediaType": mt.OCTET_STREAM, "digest": digest_of(layer), "size": len(layer)}],
        }
        return cls(layer, json.dumps(document).encode(), f"t{number}")


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, data: bytes = b"") -> tuple[int, bytes]:
        """Status and body."""
        self.connection.request(method, f"/v2/{path}", data, {"Content-Type": mt.IMAGE_MANIFEST})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def push_blob(self, data: bytes) -> int:
        return self.ask("POST", f"app/blobs/uploads/?digest={digest_of(data)}", data)[0]

    def push(self, image: Image) -> int:
        """The first status that is no success, else that of the manifest."""
        for blob in (b"{}", image.layer):
            if (status := self.push_blob(blob)) != 201:
                return status
        return self.ask("PUT", f"app/manifests/{image.tag}", image.manifest)[0]


class Served:
    """A server in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(directory)],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(Path(nv2.__file__).parent.parent)},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def pushed_until_killed(server: Served, images: list[Image], after: int) -> set[str]:
    """Push `images` all at once and kill the server when `after` of them were acknowledged: tags that were."""
    acknowledged: set[str] = set()
    enough = threading.Event()

    def push(image: Image) -> None:
        with (
            suppress(OSError, http.client.HTTPException),
            closing((client := Client(server.port)).connection),
        ):
            if client.push(image) == 201:
                acknowledged.add(image.tag)
                if len(acknowledged) >= after:
                    enough.set()

    workers = [threading.Thread(target=push, args=(image,)) for image in images]
    for worker in workers:
        worker.start()
    assert enough.wait(120)
    server.kill()
    for worker in workers:
        worker.join()
    return acknowledged


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_kill_among_200_pushes_loses_nothing_and_leaves_nothing_by_halves(
    tmp_path: Path, turn: int
) -> None:
    directory = tmp_path / "registry"
    images = [Image.numbered(number) for number in range(PUSHES)]
    acknowledged = pushed_until_killed(Served(directory), images, after=1 + (turn * 67 + 40) % (PUSHES - 20))
    assert check(directory).damages == ()
    with serve(directory) as registry, closing((client := Client(registry.port)).connection):
        tags = set(json.loads(client.ask("GET", "app/tags/list")[1])["tags"])
        assert acknowledged <= tags
        for image in images:
            status, data = client.ask("GET", f"app/manifests/{image.tag}")
            assert (status, data) == (200, image.manifest) if image.tag in tags else status == 404
            if image.tag in tags:
                assert client.ask("GET", f"app/blobs/{digest_of(image.layer)}") == (200, image.layer)
            if image.tag not in acknowledged:
                assert client.push(image) == 201, "whoever was cut off pushes again"
        assert check(directory).damages == ()


def test_what_a_kill_leaves_behind_is_collected(tmp_path: Path) -> None:
    directory = tmp_path / "registry"
    images = [Image.numbered(number) for number in range(60)]
    pushed_until_killed(Served(directory), images, after=5)
    with serve(directory):
        pass
    list(collect(directory, Rule.at_once()))
    report = check(directory)
    assert report.is_sound
    files = [path for path in (directory / "blobs").glob("*/*/*") if path.is_file()]
    assert len(files) == report.content, "no file is left that no row names"
    assert report.blobs == (report.tags + 1 if report.tags else 0), "a layer for each, and the config"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 6 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    words = [mount or "mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if mount is None or subprocess.run(words, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system, and not in every container")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_on_a_full_disk_a_push_is_refused_and_everything_else_stays_whole(small_disk: Path) -> None:
    warnings: list[str] = []
    with (
        serve(small_disk / "registry", warn=warnings.append, limits=Limits(reserve=RESERVE)) as registry,
        closing((client := Client(registry.port)).connection),
    ):
        done: dict[str, Digest] = {}
        answers = set()
        for number in range(40):
            image = Image.numbered(number, 200_000)
            answers.add(status := client.push(image))
            if status == 201:
                done[image.tag] = digest_of(image.manifest)
        assert answers == {201, 507}
        assert any("reserve of the disk" in line for line in warnings)
        for tag, digest in done.items():
            assert digest_of(client.ask("GET", f"app/manifests/{tag}")[1]) == digest
        tags = json.loads(client.ask("GET", "app/tags/list")[1])["tags"]
        assert sorted(tags) == sorted(done)
        assert check(small_disk / "registry").damages == ()
        for tag in list(done)[:3]:
            assert client.ask("DELETE", f"app/manifests/{done[tag]}")[0] == 202
        list(collect(small_disk / "registry", Rule.at_once()))
        assert client.push(Image.numbered(99, 200_000)) == 201, "with room again, it goes on"
    assert check(small_disk / "registry").damages == ()


def test_when_others_fill_the_disk_to_the_last_byte_what_is_there_can_be_read(small_disk: Path) -> None:
    image = Image.numbered(1)
    with (
        serve(small_disk / "registry") as registry,
        closing((client := Client(registry.port)).connection),
    ):
        assert client.push(image) == 507, "the usual reserve is more than this disk has"
    with (
        serve(small_disk / "registry", limits=Limits(reserve=0)) as registry,
        closing((client := Client(registry.port)).connection),
    ):
        assert client.push(image) == 201
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        assert client.push(Image.numbered(2)) == 507
        assert client.ask("GET", "app/manifests/t1") == (200, image.manifest)
        (small_disk / "filler").unlink()
        assert client.push(Image.numbered(2)) == 201
    assert check(small_disk / "registry").damages == ()
