"""The trust policies' files: `trustpolicy.oci.json`, else `trustpolicy.json`, never both; `trustpolicy.blob.json`.

What this module does not do: read what is in them; that is `trust.policy` and `trust.blob_policy`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from nv2.errors import EnvironmentFailure, PolicyError
from nv2.files import delete_file, read_file, write_atomically
from nv2.home.paths import Paths

MAX_POLICY = 4 * 1024 * 1024
"""Bytes of a policy file: ten thousand statements and more."""

ABSENT = "create one with 'nv2 policy init' or bring one with 'nv2 policy import'"
BLOB_ABSENT = "create one with 'nv2 blob policy init' or bring one with 'nv2 blob policy import'"


class PolicyFile(NamedTuple):
    """A policy file as it lies there."""

    path: Path
    data: bytes
    warnings: tuple[str, ...] = ()
    """What whoever administers this machine should know; no reason to stop."""


class Imported(NamedTuple):
    """Where a policy was written, and whether the old file is gone."""

    path: Path
    removed_old: bool
    warnings: tuple[str, ...] = ()


def existing_policy(paths: Paths) -> Path | None:
    """The file that holds the policy, good or bad; None when there is none."""
    return next((path for path in (paths.policy, paths.old_policy) if os.path.lexists(path)), None)


def load_policy(paths: Paths, *, follow: bool = False) -> PolicyFile:
    """The policy's bytes. Raises `PolicyError` if there is none or it cannot be read.

    A symbolic link is refused, as by notation, unless `follow` (which serves showing it).
    """
    path = existing_policy(paths)
    if path is None:
        raise PolicyError("trust policy is not present", at=str(paths.policy), hint=ABSENT)
    data = _read(path, follow)
    return PolicyFile(path, data, _warnings(paths, data, follow) if path == paths.policy else ())


def existing_blob_policy(paths: Paths) -> Path | None:
    """As `existing_policy`, for blobs."""
    return paths.blob_policy if os.path.lexists(paths.blob_policy) else None


def load_blob_policy(paths: Paths, *, follow: bool = False) -> PolicyFile:
    """As `load_policy`, for blobs. Raises `PolicyError`."""
    path = existing_blob_policy(paths)
    if path is None:
        raise PolicyError("blob trust policy is not present", at=str(paths.blob_policy), hint=BLOB_ABSENT)
    return PolicyFile(path, _read(path, follow))


def _read(path: Path, follow: bool) -> bytes:
    return read_file(path, MAX_POLICY, "a trust policy", error=PolicyError, regular=not follow)


def _warnings(paths: Paths, data: bytes, follow: bool) -> tuple[str, ...]:
    """Older programs read the old file alone, so two that differ mean two verdicts on one machine."""
    if not os.path.lexists(paths.old_policy):
        return ()
    try:
        same = _read(paths.old_policy, follow) == data
    except PolicyError:
        same = False
    if same:
        return ()
    return (
        f"{paths.old_policy} differs from {paths.policy.name}, which applies; notation 1.x reads only the former",
    )


def import_policy(paths: Paths, data: bytes) -> Imported:
    """Make `data`, as it is, the policy, and remove the file of the old name.

    The caller has read what is in `data`. Raises `EnvironmentFailure`.
    """
    write_atomically(paths.policy, data)
    if not os.path.lexists(paths.old_policy):
        return Imported(paths.policy, False)
    try:
        delete_file(paths.old_policy)
    except EnvironmentFailure as e:
        warning = f"failed to delete old trust policy configuration {paths.old_policy.name}: {e.message}"
        return Imported(paths.policy, False, (warning,))
    return Imported(paths.policy, True)


def import_blob_policy(paths: Paths, data: bytes) -> Imported:
    """As `import_policy`, for blobs: there is no older name."""
    write_atomically(paths.blob_policy, data)
    return Imported(paths.blob_policy, False)
