from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as theirs

from nv2.errors import InvalidRevocationData
from nv2.pki.certificate import parse_certificate
from nv2.pki.certificate_status import CLOCK_SKEW, Status
from nv2.pki.ocsp import (
    MAX_NONCE,
    MAX_RESPONSE,
    OcspAnswer,
    build_request,
    cache_key,
    request_path,
    status_by_ocsp,
)
from nv2.pki.ocsp_response import MAX_CERTIFICATES, MAX_STATEMENTS, parse_response
from tests.world.ca import ANY_EKU, CA, CODE_SIGNING, key_of
from tests.world.ocsp import (
    HOLD,
    KEY_COMPROMISE,
    NEXT_UPDATE,
    NONCE,
    REVOKED_AT,
    THIS_UPDATE,
    UNSUCCESSFUL,
    URL,
    About,
    about,
    delegate,
    response,
    unsuccessful,
)
from tests.world.signed import NOW

CA_ = CA("Wabbit")
OTHER = CA("Other")
PAIR = CA_.issue("build", key="EC-256")
NEIGHBOUR = CA_.issue("neighbour", key="EC-256")
ISSUER = parse_certificate(CA_.certificate)
LEAF = parse_certificate(PAIR.leaf)
SECOND = timedelta(seconds=1)
GARBAGE = b"\x04\x02hi"
UNKNOWN_OID = "1.3.6.1.4.1.55555.1"


def ask(data: bytes, **how: Any) -> OcspAnswer:
    return status_by_ocsp(data, LEAF, ISSUER, how.pop("now", NOW), **how)


def judged(*said: About, **how: Any) -> OcspAnswer:
    return ask(response(CA_, *said, **how))


def check_unknown(found: OcspAnswer, why: str) -> None:
    assert found.status.status is Status.UNKNOWN
    assert why in found.status.reason
    assert found.responder is None


# --- requests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", ["sha1", "sha256", "sha384", "sha512"])
def test_a_request_is_the_one_that_cryptography_writes(hash_name: str) -> None:
    hash_type = getattr(hashes, hash_name.upper())()
    certificates = map(x509.load_der_x509_certificate, (PAIR.leaf, CA_.certificate))
    builder = theirs.OCSPRequestBuilder().add_certificate(*certificates, hash_type)
    nonce = builder.add_extension(x509.OCSPNonce(b"n" * 32), critical=False)
    for made, given in ((builder, None), (nonce, b"n" * 32)):
        expected = theirs.load_der_ocsp_request(made.build().public_bytes(Encoding.DER))
        found = theirs.load_der_ocsp_request(build_request(LEAF, ISSUER, given, hash_name))
        assert found.public_bytes(Encoding.DER) == expected.public_bytes(Encoding.DER)


@pytest.mark.parametrize("nonce", [b"", b"n" * (MAX_NONCE + 1)])
def test_a_nonce_that_responders_would_refuse_is_not_sent(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="nonce"):
        build_request(LEAF, ISSUER, nonce, "sha1")


def test_a_hash_without_a_name_is_not_used() -> None:
    with pytest.raises(ValueError, match="md5"):
        build_request(LEAF, ISSUER, None, "md5")


def test_a_short_request_fits_a_path_and_a_long_one_does_not() -> None:
    path = request_path(b"\xfb\xef\xff\x00")
    assert path == "%2B%2B%2F%2FAA%3D%3D"
    assert request_path(b"\0" * 300) is None


def test_answers_are_kept_by_responder_issuer_and_serial_number() -> None:
    other = parse_certificate(NEIGHBOUR.leaf)
    keys = {cache_key(URL, LEAF, ISSUER), cache_key(URL + "/b", LEAF, ISSUER), cache_key(URL, other, ISSUER)}
    assert len(keys) == 3
    assert cache_key(URL, LEAF, ISSUER) in keys


# --- what counts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("by_key", [False, True])
def test_the_issuer_says_good(hash_name: str, by_key: bool) -> None:
    found = judged(about(PAIR, hash_name=hash_name), by_key=by_key)
    assert found == ((Status.GOOD, "", NEXT_UPDATE, THIS_UPDATE, False), None)


@pytest.mark.parametrize("key", ["RSA-2048", "EC-384", "EC-521", "Ed25519"])
def test_every_kind_of_key_may_answer(key: str) -> None:
    ca = CA(f"Authority {key}", key)
    pair = ca.issue("build", key="EC-256")
    found = status_by_ocsp(
        response(ca, about(pair)), parse_certificate(pair.leaf), parse_certificate(ca.certificate), NOW
    )
    assert found.status.status is Status.GOOD


@pytest.mark.parametrize("by_key", [False, True])
def test_a_delegate_says_good_and_need_not_be_checked(by_key: bool) -> None:
    found = judged(about(PAIR), signed_by=delegate(CA_), by_key=by_key)
    assert (found.status.status, found.responder) == (Status.GOOD, None)


@pytest.mark.parametrize("said", ["good", "revoked"])
def test_a_delegate_without_nocheck_must_still_be_checked(said: str) -> None:
    pair = delegate(CA_, extensions=())
    found = judged(about(PAIR, said), signed_by=pair)
    assert found.status.status is not Status.UNKNOWN
    assert found.responder == parse_certificate(pair.leaf)


def test_a_delegate_may_do_without_key_usage() -> None:
    assert judged(about(PAIR), signed_by=delegate(CA_, key_usage=None)).status.status is Status.GOOD


def test_junk_among_the_certificates_hides_no_delegate() -> None:
    pair = delegate(CA_)
    sent = [b"\x30\x00", NEIGHBOUR.leaf, pair.leaf]
    assert judged(about(PAIR), signed_by=pair, certificates=sent).status.status is Status.GOOD


# --- who may not answer -----------------------------------------------------------------------------------


NOBODIES = {
    "an unrelated key": ({"key": key_of("stranger", "EC-256")}, "not made by the issuer's key"),
    "a spoilt signature": ({"bad_signature": True}, "not made by the issuer's key"),
    "another issuer's delegate": ({"signed_by": delegate(OTHER)}, "another authority"),
    "another issuer": (
        {"signed_by": OTHER.issue("x"), "certificates": [OTHER.certificate]},
        "may not answer",
    ),
    "a delegate that was not sent along": (
        {"signed_by": delegate(CA_), "certificates": []},
        "somebody who may not answer",
    ),
    "a delegate without the usage": ({"signed_by": delegate(CA_, eku=(CODE_SIGNING,))}, "OCSPSigning"),
    "a delegate without any usage": ({"signed_by": delegate(CA_, eku=None)}, "OCSPSigning"),
    "a delegate for anything": ({"signed_by": delegate(CA_, eku=(ANY_EKU,))}, "OCSPSigning"),
    "the signer of the artifact": ({"signed_by": PAIR}, "OCSPSigning"),
    "a delegate that may not sign": (
        {"signed_by": delegate(CA_, key_usage=("key_encipherment",))},
        "digitalSignature",
    ),
    "an expired delegate": ({"signed_by": delegate(CA_, not_after=NOW - SECOND)}, "not valid now"),
    "a delegate of tomorrow": ({"signed_by": delegate(CA_, not_before=NOW + SECOND)}, "not valid now"),
    "a forged delegate": ({"signed_by": delegate(CA_, signed_by=OTHER.key)}, "not made by the issuer's key"),
    "a delegate's delegate": (
        {"signed_by": delegate(CA_.intermediate("Below"))},
        "another authority",
    ),
    "a delegate with a weak key": ({"signed_by": delegate(CA_, "weak", key="RSA-1024")}, "2048 bits"),
    "a broken hash": ({"hash_name": "sha1"}, "SHA-1"),
    "nobody's name": ({"named": bytes.fromhex("a1023000")}, "may not answer"),
    "nobody's key": ({"named": bytes.fromhex("a2160414") + b"\0" * 20}, "may not answer"),
}


@pytest.mark.parametrize("who", NOBODIES)
def test_an_answer_counts_only_from_the_issuer_or_its_delegate(who: str) -> None:
    how, why = NOBODIES[who]
    check_unknown(judged(about(PAIR), **how), why)
    check_unknown(judged(about(PAIR, "revoked"), **how), why)


@pytest.mark.parametrize(("hash_name", "said"), [("sha1", "SHA-1"), ("md5", "MD5")])
def test_an_answer_signed_with_a_broken_hash_does_not_count(hash_name: str, said: str) -> None:
    ca = CA("Old", "RSA-2048")
    pair = ca.issue("build", key="EC-256")
    data = response(ca, about(pair), hash_name=hash_name)
    issuer = parse_certificate(ca.certificate)
    check_unknown(status_by_ocsp(data, parse_certificate(pair.leaf), issuer, NOW), said)


def test_an_answer_of_the_issuer_counts_for_nobody_else_s_certificates() -> None:
    other = OTHER.issue("build", key="EC-256", serial=LEAF.serial)
    found = status_by_ocsp(response(CA_, about(PAIR)), parse_certificate(other.leaf), ISSUER, NOW)
    check_unknown(found, "issued by somebody else")


# --- whom it is about -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        about(NEIGHBOUR),
        about(PAIR, serial=1),
        about(PAIR, serial=-LEAF.serial),
        about(PAIR, name_hash=b"\0" * 20),
        about(PAIR, key_hash=b"\0" * 20),
        about(PAIR, hash_name="md5"),
        about(PAIR, hash_name="sha256", name_hash=b"\0" * 32),
        about(PAIR, hash_name="sha256", key_hash=b"\0" * 32),
    ],
)
def test_a_statement_about_another_certificate_says_nothing(said: About) -> None:
    check_unknown(judged(said), "about other certificates")


def test_an_answer_that_says_nothing_is_unknown() -> None:
    check_unknown(judged(), "about other certificates")


def test_of_several_statements_the_right_one_counts() -> None:
    said = (about(NEIGHBOUR, "revoked"), about(PAIR), about(NEIGHBOUR, "unknown"))
    assert judged(*said).status.status is Status.GOOD


@pytest.mark.parametrize(
    ("others", "status"),
    [
        ((about(PAIR, "revoked"),), Status.REVOKED),
        ((about(PAIR, "unknown"), about(PAIR, "revoked", hash_name="sha256")), Status.REVOKED),
        ((about(PAIR, "unknown"),), Status.UNKNOWN),
        ((about(PAIR, next_update=None),), Status.UNKNOWN),
    ],
)
def test_of_statements_that_contradict_each_other_the_worst_counts(
    others: tuple[About, ...], status: Status
) -> None:
    assert judged(about(PAIR), *others).status.status is status
    assert judged(*others, about(PAIR)).status.status is status


def test_of_statements_that_agree_the_one_that_ends_first_counts() -> None:
    found = judged(about(PAIR), about(PAIR, hash_name="sha256", next_update=NOW + SECOND))
    assert found.status.fresh_until == NOW + SECOND


# --- when -------------------------------------------------------------------------------------------------


def test_an_answer_counts_until_its_next_update_and_not_a_second_longer() -> None:
    data = response(CA_, about(PAIR))
    assert ask(data, now=NEXT_UPDATE).status.status is Status.GOOD
    check_unknown(ask(data, now=NEXT_UPDATE + SECOND), "expired at 2026-06-02T12:00:00Z")


def test_an_answer_without_an_end_is_unknown() -> None:
    check_unknown(judged(about(PAIR, next_update=None)), "nextUpdate")


def test_an_answer_that_ends_before_it_begins_is_unknown() -> None:
    said = about(PAIR, this_update=NOW + 2 * SECOND, next_update=NOW + SECOND)
    check_unknown(judged(said), "before it was made")


@pytest.mark.parametrize("said", ["good", "revoked"])
def test_an_answer_may_be_a_little_ahead_of_our_clock(said: str) -> None:
    edge = NOW + CLOCK_SKEW
    fine = judged(about(PAIR, said, this_update=edge), produced_at=edge)
    assert fine.status.status is not Status.UNKNOWN
    check_unknown(judged(about(PAIR, said, this_update=edge + SECOND)), "from the future")
    check_unknown(judged(about(PAIR, said), produced_at=edge + SECOND), "from the future")


# --- the nonce --------------------------------------------------------------------------------------------


def test_the_nonce_of_the_request_may_come_back_or_stay_away() -> None:
    assert ask(response(CA_, about(PAIR), nonce=b"n" * 16), nonce=b"n" * 16).status.status is Status.GOOD
    assert ask(response(CA_, about(PAIR)), nonce=b"n" * 16).status.status is Status.GOOD


@pytest.mark.parametrize("other", [b"m" * 16, b"n" * 15, b""])
def test_another_nonce_is_that_of_another_request(other: bytes) -> None:
    check_unknown(ask(response(CA_, about(PAIR), nonce=other), nonce=b"n" * 16), "another nonce")


def test_a_nonce_that_is_not_wrapped_is_another_one() -> None:
    data = response(CA_, about(PAIR), extensions=[(NONCE, False, b"n" * 16)])
    check_unknown(ask(data, nonce=b"n" * 16), "another nonce")


def test_an_answer_from_the_cache_has_somebody_else_s_nonce() -> None:
    assert ask(response(CA_, about(PAIR), nonce=b"n" * 16)).status.status is Status.GOOD


# --- revoked ----------------------------------------------------------------------------------------------


def test_revoked_is_said_with_time_and_reason() -> None:
    found = judged(about(PAIR, "revoked", reason=KEY_COMPROMISE))
    assert found.status == (Status.REVOKED, "revoked at 2026-05-02T12:00:00Z (keyCompromise)", NEXT_UPDATE, THIS_UPDATE, True)  # fmt: skip
    assert "(unspecified)" in judged(about(PAIR, "revoked")).status.reason
    assert "(42)" in judged(about(PAIR, "revoked", reason=42)).status.reason


@pytest.mark.parametrize("next_update", [NOW - SECOND, None])
def test_revoked_for_good_is_revoked_however_old_the_answer_is(next_update: Any) -> None:
    assert judged(about(PAIR, "revoked", next_update=next_update)).status.status is Status.REVOKED
    held = about(PAIR, "revoked", reason=HOLD, next_update=next_update)
    assert judged(held).status.status is Status.UNKNOWN
    assert judged(about(PAIR, "revoked", reason=HOLD)).status.status is Status.REVOKED


def test_a_key_that_became_bad_after_signing_does_no_harm() -> None:
    data = response(CA_, about(PAIR, "revoked", invalid_since=REVOKED_AT))
    found = ask(data, signed_at=REVOKED_AT - SECOND)
    assert found.status.status is Status.GOOD
    assert "signed before its key became bad at 2026-05-02T12:00:00Z" in found.status.reason
    assert found.status.fresh_until == NEXT_UPDATE
    for signed_at in (REVOKED_AT, REVOKED_AT + SECOND, None):
        assert ask(data, signed_at=signed_at).status.status is Status.REVOKED


def test_an_invalidity_date_that_is_yet_to_come_is_not_believed() -> None:
    data = response(CA_, about(PAIR, "revoked", invalid_since=THIS_UPDATE + SECOND))
    assert ask(data, signed_at=REVOKED_AT).status.status is Status.REVOKED


def test_the_invalidity_date_of_the_whole_answer_or_of_another_certificate_saves_nobody() -> None:
    """Research 5.4 i."""
    value = b"\x18\x0f20260502120000Z"
    whole = response(CA_, about(PAIR, "revoked"), extensions=[("2.5.29.24", False, value)])
    beside = response(CA_, about(NEIGHBOUR, "revoked", invalid_since=REVOKED_AT), about(PAIR, "revoked"))
    for data in (whole, beside):
        assert ask(data, signed_at=REVOKED_AT - 9 * SECOND).status.status is Status.REVOKED


def test_an_old_answer_does_not_say_that_a_revocation_does_no_harm() -> None:
    data = response(CA_, about(PAIR, "revoked", invalid_since=REVOKED_AT, next_update=NOW - SECOND))
    assert ask(data, signed_at=REVOKED_AT - SECOND).status.status is Status.UNKNOWN


# --- unknown ----------------------------------------------------------------------------------------------


def test_unknown_is_not_good() -> None:
    check_unknown(judged(about(PAIR, "unknown")), "does not know the certificate")


@pytest.mark.parametrize("name", UNSUCCESSFUL)
def test_an_answer_that_is_an_error_is_unknown(name: str) -> None:
    check_unknown(ask(unsuccessful(UNSUCCESSFUL[name])), name)


def test_an_error_without_a_name_is_unknown() -> None:
    check_unknown(ask(unsuccessful(4)), "status 4")


@pytest.mark.parametrize("said", ["good", "revoked"])
def test_a_critical_extension_that_is_not_known_is_not_overlooked(said: str) -> None:
    strange = (UNKNOWN_OID, True, GARBAGE)
    check_unknown(judged(about(PAIR, said), extensions=[strange]), UNKNOWN_OID)
    check_unknown(judged(about(PAIR, said, extensions=(strange,))), UNKNOWN_OID)
    known = judged(about(PAIR, said), about(NEIGHBOUR, extensions=(strange,)))
    assert known.status.status is not Status.UNKNOWN


def test_an_extension_that_is_not_critical_may_be_unknown() -> None:
    strange = (UNKNOWN_OID, False, GARBAGE)
    found = judged(about(PAIR, extensions=(strange,)), extensions=[strange])
    assert found.status.status is Status.GOOD


# --- what cannot be read ----------------------------------------------------------------------------------


MALFORMED = {
    "nothing": b"",
    "text": b"<html>not found</html>",
    "cut short": response(CA_, about(PAIR))[:-1],
    "longer": response(CA_, about(PAIR)) + b"\0",
    "successful, and nothing else": unsuccessful(0),
    "another type": response(CA_, about(PAIR), response_type=bytes.fromhex("06092b0601050507300105")),
    "another version": response(CA_, about(PAIR), version=1),
    "a responder of a third kind": response(CA_, about(PAIR), named=b"\xa3\x02\x30\x00"),
    "twice the same extension": response(CA_, about(PAIR), extensions=[(NONCE, False, GARBAGE)] * 2),
    "an invalidity date that is none": response(
        CA_, about(PAIR, "revoked", extensions=(("2.5.29.24", False, GARBAGE),))
    ),
    "too many statements": response(CA_, *[about(PAIR)] * (MAX_STATEMENTS + 1)),
    "too many certificates": response(CA_, about(PAIR), certificates=[PAIR.leaf] * (MAX_CERTIFICATES + 1)),
    "too long": response(CA_, about(PAIR), extensions=[(UNKNOWN_OID, False, bytes(MAX_RESPONSE))]),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_answer_is_refused(what: str) -> None:
    with pytest.raises(InvalidRevocationData, match="OCSP response"):
        ask(MALFORMED[what])


def test_a_stated_version_1_is_read() -> None:
    assert judged(about(PAIR), version=0).status.status is Status.GOOD


def test_every_cut_is_refused() -> None:
    data = response(CA_, about(PAIR, "revoked", reason=1), signed_by=delegate(CA_), nonce=b"n")
    for end in range(len(data)):
        with pytest.raises(InvalidRevocationData):
            parse_response(data[:end])
