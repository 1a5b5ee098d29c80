"""Signatures of every kind that the table of verdicts needs, pushed to a registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nv2.content.interface import Store, opener
from nv2.envelope.envelope import ExtendedAttribute, Scheme, SignedAttributes
from nv2.envelope.formats import Draft, seal
from nv2.envelope.payload import build_payload
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.oci.manifest import build_signature_manifest
from nv2.pki.certificate import parse_certificate
from tests.world.ca import CA, SERVER_AUTH, Pair, self_signed

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

WABBIT = CA("Wabbit")
ACME = CA("Acme")
MALLORY = CA("Mallory")
EXPIRED_ROOT = CA("Old", not_before=NOW - 30 * DAY, not_after=NOW - DAY)
BELOW = WABBIT.intermediate("Wabbit Below")
SELF = self_signed("CN=solo,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
UNREACHABLE = "http://127.0.0.1:1"
"""Where nobody listens: revocation information that cannot be had."""


def _leaf(
    authority: CA = WABBIT, subject: str = "CN=build,O=wabbit-networks.io,ST=WA,C=US", **oddities: object
) -> Pair:
    return authority.issue(subject, "EC-256", **oddities)


class Made(NamedTuple):
    """How one signature is made."""

    pair: Pair
    media_type: str = mt.JWS
    scheme: Scheme = Scheme.X509
    signed: timedelta = -timedelta(hours=1)
    """The signing time, from now."""
    expires: timedelta | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    extended: tuple[ExtendedAttribute, ...] = ()
    spoil: Callable[[bytes], bytes] = bytes
    """What is done to the finished envelope."""
    other_artifact: bool = False


def _last_byte(envelope: bytes) -> bytes:
    """Another last character of the JWS signature, or last byte of the COSE one."""
    if envelope[:1] != b"{":
        return envelope[:-1] + bytes([envelope[-1] ^ 1])
    at = envelope.index(b'"signature":"') + len(b'"signature":"')
    return envelope[:at] + (b"A" if envelope[at : at + 1] != b"A" else b"B") + envelope[at + 1 :]


EXTENDED = ExtendedAttribute("com.example.must-understand", "x", critical=True)
OPTIONAL = ExtendedAttribute("com.example.may-understand", "x", critical=False)

SIGNATURES: dict[str, tuple[Made, ...]] = {
    "good": (Made(_leaf()),),
    "good-cose": (Made(_leaf(), mt.COSE),),
    "with-metadata": (Made(_leaf(), metadata=(("stage", "production"),)),),
    "below-intermediate": (Made(_leaf(BELOW)),),
    "self-signed": (Made(SELF),),
    "by-acme": (Made(_leaf(ACME, "CN=build,O=acme-rockets.io,ST=WA,C=US")),),
    "by-mallory": (Made(_leaf(MALLORY)),),
    "not-yet-expired": (Made(_leaf(), expires=DAY),),
    "expired": (Made(_leaf(), signed=-2 * DAY, expires=-DAY),),
    "expired-certificate": (Made(_leaf(not_before=NOW - 30 * DAY, not_after=NOW - DAY), signed=-2 * DAY),),
    "expired-root": (Made(_leaf(EXPIRED_ROOT), signed=-2 * DAY),),
    "future-certificate": (Made(_leaf(not_before=NOW + DAY)),),
    "all-expired": (
        Made(_leaf(not_before=NOW - 30 * DAY, not_after=NOW - DAY), signed=-3 * DAY, expires=-2 * DAY),
    ),
    "with-crl": (Made(_leaf(crl_urls=(f"{UNREACHABLE}/crl",))),),
    "with-ocsp": (Made(_leaf(ocsp_urls=(f"{UNREACHABLE}/ocsp",))),),
    "authority-scheme": (Made(_leaf(), scheme=Scheme.SIGNING_AUTHORITY),),
    "authority-scheme-cose": (Made(_leaf(), mt.COSE, scheme=Scheme.SIGNING_AUTHORITY),),
    "authority-scheme-outside": (
        Made(_leaf(not_before=NOW - DAY), scheme=Scheme.SIGNING_AUTHORITY, signed=-2 * DAY),
    ),
    "authority-scheme-past": (
        Made(
            _leaf(not_before=NOW - 30 * DAY, not_after=NOW - DAY),
            scheme=Scheme.SIGNING_AUTHORITY,
            signed=-2 * DAY,
        ),
    ),
    "broken": (Made(_leaf(), spoil=_last_byte),),
    "broken-cose": (Made(_leaf(), mt.COSE, spoil=_last_byte),),
    "junk": (Made(_leaf(), spoil=lambda _: b"not an envelope"),),
    "for-another": (Made(_leaf(), other_artifact=True),),
    "critical-attribute": (Made(_leaf(), extended=(EXTENDED,)),),
    "optional-attribute": (Made(_leaf(), extended=(OPTIONAL,)),),
    "server-certificate": (Made(_leaf(eku=(SERVER_AUTH,))),),
    "two-units": (Made(_leaf(subject="CN=build,OU=a,OU=b,O=wabbit-networks.io,ST=WA,C=US")),),
    "junk-and-good": (Made(_leaf(), spoil=lambda _: b"not an envelope"), Made(_leaf())),
    "mallory-and-good": (Made(_leaf(MALLORY)), Made(_leaf(), mt.COSE)),
    "unsigned": (),
}


def attach(store: Store, subject: Descriptor, made: Made) -> None:
    """Make the signature, as its recipe says, and attach it to `subject`."""
    attach_all(store, subject, [made])


def attach_all(store: Store, subject: Descriptor, recipes: Sequence[Made]) -> None:
    """Make the signatures and attach them with one write."""
    store.attach(subject, [_push(store, subject, made) for made in recipes])


def _push(store: Store, subject: Descriptor, made: Made) -> Descriptor:
    target = Descriptor(subject.media_type, digest_of(b"another"), 7) if made.other_artifact else subject
    signing_time = NOW + made.signed
    attributes = SignedAttributes(
        mt.PAYLOAD,
        made.scheme,
        signing_time,
        NOW + made.expires if made.expires else None,
        made.extended,
    )
    draft = Draft(build_payload(target, dict(made.metadata)), attributes, "test")
    signer = made.pair.signer()
    envelope = made.spoil(seal(made.media_type, draft, signer.chain, signer.algorithm, signer.sign).raw)
    layer = describe(envelope, made.media_type)
    prints = tuple(parse_certificate(der).thumbprint for der in made.pair.chain)
    manifest = build_signature_manifest(subject, layer, prints, signing_time)
    config, config_data = manifest.config
    store.push(layer, opener(envelope))
    store.push(config, opener(config_data))
    store.push(manifest.descriptor, opener(manifest.data))
    return manifest.descriptor
