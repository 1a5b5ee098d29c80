"""Whether a certificate of a chain was revoked (trust-store-trust-policy, "Certificate Revocation Evaluation").

This module is all that a plain verification loads: most chains name nobody who could be asked. `online` asks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from nv2.pki.chain import Chain, place
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome

NOTHING_TO_ASK = "no certificate of the chain says where its revocation would be published; only 'nv2 trust deny' withdraws its keys"


class RevocationChecker(Protocol):
    """Whoever can tell. Only asked about chains that end in a trusted anchor."""

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        """The finding about `chain` at `now`.

        `signed_at` is the signing time if it is authentic: a key that became bad after it does no harm.
        """

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """Begin to ask what `check` will want to know about the same, and return at once."""


class WithoutNetwork:
    """Decides what needs no network: for chains that nobody trusts, and whoever names nobody to ask.

    The last certificate is the anchor, or was issued by itself: nobody could revoke it, and the
    specification's peers do not ask either.
    """

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        """Passed if no certificate but the last names an OCSP responder or a CRL; else unknown."""
        del now, signed_at  # nothing was fetched that could be old
        for i, certificate in enumerate(chain.certificates[:-1], 1):
            if certificate.has_revocation_information:
                return Finding(
                    Validation.REVOCATION,
                    Outcome.UNKNOWN,
                    f"{place(i, certificate)} names an OCSP responder or a CRL, and nobody was asked: "
                    "that is done for trusted chains alone",
                )
        return Finding(Validation.REVOCATION, Outcome.PASSED, NOTHING_TO_ASK)

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """Nobody is asked."""


class OnDemand:
    """Asks only about chains that name somebody to ask; what asks is made for the first of them.

    `make` gives the same checker each time.
    """

    def __init__(self, make: Callable[[], RevocationChecker]) -> None:
        self._make = make

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        """As `RevocationChecker.check`."""
        if _names_somebody(chain):
            return self._make().check(chain, now, signed_at)
        return Finding(Validation.REVOCATION, Outcome.PASSED, NOTHING_TO_ASK)

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """As `RevocationChecker.begin`."""
        if _names_somebody(chain):
            self._make().begin(chain, now, signed_at)


def _names_somebody(chain: Chain) -> bool:
    return any(certificate.has_revocation_information for certificate in chain.certificates[:-1])
