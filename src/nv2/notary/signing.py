"""Sign, wired: the artifact is resolved, the signature is attached beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from nv2.keys.interface import EnvelopeMaker, Signer
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Artifact, Session, using
from nv2.notary.signers import find_signer, no_passphrase
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference, LayoutReference, parse
from nv2.signing import NO_METADATA, Wish
from nv2.signing import sign as sign_in_store


class Signed(NamedTuple):
    """A signature that was made and attached."""

    artifact: Artifact
    manifest: Descriptor
    """The signature manifest."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `nv2 sign --output json` shows, save for the reference."""
        return {
            "artifact": self.artifact.subject.to_json(),
            "signature": Descriptor(*self.manifest[:3]).to_json(),
        }


class SigningOptions(TypedDict, total=False):
    """How to sign: what `sign` takes besides the key, by the same names. `sign(reference, key=…, **options)` takes them as well."""

    certificate: str | Path | None
    passphrase: Callable[[str], bytes]
    media_type: str
    expiry: timedelta | None
    user_metadata: Mapping[str, str]
    timestamp_url: str | None
    timestamp_root: str | Path | None


def sign_reference(
    session: Session,
    reference: AnyReference,
    signer: Signer | EnvelopeMaker,
    wish: Wish,
    *,
    force_referrers_tag: bool = False,
) -> Signed:
    """Sign the artifact that `reference` names and attach the signature in the same place."""
    artifact = session.resolve(reference, push=True, force_referrers_tag=force_referrers_tag)
    # notation 1.3.2 sees only the older manifest form in layouts (ADR 0009).
    legacy = isinstance(reference, LayoutReference)
    wish = heeding_denials(session, wish._replace(legacy_manifest=legacy))
    manifest = sign_in_store(artifact.store, artifact.subject, signer, wish, session.now)
    session.finish_writing(artifact.store)
    return Signed(artifact, manifest)


def sign(
    reference: str | AnyReference,
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
) -> Signed:
    """Sign the artifact that `reference` names.

    `key` is a signing key's name, the path of a private key, or a `Signer`; without it the default key
    signs. `passphrase` is called with the key's name if it is encrypted. `timestamp_url` is the address of a timestamping
    authority, `timestamp_root` the file of the root certificate that it must lead to: both or none. Raises `Nv2Error`.
    """
    parsed = parse(reference) if isinstance(reference, str) else reference
    with using(session) as shared:
        signer, wish = signer_and_wish(
            shared,
            key,
            certificate=certificate,
            passphrase=passphrase,
            media_type=media_type,
            expiry=expiry,
            user_metadata=user_metadata,
            timestamp_url=timestamp_url,
            timestamp_root=timestamp_root,
        )
        return sign_reference(shared, parsed, signer, wish)


def signer_and_wish(
    session: Session,
    key: str | Path | Signer | EnvelopeMaker | None,
    *,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
    media_type: str = mt.JWS,
    expiry: timedelta | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    timestamp_url: str | None = None,
    timestamp_root: str | Path | None = None,
) -> tuple[Signer | EnvelopeMaker, Wish]:
    """Who signs and how, from the arguments of `sign`. Raises what `find_signer` and `stamped_by` raise."""
    signer = signer_for(session, key, certificate, passphrase)
    wish = Wish(media_type, expiry, user_metadata, session.signing_agent())
    return signer, stamped_by(session, wish, timestamp_url, timestamp_root)


def signer_for(
    session: Session,
    key: str | Path | Signer | EnvelopeMaker | None,
    certificate: str | Path | None,
    passphrase: Callable[[str], bytes],
) -> Signer | EnvelopeMaker:
    """Who signs, from the arguments of `sign`. Raises what `find_signer` raises."""
    if key is None or isinstance(key, str | Path):
        name, chain = (None if given is None else str(given) for given in (key, certificate))
        return find_signer(session, name, chain, passphrase)
    return key


def stamped_by(session: Session, wish: Wish, url: str | None, root: str | Path | None) -> Wish:
    """`wish`, with timestamps of the authority at `url`, which must lead to the certificate in `root`; both or none.

    Raises `UsageError`, `EnvironmentFailure`.
    """
    if url is None and root is None:
        return wish
    from nv2.notary.timestamps import timestamper  # with it come the formats of timestamps

    return wish._replace(timestamper=timestamper(session, url or "", str(root or "")))
