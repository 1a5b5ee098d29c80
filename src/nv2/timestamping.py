"""When was a signature made? Its timestamp, verified; and a new one, asked for through the transport.

trust-store-trust-policy, "Validate Authentic Timestamp". What this module does not do: decide whether a timestamp is due
(`trust.validations`), or make random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from nv2.content.interface import opener
from nv2.errors import (
    BadAnswer,
    ConfigurationError,
    EnvironmentFailure,
    InvalidCertificate,
    InvalidTimestamp,
    Unreachable,
)
from nv2.pki.certificate import Certificate
from nv2.pki.chain import Chain, check_validity
from nv2.pki.cms import MAX_SIGNED_DATA
from nv2.pki.timestamp import TstInfo, parse_token
from nv2.pki.timestamp_chain import timestamp_chain
from nv2.pki.timestamp_request import build_request, open_reply
from nv2.plain_text import rfc3339
from nv2.transport.interface import Request, Transport, send
from nv2.trust.level import Validation
from nv2.trust.validations import Proven
from nv2.trust.verdict import Finding, Outcome

if TYPE_CHECKING:
    from nv2.revocation import RevocationChecker

REPLY_TIMEOUT = 15.0
"""Seconds for a timestamp, everything included; as in notation."""

_ADVICE = "is this the address of the timestamping authority, and can this machine reach it?"

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


class Countersigned(NamedTuple):
    """What came of a timestamp."""

    finding: Finding
    signed_by: datetime | None = None
    """The instant by which the signature existed, if that is proven."""


def verify_timestamp(
    proven: Proven,
    roots: Callable[[], Sequence[Certificate]],
    revocation: Callable[[Chain, datetime], Finding],
) -> Countersigned:
    """Whether the timestamp of `proven` proves that every certificate was valid when the signature was made.

    `roots` gives the trusted timestamping authorities, `revocation` the finding about the chain of one, and is told by when
    the signature existed if it is good. It is only asked about a token that holds. One that does not has failed; a store
    that cannot be read, and an authority whose revocation is unknown, leave it open.
    """
    envelope = proven.content.envelope
    try:
        opened = parse_token(envelope.unsigned.timestamp or b"").open()
        opened.info.check_imprint(envelope.signature)
        chain = timestamp_chain(opened, roots())
        _check_window(proven.chain, opened.info)
    except InvalidTimestamp as e:
        return _finding(Outcome.FAILED, f"the timestamp does not count: {e}", e.hint or "")
    except (ConfigurationError, EnvironmentFailure) as e:
        return _finding(Outcome.UNKNOWN, str(e), e.hint or "")
    status = revocation(chain, opened.info.latest)
    if status.outcome is not Outcome.PASSED:
        return _finding(status.outcome, f"of the timestamping authority, {status.reason}", status.hint)
    return _finding(Outcome.PASSED, f"timestamped at {rfc3339(opened.info.gen_time)}", "")._replace(
        signed_by=opened.info.latest
    )


def _finding(outcome: Outcome, reason: str, hint: str) -> Countersigned:
    return Countersigned(Finding(Validation.AUTHENTIC_TIMESTAMP, outcome, reason, hint))


def _check_window(chain: Chain, info: TstInfo) -> None:
    """Both ends: the authority does not know the time any better."""
    for instant, which in ((info.earliest, "earliest"), (info.latest, "latest")):
        try:
            check_validity(chain, instant)
        except InvalidCertificate as e:
            raise InvalidTimestamp(f"at the {which} it says {rfc3339(instant)}, and {e}") from None


class TimestampService(NamedTuple):
    """An authority that stamps signatures, and how its timestamps are checked before they are used."""

    transport: Transport
    url: str
    root: Certificate
    """The only one that its timestamps may lead to."""
    revocation: RevocationChecker
    now: datetime
    nonce: Callable[[], int]
    """Random, positive, at least `timestamp_request.MIN_NONCE` bits; a new one each time."""

    def stamp(self, signature: bytes, hash_name: str, signer: Chain) -> bytes:
        """A timestamp token for the raw `signature` by `signer`, whose imprint is made with `hash_name`.

        Raises `RemoteError` if there is no answer, or one that would not be trusted.
        """
        nonce = self.nonce()
        reply = self._ask(build_request(signature, hash_name, nonce))
        try:
            token, opened = open_reply(reply, signature, hash_name, nonce)
            chain = timestamp_chain(opened, (self.root,))
            _check_window(signer, opened.info)
        except InvalidTimestamp as e:
            raise BadAnswer(f"the timestamp cannot be used: {e}", at=self.url, hint=e.hint) from None
        status = self.revocation.check(chain, self.now, None)
        if status.outcome is not Outcome.PASSED:
            # CVE-2024-56138: who verifies will ask, and by then the signature has been handed out.
            raise BadAnswer(
                f"of the timestamping authority, {status.reason}", at=self.url, hint=status.hint or None
            )
        return token

    def _ask(self, query: bytes) -> bytes:
        request = Request(
            "POST",
            self.url,
            {"Content-Type": _QUERY, "Accept": _REPLY},
            body=opener(query),
            body_size=len(query),
            limit=MAX_SIGNED_DATA,
            total_timeout=REPLY_TIMEOUT,
            anonymous=True,
        )
        try:
            response = send(self.transport, request)
            if response.status == 200 and response.content_type == _REPLY:
                return response.data()
        except Unreachable as e:
            # The transport names the host, or the proxy, that failed; its advice is about registries.
            raise Unreachable(f"timestamp: no answer: {e}", at=self.url, hint=_ADVICE) from None
        response.discard()
        raise BadAnswer(
            f"no timestamp: status {response.status}, {response.content_type or 'no content type'}",
            at=request.place,
            hint=_ADVICE,
        )
