"""Which of many certificates stand under trusted ones, and who issued whom.

Evidence counts only if it comes from who issued the certificate in question, and that one leads to an anchor. What this
module does not do: profile, validity, or path lengths. Whoever verifies a signature looks at those of its chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from nv2.errors import MalformedManifest
from nv2.pki.certificate import Certificate
from nv2.revocation.circumstances import Link

MAX_TRIED = 20_000
"""Signatures that are tried. Each certificate costs one, but for authorities of one name."""


class Kin(NamedTuple):
    """Certificates, each with who issued it."""

    links: Mapping[str, Sequence[Link]]
    """By the thumbprint of the issuer."""
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
    named, issued_by = _grouped(every, "subject_der"), _grouped(every, "issuer_der")
    issued = _Issuing()

    def children(known: Certificate) -> Iterator[Certificate]:
        return (
            other for other in issued_by.get(known.subject_der, ()) if known.is_ca and issued(known, other)
        )

    def parents(known: Certificate) -> Iterator[Certificate]:
        return (other for other in named.get(known.issuer_der, ()) if issued(other, known))

    below = _closure(trusted, children)
    # A store may name an authority in the middle: what its own issuer says of it counts too.
    found = dict.fromkeys((*below, *_closure(trusted, parents)))
    links: dict[str, list[Link]] = {}
    for child in found:
        for parent in parents(child):
            if parent in found and child != parent and parent.is_ca:
                links.setdefault(parent.thumbprint, []).append(Link(child, parent))
    return Kin(links, frozenset(certificate.thumbprint for certificate in below))


def _grouped(certificates: Iterable[Certificate], name: str) -> dict[bytes, list[Certificate]]:
    """`certificates` by a name that they have: each is compared with its relatives, and not with everybody."""
    found: dict[bytes, list[Certificate]] = {}
    for certificate in certificates:
        found.setdefault(getattr(certificate, name), []).append(certificate)
    return found


class _Issuing:
    """Whether one, which has the name of the other's issuer, issued it; each pair is tried once."""

    def __init__(self) -> None:
        self._tried = 0
        self._signed = cache(self._try)

    def __call__(self, issuer: Certificate, child: Certificate) -> bool:
        return self._signed(issuer, child)

    def _try(self, issuer: Certificate, child: Certificate) -> bool:
        self._tried += 1
        if self._tried > MAX_TRIED:
            raise MalformedManifest("too many certificates of authorities of one name")
        return issuer.has_signed(child)


def _closure(
    start: tuple[Certificate, ...], next_to: Callable[[Certificate], Iterator[Certificate]]
) -> dict[Certificate, None]:
    """`start`, and whatever `next_to` leads to, step by step."""
    found = dict.fromkeys(start)
    waiting = list(start)
    while waiting:
        for other in next_to(waiting.pop()):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return found
