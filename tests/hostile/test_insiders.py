"""People with a login to the embedded registry who want more than they may: each asks for what is another's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from nv2.oci.digest import digest_of
from nv2.oci.media_types import IMAGE_INDEX
from nv2.server.front import Files, Front
from nv2.server.messages import layered
from nv2.server.registry import routes
from nv2.server.registry.storage import Storage
from tests.unit.server.calls import Heard, ask

RIGHTS = (
    ("alice", "private", ("pull", "push", "delete")),
    ("alice", "shared", ("pull", "push", "delete")),
    ("mallory", "shared", ("pull", "push")),
    ("mallory", "mine", ("pull", "push", "delete")),
    ("reader", "shared", ("pull",)),
    ("anonymous", "open", ("pull", "push")),
    ("alice", "open", ("pull", "push")),
)
USERS = ("alice", "mallory", "reader")

SECRET = b"a secret layer"
HELD = digest_of(SECRET)
INDEX = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": []}).encode()
TAGGED = digest_of(INDEX)


class Team:
    """A registry with logins, and a blob and a tag in alice's private repository."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(folder / "r")
        self._access = folder / "access.json"
        self.write(USERS)
        self._front = Front(Files(access=self._access), self._warn)
        self._respond = layered(
            lambda call: routes.respond(self.storage, call, self._warn), self._front.layers
        )
        place = f"/v2/private/blobs/uploads/?digest={HELD}"
        assert self("alice", "POST", place, SECRET).status == 201
        named = self("alice", "PUT", "/v2/private/manifests/v1", INDEX, content_type=IMAGE_INDEX)
        assert named.status == 201

    def write(self, users: tuple[str, ...]) -> None:
        """The access file and the users of its htpasswd file; a password is the name backwards."""
        hashes = (
            f"{name}:{bcrypt.hashpw(name[::-1].encode(), bcrypt.gensalt(4)).decode()}\n" for name in users
        )
        self._access.with_name("htpasswd").write_text("".join(hashes))
        rights = [
            {"users": [user], "repositories": [name], "actions": list(actions)}
            for user, name, actions in RIGHTS
            if user in (*users, "anonymous")
        ]
        document = {"htpasswd": "htpasswd", "tokens": True, "rights": rights}
        self._access.write_text(json.dumps(document))

    def reload(self, users: tuple[str, ...]) -> None:
        """As after SIGHUP."""
        self.write(users)
        self._front.reload()

    def __call__(self, user: str, method: str, target: str, body: bytes = b"", **headers: str) -> Heard:
        pair = base64.b64encode(f"{user}:{user[::-1]}".encode()).decode()
        if user:
            headers.setdefault("authorization", f"Basic {pair}")
        return ask(self._respond, method, target, body, host="registry.test", **headers)

    def token(self, user: str, scope: str) -> str:
        """What to show in place of a password."""
        return f"Bearer {self(user, 'GET', f'/token?scope={scope}').json['token']}"

    def _warn(self, line: str) -> None:
        raise AssertionError(line)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path)
    yield team
    team.storage.close()


def begun(team: Team, repository: str = "shared") -> str:
    """An upload of alice's with half of a secret in it; where it goes on."""
    place = team("alice", "POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
    assert team("alice", "PATCH", place, SECRET[:7]).status == 202
    return place


@pytest.mark.parametrize("thief", ["mallory", "reader", ""])
@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", "", b""),
        ("PATCH", "", b"poison"),
        ("PUT", f"?digest={digest_of(SECRET[:7])}", b""),
        ("PUT", f"?digest={HELD}", SECRET[7:]),
        ("PUT", f"?digest={digest_of(b'wrong')}", b""),
        ("DELETE", "", b""),
    ],
)
def test_an_upload_is_nobody_elses_though_its_address_was_learned(
    team: Team, thief: str, method: str, query: str, body: bytes
) -> None:
    place = begun(team)
    assert team(thief, method, place + query, body).status in (401, 403, 404)
    elsewhere = place.replace("/shared/", "/mine/")
    assert team(thief, method, elsewhere + query, body).status in (401, 403, 404)
    assert team("alice", "PUT", f"{place}?digest={HELD}", SECRET[7:]).status == 201


def test_an_upload_is_still_its_owners_after_a_restart(team: Team, tmp_path: Path) -> None:
    place = begun(team)
    identifier = place.rpartition("/")[2]
    team.storage.close()
    team.storage = Storage(tmp_path / "r")
    assert team("mallory", "DELETE", place).status == 404
    assert team.storage.uploads.find("shared", identifier, "alice").size == 7
    assert team("alice", "PUT", f"{place}?digest={HELD}", SECRET[7:]).status == 201


def test_an_upload_begun_without_a_login_is_ended_with_one_and_not_the_other_way_round(team: Team) -> None:
    place = team("", "POST", "/v2/open/blobs/uploads/").headers["Location"]
    assert team("", "PATCH", place, SECRET[:7]).status == 202
    assert team("alice", "PUT", f"{place}?digest={HELD}", SECRET[7:]).status == 201
    place = begun(team, "open")
    assert team("", "PUT", f"{place}?digest={HELD}", SECRET[7:]).status == 404
    shown = team.token("alice", "repository:open:pull,push")
    assert team("", "PUT", f"{place}?digest={HELD}", SECRET[7:], authorization=shown).status == 201


def test_an_upload_from_before_there_were_logins_is_ended_with_one(team: Team) -> None:
    upload = team.storage.uploads.begin("shared")
    place = f"/v2/shared/blobs/uploads/{upload.identifier}"
    assert team("alice", "PUT", f"{place}?digest={HELD}", SECRET).status == 201


ASKED = (
    ("GET", "/v2/private/tags/list"),
    ("GET", "/v2/private/manifests/v1"),
    ("HEAD", f"/v2/private/manifests/{TAGGED}"),
    ("GET", f"/v2/private/blobs/{HELD}"),
    ("HEAD", f"/v2/private/blobs/{HELD}"),
    ("GET", f"/v2/private/referrers/{TAGGED}"),
    ("GET", "/v2/private/_nv2/tags/history"),
    ("GET", "/v2/_catalog"),
    ("POST", "/v2/private/blobs/uploads/"),
    ("PUT", "/v2/private/manifests/v1"),
    ("DELETE", "/v2/private/manifests/v1"),
    ("DELETE", f"/v2/private/blobs/{HELD}"),
)


@pytest.mark.parametrize(("method", "target"), ASKED)
def test_what_one_may_not_see_looks_like_what_is_not_there(team: Team, method: str, target: str) -> None:
    for user in ("mallory", "reader", ""):
        heard = team(user, method, target)
        absent = team(user, method, target.replace("/private/", "/nothing/"))
        assert heard.status == absent.status == (403 if user else 401)
        assert heard.data.replace(b"private", b"nothing") == absent.data


@pytest.mark.parametrize(
    "target",
    [
        "/v2/mine/../private/tags/list",
        "/v2/mine//private/tags/list",
        "/v2/private/tags/list/",
        "/v2//private/tags/list",
        "/v2/./private/tags/list",
        "/V2/private/tags/list",
        "/v2/Private/tags/list",
        "/v2/private\0/tags/list",
        "/v2/private\n/tags/list",
        "/v2/mine\\..\\private/tags/list",
        "/v2/mine/tags/list/../../../private/tags/list",
        "/v2/mine/blobs/uploads/../../../private/tags/list",
        "/v2/ｐrivate/tags/list",
        "/v2/private;mine/tags/list",
    ],
)
def test_no_path_leads_around_the_rights(team: Team, target: str) -> None:
    heard = team("mallory", "GET", target)
    assert heard.status in (400, 403, 404)
    assert b"v1" not in heard.data


@pytest.mark.parametrize(
    "query",
    [
        f"mount={HELD}&from=private",
        f"mount={HELD}",
        f"mount={HELD}&from=",
        f"mount={HELD}&from=&from=private",
        f"mount={HELD}&from=mine&from=private",
        f"mount={HELD}&from=PRIVATE",
        f"from=private&mount={HELD}&from=mine",
        f"mount={HELD}&mount={HELD}&from=private",
    ],
)
def test_nothing_is_mounted_out_of_a_repository_that_one_may_not_read(team: Team, query: str) -> None:
    heard = team("mallory", "POST", f"/v2/mine/blobs/uploads/?{query}")
    assert heard.status != 201
    assert team("mallory", "GET", f"/v2/mine/blobs/{HELD}").status == 404


def test_no_manifest_brings_a_blob_of_others_along(team: Team) -> None:
    layer = {"mediaType": "a/b", "digest": HELD, "size": len(SECRET)}
    body = json.dumps({"schemaVersion": 2, "config": layer, "layers": [layer]}).encode()
    kind = "application/vnd.oci.image.manifest.v1+json"
    assert team("mallory", "PUT", "/v2/mine/manifests/v1", body, content_type=kind).status == 404
    assert team("mallory", "GET", f"/v2/mine/blobs/{HELD}").status == 404


TOKENS: tuple[tuple[str, str, str], ...] = (
    ("repository:mine:pull,push", "GET", "/v2/private/tags/list"),
    ("repository:private:pull", "GET", "/v2/private/tags/list"),
    ("repository:*:pull", "GET", "/v2/private/tags/list"),
    ("registry:catalog:*", "GET", "/v2/_catalog"),
    ("repository:mine:pull", "POST", "/v2/mine/blobs/uploads/"),
    ("repository:mine:pull,push", "DELETE", "/v2/mine/manifests/v1"),
    ("repository:mine/../private:pull", "GET", "/v2/private/tags/list"),
)


@pytest.mark.parametrize(("scope", "method", "target"), TOKENS)
def test_a_token_is_good_for_what_it_was_granted_for_and_nothing_else(
    team: Team, scope: str, method: str, target: str
) -> None:
    shown = team.token("mallory", scope)
    assert team("", method, target, authorization=shown).status in (401, 403)


def test_who_was_struck_out_of_the_users_is_out_with_token_and_password(team: Team) -> None:
    shown = team.token("mallory", "repository:mine:pull")
    target = "/v2/mine/manifests/x"

    def with_token_and_password() -> tuple[int, int]:
        return team("", "GET", target, authorization=shown).status, team("mallory", "GET", target).status

    assert with_token_and_password() == (404, 404)
    team.reload(("alice", "reader"))
    assert with_token_and_password() == (401, 401)
    team.reload(USERS)
    assert with_token_and_password() == (401, 404), "the same name has another hash now"


def test_the_journal_names_who_it_was_and_nobody_else(team: Team) -> None:
    shown = {"content_type": IMAGE_INDEX, "x_forwarded_for": "192.0.2.1", "x_remote_user": "alice"}
    assert team("mallory", "PUT", "/v2/shared/manifests/v1?user=alice", INDEX, **shown).status == 201
    (line,) = team("alice", "GET", "/v2/shared/_nv2/tags/history").json["history"]
    assert (line["user"], line["tag"]) == ("mallory", "v1")


@pytest.mark.parametrize("tag", ["a\nb", "v1\0", "../v1", "a b", "\x1b[31m", "v1\u202e", "-x", "x" * 129])
def test_no_name_of_a_tag_gets_into_the_journal_that_is_none(team: Team, tag: str) -> None:
    for target in (f"/v2/mine/manifests/{tag}", f"/v2/mine/manifests/{TAGGED}?tag={tag}"):
        assert team("mallory", "PUT", target, INDEX, content_type=IMAGE_INDEX).status in (400, 404)
    assert team("mallory", "GET", "/v2/mine/_nv2/tags/history").status == 404
