"""What bad content and failing registries come to on the way into a bundle and out of one, and under a deletion."""

from __future__ import annotations

import re

import pytest

from tests.faults.test_copies import FAULTS, OF_SIGNATURES, PARTLY, Places, check_error, places
from tests.faults.test_copy_destinations import STRIKES, Strike, forbidden, read_only
from tests.unit.cli.test_bundle import trusts
from tests.unit.cli.test_interruption import nothing_unfinished
from tests.world.carried_content import Fault
from tests.world.wire import broken, dead, page

__all__ = ["places"]

BUNDLE = ("--file", "b.tar")


@pytest.mark.parametrize(
    "fault", [row for row in FAULTS if "10,000" not in row.name], ids=lambda row: row.name
)
def test_bad_content_makes_no_bundle(places: Places, fault: Fault) -> None:
    spoiled = places.good.copy()
    digest = fault.spoil(spoiled)
    there = places.hold("registry", spoiled)
    ended = places.line("bundle", "create", there, *BUNDLE)
    check_error(ended, "source", there, digest, fault.says)
    assert not (places.line.directory / "b.tar").exists()
    nothing_unfinished(places.line.directory)
    places.hold("registry", places.good)
    again = places.line("bundle", "create", there, *BUNDLE)
    assert again.code == 0, again.err


@pytest.mark.parametrize("fault", OF_SIGNATURES, ids=lambda row: row.name)
def test_a_bad_signature_is_left_out_of_a_bundle_and_named(places: Places, fault: Fault) -> None:
    spoiled = places.good.copy()
    digest = fault.spoil(spoiled)
    there = places.hold("registry", spoiled)
    ended = places.line("bundle", "create", there, *BUNDLE)
    (warning,) = [line for line in ended.err.splitlines() if digest in line]
    assert (ended.code, ended.error_lines) == (PARTLY, []), ended.err
    assert warning.startswith(f"Warning: source {there.removesuffix(':v1')}"), warning
    assert re.search(fault.says, warning), warning


@pytest.mark.parametrize("strike", STRIKES, ids=lambda row: row.name)
def test_a_registry_that_fails_under_an_import_shows_no_tag_and_takes_the_same_bundle_later(
    places: Places, strike: Strike
) -> None:
    line, here = places.line, f"{places.wire.address}/from:v1"
    trusts(line, (line.directory / "root.crt").read_bytes())
    assert line("bundle", "create", places.hold("registry", places.good), *BUNDLE).code == 0
    places.wire.strike(strike.method, strike.part, strike.how)
    ended = line("bundle", "import", "b.tar", places.wire.address)
    check_error(ended, "destination", here, "sha256:", strike.says)
    assert places.wire.registry.repository("from").tags == {}
    places.wire.strikes.clear()
    again = line("bundle", "import", "b.tar", places.wire.address)
    assert again.code == 0, again.err
    assert line("verify", here).code == 0


# fmt: off
DELETIONS = (
    Strike("a dead registry",      "DELETE", "/manifests/", dead,      "closed without an answer"),
    Strike("a broken registry",    "DELETE", "/manifests/", broken,    "answered 500"),
    Strike("a read-only registry", "DELETE", "/manifests/", read_only, "does not delete"),
    Strike("no right to delete",   "DELETE", "/manifests/", forbidden, "was refused"),
    Strike("a page",               "DELETE", "/manifests/", page,      "answered 200"),
)
# fmt: on


@pytest.mark.parametrize("strike", DELETIONS, ids=lambda row: row.name)
def test_a_deletion_that_fails_is_one_error_and_leaves_what_is_there(places: Places, strike: Strike) -> None:
    there = places.hold("registry", places.good)
    name = f"{there.removesuffix(':v1')}@{places.good.signature}"
    places.origin.strike(strike.method, strike.part, strike.how)
    ended = places.line("delete", "--yes", name)
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert (ended.code, len(errors)) == (3, 1), ended.err
    assert re.search(strike.says, errors[0]) and there.removesuffix(":v1") in errors[0], errors
    assert places.good.signature in errors[0], errors
    assert places.line("verify", "-k", "leaf.crt", there).code == 0
    places.origin.strikes.clear()
    assert places.line("delete", "--yes", name).code == 0
    assert places.line("verify", "-k", "leaf.crt", there).code == 1
