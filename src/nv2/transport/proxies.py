"""Proxies from the environment, as curl and Go read it: HTTP_PROXY, HTTPS_PROXY, NO_PROXY."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from nv2.errors import BadAnswer, ConfigurationError
from nv2.transport.urls import Origin, Reach, parse_url, reach_of

_WRITE = "write it as http://host:port; TLS to the registry passes through. There is no support for SOCKS"


class Proxy(NamedTuple):
    """Where to connect instead, and what to say there."""

    origin: Origin
    authorization: str | None

    def __repr__(self) -> str:
        """Without the password."""
        return f"Proxy({self.origin.place})"


class Proxies(NamedTuple):
    """The proxy of each scheme, and who is reached without one."""

    by_scheme: Mapping[str, Proxy] = {}
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Proxies:
        """What `environ` says; the lower-case names come first. Raises `ConfigurationError`.

        HTTP_PROXY in capitals is not read where REQUEST_METHOD is set: a web client can set it there.
        """
        found: dict[str, Proxy] = {}
        for scheme in ("http", "https"):
            capital = "" if scheme == "http" and "REQUEST_METHOD" in environ else f"{scheme.upper()}_PROXY"
            name = next((n for n in (f"{scheme}_proxy", capital) if environ.get(n)), None)
            if name:
                found[scheme] = _parse(environ[name], name)
        exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        return cls(found, tuple(item.strip().lower() for item in exceptions.split(",") if item.strip()))

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy to `origin`, or None. This machine is always reached directly."""
        proxy = self.by_scheme.get(origin.scheme)
        if proxy is None or reach_of(origin.host) is Reach.LOOPBACK:
            return None
        return None if any(_matches(origin, item) for item in self.exceptions) else proxy


def _parse(value: str, name: str) -> Proxy:
    text = value if "://" in value else f"http://{value}"
    user, at_sign, _ = urlsplit(text).netloc.rpartition("@")
    try:
        address = parse_url(text.replace(f"{user}@", "", 1) if at_sign else text)
    except BadAnswer:
        # The value may hold a password: it is not shown.
        raise ConfigurationError("not the address of a proxy", at=name, hint=_WRITE) from None
    if address.target != "/" or "#" in text:  # half a password perhaps: a slash in one must be written %2F
        raise ConfigurationError("not the address of a proxy", at=name, hint=_WRITE)
    if address.origin.scheme != "http":
        what = "only proxies that are reached by plain HTTP are supported"
        raise ConfigurationError(what, at=name, hint=_WRITE)
    return Proxy(address.origin, _authorization(user) if at_sign else None)


def _authorization(user: str) -> str:
    import base64

    return "Basic " + base64.b64encode(unquote(user).encode()).decode("ascii")


def _matches(origin: Origin, item: str) -> bool:
    """One entry of NO_PROXY: `*`, a host, a domain, an address, a network; each but `*` with a port or none."""
    if item == "*":
        return True
    host, colon, port = item.rpartition(":")
    if colon and port.isdigit() and (host.endswith("]") or ":" not in host):
        return int(port) == origin.port and _matches(origin, host)
    if "/" in item or ":" in item:
        return _in_network(origin.host, item.strip("[]"))
    name = item.removeprefix("*").removeprefix(".")
    return origin.host.lower() == name or origin.host.lower().endswith(f".{name}")


def _in_network(host: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
