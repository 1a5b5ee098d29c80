"""A command line, and a home with a signed image in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.two_registries import Two
from tests.world.artifacts import attach_referrer, push_image
from tests.world.ca import CA, pem
from tests.world.images import image_layout

WABBIT = CA("Wabbit")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch)


@pytest.fixture
def wabbit(line: CommandLine) -> CommandLine:
    """In the directory: `wabbit.key`, `wabbit.crt` (the chain), `leaf.crt`, `root.crt`, and a layout `image`."""
    pair = WABBIT.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    files = {
        "wabbit.key": pair.pem_key(),
        "wabbit.crt": pair.pem_chain(),
        "leaf.crt": pem([pair.leaf]),
        "root.crt": pem([pair.root]),
        "wabbit.pub": pair.pem_public_key(),
    }
    for name, data in files.items():
        (line.directory / name).write_bytes(data)
    (line.directory / "wabbit.key").chmod(0o600)
    image_layout(line.directory / "image", "net-monitor")
    return line


IMAGE = "layout:image:v1"


@pytest.fixture
def two(wabbit: CommandLine) -> Two:
    """Two registries; one has a few repositories."""
    found = Two()
    wabbit.reach(found)
    for repository, tags in (("team/app", ("v1.0", "v1.1", "v2.0")), ("team/tool", ("v1.0",))):
        store = found.store(found.here, repository)
        for tag in tags:
            image = push_image(store, f"{repository} {tag}".encode())
            attach_referrer(store, image, tag.encode())
            store.tag(image, tag)
    return found
