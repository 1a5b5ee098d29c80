"""Clients of others log in to nv2's own registry over TLS, by password and by token, push and pull, and are refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest

from tests.interop import daemons, peers
from tests.interop.daemons import docker_context, needs_root
from tests.world.ca import CA, pem
from tests.world.images import image_layout
from tests.world.sockets import make_identity

pytestmark = pytest.mark.peers

SOURCE = str(Path(__file__).parent.parent.parent / "src")

USER, PASSWORD = "wabbit", "open sesame"

RIGHTS = [
    {"users": [USER], "repositories": ["team/*"], "actions": ["pull", "push", "delete"]},
    {"users": [USER], "repositories": ["others"], "actions": ["pull"]},
    {"users": ["anonymous"], "repositories": ["team/open"], "actions": ["pull"]},
]


class Place(NamedTuple):
    """A registry that asks for a login over TLS, and a home that trusts its certificate and has an image."""

    registry: str
    home: Path
    certificate: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SSL_CERT_FILE": str(self.certificate),
            "SSL_CERT_DIR": str(self.home),
            "DOCKER_CONFIG": str(self.home / ".docker"),
            "DOCKER_BUILDKIT": "0",
            "REGISTRY_AUTH_FILE": str(self.home / "auth.json"),
        }

    def run(self, program: Path, *words: str, fails: bool = False) -> str:
        done = peers.run(program, *words, home=self.home, environment=self.environment, check=not fails)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(params=["by password", "by token"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    home, folder = tmp_path / "home", tmp_path / "registry"
    home.mkdir()
    folder.mkdir()
    image_layout(home / "image", "net-monitor")
    identity = make_identity(folder, names=["localhost"])
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
    access = {"htpasswd": "htpasswd", "tokens": request.param == "by token", "rights": RIGHTS}
    (folder / "access.json").write_text(json.dumps(access))
    with _serving(folder) as port:
        yield Place(f"127.0.0.1:{port}", home, identity.certificate)


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-c",
        "from nv2.cli.__main__ import run; run()",
        "registry",
        "serve",
        "--dir",
        "r",
    ]
    command += ["--listen", "127.0.0.1:0", "--tls-cert", "server.crt", "--tls-key", "server.key"]
    command += ["--access", "access.json", "--access-log", "access.log"]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env={"PYTHONPATH": SOURCE}, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().rpartition(":")[2]
        finally:
            process.terminate()


# How each client logs in, and copies an image of a layout to a repository and back.
def _oras(place: Place, program: Path) -> Iterator[list[str]]:
    place.run(program, "login", place.registry, "-u", USER, "-p", PASSWORD)
    for repository in ("team/oras", "others"):
        yield ["cp", "--from-oci-layout", "image:v1", f"{place.registry}/{repository}:v1"]
    yield ["cp", "--to-oci-layout", f"{place.registry}/team/oras:v1", "back:v1"]


def _skopeo(place: Place, program: Path) -> Iterator[list[str]]:
    (place.home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (place.home / "certs").mkdir()
    shutil.copy(place.certificate, place.home / "certs" / "ca.crt")
    place.run(program, "login", "--cert-dir", "certs", place.registry, "-u", USER, "-p", PASSWORD)
    words = ["--policy", "policy.json", "copy", "--all", "--preserve-digests"]
    for repository in ("team/skopeo", "others"):
        remote = f"docker://{place.registry}/{repository}:v1"
        yield [*words, "--dest-cert-dir", "certs", "oci:image:v1", remote]
    yield [*words, "--src-cert-dir", "certs", f"docker://{place.registry}/team/skopeo:v1", "oci:back:v1"]


def _regctl(place: Place, program: Path) -> Iterator[list[str]]:
    place.run(
        program, "registry", "set", "--skip-check", place.registry, "--cacert", place.certificate.read_text()
    )
    place.run(program, "registry", "login", place.registry, "-u", USER, "-p", PASSWORD)
    for repository in ("team/regctl", "others"):
        yield ["image", "copy", "ocidir://image:v1", f"{place.registry}/{repository}:v1"]
    yield ["image", "copy", f"{place.registry}/team/regctl:v1", "ocidir://back:v1"]


def _crane(place: Place, program: Path) -> Iterator[list[str]]:
    # It gives no password to a realm at a loopback or private address; oras takes `localhost` for plain HTTP.
    place = place._replace(registry=place.registry.replace("127.0.0.1", "localhost"))
    place.run(program, "auth", "login", place.registry, "-u", USER, "-p", PASSWORD)
    for repository in ("team/crane", "others"):
        yield ["push", "image", f"{place.registry}/{repository}:v1"]
    yield ["pull", "--format=oci", f"{place.registry}/team/crane:v1", "back"]


Client = Callable[[Place, Path], Iterator[list[str]]]

CLIENTS: dict[str, Client] = {"oras": _oras, "skopeo": _skopeo, "regctl": _regctl, "crane": _crane}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_logs_in_pushes_pulls_and_may_not_push_elsewhere(
    place: Place, name: str, program: Callable[[str], Path]
) -> None:
    client = program(name)
    push, push_elsewhere, pull = CLIENTS[name](place, client)
    place.run(client, *push)
    place.run(client, *push_elsewhere, fails=True)
    place.run(client, *pull)
    assert _blobs(place.home / "back") >= _blobs(place.home / "image")


def _blobs(layout: Path) -> set[str]:
    return {path.name for path in (layout / "blobs" / "sha256").iterdir()}


@needs_root
def test_containerd_pushes_and_pulls_with_a_login(place: Place, program: Callable[[str], Path]) -> None:
    daemon, ctr, oras = program("containerd"), program("ctr"), program("oras")
    place.run(oras, "login", place.registry, "-u", USER, "-p", PASSWORD)
    place.run(oras, "cp", "--from-oci-layout", "image:v1", f"{place.registry}/team/image:v1")
    with tempfile.TemporaryDirectory() as name:  # the path of a socket is short
        folder = Path(name)
        socket = folder / "s.sock"
        told = {
            "version": 3,
            "root": f"{name}/root",
            "state": f"{name}/state",
            "grpc": {"address": str(socket)},
        }
        told["ttrpc"] = {"address": f"{name}/t.sock"}
        lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if not isinstance(value, dict)]
        lines += [f"[{key}]\naddress = {json.dumps(told[key]['address'])}" for key in ("grpc", "ttrpc")]
        (folder / "c.toml").write_text("\n".join(lines) + "\n")
        with daemons.running([str(daemon), "-c", f"{name}/c.toml"], socket, place.environment, folder):
            words = ["-a", str(socket), "content", "fetch", "--all-platforms"]
            trusts = ["--tlscacert", str(place.certificate)]
            login = [*trusts, "--user", f"{USER}:{PASSWORD}"]
            here = f"{place.registry}/team/image:v1"
            images = ["-a", str(socket), "images"]
            place.run(ctr, *words, *trusts, here, fails=True)
            place.run(ctr, *words, *login, here)
            for repository, denied in (("team/ctr", False), ("others", True)):
                there = f"{place.registry}/{repository}:v1"
                place.run(ctr, *images, "tag", here, there)
                place.run(ctr, *images, "push", "--local", *login, there, fails=denied)


@needs_root
def test_docker_logs_in_builds_pushes_and_pulls(place: Place, program: Callable[[str], Path]) -> None:
    daemon, docker = program("dockerd"), program("docker")
    docker_context(place.home)
    with daemons.docker(daemon, place.environment) as at:
        for password, denied in (("open rye", True), (PASSWORD, False)):
            place.run(docker, *at, "login", "-u", USER, "-p", password, place.registry, fails=denied)
        names = [f"{place.registry}/{repository}:v1" for repository in ("team/docker", "others")]
        tags = [word for tag in names for word in ("-t", tag)]
        place.run(docker, *at, "build", "-q", *tags, "context")
        place.run(docker, *at, "push", names[0])
        assert "denied" in place.run(docker, *at, "push", names[1], fails=True)
        place.run(docker, *at, "rmi", *names)
        place.run(docker, *at, "pull", names[0])


@needs_root
def test_what_docker_built_and_pushed_is_signed_here_and_verified_and_pulled_at_another_machine(
    place: Place, program: Callable[[str], Path]
) -> None:
    daemon, docker = program("dockerd"), program("docker")
    docker_context(place.home)
    pair = CA("Wabbit").issue()
    (place.home / "wabbit.key").write_bytes(pair.pem_key())
    (place.home / "wabbit.key").chmod(0o600)
    (place.home / "wabbit.crt").write_bytes(pair.pem_chain())
    (place.home / "leaf.crt").write_bytes(pem([pair.leaf]))
    built, kept = (f"{place.registry}/team/{name}:v1" for name in ("built", "kept"))
    with daemons.docker(daemon, place.environment) as at:
        place.run(docker, *at, "login", "-u", USER, "-p", PASSWORD, place.registry)
        place.run(docker, *at, "build", "-q", "-t", built, "-t", kept, "context")
        digest = place.run(docker, *at, "push", built).rpartition("digest: ")[2].split()[0]
        assert "Mounted from team/built" in place.run(docker, *at, "push", kept)
    signed = f"{built.removesuffix(':v1')}@{digest}"
    _nv2(place, "verify", "-k", "leaf.crt", signed, code=1)
    _nv2(place, "sign", "-k", "wabbit.key", signed)
    with daemons.docker(daemon, place.environment) as at:
        _nv2(place, "verify", "-k", "leaf.crt", built)
        _nv2(place, "verify", "-k", "leaf.crt", kept, code=1)
        assert digest in place.run(docker, *at, "pull", signed)
        shown = place.run(docker, *at, "image", "inspect", "--format", "{{.RepoDigests}}", signed)
        assert shown == f"[{signed}]\n"


def _nv2(place: Place, *words: str, code: int = 0) -> None:
    environment = {**place.environment, "PYTHONPATH": SOURCE, "HOME": str(place.home)}
    command = [sys.executable, "-c", "from nv2.cli.__main__ import run; run()", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=place.home)
    assert ended.returncode == code, ended.stderr


def test_who_shows_a_wrong_password_is_refused(place: Place, program: Callable[[str], Path]) -> None:
    said = place.run(program("oras"), "login", place.registry, "-u", USER, "-p", "open rye", fails=True)
    assert "unauthorized: incorrect user name or password" in said


def test_notation_and_nv2_sign_and_list_with_a_login(
    place: Place, program: Callable[[str], Path], notation: Path
) -> None:
    place.run(program("oras"), "login", place.registry, "-u", USER, "-p", PASSWORD)
    reference = f"{place.registry}/team/signed:v1"
    place.run(program("oras"), "cp", "--from-oci-layout", "image:v1", reference)
    place.run(notation, "cert", "generate-test", "--default", "wabbit-networks.io")
    place.run(notation, "sign", reference)
    login = {"NOTATION_USERNAME": USER, "NOTATION_PASSWORD": PASSWORD}
    environment = {**os.environ, **place.environment, **login, "PYTHONPATH": SOURCE, "HOME": str(place.home)}
    words = [sys.executable, "-c", "from nv2.cli.__main__ import run; run()", "list", reference]
    ours = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=place.home)
    assert ours.returncode == 0, ours.stderr
    assert "application/vnd.cncf.notary.signature" in ours.stdout
    assert "sha256:" in place.run(notation, "list", reference)


def test_what_is_open_to_all_is_read_without_a_login(place: Place, program: Callable[[str], Path]) -> None:
    oras = program("oras")
    place.run(oras, "login", place.registry, "-u", USER, "-p", PASSWORD)
    for repository in ("team/open", "team/closed"):
        place.run(oras, "cp", "--from-oci-layout", "image:v1", f"{place.registry}/{repository}:v1")
    place.run(oras, "logout", place.registry)
    assert "schemaVersion" in place.run(oras, "manifest", "fetch", f"{place.registry}/team/open:v1")
    place.run(oras, "manifest", "fetch", f"{place.registry}/team/closed:v1", fails=True)
