"""A destination that is not what it should be, or fails under a copy, and what a copy is not disturbed by.

Each row ends in one error that says where (the destination); what was there is as it was, no tag shows what has not
arrived, and once the destination is mended, the same copy succeeds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.content.layout.store import LayoutStore
from tests.faults.state import files, wait_for_threads
from tests.faults.test_copies import Places, check_error, places
from tests.faults.test_embedded_registry import Served
from tests.unit.cli.test_interruption import environment
from tests.world.artifacts import push_blob, thread_lock
from tests.world.carried_content import Content, hold_in_layout
from tests.world.images import image_layout
from tests.world.sockets import http
from tests.world.wire import Ask, How, broken, dead, page, reset

__all__ = ["places"]

LAYER, INDEX, ROOT = "layer", "index", "root"


def full(ask: Ask) -> bytes:
    """The disk of the registry is full."""
    return http(507, b'{"errors":[{"code":"UNKNOWN","message":"no space"}]}', Content_Type="application/json")


def read_only(ask: Ask) -> bytes:
    """The registry takes nothing now."""
    return http(405, b'{"errors":[{"code":"UNSUPPORTED"}]}', Content_Type="application/json")


def forbidden(ask: Ask) -> bytes:
    """Somebody else may write there."""
    return http(403, b'{"errors":[{"code":"DENIED"}]}', Content_Type="application/json")


def too_large(ask: Ask) -> bytes:
    """The registry, or a proxy before it, has a lower limit."""
    return http(413, b'{"errors":[{"code":"SIZE_INVALID"}]}', Content_Type="application/json")


class Strike(NamedTuple):
    """`how` strikes every request with `method` and `part` at the destination."""

    name: str
    method: str
    part: str
    how: How
    says: str


UPLOAD, BY_DIGEST, TAG = "/blobs/uploads/", "/manifests/sha256:", "/manifests/v1"

# fmt: off
STRIKES = (
    Strike("dead when asked for a blob",   "HEAD", "/blobs/",  dead,      "closed without an answer"),
    Strike("dead at an upload",            "POST", UPLOAD,     dead,      "closed without an answer"),
    Strike("dead at a blob",               "PUT",  UPLOAD,     dead,      "closed without an answer"),
    Strike("reset at a blob",              "PUT",  UPLOAD,     reset,     "the connection was cut"),
    Strike("dead at a manifest",           "PUT",  BY_DIGEST,  dead,      "closed without an answer"),
    Strike("dead at the tag",              "PUT",  TAG,        dead,      "closed without an answer"),
    Strike("broken when asked for a blob", "HEAD", "/blobs/",  broken,    "answered 500"),
    Strike("broken at an upload",          "POST", UPLOAD,     broken,    "answered 500"),
    Strike("broken at a blob",             "PUT",  UPLOAD,     broken,    "answered 500"),
    Strike("broken at a manifest",         "PUT",  BY_DIGEST,  broken,    "answered 500"),
    Strike("broken at the tag",            "PUT",  TAG,        broken,    "answered 500"),
    Strike("a page at a blob",             "PUT",  UPLOAD,     page,      "answered 200"),
    Strike("a page at the tag",            "PUT",  TAG,        page,      "answered 200"),
    Strike("full at an upload",            "POST", UPLOAD,     full,      "answered 507"),
    Strike("full at a blob",               "PUT",  UPLOAD,     full,      "answered 507"),
    Strike("full at a manifest",           "PUT",  BY_DIGEST,  full,      "answered 507"),
    Strike("read-only at an upload",       "POST", UPLOAD,     read_only, "answered 405"),
    Strike("read-only at the tag",         "PUT",  TAG,        read_only, "answered 405"),
    Strike("no right to write",            "POST", UPLOAD,     forbidden, "was refused"),
    Strike("no right to tag",              "PUT",  TAG,        forbidden, "was refused"),
    Strike("a limit of blobs",             "PUT",  UPLOAD,     too_large, "answered 413"),
    Strike("a limit of manifests",         "PUT",  BY_DIGEST,  too_large, "answered 413"),
)
# fmt: on


@pytest.mark.parametrize("source", ["registry", "layout", "archive"])
@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.name)
def test_a_registry_that_fails_under_a_copy_is_one_error_and_shows_no_tag(
    places: Places, strike: Strike, source: str
) -> None:
    there, here = places.hold(source, places.good), places.name("registry", "to")
    places.wire.strike(strike.method, strike.part, strike.how)
    ended = places.line("copy", there, here)
    check_error(ended, "destination", here, "sha256:", strike.says)
    assert places.tags("registry") == set()
    places.check_whole("registry")
    places.wire.strikes.clear()
    places.check_good_copy(there, here, "registry")


class Spoiled(NamedTuple):
    """What is where the destination should be; `name` is what the layout is called."""

    name: str
    make: Callable[[Path, Places], object]
    says: str
    layout: str = "to"


def _layout(here: Path) -> Path:
    """A layout with another image under another tag."""
    image_layout(here / "to", "other", tag="other")
    return here / "to"


def _link_out(name: str) -> Callable[[Path, Places], object]:
    def make(here: Path, _: Places) -> None:
        place = _layout(here) / name
        outside = here / "outside"
        shutil.move(place, outside)
        place.symlink_to(outside)

    return make


def _pipe(name: str) -> Callable[[Path, Places], object]:
    def make(here: Path, _: Places) -> None:
        place = _layout(here) / name
        place.unlink()
        os.mkfifo(place)

    return make


def _socket(here: Path, _: Places) -> None:
    place = _layout(here) / "index.json"
    place.unlink()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(place))


def _text(name: str, text: str) -> Callable[[Path, Places], object]:
    return lambda here, _: (_layout(here) / name).write_text(text)


def _file_for_directory(here: Path, _: Places) -> None:
    shutil.rmtree(_layout(here) / "blobs")
    (here / "to/blobs").write_text("no directory")


def _directory_for_blob(here: Path, places: Places) -> None:
    (_layout(here) / "blobs/sha256" / places.good.layer.partition(":")[2]).mkdir()


def _directory(name: str) -> Callable[[Path, Places], object]:
    def make(here: Path, _: Places) -> None:
        place = _layout(here) / name
        place.unlink()
        place.mkdir()

    return make


def _archive(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Path, Places], object]:
    """An archive of a layout with one more member."""

    def make(here: Path, _: Places) -> None:
        with tarfile.open(here / "to.tar", "w") as archive:
            archive.add(_layout(here), ".")
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
        shutil.rmtree(here / "to")

    return make


def _cut_archive(here: Path, places: Places) -> None:
    _archive("more")(here, places)
    data = (here / "to.tar").read_bytes()
    (here / "to.tar").write_bytes(data[:2000])


def _junk(here: Path, _: Places) -> None:
    (here / "to").mkdir()
    (here / "to/holiday.jpg").write_bytes(b"a picture")


# fmt: off
SPOILED = (
    Spoiled("a directory with something else",  _junk,                                     "neither empty nor an OCI image layout"),
    Spoiled("a file",                           lambda here, _: (here / "to").write_text("x"), "tar archive"),
    Spoiled("a layout of another version",      _text("oci-layout", '{"imageLayoutVersion":"2.0.0"}'), "layout version"),
    Spoiled("a layout file that is no JSON",    _text("oci-layout", "1.0.0"),              "imageLayoutVersion|JSON|object"),
    Spoiled("an index that is no JSON",         _text("index.json", "{"),                  "not JSON"),
    Spoiled("an index of another kind",         _text("index.json", '{"mediaType":"text/html"}'), "instead of an image index"),
    Spoiled("an index that is a link out",      _link_out("index.json"),                   "leads out of the layout"),
    Spoiled("blobs that are a link out",        _link_out("blobs"),                        "leads out of the layout"),
    Spoiled("an index that is a pipe",          _pipe("index.json"),                       "not a regular file"),
    Spoiled("a layout file that is a pipe",     _pipe("oci-layout"),                       "not a regular file"),
    Spoiled("an index that is a socket",        _socket,                                   "not a regular file|no such device"),
    Spoiled("an index that is a directory",     _directory("index.json"),                  "not a regular file|is a directory"),
    Spoiled("a file in place of blobs",         _file_for_directory,                       "not a directory|file exists"),
    Spoiled("a directory in place of a blob",   _directory_for_blob,                       "is a directory"),
    Spoiled("an archive with ..",               _archive("../etc/passwd"),                 "leads out of the archive", "to.tar"),
    Spoiled("an archive with an absolute name", _archive("/etc/passwd"),                   "leads out of the archive", "to.tar"),
    Spoiled("an archive with a link as blob",   _archive("blobs/sha256/" + "0" * 64, tarfile.SYMTYPE, "/etc/passwd"), "is no regular file", "to.tar"),
    Spoiled("an archive with a hard link",      _archive("blobs/sha256/" + "0" * 64, tarfile.LNKTYPE, "index.json"), "is no regular file", "to.tar"),
    Spoiled("an archive with a device",         _archive("blobs/sha256/" + "0" * 64, tarfile.CHRTYPE), "is no regular file", "to.tar"),
    Spoiled("an archive with a pipe",           _archive("blobs/sha256/" + "0" * 64, tarfile.FIFOTYPE), "is no regular file", "to.tar"),
    Spoiled("an archive with two indexes",      _archive("index.json"),                    "in the archive twice", "to.tar"),
    Spoiled("an archive that was cut off",      _cut_archive,                              "cut off|in the middle of a file", "to.tar"),
    Spoiled("a file that is no archive",        lambda here, _: (here / "to.tar").write_text("x" * 2000), "no header of a tar archive", "to.tar"),
)
# fmt: on


@pytest.mark.parametrize("source", ["registry", "layout"])
@pytest.mark.parametrize("spoiled", SPOILED, ids=lambda spoiled: spoiled.name)
def test_a_bad_layout_as_destination_is_one_error_and_stays_as_it_is(
    places: Places, spoiled: Spoiled, source: str
) -> None:
    here = places.line.directory
    spoiled.make(here, places)
    there, before = places.hold(source, places.good), files(here)
    ended = places.line("copy", there, f"layout:{spoiled.layout}:v1")
    check_error(ended, "destination", f"layout:{spoiled.layout}", "", spoiled.says)
    after = files(here)
    assert {name: after.get(name) for name in before} == before
    kind = "archive" if spoiled.layout == "to.tar" else "layout"
    for name in ("to", "to.tar"):
        place = here / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    places.check_good_copy(there, f"layout:{spoiled.layout}:v1", kind)


@pytest.mark.parametrize(
    "spoiled", [row for row in SPOILED if "place of a blob" not in row.name], ids=lambda row: row.name
)
def test_a_bad_layout_as_source_is_one_error(places: Places, spoiled: Spoiled) -> None:
    spoiled.make(places.line.directory, places)
    ended = places.line("copy", f"layout:{spoiled.layout}:other", "layout:elsewhere:v1")
    assert "Traceback" not in ended.err
    assert [line[:14] for line in ended.err.splitlines() if line.startswith("Error")] == ["Error: source "]
    assert (ended.code, (places.line.directory / "elsewhere").exists()) == (3, False)


def test_junk_in_a_layout_disturbs_nobody_and_stays(places: Places) -> None:
    here = places.line.directory
    for name in ("from", "to"):
        hold_in_layout(here / name, places.good) if name == "from" else _layout(here)
        (here / name / "README.md").write_text("not of the layout")
        (here / name / ".DS_Store").write_bytes(b"\0")
        (here / name / "blobs/md5").mkdir()
        (here / name / "blobs/sha256/README").write_text("no digest")
        (here / name / "blobs/sha256" / ("f" * 64)).write_text("not what its name says")
        (here / name / "link").symlink_to("/etc/passwd")
        os.mkfifo(here / name / "pipe")
    junk = {n: data for n, data in files(here).items() if n.startswith("to/") and "index.json" not in n}
    ended = places.line("copy", "layout:from:v1", "layout:to:v1")
    assert (ended.code, ended.err) == (0, "")
    assert places.line("verify", "-k", "leaf.crt", "layout:to:v1").code == 0
    assert places.line("copy", "layout:to:other", places.name("registry", "to")).code == 0
    assert {name: data for name, data in files(here).items() if name in junk} == junk


@pytest.mark.parametrize("destination", ["registry", "layout", "archive"])
def test_a_tag_that_moves_under_a_copy_changes_nothing_of_it(places: Places, destination: str) -> None:
    there, here = places.hold("registry", places.good), places.name(destination, "to")
    repository = places.origin.registry.repository("from")
    other = repository.add(b'{"schemaVersion":2,"manifests":[]}', places.good.manifests[places.good.root][0])
    places.origin.registry.before("GET", "/blobs/", lambda: repository.tags.update(v1=other))
    ended = places.line("copy", there, here)
    assert ended.code == 0, ended.err
    assert repository.tags["v1"] == other
    assert places.line("verify", "-k", "leaf.crt", here).code == 0


def test_a_registry_that_is_killed_under_a_copy_is_one_error_and_takes_the_rest_later(
    places: Places, tmp_path: Path
) -> None:
    there, server = places.hold("registry", places.good), Served(tmp_path / "registry")
    here = f"localhost:{server.port}/to:v1"
    places.origin.registry.before("GET", f"/blobs/{places.good.layer}", server.kill)
    ended = places.line("copy", there, here)
    check_error(ended, "destination", here, "sha256:", "cannot connect|connection|refused")
    server = Served(tmp_path / "registry")
    try:
        here = f"localhost:{server.port}/to:v1"
        assert places.line("verify", "-k", "leaf.crt", here).code == 3
        places.check_good_copy(there, here, "registry")
    finally:
        server.kill()


def _mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    mount = shutil.which("mount")
    words = [mount or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if mount is None or subprocess.run(words, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system, and not in every container")
    try:
        yield place
    finally:
        wait_for_threads()  # of a file that is open nobody can unmount the file system
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small_disk(places: Places) -> Iterator[Path]:
    """A file system of 128 KiB."""
    yield from _mounted(places.line.directory / "disk", "size=128k")


@pytest.fixture
def roomy_disk(places: Places) -> Iterator[Path]:
    """A file system of 8 MiB."""
    yield from _mounted(places.line.directory / "disk", "size=8m")


@pytest.fixture
def still_disk(places: Places) -> Iterator[Path]:
    """A file system that is mounted read-only."""
    yield from _mounted(places.line.directory / "disk", "ro")


@pytest.mark.parametrize("source", ["registry", "layout", "archive"])
@pytest.mark.parametrize("layout", ["to", "to.tar"])
def test_a_full_disk_is_one_error_and_what_was_there_can_be_used(
    places: Places, small_disk: Path, layout: str, source: str
) -> None:
    line, here = places.line, f"layout:disk/{layout}"
    large = places.good.copy()
    large.blobs[_large(large)] = b"x" * 300_000
    assert line("copy", places.hold(source, places.good), f"{here}:good").code == 0
    ended = line("copy", places.hold(source, large), f"{here}:v1")
    check_error(ended, "destination", here, "", "no space left|disk is full")
    assert "free some space" in ended.err
    wait_for_threads()  # what they have open takes its space until then
    assert [path.name for path in small_disk.rglob(".nv2-*")] == []
    assert line("verify", "-k", "leaf.crt", f"{here}:good").code == 0
    assert line("verify", "-k", "leaf.crt", f"{here}:v1").code == 3, "the tag is not there"
    assert line("copy", places.hold(source, places.good), f"{here}:v1").code == 0


def test_what_came_to_an_archive_before_does_not_keep_a_disk_full(places: Places, roomy_disk: Path) -> None:
    large, data = places.good.copy(), b"x" * 6_000_000
    large.blobs[_large(large, data)] = data
    interrupted = LayoutStore(roomy_disk / "to.tar", create=True, lock=thread_lock())
    push_blob(interrupted, b"y" * 3_000_000)
    interrupted.close()
    left = roomy_disk / ".nv2-to.tar.part"
    assert left.stat().st_size > 3_000_000
    source = places.hold("layout", large)
    ended = places.line("copy", source, "layout:disk/to.tar:v1")
    check_error(ended, "destination", "layout:disk/to.tar", "", "no space left|disk is full")
    assert list(roomy_disk.iterdir()) == []
    assert places.line("copy", source, "layout:disk/to.tar:v1").code == 0
    assert data in (roomy_disk / "to.tar").read_bytes()


def _large(content: Content, data: bytes = b"x" * 300_000) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    layer = {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}
    content.change(content.children[0], lambda image: image["layers"].append(layer))
    return digest


@pytest.mark.parametrize("layout", ["to", "to.tar"])
def test_a_read_only_file_system_is_one_error(places: Places, still_disk: Path, layout: str) -> None:
    ended = places.line("copy", places.hold("registry", places.good), f"layout:disk/{layout}:v1")
    check_error(ended, "destination", f"layout:disk/{layout}", "", "read-only")
    assert list(still_disk.iterdir()) == []


@pytest.mark.parametrize("layout", ["to", "to.tar"])
def test_a_directory_of_somebody_else_is_one_error(places: Places, layout: str) -> None:
    """Root may write everywhere: another user tries."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("only root can become another user")
    here = places.line.directory
    places.hold("layout", places.good)
    (here / "closed").mkdir(mode=0o755)
    state = here / "free"
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    for path in (here, *here.parents):
        if path.stat().st_mode & 0o005 != 0o005 and str(path) != "/":
            path.chmod(path.stat().st_mode | 0o055)
    finished = subprocess.run(
        [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "nv2.cli",
         "copy", "layout:from:v1", f"layout:closed/{layout}:v1"],
        cwd=here, env={**environment(here), "XDG_STATE_HOME": str(state)}, capture_output=True, text=True,
    )  # fmt: skip
    errors = [line for line in finished.stderr.splitlines() if line.startswith("Error: ")]
    assert (finished.returncode, len(errors)) == (3, 1), finished.stderr
    assert re.match(rf"Error: destination layout:closed/{layout}: .*permission denied", errors[0]), errors
    assert "check who owns the directory" in finished.stderr
    assert list((here / "closed").iterdir()) == []
