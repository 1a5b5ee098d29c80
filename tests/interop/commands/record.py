"""Make the data of this folder anew, with a notation of the main branch that was built on this machine.

    python -m tests.interop.commands.record PROGRAM             # what it shows and leaves, step by step
    python -m tests.interop.commands.record PROGRAM --data      # keys and signatures too
    python -m tests.interop.commands.record PROGRAM --stamped   # signatures with timestamps too

Main is no module that can be had from a proxy; so its behaviour is kept here, and the test compares nv2 with that.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from nv2.server.registry import serve
from tests.interop.commands.running import run_step
from tests.interop.commands.state import ANYBODY, DATA, KEYS, REPOSITORIES, new_state
from tests.interop.commands.steps import STEPS
from tests.interop.home import Home, new_home
from tests.world.ca import CA, pem
from tests.world.images import push_image
from tests.world.tsa import TSA, serving

COMMIT = "2a558558ae29505a54c67621ae5aef3f1764367a"
"""Of notaryproject/notation: what PROGRAM must have been built from."""

TRANSCRIPT = DATA / f"notation-{COMMIT[:8]}.json"
FLAG = re.compile(r"^ +(?:-(\w), |    )--([a-z0-9-]+)(?: (\w+))?", re.MULTILINE)

SIGNATURES = (
    # repository  flags of `notation sign`
    ("image",    "-k first -m purpose=demo -m a=b"),
    ("cose",     "-k second --signature-format cose -m purpose=demo"),
    ("several",  "-k first"),
    ("several",  "-k second --signature-format cose --expiry 240000h"),
    ("several",  "-k third -m a=b"),
    ("expired",  "-k first --expiry 1s"),
    ("foreign",  "-k acme"),
    ("audited",  "-k acme"),
)  # fmt: skip

STAMPED: tuple[tuple[str, bool, dict[str, Any]], ...] = (
    # flags               below another one  what the timestamping authority says
    ("-k first",          False,             {"accuracy": (1, 0, 0)}),
    ("-k second --signature-format cose", True, {"accuracy": (0, 600, 0), "fraction": ".5"}),
    ("-k third",          False,             {"accuracy": None}),
)  # fmt: skip
"""Signatures with timestamps."""

COMMANDS = (
    "sign", "verify", "list", "inspect", "login", "logout", "version",
    *(f"key {name}" for name in ("add", "delete", "list", "update")),
    *(f"cert {name}" for name in ("add", "delete", "list", "show", "generate-test", "cleanup-test")),
    *(f"policy {name}" for name in ("import", "show")),
    *(f"plugin {name}" for name in ("install", "list", "uninstall")),
    *(f"blob {name}" for name in ("sign", "verify", "inspect", "policy init", "policy import", "policy show")),
)  # fmt: skip


def make_data(program: Path) -> None:
    """Keys, certificates, and signatures by `program`."""
    wabbit, acme = CA("Wabbit"), CA("Acme")
    for name in ("keys", "files", "signatures"):
        shutil.rmtree(DATA / name, ignore_errors=True)
        (DATA / name).mkdir(parents=True)
    pairs = {name: wabbit.issue(f"CN={name},O=wabbit-networks.io,ST=WA,C=US", "EC-256") for name in KEYS}
    for name, pair in pairs.items():
        (DATA / "keys" / f"{name}.key").write_bytes(pair.pem_key())
        (DATA / "keys" / f"{name}.crt").write_bytes(pair.pem_chain())
    (DATA / "files" / "root.crt").write_bytes(pem([wabbit.chain[-1]]))
    (DATA / "files" / "bundle.pem").write_bytes(pem([wabbit.chain[-1], acme.chain[-1]]))
    (DATA / "files" / "signed.bin").write_bytes(b"signed bytes\n" * 100)
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(Path(folder) / "home", program)
        home.write_keys({**pairs, "acme": acme.issue(f"CN=acme,{ANYBODY.partition(':')[2]}", "EC-256")})
        with serve(Path(folder) / "registry", "127.0.0.1", 0) as registry:
            for number, (repository, flags) in enumerate(SIGNATURES):
                _keep_signature(home, registry.address, repository, flags, number)
        _sign_files(home)
    make_stamped(program)


def make_stamped(program: Path) -> None:
    """Signatures with timestamps by `program`, and the root of their authority, with the keys that are kept."""
    authority = CA("Clock")
    shutil.rmtree(DATA / "signatures" / "stamped", ignore_errors=True)
    (DATA / "files" / "tsa.crt").write_bytes(pem([authority.certificate]))
    with tempfile.TemporaryDirectory() as folder, new_state(Path(folder) / "state", program) as state:
        for number, (flags, below, how) in enumerate(STAMPED, len(SIGNATURES)):
            clock = TSA("Clock", authority=authority.intermediate("Minutes") if below else authority)
            clock.how = how
            with serving(clock) as url:
                stamping = f"--timestamp-url {url} --timestamp-root-cert {DATA / 'files' / 'tsa.crt'}"
                _keep_signature(state.home, state.registry, "stamped", f"{flags} {stamping}", number)


def _keep_signature(home: Home, registry: str, repository: str, flags: str, number: int) -> None:
    digest = push_image(registry, repository)
    printed = home.notation("sign", *flags.split(), f"{registry}/{repository}@{digest}").stdout
    pushed = printed.split()[-1].partition("@")[2]
    manifest = _fetch(registry, repository, "manifests", pushed)
    envelope = _fetch(registry, repository, "blobs", json.loads(manifest)["layers"][0]["digest"])
    folder = DATA / "signatures" / repository
    folder.mkdir(exist_ok=True)
    (folder / f"{number}.manifest.json").write_bytes(manifest)
    (folder / f"{number}.envelope").write_bytes(envelope)
    time.sleep(1.1)


def _fetch(registry: str, repository: str, kind: str, digest: str) -> bytes:
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    request = urllib.request.Request(f"http://{registry}/v2/{repository}/{kind}/{digest}", headers=accept)
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def _sign_files(home: Home) -> None:
    blob = home.directory / "signed.bin"
    shutil.copy(DATA / "files" / "signed.bin", blob)
    for form in ("jws", "cose"):
        words = f"-k first --signature-format {form} --media-type video/mp4 -m purpose=demo".split()
        home.notation("blob", "sign", *words, str(blob))
        shutil.copy(f"{blob}.{form}.sig", DATA / "files")


def record(program: Path) -> None:
    """Run every step, and ask every command for its flags."""
    flags = {name: _flags(program, name) for name in COMMANDS}
    seen = []
    with tempfile.TemporaryDirectory() as folder, new_state(Path(folder) / "state", program) as state:
        for step in STEPS:
            result = run_step(step, state, [str(program)])
            seen.append({"words": step.words, **result.to_json()})
    document = {"commit": COMMIT, "repositories": list(REPOSITORIES), "flags": flags, "steps": seen}
    TRANSCRIPT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _flags(program: Path, name: str) -> list[list[str]]:
    environment = {"NOTATION_EXPERIMENTAL": "1", "HOME": "/nonexistent"}
    command = [str(program), *name.split(), "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [list(found) for found in FLAG.findall(shown)]


if __name__ == "__main__":
    notation = Path(sys.argv[1]).absolute()
    made = {"--data": make_data, "--stamped": make_stamped}
    if len(sys.argv) > 2:
        made[sys.argv[2]](notation)
        subprocess.run([sys.executable, "-m", "tests.interop.commands.record", str(notation)], check=True)
    else:
        record(notation)
