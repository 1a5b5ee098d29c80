"""Taking over the trust policy of a bundle, wired: only if somebody signed the bundle whom this machine trusts already."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nv2.bundling.trust_manifest import CarriedTrust, StoreFile, unpack_trust
from nv2.errors import ConfigurationError, MalformedManifest, PolicyError, TrustStoreError
from nv2.files import FILE_MODE, read_file, write_atomically
from nv2.home import policy_file
from nv2.home.bundle_state import TakenOver, last_taken_over, note_taken_over
from nv2.home.lock import host_lock
from nv2.home.policy_file import MAX_POLICY
from nv2.home.trust_stores import MAX_CERTIFICATE_FILE, load_store, read_certificates, store_file, unfit
from nv2.notary.bundles import OpenBundle, checker_for
from nv2.notary.session import Session
from nv2.notary.trust_here import NOWHERE, trust_by_policy, trust_in_file
from nv2.notary.verification import failure_about, plugin_finder
from nv2.oci.descriptor import Descriptor
from nv2.oci.manifest import MAX_MANIFEST
from nv2.pki.certificate_status import CLOCK_SKEW
from nv2.pki.pem import certificates_from
from nv2.plain_text import rfc3339
from nv2.trust.level import LEVELS
from nv2.trust.policy import TrustPolicy, parse_policy
from nv2.trust.trust import Trust
from nv2.trust.verdict import ArtifactVerdict, Verdict
from nv2.verification import evaluate


class Proposal(NamedTuple):
    """A trust policy that somebody trusted has signed as part of a bundle, read and found usable."""

    bundle: OpenBundle
    carried: CarriedTrust
    policy: TrustPolicy
    signed: ArtifactVerdict
    """By whom."""
    replaces: bool
    """Whether there is another policy here."""


class TakenPolicy(NamedTuple):
    """What was written."""

    policy: Path
    added: tuple[Path, ...]
    """Files of trust stores that were not there before."""
    warnings: tuple[str, ...]


def propose(session: Session, bundle: OpenBundle, key: str | None, scope: str | None) -> Proposal:
    """The trust policy in `bundle`, if the file `key`, or the stores of the statement for `scope`, vouch for the bundle.

    Nothing is written. Raises `NotTrusted` or `Undecided` if nobody does, `ConfigurationError` for an older bundle than
    the last one whose policy was taken over, and for a policy that could not be used.
    """
    if bundle.contents.trust is None:
        raise MalformedManifest("the bundle brings no trust policy", at=bundle.path)
    signed = _signed(session, bundle, _trust(session, key, scope))
    _refuse_older(session, bundle)
    store = bundle.store
    at = f"{bundle.path}: {bundle.contents.trust.digest}"
    fetch = partial(_fetch, bundle)
    carried = unpack_trust(store.fetch(bundle.contents.trust, MAX_MANIFEST), fetch, at)
    policy = parse_policy(carried.policy, f"{at}: trust policy")
    _check_stores(session, carried, policy, at)
    here = policy_file.existing_policy(session.paths)
    replaces = here is not None and read_file(here, MAX_POLICY, "a trust policy") != carried.policy
    return Proposal(bundle, carried, policy, signed, replaces)


def _fetch(bundle: OpenBundle, descriptor: Descriptor) -> bytes:
    return bundle.store.fetch(descriptor, descriptor.size)


def _trust(session: Session, key: str | None, scope: str | None) -> Trust:
    """Strictly, whatever the level: what is only logged would let anybody bring anchors."""
    chosen = (trust_in_file(session, key) if key else trust_by_policy(session, scope))(NOWHERE)
    if not isinstance(chosen, Trust) or chosen.level.skips:
        raise PolicyError(
            "the statement trusts everybody, so nobody's signature counts for a trust policy",
            at=chosen.name,
            hint="name the signer's certificate with -k",
        )
    return chosen._replace(level=LEVELS["strict"])


def _signed(session: Session, bundle: OpenBundle, trust: Trust) -> ArtifactVerdict:
    verdict = evaluate(
        bundle.store,
        Descriptor(*bundle.contents_in[:3]),
        trust,
        revocation=checker_for(session, bundle),
        now=session.now,
        find_plugin=plugin_finder(session.paths),
    )
    if verdict.verdict is not Verdict.TRUSTED:
        raise failure_about(f"{bundle.path}@{bundle.contents_in.digest}", verdict)
    return verdict


def _refuse_older(session: Session, bundle: OpenBundle) -> None:
    created, digest = bundle.contents.created, bundle.contents_in.digest
    last = last_taken_over(session.paths)
    if last is not None and last.digest != digest and created <= last.created:
        raise ConfigurationError(
            f"the bundle was made on {rfc3339(created)}, and the policy here came with one of {rfc3339(last.created)}",
            at=bundle.path,
            hint="have a new bundle made; an older one does not replace what a newer one brought",
        )
    if created > session.now + CLOCK_SKEW:
        raise ConfigurationError(
            f"the bundle was made on {rfc3339(created)}, which is yet to come: a clock is wrong",
            at=bundle.path,
            hint="set the clock here, or where the bundle was made, and make it anew",
        )


def _check_stores(session: Session, carried: CarriedTrust, policy: TrustPolicy, at: str) -> None:
    """Raise unless every store that the policy names is carried or here, and no file takes the place of another."""
    named = {(store.type.value, store.name) for s in policy.statements for store in s.stores}
    for file, data in carried.files.items():
        if (file.kind, file.store) not in named:
            raise MalformedManifest(f"{file} is in no store that the policy names", at=at)
        found = certificates_from(data, f"{at}: {file}")
        if problem := unfit(found, file.kind) or (None if found else "holds no certificate"):
            raise TrustStoreError(problem, at=f"{at}: {file}")
        target = _target(session, file)
        if (
            os.path.lexists(target)
            and read_file(target, MAX_CERTIFICATE_FILE, "certificates", regular=True) != data
        ):
            raise TrustStoreError(
                "another file of this name is in the trust store",
                at=str(target),
                hint="rename one of them: nothing in a store is overwritten",
            )
    brought = {(file.kind, file.store) for file in carried.files}
    for store in {store for s in policy.statements for store in s.stores}:
        if (store.type.value, store.name) not in brought:
            load_store(session.paths, store)


def _target(session: Session, file: StoreFile) -> Path:
    return store_file(session.paths, file.kind, file.store, file.name)


def take_over(session: Session, proposal: Proposal) -> TakenPolicy:
    """Write the stores, then the policy. Stores only gain: what a store here has besides stays.

    Which bundle it was is noted first: whoever is killed in between can go on with this one, and not back to an older.
    Raises `EnvironmentFailure`, and `ConfigurationError` if a newer one was taken over meanwhile.
    """
    added = []
    bundle = proposal.bundle
    with host_lock(session.paths.locks)(str(session.paths.trust_stores)):
        _refuse_older(session, bundle)
        note_taken_over(session.paths, TakenOver(bundle.contents.created, bundle.contents_in.digest))
        for file, data in proposal.carried.files.items():
            target = _target(session, file)
            if not os.path.lexists(target):
                scratch = session.paths.trust_stores.parent
                write_atomically(target, data, FILE_MODE, replace=False, scratch=scratch)
                read_certificates(target, regular=True)
                added.append(target)
        written = policy_file.import_policy(session.paths, proposal.carried.policy)
    return TakenPolicy(written.path, tuple(added), written.warnings)
