"""OCSP: `openssl ocsp` as another responder and another verifier, and cryptography as another reader."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as theirs

from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.ocsp import build_request, status_by_ocsp
from nv2.pki.ocsp_response import OcspResponse, parse_response
from tests.world.ca import CA, Pair, pem
from tests.world.ocsp import About, about, delegate, response

CA_ = CA("Wabbit")
PAIR = CA_.issue("build", key="EC-256")
NONCE = b"0123456789abcdef"


def issuer() -> Certificate:
    return parse_certificate(CA_.certificate)


def leaf() -> Certificate:
    return parse_certificate(PAIR.leaf)


class OpenSsl(NamedTuple):
    """`openssl ocsp` as the responder `pair`, and as a verifier."""

    program: Path
    folder: Path
    pair: Pair

    def run(self, files: Mapping[str, bytes], *words: str) -> str:
        for name, data in {"ca.crt": pem([CA_.certificate]), **files}.items():
            (self.folder / name).write_bytes(data)
        finished = subprocess.run(
            [self.program, "ocsp", *words], cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        said = finished.stdout + finished.stderr
        assert finished.returncode == 0 or "Response Verify Failure" in said, said
        return said

    def answer(self, request: bytes, revoked: str = "", *options: str) -> bytes:
        """What it answers; `revoked` is the third column of its list: `261101120000Z,keyCompromise`."""
        state = "R" if revoked else "V"
        line = f"{state}\t450101000000Z\t{revoked}\t{leaf().serial:04X}\tunknown\t/CN=build\n"
        files = {
            "index.txt": line.encode(),
            "responder.crt": pem([self.pair.leaf]),
            "responder.key": self.pair.pem_key(),
            "request": request,
        }
        who = ("-index", "index.txt", "-CA", "ca.crt", "-rsigner", "responder.crt", "-rkey", "responder.key")
        self.run(files, *who, "-reqin", "request", "-respout", "answer", *options)
        return (self.folder / "answer").read_bytes()

    def judge(self, data: bytes) -> str:
        files = {"answer": data, "leaf.crt": pem([PAIR.leaf])}
        return self.run(
            files, "-issuer", "ca.crt", "-cert", "leaf.crt", "-respin", "answer", "-CAfile", "ca.crt"
        )


@pytest.fixture
def ssl(openssl: Path, tmp_path: Path) -> OpenSsl:
    return OpenSsl(openssl, tmp_path, delegate(CA_))


def ask(data: bytes, nonce: bytes | None = None) -> CertificateStatus:
    return status_by_ocsp(data, leaf(), issuer(), datetime.now(UTC), nonce).status


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
@pytest.mark.parametrize("nonce", [None, NONCE])
def test_openssl_understands_our_request_and_we_its_answer(
    ssl: OpenSsl, hash_name: str, nonce: bytes | None
) -> None:
    request = build_request(leaf(), issuer(), nonce, hash_name)
    data = ssl.answer(request, "", "-ndays", "1")
    assert ask(data, nonce).status is Status.GOOD
    if nonce:
        assert "another nonce" in ask(data, nonce[::-1]).reason


def test_the_issuer_itself_answers_by_its_key(openssl: Path, tmp_path: Path) -> None:
    ssl = OpenSsl(openssl, tmp_path, Pair(CA_.chain, CA_.key))
    request = build_request(leaf(), issuer(), None, "sha1")
    assert ask(ssl.answer(request, "", "-ndays", "1", "-resp_key_id")).status is Status.GOOD


@pytest.mark.parametrize(
    ("written", "said"),
    [("260501120000Z", "unspecified"), ("260501120000Z,keyCompromise", "keyCompromise")],
)
def test_what_openssl_says_of_a_revoked_certificate_is_understood(
    ssl: OpenSsl, written: str, said: str
) -> None:
    found = ask(ssl.answer(build_request(leaf(), issuer(), None, "sha1"), written, "-ndays", "1"))
    assert (found.status, found.reason) == (Status.REVOKED, f"revoked at 2026-05-01T12:00:00Z ({said})")


def test_an_answer_of_openssl_without_an_end_or_about_nobody_is_unknown(ssl: OpenSsl) -> None:
    request = build_request(leaf(), issuer(), None, "sha1")
    assert "nextUpdate" in ask(ssl.answer(request)).reason
    stranger = parse_certificate(CA_.issue("stranger", key="EC-256").leaf)
    data = ssl.answer(build_request(stranger, issuer(), None, "sha1"), "", "-ndays", "1")
    found = status_by_ocsp(data, stranger, issuer(), datetime.now(UTC)).status
    assert (found.status, found.reason) == (Status.UNKNOWN, "the responder does not know the certificate")


def test_openssl_judges_the_responder_of_the_tests_as_we_do(ssl: OpenSsl) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    fresh: dict[str, Any] = {"this_update": now, "next_update": now + timedelta(days=1)}
    rows: tuple[tuple[About, dict[str, Any], str], ...] = (
        (about(PAIR, **fresh), {}, "leaf.crt: good"),
        (about(PAIR, **fresh), {"signed_by": delegate(CA_)}, "leaf.crt: good"),
        (about(PAIR, "revoked", reason=1, **fresh), {}, "leaf.crt: revoked"),
        (about(PAIR, "unknown", **fresh), {}, "leaf.crt: unknown"),
        (about(PAIR, **{**fresh, "next_update": now - timedelta(days=1)}), {}, "status expired"),
        (about(PAIR, **fresh), {"bad_signature": True}, "Response Verify Failure"),
        (about(PAIR, **fresh), {"signed_by": PAIR}, "Response Verify Failure"),
        (about(PAIR, **fresh), {"signed_by": delegate(CA("Other"))}, "Response Verify Failure"),
    )
    for said, how, words in rows:
        data = response(CA_, said, produced_at=now, **how)
        told = ssl.judge(data)
        assert words in told
        assert ("Response verify OK" in told) is (words != "Response Verify Failure")
        good = words == "leaf.crt: good"
        assert (ask(data).status is Status.GOOD) is good


def test_cryptography_reads_in_an_answer_what_we_read() -> None:
    said = about(PAIR, "revoked", reason=1)
    data = response(CA_, said, signed_by=delegate(CA_), nonce=NONCE, by_key=True)
    ours, other = parse_response(data), theirs.load_der_ocsp_response(data)
    assert isinstance(ours, OcspResponse)
    (statement,) = ours.statements
    assert ours.signed_bytes == other.tbs_response_bytes
    assert (ours.signature, ours.algorithm) == (other.signature, other.signature_algorithm_oid.dotted_string)
    assert ours.certificates == tuple(found.public_bytes(Encoding.DER) for found in other.certificates)
    assert ours.responder.content[2:] == other.responder_key_hash
    assert statement.this_update == other.this_update_utc
    assert statement.next_update == other.next_update_utc
    assert statement.revoked_at == other.revocation_time_utc
    assert other.certificate_status is theirs.OCSPCertStatus.REVOKED
    assert other.revocation_reason is x509.ReasonFlags.key_compromise
    assert other.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE
