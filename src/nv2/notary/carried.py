"""Carried evidence of this machine, wired: where it was installed, how old it may be, and the floor under the clock."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nv2.home.clock_floor import ClockFloor
from nv2.home.crl_cache import CrlCache
from nv2.home.lock import host_lock
from nv2.home.ocsp_cache import OcspCache
from nv2.home.own_settings import OwnSettings, load_own_settings
from nv2.pki.certificate_status import Allowance
from nv2.revocation.carried import Carried, Place

if TYPE_CHECKING:
    from nv2.home.paths import Paths
    from nv2.pki.certificate import Certificate


class CarriedHere:
    """What was installed on this machine, and its rules. `settings` raises `ConfigurationError`.

    Who does not `learn` writes nothing.
    """

    def __init__(self, paths: Paths, *, learn: bool = True) -> None:
        self._paths = paths
        self.floor = ClockFloor(paths.clock_floor, host_lock(paths.locks))
        self.place = Place(
            CrlCache(paths.carried / "crl", paths.carried / "plain", learn=learn),
            OcspCache(paths.carried / "ocsp"),
        )

    @cached_property
    def settings(self) -> OwnSettings:
        """The two settings among them: `evidence_age` and `clock_behind`."""
        return load_own_settings(self._paths)

    def allowance(self, issuer: Certificate) -> Allowance:
        """How old evidence of `issuer` may be here."""
        return self.settings.evidence_age.of(issuer.thumbprint)


def carried_here(paths: Paths) -> Carried:
    """For whoever can also ask. Raises `ConfigurationError`."""
    here = CarriedHere(paths)
    return Carried((here.place,), here.allowance, here.floor.read(), here.settings.clock_behind)
