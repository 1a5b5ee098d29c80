"""`hosts.toml` of containerd's `certs.d` directories, strictly read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError
from nv2.home.hosts import Hosts, find_hosts, parse_hosts

FULL = """
server = "https://upstream.test"
ca = "up.crt"

[host."https://one.test:5000"]
  capabilities = ["pull", "resolve"]
  ca = ["a.crt", "/etc/b.crt"]
  client = [["me.cert", "me.key"]]
  skip_verify = false
  dial_timeout = "1.5s"
  [host."https://one.test:5000".header]
    X-Team = "wabbit"
    X-More = ["a", "b"]

[host."http://two.test/cache/v2"]

[host."three.test/api"]
  override_path = true
  client = "both.pem"
"""


def parsed(text: str) -> Hosts:
    return parse_hosts(text.encode(), Path("/certs.d/r.test"))


def test_every_field_is_read_and_hosts_keep_their_order() -> None:
    found = parsed(FULL)
    one, two, three = found.mirrors
    assert (found.server.base, found.server.certificates.authorities) == (
        "https://upstream.test",
        ("/certs.d/r.test/up.crt",),
    )
    assert (one.root, two.root, three.root) == (
        "https://one.test:5000/v2",
        "http://two.test/cache/v2",
        "https://three.test/api",
    )
    assert one.certificates.authorities == ("/certs.d/r.test/a.crt", "/etc/b.crt")
    assert one.certificates.client_certificate == "/certs.d/r.test/me.cert"
    assert one.certificates.client_key == "/certs.d/r.test/me.key"
    assert three.certificates.client_certificate == "/certs.d/r.test/both.pem"
    assert dict(one.headers) == {"X-Team": "wabbit", "X-More": "a, b"}
    assert one.dial_timeout == 1.5


def test_who_is_not_said_to_resolve_tags_does_not() -> None:
    one, two, three = parsed(FULL).mirrors
    assert "resolve" in one.capabilities
    assert two.capabilities == three.capabilities == frozenset({"pull"})


def test_a_scheme_may_be_in_capitals() -> None:
    (mirror,) = parsed('[host."HTTP://m.test/Path"]').mirrors
    assert (mirror.base, mirror.root) == ("http://m.test/Path", "http://m.test/Path/v2")


# fmt: off
BAD = {
    "no TOML":           ("[host", "not TOML"),
    "no UTF-8":          ("# \udcff", "not TOML"),
    "an endless number": ("server = " + "1" * 5000, "not TOML"),
    "nested too deeply": ("server = " + "[" * 60_000, "not TOML"),
    "unknown field":     ('sever = "x"', "sever"),
    "unknown in a host": ('[host."m.test"]\nskipverify = true', r'host\."m\.test"'),
    "a host's rewrite":  ('[host."m.test".rewrite]\n"a" = "b"', "rewrite"),
    "skip_verify":       ('[host."m.test"]\nskip_verify = true', r'host\."m\.test"\.skip_verify: nv2 always checks'),
    "skip_verify above": ("skip_verify = true", "skip_verify: nv2 always checks"),
    "capability":        ('[host."m.test"]\ncapabilities = ["pul"]', "unknown capability 'pul'"),
    "capability's type": ('[host."m.test"]\ncapabilities = "pull"', r'capabilities'),
    "a weak server":     ('capabilities = ["pull"]', "the server must pull and resolve"),
    "no address":        ('[host."ftp://m.test"]', "not an address"),
    "a user":            ('[host."https://u:p@m.test"]', "not an address"),
    "a query":           ('[host."https://m.test/?a"]', "not an address"),
    "no ASCII":          ('[host."https://m.test/\\u00e4"]', "not an address"),
    "a control":         ('[host."https://m.test/\\u0007"]', "not an address"),
    "a tab":             ('[host."https://m.te\\tst"]', "not an address"),
    "a space":           ('[host."https://m.test/a b"]', "not an address"),
    "no host":           ('[host."https://"]', "not an address"),
    "no name of a host": ('[host."https://{m.test:5000"]', "not an address"),
    "a port of none":    ('[host."https://m.test:0"]', "not an address"),
    "a backslash":       ("[host.'https://m.test/\\\\n.test']", "not an address"),
    "a port":            ('[host."https://m.test:x"]', "not an address"),
    "an empty address":  ('[host.""]', "empty"),
    "two clients":       ('[host."m.test"]\nclient = ["a.pem", "b.pem"]', "not one client"),
    "a client of three": ('[host."m.test"]\nclient = [["a", "b", "c"]]', "not one client"),
    "client's type":     ('[host."m.test"]\nclient = 1', "not one client"),
    "ca's type":         ('[host."m.test"]\nca = 1', r"ca"),
    "header's name":     ('[host."m.test".header]\n"a b" = "c"', "header 'a b' cannot be set"),
    "header Host":       ('[host."m.test".header]\nHost = "c"', "header 'Host' cannot be set"),
    "header range":      ('[host."m.test".header]\nrange = "bytes=0-1"', "header 'range' cannot be set"),
    "header TE":         ('[host."m.test".header]\nTE = "trailers"', "header 'TE' cannot be set"),
    "a header's end":    ('[host."m.test".header]\n"a:" = "c"', "header 'a:' cannot be set"),
    "header's value in a list": ('[host."m.test".header]\na = ["b", "\\n"]', "not a value of a header"),
    "header's value":    ('[host."m.test".header]\na = "b\\r\\nc: d"', "not a value of a header"),
    "header's type":     ('[host."m.test".header]\na = 1', r"header"),
    "no time":           ('[host."m.test"]\ndial_timeout = "soon"', "not a time"),
    "no time at all":    ('[host."m.test"]\ndial_timeout = "0s"', "not a time"),
    "a long time":       ('[host."m.test"]\ndial_timeout = "2m"', "not a time"),
    "a number":          ('[host."m.test"]\ndial_timeout = 5', "dial_timeout"),
    "many hosts":        ("\n".join(f'[host."m{n}.test"]' for n in range(17)), "more than 16 hosts"),
    "host's type":       ('host = "m.test"', "host"),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_right_is_an_error_with_file_and_place(name: str) -> None:
    text, complaint = BAD[name]
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        parse_hosts(text.encode("utf-8", "surrogateescape"), Path("/certs.d/r.test"))
    assert str(caught.value.at).startswith("/certs.d/r.test/hosts.toml")


@pytest.mark.parametrize(
    ("directory", "registry"),
    [
        ("r.test", "r.test"),
        ("r.test_5000_", "r.test:5000"),
        ("r.test:5000", "r.test:5000"),
        ("[::1]_5000_", "[::1]:5000"),
        ("[::1]", "[::1]"),
        ("docker.io", "docker.io"),
        ("docker.io", "index.docker.io"),
        ("_default", "r.test:5000"),
    ],
)
def test_the_directory_of_a_registry_is_found(tmp_path: Path, directory: str, registry: str) -> None:
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "hosts.toml").write_text('[host."m.test"]')
    found = find_hosts(tmp_path, registry)
    assert found is not None and found.mirrors[0].base == "https://m.test"


def test_the_own_directory_goes_before_the_default(tmp_path: Path) -> None:
    for name in ("r.test", "_default"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hosts.toml").write_text(f'[host."{name.strip("_")}"]')
    found, other = find_hosts(tmp_path, "r.test"), find_hosts(tmp_path, "o.test")
    assert found and other
    assert (found.mirrors[0].base, other.mirrors[0].base) == ("https://r.test", "https://default")


def test_another_registry_has_no_directory(tmp_path: Path) -> None:
    (tmp_path / "r.test").mkdir()
    for registry in ("o.test", "r.test:5000", "r.tes"):
        assert find_hosts(tmp_path, registry) is None


def test_without_a_file_the_directory_is_one_of_docker(tmp_path: Path) -> None:
    (tmp_path / "r.test").mkdir()
    assert find_hosts(tmp_path, "r.test") is None
    for name in ("ca.crt", "me.cert", "me.key"):
        (tmp_path / "r.test" / name).write_text("PEM")
    found = find_hosts(tmp_path, "r.test")
    assert found and not found.mirrors and not found.server.base
    assert found.server.certificates.authorities == (str(tmp_path / "r.test" / "ca.crt"),)
    assert found.server.certificates.client_key == str(tmp_path / "r.test" / "me.key")


def test_a_long_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.test").mkdir()
    (tmp_path / "r.test" / "hosts.toml").write_text("#" * 70_000)
    with pytest.raises(ConfigurationError, match="longer than"):
        find_hosts(tmp_path, "r.test")


def test_a_directory_that_this_user_may_not_enter_is_an_error_and_not_as_if_nothing_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(ConfigurationError, match="permission denied") as caught:
        find_hosts(tmp_path, "r.test")
    assert caught.value.at == str(tmp_path / "r.test")


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for_and_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    place = tmp_path / "r.test"
    place.mkdir()
    os.mkfifo(place / "hosts.toml")
    with pytest.raises(ConfigurationError, match="not a regular file"):
        find_hosts(tmp_path, "r.test")
    (place / "hosts.toml").unlink()
    (tmp_path / "there.toml").write_text('[host."m.test"]')
    (place / "hosts.toml").symlink_to(tmp_path / "there.toml")
    assert find_hosts(tmp_path, "r.test")
