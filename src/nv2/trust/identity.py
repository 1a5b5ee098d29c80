"""Trusted identities: who, among those a store vouches for, may sign.

trust-store-trust-policy, "Trusted Identities Constraints". Notation reads the text form of a subject back to match
it. So a subject with two values of one attribute, or with an attribute of a type that has no short name, matches no
identity there; nor does it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import PolicyError
from nv2.pki.names import SHORT_NAMES
from nv2.pki.rfc4514 import parse_name

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate

WILDCARD = "*"
SUBJECT = "x509.subject"
"""The only kind of identity that nv2 decides by itself."""


class Name(NamedTuple):
    """An `x509.subject` identity: attributes that a signing certificate must have, by short name."""

    attributes: Mapping[str, str]

    def matches(self, leaf: Certificate) -> bool:
        """Whether every attribute of this identity is in the subject of `leaf`, with an equal value."""
        subject = _unambiguous(leaf)
        return subject is not None and all(subject.get(k) == v for k, v in self.attributes.items())


def _unambiguous(leaf: Certificate) -> dict[str, str] | None:
    """The subject by short name, or None if an identity cannot be matched with it (see above)."""
    found: dict[str, str] = {}
    for oid, value in leaf.subject_attributes:
        short = SHORT_NAMES.get(oid)
        if short is None or short in found:
            return None
        found[short] = value
    # Notation takes any "=#" in the text for a value in hexadecimal, and gives up.
    return None if "=#" in leaf.subject else found


def overlaps(a: Name, b: Name) -> bool:
    """Whether one identity is part of the other, so that it says nothing more."""
    return a.attributes.items() <= b.attributes.items() or b.attributes.items() <= a.attributes.items()


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
    return Identity(text, Name(parse_name(value, at, PolicyError)) if kind == SUBJECT else None)
