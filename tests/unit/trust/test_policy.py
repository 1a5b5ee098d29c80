from __future__ import annotations

import json
from typing import Any

import pytest

from nv2.errors import PolicyError
from nv2.trust.anchors import StoreName, StoreType
from nv2.trust.identity import ANYONE
from nv2.trust.level import LEVELS, Action, Validation
from nv2.trust.policy import TimestampWhen, TrustPolicy, parse_policy

Json = dict[str, Any]


def statement(**changes: Any) -> Json:
    """A good statement, with fields changed; None leaves one out."""
    found = {
        "name": "images",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def policy(*statements: Json, **changes: Any) -> bytes:
    return json.dumps({"version": "1.0", "trustPolicies": list(statements), **changes}).encode()


def parsed(*statements: Json) -> TrustPolicy:
    return parse_policy(policy(*statements), "")


def refused(data: bytes, at: str = "") -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_policy(data, at)
    return caught.value


def test_a_statement_says_what_it_says() -> None:
    (found,) = parsed(
        statement(
            signatureVerification={
                "level": "permissive",
                "override": {"expiry": "enforce"},
                "verifyTimestamp": "afterCertExpiry",
            },
            trustStores=["ca:wabbit", "tsa:clock"],
        )
    ).statements
    assert (found.name, found.scopes, found.identities) == ("images", ("*",), (ANYONE,))
    assert found.level.name == "custom"
    assert found.level.action(Validation.EXPIRY) is Action.ENFORCE
    assert found.timestamp is TimestampWhen.AFTER_CERT_EXPIRY
    assert found.stores == (StoreName(StoreType.CA, "wabbit"), StoreName(StoreType.TSA, "clock"))


def test_timestamps_are_always_verified_unless_the_policy_says_otherwise() -> None:
    assert parsed(statement()).statements[0].timestamp is TimestampWhen.ALWAYS


@pytest.mark.parametrize("empty", [None, []])
def test_level_skip_needs_neither_stores_nor_identities(empty: list[str] | None) -> None:
    (found,) = parsed(
        statement(
            registryScopes=["a.io/b"],
            signatureVerification={"level": "skip"},
            trustStores=empty,
            trustedIdentities=empty,
        )
    ).statements
    assert found.level is LEVELS["skip"]
    assert (found.stores, found.identities) == ((), ())


def test_lists_that_go_writes_as_null_are_empty() -> None:
    skipping = statement(registryScopes=["a.io/b"], signatureVerification={"level": "skip"})
    skipping |= {"trustStores": None, "trustedIdentities": None}
    assert parsed(skipping).statements[0].stores == ()


def test_an_exact_scope_beats_the_global_one() -> None:
    found = parsed(
        statement(name="all"), statement(name="one", registryScopes=["registry.acme.io:5000/net/monitor"])
    )
    assert found.statement_for("registry.acme.io:5000/net/monitor").name == "one"
    assert found.statement_for("registry.acme.io:5000/net").name == "all"
    assert found.statement_for("registry.acme.io:5000/net/monitor/x").name == "all"


@pytest.mark.parametrize(
    ("scope", "other"),
    [
        ("registry.acme.io/net", "Registry.ACME.io/net"),
        ("registry.acme.io/net", "registry.acme.io:443/net"),
        ("registry.acme.io:443/net", "registry.acme.io/net"),
        ("registry.acme.io:5000/net", "registry.acme.io:05000/net"),
        ("[2001:DB8::1]/net", "[2001:db8::1]/net"),
        ("docker.io/acme/net", "index.docker.io/acme/net"),
        ("docker.io/acme/net", "registry-1.docker.io/acme/net"),
        ("docker.io/library/alpine", "docker.io/alpine"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("docker.io/library/alpine", "index.docker.io/alpine"),
    ],
)
def test_another_spelling_of_a_scope_does_not_lead_to_the_global_statement(scope: str, other: str) -> None:
    found = parsed(statement(name="all"), statement(name="one", registryScopes=[scope]))
    with pytest.raises(PolicyError, match="in another spelling") as caught:
        found.statement_for(other)
    assert caught.value.hint == f"write {scope}"
    assert found.statement_for(scope).name == "one"


def test_other_registries_and_ports_are_no_other_spelling() -> None:
    found = parsed(statement(name="all"), statement(name="one", registryScopes=["acme.io:5000/net"]))
    for other in ("acme.io/net", "acme.io:50000/net", "acme.io.net:5000/net", "acme.io:5000/nets"):
        assert found.statement_for(other).name == "all"


def test_only_docker_hub_understands_a_library() -> None:
    found = parsed(statement(name="all"), statement(name="one", registryScopes=["acme.io/library/alpine"]))
    assert found.statement_for("acme.io/alpine").name == "all"


def test_where_no_statement_applies_nothing_is_trusted() -> None:
    found = parsed(statement(registryScopes=["a.io/b"]))
    with pytest.raises(
        PolicyError, match=r'artifact "a\.io/c" has no applicable oci trust policy statement'
    ) as caught:
        found.statement_for("a.io/c")
    assert caught.value.hint is not None
    assert "a.io/b" in caught.value.hint


SKIP = {"level": "skip"}
TWO = "trustPolicies[1]"

# fmt: off
BAD_STATEMENTS = {
    "no name": (statement(name=None), "trustPolicies[0].name"),
    "empty name": (statement(name=""), "trustPolicies[0].name"),
    "no scopes": (statement(registryScopes=None), "trustPolicies[0].registryScopes"),
    "empty scopes": (statement(registryScopes=[]), "trustPolicies[0].registryScopes"),
    "scopes no list": (statement(registryScopes="*"), "trustPolicies[0].registryScopes"),
    "global among others": (statement(registryScopes=["a.io/b", "*"]), "trustPolicies[0].registryScopes[1]"),
    "scope with wildcard": (statement(registryScopes=["a.io/*"]), "trustPolicies[0].registryScopes[0]"),
    "scope with tag": (statement(registryScopes=["a.io/b:v1"]), "trustPolicies[0].registryScopes[0]"),
    "scope with digest": (statement(registryScopes=["a.io/b@sha256:" + "0" * 64]), "trustPolicies[0].registryScopes[0]"),
    "scope with scheme": (statement(registryScopes=["https://a.io/b"]), "trustPolicies[0].registryScopes[0]"),
    "scope without registry": (statement(registryScopes=["busybox"]), "trustPolicies[0].registryScopes[0]"),
    "scope without repository": (statement(registryScopes=["a.io/"]), "trustPolicies[0].registryScopes[0]"),
    "scope with capitals": (statement(registryScopes=["a.io/B"]), "trustPolicies[0].registryScopes[0]"),
    "scope twice": (statement(registryScopes=["a.io/b", "a.io/b"]), "trustPolicies[0].registryScopes[1]"),
    "scope no string": (statement(registryScopes=["a.io/b", 1]), "trustPolicies[0].registryScopes[1]"),
    "skip of everything": (statement(signatureVerification=SKIP, trustStores=None, trustedIdentities=None), "trustPolicies[0]"),
    "skip with stores": (statement(registryScopes=["a.io/b"], signatureVerification=SKIP, trustedIdentities=None), "trustPolicies[0].trustStores"),
    "skip with identities": (statement(registryScopes=["a.io/b"], signatureVerification=SKIP, trustStores=None), "trustPolicies[0].trustedIdentities"),
    "no stores": (statement(trustStores=None), "trustPolicies[0].trustStores"),
    "empty stores": (statement(trustStores=[]), "trustPolicies[0].trustStores"),
    "no identities": (statement(trustedIdentities=None), "trustPolicies[0].trustedIdentities"),
    "empty identities": (statement(trustedIdentities=[]), "trustPolicies[0].trustedIdentities"),
    "bad store": (statement(trustStores=["ca:a", "wabbit"]), "trustPolicies[0].trustStores[1]"),
    "bad identity": (statement(trustedIdentities=["x509.subject: C=US"]), "trustPolicies[0].trustedIdentities[0]"),
    "anyone and someone": (statement(trustedIdentities=["*", "a:b"]), "trustPolicies[0].trustedIdentities[0]"),
    "no verification": (statement(signatureVerification=None), "trustPolicies[0].signatureVerification"),
    "no level": (statement(signatureVerification={}), "trustPolicies[0].signatureVerification.level"),
    "unknown level": (statement(signatureVerification={"level": "lax"}), "trustPolicies[0].signatureVerification.level"),
    "bad override": (statement(signatureVerification={"level": "strict", "override": {"expiry": "skip"}}), "trustPolicies[0].signatureVerification.override.expiry"),
    "override no map": (statement(signatureVerification={"level": "strict", "override": []}), "trustPolicies[0].signatureVerification.override"),
    "unknown verifyTimestamp": (statement(signatureVerification={"level": "strict", "verifyTimestamp": "never"}), "trustPolicies[0].signatureVerification.verifyTimestamp"),
    "unknown field": (statement(trustStore=["ca:a"]), "trustPolicies[0]"),
    "blob field": (statement(globalPolicy=True), "trustPolicies[0]"),
    "unknown verification field": (statement(signatureVerification={"level": "strict", "verifyTimestmp": "always"}), "trustPolicies[0].signatureVerification"),
    "null name": ({**statement(), "name": None}, "trustPolicies[0].name"),
}
# fmt: on


@pytest.mark.parametrize("case", BAD_STATEMENTS)
def test_a_bad_statement_is_refused_at_its_place(case: str) -> None:
    bad, at = BAD_STATEMENTS[case]
    assert refused(policy(bad)).at == at


def test_a_misspelt_field_is_named_with_the_one_that_was_meant() -> None:
    misspelt = statement(signatureVerification={"level": "strict", "verifyTimestmp": "always"})
    found = refused(policy(misspelt))
    assert found.message == "unknown field 'verifyTimestmp'"
    assert found.hint == "did you mean 'verifyTimestamp'?"


def test_two_statements_cannot_have_one_name() -> None:
    assert refused(policy(statement(), statement(registryScopes=["a.io/b"]))).at == f"{TWO}.name"


@pytest.mark.parametrize("scope", ["*", "a.io/b"])
def test_two_statements_cannot_have_one_scope(scope: str) -> None:
    found = refused(
        policy(statement(registryScopes=[scope]), statement(name="other", registryScopes=[scope]))
    )
    assert found.at == f"{TWO}.registryScopes[0]"
    assert "trustPolicies[0].registryScopes[0]" in found.message


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (policy(), "trustPolicies"),
        (policy(statement(), version="1.1"), "version"),
        (policy(statement(), version=1.0), "version"),
        (b'{"trustPolicies": []}', "version"),
        (b'{"version": "1.0"}', "trustPolicies"),
        (policy(statement(), extra=1), None),
        (b"[]", None),
        (b"", None),
        (b"{", None),
        (policy(statement()) + b"{}", None),
        (b"\xef\xbb\xbf" + policy(statement()), None),
        (b'{"version": "1.0", "version": "1.0", "trustPolicies": []}', None),
    ],
)
def test_a_bad_document_is_refused(data: bytes, at: str | None) -> None:
    assert refused(data).at == (at or "")


def test_a_key_that_stands_twice_in_a_statement_is_refused() -> None:
    twice = policy(statement()).replace(b'"name": "images"', b'"name": "images", "name": "other"')
    assert "duplicate key 'name'" in refused(twice).message


def test_keys_are_matched_exactly() -> None:
    assert refused(policy(statement()).replace(b'"level"', b'"Level"')).message == "unknown field 'Level'"


def test_the_place_follows_the_name_of_the_file() -> None:
    found = refused(policy(statement(trustStores=["x"])), "/home/u/trustpolicy.json")
    assert str(found).startswith("/home/u/trustpolicy.json: trustPolicies[0].trustStores[0]: ")
