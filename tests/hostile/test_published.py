"""Findings that were published about other implementations of the Notary Project, each by its public name.

Audits of notation: ADA-NOT-23 (2023), ADA-NOT-FUZZ (2022-23), Quarkslab (2025). What concerns timestamps stands in
`test_timestamps`, what concerns OCSP, CRLs and their cache in `test_evidence` and `test_revocation`; `test_rows` has all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from nv2.oci import media_types as mt
from nv2.revocation import NOTHING_TO_ASK
from nv2.trust.level import LEVELS, OVERRIDES, Action, Validation
from tests.hostile.machine import (
    BUILD,
    HOST,
    KIB,
    MIB,
    NOT_TRUSTED,
    UNDECIDED,
    USAGE,
    Attack,
    Machine,
    check,
    nothing,
    trusts,
)
from tests.hostile.test_files import linked
from tests.hostile.test_referrers import borrowed_chains, expired, listed, strangers
from tests.hostile.test_registry import (
    next_number,
    other_artifact,
    other_artifact_with_our_header,
    pages,
    quirks,
)
from tests.unit.cli.conftest import WABBIT
from tests.vectors.parties import Party, authority, party
from tests.world.ca import Pair, pem
from tests.world.network import answer
from tests.world.signed import SIGNED_AT

SUBJECT = "C=US,ST=WA,O=wabbit-networks.io"
BER = "x509.subject: CN=#30840fffffff," + SUBJECT
LONG_BER = "x509.subject: CN=#04" + "41" * 500_000 + "," + SUBJECT


def unfetchable(machine: Machine) -> None:
    """A good signature whose bytes the registry keeps back, so that an older artifact has to do."""
    machine.sign()
    machine.lie("/blobs/", lambda request: answer(request, 500))


def without_listing(machine: Machine) -> None:
    machine.sign()
    machine.lie("/referrers/", lambda request: answer(request, 500))


def many_expired(machine: Machine) -> None:
    expired(machine, 101)
    machine.list_entries()


def beyond_the_budget(machine: Machine) -> None:
    expired(machine, 3)
    machine.list_entries()


def old_release(machine: Machine) -> None:
    machine.sign(expiry=SIGNED_AT + timedelta(days=1))


def revocable(machine: Machine, **urls: list[str]) -> None:
    machine.sign(WABBIT.issue("revocable", key="EC-256", **urls))  # type: ignore[arg-type]


def a_short_intermediate(machine: Machine) -> None:
    root = Party(WABBIT.subject, WABBIT.key, WABBIT.chain)
    machine.sign(_below(authority("Short CA", root, kind="RSA-1024")))


def a_short_root(machine: Machine) -> None:
    pair = _below(authority("Short CA", kind="RSA-1024"))
    machine.store("ca/wabbit", short=pem([pair.root]))
    machine.sign(pair)


def a_huge_stranger(machine: Machine) -> None:
    machine.sign(_below(authority("Huge CA", kind="RSA-8676")))


def _below(issuer: Party) -> Pair:
    signer = party("build", issuer)
    return Pair(signer.chain, signer.key)


def identity(text: str) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.sign()
        machine.policy(trustedIdentities=[text])

    return strike


def endless_envelopes(machine: Machine) -> None:
    for number in range(40):
        machine.attach(b"%d" % number, blob={"size": 4 * MIB})
    machine.drip("/blobs/", mt.OCTET_STREAM)


def truncated_der(machine: Machine) -> None:
    machine.sign(BUILD._replace(chain=(BUILD.leaf[:40], BUILD.root)))


NAMED = ("http://crl.test/", "http://ocsp.test/")
"""Whom a certificate of a trusted authority names. Nobody is there."""

# fmt: off
ATTACKS = (
    # endless data
    Attack("ADA-NOT-23-1: list, of an answer without end", lambda m: m.drip("/referrers/", mt.IMAGE_INDEX), "longer than 4194304 bytes", words="list IMAGE", requests=4, read=5 * MIB, memory=24 * MIB),
    Attack("CVE-2023-33957: inspect, of envelopes without end", endless_envelopes, "answer is longer", words="inspect IMAGE", requests=90, read=170 * MIB, memory=96 * MIB),
    Attack("CVE-2023-33957: inspect, of a listing without end", lambda m: m.drip("/referrers/", mt.IMAGE_INDEX), "longer than 4194304 bytes", words="inspect IMAGE", requests=4, read=5 * MIB, memory=24 * MIB),
    Attack("CVE-2023-33958: verify, of signatures without end", pages(10, next_number), "not every referrer could be read", requests=1104),
    Attack("CVE-2023-33958: no signature may be looked at", nothing, "max-signatures", USAGE, "verify --max-signatures 0 IMAGE"),
    Attack("CVE-2023-33958: fewer than none", nothing, "max-signatures", USAGE, "verify --max-signatures=-1 IMAGE"),
    Attack("CVE-2023-33958: a hundred by default", many_expired, "the budget is used up, and 1 were not looked at", requests=250),
    Attack("CVE-2023-33958: as many as were asked for", beyond_the_budget, "the budget is used up, and 1 were not looked at", words="verify --max-signatures 2 IMAGE"),
    # another artifact
    Attack("CVE-2023-33959: verify, of another artifact", other_artifact, "the content has digest"),
    Attack("CVE-2023-33959: verify, of another artifact with our digest in the header", other_artifact_with_our_header, "the content has digest"),
    Attack("CVE-2023-33959: sign, of another artifact", other_artifact, "the content has digest", words="sign -k wabbit.key IMAGE"),
    Attack("CVE-2023-33959: inspect, of another artifact", other_artifact, "the content has digest", words="inspect IMAGE"),
    Attack("CVE-2023-33959: copy, of another artifact", other_artifact, "the content has digest", words=f"copy IMAGE {HOST}/copy:v1"),
    # freeze and rollback
    Attack("ADA, blocked fetch: an envelope that is kept back", unfetchable, "could not decide"),
    Attack("ADA, blocked fetch: a listing that is kept back", without_listing, "500"),
    Attack("ADA, policy: the file replaced by a link", linked("trustpolicy.json"), "is a symbolic link"),
    Attack("CVE-2024-23332: an old release whose signature has expired", old_release, "expiry failed", NOT_TRUSTED),
    # names and numbers
    Attack("CVE-2023-25656: an identity in BER of 250 MiB", identity(BER), "values in hexadecimal", memory=8 * MIB),
    Attack("CVE-2023-25656: an identity in a megabyte of BER", identity(LONG_BER), "values in hexadecimal", memory=24 * MIB),
    Attack("ADA-NOT-FUZZ-2: a certificate that is cut", truncated_der, "integrity failed", NOT_TRUSTED),
    Attack("CVE-2025-30204: a compact JWS of nothing but dots", lambda m: m.attach(b"." * MIB), "integrity failed", NOT_TRUSTED, read=2 * MIB, memory=16 * MIB),
    # keys of authorities
    Attack("ADA, short keys above the signer's: an intermediate of 1024 bits", a_short_intermediate, "at least 2048 bits", NOT_TRUSTED),
    Attack("ADA, short keys above the signer's: a trusted root of 1024 bits", a_short_root, "at least 2048 bits", NOT_TRUSTED),
    Attack("ADA, long computations: a stranger's authority of 8676 bits", a_huge_stranger, "more than 8192 bits", NOT_TRUSTED),
    # who cannot be asked
    Attack("Quarkslab: a certificate that names a CRL", lambda m: revocable(m, crl_urls=["http://crl.test/x"]), "revocation"),
    Attack("Quarkslab: a certificate that names an OCSP responder", lambda m: revocable(m, ocsp_urls=["http://ocsp.test/"]), "revocation"),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_published_attack_comes_to_nothing(machine: Machine, attack: Attack) -> None:
    check(machine, attack)
    asked = [request.url for request in machine.network.requests]
    assert all(HOST in url or url.startswith(NAMED) for url in asked)


def test_quarkslab_info_9_a_chain_without_revocation_information_passes_and_the_finding_says_why(
    machine: Machine,
) -> None:
    machine.sign()
    ended = machine.run("verify -o json IMAGE")
    assert ended.code == 0, ended.err
    assert NOTHING_TO_ASK in ended.out
    assert all(HOST in request.url for request in machine.network.requests)


@pytest.mark.parametrize("words", ["list IMAGE", "inspect IMAGE"])
def test_ada_not_23_1_a_listing_without_end_is_shown_with_a_warning(machine: Machine, words: str) -> None:
    quirks("link_for_ever")(machine)
    ended = machine.run(words)
    assert ended.code == 0
    assert "Warning: the list of referrers is incomplete, so there may be more\n" in ended.err
    assert len(machine.network.requests) <= 104


def test_ada_freeze_a_hundred_bogus_signatures_and_more_do_not_hide_the_good_one(machine: Machine) -> None:
    strangers(machine, 150)
    borrowed_chains(machine, 150)
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine)
    assert machine.network.read < MIB + 300 * 6 * KIB


def test_ada_not_23_3_the_levels_cannot_be_changed_by_whoever_imports_them() -> None:
    for table in (LEVELS, OVERRIDES, LEVELS["strict"].actions):
        assert not hasattr(table, "__setitem__")
    with pytest.raises(AttributeError):
        LEVELS["strict"].name = "lax"  # type: ignore[misc]
    assert LEVELS["strict"].action(Validation.INTEGRITY) is Action.ENFORCE


@pytest.mark.parametrize("said", ["same account or root", "plain HTTP", "Whoever can write the files"])
def test_ada_not_23_4_the_documents_say_what_nothing_helps_against(said: str) -> None:
    assert said in (Path(__file__).parents[2] / "docs" / "threat-model.md").read_text(encoding="utf-8")


def test_ada_not_23_4_nobody_is_asked_without_tls_unless_it_is_asked_for(machine: Machine) -> None:
    machine.sign()
    trusts(machine)
    assert all(request.url.startswith("https://") for request in machine.network.requests)


def test_ada_not_23_5_a_credential_helper_does_not_see_the_password_of_the_registry(
    machine: Machine, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    helper = programs / "docker-credential-spy"
    helper.write_text(f'#!/bin/sh\nenv > {tmp_path}/seen\necho \'{{"Username":"a","Secret":"b"}}\'\n')
    helper.chmod(0o700)
    machine.monkeypatch.setenv("PATH", str(programs), prepend=":")
    machine.monkeypatch.setenv("NOTATION_PASSWORD", "")
    machine.monkeypatch.setenv("NOTATION_USERNAME", "")
    (machine.config / "config.json").write_text(json.dumps({"credsStore": "spy"}))
    machine.lie(
        "/manifests/", lambda request: answer(request, 401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
    )
    assert machine.run("verify IMAGE").code == UNDECIDED
    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "NOTATION_PASSWORD" not in seen
    assert "NOTATION_USERNAME" not in seen


def test_cve_2024_23332_a_permissive_policy_says_what_it_let_pass(machine: Machine) -> None:
    old_release(machine)
    machine.policy(signatureVerification={"level": "permissive"})
    ended = machine.run("verify IMAGE")
    assert ended.code == 0
    assert 'Warning: expiry was set to "log" and failed' in ended.err


def test_cve_2024_23332_a_new_policy_is_strict(machine: Machine) -> None:
    (machine.config / "trustpolicy.json").unlink()
    words = "policy init --name x --registry-scope * --trust-store ca:wabbit --trusted-identity *"
    assert machine.run(words).code == 0
    (statement,) = json.loads((machine.config / "trustpolicy.oci.json").read_text())["trustPolicies"]
    assert statement["signatureVerification"] == {"level": "strict"}
