"""Responders, CRL servers and caches that lie to a whole `nv2 verify`: one error, the right kind of no, and it ends.

What each lie does to the status alone stands in `test_ocsp` and `test_crls`, what it does on sockets in `test_revocation`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from nv2.home.crl_cache import CrlCache
from nv2.home.paths import Paths
from nv2.transport.interface import Response
from tests.hostile.machine import MIB, NOT_TRUSTED, Attack, Machine, Zeros, check, trusts
from tests.unit.cli.command_line import ENVIRONMENT
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import CA, key_of
from tests.world.crl import REMOVED, Revoked, crl, issuing_point
from tests.world.network import answer
from tests.world.ocsp import Responder, delegate

NOW = datetime.now(UTC).replace(microsecond=0)
"""The commands look at the clock."""
DAY = timedelta(days=1)
SERIAL = 0x5A17_BEEF
OCSP, CRL, DELTA = "http://ocsp.test/", "http://crl.test/ca.crl", "http://crl.test/delta.crl"
MALLORY = CA("Mallory")
LISTED = [Revoked(SERIAL, 1, NOW - DAY)]
CRITICAL = ("1.3.6.1.4.1.99999.1", True, b"\x05\x00")


def revocable(machine: Machine, **urls: list[str]) -> None:
    machine.sign(WABBIT.issue("revocable", key="EC-256", serial=SERIAL, **urls))  # type: ignore[arg-type]


def responder(
    said: str = "good", how: dict[str, Any] | None = None, **fields: Any
) -> Callable[[Machine], None]:
    """The certificate names a responder, and no CRL."""
    times = {"this_update": NOW - DAY / 24, "next_update": NOW + DAY, "revoked_at": NOW - DAY}
    by = {"produced_at": NOW - DAY / 24, **(how or {})}

    def strike(machine: Machine) -> None:
        revocable(machine, ocsp_urls=[OCSP])
        machine.hosts["ocsp.test"] = Responder(WABBIT, {SERIAL: {"said": said, **times, **fields}}, **by)

    return strike


def dated(ca: CA = WABBIT, entries: Any = (), **oddities: Any) -> bytes:
    return crl(ca, entries, **{"this_update": NOW - DAY / 24, "next_update": NOW + DAY, **oddities})


def server(base: bytes | None, delta: bytes | None = None, status: int = 200) -> Callable[[Machine], None]:
    """The certificate names a CRL, and no responder; None has no end."""

    def strike(machine: Machine) -> None:
        revocable(machine, crl_urls=[CRL])
        bodies = {CRL: base, DELTA: delta}
        machine.hosts["crl.test"] = lambda request: (
            Response(200, {}, cast(BinaryIO, Zeros()), request)
            if (body := bodies[request.url]) is None
            else answer(request, status, body)
        )

    return strike


# fmt: off
ATTACKS = (
    Attack("OCSP: signed by an unrelated key", responder(how={"key": key_of("stranger", "EC-256")}), f"OCSP at {OCSP}"),
    Attack("OCSP: by a responder of another issuer", responder(how={"signed_by": delegate(MALLORY)}), f"OCSP at {OCSP}"),
    Attack("OCSP: replayed after nextUpdate", responder(this_update=NOW - 9 * DAY, next_update=NOW - DAY), f"OCSP at {OCSP}"),
    Attack("OCSP: without nextUpdate", responder(next_update=None), f"OCSP at {OCSP}"),
    Attack("OCSP: about another serial number", responder(serial=SERIAL + 1), f"OCSP at {OCSP}"),
    Attack("OCSP: of tomorrow", responder(this_update=NOW + DAY, next_update=NOW + 2 * DAY), f"OCSP at {OCSP}"),
    Attack("OCSP: unknown", responder("unknown"), f"OCSP at {OCSP}"),
    Attack("OCSP: revoked", responder("revoked"), "revocation failed", NOT_TRUSTED),
    Attack("CRL: of another issuer", server(dated(MALLORY)), f"CRL at {CRL}"),
    Attack("CRL: in our issuer's name", server(dated(signed_by=MALLORY.key)), f"CRL at {CRL}"),
    Attack("CRL: expired", server(dated(this_update=NOW - 2 * DAY, next_update=NOW - DAY)), f"CRL at {CRL}"),
    Attack("CRL: without nextUpdate", server(dated(next_update=None)), f"CRL at {CRL}"),
    Attack("CRL: of tomorrow", server(dated(this_update=NOW + DAY, next_update=NOW + 2 * DAY)), f"CRL at {CRL}"),
    Attack("CRL: indirect", server(dated(issuing_point=issuing_point([CRL], flags=[4]))), f"CRL at {CRL}"),
    Attack("CRL: partial reasons", server(dated(issuing_point=issuing_point(only_some_reasons=[1]))), f"CRL at {CRL}"),
    Attack("CRL: unknown critical extension", server(dated(extensions=[CRITICAL])), f"CRL at {CRL}"),
    Attack("CRL: huge", server(None), f"CRL at {CRL}", read=65 * MIB, memory=160 * MIB),
    Attack("CRL: a delta as the base", server(dated(number=11, delta_of=10)), f"CRL at {CRL}"),
    Attack("CRL: a delta of another base", server(dated(number=10, freshest=[DELTA]), dated(number=12, delta_of=11)), f"CRL at {CRL}"),
    Attack("CRL: QUARKSLAB INFO-10, with status 404", server(dated(), status=404), "answered 404"),
    Attack("CRL: removeFromCRL of a compromised key", server(dated(entries=LISTED, number=10, freshest=[DELTA]), dated(entries=[Revoked(SERIAL, REMOVED, NOW)], number=11, delta_of=10)), "revocation failed", NOT_TRUSTED),
    Attack("CRL: future invalidityDate", server(dated(entries=[Revoked(SERIAL, 1, NOW - DAY, invalid_since=NOW + DAY)])), "revocation failed", NOT_TRUSTED),
    Attack("CRL: revoked", server(dated(entries=LISTED)), "revocation failed", NOT_TRUSTED),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_evidence_that_lies_gets_no_yes(machine: Machine, attack: Attack) -> None:
    check(machine, attack)
    asked = {request.url.split("/")[2] for request in machine.network.requests}
    assert asked <= {"registry.test", "ocsp.test", "crl.test"}, "asked nobody else"


@pytest.mark.parametrize("strike", [responder(), server(dated())], ids=["OCSP", "CRL"])
def test_the_same_machine_trusts_evidence_that_does_not_lie(
    machine: Machine, strike: Callable[[Machine], None]
) -> None:
    strike(machine)
    trusts(machine)


# --- the cache --------------------------------------------------------------------------------------------


def kept(machine: Machine, base: bytes) -> Path:
    """The file of `CRL` in the cache of the machine, which holds `base`."""
    environment = {key: str(machine.line.directory / name) for key, name in ENVIRONMENT.items()}
    directory = Paths.from_environment(environment, "linux").crl_cache
    CrlCache(directory).store(CRL, base, None)
    (file,) = directory.iterdir()
    return file


def foreign(machine: Machine) -> None:
    kept(machine, dated(MALLORY))


def a_link(machine: Machine) -> None:
    file = kept(machine, dated())
    file.symlink_to(file.rename(machine.line.directory / "elsewhere"))


def junk(machine: Machine) -> None:
    kept(machine, dated()).write_bytes(b"\xff" * 100_000)


def no_directory(machine: Machine) -> None:
    file = kept(machine, dated())
    file.unlink()
    file.parent.rmdir()
    file.parent.write_bytes(b"")


POISONS = {"foreign CRL": foreign, "symlink": a_link, "junk": junk, "unwritable directory": no_directory}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_cache_neither_says_yes_nor_hinders_the_truth(machine: Machine, poison: str) -> None:
    POISONS[poison](machine)
    check(machine, Attack(poison, lambda m: revocable(m, crl_urls=[CRL]), f"CRL at {CRL}"))
    machine.hosts["crl.test"] = lambda request: answer(request, 200, dated())
    trusts(machine)


def test_what_was_fetched_is_kept_for_its_owner_alone(machine: Machine) -> None:
    """CVE-2024-51491: written beside its place and renamed, so that nothing crosses the border of a file system."""
    server(dated())(machine)
    trusts(machine)
    made = [path for path in (machine.line.directory / "cache").rglob("*") if "crl" in path.parts]
    assert made
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)
