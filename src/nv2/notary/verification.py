"""Verify, wired: what is trusted comes from a file or from the policy, the signatures from the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2.content.interface import can_ask_ahead
from nv2.errors import ConfigurationError, EnvironmentFailure, NotTrusted, Nv2Error, Undecided, UsageError
from nv2.notary.session import Artifact, Session, using
from nv2.notary.trust_here import FileAnchors, FileTrust, TrustChoice, trust_by_policy, trust_in_file
from nv2.oci import media_types as mt
from nv2.oci.reference import AnyReference, parse
from nv2.trust.trust import MAX_SIGNATURES, NO_METADATA, Trust
from nv2.trust.verdict import USABLE, ArtifactVerdict, Verdict

if TYPE_CHECKING:
    from nv2.content.interface import Store
    from nv2.home.paths import Paths
    from nv2.notary.trust_in_memory import GivenTrust
    from nv2.programs.plugins.interface import FindPlugin, VerificationPlugin


class Evaluated(NamedTuple):
    """The verdict of one artifact."""

    artifact: Artifact
    verdict: ArtifactVerdict


Results = Iterator[tuple[AnyReference, Evaluated | Nv2Error]]
"""Of several references, in order: the verdict of each, or why there is none."""


def evaluate_reference(
    session: Session,
    reference: AnyReference,
    choose: TrustChoice,
    *,
    max_signatures: int = MAX_SIGNATURES,
    user_metadata: Mapping[str, str] = NO_METADATA,
    find_plugin: FindPlugin | None = None,
    all_signatures: bool = False,
) -> Evaluated:
    """Judge the artifact; a verdict is returned, whatever it is.

    `all_signatures` looks at every signature instead of stopping at the first trusted one. Raises
    `Nv2Error` where nothing can be said: no such artifact, no policy, no network.
    """
    trust = choose(reference)
    if not isinstance(trust, Trust):
        from nv2.verification import not_checked

        return Evaluated(session.resolve(reference, hurried=True), not_checked(trust))
    ahead = _ask_nothing if trust.level.skips else partial(_look_ahead, reference, trust)
    artifact = session.resolve(reference, hurried=True, ahead=ahead)
    from nv2.verification import evaluate as evaluate_in_store

    verdict = evaluate_in_store(
        artifact.store,
        artifact.subject,
        trust,
        revocation=session.revocation,
        now=session.now,
        max_signatures=max_signatures,
        user_metadata=user_metadata,
        find_plugin=find_plugin or plugin_finder(session.paths),
        stop_at_first=not all_signatures,
    )
    return Evaluated(artifact, verdict)


def evaluate_references(
    session: Session,
    references: Sequence[AnyReference],
    choose: TrustChoice,
    *,
    max_signatures: int = MAX_SIGNATURES,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
    all_signatures: bool = False,
) -> Results:
    """`evaluate_reference` of each, several at once, in order; an error takes the place of its verdict.

    `plugin_config` goes to the verification plugins that signatures demand, as it is.
    Raises `CredentialError` as `Session.each` at once; and with the first result what concerns the run and not one
    artifact, that the file of `-k` cannot be used.
    """
    find_plugin = plugin_finder(session.paths, plugin_config)

    def work(reference: AnyReference) -> Evaluated:
        return evaluate_reference(
            session,
            reference,
            choose,
            max_signatures=max_signatures,
            user_metadata=user_metadata,
            find_plugin=find_plugin,
            all_signatures=all_signatures,
        )

    return _unless_none_can_be_judged(choose, session.each(references, work))


def plugin_finder(paths: Paths, config: Mapping[str, str] = NO_METADATA) -> FindPlugin:
    """Who finds the verification plugins that signatures demand; `config` goes to every one of them."""

    @cache
    def found() -> FindPlugin:
        from nv2.notary.verification_plugins import VerificationPlugins  # few signatures demand one

        return VerificationPlugins(paths, config)

    def find(name: str, /) -> VerificationPlugin:
        return found()(name)

    return find


def _unless_none_can_be_judged(choose: TrustChoice, results: Results) -> Results:
    for reference, result in results:
        if isinstance(choose, FileTrust) and isinstance(result, Nv2Error) and result is choose.problem:
            raise result
        yield reference, result


def _ask_nothing(_: Store) -> None:
    """At level skip only the artifact itself is looked up, in the list of denials."""


def _look_ahead(reference: AnyReference, trust: Trust, store: Store) -> None:
    """Ask for the signatures along with the artifact; while the answers are under way, load what judges them."""
    if can_ask_ahead(store) and reference.digest is not None:
        store.ask_ahead(reference.digest, mt.SIGNATURE)
    # Two thirds of what a process has to load: first what judges, then the trust stores, and with them all
    # that reads certificates.
    import nv2.verification  # noqa: F401

    if isinstance(trust.anchors, FileAnchors):
        trust.anchors.open()
        return
    with suppress(ConfigurationError, EnvironmentFailure):  # the finding about authenticity will say it
        trust.anchors.thumbprints()


def failure(evaluated: Evaluated) -> NotTrusted | Undecided:
    """The error that says that the artifact is not trusted, or that it could not be decided."""
    return failure_about(evaluated.artifact.shown, evaluated.verdict)


def failure_about(shown: str, verdict: ArtifactVerdict) -> NotTrusted | Undecided:
    """As `failure`, about what messages call `shown`."""
    if verdict.verdict is Verdict.UNDECIDED:
        return Undecided(f"could not decide whether {shown} is trusted: {verdict.reason}", verdict)
    if verdict.denied:
        return NotTrusted(f"signature verification failed for {shown}: {verdict.reason}", verdict)
    if not verdict.signatures:
        return NotTrusted(
            f'signature verification failed: no signature is associated with "{shown}", '
            "make sure the artifact was signed successfully",
            verdict,
        )
    return NotTrusted(
        f"signature verification failed for all the signatures associated with {shown}", verdict
    )


def chosen(
    session: Session, key: str | Path | None, trust: GivenTrust | None, scope: str | None
) -> TrustChoice:
    """What the arguments of `verify` say is trusted. Raises `UsageError` for two answers, and `ConfigurationError`."""
    if trust is not None:
        if key is not None:
            raise UsageError("key and trust both say what is trusted", hint="give one of them")
        return trust.choice(scope)
    if key is None:
        return trust_by_policy(session, scope)
    if scope is not None:
        raise UsageError("a scope chooses a policy statement, and with a key no policy is read")
    return trust_in_file(session, str(key))


def evaluate(
    reference: str | AnyReference,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    max_signatures: int = MAX_SIGNATURES,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
    all_signatures: bool = True,
) -> Evaluated:
    """The verdict of the artifact, whatever it is. As `verify` otherwise.

    Without `all_signatures`, the first trusted one ends the search.
    """
    parsed = parse(reference) if isinstance(reference, str) else reference
    with using(session) as shared:
        shared.prepare(parsed)
        return evaluate_reference(
            shared,
            parsed,
            chosen(shared, key, trust, scope),
            max_signatures=max_signatures,
            user_metadata=user_metadata,
            find_plugin=plugin_finder(shared.paths, plugin_config),
            all_signatures=all_signatures,
        )


def verify(
    reference: str | AnyReference,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    max_signatures: int = MAX_SIGNATURES,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
) -> Evaluated:
    """What makes the artifact trusted; raises `NotTrusted` or `Undecided`, with every finding, otherwise.

    `key` names a file (certificate, public key, private key) or a signing key: exactly that is trusted,
    strictly. `trust` is a `KeyTrust` or `PolicyTrust`, which need no files. Without either the trust policy of this
    machine decides. `scope` chooses the statement of a policy instead of the repository. Raises `Nv2Error`.
    """
    evaluated = evaluate(
        reference,
        key=key,
        trust=trust,
        scope=scope,
        max_signatures=max_signatures,
        user_metadata=user_metadata,
        plugin_config=plugin_config,
        session=session,
        all_signatures=False,
    )
    if evaluated.verdict.verdict in USABLE:
        return evaluated
    raise failure(evaluated)
