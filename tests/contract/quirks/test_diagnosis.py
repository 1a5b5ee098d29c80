"""`nv2 registry doctor`: each quirk of the embedded registry that it can see, it says; and it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nv2.content.remote.probes import State
from nv2.errors import NotFound, UsageError
from nv2.notary.diagnosis import Diagnosis, diagnose
from nv2.notary.session import Session
from nv2.oci.reference import Reference, parse_registry
from nv2.server.quirks import layers_of
from nv2.server.registry import serve
from tests.unit.cli.command_line import CommandLine
from tests.world.artifacts import push_image

# fmt: off
SEEN = (
    # quirks                              probe              state          says
    ("no-referrers",                      "referrers api",   State.LIMITED, "none (answered 404)"),
    ("referrers-405",                     "referrers api",   State.LIMITED, "none (answered 405)"),
    ("false-200",                         "referrers api",   State.LIMITED, "not with an index"),
    ("json-referrers",                    "referrers api",   State.LIMITED, "lists 0"),
    ("null-referrers",                    "referrers api",   State.GOOD,    "lists 0"),
    ("ignores-filter",                    "referrers filter", State.LIMITED, "none"),
    ("subject-without-api",               "subject",         State.LIMITED, "noted and not listed"),
    ("no-referrers",                      "subject",         State.LIMITED, "neither noted nor listed"),
    ("refuses-subject",                   "subject",         State.BAD,     "answered 405"),
    ("alias-tag no-referrers",            "fallback tag",    State.LIMITED, "names the artifact itself"),
    ("exact-accept",                      "accept",          State.LIMITED, "404 without the type"),
    ("no-digest-header",                  "digest",          State.GOOD,    "there is no header"),
    ("wrong-digest-header",               "digest",          State.BAD,     "the header says sha256:"),
    ("no-ranges",                         "range",           State.LIMITED, "answered 200"),
    ("no-mount",                          "mount",           State.LIMITED, "answered 202"),
    ("mount-forbidden",                   "mount",           State.LIMITED, "answered 403"),
    ("etag-ignored",                      "if-match",        State.LIMITED, "answered 201"),
    ("no-sha512",                         "sha512",          State.LIMITED, "400 for a manifest"),
    ("no-delete",                         "delete",          State.LIMITED, "answered 405"),
    ("no-tag-delete",                     "delete tag",      State.LIMITED, "answered 400"),
    ("cross-host-location",               "upload",          State.GOOD,    "answered 201"),
    ("unpaged-tags",                      "tag list",        State.LIMITED, "2 where one was asked for"),
)
# fmt: on


@contextmanager
def registry(directory: Path, quirks: str = "") -> Iterator[tuple[Session, Reference]]:
    """A registry with these quirks, and an image of two tags in it."""
    with (
        serve(directory / "r", layers=layers_of(tuple(quirks.split()), ())) as running,
        Session.from_environment(environ={"HOME": str(directory)}) as session,
    ):
        reference = parse_registry(f"{running.address}/app:v1")
        store = session.store(reference, push=True)
        image = push_image(store)
        for tag in ("v1", "v2"):
            store.tag(image, tag)
        yield session, reference


def scratch_of(reference: Reference) -> Reference:
    return parse_registry(f"{reference.registry}/scratch:doctor")


def states(found: Diagnosis) -> dict[str, State]:
    return {finding.probe: finding.state for finding in found.findings}


@pytest.mark.parametrize(
    ("quirks", "probe", "state", "says"), SEEN, ids=[f"{row[0]}: {row[1]}" for row in SEEN]
)
def test_a_quirk_is_seen_by_its_probe(
    quirks: str, probe: str, state: State, says: str, tmp_path: Path
) -> None:
    with registry(tmp_path, quirks) as (session, reference):
        found = diagnose(session, reference, scratch_of(reference))
    (finding,) = (finding for finding in found.findings if finding.probe == probe)
    assert finding.state is state and says in finding.found, finding
    assert (finding.meaning != "") or state is State.GOOD or probe == "delete tag", finding


def test_a_registry_without_quirks_has_only_the_limit_of_plain_http(tmp_path: Path) -> None:
    with registry(tmp_path) as (session, reference):
        found = diagnose(session, reference, scratch_of(reference))
    assert {probe for probe, state in states(found).items() if state is not State.GOOD} == {"tls"}
    assert (found.is_fit, found.by_api) == (True, True)
    assert found.summary == "signatures can be stored and found, by the referrers API"


def test_what_was_written_is_gone_afterwards(tmp_path: Path) -> None:
    with registry(tmp_path) as (session, reference):
        diagnose(session, reference, scratch_of(reference))
        for name in ("doctor", "latest"):
            with pytest.raises(NotFound):
                session.resolve(scratch_of(reference)._replace(tag=name))


def test_what_could_not_be_removed_is_named(tmp_path: Path) -> None:
    with registry(tmp_path, "no-delete") as (session, reference):
        found = diagnose(session, reference, scratch_of(reference))
    (left,) = (finding.found for finding in found.findings if finding.probe == "cleaning up")
    assert "/scratch: manifests/sha256:" in left


def test_nothing_is_written_unless_it_was_asked_for(tmp_path: Path) -> None:
    with registry(tmp_path) as (session, reference):
        found = diagnose(session, reference)
        with pytest.raises(NotFound):
            session.resolve(scratch_of(reference))
    assert not {"upload", "subject", "delete"} & set(states(found))


def test_a_tag_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    with registry(tmp_path) as (session, reference):
        before = session.resolve(reference).subject
        with pytest.raises(UsageError, match="the scratch tag is there"):
            diagnose(session, reference, reference._replace(tag="v2"))
        assert session.resolve(reference._replace(tag="v2")).subject == before


@pytest.mark.parametrize("name", ["other.test/scratch:new", "{}/scratch", "{}/scratch@sha256:" + "0" * 64])
def test_a_scratch_place_is_a_new_tag_of_the_same_registry(name: str, tmp_path: Path) -> None:
    with registry(tmp_path) as (session, reference), pytest.raises(UsageError, match="cannot be scratched"):
        diagnose(session, reference, parse_registry(name.format(reference.registry)))


def test_lines_json_and_exit_codes_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = CommandLine(tmp_path, monkeypatch)
    with registry(tmp_path, "wrong-digest-header") as (_, reference):
        shown = line("registry", "doctor", str(reference))
        document = line("registry", "doctor", "-o", "json", str(reference)).document
        missing = line("registry", "doctor", str(reference._replace(tag="nothing")))
    assert (shown.code, missing.code) == (1, 3)
    assert any(row.startswith("bad      digest: the header says sha256:") for row in shown.out.splitlines())
    assert (document["schema"], document["state"]) == ("nv2.registry.doctor/v1", "bad")
    assert {"probe", "state", "found", "meaning"} == set(document["findings"][0])
