"""`nv2 registry serve`: the embedded registry, for this machine alone or, with TLS and a login, for others too."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from nv2.cli import admission_flags, front_flags, quirk_flags
from nv2.cli.command import DEBUG, Call, Command, Flag
from nv2.errors import UsageError

LISTEN = "127.0.0.1:5000"

NOTICE = 0.5
"""Seconds. A signal that comes just before a wait does not end it: each wait is short, then Python looks."""


def run(call: Call) -> int:
    """Serve until a signal ends it; the registry is closed in good order on the way out."""
    from nv2.server.registry import serve

    if quirk_flags.wants_help(call):
        return quirk_flags.explain(call)
    directory = call.string("dir") or ""
    host, port = read_address(call.string("listen") or "")
    log = call.output.note if call.on("debug") else None
    front = front_flags.front(call)
    with serve(
        Path(directory),
        host,
        port,
        log,
        warn=call.output.warn,
        layers=(*front.layers, *quirk_flags.layers(call)),
        observers=front.observers,
        certificate=front.certificate,
        public=front_flags.is_public(call, front),
        connections=front_flags.connections(call),
        grace=front_flags.grace(call),
        limits=quirk_flags.limits(call),
        judges=admission_flags.judges(call),
    ) as registry:
        front_flags.warn_of_openness(call, front, host)
        wanted = _hangups(call)
        call.output.line(registry.address)
        call.output.flush()
        call.output.note(f"serving {directory}; Ctrl-C ends it")
        while True:  # until a signal raises
            if wanted.wait(NOTICE):
                wanted.clear()
                front.reload()


def _hangups(call: Call) -> threading.Event:
    """Set whenever SIGHUP comes, which means: read everything again."""
    wanted = threading.Event()
    before = signal.signal(signal.SIGHUP, lambda *_: wanted.set())
    call.resources.callback(signal.signal, signal.SIGHUP, before)
    return wanted


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
        *front_flags.FLAGS,
        admission_flags.REQUIRE_SIGNED,
        admission_flags.KNOWN_AS,
        quirk_flags.QUIRK,
        quirk_flags.PROFILE,
        DEBUG,
    ),
    arguments=(0, 0),
    together=(("tls-cert", "tls-key"),),
    description=(
        "Serve an OCI registry from a directory, with the referrers API, so that signatures need no\n"
        "fallback tag. Without TLS and a login it listens on loopback addresses only. Prints its address\n"
        "when it is ready."
    ),
    examples=(
        "nv2 registry serve",
        "nv2 registry serve --dir /srv/registry --listen 127.0.0.1:5001",
        "nv2 registry serve --listen 127.0.0.1:0",
        "nv2 registry serve --listen 0.0.0.0:443 --tls-cert r.crt --tls-key r.key --access access.json",
        "nv2 registry serve --profile distribution28",
    ),
)
