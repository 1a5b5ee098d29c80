"""Interrupted at any moment, a command leaves files whole, nothing half-written, and can be run again.

Two ways: in this process, an interruption before and after each call that touches a file; and real signals to
real processes at moments that a seeded generator chose, which reach threads and the interpreter's start too.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

import nv2
from nv2.cli.dispatch import Terminated
from tests.unit.cli.command_line import ENVIRONMENT, CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.world.images import image_layout

SOURCE = str(Path(nv2.__file__).parent.parent)
TOUCHING = frozenset(
    [
        "open",
        "link",
        "replace",
        "rename",
        "unlink",
        "remove",
        "mkdir",
        "rmdir",
        "fsync",
        "write",
        "writelines",
        "close",
    ]
)
"""Names of the built-in functions and methods after which the disk may be another."""
MOST = 400
"""Moments in one command: a bound for the test, several times what there are."""
KILLS = 12
LONGEST = 0.2
"""Seconds after which a signal comes: about what the longest of the commands takes."""
POLICY = json.dumps(
    {
        "version": "1.0",
        "trustPolicies": [
            {
                "name": "images",
                "registryScopes": ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:wabbit"],
                "trustedIdentities": ["*"],
            }
        ],
    }
)


def _layout_is_whole(layout: Path) -> None:
    if not layout.exists():
        return
    for blob in (layout / "blobs").rglob("*"):
        if blob.is_file():
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    index = layout / "index.json"
    if not index.exists():
        return
    for entry in json.loads(index.read_text())["manifests"]:
        manifest = layout / "blobs/sha256" / entry["digest"].partition(":")[2]
        assert manifest.stat().st_size == entry["size"]
        document = json.loads(manifest.read_text())
        for part in (document["config"], *document["layers"]):
            assert (layout / "blobs/sha256" / part["digest"].partition(":")[2]).stat().st_size == part["size"]


def _signed_or_not(here: Path) -> None:
    _layout_is_whole(here / "image")
    tags = [
        entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
        for entry in json.loads((here / "image/index.json").read_text())["manifests"]
    ]
    assert tags.count("v1") == 1


def _both_signed_or_not(here: Path) -> None:
    _signed_or_not(here)
    _layout_is_whole(here / "second")


def _copied_or_not(here: Path) -> None:
    _signed_or_not(here)
    _layout_is_whole(here / "copy")


def _archived_or_not(here: Path) -> None:
    _signed_or_not(here)
    archive = here / "copy.tar"
    if archive.exists():
        with tarfile.open(archive) as members:
            members.extractall(here / "unpacked", filter="data")
        _layout_is_whole(here / "unpacked")
        assert json.loads((here / "unpacked/index.json").read_text())["manifests"]
        shutil.rmtree(here / "unpacked")


def _pair_or_nothing(here: Path) -> None:
    listed = here / "config/signingkeys.json"
    names = [key["name"] for key in json.loads(listed.read_text())["keys"]] if listed.exists() else []
    files = sorted(path.name for path in (here / "config/localkeys").glob("*"))
    assert (names, files) in (([], []), (["ci"], ["ci.crt", "ci.key"]))


def _added_or_not(here: Path) -> None:
    added = here / "config/truststore/x509/ca/wabbit/root.crt"
    assert not added.exists() or added.read_bytes() == (here / "root.crt").read_bytes()


def _old_policy_or_new(here: Path) -> None:
    new, old = here / "config/trustpolicy.oci.json", here / "config/trustpolicy.json"
    found = new if new.exists() else old
    assert found.read_text() == (POLICY if found is new else "{}")


def _old_policy(here: Path) -> None:
    (here / "config").mkdir()
    (here / "config/trustpolicy.json").write_text("{}")
    (here / "policy.json").write_text(POLICY)


def _second_image(here: Path) -> None:
    image_layout(here / "second", "second")


class Interrupted(NamedTuple):
    """A command, and what must hold however it ends."""

    name: str
    words: tuple[str, ...]
    whole: Callable[[Path], None]
    prepare: Callable[[Path], None] = lambda _: None
    again: int = 0
    """The exit code of the command when it is run again after it was done."""


COMMANDS = (
    Interrupted("sign", ("sign", "-k", "wabbit.key", IMAGE), _signed_or_not),
    Interrupted(
        "sign two",
        ("sign", "-k", "wabbit.key", IMAGE, "layout:second:v1"),
        _both_signed_or_not,
        _second_image,
    ),
    Interrupted(
        "key generate",
        ("key", "generate", "ci", "--subject", "CN=ci,O=wabbit-networks.io,ST=WA,C=US"),
        _pair_or_nothing,
        again=3,
    ),
    Interrupted("cert add", ("cert", "add", "-t", "ca", "-s", "wabbit", "root.crt"), _added_or_not, again=3),
    Interrupted(
        "policy import", ("policy", "import", "--force", "policy.json"), _old_policy_or_new, _old_policy
    ),
    Interrupted("copy", ("copy", IMAGE, "layout:copy:v1"), _copied_or_not),
    Interrupted("copy to an archive", ("copy", IMAGE, "layout:copy.tar:v1"), _archived_or_not),
)


@pytest.fixture(params=COMMANDS, ids=lambda command: command.name)
def command(request: pytest.FixtureRequest) -> Interrupted:
    return request.param


def nothing_unfinished(here: Path) -> None:
    assert [
        str(path) for path in here.rglob("*") if path.name.startswith(".nv2-") or ".tmp" in path.name
    ] == []


class _Interruption:
    """Raises at the `moment`-th look at a call that touches files, before it and after it each one moment."""

    def __init__(self, moment: int, kind: type[BaseException]) -> None:
        self._left = moment
        self._kind = kind
        self.came = False

    def __call__(self, frame: FrameType, event: str, function: Any) -> None:
        if (
            event not in ("c_call", "c_return")
            or function.__name__ not in TOUCHING
            or self._foreign(function)
        ):
            return
        self._left -= 1
        if self._left < 0 and not self.came:
            self.came = True
            sys.setprofile(None)
            raise self._kind

    @staticmethod
    def _foreign(function: Any) -> bool:
        owner = function.__self__
        return getattr(owner, "__name__", type(owner).__module__) not in ("posix", "_io", "io")


def _interrupted(line: CommandLine, command: Interrupted, moment: int) -> bool:
    """Run the command and interrupt it; whether there was such a moment."""
    kind, code = ((KeyboardInterrupt, 130), (Terminated, 143))[moment % 2]
    interruption = _Interruption(moment, kind)
    sys.setprofile(interruption)
    try:
        ended = line(*command.words)
    finally:
        sys.setprofile(None)
    assert ended.code == (code if interruption.came else 0), ended.err
    return interruption.came


# A file that was opened and not yet given a name is closed when it is collected, which warns.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_before_and_after_every_call_that_touches_a_file(
    wabbit: CommandLine, command: Interrupted, tmp_path_factory: pytest.TempPathFactory, monkeypatch
) -> None:
    command.prepare(wabbit.directory)
    moments = 0
    for moment in range(MOST):
        here = tmp_path_factory.mktemp("moment") / "here"
        shutil.copytree(wabbit.directory, here)
        line = CommandLine(here, monkeypatch)
        came = _interrupted(line, command, moment)
        command.whole(here)
        nothing_unfinished(here)
        if not came:
            break
        moments += 1
        if moment % 5:
            continue
        # A lock that a process holds when it ends is gone with it; this process goes on.
        monkeypatch.setenv("XDG_STATE_HOME", str(here / "later"))
        assert line(*command.words).code in (0, command.again)
        command.whole(here)
    assert 2 < moments < MOST


def environment(here: Path) -> dict[str, str]:
    return {"PYTHONPATH": SOURCE, **{variable: str(here / name) for variable, name in ENVIRONMENT.items()}}


# What Python does to a signal before it runs any program is Python's own.
PROGRAM = "import os; os.write(1, b'.'); from nv2.cli.__main__ import run; run()"


def _killed(here: Path, words: tuple[str, ...], number: signal.Signals, after: float) -> tuple[int, str]:
    """Start the command and send it the signal so many seconds after it began; its exit code, and what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=here,
        env=environment(here),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        return process.wait(120), process.stderr.read().decode()


def test_a_signal_at_any_moment(wabbit: CommandLine, command: Interrupted, tmp_path_factory) -> None:
    command.prepare(wabbit.directory)
    chosen = random.Random(command.name)
    for kill in range(KILLS):
        here = tmp_path_factory.mktemp("kill") / "here"
        shutil.copytree(wabbit.directory, here)
        number, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143))[kill % 2]
        ended, said = _killed(here, command.words, number, chosen.uniform(0.0, LONGEST))
        # Before nv2 has said what to do with it, a signal does what signals do.
        assert ended in (0, code, -number), said
        command.whole(here)
        nothing_unfinished(here)


@pytest.mark.parametrize("references", [1, 3])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_silent_registry_holds_nobody(
    wabbit: CommandLine, references: int, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = [f"localhost:{silent.getsockname()[1]}/image{i}:v1" for i in range(references)]
        with subprocess.Popen(
            [sys.executable, "-m", "nv2.cli", "verify", "-k", "leaf.crt", *words],
            cwd=wabbit.directory,
            env=environment(wabbit.directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            connection, _ = silent.accept()
            connection.recv(1)
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
            connection.close()
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(("kind", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_while_python_makes_a_class_is_a_signal(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], code: int
) -> None:
    """Python 3.11 makes a `RuntimeError` of what is raised while a descriptor is told its name."""

    class Struck:
        def __set_name__(self, owner: type, name: str) -> None:
            raise kind

    def load(_: object) -> None:
        type("Made", (), {"struck": Struck()})

    monkeypatch.setattr("nv2.cli.dispatch.load", load)
    assert line("version").code == code
