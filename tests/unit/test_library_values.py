"""What the library hands out and raises can be sent to another process, printed and written as JSON."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nv2
from nv2.errors import NotTrusted, Undecided, Unreachable
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.trust.level import LEVELS, Action, Level, Validation, custom_level
from nv2.trust.verdict import (
    ArtifactVerdict,
    Finding,
    Outcome,
    SignatureFacts,
    SignatureVerdict,
    Verdict,
    judge,
)

SUBJECT = describe(b"{}", mt.IMAGE_MANIFEST)
FACTS = SignatureFacts("CN=build", "ab", "PS256", mt.JWS, "notary.x509", "2026-01-01T00:00:00Z", None, ())
FINDINGS = (
    Finding(Validation.INTEGRITY, Outcome.PASSED),
    Finding(Validation.AUTHENTICITY, Outcome.FAILED, "nobody trusts it", "ask somebody"),
)
SIGNATURE = SignatureVerdict(
    describe(b"{ }", mt.IMAGE_MANIFEST, annotations={"a": "b"}), judge(FINDINGS, LEVELS["strict"]), FACTS
)
VERDICT = ArtifactVerdict(Verdict.NOT_TRUSTED, LEVELS["strict"], "images", SUBJECT, (SIGNATURE,))


@pytest.mark.parametrize("error", [NotTrusted("no", VERDICT, hint="go home"), Undecided("eh", VERDICT)])
def test_an_error_with_a_verdict_survives_the_way_to_another_process(error: nv2.NotTrusted) -> None:
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.hint, arrived.verdict) == (str(error), error.hint, VERDICT)


def test_an_error_with_a_place_survives_the_way_to_another_process() -> None:
    arrived = pickle.loads(pickle.dumps(Unreachable("no", at="localhost:1", hint="start it")))  # noqa: S301  our own bytes
    assert (arrived.message, arrived.at, arrived.hint) == ("no", "localhost:1", "start it")


@pytest.mark.parametrize("level", [*LEVELS.values(), custom_level("strict", {"expiry": "log"}, "")])
def test_a_copied_level_is_the_same_and_still_cannot_be_changed(level: Level) -> None:
    arrived = copy.deepcopy(level)
    assert arrived == level
    with pytest.raises(TypeError):
        arrived.actions[Validation.AUTHENTICITY] = Action.SKIP  # type: ignore[index]


@pytest.mark.parametrize("descriptor", [SUBJECT, SIGNATURE.manifest])
def test_a_copied_descriptor_is_the_same(descriptor: Descriptor) -> None:
    assert copy.deepcopy(descriptor) == descriptor


def test_a_verdict_is_written_as_json_with_every_finding() -> None:
    document = json.loads(json.dumps(VERDICT.to_json()))
    assert document["verdict"] == "notTrusted" and document["artifact"] == SUBJECT.to_json()
    (signature,) = document["signatures"]
    assert signature["facts"]["signer"] == "CN=build"
    assert signature["findings"][1] == {
        "validation": "authenticity",
        "outcome": "failed",
        "action": "enforce",
        "reason": "nobody trusts it",
        "hint": "ask somebody",
    }
    assert [found["outcome"] for found in signature["findings"][2:]] == ["notAsked"] * 3


def test_settings_are_shown_without_the_password() -> None:
    settings = nv2.Settings(username="me", password="secret")
    assert "secret" not in f"{settings!r} {settings}" and "username='me'" in repr(settings)
    assert settings.password == "secret" and settings != nv2.Settings(username="me")


def test_a_session_can_be_closed_twice_and_reads_the_clock_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTATION_CONFIG", str(tmp_path))
    before = datetime.now(UTC)
    session = nv2.Session.from_environment()
    session.close()
    session.close()
    assert before <= session.now <= datetime.now(UTC)
