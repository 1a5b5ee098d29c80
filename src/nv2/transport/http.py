"""The HTTP transport: requests in threads (jobs), over connections that all of them share.

It retries what may be retried, follows redirects without taking credentials along, and says in one
line why a host cannot be reached. What it does not do: log in (auth), or judge an answer's status.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nv2._version import __version__
from nv2.errors import BadAnswer
from nv2.transport.interface import (
    CONNECT_TIMEOUT,
    NO_HEADERS,
    TOTAL_TIMEOUT,
    AddressRule,
    Pending,
    Request,
    Response,
)
from nv2.transport.jobs import Job
from nv2.transport.lanes import Lane
from nv2.transport.proxies import Proxies
from nv2.transport.redirects import MAX_REDIRECTS, next_request
from nv2.transport.retry import MAX_TRIES, delay_before, may_retry
from nv2.transport.tls import TlsSettings, make_context
from nv2.transport.urls import Address, Origin, parse_url

if TYPE_CHECKING:
    import ssl

    from nv2.transport.address_rules import Resolve
    from nv2.transport.connections import Connection

PER_HOST = 8
"""Requests to one host under way at a time."""


class Way(NamedTuple):
    """What is particular to one origin."""

    address: Origin | None = None
    """Where to connect to; the name stays what is asked for, and what the certificate must have."""
    headers: Mapping[str, str] = NO_HEADERS
    """Sent with each request to this origin, and to no other."""
    dial_timeout: float = CONNECT_TIMEOUT
    """Seconds to open a connection."""


USUAL = Way()


class HttpSettings(NamedTuple):
    """How to connect."""

    tls: TlsSettings = TlsSettings()
    tls_for: Callable[[Origin], TlsSettings] | None = None
    """What counts for one origin in place of `tls`; asked once for each, when it is connected to."""
    proxies: Proxies = Proxies()
    user_agent: str = f"nv2/{__version__}"
    per_host: int = PER_HOST
    ways: Mapping[Origin, Way] = MappingProxyType({})
    """The origins that are not reached in the usual way. More may come while the transport is used."""
    resolve: Resolve | None = None
    """What finds addresses where a request has an address rule; `socket.getaddrinfo` if absent."""


DEFAULTS = HttpSettings()


class HttpTransport:
    """A `Transport` over HTTP/1.1. One of it serves a whole process."""

    def __init__(
        self, settings: HttpSettings = DEFAULTS, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._lanes: dict[Origin, Lane] = {}
        self._lock = threading.Lock()
        self._closings = 0
        self._contexts: dict[Origin | TlsSettings, ssl.SSLContext] = {}
        self._making = threading.Lock()
        self.tls_versions: dict[Origin, str] = {}
        """What was spoken with each origin last."""

    def start(self, request: Request) -> Pending:
        """Begin `request` in a worker thread. Raises `BadAnswer` for what is no http or https address."""
        job = Job(request, self._closings)
        self._lane(parse_url(request.url).origin).submit(lambda: job.run(self._answer))
        return job

    def prepare(self, url: str, count: int) -> None:
        """Begin to open `count` connections for requests to the origin of `url`; return at once.

        What goes wrong is said by those requests. Raises `BadAnswer` as `start`.
        """
        origin = parse_url(url).origin
        self._lane(origin).prepare(count, lambda: self._open(origin, time.monotonic() + CONNECT_TIMEOUT))

    def close(self) -> None:
        """Close the idle connections, and those of requests under way as soon as they are free.

        The transport may be used on.
        """
        with self._lock:
            self._closings += 1
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.close()

    def _lane(self, origin: Origin) -> Lane:
        with self._lock:
            if origin not in self._lanes:
                self._lanes[origin] = Lane(self._settings.per_host)
            return self._lanes[origin]

    def _tls_context(self, origin: Origin) -> ssl.SSLContext:
        """The context for `origin`: one for all origins that are treated alike, since making one takes long."""
        with self._making:
            if origin not in self._contexts:
                of_origin = self._settings.tls_for
                tls = of_origin(origin) if of_origin else self._settings.tls
                if tls not in self._contexts:
                    self._contexts[tls] = make_context(tls)
                self._contexts[origin] = self._contexts[tls]
            return self._contexts[origin]

    def _answer(self, job: Job) -> Response:
        """The answer in the end, after retries (retry.py)."""
        from nv2.transport.failures import Cut

        request, attempt = job.request, 1
        tries = MAX_TRIES if request.persistent else 1
        while True:
            response, headers = None, {}
            try:
                response = self._follow(request, job)
                if attempt >= tries or not may_retry(response.status, request.idempotent):
                    return response
                headers = dict(response.headers)
            except Cut:
                if attempt >= tries or not request.idempotent:
                    raise
            attempt += 1
            delay = delay_before(attempt, headers, time.time(), os.urandom(1)[0] / 255)
            if response:
                if delay is None or not job.has_time_for(delay):
                    return response
                response.discard()
                if response.status == 429:
                    self._lane(parse_url(response.url).origin).pause(delay)
            self._sleep(delay or 0.0)

    def _follow(self, request: Request, job: Job) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = self._once(request, job)
            try:
                following = next_request(request, response)
            except BadAnswer:
                response.discard()
                raise
            if following is None:
                return response
            response.discard()
            request = following
            if request.address_rule is not AddressRule.ANY:
                from nv2.transport.address_rules import narrowed

                request = request._replace(address_rule=narrowed(request.address_rule, job.reach))
        raise BadAnswer(f"more than {MAX_REDIRECTS} redirects", at=job.request.place)

    def _once(self, request: Request, job: Job) -> Response:
        """One request, one answer; once more if a connection that was kept turns out to be dead."""
        from nv2.transport.failures import Cut

        address = parse_url(request.url)
        lane = self._lane(address.origin)
        if pause := lane.pause_left():
            self._sleep(pause)
        if kept := lane.take():
            try:
                return self._ask(kept, address, request, job)
            except Cut:
                # A peer may close an idle connection while the request is on its way; it has not seen
                # it then (RFC 9112 9.3.1). No POST that nv2 sends does harm by being sent again.
                pass
        connection = self._open(address.origin, job.head_deadline, request.address_rule)
        return self._ask(connection, address, request, job)

    def _open(
        self, origin: Origin, deadline: float | None, rule: AddressRule = AddressRule.ANY
    ) -> Connection:
        from nv2.transport.connections import open_connection

        proxy = self._settings.proxies.proxy_for(origin)
        dial = None
        if rule is not AddressRule.ANY:
            from nv2.transport.address_rules import dialer

            dial = dialer(rule, origin, self._settings.resolve)
        way = self._settings.ways.get(_lower(origin), USUAL)
        found = open_connection(
            origin, proxy, lambda: self._tls_context(origin), deadline, dial, way.address, way.dial_timeout
        )
        if version := found.tls_version:
            self.tls_versions[origin] = version
        return found

    def _check_address(self, connection: Connection, origin: Origin, request: Request, job: Job) -> None:
        """Raise `BadAnswer` if `connection`, whoever opened it, ends where the rule of `request` forbids."""
        if request.address_rule is not AddressRule.ANY:
            from nv2.transport.address_rules import check_address

            by_proxy = self._settings.proxies.proxy_for(origin)
            address = None if by_proxy else connection.address
            job.reach = check_address(request.address_rule, address or origin.host, origin)

    def _ask(self, connection: Connection, address: Address, request: Request, job: Job) -> Response:
        from nv2.transport.exchange import exchange, response_of

        job.connection = connection
        release = self._release(address.origin, job)
        # A stream may take its time, but not with its head, unless there is a body to send first.
        patience = None if request.body else time.monotonic() + TOTAL_TIMEOUT
        connection.be_patient_until(min((end for end in (job.head_deadline, patience) if end), default=None))
        try:
            self._check_address(connection, address.origin, request, job)
            head = exchange(connection, address, request, self._headers(address, request, connection))
            connection.be_patient_until(job.deadline)
            return response_of(connection, address, request, head, release)
        except BaseException:
            connection.close()
            raise
        finally:
            job.connection = None

    def _release(self, origin: Origin, job: Job) -> Callable[[Connection], None] | None:
        """What keeps the connection for the next request; None if the transport was closed since `job` began."""
        # In this order: a lane that is closed after the question closes what is released to it.
        release = self._lane(origin).release()
        return release if job.closings == self._closings else None

    def _headers(self, address: Address, request: Request, connection: Connection) -> dict[str, str]:
        headers = {"Host": address.origin.authority, "User-Agent": self._settings.user_agent}
        headers |= {"Accept-Encoding": "identity", **request.headers}
        if self._settings.ways and not request.led:
            own = self._settings.ways.get(_lower(address.origin), USUAL).headers
            names = {name.lower() for name in own}
            headers = {k: v for k, v in headers.items() if k.lower() not in names} | {**own}
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(request.body_size if request.body else 0)
        proxy = self._settings.proxies.proxy_for(address.origin)
        if connection.proxied and proxy and proxy.authorization:
            headers["Proxy-Authorization"] = proxy.authorization
        return headers


def _lower(origin: Origin) -> Origin:
    return origin._replace(host=origin.host.lower())
