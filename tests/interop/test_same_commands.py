"""The same words in two equal homes: where notation 1.3.2 says what main says, nv2 says it too.

Each program goes through the table in a home of its own; what they print, whether they succeed, and the files
they leave must be equal after each step. nv2 goes by the name `notation`, as it would in a script that moved.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.cli.command import Command, Group, Kind
from nv2.cli.dispatch import COMMANDS as DISPATCHED
from nv2.cli.dispatch import load
from nv2.server.registry import serve
from tests.interop import peers
from tests.interop.home import SUBJECT, Home, new_home
from tests.world.ca import CA, pem
from tests.world.images import push_image

pytestmark = pytest.mark.peers

AS_NOTATION = "import sys; sys.argv[0] = 'notation'; from nv2.cli.__main__ import run; run()"
AUTHORITY, ACME = CA("Wabbit"), CA("Acme")
KEYS = {name: AUTHORITY.issue(SUBJECT.format(key=name), "EC-256") for name in ("first", "second", "third")}


class Step(NamedTuple):
    """A command line; `{image}` and the like are filled in. `lines` are how many lines of output must be equal."""

    words: str
    input: str = ""
    lines: int | None = None
    but: str = ""
    """A pattern of what may differ in an equal place."""


# fmt: off
STEPS = (
    # keys
    Step("key list"),
    Step("key ls"),
    Step("key update --default first"),
    Step("key set first"),
    Step("key update nobody --default"),
    Step("key delete nobody"),
    Step("key delete first nobody"),
    Step("key list"),
    Step("key delete first"),
    Step("key delete second third"),
    Step("key list"),
    # certificates
    Step("cert list"),
    Step("cert add --type ca --store wabbit {home}/root.crt"),
    Step("cert add -t ca -s wabbit {home}/root.crt"),
    Step("cert add -t tsa -s clock {home}/root.crt {home}/bundle.pem"),
    Step("cert add -t nonsense -s clock {home}/root.crt"),
    Step("cert add -t ca -s a/b {home}/root.crt"),
    Step("cert add -t ca -s junk {home}/junk.crt"),
    Step("cert add -t ca -s junk {home}/absent.crt"),
    Step("cert list"),
    Step("certificate ls"),
    Step("cert list -t ca"),
    Step("cert list -s clock"),
    Step("cert list -t tsa -s clock"),
    Step("cert list -t ca -s absent"),
    Step("cert show -t ca -s wabbit root.crt"),
    Step("cert show -t tsa -s clock bundle.pem"),
    Step("cert show -t ca -s wabbit absent.crt"),
    Step("cert delete -t tsa -s clock root.crt", input="n\n"),
    Step("cert delete -t tsa -s clock root.crt", input=""),
    Step("cert delete -t tsa -s clock --all root.crt"),
    Step("cert delete -t tsa -s clock"),
    Step("cert delete -t tsa -s clock --all", input="yes\n"),
    Step("cert delete -t ca -s absent --all --yes"),
    Step("cert list"),
    # a pair for tests
    Step("cert generate-test probe --bits 2048", but=r"\d{4}-\d\d-\d\dT[\d:]+Z"),
    Step("cert generate-test probe", lines=0),
    Step("cert generate-test a/b"),
    Step("key list"),
    Step("cert list"),
    Step("key delete probe"),
    Step("cert delete -t ca -s probe --all -y"),
    # policy
    Step("policy import {home}/absent.json"),
    Step("policy import {home}/junk.crt"),
    Step("policy show"),
    Step("policy import {home}/policy.json", input="n\n", lines=0),
    # verifying, and what it needs
    Step("verify {image}"),
    Step("verify -m a=b {image}"),
    Step("verify -m a=c {image}"),
    Step("verify {image} more words"),
    Step("verify {unsigned}"),
    Step("verify {skipped}"),
    Step("verify {other}"),
    Step("verify {absent}"),
    Step("verify --max-signatures 0 {image}"),
    Step("verify --nonsense {image}"),
    Step("verify"),
    Step("list {image}"),
    Step("ls {image}"),
    Step("list {absent}"),
    Step("list nonsense"),
    Step("inspect -o nonsense {image}"),
    Step("inspect {unsigned}"),
    # signing
    Step("sign {image}"),
    Step("sign -k nobody {image}"),
    Step("sign --expiry -1h {image}"),
    Step("sign -m io.cncf.notary.x=y {image}"),
    # the rest
    Step("version", lines=3, but=r"v?\d+\.\d+\.\d+\S*"),
    Step("version more"),
    Step("login"),
    Step("logout"),
    Step("nonsense"),
)
# fmt: on


class World(NamedTuple):
    """Equal homes, and what the words stand for."""

    theirs: Home
    ours: Home
    words: dict[str, str]


def _home(directory: Path, notation: Path, registry: str) -> Home:
    home = new_home(directory, notation)
    home.write_keys(KEYS)
    home.write_policy([_statement(registry, "image"), _statement(registry, "unsigned"), _skipping(registry)])
    (directory / "root.crt").write_bytes(pem([AUTHORITY.chain[-1]]))
    (directory / "bundle.pem").write_bytes(pem([AUTHORITY.chain[-1], ACME.chain[-1]]))
    (directory / "junk.crt").write_text("junk")
    (directory / "policy.json").write_bytes((home.config / "trustpolicy.json").read_bytes())
    return home


def _statement(registry: str, repository: str) -> dict[str, object]:
    return {
        "name": repository,
        "registryScopes": [f"{registry}/{repository}"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["x509.subject:C=US,ST=WA,O=wabbit-networks.io"],
    }


def _skipping(registry: str) -> dict[str, object]:
    return {
        "name": "skipped",
        "registryScopes": [f"{registry}/skipped"],
        "signatureVerification": {"level": "skip"},
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Iterator[World]:
    with serve(tmp_path_factory.mktemp("registry"), "127.0.0.1", 0) as registry:
        address = registry.address
        theirs, ours = (_home(tmp_path_factory.mktemp("home") / "h", notation, address) for _ in range(2))
        words = {
            name: f"{address}/{name}@{push_image(address, name)}"
            for name in ("image", "unsigned", "skipped", "other")
        }
        ours.nv2("sign", "-k", "first", "-m", "a=b", words["image"])
        image = words["image"]
        absent = image[:-1] + ("1" if image.endswith("0") else "0")
        yield World(theirs, ours, {**words, "absent": absent})


class Seen(NamedTuple):
    """What a step shows and leaves."""

    failed: bool
    printed: str
    files: dict[str, bytes]


def _seen(step: Step, home: Home, finished: subprocess.CompletedProcess[str]) -> Seen:
    printed = finished.stdout.replace(str(home.directory), "HOME")
    if step.lines is not None:
        printed = "".join(printed.splitlines(keepends=True)[: step.lines])
    if step.but:
        printed = re.sub(step.but, "…", printed)
    files = {
        str(path.relative_to(home.config)): path.read_bytes().replace(str(home.directory).encode(), b"HOME")
        for path in home.config.rglob("*")
        if path.is_file() and "probe" not in path.name
    }
    return Seen(finished.returncode != 0, printed, files)


def _run(command: list[str], home: Home, step: Step, words: list[str]) -> Seen:
    finished = subprocess.run(
        [*command, *words],
        env={"PATH": "/usr/bin:/bin", **home.environment()},
        cwd=home.directory,
        input=step.input,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode in (0, 1), finished.stderr
    assert bool(finished.stderr) or not finished.returncode
    return _seen(step, home, finished)


def test_every_step_looks_the_same_and_leaves_the_same(world: World) -> None:
    for number, step in enumerate(STEPS):
        seen = []
        for home, command in (
            (world.theirs, [str(world.theirs.notation_program)]),
            (world.ours, [sys.executable, "-I", "-c", AS_NOTATION]),
        ):
            words = [word.format(home=home.directory, **world.words) for word in step.words.split(" ")]
            seen.append(_run(command, home, step, words))
        theirs, ours = seen
        assert ours == theirs, f"step {number}: {step.words}"


COMMANDS = (
    "sign",
    "verify",
    "list",
    "inspect",
    "login",
    "logout",
    *(f"key {name}" for name in ("add", "delete", "list", "update")),
    *(f"cert {name}" for name in ("add", "delete", "list", "show", "generate-test")),
    *(f"policy {name}" for name in ("import", "show")),
    "version",
)
FLAG = re.compile(r"^ +(?:-(\w), |    )--([a-z0-9-]+)(?: (\w+))?", re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_notation_is_one_of_nv2(notation: Path, tmp_path: Path, name: str) -> None:
    environment = {"NOTATION_EXPERIMENTAL": "1", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    shown = peers.run(notation, *name.split(), "--help", home=tmp_path, environment=environment).stdout
    theirs = set(FLAG.findall(shown))
    assert theirs
    word, *rest = name.split()
    command = load(DISPATCHED[word])
    if isinstance(command, Group):
        command = next(found for words, found in command.below() if words == tuple(rest))
    assert isinstance(command, Command)
    ours = {flag.name: flag for flag in command.flags}
    for short, long, value in theirs:
        if long == "help":
            continue
        assert long in ours, long
        assert ours[long].short == short or not short, long
        assert (ours[long].kind is Kind.BOOL) == (not value), long
