"""The trust policy of this machine, wired: showing it, bringing one, and writing a strict one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nv2.errors import PolicyError, TrustStoreError, UsageError
from nv2.files import read_file
from nv2.home.json_files import json_text
from nv2.home.policy_file import MAX_POLICY, Imported, PolicyFile, existing_policy, import_policy, load_policy
from nv2.home.trust_stores import load_store
from nv2.notary.machine import Machine


class Shown(NamedTuple):
    """A policy file, and what is wrong with it."""

    file: PolicyFile
    problem: PolicyError | None
    is_old: bool
    """Whether it has the name that notation 1.x gave it."""


def show_policy(machine: Machine) -> Shown | None:
    """The policy as it lies there; None if there is none. Raises `PolicyError` if it cannot be read."""
    from nv2.trust.policy import parse_policy

    if existing_policy(machine.paths) is None:
        return None
    file = load_policy(machine.paths, follow=True)
    is_old = file.path == machine.paths.old_policy
    try:
        parse_policy(file.data, str(file.path))
    except PolicyError as e:
        return Shown(file, e, is_old)
    return Shown(file, None, is_old)


def has_policy(machine: Machine) -> bool:
    """Whether there is a policy, good or bad, that another one would replace."""
    return existing_policy(machine.paths) is not None


def read_policy(path: Path) -> bytes:
    """The bytes of a policy to import, which were found to be good. Raises `PolicyError`, `EnvironmentFailure`."""
    from nv2.trust.policy import parse_policy

    data = read_file(path, MAX_POLICY, "a trust policy")
    parse_policy(data, str(path))
    return data


def strict_policy(
    name: str, scopes: tuple[str, ...], stores: tuple[str, ...], identities: tuple[str, ...]
) -> bytes:
    """A policy with one strict statement, as JSON in notation's order. Raises `UsageError`."""
    from nv2.trust.policy import parse_policy

    statement = {
        "name": name,
        "signatureVerification": {"level": "strict"},
        "trustStores": list(stores),
        "trustedIdentities": list(identities),
        "registryScopes": list(scopes),
    }
    data = json_text({"version": "1.0", "trustPolicies": [statement]}, 2).encode()
    try:
        parse_policy(data, "")
    except PolicyError as e:
        raise UsageError(f"invalid OCI policy: {e.message}", at=e.at, hint=e.hint) from None
    return data


def write_policy(machine: Machine, data: bytes, *, replace: bool) -> Imported:
    """Make `data` the policy. Raises `EnvironmentFailure`, and `PolicyError` over a policy unless `replace`."""
    with machine.lock(str(machine.paths.policy)):
        if not replace and (other := existing_policy(machine.paths)):
            raise PolicyError(
                "somebody else has just written a trust policy, and it was left as it is",
                at=str(other),
                hint="look at it with 'nv2 policy show'",
            )
        return import_policy(machine.paths, data)


def unusable_stores(machine: Machine, data: bytes) -> tuple[TrustStoreError, ...]:
    """What is wrong with the trust stores that the policy `data` names: a verification would find out too."""
    from nv2.trust.policy import parse_policy

    names = {store for statement in parse_policy(data, "policy").statements for store in statement.stores}
    problems = []
    for name in sorted(names, key=str):
        try:
            load_store(machine.paths, name)
        except TrustStoreError as e:
            problems.append(e)
    return tuple(problems)
