"""HTTP/1.1 with one client: heads of requests are read, answers are written, in turn.

What this module does not do: know what is asked. Every request becomes a `Call`, every `Answer` a response.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from nv2.server.bodies import EMPTY, AwaitedBody, body_of, skip
from nv2.server.heads import StrictLines, check_fields
from nv2.server.messages import MAX_WHOLE, Answer, BadMessage, Body, Call, Disconnected, FileSlice, Served
from nv2.server.patience import PatientReader, PatientWriter
from nv2.server.tls import HANDSHAKE

if TYPE_CHECKING:
    from nv2.server.listener import Listener

MAX_UNREAD = 8 * 1024 * 1024
"""Bytes of a refused body that are read and dropped, so that the client reads the refusal and not a reset."""

MAX_FIELDS = 256
"""Parameters in a query: a manifest may be pushed with many tags."""

MAX_NAME = 256
"""Characters of what a client calls itself that are logged; docker says 250."""

MAX_TARGET = 2048
"""Characters of path and query that are logged: no path that exists is longer, and strangers fill no disk with lines of 64 KiB."""


class Conversation(BaseHTTPRequestHandler):
    """One connection: request after request."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # what cannot be read is refused with a status line, unlike HTTP/0.9
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # the head and a small body leave in one write
    server: Listener
    raw_requestline: bytes
    _awaits_leave = False

    def setup(self) -> None:
        self.server.connections.rest(self.request)  # it makes room for others while nobody knows who it is
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(HANDSHAKE)
            self.request.do_handshake()
        super().setup()
        self.rfile.close()
        self.wfile.close()
        self._reader, self._writer = PatientReader(self.connection), PatientWriter(self.connection)
        self.rfile = StrictLines(self._reader, 64 * 1024)
        self.wfile = io.BufferedWriter(self._writer, self.wbufsize)

    def handle_one_request(self) -> None:
        if not self.server.connections.rest(self.connection):
            self.close_connection = True
            return
        self._reader.renew()
        self._awaits_leave = False
        self.command = self.path = self.requestline = ""
        self.request_version = self.default_request_version
        self.headers = self.MessageClass()
        try:
            self._one_request()
        except (Disconnected, ConnectionError):
            self.close_connection = True

    def _one_request(self) -> None:
        try:
            super().handle_one_request()
        except BadMessage as e:  # in its head
            self.send_error(e.status, e.reason)

    def parse_request(self) -> bool:
        self._reader.begun = self._reader.begun or time.monotonic()  # it may have come with the one before
        words = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        if words.split(" ") != words.split() and words:
            # The standard library separates words by whatever is a space anywhere, proxies by one of ASCII.
            raise BadMessage(400, "a request line that cannot be read")
        return super().parse_request()

    def handle_expect_100(self) -> bool:
        self._awaits_leave = True  # given when the body is read, so that a refusal comes first
        return True

    def respond(self) -> None:
        """Answer the request whose head was just read."""
        self.server.connections.work(self.connection)
        self._reader.end_head()
        body = EMPTY
        try:
            body = self._body()
            answer = self.server.application.respond(self._call(body))
        except BadMessage as e:
            self.close_connection, body = True, EMPTY  # where the next request begins is not known
            answer = self.server.application.refuse(e.status, e.reason)
        except (Disconnected, OSError):
            raise
        except Exception as e:  # an error of ours: it is said, and stands in the log like any other answer
            self.close_connection, body = True, EMPTY
            self.server.application.warn(f"{self.command} failed: {type(e).__name__}: {str(e)!a}")
            answer = self.server.application.refuse(500, "the registry failed; its log says why")
        try:
            self._send(answer, body)
        finally:
            answer.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815

    def _body(self) -> Body:
        check_fields(self.headers, self.request_version)
        body = body_of(
            self.rfile,
            self.headers.get_all("Content-Length", []),
            self._codings(),
        )
        return AwaitedBody(body, self._proceed) if self._awaits_leave and body.size != 0 else body

    def _codings(self) -> list[str]:
        found: list[str] = self.headers.get_all("Transfer-Encoding", [])
        if found and self.request_version != "HTTP/1.1":  # RFC 9112, section 6.1
            raise BadMessage(400, "a transfer encoding, which HTTP/1.0 does not know")
        return found

    def _proceed(self) -> None:
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()

    def _call(self, body: Body) -> Call:
        path, _, query = self.path.partition("?")
        fields: dict[str, tuple[str, ...]] = {}
        try:
            for key, value in parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_FIELDS):
                fields[key] = (*fields.get(key, ()), value)
        except ValueError:
            raise BadMessage(414, f"more than {MAX_FIELDS} parameters") from None
        headers = {name.lower(): " ".join(value.split()) for name, value in self.headers.items()}
        return Call(self.command, unquote(path), body, headers, fields, peer=str(self.client_address[0]))

    def _send(self, answer: Answer, body: Body) -> None:
        if not self._is_read(body):
            self.close_connection = True
        self._writer.renew()
        try:
            self._send_head(answer)
            if self.command != "HEAD":
                self._send_body(answer.body)
            self.wfile.flush()
        finally:  # whoever leaves before the last byte has most of it, and a line in the log
            self.server.application.log(self._served(answer))
        if self.close_connection:
            self._linger()

    def _served(self, answer: Answer) -> Served:
        agent = str(self.headers.get("User-Agent", ""))
        return Served(
            method=_shown(self.command[:MAX_NAME]),
            target=_shown(self.path[:MAX_TARGET]),
            status=answer.status,
            peer=str(self.client_address[0]),
            user=answer.user,
            agent=_shown(agent[:MAX_NAME]),
            received=self._reader.received,
            sent=0 if self.command == "HEAD" else min(answer.size, self._writer.sent),
            seconds=(now := time.monotonic()) - (self._reader.begun or now),
        )

    def _is_read(self, body: Body) -> bool:
        """Whether nothing of the request's body is left on the connection."""
        if body is EMPTY:
            return True
        if isinstance(body, AwaitedBody) and not body.asked:
            return False  # nobody knows whether the client will send it
        self.server.connections.rest(self.connection)  # nobody needs what comes now
        try:
            return skip(body, MAX_UNREAD)
        except (BadMessage, Disconnected):
            return False
        finally:
            self.server.connections.work(self.connection)

    def _send_head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(answer.size))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def send_header(self, keyword: str, value: str) -> None:
        """A field of the answer. Raises `ValueError` for one that would not stay one: whoever made it has an error."""
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{keyword} cannot be sent: {value[:MAX_NAME]!a}")
        super().send_header(keyword, value)

    def _send_body(self, body: bytes | FileSlice) -> None:
        if not isinstance(body, FileSlice):
            self.wfile.write(body)
            return
        if body.size <= MAX_WHOLE:
            body.file.seek(body.offset)
            sent = self.wfile.write(body.file.read(body.size))
        else:
            self.wfile.flush()
            sent = self._writer.send_file(body)
        if sent != body.size:
            raise Disconnected("the file is shorter than the answer said")

    def _linger(self) -> None:
        """Let the client read the answer: closing with unread bytes on our side would reset the connection."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.connection, socket.SHUT_WR)
            self.connection.settimeout(1.0)
            for _ in range(64):
                if not self.connection.recv(64 * 1024):
                    return

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """What the standard library found wrong with the head of a request."""
        self.close_connection = True
        answer = self.server.application.refuse(code, (message or self.responses[code][0]).lower())
        self._send(answer, EMPTY)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: `_send` logs."""

    def version_string(self) -> str:
        """What `Server` says."""
        return "nv2"


def _shown(text: str) -> str:
    """`text` as printable ASCII."""
    return ascii(text)[1:-1]
