"""A server on loopback that says exactly the bytes it is told: for what only real sockets show."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Received(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Received], bytes | Iterator[bytes] | None]
"""The bytes to answer with, at once or piece by piece; None closes the connection without a word, `Reset` cuts it."""


class Reset(Exception):
    """Cut the connection as a crashed machine or a firewall does, after `sent`."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__()
        self.sent = sent


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer in HTTP/1.1; underscores in header names are hyphens."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Server:
    """Answers by `script`; counts connections and keeps requests."""

    def __init__(
        self, script: Script, context: ssl.SSLContext | None = None, *, one_each: bool = False
    ) -> None:
        self._script = script
        self._context = context
        self._one_each = one_each
        """Close each connection after one answer, without saying so."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.ended = 0
        """Connections that are over."""
        self._counting = threading.Lock()
        self.requests: list[Received] = []
        self.closed_one = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """Its address without a slash at the end."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Accept nobody any more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # closing it would not wake the thread that accepts
        self._accepting.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while request := _receive(stream):
                    self.requests.append(request)
                    try:
                        answer = self._script(request)
                    except Reset as reset:
                        connection.sendall(reset.sent)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        break
                    if answer is None:
                        break
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        connection.sendall(piece)
                    if self._one_each:
                        break
        with self._counting:
            self.ended += 1
        self.closed_one.set()


def _receive(stream: BinaryIO) -> Received | None:
    lines: list[str] = []
    while (line := stream.readline().strip()) or not lines:
        if not line:
            return None
        lines.append(line.decode("latin-1"))
        if len(lines) == 1 and not line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
            return Received("", "", {}, line)
    method, target, _ = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    body = stream.read(int(headers.get("Content-Length", 0)))
    return Received(method, target, {k.lower(): v for k, v in headers.items()}, body)


@contextlib.contextmanager
def serving(
    script: Script, context: ssl.SSLContext | None = None, *, one_each: bool = False
) -> Iterator[Server]:
    """A server for the length of a `with`."""
    server = Server(script, context, one_each=one_each)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 where a connection is refused, and that nobody else is given for the length of the `with`.

    Whoever listens there with `SO_REUSEADDR`, as servers do, gets it all the same.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Identity(NamedTuple):
    """A self-signed certificate for an address and its key, in PEM files."""

    certificate: Path
    key: Path

    def server_context(self, *, clients: Path | None = None) -> ssl.SSLContext:
        """A server's context; `clients` is the certificate that clients must have."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def make_identity(
    directory: Path, address: str = "127.0.0.1", name: str = "server", *, names: Iterable[str] = ()
) -> Identity:
    """A certificate that is valid today for `address` and the `names`."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    number = x509.IPAddress(ipaddress.ip_address(address))
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([number, *map(x509.DNSName, names)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    found = Identity(directory / f"{name}.crt", directory / f"{name}.key")
    found.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    found.key.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return found
