"""Is it there already? Asked of any content, and of blobs that many manifests name, which are sent only if missing.

All signatures have the same config. Whether the registry has it need not be asked where a *witness* is listed: a
signature of the same artifact that this host made earlier. While it is there, so is what it names. Whether
it is still listed is seen in the fallback index, which is read before it is written anyway (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from nv2.content.interface import Opener, done
from nv2.content.remote.endpoint import Endpoint, look_for
from nv2.content.remote.uploads import Uploads
from nv2.oci.descriptor import Descriptor

MISSING_CONTENT = (400, 404)
"""How registries refuse a manifest or an index that names what they have not."""

BLOB_UNKNOWN = "BLOB_UNKNOWN"
PATIENCE = (0.05, 0.2, 0.8)
"""Seconds to wait, time and again, when a registry says that it misses a blob, and that it has it: while somebody else
sends the same one, as all signatures have the same config, Distribution cannot read its own record of it."""

NOBODY: frozenset[str] = frozenset()
"""No witnesses."""


class _Presumed(NamedTuple):
    """A blob that nobody was asked about."""

    descriptor: Descriptor
    source: Opener
    witnesses: frozenset[str]


class SharedBlobs:
    """The shared blobs of what one store is about to attach."""

    def __init__(self, endpoint: Endpoint, uploads: Uploads) -> None:
        self._endpoint = endpoint
        self._uploads = uploads
        self._presumed: list[_Presumed] = []

    def provide(
        self, descriptor: Descriptor, source: Opener, witnesses: frozenset[str]
    ) -> Callable[[], object]:
        """Begin to see to it that the blob is there; see `Pusher.provide`. With witnesses, `confirm` does the rest."""
        if witnesses:
            self._presumed.append(_Presumed(descriptor, source, witnesses))
            return done
        return partial(self._push_if_missing, descriptor, source, look_for(self._endpoint, descriptor))

    def confirm(self, listed: frozenset[str]) -> bool:
        """See to every blob that none of the digests `listed` vouches for; whether one had to be sent."""
        presumed, self._presumed = self._presumed, []
        sent = [
            self._push_if_missing(item.descriptor, item.source, look_for(self._endpoint, item.descriptor))
            for item in presumed
            if not item.witnesses & listed
        ]
        return any(sent)

    def _push_if_missing(self, descriptor: Descriptor, source: Opener, there: Callable[[], bool]) -> bool:
        if there():
            return False
        self._uploads.push(descriptor, source)
        return True
