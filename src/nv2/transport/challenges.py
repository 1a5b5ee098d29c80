"""Challenges (RFC 9110 11.6.1): reading WWW-Authenticate, and where a token may be fetched."""

from __future__ import annotations

import re
from typing import NamedTuple

from nv2.errors import BadAnswer
from nv2.transport.urls import Origin, Reach, parse_url, reach_of

MAX_CHALLENGE = 8192
"""Characters of a WWW-Authenticate header that are read."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_PARAMETER = re.compile(rf"[\s,]*({_WORD})\s*=\s*(?:{_QUOTED}|([^\s,\"]+))", re.ASCII)
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=[\s,]|$)(?!\s*=)", re.ASCII)


class Challenge(NamedTuple):
    """What a server wants: `basic`, or `bearer` with its realm, service and scope."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""
    """Why a token was refused (RFC 6750 section 3.1)."""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Every challenge that can be read, in order; reading stops at what cannot."""
    header, position, found = header[:MAX_CHALLENGE], 0, []
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        values: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            values.setdefault(name.lower(), value)
        known = {name: values[name] for name in ("realm", "service", "scope", "error") if name in values}
        found.append(Challenge(scheme[1].lower(), **known))
    return tuple(found)


def choose(header: str) -> Challenge | None:
    """The challenge that nv2 answers: bearer before basic."""
    known = {challenge.scheme: challenge for challenge in reversed(parse_challenges(header))}
    return known.get("bearer") or known.get("basic")


def check_realm(realm: str, registry: Origin) -> Origin:
    """Where the tokens of `registry` are to be fetched. Raises `BadAnswer` for a realm that must not be asked.

    A registry may not send credentials from https to http, nor point nv2 at this machine, its network's
    private addresses or the metadata service of a cloud, unless it is there itself.
    """
    at = registry.authority
    goal = parse_url(realm, at=at).origin
    if registry.scheme == "https" and goal.scheme != "https":
        hint = "whoever runs the registry must name a realm that begins with https"
        raise BadAnswer(f"asks to fetch its tokens without TLS, from {goal.place}", at=at, hint=hint)
    there = reach_of(goal.host)
    if there is Reach.ANYWHERE or goal.host == registry.host:
        return goal
    if there is Reach.LOOPBACK and reach_of(registry.host) is Reach.LOOPBACK:
        return goal
    raise BadAnswer(f"asks to fetch its tokens from the {there.value} address {goal.place}", at=at)
