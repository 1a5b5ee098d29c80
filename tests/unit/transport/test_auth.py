import io

import pytest

from nv2.errors import BadAnswer, Refused
from nv2.transport.auth import Authenticated
from nv2.transport.credentials import Credential
from nv2.transport.interface import Request, Response, send
from nv2.transport.refusals import WRONG
from nv2.transport.tokens import Token, join_scopes, split_scopes
from tests.world.logins import BasicLogin, BearerLogin, basic
from tests.world.network import Answer, answer, answer_json
from tests.world.registry import FunctionTransport, Registry

ALICE = Credential("alice", "wonderland")
PULL = ("repository:app:pull",)


class World:
    """A registry with a login, its token server, and a client with `credential`."""

    def __init__(self, login: BasicLogin | BearerLogin, credential: Credential | None) -> None:
        self.registry = Registry(login=login)
        self.registry.repository("app").add(b"{}", "application/json", "v1")
        hosts: dict[str, Answer] = {"registry.test": self.registry}
        if isinstance(login, BearerLogin):
            hosts["auth.test"] = login
        self.wire = FunctionTransport(hosts)
        self.asked: list[str] = []
        self.client = Authenticated(self.wire, lambda host: self.asked.append(host) or credential)  # type: ignore[func-returns-value]

    def get(
        self, path: str = "/v2/app/manifests/v1", scopes: tuple[str, ...] = PULL, method: str = "GET"
    ) -> int:
        return send(self.client, Request(method, f"http://registry.test{path}", scopes=scopes)).status

    def sent(self) -> list[str]:
        return [r.headers.get("Authorization", "").partition(" ")[0] for r in self.wire.requests]


def test_a_public_registry_is_never_told_who_we_are() -> None:
    world = World(BasicLogin(), ALICE)
    world.registry.login = None
    assert world.get() == 200
    assert world.sent() == [""] and world.asked == []


def test_basic_is_answered_and_then_sent_at_once() -> None:
    world = World(BasicLogin(), ALICE)
    assert [world.get(), world.get()] == [200, 200]
    assert world.sent() == ["", "Basic", "Basic"] and world.asked == ["registry.test"]


def test_wrong_basic_credentials_are_sent_once_per_request() -> None:
    world = World(BasicLogin(), Credential("alice", "looking glass"))
    assert [world.get(), world.get()] == [401, 401]
    assert world.sent() == ["", "Basic", "Basic"]


def test_without_credentials_a_401_is_the_answer() -> None:
    world = World(BasicLogin(), None)
    assert world.get() == 401 and world.sent() == [""]


def test_a_token_is_fetched_once_and_used_again() -> None:
    world = World(BearerLogin(), ALICE)
    assert [world.get(), world.get()] == [200, 200]
    assert world.sent() == ["", "Basic", "Bearer", "Bearer"]


@pytest.mark.parametrize(
    ("realm", "led"), [("http://registry.test/token", False), ("http://auth.test/token", True)]
)
def test_a_token_server_elsewhere_is_where_the_registry_leads(realm: str, led: bool) -> None:
    asked: list[Request] = []

    def answers(request: Request) -> Response:
        asked.append(request)
        if "/token" in request.url:
            return answer_json(request, 200, {"token": "t"})
        status = 200 if "Authorization" in request.headers else 401
        return answer(request, status, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})

    client = Authenticated(FunctionTransport(answers), lambda _: ALICE)
    assert send(client, Request("GET", "http://registry.test/v2/", scopes=PULL)).status == 200
    assert [(r.url.partition("?")[0], r.led) for r in asked][1] == (realm, led)


def test_a_public_repository_behind_bearer_needs_no_credentials() -> None:
    assert World(BearerLogin(public=True), None).get() == 200


def test_a_token_for_more_serves_a_request_for_less() -> None:
    world = World(BearerLogin(), ALICE)
    world.get(scopes=("repository:app:pull,push",))
    assert world.get() == 200 and world.sent() == ["", "Basic", "Bearer", "Bearer"]


def test_another_repository_needs_another_token() -> None:
    login = BearerLogin()
    world = World(login, ALICE)
    world.registry.repository("other").add(b"{}", "application/json", "v1")
    world.get()
    assert world.get("/v2/other/manifests/v1", ("repository:other:pull",)) == 200
    assert len(login.requests) == 2


def test_hinted_and_challenged_scopes_are_asked_together() -> None:
    login = BearerLogin()
    World(login, ALICE).get(scopes=("repository:app:pull,push", "repository:base:pull"))
    (asked,) = login.requests
    assert "scope=repository:app:pull,push&scope=repository:base:pull" in asked.url
    assert "service=registry.test" in asked.url


def test_an_expired_token_is_replaced_once() -> None:
    login = BearerLogin()
    world = World(login, ALICE)
    world.get()
    login.expire_all()
    assert world.get() == 200
    assert world.sent() == ["", "Basic", "Bearer", "Bearer", "Basic", "Bearer"]


def test_a_registry_that_refuses_every_token_is_asked_twice_not_for_ever() -> None:
    login = BearerLogin()
    world = World(login, ALICE)
    world.registry.fail(
        "GET", "/v2/app/", status=401, headers={"WWW-Authenticate": f'Bearer realm="{login.realm}"'}, times=9
    )
    assert world.get() == 401 and len(login.requests) == 1


def test_an_identity_token_is_exchanged_by_post() -> None:
    login = BearerLogin(identity_token="refresh-me", field="access_token")
    world = World(login, Credential(identity_token="refresh-me"))
    assert world.get() == 200
    (asked,) = login.requests
    assert asked.method == "POST" and "refresh-me" not in asked.url and not asked.headers.get("Authorization")


def test_a_registry_token_is_sent_as_it_is() -> None:
    login = BearerLogin()
    login.tokens["given"] = {"repository:app:pull"}
    world = World(login, Credential(registry_token="given"))
    assert world.get() == 200 and login.requests == []


def test_refused_credentials_say_how_to_log_in() -> None:
    with pytest.raises(Refused, match="refused the credentials") as e:
        World(BearerLogin(), Credential("alice", "wrong")).get()
    assert e.value.hint == WRONG
    with pytest.raises(Refused, match="wants credentials") as e:
        World(BearerLogin(), None).get()
    assert e.value.hint == "nv2 login registry.test"


@pytest.mark.parametrize(
    "realm", ["http://127.0.0.1/token", "http://169.254.169.254/", "http://10.0.0.1/", "x"]
)
def test_credentials_are_never_taken_to_a_forbidden_realm(realm: str) -> None:
    world = World(BearerLogin(realm=realm), ALICE)
    with pytest.raises(BadAnswer):
        world.get()
    assert world.sent() == [""]


def test_a_challenge_from_another_origin_is_not_answered() -> None:
    def redirected(request: Request) -> Response:
        elsewhere = request._replace(url="http://elsewhere.test/")
        return answer(elsewhere, 401, b"", {"WWW-Authenticate": "Basic"})

    wire = FunctionTransport(redirected)
    assert send(Authenticated(wire, lambda _: ALICE), Request("GET", "http://r.test/")).status == 401
    assert [r.headers for r in wire.requests] == [{}]


def test_an_anonymous_request_passes_untouched_and_unanswered() -> None:
    world = World(BasicLogin(), ALICE)
    world.get()
    request = Request("GET", "http://registry.test/v2/app/manifests/v1", anonymous=True)
    assert send(world.client, request).status == 401
    assert world.sent()[-1] == ""


def test_credentials_of_one_port_are_not_sent_to_another() -> None:
    asked: list[str] = []
    wire = FunctionTransport(
        lambda r: (
            answer(r, 401, b"", {"WWW-Authenticate": "Basic"})
            if "Authorization" not in r.headers
            else answer(r, 200)
        )
    )
    client = Authenticated(wire, lambda host: asked.append(host) or (ALICE if host == "r.test:1" else None))  # type: ignore[func-returns-value]
    assert send(client, Request("GET", "http://r.test:1/")).status == 200
    assert send(client, Request("GET", "http://r.test:2/")).status == 401
    assert asked == ["r.test:1", "r.test:2"]


@pytest.mark.parametrize(
    "document",
    [{}, {"token": ""}, {"token": "a b"}, {"token": "a\r\nX: y"}, {"token": 7}, [], {"token": "x" * 200_000}],
)
def test_an_unusable_token_is_refused(document: object) -> None:
    wire = FunctionTransport(
        lambda r: (
            answer_json(r, 200, document)
            if "auth.test" in r.url
            else answer(r, 401, b"", {"WWW-Authenticate": 'Bearer realm="http://auth.test/"'})
        )
    )
    with pytest.raises(BadAnswer):
        send(Authenticated(wire, lambda _: None), Request("GET", "http://r.test/"))


def test_a_body_is_opened_again_after_the_login() -> None:
    opened: list[io.BytesIO] = []

    def body() -> io.BytesIO:
        opened.append(io.BytesIO(b"x"))
        return opened[-1]

    wire = FunctionTransport(
        lambda r: answer(r, 201 if "Authorization" in r.headers else 401, b"", {"WWW-Authenticate": "Basic"})
    )
    request = Request("PUT", "http://r.test/", body=body, body_size=1)
    assert send(Authenticated(wire, lambda _: ALICE), request).status == 201


def test_scopes_are_split_and_joined_with_pushing_first() -> None:
    scopes = split_scopes(["repository:a:pull", "repository:b:pull,push repository:a:delete", "aws"])
    assert join_scopes(scopes) == ["repository:b:pull,push", "repository:a:delete,pull", "aws"]


def test_nothing_that_holds_a_secret_shows_it() -> None:
    shown = f"{ALICE!r} {Token('t0ken', frozenset(), 0.0)!r} {Request('GET', 'http://r/', {'Authorization': 'x1'})!r}"
    assert not any(secret in shown for secret in ("wonderland", "t0ken", "x1"))
    assert basic("alice", "wonderland") == ALICE.basic
