"""Keys that notation could not use stand in a list of nv2's own, and both lists are read as one (ADR 0018)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import SigningKeyError
from nv2.home.paths import Paths
from nv2.home.signing_keys import SigningKey, change_signing_keys, load_signing_keys

FILE = SigningKey("file", "/k", "/c")
OTHER = SigningKey("other", "/k2", "/c2")
TOKEN = SigningKey("hsm", uri="pkcs11:token=a;object=b", certificate_path="/hsm.crt")


@contextmanager
def alone(_: str) -> Iterator[None]:
    yield


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"NOTATION_CONFIG": str(tmp_path), "HOME": str(tmp_path)})


def change(paths: Paths, what: Any) -> None:
    change_signing_keys(paths, alone, what)


def add(paths: Paths, *keys: SigningKey, default: str | None = None) -> None:
    for key in keys:
        change(paths, lambda found, key=key: found.add(key, default=key.name == default))


def document(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_a_key_in_a_token_never_stands_in_notations_list(paths: Paths) -> None:
    add(paths, FILE, TOKEN)
    assert [key["name"] for key in document(paths.signing_keys)["keys"]] == ["file"]
    assert document(paths.own_signing_keys) == {
        "keys": [{"name": "hsm", "certPath": "/hsm.crt", "pkcs11": "pkcs11:token=a;object=b"}]
    }
    assert load_signing_keys(paths).keys == (FILE, TOKEN)


def test_a_list_without_a_change_is_not_written(paths: Paths) -> None:
    add(paths, TOKEN)
    assert not paths.signing_keys.exists()


def test_a_default_in_a_token_leaves_notations_default_alone(paths: Paths) -> None:
    add(paths, FILE, TOKEN, default="file")
    change(paths, lambda keys: keys.with_default("hsm"))
    assert load_signing_keys(paths).get_default() == TOKEN
    assert document(paths.signing_keys)["default"] == "file"
    change(paths, lambda keys: keys.remove(["hsm"]))
    assert load_signing_keys(paths).get_default() == FILE


def test_a_file_chosen_as_default_goes_before_the_token_again(paths: Paths) -> None:
    add(paths, FILE, OTHER, TOKEN, default="hsm")
    change(paths, lambda keys: keys.with_default("other"))
    assert load_signing_keys(paths).get_default() == OTHER
    assert "default" not in document(paths.own_signing_keys)


def test_notations_default_goes_with_its_key(paths: Paths) -> None:
    add(paths, FILE, TOKEN, default="file")
    change(paths, lambda keys: keys.with_default("hsm"))
    change(paths, lambda keys: keys.remove(["file"]))
    assert "default" not in document(paths.signing_keys)
    assert load_signing_keys(paths).get_default() == TOKEN


def test_removing_the_default_file_leaves_none(paths: Paths) -> None:
    add(paths, FILE, TOKEN, default="file")
    change(paths, lambda keys: keys.remove(["file"]))
    assert load_signing_keys(paths).default is None


def test_one_name_in_both_lists_is_refused_before_anything_signs(paths: Paths) -> None:
    add(paths, TOKEN)
    paths.signing_keys.write_text(json.dumps({"keys": [{"name": "hsm", "keyPath": "/k", "certPath": "/c"}]}))
    with pytest.raises(SigningKeyError, match="multiple keys with name 'hsm'"):
        load_signing_keys(paths)


def test_an_entry_of_the_own_list_without_a_uri_is_refused(paths: Paths) -> None:
    paths.own_signing_keys.parent.mkdir()
    paths.own_signing_keys.write_text('{"keys": [{"name": "a", "keyPath": "/k"}]}')
    with pytest.raises(SigningKeyError, match=r"keys\[0\]\.pkcs11"):
        load_signing_keys(paths)


def test_a_uri_in_notations_list_means_nothing_and_is_kept(paths: Paths) -> None:
    paths.signing_keys.write_text('{"keys": [{"name": "a", "pkcs11": "pkcs11:"}]}')
    (key,) = load_signing_keys(paths).keys
    assert key.uri is None
    add(paths, FILE)
    assert document(paths.signing_keys)["keys"][0]["pkcs11"] == "pkcs11:"
