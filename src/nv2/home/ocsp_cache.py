"""OCSP answers kept between runs, in nv2's folder of notation's cache: a file for each question, DER as it came.

What this module does not do: believe them. Whoever loads an answer judges it as if it had just come (`pki.ocsp`), except
that there is no nonce to compare. An old answer in the place of a younger one counts until its nextUpdate, as it would on
the way from the responder, and not a second longer.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.files import failure, read_file, write_atomically
from nv2.home.evidence_files import own_status
from nv2.pki.certificate_status import MAX_RESPONSE

MAX_ANSWERS = 1000
"""Answers that are kept; the oldest make room. With 2 kB each that is 2 MB, and at most 64 MB."""

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)


class OcspCache:
    """Answers by key, in a directory that is made when first needed.

    Nothing here is fatal: what went wrong is in `warnings`. Any number of processes may use it at once; of two that keep
    an answer under one key, one answer stays, whole.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.warnings: list[Nv2Error] = []
        """What went wrong so far: an entry that could not be read, an answer that could not be kept."""

    def load(self, key: str) -> bytes | None:
        """The answer kept under `key`, a name made by `pki.ocsp.cache_key`; None if there is none that can be read."""
        path = self._path(key)
        try:
            if own_status(path) is None:
                return None
            return read_file(path, MAX_RESPONSE, "an OCSP answer", regular=True)
        except EnvironmentFailure as e:
            self.warnings.append(e)
            return None

    def store(self, key: str, response: bytes) -> None:
        """Keep `response` under `key`, in the place of an older one."""
        path = self._path(key)
        try:
            if len(response) > MAX_RESPONSE:
                raise EnvironmentFailure(f"an OCSP answer of more than {MAX_RESPONSE} bytes is not kept")
            # Not brought to the disk: half a file, after a loss of power, is one more that is ignored.
            write_atomically(path, response, durable=False)
            self._make_room()
        except EnvironmentFailure as e:
            self.warnings.append(e)
        except OSError as e:
            self.warnings.append(failure(e, self._directory))

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"no key of an OCSP answer: {key!r}")
        return self._directory / key

    def _make_room(self) -> None:
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _KEY.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):  # another process makes room as well
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
        for _, path in sorted(found)[: max(0, len(found) - MAX_ANSWERS)]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
