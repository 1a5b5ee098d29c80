"""nv2's own settings: how old carried evidence may be, and how far the clock may be behind."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError
from nv2.home.own_settings import OwnSettings, load_own_settings
from nv2.home.paths import Paths
from nv2.pki.certificate_status import CLOCK_SKEW, STRICT, Allowance

ISSUER = "ab" * 32
DAY = timedelta(days=1)


def settings(tmp_path: Path, document: object) -> OwnSettings:
    paths = Paths.from_environment({"HOME": str(tmp_path), "NV2_CONFIG": str(tmp_path)})
    (tmp_path / "settings.json").write_text(json.dumps(document))
    return load_own_settings(paths)


def test_without_a_file_nothing_counts_after_its_next_update(tmp_path: Path) -> None:
    paths = Paths.from_environment({"HOME": str(tmp_path)})
    found = load_own_settings(paths)
    assert found.evidence_age.of(ISSUER) == STRICT and found.clock_behind == CLOCK_SKEW


def test_an_issuer_has_its_own_grace_and_the_rest_of_the_default(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        {
            "evidenceAge": {"grace": "36h", "maxAge": "30d", "issuers": {ISSUER: {"grace": "7d"}}},
            "clockBehind": "0s",
        },
    )
    assert found.evidence_age.of("cd" * 32) == Allowance(timedelta(hours=36), 30 * DAY)
    assert found.evidence_age.of(ISSUER) == Allowance(7 * DAY, 30 * DAY)
    assert found.clock_behind == timedelta()


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"evidenceAges": {}}, "evidenceAges"),
        ({"evidenceAge": {"Grace": "1d"}}, "Grace"),
        ({"evidenceAge": {"grace": "1"}}, "evidenceAge.grace"),
        ({"evidenceAge": {"grace": "-1d"}}, "evidenceAge.grace"),
        ({"evidenceAge": {"grace": 1}}, "evidenceAge.grace"),
        ({"evidenceAge": {"maxAge": "soon"}}, "evidenceAge.maxAge"),
        ({"evidenceAge": {"issuers": {"CN=Wabbit": {"grace": "1d"}}}}, "evidenceAge.issuers"),
        ({"evidenceAge": {"issuers": {ISSUER: {"age": "1d"}}}}, "age"),
        ({"clockBehind": "1w"}, "clockBehind"),
    ],
)
def test_what_is_misspelled_is_refused_at_its_place(tmp_path: Path, document: object, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, document)
    assert where in str(caught.value)
