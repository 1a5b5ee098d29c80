"""What oras makes of nv2's signatures, and nv2 of what oras copied: on registries and in layouts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.oci import media_types as mt
from tests.interop import peers
from tests.interop.home import Home, wabbit_home
from tests.world.images import image_layout, push_image

pytestmark = pytest.mark.peers

REGISTRIES = ("distribution31", "distribution28", "olareg", "served")
SCOPE = ("--scope", "local/layout")


class Programs(NamedTuple):
    """nv2 and notation with their home, and oras."""

    home: Home
    oras_program: Path

    def oras(self, *words: str) -> str:
        return peers.run(self.oras_program, *words, home=self.home.directory).stdout

    def discovered(self, *words: str) -> list[tuple[str, str]]:
        """Digest and type of each referrer that oras shows."""
        document: dict[str, Any] = json.loads(self.oras("discover", "--format", "json", *words))
        found = document.get("referrers") or document.get("manifests") or []
        return sorted((item["digest"], item["artifactType"]) for item in found)

    def listed(self, reference: str) -> list[tuple[str, str]]:
        """The same as nv2 shows it."""
        document = json.loads(self.home.nv2("list", "-o", "json", reference).stdout)
        return sorted((item["digest"], mt.SIGNATURE) for item in document["signatures"])


@pytest.fixture
def programs(tmp_path: Path, notation: Path, oras: Path) -> Programs:
    return Programs(wabbit_home(tmp_path / "home", notation), oras)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`localhost:PORT` as `nv2 registry serve` printed it."""
    words = ["registry", "serve", "--listen", "127.0.0.1:0", "--dir"]
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "nv2.cli", *words, str(tmp_path_factory.mktemp("served") / "here")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(120) == 143


@pytest.fixture(params=REGISTRIES)
def registry(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_oras_discovers_what_nv2_and_notation_signed(programs: Programs, registry: str) -> None:
    reference = f"{registry}/discover@{push_image(registry, 'discover')}"
    programs.home.nv2("sign", "-k", "EC-256", reference)
    programs.home.nv2("sign", "-k", "RSA-2048", "--signature-format", "cose", reference)
    programs.home.notation("sign", "-k", "EC-384", "--force-referrers-tag=false", reference)
    ours = programs.listed(reference)
    assert len(ours) == 3
    assert programs.discovered("--plain-http", reference) == ours


def test_signatures_go_with_oras_from_registry_to_layout_and_back(
    programs: Programs, registry: str, tmp_path: Path
) -> None:
    push_image(registry, "travel")
    programs.home.nv2("sign", "-k", "EC-256", f"{registry}/travel:v1")
    programs.oras(
        "cp", "-r", "--from-plain-http", f"{registry}/travel:v1", "--to-oci-layout", f"{tmp_path}/there:v1"
    )
    programs.home.nv2("verify", *SCOPE, f"layout:{tmp_path}/there:v1")
    programs.home.nv2("sign", "-k", "EC-384", f"layout:{tmp_path}/there:v1")
    assert len(programs.listed(f"layout:{tmp_path}/there:v1")) == 2
    programs.oras(
        "cp", "-r", "--from-oci-layout", f"{tmp_path}/there:v1", "--to-plain-http", f"{registry}/returned:v1"
    )
    assert len(programs.listed(f"{registry}/returned:v1")) == 2
    programs.home.nv2("verify", f"{registry}/returned:v1")
    programs.home.notation("verify", f"{registry}/returned:v1")


def test_a_layout_that_nv2_signed_is_read_by_oras_and_notation(programs: Programs, tmp_path: Path) -> None:
    digest = image_layout(tmp_path / "image", "net-monitor")
    programs.home.nv2("sign", "-k", "EC-256", f"layout:{tmp_path}/image:v1")
    programs.home.nv2("sign", "-k", "RSA-2048", "--signature-format", "cose", f"layout:{tmp_path}/image:v1")
    ours = programs.listed(f"layout:{tmp_path}/image:v1")
    assert programs.discovered("--oci-layout", f"{tmp_path}/image:v1") == ours
    assert programs.oras("repo", "tags", "--oci-layout", f"{tmp_path}/image") == "v1\n"
    shown = programs.home.notation("list", "--oci-layout", f"{tmp_path}/image@{digest}").stdout
    assert all(signature in shown for signature, _ in ours)
    programs.home.notation("verify", "--oci-layout", *SCOPE, f"{tmp_path}/image@{digest}")


def test_a_layout_that_nv2_copied_is_read_by_oras_and_notation(
    programs: Programs, registry: str, tmp_path: Path
) -> None:
    digest = push_image(registry, "leaving")
    programs.home.notation(
        "sign", "-k", "EC-256", "--force-referrers-tag=false", f"{registry}/leaving@{digest}"
    )
    programs.home.nv2("copy", f"{registry}/leaving:v1", f"layout:{tmp_path}/there")
    assert programs.discovered("--oci-layout", f"{tmp_path}/there:v1") == programs.listed(
        f"{registry}/leaving:v1"
    )
    programs.home.notation("verify", "--oci-layout", *SCOPE, f"{tmp_path}/there@{digest}")


def test_an_archive_is_one_thing_to_nv2_and_to_oras(programs: Programs, tmp_path: Path) -> None:
    image_layout(tmp_path / "image", "net-monitor")
    programs.home.nv2("sign", "-k", "EC-256", f"layout:{tmp_path}/image:v1")
    packed = f"{tmp_path}/image.tar"
    peers.run("tar", "-C", f"{tmp_path}/image", "-cf", packed, ".", home=tmp_path)
    ours = programs.listed(f"layout:{packed}:v1")
    assert len(ours) == 1
    assert programs.discovered("--oci-layout", f"{packed}:v1") == ours
    programs.home.nv2("verify", *SCOPE, f"layout:{packed}:v1")
    programs.home.nv2("copy", f"layout:{packed}:v1", f"layout:{tmp_path}/there:v1")
    assert programs.discovered("--oci-layout", f"{tmp_path}/there:v1") == ours


def test_the_served_registry_is_one_to_oras_and_notation(
    programs: Programs, served: str, tmp_path: Path
) -> None:
    folder = programs.home.directory
    (folder / "content.txt").write_text("hello")
    target = f"{served}/pushed:v1"
    programs.oras("push", "--plain-http", "--artifact-type", "application/x", target, "content.txt")
    programs.oras("attach", "--plain-http", "--artifact-type", "application/sbom", target, "content.txt")
    programs.oras("pull", "--plain-http", "-o", str(tmp_path / "pulled"), target)
    assert (tmp_path / "pulled/content.txt").read_text() == "hello"
    assert "pushed" in programs.oras("repo", "ls", "--plain-http", served).split()
    programs.home.notation("sign", "-k", "EC-256", "--force-referrers-tag=false", target)
    programs.home.notation("verify", target)
    kinds = {kind for _, kind in programs.discovered("--plain-http", target)}
    assert kinds == {"application/sbom", mt.SIGNATURE}
    # By the referrers API: there is no fallback tag.
    assert programs.oras("repo", "tags", "--plain-http", f"{served}/pushed").split() == ["v1"]
    [(signature, _)] = programs.listed(target)
    programs.oras("manifest", "delete", "--plain-http", "-f", f"{served}/pushed@{signature}")
    assert programs.listed(target) == []
    programs.oras("manifest", "delete", "--plain-http", "-f", target)
    assert programs.home.nv2("list", target, check=False).returncode == 3
