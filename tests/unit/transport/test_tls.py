"""TLS on loopback, with certificates made for the test."""

import ssl
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError, Unreachable
from nv2.transport import failures
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import Request, send
from nv2.transport.proxies import Proxies
from nv2.transport.tls import TlsSettings, make_context
from tests.world.sockets import Identity, Received, http, make_identity, serving


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("tls"))


def ok(_: Received) -> bytes:
    return http(200, b"ok")


def trusting(identity: Identity, certificate: Path | None = None, key: Path | None = None) -> HttpTransport:
    ours = (str(certificate), str(key)) if certificate else (None, None)
    return HttpTransport(HttpSettings(tls=TlsSettings((str(identity.certificate),), *ours)))


def test_a_certificate_under_a_named_ca_is_accepted(identity: Identity) -> None:
    with serving(ok, identity.server_context()) as server:
        client = trusting(identity)
        assert [send(client, Request("GET", server.url + "/")).data() for _ in range(2)] == [b"ok"] * 2
        assert server.connections == 1


def test_an_unknown_certificate_is_refused_by_name(identity: Identity) -> None:
    with serving(ok, identity.server_context()) as server:
        with pytest.raises(
            Unreachable, match=rf"127\.0\.0\.1:{server.port}: the certificate is not trusted"
        ) as e:
            send(HttpTransport(), Request("GET", server.url + "/"))
        assert e.value.hint is not None and "CA" in e.value.hint


def test_a_certificate_for_another_host_is_refused(identity: Identity) -> None:
    with serving(ok, identity.server_context()) as server:
        with pytest.raises(Unreachable, match=r"not trusted: .*localhost") as e:
            send(trusting(identity), Request("GET", f"https://localhost:{server.port}/"))
        # Another authority does not mend a wrong name.
        assert "name the server as its certificate does" in str(e.value.hint)
        assert "--ca-file" not in str(e.value.hint)


@pytest.mark.parametrize("code", [9, 10])
def test_a_certificate_out_of_its_time_is_to_be_renewed(code: int) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "certificate has expired"
    found = failures.unreachable(error, "registry.test:443", 30)
    assert str(found) == "registry.test:443: the certificate is not trusted: certificate has expired"
    assert "renew" in str(found.hint) and "--ca-file" not in str(found.hint)


@pytest.mark.parametrize("reason", ["TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"])
def test_who_misses_a_client_certificate_is_told_of_the_flags(reason: str) -> None:
    error = ssl.SSLError(1, "alert")
    error.reason = reason
    assert "--client-cert and --client-key" in str(failures.unreachable(error, "registry.test:443", 30).hint)


def test_verification_can_be_turned_off_by_a_program(identity: Identity) -> None:
    with serving(ok, identity.server_context()) as server:
        client = HttpTransport(HttpSettings(tls=TlsSettings(verify=False)))
        assert send(client, Request("GET", server.url + "/")).data() == b"ok"


def test_a_client_certificate_is_shown(identity: Identity, tmp_path: Path) -> None:
    ours = make_identity(tmp_path, name="client")
    with serving(ok, identity.server_context(clients=ours.certificate)) as server:
        client = trusting(identity, ours.certificate, ours.key)
        assert send(client, Request("GET", server.url + "/")).data() == b"ok"


def test_a_missing_client_certificate_is_a_failure(identity: Identity, tmp_path: Path) -> None:
    ours = make_identity(tmp_path, name="client")
    with serving(ok, identity.server_context(clients=ours.certificate)) as server, pytest.raises(Unreachable):
        send(trusting(identity), Request("POST", server.url + "/"))


def test_tls_at_a_plain_port_is_recognised() -> None:
    with serving(lambda _: http(400)) as server:
        with pytest.raises(Unreachable, match="does not speak TLS") as e:
            send(HttpTransport(), Request("GET", server.url.replace("http", "https") + "/"))
        assert e.value.hint == "the registry speaks plain HTTP; use --insecure-registry if that is meant"


def test_a_tls_alert_to_plain_http_is_recognised() -> None:
    with (
        serving(lambda _: b"\x15\x03\x03\x00\x02\x02\x46", one_each=True) as server,
        pytest.raises(Unreachable, match="does not speak plain HTTP"),
    ):
        send(HttpTransport(), Request("GET", server.url + "/"))


def test_a_tls_port_that_hangs_up_on_plain_http_gets_the_benefit_of_the_doubt(identity: Identity) -> None:
    with serving(ok, identity.server_context()) as server:
        with pytest.raises(Unreachable) as e:
            send(
                HttpTransport(sleep=lambda _: None), Request("GET", server.url.replace("https", "http") + "/")
            )
        assert e.value.hint is not None and "perhaps it speaks HTTPS" in e.value.hint


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    client = HttpTransport(HttpSettings(tls=TlsSettings(ca_files=(str(path),))))
    with serving(ok) as server, pytest.raises(ConfigurationError, match=r"ca\.pem: cannot read certificates"):
        send(client, Request("GET", server.url.replace("http", "https") + "/"))


def test_a_key_of_another_certificate_is_refused(identity: Identity, tmp_path: Path) -> None:
    other = make_identity(tmp_path, name="other")
    client = trusting(identity, identity.certificate, other.key)
    with (
        serving(ok, identity.server_context()) as server,
        pytest.raises(ConfigurationError, match="client certificate"),
    ):
        send(client, Request("GET", server.url + "/"))


def test_tls_goes_through_a_proxy_s_tunnel(identity: Identity) -> None:
    """The proxy answers CONNECT; then the same port speaks TLS to whoever went through."""
    import socket
    import threading

    proxy = socket.create_server(("127.0.0.1", 0))
    said: list[bytes] = []

    def serve() -> None:
        connection, _ = proxy.accept()
        while not (said and said[-1].endswith(b"\r\n\r\n")):
            said.append(b"".join(said[-1:]) + connection.recv(1))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with identity.server_context().wrap_socket(connection, server_side=True) as inner:
            inner.recv(4096)
            inner.sendall(http(200, b"through"))

    threading.Thread(target=serve, daemon=True).start()
    settings = HttpSettings(
        tls=TlsSettings(verify=False),
        proxies=Proxies.from_environment({"https_proxy": f"127.0.0.1:{proxy.getsockname()[1]}"}),
    )
    with proxy:
        assert send(HttpTransport(settings), Request("GET", "https://registry.test/v2/")).data() == b"through"
    assert said[-1].startswith(b"CONNECT registry.test:443 HTTP/1.1\r\n")


def test_at_a_tls_port_of_localhost_the_hint_names_the_way_to_reach_it() -> None:
    assert "127.0.0.1" in str(failures.wants_tls("localhost:5000").hint)
    assert "--insecure-registry" in str(failures.wants_tls("registry.example.com:443").hint)


def test_a_client_certificate_without_its_key_is_said_in_plain_words(identity: Identity) -> None:
    settings = TlsSettings(client_certificate=str(identity.certificate))
    with pytest.raises(ConfigurationError, match="with its key: not there, or not PEM") as e:
        make_context(settings)
    assert "--client-key" in str(e.value.hint)
