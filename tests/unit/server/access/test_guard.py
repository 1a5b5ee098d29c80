"""Who is let through to the registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from nv2.server.access.guard import Guard
from nv2.server.access.guesses import FREE, PAUSE, Guesses
from nv2.server.access.settings import Settings
from nv2.server.bodies import EMPTY
from nv2.server.messages import Answer, Call
from tests.unit.server.access.conftest import RIGHTS, basic, echo
from tests.unit.server.calls import ask

Respond = Callable[[Call], Answer]
Build = Callable[..., Respond]

D = "sha256:" + "0" * 64

# fmt: off
RIGHTS_IN_REQUESTS = (
    # user     method    target                                   status
    ("alice",  "GET",    "/v2/team/a/manifests/v1",               200),
    ("alice",  "DELETE", "/v2/team/a/manifests/v1",               200),
    ("alice",  "GET",    "/v2/_catalog",                          200),
    ("ci",     "HEAD",   "/v2/team/a/manifests/v1",               200),
    ("ci",     "PUT",    "/v2/team/a/manifests/v1",               200),
    ("ci",     "PATCH",  "/v2/team/a/b/blobs/uploads/x",          200),
    ("ci",     "DELETE", "/v2/team/a/b/blobs/uploads/x",          200),
    ("ci",     "DELETE", "/v2/team/a/manifests/v1",               403),
    ("ci",     "DELETE", f"/v2/team/a/blobs/{D}",                 403),
    ("ci",     "DELETE", "/v2/team/blobs/uploads/x/manifests/v1", 403),
    ("ci",     "DELETE", f"/v2/team/blobs/uploads/x/blobs/{D}",   403),
    ("ci",     "PUT",    "/v2/team/manifests/v1",                 403),
    ("ci",     "PUT",    "/v2/teams/a/manifests/v1",              403),
    ("ci",     "GET",    "/v2/other/tags/list",                   403),
    ("ci",     "GET",    f"/v2/other/referrers/{D}",              403),
    ("ci",     "GET",    "/v2/public/tags/list",                  200),
    ("ci",     "POST",   "/v2/public/blobs/uploads/",             403),
    ("ci",     "GET",    "/v2/_catalog",                          403),
    ("ci",     "GET",    "/v2/",                                  200),
    ("ci",     "GET",    "/metrics",                              200),
    ("bob",    "GET",    "/v2/team/a/manifests/v1",               403),
    ("bob",    "PUT",    "/v2/team/../public/manifests/v1",       403),
    ("",       "GET",    "/v2/",                                  401),
    ("",       "GET",    "/v2/_catalog",                          401),
    ("",       "GET",    "/metrics",                              401),
    ("",       "GET",    "/anything",                             401),
    ("",       "GET",    "/v2/open/manifests/v1",                 200),
    ("",       "PUT",    "/v2/open/manifests/v1",                 401),
    ("",       "GET",    "/v2/public/manifests/v1",               401),
    ("",       "GET",    "/healthz",                              200),
)
# fmt: on


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize(("user", "method", "target", "status"), RIGHTS_IN_REQUESTS)
def test_a_request_needs_its_right(
    guarded: Build, tokens: bool, user: str, method: str, target: str, status: int
) -> None:
    shown = {"authorization": basic(user)} if user else {}
    heard = ask(guarded(tokens=tokens), method, target, host="localhost:5000", **shown)
    assert heard.status == status
    if status == 200:
        assert heard.data.decode() == ("" if target == "/healthz" else user)
    else:
        assert heard.code == ("UNAUTHORIZED" if status == 401 else "DENIED")
        assert ("WWW-Authenticate" in heard.headers) == (status == 401)


@pytest.mark.parametrize(
    "shown",
    [
        basic("alice", "builder"),
        basic("mallory", "wonderland"),
        basic("alice", "x" * 100),
        "Basic",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Negotiate abc",
    ],
)
@pytest.mark.parametrize("tokens", [False, True])
def test_what_is_shown_and_wrong_is_refused_even_where_nothing_is_needed(
    guarded: Build, tokens: bool, shown: str
) -> None:
    heard = ask(guarded(tokens=tokens), "GET", "/v2/open/manifests/v1", host="a", authorization=shown)
    assert (heard.status, heard.code) == (401, "UNAUTHORIZED")


def test_an_error_does_not_say_whether_the_user_exists(guarded: Build) -> None:
    respond = guarded()
    one = ask(respond, "GET", "/v2/", authorization=basic("alice", "no"))
    other = ask(respond, "GET", "/v2/", authorization=basic("mallory", "no"))
    assert one == other


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (f"mount={D}&from=team/b", True),
        (f"mount={D}&from=public", True),
        (f"mount={D}&from=secret", False),
        (f"mount={D}", False),
        (f"mount={D}&from=../x", False),
    ],
)
def test_nothing_is_mounted_out_of_what_may_not_be_pulled(guarded: Build, query: str, left: bool) -> None:
    heard = ask(guarded(), "POST", f"/v2/team/a/blobs/uploads/?{query}", authorization=basic("ci"))
    assert heard.status == 200
    assert ("mount" in heard.headers["query"]) == left


def _challenge(respond: Respond, method: str, target: str, **headers: str) -> dict[str, str]:
    heard = ask(respond, method, target, **{"host": "localhost:5000", **headers})
    assert heard.status == 401
    kind, _, rest = heard.headers["WWW-Authenticate"].partition(" ")
    assert kind == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', rest))


def _token(respond: Respond, query: str, **headers: str) -> str:
    heard = ask(respond, "GET", f"/token?service=nv2&{query}", **headers)
    assert heard.status == 200
    assert heard.json["token"] == heard.json["access_token"]
    return "Bearer " + str(heard.json["token"])


def test_a_challenge_says_where_and_for_what_a_token_is_to_be_had(guarded: Build) -> None:
    respond = guarded(tokens=True)
    told = _challenge(respond, "PUT", "/v2/team/a/manifests/v1")
    assert told == {
        "realm": "https://localhost:5000/token",
        "service": "nv2",
        "scope": "repository:team/a:pull,push",
    }
    assert "scope" not in _challenge(respond, "GET", "/v2/")
    assert _challenge(respond, "GET", "/v2/_catalog")["scope"] == "registry:catalog:*"
    fixed = guarded(tokens=True, address="https://registry.example")
    assert _challenge(fixed, "GET", "/v2/", host="evil")["realm"] == "https://registry.example/token"


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x", 'a",realm="https://evil', "中", "../a"])
def test_no_challenge_repeats_a_repository_that_is_none(guarded: Build, name: str) -> None:
    told = _challenge(guarded(tokens=True), "GET", f"/v2/{name}/manifests/v1")
    assert told == {"realm": "https://localhost:5000/token", "service": "nv2"}


@pytest.mark.parametrize("host", ["", 'a",realm="b', "a b", "a/b", "a\x00"])
def test_no_challenge_repeats_a_host_that_is_none(guarded: Build, host: str) -> None:
    heard = ask(guarded(tokens=True), "GET", "/v2/", host=host)
    assert (heard.status, "WWW-Authenticate" in heard.headers) == (400, False)


def test_a_token_lets_its_owner_do_what_it_was_asked_for(guarded: Build) -> None:
    respond = guarded(tokens=True)
    token = _token(respond, "scope=repository:team/a:pull,push", authorization=basic("ci"))
    assert ask(respond, "PUT", "/v2/team/a/manifests/v1", host="a", authorization=token).data == b"ci"
    assert ask(respond, "GET", "/v2/", host="a", authorization=token).status == 200
    told = _challenge(respond, "GET", "/v2/team/b/tags/list", authorization=token)
    assert told["error"] == "insufficient_scope"


def test_a_token_grants_no_more_than_the_rights(guarded: Build) -> None:
    respond = guarded(tokens=True)
    token = _token(
        respond, "scope=repository:secret:pull,push&scope=registry:catalog:*", authorization=basic("ci")
    )
    for target in ("/v2/secret/tags/list", "/v2/_catalog"):
        assert ask(respond, "GET", target, host="a", authorization=token).status == 403


def test_somebody_unknown_gets_a_token_for_what_is_open(guarded: Build) -> None:
    respond = guarded(tokens=True)
    token = _token(respond, "scope=repository:open:pull&scope=repository:public:pull")
    assert ask(respond, "GET", "/v2/open/tags/list", host="a", authorization=token).status == 200
    assert ask(respond, "GET", "/v2/", host="a", authorization=token).status == 200
    assert (
        _challenge(respond, "GET", "/v2/public/tags/list", authorization=token)["error"]
        == "insufficient_scope"
    )
    assert ask(respond, "GET", "/metrics", host="a", authorization=token).status == 401


def test_who_asks_for_a_token_with_a_wrong_password_gets_none(guarded: Build) -> None:
    heard = ask(guarded(tokens=True), "GET", "/token", authorization=basic("alice", "no"))
    assert (heard.status, heard.headers["WWW-Authenticate"][:5]) == (401, "Basic")


@pytest.mark.parametrize("query", ["scope=x", "scope=repository:a", "scope=" + "repository:a:pull%20" * 65])
def test_scopes_that_cannot_be_read_or_are_too_many_are_refused(guarded: Build, query: str) -> None:
    respond = guarded(tokens=True)
    assert ask(respond, "GET", f"/token?{query}", authorization=basic("alice")).status == 400


def test_a_token_is_asked_for_with_get(guarded: Build) -> None:
    assert ask(guarded(tokens=True), "POST", "/token", b"grant_type=password").status == 405


def test_where_tokens_are_not_used_none_are_read_or_given(guarded: Build) -> None:
    token = _token(guarded(tokens=True), "scope=repository:team/a:pull", authorization=basic("ci"))
    respond = guarded()
    assert ask(respond, "GET", "/v2/team/a/tags/list", authorization=token).status == 401
    assert ask(respond, "GET", "/token", authorization=basic("ci")).data == b"ci", "just a path like others"


def test_rights_and_users_that_were_taken_away_count_at_once_for_tokens_too(
    settings: Callable[..., Settings], htpasswd: str, tmp_path: Path
) -> None:
    guard = Guard(settings(tokens=True))

    def respond(call: Call) -> Answer:
        return guard(call, echo)

    token = _token(respond, "scope=repository:team/a:pull", authorization=basic("ci"))

    def status() -> int:
        return ask(respond, "GET", "/v2/team/a/tags/list", host="a", authorization=token).status

    assert status() == 200
    guard.settings = settings(rights=[RIGHTS[0]], tokens=True)
    assert status() == 403
    without = "".join(f"{line}\n" for line in htpasswd.splitlines() if not line.startswith("ci:"))
    (tmp_path / "others").write_text(without)
    guard.settings = settings(htpasswd="others", rights=[RIGHTS[2]], tokens=True)
    assert status() == 401


def test_who_has_a_new_password_needs_a_new_token_and_others_do_not(
    settings: Callable[..., Settings], htpasswd: str, tmp_path: Path
) -> None:
    guard = Guard(settings(tokens=True))

    def respond(call: Call) -> Answer:
        return guard(call, echo)

    scope = "scope=repository:public:pull"
    held = {user: _token(respond, scope, authorization=basic(user)) for user in ("ci", "bob")}
    held["nobody"] = _token(respond, "scope=repository:open:pull")
    lines = dict(line.split(":") for line in htpasswd.splitlines())
    changed = {**lines, "ci": bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()}
    (tmp_path / "changed").write_text("".join(f"{user}:{hashed}\n" for user, hashed in changed.items()))
    guard.settings = settings(htpasswd="changed", tokens=True)
    for user, path, status in (("ci", "public", 401), ("bob", "public", 200), ("nobody", "open", 200)):
        heard = ask(respond, "GET", f"/v2/{path}/tags/list", host="a", authorization=held[user])
        assert heard.status == status, user


@pytest.mark.parametrize("user", ["ci", ""])
def test_a_token_is_not_had_for_a_token_else_it_would_last_for_ever(guarded: Build, user: str) -> None:
    respond = guarded(tokens=True)
    shown = {"authorization": basic(user)} if user else {}
    token = _token(respond, "scope=repository:open:pull", **shown)
    heard = ask(respond, "GET", "/token?scope=repository:open:pull", host="a", authorization=token)
    assert (heard.status, "token" in heard.json) == (401, False)


@pytest.mark.parametrize("path", ["/v2/", "/token", "/v2/open/manifests/v1"])
def test_an_address_that_guesses_is_told_when_to_come_back_and_others_are_let_in(
    settings: Callable[..., Settings], path: str
) -> None:
    found_settings = settings(tokens=True)
    assert found_settings.passwords
    found_settings.passwords._guesses = Guesses(lambda: 0.0)
    guard = Guard(found_settings, tls=True)

    def login(password: str, peer: str) -> Answer:
        shown = {"authorization": basic("alice", password), "host": "localhost:5000"}
        return guard(Call("GET", path, EMPTY, shown, {}, peer), echo)

    found = [login(f"wrong-{number}", "203.0.113.9") for number in range(FREE + 1)]
    assert [answer.status for answer in found] == [401] * FREE + [429]
    assert int(found[-1].headers["Retry-After"]) == PAUSE
    assert login("wonderland", "203.0.113.9").status == 429, "else it would say which guess was right"
    assert login("wonderland", "203.0.113.10").status == 200
    assert login("wonderland", "203.0.113.9").status == 200
