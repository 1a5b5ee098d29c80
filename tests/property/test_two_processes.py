"""Two processes with the same files and bytes agree, whatever else differs between them.

The worlds are image layouts with signatures, policies and trust stores that were mutated from seeds. Each process
judges all of them; hash seed, locale, encodings, time zone, working directory, home, umask and optimization differ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import nv2
from nv2.content.interface import opener
from nv2.content.layout.store import LayoutStore
from nv2.home.lock import host_lock
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import build_signature_manifest
from tests.differential.cases import make
from tests.world.ca import CA
from tests.world.judged import SCOPE, Case, write_stores
from tests.world.signed import SIGNED_AT, sealed

WORLDS = 24
SIGNATURES = 4
"""Of each world, in the mean."""

ACCENTED = CA("Wabbit").issue("CN=Björn \N{SNOWMAN},O=wabbit-networks.io,ST=WA,C=US", key="EC-256")

JUDGE = f"""
import os, sys
from pathlib import Path
from nv2.cli.dispatch import main
from nv2.cli.output import Output

output = Output(sys.stdout, sys.stderr)
for world in sys.argv[1:]:
    os.environ["NOTATION_CONFIG"] = world + "/config"
    reference = Path(world, "reference").read_text(encoding="utf-8")
    for more in (["-o", "json"], ["-o", "json", "-m", "st\\u00e4ge=x"]):
        output.line(str(main(["verify", "--scope", {SCOPE!r}, *more, reference], output)))
    output.line(str(main(["list", "-o", "json", reference], output)))
    output.line(str(main(["inspect", "-o", "json", reference], output)))
output.flush()
"""


class Process(NamedTuple):
    """What one of the two lives in."""

    name: str
    settings: dict[str, str]
    umask: int
    flags: tuple[str, ...] = ()


ONE = Process(
    "one",
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
    0o022,
)
OTHER = Process(
    "other",
    {
        "PYTHONHASHSEED": "4242",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "POSIX",
        "LANGUAGE": "de",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:backslashreplace",
        "NO_COLOR": "1",
        "COLUMNS": "20",
    },
    0o077,
    ("-O",),
)


def cases(number: int) -> Iterator[Case]:
    """The mutated signatures of a world; the policy of the first is the world's."""
    for seed in range(number * SIGNATURES, (number + 1) * SIGNATURES):
        yield make(20_000 + seed).case


def write_world(directory: Path, number: int) -> Path:
    """A layout, a configuration, and the reference of what is to be judged."""
    found = list(cases(number))
    subject = describe(found[0].artifact, mt.IMAGE_MANIFEST)
    store = LayoutStore(directory / "layout", create=True, lock=host_lock(directory / "locks"))
    put(store, subject, found[0].artifact)
    accented = sealed(subject, ACCENTED, user_metadata={"stäge": "x", "b": "\N{SNOWMAN}", "a": "<&>"})
    signatures = [*((case.envelope, case.media_type) for case in found), (accented, mt.JWS)]
    for envelope, media_type in signatures:
        blob = describe(envelope, media_type)
        built = build_signature_manifest(subject, blob, (), SIGNED_AT)
        for descriptor, data in ((blob, envelope), built.config, (built.descriptor, built.data)):
            put(store, descriptor, data)
        store.attach(subject, [built.descriptor])
    store.close()
    write_stores(directory / "config", {**found[0].stores, "ca:accented": (ACCENTED.root,)})
    (directory / "config" / "trustpolicy.json").write_text(policy(found[0].policy, number), encoding="utf-8")
    reference = f"layout:{directory / 'layout'}@{subject.digest}"
    (directory / "reference").write_text(reference, encoding="utf-8")
    return directory


def policy(text: str, number: int) -> str:
    """A third of the worlds has a mutated one, a third trusts the accented signer, a third lacks a store."""
    if number % 3 == 0:
        return text
    statement = {
        "name": "größe",
        "registryScopes": [SCOPE],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:accented" if number % 3 == 1 else "ca:absent"],
        "trustedIdentities": ["*"],
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement]}, ensure_ascii=False)


def put(store: LayoutStore, descriptor: Descriptor, data: bytes) -> None:
    store.push(descriptor, opener(data))


def judged(process: Process, worlds: list[Path], directory: Path) -> subprocess.CompletedProcess[bytes]:
    home = directory / process.name
    home.mkdir()
    source = str(Path(nv2.__file__).parents[1])
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": source, **process.settings}
    return subprocess.run(
        [sys.executable, *process.flags, "-c", JUDGE, *map(str, worlds)],
        cwd=home,
        env=environment,
        umask=process.umask,
        capture_output=True,
        timeout=200,
        check=True,
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, bytes, bytes]:
    directory = tmp_path_factory.mktemp("two")
    worlds = [write_world(directory / f"world-{number}", number) for number in range(WORLDS)]
    one, other = judged(ONE, worlds, directory), judged(OTHER, worlds, directory)
    return one.stdout, other.stdout, one.stderr, other.stderr


def test_two_processes_with_the_same_files_print_the_same_bytes(
    answers: tuple[bytes, bytes, bytes, bytes],
) -> None:
    one, other, _, _ = answers
    assert one == other


def test_their_errors_differ_in_nothing_but_what_an_old_terminal_cannot_show(
    answers: tuple[bytes, bytes, bytes, bytes],
) -> None:
    _, _, one, other = answers
    assert one.decode().encode("ascii", "backslashreplace") == other


def test_the_worlds_are_of_every_kind(answers: tuple[bytes, bytes, bytes, bytes]) -> None:
    text = answers[0].decode()
    assert all(f'"verdict": "{verdict}"' in text for verdict in ("trusted", "notTrusted", "undecided"))
    assert "Björn \N{SNOWMAN}" in text
    assert {line for line in text.splitlines() if line.isdigit()} == {"0", "1", "3"}
