"""The file that `docker buildx build --metadata-file` (or `bake`) writes: what was built and pushed.

Signing from it signs the bytes that the build produced, not what a tag points at by now.
"""

from __future__ import annotations

from typing import NamedTuple

from nv2 import strict_json
from nv2.errors import UsageError
from nv2.oci.digest import Digest, parse_digest
from nv2.oci.reference import AnyReference, Reference, parse_registry
from nv2.strict_json import Fields

MAX_FILE = 16 * 1024 * 1024
"""Bytes: build provenance in it can be large."""

_DIGEST = "containerimage.digest"
_NAMES = "image.name"


class Built(NamedTuple):
    """One image that was built: the names it was pushed under, and its digest."""

    names: tuple[Reference, ...]
    digest: Digest


def parse_build_metadata(data: bytes, at: str) -> tuple[Built, ...]:
    """The images of a metadata file: one of `build`, one a target of `bake`. Raises `UsageError`."""
    fields = Fields.of(strict_json.loads(data, UsageError, at=at), "", UsageError)
    targets = [fields] if _DIGEST in fields.value else list(_targets(fields))
    if not targets:
        raise UsageError(
            f"no {_DIGEST!r} in it",
            at=at,
            hint="build with --push (or --output type=image) and --metadata-file",
        )
    return tuple(_built(target) for target in targets)


def _targets(fields: Fields) -> list[Fields]:
    objects = [
        Fields(value, key, UsageError) for key, value in fields.value.items() if isinstance(value, dict)
    ]
    return [item for item in objects if _DIGEST in item.value]


def _built(fields: Fields) -> Built:
    names = fields.get(_NAMES, str) or ""
    digest = parse_digest(fields.require(_DIGEST, str), at=fields.place(_DIGEST))
    return Built(tuple(parse_registry(name.strip()) for name in names.split(",") if name.strip()), digest)


def references_built(
    built: tuple[Built, ...], wanted: tuple[AnyReference, ...], at: str
) -> tuple[Reference, ...]:
    """By digest: the references that were asked for, or every repository in the file if none was.

    Raises `UsageError` if a reference cannot be told from the file, or contradicts it.
    """
    if not wanted:
        found = dict.fromkeys(name.with_digest(item.digest) for item in built for name in item.names)
        if not found:
            raise UsageError(
                "no image names in it", at=at, hint="name the image: nv2 sign --metadata-file FILE REF"
            )
        return tuple(found)
    return tuple(_digest_for(built, reference, at) for reference in wanted)


def _digest_for(built: tuple[Built, ...], reference: AnyReference, at: str) -> Reference:
    if not isinstance(reference, Reference):
        raise UsageError("--metadata-file goes with images in a registry", at=str(reference))
    of_name = [item for item in built if any(_is_of(name, reference) for name in item.names)]
    candidates = {item.digest for item in of_name or (built if len(built) == 1 else ())}
    if len(candidates) != 1:
        raise UsageError(f"does not say which digest {reference} has", at=at)
    digest = candidates.pop()
    if reference.digest not in (None, digest):
        raise UsageError(f"says {digest}, not {reference.digest}", at=at)
    return reference.with_digest(digest)


def _is_of(name: Reference, reference: Reference) -> bool:
    return name.name == reference.name and reference.tag in (None, name.tag)
