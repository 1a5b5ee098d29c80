"""Revocation, asked: every certificate of a chain at once, and the finding that the answers come to.

trust-store-trust-policy, "Certificate Revocation Evaluation". Whatever cannot be found out is unknown, never good.
What this module does not do: decide what unknown means (the level does), or open connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.chain import MAX_SUBJECT, Chain, place
from nv2.pki.profile import TIME_STAMPING
from nv2.plain_text import one_line, rfc3339
from nv2.revocation.caches import Caches
from nv2.revocation.circumstances import Circumstances, Inquiry, Link
from nv2.revocation.evidence import Evidence, NewLock
from nv2.revocation.inquiry import inquire
from nv2.transport.interface import Transport
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome

HINT = (
    "the responders and CRL servers that the certificates name must be reachable from here, "
    "or a fresh CRL must be in the cache"
)


ALONE_HINT = "have a new bundle made, with fresh evidence: here nobody is asked"


class OnlineRevocation:
    """A `RevocationChecker` that asks. One of it serves a run: what was learnt once is not asked again.

    `transport` is called for each check: it may limit how long all of that check takes. `new_lock` is `threading.Lock`
    where several threads check; `warn` hears of caches that could not be used, which is not fatal.
    """

    def __init__(
        self,
        transport: Callable[[], Transport],
        new_lock: NewLock,
        caches: Caches = Caches(),  # noqa: B008  # immutable
        warn: Callable[[str], None] = len,  # type: ignore[assignment]
    ) -> None:
        self._transport = transport
        self._evidence = Evidence(new_lock)
        self._caches = caches
        self._warn = warn
        self._known: dict[_Asked, CertificateStatus] = {}
        self._begun: dict[_Asked, Inquiry] = {}

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        """As `RevocationChecker.check`. The last certificate is not asked about: it is the anchor."""
        statuses = self.statuses(chain, now, signed_at)
        self._pass_on_warnings()
        found = finding_of(chain, statuses)
        carried = self._caches.carried
        return found._replace(hint=ALONE_HINT) if found.hint and carried and carried.alone else found

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """As `RevocationChecker.begin`: what the caches tell is known at once, for the rest somebody is asked."""
        about = self._circumstances(now, signed_at)
        for asked in self._open(chain, now, signed_at):
            inquiry = inquire(asked[0], about)
            try:
                next(inquiry)
            except StopIteration as end:
                self._known[asked] = end.value
            else:
                self._begun[asked] = inquiry

    def statuses(
        self, chain: Chain, now: datetime, signed_at: datetime | None
    ) -> tuple[CertificateStatus | None, ...]:
        """Of each certificate but the last; None for one that names nobody to ask."""
        about = self._circumstances(now, signed_at)
        unknown = self._open(chain, now, signed_at)
        answers = at_once([self._begun_or_new(asked, about) for asked in unknown])
        self._known.update(zip(unknown, answers, strict=True))
        return tuple(self._known.get((link, now, signed_at)) for link in _links(chain))

    def _circumstances(self, now: datetime, signed_at: datetime | None) -> Circumstances:
        return Circumstances(self._evidence, self._transport(), self._caches, now, signed_at)

    def _begun_or_new(self, asked: _Asked, about: Circumstances) -> Inquiry:
        # Taken out: two threads cannot go on with one inquiry. The other one gets the same answers by its own.
        begun: Inquiry | None = self._begun.pop(asked, None)
        return begun or inquire(asked[0], about)

    def _open(self, chain: Chain, now: datetime, signed_at: datetime | None) -> list[_Asked]:
        """What is not known yet, and somebody could be asked about."""
        links = [link for link in _links(chain) if link.certificate.has_revocation_information]
        return [asked for link in links if (asked := (link, now, signed_at)) not in self._known]

    def _pass_on_warnings(self) -> None:
        for warnings in self._caches.warnings():
            with suppress(IndexError):  # another thread may have passed it on
                while warnings:
                    self._warn(str(warnings.pop(0)))


_Asked = tuple[Link, datetime, datetime | None]
"""A certificate with its issuer, now, and the authentic signing time."""


def _links(chain: Chain) -> list[Link]:
    return [Link(*pair) for pair in pairwise(chain.certificates)]


def at_once(inquiries: Sequence[Inquiry]) -> list[CertificateStatus]:
    """The values of `inquiries`, in order: all of them ask before anybody waits, and each goes on after its answer."""
    found: dict[int, CertificateStatus] = {}
    under_way = deque(enumerate(inquiries))
    while under_way:
        number, inquiry = under_way.popleft()
        try:
            next(inquiry)
        except StopIteration as end:
            found[number] = end.value
        else:
            under_way.append((number, inquiry))
    return [found[number] for number in range(len(inquiries))]


def finding_of(chain: Chain, statuses: Sequence[CertificateStatus | None]) -> Finding:
    """Failed if a certificate is revoked, else unknown if one is, else passed: with what was learnt, and where."""
    role = "timestamping" if TIME_STAMPING in (chain.leaf.extended_key_usage or ()) else "signing"
    for wanted, outcome, words in (
        (Status.REVOKED, Outcome.FAILED, "is revoked"),
        (Status.UNKNOWN, Outcome.UNKNOWN, "revocation status is unknown"),
    ):
        told = [
            f'{role} certificate with subject "{one_line(certificate.subject, MAX_SUBJECT)}" {words}: '
            f"certificate #{i}, {status.reason}"
            for i, (certificate, status) in enumerate(zip(chain.certificates, statuses, strict=False), 1)
            if status is not None and status.status is wanted
        ]
        if told:
            hint = HINT if outcome is Outcome.UNKNOWN else ""
            return Finding(Validation.REVOCATION, outcome, ", and ".join(told), hint)
    return Finding(Validation.REVOCATION, Outcome.PASSED, "; ".join(_notes(chain, statuses)))


def _notes(chain: Chain, statuses: Sequence[CertificateStatus | None]) -> list[str]:
    return [
        f"{place(i, certificate)} {_good(status) if status else 'names no OCSP responder and no CRL'}"
        for i, (certificate, status) in enumerate(zip(chain.certificates, statuses, strict=False), 1)
    ]


def _good(status: CertificateStatus) -> str:
    """Who said so, and until when nobody is asked again."""
    until = f", until {rfc3339(status.fresh_until)}" if status.fresh_until else ""
    return f"is good, {status.reason}{until}"
