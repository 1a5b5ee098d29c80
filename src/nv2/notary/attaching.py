"""Signing in two places, wired: an envelope is made where the key lives, and attached where the registry is."""

from __future__ import annotations

from pathlib import Path

from nv2 import strict_json
from nv2.envelope.envelope import Envelope
from nv2.errors import UsageError
from nv2.files import read_file, write_atomically
from nv2.keys.interface import EnvelopeMaker, Signer
from nv2.notary.denials import read_envelope
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Session
from nv2.notary.signing import Signed
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import is_computable
from nv2.oci.reference import AnyReference, LayoutReference
from nv2.signing import Wish, attach, envelope_of
from nv2.strict_json import Fields

MAX_DESCRIPTOR = 16 * 1024 * 1024
"""Bytes: a descriptor is small, but buildx writes its provenance beside it."""

_BUILT = "containerimage.descriptor"
"""Where `docker buildx build --metadata-file` has the descriptor of what it built."""


def read_descriptor(path: Path) -> Descriptor:
    """The descriptor of a manifest in a file: as `oras manifest fetch --descriptor` prints it, or buildx.

    Raises `UsageError`, `EnvironmentFailure`.
    """
    data = read_file(path, MAX_DESCRIPTOR, "a descriptor")
    fields = Fields.of(strict_json.loads(data, UsageError, at=str(path)), "", UsageError)
    found = parse_descriptor(fields.object(_BUILT) or fields)
    if found.media_type not in mt.MANIFESTS:
        raise UsageError(
            f"describes no manifest, but {found.media_type!r}",
            at=str(path),
            hint="artifacts are signed by the descriptor of their manifest: oras manifest fetch --descriptor REF",
        )
    if not is_computable(found.digest):
        raise UsageError("has a digest that nobody could check", at=str(path), hint="use sha256 or sha512")
    return Descriptor(*found[:3])


def sign_descriptor(
    session: Session, subject: Descriptor, signer: Signer | EnvelopeMaker, wish: Wish, path: Path
) -> None:
    """Sign `subject`, which nobody fetches, and write the envelope to the new file `path`.

    Raises what `envelope_of` raises, and `EnvironmentFailure`, over another file too.
    """
    data, _ = envelope_of(subject, signer, heeding_denials(session, wish), session.now)
    write_atomically(path, data, 0o644, replace=False)


def read_signature(path: Path) -> Envelope:
    """The envelope in a file. Raises `MalformedEnvelope`, `EnvironmentFailure`."""
    return read_envelope(path)


def attach_signature(
    session: Session, reference: AnyReference, envelope: Envelope, *, force_referrers_tag: bool = False
) -> Signed:
    """Attach `envelope` to the artifact that `reference` names, if it signs that. Raises `ArtifactError`."""
    artifact = session.resolve(reference, push=True, force_referrers_tag=force_referrers_tag)
    legacy = isinstance(reference, LayoutReference)
    manifest = attach(artifact.store, artifact.subject, envelope.raw, envelope.media_type, legacy=legacy)
    session.pass_on_warnings(artifact.store)
    return Signed(artifact, manifest)
