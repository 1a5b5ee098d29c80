"""What stands before a registry that other people use: certificate, logins and rights, limits, log and figures.

All of it can be read anew while the registry runs (`reload`): a renewed certificate, changed users and rights, a log
that was moved away.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nv2.errors import Nv2Error
from nv2.server.access.bounds import BodyLimit, read_only
from nv2.server.access.guard import Guard
from nv2.server.access.settings import Settings, read_settings
from nv2.server.access_log import AccessLog
from nv2.server.messages import Answer, Call, Layer, Respond, Served
from nv2.server.metrics import Metrics, health
from nv2.server.tls import ServerCertificate


class Files(NamedTuple):
    """Where what a `Front` is made of is written down; None for what it goes without."""

    chain: Path | None = None
    """The server's certificate and those above it, PEM; with `key`."""
    key: Path | None = None
    access: Path | None = None
    """The access file (`server.access.settings`)."""
    log: Path | None = None
    """The access log."""


class Front:
    """The layers and observers for `serve`, and the certificate."""

    def __init__(self, files: Files, warn: Callable[[str], None], *, only_reading: bool = False) -> None:
        """Read the files. Raises `ConfigurationError` or `EnvironmentFailure` for what cannot be used."""
        self._files, self._warn = files, warn
        self._only_reading = only_reading
        self.settings = read_settings(files.access) if files.access else Settings()
        self.certificate = ServerCertificate(files.chain, files.key) if files.chain and files.key else None
        self._guard = Guard(self.settings, tls=self.certificate is not None) if files.access else None
        self._metrics = Metrics()
        self._log = AccessLog(files.log, warn) if files.log else None

    @property
    def has_login(self) -> bool:
        """Whether users are asked for passwords."""
        return self.settings.passwords is not None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What requests pass on their way in, the first first."""
        return (*([self._guard] if self._guard else []), self._bounds, self._metrics, health)

    @property
    def observers(self) -> tuple[Callable[[Served], None], ...]:
        """Who is told of each request."""
        return (self._metrics.observe, *([self._log] if self._log else []))

    def reload(self) -> None:
        """Read everything anew. What cannot be used is warned of, and stays as it was."""
        for renew in (self._renew_certificate, self._renew_settings, self._renew_log):
            try:
                renew()
            except Nv2Error as e:
                self._warn(f"{e}; what was read before is kept")

    def close(self) -> None:
        """Let go of the log."""
        if self._log:
            self._log.close()

    def _renew_certificate(self) -> None:
        if self.certificate:
            self.certificate.reload()

    def _renew_settings(self) -> None:
        if self._files.access and self._guard:
            found = read_settings(self._files.access)
            if self.has_login and found.passwords is None:
                self._warn(
                    f"{self._files.access}: it names no htpasswd any more; what was read before is kept"
                )
                return
            self.settings = self._guard.settings = found

    def _renew_log(self) -> None:
        if self._log:
            self._log.reopen()

    def _bounds(self, call: Call, respond: Respond) -> Answer:
        settings = self.settings
        if self._only_reading or settings.read_only:
            return read_only(call, respond)
        return BodyLimit(settings.max_body)(call, respond) if settings.max_body else respond(call)
