"""Which of many certificates stand under trusted ones, and who issued whom.

Evidence counts only if it comes from who issued the certificate in question, and that one leads to an anchor. What this
module does not do: profile, validity, or path lengths. Whoever verifies a signature looks at those of its chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from nv2.errors import MalformedManifest
from nv2.pki.certificate import Certificate
from nv2.revocation.circumstances import Link

MAX_TRIED = 20_000
"""Signatures that are tried. Each certificate costs one, but for authorities of one name."""


class Kin(NamedTuple):
    """Certificates, each with who issued it."""

    links: tuple[Link, ...]
    vouched: frozenset[str]
    """Thumbprints of the anchors, and of what they issued: what such a certificate says is true.

    Others stand above an anchor. Anybody can issue a certificate for the key of an authority in the middle, and write
    addresses into it.
    """


def kin_of(certificates: Iterable[Certificate], anchors: Iterable[Certificate]) -> Kin:
    """Each of `certificates` that stands under one of `anchors`, or above one, with who issued it.

    Raises `MalformedManifest` for more authorities of one name than can be tried.
    """
    trusted = tuple(dict.fromkeys(anchors))
    every = tuple(dict.fromkeys((*certificates, *trusted)))
    issued = _Issuing()
    below = _closure(trusted, every, lambda known, other: known.is_ca and issued(known, other))
    # A store may name an authority in the middle: what its own issuer says of it counts too.
    above = _closure(trusted, every, lambda known, other: issued(other, known))
    found = dict.fromkeys((*below, *above))
    links = tuple(
        Link(child, parent)
        for child in found
        for parent in found
        if child != parent and parent.is_ca and issued(parent, child)
    )
    return Kin(links, frozenset(certificate.thumbprint for certificate in below))


class _Issuing:
    """Whether one issued the other; each pair is tried once."""

    def __init__(self) -> None:
        self._tried = 0
        self._signed = cache(self._try)

    def __call__(self, issuer: Certificate, child: Certificate) -> bool:
        return issuer.subject_der == child.issuer_der and self._signed(issuer, child)

    def _try(self, issuer: Certificate, child: Certificate) -> bool:
        self._tried += 1
        if self._tried > MAX_TRIED:
            raise MalformedManifest("too many certificates of authorities of one name")
        return issuer.has_signed(child)


def _closure(
    start: tuple[Certificate, ...],
    every: tuple[Certificate, ...],
    leads: Callable[[Certificate, Certificate], bool],
) -> dict[Certificate, None]:
    """`start`, and whatever it `leads` to, step by step."""
    found = dict.fromkeys(start)
    waiting = list(start)
    while waiting:
        known = waiting.pop()
        for other in every:
            if other not in found and leads(known, other):
                found[other] = None
                waiting.append(other)
    return found
