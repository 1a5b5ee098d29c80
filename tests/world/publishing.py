"""A network on which authorities publish: by address, the bytes to serve, or what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from nv2.errors import Nv2Error, Unreachable
from nv2.transport.interface import Request, Response
from tests.world.ca import CA, Pair
from tests.world.network import FunctionTransport, answer

Service = bytes | int | Nv2Error | Callable[[Request], Response]
"""A body, a status, a failure, or whatever answers."""


class Publishing(FunctionTransport):
    """Serves what is published; whoever asks for anything else finds nobody. A responder answers for all paths below its own."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        super().__init__(self._serve)
        self.services = dict(services)

    @property
    def asked(self) -> list[str]:
        """The services that were asked, in order."""
        return [self._service(request.url) for request in self.requests]

    def _serve(self, request: Request) -> Response:
        service = self.services.get(self._service(request.url))
        match service:
            case None:
                raise Unreachable("the connection was refused", at=request.place)
            case bytes():
                return answer(request, 200, service)
            case int():
                return answer(request, service)
            case Nv2Error():
                raise service
        return service(request)

    def _service(self, url: str) -> str:
        return next((known for known in self.services if url == known or url.startswith(f"{known}/")), url)


def ocsp_answer(
    ca: CA,
    certificate: bytes,
    now: datetime,
    *,
    revoked: bool = False,
    unknown: bool = False,
    life: timedelta = timedelta(days=1),
    by: Pair | None = None,
    hash_: hashes.HashAlgorithm | None = None,
) -> bytes:
    """What a well-behaved responder says about `certificate`, which `ca` has issued.

    `by` is a delegated responder; a `life` that is negative makes an answer that has expired.
    """
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    status = ocsp.OCSPCertStatus.UNKNOWN if unknown else status
    signer = x509.load_der_x509_certificate(by.leaf if by else ca.certificate)
    start = now - timedelta(hours=1) + min(life, timedelta())
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            x509.load_der_x509_certificate(certificate),
            x509.load_der_x509_certificate(ca.certificate),
            hash_ or hashes.SHA1(),  # noqa: S303  it only names the issuer
            status,
            start,
            start + timedelta(minutes=30) if life < timedelta() else now + life,
            start if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    )
    if by:
        builder = builder.certificates([signer])
    return builder.sign(by.key if by else ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
