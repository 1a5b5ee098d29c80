"""Where implementations of the Notary Project were seen to be weak, and nv2 must not be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nv2.envelope.envelope import VERIFICATION_PLUGIN, ExtendedAttribute
from nv2.oci import media_types as mt
from tests.hostile.machine import (
    NOT_TRUSTED,
    USAGE,
    Attack,
    Machine,
    check,
    nothing,
    trusts,
)
from tests.hostile.test_files import good, inserted, replaced, statement
from tests.hostile.test_referrers import borrowed_chains, expired, listed, missing
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import ANY_EKU, CODE_SIGNING
from tests.world.signed import SIGNED_AT


def extended(*attributes: ExtendedAttribute, **how: str) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.sign(extended=list(attributes), **how)

    return strike


def only_unfetchable(machine: Machine) -> None:
    missing(machine, 1)
    machine.list_entries()


def issued(**oddities: object) -> Callable[[Machine], None]:
    return lambda machine: _signed_below(machine, **oddities)


def _signed_below(machine: Machine, **oddities: object) -> None:
    machine.sign(WABBIT.issue("odd", key="EC-256", **oddities))


def under(**oddities: object) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.sign(WABBIT.intermediate("Odd", **oddities).issue("below", key="EC-256"))

    return strike


def audited(strike: Callable[[Machine], None]) -> Callable[[Machine], None]:
    """At the level that asks least of all."""

    def both(machine: Machine) -> None:
        machine.policy(signatureVerification={"level": "audit"})
        strike(machine)

    return both


def moved_tag(machine: Machine) -> None:
    machine.repository.tags["v1"] = "sha256:" + "0" * 64


MUST = ExtendedAttribute("com.example.must", "x", True)
NUMBERED = ExtendedAttribute(99, "x", True)
PLUGIN = ExtendedAttribute(VERIFICATION_PLUGIN, "../../../bin/true", True)
ABSENT = ExtendedAttribute(VERIFICATION_PLUGIN, "com.example.absent", True)
BLANK = ExtendedAttribute(VERIFICATION_PLUGIN, "   ", True)

NAMED = "http://127.0.0.1:1/"
"""An address in the certificate of a row. What is done about it is in `test_revocation`."""

# fmt: off
ATTACKS = (
    # plugins that the signer names
    Attack("a plugin whose name is a path", extended(PLUGIN), "integrity", NOT_TRUSTED),
    Attack("a plugin whose name is a path, at level audit", audited(extended(PLUGIN)), "integrity", NOT_TRUSTED),
    Attack("a plugin that is not here", extended(ABSENT), "plugin"),
    Attack("a plugin without a name", extended(BLANK), "integrity", NOT_TRUSTED),
    Attack("a plugin, and a critical attribute besides", extended(ABSENT, MUST), "plugin"),
    # critical attributes
    Attack("a critical attribute, and no plugin", extended(MUST), "com.example.must", NOT_TRUSTED),
    Attack("a critical attribute in COSE", extended(MUST, media_type=mt.COSE), "com.example.must", NOT_TRUSTED),
    Attack("a critical attribute in COSE with a number", extended(NUMBERED, media_type=mt.COSE), "99", NOT_TRUSTED),
    Attack("a critical attribute, at level audit", audited(extended(MUST)), "com.example.must", NOT_TRUSTED),
    # one signature that ends everything
    Attack("a signature that cannot be fetched, and no other", only_unfetchable, "could not decide"),
    Attack("no statement for the artifact", statement(registryScopes=["registry.test/other"]), "has no applicable oci trust policy statement"),
    Attack("no verification for everything", good(lambda m: m.policy('{"version":"1.0","trustPolicies":[{"name":"x","registryScopes":["*"],"signatureVerification":{"level":"skip"}}]}')), "level 'skip' cannot be used with the scope '*'"),
    Attack("a blob policy in place of a policy", good(lambda m: m.policy('{"version":"1.0","trustPolicies":[{"name":"x","globalPolicy":true,"signatureVerification":{"level":"skip"}}]}')), "globalPolicy"),
    # addresses in certificates
    Attack("a responder whose address is none", issued(ocsp_urls=["http://[::1"]), "revocation"),
    Attack("a responder on this machine", issued(ocsp_urls=["http://127.0.0.1:1/"]), "revocation"),
    Attack("a CRL in a file", issued(crl_urls=["file:///etc/passwd"]), "revocation"),
    # JSON that two readers read differently
    Attack("JSON: a policy with a key in another case", inserted('"registryScopes"', '"RegistryScopes": ["*"], '), "unknown field"),
    Attack("JSON: a policy whose last key would win", inserted('"signatureVerification"', '"signatureVerification": {"level": "audit"}, '), "duplicate key"),
    Attack("JSON: settings with something behind them", replaced("config.json", b"{} {}"), "config.json"),
    Attack("JSON: keys with a number that is none", good(lambda m: (m.config / "signingkeys.json").write_text('{"keys":[],"x":NaN}')), "signingkeys.json", words="sign -k ci IMAGE"),
    # names of files
    Attack("names: a certificate to delete above its store", nothing, "cannot be used", USAGE, "cert delete -y --type ca --store wabbit ../../../trustpolicy.json"),
    Attack("names: a certificate to show above its store", nothing, "cannot be used", USAGE, "cert show --type ca --store wabbit ../../../trustpolicy.json"),
    # tags
    Attack("a tag of something that is not there", moved_tag, "no such", words="verify TAG"),
    # certificates that the specification refuses
    Attack("any extended key usage", issued(eku=(ANY_EKU,)), "integrity failed", NOT_TRUSTED),
    Attack("any extended key usage beside the right one", issued(eku=(CODE_SIGNING, ANY_EKU)), "integrity failed", NOT_TRUSTED),
    Attack("an authority whose basic constraints are not critical", under(basic_constraints_critical=False), "integrity failed", NOT_TRUSTED),
    Attack("an authority without basic constraints", under(basic_constraints=None), "integrity failed", NOT_TRUSTED),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_weak_spot_of_others_is_none_here(
    machine: Machine, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    check(machine, attack)
    asked = {request.url for request in machine.network.requests}
    assert all("registry.test" in url or url.startswith(NAMED) for url in asked), "asked nobody else"


def test_one_signature_that_cannot_be_fetched_does_not_end_the_search(machine: Machine) -> None:
    missing(machine, 1)
    listed(machine, machine.sign())
    for entries in (machine.entries, machine.entries[::-1]):
        machine.listing(entries)
        trusts(machine)
        trusts(machine, "verify --max-signatures 1 IMAGE")


def test_as_many_signatures_as_may_be_looked_at_are_no_error(machine: Machine) -> None:
    expired(machine, 2)
    machine.list_entries()
    ended = machine.run("verify --max-signatures 2 IMAGE")
    assert ended.code == NOT_TRUSTED
    assert "budget" not in ended.err


def test_signatures_that_cannot_be_read_do_not_count(machine: Machine) -> None:
    borrowed_chains(machine, 5)
    listed(machine, machine.sign(expiry=SIGNED_AT.replace(month=2)))
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine, "verify --max-signatures 2 IMAGE")


def test_a_tag_is_a_warning_and_what_is_judged_is_named_by_digest(machine: Machine) -> None:
    machine.sign()
    ended = machine.run("verify TAG")
    assert ended.code == 0
    assert "Always verify the artifact using digest" in ended.err
    assert machine.image in ended.out
