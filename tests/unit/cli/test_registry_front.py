"""`nv2 registry serve` for other people: TLS, logins, log, figures, and reading all of it anew."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest

import nv2
from tests.unit.cli.command_line import CommandLine
from tests.world.images import image_layout
from tests.world.sockets import Identity, make_identity

SOURCE = str(Path(nv2.__file__).parent.parent)

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {}); "

START = "from nv2.cli.__main__ import run; run()"


class Running(NamedTuple):
    """A registry that was started in `folder`."""

    process: subprocess.Popen[str]
    folder: Path
    host: str
    port: int

    def status(self, path: str, user: str = "", method: str = "GET", trusted: str = "server.crt") -> int:
        """The status of an answer; a user's password is the name backwards."""
        context = ssl.create_default_context(cafile=self.folder / trusted)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
        pair = base64.b64encode(f"{user}:{user[::-1]}".encode()).decode()
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Authorization": f"Basic {pair}"} if user else {})
            return connection.getresponse().status

    def stop(self) -> str:
        """End it as a service manager does; what it said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=120)
        return said


def _users(folder: Path, *names: str) -> None:
    hashes = (f"{name}:{bcrypt.hashpw(name[::-1].encode(), bcrypt.gensalt(4)).decode()}\n" for name in names)
    (folder / "htpasswd").write_text("".join(hashes))


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    _users(tmp_path, "alice")
    (tmp_path / "access.json").write_text(json.dumps({"htpasswd": "htpasswd"}))
    return make_identity(tmp_path)


def _command(*words: str, start: str = START) -> list[str]:
    return [sys.executable, "-c", start, "registry", "serve", "--dir", "r", *words]


@contextlib.contextmanager
def _running(folder: Path, *words: str, files: tuple[int, int] | None = None) -> Iterator[Running]:
    with subprocess.Popen(
        _command(*words, start=LIMITED.format(files) + START if files else START),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": SOURCE},
    ) as process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().rpartition(":")
            assert port, process.stderr.read() if process.stderr else ""
            yield Running(process, folder, host, int(port))
        finally:
            process.kill()


TLS = ("--tls-cert", "server.crt", "--tls-key", "server.key")
FRONT = (*TLS, "--access", "access.json", "--access-log", "access.log")


def _eventually(found: object) -> None:
    deadline = time.monotonic() + 30
    while callable(found) and not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_with_tls_and_a_login_it_listens_where_others_reach_it(tmp_path: Path, identity: Identity) -> None:
    with _running(tmp_path, "--listen", "0.0.0.0:0", *FRONT) as registry:
        assert registry.host == "0.0.0.0"  # noqa: S104
        assert (registry.status("/v2/"), registry.status("/v2/", "alice")) == (401, 200)
        assert (registry.status("/healthz"), registry.status("/metrics")) == (200, 401)
        assert registry.status("/metrics", "alice") == 200
        said = registry.stop()
    assert "Warning" not in said
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    # Written after the answer, by a thread for each connection: who asks next may be faster.
    assert sorted((line["path"], line["user"], line["status"]) for line in lines) == [
        ("/healthz", "", 200),
        ("/metrics", "", 401),
        ("/metrics", "alice", 200),
        ("/v2/", "", 401),
        ("/v2/", "alice", 200),
    ]
    assert "ecila" not in (tmp_path / "access.log").read_text() + said


@pytest.mark.parametrize(
    ("access", "login"), [({}, "user name and password"), ({"tokens": True}, "a token server")]
)
def test_the_doctor_logs_in_over_tls(
    tmp_path: Path, identity: Identity, line: CommandLine, access: dict[str, object], login: str
) -> None:
    (tmp_path / "access.json").write_text(json.dumps({"htpasswd": "htpasswd", **access}))
    image_layout(tmp_path / "image", "app")
    known = ("--ca-file", "server.crt", "-u", "alice", "-p", "ecila")
    with _running(tmp_path, "--listen", "127.0.0.1:0", *FRONT) as registry:
        name = f"127.0.0.1:{registry.port}"
        assert line("copy", "layout:image:v1", f"{name}/app:v1", *known).code == 0
        told = line(
            "registry", "doctor", f"{name}/app:v1", "--write", f"{name}/scratch:new", "-o", "json", *known
        )
        refused = line("registry", "doctor", f"{name}/app:v1", "--ca-file", "server.crt")
    found = {item["probe"]: item for item in told.document["findings"]}
    assert (told.code, told.document["state"]) == (0, "good"), told.out
    assert login in found["login"]["found"] and found["tls"]["found"].startswith("TLSv1.")
    assert refused.code == 3 and "nv2 login" in refused.err
    assert "ecila" not in told.out + told.err


@pytest.mark.parametrize("words", [TLS, ("--access", "access.json")])
def test_one_of_both_is_not_enough(tmp_path: Path, identity: Identity, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        _command("--listen", "0.0.0.0:0", *words),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": SOURCE},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes TLS and a login" in done.stderr
    assert "--insecure" not in done.stderr, "nobody is talked into it"
    assert not (tmp_path / "r").exists()


def test_whoever_insists_is_warned(tmp_path: Path) -> None:
    with _running(tmp_path, "--listen", "0.0.0.0:0", "--insecure") as registry:
        said = registry.stop()
    assert "Warning: no TLS" in said
    assert "Warning: no login" in said


def test_a_hangup_makes_it_read_everything_again(tmp_path: Path, identity: Identity) -> None:
    with _running(tmp_path, "--listen", "127.0.0.1:0", *FRONT) as registry:
        assert (registry.status("/v2/", "alice"), registry.status("/v2/", "bob")) == (200, 401)
        _users(tmp_path, "alice", "bob")
        make_identity(tmp_path)
        _eventually(lambda: len((tmp_path / "access.log").read_text().splitlines()) == 2)
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        registry.process.send_signal(signal.SIGHUP)
        _eventually((tmp_path / "access.log").exists)
        assert registry.status("/v2/", "bob") == 200
        registry.stop()
    assert len((tmp_path / "access.log.1").read_text().splitlines()) == 2
    assert len((tmp_path / "access.log").read_text().splitlines()) == 1


def test_what_became_unusable_is_warned_of_and_the_old_kept(tmp_path: Path, identity: Identity) -> None:
    with _running(tmp_path, "--listen", "127.0.0.1:0", *FRONT) as registry:
        (tmp_path / "access.json").write_text("{}")
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        registry.process.send_signal(signal.SIGHUP)
        _eventually((tmp_path / "access.log").exists)
        assert (registry.status("/v2/"), registry.status("/v2/", "alice")) == (401, 200)
        (tmp_path / "access.json").write_text("{")
        (tmp_path / "access.log").unlink()
        registry.process.send_signal(signal.SIGHUP)
        _eventually((tmp_path / "access.log").exists)
        assert (registry.status("/v2/"), registry.status("/v2/", "alice")) == (401, 200)
        said = registry.stop()
    assert "access.json: it names no htpasswd any more; what was read before is kept" in said
    assert "access.json: not JSON" in said


def test_read_only_is_for_everybody(tmp_path: Path, identity: Identity) -> None:
    with _running(tmp_path, "--listen", "127.0.0.1:0", *FRONT, "--read-only") as registry:
        assert registry.status("/v2/a/blobs/uploads/", "alice", "POST") == 405
        assert registry.status("/v2/_catalog", "alice") == 200
        registry.stop()


def test_where_no_file_may_be_opened_any_more_connections_wait_and_it_serves_on(tmp_path: Path) -> None:
    most = 30
    with _running(tmp_path, "--listen", "127.0.0.1:0", files=(most, most)) as registry:
        lines = [socket.create_connection(("127.0.0.1", registry.port), timeout=30) for _ in range(most)]
        assert registry.process.stderr is not None
        said = "".join(
            iter(registry.process.stderr.readline, "Warning: a connection waits: too many open files\n")
        )
        for line in lines:
            line.close()
        with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as line:
            line.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200 ")
        assert registry.stop().count("a connection waits") < 20, "it pauses between two tries"
    assert f"Warning: 256 connections may take 1380 open files, and {most} are allowed here" in said


def test_it_takes_as_many_files_as_its_connections_may_need_and_may_have(tmp_path: Path) -> None:
    with _running(tmp_path, "--listen", "127.0.0.1:0", files=(100, 2000)) as registry:
        limits = resource.prlimit(registry.process.pid, resource.RLIMIT_NOFILE)
        assert limits == (1380, 2000)
        assert "allowed here" not in registry.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tls-cert", "server.crt"), "tls-key"),
        (("--max-connections", "0"), "possible: 1 to 10000"),
        (("--grace", "2h"), "possible: 0s to 1h"),
        (("--access", "absent.json"), "absent.json"),
    ],
)
def test_what_cannot_be_is_said_before_it_serves(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        _command("--listen", "127.0.0.1:0", *words),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": SOURCE},
    )
    assert done.returncode in (2, 3)
    assert done.stdout == ""
    assert said in done.stderr
    assert not (tmp_path / "r").exists()
