from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from nv2.content.interface import Referrers
from nv2.content.memory import MemoryStore
from nv2.envelope.envelope import VERIFICATION_PLUGIN, ExtendedAttribute, Scheme
from nv2.errors import (
    BadAnswer,
    Nv2Error,
    PolicyError,
    TrustStoreError,
    Unreachable,
    UsageError,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.chain import Chain, parse_chain
from nv2.revocation import WithoutNetwork
from nv2.trust.anchors import CertificateAnchors, KeyAnchor, StoreName, parse_store_name
from nv2.trust.identity import ANYONE, parse_identity
from nv2.trust.level import LEVELS, Action, Level, Validation, custom_level
from nv2.trust.policy import Statement, TimestampWhen, parse_policy
from nv2.trust.trust import Trust, trust_of
from nv2.trust.verdict import ArtifactVerdict, Finding, Outcome, Verdict
from nv2.verification import evaluate, not_checked
from tests.world.ca import CA, Pair, self_signed
from tests.world.signed import NOW, SIGNED_AT, artifact, attach, put, sealed, sign

T, N, U = Verdict.TRUSTED, Verdict.NOT_TRUSTED, Verdict.UNDECIDED
URL = ("http://pki.wabbit-networks.io/x",)

WABBIT, STRANGER, AUTHORITY = CA("Wabbit"), CA("Stranger"), CA("Authority")
PAIR = WABBIT.issue("build", key="EC-256")
STRANGE = STRANGER.issue("stranger", key="EC-256")
RETIRED = WABBIT.issue("retired", key="EC-256", not_after=datetime(2026, 3, 1, tzinfo=UTC))
REVOCABLE = WABBIT.issue("revocable", key="EC-256", ocsp_urls=URL)
SERVICE = AUTHORITY.issue("service", key="EC-256")


def load(name: StoreName) -> tuple[Certificate, ...]:
    stores = {"ca:wabbit": WABBIT, "signingAuthority:authority": AUTHORITY, "tsa:clock": CA("Clock")}
    if str(name) not in stores:
        raise TrustStoreError("no such trust store", at=str(name), hint="add one")
    return (parse_certificate(stores[str(name)].certificate),)


class Revocation:
    """A checker that gives one answer and remembers the questions."""

    def __init__(self, outcome: Outcome = Outcome.PASSED) -> None:
        self.outcome = outcome
        self.asked: list[tuple[Chain, datetime, datetime | None]] = []

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        self.asked.append((chain, now, signed_at))
        return Finding(Validation.REVOCATION, self.outcome, "so the checker says")

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """Nobody is asked."""


class World(MemoryStore):
    """A registry with one image. Content can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.image = artifact(self)
        self.unreachable: set[str] = set()
        self.complete = True
        self.fetched = 0

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        self.fetched += 1
        if descriptor.digest in self.unreachable:
            raise Unreachable("no connection", at="registry.acme.io")
        return super().fetch(descriptor, limit)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        return super().referrers(subject, artifact_type)._replace(complete=self.complete)


def trust(
    level: str | Level = "strict",
    *,
    stores: Sequence[str] = ("ca:wabbit",),
    identities: Sequence[str] = ("*",),
    when: TimestampWhen = TimestampWhen.ALWAYS,
) -> Trust:
    statement = Statement(
        "images",
        ("*",),
        LEVELS[level] if isinstance(level, str) else level,
        when,
        tuple(parse_store_name(store, "") for store in stores),
        tuple(parse_identity(identity, "") for identity in identities),
    )
    return trust_of(statement, load)


def judged(world: World, given: Trust | None = None, **how: Any) -> ArtifactVerdict:
    told = {"revocation": WithoutNetwork(), "now": NOW, **how}
    return evaluate(world, world.image, given or trust(), **told)


def signed(pair: Pair = PAIR, **how: Any) -> World:
    world = World()
    sign(world, world.image, pair, **how)
    return world


def outcomes(verdict: ArtifactVerdict) -> dict[Validation, Outcome]:
    (signature,) = verdict.signatures
    return {finding.validation: finding.outcome for finding in signature.judgement.findings}


# --- one signature ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_a_good_signature_makes_the_artifact_trusted(media_type: str) -> None:
    verdict = judged(signed(media_type=media_type))
    assert verdict.verdict is T
    assert verdict.reason == ""
    assert (verdict.level.name, verdict.statement) == ("strict", "images")
    assert verdict.trusted_by is verdict.signatures[0]
    assert set(outcomes(verdict).values()) == {Outcome.PASSED}


def test_findings_come_in_the_order_of_the_specification() -> None:
    assert list(outcomes(judged(signed()))) == [
        Validation.INTEGRITY,
        Validation.AUTHENTICITY,
        Validation.EXPIRY,
        Validation.AUTHENTIC_TIMESTAMP,
        Validation.REVOCATION,
    ]


def test_a_signature_says_who_made_it_once_its_integrity_is_proven() -> None:
    (stranger,) = judged(signed(STRANGE)).signatures
    assert stranger.facts is not None
    assert stranger.facts.signer.startswith("CN=stranger")
    world = World()
    attach(world, world.image, b"junk")
    assert judged(world).signatures[0].facts is None


class Case(NamedTuple):
    """A world with one signature, and what each level makes of it."""

    world: Callable[[], World]
    strict: Verdict
    permissive: Verdict
    audit: Verdict
    told: dict[str, Any] = {}  # noqa: RUF012  never changed


def other_artifact() -> World:
    world = World()
    attach(world, world.image, sealed(artifact(world, "other"), PAIR))
    return world


def junk() -> World:
    world = World()
    attach(world, world.image, b"junk")
    return world


def lost() -> World:
    world = World()
    manifest = attach(world, world.image, sealed(world.image, PAIR))
    world.unreachable.add(manifest.digest)
    return world


def with_attribute(key: str) -> Callable[[], World]:
    return lambda: signed(extended=[ExtendedAttribute(key, "acme", True)])


# fmt: off
CASES = {
    #                                                                   strict permissive audit
    "good":                Case(signed,                                      T, T, T),
    "another artifact":    Case(other_artifact,                              N, N, N),
    "junk":                Case(junk,                                        N, N, N),
    "out of reach":        Case(lost,                                        U, U, U),
    "critical attribute":  Case(with_attribute("com.acme.must"),             N, N, N),
    "plugin demanded":     Case(with_attribute(VERIFICATION_PLUGIN),         U, U, U),
    "stranger":            Case(lambda: signed(STRANGE),                     N, N, T),
    "store missing":       Case(signed,                                      U, U, T, {"stores": ["ca:gone"]}),
    "store of wrong type": Case(signed,                                      N, N, T, {"stores": ["signingAuthority:authority"]}),
    "other identity":      Case(signed,                                      N, N, T, {"identities": ["x509.subject: C=US, ST=WA, O=a"]}),
    "plugin's identity":   Case(signed,                                      N, N, T, {"identities": ["plugin: x"]}),
    "expired":             Case(lambda: signed(expiry=NOW),                  N, T, T),
    "not expired":         Case(lambda: signed(expiry=NOW + timedelta(seconds=1)), T, T, T),
    "retired certificate": Case(lambda: signed(RETIRED),                     N, T, T),
    "no timestamp":        Case(signed,                                      N, T, T, {"stores": ["ca:wabbit", "tsa:clock"]}),
    "timestamp not due":   Case(signed,                                      T, T, T, {"stores": ["ca:wabbit", "tsa:clock"], "when": TimestampWhen.AFTER_CERT_EXPIRY}),
    "revocable":           Case(lambda: signed(REVOCABLE),                   U, T, T),
    "authority":           Case(lambda: signed(SERVICE, scheme=Scheme.SIGNING_AUTHORITY), T, T, T, {"stores": ["signingAuthority:authority"]}),
    "authority in ca":     Case(lambda: signed(PAIR, scheme=Scheme.SIGNING_AUTHORITY), N, N, T),
}
# fmt: on


@pytest.mark.parametrize("level", ["strict", "permissive", "audit"])
@pytest.mark.parametrize("name", CASES)
def test_a_level_makes_of_a_signature_what_the_table_says(name: str, level: str) -> None:
    case = CASES[name]
    assert judged(case.world(), trust(level, **case.told)).verdict is getattr(case, level)


def test_what_is_only_logged_is_a_warning() -> None:
    (signature,) = judged(signed(expiry=NOW), trust("permissive")).signatures
    assert [warning.validation for warning in signature.judgement.warnings] == [Validation.EXPIRY]


def test_a_missing_store_comes_with_its_advice() -> None:
    (signature,) = judged(signed(), trust(stores=["ca:gone"])).signatures
    assert signature.judgement.decisive == Finding(
        Validation.AUTHENTICITY, Outcome.UNKNOWN, "ca:gone: no such trust store", "add one"
    )


# --- trust in a file --------------------------------------------------------------------------------------


def in_file(anchors: CertificateAnchors | KeyAnchor) -> Trust:
    return Trust("-k FILE", LEVELS["strict"], anchors)


def test_a_named_certificate_or_key_is_all_that_is_trusted() -> None:
    pair = self_signed("alone", key="EC-256")
    leaf = parse_chain(pair.chain).leaf
    for anchors in (CertificateAnchors((leaf,)), KeyAnchor(leaf.spki)):
        assert judged(signed(pair), in_file(anchors)).verdict is T
        assert judged(signed(PAIR), in_file(anchors)).verdict is N


def test_a_named_key_does_not_vouch_for_what_its_owner_issued() -> None:
    root = parse_chain(PAIR.chain).root
    assert judged(signed(PAIR), in_file(CertificateAnchors((root,)))).verdict is T
    assert judged(signed(PAIR), in_file(KeyAnchor(root.spki))).verdict is N


# --- revocation -------------------------------------------------------------------------------------------


def test_revocation_is_asked_with_the_time_of_the_command() -> None:
    checker = Revocation()
    assert judged(signed(), revocation=checker).verdict is T
    assert checker.asked == [(parse_chain(PAIR.chain), NOW, None)]


def test_a_signing_authority_tells_when_it_signed() -> None:
    checker = Revocation()
    world = signed(SERVICE, scheme=Scheme.SIGNING_AUTHORITY)
    judged(world, trust(stores=["signingAuthority:authority"]), revocation=checker)
    assert checker.asked[0][2] == SIGNED_AT


@pytest.mark.parametrize(
    ("outcome", "verdict"), [(Outcome.FAILED, N), (Outcome.UNKNOWN, U), (Outcome.NOT_ASKED, U)]
)
def test_what_the_checker_says_counts(outcome: Outcome, verdict: Verdict) -> None:
    assert judged(signed(), revocation=Revocation(outcome)).verdict is verdict


@pytest.mark.parametrize("level", ["strict", "permissive", "audit"])
@pytest.mark.parametrize(
    "told", [{}, {"stores": ["ca:gone"]}, {"identities": ["x509.subject: C=US, ST=WA, O=a"]}]
)
def test_nobody_is_asked_about_a_chain_that_is_not_authentic(level: str, told: dict[str, Any]) -> None:
    checker = Revocation()
    verdict = judged(signed(STRANGE), trust(level, **told), revocation=checker)
    assert checker.asked == []
    decided = (Outcome.NOT_ASKED, Outcome.PASSED)
    assert outcomes(verdict)[Validation.REVOCATION] in decided, "there is nobody to ask about this chain"


def test_a_chain_that_is_not_authentic_and_names_a_responder_stays_unknown() -> None:
    checker = Revocation()
    pair = CA("Strange").issue("stranger", "EC-256", ocsp_urls=["http://ocsp.example"])
    verdict = judged(signed(pair), trust("audit"), revocation=checker)
    assert checker.asked == []
    assert outcomes(verdict)[Validation.REVOCATION] is Outcome.UNKNOWN


def test_nobody_is_asked_after_an_enforced_failure() -> None:
    checker = Revocation()
    verdict = judged(signed(expiry=NOW), revocation=checker)
    assert checker.asked == []
    assert outcomes(verdict)[Validation.REVOCATION] is Outcome.NOT_ASKED


def test_nobody_is_asked_where_the_level_skips_revocation() -> None:
    checker = Revocation(Outcome.FAILED)
    level = custom_level("strict", {"revocation": "skip"}, "")
    assert level.action(Validation.REVOCATION) is Action.SKIP
    verdict = judged(signed(), trust(level), revocation=checker)
    assert verdict.verdict is T
    assert checker.asked == []
    assert outcomes(verdict)[Validation.REVOCATION] is Outcome.NOT_ASKED


# --- user metadata ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["strict", "audit"])
def test_demanded_user_metadata_is_enforced_at_every_level(level: str) -> None:
    world = signed(user_metadata={"commit": "abc"})
    assert judged(world, trust(level), user_metadata={"commit": "abc"}).verdict is T
    verdict = judged(world, trust(level), user_metadata={"commit": "abd"})
    assert verdict.verdict is N
    assert "user metadata 'commit' must be 'abd': the signature says 'abc'" in verdict.reason


# --- many signatures --------------------------------------------------------------------------------------


def test_an_unsigned_artifact_is_not_trusted() -> None:
    verdict = judged(World())
    assert (verdict.verdict, verdict.reason) == (N, "no signature is associated with the artifact")


def test_an_artifact_that_only_seems_unsigned_is_undecided() -> None:
    world = World()
    world.complete = False
    verdict = judged(world)
    assert verdict.verdict is U
    assert verdict.reason == "no signature was found, not every referrer could be read"


def test_an_incomplete_listing_does_not_weaken_a_yes() -> None:
    world = signed()
    world.complete = False
    assert judged(world).verdict is T


def test_an_incomplete_listing_makes_a_no_undecided() -> None:
    world = signed(STRANGE)
    world.complete = False
    assert judged(world).verdict is U


def crowd() -> World:
    """Everything bad at once, and one good signature."""
    world = World()
    for i in range(5):
        attach(world, world.image, f"junk {i}".encode())
        sign(world, world.image, STRANGE, user_metadata={"i": str(i)})
        gone = attach(world, world.image, f"gone {i}".encode())
        world.unreachable.add(gone.digest)
    world.attach(world.image, [put(world, b"no manifest", mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE)])
    world.attach(world.image, [put(world, b"{}", mt.IMAGE_MANIFEST)])
    sign(world, world.image, PAIR)
    return world


def test_bad_signatures_never_hide_a_good_one() -> None:
    verdict = judged(crowd(), stop_at_first=False)
    assert verdict.verdict is T
    assert len(verdict.signatures) == 17
    assert verdict.trusted_by is not None
    assert verdict.trusted_by.facts is not None


def test_a_signature_that_could_not_be_read_leaves_a_no_undecided() -> None:
    world = signed(STRANGE)
    gone = attach(world, world.image, b"gone")
    world.unreachable.add(gone.digest)
    verdict = judged(world)
    assert verdict.verdict is U
    assert verdict.reason == "none of 2 signatures is trusted, 1 could not be decided"


def test_the_first_trusted_signature_ends_the_search() -> None:
    world = World()
    for i in range(100):
        sign(world, world.image, PAIR, user_metadata={"i": str(i)})
    assert len(judged(world).signatures) == 1
    assert world.fetched < 100
    assert len(judged(world, stop_at_first=False).signatures) == 100


def test_junk_does_not_use_up_the_budget() -> None:
    assert judged(crowd(), max_signatures=1).verdict is T


def expired(count: int) -> World:
    """Different signatures of one signer that have all expired."""
    world = World()
    for i in range(count):
        sign(world, world.image, PAIR, expiry=NOW, user_metadata={"i": str(i)})
    return world


def test_a_budget_that_is_used_up_without_a_yes_is_undecided() -> None:
    verdict = judged(expired(4), max_signatures=3)
    assert verdict.verdict is U
    assert len(verdict.signatures) == 3
    assert verdict.reason == (
        "none of 3 signatures is trusted, the budget is used up, and 1 were not looked at"
    )


def test_a_budget_that_is_just_enough_gives_a_clear_no() -> None:
    assert judged(expired(3), max_signatures=3).verdict is N


def test_copies_of_one_signature_count_once() -> None:
    world = World()
    data = sealed(world.image, PAIR, expiry=NOW)
    for i in range(10):
        attach(world, world.image, data, created=SIGNED_AT + timedelta(seconds=i))
    verdict = judged(world, max_signatures=2)
    assert verdict.verdict is N
    assert len(verdict.signatures) == 10


def test_copies_of_a_large_envelope_are_judged_once_and_answered_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nv2.opening.MAX_SMALL", 10)
    world, asked = World(), Revocation(Outcome.FAILED)
    one, other = (sealed(world.image, PAIR, user_metadata={"n": name}) for name in "ab")
    for i in range(10):
        attach(world, world.image, one, created=SIGNED_AT + timedelta(seconds=i))
    attach(world, world.image, other)
    verdict = judged(world, revocation=asked)
    assert len({signature.manifest.digest for signature in verdict.signatures}) == 11
    assert {signature.verdict for signature in verdict.signatures} == {N}
    assert len(asked.asked) == 2


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_one_is_a_mistake_of_the_caller(budget: int) -> None:
    with pytest.raises(UsageError):
        judged(signed(), max_signatures=budget)


def test_the_signatures_of_trusted_stores_are_looked_at_first() -> None:
    world = crowd()
    (first,) = judged(world).signatures
    assert first.verdict is T


def test_problems_on_the_way_are_reported() -> None:
    assert judged(crowd()).problems == ()
    world = signed()
    world.attach(world.image, [put(world, b"junk", mt.IMAGE_MANIFEST)])
    assert len(judged(world).problems) == 1


def test_a_listing_that_cannot_be_had_is_an_error_and_no_verdict() -> None:
    class Down(World):
        def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
            raise BadAnswer("503")

    with pytest.raises(BadAnswer):
        judged(Down())


def test_a_content_error_of_any_kind_is_undecided_and_not_trusted() -> None:
    class Broken(World):
        def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
            return iter([Unreachable("no connection")] * len(descriptors))

    world = Broken()
    sign(world, world.image, PAIR)
    verdict = judged(world)
    assert (verdict.verdict, verdict.reason) == (U, "integrity: no connection")


# --- level skip, and policies -----------------------------------------------------------------------------

SKIPPING = parse_policy(
    b'{"version": "1.0", "trustPolicies": [{"name": "none", "registryScopes": ["a.io/b"],'
    b' "signatureVerification": {"level": "skip"}}]}',
    "",
).statements[0]


def test_level_skip_is_not_a_yes() -> None:
    verdict = not_checked(SKIPPING)
    assert (verdict.verdict, verdict.statement, verdict.subject) == (Verdict.NOT_CHECKED, "none", None)


def test_at_level_skip_nobody_looks() -> None:
    world = signed()
    verdict = judged(world, trust_of(SKIPPING, load))
    assert verdict.verdict is Verdict.NOT_CHECKED
    assert verdict.signatures == ()
    assert world.fetched == 0


def test_a_statement_that_trusts_nobody_is_not_taken_for_anyone() -> None:
    with pytest.raises(PolicyError):
        trust(identities=[])


def test_a_statement_becomes_the_trust_it_describes() -> None:
    statement = Statement(
        "s",
        ("*",),
        LEVELS["audit"],
        TimestampWhen.AFTER_CERT_EXPIRY,
        (parse_store_name("tsa:clock", ""),),
        (ANYONE,),
    )
    found = trust_of(statement, load)
    assert (found.name, found.level, found.timestamp) == (
        "s",
        LEVELS["audit"],
        TimestampWhen.AFTER_CERT_EXPIRY,
    )
    assert found.anchors.serves_timestamps
