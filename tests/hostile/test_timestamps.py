"""Timestamps that prove nothing, and authorities that misbehave while somebody signs.

Each row names its attack; those with QUARKSLAB are findings of the audit of 2025.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nv2.envelope import formats
from nv2.oci import media_types as mt
from nv2.pki import ber, cms
from nv2.pki.certificate import parse_certificate
from nv2.transport.interface import Request, Response
from tests.hostile.machine import (
    NOT_TRUSTED,
    UNDECIDED,
    USAGE,
    Attack,
    Machine,
    Zeros,
    check,
    nothing,
    trusts,
)
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import CA, CODE_SIGNING, TIME_STAMPING, pem
from tests.world.crl import Revoked, crl
from tests.world.network import answer
from tests.world.publishing import ocsp_answer
from tests.world.signed import SIGNED_AT, sealed
from tests.world.tsa import DATA, ESS_V1, ESS_V2, NULL, SEQUENCE, STAMPED_AT, TSA, indefinite, tlv

CLOCK = TSA("Clock")
OTHER = TSA("Other clock")
EXPIRES = STAMPED_AT + timedelta(seconds=10)
EXPIRED = WABBIT.issue("expired", key="EC-256", not_after=EXPIRES)
REVOCABLE = TSA("Revocable", authority=CLOCK.authority, ocsp_urls=["http://ocsp.test/"])
LISTED = TSA("Listed", authority=CLOCK.authority, crl_urls=["http://crl.test/"])
BELOW = TSA("Low", authority=CLOCK.authority.intermediate("Middle", crl_urls=["http://crl.test/"]))
TWO_PURPOSES = TSA("Two", authority=CLOCK.authority, eku=(TIME_STAMPING, CODE_SIGNING))
NOT_CRITICAL = TSA("Lax", authority=CLOCK.authority, eku_critical=False)
SIGNER = TSA("Signer", authority=CLOCK.authority, eku=(CODE_SIGNING,))
NO_AUTHORITY = TSA("Below", authority=CLOCK.authority.intermediate("Odd", basic_constraints=(False, None)))
SAME_NAME = TSA("Clock", authority=CA("Clock", key="EC-384"))
DEEP = b"".join(b"\x30\x80" for _ in range(100_000)) + b"\0\0" * 100_000


def stamped(clock: TSA = CLOCK, token: bytes | None = None, **how: Any) -> Callable[[Machine], None]:
    """An expired signature whose timestamp is made as `how` says, and nothing else that could be trusted."""

    def strike(machine: Machine) -> None:
        machine.policy(trustStores=["ca:wabbit", "tsa:clock"])
        machine.store("tsa/clock", root=pem([CLOCK.root]))
        envelope = formats.parse(mt.JWS, sealed(machine.subject, EXPIRED))
        made = clock.token(envelope.signature, **how) if token is None else token
        machine.attach(formats.with_timestamp(envelope, made).raw)

    return strike


def only_for_signers(machine: Machine) -> None:
    stamped()(machine)
    machine.store("tsa/clock", root=pem([OTHER.root]))
    (machine.config / "truststore/x509/tsa/clock/root.crt").write_bytes(pem([OTHER.root]))
    machine.store("ca/wabbit", clock=pem([CLOCK.root]))


def no_store(machine: Machine) -> None:
    stamped()(machine)
    machine.policy(trustStores=["ca:wabbit", "tsa:absent"])


def publishing(
    strike: Callable[[Machine], None], clock: TSA, said: str = "revoked", number: int = 0
) -> Callable[[Machine], None]:
    """The same where the authority of `clock` publishes, in both ways, what it says of certificate `number` of its chain."""

    def strike_it(machine: Machine) -> None:
        certificate, now = clock.pair.chain[number], datetime.now(UTC)
        serial = parse_certificate(certificate).serial
        revoked = [Revoked(serial, 1, now - timedelta(days=1))] if said == "revoked" else []
        listed = crl(CLOCK.authority, revoked, this_update=now, next_update=now + timedelta(days=1))
        machine.hosts["crl.test"] = lambda request: answer(request, 200, listed)
        told = ocsp_answer(CLOCK.authority, certificate, now, said)
        headers = {"Content-Type": "application/ocsp-response"}
        machine.hosts["ocsp.test"] = lambda request: answer(request, 200, told, headers)
        strike(machine)

    return strike_it


# fmt: off
ATTACKS = (
    Attack("imprint of another signature", stamped(token=CLOCK.token(b"another signature")), "timestamp of something else", NOT_TRUSTED),
    Attack("other hash", stamped(hash="sha1"), "not acceptable", NOT_TRUSTED),
    Attack("other hash than the imprint is long", stamped(imprint=bytes(48)), "not as long as its hash", NOT_TRUSTED),
    Attack("TSA certificate for code as well", stamped(TWO_PURPOSES), "timeStamping alone", NOT_TRUSTED),
    Attack("TSA certificate without critical purpose", stamped(NOT_CRITICAL), "must be critical", NOT_TRUSTED),
    Attack("a certificate for code stamps", stamped(SIGNER), "timeStamping alone", NOT_TRUSTED),
    Attack("TSA below who is no authority", stamped(NO_AUTHORITY), "certificate authority", NOT_TRUSTED),
    Attack("TSA of a trusted name and another key", stamped(SAME_NAME), "does not lead to a trusted", NOT_TRUSTED),
    Attack("revoked TSA, whose responder is silent", stamped(REVOCABLE), "of the timestamping authority", UNDECIDED),
    Attack("revoked TSA, says its responder", publishing(stamped(REVOCABLE), REVOCABLE), "is revoked", NOT_TRUSTED),
    Attack("revoked TSA, says a CRL", publishing(stamped(LISTED), LISTED), "is revoked", NOT_TRUSTED),
    Attack("TSA below who is revoked", publishing(stamped(BELOW), BELOW, number=1), "is revoked", NOT_TRUSTED),
    Attack("window crosses the expiry", stamped(accuracy=(20, 0, 0)), "at the latest", NOT_TRUSTED),
    Attack("stamped after the expiry", stamped(at=EXPIRES + timedelta(seconds=5)), "at the earliest", NOT_TRUSTED),
    Attack("stamped before the certificate", stamped(at=SIGNED_AT.replace(year=2020)), "is not valid before", NOT_TRUSTED),
    Attack("an accuracy of a lifetime", stamped(accuracy=(10**9, 0, 0)), "too large", NOT_TRUSTED),
    Attack("TSA only in a ca store", only_for_signers, "does not lead to a trusted", NOT_TRUSTED),
    Attack("a tsa store that is not there", no_store, "does not exist", UNDECIDED),
    Attack("several SignerInfos", stamped(signers=2), "2 signatures instead of one", NOT_TRUSTED),
    Attack("no SignerInfo", stamped(signers=0), "0 signatures instead of one", NOT_TRUSTED),
    Attack("ESSCertID of another certificate", stamped(ess_leaf=OTHER.pair.leaf), "names another certificate", NOT_TRUSTED),
    Attack("ESSCertID of SHA-1 alone", stamped(ess=(ESS_V1,)), "signing-certificate-v2 is missing", NOT_TRUSTED),
    Attack("ESSCertIDs that contradict", stamped(ess=(ESS_V2,), further=(tlv(SEQUENCE, tlv(6, bytes.fromhex("2a864886f70d010910020c")), tlv(0x31, tlv(SEQUENCE, tlv(SEQUENCE, tlv(SEQUENCE, tlv(4, bytes(20))))))),)), "names another certificate", NOT_TRUSTED),
    Attack("SHA-1 digest", stamped(digest="sha1"), "not acceptable", NOT_TRUSTED),
    Attack("content of another type", stamped(content_type=DATA), "is of type", NOT_TRUSTED),
    Attack("unknown critical extension", stamped(extensions=(("1.2.3", True),)), "unknown critical extension", NOT_TRUSTED),
    Attack("BER: nested without end", stamped(token=DEEP), "not a timestamp token", NOT_TRUSTED),
    Attack("BER: elements without end", stamped(token=tlv(SEQUENCE, NULL * (ber.MAX_ELEMENTS + 1))), "not a timestamp token", NOT_TRUSTED),
    Attack("BER: a megabyte and more", stamped(token=tlv(4, bytes(cms.MAX_SIGNED_DATA))), "more than 1048576 bytes", NOT_TRUSTED, read=4 * 1024 * 1024),
    Attack("BER: no end of contents", stamped(token=indefinite(SEQUENCE, NULL)[:-1]), "not a timestamp token", NOT_TRUSTED),
    Attack("BER: a length of 126 bytes", stamped(token=b"\x30\xfe" + b"\xff" * 126), "not a timestamp token", NOT_TRUSTED),
    Attack("QUARKSLAB INFO-4, INFO-7: content that is read before its signature", stamped(content=b"no TSTInfo", spoil_signature=True), "not made by the key", NOT_TRUSTED),
    Attack("QUARKSLAB INFO-6: no signed attributes", stamped(without=("1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", ESS_V2)), "not a timestamp token", NOT_TRUSTED),
    Attack("QUARKSLAB INFO-6: empty signed attributes", stamped(without=("1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", ESS_V2), keep_empty=True), "is missing", NOT_TRUSTED),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_timestamp_that_proves_nothing(machine: Machine, attack: Attack) -> None:
    check(machine, attack)
    asked = {request.url.split("/")[2] for request in machine.network.requests}
    assert asked <= {"registry.test", "ocsp.test", "crl.test"}, "asked nobody else"


@pytest.mark.parametrize(("clock", "number"), [(REVOCABLE, 0), (LISTED, 0), (BELOW, 1)])
def test_the_same_machine_trusts_an_authority_that_is_not_revoked(
    machine: Machine, clock: TSA, number: int
) -> None:
    publishing(stamped(clock), clock, "good", number)(machine)
    trusts(machine)
    assert {request.url.split("/")[2] for request in machine.network.requests} > {"registry.test"}


def test_other_tsa_policy_decides_nothing_because_none_was_asked_for(machine: Machine) -> None:
    """Of whatever policy: what counts is who stamped. No policy is asked for, so that every authority may answer."""
    stamped(policy="1.2.3.4.5")(machine)
    trusts(machine)
    asked(policy="1.2.3.4.5")(machine)
    assert machine.run(SIGN).code == 0


def test_the_same_machine_trusts_a_good_timestamp(machine: Machine) -> None:
    stamped()(machine)
    trusts(machine)


# --- signing ----------------------------------------------------------------------------------------------

SIGN = "sign -k wabbit.key --timestamp-url http://tsa.test/stamp --timestamp-root-cert tsa.crt IMAGE"


def asked(clock: TSA = CLOCK, **how: Any) -> Callable[[Machine], None]:
    """An authority that answers as `how` says."""

    def strike(machine: Machine) -> None:
        answering = TSA("Clock", authority=clock.authority)
        answering.pair, answering.how = clock.pair, how
        machine.hosts["tsa.test"] = answering.answer
        (machine.line.directory / "tsa.crt").write_bytes(pem([CLOCK.root]))

    return strike


def raw(status: int, stream: Any, kind: str = "application/timestamp-reply") -> Callable[[Machine], None]:
    def answer(request: Request) -> Response:
        return Response(status, {"content-type": kind, "location": "http://127.0.0.1:1/"}, stream, request)

    def strike(machine: Machine) -> None:
        asked()(machine)
        machine.hosts["tsa.test"] = answer

    return strike


def root(*certificates: bytes) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        asked()(machine)
        (machine.line.directory / "tsa.crt").write_bytes(pem(certificates) or b"nothing")

    return strike


def words(url: str) -> str:
    return f"sign -k wabbit.key --timestamp-url={url} --timestamp-root-cert=tsa.crt IMAGE"


# fmt: off
SIGNING = (
    Attack("QUARKSLAB MEDIUM-5, CVE-2024-56138: TSA whose revocation is unknown", asked(REVOCABLE), "of the timestamping authority", words=SIGN),
    Attack("QUARKSLAB MEDIUM-5, CVE-2024-56138: revoked TSA, says its responder", publishing(asked(REVOCABLE), REVOCABLE), "is revoked", words=SIGN),
    Attack("QUARKSLAB MEDIUM-5, CVE-2024-56138: revoked TSA, says a CRL", publishing(asked(LISTED), LISTED), "is revoked", words=SIGN),
    Attack("QUARKSLAB INFO-1, INFO-2: another nonce", asked(nonce=1), "nonce is not the one that was sent", words=SIGN),
    Attack("QUARKSLAB INFO-1, INFO-2: no nonce", asked(nonce=None), "nonce is not the one that was sent", words=SIGN),
    Attack("QUARKSLAB INFO-3: a file", root(CLOCK.root), "cannot be asked", USAGE, words("file:///etc/passwd")),
    Attack("QUARKSLAB INFO-3: another scheme", root(CLOCK.root), "cannot be asked", USAGE, words("ftp://tsa.test/")),
    Attack("QUARKSLAB INFO-3: no scheme", root(CLOCK.root), "cannot be asked", USAGE, words("tsa.test")),
    Attack("QUARKSLAB INFO-3: no host", root(CLOCK.root), "cannot be asked", USAGE, words("http:///x")),
    Attack("no address", nothing, "tsa url cannot be empty", USAGE, words("")),
    Attack("no root file", nothing, "tsa root certificate path cannot be empty", USAGE, "sign -k wabbit.key --timestamp-url=http://tsa.test --timestamp-root-cert= IMAGE"),
    Attack("QUARKSLAB INFO-8: a root that signed nothing of itself", root(CA("Clock", bad_signature=True).certificate), "is not a root certificate", USAGE, SIGN),
    Attack("QUARKSLAB INFO-8: a root that is no authority", asked(TSA("Odd", authority=CA("Odd", basic_constraints=(False, None)))), "does not lead to a trusted", words=SIGN),
    Attack("an intermediate for a root", root(CA("Root").intermediate("Below").certificate), "is not a root certificate", USAGE, SIGN),
    Attack("two roots", root(CLOCK.root, OTHER.root), "found more than one certificates", USAGE, SIGN),
    Attack("no root", root(), "cannot find any certificate", USAGE, SIGN),
    Attack("the timestamp of something else", asked(imprint=bytes(32)), "timestamp of something else", words=SIGN),
    Attack("a hash that nobody asked for", asked(hash="sha512", imprint=bytes(64)), "sha512 instead of sha256", words=SIGN),
    Attack("a timestamp of another authority", asked(OTHER), "does not lead to a trusted", words=SIGN),
    Attack("a refusal", asked(status=2, texts=("no\x1b[2Jmoney",)), "refused: rejected", words=SIGN),
    Attack("a grant without a timestamp", asked(with_token=False), "and sent none", words=SIGN),
    Attack("a redirect to this machine", raw(302, io.BytesIO(b"")), "status 302", words=SIGN),
    Attack("an error", raw(500, io.BytesIO(b"")), "status 500", words=SIGN),
    Attack("a page", raw(200, io.BytesIO(b"<html>"), "text/html"), "text/html", words=SIGN),
    Attack("an answer without end", raw(200, Zeros()), "longer than 1048576 bytes", words=SIGN, read=2 * 1024 * 1024),
    Attack("nobody there", root(CLOCK.root), "timestamp: no answer: 127.0.0.1:1: cannot find the host", words=SIGN.replace("tsa.test", "127.0.0.1:1")),
)
# fmt: on


@pytest.mark.parametrize("attack", SIGNING, ids=lambda attack: attack.name)
def test_nothing_is_pushed_without_a_good_timestamp(machine: Machine, attack: Attack) -> None:
    before = len(machine.repository.manifests)
    check(machine, attack)
    assert len(machine.repository.manifests) == before
    assert all(request.method not in ("PUT", "PATCH") for request in machine.network.requests)


@pytest.mark.parametrize("clock", [CLOCK, REVOCABLE, LISTED])
def test_the_same_machine_signs_with_a_good_timestamp(machine: Machine, clock: TSA) -> None:
    publishing(asked(clock), clock, "good")(machine)
    ended = machine.run(SIGN)
    assert ended.code == 0, ended.err
    machine.policy(trustStores=["ca:wabbit", "tsa:clock"])
    machine.store("tsa/clock", root=pem([CLOCK.root]))
    trusts(machine)
