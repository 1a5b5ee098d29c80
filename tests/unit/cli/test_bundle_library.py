"""Bundles as a library has them: the verdicts of the command line, as values and exceptions."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

import nv2
from nv2.errors import Unreachable, UsageError
from nv2.transport.interface import Request, Response
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.test_bundle import CRL_URL, OTHER, Place, bundle_of_somebody_with_a_crl, policy, trusts
from tests.world.artifacts import push_image
from tests.world.ca import pem
from tests.world.crl import Revoked


@pytest.fixture
def place(wabbit: CommandLine) -> Place:
    return Place(wabbit)


def test_what_is_bundled_is_verified_and_imported(place: Place) -> None:
    made = nv2.create_bundle([place.name], "b.tar", key="wabbit.key")
    assert made.signature is not None and made.problems == ()
    [verified] = nv2.verify_bundle("b.tar", key="leaf.crt")
    assert verified.artifact.subject == place.image
    brought = nv2.import_bundle("b.tar", f"{place.registry.host}/in")
    assert [str(each.destination) for each in brought.artifacts] == [
        f"{place.registry.host}/in/app:v1@{place.image.digest}"
    ]
    assert place.store("in/app").resolve("v1") == place.image
    assert brought.evidence.problems == ()


def test_a_policy_travels_in_a_signed_bundle(place: Place) -> None:
    with pytest.raises(UsageError):
        nv2.create_bundle([place.name], "b.tar", with_policy=True)
    made = nv2.create_bundle([place.name], "b.tar", key="wabbit.key", with_policy=True)
    assert made.contents.trust is not None
    assert place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt").code == 0


@pytest.mark.parametrize("references", [[], ["layout:image:v1"], ["app"]])
def test_what_has_no_name_in_a_registry_is_not_bundled(place: Place, references: list[str]) -> None:
    with pytest.raises(nv2.Nv2Error):
        nv2.create_bundle(references, "b.tar")
    assert not place.file.exists()


def test_what_is_not_trusted_is_raised_before_what_is_undecided(place: Place) -> None:
    """The policy knows one of the two names, and its signer not at all."""
    push_image(place.store("other"), b"other")
    second = push_image(place.store("other"), b"other")
    place.store("other").tag(second, "v1")
    nv2.create_bundle([f"{place.registry.host}/other:v1", place.name], "b.tar")
    trusts(place.line, pem([OTHER.root]), scope=f"{place.registry.host}/app")
    with pytest.raises(nv2.NotTrusted):
        nv2.verify_bundle("b.tar")
    with pytest.raises(nv2.NotTrusted):
        nv2.import_bundle("b.tar", f"{place.registry.host}/in", original_names=True)
    with pytest.raises(nv2.errors.PolicyError):
        nv2.verify_bundle("b.tar", destination=f"{place.registry.host}/in")


def test_the_policy_is_asked_about_the_names_inside_unless_the_caller_wants_those_outside(
    place: Place,
) -> None:
    inside = f"{place.registry.host}/in"
    nv2.create_bundle([place.name], "b.tar")
    (place.line.config / "trustpolicy.json").write_bytes(policy(scope=f"{inside}/app"))
    assert nv2.verify_bundle("b.tar", destination=inside)
    with pytest.raises(nv2.errors.PolicyError):
        nv2.import_bundle("b.tar", inside, original_names=True)
    assert nv2.import_bundle("b.tar", inside).artifacts


def test_the_evidence_is_kept_though_the_artifact_is_refused_or_the_registry_fails(place: Place) -> None:
    name = bundle_of_somebody_with_a_crl(place, Revoked(7, at=datetime.now(UTC) - timedelta(days=2)))
    with pytest.raises(nv2.NotTrusted):
        nv2.import_bundle("b.tar", f"{place.registry.host}/in")
    assert (place.line.directory / "cache" / "crl" / hashlib.sha256(CRL_URL.encode()).hexdigest()).exists()
    with pytest.raises(nv2.NotTrusted):
        nv2.verify(name)


def test_nobody_is_asked_to_verify_and_a_registry_that_fails_is_an_error(place: Place) -> None:
    nv2.create_bundle([place.name], "b.tar")

    def gone(request: Request) -> Response:
        raise Unreachable("gone", at=request.place)

    place.line.reach(gone)
    assert nv2.verify_bundle("b.tar")
    with pytest.raises(Unreachable):
        nv2.import_bundle("b.tar", f"{place.registry.host}/in")
