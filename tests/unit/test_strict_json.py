from __future__ import annotations

from typing import Any

import pytest

from nv2 import strict_json
from nv2.errors import PolicyError
from nv2.strict_json import MAX_DEPTH, MAX_DIGITS, Fields


def loads(data: bytes) -> Any:
    return strict_json.loads(data, PolicyError, at="here")


def fields(**value: Any) -> Fields:
    return Fields.of(value, "top", PolicyError)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, -2.5, "\xc3\xbc", true, null]}', {"a": [1, -2.5, "ü", True, None]}),
        (b' "\\u00fc" ', "ü"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"9" * MAX_DIGITS, int("9" * MAX_DIGITS)),
        (b"-" + b"9" * MAX_DIGITS, -int("9" * MAX_DIGITS)),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ],
)
def test_well_formed_documents_are_read(data: bytes, value: object) -> None:
    found = loads(data)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "extra data"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'"\x01"', "not JSON"),
        (b"\xef\xbb\xbf{}", "BOM|not JSON|bom"),
        (b"\xff", "not UTF-8 at byte 0"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 1}', "duplicate key 'a'"),
        (b'[{"x": {"b": 1, "b": 2}}]', "duplicate key 'b'"),
        (b'{"a": 1, "\\u0061": 1}', "duplicate key 'a'"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "too large"),
        (b"[-1e999]", "too large"),
        (b"1" + b"0" * MAX_DIGITS, f"more than {MAX_DIGITS} digits"),
        (b"1" * 100_000, "digits"),
        (b'"\\ud800"', "unpaired surrogate"),
        (b'{"\\udfff": 1}', "unpaired surrogate"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH}"),
        (b'{"a":' * 100_000, "too deeply"),
    ],
)
def test_what_readers_could_disagree_about_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        loads(data)
    assert caught.value.at == "here"


def test_getters_give_values_of_their_type() -> None:
    found = fields(s="x", i=1, b=True, o={"k": "v"}, a=["x", "y"])
    assert (found.get("s", str), found.require("i", int), found.get("b", bool)) == ("x", 1, True)
    assert (found.strings("a"), found.string_map("o")) == (("x", "y"), {"k": "v"})
    nested = found.object("o")
    assert nested is not None
    assert nested.at == "top.o"


def test_absent_fields_are_none() -> None:
    found = fields()
    every = (found.get("x", str), found.strings("x"), found.string_map("x"), found.object("x"))
    assert every == (None, None, None, None)


def test_null_is_not_absent() -> None:
    with pytest.raises(PolicyError, match="expected a string"):
        fields(x=None).get("x", str)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (True, int, "expected an integer"),
        (1.0, int, "expected an integer"),
        (1, bool, "expected true or false"),
        (1, str, "expected a string"),
        ([], dict, "expected an object"),
        ({}, list, "expected an array"),
    ],
)
def test_a_wrong_type_is_refused_at_its_place(value: object, kind: type[object], words: str) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        fields(x=value).require("x", kind)
    assert caught.value.at == "top.x"


def test_a_required_field_must_be_there() -> None:
    with pytest.raises(PolicyError, match="a string is missing") as caught:
        fields().require("x", str)
    assert caught.value.at == "top.x"


def test_items_are_named_by_their_position() -> None:
    with pytest.raises(PolicyError) as caught:
        fields(a=["x", 1]).strings("a")
    assert caught.value.at == "top.a[1]"
    with pytest.raises(PolicyError) as caught:
        fields(o={"k": 1}).string_map("o")
    assert caught.value.at == "top.o['k']"
    with pytest.raises(PolicyError) as caught:
        list(fields(a=[{}, 1]).objects("a"))
    assert caught.value.at == "top.a[1]"


def test_objects_know_their_place() -> None:
    assert [item.at for item in fields(a=[{}, {}]).objects("a")] == ["top.a[0]", "top.a[1]"]


def test_the_whole_must_be_an_object() -> None:
    with pytest.raises(PolicyError, match="expected an object"):
        Fields.of([], "top", PolicyError)


def test_unknown_fields_are_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(PolicyError, match="unknown field 'verifyTimestmp'") as caught:
        fields(verifyTimestmp=1).only("verifyTimestamp", "level")
    assert caught.value.hint == "did you mean 'verifyTimestamp'?"
    with pytest.raises(PolicyError) as caught:
        fields(zzz=1).only("level", "override")
    assert caught.value.hint == "known fields: level, override"
    fields(level=1).only("level")


def test_a_duplicate_key_among_very_many_is_found_without_comparing_all_with_all() -> None:
    keys = ",".join(f'"{number}":0' for number in range(200_000))
    with pytest.raises(PolicyError, match="duplicate key '199999'"):
        loads(f'{{{keys},"199999":1}}'.encode())


def test_keys_are_quoted_up_to_a_length() -> None:
    name = "n" * 1_000_000
    with pytest.raises(PolicyError) as duplicate:
        loads(f'{{"{name}":0,"{name}":1}}'.encode())
    with pytest.raises(PolicyError) as unknown:
        fields(**{name: 1}).only("name")
    with pytest.raises(PolicyError) as mistyped:
        fields(labels={name: 1}).string_map("labels")
    assert all(len(str(found.value)) < 200 for found in (duplicate, unknown, mistyped))
