"""Verify an envelope that the caller holds already: no registry is asked.

OCSP responders and CRL servers are, if a trusted chain names them and the level does not skip revocation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nv2.errors import UsageError
from nv2.notary.session import Session, using
from nv2.notary.trust_here import NOWHERE
from nv2.notary.trust_in_memory import GivenTrust
from nv2.notary.verification import chosen, failure_about, plugin_finder
from nv2.oci.descriptor import Descriptor, describe
from nv2.opening import FoundSignature
from nv2.trust.trust import NO_METADATA, Trust
from nv2.trust.verdict import USABLE, ArtifactVerdict, conclude
from nv2.verification import Question, examine, foregone, not_checked


def evaluate_envelope(
    envelope: bytes,
    media_type: str,
    subject: Descriptor,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
) -> ArtifactVerdict:
    """The verdict of the artifact `subject` by one signature envelope, whatever it is. As `verify` otherwise.

    `media_type` is the envelope's: `application/jose+json` or `application/cose`. A policy needs `scope`, the
    repository of the artifact. The only signature of the verdict has the envelope's own descriptor as `manifest`.
    """
    if scope is None and key is None and (trust is None or trust.needs_scope):
        raise UsageError(
            "an envelope does not say from which repository it is",
            hint="say which policy statement applies: scope='<registry>/<repository>'",
        )
    with using(session) as shared:
        found = chosen(shared, key, trust, scope)(NOWHERE)
        if not isinstance(found, Trust):
            return not_checked(found)
        if (decided := foregone(found, subject)) is not None:
            return decided
        plugins = plugin_finder(shared.paths)
        question = Question(subject, found, shared.revocation, shared.now, user_metadata, plugins)
        descriptor = describe(envelope, media_type)
        signature = examine(FoundSignature(descriptor, descriptor, envelope), question).verdict
    verdict = conclude([signature.verdict])
    return ArtifactVerdict(verdict, found.level, found.name, subject, (signature,), reason=signature.reason)


def verify_envelope(
    envelope: bytes,
    media_type: str,
    subject: Descriptor,
    *,
    key: str | Path | None = None,
    trust: GivenTrust | None = None,
    scope: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
) -> ArtifactVerdict:
    """What makes `subject` trusted; raises `NotTrusted` or `Undecided` otherwise. As `evaluate_envelope`."""
    verdict = evaluate_envelope(
        envelope,
        media_type,
        subject,
        key=key,
        trust=trust,
        scope=scope,
        user_metadata=user_metadata,
        session=session,
    )
    if verdict.verdict in USABLE:
        return verdict
    raise failure_about(subject.digest, verdict)
