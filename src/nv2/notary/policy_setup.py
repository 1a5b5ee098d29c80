"""The trust policies of this machine, wired: showing one, bringing one, and writing a strict one.

There are two, for OCI artifacts and for blobs. What they differ in is a `PolicyKind`; everything else is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2 import strict_json
from nv2.errors import Nv2Error, PolicyError, TrustStoreError, UsageError
from nv2.files import read_file
from nv2.home import policy_file
from nv2.home.json_files import json_text
from nv2.home.paths import Paths
from nv2.home.policy_file import MAX_POLICY, Imported, PolicyFile
from nv2.home.trust_stores import load_store
from nv2.notary.machine import Machine

if TYPE_CHECKING:
    from nv2.trust.policy import Statement


def _oci_statements(data: bytes, at: str) -> tuple[Statement, ...]:
    from nv2.trust.policy import parse_policy

    return parse_policy(data, at).statements


def _blob_statements(data: bytes, at: str) -> tuple[Statement, ...]:
    from nv2.trust.blob_policy import parse_blob_policy

    return parse_blob_policy(data, at).statements


class PolicyKind(NamedTuple):
    """One of the two trust policies."""

    word: str
    """As messages call it."""
    it: str
    """How the message that it is absent goes on."""
    command: str
    """The words after the program's name that manage it."""
    path: Callable[[Paths], Path]
    """Where it is written."""
    existing: Callable[[Paths], Path | None]
    load: Callable[..., PolicyFile]
    bring: Callable[[Paths, bytes], Imported]
    statements: Callable[[bytes, str], tuple[Statement, ...]]
    """What a document says. Raises `PolicyError`."""


OCI = PolicyKind(
    "OCI",
    "it",
    "policy",
    lambda paths: paths.policy,
    policy_file.existing_policy,
    policy_file.load_policy,
    policy_file.import_policy,
    _oci_statements,
)
BLOB = PolicyKind(
    "blob",
    "the configuration",
    "blob policy",
    lambda paths: paths.blob_policy,
    policy_file.existing_blob_policy,
    policy_file.load_blob_policy,
    policy_file.import_blob_policy,
    _blob_statements,
)


class Shown(NamedTuple):
    """A policy file, and what is wrong with it."""

    file: PolicyFile
    problem: PolicyError | None
    is_old: bool
    """Whether it has the name that notation 1.x gave it."""


def show_policy(machine: Machine, kind: PolicyKind = OCI) -> Shown | None:
    """The policy as it lies there; None if there is none. Raises `PolicyError` if it cannot be read."""
    if kind.existing(machine.paths) is None:
        return None
    file = kind.load(machine.paths, follow=True)
    is_old = file.path == machine.paths.old_policy
    try:
        kind.statements(file.data, str(file.path))
    except PolicyError as e:
        return Shown(file, e, is_old)
    return Shown(file, None, is_old)


def has_policy(machine: Machine, kind: PolicyKind = OCI) -> bool:
    """Whether there is a policy, good or bad, that another one would replace."""
    return kind.existing(machine.paths) is not None


def read_policy(path: Path, kind: PolicyKind = OCI) -> bytes:
    """The bytes of a policy to import, which were found to be good. Raises `PolicyError`, `EnvironmentFailure`."""
    what = f"{kind.word} trust policy {'configuration' if kind is OCI else 'file'}"
    with _failing(f"failed to read {what}"):
        data = read_file(path, MAX_POLICY, "a trust policy")
    with _failing(f"failed to parse {kind.word} trust policy configuration"):
        strict_json.loads(data, PolicyError, at=str(path))
    with _failing(f"failed to validate {kind.word} trust policy configuration"):
        kind.statements(data, str(path))
    return data


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Say in the words of notation what failed, before what is wrong."""
    try:
        yield
    except Nv2Error as e:
        raise type(e)(f"{what}: {e}", hint=e.hint) from None


def strict_policy(
    name: str,
    stores: tuple[str, ...],
    identities: tuple[str, ...],
    applies: dict[str, object],
    kind: PolicyKind = OCI,
) -> bytes:
    """A policy with one strict statement, as JSON in notation's order; `applies` says to what. Raises `UsageError`."""
    statement = {
        "name": name,
        "signatureVerification": {"level": "strict"},
        "trustStores": list(stores),
        "trustedIdentities": list(identities),
        **applies,
    }
    data = json_text({"version": "1.0", "trustPolicies": [statement]}, 2).encode()
    try:
        kind.statements(data, "")
    except PolicyError as e:
        raise UsageError(f"invalid {kind.word} policy: {e.message}", at=e.at, hint=e.hint) from None
    return data


def write_policy(machine: Machine, data: bytes, *, replace: bool, kind: PolicyKind = OCI) -> Imported:
    """Make `data` the policy. Raises `EnvironmentFailure`, and `PolicyError` over a policy unless `replace`."""
    with machine.lock(str(kind.path(machine.paths))):
        if not replace and (other := kind.existing(machine.paths)):
            raise PolicyError(
                "somebody else has just written a trust policy, and it was left as it is",
                at=str(other),
                hint=f"look at it with 'nv2 {kind.command} show'",
            )
        return kind.bring(machine.paths, data)


def unusable_stores(machine: Machine, data: bytes, kind: PolicyKind = OCI) -> tuple[TrustStoreError, ...]:
    """What is wrong with the trust stores that the policy `data` names: a verification would find out too."""
    names = {store for statement in kind.statements(data, "policy") for store in statement.stores}
    problems = []
    for name in sorted(names, key=str):
        try:
            load_store(machine.paths, name)
        except TrustStoreError as e:
            problems.append(e)
    return tuple(problems)
