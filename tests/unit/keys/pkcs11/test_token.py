"""What SoftHSM2 cannot play: tokens that are locked, that have a keypad, or that want no login; and no library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pkcs11 import Attribute, ObjectClass, TokenFlag
from pkcs11.exceptions import DeviceRemoved, PinIncorrect, UserAlreadyLoggedIn
from pkcs11.types import PROTECTED_AUTH

from nv2.errors import SigningKeyError
from nv2.keys.pkcs11 import token as tokens
from nv2.keys.pkcs11.token import MAX_CERTIFICATE, certificates_on, load_module, open_session
from nv2.keys.pkcs11.uri import parse_uri

URI = parse_uri("pkcs11:token=ci")


class FakeToken(NamedTuple):
    """Answers as its flags say, and notes the logins."""

    flags: TokenFlag
    logins: list[Any]
    fails: Exception | None = None
    label: str = "ci"

    def open(self, user_pin: object = None) -> object:
        self.logins.append(user_pin)
        if self.fails is not None and user_pin is not None:
            raise self.fails
        return self


def unasked(name: str) -> bytes:
    raise AssertionError(f"asked for the PIN of {name}")


class FakeSession(NamedTuple):
    """Has these objects, whatever is looked for."""

    objects: list[dict[Attribute, bytes]]

    def get_objects(self, wanted: dict[Attribute, object]) -> Iterator[dict[Attribute, bytes]]:
        assert wanted[Attribute.CLASS] is ObjectClass.CERTIFICATE
        return iter(self.objects)


def test_of_a_token_s_certificates_those_that_are_none_or_too_large_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def held(value: bytes) -> dict[Attribute, bytes]:
        return {Attribute.ID: b"1", Attribute.VALUE: value}

    objects = [held(b""), held(b"x" * (MAX_CERTIFICATE + 1)), held(b"x" * MAX_CERTIFICATE), held(b"y")]
    found = certificates_on(FakeSession(objects), URI)  # type: ignore[arg-type]
    assert [der[:1] for _, der in found] == [b"x", b"y"]
    monkeypatch.setattr(tokens, "MAX_OBJECTS", 3)
    assert len(certificates_on(FakeSession([held(b"y")] * 9), URI)) == 3  # type: ignore[arg-type]


def session(token: FakeToken, ask: Any = unasked) -> object:
    return open_session(token, URI, ask)  # type: ignore[arg-type]


def test_a_locked_token_is_told_before_the_pin_is_asked_for() -> None:
    token = FakeToken(TokenFlag.USER_PIN_LOCKED | TokenFlag.LOGIN_REQUIRED, [])
    with pytest.raises(SigningKeyError, match="is locked"):
        session(token)
    assert token.logins == []


def test_a_token_without_a_login_asks_for_no_pin() -> None:
    token = FakeToken(TokenFlag.TOKEN_INITIALIZED, [])
    assert session(token) is token
    assert token.logins == [None]


def test_a_token_with_a_keypad_asks_by_itself() -> None:
    token = FakeToken(TokenFlag.LOGIN_REQUIRED | TokenFlag.PROTECTED_AUTHENTICATION_PATH, [])
    session(token)
    assert token.logins == [PROTECTED_AUTH]


def test_a_second_signer_of_one_token_shares_the_login() -> None:
    token = FakeToken(TokenFlag.LOGIN_REQUIRED, [], UserAlreadyLoggedIn())
    assert session(token, lambda _: b"1234") is token
    assert token.logins == ["1234", None]


@pytest.mark.parametrize(
    ("error", "said"), [(PinIncorrect(), "the PIN is wrong"), (DeviceRemoved("s3cret"), "was removed")]
)
def test_what_the_module_raises_is_one_error_without_its_text(error: Exception, said: str) -> None:
    token = FakeToken(TokenFlag.LOGIN_REQUIRED, [], error)
    with pytest.raises(SigningKeyError, match=said) as caught:
        session(token, lambda _: b"1234")
    assert token.logins == ["1234"]
    assert "s3cret" not in str(caught.value)


def test_a_pin_that_is_no_text_is_an_error_without_it() -> None:
    with pytest.raises(SigningKeyError, match="the PIN is not UTF-8"):
        session(FakeToken(TokenFlag.LOGIN_REQUIRED, []), lambda _: b"\xff")


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(SigningKeyError) as caught:
        load_module(Path("/usr/lib/x.so"), URI)
    assert "pip install python-pkcs11" in (caught.value.hint or "")
