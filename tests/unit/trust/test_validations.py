from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope.envelope import (
    VERIFICATION_PLUGIN,
    VERIFICATION_PLUGIN_MIN_VERSION,
    ExtendedAttribute,
    Scheme,
)
from nv2.errors import (
    ArtifactError,
    EnvironmentFailure,
    InvalidCertificate,
    MalformedEnvelope,
    TrustStoreError,
)
from nv2.oci import media_types as mt
from nv2.pki.certificate import Certificate
from nv2.pki.chain import parse_chain
from nv2.trust import validations
from nv2.trust.anchors import CertificateAnchors, StoreAnchors, StoreName, StoreType
from nv2.trust.identity import ANYONE, parse_identity
from nv2.trust.level import Validation
from nv2.trust.policy import TimestampWhen
from nv2.trust.validations import Proven
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA, NOT_AFTER, Pair, self_signed
from tests.world.signed import NOW, SIGNED_AT, artifact, sealed

WABBIT = CA("Wabbit")
PAIR = WABBIT.issue("build", key="EC-256")
IMAGE, OTHER = artifact(MemoryStore()), artifact(MemoryStore(), "other")
FORMATS = pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
SECOND = timedelta(seconds=1)


def proven(pair: Pair = PAIR, **how: Any) -> Proven:
    return validations.prove(how.get("media_type", mt.JWS), sealed(IMAGE, pair, **how), IMAGE)


def attribute(key: str | int, value: Any = "x", *, critical: bool = True) -> ExtendedAttribute:
    return ExtendedAttribute(key, value, critical)


def refused(**how: Any) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        proven(**how)
    return caught.value


# --- integrity --------------------------------------------------------------------------------------------


@FORMATS
def test_a_signature_of_the_artifact_proves_its_integrity(media_type: str) -> None:
    found = proven(media_type=media_type)
    assert found.content.target.same_content(IMAGE)
    assert found.chain == parse_chain(PAIR.chain)
    assert validations.integrity() == Finding(Validation.INTEGRITY, PASSED)


@FORMATS
def test_a_signature_of_another_artifact_does_not(media_type: str) -> None:
    with pytest.raises(MalformedEnvelope, match="another artifact"):
        validations.prove(media_type, sealed(OTHER, PAIR, media_type=media_type), IMAGE)


@pytest.mark.parametrize("change", [{"media_type": mt.IMAGE_INDEX}, {"size": IMAGE.size + 1}])
def test_digest_media_type_and_size_must_all_agree(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedEnvelope, match="another artifact"):
        validations.prove(mt.JWS, sealed(IMAGE._replace(**change), PAIR), IMAGE)


@FORMATS
def test_an_envelope_with_the_chain_of_somebody_else_does_not_fit(media_type: str) -> None:
    stranger = CA("Stranger").issue("stranger", key="EC-256")
    with pytest.raises(ArtifactError):
        validations.prove(media_type, sealed(IMAGE, stranger, media_type=media_type, chain=PAIR.chain), IMAGE)


def test_a_chain_without_its_root_is_refused() -> None:
    with pytest.raises(InvalidCertificate):
        validations.prove(mt.JWS, sealed(IMAGE, PAIR, chain=PAIR.chain[:1]), IMAGE)


def test_a_certificate_that_may_not_sign_code_is_refused() -> None:
    pair = WABBIT.issue("server", key="EC-256", eku=("1.3.6.1.5.5.7.3.1",))
    with pytest.raises(InvalidCertificate):
        validations.prove(mt.JWS, sealed(IMAGE, pair), IMAGE)


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00", b"[" * 10_000])
@FORMATS
def test_junk_is_refused(media_type: str, data: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        validations.prove(media_type, data, IMAGE)


def test_a_payload_of_another_type_is_refused() -> None:
    assert "application/x" in str(refused(content_type="application/x"))


@FORMATS
def test_an_unknown_critical_attribute_is_refused(media_type: str) -> None:
    error = refused(media_type=media_type, extended=[attribute("com.acme.must")])
    assert "unknown critical attribute 'com.acme.must'" in str(error)


@FORMATS
def test_an_unknown_attribute_that_is_not_critical_does_no_harm(media_type: str) -> None:
    assert proven(media_type=media_type, extended=[attribute("com.acme.may", critical=False)]).plugin is None


@pytest.mark.parametrize(
    "extended",
    [
        [attribute(VERIFICATION_PLUGIN, "acme", critical=False)],
        [attribute(VERIFICATION_PLUGIN, 1)],
        [attribute(VERIFICATION_PLUGIN, " ")],
        [attribute(VERIFICATION_PLUGIN_MIN_VERSION, "1.0.0")],
        [attribute(VERIFICATION_PLUGIN_MIN_VERSION, "1.0.0", critical=False)],
    ],
)
def test_a_malformed_demand_for_a_plugin_is_refused(extended: list[ExtendedAttribute]) -> None:
    refused(extended=extended)


def test_a_critical_attribute_that_no_plugin_could_be_handed_is_refused() -> None:
    refused(media_type=mt.COSE, extended=[attribute(VERIFICATION_PLUGIN, "acme"), attribute(-70_000)])


# --- authenticity -----------------------------------------------------------------------------------------


def authenticity(*identities: str, anchored: bool = True) -> Finding:
    found = proven()
    root = parse_chain(CA("Acme").issue("x", "EC-256").chain).root
    anchorage = validations.anchored(found, CertificateAnchors((found.chain.root if anchored else root,)))
    return validations.authenticity(anchorage, found, tuple(parse_identity(i, "") for i in identities))


def test_an_anchored_chain_of_a_trusted_identity_is_authentic() -> None:
    assert authenticity("x509.subject: C=US, ST=WA, O=wabbit-networks.io").outcome is PASSED
    assert authenticity("plugin: x", "x509.subject: C=US, ST=WA, O=wabbit-networks.io").outcome is PASSED
    assert authenticity(ANYONE.text).outcome is PASSED
    assert authenticity().outcome is PASSED


def test_an_anchored_chain_of_somebody_else_is_not() -> None:
    finding = authenticity("x509.subject: C=US, ST=WA, O=acme-rockets.io")
    assert finding.outcome is FAILED
    assert "none of the trusted identities" in finding.reason
    assert "wabbit-networks.io" in finding.reason


def test_an_identity_that_only_a_plugin_knows_lets_nobody_in() -> None:
    assert authenticity("plugin: x").outcome is FAILED


def test_an_identity_does_not_replace_an_anchor() -> None:
    assert authenticity("x509.subject: C=US, ST=WA, O=wabbit-networks.io", anchored=False).outcome is FAILED


@pytest.mark.parametrize(
    "error",
    [TrustStoreError("no such store", at="ca:x", hint="add one"), EnvironmentFailure("no permission")],
)
def test_a_store_that_cannot_be_read_leaves_authenticity_unknown(error: Exception) -> None:
    def load(name: StoreName) -> tuple[Certificate, ...]:
        raise error

    finding = validations.anchored(proven(), StoreAnchors((StoreName(StoreType.CA, "x"),), load))
    assert finding.outcome is UNKNOWN
    assert finding.reason == str(error)
    for identity in (ANYONE.text, "x509.subject: C=US, ST=WA, O=acme-rockets.io"):
        assert validations.authenticity(finding, proven(), (parse_identity(identity, ""),)) == finding


# --- expiry -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "outcome"), [(NOW - SECOND, PASSED), (NOW, FAILED), (NOW + SECOND, FAILED)])
def test_a_signature_expires_at_the_second_of_its_expiry(now: datetime, outcome: Outcome) -> None:
    finding = validations.expiry(proven(expiry=NOW), now)
    assert finding.outcome is outcome
    assert ("2026-06-01T12:00:00Z" in finding.reason) == (outcome is FAILED)


def test_a_signature_without_expiry_does_not_expire() -> None:
    assert validations.expiry(proven(), NOT_AFTER).outcome is PASSED


# --- authentic timestamp ----------------------------------------------------------------------------------

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
EXPIRED = WABBIT.issue("expired", key="EC-256", not_after=UNTIL)
ALWAYS, AFTER = TimestampWhen.ALWAYS, TimestampWhen.AFTER_CERT_EXPIRY


def timestamp(
    pair: Pair, now: datetime = NOW, when: TimestampWhen = ALWAYS, *, tsa: bool = False, **how: Any
) -> Finding:
    return validations.authentic_timestamp(proven(pair, **how), when, now, anchorable=tsa)


def test_a_chain_that_is_valid_now_needs_no_timestamp() -> None:
    assert timestamp(PAIR).outcome is PASSED


@pytest.mark.parametrize(
    ("now", "outcome"), [(UNTIL, PASSED), (UNTIL + SECOND, FAILED), (UNTIL - SECOND, PASSED)]
)
def test_without_a_timestamp_the_chain_must_be_valid_now(now: datetime, outcome: Outcome) -> None:
    assert timestamp(EXPIRED, now).outcome is outcome


def test_the_certificate_that_is_not_valid_is_named_with_the_time() -> None:
    reason = timestamp(EXPIRED).reason
    assert "certificate #1 (CN=expired" in reason
    assert "2026-03-01T00:00:00Z" in reason


def test_an_expired_authority_counts_as_well() -> None:
    pair = CA("Old", not_after=UNTIL).issue("build", key="EC-256")
    assert "certificate #2 (CN=Old CA" in timestamp(pair).reason


def test_a_chain_that_is_not_valid_yet_fails() -> None:
    pair = WABBIT.issue("early", key="EC-256", not_before=NOW + SECOND)
    assert timestamp(pair).outcome is FAILED


@pytest.mark.parametrize(("pair", "when"), [(PAIR, ALWAYS), (EXPIRED, ALWAYS), (EXPIRED, AFTER)])
def test_where_a_timestamp_is_due_its_absence_fails(pair: Pair, when: TimestampWhen) -> None:
    finding = timestamp(pair, when=when, tsa=True)
    assert finding.outcome is FAILED
    assert finding.reason == "the signature has no timestamp countersignature"


@pytest.mark.parametrize(("pair", "when"), [(PAIR, ALWAYS), (EXPIRED, ALWAYS), (EXPIRED, AFTER)])
def test_where_a_timestamp_is_due_it_must_be_asked_itself(pair: Pair, when: TimestampWhen) -> None:
    found = proven(pair)
    unsigned = found.content.envelope.unsigned._replace(timestamp=b"token")
    envelope = found.content.envelope._replace(unsigned=unsigned)
    stamped = found._replace(content=found.content._replace(envelope=envelope))
    assert validations.authentic_timestamp(stamped, when, NOW, anchorable=True) is None


def test_a_timestamp_after_expiry_only_is_not_due_before() -> None:
    assert timestamp(PAIR, when=AFTER, tsa=True).outcome is PASSED


@pytest.mark.parametrize("tsa", [False, True])
def test_a_signing_authority_vouches_for_its_signing_time(tsa: bool) -> None:
    how: dict[str, Any] = {"scheme": Scheme.SIGNING_AUTHORITY, "tsa": tsa}
    assert timestamp(EXPIRED, signing_time=SIGNED_AT, **how).outcome is PASSED
    late = timestamp(EXPIRED, signing_time=UNTIL + SECOND, **how)
    assert late.outcome is FAILED
    assert late.reason.startswith("signed at 2026-03-01T00:00:01Z: certificate #1 (CN=expired")


# --- user metadata and facts ------------------------------------------------------------------------------


def test_demanded_metadata_must_be_signed_with_its_value() -> None:
    found = proven(user_metadata={"commit": "abc", "branch": "main"})
    assert validations.user_metadata(found, {"commit": "abc"}).outcome is PASSED
    for demanded in ({"commit": "abd"}, {"Commit": "abc"}, {"commit": "abc", "tag": ""}):
        finding = validations.user_metadata(found, demanded)
        assert finding.outcome is FAILED
        assert finding.validation is Validation.USER_METADATA


@FORMATS
def test_facts_say_who_signed_what_when_and_how(media_type: str) -> None:
    pair = self_signed("build", key="EC-256")
    found = proven(pair, media_type=media_type, expiry=NOW, user_metadata={"b": "2", "a": "1"})
    facts = validations.facts(found)
    assert facts.signer == "CN=build,O=wabbit-networks.io,ST=WA,C=US"
    assert facts.thumbprint == found.chain.leaf.thumbprint
    assert (facts.algorithm, facts.media_type) == ("ECDSA-SHA-256", media_type)
    assert facts.signing_scheme == "notary.x509"
    assert (facts.signing_time, facts.expiry) == ("2026-01-01T12:00:00Z", "2026-06-01T12:00:00Z")
    assert facts.user_metadata == (("a", "1"), ("b", "2"))
