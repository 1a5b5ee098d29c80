"""The way from a timestamp's signer to a trusted root (RFC 3161, 2.3; signature-specification, "Certificate Requirements").

A token brings certificates in any order, or not all; the roots are the verifier's own, never the token's. What this module
does not do: revocation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache

from nv2.errors import InvalidCertificate, InvalidTimestamp
from nv2.pki.certificate import Certificate
from nv2.pki.chain import MAX_CHAIN, Chain, check_links, check_validity, place
from nv2.pki.profile import check_time_stamping, check_work
from nv2.pki.timestamp import OpenedToken

MAX_STEPS = 100
"""Ways, begun ones included, that are looked at. A token has a handful of certificates, most with one issuer."""


def timestamp_chain(token: OpenedToken, roots: Sequence[Certificate]) -> Chain:
    """The chain of who signed `token`, up to one of `roots`: of the profile, and valid when it was signed.

    An authority may have renewed its certificate and kept its key: any way that holds will do. Raises
    `InvalidTimestamp` if there is none, and says what is wrong with the shortest.
    """
    refusals = []
    for way in _ways(token, roots):
        try:
            return _chain(way, token)
        except InvalidTimestamp as e:
            refusals.append(e)
    if refusals:
        raise refusals[0]
    raise InvalidTimestamp("its certificate does not lead to a trusted timestamping authority")


def _chain(certificates: tuple[Certificate, ...], token: OpenedToken) -> Chain:
    places = tuple(place(i, certificate) for i, certificate in enumerate(certificates, 1))
    chain = Chain(certificates)
    try:
        check_links(certificates, places)
        check_time_stamping(certificates, places)
        check_validity(chain, token.info.gen_time)
    except InvalidCertificate as e:
        raise InvalidTimestamp(f"of the timestamping authority, {e}", hint=e.hint) from None
    if token.signing_time is not None:
        _check_signing_time(token, chain)
    return chain


def _check_signing_time(token: OpenedToken, chain: Chain) -> None:
    try:
        check_validity(chain, token.signing_time or token.info.gen_time)
    except InvalidCertificate as e:
        raise InvalidTimestamp(f"its signing time does not fit the timestamping authority: {e}") from None


def _ways(token: OpenedToken, roots: Sequence[Certificate]) -> Iterator[tuple[Certificate, ...]]:
    """The ways to a root, the shortest first."""
    if token.signer in roots:
        yield (token.signer,)
        return
    try:
        for certificate in token.certificates:
            check_work(certificate)
    except InvalidCertificate as e:
        raise InvalidTimestamp(f"of the timestamping authority, {e}") from None
    # Each pair is tried once, so that many of one name cost no more than a signature each.
    has_signed = cache(Certificate.has_signed)
    ends = frozenset(roots)
    candidates = tuple(dict.fromkeys((*roots, *token.certificates)))
    ways: deque[tuple[Certificate, ...]] = deque([(token.signer,)])
    for _ in range(MAX_STEPS):
        if not ways:
            return
        way = ways.popleft()
        for issuer in candidates:
            if issuer.subject_der != way[-1].issuer_der or issuer in way or not has_signed(issuer, way[-1]):
                continue
            if issuer in ends:
                yield (*way, issuer)
            elif len(way) < MAX_CHAIN - 1:
                ways.append((*way, issuer))
