"""Measure nv2 against notation: `python -m benchmarks.run`, see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tests.interop import peers
from tests.peers import find

from nv2 import __version__

WARM_UP = 2
"""Processes before counting begins: file caches, byte code."""

SUBJECT = "C=US,ST=WA,O=wabbit-networks.io"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Program(NamedTuple):
    """A program under test, and the environment it runs in."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def run(self, *arguments: str) -> float:
        """Milliseconds of the whole process, which must succeed."""
        begin = time.perf_counter()
        finished = subprocess.run(
            [*self.command, *arguments], env=self.environment, capture_output=True, text=True
        )
        spent = (time.perf_counter() - begin) * 1000
        if finished.returncode:
            sys.exit(f"{self.name} {' '.join(arguments)}: exit {finished.returncode}\n{finished.stderr}")
        return spent


class Figure(NamedTuple):
    """Milliseconds of every counted process, by program."""

    verb: str
    registry: str
    runs: dict[str, list[float]]


def main() -> None:
    """Measure, print a table, write JSON if asked to."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="nv2-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        programs = _programs(folder)
        figures: list[Figure] = []
        for registry, start in _registries(folder, programs[0]):
            address = stack.enter_context(start())
            figures += _measure(address, registry, programs, options)
    _print(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(_document(figures, options.runs), indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="processes per figure")
    parser.add_argument("--json", metavar="FILE", help="where to write what was measured")
    parser.add_argument("--only", choices=("verify", "sign", "list"), help="measure one verb")
    return parser.parse_args()


def _programs(folder: Path) -> list[Program]:
    """nv2 and, if it is here, notation, with one key, one store and one policy for both."""
    config = folder / "notation"
    environment = {
        "HOME": str(folder),
        "PATH": os.defpath,
        "NOTATION_CONFIG": str(config),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    nv2 = Program("nv2", (str(Path(sys.executable).with_name("nv2")),), environment)
    nv2.run("key", "generate", "bench", "--subject", SUBJECT, "--default")
    nv2.run("cert", "add", "--type", "ca", "--store", "bench", str(config / "localkeys" / "bench.crt"))
    statement = {
        "name": "bench",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:bench"],
        "trustedIdentities": [f"x509.subject:{SUBJECT}"],
    }
    (config / "trustpolicy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))
    (config / "trustpolicy.json").chmod(0o600)
    notation = find("notation")
    return [nv2, Program("notation", (str(notation),), environment)] if notation else [nv2]


Start = Callable[[], AbstractContextManager[str]]
"""Starts a registry and gives its address."""


def _registries(folder: Path, nv2: Program) -> Iterator[tuple[str, Start]]:
    yield "embedded", lambda: _embedded(folder / "embedded", nv2)
    if program := find("distribution"):
        (folder / "distribution").mkdir()
        yield "Distribution", lambda: peers.distribution(program, folder / "distribution")


@contextmanager
def _embedded(folder: Path, nv2: Program) -> Iterator[str]:
    command = [*nv2.command, "registry", "serve", "--dir", str(folder), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, env=nv2.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            said = next(iter(process.stdout or ()), "")
            yield next(word for word in said.split() if word.startswith("localhost:"))
        finally:
            process.terminate()


def _measure(
    address: str, registry: str, programs: list[Program], options: argparse.Namespace
) -> Iterator[Figure]:
    signed = _push(address, "bench/signed", "signed")
    programs[0].run("sign", "--key", "bench", signed)
    fresh = (_push(address, "bench/fresh", f"image {i}") for i in range(sys.maxsize))
    verbs: dict[str, Callable[[Program], float]] = {
        "verify": lambda program: program.run("verify", signed),
        "sign": lambda program: program.run("sign", "--key", "bench", next(fresh)),
        "list": lambda program: program.run("list", signed),
    }
    for verb, run in verbs.items():
        if options.only in (None, verb):
            runs: dict[str, list[float]] = {program.name: [] for program in programs}
            for turn in range(WARM_UP + options.runs):
                for program in programs if turn % 2 else programs[::-1]:
                    spent = run(program)
                    if turn >= WARM_UP:
                        runs[program.name].append(spent)
            yield Figure(verb, registry, runs)


def _push(address: str, repository: str, content: str) -> str:
    """Push an image with one small layer; gives its reference by digest."""
    base = f"http://{address}/v2/{repository}"
    config, layer = (_push_blob(base, data) for data in (b"{}", content.encode()))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
    }
    data = json.dumps(manifest).encode()
    digest = f"sha256:{sha256(data).hexdigest()}"
    _put(f"{base}/manifests/{digest}", data, MANIFEST)
    return f"{address}/{repository}@{digest}"


def _push_blob(base: str, data: bytes) -> dict[str, object]:
    digest = f"sha256:{sha256(data).hexdigest()}"
    with urllib.request.urlopen(urllib.request.Request(f"{base}/blobs/uploads/", method="POST")) as answer:
        place = urllib.parse.urljoin(base, answer.headers["Location"])
    _put(f"{place}{'&' if '?' in place else '?'}digest={digest}", data, "application/octet-stream")
    return {"digest": digest, "size": len(data)}


def _put(url: str, data: bytes, media_type: str) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": media_type}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        answer.read()


def _print(figures: list[Figure]) -> None:
    print(f"{'':8} {'registry':14} {'nv2':>9} {'notation':>9}   ratio")
    for figure in figures:
        middle = {name: statistics.median(runs) for name, runs in figure.runs.items()}
        cells = [f"{middle[name]:6.1f} ms" if name in middle else "" for name in ("nv2", "notation")]
        ratio = f"{middle['nv2'] / middle['notation']:7.2f}" if "notation" in middle else ""
        print(f"{figure.verb:8} {figure.registry:14} {cells[0]:>9} {cells[1]:>9} {ratio}")


def _document(figures: list[Figure], runs: int) -> dict[str, object]:
    return {
        "schema": "nv2.bench/v1",
        "nv2": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "runs": runs,
        "unit": "ms",
        "figures": [
            {
                "verb": f.verb,
                "registry": f.registry,
                "medians": {k: statistics.median(v) for k, v in f.runs.items()},
                "runs": f.runs,
            }
            for f in figures
        ],
    }


if __name__ == "__main__":
    main()
