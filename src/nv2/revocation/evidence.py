"""Asking for OCSP answers and CRLs: bounded requests, and one answer for everybody who wants the same.

A stranger chose the addresses (whoever issued the certificate), so that requests carry no credentials and never go to
link-local addresses. What this module does not do: judge what comes, beyond whose CRL it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nv2.errors import BadAnswer, RemoteError
from nv2.pki.certificate_status import MAX_CRL, MAX_RESPONSE
from nv2.transport.interface import AddressRule, Request

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.pki.crl import Crl
    from nv2.revocation.caches import CrlCache
    from nv2.transport.interface import Pending, Transport

    KeptCrl = tuple[Crl, Crl | None]
    """A CRL and its delta."""

OCSP_TIMEOUT = 2.0
"""Seconds for an OCSP answer, all in all ("OCSP Download")."""

CRL_HEAD_TIMEOUT = 5.0
"""Seconds until a CRL begins to come ("CRL Download"). A small one, up to 64 KiB, is there by then as a whole."""

CRL_TIMEOUT = 60.0
"""Seconds for a whole CRL. The 42 MB of a million entries take 34 over a line of 10 Mbit/s; the 5 of the
specification would refuse them below 67 Mbit/s."""

T = TypeVar("T")

NewLock = Callable[[], AbstractContextManager[Any]]
"""`threading.Lock`, where several threads ask."""


class Asked(Generic[T]):
    """Something that was asked. Whoever wants it first waits for the answer and reads it, for all."""

    def __init__(self, pending: Pending | RemoteError, read: Callable[[bytes], T], lock: NewLock) -> None:
        self._pending: Pending | RemoteError | None = pending
        self._read = read
        self._lock = lock()
        self._found: T | None = None
        self._error: RemoteError | None = None

    def get(self) -> T:
        """Wait for the answer. Raises `RemoteError`, the same each time."""
        with self._lock:
            if self._pending is not None:
                self._settle(self._pending)
                self._pending = None
        if self._found is None:
            raise self._error or BadAnswer("no answer")
        return self._found

    def _settle(self, pending: Pending | RemoteError) -> None:
        try:
            if isinstance(pending, RemoteError):
                raise pending
            response = pending.response()
            if response.status != 200:
                response.discard()
                raise BadAnswer(f"answered {response.status}", at=response.request.place)
            self._found = self._read(response.data())
        except RemoteError as e:
            # What led to it holds on to all that was read.
            e.__context__ = None
            self._error = e.with_traceback(None)


class Evidence:
    """What was asked in a run. Safe for threads, given real locks."""

    def __init__(self, new_lock: NewLock) -> None:
        self._new_lock = new_lock
        self._lock = new_lock()
        self._asked: dict[tuple[str, bytes], Asked[Any]] = {}
        self._kept: dict[str, KeptCrl | None] = {}

    def ocsp(self, transport: Transport, url: str, request: bytes) -> Asked[bytes]:
        """Begin to ask the responder at `url`; return at once."""
        return self._ask((url, request), transport, lambda: ocsp_request(url, request), bytes)

    def crl(self, transport: Transport, url: str, issuer: Certificate) -> Asked[Crl]:
        """Begin to ask for the CRL of `issuer` at `url`; return at once."""
        key = url, b"CRL of " + issuer.der
        return self._ask(key, transport, lambda: crl_request(url), partial(_crl_of, issuer))

    def kept_crl(self, url: str, cache: CrlCache | None) -> KeptCrl | None:
        """What `cache` has for `url`, read once in a run; None if there is nothing, or nothing that can be read."""
        with self._lock:
            if url not in self._kept:
                self._kept[url] = _load(url, cache) if cache else None
            return self._kept[url]

    def keep(self, url: str, base: Crl, delta: Crl | None, cache: CrlCache | None) -> None:
        """Store in `cache` what has been judged, once in a run."""
        with self._lock:
            known, self._kept[url] = self._kept.get(url), (base, delta)
        if cache and known != (base, delta):
            cache.store(url, base.der, delta.der if delta else None)

    def _ask(
        self,
        key: tuple[str, bytes],
        transport: Transport,
        request: Callable[[], Request],
        read: Callable[[bytes], T],
    ) -> Asked[T]:
        with self._lock:
            if key in self._asked:
                return self._asked[key]
            asked = Asked(pending := _start(transport, request()), read, self._new_lock)
            # If nobody was asked, another check may have more time to.
            if not isinstance(pending, RemoteError):
                self._asked[key] = asked
            return asked


def _crl_of(issuer: Certificate, data: bytes) -> Crl:
    """What `issuer` has not signed is of no use, and says nothing: it would name deltas, and take memory until the end."""
    from nv2.pki.crl import parse_crl  # where somebody has one

    found = parse_crl(data)
    found.check_origin(issuer)
    return found


def _load(url: str, cache: CrlCache) -> KeptCrl | None:
    kept = cache.load(url)
    if kept is None:
        return None
    from nv2.pki.crl import parse_crl

    base, delta = kept
    try:
        return parse_crl(base), None if delta is None else parse_crl(delta)
    except RemoteError:
        return None  # as good as absent: it is asked for, and replaced


def _start(transport: Transport, request: Request) -> Pending | RemoteError:
    try:
        return transport.start(request)
    except RemoteError as e:  # no address, or no time left: the answer to whoever asks
        return e


def _to_a_stranger(request: Request) -> Request:
    return request._replace(anonymous=True, address_rule=AddressRule.NOT_LINK_LOCAL, persistent=False)


def ocsp_request(url: str, request: bytes) -> Request:
    """By GET where it is short enough, so that it can be answered by a cache on the way (RFC 5019, 5), else by POST."""
    from nv2.pki.ocsp import request_path

    path = request_path(request)
    limits = {"limit": MAX_RESPONSE, "total_timeout": OCSP_TIMEOUT}
    accept = {"Accept": "application/ocsp-response"}
    if path is not None and "?" not in url:
        return _to_a_stranger(Request("GET", f"{url.rstrip('/')}/{path}", accept, **limits))  # type: ignore[arg-type]
    headers = {**accept, "Content-Type": "application/ocsp-request"}
    return _to_a_stranger(
        Request("POST", url, headers, lambda: io.BytesIO(request), len(request), **limits)  # type: ignore[arg-type]
    )


def crl_request(url: str) -> Request:
    """A CRL is fetched as a whole."""
    return _to_a_stranger(
        Request("GET", url, limit=MAX_CRL, total_timeout=CRL_TIMEOUT, head_timeout=CRL_HEAD_TIMEOUT)
    )
