"""`nv2 registry serve`."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nv2
from nv2.cli.commands.registry_serve import read_address
from nv2.errors import UsageError

SOURCE = str(Path(nv2.__file__).parent.parent)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5000", "127.0.0.1", 5000),
        ("localhost:0", "localhost", 0),
        (":5001", "127.0.0.1", 5001),
        ("[::1]:5000", "[::1]", 5000),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert read_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "5000", "localhost", "localhost:", "localhost:http", "a:-1", "a:٥", "a:123456"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_address(text)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_prints_where_it_is_serves_and_ends_on_a_signal(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    words = ["registry", "serve", "--dir", "here", "--listen", "127.0.0.1:0", "-d"]
    with subprocess.Popen(
        [sys.executable, "-c", "from nv2.cli.__main__ import run; run()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": SOURCE},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        host, _, port = process.stdout.readline().strip().partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(number)
        assert process.wait(120) == code
        assert "GET /v2/ 200" in process.stderr.read()
    assert (tmp_path / "here" / "registry.db").is_file()


def test_it_does_not_listen_where_others_could_reach_it(tmp_path: Path) -> None:
    words = ["registry", "serve", "--dir", "here", "--listen", "0.0.0.0:0"]
    done = subprocess.run(
        [sys.executable, "-c", "from nv2.cli.__main__ import run; run()", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": SOURCE},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes TLS and a login" in done.stderr
    assert list(tmp_path.iterdir()) == []
