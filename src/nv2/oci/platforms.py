"""Platforms of the images of an index (image-spec, "Image Index", `platform`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from nv2 import strict_json
from nv2.errors import MalformedManifest, UsageError
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.strict_json import Fields

_PART = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_ABOUT = "vnd.docker.reference.digest"
"""Annotation of a child of an index that says something of another one: BuildKit's provenance and SBOMs."""

_WITHOUT_SAYING = {"arm64": "v8"}
"""The variant of an architecture that has one in practice, which some name and some do not."""


class Platform(NamedTuple):
    """`os/architecture[/variant]`, in Go's words: `linux/arm64`."""

    system: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in self if part)

    def fits(self, wanted: Platform) -> bool:
        """Whether this is what `wanted` asks for; without a variant it asks for any."""
        if self[:2] != wanted[:2]:
            return False
        implied = _WITHOUT_SAYING.get(self.architecture)
        return wanted.variant in (None, self.variant or implied)


def parse_platform(text: str) -> Platform:
    """Read `os/architecture[/variant]`. Raises `UsageError`."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(map(_PART.fullmatch, parts)):
        raise UsageError(
            f"invalid platform {text!r}", hint="expected <os>/<architecture>[/<variant>], such as linux/arm64"
        )
    return Platform(*parts)


def platforms_of(index: bytes, at: str) -> Iterator[tuple[Descriptor, Platform | None]]:
    """The children of an index, plain, and the platform that it gives to each. Raises `MalformedManifest`."""
    fields = Fields.of(strict_json.loads(index, MalformedManifest, at=at), at, MalformedManifest)
    for item in fields.objects("manifests"):
        yield Descriptor(*parse_descriptor(item)[:3]), _platform(item.object("platform"))


def attested_in(index: bytes, at: str) -> dict[str, str]:
    """By digest, the children of an index that only say something of another one, and of which. Raises `MalformedManifest`."""
    fields = Fields.of(strict_json.loads(index, MalformedManifest, at=at), at, MalformedManifest)
    found = (parse_descriptor(item) for item in fields.objects("manifests"))
    return {child.digest: child.annotations[_ABOUT] for child in found if _ABOUT in child.annotations}


def platform_of_config(config: bytes, at: str) -> Platform | None:
    """The platform that the config of an image names, if it does. Raises `MalformedManifest`."""
    return _platform(Fields.of(strict_json.loads(config, MalformedManifest, at=at), at, MalformedManifest))


def _platform(fields: Fields | None) -> Platform | None:
    if fields is None:
        return None
    system, architecture = fields.get("os", str), fields.get("architecture", str)
    return (
        Platform(system, architecture, fields.get("variant", str) or None)
        if system and architecture
        else None
    )
