"""`nv2 registry serve`: the embedded registry, on this machine alone."""

from __future__ import annotations

from pathlib import Path

from nv2.cli import exits
from nv2.cli.command import DEBUG, Call, Command, Flag
from nv2.cli.commands import registry_admission, registry_quirks
from nv2.errors import UsageError

LISTEN = "127.0.0.1:5000"

NOTICE = 0.5
"""Seconds. A signal that comes just before a wait does not end it: each wait is short, then Python looks."""


def run(call: Call) -> int:
    """Serve until a signal ends it; the registry is closed in good order on the way out."""
    import threading

    from nv2.server.registry import serve

    if registry_quirks.wants_help(call):
        return registry_quirks.explain(call)
    directory = call.string("dir") or ""
    host, port = read_address(call.string("listen") or "")
    log = call.output.note if call.on("debug") else None
    with serve(
        Path(directory),
        host,
        port,
        log,
        warn=call.output.warn,
        layers=registry_quirks.layers(call),
        judges=registry_admission.judges(call),
    ) as registry:
        call.output.line(registry.address)
        call.output.flush()
        call.output.note(f"serving {directory}, to this machine only; Ctrl-C ends it")
        ended = threading.Event()
        while not ended.wait(NOTICE):
            pass  # until a signal raises
    return exits.DONE


def read_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[HOST]:PORT` or `:PORT` as a host and a port. Raises `UsageError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise UsageError(
            "not an address to listen on", at=text, hint="expected HOST:PORT, as in 127.0.0.1:5000"
        )
    return host or "127.0.0.1", int(port)


COMMAND = Command(
    "serve",
    "serve a registry from a directory",
    run,
    flags=(
        Flag("dir", "the registry's directory, made if missing", default="registry"),
        Flag("listen", "where to listen; port 0 is any free one", default=LISTEN),
        registry_admission.REQUIRE_SIGNED,
        registry_admission.KNOWN_AS,
        registry_quirks.QUIRK,
        registry_quirks.PROFILE,
        DEBUG,
    ),
    arguments=(0, 0),
    description=(
        "Serve an OCI registry from a directory, with the referrers API, so that signatures need no\n"
        "fallback tag. It has no login and no TLS, so it listens on loopback addresses only. Prints its\n"
        "address when it is ready."
    ),
    examples=(
        "nv2 registry serve",
        "nv2 registry serve --dir /srv/registry --listen 127.0.0.1:5001",
        "nv2 registry serve --listen 127.0.0.1:0",
        "nv2 registry serve --profile distribution28",
    ),
)
