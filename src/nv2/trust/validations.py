"""The validations that need no network, one function each, in the order of the specification.

trust-store-trust-policy, "Signature Verification: Steps". `prove` makes a `Proven` of untrusted bytes,
and everything after integrity takes a `Proven`: what was not proven cannot be asked further questions.
What this module does not do: revocation, verifying timestamps (both need a network), and the judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from nv2.envelope import formats
from nv2.envelope.envelope import VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION, Scheme
from nv2.envelope.formats import SignedContent
from nv2.errors import ConfigurationError, EnvironmentFailure, InvalidCertificate, MalformedEnvelope
from nv2.oci.descriptor import Descriptor
from nv2.pki.chain import Chain, check_validity, parse_chain
from nv2.plain_text import quoted, rfc3339
from nv2.trust.level import Validation
from nv2.trust.policy import TimestampWhen
from nv2.trust.verdict import Finding, Outcome, SignatureFacts

if TYPE_CHECKING:
    from nv2.envelope.envelope import ExtendedAttribute
    from nv2.trust.anchors import Anchors
    from nv2.trust.identity import Identity

MAX_CHAINS = 32
"""Chains that are kept parsed, by their exact bytes: a fleet is signed by few. At most 20 MiB, if all are as large as can be."""

_chain = lru_cache(maxsize=MAX_CHAINS)(parse_chain)
"""A chain means the same at every instant: what is kept is its structure, not whether it is valid or trusted."""


class Proven(NamedTuple):
    """A signature of proven integrity over the artifact in question. Nothing says yet that anyone trusts it."""

    content: SignedContent
    chain: Chain
    plugin: str | None
    """The verification plugin that the signer demands, as written in the envelope: not a name to use as is."""

    @property
    def scheme(self) -> Scheme:
        """The signing scheme."""
        return self.content.envelope.attributes.scheme


def prove(media_type: str, data: bytes, subject: Descriptor) -> Proven:
    """Open the envelope `data` as a signature of `subject` ("Validate Integrity").

    Raises `ArtifactError`.
    """
    proven = prove_self(media_type, data)
    target = proven.content.target
    if not target.same_content(subject):
        raise MalformedEnvelope(f"it signs another artifact: {quoted(target.digest)}")
    return proven


def prove_self(media_type: str, data: bytes) -> Proven:
    """Open the envelope `data` as a signature of whatever it says: the caller compares its target.

    Structure and profile of the chain belong here, as in notation: without them there is no signing key.
    Raises `ArtifactError`.
    """
    found = formats.parse(media_type, data)
    chain = _chain(found.unsigned.certificates)
    content = found.open(chain.leaf.public_key)
    plugin = _demanded_plugin(found.attributes.extended)
    _refuse_unknown_critical(found.attributes.extended, plugin)
    return Proven(content, chain, plugin)


def _demanded_plugin(extended: tuple[ExtendedAttribute, ...]) -> str | None:
    """The plugin that the signer demands. Raises `MalformedEnvelope` unless it is properly named."""
    for attribute in extended:
        if attribute.key == VERIFICATION_PLUGIN:
            if not attribute.critical or not isinstance(attribute.value, str) or not attribute.value.strip():
                raise MalformedEnvelope("a verification plugin must be named by a critical, non-empty string")
            return attribute.value
    return None


def _refuse_unknown_critical(extended: tuple[ExtendedAttribute, ...], plugin: str | None) -> None:
    """Raise `MalformedEnvelope` for critical attributes that neither nv2 nor `plugin` could understand.

    Integer keys cannot be handed to a plugin.
    """
    for attribute in extended:
        for_plugin = plugin is not None and isinstance(attribute.key, str)
        if attribute.critical and not for_plugin:
            raise MalformedEnvelope(f"unknown critical attribute {quoted(attribute.key)}")
        if attribute.key == VERIFICATION_PLUGIN_MIN_VERSION and not for_plugin:
            raise MalformedEnvelope("a version of a verification plugin without its name")


def integrity() -> Finding:
    """Passed: only what was proven gets as far as this. Where the signer demands a plugin, the plugin has a part in it."""
    return Finding(Validation.INTEGRITY, Outcome.PASSED)


def anchored(proven: Proven, anchors: Anchors) -> Finding:
    """Whether the chain ends in a trusted anchor: the first half of authenticity."""
    try:
        refusal = anchors.refusal(proven.chain, proven.scheme)
    except (ConfigurationError, EnvironmentFailure) as e:
        return Finding(Validation.AUTHENTICITY, Outcome.UNKNOWN, str(e), e.hint or "")
    if refusal is not None:
        return Finding(Validation.AUTHENTICITY, Outcome.FAILED, refusal)
    return Finding(Validation.AUTHENTICITY, Outcome.PASSED)


def authenticity(anchorage: Finding, proven: Proven, identities: tuple[Identity, ...]) -> Finding:
    """`anchorage`, and the signing certificate is one of `identities` (empty: anyone)."""
    leaf = proven.chain.leaf
    if anchorage.outcome is not Outcome.PASSED or not identities:
        return anchorage
    if any(identity.matches(leaf) for identity in identities):
        return anchorage
    return Finding(
        Validation.AUTHENTICITY,
        Outcome.FAILED,
        f"the signing certificate {quoted(leaf.subject)} is none of the trusted identities",
    )


def expiry(proven: Proven, now: datetime) -> Finding:
    """Failed from the very second of the expiry on ("Expiry": greater than or equal)."""
    expires = proven.content.envelope.attributes.expiry
    if expires is not None and now >= expires:
        return Finding(Validation.EXPIRY, Outcome.FAILED, f"the signature expired at {rfc3339(expires)}")
    return Finding(Validation.EXPIRY, Outcome.PASSED)


def authentic_timestamp(
    proven: Proven, when: TimestampWhen, now: datetime, *, anchorable: bool
) -> Finding | None:
    """Whether the signature was made while every certificate of its chain was valid. None if its timestamp must tell.

    `anchorable` says that a store for timestamping authorities is named; without one, and without need
    (`when`), the chain must be valid now. A signing authority vouches for its signing time itself.
    """
    attributes = proven.content.envelope.attributes
    if proven.scheme is Scheme.SIGNING_AUTHORITY:
        signed_at = attributes.signing_time
        return _valid_at(proven.chain, signed_at, f"signed at {rfc3339(signed_at)}: ")
    if anchorable and _is_due(proven.chain, when, now):
        return None if proven.content.envelope.unsigned.timestamp else _NO_TIMESTAMP
    return _valid_at(proven.chain, now)


def _is_due(chain: Chain, when: TimestampWhen, now: datetime) -> bool:
    return when is TimestampWhen.ALWAYS or any(now > c.not_after for c in chain.certificates)


_NO_TIMESTAMP = Finding(
    Validation.AUTHENTIC_TIMESTAMP, Outcome.FAILED, "the signature has no timestamp countersignature"
)


def _valid_at(chain: Chain, instant: datetime, prefix: str = "") -> Finding:
    try:
        check_validity(chain, instant)
    except InvalidCertificate as e:
        return Finding(Validation.AUTHENTIC_TIMESTAMP, Outcome.FAILED, f"{prefix}{e}", e.hint or "")
    return Finding(Validation.AUTHENTIC_TIMESTAMP, Outcome.PASSED)


def user_metadata(proven: Proven, demanded: Mapping[str, str]) -> Finding:
    """Whether every pair of `demanded` is signed; further pairs do no harm."""
    signed = proven.content.target.annotations
    for key, value in demanded.items():
        if signed.get(key) != value:
            said = f"says {quoted(signed[key])}" if key in signed else "does not have it"
            return Finding(
                Validation.USER_METADATA,
                Outcome.FAILED,
                f"user metadata {quoted(key)} must be {quoted(value)}: the signature {said}",
            )
    return Finding(Validation.USER_METADATA, Outcome.PASSED)


def facts(proven: Proven) -> SignatureFacts:
    """What the signature says about itself."""
    found, leaf = proven.content.envelope, proven.chain.leaf
    attributes = found.attributes
    return SignatureFacts(
        signer=leaf.subject,
        thumbprint=leaf.thumbprint,
        algorithm=found.algorithm.name,
        media_type=found.media_type,
        signing_scheme=attributes.scheme.value,
        signing_time=rfc3339(attributes.signing_time),
        expiry=None if attributes.expiry is None else rfc3339(attributes.expiry),
        user_metadata=tuple(sorted(proven.content.target.annotations.items())),
    )
