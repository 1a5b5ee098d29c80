"""The embedded registry's function `Call -> Answer`, carried by the listener of nv2 and by server libraries of others.

    python -m benchmarks.server_candidates NAME DIRECTORY    # prints the port, serves until it is ended

The libraries are no dependencies of nv2; `servers.py` says how to get them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from nv2.server.messages import Answer, Call, Disconnected, FileSlice
from nv2.server.registry import routes, serve
from nv2.server.registry.storage import Storage

PIECE = 256 * 1024


def _say(port: int) -> None:
    print(port, flush=True)


def ours(directory: Path) -> None:
    """The listener of nv2: threads and the standard library's parser of heads."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with serve(directory) as running:
        _say(running.port)
        ended.wait()


class _Input:
    def __init__(self, stream: Any, size: int | None) -> None:
        self.size, self._stream, self._left = size, stream, size

    def read(self, size: int) -> bytes:
        data = bytes(self._stream.read(size if self._left is None else min(size, self._left)))
        if self._left is not None:
            if self._left and not data:
                raise Disconnected("the body ended early")
            self._left -= len(data)
        return data


def _query(text: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in parse_qs(text, keep_blank_values=True).items()}


def _pieces(body: FileSlice) -> Iterator[bytes]:
    with body.file as file:
        file.seek(body.offset)
        left = body.size
        while left and (data := file.read(min(PIECE, left))):
            left -= len(data)
            yield data


def _wsgi(directory: Path) -> Callable[..., Any]:
    storage = Storage(directory)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        length = environ.get("CONTENT_LENGTH")
        size = int(length) if length else None if "transfer-encoding" in headers else 0
        path = environ["PATH_INFO"].encode("latin-1").decode()
        body = _Input(environ["wsgi.input"], size)
        call = Call(environ["REQUEST_METHOD"], path, body, headers, _query(environ.get("QUERY_STRING", "")))
        answer = routes.respond(storage, call, print)
        start(
            f"{answer.status} .", [*map(tuple, answer.headers.items()), ("Content-Length", str(answer.size))]
        )
        if call.method == "HEAD":
            answer.close()
            return []
        return _pieces(answer.body) if isinstance(answer.body, FileSlice) else [answer.body]

    return application


def cheroot(directory: Path) -> None:
    """cheroot: threads, WSGI."""
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), _wsgi(directory), numthreads=32)
    server.prepare()
    _say(server.bind_addr[1])
    server.serve()


def granian_wsgi(directory: Path) -> None:
    """granian with its own process for the work, WSGI."""
    _granian(directory, "wsgi")


def granian_rsgi(directory: Path) -> None:
    """granian with its own process for the work, RSGI: its way of sending files."""
    _granian(directory, "rsgi")


def _granian(directory: Path, interface: str) -> None:
    import socket

    from granian import Granian
    from granian.constants import Interfaces

    with socket.socket() as probe:  # it cannot say which port it took, so one is looked for before
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kind = Interfaces.WSGI if interface == "wsgi" else Interfaces.RSGI
    more = {"blocking_threads": 32} if interface == "wsgi" else {}
    server = Granian("application", port=port, interface=kind, log_enabled=False, **more)
    _say(port)
    server.serve(target_loader=lambda _: _wsgi(directory) if interface == "wsgi" else _rsgi(directory))


class _Bridge:
    """A body that arrives in an event loop and is read in a thread."""

    def __init__(self, size: int | None, following: Callable[[], Any], loop: Any) -> None:
        self.size, self._following, self._loop, self._rest = size, following, loop, b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = asyncio.run_coroutine_threadsafe(self._following(), self._loop).result()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _rsgi(directory: Path) -> Any:
    storage = Storage(directory)
    pool = concurrent.futures.ThreadPoolExecutor(32)

    async def application(scope: Any, protocol: Any) -> None:
        headers = dict(scope.headers.items())
        length = headers.get("content-length")
        size = int(length) if length else None if "transfer-encoding" in headers else 0
        loop = asyncio.get_running_loop()
        chunks = protocol.__aiter__()

        async def following() -> bytes:
            try:
                return bytes(await chunks.__anext__())
            except StopAsyncIteration:
                return b""

        body = _Bridge(size, following, loop)
        call = Call(scope.method, unquote(scope.path), body, headers, _query(scope.query_string))
        if size == 0:  # in its favour: what reads only may hold up the loop
            answer = routes.respond(storage, call, print)
        else:
            answer = await loop.run_in_executor(pool, routes.respond, storage, call, print)
        told = [*answer.headers.items(), ("content-length", str(answer.size))]
        if isinstance(answer.body, FileSlice) and call.method != "HEAD":
            first, last = answer.body.offset, answer.body.offset + answer.body.size
            protocol.response_file_range(answer.status, told, str(answer.body.file.name), first, last)
        elif call.method == "HEAD":
            protocol.response_empty(answer.status, told)
        else:
            protocol.response_bytes(answer.status, told, answer.body)  # type: ignore[arg-type]
        answer.close()

    return application


def uvicorn(directory: Path) -> None:
    """uvicorn with httptools and uvloop, ASGI."""
    import uvicorn as library

    storage = Storage(directory)
    pool = concurrent.futures.ThreadPoolExecutor(32)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length")
        size = int(length) if length else None if "transfer-encoding" in headers else 0
        loop = asyncio.get_running_loop()
        ended = False

        async def following() -> bytes:
            nonlocal ended
            while not ended:
                message = await receive()
                ended = not message.get("more_body")
                if data := message.get("body", b""):
                    return bytes(data)
            return b""

        body = _Bridge(size, following, loop)
        call = Call(scope["method"], scope["path"], body, headers, _query(scope["query_string"].decode()))
        if size == 0:
            answer = routes.respond(storage, call, print)
        else:
            answer = await loop.run_in_executor(pool, routes.respond, storage, call, print)
        await _asgi_send(answer, call, send)

    class Server(library.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            _say(self.servers[0].sockets[0].getsockname()[1])

    Server(library.Config(application, port=0, log_level="error", http="httptools", loop="uvloop")).run()


async def _asgi_send(answer: Answer, call: Call, send: Any) -> None:
    told = [(k.lower().encode(), v.encode()) for k, v in answer.headers.items()]
    told.append((b"content-length", str(answer.size).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": told})
    if isinstance(answer.body, FileSlice) and call.method != "HEAD":
        for data in _pieces(answer.body):
            await send({"type": "http.response.body", "body": data, "more_body": True})
    elif not isinstance(answer.body, FileSlice) and call.method != "HEAD":
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    answer.close()
    await send({"type": "http.response.body", "body": b""})


CANDIDATES: dict[str, Callable[[Path], None]] = {
    "nv2": ours,
    "cheroot": cheroot,
    "granian-wsgi": granian_wsgi,
    "granian-rsgi": granian_rsgi,
    "uvicorn": uvicorn,
}

if __name__ == "__main__":
    CANDIDATES[sys.argv[1]](Path(sys.argv[2]))
