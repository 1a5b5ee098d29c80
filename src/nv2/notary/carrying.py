"""Bundles for those who use nv2 as a library: made, verified and imported, each in one call, with typed results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import NotTrusted, Nv2Error, UsageError
from nv2.notary.bundles import as_it_was, judge, named_by, open_bundle
from nv2.notary.bundles_imported import Imported, copy_all, destinations, naming_in
from nv2.notary.bundles_made import MadeBundle, create
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.evidence import Installation, install
from nv2.notary.session import Session, using
from nv2.notary.signers import no_passphrase
from nv2.notary.signing import signer_for
from nv2.notary.trust_here import trust_in_file
from nv2.notary.trust_in_memory import GivenTrust
from nv2.notary.verification import Evaluated, chosen, failure
from nv2.oci.reference import AnyReference, Reference, parse, parse_registry
from nv2.signing import Wish
from nv2.trust.trust import MAX_SIGNATURES
from nv2.trust.verdict import USABLE

if TYPE_CHECKING:
    from nv2.keys.interface import EnvelopeMaker, Signer


class ImportedBundle(NamedTuple):
    """What a bundle brought."""

    artifacts: tuple[Imported, ...]
    evidence: Installation
    """What became of its evidence; `problems` says what could not be kept."""


def create_bundle(
    references: Sequence[str | AnyReference],
    path: str | Path,
    *,
    names: Sequence[str | Reference] = (),
    trusted_keys: Sequence[str | Path] = (),
    key: str | Path | Signer | EnvelopeMaker | None = None,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
    with_policy: bool = False,
    session: Session | None = None,
) -> MadeBundle:
    """Collect `references` with all that proves them in the new file `path`, which ends in `.tar`.

    Each image layout among them is called by the next of `names`, references in registries. Evidence is gathered about whom
    the trust stores of this machine vouch for, or one of `trusted_keys`, each as the `key` of `verify`.
    `key`, `certificate` and `passphrase` are those of `sign`: they sign the bundle as a whole, which `with_policy` needs.
    What could not come along is in `problems`. Raises `Nv2Error`; then there is no file.
    """
    places = [parse(each) if isinstance(each, str) else each for each in references]
    called = [parse_registry(each) if isinstance(each, str) else each for each in names]
    if not places:
        raise UsageError("a bundle of nothing", at=str(path))
    with using(session) as shared:
        trusted = [trust_in_file(shared, str(each)).anchors.open() for each in trusted_keys]
        make = partial(
            create, shared, places, str(path), names=called, trusted=trusted, with_policy=with_policy
        )
        if key is None:
            return make()
        signer = signer_for(shared, key, certificate, passphrase)
        wish = heeding_denials(shared, Wish(signing_agent=shared.signing_agent()))
        return make(signer=signer, wish=wish)


def verify_bundle(
    path: str | Path,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    destination: str | None = None,
    max_signatures: int = MAX_SIGNATURES,
    session: Session | None = None,
) -> tuple[Evaluated, ...]:
    """What makes each artifact of the bundle trusted. Nobody is asked, and nothing is written.

    `key`, `trust` and `scope` are those of `verify`. The policy is asked about the names from outside, or about those below
    `destination` (`registry[/prefix]`). Raises `NotTrusted` if one is not, else `Undecided` or another `Nv2Error`.
    """
    naming = as_it_was if destination is None else naming_in(destination)
    with using(session) as shared:
        choose = chosen(shared, key, trust, scope)
        results = judge(shared, open_bundle(str(path)), choose, naming=naming, max_signatures=max_signatures)
        return tuple(_all_usable(result for _, result in results))


def import_bundle(
    path: str | Path,
    destination: str,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    original_names: bool = False,
    older: bool = False,
    max_signatures: int = MAX_SIGNATURES,
    session: Session | None = None,
) -> ImportedBundle:
    """Verify the bundle, keep its evidence, and copy its artifacts below `destination`, `registry[/prefix]`.

    The evidence is kept also if an error is raised about the artifacts: as `verify_bundle`, then as `copy`. With
    `original_names` the policy is asked about the names from outside. With `older`, a tag is moved back as well.
    """
    inside = naming_in(destination)
    with using(session) as shared:
        choose = chosen(shared, key, trust, scope)
        bundle = open_bundle(str(path))
        destinations(bundle, inside)
        naming = as_it_was if original_names else inside
        results = list(judge(shared, bundle, choose, naming=naming, max_signatures=max_signatures))
        kept = install(bundle.evidence, shared, named_by(choose, bundle, naming))
        list(_all_usable(result for _, result in results))
        return ImportedBundle(tuple(copy_all(shared, bundle, inside, older=older)), kept)


def _all_usable(results: Iterable[Evaluated | Nv2Error]) -> Iterator[Evaluated]:
    """All of `results`; else the error about the worst is raised: not trusted before undecided."""
    found = list(results)
    errors = [
        result if isinstance(result, Nv2Error) else failure(result)
        for result in found
        if isinstance(result, Nv2Error) or result.verdict.verdict not in USABLE
    ]
    if errors:
        raise next((error for error in errors if isinstance(error, NotTrusted)), errors[0])
    return (result for result in found if not isinstance(result, Nv2Error))
