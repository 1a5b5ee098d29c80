from __future__ import annotations

import json
from typing import Any

import pytest

from nv2.errors import PolicyError, UsageError
from nv2.trust.blob_policy import BlobPolicy, parse_blob_policy
from nv2.trust.level import LEVELS
from nv2.trust.policy import parse_policy

Json = dict[str, Any]
SKIP: Json = {"signatureVerification": {"level": "skip"}, "trustStores": None, "trustedIdentities": None}


def statement(name: str = "releases", **changes: Any) -> Json:
    """A good statement, with fields changed; None leaves one out."""
    found = {
        "name": name,
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def document(*statements: Json) -> bytes:
    return json.dumps({"version": "1.0", "trustPolicies": list(statements)}).encode()


def parsed(*statements: Json) -> BlobPolicy:
    return parse_blob_policy(document(*statements), "")


def refused(*statements: Json) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_blob_policy(document(*statements), "trustpolicy.blob.json")
    return caught.value


def test_a_statement_is_chosen_by_its_exact_name() -> None:
    policy = parsed(statement("a"), statement("b", signatureVerification={"level": "audit"}))
    assert policy.statement_for("b").level == LEVELS["audit"]
    assert policy.statement_for("b").scopes == ()


def test_without_a_name_the_global_statement_applies() -> None:
    policy = parsed(statement("a"), statement("b", globalPolicy=True))
    assert policy.statement_for(None).name == "b"


def test_without_a_global_statement_a_name_is_needed() -> None:
    with pytest.raises(PolicyError, match="no global blob trust policy") as caught:
        parsed(statement("a"), statement("b", globalPolicy=False)).statement_for(None)
    assert caught.value.hint == "choose a statement: 'a', 'b'"


@pytest.mark.parametrize("name", ["A", "a ", "b"])
def test_a_name_that_is_nearly_right_chooses_nothing(name: str) -> None:
    with pytest.raises(PolicyError, match=f'no applicable blob trust policy with name "{name}"'):
        parsed(statement("a", globalPolicy=True)).statement_for(name)


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_does_not_choose_the_global_statement(name: str) -> None:
    with pytest.raises(UsageError, match="policy name cannot be empty"):
        parsed(statement("a", globalPolicy=True)).statement_for(name)


def test_two_global_statements_are_refused() -> None:
    error = refused(statement("a", globalPolicy=True), statement("b", globalPolicy=True))
    assert error.at == "trustpolicy.blob.json: trustPolicies[1].globalPolicy"


def test_the_global_statement_cannot_skip() -> None:
    assert "cannot have level 'skip'" in refused(statement(globalPolicy=True, **SKIP)).message


def test_a_named_statement_may_skip() -> None:
    assert parsed(statement("drafts", **SKIP)).statement_for("drafts").level.skips


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"registryScopes": ["*"]}, "trustPolicies[0]"),
        ({"globalpolicy": True}, "trustPolicies[0]"),
        ({"globalPolicy": "true"}, "trustPolicies[0].globalPolicy"),
        ({"name": ""}, "trustPolicies[0].name"),
        ({"trustStores": []}, "trustPolicies[0].trustStores"),
        ({"trustedIdentities": None}, "trustPolicies[0].trustedIdentities"),
        ({"signatureVerification": {"level": "lax"}}, "trustPolicies[0].signatureVerification.level"),
    ],
)
def test_what_an_oci_policy_may_not_say_a_blob_policy_may_not_either(changes: Json, at: str) -> None:
    assert refused(statement(**changes)).at == f"trustpolicy.blob.json: {at}"


def test_two_statements_of_one_name_are_refused() -> None:
    assert refused(statement("a"), statement("a")).at == "trustpolicy.blob.json: trustPolicies[1].name"


def test_a_blob_policy_is_no_oci_policy() -> None:
    with pytest.raises(PolicyError):
        parse_policy(document(statement()), "")
