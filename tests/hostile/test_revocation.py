"""Responders and CRL servers that misbehave, and certificates that name them: over real sockets on loopback.

Whatever they do, the status is unknown for one reason that names the address, nobody else is asked, and it ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from nv2.pki.chain import parse_chain
from nv2.revocation.online import OnlineRevocation
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA
from tests.world.crl import crl
from tests.world.ocsp import unsuccessful
from tests.world.publishing import ocsp_answer
from tests.world.sockets import Script, http, serving

NOW = datetime.now(UTC).replace(microsecond=0)
root = CA("Wabbit")

NAMES = {"metadata.test": "169.254.169.254", "rebound.test": "fd00:ec2::254", "wire.test": "168.63.129.16"}


def resolve(host: bytes, port: int, **_: Any) -> list[tuple[Any, ...]]:
    """Of a name server that an attacker runs."""
    return [(2, 1, 6, "", (NAMES.get(host.decode(), host.decode()), port))]


def judged(**urls: tuple[str, ...]) -> Finding:
    """What comes of a certificate that names `urls`."""
    transport = HttpTransport(HttpSettings(resolve=resolve))
    chain = parse_chain(root.issue("revocable", key="EC-256", **urls).chain)
    try:
        return OnlineRevocation(lambda: transport, threading.Lock).check(chain, NOW, None)
    finally:
        transport.close()


def check_refused(finding: Finding, url: str, why: str) -> None:
    assert finding.outcome is Outcome.UNKNOWN, finding
    assert why in finding.reason and f" at {url}" in finding.reason
    assert "\n" not in finding.reason and "Traceback" not in finding.reason


ADDRESSES = (
    # named in the certificate             why it is refused
    ("http://169.254.169.254/latest",       "link-local"),
    ("http://[fe80::1]/crl",                "link-local"),
    ("http://[::ffff:169.254.169.254]/",    "link-local"),
    ("http://metadata.test/latest",         "resolves to 169.254.169.254"),
    ("http://rebound.test/",                "resolves to fd00:ec2::254"),
    ("http://wire.test/",                   "resolves to 168.63.129.16"),
    ("http://2852039166/",                  "an invalid address"),
    ("http://0.0.0.0/",                     "an invalid address"),
    ("file:///etc/passwd",                  "not an http or https address"),
    ("ldap://ldap.test/cn=CA",              "not an http or https address"),
    ("http://user:password@ocsp.test/",     "not an http or https address"),
    ("http://[::1",                         "not an address"),
    ("http://ocsp.test:port/",              "not an address"),
    ("//ocsp.test/",                        "not an http or https address"),
    ("http://ocsp.test:99999/",             "not an address"),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["ocsp_urls", "crl_urls"])
@pytest.mark.parametrize(("url", "why"), ADDRESSES, ids=[row[0] for row in ADDRESSES])
def test_an_address_that_must_not_be_asked_is_one_reason(url: str, why: str, kind: str) -> None:
    """§5.3 item 4, §5.4 g: malformed URL, internal addresses."""
    check_refused(judged(**{kind: (url,)}), url, why)


REDIRECTS = (
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.test/",
    "http://[fd00:ec2::254]/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://0/",
    "//169.254.169.254/",
)


@pytest.mark.parametrize("kind", ["ocsp_urls", "crl_urls"])
@pytest.mark.parametrize("location", REDIRECTS)
def test_a_redirect_into_the_network_is_refused(location: str, kind: str) -> None:
    """§5.3 item 4, §5.4 h: 302 to internal hosts, `file:`."""
    with serving(lambda _: http(302, Location=location)) as server:
        finding = judged(**{kind: (server.url,)})
        assert finding.outcome is Outcome.UNKNOWN and f" at {server.url}: " in finding.reason
        assert len(server.requests) == 1


def test_a_redirect_in_a_circle_ends() -> None:
    """§5.4 h."""
    with serving(lambda received: http(302, Location=received.target + "x")) as server:
        check_refused(judged(crl_urls=(server.url,)), server.url, "more than 5 redirects")
        assert len(server.requests) == 6


ANSWERS: tuple[tuple[str, Script, str], ...] = (
    ("a 404 with a good body",    lambda _: http(404, crl(root)),            "answered 404"),
    ("a 206 with a good body",    lambda _: http(206, crl(root)),            "answered 206"),
    ("a page for people",         lambda _: http(200, b"<html>log in</html>"), "CRL"),
    ("nothing",                   lambda _: http(200, b""),                  "CRL"),
    ("no word at all",            lambda _: None,                            "closed without an answer"),
    ("no HTTP",                   lambda _: b"SSH-2.0-OpenSSH\r\n\r\n",      "not HTTP"),
    ("less than announced",       lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nx", "cut"),
    ("two lengths",               lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "length"),
    ("a login",                   lambda _: http(401, WWW_Authenticate='Basic realm="x"'), "answered 401"),
    ("a compressed body",         lambda _: http(200, b"x", Content_Encoding="gzip"), "compressed"),
)  # fmt: skip


@pytest.mark.parametrize(("script", "why"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_that_is_none_is_one_reason(script: Script, why: str) -> None:
    """§5.1 (only 200), §5.3 item 4. Cut while idle, a server may be closed by a script that ends the connection."""
    with serving(script, one_each=True) as server:
        check_refused(judged(crl_urls=(server.url,)), server.url, why)
        assert not any("authorization" in received.headers for received in server.requests)


class Endless(NamedTuple):
    """A server that begins to answer and does not end."""

    url: str
    sent: list[int]


@contextlib.contextmanager
def dripping(piece: bytes, pause: float) -> Iterator[Endless]:
    stop, sent = threading.Event(), [0]
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while not stop.wait(pause):
                        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                        sent[0] += len(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Endless(f"http://127.0.0.1:{listener.getsockname()[1]}", sent)
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_an_answer_that_drips_ends_with_its_time() -> None:
    """§5.3 item 4. What ends it is the limit of the request: nothing else says these words."""
    with dripping(b"x", 0.05) as server:
        check_refused(judged(ocsp_urls=(server.url,)), server.url, "longer than the time there was for it")


def test_an_answer_without_end_ends_with_its_size() -> None:
    """§5.3 item 4: huge."""
    with dripping(b"x" * 65536, 0.0) as server:
        check_refused(judged(ocsp_urls=(server.url,)), server.url, "longer than 65536 bytes")
        assert server.sent[0] < 16 * 1024 * 1024


STATEMENTS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("another authority's",  lambda leaf: ocsp_answer(CA("Stranger"), leaf, NOW)),
    ("of last year",         lambda leaf: ocsp_answer(root, leaf, NOW - timedelta(days=400))),
    ("of tomorrow",          lambda leaf: ocsp_answer(root, leaf, NOW + timedelta(days=1))),
    ("of another one",       lambda _: ocsp_answer(root, root.issue("other", key="EC-256").leaf, NOW)),
    ("unknown",              lambda leaf: ocsp_answer(root, leaf, NOW, "unknown")),
    ("try later",            lambda _: unsuccessful(3)),
)  # fmt: skip


@pytest.mark.parametrize("said", [row[1] for row in STATEMENTS], ids=[row[0] for row in STATEMENTS])
def test_an_answer_that_does_not_count_is_never_a_yes(said: Callable[[bytes], bytes]) -> None:
    """§5.3 item 4: unrelated responder, replay, another serial, future thisUpdate, `unknown`."""
    transport = HttpTransport()
    answers: list[bytes] = []
    with serving(lambda _: http(200, answers[0])) as server:
        pair = root.issue("revocable", key="EC-256", ocsp_urls=(server.url,))
        answers.append(said(pair.leaf))
        checker = OnlineRevocation(lambda: transport, threading.Lock)
        check_refused(checker.check(parse_chain(pair.chain), NOW, None), server.url, "OCSP at")
    transport.close()


def test_a_crl_without_end_ends_with_its_size() -> None:
    """§5.3 item 4: huge. 64 MiB are read, and no more."""
    with dripping(b"x" * 262144, 0.0) as server:
        check_refused(judged(crl_urls=(server.url,)), server.url, "longer than 67108864 bytes")
        assert server.sent[0] < 96 * 1024 * 1024
