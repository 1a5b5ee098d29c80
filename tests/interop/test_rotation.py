"""The page "Rotate a signing key" does what it says: its commands run, and both programs say what it says of each step."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.server.registry import serve
from tests.interop.home import Home, new_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers

PAGE = Path(__file__).parents[2] / "docs" / "tasks" / "rotate-a-key.md"
GENERATE, TRUST, USE, SIGN_AGAIN, ASK, TAKE_OUT, DELETE, DENY = re.findall(
    r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)

TRUSTED, NOT_TRUSTED = (0, 0), (1, 1)
"""Exit codes of nv2 and of notation."""


class Site(NamedTuple):
    """A team that signs, and machines that verify: here on one home, with an old key in use."""

    home: Home
    registry: str

    def image(self, name: str) -> str:
        """A new image."""
        return f"{self.registry}/{name}@{push_image(self.registry, name)}"

    def sh(self, script: str) -> str:
        """Run commands of the page."""
        keys = str(self.home.config / "localkeys")
        finished = subprocess.run(
            ["/bin/sh", "-eu", "-c", script],
            env={"PATH": f"{self.home.directory}/bin:/usr/bin:/bin", **self.home.environment(KEYS=keys)},
            cwd=self.home.directory,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def list(self, *images: str) -> None:
        """Write the list of what runs."""
        (self.home.directory / "images.txt").write_text("".join(f"{image}\n" for image in images))

    def said(self, image: str) -> tuple[int, int]:
        """What both programs say of an image."""
        programs = (self.home.nv2, self.home.notation)
        nv2, notation = (program("verify", image, check=False).returncode for program in programs)
        return nv2, notation


@pytest.fixture
def site(tmp_path: Path, notation: Path) -> Iterator[Site]:
    with serve(tmp_path / "registry", "127.0.0.1", 0) as registry:
        home = new_home(tmp_path / "home", notation)
        (home.directory / "bin").mkdir()
        program = home.directory / "bin" / "nv2"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m nv2.cli "$@"\n')
        program.chmod(0o755)
        home.write_policy(
            [
                {
                    "name": "everything",
                    "registryScopes": ["*"],
                    "signatureVerification": {"level": "strict"},
                    "trustStores": ["ca:wabbit-networks"],
                    "trustedIdentities": ["x509.subject:C=US,ST=WA,O=wabbit-networks.io"],
                }
            ]
        )
        found = Site(home, registry.address)
        found.sh(
            GENERATE.replace("ci-2", "ci-1") + TRUST.replace("ci-2", "ci-1") + USE.replace("ci-2", "ci-1")
        )
        yield found


def test_at_every_step_both_programs_say_what_the_page_says(site: Site) -> None:
    running, forgotten = site.image("running"), site.image("forgotten")
    site.sh(f"nv2 sign {running} {forgotten}")
    site.list(running)
    assert [site.said(image) for image in (running, forgotten)] == [TRUSTED, TRUSTED]

    site.sh(GENERATE)
    early = site.image("early")
    site.sh(f"nv2 sign --key ci-2 {early}")
    assert [site.said(image) for image in (running, early)] == [TRUSTED, NOT_TRUSTED], "not trusted yet"

    site.sh(TRUST)
    assert [site.said(image) for image in (running, early)] == [TRUSTED, TRUSTED]

    site.sh(USE)
    built = site.image("built")
    site.home.notation("sign", built)
    assert [site.said(image) for image in (running, built)] == [TRUSTED, TRUSTED]

    missed = subprocess.run(
        ["/bin/sh", "-c", ASK],
        env={
            "PATH": f"{site.home.directory}/bin:/usr/bin:/bin",
            **site.home.environment(KEYS=str(site.home.config / "localkeys")),
        },
        cwd=site.home.directory,
        capture_output=True,
    )
    assert missed.returncode == 123, "xargs says that some would be missed"
    site.sh(SIGN_AGAIN)
    assert f"Successfully verified signature for {running}" in site.sh(ASK)
    assert [site.said(image) for image in (running, built, forgotten)] == [TRUSTED] * 3

    site.sh(TAKE_OUT)
    assert [site.said(image) for image in (running, built, forgotten)] == [TRUSTED, TRUSTED, NOT_TRUSTED]

    site.sh(DELETE)
    assert "ci-1" not in site.home.notation("key", "list").stdout
    assert [site.said(image) for image in (running, built, forgotten)] == [TRUSTED, TRUSTED, NOT_TRUSTED]


def test_a_stolen_key_counts_no_more_at_once_for_nv2_and_for_notation_when_it_is_taken_out(
    site: Site,
) -> None:
    old = site.image("old")
    site.sh(f"nv2 sign {old}")
    site.sh(GENERATE + TRUST)
    assert site.said(old) == TRUSTED
    site.sh(DENY)
    assert site.said(old) == (1, 0)
    site.sh(TAKE_OUT)
    assert site.said(old) == NOT_TRUSTED
    site.list(old)
    site.sh(SIGN_AGAIN)
    assert site.said(old) == TRUSTED
