"""The embedded registry beside CNCF Distribution, olareg and zot: the same clients, in turns.

    python -m benchmarks.registry_serving [--turns N] [--crowd N] [--zot PROGRAM] [--json FILE]

Every registry keeps its content on the same disk, but olareg, which keeps it in memory. Clients are threads of this
process with a connection each, which costs every registry the same. zot is built by hand (`go build ./cmd/zot`) and
named by `--zot` or in the environment as NV2_ZOT. CNCF Distribution has no referrers API.
A ratio is the median of the ratios of the turns, higher is better.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import crowds
from benchmarks.crowds import OCI, REFERRERS, SUBJECT, digest_of, image
from benchmarks.programs import prepare
from benchmarks.registries import distribution, embedded
from tests.interop import peers
from tests.peers import find
from tests.world.sockets import reserved_port

BLOB = 256 * 1024 * 1024
"""Bytes of the large blob."""
SMALL_SIZE, CLIENTS = 4096, 8
"""Bytes of small blobs, and how many clients push them."""
LONG = 1.0
"""Seconds that is counted what is done one after the other: no turn takes long, however slow a registry is."""


class Client:
    """One connection to a registry."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=300, blocksize=1024 * 1024)
        self._connection.connect()
        if self._connection.sock:
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(
        self, method: str, path: str, body: Any = None, expected: int = 200, **headers: str
    ) -> tuple[Any, bytes]:
        """Headers and body of the answer, which must have the status that is expected."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, named)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != expected:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:200]!r}")
        return answer.headers, data

    def push_blob(self, repository: str, digest: str, body: Any, size: int) -> None:
        """POST, then PUT."""
        headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", 202)
        location = headers["Location"].removeprefix(f"http://{headers.get('Host', '')}")
        location = "/v2/" + location.partition("/v2/")[2]
        joint = "&" if "?" in location else "?"
        more = {"Content_Length": str(size), "Content_Type": "application/octet-stream"}
        self.ask("PUT", f"{location}{joint}digest={digest}", body, 201, **more)

    def push_manifest(self, repository: str, document: Mapping[str, object], name: str = "") -> str:
        """By digest, unless a tag is given; the digest."""
        data = json.dumps(document).encode()
        digest = digest_of(data)
        self.ask("PUT", f"/v2/{repository}/manifests/{name or digest}", data, 201, Content_Type=OCI)
        return digest


def large_push(address: str, files: Iterator[Path]) -> float:
    """MiB a second into the registry."""
    path = next(files)
    digest = "sha256:" + hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
    client = Client(address)
    with path.open("rb") as body:
        begun = time.perf_counter()
        client.push_blob("large", digest, body, BLOB)
        return BLOB / 2**20 / (time.perf_counter() - begun)


def large_pull(address: str, digest: str) -> float:
    """MiB a second out of it."""
    connection = http.client.HTTPConnection(address, timeout=300, blocksize=1024 * 1024)
    begun = time.perf_counter()
    connection.request("GET", f"/v2/large/blobs/{digest}")
    answer = connection.getresponse()
    buffer, left = bytearray(1024 * 1024), BLOB
    while got := answer.readinto(buffer):
        left -= got
    if left:
        raise SystemExit(f"{left} bytes are missing")
    return BLOB / 2**20 / (time.perf_counter() - begun)


def small_pushes(address: str, _: object) -> float:
    """Blobs a second, by several clients at once."""

    def work() -> None:
        client = Client(address)

        def push() -> None:
            data = os.urandom(SMALL_SIZE)
            client.push_blob("small", digest_of(data), data, SMALL_SIZE)

        rates.append(_rate(push))

    rates: list[float] = []
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


def heads(address: str, _: object) -> float:
    """HEAD of a manifest by tag, per second, on one connection."""
    client = Client(address)
    return _rate(lambda: client.ask("HEAD", "/v2/app/manifests/v1", Accept=OCI))


def questions(address: str, _: object) -> float:
    """Listings of the three referrers of a subject per second, among a crowd that refers to others."""
    client, path = Client(address), f"/v2/{crowds.REPOSITORY}/referrers/{digest_of(SUBJECT)}"
    _, data = client.ask("GET", path)
    if len(json.loads(data)["manifests"]) != REFERRERS:
        raise SystemExit("the referrers are not those of the subject")
    return _rate(lambda: client.ask("GET", path))


def _rate(work: Callable[[], object]) -> float:
    """How often a second `work` is done, one after the other, in `LONG` seconds and the rest of the last one."""
    begun, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < LONG:
        work()
        count += 1
    return count / passed


@contextmanager
def zot(program: Path, folder: Path) -> Iterator[str]:
    """zot with its content in `folder / "content"`. Gives `127.0.0.1:PORT`."""
    configuration = folder / "config.json"
    with reserved_port() as port:
        configuration.write_text(
            json.dumps(
                {
                    "distSpecVersion": "1.1.1",
                    "storage": {"rootDirectory": str(folder / "content"), "gc": False, "dedupe": False},
                    "http": {"address": "127.0.0.1", "port": str(port)},
                    "log": {"level": "error"},
                }
            )
        )
        with peers.running([str(program), "serve", str(configuration)], folder, port) as address:
            yield address


def _registries(options: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, str]:
    crowds.fill_embedded(folder / "embedded", options.crowd)
    found = {"nv2": stack.enter_context(embedded(folder / "embedded", prepare(folder).nv2))}
    if address := stack.enter_context(distribution(folder / "distribution")):
        found["distribution"] = address
    if program := find("olareg"):
        (folder / "olareg").mkdir()
        found["olareg"] = stack.enter_context(peers.olareg(program, folder / "olareg"))
    if options.zot:
        crowds.fill_layout(folder / "zot" / "content" / crowds.REPOSITORY, options.crowd)
        found["zot"] = stack.enter_context(zot(options.zot, folder / "zot"))
    for name in ("distribution", "olareg", "zot"):
        if name not in found:
            print(f"missing: {name}", file=sys.stderr)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Large files, each other than the ones before; one is there at a time."""
    path, number = folder / "large", 0
    with path.open("wb") as file:
        for _ in range(BLOB // 2**20):
            file.write(os.urandom(2**20))
    while True:
        with path.open("r+b") as file:
            file.write(b"%016d" % number)
        number += 1
        yield path


def measure(
    options: argparse.Namespace, folder: Path, registries: Mapping[str, str]
) -> dict[str, dict[str, list[float]]]:
    """By concern and registry: what each turn came to."""
    files = _files(folder)
    first = next(files)
    large = "sha256:" + hashlib.file_digest(first.open("rb"), "sha256").hexdigest()
    for address in registries.values():
        client = Client(address)
        with first.open("rb") as body:
            client.push_blob("large", large, body, BLOB)
        client.push_blob("app", digest_of(b"{}"), b"{}", 2)
        client.push_manifest("app", image(), "v1")
    if "olareg" in registries:
        client = Client(registries["olareg"])
        client.push_blob(crowds.REPOSITORY, digest_of(b"{}"), b"{}", 2)
        pushed = crowds.push_crowd(client.push_manifest, options.crowd)
        print(f"olareg has {pushed} referrers of others", file=sys.stderr)
    listing = {name: None for name in registries if name != "distribution"}
    concerns: dict[str, tuple[Callable[[str, Any], float], Mapping[str, Any]]] = {
        "large push, MiB/s": (large_push, dict.fromkeys(registries, files)),
        "large pull, MiB/s": (large_pull, dict.fromkeys(registries, large)),
        f"small pushes by {CLIENTS}, per second": (small_pushes, dict.fromkeys(registries)),
        "HEAD of a tag, per second": (heads, dict.fromkeys(registries)),
        f"referrers among {options.crowd}, per second": (questions, listing),
    }
    found: dict[str, dict[str, list[float]]] = {what: {} for what in concerns}
    for turn in range(options.turns):
        for what, (work, arguments) in concerns.items():
            for name, argument in list(arguments.items())[:: -1 if turn % 2 else 1]:
                found[what].setdefault(name, []).append(work(registries[name], argument))
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--crowd", type=int, default=10_000)
    zot_here = os.environ.get("NV2_ZOT")
    parser.add_argument("--zot", type=Path, default=Path(zot_here) if zot_here else None)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nv2-bench-") as name, ExitStack() as stack:
        registries = _registries(options, Path(name), stack)
        found = measure(options, Path(name), registries)
    for what, samples in found.items():
        print(what)
        for registry, values in samples.items():
            ratios = median(ours / theirs for ours, theirs in zip(samples["nv2"], values, strict=True))
            print(f"  {registry:14} {median(values):10.1f}   nv2 is {ratios:.2f} ×")
    if options.json:
        options.json.write_text(json.dumps({"schema": "nv2.bench.registry/v1", "samples": found}, indent=2))


if __name__ == "__main__":
    main()
