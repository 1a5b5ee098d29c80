"""Is this blob trusted? The verdict of a file by its detached signature.

signing-and-verification-workflow, "Verify blob"; signature-specification, "Blob signatures". The signature is
opened first: it is small, and says by which hash the blob is to be read and how long that is. The findings are those
of any other signature. What this module does not do: open files, or choose a statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nv2.envelope.algorithms import ALGORITHMS
from nv2.errors import ArtifactError, ContentMismatch
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.plain_text import quoted
from nv2.revocation import RevocationChecker
from nv2.trust import validations
from nv2.trust.trust import NO_METADATA, Trust
from nv2.trust.validations import Proven
from nv2.trust.verdict import ArtifactVerdict, Outcome, SignatureVerdict, Verdict
from nv2.verification import Question, examine_proven, foregone, unreadable

if TYPE_CHECKING:
    from nv2.programs.plugins.interface import FindPlugin

HASHES = tuple(dict.fromkeys(algorithm.hash for algorithm in ALGORITHMS))
"""Every hash that a signature may name a blob by."""


class BlobContent(Protocol):
    """A blob that is read once."""

    @property
    def size(self) -> int | None:
        """In bytes, if that is known before reading."""

    def describe(
        self, hash_names: Sequence[str], media_type: str, limit: int = ...
    ) -> tuple[Descriptor, ...]:
        """The descriptor by each hash. Raises `ContentMismatch` after `limit` bytes, `EnvironmentFailure`."""


class DetachedSignature(NamedTuple):
    """The envelope of a signature that is kept by itself, of which nothing is known yet."""

    data: bytes
    media_type: str
    """The format of the envelope."""


def judge_blob(
    blob: BlobContent,
    signature: DetachedSignature,
    trust: Trust,
    *,
    revocation: RevocationChecker,
    now: datetime,
    content_type: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    find_plugin: FindPlugin | None = None,
) -> ArtifactVerdict:
    """The verdict of `blob` by its one `signature`, whose descriptor the verdict has as `manifest`.

    `content_type` is the media type that must be signed; None does not ask. Raises `EnvironmentFailure` if the
    blob cannot be read.
    """
    if trust.level.skips:
        return _skipped(blob, trust)
    envelope = describe(signature.data, signature.media_type)
    try:
        proven = validations.prove_self(signature.media_type, signature.data)
        subjects = _subjects(blob, proven, trust, content_type)
    except ArtifactError as e:
        return _verdict(trust, None, unreadable(envelope, e, trust.level).verdict)
    if (denied := _denied(subjects, trust)) is not None:
        return denied
    asked = _as_denied(subjects, proven, trust)
    question = Question(asked, trust, revocation, now, user_metadata, find_plugin)
    return _verdict(trust, subjects[0], examine_proven(envelope, proven, question).verdict)


def _skipped(blob: BlobContent, trust: Trust) -> ArtifactVerdict:
    """At level skip nobody looks at the signature, and at the blob only whoever has a list of denials."""
    subjects = blob.describe(HASHES, mt.OCTET_STREAM) if trust.denials is not None else ()
    denied = _denied(subjects, trust)
    return denied or ArtifactVerdict(Verdict.NOT_CHECKED, trust.level, trust.name, None)


def _denied(subjects: Sequence[Descriptor], trust: Trust) -> ArtifactVerdict | None:
    found = (foregone(trust, subject) for subject in subjects)
    return next((verdict for verdict in found if verdict is not None and verdict.denied), None)


def _as_denied(subjects: Sequence[Descriptor], proven: Proven, trust: Trust) -> Descriptor:
    """The blob as a denial of this signer names it, which may be by another hash than the signature does."""
    if trust.denials is not None:
        for subject in subjects:
            found = trust.denials.finding(proven.content.envelope, proven.chain, subject.digest)
            if found.outcome is Outcome.FAILED:
                return subject
    return subjects[0]


def _subjects(
    blob: BlobContent, proven: Proven, trust: Trust, content_type: str | None
) -> tuple[Descriptor, ...]:
    """The blob, which `proven` does sign, by the hash of the signature; where denials are kept, by every hash.

    Raises `ContentMismatch` if it is another one.
    """
    target = proven.content.target
    if content_type is not None and content_type != target.media_type:
        raise _mismatch(f"it is signed as {quoted(target.media_type)}, not as {quoted(content_type)}")
    if blob.size is not None and blob.size != target.size:
        raise _mismatch(f"it has {blob.size} bytes, and {target.size} are signed")
    own = proven.content.envelope.algorithm.hash
    others = (name for name in HASHES if name != own) if trust.denials is not None else ()
    try:
        subjects = blob.describe((own, *others), target.media_type, target.size)
    except ContentMismatch:
        raise _mismatch(f"it is longer than the {target.size} bytes that are signed") from None
    if subjects[0].size != target.size:
        raise _mismatch(f"it has {subjects[0].size} bytes, and {target.size} are signed")
    if subjects[0].digest != target.digest:
        raise _mismatch(f"its digest is {subjects[0].digest}, and {quoted(target.digest)} is signed")
    return subjects


def _mismatch(why: str) -> ContentMismatch:
    return ContentMismatch(f"signature does not match the given blob: {why}")


def _verdict(trust: Trust, subject: Descriptor | None, signature: SignatureVerdict) -> ArtifactVerdict:
    return ArtifactVerdict(
        signature.verdict, trust.level, trust.name, subject, (signature,), reason=signature.reason
    )
