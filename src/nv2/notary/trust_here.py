"""What is trusted, wired: a file that the caller names, or the policy and the trust stores of this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from nv2.errors import Nv2Error, PolicyError, UsageError
from nv2.files import read_file
from nv2.home.denials import has_denials
from nv2.home.policy_file import existing_policy, load_policy
from nv2.home.trust_stores import load_store
from nv2.notary.session import Session
from nv2.oci.reference import AnyReference, LayoutReference
from nv2.trust.anchors import Anchors, StoreName, Stores
from nv2.trust.level import LEVELS
from nv2.trust.policy import Statement, TimestampWhen, TrustPolicy, parse_policy
from nv2.trust.trust import Trust, trust_of

if TYPE_CHECKING:
    from nv2.envelope.envelope import Scheme
    from nv2.pki.certificate import Certificate
    from nv2.pki.chain import Chain
    from nv2.trust.denial import DenialList

TrustChoice = Callable[[AnyReference], "Trust | Statement"]
"""What is trusted for a reference; a statement where its level skips verification."""


NOWHERE = LayoutReference("")
"""To choose trust for what is in no registry."""


def trust_in_file(session: Session, key: str) -> FileTrust:
    """Exactly what `key` names is trusted, strictly; no policy is read.

    `key` is a signing key's name (first) or a path: a certificate, a bare public key, or a private key,
    whose public half then counts. The file is read at once, but looked into only by `FileAnchors.open`. Raises
    `UsageError`, `SigningKeyError`, `EnvironmentFailure`.
    """
    # A policy needs neither.
    from nv2.home.signing_keys import load_signing_keys
    from nv2.keys.interface import MAX_KEY_FILE

    keys = load_signing_keys(session.paths)
    known = keys.find(key)
    if known is None:
        absent = keys.meant_by(key) or "-k names a file, or a signing key that 'nv2 key list' shows"
        data = read_file(Path(key), MAX_KEY_FILE, "key or certificate", absent=absent)
        anchors = FileAnchors(partial(_anchor_in, data, key, session.warn))
    elif known.certificate_path is None:
        raise UsageError("has no certificate file to trust", at=key)
    else:
        path = Path(known.certificate_path)
        data = read_file(path, MAX_KEY_FILE, "certificate")
        anchors = FileAnchors(partial(_anchor_of, data, key, str(path)))
    denials = denials_here(session)
    trust = Trust(f"-k {key}", LEVELS["strict"], anchors, (), TimestampWhen.ALWAYS, denials)
    return FileTrust(trust, anchors)


def denials_here(session: Session) -> DenialList | None:
    """What does not count on this machine; None where nobody denied anything. Raises `DenialListError`."""
    if not has_denials(session.paths):
        return None
    from nv2.notary.denials import read_denials  # rare

    return read_denials(session.paths)


def _anchor_in(data: bytes, key: str, warn: Callable[[str], None]) -> Anchors:
    from nv2.notary.anchor_files import anchor_in  # with it comes all that reads certificates

    return anchor_in(data, key, warn)


def _anchor_of(data: bytes, name: str, path: str) -> Anchors:
    from nv2.notary.anchor_files import anchor_of

    return anchor_of(data, name, path)


class FileAnchors:
    """`Anchors` in a file that has been read, but not been looked into: that waits until the registry was asked.

    What is wrong with the file is raised by whatever is called first. Safe for threads.
    """

    serves_timestamps = False

    def __init__(self, read: Callable[[], Anchors]) -> None:
        self._read = read
        self._lock = Lock()
        self._anchors: Anchors | None = None
        self.problem: Nv2Error | None = None
        """Why the file cannot be used, once that is known."""

    def open(self) -> Anchors:
        """What is in the file. Raises `UsageError`, `SigningKeyError`."""
        with self._lock:
            if self.problem is not None:
                raise self.problem
            if self._anchors is None:
                try:
                    self._anchors = self._read()
                except Nv2Error as e:
                    self.problem = e
                    raise
            return self._anchors

    def timestamp_roots(self) -> tuple[Certificate, ...]:
        """As `Anchors.timestamp_roots`: a file names none."""
        return ()

    def refusal(self, chain: Chain, scheme: Scheme) -> str | None:
        """As `Anchors.refusal`."""
        return self.open().refusal(chain, scheme)

    def thumbprints(self) -> frozenset[str]:
        """As `Anchors.thumbprints`."""
        return self.open().thumbprints()


class FileTrust:
    """The `TrustChoice` of a file: the same for every reference, so that what is wrong with it is, too."""

    def __init__(self, trust: Trust, anchors: FileAnchors) -> None:
        self._trust = trust
        self.anchors = anchors

    def __call__(self, _: AnyReference) -> Trust:
        return self._trust

    @property
    def problem(self) -> Nv2Error | None:
        """As `FileAnchors.problem`."""
        return self.anchors.problem


def trust_by_policy(session: Session, scope: str | None = None) -> TrustChoice:
    """The trust policy decides, by repository or by `scope`. It is read and checked at once.

    Raises `PolicyError`.
    """
    file = load_policy(session.paths)
    for warning in file.warnings:
        session.warn(warning)
    policy = parse_policy(file.data, str(file.path))
    return choice_of(policy, stores_here(session), scope, denials_here(session))


def has_policy(session: Session) -> bool:
    """Whether this machine has a trust policy, good or bad."""
    return existing_policy(session.paths) is not None


def stores_here(session: Session) -> Stores:
    """The trust stores of this machine, each read once, when it is first asked for."""

    @cache
    def load(name: StoreName) -> tuple[Certificate, ...]:
        return load_store(session.paths, name)

    return load


def choice_of(
    policy: TrustPolicy, load: Stores, scope: str | None, denials: DenialList | None = None
) -> TrustChoice:
    """What `policy` says of a reference, or of the repository `scope` whatever the reference is.

    A list of `denials` goes before it, and must be looked up at level skip too.
    """

    def choose(reference: AnyReference) -> Trust | Statement:
        return trust_by(policy.statement_for(scope or _scope_of(reference)), load, denials)

    return choose


def trust_by(statement: Statement, load: Stores, denials: DenialList | None) -> Trust | Statement:
    """What `statement` trusts; itself where its level skips verification, and there are no `denials` to look into."""
    if statement.level.skips and denials is None:
        return statement
    return trust_of(statement, load, denials)


def _scope_of(reference: AnyReference) -> str:
    if isinstance(reference, LayoutReference):
        raise PolicyError(
            "an image layout has no repository that a policy statement could name",
            at=str(reference),
            hint="say which statement applies: --scope <registry>/<repository>",
        )
    return reference.name
