"""The registries that both programs talk to, on ports of their own, and the images in them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.programs import KEY, Program
from tests.interop import peers
from tests.peers import find
from tests.world.images import push_image


@contextmanager
def distribution(folder: Path) -> Iterator[str | None]:
    """CNCF Distribution 3.1, which has no referrers API. Gives `localhost:PORT`, or None if it is not here."""
    program = find("distribution")
    if program is None:
        yield None
        return
    folder.mkdir()
    with peers.distribution(program, folder) as address:
        yield address


@contextmanager
def embedded(folder: Path, nv2: Program) -> Iterator[str]:
    """The registry of nv2 itself, which has the referrers API. Gives `localhost:PORT`."""
    command = [*nv2.command, "registry", "serve", "--dir", str(folder), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, env=nv2.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            said = next(iter(process.stdout or ()), "")
            yield next(word for word in said.split() if word.startswith("localhost:"))
        finally:
            process.terminate()


def signed_image(address: str, repository: str, nv2: Program) -> str:
    """Push an image with one signature; its name without the registry, by digest."""
    name = image(address, repository)
    nv2.run("sign", "--key", KEY, f"{address}/{name}")
    return name


def image(address: str, repository: str, text: str | None = None) -> str:
    """Push an image whose layer is `text`, without signatures; its name without the registry, by digest."""
    return f"{repository}@{push_image(address, repository, text=text)}"
