"""An OCSP responder for tests, able to misbehave.

    response(ca, about(pair))                                     # DER: good
    response(ca, about(pair, "revoked", reason=1), signed_by=delegate(ca))
    Responder(ca, answers={serial: {"said": "revoked"}})          # a function Request -> Response
    with Server(Responder(ca).script): ...                        # over a real socket (tests/world/sockets.py)

Written byte for byte, because no library makes the wrong ones.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from nv2.pki import der
from nv2.transport.interface import Request, Response
from tests.world.ca import CA, OCSP_SIGNING, Pair
from tests.world.crl import (
    Extension,
    algorithm_identifier,
    extension,
    generalized,
    integer,
    sequence,
    sign,
)
from tests.world.network import answer
from tests.world.signed import NOW
from tests.world.sockets import Received, http

THIS_UPDATE = NOW - timedelta(hours=1)
NEXT_UPDATE = NOW + timedelta(days=1)
REVOKED_AT = NOW - timedelta(days=30)
URL = "http://ocsp.wabbit-networks.io"
CONTENT_TYPE = "application/ocsp-response"

KEY_COMPROMISE, HOLD = 1, 6
UNSUCCESSFUL = {"malformedRequest": 1, "internalError": 2, "tryLater": 3, "sigRequired": 5, "unauthorized": 6}
NONCE = "1.3.6.1.5.5.7.48.1.2"
NO_CHECK = (x509.OCSPNoCheck(), False)
_INVALIDITY_DATE = "2.5.29.24"
_BASIC = bytes.fromhex("06092b0601050507300101")
_HASHES = {
    "sha1": "06052b0e03021a",
    "sha256": "0609608648016503040201",
    "sha512": "0609608648016503040203",
    "md5": "06082a864886f70d0205",
}


class About(NamedTuple):
    """One statement. `serial`, `name_hash` and `key_hash` are written instead of the right ones."""

    certificate: bytes
    said: str = "good"
    reason: int | None = None
    revoked_at: datetime = REVOKED_AT
    invalid_since: datetime | None = None
    this_update: datetime = THIS_UPDATE
    next_update: datetime | None = NEXT_UPDATE
    extensions: tuple[Extension, ...] = ()
    hash_name: str = "sha1"
    serial: int | None = None
    name_hash: bytes | None = None
    key_hash: bytes | None = None


def about(pair: Pair, said: str = "good", **fields: Any) -> About:
    """A statement about the signing certificate of `pair`."""
    return About(pair.leaf, said, **fields)


def delegate(ca: CA, name: str = "responder", **oddities: Any) -> Pair:
    """A responder that `ca` names by a certificate, whose revocation nobody need ask about."""
    told = {"eku": (OCSP_SIGNING,), "extensions": (NO_CHECK,), "key": "EC-256", **oddities}
    return ca.issue(name, **told)


def response(
    ca: CA,
    *statements: About,
    signed_by: Pair | None = None,
    key: Any = None,
    certificates: Iterable[bytes] | None = None,
    named: bytes | None = None,
    by_key: bool = False,
    produced_at: datetime = THIS_UPDATE,
    nonce: bytes | None = None,
    extensions: Iterable[Extension] = (),
    hash_name: str = "sha256",
    response_type: bytes = _BASIC,
    version: int | None = None,
    bad_signature: bool = False,
) -> bytes:
    """One answer as DER, about what `ca` issued.

    Signed by `ca`, or by the pair `signed_by`, whose certificate goes with it unless `certificates` says otherwise; `key`
    signs in its place. `named` is written as the whole ResponderID; `by_key` names the signer by its key.
    """
    given = [
        *extensions,
        *([(NONCE, False, der.write(der.OCTET_STRING, nonce))] if nonce is not None else []),
    ]
    signer = key or (signed_by.key if signed_by else ca.key)
    who = x509.load_der_x509_certificate(signed_by.leaf if signed_by else ca.certificate)
    sent = ([signed_by.leaf] if signed_by else []) if certificates is None else list(certificates)
    tbs = sequence(
        der.write(0xA0, integer(version)) if version is not None else b"",
        named if named is not None else _responder_id(who, by_key=by_key),
        generalized(produced_at),
        sequence(*(_single(ca, said) for said in statements)),
        _extensions(given),
    )
    return around(tbs, signer, sent, hash_name, response_type, bad_signature=bad_signature)


def around(
    tbs: bytes,
    key: Any,
    certificates: Iterable[bytes] = (),
    hash_name: str = "sha256",
    response_type: bytes = _BASIC,
    *,
    bad_signature: bool = False,
) -> bytes:
    """The answer whose ResponseData is `tbs`, signed by `key`."""
    signature = sign(key, tbs, hash_name)
    if bad_signature:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    sent = b"".join(certificates)
    basic = sequence(
        tbs,
        algorithm_identifier(key, hash_name),
        der.write(der.BIT_STRING, b"\0" + signature),
        der.write(0xA0, sequence(sent)) if sent else b"",
    )
    return sequence(_status(0), der.write(0xA0, sequence(response_type, der.write(der.OCTET_STRING, basic))))


def unsuccessful(code: int) -> bytes:
    """An answer that is an error."""
    return sequence(_status(code))


def _status(code: int) -> bytes:
    return der.write(der.ENUMERATED, bytes([code]))


def _responder_id(who: x509.Certificate, *, by_key: bool) -> bytes:
    if by_key:
        return der.write(0xA2, der.write(der.OCTET_STRING, hashlib.sha1(public_bits(who)).digest()))  # noqa: S324
    return der.write(0xA1, who.subject.public_bytes())


def public_bits(certificate: x509.Certificate) -> bytes:
    """What the hash of a key is made of."""
    key = certificate.public_key()
    match key:
        case ec.EllipticCurvePublicKey():
            return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        case rsa.RSAPublicKey():
            return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        case _:
            return key.public_bytes(Encoding.Raw, PublicFormat.Raw)  # type: ignore[union-attr]


def _single(ca: CA, said: About) -> bytes:
    found = x509.load_der_x509_certificate(said.certificate)
    issuer = x509.load_der_x509_certificate(ca.certificate)
    name_hash = said.name_hash or hashlib.new(said.hash_name, issuer.subject.public_bytes()).digest()
    key_hash = said.key_hash or hashlib.new(said.hash_name, public_bits(issuer)).digest()
    identifier = sequence(
        sequence(bytes.fromhex(_HASHES[said.hash_name]), b"\x05\x00"),
        der.write(der.OCTET_STRING, name_hash),
        der.write(der.OCTET_STRING, key_hash),
        integer(found.serial_number if said.serial is None else said.serial),
    )
    since = [(_INVALIDITY_DATE, False, generalized(said.invalid_since))] if said.invalid_since else []
    return sequence(
        identifier,
        _said(said),
        generalized(said.this_update),
        der.write(0xA0, generalized(said.next_update)) if said.next_update else b"",
        _extensions([*said.extensions, *since]),
    )


def _said(said: About) -> bytes:
    if said.said != "revoked":
        return {"good": b"\x80\x00", "unknown": b"\x82\x00"}[said.said]
    reason = (
        der.write(0xA0, der.write(der.ENUMERATED, bytes([said.reason]))) if said.reason is not None else b""
    )
    return der.write(0xA1, generalized(said.revoked_at) + reason)


def _extensions(given: list[Extension]) -> bytes:
    return der.write(0xA1, sequence(*map(extension, given))) if given else b""


class Responder:
    """Answers for `ca`, by GET and POST: good, or what `answers` says of a serial number in the words of `About`.

    `how` are the words of `response`; `body` is sent in place of every answer. The nonce of a request comes back.
    """

    def __init__(
        self,
        ca: CA,
        answers: Mapping[int, Mapping[str, Any]] | None = None,
        *,
        status: int = 200,
        content_type: str = CONTENT_TYPE,
        body: bytes | None = None,
        nonce: bool = True,
        **how: Any,
    ) -> None:
        self.ca, self.answers, self.how = ca, dict(answers or {}), how
        self.status, self.content_type, self.body, self.nonce = status, content_type, body, nonce
        self.asked: list[int] = []
        """Serial numbers, in order."""

    def __call__(self, request: Request) -> Response:
        stream = request.body() if request.body else io.BytesIO()
        with stream:
            body = self.answer(request.method, request.url, stream.read())
        return answer(request, self.status, body, {"Content-Type": self.content_type})

    def script(self, received: Received) -> bytes:
        """For `tests.world.sockets.Server`."""
        body = self.answer(received.method, received.target, received.body)
        return http(self.status, body, Content_Type=self.content_type)

    def answer(self, method: str, url: str, body: bytes) -> bytes:
        """The bytes of the answer to one question."""
        question = (
            base64.b64decode(unquote(urlsplit(url).path.rpartition("/")[2])) if method == "GET" else body
        )
        return self.body if self.body is not None else self.answer_to(question)

    def answer_to(self, question: bytes) -> bytes:
        """The answer to an OCSPRequest."""
        asked = ocsp.load_der_ocsp_request(question)
        self.asked.append(asked.serial_number)
        sent = [found.value.nonce for found in asked.extensions if isinstance(found.value, x509.OCSPNonce)]
        fields = {"serial": asked.serial_number, "hash_name": asked.hash_algorithm.name}
        # The certificate gives nothing but a serial number here, which is the one that was asked for.
        said = About(self.ca.certificate, **{**fields, **self.answers.get(asked.serial_number, {})})
        how = {"nonce": sent[0] if sent and self.nonce else None, **self.how}
        return response(self.ca, said, **how)
