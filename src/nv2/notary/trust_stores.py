"""The trust stores of this machine, wired: what is in them, and changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nv2.errors import EnvironmentFailure, TrustStoreError, UsageError
from nv2.home import trust_stores
from nv2.home.paths import is_name
from nv2.home.trust_stores import STORE_TYPES as STORE_TYPES
from nv2.home.trust_stores import StoredFile
from nv2.notary.keyring import Cleaned, Pair, clean_pair, new_pair
from nv2.notary.machine import Machine
from nv2.plain_text import rfc3339

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate

TEST_VALIDITY = timedelta(days=1)
"""As notation: a key for trying things out should not outlive the trial."""


class Listed(NamedTuple):
    """A file of a store with its certificates, or with why it has none."""

    file: StoredFile
    certificates: tuple[Certificate, ...] = ()
    problem: TrustStoreError | None = None


def list_stored(machine: Machine, kind: str = "", name: str = "") -> Iterator[Listed]:
    """Every file of the stores of a type (of all, if empty) with a name (likewise). Raises `TrustStoreError`."""
    for file in trust_stores.list_certificates(machine.paths, kind, name):
        try:
            yield Listed(file, trust_stores.read_certificates(file.path, regular=True))
        except TrustStoreError as e:
            yield Listed(file, problem=e)


def show_stored(machine: Machine, kind: str, name: str, file: str) -> tuple[Certificate, ...]:
    """The certificates of one file of a store. Raises `TrustStoreError`, `UsageError`."""
    return trust_stores.stored_certificates(machine.paths, kind, name, file)


def check_type(kind: str) -> None:
    """Raise `UsageError` unless `kind` is a type of stores, or empty for all of them."""
    if kind not in ("", *STORE_TYPES):
        raise UsageError(f"unsupported store type: {kind}", hint=f"types: {', '.join(STORE_TYPES)}")


def check_store(machine: Machine, kind: str, name: str, file: str | None = None) -> None:
    """Raise `UsageError` unless the words can name a store, and a file in it."""
    if file is None:
        trust_stores.store_directory(machine.paths, kind, name)
    else:
        trust_stores.store_file(machine.paths, kind, name, file)


def add_to_store(machine: Machine, kind: str, name: str, source: Path) -> str | None:
    """Copy the file `source` into a store; why this spoils the store, if it does.

    Raises `TrustStoreError`, `UsageError`, `EnvironmentFailure`.
    """
    with _change(machine):
        problem = trust_stores.unfit(trust_stores.add_certificate(machine.paths, kind, name, source), kind)
    if problem is None:
        return None
    return f"{source}: {problem}; as long as it is in the store, the whole store is refused"


def delete_from_store(machine: Machine, kind: str, name: str, file: str) -> None:
    """Remove one file. Raises `TrustStoreError`, `UsageError`."""
    with _change(machine):
        trust_stores.delete_certificate(machine.paths, kind, name, file)


def delete_store(machine: Machine, kind: str, name: str) -> Path:
    """Remove a store, and return where it was. Raises `TrustStoreError`, `UsageError`, `EnvironmentFailure`."""
    with _change(machine):
        return trust_stores.delete_store(machine.paths, kind, name)


def _change(machine: Machine) -> AbstractContextManager[None]:
    """Stores are changed by one nv2 at a time: a directory that one removes is where another one writes."""
    return machine.lock(str(machine.paths.trust_stores))


def describe_certificate(certificate: Certificate) -> dict[str, Any]:
    """A certificate as JSON."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "notBefore": rfc3339(certificate.not_before),
        "notAfter": rfc3339(certificate.not_after),
        "isCA": certificate.is_ca,
        "SHA256Thumbprint": certificate.thumbprint,
    }


def generate_test_pair(machine: Machine, name: str, bits: int, *, default: bool) -> Pair:
    """A pair for trying things out, which this machine signs with and, unlike others, also trusts.

    It is put on the list of keys and into the store `ca:<name>`. Nothing is left when this fails.
    Raises `UsageError`, `SigningKeyError`, `EnvironmentFailure`.
    """
    _, certificate = trial_pair_paths(machine, name)
    target = trust_stores.store_file(machine.paths, "ca", name, certificate.name)
    if target.exists():
        raise EnvironmentFailure("exists already", at=str(target), hint=f"see 'nv2 cert cleanup-test {name}'")
    subject = f"CN={name},O=Notary,L=Seattle,ST=WA,C=US"
    with new_pair(machine, name, subject, f"RSA-{bits}", TEST_VALIDITY, default=default) as pair:
        with _change(machine):
            trust_stores.add_certificate(machine.paths, "ca", name, pair.certificate)
        return pair


class CleanedTest(NamedTuple):
    """What of a test pair was there, and is removed."""

    stored: bool
    pair: Cleaned


def clean_test_pair(machine: Machine, name: str) -> CleanedTest:
    """Remove a test pair from the store, the list and `localkeys/`, whatever of it is there.

    Raises `TrustStoreError`, `SigningKeyError`, `UsageError`.
    """
    _, certificate = trial_pair_paths(machine, name)
    stored = trust_stores.store_file(machine.paths, "ca", name, certificate.name).exists()
    if stored:
        delete_from_store(machine, "ca", name, certificate.name)
    return CleanedTest(stored, clean_pair(machine, name))


def trial_pair_paths(machine: Machine, name: str) -> tuple[Path, Path]:
    """Where a test pair's key and certificate are. Raises `UsageError` for a name that cannot be one."""
    if not is_name(name):
        raise UsageError(
            f"certificate common name must follow [a-zA-Z0-9_.-]+ format, which {name!r} does not"
        )
    return machine.paths.local_pair(name)
