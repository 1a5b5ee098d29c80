"""`certs.d` directories in containerd's format: mirrors of a registry, and how each host is reached.

The directory of a registry holds `hosts.toml` (containerd: docs/hosts.md), or else Docker's certificates. Read strictly:
an unknown field is an error, for a restriction that is spelled wrongly must not look like one that holds. What this module
does not do: ask anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nv2.errors import ConfigurationError, Nv2Error
from nv2.files import failure, read_file
from nv2.home.docker_certificates import DockerCertificates, read_certificates
from nv2.oci.reference import DOCKER_HUB
from nv2.strict_json import Fields

FILE = "hosts.toml"

MAX_FILE = 64 * 1024
"""Bytes of `hosts.toml`: hundreds of mirrors."""

MAX_MIRRORS = 16
"""Mirrors of one registry: each of them may be waited for."""

MAX_DIAL_TIMEOUT = 60.0
"""Seconds."""

_FIELDS = ("capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout")
_CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t -~]*", re.ASCII)
_HOST = re.compile(r"(?:[\w-][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?", re.ASCII)
_OWN_HEADERS = re.compile(
    r"accept(-encoding)?|connection|content-(length|range|type)|expect|host|if-(none-)?match|keep-alive"
    r"|proxy-(authorization|connection)|range|te|trailer|transfer-encoding|upgrade",
    re.ASCII | re.IGNORECASE,
)
"""What requests say themselves; all else may be added to them, Authorization too."""
_DURATION = re.compile(r"(?:([0-9]{1,4})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)s)?(?:([0-9]{1,6})ms)?", re.ASCII)


class Host(NamedTuple):
    """One host, and how to reach it."""

    base: str
    """`scheme://host[:port][/path]`; the API is at `/v2` below it. Empty: where the registry's name leads."""
    root: str
    """Where the API is."""
    capabilities: frozenset[str]
    certificates: DockerCertificates
    headers: Mapping[str, str]
    dial_timeout: float | None
    """Seconds to open a connection."""


class Hosts(NamedTuple):
    """What is said of one registry."""

    server: Host
    """The registry itself."""
    mirrors: tuple[Host, ...]
    """Who is asked first, in order."""


def find_hosts(directory: Path, registry: str) -> Hosts | None:
    """What `directory` says of `registry` (`host[:port]`); None if it says nothing. Raises `ConfigurationError`.

    Names of Docker Hub are looked for as `docker.io`. The first directory that is there counts.
    """
    for name in _names(DOCKER_HUB[0] if registry in DOCKER_HUB else registry):
        place = directory / name
        try:
            has_file, is_there = (place / FILE).exists(), place.is_dir()
        except OSError as e:
            raise failure(e, place, kind=ConfigurationError) from None
        if has_file and not (place / FILE).is_file():  # a pipe would be waited for
            raise ConfigurationError("not a regular file", at=str(place / FILE))
        if has_file:
            return parse_hosts(read_file(place / FILE, MAX_FILE, FILE, error=ConfigurationError), place)
        if is_there:
            certificates = read_certificates(place)
            server = Host("", "", _CAPABILITIES, certificates, MappingProxyType({}), None)
            return Hosts(server, ()) if any(certificates) else None
    return None


def _names(registry: str) -> Iterator[str]:
    host, colon, port = registry.rpartition(":")
    if colon and host and not registry.endswith("]"):
        yield f"{host}_{port}_"
    yield registry
    yield "_default"


def parse_hosts(data: bytes, place: Path) -> Hosts:
    """Read `hosts.toml`, whose relative paths begin at `place`. Raises `ConfigurationError`, which says where."""
    import tomllib

    at = str(place / FILE)
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as e:  # no TOML, no UTF-8, or a number of thousands of digits
        raise ConfigurationError(f"not TOML: {e}", at=at) from None

    def located(message: str, *, at: str | None = None, hint: str | None = None) -> Nv2Error:
        return ConfigurationError(message, at=f"{place / FILE}: {at}" if at else str(place / FILE), hint=hint)

    fields = Fields.of(document, "", located)
    fields.only("server", "host", *_FIELDS)
    server = _host(fields, fields.get("server", str) or "", place)
    if fields.get("capabilities", list) is not None and not {"pull", "resolve"} <= server.capabilities:
        hint = 'a host that does less is a mirror: [host."…"]'
        raise fields.error("the server must pull and resolve", at="capabilities", hint=hint)
    entries = fields.object("host")
    mirrors = tuple(
        _mirror(entries, url, place) for url in (entries.value if entries else ()) if entries is not None
    )
    if len(mirrors) > MAX_MIRRORS:
        raise fields.error(f"more than {MAX_MIRRORS} hosts", at="host")
    return Hosts(server, mirrors)


def _mirror(entries: Fields, url: str, place: Path) -> Host:
    fields = Fields.of(entries.value[url], f'host."{url}"', entries.error)
    fields.only(*_FIELDS)
    if not url:
        raise fields.error("the address is empty", at="host")
    return _host(fields, url, place)


def _host(fields: Fields, url: str, place: Path) -> Host:
    if fields.get("skip_verify", bool):
        raise fields.error(
            "nv2 always checks who answers", at=fields.place("skip_verify"), hint="name the authority with ca"
        )
    base, root = _addresses(fields, url) if url else ("", "")
    client = _client(fields, place)
    authorities = tuple(str(place / path) for path in _one_or_more(fields, "ca"))
    return Host(
        base,
        root,
        _capabilities(fields),
        DockerCertificates(authorities, *client),
        MappingProxyType(dict(_headers(fields))),
        _seconds(fields),
    )


def _addresses(fields: Fields, url: str) -> tuple[str, str]:
    text = (url if "://" in url else f"https://{url}").rstrip("/")
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isascii() or not text.isprintable() or set("@?#\\ ") & set(text):
        raise fields.error(f"not an address: {text!r}", at=fields.place("server"), hint="https://host[:port]")
    text = f"{parts.scheme}://{parts.netloc}{parts.path}"  # the scheme in lower case
    if fields.get("override_path", bool):
        return text.removesuffix("/v2"), text
    base = text.removesuffix("/v2")
    return base, f"{base}/v2"


def _capabilities(fields: Fields) -> frozenset[str]:
    found = fields.strings("capabilities")
    if found is None:
        # containerd takes this for everything. Whoever resolves tags decides what is verified: that must be written.
        return frozenset({"pull"})
    for item in set(found) - _CAPABILITIES:
        known = ", ".join(sorted(_CAPABILITIES))
        raise fields.error(
            f"unknown capability {item!r}", at=fields.place("capabilities"), hint=f"known: {known}"
        )
    return frozenset(found)


def _one_or_more(fields: Fields, key: str) -> tuple[str, ...]:
    value = fields.value.get(key)
    if isinstance(value, str):
        return (value,)
    return fields.strings(key) or ()


def _client(fields: Fields, place: Path) -> tuple[str, ...]:
    """Certificate and key, or one file with both, or nothing; more than one client is not supported."""
    value: Any = fields.value.get("client")
    pairs = [value] if isinstance(value, str) else value
    if isinstance(pairs, list) and len(pairs) == 1:
        pair = [pairs[0]] if isinstance(pairs[0], str) else pairs[0]
        if isinstance(pair, list) and len(pair) in (1, 2) and all(isinstance(path, str) for path in pair):
            return tuple(str(place / path) for path in pair)
    if not pairs:
        return ()
    raise fields.error(
        "not one client", at=fields.place("client"), hint='write client = [["client.cert", "client.key"]]'
    )


def _headers(fields: Fields) -> Iterator[tuple[str, str]]:
    table = fields.object("header")
    for name in table.value if table else ():
        if table is None or not _TOKEN.fullmatch(name) or _OWN_HEADERS.fullmatch(name):
            raise fields.error(f"header {name!r} cannot be set", at=fields.place("header"))
        value = ", ".join(_one_or_more(table, name))
        if not _VALUE.fullmatch(value):
            raise fields.error("not a value of a header", at=table.place(name))
        yield name, value


def _seconds(fields: Fields) -> float | None:
    text = fields.get("dial_timeout", str)
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    minutes, seconds, milliseconds = (
        (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    )
    total = minutes * 60 + seconds + milliseconds / 1000
    if not 0 < total <= MAX_DIAL_TIMEOUT:
        hint = f"up to {MAX_DIAL_TIMEOUT:g}s, as in 5s or 500ms"
        raise fields.error(f"not a time: {text!r}", at=fields.place("dial_timeout"), hint=hint)
    return total
