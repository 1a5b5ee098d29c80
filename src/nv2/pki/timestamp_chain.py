"""The way from a timestamp's signer to a trusted root (RFC 3161, 2.3; signature-specification, "Certificate Requirements").

A token brings certificates in any order, or not all; the roots are the verifier's own, never the token's. What this module
does not do: revocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain as joined

from nv2.errors import InvalidCertificate, InvalidTimestamp
from nv2.pki.certificate import Certificate
from nv2.pki.chain import MAX_CHAIN, Chain, check_links, check_validity, place
from nv2.pki.profile import check_time_stamping, check_work
from nv2.pki.timestamp import OpenedToken


def timestamp_chain(token: OpenedToken, roots: Sequence[Certificate]) -> Chain:
    """The chain of who signed `token`, up to one of `roots`: of the profile, and valid when it was signed.

    Raises `InvalidTimestamp` if there is none.
    """
    certificates = _way(token, roots)
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


def _way(token: OpenedToken, roots: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Some way to a root; roots are tried first, so that it is as short as can be."""
    if token.signer in roots:
        return (token.signer,)
    try:
        for certificate in token.certificates:
            check_work(certificate)
    except InvalidCertificate as e:
        raise InvalidTimestamp(f"of the timestamping authority, {e}") from None
    ends = frozenset(roots)
    ways: list[tuple[Certificate, ...]] = [(token.signer,)]
    # Each certificate continues one way only, so that many of one name cost no more than a signature each.
    seen = {token.signer}
    while ways:
        way = ways.pop()
        for issuer in joined(roots, token.certificates):
            if issuer.subject_der != way[-1].issuer_der or issuer in seen or not issuer.has_signed(way[-1]):
                continue
            if issuer in ends:
                return (*way, issuer)
            seen.add(issuer)
            if len(way) < MAX_CHAIN - 1:
                ways.append((*way, issuer))
    raise InvalidTimestamp("its certificate does not lead to a trusted timestamping authority")
