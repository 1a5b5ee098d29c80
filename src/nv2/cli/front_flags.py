"""The flags of `nv2 registry serve` for a registry that other people use: TLS, logins, log, limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli.command import Call, Flag, Kind
from nv2.errors import UsageError

if TYPE_CHECKING:
    from nv2.server.front import Front

MOST_CONNECTIONS = 10_000
"""Each is a thread; more take more memory than such a machine has."""

FILES_EACH = 5
"""Files that a connection has open at most: itself, content or an upload, the index, its journal."""

FILES_BESIDES = 100

USUAL_GRACE = timedelta(seconds=5)

LONGEST_GRACE = timedelta(hours=1)
"""Nobody who ends a registry waits for longer."""

FLAGS = (
    Flag("tls-cert", "certificates of the server and above it, PEM (SIGHUP reads anew)"),
    Flag("tls-key", "its private key, PEM without passphrase"),
    Flag("access", "file of logins and rights (SIGHUP reads anew)"),
    Flag("read-only", "refuse whatever would change something", Kind.BOOL),
    Flag("access-log", "file for a line of JSON per request (SIGHUP opens anew)"),
    Flag("max-connections", "connections open at a time", Kind.INT, default=256),
    Flag("grace", "time for requests under way when it ends (default 5s)", Kind.DURATION),
    Flag(
        "insecure",
        "let others reach it without TLS or login: they read and change it",
        Kind.BOOL,
    ),
)


def front(call: Call) -> Front:
    """What stands before the registry; closed when the command ends. Raises `UsageError` and `ConfigurationError`."""
    from nv2.server.front import Files, Front

    chain, key, access, log = (_path(call, name) for name in ("tls-cert", "tls-key", "access", "access-log"))
    made = Front(Files(chain, key, access, log), call.output.warn, only_reading=call.on("read-only"))
    call.resources.callback(made.close)
    return made


def is_public(call: Call, made: Front) -> bool:
    """Whether it may listen where other machines can reach it."""
    return call.on("insecure") or (made.certificate is not None and made.has_login)


def warn_of_openness(call: Call, made: Front, host: str) -> None:
    """Say what `--insecure` leaves open."""
    from nv2.server.loopback import check_address, is_loopback

    if is_loopback(check_address(host, 0, public=True)):
        return
    if made.certificate is None:
        call.output.warn("no TLS: whoever is on the way reads and changes what passes, passwords too")
    if not made.has_login:
        call.output.warn("no login: whoever reaches this registry may use it")


def connections(call: Call) -> int:
    """How many may be open at a time, and room for their files. Raises `UsageError`."""
    found = call.number("max-connections")
    if not 1 <= found <= MOST_CONNECTIONS:
        raise UsageError(f"{found} connections cannot be", hint=f"possible: 1 to {MOST_CONNECTIONS}")
    wanted = FILES_EACH * found + FILES_BESIDES
    allowed = _allow_files(wanted)
    if allowed < wanted:
        call.output.warn(f"{found} connections may take {wanted} open files, and {allowed} are allowed here")
    return found


def _allow_files(wanted: int) -> int:
    """Let this process open `wanted` files, or as many as it may; how many those are."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (OSError, ValueError):  # some systems have a lower limit of their own
        return soft
    return possible


def grace(call: Call) -> float:
    """Seconds for requests under way. Raises `UsageError`."""
    given = call.duration("grace")
    found = USUAL_GRACE if given is None else given
    if not timedelta() <= found <= LONGEST_GRACE:
        raise UsageError(f"no time to wait: {found}", hint="possible: 0s to 1h")
    return found.total_seconds()


def _path(call: Call, name: str) -> Path | None:
    text = call.string(name)
    return Path(text) if text is not None else None
