"""Carried evidence, wired: where it is installed, and what a machine does with it afterwards."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.bundling.evidence import Evidence
from nv2.errors import EnvironmentFailure
from nv2.home.crl_cache import CrlCache
from nv2.notary.evidence import Fate, age_rule, checker, install
from nv2.notary.registry_access import RegistryAccess
from nv2.notary.session import Session
from nv2.trust.verdict import Outcome
from tests.world.ca import pem
from tests.world.carried import (
    ASKED,
    ASKED_CHAIN,
    CHAIN,
    CRL_URL,
    FOREIGN,
    ROOT,
    SERIAL,
    STRANGER,
    WABBIT,
    by_crl,
    by_ocsp,
)
from tests.world.crl import NEXT_UPDATE, NOW, THIS_UPDATE, Revoked, crl
from tests.world.publishing import Publishing, ocsp_answer

DAY = timedelta(days=1)
GOOD = crl(WABBIT, number=1)
NEWS = crl(WABBIT, [Revoked(SERIAL, 1)], number=2, this_update=NOW)


@pytest.fixture(autouse=True)
def nobody_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RegistryAccess, "transport_to_strangers", lambda _: Publishing({}))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    environ = {"HOME": str(tmp_path), "NV2_CONFIG": str(tmp_path / "own")}
    with Session.from_environment(environ=environ) as made:
        made.now = NOW
        store = made.paths.trust_stores / "ca" / "wabbit"
        store.mkdir(parents=True)
        (store / "root.pem").write_bytes(pem([ROOT.der]))
        yield made


def settings(session: Session, **document: Any) -> None:
    session.paths.own_settings.parent.mkdir(exist_ok=True)
    session.paths.own_settings.write_text(json.dumps(document))


def by(evidence: Evidence, session: Session) -> Outcome:
    return checker(evidence, session).check(CHAIN, session.now, None).outcome


def files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}


def test_a_crl_lies_where_notation_looks_in_notations_form(session: Session) -> None:
    assert install(by_crl(GOOD), session).count(Fate.INSTALLED) == 1
    file = session.paths.crl_cache / hashlib.sha256(CRL_URL.encode()).hexdigest()
    assert b64decode(json.loads(file.read_text())["baseCRL"]) == GOOD
    assert file.stat().st_mode & 0o077 == 0


def test_judging_by_a_bundle_writes_nothing(session: Session, tmp_path: Path) -> None:
    before = files(tmp_path)
    assert by(by_crl(GOOD), session) is Outcome.PASSED
    assert files(tmp_path) == before


def test_what_a_newer_bundle_brought_counts_when_an_older_one_is_judged_again(session: Session) -> None:
    assert by(by_crl(GOOD), session) is Outcome.PASSED
    install(by_crl(NEWS), session)
    assert by(by_crl(GOOD), session) is Outcome.FAILED
    assert install(by_crl(GOOD), session).count(Fate.INSTALLED) == 0
    assert by(Evidence(NOW), session) is Outcome.FAILED


def test_a_stranger_installs_nothing_and_does_not_move_the_clock(session: Session) -> None:
    forged = by_crl(crl(STRANGER, number=9, this_update=NOW), pair=FOREIGN)
    found = install(forged, session)
    assert found.count(Fate.REFUSED) == 1 and "refused" in found.lines[0]
    assert not files(session.paths.crl_cache) and not session.paths.clock_floor.exists()


def test_the_clock_must_not_be_behind_what_was_installed_before(session: Session) -> None:
    install(by_crl(crl(WABBIT, number=3, this_update=NOW)), session)
    session.now = NOW - timedelta(minutes=6)
    found = checker(Evidence(THIS_UPDATE), session).check(CHAIN, session.now, None)
    assert found.outcome is Outcome.UNKNOWN and "clock of this machine is behind" in found.reason


def test_a_bundle_that_is_younger_than_the_clock_is_neither_judged_nor_installed(session: Session) -> None:
    ahead = by_crl(GOOD, now=NOW + timedelta(minutes=6))
    for use in (checker, install):
        with pytest.raises(EnvironmentFailure, match="clock of this machine is behind"):
            use(ahead, session)
    settings(session, clockBehind="10m")
    assert by(ahead, session) is Outcome.PASSED


def test_a_bundle_that_says_that_it_is_older_than_its_own_evidence_does_not_turn_the_clock_back(
    session: Session,
) -> None:
    session.now = NOW - timedelta(minutes=6)
    evidence = by_crl(crl(WABBIT, number=1, this_update=NOW), now=session.now)
    found = checker(evidence, session).check(CHAIN, session.now, None)
    assert found.outcome is Outcome.UNKNOWN and "clock of this machine is behind" in found.reason


def test_what_this_machine_fetched_itself_is_known_when_a_bundle_is_judged(session: Session) -> None:
    CrlCache(session.paths.crl_cache).store(CRL_URL, NEWS, None)
    assert by(by_crl(GOOD), session) is Outcome.FAILED


def test_what_this_machine_fetched_itself_has_no_grace(session: Session) -> None:
    settings(session, evidenceAge={"grace": "7d"})
    CrlCache(session.paths.crl_cache).store(CRL_URL, GOOD, None)
    session.now = NEXT_UPDATE + DAY
    assert by(Evidence(session.now), session) is Outcome.UNKNOWN
    assert by(by_crl(GOOD, now=session.now), session) is Outcome.PASSED


def test_what_was_carried_here_before_has_its_grace_when_the_next_bundle_is_judged(session: Session) -> None:
    settings(session, evidenceAge={"grace": "7d"})
    install(by_crl(GOOD), session)
    session.now = NEXT_UPDATE + DAY
    assert by(Evidence(session.now), session) is Outcome.PASSED


def test_what_authorities_signed_shortly_after_the_clock_here_is_kept_where_that_is_allowed(
    session: Session,
) -> None:
    settings(session, clockBehind="3d")
    made = NOW + 2 * DAY
    evidence = by_crl(crl(WABBIT, number=1, this_update=made, next_update=made + DAY), now=made)
    assert install(evidence, session).count(Fate.INSTALLED) == 1


def test_after_an_import_this_machine_uses_it_by_grace_without_a_network(session: Session) -> None:
    install(by_crl(GOOD), session)
    session.now = NEXT_UPDATE + DAY
    assert session.revocation.check(CHAIN, session.now, None).outcome is Outcome.UNKNOWN
    settings(session, evidenceAge={"issuers": {ROOT.thumbprint: {"grace": "7d"}}})
    with Session(session.paths, session.settings, {}) as later:
        finding = later.revocation.check(CHAIN, session.now, None)
    assert finding.outcome is Outcome.PASSED and "within the grace of 7d" in finding.reason


def test_an_answer_is_installed_for_nv2_with_a_word_about_notation(session: Session) -> None:
    found = install(by_ocsp(ocsp_answer(WABBIT, ASKED.leaf, NOW)), session)
    assert found.count(Fate.INSTALLED) == 1 and "notation cannot verify" in found.warnings[0]
    assert session.revocation.check(ASKED_CHAIN, NOW, None).outcome is Outcome.PASSED


def test_what_cannot_be_kept_is_a_problem(session: Session) -> None:
    session.paths.cache.parent.mkdir(parents=True)
    session.paths.cache.write_text("a file where a directory belongs")
    assert install(by_crl(GOOD), session).problems


def test_the_rule_is_stated_in_one_line_and_as_the_settings_name_it(session: Session) -> None:
    assert "until its nextUpdate; the clock may be 5m behind" in age_rule(session).text
    settings(
        session, evidenceAge={"grace": "1d", "maxAge": "30d", "issuers": {ROOT.thumbprint: {"grace": "7d"}}}
    )
    rule = age_rule(session)
    assert "until its nextUpdate and a grace of 1d, at most 30d after it was made" in rule.text
    assert f"of issuer {ROOT.thumbprint} until its nextUpdate and a grace of 7d" in rule.text
    assert rule.to_json() == {
        "evidenceAge": {
            "grace": "1d",
            "maxAge": "30d",
            "issuers": {ROOT.thumbprint: {"grace": "7d", "maxAge": "30d"}},
        },
        "clockBehind": "5m",
    }
