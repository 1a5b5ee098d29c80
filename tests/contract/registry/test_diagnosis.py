"""`nv2 registry doctor` at real registries: what is known of them is what it says."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from nv2.content.remote.probes import State
from nv2.notary.diagnosis import diagnose
from nv2.notary.session import Session
from nv2.oci.reference import parse_registry
from tests.world.artifacts import push_image

NUMBERS = itertools.count()

NOT_GOOD = {
    "embedded": set(),
    "olareg": {"etag", "accept", "if-match", "referrers filter"},
    "distribution31": {"accept", "referrers api", "subject", "if-match", "sha512"},
    "distribution28": {"accept", "referrers api", "subject", "if-match", "delete tag", "tag list", "sha512"},
}
"""What is known of each. Whether anything can be deleted is a matter of its settings, and TLS of ours."""


def test_what_is_known_of_a_registry_is_what_is_found(
    registry: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = f"{registry}/doctor/{os.getpid()}-{next(NUMBERS)}"
    with Session.from_environment(environ={"HOME": str(tmp_path)}) as session:
        reference = parse_registry(f"{name}:v1")
        store = session.store(reference, push=True)
        image = push_image(store)
        for tag in ("v1", "v2"):
            store.tag(image, tag)
        found = diagnose(session, reference, parse_registry(f"{name}/scratch:new"))
    assert found.is_fit
    who = request.node.callspec.params["registry"]
    limited = {finding.probe for finding in found.findings if finding.state is State.LIMITED}
    settings = {"tls", "delete", "delete tag", "cleaning up"}
    assert limited - settings == NOT_GOOD[who] - settings, found.findings
    assert found.by_api == (who in ("embedded", "olareg"))
