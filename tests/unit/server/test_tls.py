"""TLS before the registry: what is spoken, which certificate is shown, and what bad clients come to."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from nv2.errors import ConfigurationError
from nv2.oci.digest import digest_of
from nv2.server.connections import Connections
from nv2.server.listener import Listener
from nv2.server.messages import Answer, Call, FileSlice, Respond, Served
from nv2.server.patience import PatientWriter
from nv2.server.registry import RunningRegistry, serve
from nv2.server.tls import ServerCertificate
from tests.world.sockets import Identity, make_identity


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, identity: Identity) -> Iterator[RunningRegistry]:
    certificate = ServerCertificate(identity.certificate, identity.key)
    with serve(tmp_path_factory.mktemp("registry") / "r", certificate=certificate) as running:
        yield running


def client(registry: RunningRegistry, trusted: Path) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=trusted)
    return http.client.HTTPSConnection("127.0.0.1", registry.port, context=context, timeout=30)


def ping(registry: RunningRegistry, trusted: Path) -> int:
    connection = client(registry, trusted)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_blob_of_several_pieces_passes_both_ways(registry: RunningRegistry, identity: Identity) -> None:
    data = os.urandom(1_000_003)
    connection = client(registry, identity.certificate)
    connection.request("POST", f"/v2/a/blobs/uploads/?digest={digest_of(data)}", data)
    pushed = connection.getresponse()
    assert (pushed.status, pushed.read()) == (201, b"")
    connection.request("GET", f"/v2/a/blobs/{digest_of(data)}")
    assert connection.getresponse().read() == data
    connection.close()


def test_what_is_older_than_tls_1_2_is_not_spoken(registry: RunningRegistry) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", registry.port), timeout=30) as line,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(line)


def test_whoever_speaks_in_the_clear_or_says_nothing_keeps_nobody_waiting(
    registry: RunningRegistry, identity: Identity
) -> None:
    with (
        socket.create_connection(("127.0.0.1", registry.port), timeout=30),
        socket.create_connection(("127.0.0.1", registry.port), timeout=30) as line,
    ):
        line.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in line.recv(1000)
        assert ping(registry, identity.certificate) == 200


def test_a_renewed_certificate_is_shown_to_those_who_come_then(tmp_path: Path, identity: Identity) -> None:
    for folder in ("new", "here"):
        (tmp_path / folder).mkdir()
    new = make_identity(tmp_path / "new")
    chain, key = tmp_path / "here" / "a.crt", tmp_path / "here" / "a.key"
    shutil.copy(identity.certificate, chain)
    shutil.copy(identity.key, key)
    certificate = ServerCertificate(chain, key)
    with serve(tmp_path / "r", certificate=certificate) as registry:
        assert ping(registry, identity.certificate) == 200
        shutil.copy(new.certificate, chain)
        with pytest.raises(ConfigurationError, match="not a certificate and its key"):
            certificate.reload()  # the key is still the old one's
        assert ping(registry, identity.certificate) == 200
        shutil.copy(new.key, key)
        certificate.reload()
        assert ping(registry, new.certificate) == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            ping(registry, identity.certificate)


def test_what_cannot_be_used_is_named(tmp_path: Path, identity: Identity) -> None:
    with pytest.raises(ConfigurationError) as failed:
        ServerCertificate(tmp_path / "absent.crt", identity.key)
    assert failed.value.at == str(tmp_path / "absent.crt")
    with pytest.raises(ConfigurationError, match="not a certificate and its key"):
        ServerCertificate(identity.key, identity.key)


def test_whoever_does_not_agree_on_keys_in_time_is_given_up(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.server.conversation.HANDSHAKE", 0.05)
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as line:
        assert line.recv(1) == b""


def test_whoever_does_not_agree_on_keys_makes_room_for_others(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.server.conversation.HANDSHAKE", 3600.0)
    certificate = ServerCertificate(identity.certificate, identity.key)
    rests = threading.Event()

    class Places(Connections):
        def __init__(self, most: int) -> None:
            super().__init__(most, admission=60.0)

        def rest(self, connection: socket.socket) -> bool:
            found = super().rest(connection)
            rests.set()
            return found

    monkeypatch.setattr("nv2.server.registry.serving.Connections", Places)
    with (
        serve(tmp_path / "r", certificate=certificate, connections=1) as registry,
        socket.create_connection(("127.0.0.1", registry.port), timeout=30),
    ):
        assert rests.wait(60)
        assert ping(registry, identity.certificate) == 200


def test_the_end_lets_a_request_under_way_finish_and_ends_resting_connections(
    tmp_path: Path, identity: Identity
) -> None:
    running = serve(tmp_path / "r", certificate=ServerCertificate(identity.certificate, identity.key))
    context = ssl.create_default_context(cafile=identity.certificate)
    head = (
        f"POST /v2/a/blobs/uploads/?digest={digest_of(b'hello')} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    )
    lines = [socket.create_connection(("127.0.0.1", running.port), timeout=30) for _ in range(2)]
    with (
        context.wrap_socket(lines[0], server_hostname="127.0.0.1") as busy,
        context.wrap_socket(lines[1], server_hostname="127.0.0.1") as resting,
    ):
        resting.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert resting.recv(10_000).startswith(b"HTTP/1.1 200 ")
        busy.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert busy.recv(1000).startswith(b"HTTP/1.1 100 ")
        closing = threading.Thread(target=running.close)
        closing.start()
        while resting.recv(1000):
            pass
        busy.sendall(b"hello")
        assert busy.recv(1000).startswith(b"HTTP/1.1 201 ")
        closing.join()


def test_tls_1_2_is_the_least_whatever_the_machine_is_set_to(identity: Identity) -> None:
    context = ServerCertificate(identity.certificate, identity.key).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_clients_that_offer_http_2_learn_that_it_is_http_1_1(
    registry: RunningRegistry, identity: Identity
) -> None:
    context = ssl.create_default_context(cafile=identity.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", registry.port), timeout=30) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as wrapped,
    ):
        assert wrapped.selected_alpn_protocol() == "http/1.1"


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    tmp_path: Path, identity: Identity
) -> None:
    key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
    (tmp_path / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    with pytest.raises(ConfigurationError, match="the key has a passphrase"):
        ServerCertificate(identity.certificate, tmp_path / "locked.key")


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_whoever_does_not_read_an_answer_keeps_no_thread_and_no_file(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch, encrypted: bool, kind: str
) -> None:
    monkeypatch.setattr("nv2.server.conversation.PatientWriter", partial(PatientWriter, grace=0.05))
    certificate = ServerCertificate(identity.certificate, identity.key) if encrypted else None
    content = b'{"a":"' + b"x" * 4_000_000 + b'"}'
    done = threading.Event()
    files: list[FileSlice] = []

    def watch(call: Call, respond: Respond) -> Answer:
        answer = respond(call)
        if isinstance(answer.body, FileSlice):
            files.append(answer.body)
        return answer

    served: list[Served] = []
    seen = (served.append,)
    with serve(tmp_path / "r", certificate=certificate, layers=(watch,), observers=seen) as running:
        monkeypatch.setattr(running._listener, "shutdown_request", ended(running._listener, done))
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.settimeout(30)
        end.connect(("127.0.0.1", running.port))
        if encrypted:
            context = ssl.create_default_context(cafile=identity.certificate)
            end = context.wrap_socket(end, server_hostname="127.0.0.1")
        with end:
            way = "POST /v2/a/blobs/uploads/?digest=" if kind == "blobs" else "PUT /v2/a/manifests/"
            length = f"Content-Length: {len(content)}\r\nContent-Type: a/b"
            end.sendall(
                f"{way}{digest_of(content)} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode() + content
            )
            assert end.recv(10_000).startswith(b"HTTP/1.1 201 ")
            end.sendall(f"GET /v2/a/{kind}/{digest_of(content)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert done.wait(60)
        assert [part.file.closed for part in files] == [True]
    assert [(line.method, line.status) for line in served[1:]] == [("GET", 200)], "it has most of it"
    assert 0 < served[-1].sent < len(content)


def test_each_answer_of_a_connection_has_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[PatientWriter] = []

    class Watched(PatientWriter):
        def renew(self) -> None:
            renewed.append(self)
            super().renew()

    monkeypatch.setattr("nv2.server.conversation.PatientWriter", Watched)
    with serve(tmp_path / "r") as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        for _ in range(3):
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        connection.close()
    assert (len(renewed), len(set(renewed))) == (3, 1)


def ended(listener: Listener, done: threading.Event) -> Callable[[socket.socket], None]:
    """The end of a conversation, which is told to `done`."""
    end = listener.shutdown_request

    def told(request: socket.socket) -> None:
        end(request)
        done.set()

    return told
