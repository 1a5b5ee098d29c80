"""What other clients hear from a registry that sets tags on signed content only, and that they get on once it is signed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nv2.oci.digest import digest_of
from tests.interop import daemons, peers
from tests.interop.daemons import docker_context, needs_root
from tests.interop.home import Home, run_nv2
from tests.world.ca import CA
from tests.world.images import image_layout
from tests.world.judged import write_stores

pytestmark = pytest.mark.peers

WABBIT = CA("Wabbit")
POLICY = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "all",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:wabbit"],
            "trustedIdentities": ["*"],
        }
    ],
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a key, a trust store, and an image in the layout `image`."""
    home = Home(tmp_path, Path("no notation here"))
    pair = WABBIT.issue()
    (tmp_path / "wabbit.key").write_bytes(pair.pem_key())
    (tmp_path / "wabbit.key").chmod(0o600)
    (tmp_path / "wabbit.crt").write_bytes(pair.pem_chain())
    write_stores(home.config, {"ca:wabbit": (WABBIT.certificate,)})
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    image_layout(tmp_path / "image", "net-monitor")
    return home


@pytest.fixture
def registry(home: Home) -> Iterator[str]:
    """`localhost:PORT`."""
    words = [
        "registry",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dir",
        "served",
        "--require-signed",
        "policy.json",
    ]
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "nv2.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=home.directory,
        env=home.environment(),
    ) as process:
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.terminate()


PUSHES: dict[str, tuple[str, ...]] = {
    "oras": ("cp", "--from-oci-layout", "image:v1", "--to-plain-http", "{registry}/app:v1"),
    "skopeo": (
        "copy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        "oci:image:v1",
        "docker://{registry}/app:v1",
    ),
    "crane": ("push", "--insecure", "image", "{registry}/app:v1"),
}


@pytest.mark.parametrize("client", PUSHES)
def test_a_push_is_denied_with_advice_and_goes_through_after_it_was_followed(
    home: Home, registry: str, client: str, program: Callable[[str], Path]
) -> None:
    words = [word.format(registry=registry) for word in PUSHES[client]]
    path = program(client)
    denied = peers.run(path, *words, home=home.directory, check=False)
    assert denied.returncode != 0
    assert "signed content only" in denied.stderr
    advice = re.search(r"sign app@(sha256:[0-9a-f]{64})", denied.stderr)
    assert advice is not None
    assert digest_of(_root(home.directory / "image")) == advice[1]
    run_nv2(("sign", "-k", "wabbit.key", f"{registry}/app@{advice[1]}"), home.environment(), home.directory)
    peers.run(path, *words, home=home.directory)
    tagged = run_nv2(("list", "-o", "json", f"{registry}/app:v1"), home.environment(), home.directory)
    assert len(json.loads(tagged.stdout)["signatures"]) == 1


@needs_root
def test_docker_pushes_signs_by_the_digest_that_it_was_told_and_pushes_the_tag(
    home: Home, registry: str, program: Callable[[str], Path]
) -> None:
    client = program("docker")
    docker_context(home.directory)
    environment = {"DOCKER_CONFIG": str(home.directory / ".docker"), "DOCKER_BUILDKIT": "0"}
    with daemons.docker(program("dockerd"), environment) as at:

        def run(*words: str, check: bool = True) -> str:
            done = peers.run(client, *at, *words, home=home.directory, environment=environment, check=check)
            return done.stdout + done.stderr

        run("build", "-q", "-t", f"{registry}/app:v1", "context")
        said = run("push", f"{registry}/app:v1", check=False)
        [digest] = set(re.findall(r"sign app@(sha256:[0-9a-f]{64}) ", said))
        signing = ("sign", "-k", "wabbit.key", f"{registry}/app@{digest}")
        assert run_nv2(signing, home.environment(), home.directory).returncode == 0
        assert f"digest: {digest}" in run("push", f"{registry}/app:v1")


def _root(layout: Path) -> bytes:
    [entry] = json.loads((layout / "index.json").read_text())["manifests"]
    return (layout / "blobs" / "sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()
