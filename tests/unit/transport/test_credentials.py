import base64
import json

import pytest

from nv2.errors import CredentialError, EnvironmentFailure
from nv2.programs.interface import MAX_OUTPUT, TIMEOUT, Finished
from nv2.transport.credentials import (
    DOCKER_HUB,
    Credential,
    CredentialStore,
    native_helper,
    parse_docker_config,
)


class Helper:
    """A credential helper in memory, of the name `docker-credential-pass`."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def run(
        self,
        arguments: tuple[str, ...],
        standard_input: bytes,
        *,
        timeout: float = TIMEOUT,
        max_output: int = MAX_OUTPUT,
    ) -> Finished:
        program, verb = arguments
        if program != "docker-credential-pass":
            raise EnvironmentFailure("no such program", at=program)
        return getattr(self, f"_{verb}")(standard_input.decode())  # type: ignore[no-any-return]

    def _get(self, server: str) -> Finished:
        if server == "locked.test":
            return Finished(2, b"the key chain is locked\nsecond line\n", b"")
        if server not in self.kept:
            return Finished(1, b"credentials not found in native keychain\n", b"")
        username, secret = self.kept[server]
        return Finished(
            0, json.dumps({"ServerURL": server, "Username": username, "Secret": secret}).encode(), b""
        )

    def _store(self, text: str) -> Finished:
        document = json.loads(text)
        self.kept[document["ServerURL"]] = (document["Username"], document["Secret"])
        return Finished(0, b"", b"")

    def _erase(self, server: str) -> Finished:
        if server not in self.kept:
            return self._get(server)
        del self.kept[server]
        return Finished(0, b"", b"")


def store(document: object, helper: Helper | None = None) -> CredentialStore:
    return CredentialStore(
        parse_docker_config(json.dumps(document).encode(), "config.json"), helper or Helper()
    )


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_user_and_password_are_read_from_auths() -> None:
    found = store({"auths": {"r.test:5000": auth("alice:won:der")}}).get("r.test:5000")
    assert found == Credential("alice", "won:der")


def test_another_port_is_another_registry() -> None:
    assert store({"auths": {"r.test:5000": auth("a:b")}}).get("r.test") is None


@pytest.mark.parametrize("key", ["https://r.test/v1/", "http://r.test", "R.test", "r.test/v2/"])
def test_old_forms_of_keys_match_by_host(key: str) -> None:
    assert store({"auths": {key: auth("a:b")}}).get("r.test") == Credential("a", "b")


@pytest.mark.parametrize("host", ["docker.io", "registry-1.docker.io", "index.docker.io"])
def test_docker_hub_has_a_key_of_its_own(host: str) -> None:
    assert store({"auths": {DOCKER_HUB: auth("a:b")}}).get(host) == Credential("a", "b")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"identitytoken": "i"}, Credential(identity_token="i")),
        ({"registrytoken": "r"}, Credential(registry_token="r")),
        ({"username": "a", "password": "b"}, Credential("a", "b")),
        (auth("a:b\0\0"), Credential("a", "b")),
        ({}, None),
    ],
)
def test_every_kind_of_entry_is_read(entry: object, expected: Credential | None) -> None:
    assert store({"auths": {"r.test": entry}}).get("r.test") == expected


def test_a_broken_entry_concerns_its_own_registry_only() -> None:
    found = store({"auths": {"bad.test": {"auth": "!!"}, "r.test": auth("a:b")}})
    assert found.get("r.test") == Credential("a", "b")
    with pytest.raises(CredentialError, match=r"auths\['bad.test'\].auth: not base64"):
        found.get("bad.test")


def test_the_helper_of_a_registry_comes_before_the_store_and_the_file() -> None:
    helper = Helper()
    helper.kept["r.test"] = ("carol", "c")
    found = store(
        {"auths": {"r.test": auth("a:b")}, "credHelpers": {"r.test": "pass"}, "credsStore": "none"}, helper
    )
    assert found.get("r.test") == Credential("carol", "c")


def test_a_helper_that_has_none_means_none() -> None:
    assert store({"credsStore": "pass"}).get("r.test") is None


def test_the_user_token_means_an_identity_token() -> None:
    helper = Helper()
    helper.kept["r.test"] = ("<token>", "refresh")
    assert store({"credsStore": "pass"}, helper).get("r.test") == Credential(identity_token="refresh")


def test_what_is_put_can_be_got_and_erased() -> None:
    found = store({"credsStore": "pass"})
    for credential in (Credential("a", "b"), Credential(identity_token="i")):
        found.put("docker.io", credential)
        assert found.get("docker.io") == credential
    found.erase("docker.io")
    assert found.get("docker.io") is None
    found.erase("docker.io")


def test_no_password_is_ever_written_to_a_file() -> None:
    with pytest.raises(CredentialError, match="keeps no passwords in files"):
        store({}).put("r.test", Credential("a", "b"))


def test_what_docker_wrote_is_left_to_docker() -> None:
    with pytest.raises(CredentialError) as e:
        store({"auths": {"r.test": auth("a:b")}}).erase("r.test")
    assert str(e.value.hint).endswith("docker logout r.test")


@pytest.mark.parametrize(
    ("platform", "there", "helper"),
    [
        ("linux", {"pass", "docker-credential-pass", "docker-credential-secretservice"}, "pass"),
        ("linux", {"docker-credential-pass", "docker-credential-secretservice"}, "secretservice"),
        ("linux", {"pass", "docker-credential-secretservice"}, None),
        ("linux", set(), None),
        ("darwin", {"docker-credential-osxkeychain"}, "osxkeychain"),
        ("darwin", {"pass", "docker-credential-pass"}, None),
        ("win32", {"docker-credential-wincred"}, "wincred"),
        ("freebsd14", {"pass", "docker-credential-pass"}, None),
    ],
)
def test_the_platform_s_own_helper_counts_where_its_program_is(
    platform: str, there: set[str], helper: str | None
) -> None:
    assert native_helper(platform, there.__contains__) == helper


def test_the_first_line_of_a_helper_s_complaint_is_repeated() -> None:
    with pytest.raises(CredentialError, match=r"cannot get credentials: the key chain is locked$"):
        store({"credsStore": "pass"}).get("locked.test")


def test_a_missing_helper_is_named_with_the_file_that_names_it() -> None:
    with pytest.raises(CredentialError, match="docker-credential-gone: no such program") as e:
        store({"credsStore": "gone"}).get("r.test")
    assert e.value.hint is not None and "config.json" in e.value.hint


@pytest.mark.parametrize("name", ["../evil", "a/b", "a b", "-x"])
def test_a_helper_s_name_cannot_be_a_path(name: str) -> None:
    with pytest.raises(CredentialError, match="not the name"):
        store({"credsStore": name}).get("r.test")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"auths": 1}', b'{"credHelpers": {"a": 1}}', b"{"])
def test_a_malformed_file_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(CredentialError, match=r"config\.json"):
        parse_docker_config(data, "config.json")
