"""The access file and the htpasswd file beside it: what is refused, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import ConfigurationError
from nv2.server.access.rights import CATALOG, Scope
from nv2.server.access.settings import read_settings
from tests.unit.server.access.conftest import RIGHTS

HASH = "$2y$05$" + "a" * 21 + "e" * 32


def _read(folder: Path, document: Any, htpasswd: str = "") -> Any:
    (folder / "access.json").write_text(document if isinstance(document, str) else json.dumps(document))
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
    return read_settings(folder / "access.json")


# fmt: off
WRONG = (
    # document                                                             place                            what is said
    ("{",                                                                  "",                              "not JSON"),
    ('{"tokens": true, "tokens": false}',                                  "",                              "duplicate key"),
    ({"token": True},                                                      "",                              "unknown field"),
    ({"tokens": "yes"},                                                    "tokens",                        "expected true or false"),
    ({"tokens": True},                                                     "tokens",                        "no htpasswd"),
    ({"tokenSeconds": 10},                                                 "tokenSeconds",                  "cannot be"),
    ({"tokenSeconds": 999999},                                             "tokenSeconds",                  "cannot be"),
    ({"maxBodyBytes": 0},                                                  "maxBodyBytes",                  "cannot be"),
    ({"address": "registry.example"},                                      "address",                       "not an address"),
    ({"address": 'https://a",x="'},                                        "address",                       "not an address"),
    ({"rights": {}},                                                       "rights",                        "expected an array"),
    ({"rights": [{"users": ["anonymous"], "actions": ["pull"]}]},          "rights[0].repositories",        "missing"),
    ({"rights": [{"users": ["eve"], "repositories": ["*"], "actions": []}]}, "rights[0].users[0]",          "no such user"),
    ({"rights": [{"users": [], "repositories": ["A"], "actions": []}]},    "rights[0].repositories[0]",     "not a repository"),
    ({"rights": [{"users": [], "repositories": ["a*"], "actions": []}]},   "rights[0].repositories[0]",     "not a repository"),
    ({"rights": [{"users": [], "repositories": ["a"], "actions": ["pul"]}]}, "rights[0].actions[0]",        "not pull, push or delete"),
    ({"rights": [{"users": [], "repositories": [], "actions": [], "who": 1}]}, "rights[0]",                 "unknown field"),
)

WRONG_USERS = (
    # htpasswd                                  line  what is said
    ("alice:secret\n",                          1,    "not a user and a bcrypt hash"),
    (f"a:{HASH}\nalice:$apr1$x$y\n",            2,    "not a user and a bcrypt hash"),
    ("alice:{SHA}abc\n",                        1,    "not a user and a bcrypt hash"),
    (f"a:{HASH}\n\n# b\na:{HASH}\n",            4,    "named before"),
    (f"a:{HASH.replace('05', '20')}\n",         1,    "the cost is 20"),
    (f"a:{HASH.replace('05', '02')}\n",         1,    "the cost is 02"),
    (f"alice:$2y$05${'a' * 53}\n",              1,    "not a user and a bcrypt hash"),
    (f"anonymous:{HASH}\n",                     1,    "nobody can have this name"),
    (f"*:{HASH}\n",                             1,    "nobody can have this name"),
    ("# nobody\n",                              0,    "nobody is named"),
)
# fmt: on


@pytest.mark.parametrize(("document", "place", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, document: Any, place: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as failed:
        _read(tmp_path, document)
    assert failed.value.at == str(tmp_path / "access.json") + (f": {place}" if place else "")


@pytest.mark.parametrize(("htpasswd", "line", "said"), WRONG_USERS)
def test_a_wrong_line_is_named_and_not_shown(tmp_path: Path, htpasswd: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as failed:
        _read(tmp_path, {"htpasswd": "htpasswd"}, htpasswd)
    assert failed.value.at == str(tmp_path / "htpasswd") + (f": line {line}" if line else "")
    assert "$2y$" not in str(failed.value)
    assert "secret" not in str(failed.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as failed:
        _read(tmp_path, {"htpasswd": "absent"})
    assert str(failed.value.at) == str(tmp_path / "absent")


PULL, PUSH = Scope("repository", "a/b", "pull"), Scope("repository", "a/b", "push")


def test_without_rights_users_may_do_everything_and_others_nothing(tmp_path: Path) -> None:
    rights = _read(tmp_path, {"htpasswd": "htpasswd"}, f"alice:{HASH}\n").rights
    assert all(rights.allow("alice", scope) for scope in (PULL, PUSH, CATALOG))
    assert not any(rights.allow("", scope) for scope in (PULL, PUSH, CATALOG))


def test_without_logins_everybody_may_do_what_rights_say(tmp_path: Path) -> None:
    assert _read(tmp_path, {}).rights.allow("", PUSH)
    rule = {"users": ["anonymous"], "repositories": ["a/*"], "actions": ["pull"]}
    rights = _read(tmp_path, {"rights": [rule]}).rights
    assert (rights.allow("", PULL), rights.allow("", PUSH), rights.allow("", CATALOG)) == (True, False, False)


def test_no_rules_at_all_allow_nothing(tmp_path: Path) -> None:
    assert not _read(tmp_path, {"rights": []}).rights.allow("", PULL)
    assert RIGHTS, "unlike those of the other tests"


def test_who_may_push_everywhere_may_not_list_what_there_is(tmp_path: Path) -> None:
    rule = {"users": ["anonymous"], "repositories": ["*"], "actions": ["push", "delete"]}
    rights = _read(tmp_path, {"rights": [rule]}).rights
    assert (rights.allow("", PUSH), rights.allow("", CATALOG)) == (True, False)
