"""Signing: a payload for the artifact, an envelope around it, a manifest that names the artifact.

What this module does not do: find the key, resolve the reference, or decide whether to trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from nv2.content.interface import Store, opener
from nv2.envelope.envelope import Scheme, SignedAttributes
from nv2.envelope.formats import Draft, seal
from nv2.envelope.payload import build_payload
from nv2.errors import UsageError
from nv2.keys.interface import Signer
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import build_signature_manifest
from nv2.pki.chain import Chain, check_validity, parse_chain

NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Wish(NamedTuple):
    """How to sign."""

    media_type: str = mt.JWS
    expiry: timedelta | None = None
    """From now; None means that the signature does not expire."""
    user_metadata: Mapping[str, str] = NO_METADATA
    signing_agent: str = "nv2"
    legacy_manifest: bool = False
    """Write the manifest form that notation 1.3.2 sees in OCI image layouts."""


def check_expiry(expiry: timedelta | None) -> None:
    """Raise `UsageError` unless `expiry` is a positive number of whole seconds, or nothing."""
    if expiry is None:
        return
    if expiry < timedelta(0):
        raise UsageError("expiry duration cannot be a negative value")
    if expiry.microseconds or not expiry:
        raise UsageError("expiry duration supports minimum granularity of seconds")


def envelope_of(subject: Descriptor, signer: Signer, wish: Wish, now: datetime) -> tuple[bytes, Chain]:
    """The envelope that signs `subject`, opened again as a check, and its certificate chain.

    Raises `UsageError` for unusable metadata or expiry, `InvalidCertificate` if the chain breaks the
    profile or is not valid at `now` (signature-specification, "Certificate Requirements").
    """
    check_expiry(wish.expiry)
    chain = parse_chain(signer.chain)
    signing_time = now.astimezone(UTC).replace(microsecond=0)
    check_validity(chain, signing_time)
    attributes = SignedAttributes(
        mt.PAYLOAD, Scheme.X509, signing_time, signing_time + wish.expiry if wish.expiry else None
    )
    draft = Draft(build_payload(subject, wish.user_metadata), attributes, wish.signing_agent)
    sealed = seal(wish.media_type, draft, signer.chain, signer.algorithm, signer.sign)
    sealed.open(chain.leaf.public_key)
    return sealed.raw, chain


def sign(store: Store, subject: Descriptor, signer: Signer, wish: Wish, now: datetime) -> Descriptor:
    """Sign `subject` and attach the signature to it in `store`; the signature manifest's descriptor.

    The artifact itself is not touched. Nothing refers to the subject before all of it is stored.
    """
    sealed, chain = envelope_of(subject, signer, wish, now)
    envelope = describe(sealed, wish.media_type)
    manifest = build_signature_manifest(
        subject, envelope, chain.thumbprints, now.astimezone(UTC), legacy=wish.legacy_manifest
    )
    config, config_data = manifest.config
    provided = store.provide(config, opener(config_data), subject)
    store.push(envelope, opener(sealed))
    provided()
    store.push(manifest.descriptor, opener(manifest.data))
    store.attach(subject, [manifest.descriptor])
    return manifest.descriptor
