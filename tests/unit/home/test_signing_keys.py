from __future__ import annotations

import json
import stat
import threading

import pytest

from nv2.errors import SigningKeyError, UsageError
from nv2.home.lock import host_lock
from nv2.home.paths import Paths
from nv2.home.signing_keys import SigningKey, SigningKeys, change_signing_keys, load_signing_keys

EXACT = b"""{
    "default": "bar",
    "keys": [
        {
            "name": "foo",
            "keyPath": "/c/localkeys/foo.key",
            "certPath": "/c/localkeys/foo.crt"
        },
        {
            "name": "bar",
            "id": "\\u003cid\\u003e \xc3\xa4",
            "pluginName": "azure-kv",
            "pluginConfig": {
                "a": "1",
                "b": "2"
            }
        }
    ]
}
"""

FOO = SigningKey("foo", "/c/localkeys/foo.key", "/c/localkeys/foo.crt")
BAR = SigningKey("bar", id="<id> ä", plugin="azure-kv", plugin_config={"b": "2", "a": "1"})


def write(paths: Paths, data: bytes) -> None:
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.signing_keys.write_bytes(data)


def test_the_list_is_written_in_notations_exact_form() -> None:
    assert SigningKeys("bar", (FOO, BAR)).encode() == EXACT


def test_an_empty_list_is_written_as_notation_writes_it() -> None:
    assert SigningKeys().encode() == b'{\n    "keys": []\n}\n'


def test_what_was_written_is_read_back(paths: Paths) -> None:
    write(paths, EXACT)
    keys = load_signing_keys(paths)
    assert keys.encode() == EXACT
    assert keys.get("foo") == FOO
    assert keys.get_default().plugin == "azure-kv"


def test_without_a_file_the_list_is_empty(paths: Paths) -> None:
    assert load_signing_keys(paths) == SigningKeys()


def test_null_counts_as_absent_as_in_go(paths: Paths) -> None:
    write(paths, b'{"default": null, "keys": null}')
    assert load_signing_keys(paths) == SigningKeys()


def test_unknown_fields_survive_a_change(paths: Paths) -> None:
    write(paths, b'{"keys": [{"name": "a", "hsm": {"slot": 1}}], "comment": "mine"}')
    change_signing_keys(paths, host_lock(paths.locks), lambda keys: keys.with_default("a"))
    assert json.loads(paths.signing_keys.read_bytes()) == {
        "default": "a",
        "keys": [{"name": "a", "hsm": {"slot": 1}}],
        "comment": "mine",
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not JSON"),
        (b'{"keys": [], "keys": []}', "duplicate key 'keys'"),
        (b'{"keys": [{}]}', r"keys\[0\].name: a string is missing"),
        (b'{"keys": [{"name": ""}]}', r"keys\[0\].name: key name cannot be empty"),
        (b'{"keys": [{"name": "a"}, {"name": "a"}]}', r"keys\[1\].name: multiple keys with name 'a' found"),
        (b'{"keys": [{"name": 1}]}', r"keys\[0\].name: expected a string"),
        (b'{"default": "b", "keys": [{"name": "a"}]}', "default: default key 'b' not found"),
        (b"[]", "expected an object"),
    ],
)
def test_a_malformed_list_is_refused_at_its_place(paths: Paths, data: bytes, message: str) -> None:
    write(paths, data)
    with pytest.raises(SigningKeyError, match=message) as caught:
        load_signing_keys(paths)
    assert str(caught.value).startswith(str(paths.signing_keys))


def test_a_link_in_the_lists_place_is_refused(paths: Paths) -> None:
    write(paths, EXACT)
    paths.signing_keys.rename(paths.config / "elsewhere.json")
    paths.signing_keys.symlink_to("elsewhere.json")
    with pytest.raises(SigningKeyError, match="symbolic link"):
        load_signing_keys(paths)


def test_a_name_is_given_once() -> None:
    with pytest.raises(SigningKeyError, match='signing key with name "foo" already exists'):
        SigningKeys(None, (FOO,)).add(FOO, default=False)


def test_a_name_is_not_empty() -> None:
    with pytest.raises(UsageError, match="key name cannot be empty"):
        SigningKeys().add(SigningKey(""), default=False)


def test_an_added_key_becomes_the_default_only_if_told_to() -> None:
    keys = SigningKeys().add(FOO, default=True).add(BAR, default=False)
    assert keys.default == "foo"
    assert keys.with_default("bar").default == "bar"


def test_removing_is_all_or_nothing(paths: Paths) -> None:
    write(paths, EXACT)
    with pytest.raises(SigningKeyError, match="signing key nope not found") as caught:
        change_signing_keys(paths, host_lock(paths.locks), lambda keys: keys.remove(["foo", "nope"]))
    assert paths.signing_keys.read_bytes() == EXACT
    assert caught.value.hint == "known keys: foo, bar"


def test_a_key_is_removed_once() -> None:
    with pytest.raises(UsageError, match="signing key foo is named twice"):
        SigningKeys(None, (FOO, BAR)).remove(["foo", "foo"])


def test_removing_the_default_leaves_none() -> None:
    left = SigningKeys("bar", (FOO, BAR)).remove(["bar"])
    assert (left.default, left.keys) == (None, (FOO,))
    with pytest.raises(SigningKeyError, match="default signing key not set"):
        left.get_default()


def test_the_file_is_for_its_owner_alone(paths: Paths) -> None:
    change_signing_keys(paths, host_lock(paths.locks), lambda keys: keys.add(FOO, default=False))
    assert stat.S_IMODE(paths.signing_keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.config.stat().st_mode) == 0o700


def test_concurrent_changes_are_all_kept(paths: Paths) -> None:
    lock = host_lock(paths.locks)

    def add(number: int) -> None:
        change_signing_keys(paths, lock, lambda keys: keys.add(SigningKey(f"k{number}"), default=False))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_signing_keys(paths).keys) == 12
