"""Fetching a plugin, and which verification plugins may be asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nv2.errors import BadAnswer, ConfigurationError, Nv2Error, PluginError
from nv2.home.paths import Paths
from nv2.notary import plugins
from nv2.notary.plugins import downloaded, install, list_plugins
from nv2.notary.verification_plugins import VerificationPlugins
from nv2.transport.interface import AddressRule, Request, Response
from tests.world.network import FunctionTransport, answer
from tests.world.plugins import METADATA

URL = "https://example.com/notation-acme"
BODY = b"#!/bin/sh\n"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"NOTATION_CONFIG": str(tmp_path / "config"), "HOME": str(tmp_path)})


def package(folder: Path, version: str) -> Path:
    folder.mkdir()
    file = folder / "notation-acme"
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({**METADATA, 'version': version})}\nEND\n")
    file.chmod(0o755)
    return folder


def test_a_later_version_that_somebody_else_installs_at_the_same_time_stays(
    paths: Paths, tmp_path: Path
) -> None:
    """Whoever waits for the lock compares with what is there when he has got it."""
    ours, theirs = package(tmp_path / "ours", "1.5.0"), package(tmp_path / "theirs", "2.0.0")

    @contextmanager
    def free(_: str) -> Iterator[None]:
        yield

    @contextmanager
    def taken(resource: str) -> Iterator[None]:
        assert resource == str(paths.plugins)
        install(paths, free, theirs, warn=print)
        yield

    with pytest.raises(PluginError, match=r"1\.5\.0 is lower than the existing plugin version 2\.0\.0"):
        install(paths, taken, ours, warn=print)
    (listed,) = list_plugins(paths)
    assert listed.metadata is not None
    assert listed.metadata.version == "2.0.0"


def replying(status: int = 200, body: bytes = BODY) -> FunctionTransport:
    def reply(request: Request) -> Response:
        return answer(request, status, body)

    return FunctionTransport(reply)


def test_a_package_is_fetched_without_credentials_and_gone_afterwards(paths: Paths) -> None:
    transport = replying()
    with downloaded(transport, URL, DIGEST.upper(), paths) as file:
        assert (file.name, file.read_bytes()) == ("notation-acme", BODY)
    assert not file.exists()
    (request,) = transport.requests
    assert (request.anonymous, request.address_rule) == (True, AddressRule.NOT_LINK_LOCAL)
    assert request.total_timeout == 600


# fmt: off
BAD = {
    "status":   (replying(404), DIGEST,    BadAnswer,   "bad status: 404"),
    "checksum": (replying(),    "00" * 32, PluginError, "checksum does not match"),
    "size":     (replying(body=bytes(2000)), DIGEST, BadAnswer, "size limit"),
}
# fmt: on


@pytest.mark.parametrize("row", BAD)
def test_5_2_what_is_not_the_package_is_refused(
    row: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "MAX_PACKAGE", 1000)
    transport, digest, kind, says = BAD[row]
    with pytest.raises(kind, match=says), downloaded(transport, URL, digest, paths):
        raise AssertionError("it was used")
    assert not list(paths.libexec.glob("*"))


def allowed(paths: Paths, text: str | None) -> Nv2Error:
    if text is not None:
        paths.own_config.mkdir(parents=True)
        paths.own_settings.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        VerificationPlugins(paths, {})("acme")
    return caught.value


def test_without_settings_any_plugin_that_is_installed_may_be_asked(paths: Paths) -> None:
    assert "not found" in str(allowed(paths, None))
    assert "not found" in str(allowed(paths, "{}"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"verificationPlugins": []}', "not among those that are allowed"),
        ('{"verificationPlugins": ["acme2", "ACME"]}', "not among those that are allowed"),
        ('{"verificationPlugins": "acme"}', "expected an array"),
        ('{"verificationplugins": ["acme"]}', "unknown field"),
        ('{"verificationPlugins": ["acme"]} x', "not JSON"),
    ],
)
def test_5_4_b_settings_that_do_not_name_a_plugin_keep_it_out(text: str, says: str, paths: Paths) -> None:
    assert says in str(allowed(paths, text))
