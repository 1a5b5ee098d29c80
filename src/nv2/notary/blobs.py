"""Blobs, wired: files that are signed by themselves, with the signature in a file beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2.blob_verification import DetachedSignature, judge_blob
from nv2.content.blob_files import Blob, Readable
from nv2.envelope.payload import build_payload
from nv2.errors import NotTrusted, Undecided, UsageError
from nv2.files import write_atomically
from nv2.home.policy_file import load_blob_policy
from nv2.inspection import Inspected, inspect_envelope
from nv2.keys.interface import EnvelopeMaker, Signer
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Session, using
from nv2.notary.signature_files import read_signature
from nv2.notary.signers import no_passphrase
from nv2.notary.signing import signer_for, stamped_by
from nv2.notary.trust_here import NOWHERE, FileAnchors, denials_here, stores_here, trust_by, trust_in_file
from nv2.notary.verification_plugins import VerificationPlugins
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.signing import NO_METADATA, Wish, envelope_of
from nv2.trust.blob_policy import parse_blob_policy
from nv2.trust.policy import Statement
from nv2.trust.trust import Trust
from nv2.trust.verdict import USABLE, ArtifactVerdict, Verdict
from nv2.verification import not_checked

if TYPE_CHECKING:
    from nv2.notary.trust_in_memory import GivenBlobTrust

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}(\s*;\s*{_WORD}=({_WORD}|\"[^\"\\]*\"))*", re.ASCII)
"""RFC 9110, 8.3.1, without escapes in quoted values."""


def open_blob(source: str | Path | Readable, name: str = "") -> Blob:
    """A file or a stream, to be read once; a context manager. Raises `EnvironmentFailure`."""
    return Blob(source, name)


class SignedBlob(NamedTuple):
    """A blob's descriptor and the signature of it."""

    subject: Descriptor
    signature: DetachedSignature


def write_signature(blob: Blob, signed: SignedBlob, path: Path, *, replace: bool = False) -> None:
    """Write the signature to `path`: the whole of it or nothing, if the blob is what was signed still.

    Raises `EnvironmentFailure`; over another file, too, unless `replace`.
    """
    blob.check_unchanged()
    write_atomically(path, signed.signature.data, replace=replace)


def check_media_type(content_type: str) -> None:
    """Raise `UsageError` unless this is a media type."""
    if not content_type:
        raise UsageError("content media-type cannot be empty")
    if not _MEDIA_TYPE.fullmatch(content_type):
        raise UsageError(f'invalid content media-type "{content_type}"', hint="such as text/plain")


def sign_open_blob(
    session: Session, blob: Blob, signer: Signer | EnvelopeMaker, wish: Wish, content_type: str
) -> SignedBlob:
    """Read `blob` once, by the hash of the signing key, and sign it. Nothing is written."""
    check_media_type(content_type)
    build_payload(describe(b"", content_type), wish.user_metadata)  # what cannot be signed is not read first
    (subject,) = blob.describe([signer.algorithm.hash], content_type)
    data, _ = envelope_of(subject, signer, heeding_denials(session, wish), session.now)
    return SignedBlob(subject, DetachedSignature(data, wish.media_type))


def sign_blob(
    blob: str | Path | Readable,
    *,
    key: str | Path | Signer | EnvelopeMaker | None = None,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
    content_type: str = mt.OCTET_STREAM,
    media_type: str = mt.JWS,
    expiry: timedelta | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    timestamp_url: str | None = None,
    timestamp_root: str | Path | None = None,
    session: Session | None = None,
) -> SignedBlob:
    """Sign the file, or the bytes that the stream has left; keeping the signature is the caller's.

    `key`, `certificate`, `passphrase`, `timestamp_url` and `timestamp_root` as in `sign`; `content_type` is the blob's
    media type, `media_type` the envelope's. Raises `Nv2Error`.
    """
    with using(session) as shared, Blob(blob) as opened:
        signer = signer_for(shared, key, certificate, passphrase)
        wish = Wish(media_type, expiry, user_metadata, shared.signing_agent())
        wish = stamped_by(shared, wish, timestamp_url, timestamp_root)
        return sign_open_blob(shared, opened, signer, wish, content_type)


def blob_trust(session: Session, key: str | None, policy_name: str | None) -> Trust | Statement:
    """What is trusted for blobs: the file `key`, or the blob policy's statement `policy_name`, or its global one.

    A statement where its level skips verification. Raises `UsageError`, `PolicyError`, `SigningKeyError`.
    """
    if key is None:
        return _by_policy(session, policy_name)
    if policy_name is not None:
        raise UsageError("a name chooses a policy statement, and with a key no policy is read")
    trust = trust_in_file(session, key)(NOWHERE)
    if isinstance(trust, Trust) and isinstance(trust.anchors, FileAnchors):
        trust.anchors.open()
    return trust


def _by_policy(session: Session, name: str | None) -> Trust | Statement:
    file = load_blob_policy(session.paths)
    statement = parse_blob_policy(file.data, str(file.path)).statement_for(name)
    return trust_by(statement, stores_here(session), denials_here(session))


def evaluate_open_blob(
    session: Session,
    blob: Blob,
    signature: DetachedSignature,
    trust: Trust | Statement,
    *,
    content_type: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
) -> ArtifactVerdict:
    """The verdict of `blob`, which is read once."""
    if not isinstance(trust, Trust):
        return not_checked(trust)
    return judge_blob(
        blob,
        signature,
        trust,
        revocation=session.revocation,
        now=session.now,
        content_type=content_type,
        user_metadata=user_metadata,
        find_plugin=VerificationPlugins(session.paths, plugin_config),
    )


def evaluate_blob(
    blob: str | Path | Readable,
    signature: str | Path | DetachedSignature,
    *,
    key: str | Path | None = None,
    trust: GivenBlobTrust | None = None,
    policy_name: str | None = None,
    content_type: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
) -> ArtifactVerdict:
    """The verdict of the blob, whatever it is. As `verify_blob` otherwise."""
    if trust is not None and key is not None:
        raise UsageError("key and trust both say what is trusted", hint="give one of them")
    with using(session) as shared:
        found = trust.for_blobs(policy_name) if trust else blob_trust(shared, _text(key), policy_name)
        detached = signature if isinstance(signature, DetachedSignature) else read_signature(signature)
        with Blob(blob) as opened:
            return evaluate_open_blob(
                shared,
                opened,
                detached,
                found,
                content_type=content_type,
                user_metadata=user_metadata,
                plugin_config=plugin_config,
            )


def verify_blob(
    blob: str | Path | Readable,
    signature: str | Path | DetachedSignature,
    *,
    key: str | Path | None = None,
    trust: GivenBlobTrust | None = None,
    policy_name: str | None = None,
    content_type: str | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    plugin_config: Mapping[str, str] = NO_METADATA,
    session: Session | None = None,
) -> ArtifactVerdict:
    """What makes the blob trusted; raises `NotTrusted` or `Undecided`, with every finding, otherwise.

    `blob` is a file, or a stream that is read to its end; `signature` a file such as `tool.tar.gz.jws.sig`. `key`
    names a file or signing key: exactly that is trusted, strictly; `trust` is a `KeyTrust` or `BlobPolicyTrust`. Without
    either the blob policy of this machine decides. Of a policy it is the statement `policy_name`, or the global one.
    `content_type` is the media type that must be signed, `user_metadata` what else must be; `plugin_config` goes to
    verification plugins. Raises `Nv2Error`.
    """
    verdict = evaluate_blob(
        blob,
        signature,
        key=key,
        trust=trust,
        policy_name=policy_name,
        content_type=content_type,
        user_metadata=user_metadata,
        plugin_config=plugin_config,
        session=session,
    )
    if verdict.verdict in USABLE:
        return verdict
    raise blob_failure(verdict)


def blob_failure(verdict: ArtifactVerdict) -> NotTrusted | Undecided:
    """The error that says that the blob is not trusted, or that it could not be decided."""
    if verdict.verdict is Verdict.UNDECIDED:
        return Undecided(f"could not decide whether the blob is trusted: {verdict.reason}", verdict)
    return NotTrusted(f"signature verification failed: {verdict.reason}", verdict)


def inspect_blob_signature(path: str | Path) -> Inspected:
    """What the signature in a file says about itself; nothing is verified.

    Raises `UsageError`, `EnvironmentFailure`, and `ArtifactError` if envelope or chain are broken.
    """
    signature = read_signature(path)
    found = describe(signature.data, signature.media_type)
    return inspect_envelope(signature.data, signature.media_type, found)


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
