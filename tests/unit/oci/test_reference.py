from __future__ import annotations

import pytest

from nv2.errors import InvalidReference
from nv2.oci import reference
from nv2.oci.digest import digest_of
from nv2.oci.reference import LayoutReference, Reference, parse, parse_layout, parse_registry

DIGEST = digest_of(b"x")
SHA512 = digest_of(b"x", "sha512")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:5000/net-monitor:v1", Reference("localhost:5000", "net-monitor", "v1")),
        ("registry.wabbit-networks.io/net/monitor", Reference("registry.wabbit-networks.io", "net/monitor")),
        (f"r.io/a@{DIGEST}", Reference("r.io", "a", None, DIGEST)),
        (f"r.io/a@{SHA512}", Reference("r.io", "a", None, SHA512)),
        (f"r.io/a:t@{DIGEST}", Reference("r.io", "a", "t", DIGEST)),
        ("localhost/a", Reference("localhost", "a")),
        ("127.0.0.1:1/a", Reference("127.0.0.1:1", "a")),
        ("[::1]:5000/a:b", Reference("[::1]:5000", "a", "b")),
        ("R.io/a", Reference("R.io", "a")),
        ("r.io/a__b/c.d/e---f:" + "x" * 128, Reference("r.io", "a__b/c.d/e---f", "x" * 128)),
        ("layout:5000/a:b", Reference("layout:5000", "a", "b")),
        ("docker:5000/a", Reference("docker:5000", "a")),
    ],
)
def test_references_to_registries_are_read(text: str, expected: Reference) -> None:
    assert parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a",
        "a:b",
        "library/alpine",
        "r.io/",
        "r.io/A",
        "r.io/a/",
        "r.io//a",
        "r.io/a..b",
        "r.io/a___b",
        "r.io/-a",
        "r.io/a-",
        "r.io/a:",
        "r.io/a:.b",
        "r.io/a:-b",
        "r.io/a:b:c",
        "r.io/a:" + "x" * 129,
        "r.io/a:b\n",
        "r.io/a@",
        "r.io/a@sha256:00",
        f"r.io/a@{DIGEST.upper()}",
        f"r.io/a@{DIGEST}@{DIGEST}",
        "r.io:/a",
        "r.io:123456/a",
        "r.io:65536/a",
        "-r.io/a",
        "r_.io/a",
        "https://r.io/a",
        "user@r.io/a",
        "user:password@r.io/a:b",
        "[fe80::1%eth0]:5000/a",
        "[fe80::1%25eth0]/a",
        "[::g]/a",
        "r.io/\u0430",
        "r.io/" + "a" * 251,
        "r.io/a b",
    ],
)
def test_other_text_is_refused_with_the_text_as_place(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("team/app:1", "docker.io/team/app:1"),
        ("r.io/App", "lower case: app"),
        ("r.io/a:b:c", reference.EXPECTED),
        ("https://r.io/app:v1", "write r.io/app:v1"),
        ("./image:v1", "layout:./image:v1"),
        ("../image:v1", "layout:../image:v1"),
        ("/srv/image@sha256:" + "0" * 64, "layout:/srv/image@sha256:" + "0" * 64),
        ("~/image:v1", "layout:~/image:v1"),
    ],
)
def test_the_hint_says_what_was_probably_meant(text: str, hint: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert hint in str(caught.value.hint)


def test_long_runs_of_dashes_are_read_at_once() -> None:
    with pytest.raises(InvalidReference):
        parse("r.io/a" + "-" * 200 + "_")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layout:dir", LayoutReference("dir")),
        ("layout:./a/b:v1", LayoutReference("./a/b", "v1")),
        ("layout:/abs/dir", LayoutReference("/abs/dir")),
        (f"layout:dir@{DIGEST}", LayoutReference("dir", None, DIGEST)),
        ("layout:a@b", LayoutReference("a@b")),
        ("layout:a:b/c", LayoutReference("a:b/c")),
        ("layout:C:\\dir:v1", LayoutReference("C:\\dir", "v1")),
    ],
)
def test_references_to_layouts_are_read(text: str, expected: LayoutReference) -> None:
    assert parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["layout:", "layout::v1", "layout:dir:", f"layout:@{DIGEST}", "layout:a@sha256:0", "layout:\0"]
)
def test_other_layouts_are_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse(text)


def test_the_local_engine_is_named_but_not_there_yet() -> None:
    with pytest.raises(InvalidReference, match="not supported yet"):
        parse("docker:alpine")


def test_the_digest_is_wanted_before_the_tag() -> None:
    assert parse_registry(f"r.io/a:t@{DIGEST}").wanted == DIGEST
    assert parse_registry("r.io/a:t").wanted == "t"
    assert parse_registry("r.io/a").wanted is None
    assert parse_layout("dir:t").wanted == "t"


def test_with_a_digest_the_tag_is_gone() -> None:
    assert str(parse_registry("r.io/a:t").with_digest(DIGEST)) == f"r.io/a@{DIGEST}"
    assert str(parse_layout("dir:t").with_digest(DIGEST)) == f"layout:dir@{DIGEST}"


def test_the_name_is_what_scopes_match() -> None:
    assert parse_registry("r.io/a/b:t").name == "r.io/a/b"
    assert parse_layout("dir:t").name == "dir"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.io/a", True),
        ("local/layout", True),
        ("localhost:5000/a/b", True),
        ("r.io", False),
        ("r.io/", False),
        ("r.io/a:t", False),
        ("r.io/*", False),
        ("*", False),
        ("r.io/A", False),
        ("https://r.io/a", False),
    ],
)
def test_a_scope_is_a_registry_and_a_repository(text: str, expected: bool) -> None:
    assert reference.is_repository(text) is expected


def test_parts_are_checked_alone() -> None:
    assert reference.is_tag("v1.0_a-b")
    assert not reference.is_tag("v 1")
    assert reference.is_repository_path("a/b")
    assert not reference.is_repository_path("../a")
    assert reference.is_registry("localhost:5000")
    assert not reference.is_registry("localhost:5000/a")
