"""Logins and TLS against the real CNCF Distribution: basic, tokens, own authority, client certificates."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop import peers
from tests.interop.home import Home, wabbit_home
from tests.interop.tokens import TokenServer, serving_tokens
from tests.peers import find
from tests.world.images import image_layout, push_image
from tests.world.sockets import Identity, make_identity

pytestmark = pytest.mark.peers

REPOSITORY = Path(__file__).parent.parent.parent

USER, PASSWORD = "wabbit", "open sesame"
HTPASSWD = f"{USER}:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n"
"""The password above, by bcrypt: the only kind that Distribution takes."""

HELPER = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
store) cat > "$here/secret" ;;
get) cat > /dev/null; cat "$here/secret" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) cat > /dev/null; rm -f "$here/secret" ;;
esac
"""


class Place(NamedTuple):
    """A home with a signed image on its disk, and a registry."""

    home: Home
    registry: str

    def reference(self, repository: str = "net-monitor") -> str:
        return f"{self.registry}/{repository}:v1"


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    made = wabbit_home(tmp_path / "home", notation)
    image_layout(made.directory / "image", "net-monitor")
    return made


@pytest.fixture
def basic(home: Home, tmp_path: Path, distribution31: str) -> Iterator[Place]:
    """A registry that asks for a user name and a password."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "here", "path": str(tmp_path / "htpasswd")}}
    with peers.distribution(_program(), tmp_path, auth=auth) as address:
        yield Place(home, address)


def _program() -> Path:
    found = find("distribution")
    assert found is not None
    return found


def _main_road(place: Place, *connection: str, more: dict[str, str] | None = None) -> None:
    """Push, sign, list, inspect and verify."""
    reference = place.reference()
    for words in (
        ("copy", "layout:image:v1", reference),
        ("sign", "-k", "EC-256", reference),
        ("list", reference),
        ("inspect", reference),
        ("verify", reference),
    ):
        place.home.nv2(*words, *connection, more=more)


LOGIN = {"NOTATION_USERNAME": USER, "NOTATION_PASSWORD": PASSWORD}


def test_the_environment_may_hold_the_credentials(basic: Place) -> None:
    _main_road(basic, more=LOGIN)
    environment = {**basic.home.environment(), **LOGIN}
    program, directory = basic.home.notation_program, basic.home.directory
    verified = peers.run(program, "verify", basic.reference(), home=directory, environment=environment)
    assert "Successfully verified" in verified.stdout


def test_the_flags_may_hold_the_credentials(basic: Place) -> None:
    _main_road(basic, "-u", USER, "-p", PASSWORD)


def test_dockers_configuration_may_hold_the_credentials(basic: Place) -> None:
    docker = basic.home.directory / ".docker"
    docker.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (docker / "config.json").write_text(json.dumps({"auths": {basic.registry: {"auth": auth}}}))
    _main_road(basic)


@pytest.mark.parametrize("setting", ["credsStore", "credHelpers"])
@pytest.mark.parametrize("whose", ["notation's", "Docker's"])
def test_login_keeps_what_the_others_use_until_logout(basic: Place, setting: str, whose: str) -> None:
    programs = basic.home.directory / "programs"
    programs.mkdir()
    (programs / "docker-credential-box").write_text(HELPER)
    (programs / "docker-credential-box").chmod(0o755)
    folder = basic.home.config if whose == "notation's" else basic.home.directory / ".docker"
    folder.mkdir(exist_ok=True)
    value = "box" if setting == "credsStore" else {basic.registry: "box"}
    (folder / "config.json").write_text(json.dumps({setting: value}))
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    assert basic.home.nv2("login", basic.registry, more={**LOGIN, **path}).stdout == "Login Succeeded\n"
    _main_road(basic, more=path)
    assert basic.home.nv2("logout", basic.registry, more=path).stdout == "Logout Succeeded\n"
    refused = basic.home.nv2("list", basic.reference(), check=False, more=path)
    assert refused.returncode == 3
    assert f"nv2 login {basic.registry}" in refused.stderr


@pytest.mark.parametrize("helper", ["pass", "secretservice"])
@pytest.mark.parametrize("saver", ["nv2", "notation"])
def test_what_one_program_keeps_in_the_platform_s_key_chain_the_other_finds(
    basic: Place, helper: str, saver: str
) -> None:
    programs = basic.home.directory / "programs"
    programs.mkdir()
    for name in ("pass", f"docker-credential-{helper}")[helper != "pass" :]:
        (programs / name).write_text(HELPER)
        (programs / name).chmod(0o755)
    path = {"PATH": f"{programs}:/usr/bin:/bin"}

    def run(program: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        if program == "nv2":
            return basic.home.nv2(*words, more={**path, **more}, check=False)
        environment = {**basic.home.environment(), **path, **more}
        place, theirs = basic.home.directory, basic.home.notation_program
        return peers.run(theirs, *words, home=place, environment=environment, check=False)

    _main_road(basic, more=LOGIN)
    finder = "notation" if saver == "nv2" else "nv2"
    assert run(finder, "list", basic.reference()).returncode != 0
    assert run(saver, "login", basic.registry, **LOGIN).stdout == "Login Succeeded\n"
    assert json.loads((programs / "secret").read_text())["Secret"] == PASSWORD
    assert run(finder, "list", basic.reference()).returncode == 0
    assert run(finder, "logout", basic.registry).stdout == "Logout Succeeded\n"
    assert run(saver, "list", basic.reference()).returncode != 0
    assert not list(basic.home.directory.rglob("config.json"))


def test_a_wrong_password_is_refused_and_not_shown(basic: Place) -> None:
    for words in (("login", basic.registry), ("list", basic.reference())):
        ended = basic.home.nv2(*words, "-u", USER, "-p", "open rye", check=False)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "open rye" not in ended.stderr


def test_the_gate_of_the_task_page_runs_what_is_signed_and_nothing_else(basic: Place) -> None:
    page = (REPOSITORY / "docs" / "tasks" / "registry-behind-tls.md").read_text(encoding="utf-8")
    start = page.index('    nv2 verify "$IMAGE"')
    gate = page[start : page.index("esac", start) + len("esac")]
    programs = basic.home.directory / "programs"
    programs.mkdir()
    for name, line in (("nv2", f'exec "{sys.executable}" -m nv2.cli "$@"'), ("docker", 'echo "ran $3"')):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    _main_road(basic, more=LOGIN)
    basic.home.nv2("copy", "layout:image:v1", basic.reference("other"), more=LOGIN)

    def run(image: str, more: dict[str, str]) -> tuple[int, bool]:
        path = {"PATH": f"{programs}{os.pathsep}{os.defpath}", "IMAGE": image}
        environment = {**basic.home.environment(), **path, **more}
        words = ["/bin/sh", "-c", gate]
        ended = subprocess.run(
            words, env=environment, cwd=programs, capture_output=True, text=True, timeout=60
        )
        return ended.returncode, f"ran {image}" in ended.stdout

    assert run(basic.reference(), LOGIN) == (0, True)
    assert run(basic.reference("other"), LOGIN) == (1, False)
    assert run(basic.reference(), {}) == (3, False)


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with serving_tokens(tmp_path, USER, PASSWORD) as server:
        yield server


def test_tokens_are_fetched_for_what_is_done_and_used_again(
    home: Home, tmp_path: Path, distribution31: str, tokens: TokenServer
) -> None:
    with peers.distribution(_program(), tmp_path, auth=tokens.auth) as address:
        place = Place(home, address)
        _main_road(place, more=LOGIN)
        # Five processes: each has to fetch its own, and the first of them meets a challenge before it knows.
        assert len(tokens.asked) <= 2 * 5
        tokens.asked.clear()
        other = place.reference("other")
        home.nv2("copy", "layout:image:v1", other, more=LOGIN)
        tokens.asked.clear()
        home.nv2("sign", "-k", "EC-256", place.reference(), other, more=LOGIN)
        names = {scope.split(":")[1] for scopes in tokens.asked for scope in scopes}
        assert names == {"net-monitor", "other"}
        assert len(tokens.asked) <= 2 * 2
        tokens.asked.clear()
        home.nv2("verify", place.reference(), more=LOGIN)
        assert {scope.rpartition(":")[2] for scopes in tokens.asked for scope in scopes} == {"pull"}
        refused = home.nv2("list", place.reference(), "-u", USER, "-p", "open rye", check=False)
        assert refused.returncode == 3
        assert "nv2 login" in refused.stderr


class Identities(NamedTuple):
    """Who the registry is, and who we are."""

    server: Identity
    client: Identity


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    return Identities(make_identity(tmp_path), make_identity(tmp_path, name="client"))


def _tls(identities: Identities, *, clients: bool = False) -> dict[str, object]:
    found: dict[str, object] = {
        "certificate": str(identities.server.certificate),
        "key": str(identities.server.key),
    }
    return {**found, "clientcas": [str(identities.client.certificate)]} if clients else found


def test_an_authority_of_ones_own_is_named_by_flag_or_environment(
    home: Home, tmp_path: Path, distribution31: str, identities: Identities
) -> None:
    with peers.distribution(_program(), tmp_path, tls=_tls(identities)) as address:
        place = Place(home, address)
        _main_road(place, "--ca-file", str(identities.server.certificate))
        trusted = {"SSL_CERT_FILE": str(identities.server.certificate)}
        home.nv2("verify", place.reference(), more=trusted)
        environment = {**home.environment(), **trusted}
        peers.run(
            home.notation_program, "verify", place.reference(), home=home.directory, environment=environment
        )
        ended = home.nv2("verify", place.reference(), check=False)
        assert ended.returncode == 3
        assert "the certificate is not trusted" in ended.stderr
        # Plain HTTP is what --insecure-registry means; it never means: any certificate.
        ended = home.nv2("verify", "--insecure-registry", place.reference(), check=False)
        assert ended.returncode == 3


def test_behind_tls_and_a_login_both_programs_say_the_same(
    home: Home, tmp_path: Path, distribution31: str, identities: Identities
) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "here", "path": str(tmp_path / "htpasswd")}}
    trusted = {"SSL_CERT_FILE": str(identities.server.certificate)}
    with peers.distribution(_program(), tmp_path, auth=auth, tls=_tls(identities)) as address:
        place = Place(home, address)
        _main_road(place, more={**LOGIN, **trusted})
        for more, trusts in (
            ({**LOGIN, **trusted}, True),
            (LOGIN, False),
            (trusted, False),
            ({**LOGIN, **trusted, "NOTATION_PASSWORD": "open rye"}, False),
        ):
            ours = home.nv2("verify", place.reference(), check=False, more=more)
            theirs = peers.run(
                home.notation_program,
                *("verify", place.reference()),
                home=home.directory,
                environment={**home.environment(), **more},
                check=False,
            )
            assert (ours.returncode == 0, theirs.returncode == 0) == (trusts, trusts), more
            # Whoever could not ask has not found out that the image must not run.
            assert ours.returncode == (0 if trusts else 3)
            assert not any(word in ours.stderr for word in (PASSWORD, "open rye"))


def test_a_client_certificate_opens_the_door(
    home: Home, tmp_path: Path, distribution31: str, identities: Identities
) -> None:
    with peers.distribution(_program(), tmp_path, tls=_tls(identities, clients=True)) as address:
        place = Place(home, address)
        ca = ("--ca-file", str(identities.server.certificate))
        ours = (
            "--client-cert",
            str(identities.client.certificate),
            "--client-key",
            str(identities.client.key),
        )
        _main_road(place, *ca, *ours)
        ended = home.nv2("verify", place.reference(), *ca, check=False)
        assert ended.returncode == 3
        assert sum(line.startswith("Error: ") for line in ended.stderr.splitlines()) == 1


def test_what_docker_has_of_a_registry_opens_its_door(
    home: Home, tmp_path: Path, distribution31: str, identities: Identities
) -> None:
    with peers.distribution(_program(), tmp_path, tls=_tls(identities, clients=True)) as address:
        place = home.directory / ".docker" / "certs.d" / address
        place.mkdir(parents=True)
        shutil.copy(identities.server.certificate, place / "ca.crt")
        shutil.copy(identities.client.certificate, place / "client.cert")
        shutil.copy(identities.client.key, place / "client.key")
        _main_road(Place(home, address))
        (place / "client.key").unlink()
        ended = home.nv2("verify", Place(home, address).reference(), check=False)
        assert ended.returncode == 3
        assert f"Error: {place}: there is no client.key that belongs to client.cert" in ended.stderr
        assert sum(line.startswith("Error: ") for line in ended.stderr.splitlines()) == 1


def test_plain_http_is_for_localhost_and_for_whom_it_was_allowed(home: Home, distribution31: str) -> None:
    push_image(distribution31, "plain")
    numbers = distribution31.replace("localhost", "127.0.0.1")
    assert home.nv2("list", f"{distribution31}/plain:v1").returncode == 0
    ended = home.nv2("list", f"{numbers}/plain:v1", check=False)
    assert ended.returncode == 3
    assert "plain HTTP" in ended.stderr
    assert home.nv2("list", "--insecure-registry", f"{numbers}/plain:v1").returncode == 0
    (home.config / "config.json").write_text(json.dumps({"insecureRegistries": [numbers]}))
    assert home.nv2("list", f"{numbers}/plain:v1").returncode == 0
