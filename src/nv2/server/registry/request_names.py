"""Names in requests, checked before anything is done with them (distribution-spec, "Pulling manifests")."""

from __future__ import annotations

from typing import NamedTuple

from nv2.errors import ContentMismatch, InvalidReference
from nv2.oci.digest import Digest, hasher, parse_digest
from nv2.oci.reference import is_repository_path, is_tag
from nv2.server.messages import Call
from nv2.server.registry.errors import Refusal


class Target(NamedTuple):
    """What the path of a request names: a repository, and a digest, tag or upload in it."""

    repository: str = ""
    name: str = ""


def check_repository(name: str) -> str:
    """`name`, if it is one for a repository. Raises `Refusal`."""
    if not is_repository_path(name):
        raise Refusal(400, "NAME_INVALID", "not the name of a repository")
    return name


def digest_in(text: str) -> Digest:
    """`text` as a digest. Raises `Refusal`."""
    try:
        return parse_digest(text)
    except InvalidReference as e:
        raise Refusal(400, "DIGEST_INVALID", e.message) from None


def computable(digest: Digest) -> Digest:
    """`digest`, if it is of an algorithm whose content can be checked, hence stored. Raises `Refusal`."""
    try:
        hasher(digest)
    except ContentMismatch as e:
        raise Refusal(400, "DIGEST_INVALID", e.message) from None
    return digest


def known_name(text: str) -> str:
    """`text`, if a manifest may have it as its tag or digest. Raises `Refusal`, as if it were unknown."""
    if ":" in text:
        return digest_in(text)
    if not is_tag(text):
        raise Refusal(404, "MANIFEST_UNKNOWN", "not a tag")
    return text


def new_tags(call: Call, name: str) -> tuple[str, ...]:
    """The tags that a manifest is pushed with: `name`, or those of the `tag` parameters beside a digest.

    Raises `Refusal` for what is not a tag.
    """
    tags = call.query.get("tag", ()) if ":" in name else (name,)
    for tag in tags:
        if not is_tag(tag):
            raise Refusal(400, "MANIFEST_INVALID", f"{tag[:128]!r} is not a tag")
    return tags
