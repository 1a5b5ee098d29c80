"""What a 401 or 403 means, and the hint that mends it."""

from __future__ import annotations

import pytest

from nv2.transport.interface import Request
from nv2.transport.refusals import WRONG, explain
from nv2.transport.urls import origin_of
from tests.world.network import answer

URL = "https://registry.test/v2/app/manifests/v1"
LOGIN = "nv2 login registry.test"
MAY = f"{LOGIN}, as a user who may do that"
BEARER = 'Bearer realm="https://auth.test/token",error="%s"'


@pytest.mark.parametrize(
    ("sent", "status", "challenge", "how", "hint"),
    [
        (None, 401, "Basic realm=x", "(401)", LOGIN),
        (None, 403, "", "(403)", f"the registry says why, if at all; if it minds who asks: {LOGIN}"),
        ("Basic eA==", 401, "Basic realm=x", "(401)", WRONG),
        ("Basic eA==", 403, "", "(403)", MAY),
        ("Bearer t", 401, BEARER % "insufficient_scope", "(401)", MAY),
    ],
)
def test_the_hint_depends_on_what_was_sent(
    sent: str | None, status: int, challenge: str, how: str, hint: str
) -> None:
    headers = {"Authorization": sent} if sent else {}
    response = answer(Request("GET", URL, headers), status, headers={"www-authenticate": challenge})
    assert explain(response, origin_of(URL), "registry.test") == (how, hint)


def test_a_token_that_does_not_count_is_no_matter_of_the_password() -> None:
    headers = {"www-authenticate": BEARER % "invalid_token"}
    response = answer(Request("GET", URL, {"Authorization": "Bearer t"}), 401, headers=headers)
    found = explain(response, origin_of(URL), "registry.test")
    assert found.how == "(401, invalid token)"
    assert "clocks" in found.hint and "nv2 login" not in found.hint


def test_who_was_sent_elsewhere_hears_where_and_that_no_credentials_went_along() -> None:
    there = Request("GET", "https://mirror.test:5000/v2/app/manifests/v1")
    found = explain(answer(there, 401), origin_of(URL), "registry.test")
    assert found.how == "(401) by mirror.test:5000, where registry.test sends it"
    assert found.hint.startswith("credentials are sent to registry.test alone; name mirror.test:5000")
