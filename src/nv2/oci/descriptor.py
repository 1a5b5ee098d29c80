"""Descriptors (image-spec, "OCI Content Descriptors"): what a piece of content is, by digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nv2.errors import ContentMismatch, InvalidReference, MalformedManifest
from nv2.oci.digest import Digest, check_digest, digest_of, parse_digest
from nv2.strict_json import ErrorType, Fields

NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})


class Descriptor(NamedTuple):
    """Media type, digest and size in bytes; a resolved artifact is one, and only its digest counts."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = NO_ANNOTATIONS

    def __reduce__(self) -> tuple[Callable[..., Descriptor], tuple[object, ...]]:
        # A read-only view cannot be pickled, and verdicts cross the borders of processes.
        return _restored, (*self[:4], dict(self.annotations))

    def same_content(self, other: Descriptor) -> bool:
        """Whether media type, digest and size agree (signature-specification, "Payload")."""
        return self[:3] == other[:3]

    def check(self, data: bytes) -> None:
        """Raise `ContentMismatch` unless `data` has this size and digest."""
        if len(data) != self.size:
            raise ContentMismatch(f"the content has {len(data)} bytes instead of {self.size}", at=self.digest)
        check_digest(data, self.digest)

    def to_json(self) -> dict[str, Any]:
        """The JSON object, in the field order of the specification."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        if self.artifact_type is not None:
            found["artifactType"] = self.artifact_type
        return found


def _restored(
    media_type: str, digest: Digest, size: int, artifact_type: str | None, annotations: dict[str, str]
) -> Descriptor:
    return Descriptor(media_type, digest, size, artifact_type, annotations or NO_ANNOTATIONS)


def describe(data: bytes, media_type: str, **more: Any) -> Descriptor:
    """The descriptor of `data`; `more` are further fields of `Descriptor`."""
    return Descriptor(media_type, digest_of(data), len(data), **more)


def parse_descriptor(fields: Fields) -> Descriptor:
    """Read a descriptor; unknown fields are ignored, as the specification says."""
    size = fields.require("size", int)
    if size < 0:
        raise fields.error("a size cannot be negative", at=fields.place("size"))
    return Descriptor(
        fields.require("mediaType", str),
        _digest(fields.require("digest", str), fields.place("digest"), fields.error),
        size,
        fields.get("artifactType", str),
        fields.string_map("annotations") or NO_ANNOTATIONS,
    )


def _digest(text: str, at: str, error: ErrorType = MalformedManifest) -> Digest:
    try:
        return parse_digest(text)
    except InvalidReference as e:
        raise error(e.message, at=at) from None
