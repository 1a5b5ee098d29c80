"""Digests (image-spec, "Digests"): parsing, computing, and checking bytes against them."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from nv2.errors import ContentMismatch, InvalidReference

Digest = NewType("Digest", str)
"""A digest whose grammar was checked: `algorithm:encoded`."""

_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+", re.ASCII)
_HEX_LENGTH = {"sha256": 64, "sha512": 128}
"""The registered algorithms that nv2 can compute."""

MAX_LENGTH = 255


def parse_digest(text: str, at: str | None = None) -> Digest:
    """Check the grammar of `text`. A registered algorithm must have its exact length in lower hex.

    Raises `InvalidReference`.
    """
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTH.get(algorithm)
    if len(text) > MAX_LENGTH or not _GRAMMAR.fullmatch(text):
        raise InvalidReference(f"{text[:MAX_LENGTH]!r} is not a digest", at=at)
    if length and (len(encoded) != length or encoded.strip("0123456789abcdef")):
        raise InvalidReference(
            f"{text!r} is not {length} lower-case hexadecimal digits of {algorithm}", at=at
        )
    return Digest(text)


def algorithm_of(digest: Digest) -> str:
    """The part before the colon."""
    return digest.partition(":")[0]


def is_computable(digest: Digest) -> bool:
    """Whether nv2 can compute digests of this algorithm."""
    return algorithm_of(digest) in _HEX_LENGTH


def hasher(digest: Digest) -> hashlib._Hash:
    """A new hash object of the digest's algorithm. Raises `ContentMismatch` if nv2 cannot compute it."""
    algorithm = algorithm_of(digest)
    if not is_computable(digest):
        raise ContentMismatch(f"cannot check digests of algorithm {algorithm!r}", at=digest)
    return hashlib.new(algorithm)


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of `data`."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")


def check_digest(data: bytes, digest: Digest) -> None:
    """Raise `ContentMismatch` unless `data` has `digest`."""
    hashed = hasher(digest)
    hashed.update(data)
    if hashed.hexdigest() != digest.partition(":")[2]:
        raise ContentMismatch(
            f"the content has digest {algorithm_of(digest)}:{hashed.hexdigest()}", at=digest
        )


def fallback_tag(digest: Digest) -> str:
    """The tag that lists the referrers of `digest` where the API is missing (distribution-spec, "Referrers Tag Schema")."""
    algorithm, _, encoded = digest.partition(":")
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{algorithm[:32]}-{encoded[:64]}")


ATTACHMENTS = ("sig", "att", "sbom")
"""What cosign attaches under tags that end so."""

_ABOUT_A_DIGEST = re.compile(rf"sha(256|512)-[0-9a-f]{{64}}(\.({'|'.join(ATTACHMENTS)}))?", re.ASCII)


def attachment_tags(digest: Digest) -> tuple[str, ...]:
    """The tags under which cosign attaches to `digest`: `sha256-….sig` and others."""
    return tuple(f"{fallback_tag(digest)}.{kind}" for kind in ATTACHMENTS)


def is_fallback_tag(tag: str) -> bool:
    """Whether `tag` is where clients look for a list of referrers, and no name that somebody gave."""
    return is_about_a_digest(tag) and "." not in tag


def is_about_a_digest(tag: str) -> bool:
    """Whether `tag` is no name that somebody gave, but a list of referrers or cosign's."""
    return _ABOUT_A_DIGEST.fullmatch(tag) is not None
