"""A registry that a newcomer cannot reach, or that lets nobody in: one error, a hint, and no secret."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nv2.server.registry import serve
from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.ca import CA, SERVER_AUTH, pem
from tests.world.images import push_image


def _no_traceback(ended: Ended) -> None:
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "registry", "127.0.0.1", 0) as running:
        push_image(running.address, "image")
        yield running.address


def _mistake(wabbit: CommandLine, *words: str) -> Ended:
    ended = wabbit("verify", "-k", "leaf.crt", *words)
    _no_traceback(ended)
    assert ended.code == 3, ended.err
    assert sum(line.startswith("Error: ") for line in ended.error_lines) == 1
    return ended


def test_no_such_tag(wabbit: CommandLine, registry: str) -> None:
    ended = _mistake(wabbit, f"{registry}/image:v9")
    assert "v9" in ended.err
    assert registry in ended.err
    assert "hint: is the name right, and was it pushed?" in ended.err


def test_registry_down(wabbit: CommandLine) -> None:
    ended = _mistake(wabbit, "localhost:1/image:v1")
    assert "localhost:1" in ended.err
    assert "refused" in ended.err


def test_no_such_host(wabbit: CommandLine) -> None:
    ended = _mistake(wabbit, "registry.invalid/image:v1")
    assert "registry.invalid" in ended.err


def test_tls_to_a_plain_port(wabbit: CommandLine, registry: str) -> None:
    ended = _mistake(wabbit, f"127.0.0.1:{registry.partition(':')[2]}/image:v1")
    assert "plain HTTP" in ended.err
    assert "hint: " in ended.err


def test_plain_http_to_a_tls_port(wabbit: CommandLine, tmp_path: Path) -> None:
    with _tls_server(tmp_path) as port:
        ended = _mistake(wabbit, f"localhost:{port}/image:v1")
    assert "HTTPS" in ended.err


def test_a_tls_certificate_of_an_unknown_authority(wabbit: CommandLine, tmp_path: Path) -> None:
    with _tls_server(tmp_path) as port:
        ended = _mistake(wabbit, f"127.0.0.1:{port}/image:v1")
    assert "certificate" in ended.err
    assert "hint: name the file of the registry's CA with --ca-file" in ended.err


def test_a_proxy_that_is_down(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    ended = _mistake(wabbit, "registry.example.com/image:v1")
    assert "127.0.0.1:1: the connection was refused" in ended.err
    assert "this is the proxy" in ended.err


def test_a_client_certificate_without_its_key(wabbit: CommandLine, tmp_path: Path) -> None:
    with _tls_server(tmp_path) as port:
        ended = _mistake(wabbit, "--client-cert", "leaf.crt", f"127.0.0.1:{port}/image:v1")
    assert "leaf.crt: " in ended.err
    assert "--client-key" in ended.err


def test_wrong_credentials(wabbit: CommandLine) -> None:
    with _locked_server() as port:
        ended = _mistake(wabbit, "-u", "wabbit", "-p", "s3cret", f"localhost:{port}/image:v1")
    assert "nv2 login" in ended.err
    assert "s3cret" not in ended.err


def test_one_password_is_not_sent_to_two_registries(wabbit: CommandLine) -> None:
    with _locked_server() as first, _locked_server() as second:
        references = [f"localhost:{port}/image:v1" for port in (first, second)]
        ended = wabbit("verify", "-k", "leaf.crt", "-u", "wabbit", "-p", "s3cret", *references)
    assert ended.code == 3
    assert "one user name and password, and two registries" in ended.err


class _Locked(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _locked_server() -> Iterator[int]:
    with _serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Locked)) as port:
        yield port


@contextmanager
def _tls_server(folder: Path) -> Iterator[int]:
    pair = CA("Web").issue("CN=localhost,O=o,ST=WA,C=US", "EC-256", eku=(SERVER_AUTH,))
    (folder / "tls.pem").write_bytes(pair.pem_key() + pem(pair.chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Locked)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server) as port:
        yield port


@contextmanager
def _serving(server: http.server.ThreadingHTTPServer) -> Iterator[int]:
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
