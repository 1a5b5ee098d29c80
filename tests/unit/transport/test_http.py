"""Over real sockets on loopback: what connections, time and half an answer do."""

import io
import threading
import time
from collections.abc import Iterator

import pytest

from nv2.errors import BadAnswer, ContentMismatch, EnvironmentFailure, Unreachable
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import Request, Response, send
from nv2.transport.proxies import Proxies
from tests.world.sockets import Received, Script, Server, http, reserved_port, serving

TOO_LATE = r"longer than the time there was for it|no answer within 0\.[23] seconds"
"""Who is first to see that the time is over says it: the worker, or who waits for it."""


class Naps(list[float]):
    """Sleeping that takes no time and is remembered."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(naps: Naps) -> Iterator[HttpTransport]:
    transport = HttpTransport(sleep=naps)
    yield transport
    transport.close()


def scripted(*answers: bytes | None) -> Script:
    """Each request gets the next of `answers`; the last one stays."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def get(client: HttpTransport, server: Server, path: str = "/", **more: object) -> Response:
    return send(client, Request("GET", server.url + path, **more))  # type: ignore[arg-type]


def test_an_answer_has_status_headers_and_data(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"hello", Content_Type="text/plain; charset=utf-8"))) as server:
        response = get(client, server, "/v2/?a=b")
        assert (response.status, response.content_type, response.data()) == (200, "text/plain", b"hello")
        assert server.requests[0].target == "/v2/?a=b"


def test_requests_say_who_asks_and_that_nothing_is_to_be_compressed(client: HttpTransport) -> None:
    with serving(scripted(http())) as server:
        get(client, server).discard()
        sent = server.requests[0].headers
        assert sent["host"] == f"127.0.0.1:{server.port}" and sent["accept-encoding"] == "identity"
        assert sent["user-agent"].startswith("nv2/")


def test_the_head_of_an_answer_may_have_less_time_than_its_body(client: HttpTransport) -> None:
    with serving(scripted(b"HTTP/1.1 200 OK\r\n")) as server, pytest.raises(Unreachable, match=TOO_LATE):
        get(client, server, head_timeout=0.2, total_timeout=60.0)
    with serving(scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000)) as server:
        assert len(get(client, server, head_timeout=30.0, total_timeout=60.0).data()) == 70000


def test_who_can_ask_somebody_else_asks_once(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(http(503), None)) as server:
        assert get(client, server, persistent=False).status == 503
        with pytest.raises(Unreachable):
            get(client, server, persistent=False)
        assert naps == []


def test_a_connection_serves_many_requests(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"x"))) as server:
        assert [get(client, server).data() for _ in range(5)] == [b"x"] * 5
        assert server.connections == 1


def test_an_unwanted_body_does_not_cost_the_connection(client: HttpTransport) -> None:
    with serving(scripted(http(404, b"not found" * 100))) as server:
        for _ in range(3):
            get(client, server).discard()
        assert server.connections == 1


def test_a_connection_that_the_peer_closed_meanwhile_is_replaced(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"x")), one_each=True) as server:
        assert get(client, server).data() == b"x"
        assert server.closed_one.wait(60)
        assert send(client, Request("POST", server.url + "/")).data() == b"x"
        assert server.connections == 2


def test_a_request_that_dies_on_a_kept_connection_is_sent_once_more(
    client: HttpTransport, naps: Naps
) -> None:
    with serving(scripted(http(200, b"x"), None, http(200, b"y"))) as server:
        get(client, server).data()
        assert send(client, Request("POST", server.url + "/")).data() == b"y"
        assert server.connections == 2 and naps == []


def test_requests_run_at_the_same_time(client: HttpTransport) -> None:
    together = threading.Barrier(4, timeout=30)

    def script(_: Received) -> bytes:
        together.wait()
        return http(200, b"x")

    with serving(script) as server:
        pending = [client.start(Request("GET", server.url + "/")) for _ in range(4)]
        assert [p.response().data() for p in pending] == [b"x"] * 4


def test_a_host_is_asked_by_a_limited_number_at_a_time() -> None:
    client = HttpTransport(HttpSettings(per_host=2))
    with serving(scripted(http(200, b"x"))) as server:
        pending = [client.start(Request("GET", server.url + "/")) for _ in range(20)]
        assert [p.response().data() for p in pending] == [b"x"] * 20
        assert server.connections <= 2


def test_a_body_is_sent_with_its_length(client: HttpTransport) -> None:
    data = bytes(range(256)) * 2000
    with serving(scripted(http(201))) as server:
        request = Request("PUT", server.url + "/u", body=lambda: io.BytesIO(data), body_size=len(data))
        assert send(client, request).status == 201
        assert server.requests[0].body == data


def test_a_post_without_body_says_that_it_has_none(client: HttpTransport) -> None:
    with serving(scripted(http(202))) as server:
        send(client, Request("POST", server.url + "/")).discard()
        assert server.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize("size", [3, 5])
def test_content_of_another_length_than_announced_is_not_passed_off(client: HttpTransport, size: int) -> None:
    with serving(scripted(http(201))) as server, pytest.raises(ContentMismatch):
        send(client, Request("PUT", server.url + "/", body=lambda: io.BytesIO(b"1234"), body_size=size))


def test_a_file_that_cannot_be_read_is_our_failure_not_the_registry_s(client: HttpTransport) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with (
        serving(scripted(http(201))) as server,
        pytest.raises(EnvironmentFailure, match="Input/output error"),
    ):
        send(client, Request("PUT", server.url + "/", body=Broken, body_size=1))


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + end


def test_chunks_are_put_together_and_the_connection_is_kept(client: HttpTransport) -> None:
    with serving(scripted(chunked(b"hel", b"lo", end=b"0\r\nTrailer: x\r\n\r\n"))) as server:
        assert [get(client, server).data() for _ in range(2)] == [b"hello"] * 2
        assert server.connections == 1


def test_a_body_may_end_with_the_connection(client: HttpTransport) -> None:
    with serving(scripted(b"HTTP/1.1 200 OK\r\n\r\nhello"), one_each=True) as server:
        assert get(client, server).data() == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        chunked(b"hello", end=b""),
        chunked(b"hello", end=b"5\r\nhe"),
    ],
)
def test_half_an_answer_is_no_answer(client: HttpTransport, answer: bytes) -> None:
    with serving(scripted(answer), one_each=True) as server, pytest.raises(Unreachable, match=r"cut|closed"):
        get(client, server).data()


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        b"HTTP/1.1 101 Switching\r\n\r\n",
        chunked(end=b"zz\r\n"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        chunked(end=b"0\r\n" + b"T: x\r\n" * 20_000),
    ],
)
def test_what_is_not_proper_http_is_refused(client: HttpTransport, answer: bytes) -> None:
    with serving(scripted(answer), one_each=True) as server, pytest.raises(BadAnswer):
        get(client, server).data()


def test_interim_answers_are_passed_over(client: HttpTransport) -> None:
    with serving(scripted(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + http(200, b"x"))) as server:
        assert get(client, server).data() == b"x"


def test_a_longer_answer_than_the_limit_is_refused(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"x" * 100))) as server, pytest.raises(BadAnswer, match="longer than 10"):
        get(client, server, limit=10).data()


def test_a_compressed_answer_is_refused(client: HttpTransport) -> None:
    with (
        serving(scripted(http(200, b"x", Content_Encoding="gzip"))) as server,
        pytest.raises(BadAnswer, match="compressed"),
    ):
        get(client, server)


def test_a_stream_is_read_piece_by_piece_and_gives_its_connection_back(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"x" * 1_000_000))) as server:
        for _ in range(2):
            with get(client, server, total_timeout=None).stream as stream:
                assert sum(len(piece) for piece in iter(lambda: stream.read(65536), b"")) == 1_000_000
        assert server.connections == 1


def test_closing_a_long_stream_early_drops_its_connection(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"x" * 1_000_000))) as server:
        for _ in range(2):
            with get(client, server).stream as stream:
                stream.read(10)
        assert server.connections == 2


def test_a_redirect_takes_no_authorization_to_another_port(client: HttpTransport) -> None:
    with serving(scripted(http(200, b"blob"))) as storage:
        with serving(scripted(http(307, b"", Location=storage.url + "/b"))) as server:
            response = get(client, server, headers={"Authorization": "Basic eA=="})
            assert response.data() == b"blob" and response.url == storage.url + "/b"
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in storage.requests[0].headers


def test_redirects_come_to_an_end(client: HttpTransport) -> None:
    with (
        serving(scripted(http(302, b"", Location="/again"))) as server,
        pytest.raises(BadAnswer, match="more than 5 redirects"),
    ):
        get(client, server)


def test_a_busy_registry_is_asked_again_when_it_wants(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(http(503, b"", Retry_After="2"), http(200, b"x"))) as server:
        assert get(client, server).data() == b"x" and naps == [2.0]


def test_after_four_tries_its_refusal_is_the_answer(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(http(503))) as server:
        assert get(client, server).status == 503
        assert len(server.requests) == 4 and len(naps) == 3


def test_too_long_a_wait_is_not_waited_for(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(http(429, b"", Retry_After="3600"))) as server:
        assert get(client, server).status == 429 and naps == []


def test_a_429_holds_up_everybody_who_talks_to_that_host(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(http(429, b"", Retry_After="9"), http(200))) as server:
        get(client, server).discard()
        get(client, server).discard()
        assert naps[0] == 9.0 and len(naps) >= 2 and all(0 < nap <= 9.0 for nap in naps)


def test_a_post_that_failed_half_way_is_not_repeated(client: HttpTransport) -> None:
    with serving(scripted(http(500))) as server:
        assert send(client, Request("POST", server.url + "/")).status == 500
        assert len(server.requests) == 1


def test_a_connection_that_dies_without_an_answer_is_tried_again(client: HttpTransport, naps: Naps) -> None:
    with serving(scripted(None, http(200, b"x"))) as server:
        assert get(client, server).data() == b"x" and len(naps) == 1


def test_a_refused_connection_names_host_and_port(client: HttpTransport) -> None:
    refused = r"127\.0\.0\.1:{}: the connection was refused"
    with reserved_port() as port, pytest.raises(Unreachable, match=refused.format(port)):
        send(client, Request("GET", f"http://127.0.0.1:{port}/"))


def test_a_name_that_does_not_exist_is_said_to_be_unknown(client: HttpTransport) -> None:
    # Too long for a label: no name server needs to be asked.
    with pytest.raises(Unreachable, match="cannot find the host"):
        send(client, Request("GET", f"http://{'a' * 64}.test/"))


def test_silence_is_not_waited_for_longer_than_allowed(client: HttpTransport) -> None:
    over = threading.Event()

    def script(_: Received) -> bytes | None:
        over.wait(60)
        return None

    with serving(script) as server, pytest.raises(Unreachable, match=TOO_LATE):
        get(client, server, total_timeout=0.2)
    over.set()


def test_an_answer_that_drips_does_not_outlast_its_time(client: HttpTransport) -> None:
    with (
        serving(scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")) as server,
        pytest.raises(Unreachable, match=TOO_LATE),
    ):
        get(client, server, total_timeout=0.2).data()


@pytest.mark.parametrize(
    "begins",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
    ids=["status line", "header", "body", "sized body", "chunk", "size of a chunk", "trailer"],
)
def test_a_byte_now_and_then_does_not_keep_a_request_alive(client: HttpTransport, begins: bytes) -> None:
    def dripping(_: Received) -> Iterator[bytes]:
        yield begins
        while True:
            time.sleep(0.01)
            yield b"1"

    with serving(dripping) as server, pytest.raises(Unreachable, match=TOO_LATE):
        get(client, server, total_timeout=0.3).data()


@pytest.mark.parametrize("url", ["ftp://r.test/", "http://u:p@r.test/", "r.test"])
def test_what_is_no_http_address_is_refused_at_once(client: HttpTransport, url: str) -> None:
    with pytest.raises(BadAnswer):
        client.start(Request("GET", url))


def test_a_proxy_is_asked_for_the_whole_address() -> None:
    with serving(scripted(http(200, b"by proxy"))) as server:
        environ = {"http_proxy": server.url.replace("://", "://user:pass@")}
        client = HttpTransport(HttpSettings(proxies=Proxies.from_environment(environ)))
        assert send(client, Request("GET", "http://registry.test/v2/")).data() == b"by proxy"
        (asked,) = server.requests
        assert asked.target == "http://registry.test/v2/" and asked.headers["host"] == "registry.test"
        assert asked.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


def test_a_proxy_that_opens_no_tunnel_is_named() -> None:
    with serving(scripted(http(403))) as server:
        client = HttpTransport(HttpSettings(proxies=Proxies.from_environment({"https_proxy": server.url})))
        with pytest.raises(Unreachable, match=f"the proxy 127.0.0.1:{server.port} answered 403"):
            send(client, Request("GET", "https://registry.test/"))
        assert server.requests[0].target == "registry.test:443"


@pytest.mark.parametrize(
    "page",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_plain_http_at_a_tls_port_is_recognised(client: HttpTransport, page: bytes) -> None:
    with serving(scripted(http(400, page))) as server:
        with pytest.raises(Unreachable, match="does not speak plain HTTP") as e:
            get(client, server)
        assert e.value.hint is not None and "HTTPS" in e.value.hint


def test_another_400_is_an_answer_with_its_body(client: HttpTransport) -> None:
    with serving(scripted(http(400, b"bad digest"))) as server:
        assert get(client, server).data() == b"bad digest"
