"""One signature of one artifact under one policy, and what nv2 says of it, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nv2.content.memory import MemoryStore
from nv2.errors import PolicyError
from nv2.home.paths import Paths
from nv2.home.trust_stores import load_store
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.revocation import WithoutNetwork
from nv2.trust.policy import parse_policy
from nv2.trust.trust import trust_of
from nv2.trust.verdict import Verdict
from nv2.verification import evaluate, not_checked
from tests.world.ca import pem
from tests.world.signed import attach, put

SCOPE = "local/vectors"
"""The repository that policies speak of."""


class Case(NamedTuple):
    """What is judged, apart from the time."""

    media_type: str
    envelope: bytes
    artifact: bytes
    """An image manifest: the target of the payload is its descriptor, unless that is what is wrong."""
    policy: str
    stores: Mapping[str, tuple[bytes, ...]]
    """Certificates as DER, by `type:name`. A store without certificates is an empty directory."""


class Answer(NamedTuple):
    """What nv2 says."""

    verdict: str
    """A value of `Verdict`, or `policyError`."""
    validation: str
    """The validation that decided, empty if none did."""
    reason: str


def write_stores(config: Path, stores: Mapping[str, tuple[bytes, ...]]) -> None:
    """Write trust stores into the configuration directory `config`."""
    for name, certificates in stores.items():
        folder = config / "truststore" / "x509" / Path(*name.split(":"))
        folder.mkdir(parents=True, exist_ok=True)
        for number, der in enumerate(certificates):
            (folder / f"{number}.pem").write_bytes(pem([der]))


def judged(case: Case, now: datetime, home: Path) -> Answer:
    """nv2's answer at the time `now`; `home` has the configuration with the stores of the case."""
    store = MemoryStore()
    subject = put(store, case.artifact, mt.IMAGE_MANIFEST)
    assert subject == describe(case.artifact, mt.IMAGE_MANIFEST)
    attach(store, subject, case.envelope, media_type=case.media_type)
    paths = Paths.from_environment({"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")})
    try:
        statement = parse_policy(case.policy.encode(), "").statement_for(SCOPE)
    except PolicyError as e:
        return Answer("policyError", "", str(e))
    if statement.level.skips:
        return Answer(not_checked(statement).verdict.value, "", "")
    trust = trust_of(statement, lambda name: load_store(paths, name))
    verdict = evaluate(store, subject, trust, revocation=WithoutNetwork(), now=now)
    if verdict.verdict is Verdict.TRUSTED:
        return Answer(verdict.verdict.value, "", "")
    decisive = verdict.signatures[0].judgement.decisive
    assert decisive is not None
    return Answer(verdict.verdict.value, decisive.validation.value, decisive.reason)
