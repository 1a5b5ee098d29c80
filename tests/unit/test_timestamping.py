"""Timestamps of signatures: when they prove that a signature is old enough, and how new ones are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, cast

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope import formats
from nv2.envelope.envelope import Scheme
from nv2.errors import BadAnswer, Nv2Error, TrustStoreError, Unreachable
from nv2.oci import media_types as mt
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.chain import Chain, parse_chain
from nv2.pki.cms import MAX_SIGNED_DATA
from nv2.revocation import RevocationChecker, WithoutNetwork
from nv2.signing import Wish, envelope_of
from nv2.timestamping import REPLY_TIMEOUT, TimestampService
from nv2.transport.interface import Request, Response
from nv2.trust.anchors import StoreAnchors, StoreName, StoreType
from nv2.trust.level import LEVELS, Validation
from nv2.trust.policy import TimestampWhen
from nv2.trust.trust import Trust
from nv2.trust.verdict import ArtifactVerdict, Finding, Outcome, Verdict
from nv2.verification import evaluate
from tests.world.ca import CA, Pair
from tests.world.network import FunctionTransport
from tests.world.signed import NOW, SIGNED_AT, artifact, attach, sealed
from tests.world.tsa import STAMPED_AT, TSA

WABBIT = CA("Wabbit")
PAIR = WABBIT.issue("build", key="EC-256")
EXPIRES = datetime(2026, 3, 1, tzinfo=UTC)
EXPIRED = WABBIT.issue("expired", key="EC-256", not_before=SIGNED_AT, not_after=EXPIRES)
CLOCK = TSA("Clock")
REVOCABLE = TSA("Revocable clock", ocsp_urls=["http://ocsp.example"])
SECOND = timedelta(seconds=1)
SIGNER = parse_chain(PAIR.chain)
PASSED, FAILED, UNKNOWN = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN
ALWAYS, AFTER = TimestampWhen.ALWAYS, TimestampWhen.AFTER_CERT_EXPIRY
DATA: Mapping[str, tuple[bytes, ...]] = {"ca": (PAIR.root,), "tsa": (CLOCK.root, REVOCABLE.root)}


class Recorder:
    """A revocation checker that says `outcome` of chains with the subject `about`, and remembers what it was asked."""

    def __init__(self, outcome: Outcome = PASSED, about: str = "TSA") -> None:
        self.outcome = outcome
        self.about = about
        self.asked: list[tuple[str, datetime | None]] = []

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        self.asked.append((chain.leaf.subject, signed_at))
        outcome = self.outcome if self.about in chain.leaf.subject else PASSED
        return Finding(Validation.REVOCATION, outcome, "said the recorder")

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """Nobody is asked."""


def load(name: StoreName) -> tuple[Certificate, ...]:
    return tuple(map(parse_certificate, DATA[name.name]))


def verdict(
    token: Callable[[bytes], bytes] | bytes | None,
    pair: Pair = PAIR,
    *,
    media_type: str = mt.JWS,
    when: TimestampWhen = ALWAYS,
    stores: tuple[str, ...] = ("ca", "tsa"),
    level: str = "strict",
    now: datetime = NOW,
    revocation: RevocationChecker | None = None,
    load: Callable[[StoreName], tuple[Certificate, ...]] = load,
    scheme: Scheme = Scheme.X509,
) -> ArtifactVerdict:
    store = MemoryStore()
    image = artifact(store)
    envelope = formats.parse(media_type, sealed(image, pair, media_type=media_type, scheme=scheme))
    if token is not None:
        made = token if isinstance(token, bytes) else token(envelope.signature)
        envelope = formats.with_timestamp(envelope, made)
    attach(store, image, envelope.raw, media_type=media_type)
    names = tuple(StoreName(StoreType(name), name) for name in stores)
    trust = Trust("test", LEVELS[level], StoreAnchors(names, load), (), when)
    return evaluate(store, image, trust, revocation=revocation or WithoutNetwork(), now=now)


def finding(found: ArtifactVerdict) -> Finding:
    (one,) = (
        f for f in found.signatures[0].judgement.findings if f.validation is Validation.AUTHENTIC_TIMESTAMP
    )
    return one


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
@pytest.mark.parametrize("when", [ALWAYS, AFTER])
def test_an_expired_certificate_is_fine_if_a_timestamp_says_so(media_type: str, when: TimestampWhen) -> None:
    found = verdict(CLOCK.token, EXPIRED, media_type=media_type, when=when)
    assert found.verdict is Verdict.TRUSTED
    assert finding(found).reason == "timestamped at 2026-01-01T12:00:05Z"


def test_an_expired_certificate_is_not_fine_without_one() -> None:
    assert verdict(None, EXPIRED).verdict is Verdict.NOT_TRUSTED
    assert verdict(None, EXPIRED, when=AFTER).verdict is Verdict.NOT_TRUSTED


def test_a_timestamp_that_nobody_asks_for_proves_nothing() -> None:
    assert verdict(CLOCK.token, EXPIRED, stores=("ca",)).verdict is Verdict.NOT_TRUSTED


def test_a_bad_timestamp_does_no_harm_where_it_is_not_due() -> None:
    assert verdict(b"junk", when=AFTER).verdict is Verdict.TRUSTED
    assert verdict(b"junk", stores=("ca",)).verdict is Verdict.TRUSTED


def test_a_bad_timestamp_fails_where_it_is_due() -> None:
    found = finding(verdict(b"junk"))
    assert found.outcome is FAILED
    assert found.reason.startswith("the timestamp does not count: not a timestamp token")
    assert verdict(b"junk", level="permissive").verdict is Verdict.TRUSTED


def test_the_timestamp_of_another_signature_fails() -> None:
    found = finding(verdict(CLOCK.token(b"another signature"), EXPIRED))
    assert (found.outcome, found.reason) == (
        FAILED,
        "the timestamp does not count: it is the timestamp of something else",
    )


def test_an_authority_in_a_store_for_signers_is_not_one_for_timestamps() -> None:
    DATA_WRONG = {"ca": (PAIR.root, CLOCK.root), "tsa": (REVOCABLE.root,)}  # noqa: N806
    found = verdict(
        CLOCK.token, EXPIRED, load=lambda name: tuple(map(parse_certificate, DATA_WRONG[name.name]))
    )
    assert finding(found).outcome is FAILED
    assert "does not lead to a trusted timestamping authority" in finding(found).reason


def test_a_store_that_cannot_be_read_leaves_it_open() -> None:
    def broken(name: StoreName) -> tuple[Certificate, ...]:
        if name.type is StoreType.TSA:
            raise TrustStoreError("is empty", at="tsa", hint="add one")
        return load(name)

    found = verdict(CLOCK.token, EXPIRED, load=broken)
    assert found.verdict is Verdict.UNDECIDED
    assert (finding(found).outcome, finding(found).hint) == (UNKNOWN, "add one")


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (EXPIRES - SECOND, PASSED),
        (EXPIRES, FAILED),
        (SIGNED_AT, FAILED),
        (SIGNED_AT + SECOND, PASSED),
    ],
)
def test_the_whole_window_must_lie_in_the_validity_of_the_chain(at: datetime, outcome: Outcome) -> None:
    found = finding(verdict(lambda data: CLOCK.token(data, at=at, accuracy=(1, 0, 0)), EXPIRED))
    assert found.outcome is outcome


def test_the_window_must_fit_every_certificate_of_the_chain() -> None:
    pair = CA("Short", not_after=EXPIRES).issue("build", key="EC-256")
    stores = {"ca": (pair.root,), "tsa": (CLOCK.root,)}
    late = verdict(
        lambda data: CLOCK.token(data, at=EXPIRES),
        pair,
        load=lambda name: tuple(map(parse_certificate, stores[name.name])),
    )
    assert "at the latest it says 2026-03-01T00:00:01Z" in finding(late).reason


@pytest.mark.parametrize("when", [ALWAYS, AFTER])
def test_an_authority_that_has_expired_is_fine_if_a_timestamp_says_so(when: TimestampWhen) -> None:
    pair = CA("Short", not_after=EXPIRES).issue("build", key="EC-256", not_after=NOW + 10 * SECOND)
    stores = {"ca": (pair.root,), "tsa": (CLOCK.root,)}

    def load(name: StoreName) -> tuple[Certificate, ...]:
        return tuple(map(parse_certificate, stores[name.name]))

    assert verdict(CLOCK.token, pair, when=when, load=load).verdict is Verdict.TRUSTED
    assert verdict(None, pair, when=when, load=load).verdict is Verdict.NOT_TRUSTED
    assert verdict(CLOCK.token, pair, when=when, load=load, stores=("ca",)).verdict is Verdict.NOT_TRUSTED


@pytest.mark.parametrize("when", [ALWAYS, AFTER])
@pytest.mark.parametrize("level", [name for name, level in LEVELS.items() if not level.skips])
def test_an_expired_certificate_fails_at_every_level_and_the_level_says_what_comes_of_it(
    level: str, when: TimestampWhen
) -> None:
    strict = level == "strict"
    for token in (None, b"junk", CLOCK.token(b"another")):
        found = verdict(token, EXPIRED, when=when, level=level)
        assert finding(found).outcome is FAILED
        assert found.verdict is (Verdict.NOT_TRUSTED if strict else Verdict.TRUSTED)
    assert finding(verdict(CLOCK.token, EXPIRED, when=when, level=level)).outcome is PASSED


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(PASSED, Verdict.TRUSTED), (FAILED, Verdict.NOT_TRUSTED), (UNKNOWN, Verdict.UNDECIDED)],
)
def test_the_authority_must_not_be_revoked(outcome: Outcome, expected: Verdict) -> None:
    found = verdict(CLOCK.token, EXPIRED, revocation=Recorder(outcome))
    assert found.verdict is expected
    assert finding(found).outcome is outcome


def test_without_a_network_a_revocable_authority_is_unknown() -> None:
    assert finding(verdict(REVOCABLE.token, EXPIRED)).outcome is UNKNOWN


def test_nobody_is_asked_about_an_authority_that_is_not_trusted() -> None:
    recorder = Recorder()
    verdict(TSA("Stranger").token, EXPIRED, revocation=recorder)
    assert recorder.asked == []


def test_revocation_of_the_signer_learns_when_the_signature_existed() -> None:
    recorder = Recorder()
    verdict(CLOCK.token, EXPIRED, revocation=recorder)
    assert [signed_at for _, signed_at in recorder.asked] == [None, STAMPED_AT + SECOND]
    recorder = Recorder()
    verdict(CLOCK.token, when=AFTER, revocation=recorder)
    assert [signed_at for _, signed_at in recorder.asked] == [None]


def test_a_logged_failure_of_the_timestamp_does_not_say_when() -> None:
    recorder = Recorder(FAILED)
    assert verdict(CLOCK.token, level="permissive", revocation=recorder).verdict is Verdict.TRUSTED
    assert [signed_at for _, signed_at in recorder.asked] == [None, None]


def test_a_signing_authority_needs_no_timestamp() -> None:
    stores = {"signingAuthority": (PAIR.root,), "tsa": (CLOCK.root,)}
    found = verdict(
        b"junk",
        scheme=Scheme.SIGNING_AUTHORITY,
        stores=("signingAuthority", "tsa"),
        load=lambda name: tuple(map(parse_certificate, stores[name.name])),
    )
    assert found.verdict is Verdict.TRUSTED


# --- asking for one ---------------------------------------------------------------------------------------

URL = "http://tsa.example/stamp"


def service(answer: Callable[[Request], Response], clock: TSA = CLOCK, **more: Any) -> TimestampService:
    told: dict[str, Any] = {
        "transport": FunctionTransport(answer),
        "url": URL,
        "root": parse_certificate(clock.root),
        "revocation": WithoutNetwork(),
        "now": NOW,
        "nonce": lambda: 1 << 127,
        **more,
    }
    return TimestampService(**told)


def replying(
    data: bytes, status: int = 200, kind: str = "application/timestamp-reply"
) -> Callable[[Request], Response]:
    return lambda request: Response(status, {"content-type": kind}, io.BytesIO(data), request)


@pytest.mark.parametrize("key", ["EC-256", "EC-384", "RSA-4096"])
@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_a_signature_gets_the_timestamp_that_its_verification_wants(media_type: str, key: str) -> None:
    clock = TSA("Clock")
    signer = WABBIT.issue("stamped", key=key).signer()
    image = artifact(MemoryStore())
    wish = Wish(media_type, timestamper=service(clock.answer).stamp)
    data, _ = envelope_of(image, signer, wish, NOW)
    envelope = formats.parse(media_type, data)
    assert envelope.unsigned.timestamp is not None
    plain, _ = envelope_of(image, signer, Wish(media_type), NOW)
    assert formats.parse(media_type, plain).signed_bytes == envelope.signed_bytes
    store = MemoryStore()
    attach(store, artifact(store), data, media_type=media_type)
    trust = Trust(
        "test",
        LEVELS["strict"],
        StoreAnchors((StoreName(StoreType.CA, "ca"), StoreName(StoreType.TSA, "tsa")), load),
    )
    found = evaluate(store, image, trust, revocation=WithoutNetwork(), now=NOW)
    assert found.verdict is Verdict.TRUSTED


def test_a_request_is_bounded_and_carries_no_credentials() -> None:
    transport = FunctionTransport(TSA("Clock").answer)
    service(CLOCK.answer, transport=transport).stamp(b"x", "sha256", SIGNER)
    (request,) = transport.requests
    assert (request.method, request.url, request.anonymous) == ("POST", URL, True)
    assert (request.limit, request.total_timeout) == (MAX_SIGNED_DATA, REPLY_TIMEOUT) == (1 << 20, 15.0)
    assert request.headers["Content-Type"] == "application/timestamp-query"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (replying(b"", 500), "status 500"),
        (replying(b"", 302), "status 302"),
        (replying(b"", kind="text/html"), "text/html"),
        (replying(b"junk"), "not a timestamp reply"),
        (replying(bytes(MAX_SIGNED_DATA + 1)), "longer than 1048576 bytes"),
        (TSA("Stranger").answer, "does not lead to a trusted"),
    ],
)
def test_what_is_no_timestamp_is_not_used(answer: Callable[[Request], Response], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        service(answer).stamp(b"x", "sha256", SIGNER)


@pytest.mark.parametrize("outcome", [FAILED, UNKNOWN])
def test_a_revoked_authority_is_found_out_when_signing(outcome: Outcome) -> None:
    with pytest.raises(BadAnswer, match="of the timestamping authority, said the recorder"):
        service(TSA("Clock").answer, revocation=Recorder(outcome)).stamp(b"x", "sha256", SIGNER)


@pytest.mark.parametrize("at", [EXPIRES, SIGNED_AT])
def test_a_timestamp_that_would_not_count_for_the_signer_is_not_used(at: datetime) -> None:
    """Its authority's clock is wrong, or not as sharp as the signer's certificate is short."""
    clock = TSA("Clock")
    clock.how = {"at": at}
    with pytest.raises(BadAnswer, match=r"cannot be used: at the (earliest|latest) it says"):
        service(clock.answer).stamp(b"x", "sha256", parse_chain(EXPIRED.chain))
    assert service(clock.answer).stamp(b"x", "sha256", SIGNER)


class Cut(io.RawIOBase):
    """A body whose peer goes away."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise Unreachable("the connection was cut", at="tsa.example:80", hint="is the registry running?")


def silent(request: Request) -> Response:
    raise Unreachable("no answer", at="tsa.example:80", hint="is the registry running?")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (silent, "tsa.example:80: no answer"),
        (
            lambda request: Response(
                200, {"content-type": "application/timestamp-reply"}, cast(BinaryIO, Cut()), request
            ),
            "tsa.example:80: the connection was cut",
        ),
    ],
)
def test_an_authority_that_does_not_answer_is_said_to_be_one(
    answer: Callable[[Request], Response], said: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        service(answer).stamp(b"x", "sha256", SIGNER)
    assert str(caught.value) == f"{URL}: timestamp: no answer: {said}"
    assert "timestamping authority" in (caught.value.hint or "")
    assert "registry" not in (caught.value.hint or "")


def test_nothing_is_signed_without_the_timestamp_that_was_asked_for() -> None:
    wish = Wish(timestamper=service(replying(b"junk")).stamp)
    with pytest.raises(Nv2Error):
        envelope_of(artifact(MemoryStore()), PAIR.signer(), wish, NOW)
