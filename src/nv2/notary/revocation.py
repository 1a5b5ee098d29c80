"""Asking about revocation, wired: a transport for strangers, the caches of this machine, one checker for a run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nv2.home.crl_cache import CrlCache
from nv2.home.crl_numbers import CrlNumbers
from nv2.home.lock import host_lock
from nv2.home.ocsp_cache import OcspCache
from nv2.revocation.caches import Caches
from nv2.revocation.online import OnlineRevocation
from nv2.transport.deadline import Hurried
from nv2.transport.interface import Transport

if TYPE_CHECKING:
    from nv2.home.paths import Paths
    from nv2.notary.session import Session
    from nv2.revocation.carried import Carried

MAX_ASKING = 120.0
"""Seconds for everything that is asked about one chain: two large CRLs over a slow line, one after the other."""


def asking_checker(session: Session) -> OnlineRevocation:
    """What asks for `session`, with its proxies and CA file, but no credentials and no client certificate."""
    paths = session.paths
    caches = Caches(
        CrlCache(paths.crl_cache),
        OcspCache(paths.ocsp_cache),
        CrlNumbers(paths.crl_numbers, host_lock(paths.locks)),
        _carried(paths),
    )

    def transport() -> Transport:
        return Hurried(session.registries.transport_to_strangers(), MAX_ASKING)

    return OnlineRevocation(transport, threading.Lock, caches, session.warn)


def _carried(paths: Paths) -> Carried | None:
    """What a bundle brought; None, on most machines, where none did. Raises `ConfigurationError`."""
    if not paths.carried.is_dir():
        return None
    from nv2.notary.carried import carried_here

    return carried_here(paths)
