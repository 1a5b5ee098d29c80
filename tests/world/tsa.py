"""A timestamping authority for tests (RFC 3161), able to misbehave. It writes its own ASN.1.

clock = TSA("Clock")
clock.token(signature)                # a good token
clock.token(signature, ess=())        # one without signing-certificate attributes
FunctionTransport(clock.answer)       # the same over a transport; `clock.how` says how to misbehave
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from nv2.pki import der
from nv2.transport.interface import Request, Response
from tests.world.ca import CA, TIME_STAMPING, Pair

STAMPED_AT = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)

SEQUENCE, SET, INTEGER, OCTETS, NULL = 0x30, 0x31, 0x02, 0x04, b"\x05\x00"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (
    "1.2.840.113549.1.9.3",
    "1.2.840.113549.1.9.4",
    "1.2.840.113549.1.9.5",
)
ESS_V1, ESS_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
TST_INFO, DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.1"
SOME_POLICY = "1.3.6.1.4.1.99999.1"

HASH_OIDS = {
    "sha1": "1.3.14.3.2.26",
    "md5": "1.2.840.113549.2.5",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_HASHES: dict[str, Any] = {
    "sha1": hashes.SHA1,
    "md5": hashes.MD5,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_ECDSA = {
    "sha1": "1.2.840.10045.4.1",
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}


def tlv(tag: int, *parts: bytes) -> bytes:
    """An element in DER."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def indefinite(tag: int, *parts: bytes) -> bytes:
    """An element of indefinite length (BER)."""
    return bytes((tag, 0x80)) + b"".join(parts) + b"\0\0"


def in_parts(data: bytes, size: int = 7) -> bytes:
    """An OCTET STRING in parts (BER), of indefinite length."""
    return indefinite(0x24, *(tlv(OCTETS, data[at : at + size]) for at in range(0, len(data), size)))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tlv(0x06, bytes(content))


def integer(number: int) -> bytes:
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def hash_algorithm(name: str) -> bytes:
    return tlv(SEQUENCE, oid(HASH_OIDS[name]), NULL)


def attribute(kind: str, *values: bytes) -> bytes:
    return tlv(SEQUENCE, oid(kind), tlv(SET, *values))


def as_time(instant: datetime, fraction: str = "") -> bytes:
    return tlv(0x18, f"{instant:%Y%m%d%H%M%S}{fraction}Z".encode())


class TSA:
    """An authority with a root of its own, or below `authority`. `oddities` are those of its certificate."""

    def __init__(
        self, name: str = "Clock", key: str = "EC-256", *, authority: CA | None = None, **oddities: Any
    ) -> None:
        self.authority = authority or CA(name)
        told = {"eku": (TIME_STAMPING,), "eku_critical": True, **oddities}
        self.pair: Pair = self.authority.issue(f"{name} TSA", key, **told)
        self.how: dict[str, Any] = {}
        """How `answer` misbehaves: keyword arguments of `reply` and `token`."""
        self.requests: list[bytes] = []

    @property
    def root(self) -> bytes:
        return self.pair.root

    def token(self, data: bytes, **how: Any) -> bytes:
        """A token for `data`; `how` are keyword arguments of `token` below."""
        return token(self.pair, data, **how)

    def reply(
        self,
        request: bytes,
        *,
        status: int = 0,
        texts: tuple[str, ...] = (),
        failure: bytes | None = None,
        with_token: bool | None = None,
        spoil: Callable[[bytes], bytes] = lambda reply: reply,
        **how: Any,
    ) -> bytes:
        """The reply to a TimeStampReq."""
        stamped = {**read_request(request), **how}
        said = (tlv(SEQUENCE, *(tlv(0x0C, text.encode()) for text in texts)),) if texts else ()
        failed = (tlv(0x03, failure),) if failure else ()
        info = tlv(SEQUENCE, integer(status), *said, *failed)
        granted = status in (0, 1) if with_token is None else with_token
        return spoil(tlv(SEQUENCE, info, token(self.pair, b"", **stamped) if granted else b""))

    def answer(self, request: Request) -> Response:
        """As a function of the network."""
        assert request.body is not None
        self.requests.append(request.body().read())
        headers = {"content-type": "application/timestamp-reply"}
        return Response(200, headers, io.BytesIO(self.reply(self.requests[-1], **self.how)), request)


def read_request(request: bytes) -> dict[str, Any]:
    """What a TimeStampReq asks for, as keyword arguments of `token`. One without nonce or certReq is nobody's."""
    _, imprint, nonce, certificates = der.children(der.single(request, SEQUENCE))
    assert der.boolean(certificates)
    algorithm, hashed = der.items(imprint)
    wanted = der.items(algorithm)[0].raw
    (name,) = (name for name, dotted in HASH_OIDS.items() if oid(dotted) == wanted)
    return {"hash": name, "imprint": hashed.content, "nonce": der.integer(nonce)}


def token(
    pair: Pair,
    data: bytes,
    *,
    at: datetime = STAMPED_AT,
    hash: str = "sha256",  # noqa: A002  that is the word
    imprint: bytes | None = None,
    digest: str = "sha256",
    padding_: str = "PKCS1",
    ber: str = "",
    certificates: tuple[bytes, ...] | None = None,
    crls: tuple[bytes, ...] = (),
    content_type: str = TST_INFO,
    signed_version: int = 3,
    signer_version: int | None = None,
    signers: int = 1,
    sid: str = "issuer",
    announced: tuple[str, ...] | None = None,
    unsigned: bytes = b"",
    content: bytes | None = None,
    spoil_signature: bool = False,
    **how: Any,
) -> bytes:
    """A timestamp token; every argument is a way to make a wrong one. `how` are those of `tst_info` and `attributes`.

    `ber` is `indefinite` (lengths), `parts` (the content as well), or empty for DER.
    """
    about = {name: how.pop(name) for name in _INFO if name in how}
    if content is None:
        stamped = hashlib.new(hash, data).digest() if imprint is None else imprint
        content = tst_info(hash, stamped, at, **about)
    unordered = how.pop("unordered", False)
    listed = attributes(pair, content, digest, **how)
    signed = tlv(SET, *sorted(listed))
    if not unordered:
        listed = sorted(listed)
    algorithm, signature = _sign(pair.key, signed, digest, padding_)
    if spoil_signature:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    leaf = x509.load_der_x509_certificate(pair.leaf)
    by_name = tlv(SEQUENCE, leaf.issuer.public_bytes(), integer(leaf.serial_number))
    identifier = by_name if sid == "issuer" else tlv(0x80, _key_identifier(leaf))
    version = signer_version or (1 if sid == "issuer" else 3)
    octets = in_parts if ber == "parts" else lambda data: tlv(OCTETS, data)
    wrap = indefinite if ber else tlv
    signer = tlv(
        SEQUENCE,
        integer(version),
        identifier,
        hash_algorithm(digest),
        wrap(0xA0, *listed) if listed or how.get("keep_empty") else b"",
        algorithm,
        octets(signature),
        unsigned,
    )
    beside = pair.chain[:-1] if certificates is None else certificates
    body = (
        integer(signed_version),
        tlv(SET, *(hash_algorithm(name) for name in (announced or (digest,)))),
        wrap(SEQUENCE, oid(content_type), wrap(0xA0, octets(content))),
        wrap(0xA0, *beside) if beside else b"",
        tlv(0xA1, *crls) if crls else b"",
        tlv(SET, *[signer] * signers),
    )
    return wrap(SEQUENCE, oid("1.2.840.113549.1.7.2"), wrap(0xA0, wrap(SEQUENCE, *body)))


_INFO = ("policy", "version", "serial", "fraction", "accuracy", "nonce", "extensions", "more", "time")


def tst_info(
    hash_name: str,
    imprint: bytes,
    at: datetime,
    *,
    policy: str = SOME_POLICY,
    version: int = 1,
    serial: int = 7,
    fraction: str = "",
    accuracy: bytes | tuple[int, int, int] | None = (1, 0, 0),
    nonce: int | None = None,
    extensions: tuple[tuple[str, bool], ...] = (),
    time: bytes | None = None,
    more: bytes = b"",
) -> bytes:
    """TSTInfo; `accuracy` is seconds, milliseconds and microseconds, or the bytes of the field."""
    if isinstance(accuracy, tuple):
        numbers = zip((INTEGER, 0x80, 0x81), accuracy, strict=True)
        accuracy = tlv(SEQUENCE, *(tlv(tag, integer(n)[2:]) for tag, n in numbers if n))
    extended = (
        tlv(SEQUENCE, oid(kind), tlv(0x01, b"\xff") if critical else b"", tlv(OCTETS, NULL))
        for kind, critical in extensions
    )
    return tlv(
        SEQUENCE,
        integer(version),
        oid(policy),
        tlv(SEQUENCE, hash_algorithm(hash_name), tlv(OCTETS, imprint)),
        integer(serial),
        time or as_time(at, fraction),
        accuracy or b"",
        b"" if nonce is None else integer(nonce),
        tlv(0xA1, *extended) if extensions else b"",
        more,
    )


def attributes(
    pair: Pair,
    content: bytes,
    digest: str,
    *,
    ess: tuple[str, ...] = (ESS_V2,),
    ess_leaf: bytes | None = None,
    ess_hash: str | None = None,
    ess_serial: bool = True,
    ess_issuer_of: bytes | None = None,
    said_type: str = TST_INFO,
    said_digest: bytes | None = None,
    signing_time: datetime | None = None,
    without: tuple[str, ...] = (),
    further: tuple[bytes, ...] = (),
    keep_empty: bool = False,
) -> list[bytes]:
    """Signed attributes, in no order."""
    named = ess_leaf or pair.leaf
    issuer_and_serial = (_issuer_serial(ess_issuer_of or named),) if ess_serial else ()
    found = {
        CONTENT_TYPE: oid(said_type),
        MESSAGE_DIGEST: tlv(OCTETS, said_digest or hashlib.new(digest, content).digest()),
    }
    if signing_time is not None:
        found[SIGNING_TIME] = tlv(0x17, f"{signing_time:%y%m%d%H%M%S}Z".encode())
    for kind in ess:
        name = ess_hash or ("sha1" if kind == ESS_V1 else "sha256")
        explicit = (hash_algorithm(name),) if kind == ESS_V2 and ess_hash else ()
        thumbprint = tlv(OCTETS, hashlib.new(name, named).digest())
        identifier = tlv(SEQUENCE, *explicit, thumbprint, *issuer_and_serial)
        found[kind] = tlv(SEQUENCE, tlv(SEQUENCE, identifier))
    return [*(attribute(kind, value) for kind, value in found.items() if kind not in without), *further]


def _issuer_serial(certificate: bytes) -> bytes:
    parsed = x509.load_der_x509_certificate(certificate)
    names = tlv(SEQUENCE, tlv(0xA4, parsed.issuer.public_bytes()))
    return tlv(SEQUENCE, names, integer(parsed.serial_number))


def _key_identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _sign(key: Any, data: bytes, digest: str, kind: str) -> tuple[bytes, bytes]:
    """AlgorithmIdentifier and signature. `kind` is, for RSA keys, PKCS1, named (sha256WithRSA) or PSS."""
    hash_ = _HASHES[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return tlv(SEQUENCE, oid(_ECDSA[digest])), key.sign(data, ec.ECDSA(hash_))
    assert isinstance(key, rsa.RSAPrivateKey)
    if kind.startswith("PSS"):
        other = "sha384" if kind == "PSS-other" else digest
        parameters = tlv(
            SEQUENCE,
            tlv(0xA0, hash_algorithm(other)),
            tlv(0xA1, tlv(SEQUENCE, oid("1.2.840.113549.1.1.8"), hash_algorithm(other))),
            tlv(0xA2, integer(hash_.digest_size)),
        )
        how = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
        return tlv(SEQUENCE, oid("1.2.840.113549.1.1.10"), parameters), key.sign(data, how, hash_)
    name = "1.2.840.113549.1.1.11" if kind == "named" else "1.2.840.113549.1.1.1"
    return tlv(SEQUENCE, oid(name), NULL), key.sign(data, padding.PKCS1v15(), hash_)


@contextmanager
def serving(clock: TSA) -> Iterator[str]:
    """`clock` on loopback, over HTTP. Gives its URL. What it stamps is stamped now, unless `clock.how` says otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            clock.requests.append(asked)
            now = datetime.now(UTC).replace(microsecond=0)
            reply = clock.reply(asked, **{"at": now, **clock.how})
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  inherited
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
