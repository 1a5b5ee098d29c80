"""OCSP answers kept between runs, in nv2's folder of notation's cache.

What this module does not do: believe them. Every reader judges what it loads as if it had just come (`pki.ocsp`).
"""

from __future__ import annotations

from pathlib import Path

from nv2.errors import Nv2Error


class OcspCache:
    """Answers by key, in a directory that is made when first needed. Nothing here is fatal."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.warnings: list[Nv2Error] = []
        """What went wrong so far: an entry that could not be read, an answer that could not be kept."""

    def load(self, key: str) -> bytes | None:
        """The answer kept under `key`, a name made by `pki.ocsp.cache_key`; None if there is none that can be read."""
        raise NotImplementedError

    def store(self, key: str, response: bytes) -> None:
        """Keep `response` under `key`, in the place of an older one."""
        raise NotImplementedError
