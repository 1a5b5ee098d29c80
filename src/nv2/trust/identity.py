"""Trusted identities: who, among those a store vouches for, may sign.

trust-store-trust-policy, "Trusted Identities Constraints".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import PolicyError
from nv2.pki.names import Name, overlaps, parse_name

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate

WILDCARD = "*"
SUBJECT = "x509.subject"
"""The only kind of identity that nv2 decides by itself."""


class Identity(NamedTuple):
    """One entry of `trustedIdentities`.

    `name` is None for `*` and for kinds that only plugins know: the former matches everybody, the
    latter nobody.
    """

    text: str
    name: Name | None = None

    def matches(self, leaf: Certificate) -> bool:
        """Whether the signing certificate `leaf` is this identity."""
        return self.text == WILDCARD or (self.name is not None and self.name.matches(leaf))


ANYONE = Identity(WILDCARD)


def parse_identities(texts: tuple[str, ...], at: str) -> tuple[Identity, ...]:
    """Read the entries at `at`. Raises `PolicyError` for each that is malformed, or that overlaps another."""
    found = tuple(parse_identity(text, f"{at}[{i}]") for i, text in enumerate(texts))
    if ANYONE in found and len(found) > 1:
        raise PolicyError("'*' must be the only identity", at=f"{at}[{found.index(ANYONE)}]")
    names = [(i, identity.name) for i, identity in enumerate(found) if identity.name is not None]
    for n, (j, later) in enumerate(names):
        for i, earlier in names[:n]:
            if overlaps(earlier, later):
                raise PolicyError(
                    f"overlaps with {at}[{i}]: whoever is one of the two can be both",
                    at=f"{at}[{j}]",
                    hint="keep only the shorter of the two identities",
                )
    return found


def parse_identity(text: str, at: str) -> Identity:
    """Read `*`, `x509.subject: <distinguished name>`, or another `kind: value`. Raises `PolicyError`."""
    kind, colon, value = text.partition(":")
    if text == WILDCARD:
        return ANYONE
    if not colon or not value.strip():
        raise PolicyError(
            f"{text!r} is not an identity",
            at=at,
            hint=f"expected '*' or '{SUBJECT}: C=<country>, ST=<state>, O=<organization>'",
        )
    return Identity(text, parse_name(value, at, PolicyError) if kind == SUBJECT else None)
