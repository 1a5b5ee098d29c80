"""What every test may ask for: real programs of other projects (`tests/peers`), and registries of theirs.

A peer that is not here makes the tests that need it skip, with one line at the end that says so; where
`NV2_REQUIRE_PEERS=1` it makes them fail.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.interop import peers
from tests.peers import find

if TYPE_CHECKING:
    from tests.world.softhsm import SoftHsm

MISSING = "missing peer: "


def pytest_configure() -> None:
    """Let interruptions reach programs that tests start: where tests run in a shell's background, they were ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def notation() -> Path:
    """The program `notation` 1.3.2; `tests.interop.peers.run` runs it."""
    return _program("notation")


@pytest.fixture(scope="session")
def oras() -> Path:
    """The program `oras` 1.3.3."""
    return _program("oras")


@pytest.fixture(scope="session")
def plugin() -> Path:
    """Our plugin on notation's framework; the file to install is called `notation-nv2test`."""
    return _program("plugin")


@pytest.fixture(scope="session")
def openssl() -> Path:
    """The program `openssl`, of the system."""
    return _program("openssl")


@pytest.fixture(scope="session")
def distribution31(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`localhost:PORT` of a CNCF Distribution 3.1 (no referrers API) shared by the session: use own repositories."""
    with peers.distribution(_program("distribution"), tmp_path_factory.mktemp("distribution31")) as address:
        yield address


@pytest.fixture(scope="session")
def distribution28(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`localhost:PORT` of a CNCF Distribution 2.8 (no referrers API), shared likewise."""
    with peers.distribution(
        _program("docker-registry"), tmp_path_factory.mktemp("distribution28")
    ) as address:
        yield address


@pytest.fixture(scope="session")
def olareg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`localhost:PORT` of an olareg (referrers API), shared likewise."""
    with peers.olareg(_program("olareg"), tmp_path_factory.mktemp("olareg")) as address:
        yield address


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """The program of the peer with a name; a test that asks for one that is not here is skipped, or fails."""
    return _program


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """SoftHSM2 without tokens. Its configuration is the session's: the module reads it once, when it is loaded."""
    _program("softhsm2-util")
    from tests.world import softhsm as world  # with it comes python-pkcs11

    library = world.module()
    if library is None:
        _absent("softhsm2-util")
    with pytest.MonkeyPatch.context() as patch:
        hsm = world.SoftHsm.create(library, tmp_path_factory.mktemp("softhsm"))
        patch.setenv("SOFTHSM2_CONF", str(hsm.configuration))
        yield hsm


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for everything that was skipped because a peer is not here."""
    reasons = [
        str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if report.longrepr
    ]
    missing = [reason.partition(MISSING)[2] for reason in reasons if MISSING in reason]
    if missing:
        names = ", ".join(sorted(set(missing)))
        terminalreporter.write_line(
            f"{len(missing)} tests skipped, peers not here: {names} (make peers)", yellow=True
        )


def _program(name: str) -> Path:
    return find(name) or _absent(name)


def _absent(name: str) -> NoReturn:
    if os.environ.get("NV2_REQUIRE_PEERS") == "1":
        pytest.fail(f"the peer {name} is required and not here: run `make peers`", pytrace=False)
    pytest.skip(f"{MISSING}{name}")
