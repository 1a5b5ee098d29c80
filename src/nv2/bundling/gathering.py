"""Gathers the evidence about chains: freshly fetched, every piece that a certificate names, judged as a verifier would.

notation wants all CRLs of a certificate, and has no use for OCSP answers that were carried: so nothing is left out
because something else could tell already. What this module does not do: decide whose chains are trusted. Nobody is asked
about others, for whoever issued them chose the addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from nv2.bundling.evidence import Evidence, Gap, Kind, Piece
from nv2.bundling.evidence_manifest import piece
from nv2.errors import Nv2Error, RemoteError
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import Status
from nv2.pki.chain import Chain
from nv2.revocation.caches import Caches, CrlNumbers
from nv2.revocation.circumstances import MAX_ADDRESSES, Circumstances, Inquiry, Link
from nv2.revocation.evidence import Evidence as Asked
from nv2.revocation.evidence import NewLock
from nv2.revocation.online import at_once
from nv2.transport.interface import Transport

if TYPE_CHECKING:
    from nv2.pki.crl import Crl

NOT_TRUSTED = "nobody was asked: its chain leads to no trust store of this machine, and to nothing that --trusted-key names"


class _Crls:
    """A `CrlCache` that has nothing, and remembers what was found good enough to be kept."""

    def __init__(self) -> None:
        self.warnings: list[Nv2Error] = []
        self.found: dict[str, tuple[bytes, bytes | None]] = {}

    def load(self, _: str) -> tuple[bytes, bytes | None] | None:
        return None

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        self.found[url] = base, delta


class _Answers:
    """An `OcspCache` of the same kind."""

    def __init__(self) -> None:
        self.warnings: list[Nv2Error] = []
        self.found: dict[str, bytes] = {}

    def load(self, _: str) -> bytes | None:
        return None

    def store(self, key: str, response: bytes) -> None:
        self.found[key] = response


class _Question(NamedTuple):
    kind: Kind
    address: str
    link: Link


def gather(
    chains: Sequence[Chain],
    is_trusted: Callable[[Chain], bool],
    transport: Transport,
    numbers: CrlNumbers | None,
    new_lock: NewLock,
    now: datetime,
) -> Evidence:
    """The evidence about `chains`, with a gap for each piece that could not be had, or does not count at `now`.

    Only about chains that are trusted is anybody asked. Nothing is raised.
    """
    crls, answers = _Crls(), _Answers()
    about = Circumstances(Asked(new_lock), transport, Caches(crls, answers, numbers), now, None)
    questions = list(dict.fromkeys(_questions(chain for chain in chains if is_trusted(chain))))
    asked = [question for question in questions if question.address]
    statuses = at_once([_inquiry(question, about) for question in asked])
    gaps = [
        _gap(question, status.reason)
        for question, status in zip(asked, statuses, strict=True)
        if status.status is Status.UNKNOWN
    ]
    gaps += [
        _gap(question, "it names a CRL, and no address of it")
        for question in questions
        if not question.address
    ]
    others = _questions(chain for chain in chains if not is_trusted(chain))
    gaps += [_gap(question, NOT_TRUSTED) for question in dict.fromkeys(others) if question not in questions]
    told, responders = _answers(asked, answers, now)
    issuers = list(dict.fromkeys(question.link.issuer for question in questions))
    pieces = (*told, *_lists(crls, issuers))
    certificates = {certificate: None for chain in chains for certificate in chain.certificates}
    return Evidence(
        now, (*certificates, *(r for r in responders if r not in certificates)), pieces, tuple(gaps)
    )


def _questions(chains: Iterator[Chain]) -> Iterator[_Question]:
    """One for each address that a certificate names; without an address where it names a CRL and none."""
    for chain in chains:
        for link in (Link(*pair) for pair in pairwise(chain.certificates)):
            certificate = link.certificate
            for kind, urls in ((Kind.OCSP, certificate.ocsp_urls), (Kind.CRL, certificate.crl_urls)):
                yield from (_Question(kind, url, link) for url in urls[:MAX_ADDRESSES])
            if certificate.names_crl and not certificate.crl_urls:
                yield _Question(Kind.CRL, "", link)


def _inquiry(question: _Question, about: Circumstances) -> Inquiry:
    if question.kind is Kind.OCSP:
        from nv2.revocation.by_ocsp import ask_responder  # few certificates name both

        return ask_responder(question.address, question.link, about)
    from nv2.revocation.by_crl import ask_for_crl

    return ask_for_crl(question.address, question.link, about)


def _gap(question: _Question, reason: str) -> Gap:
    certificate = question.link.certificate
    return Gap(question.kind, question.address, certificate.thumbprint, certificate.subject, reason)


def _answers(
    asked: Sequence[_Question], kept: _Answers, now: datetime
) -> tuple[list[Piece], list[Certificate]]:
    """The answers, and the certificates of delegated responders that must be looked up themselves."""
    from nv2.pki.ocsp import cache_key, status_by_ocsp

    pieces: list[Piece] = []
    responders: dict[Certificate, None] = {}
    for kind, url, (certificate, issuer) in asked:
        data = kept.found.get(cache_key(url, certificate, issuer)) if kind is Kind.OCSP else None
        if data is None:
            continue
        pieces.append(piece(Kind.OCSP, url, issuer.thumbprint, certificate.thumbprint, data))
        responder = status_by_ocsp(data, certificate, issuer, now).responder
        if responder is not None:
            responders[responder] = None
    return pieces, list(responders)


def _lists(kept: _Crls, issuers: Sequence[Certificate]) -> Iterator[Piece]:
    """The CRLs, each with who signed it: some were named by responders, and not by the chains."""
    from nv2.pki.crl import parse_crl

    for url, (base, delta) in kept.found.items():
        crl = parse_crl(base)
        for issuer in issuers:
            try:
                crl.check_origin(issuer)
            except RemoteError:
                continue
            yield piece(Kind.CRL, url, issuer.thumbprint, "", base)
            if delta is not None and _fits(delta, crl):
                yield piece(Kind.DELTA, url, issuer.thumbprint, "", delta)
            break


def _fits(data: bytes, base: Crl) -> bool:
    """Where the base lists the certificate, nobody has looked at the delta, but at who made it."""
    from nv2.pki.crl import check_fit, parse_crl

    try:
        check_fit(parse_crl(data), base)
    except RemoteError:
        return False
    return True
