"""Responders that lie, over real sockets on loopback: research §5.3 item 4, §5.4 i and o.

Whatever they say, it is never a yes, and one reason names the responder.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.home.ocsp_cache import OcspCache
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import parse_chain
from nv2.pki.ocsp import MAX_RESPONSE, cache_key
from nv2.revocation.caches import Caches
from nv2.revocation.online import OnlineRevocation
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import ANY_EKU, CA, CODE_SIGNING, Pair, key_of
from tests.world.ocsp import UNSUCCESSFUL, Responder, about, delegate, response, unsuccessful
from tests.world.signed import NOW
from tests.world.sockets import serving

root, other = CA("Wabbit", "RSA-2048"), CA("Other")
OLD = NOW - timedelta(days=9)
SERIAL = 0x77


def check(responder: Responder, signed_at: datetime | None = None) -> tuple[Finding, str]:
    """What comes of a certificate that names `responder`, and where that is."""
    transport = HttpTransport(HttpSettings())
    with serving(responder.script) as server:
        pair = root.issue("revocable", key="EC-256", serial=SERIAL, ocsp_urls=[server.url])
        try:
            checker = OnlineRevocation(lambda: transport, threading.Lock)
            return checker.check(parse_chain(pair.chain), NOW, signed_at), server.url
        finally:
            transport.close()


def says(said: str = "good", *, how: dict[str, Any] | None = None, **fields: Any) -> Responder:
    return Responder(root, {SERIAL: {"said": said, **fields}}, **(how or {}))


def sends(body: bytes, **how: Any) -> Responder:
    return Responder(root, body=body, **how)


def by(pair: Pair, **how: Any) -> Responder:
    return says(how={"signed_by": pair, **how})


REVOKED_NOW: dict[str, Any] = {"said": "revoked", "invalid_since": NOW - timedelta(days=20)}

LIES: dict[str, tuple[Responder, str]] = {
    "signed by an unrelated key": (says(how={"key": key_of("stranger", "RSA-2048")}), "not made by"),
    "signed by another issuer": (says(how={"key": other.key}), "another kind"),
    "signed by another issuer's responder": (by(delegate(other)), "another authority"),
    "signed by another certificate of the issuer": (by(root.issue("x", key="EC-256")), "OCSPSigning"),
    "delegated for code signing": (by(delegate(root, eku=(CODE_SIGNING,))), "OCSPSigning"),
    "delegated for anything": (by(delegate(root, eku=(ANY_EKU,))), "OCSPSigning"),
    "delegated until yesterday": (by(delegate(root, not_after=NOW - timedelta(days=1))), "not valid now"),
    "delegated by a forged certificate": (by(delegate(root, bad_signature=True)), "not made by"),
    "delegated, to be checked, and naming nobody but a dead CRL": (
        by(delegate(root, extensions=(), crl_urls=["http://127.0.0.1:1/crl"])),
        "unknown revocation status",
    ),
    "delegated, to be checked, and naming OCSP alone": (
        by(delegate(root, extensions=(), ocsp_urls=["http://127.0.0.1:1/"])),
        "names no CRL",
    ),
    "signed with SHA-1": (says(how={"hash_name": "sha1"}), "SHA-1"),
    "signed with MD5": (says(how={"hash_name": "md5"}), "MD5"),
    "status for another serial": (says(serial=SERIAL + 1), "other certificates"),
    "status for another issuer's key": (says(key_hash=b"\0" * 20), "other certificates"),
    "status for another issuer's name": (says(name_hash=b"\0" * 20), "other certificates"),
    "replayed after nextUpdate": (says(this_update=OLD, next_update=OLD + timedelta(days=1)), "expired"),
    "without nextUpdate": (says(next_update=None), "nextUpdate"),
    "from the future": (says(this_update=NOW + timedelta(hours=1)), "future"),
    "produced in the future": (says(how={"produced_at": NOW + timedelta(hours=1)}), "future"),
    "unknown": (says("unknown"), "does not know"),
    **{name: (sends(unsuccessful(code)), name) for name, code in UNSUCCESSFUL.items()},
    "critical extension": (says(extensions=(("1.2.3.4", True, b"\x05\x00"),)), "1.2.3.4"),
    "garbage": (sends(b"\xde\xad\xbe\xef" * 99), "not an OCSP response"),
    "a page": (sends(b"<html>portal</html>", content_type="text/html"), "not an OCSP response"),
    "truncated": (sends(response(root, about(root.issue("x", key="EC-256")))[:-9]), "not an OCSP response"),
    "oversized": (sends(bytes(MAX_RESPONSE + 1)), "longer than"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_responder_that_lies_gets_no_yes(lie: str) -> None:
    responder, why = LIES[lie]
    finding, url = check(responder)
    assert finding.outcome is Outcome.UNKNOWN, finding
    assert why in finding.reason
    assert f"OCSP at {url}" in finding.reason
    assert "\n" not in finding.reason


def test_a_responder_that_does_not_lie_is_believed() -> None:
    for responder in (says(), by(delegate(root)), says(hash_name="sha256")):
        assert check(responder)[0].outcome is Outcome.PASSED


def test_a_wrong_content_type_around_a_right_answer_is_no_lie() -> None:
    """What counts is signed; the header is not."""
    assert check(says(how={"content_type": "text/plain"}))[0].outcome is Outcome.PASSED


def test_of_contradicting_statements_revoked_wins() -> None:
    pair = root.issue("revocable", key="EC-256", serial=SERIAL)
    both = response(root, about(pair), about(pair, "revoked"), about(pair, hash_name="sha256"))
    assert check(sends(both))[0].outcome is Outcome.FAILED


def test_the_invalidity_date_of_the_whole_answer_saves_no_signature() -> None:
    """§5.4 i."""
    date = ("2.5.29.24", False, b"\x18\x0f20260512120000Z")
    signed_at = NOW - timedelta(days=30)
    assert check(says("revoked", how={"extensions": [date]}), signed_at)[0].outcome is Outcome.FAILED
    assert check(says(**REVOKED_NOW), signed_at)[0].outcome is Outcome.PASSED
    assert check(says(**REVOKED_NOW))[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"\x30",
        response(root, about(root.issue("x", key="EC-256", serial=SERIAL), next_update=OLD)),
        response(other, about(other.issue("x", key="EC-256", serial=SERIAL))),
    ],
    ids=["empty", "half", "old", "another issuer's"],
)
def test_a_poisoned_cache_is_no_yes(poison: bytes, tmp_path: Path) -> None:
    """§5.3 item 4."""
    issuer = parse_certificate(root.certificate)
    responder = sends(unsuccessful(3))
    for kept, outcome in ((poison, Outcome.UNKNOWN), (None, Outcome.PASSED)):
        transport = HttpTransport(HttpSettings())
        with serving(responder.script) as server:
            pair = root.issue("revocable", key="EC-256", serial=SERIAL, ocsp_urls=[server.url])
            cache = OcspCache(tmp_path / "ocsp")
            key = cache_key(server.url, parse_certificate(pair.leaf), issuer)
            cache.store(key, response(root, about(pair)) if kept is None else kept)
            checker = OnlineRevocation(
                lambda: transport,  # noqa: B023
                threading.Lock,
                Caches(None, cache),
            )
            assert checker.check(parse_chain(pair.chain), NOW, None).outcome is outcome
        transport.close()
