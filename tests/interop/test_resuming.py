"""A run that is killed in the middle of a large blob is finished by the next one, with a real registry."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nv2.oci import media_types as mt

MIB = 1024 * 1024
SIZE = 160 * MIB
"""More than two pieces."""
FIRST = 100 * MIB
"""What passes of it in the first run, which ends in the second piece."""


class Gate:
    """Lets `left` bytes to the registry pass, and nothing more; counts what passes."""

    def __init__(self, address: str, left: int) -> None:
        self._target = ("127.0.0.1", int(address.rpartition(":")[2]))
        self.left = left
        self.passed = 0
        self.requests: list[bytes] = []
        self.shut = threading.Event()
        self.sockets: list[socket.socket] = []

    def serve(self, listener: socket.socket) -> None:
        """Until the listener is closed."""
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self.sockets += (near, far)
            for source, target, counts in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=(source, target, counts), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(64 * 1024):
                if counts and self.passed + len(data) > self.left:
                    self.shut.set()
                    return  # and the connection hangs
                if counts:
                    self.passed += len(data)
                    if data[:5] in (b"POST ", b"PATCH", b"PUT /", b"GET /", b"HEAD "):
                        self.requests.append(data.partition(b"?")[0].partition(b" HTTP")[0])
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def gate(address: str, left: int) -> Iterator[tuple[str, Gate]]:
    """A gate before the registry at `address`."""
    found = Gate(address, left)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=found.serve, args=(listener,), daemon=True).start()
        yield f"localhost:{listener.getsockname()[1]}", found
        for each in (listener, *found.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def large_layout(folder: Path) -> str:
    """A layout with an image of one large layer; that layer's digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def keep(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    layer = keep(os.urandom(MIB) * (SIZE // MIB), "application/vnd.oci.image.layer.v1.tar")
    config = keep(b"{}", mt.EMPTY)
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_MANIFEST, "config": config, "layers": [layer]}
    manifest = keep(json.dumps(document).encode(), mt.IMAGE_MANIFEST)
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": {mt.REF_NAME: "v1"}}]}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index))
    return str(layer["digest"])


def copy(layout: Path, address: str, home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nv2.cli", "copy", f"layout:{layout}:v1", f"{address}/resumed:v1"]
    environment = {"HOME": str(home), "PATH": os.defpath}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_run_that_was_killed_is_finished_by_the_next_one(distribution31: str, tmp_path: Path) -> None:
    large_layout(tmp_path / "layout")
    with gate(distribution31, FIRST) as (address, line):
        with copy(tmp_path / "layout", address, tmp_path) as process:
            assert line.shut.wait(120)
            process.kill()
        line.left, line.passed, line.requests[:] = SIZE * 2, 0, []
        with copy(tmp_path / "layout", address, tmp_path) as process:
            assert process.wait(200) == 0
        assert not [asked for asked in line.requests if asked.startswith(b"POST")]
        assert line.passed < SIZE - FIRST + 8 * MIB
