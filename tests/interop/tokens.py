"""A token server for CNCF Distribution: basic login in, a signed token for what was asked for out."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.world.sockets import Identity, make_identity

ISSUER, SERVICE = "the token server", "the registry"


class TokenServer:
    """`address` is `localhost:PORT`; `asked` the scopes of each request; `lifetime` in seconds."""

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self._identity: Identity = make_identity(folder, name="tokens")
        self._wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.asked: list[list[str]] = []
        self.lifetime = 300
        self.address = ""

    @property
    def auth(self) -> dict[str, object]:
        """Distribution's configuration for it."""
        realm = f"http://{self.address}/token"
        token = {"realm": realm, "service": SERVICE, "issuer": ISSUER}
        return {"token": {**token, "rootcertbundle": str(self._identity.certificate)}}

    def answer(self, query: str, authorization: str | None) -> dict[str, Any] | None:
        """The document for a request; None if it has no right to one."""
        scopes = [scope for text in parse_qs(query).get("scope", []) for scope in text.split(" ")]
        self.asked.append(scopes)
        if authorization != self._wanted:
            return None
        return {"token": self._token(scopes), "expires_in": self.lifetime}

    def _token(self, scopes: list[str]) -> str:
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        certificate = x509.load_pem_x509_certificate(self._identity.certificate.read_bytes())
        der = certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": ISSUER,
            "sub": "wabbit",
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 10,
            "exp": now + max(self.lifetime, 60),
            "jti": str(len(self.asked)),
            "access": access,
        }
        signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
        return f"{signed}.{_part(self._sign(signed.encode()))}"

    def _sign(self, data: bytes) -> bytes:
        key = serialization.load_pem_private_key(self._identity.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def serving_tokens(folder: Path, user: str, password: str) -> Iterator[TokenServer]:
    """A token server for the length of a `with`."""
    tokens = TokenServer(folder, user, password)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = tokens.answer(urlsplit(self.path).query, self.headers.get("Authorization"))
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  that is its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        tokens.address = f"localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield tokens
        finally:
            server.shutdown()
            thread.join()
