from __future__ import annotations

import hashlib

import pytest

from nv2.errors import ContentMismatch, InvalidReference
from nv2.oci.digest import Digest, algorithm_of, check_digest, digest_of, hasher, parse_digest


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_digest_is_the_hash_of_the_bytes(algorithm: str) -> None:
    digest = digest_of(b"x", algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, b'x').hexdigest()}"
    assert parse_digest(digest) == digest
    assert algorithm_of(digest) == algorithm
    check_digest(b"x", digest)


def test_other_bytes_have_another_digest() -> None:
    with pytest.raises(ContentMismatch, match="the content has digest sha256:") as caught:
        check_digest(b"y", digest_of(b"x"))
    assert caught.value.at == digest_of(b"x")


@pytest.mark.parametrize(
    "text", ["blake3:abc", "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "multihash+base58:QmR"]
)
def test_other_algorithms_are_read_but_not_computed(text: str) -> None:
    digest = parse_digest(text)
    with pytest.raises(ContentMismatch, match="cannot check"):
        hasher(digest)
    with pytest.raises(ContentMismatch, match="cannot check"):
        check_digest(b"", digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        ":abc",
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha512:" + "0" * 64,
        "SHA256:" + "0" * 64,
        "sha256:" + "0" * 64 + "\n",
        "sha256:" + "\u0660" * 64,
        "sha-:0",
        "x:" + "0" * 300,
        "sha256:../../etc/passwd",
    ],
)
def test_other_text_is_no_digest(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_digest(text, at="place")
    assert caught.value.at == "place"
    assert len(caught.value.message) < 400


def test_md5_is_never_computed() -> None:
    with pytest.raises(ContentMismatch):
        hasher(Digest("md5:d41d8cd98f00b204e9800998ecf8427e"))
