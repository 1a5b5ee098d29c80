from __future__ import annotations

import pytest

from nv2.errors import UsageError
from nv2.keys.pkcs11.uri import MAX_ID, MAX_URI, WHERE, is_uri, parse_uri


def test_every_attribute_is_read() -> None:
    found = parse_uri(
        "pkcs11:token=My%20token;serial=12;slot-id=7;object=build%3bkey;id=%00%ffa;type=private"
        "?module-path=/usr/lib/x.so&pin-source=file:/run/pin"
    )
    assert found.where == {"token": "My token", "serial": "12", "slot-id": "7"}
    assert (found.object, found.id) == ("build;key", b"\0\xffa")
    assert (found.module_path, found.pin_source) == ("/usr/lib/x.so", "file:/run/pin")
    assert (found.module_name, found.pin_value) == (None, None)


@pytest.mark.parametrize("name", WHERE)
def test_every_attribute_of_a_token_chooses_one(name: str) -> None:
    assert parse_uri(f"pkcs11:{name}=1").where == {name: "1"}


def test_letters_beyond_ascii_are_percent_encoded_utf_8() -> None:
    assert parse_uri("pkcs11:object=%C3%BC").object == "ü"


def test_a_uri_may_say_nothing() -> None:
    assert parse_uri("PKCS11:").where == {}


def test_what_is_shown_of_a_uri_never_holds_its_pin() -> None:
    found = parse_uri("pkcs11:token=a?pin-value=1234&module-name=softhsm2")
    assert found.pin_value == "1234"
    assert found.shown == "pkcs11:token=a?module-name=softhsm2"
    assert "1234" not in f"{found} {found!r}"
    assert parse_uri("pkcs11:token=a?pin-value=1234").shown == "pkcs11:token=a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pkcs12:token=a", "is no PKCS#11 URI"),
        (f"pkcs11:token={'a' * MAX_URI}", "longer than"),
        ("pkcs11:tokn=a", "unknown attribute"),
        ("pkcs11:token", "has no value"),
        ("pkcs11:token=", "has no value"),
        ("pkcs11:token=a;", "unknown attribute"),
        ("pkcs11:token=a;;object=b", "unknown attribute"),
        ("pkcs11:token=a;token=b", "given twice"),
        ("pkcs11:token=a;pin-value=1", "unknown attribute"),
        ("pkcs11:token=a?object=b", "unknown attribute"),
        ("pkcs11:token=a?vendor-pin=b", "attribute 1 of the query: unknown attribute"),
        ("pkcs11:token=a b", "percent-encoded"),
        ("pkcs11:token=a%2", "percent-encoded"),
        ("pkcs11:token=a%zz", "percent-encoded"),
        ("pkcs11:token=ü", "percent-encoded"),
        ("pkcs11:token=a/b", "percent-encoded"),
        ("pkcs11:token=a#b", "percent-encoded"),
        ("pkcs11:token=%ff", "is not UTF-8"),
        ("pkcs11:token=%0a", "cannot be shown"),
        ("pkcs11:token=%00", "cannot be shown"),
        ("pkcs11:slot-id=-1", "is not a number"),
        ("pkcs11:slot-id=%D9%A1", "is not a number"),
        ("pkcs11:type=cert", "something else than a private key"),
        (f"pkcs11:id={'a' * (MAX_ID + 1)}", "is longer than"),
        ("pkcs11:?module-path=x.so", "is not an absolute path"),
        ("pkcs11:?module-path=../x.so", "is not an absolute path"),
    ],
)
def test_what_is_not_exactly_right_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_uri(text)


@pytest.mark.parametrize(
    "query", ["pin-value=12%2", "pin-value=12 34", "pin-value=%ff1234", "pin-valu=1234x"]
)
def test_no_error_quotes_a_pin(query: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(f"pkcs11:token=a?{query}")
    assert "12" not in f"{caught.value} {caught.value.hint}".replace("known", "")


def test_only_the_scheme_makes_a_uri() -> None:
    assert is_uri("pkcs11:token=a") and is_uri("PKCS11:")
    assert not is_uri("pkcs11") and not is_uri("./pkcs11:token=a")


@pytest.mark.parametrize(
    "text",
    [
        "pkcs1:token=a?pin-value=s3cret",
        "pkcs11:token=a?pin-value&s3cret=a",
        "s3cret",
        "pkcs11:token=a?module-name=b?pin-value=s3cret",
    ],
)
def test_an_error_quotes_nothing_that_could_be_a_pin(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(text)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
