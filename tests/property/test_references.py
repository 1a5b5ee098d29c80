"""Laws of references."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nv2.errors import InvalidReference
from nv2.oci.digest import Digest, digest_of
from nv2.oci.reference import AnyReference, LayoutReference, Reference, is_repository, parse

labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.just("localhost"),
    st.lists(labels, min_size=2, max_size=4).map(".".join),
    st.just("[::1]"),
)
registries = st.tuples(hosts, st.one_of(st.just(""), st.integers(0, 65535).map(":{}".format))).map("".join)
components = st.from_regex(r"[a-z0-9]{1,8}(([._]|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
repositories = st.lists(components, min_size=1, max_size=4).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
digests = st.builds(digest_of, st.binary(max_size=4), st.sampled_from(["sha256", "sha512"]))
references = st.builds(Reference, registries, repositories, st.none() | tags, st.none() | digests)
directories = st.from_regex(r"(\./|/|[a-z])[a-z0-9/._-]{0,20}", fullmatch=True)
layouts = st.builds(LayoutReference, directories, st.none() | tags, st.none()) | st.builds(
    LayoutReference, directories, st.none(), digests
)


@given(references)
def test_a_reference_is_read_as_it_was_written(reference: Reference) -> None:
    assert parse(str(reference)) == reference


@given(layouts)
def test_a_layout_is_read_as_it_was_written(layout: LayoutReference) -> None:
    assert parse(str(layout)) == layout


@given(references)
def test_the_name_of_a_reference_is_a_scope(reference: Reference) -> None:
    assert is_repository(reference.name)


@given(references, digests)
def test_with_a_digest_only_the_digest_is_wanted(reference: Reference, digest: Digest) -> None:
    assert reference.with_digest(digest).wanted == digest
    assert reference.with_digest(digest).name == reference.name


@given(st.text(alphabet=st.sampled_from("ab./:@-_[]A0 \\é\n"), max_size=30) | st.text(max_size=40))
def test_any_text_is_read_or_refused_and_reading_is_stable(text: str) -> None:
    found: AnyReference
    try:
        found = parse(text)
    except InvalidReference:
        return
    assert parse(str(found)) == found
