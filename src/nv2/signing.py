"""Signing: a payload for the artifact, an envelope around it, a manifest that names the artifact.

What this module does not do: find the key, resolve the reference, or decide whether to trust.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, cast

from nv2.content.interface import Store, opener
from nv2.envelope.envelope import Scheme, SignedAttributes
from nv2.envelope.formats import Draft, Envelope, parse, seal, with_timestamp
from nv2.envelope.payload import build_payload, check_kept
from nv2.errors import ArtifactError, SigningKeyError, UsageError
from nv2.keys.interface import EnvelopeMaker, Made, Signer, makes_envelopes
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest
from nv2.oci.manifest import BuiltManifest, build_signature_manifest
from nv2.pki.chain import Chain, check_validity, parse_chain

NO_METADATA: Mapping[str, str] = MappingProxyType({})


Timestamper = Callable[[bytes, str, Chain], bytes]
"""A timestamp token for a raw signature by a chain; the imprint is made with the hash of that name. Raises `RemoteError`."""


class Wish(NamedTuple):
    """How to sign."""

    media_type: str = mt.JWS
    expiry: timedelta | None = None
    """From now; None means that the signature does not expire."""
    user_metadata: Mapping[str, str] = NO_METADATA
    signing_agent: str = "nv2"
    legacy_manifest: bool = False
    """Write the manifest form that notation 1.3.2 sees in OCI image layouts."""
    timestamper: Timestamper | None = None
    """Who proves when the signature was made; a plugin that makes envelopes may have seen to that itself."""
    refusal: Callable[[Chain, Digest], str | None] | None = None
    """Why nobody here would count a signature of that chain and artifact; None if somebody may."""


def check_expiry(expiry: timedelta | None) -> None:
    """Raise `UsageError` unless `expiry` is a positive number of whole seconds, or nothing."""
    if expiry is None:
        return
    if expiry < timedelta(0):
        raise UsageError("expiry duration cannot be a negative value")
    if expiry.microseconds or not expiry:
        raise UsageError("expiry duration supports minimum granularity of seconds")


def envelope_of(
    subject: Descriptor, signer: Signer | EnvelopeMaker, wish: Wish, now: datetime
) -> tuple[bytes, Chain]:
    """The envelope that signs `subject`, opened again as a check, and its certificate chain.

    Raises `UsageError` for unusable metadata or expiry, `InvalidCertificate` if the chain breaks the
    profile or is not valid at `now` (signature-specification, "Certificate Requirements"), `SigningKeyError` if
    a plugin signed something else than it was given, or `wish.refusal` says no.
    """
    sealed, chain, _ = _sealed(subject, signer, wish, now)
    return sealed, chain


def _sealed(
    subject: Descriptor, signer: Signer | EnvelopeMaker, wish: Wish, now: datetime
) -> tuple[bytes, Chain, Mapping[str, str]]:
    """As `envelope_of`, and what the maker wants to be said in the manifest."""
    check_expiry(wish.expiry)
    signing_time = now.astimezone(UTC).replace(microsecond=0)
    attributes = SignedAttributes(
        mt.PAYLOAD, Scheme.X509, signing_time, signing_time + wish.expiry if wish.expiry else None
    )
    draft = Draft(build_payload(subject, wish.user_metadata), attributes, wish.signing_agent)
    if makes_envelopes(signer):
        made = signer.make(wish.media_type, draft)
        sealed, chain = _checked(made, draft, wish, signing_time)
        _check_heeded(chain, subject, wish)
        return _stamped(sealed, chain, wish).raw, chain, made.annotations
    holder = cast("Signer", signer)
    chain = parse_chain(holder.chain)
    check_validity(chain, signing_time)
    _check_heeded(chain, subject, wish)
    sealed = seal(wish.media_type, draft, holder.chain, holder.algorithm, holder.sign)
    sealed.open(chain.leaf.public_key)
    return _stamped(sealed, chain, wish).raw, chain, {}


def _check_heeded(chain: Chain, subject: Descriptor, wish: Wish) -> None:
    refusal = wish.refusal(chain, subject.digest) if wish.refusal else None
    if refusal is not None:
        raise SigningKeyError(
            f"not signed: {refusal}",
            hint="nobody here would count it; 'nv2 trust denials' shows what is denied",
        )


def _stamped(sealed: Envelope, chain: Chain, wish: Wish) -> Envelope:
    """With a timestamp, if one is wished for and the maker has not added one."""
    if wish.timestamper is None or sealed.unsigned.timestamp:
        return sealed
    return with_timestamp(sealed, wish.timestamper(sealed.signature, sealed.algorithm.hash, chain))


def _checked(made: Made, draft: Draft, wish: Wish, now: datetime) -> tuple[Envelope, Chain]:
    """An envelope that somebody else made, and its chain, if it is what `draft` asked for. Raises `SigningKeyError`.

    plugin-extensibility, "Signing workflow using plugin": annotations may be added, and nothing else is changed.
    """
    try:
        envelope = parse(wish.media_type, made.data)
        chain = parse_chain(envelope.unsigned.certificates)
        check_validity(chain, now)
        envelope.open(chain.leaf.public_key)
        check_kept(envelope.payload, draft.payload)
    except ArtifactError as e:
        raise SigningKeyError(
            f"generated signature failed verification: {e}", at=made.maker, hint=e.hint
        ) from None
    signed = envelope.attributes
    if wish.expiry and (signed.expiry is None or signed.expiry - signed.signing_time > wish.expiry):
        raise SigningKeyError("generated signature does not expire when it was asked to", at=made.maker)
    return envelope, chain


def sign(
    store: Store, subject: Descriptor, signer: Signer | EnvelopeMaker, wish: Wish, now: datetime
) -> Descriptor:
    """Sign `subject` and attach the signature to it in `store`; the signature manifest's descriptor.

    The artifact itself is not touched.
    """
    sealed, chain, more = _sealed(subject, signer, wish, now)
    created = now.astimezone(UTC)
    envelope = describe(sealed, wish.media_type)
    manifest = build_signature_manifest(
        subject, envelope, chain.thumbprints, created, legacy=wish.legacy_manifest, more=more
    )
    return _attach(store, subject, sealed, envelope, manifest)


def attach(
    store: Store, subject: Descriptor, data: bytes, media_type: str, *, legacy: bool = False
) -> Descriptor:
    """Attach the signature envelope `data`, made elsewhere, to `subject`; the signature manifest's descriptor.

    It must be a signature of `subject` whose integrity holds; whether anyone trusts it is not asked. Doing it twice
    is as doing it once. `legacy` is as in `Wish`. Raises `ArtifactError`.
    """
    from nv2.trust.validations import prove  # whoever signs need not judge

    proven = prove(media_type, data, subject)
    envelope = describe(data, media_type)
    created = proven.content.envelope.attributes.signing_time
    manifest = build_signature_manifest(
        subject, envelope, proven.chain.thumbprints, created.astimezone(UTC), legacy=legacy
    )
    return _attach(store, subject, data, envelope, manifest)


def _attach(
    store: Store, subject: Descriptor, sealed: bytes, envelope: Descriptor, manifest: BuiltManifest
) -> Descriptor:
    """Nothing refers to the subject before all of it is stored."""
    config, config_data = manifest.config
    provided = store.provide(config, opener(config_data), subject)
    store.push(envelope, opener(sealed))
    provided()
    store.push(manifest.descriptor, opener(manifest.data))
    store.attach(subject, [manifest.descriptor])
    return manifest.descriptor
