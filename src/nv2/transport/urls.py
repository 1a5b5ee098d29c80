"""Addresses that a remote party names: reading them strictly, and who may be sent where.

What this module does not do: resolve names. An address rule judges what is written, not what a name
server makes of it.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from nv2.errors import BadAnswer
from nv2.plain_text import quoted

MAX_URL = 8192
"""Characters of an address: presigned ones have up to about 2,000."""

MAX_KEPT = 256
"""Addresses that are kept as they were read: each request asks three times for the parts of its own."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_WHOLE = ("http://", "https://")
"""How an address begins that is joined to nothing."""

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*|[0-9A-Fa-f:][0-9A-Fa-f:.]*", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


class Origin(NamedTuple):
    """Scheme, host and port (RFC 6454): what credentials are bound to."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host[:port]` as a Host header has it, without the port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """`host:port`, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Address(NamedTuple):
    """An address in the two parts that a connection needs."""

    origin: Origin
    target: str
    """Path and query."""


@lru_cache(maxsize=MAX_KEPT)
def parse_url(text: str, at: str | None = None) -> Address:
    """Read an absolute http or https address. Raises `BadAnswer`.

    User names in addresses are refused: nobody may choose the credentials that nv2 sends.
    """
    if len(text) > MAX_URL or not _PRINTABLE.fullmatch(text):
        raise BadAnswer(f"not an address: {quoted(text)}", at=at)
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise BadAnswer(f"not an address: {quoted(text)}", at=at) from None
    if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise BadAnswer(f"not an http or https address: {quoted(text)}", at=at)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme]), target)


def origin_of(url: str) -> Origin:
    """The origin of `url`. Raises `BadAnswer`."""
    return parse_url(url).origin


def resolve_url(base: str, location: str) -> str:
    """`location` (a Location or Link) seen from `base`. Raises `BadAnswer`.

    Raises it too for a step from https down to http: what TLS protected must not go on in the clear.
    """
    start = origin_of(base)
    if len(location) > MAX_URL or not _PRINTABLE.fullmatch(location):
        raise BadAnswer(f"not an address: {quoted(location)}", at=start.authority)
    try:
        url = location if location.startswith(_WHOLE) else urljoin(base, location)
    except ValueError:
        raise BadAnswer(f"not an address: {quoted(location)}", at=start.authority) from None
    goal = parse_url(url, at=start.authority).origin
    if start.scheme == "https" and goal.scheme == "http":
        raise BadAnswer(
            f"sends from https to http ({goal.place})",
            at=start.authority,
            hint="a proxy in front of the registry may not tell it that it is reached by https",
        )
    return url


_METADATA = (
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
)
"""Where clouds tell a machine its secrets, beside 169.254.169.254: Alibaba, Azure, Oracle; by IPv6 Scaleway, Oracle,
Amazon (its containers too) and Google."""

_NAT64 = "64:ff9b::/96"
"""Its last 32 bits are the IPv4 address that is meant (RFC 6052, 2.1)."""


class Reach(enum.Enum):
    """How far a host can be, judged by its name alone."""

    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    """Metadata services of clouds included, wherever they are."""
    PRIVATE = "private"
    INVALID = "invalid"
    ANYWHERE = "anywhere"


def reach_of(host: str) -> Reach:
    """Where an IP literal (or `localhost`) lies; ANYWHERE for public literals and for names.

    Spellings that only the C library takes for an address (`127.1`, `0x7f000001`) are INVALID.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    if ":" not in name and not _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]):
        return Reach.ANYWHERE
    return _reach_of_literal(name)


def _reach_of_literal(literal: str) -> Reach:
    import ipaddress

    try:
        address = ipaddress.ip_address(literal)
    except ValueError:
        return Reach.INVALID
    if address.version == 6:
        translated = address in ipaddress.IPv6Network(_NAT64)
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if translated else None
        if address.is_site_local:
            return Reach.PRIVATE  # RFC 3879 withdrew them, so that Python takes them for global
        address = address.ipv4_mapped or address.sixtofour or inner or address
    if address.is_loopback:
        return Reach.LOOPBACK
    if address.is_link_local or str(address) in _METADATA:
        return Reach.LINK_LOCAL
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        return Reach.INVALID
    return Reach.ANYWHERE if address.is_global else Reach.PRIVATE


def check_reach(start: Origin, goal: Origin) -> None:
    """Raise `BadAnswer` if `goal` is an address that `start` must not send anybody to."""
    # Storage at a private address is common inside a company; the metadata service of a cloud
    # (link-local) and this very machine (loopback) are nobody's storage.
    there = reach_of(goal.host)
    if there is Reach.ANYWHERE or there is Reach.PRIVATE or there is reach_of(start.host):
        return
    raise BadAnswer(f"sends to the {there.value} address {goal.place}", at=start.authority)
