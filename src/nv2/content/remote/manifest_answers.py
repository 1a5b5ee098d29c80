"""A manifest as a registry answers it: is it one, has it the digest that was asked for?"""

from __future__ import annotations

from nv2.errors import BadAnswer, ContentMismatch, InvalidReference
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, algorithm_of, check_digest, digest_of, is_computable, parse_digest
from nv2.oci.manifest import read_manifest
from nv2.plain_text import quoted
from nv2.transport.interface import Response


def describe_answer(response: Response, data: bytes, asked: Digest | None, at: str) -> Descriptor:
    """The descriptor of `data`, which came for the digest `asked`, or for a tag if that is None.

    Raises `ContentMismatch` if the bytes have neither that digest nor the one of the header,
    `BadAnswer` if this is no manifest, `MalformedManifest` if it can be read in two ways.
    """
    said = _header_digest(response, at)
    for digest in (asked, said):
        if digest:
            check_digest(data, digest)
    media_type = response.content_type
    if media_type not in mt.MANIFESTS:
        raise BadAnswer(f"the answer is {media_type or 'of no type'}, not a manifest", at=at)
    read_manifest(data, media_type, at)
    return Descriptor(media_type, asked or said or digest_of(data), len(data))


def _header_digest(response: Response, at: str) -> Digest | None:
    """Docker-Content-Digest (distribution-spec, "Pulling manifests"), if nv2 can compute its algorithm."""
    text = response.headers.get("docker-content-digest", "").strip()
    if not text:
        return None
    try:
        digest = parse_digest(text)
    except InvalidReference:
        raise BadAnswer(f"says that the digest is {quoted(text)}", at=at) from None
    return digest if is_computable(digest) else None


def check_pushed(response: Response, descriptor: Descriptor, at: str) -> bool:
    """Whether the registry says that it stored a manifest under its digest.

    Raises `ContentMismatch` if it says that it is another one of the same algorithm.
    """
    said = _header_digest(response, at)
    if said and algorithm_of(said) == algorithm_of(descriptor.digest) and said != descriptor.digest:
        raise ContentMismatch(f"the registry stored it as {said}", at=descriptor.digest)
    return said == descriptor.digest
