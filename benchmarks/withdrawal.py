"""Certificates that can be withdrawn, and timestamps: what they add to a verification, out of the cache and asked anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench import Bench
from benchmarks.programs import SUBJECT, Program
from benchmarks.registries import image
from benchmarks.rows import Row, Unit
from benchmarks.turns import difference, middle, take_turns
from tests.world.ca import CA, Pair, pem
from tests.world.crl import crl as crl_of
from tests.world.publishing import ocsp_answer
from tests.world.sockets import Received, Server, http, serving
from tests.world.tsa import TSA

from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import parse
from nv2.signing import Timestamper, Wish, sign

WARM = 15.0
"""Milliseconds more than without, at most."""
NOW = datetime.now(UTC).replace(microsecond=0)


class Kind(NamedTuple):
    """What the certificates of a signature name, and whether it has a timestamp."""

    name: str
    names: str
    """`crl`, `ocsp`, or nothing: what signer and timestamping authority name."""
    stamped: bool

    @property
    def repository(self) -> str:
        """Where its image is."""
        return f"withdrawal/{self.names or 'nothing'}{'-stamped' if self.stamped else ''}"

    @property
    def target(self) -> float | None:
        """Only the whole has one."""
        return WARM if self.names and self.stamped else None


PLAIN = Kind("nothing", "", stamped=False)
KINDS = (
    Kind("a timestamp", "", stamped=True),
    Kind("a CRL", "crl", stamped=False),
    Kind("OCSP", "ocsp", stamped=False),
    Kind("a CRL, and a timestamp with another", "crl", stamped=True),
    Kind("OCSP, and a timestamp with OCSP", "ocsp", stamped=True),
)


def measure_withdrawal(bench: Bench) -> Iterator[Row]:
    """Whole processes in turns, beside notation from the same state: it has a cache for CRLs, and none for OCSP."""
    services: dict[str, bytes] = {}
    home = Path(bench.programs.nv2.environment["HOME"]) / "withdrawal"
    environment = _environment(bench.programs.nv2.environment, home)
    programs = {name: program._replace(environment=environment) for name, program in bench.compared.items()}
    with serving(partial(_serve, services)) as server:
        names = _publish(bench, home, server, services)
        for is_cold in (False, True):
            works = {
                f"{name}, {kind.name}": partial(_wall, programs[name], names[kind], home, is_cold)
                for name in programs
                for kind in (PLAIN, *KINDS)
            }
            samples = take_turns(bench.fewer(2), works)
            yield from (_row(kind, samples, list(programs), is_cold) for kind in KINDS)


def _row(kind: Kind, samples: Mapping[str, list[float]], programs: list[str], is_cold: bool) -> Row:
    def pair(name: str) -> tuple[str, str]:
        return f"{name}, {kind.name}", f"{name}, {PLAIN.name}"

    beside = ", ".join(
        f"{name} {middle(samples, pair(name)[0]):.1f} ms, without {middle(samples, pair(name)[1]):.1f} ms"
        for name in programs
    )
    own = {name: list(found) for name, found in samples.items() if name.partition(", ")[2] in kind.name}
    state = "asked anew" if is_cold else "out of the cache"
    return Row(
        f"what {kind.name} adds, {state}",
        Unit.MILLISECONDS,
        difference(samples, *pair("nv2")),
        None if is_cold else kind.target,
        beside,
        own,
    )


def _wall(program: Program, reference: str, home: Path, is_cold: bool) -> float:
    if is_cold:
        for place in ("cache", "state"):
            shutil.rmtree(home / place, ignore_errors=True)
    return program.run("verify", reference).wall


def _environment(given: Mapping[str, str], home: Path) -> dict[str, str]:
    places = {
        "HOME": home,
        "NOTATION_CONFIG": home / "notation",
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home / "cache",
        "XDG_STATE_HOME": home / "state",
    }
    return {**given, **{name: str(place) for name, place in places.items()}}


def _serve(services: Mapping[str, bytes], received: Received) -> bytes:
    found = services.get(received.target.split("/")[1])
    return http(404) if found is None else http(200, found)


def _publish(bench: Bench, home: Path, server: Server, services: dict[str, bytes]) -> dict[Kind, str]:
    """Sign an image of each kind, trust it, and serve what its certificates name; the references."""
    signers, clocks = CA("Bench Signers"), CA("Bench Clocks")
    _write_trust(home, bench.registry, signers, clocks)
    life = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(days=1)}
    services |= {"signers": crl_of(signers, **life), "clocks": crl_of(clocks, **life)}
    references = {}
    for kind in (PLAIN, *KINDS):
        told = partial(_addresses, server.url, kind.names)
        pair = signers.issue(SUBJECT, "EC-256", **told("signers", f"build-{kind.repository}"))
        services[f"build-{kind.repository}".replace("/", "-")] = ocsp_answer(signers, pair.leaf, NOW)
        clock = TSA("Clock", authority=clocks, **told("clocks", f"clock-{kind.repository}"))
        services[f"clock-{kind.repository}".replace("/", "-")] = ocsp_answer(clocks, clock.pair.leaf, NOW)
        references[kind] = f"{bench.registry}/{image(bench.registry, kind.repository)}"
        _sign(bench, references[kind], pair, partial(_stamp, clock) if kind.stamped else None)
    return references


def _addresses(url: str, names: str, crl: str, ocsp: str) -> dict[str, Any]:
    if not names:
        return {}
    return (
        {"crl_urls": [f"{url}/{crl}"]}
        if names == "crl"
        else {"ocsp_urls": [f"{url}/{ocsp.replace('/', '-')}"]}
    )


def _stamp(clock: TSA, signature: bytes, hash_name: str, _: object) -> bytes:
    return clock.token(signature, at=NOW, hash=hash_name)


def _sign(bench: Bench, reference: str, pair: Pair, stamp: Timestamper | None) -> None:
    with Session.from_environment(Settings(), bench.programs.nv2.environment) as session:
        artifact = session.resolve(parse(reference), push=True)
        sign(artifact.store, artifact.subject, pair.signer(), Wish(timestamper=stamp), NOW)


def _write_trust(home: Path, registry: str, signers: CA, clocks: CA) -> None:
    """One strict policy for both programs: who has a timestamp must prove it."""
    for store, authority in (("ca/bench", signers), ("tsa/bench", clocks)):
        folder = home / "notation" / "truststore" / "x509" / store
        folder.mkdir(parents=True)
        (folder / "root.crt").write_bytes(pem([authority.certificate]))
    statements = [
        {
            "name": f"stamped-{stamped}".lower(),
            "registryScopes": [
                f"{registry}/{kind.repository}" for kind in (PLAIN, *KINDS) if kind.stamped is stamped
            ],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:bench", "tsa:bench"] if stamped else ["ca:bench"],
            "trustedIdentities": ["*"],
        }
        for stamped in (False, True)
    ]
    policy = home / "notation" / "trustpolicy.json"
    policy.write_text(json.dumps({"version": "1.0", "trustPolicies": statements}))
    policy.chmod(0o600)
