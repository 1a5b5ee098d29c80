"""The same files, the same signatures: both programs give the same verdict, one row a case.

`notation` knows two answers, yes and no; nv2's *undecided* is a no to it. A row with `differs` is a
difference on purpose, which docs/differences.md explains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from nv2.home.paths import Paths
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import parse
from nv2.server.registry import serve
from tests.interop import signatures
from tests.interop.home import Home, new_home
from tests.interop.signatures import ACME, BELOW, EXPIRED_ROOT, SELF, SIGNATURES, WABBIT
from tests.world.images import push_image

pytestmark = pytest.mark.peers

TRUSTED, NOT_TRUSTED, UNDECIDED, NOT_CHECKED, ERROR = (
    "trusted",
    "notTrusted",
    "undecided",
    "notChecked",
    "error",
)
YES = {TRUSTED, NOT_CHECKED}

BUILD = "x509.subject:C=US,ST=WA,O=wabbit-networks.io,CN=build"
ORGANISATION = "x509.subject: C=US, ST=WA, O=wabbit-networks.io"
ACME_BUILD = "x509.subject:C=US,ST=WA,O=acme-rockets.io"

STORES: dict[str, tuple[bytes, ...]] = {
    "ca:wabbit": (WABBIT.chain[-1],),
    "ca:acme": (ACME.chain[-1],),
    "ca:both": (WABBIT.chain[-1], ACME.chain[-1]),
    "ca:below": (BELOW.certificate,),
    "ca:old": (EXPIRED_ROOT.chain[-1],),
    "ca:solo": (SELF.leaf,),
    "signingAuthority:wabbit": (WABBIT.chain[-1],),
    "tsa:wabbit": (WABBIT.chain[-1],),
}


NOTHING: Mapping[str, str] = MappingProxyType({})


class Case(NamedTuple):
    """A row: which signature, under which statement, with which verdict."""

    name: str
    signature: str
    expect: str
    level: str = "strict"
    override: Mapping[str, str] = NOTHING
    stores: tuple[str, ...] = ("ca:wabbit",)
    identities: tuple[str, ...] = ("*",)
    scope: str = "{repository}"
    metadata: str | None = None
    verify_timestamp: str | None = None
    differs: str = ""


LOG_EXPIRY, LOG_TIME = {"expiry": "log"}, {"authenticTimestamp": "log"}
LOG_AUTH, NO_REVOCATION = {"authenticity": "log"}, {"revocation": "skip"}
LOG_REVOCATION, ENFORCE_REVOCATION = {"revocation": "log"}, {"revocation": "enforce"}
ENFORCE_EXPIRY, ENFORCE_TIME = {"expiry": "enforce"}, {"authenticTimestamp": "enforce"}
ENFORCE_AUTH = {"authenticity": "enforce"}

# fmt: off
CASES = (
    # levels, on a good signature
    Case("good, strict",                        "good", TRUSTED),
    Case("good, permissive",                    "good", TRUSTED, "permissive"),
    Case("good, audit",                         "good", TRUSTED, "audit"),
    Case("good, skip",                          "good", NOT_CHECKED, "skip"),
    Case("good COSE, strict",                   "good-cose", TRUSTED),
    Case("below an intermediate",               "below-intermediate", TRUSTED),
    Case("intermediate is the anchor",          "below-intermediate", TRUSTED, stores=("ca:below",)),
    Case("self-signed leaf is the anchor",      "self-signed", TRUSTED, stores=("ca:solo",)),
    Case("not yet expired",                     "not-yet-expired", TRUSTED),
    # no signature
    Case("unsigned, strict",                    "unsigned", NOT_TRUSTED),
    Case("unsigned, permissive",                "unsigned", NOT_TRUSTED, "permissive"),
    Case("unsigned, audit",                     "unsigned", NOT_TRUSTED, "audit"),
    Case("unsigned, skip",                      "unsigned", NOT_CHECKED, "skip"),
    # authenticity: stores
    Case("stranger, strict",                    "by-mallory", NOT_TRUSTED),
    Case("stranger, permissive",                "by-mallory", NOT_TRUSTED, "permissive"),
    Case("stranger, audit",                     "by-mallory", TRUSTED, "audit"),
    Case("stranger, authenticity logged",       "by-mallory", TRUSTED, override=LOG_AUTH),
    Case("stranger, audit but enforced",        "by-mallory", NOT_TRUSTED, "audit", override=ENFORCE_AUTH),
    Case("other party's store",                 "good", NOT_TRUSTED, stores=("ca:acme",)),
    Case("two stores, second fits",             "good", TRUSTED, stores=("ca:acme", "ca:wabbit")),
    Case("one store, two certificates",         "by-acme", TRUSTED, stores=("ca:both",)),
    Case("self-signed and unknown",             "self-signed", NOT_TRUSTED),
    Case("sibling of the anchor",               "good", NOT_TRUSTED, stores=("ca:below",)),
    Case("store does not exist",                "good", UNDECIDED, stores=("ca:nowhere",)),
    Case("store of the other scheme only",      "good", NOT_TRUSTED, stores=("signingAuthority:wabbit",)),
    Case("store of the other scheme, audit",    "good", TRUSTED, "audit", stores=("signingAuthority:wabbit",)),
    # authenticity: identities
    Case("identity fits",                       "good", TRUSTED, identities=(BUILD,)),
    Case("identity is part of the subject",     "good", TRUSTED, identities=(ORGANISATION,)),
    Case("identity of another party",           "good", NOT_TRUSTED, identities=(ACME_BUILD,)),
    Case("identity of another party, audit",    "good", TRUSTED, "audit", identities=(ACME_BUILD,)),
    Case("one of two identities fits",          "good", TRUSTED, identities=(ACME_BUILD, BUILD)),
    Case("identity wants more than there is",   "good", NOT_TRUSTED, identities=(BUILD + ",L=Seattle",)),
    Case("identity in another case",            "good", NOT_TRUSTED, identities=("x509.subject:C=US,ST=WA,O=Wabbit-Networks.io",)),
    Case("S for ST",                            "good", TRUSTED, identities=("x509.subject:C=US,S=WA,O=wabbit-networks.io",)),
    Case("identity kind that nobody knows",     "good", NOT_TRUSTED, identities=("spiffe://example",)),
    Case("two units, any identity",             "two-units", TRUSTED),
    Case("two units, named identity",           "two-units", NOT_TRUSTED, identities=(ORGANISATION,)),
    # integrity
    Case("broken JWS signature",                "broken", NOT_TRUSTED),
    Case("broken JWS signature, audit",         "broken", NOT_TRUSTED, "audit"),
    Case("broken COSE signature",               "broken-cose", NOT_TRUSTED),
    Case("broken COSE signature, audit",        "broken-cose", NOT_TRUSTED, "audit"),
    Case("junk",                                "junk", NOT_TRUSTED),
    Case("junk, audit",                         "junk", NOT_TRUSTED, "audit"),
    Case("for another artifact",                "for-another", NOT_TRUSTED),
    Case("for another artifact, audit",         "for-another", NOT_TRUSTED, "audit"),
    Case("server certificate",                  "server-certificate", NOT_TRUSTED),
    Case("server certificate, audit",           "server-certificate", NOT_TRUSTED, "audit"),
    Case("optional attribute",                  "optional-attribute", TRUSTED),
    Case("unknown critical attribute",          "critical-attribute", NOT_TRUSTED, differs="critical"),
    # expiry
    Case("expired, strict",                     "expired", NOT_TRUSTED),
    Case("expired, permissive",                 "expired", TRUSTED, "permissive"),
    Case("expired, audit",                      "expired", TRUSTED, "audit"),
    Case("expired, logged",                     "expired", TRUSTED, override=LOG_EXPIRY),
    Case("expired, permissive but enforced",    "expired", NOT_TRUSTED, "permissive", override=ENFORCE_EXPIRY),
    # authentic timestamp
    Case("expired certificate, strict",         "expired-certificate", NOT_TRUSTED),
    Case("expired certificate, permissive",     "expired-certificate", TRUSTED, "permissive"),
    Case("expired certificate, logged",         "expired-certificate", TRUSTED, override=LOG_TIME),
    Case("expired certificate, audit enforced", "expired-certificate", NOT_TRUSTED, "audit", override=ENFORCE_TIME),
    Case("expired root",                        "expired-root", NOT_TRUSTED, stores=("ca:old",)),
    Case("expired root, permissive",            "expired-root", TRUSTED, "permissive", stores=("ca:old",)),
    Case("certificate of tomorrow",             "future-certificate", NOT_TRUSTED),
    Case("everything expired, permissive",      "all-expired", TRUSTED, "permissive"),
    Case("everything expired, two overrides",   "all-expired", TRUSTED, override={**LOG_TIME, **LOG_EXPIRY}),
    Case("everything expired, one override",    "all-expired", NOT_TRUSTED, override=LOG_TIME),
    Case("no timestamp but a tsa store",        "good", NOT_TRUSTED, stores=("ca:wabbit", "tsa:wabbit")),
    Case("no timestamp, logged",                "good", TRUSTED, "permissive", stores=("ca:wabbit", "tsa:wabbit")),
    Case("no timestamp, not needed yet",        "good", TRUSTED, stores=("ca:wabbit", "tsa:wabbit"), verify_timestamp="afterCertExpiry"),
    Case("no timestamp, needed by now",         "expired-certificate", NOT_TRUSTED, stores=("ca:wabbit", "tsa:wabbit"), verify_timestamp="afterCertExpiry"),
    # signing authority
    Case("authority, its store",                "authority-scheme", TRUSTED, stores=("signingAuthority:wabbit",)),
    Case("authority in COSE, its store",        "authority-scheme-cose", TRUSTED, stores=("signingAuthority:wabbit",)),
    Case("authority in COSE, ca store only",    "authority-scheme-cose", NOT_TRUSTED),
    Case("authority, ca store only",            "authority-scheme", NOT_TRUSTED),
    Case("authority, time outside",             "authority-scheme-outside", NOT_TRUSTED, stores=("signingAuthority:wabbit",)),
    Case("authority, time inside, expired now", "authority-scheme-past", TRUSTED, stores=("signingAuthority:wabbit",)),
    # revocation
    Case("CRL not to be had, strict",           "with-crl", UNDECIDED),
    Case("CRL not to be had, permissive",       "with-crl", TRUSTED, "permissive"),
    Case("CRL not to be had, skipped",          "with-crl", TRUSTED, override=NO_REVOCATION),
    Case("CRL not to be had, logged",           "with-crl", TRUSTED, override=LOG_REVOCATION),
    Case("CRL not to be had, audit enforced",   "with-crl", UNDECIDED, "audit", override=ENFORCE_REVOCATION),
    Case("OCSP not to be had, strict",          "with-ocsp", UNDECIDED),
    Case("OCSP not to be had, audit",           "with-ocsp", TRUSTED, "audit"),
    # user metadata
    Case("metadata is there",                   "with-metadata", TRUSTED, metadata="stage=production"),
    Case("metadata has another value",          "with-metadata", NOT_TRUSTED, metadata="stage=test"),
    Case("metadata is absent",                  "good", NOT_TRUSTED, metadata="stage=production"),
    Case("metadata is absent, audit",           "good", NOT_TRUSTED, "audit", metadata="stage=production"),
    # several signatures
    Case("junk does not hide the good one",     "junk-and-good", TRUSTED),
    Case("a stranger does not hide it either",  "mallory-and-good", TRUSTED),
    # scopes and policies
    Case("global scope",                        "good", TRUSTED, scope="*"),
    Case("no statement applies",                "good", ERROR, scope="registry.example.com/other"),
    Case("a prefix is no scope",                "good", ERROR, scope="{registry}/case"),
    Case("skip for everything",                 "good", ERROR, "skip", scope="*", differs="skip-everything"),
    Case("unknown level",                       "good", ERROR, "lenient"),
    Case("integrity overridden",                "good", ERROR, override={"integrity": "log"}),
    Case("expiry skipped",                      "good", ERROR, override={"expiry": "skip"}),
    Case("unknown store type",                  "good", ERROR, stores=("root:wabbit",)),
    Case("traversal in a store name",           "good", ERROR, stores=("ca:../wabbit",)),
    Case("identity without organisation",       "good", ERROR, identities=("x509.subject:C=US,ST=WA",)),
    Case("wildcard among identities",           "good", ERROR, identities=("*", BUILD)),
    Case("overlapping identities",              "good", ERROR, identities=(BUILD, ORGANISATION)),
    Case("no stores",                           "good", ERROR, stores=()),
    Case("no identities",                       "good", ERROR, identities=()),
    Case("malformed scope",                     "good", ERROR, scope="localhost"),
)
# fmt: on


class World(NamedTuple):
    """Both programs' home, the registry, and the artifact of every kind of signature."""

    home: Home
    registry: str
    artifacts: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Iterator[World]:
    home = new_home(tmp_path_factory.mktemp("home"), notation)
    for name, certificates in STORES.items():
        home.write_store(*name.split(":"), *certificates)
    with (
        Session(Paths.from_environment(home.environment()), Settings(), home.environment()) as session,
        serve(tmp_path_factory.mktemp("registry"), "127.0.0.1", 0) as registry,
    ):
        artifacts = {name: _sign(session, registry.address, name) for name in SIGNATURES}
        yield World(home, registry.address, artifacts)


def _sign(session: Session, registry: str, name: str) -> str:
    reference = f"{registry}/case/{name}@{push_image(registry, f'case/{name}')}"
    artifact = session.resolve(parse(reference), push=True)
    for made in SIGNATURES[name]:
        signatures.attach(artifact.store, artifact.subject, made)
    return reference


def _statement(case: Case, world: World) -> dict[str, Any]:
    verification: dict[str, Any] = {"level": case.level}
    if case.override:
        verification["override"] = dict(case.override)
    if case.verify_timestamp:
        verification["verifyTimestamp"] = case.verify_timestamp
    statement: dict[str, Any] = {
        "name": "case",
        "registryScopes": [
            case.scope.format(repository=f"{world.registry}/case/{case.signature}", registry=world.registry)
        ],
        "signatureVerification": verification,
    }
    if case.level != "skip":
        statement |= {"trustStores": list(case.stores), "trustedIdentities": list(case.identities)}
    return statement


def test_there_are_enough_cases_and_every_name_is_its_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_programs_give_the_same_verdict(world: World, case: Case) -> None:
    world.home.write_policy([_statement(case, world)])
    reference = world.artifacts[case.signature]
    metadata = ("-m", case.metadata) if case.metadata else ()
    ours = world.home.nv2("verify", "-o", "json", *metadata, reference, check=False)
    theirs = world.home.notation("verify", *metadata, reference, check=False)
    document = json.loads(ours.stdout)
    assert _verdict(document) == case.expect, ours.stdout + ours.stderr
    assert (ours.returncode == 0) == (case.expect in YES)
    same = (theirs.returncode == 0) == (case.expect in YES)
    assert same is not bool(case.differs), theirs.stdout + theirs.stderr
    if case.differs:
        assert f'id="{case.differs}"' in Path("docs/differences.md").read_text()


def _verdict(document: dict[str, Any]) -> str:
    if "error" in document:
        return ERROR
    [result] = document["results"]
    return ERROR if "error" in result else str(result["verdict"])
