"""A listening socket, in the clear or with TLS, with a thread per connection.

What this module does not do: know who may come. Whoever listens where other machines can reach it puts a login before
the application (`server.access`).
"""

from __future__ import annotations

import errno
import socket
import socketserver
import ssl
import sys
import threading
import time
from typing import Any

from nv2.errors import EnvironmentFailure
from nv2.server.connections import Connections
from nv2.server.conversation import Conversation
from nv2.server.loopback import check_address
from nv2.server.messages import Application, Disconnected
from nv2.server.tls import ServerCertificate

PAUSE = 0.5
"""Seconds before the next try when no file may be opened any more."""

END_GRACE = 5.0
"""Seconds for requests under way when the listener ends."""


class Listener(socketserver.ThreadingTCPServer):
    """A listening socket with a thread per connection."""

    daemon_threads = True
    block_on_close = False  # `Connections.end` waits, with a limit
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        application: Application,
        connections: Connections | None = None,
        *,
        certificate: ServerCertificate | None = None,
        public: bool = False,
    ) -> None:
        """Listen on `host`, a loopback address or `localhost` unless `public`, and `port`, 0 for any that is free.

        With a `certificate` it speaks TLS. Raises `UsageError` for any other address, `EnvironmentFailure` if the
        port cannot be had.
        """
        address = check_address(host, port, public=public)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.application = application
        self.connections = connections or Connections()
        self.certificate = certificate
        try:
            super().__init__((address, port), Conversation)
        except OSError as e:
            raise _cannot_listen(e, address, port) from None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self.server_address[1])

    @property
    def name(self) -> str:
        """`localhost:PORT`, or the address itself where `localhost` is not what listens."""
        host = str(self.server_address[0])
        if host == "127.0.0.1":  # of `::1` not every machine knows that it is called so, too
            return f"localhost:{self.port}"
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def start(self) -> None:
        """Accept connections, in a thread of its own."""
        self._thread.start()

    def stop(self, grace: float = END_GRACE) -> None:
        """Accept no more, let requests under way finish for `grace` seconds, and free the port."""
        self.shutdown()
        self.server_close()
        self.connections.end(grace)
        self._thread.join(grace)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; keys are agreed on later, in its own thread, so that nobody else waits for it."""
        connection, address = self._accepted()
        if self.certificate:
            connection = self.certificate.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def _accepted(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as e:
            if e.errno in (errno.EMFILE, errno.ENFILE):
                # The connection stays in the queue, and would be asked for again and again.
                self.application.warn(f"a connection waits: {(e.strerror or '').lower()}")
                time.sleep(PAUSE)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a conversation, unless there are too many already."""
        if self.connections.admit(request):
            super().process_request(request, client_address)
            return
        self.application.warn("turned a connection away: too many are open")
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """The end of a conversation, however it came."""
        self.connections.leave(request)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """A conversation ended by an exception: one line, and everybody else is served on."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError, Disconnected, ssl.SSLError)):
            self.application.warn(f"a connection failed: {type(error).__name__}: {str(error)!a}")


def _cannot_listen(error: OSError, address: str, port: int) -> EnvironmentFailure:
    if error.errno == errno.EADDRINUSE:
        return EnvironmentFailure(
            f"port {port} is in use", at=address, hint="choose another port, or 0 for any that is free"
        )
    return EnvironmentFailure(f"cannot listen on port {port}: {error.strerror}", at=address)
