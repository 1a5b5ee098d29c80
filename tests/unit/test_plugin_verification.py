"""What a verification plugin decides, and when it is not asked at all (notation.md §5.4 a, b, c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from nv2.envelope.envelope import VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION, ExtendedAttribute
from nv2.errors import EnvironmentFailure
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.plugin_verification import Assessment, assess
from nv2.programs.interface import Finished
from nv2.trust.identity import parse_identities
from nv2.trust.level import LEVELS, Action, Level, Validation
from nv2.trust.trust import Trust
from nv2.trust.validations import prove
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA
from tests.world.plugins import IDENTITY, RAW, REVOCATION, Change, FakePlugin
from tests.world.signed import sealed

PAIR = CA("Wabbit").issue("CN=build,O=acme,ST=WA,C=US", key="EC-256")
IMAGE = describe(b"{}", mt.IMAGE_MANIFEST)
ANCHORED = Finding(Validation.AUTHENTICITY, Outcome.PASSED)
STRANGE = Finding(Validation.AUTHENTICITY, Outcome.FAILED, "no anchor")
PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
SOMEBODY_ELSE = "x509.subject: C=US, ST=WA, O=somebody else"


class NoAnchors:
    serves_timestamps = False


def attribute(key: str | int, value: Any = "x", *, critical: bool = True) -> ExtendedAttribute:
    return ExtendedAttribute(key, value, critical)


def assessed(
    plugin: FakePlugin | None,
    *further: ExtendedAttribute,
    name: str = "acme",
    anchorage: Finding = ANCHORED,
    level: str = "strict",
    identities: Sequence[str] = ("*",),
    media_type: str = mt.JWS,
) -> Assessment:
    extended = [attribute(VERIFICATION_PLUGIN, name), *further]
    proven = prove(media_type, sealed(IMAGE, PAIR, media_type=media_type, extended=extended), IMAGE)
    trust = Trust("t", LEVELS[level], NoAnchors(), parse_identities(tuple(identities), "t"))  # type: ignore[arg-type]
    installed = plugin.installed() if plugin else None
    return assess(proven, anchorage, trust, None if installed is None else lambda _: installed)


def outcomes(found: Assessment) -> tuple[Outcome, Outcome, Outcome | None]:
    return found.integrity.outcome, found.authenticity.outcome, found.revocation and found.revocation.outcome


# fmt: off
ANSWERS: dict[str, tuple[dict[str, Change], tuple[Outcome, Outcome, Outcome | None], str]] = {
    "all is well":          ({},                                                          (PASSED, PASSED, PASSED), ""),
    "identity refused":     ({"verify_signature": {"verificationResults": {IDENTITY: {"success": False, "reason": "no"}, REVOCATION: {"success": True}}}}, (PASSED, FAILED, PASSED), "failed with reason 'no'"),
    "revoked":              ({"verify_signature": {"verificationResults": {IDENTITY: {"success": True}, REVOCATION: {"success": False}}}}, (PASSED, PASSED, FAILED), "revocation check by plugin"),
    "no result":            ({"verify_signature": {"verificationResults": {REVOCATION: {"success": True}}}}, (UNKNOWN, UNKNOWN, PASSED), "gave no result for SIGNATURE_VERIFIER.TRUSTED_IDENTITY"),
    "null result":          ({"verify_signature": {"verificationResults": {IDENTITY: None, REVOCATION: {"success": True}}}}, (UNKNOWN, UNKNOWN, PASSED), "gave no result"),
    "a word for yes":       ({"verify_signature": {"verificationResults": {IDENTITY: {"success": "yes"}}}}, (UNKNOWN, PASSED, UNKNOWN), "expected true or false"),
    "refuses":              ({"verify_signature": Finished(1, b"", b'{"errorCode":"ERROR"}')}, (UNKNOWN, PASSED, UNKNOWN), "ERROR"),
    "hangs":                ({"verify_signature": EnvironmentFailure("did not end within 60 seconds")}, (UNKNOWN, PASSED, UNKNOWN), "did not end"),
    "verifies nothing":     ({"get_plugin_metadata": {"capabilities": [RAW]}},            (UNKNOWN, PASSED, UNKNOWN), "with verification capabilities"),
    "identity alone":       ({"get_plugin_metadata": {"capabilities": [IDENTITY]}},       (PASSED, PASSED, None), ""),
    "lies about its name":  ({"get_plugin_metadata": {"name": "other"}},                  (UNKNOWN, PASSED, UNKNOWN), "must be 'notation-other'"),
    "no version":           ({"get_plugin_metadata": {"version": "one"}},                 (UNKNOWN, PASSED, UNKNOWN), "'one' is not a semantic version"),
}
# fmt: on


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_plugin_answers_becomes_findings(answer: str) -> None:
    changes, expected, says = ANSWERS[answer]
    found = assessed(FakePlugin(PAIR, **changes))
    assert outcomes(found) == expected
    assert says in " ".join(f.reason for f in found if f)


@pytest.mark.parametrize(
    "name",
    [
        "../../bin/true",
        "/bin/true",
        "a/b",
        "..",
        "a..b",
        "a b",
        "x" * 201,
        "a\0",
        "acme\n",
        ".",
        "acme\u0301",
        "\uff41cme",
        "a\\b",
    ],
)
def test_5_4_a_a_name_that_is_a_path_is_refused_and_nobody_is_asked(name: str) -> None:
    plugin = FakePlugin(PAIR)
    assert assessed(plugin, name=name).integrity.outcome is FAILED
    assert plugin.asked == []


def test_5_4_a_no_plugin_is_asked_about_a_chain_without_an_anchor() -> None:
    plugin = FakePlugin(PAIR)
    found = assessed(plugin, anchorage=STRANGE, level="audit")
    assert outcomes(found) == (UNKNOWN, FAILED, None)
    assert plugin.asked == []


def test_a_plugin_that_is_not_here_leaves_open_who_signed() -> None:
    assert outcomes(assessed(None, identities=[SOMEBODY_ELSE])) == (UNKNOWN, UNKNOWN, UNKNOWN)


def test_an_identity_is_the_plugins_to_judge_only_if_it_can() -> None:
    assert assessed(FakePlugin(PAIR), identities=[SOMEBODY_ELSE]).authenticity.outcome is PASSED
    other = FakePlugin(PAIR, get_plugin_metadata={"capabilities": [REVOCATION]})
    assert assessed(other, identities=[SOMEBODY_ELSE]).authenticity.outcome is FAILED


def test_a_yes_to_what_was_not_asked_counts_for_nothing() -> None:
    yes = {name: {"success": True} for name in (IDENTITY, REVOCATION, "SIGNATURE_VERIFIER.EVERYTHING")}
    plugin = FakePlugin(
        PAIR,
        get_plugin_metadata={"capabilities": [REVOCATION]},
        verify_signature={"verificationResults": yes},
    )
    found = assessed(plugin, identities=[SOMEBODY_ELSE])
    assert outcomes(found) == (PASSED, FAILED, PASSED)


def test_an_attribute_that_was_processed_in_another_case_was_not() -> None:
    answer = {"processedAttributes": ["COM.EXAMPLE.MUST", "com.example.other"]}
    found = assessed(FakePlugin(PAIR, verify_signature=answer), attribute("com.example.must"))
    assert found.integrity.outcome is FAILED


def test_5_4_c_a_critical_attribute_must_be_processed() -> None:
    must = attribute("com.example.must")
    assert assessed(FakePlugin(PAIR), must).integrity.outcome is PASSED
    plugin = FakePlugin(PAIR, verify_signature={"processedAttributes": []})
    assert assessed(plugin, must).integrity.outcome is FAILED
    assert assessed(plugin, attribute("com.example.may", critical=False)).integrity.outcome is PASSED


def test_5_4_c_a_critical_attribute_is_not_forgotten_where_nothing_is_asked() -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata={"capabilities": [REVOCATION]})
    level = LEVELS["strict"]
    skipping = Level("custom", {**level.actions, Validation.REVOCATION: Action.SKIP})
    extended = [attribute(VERIFICATION_PLUGIN, "acme"), attribute("com.example.must")]
    proven = prove(mt.JWS, sealed(IMAGE, PAIR, extended=extended), IMAGE)
    installed = plugin.installed()
    trust = Trust("t", skipping, NoAnchors())  # type: ignore[arg-type]
    assert assess(proven, ANCHORED, trust, lambda _: installed).integrity.outcome is FAILED


def test_a_critical_attribute_that_json_cannot_say_is_refused() -> None:
    plugin = FakePlugin(PAIR)
    found = assessed(plugin, attribute("com.example.bytes", b"x"), media_type=mt.COSE)
    assert found.integrity.outcome is FAILED
    assert plugin.asked == []


# fmt: off
VERSIONS = (
    # plugin          least           outcome
    ("1.0.0",         "1.0.0",        PASSED),
    ("1.10.0",        "1.9.0",        PASSED),
    ("1.0.0",         "1.0.1",        UNKNOWN),
    ("1.0.0-rc.2",    "1.0.0",        UNKNOWN),
    ("1.0.0-rc.10",   "1.0.0-rc.9",   PASSED),
    ("1.0.0-rc",      "1.0.0-1",      PASSED),
    ("1.0.0+b",       "1.0.0+a",      PASSED),
    ("1.0.0",         "1.0",          FAILED),
)
# fmt: on


@pytest.mark.parametrize(("version", "least", "outcome"), VERSIONS)
def test_a_plugin_must_be_as_new_as_the_signer_says(version: str, least: str, outcome: Outcome) -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata={"version": version})
    assert assessed(plugin, attribute(VERIFICATION_PLUGIN_MIN_VERSION, least)).integrity.outcome is outcome


def test_the_request_is_that_of_the_contract() -> None:
    plugin = FakePlugin(PAIR)
    assessed(plugin, attribute("a", 1), attribute("b", None, critical=False), identities=[SOMEBODY_ELSE])
    command, request = plugin.asked[1]
    chain = request["signature"].pop("certificateChain")
    assert (command, len(chain)) == ("verify-signature", len(PAIR.chain))
    assert request == {
        "contractVersion": "1.0",
        "signature": {
            "criticalAttributes": {
                "contentType": mt.PAYLOAD,
                "signingScheme": "notary.x509",
                "verificationPlugin": "acme",
                "extendedAttributes": {"a": 1, "b": None},
            },
            "unprocessedAttributes": ["a"],
        },
        "trustPolicy": {
            "trustedIdentities": [SOMEBODY_ELSE],
            "signatureVerification": [IDENTITY, REVOCATION],
        },
    }
