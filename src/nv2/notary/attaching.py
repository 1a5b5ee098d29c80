"""Signing in two places, wired: an envelope is made where the key lives, and attached where the registry is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from nv2 import strict_json
from nv2.blob_verification import DetachedSignature
from nv2.envelope.envelope import Envelope
from nv2.errors import UsageError
from nv2.files import read_file, write_atomically
from nv2.keys.interface import EnvelopeMaker, Signer
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Session, using
from nv2.notary.signature_files import parse_envelope, read_envelope
from nv2.notary.signers import no_passphrase
from nv2.notary.signing import Signed, signer_for, stamped_by
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import is_computable
from nv2.oci.reference import AnyReference, LayoutReference, parse
from nv2.signing import NO_METADATA, Wish, envelope_of
from nv2.signing import attach as attach_in_store
from nv2.strict_json import Fields

MAX_DESCRIPTOR = 16 * 1024 * 1024
"""Bytes: a descriptor is small, but buildx writes its provenance beside it."""

_BUILT = "containerimage.descriptor"
"""Where `docker buildx build --metadata-file` has the descriptor of what it built."""

_HOW = "artifacts are signed by the descriptor of their manifest: oras manifest fetch --descriptor REF"


def read_descriptor(path: Path) -> Descriptor:
    """The descriptor of a manifest in a file: as `oras manifest fetch --descriptor` prints it, or buildx.

    Raises `UsageError`, `EnvironmentFailure`.
    """
    data = read_file(path, MAX_DESCRIPTOR, "a descriptor")
    try:
        fields = Fields.of(strict_json.loads(data, UsageError), "", UsageError)
        found = parse_descriptor(fields.object(_BUILT) or fields)
    except UsageError as e:
        at = f"{path}: {e.at}" if e.at else str(path)
        raise UsageError(e.message, at=at, hint=e.hint or _HOW) from None
    return _signable(found, str(path))


def _signable(subject: Descriptor, at: str) -> Descriptor:
    """What of `subject` is signed. Raises `UsageError` unless it can be that of an artifact."""
    if subject.media_type not in mt.MANIFESTS:
        raise UsageError(
            f"describes no manifest, but {subject.media_type!r}",
            at=at,
            hint=_HOW,
        )
    if not is_computable(subject.digest):
        raise UsageError("has a digest that nobody could check", at=at, hint="use sha256 or sha512")
    return Descriptor(*subject[:3])


def sign_descriptor_into(
    session: Session, subject: Descriptor, signer: Signer | EnvelopeMaker, wish: Wish, path: Path
) -> None:
    """Sign `subject`, which nobody fetches, and write the envelope to the new file `path`.

    Raises what `envelope_of` raises, and `EnvironmentFailure`, over another file too.
    """
    data, _ = envelope_of(subject, signer, heeding_denials(session, wish), session.now)
    write_atomically(path, data, 0o644, replace=False)


def attach_signature(
    session: Session, reference: AnyReference, envelope: Envelope, *, force_referrers_tag: bool = False
) -> Signed:
    """Attach `envelope` to the artifact that `reference` names, if it signs that. Raises `ArtifactError`."""
    artifact = session.resolve(reference, push=True, force_referrers_tag=force_referrers_tag)
    legacy = isinstance(reference, LayoutReference)
    manifest = attach_in_store(
        artifact.store, artifact.subject, envelope.raw, envelope.media_type, legacy=legacy
    )
    session.finish_writing(artifact.store)
    return Signed(artifact, manifest)


def sign_descriptor(
    subject: Descriptor,
    *,
    key: str | Path | Signer | EnvelopeMaker | None = None,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
    media_type: str = mt.JWS,
    expiry: timedelta | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    timestamp_url: str | None = None,
    timestamp_root: str | Path | None = None,
    session: Session | None = None,
) -> DetachedSignature:
    """Sign the manifest that `subject` describes, without asking any registry; `attach` puts it beside the artifact.

    Nobody looks whether there is such a manifest. The other arguments are those of `sign`. Raises `Nv2Error`.
    """
    wanted = _signable(subject, "subject")
    with using(session) as shared:
        signer = signer_for(shared, key, certificate, passphrase)
        wish = Wish(media_type, expiry, user_metadata, shared.signing_agent())
        wish = stamped_by(shared, wish, timestamp_url, timestamp_root)
        data, _ = envelope_of(wanted, signer, heeding_denials(shared, wish), shared.now)
        return DetachedSignature(data, media_type)


def attach(
    reference: str | AnyReference,
    signature: str | Path | bytes | DetachedSignature,
    *,
    session: Session | None = None,
) -> Signed:
    """Attach a signature that was made elsewhere to the artifact that `reference` names, if it signs exactly that.

    `signature` is a file, or an envelope. Whether anyone trusts it is not asked; doing it twice is as doing it once.
    Raises `Nv2Error`.
    """
    parsed = parse(reference) if isinstance(reference, str) else reference
    if isinstance(signature, str | Path):
        envelope = read_envelope(Path(signature))
    else:
        data = signature if isinstance(signature, bytes) else signature.data
        envelope = parse_envelope(data, "the given signature")
    with using(session) as shared:
        return attach_signature(shared, parsed, envelope)
