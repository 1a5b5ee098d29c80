"""The page "Timestamps": its commands, its piece of a policy and its table are true."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nv2.server.registry import serve
from tests.unit.cli.command_line import CommandLine
from tests.world.ca import pem
from tests.world.images import push_image
from tests.world.tsa import TSA, serving

PAGE = (Path(__file__).parents[3] / "docs" / "tasks" / "timestamps.md").read_text(encoding="utf-8")
INDENTED = "\n".join(line[4:] for line in PAGE.splitlines() if line.startswith("    "))
SIGN, ADD = re.findall(r"^nv2 (.*)$", INDENTED.replace("\\\n", ""), re.MULTILINE)
STATEMENT = json.loads("{" + INDENTED[INDENTED.index('"signatureVerification"') :] + "}")


@pytest.fixture
def image(wabbit: CommandLine, tmp_path: Path) -> Iterator[str]:
    """An image that may be signed with the key `ci`."""
    assert wabbit("key", "add", "ci", "--key-file", "wabbit.key", "--cert-file", "wabbit.crt").code == 0
    assert wabbit("cert", "add", "--type", "ca", "--store", "wabbit", "root.crt").code == 0
    with serve(tmp_path / "registry", "127.0.0.1", 0) as registry:
        yield f"{registry.address}/net-monitor@{push_image(registry.address, 'net-monitor')}"


def policy(line: CommandLine, **changes: Any) -> None:
    scope = {"name": "all", "registryScopes": ["*"], "trustedIdentities": ["*"]}
    document = {"version": "1.0", "trustPolicies": [{**scope, **STATEMENT, **changes}]}
    (line.config / "trustpolicy.json").write_text(json.dumps(document))


def test_the_page_does_what_it_says(wabbit: CommandLine, image: str) -> None:
    clock = TSA("Clock")
    (wabbit.directory / "tsa-root.crt").write_bytes(pem([clock.root]))
    always = {"signatureVerification": {"level": "strict", "verifyTimestamp": "always"}}
    assert wabbit("sign", "-k", "ci", image).code == 0
    assert wabbit(*shlex.split(ADD)).code == 0
    policy(wabbit)
    assert wabbit("verify", image).code == 0, "while the certificates are valid, no timestamp is looked at"
    policy(wabbit, **always)
    assert "no timestamp countersignature" in wabbit("verify", image).err
    with serving(clock) as url:
        words = SIGN.replace("http://timestamp.example.com", url)
        words = re.sub(r"registry\.example\.com/\S+", image, words)
        assert wabbit(*shlex.split(words)).code == 0
    assert len(clock.requests) == 1
    for changes in (always, {"signatureVerification": {"level": "strict"}}):
        policy(wabbit, **changes)
        assert wabbit("verify", image).code == 0, "a good timestamp"
    assert "timestamp signature" in wabbit("inspect", image).out
