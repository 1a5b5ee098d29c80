"""The same signature, the same responders and CRL servers, the same cache: both programs give the same verdict.

`notation` knows yes and no; *undecided* is a no to it. A row with `differs` is a difference on purpose, which
docs/differences.md explains.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.interop.home import Home, new_home
from tests.interop.layouts import notation_says
from tests.world.ca import CA, OCSP_SIGNING, Pair
from tests.world.crl import HOLD, Revoked
from tests.world.crl import crl as crl_of
from tests.world.judged import SCOPE, Case, write_stores
from tests.world.publishing import ocsp_answer
from tests.world.signed import sealed
from tests.world.sockets import Received, Server, http, serving

pytestmark = pytest.mark.peers

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRUSTED, NOT_TRUSTED, UNDECIDED = "trusted", "notTrusted", "undecided"

WABBIT, STRANGER = CA("Wabbit"), CA("Stranger")
SERIAL, RESPONDER = 0xB01D, 0x0C59
_numbers = itertools.count(1)

Services = dict[str, bytes | int]
"""By the first part of the path: a body, or a status."""


def crl(ca: CA = WABBIT, *entries: Revoked, start: datetime = NOW - HOUR, end: datetime | None = NOW + DAY, **more: Any) -> bytes:  # fmt: skip
    return crl_of(ca, entries, this_update=start, next_update=end, **more)


LISTED = Revoked(SERIAL, 1, NOW - DAY)


def says(said: str = "good", ca: CA = WABBIT, **more: Any) -> Callable[[bytes], bytes]:
    """An answer about the certificate that it is given, which has another responder in each test."""
    return lambda certificate: ocsp_answer(ca, certificate, NOW, said, **more)


def delegate(url: str) -> Pair:
    return WABBIT.issue(
        "responder", key="EC-256", eku=(OCSP_SIGNING,), serial=RESPONDER, crl_urls=(f"{url}/responders",)
    )


class Row(NamedTuple):
    """What a certificate names, what is served there, and what it comes to."""

    name: str
    names: str
    """Parts of the paths of OCSP responders and of CRLs: `ocsp | crl crl2`."""
    services: Mapping[str, Any]
    expect: str
    differs: str = ""


# fmt: off
ROWS = (
    Row("good by OCSP",                    "ocsp |",     {"ocsp": says()},                                TRUSTED),
    Row("revoked by OCSP",                 "ocsp |",     {"ocsp": says("revoked")},                       NOT_TRUSTED),
    Row("unknown to OCSP",                 "ocsp |",     {"ocsp": says("unknown")},                       UNDECIDED),
    Row("OCSP answers 500",                "ocsp |",     {"ocsp": 500},                                   UNDECIDED),
    Row("OCSP has expired",                "ocsp |",     {"ocsp": says(life=-DAY)},                       UNDECIDED),
    Row("OCSP of another authority",       "ocsp |",     {"ocsp": says(ca=STRANGER)},                     UNDECIDED),
    Row("the second responder knows",      "gone ocsp |", {"ocsp": says("revoked")},                      NOT_TRUSTED),
    Row("OCSP gone, good by CRL",          "gone | crl", {"crl": crl()},                                  TRUSTED),
    Row("OCSP gone, revoked by CRL",       "gone | crl", {"crl": crl(WABBIT, LISTED)},                    NOT_TRUSTED),
    Row("unknown to OCSP, good by CRL",    "ocsp | crl", {"ocsp": says("unknown"), "crl": crl()},         TRUSTED),
    Row("OCSP goes before CRL",            "ocsp | crl", {"ocsp": says(), "crl": crl(WABBIT, LISTED)},    TRUSTED),
    Row("both gone",                       "gone | lost", {},                                             UNDECIDED),
    Row("good by CRL",                     "| crl",      {"crl": crl()},                                  TRUSTED),
    Row("revoked by CRL",                  "| crl",      {"crl": crl(WABBIT, LISTED)},                    NOT_TRUSTED),
    Row("on hold by CRL",                  "| crl",      {"crl": crl(WABBIT, LISTED._replace(reason=HOLD))}, NOT_TRUSTED),
    Row("CRL gone",                        "| gone",     {},                                              UNDECIDED),
    Row("CRL has expired",                 "| crl",      {"crl": crl(start=NOW - DAY, end=NOW - HOUR)},   UNDECIDED),
    Row("CRL without nextUpdate",          "| crl",      {"crl": crl(end=None)},                          UNDECIDED),
    Row("CRL of another authority",        "| crl",      {"crl": crl(STRANGER)},                          UNDECIDED),
    Row("CRL answers 404",                 "| crl",      {"crl": 404},                                    UNDECIDED),
    Row("no CRL at all",                   "| crl",      {"crl": b"<html>"},                              UNDECIDED),
    Row("the first of two places is gone", "| gone crl", {"crl": crl()},                                  TRUSTED, differs="crl-places"),
    Row("CRL of tomorrow",                 "| crl",      {"crl": crl(start=NOW + HOUR)},                  UNDECIDED, differs="this-update"),
    Row("a delta where a CRL belongs",     "| crl",      {"crl": crl(delta_of=1, number=2)},              UNDECIDED, differs="delta-as-base"),
    Row("a responder that is revoked",     "delegated |", {"responders": crl(WABBIT, Revoked(RESPONDER, 1, NOW - DAY))}, UNDECIDED, differs="responder"),
    Row("a responder that is good",        "delegated |", {"responders": crl()},                          TRUSTED),
)
# fmt: on


class World(NamedTuple):
    """Both programs' home, and whoever publishes."""

    home: Home
    server: Server
    services: Services

    def asked(self) -> list[str]:
        """What was asked since the last time, by the first part of the path."""
        found = [received.target.split("/")[1] for received in self.server.requests]
        self.server.requests.clear()
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Iterator[World]:
    home = new_home(tmp_path_factory.mktemp("home"), notation)
    write_stores(home.config, {"ca:wabbit": (WABBIT.certificate,)})
    services: Services = {}

    def script(received: Received) -> bytes:
        found = services.get(received.target.split("/")[1], 404)
        return http(found) if isinstance(found, int) else http(200, found)

    with serving(script) as server:
        yield World(home, server, services)


@pytest.fixture(autouse=True)
def forget(world: World) -> None:
    """Begin with empty caches and nothing published."""
    for name in (".cache", ".state"):
        shutil.rmtree(world.home.directory / name, ignore_errors=True)
    world.services.clear()
    world.asked()


def case(world: World, names: str, *, level: str = "strict") -> tuple[Case, Pair]:
    """A signature by a certificate that names these responders and CRLs."""
    ocsp, crls = ([f"{world.server.url}/{name}" for name in part.split()] for part in names.split("|"))
    pair = WABBIT.issue("build", "EC-256", ocsp_urls=ocsp, crl_urls=crls, serial=SERIAL)
    return signed(pair, level), pair


def signed(pair: Pair, level: str = "strict") -> Case:
    manifest = {"schemaVersion": 2, "mediaType": mt.IMAGE_MANIFEST, "config": describe(b"{}", mt.EMPTY).to_json(), "layers": []}  # fmt: skip
    artifact = json.dumps({**manifest, "annotations": {"number": str(next(_numbers))}}).encode()
    statement = {
        "name": "case",
        "registryScopes": ["*"],
        "signatureVerification": {"level": level},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
    }
    policy = json.dumps({"version": "1.0", "trustPolicies": [statement]})
    envelope = sealed(describe(artifact, mt.IMAGE_MANIFEST), pair, signing_time=NOW)
    return Case(mt.JWS, envelope, artifact, policy, {})


def nv2_says(home: Home, given: Case) -> dict[str, Any]:
    """The result; the layout is the one that notation was asked about."""
    reference = f"{home.directory / 'layout'}@{describe(given.artifact, mt.IMAGE_MANIFEST).digest}"
    finished = home.nv2("verify", "--oci-layout", "--scope", SCOPE, "-o", "json", reference, check=False)
    [result] = json.loads(finished.stdout)["results"]
    return dict(result)


def publish(world: World, row: Row, pair: Pair) -> None:
    for name, service in row.services.items():
        world.services[name] = service(pair.leaf) if callable(service) else service
    if "delegated" in row.names:
        world.services["delegated"] = ocsp_answer(WABBIT, pair.leaf, NOW, by=delegate(world.server.url))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_both_programs_give_the_same_verdict(world: World, row: Row) -> None:
    given, pair = case(world, row.names)
    publish(world, row, pair)
    yes, printed = notation_says(world.home, given)
    shutil.rmtree(world.home.directory / ".cache", ignore_errors=True)
    result = nv2_says(world.home, given)
    assert result["verdict"] == row.expect, result
    assert (yes == (row.expect == TRUSTED)) is not bool(row.differs), printed
    if row.differs:
        assert f'id="{row.differs}"' in Path("docs/differences.md").read_text()


def test_a_level_that_logs_revocation_warns_of_what_is_unknown_and_of_what_is_revoked(world: World) -> None:
    for service in (404, crl(WABBIT, LISTED)):
        given, _ = case(world, "| crl", level="permissive")
        world.services["crl"] = service
        yes, printed = notation_says(world.home, given)
        assert yes and 'revocation was set to "log"' in printed
        assert nv2_says(world.home, given)["verdict"] == TRUSTED


def test_the_crl_that_one_fetched_serves_the_other(world: World) -> None:
    given, _ = case(world, "| crl")
    world.services["crl"] = crl()
    assert notation_says(world.home, given)[0] and world.asked() == ["crl"]
    world.services.clear()
    assert nv2_says(world.home, given)["verdict"] == TRUSTED and world.asked() == []
    shutil.rmtree(world.home.directory / ".cache")
    world.services["crl"] = crl()
    assert nv2_says(world.home, given)["verdict"] == TRUSTED and world.asked() == ["crl"]
    world.services.clear()
    assert notation_says(world.home, given)[0] and world.asked() == []


def test_an_answer_of_a_responder_serves_the_next_run(world: World) -> None:
    given, pair = case(world, "ocsp |")
    world.services["ocsp"] = ocsp_answer(WABBIT, pair.leaf, NOW)
    assert notation_says(world.home, given)[0] and world.asked() == ["ocsp"]
    assert nv2_says(world.home, given)["verdict"] == TRUSTED and world.asked() == ["ocsp"]
    world.services.clear()
    assert nv2_says(world.home, given)["verdict"] == TRUSTED and world.asked() == []


def test_a_chain_that_nobody_trusts_makes_nobody_ask(world: World) -> None:
    pair = STRANGER.issue("build", "EC-256", crl_urls=(f"{world.server.url}/crl",))
    given = signed(pair, "audit")
    notation_says(world.home, given)
    world.asked()
    result = nv2_says(world.home, given)
    assert world.asked() == [] and result["verdict"] == TRUSTED
