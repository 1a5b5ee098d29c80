"""Starting and stopping the embedded registry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from nv2.server.connections import MOST, Connections
from nv2.server.listener import END_GRACE, Listener
from nv2.server.loopback import check_address
from nv2.server.messages import Application, Layer, Served, layered
from nv2.server.registry import routes
from nv2.server.registry.admission import Admission, Judge
from nv2.server.registry.limits import Limits
from nv2.server.registry.storage import Storage
from nv2.server.tls import ServerCertificate

Judges = Callable[[str], Callable[[], Judge]]
"""Given the registry's address, who says which judge decides at this time."""


class RunningRegistry:
    """A registry that listens; as a context manager it is closed at the end."""

    def __init__(self, listener: Listener, storage: Storage, grace: float = END_GRACE) -> None:
        self._listener = listener
        self._storage = storage
        self._grace = grace
        self._closed = False

    @property
    def address(self) -> str:
        """`localhost:PORT`: what references to it begin with."""
        return self._listener.name

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    def close(self) -> None:
        """Accept no more, let requests under way finish, and let go of the directory. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        self._listener.stop(self._grace)
        self._storage.close()

    def __enter__(self) -> RunningRegistry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    directory: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    log: Callable[[str], None] | None = None,
    *,
    warn: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    layers: Sequence[Layer] = (),
    observers: Sequence[Callable[[Served], None]] = (),
    certificate: ServerCertificate | None = None,
    public: bool = False,
    connections: int = MOST,
    grace: float = END_GRACE,
    judges: Judges | None = None,
) -> RunningRegistry:
    """Serve the registry in `directory`, which is made if it is not there, until it is closed.

    `host` is a loopback address or `localhost`, `port` 0 takes any that is free. `log` is given one line per
    request, `warn` (by default `log`) one per failure of the registry itself. `layers` stand before it, the first
    outermost. `observers` are told of each request when it was answered, from several threads. With a `certificate`
    it speaks TLS; `public` lets it listen where other machines can reach it, and then whoever says so sees to a login.
    At most `connections` are open at a time; requests under way have `grace` seconds when it is closed. With `judges`,
    tags are set only on what they do not refuse. Raises
    `UsageError` for an address or a directory that cannot be, `ConfigurationError` if its index cannot be used,
    `EnvironmentFailure` if the machine refuses.
    """
    tell, complain = _one_at_a_time(log or _silence), _one_at_a_time(warn or log or _silence)
    check_address(host, port, public=public)  # before a directory is made
    storage = Storage(directory, limits)
    try:
        respond = layered(lambda call: routes.respond(storage, call, complain), layers)
        seen = (*observers, lambda served: tell(f"{served.method} {served.target} {served.status}"))
        application = Application(respond, routes.refuse, partial(_tell_all, seen), complain)
        places = Connections(connections)
        listener = Listener(host, port, application, places, certificate=certificate, public=public)
        storage.admission = _admission(listener, judges) if judges else None
    except BaseException:
        storage.close()
        raise
    listener.start()
    return RunningRegistry(listener, storage, grace)


def _admission(listener: Listener, judges: Judges) -> Admission:
    try:
        return Admission(judges(listener.name))
    except BaseException:
        listener.server_close()
        raise


def _tell_all(observers: Sequence[Callable[[Served], None]], served: Served) -> None:
    for observer in observers:
        observer(served)


def _one_at_a_time(tell: Callable[[str], None]) -> Callable[[str], None]:
    """`tell`, so that the threads of several connections do not mix their lines."""
    lock = threading.Lock()

    def told(line: str) -> None:
        with lock:
            tell(line)

    return told


def _silence(_line: str) -> None:
    """The log of those who want none."""
