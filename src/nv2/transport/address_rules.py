"""Who may be asked when a stranger chose the address: kept for the address that is really connected to.

A name can be made to resolve to anything, and to something else a moment later. So the rule is checked between
resolving and connecting, and again for each connection that is used. What no rule can see is where a proxy goes: there
it judges the addresses that are written, and names pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nv2.errors import BadAnswer
from nv2.transport.interface import AddressRule
from nv2.transport.urls import Origin, Reach, reach_of

Resolve = Callable[..., list[tuple[Any, ...]]]
"""As `socket.getaddrinfo`."""

_ALLOWED: Mapping[AddressRule, frozenset[Reach]] = {
    AddressRule.ANY: frozenset(Reach),
    AddressRule.NOT_LINK_LOCAL: frozenset({Reach.LOOPBACK, Reach.PRIVATE, Reach.ANYWHERE}),
    AddressRule.NOT_THIS_MACHINE: frozenset({Reach.PRIVATE, Reach.ANYWHERE}),
    AddressRule.PUBLIC: frozenset({Reach.ANYWHERE}),
}

_AFTER: Mapping[Reach, AddressRule] = {
    Reach.PRIVATE: AddressRule.NOT_THIS_MACHINE,
    Reach.ANYWHERE: AddressRule.PUBLIC,
}
"""Where somebody at such an address may send us: never nearer than he is himself."""


def check_address(rule: AddressRule, address: str, origin: Origin) -> Reach:
    """How far `address`, a name or a literal that stands for `origin`, is. Raises `BadAnswer` if `rule` forbids it."""
    reach = reach_of(address)
    if reach in _ALLOWED[rule]:
        return reach
    kind = f"{_article(reach)} address"
    is_name = address != origin.host
    raise BadAnswer(
        f"{f'resolves to {address}, {kind}' if is_name else f'is {kind}'}: what a stranger names must be {rule.value}",
        at=origin.place,
    )


def _article(reach: Reach) -> str:
    if reach is Reach.ANYWHERE:
        return "a public"
    return f"{'an' if reach is Reach.INVALID else 'a'} {reach.value}"


def dialer(rule: AddressRule, origin: Origin, resolve: Resolve | None) -> Callable[[], list[str]]:
    """What finds the addresses of `origin` that `rule` allows. Raises `BadAnswer` for one that is written.

    It raises `BadAnswer` if there is none, and what `resolve` (`socket.getaddrinfo` by default) raises.
    """
    check_address(rule, origin.host, origin)
    return partial(_addresses, rule, origin, resolve)


def _addresses(rule: AddressRule, origin: Origin, resolve: Resolve | None) -> list[str]:
    if resolve is None:
        import socket

        resolve = socket.getaddrinfo
    # 1 is SOCK_STREAM on every system: each address is wanted once.
    found = dict.fromkeys(
        str(info[4][0]) for info in resolve(origin.host.encode("ascii"), origin.port, type=1)
    )
    allowed = [address for address in found if reach_of(address) in _ALLOWED[rule]]
    for address in found if not allowed else ():
        check_address(rule, address, origin)
    return allowed


def narrowed(rule: AddressRule, reach: Reach | None) -> AddressRule:
    """The rule for where somebody at `reach`, who was asked under `rule`, sends us."""
    after = _AFTER.get(reach, rule) if reach else rule
    return min(rule, after, key=lambda each: len(_ALLOWED[each]))
