"""Requests for timestamps, and the replies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from asn1crypto import tsp  # type: ignore[import-untyped]

from nv2.errors import InvalidTimestamp
from nv2.pki.timestamp_request import build_request, open_reply, read_reply
from tests.world.tsa import NULL, SEQUENCE, TSA, indefinite, integer, tlv

WHAT = b"the signature"
CLOCK = TSA("Clock")
NONCE = 1 << 127 | 5


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_a_request_asks_for_the_imprint_with_nonce_and_certificates(name: str) -> None:
    asked = tsp.TimeStampReq.load(build_request(WHAT, name, NONCE), strict=True).native
    assert asked["version"] == "v1"
    assert asked["message_imprint"]["hash_algorithm"] == {"algorithm": name, "parameters": None}
    assert asked["message_imprint"]["hashed_message"] == hashlib.new(name, WHAT).digest()
    assert asked["nonce"] == NONCE
    assert asked["cert_req"] is True


def answered(request: bytes = build_request(WHAT, "sha256", NONCE), **how: Any) -> Any:
    return open_reply(CLOCK.reply(request, **how), WHAT, "sha256", NONCE)


@pytest.mark.parametrize("status", [0, 1])
def test_a_granted_timestamp_is_opened(status: int) -> None:
    token, opened = answered(status=status)
    assert opened.info.nonce == NONCE
    assert read_reply(CLOCK.reply(build_request(WHAT, "sha256", NONCE)))[:1] == token[:1] == b"\x30"


def test_a_reply_in_ber_gives_a_token_in_der() -> None:
    plain, _ = answered()
    loose, opened = answered(
        ber="parts",
        spoil=lambda reply: indefinite(SEQUENCE, tlv(SEQUENCE, integer(0)), reply[-_after_status(reply) :]),
    )
    assert opened.info.nonce == NONCE
    assert b"\x24\x80" not in loose
    assert len(loose) - len(plain) in range(-4, 5)


def _after_status(reply: bytes) -> int:
    """How many bytes follow PKIStatusInfo, which is five bytes long."""
    header = 4 if reply[1] == 0x82 else 3
    return len(reply) - header - 5


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"nonce": NONCE + 1}, "its nonce is not the one"),
        ({"nonce": None}, "its nonce is not the one"),
        ({"hash": "sha384", "imprint": hashlib.sha384(WHAT).digest()}, "sha384 instead of sha256"),
        ({"imprint": bytes(32)}, "of something else"),
        ({"spoil_signature": True}, "not made by the key"),
        ({"with_token": False}, "and sent none"),
        ({"status": 2}, "refused: rejected"),
        ({"status": 2, "texts": ("no\x1b[2J", "money")}, r"rejected, 'no�\[2J', 'money'"),
        ({"status": 2, "failure": b"\x05\x20"}, "rejected, badRequest"),
        ({"status": 2, "failure": b"\x00\x40"}, "rejected, failure 1"),
        ({"status": 3}, "refused: waiting"),
        ({"status": 77}, "refused: status 77"),
        ({"status": 1 << 100_000}, "not a timestamp reply"),
        ({"status": 2, "failure": b"\0" + b"\xff" * 100_000}, "not a timestamp reply: more failures than there are"),
        ({"status": 2, "with_token": True}, "refused: rejected"),
        ({"spoil": lambda reply: reply[:-1]}, "not a timestamp reply"),
        ({"spoil": lambda _: b"<html>"}, "not a timestamp reply"),
        ({"spoil": lambda _: tlv(SEQUENCE)}, "not a timestamp reply"),
        ({"spoil": lambda _: tlv(SEQUENCE, NULL)}, "not a timestamp reply"),
    ],
)  # fmt: skip
def test_any_other_reply_is_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidTimestamp, match=said):
        answered(**how)


def test_a_talkative_authority_is_cut_short() -> None:
    with pytest.raises(InvalidTimestamp) as caught:
        answered(status=2, texts=("blah" * 1000,) * 1000)
    assert 100 < len(str(caught.value)) < 1000
