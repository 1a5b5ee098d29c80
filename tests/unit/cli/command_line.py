"""Run a command line in this process, on a home of its own."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.cli.dispatch import main
from nv2.cli.output import Output
from nv2.notary.registry_access import RegistryAccess
from tests.world.network import Answer, FunctionTransport

ENVIRONMENT = {
    "NOTATION_CONFIG": "config",
    "NOTATION_CACHE": "cache",
    "XDG_STATE_HOME": "state",
    "DOCKER_CONFIG": "docker",
    "HOME": "home",
}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def error_lines(self) -> list[str]:
        """Standard error without warnings."""
        return [line for line in self.err.splitlines() if not line.startswith("Warning: ")]


class CommandLine:
    """`line("sign", "-k", …)` runs nv2 in the directory `line.directory`."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.config = directory / "config"
        for variable, name in ENVIRONMENT.items():
            monkeypatch.setenv(variable, str(directory / name))
        for variable in ("NV2_CONFIG", "NOTATION_USERNAME", "NOTATION_PASSWORD", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        # Whoever runs the tests has a key chain perhaps, which is no part of them.
        monkeypatch.setattr("nv2.transport.credentials.NATIVE_HELPERS", {})
        monkeypatch.chdir(directory)
        self._monkeypatch = monkeypatch

    def reach(self, registry: Answer) -> None:
        """From now on, `registry` answers every request, without a socket and without waiting."""
        transport = FunctionTransport(registry)
        for way in ("transport", "transport_to_strangers"):
            self._monkeypatch.setattr(RegistryAccess, way, lambda _: transport)
        self._monkeypatch.setattr("nv2.content.remote.fallback.MIN_WAIT", 0.0)

    def __call__(self, *words: str, program: str = "nv2") -> Ended:
        out, err = io.StringIO(), io.StringIO()
        code = main(words, Output(out, err, program))
        return Ended(code, out.getvalue(), err.getvalue())
