"""Build the peers that are missing: `python -m tests.peers.install [--soft]`.

With `--soft`, and unless `NV2_REQUIRE_PEERS=1`, what cannot be built is one line and not a failure: the tests
that need it are skipped. What the system would have to provide is then left to the tests to mention. Nothing is
installed into the system.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.peers import FROM_THE_SYSTEM, Peer, built_peers, cache, find, place
from tests.peers.go import Failed, Go, find_go


def main(arguments: list[str]) -> int:
    """Build what is missing; 1 if something that is required could not be had."""
    soft = "--soft" in arguments and os.environ.get("NV2_REQUIRE_PEERS") != "1"
    missing = [peer for peer in built_peers() if find(peer.name) is None]
    problems = _build_all(missing) if missing else []
    if not soft:
        problems += [f"{name} is not installed" for name in FROM_THE_SYSTEM if find(name) is None]
    if problems:
        print(f"peers: {'; '.join(problems)}", file=sys.stderr)
    elif "--soft" not in arguments:
        print(f"peers: all here, in {cache()}")
    return 1 if problems and not soft else 0


def _build_all(peers: list[Peer]) -> list[str]:
    cache().mkdir(parents=True, exist_ok=True)
    try:
        go = find_go(max(peer.go for peer in peers))
    except Failed as e:
        return [f"no Go to build {', '.join(peer.name for peer in peers)} ({e})"]
    problems = [problem for peer in peers if (problem := _build(peer, go))]
    go.drop_caches()
    return problems


def _build(peer: Peer, go: Go) -> str | None:
    """Build beside the final place, then rename: another run sees all of it or nothing."""
    print(f"peers: building {peer.name} {peer.version} with {go.version}", flush=True)
    begin = time.monotonic()
    final = place(peer, go.version)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=f".{peer.name}-") as beside:
        built = Path(beside) / "built"
        try:
            go.run("build", "-ldflags", "-s -w", "-o", str(built / peer.binary), peer.package, at=peer.module)
            built.rename(final.parent)
        except (OSError, Failed) as e:
            if not final.is_file():  # else another run was faster
                return f"{peer.name} could not be built ({e})"
    print(f"peers: {peer.name} built in {time.monotonic() - begin:.0f} s", flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
