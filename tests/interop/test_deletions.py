"""What `nv2 delete` leaves in real registries and in an archive, as oras and notation see it, and beside rivals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nv2.oci.digest import fallback_tag, parse_digest
from tests.interop.home import Home
from tests.interop.test_oras import REGISTRIES, Programs, programs, registry, served
from tests.world.images import image_layout, push_image

__all__ = ["programs", "registry", "served"]

pytestmark = pytest.mark.peers

PROCESSES, EACH = 4, 6

SIGN_AND_DELETE = """
import sys, nv2
for number in range(int(sys.argv[2])):
    kept, gone = (
        nv2.sign(sys.argv[1], key="EC-256", user_metadata={"number": f"{sys.argv[3]}-{number}-{kind}"}).manifest.digest
        for kind in ("kept", "gone")
    )
    nv2.delete(nv2.plan_delete(f"{sys.argv[1].partition('@')[0]}@{gone}"))
    print(kept, flush=True)
"""


def signed(home: Home, reference: str, key: str = "EC-256") -> str:
    document = json.loads(home.nv2("sign", "-k", key, "-o", "json", reference).stdout)
    digest: str = document["results"][0]["signature"]["digest"]
    return digest


def tags(programs: Programs, repository: str) -> list[str]:
    return programs.oras("repo", "tags", "--plain-http", repository).split()


def test_a_signature_goes_and_oras_and_notation_see_the_other(programs: Programs, registry: str) -> None:
    digest = push_image(registry, "deleting")
    name, home = f"{registry}/deleting", programs.home
    first, second = signed(home, f"{name}@{digest}"), signed(home, f"{name}@{digest}", "EC-384")
    home.nv2("delete", "--yes", f"{name}@{first}")
    assert [found for found, _ in programs.discovered("--plain-http", f"{name}@{digest}")] == [second]
    home.notation("verify", f"{name}@{digest}")
    assert home.nv2("list", "--heal", f"{name}@{digest}").returncode == 0
    home.nv2("delete", "--yes", f"{name}@{second}")
    assert programs.discovered("--plain-http", f"{name}@{digest}") == []
    assert fallback_tag(parse_digest(digest)) not in tags(programs, name)
    assert home.nv2("verify", f"{name}@{digest}", check=False).returncode == 1
    again = signed(home, f"{name}@{digest}")
    assert [found for found, _ in programs.discovered("--plain-http", f"{name}@{digest}")] == [again]


def test_an_artifact_goes_with_all_that_refers_to_it(programs: Programs, registry: str) -> None:
    name, home = f"{registry}/whole", programs.home
    digest = push_image(registry, "whole")
    other = push_image(registry, "whole", text="other", tag="v2")
    gone = [signed(home, f"{name}@{digest}"), signed(home, f"{name}@{digest}", "EC-384")]
    stays = signed(home, f"{name}@{other}")
    home.nv2("delete", "--yes", "--with-referrers", f"{name}@{digest}")
    for each in (digest, *gone):
        assert home.nv2("tree", f"{name}@{each}", check=False).returncode == 3
    assert [found for found, _ in programs.discovered("--plain-http", f"{name}@{other}")] == [stays]
    assert fallback_tag(parse_digest(digest)) not in tags(programs, name)


def test_what_oras_deleted_of_a_list_does_not_stand_in_the_way(programs: Programs, registry: str) -> None:
    name, home = f"{registry}/dangling", programs.home
    digest = push_image(registry, "dangling")
    by_oras, ours, stays = (signed(home, f"{name}@{digest}") for _ in range(3))
    programs.oras("manifest", "delete", "--plain-http", "-f", f"{name}@{by_oras}")
    home.nv2("delete", "--yes", f"{name}@{ours}")
    assert stays in [found for found, _ in programs.discovered("--plain-http", f"{name}@{digest}")]
    home.nv2("delete", "--yes", "--with-referrers", f"{name}@{digest}")
    assert fallback_tag(parse_digest(digest)) not in tags(programs, name)


def test_an_archive_that_was_deleted_from_is_read_by_oras(programs: Programs, tmp_path: Path) -> None:
    digest = image_layout(tmp_path / "image", "net-monitor")
    packed = f"{tmp_path}/image.tar"
    programs.home.nv2("copy", f"layout:{tmp_path}/image:v1", f"layout:{packed}:v1")
    first, second = (signed(programs.home, f"layout:{packed}:v1", key) for key in ("EC-256", "EC-384"))
    programs.home.nv2("delete", "--yes", f"layout:{packed}@{first}")
    assert [found for found, _ in programs.discovered("--oci-layout", f"{packed}@{digest}")] == [second]


# olareg 0.1.2 loses entries of its own list where several push at once, though it acknowledges them.
@pytest.mark.parametrize("registry", [name for name in REGISTRIES if name != "olareg"], indirect=True)
def test_signers_who_delete_lose_nothing_of_one_another(programs: Programs, registry: str) -> None:
    reference = f"{registry}/rivals@{push_image(registry, 'rivals')}"
    running = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", SIGN_AND_DELETE, reference, str(EACH), str(number)],
            env=programs.home.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    kept = {line for process in running for line in process.communicate(timeout=240)[0].split()}
    assert [process.returncode for process in running] == [0] * PROCESSES
    assert len(kept) == PROCESSES * EACH
    assert {found for found, _ in programs.discovered("--plain-http", reference)} == kept
