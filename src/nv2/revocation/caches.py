"""Where evidence is kept between runs, as this room sees it. What comes out of a cache is judged like what was fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nv2.errors import Nv2Error
from nv2.pki.certificate_status import STRICT, Allowance

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.revocation.carried import Carried


class CrlCache(Protocol):
    """CRLs by the address of the base, a base together with its delta."""

    warnings: list[Nv2Error]
    """What went wrong so far: nothing of it is fatal."""

    def load(self, url: str) -> tuple[bytes, bytes | None] | None:
        """Base and delta, DER; None if there is nothing that can be read."""

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        """Keep them in the place of older ones."""


class OcspCache(Protocol):
    """OCSP answers by `pki.ocsp.cache_key`."""

    warnings: list[Nv2Error]

    def load(self, key: str) -> bytes | None:
        """The answer, DER; None if there is none that can be read."""

    def store(self, key: str, response: bytes) -> None:
        """Keep it in the place of an older one."""


class CrlNumbers(Protocol):
    """The highest CRL numbers that were seen."""

    warnings: list[Nv2Error]

    def older(self, series: str, number: int | None) -> str | None:
        """Why a CRL of this number is refused: a newer one was seen. Nothing is remembered."""

    def refusal(self, series: str, number: int | None) -> str | None:
        """The same of an authentic CRL. None remembers the number."""


class Caches(NamedTuple):
    """What a run has; None where nothing is kept."""

    crl: CrlCache | None = None
    ocsp: OcspCache | None = None
    numbers: CrlNumbers | None = None
    carried: Carried | None = None
    """What was carried here on purpose, and may be older than what was fetched."""

    def allowance(self, issuer: Certificate) -> Allowance:
        """How old what is kept of `issuer` may be: no grace, but the age limit, for some of it was carried here."""
        if self.carried is None:
            return STRICT
        return self.carried.rule(issuer)._replace(grace=STRICT.grace)

    def warnings(self) -> Iterator[list[Nv2Error]]:
        """Of each that there is."""
        places = self.carried.places if self.carried else ()
        for cache in (*self[:3], *(cache for place in places for cache in place.caches)):
            if cache is not None:
                yield cache.warnings
