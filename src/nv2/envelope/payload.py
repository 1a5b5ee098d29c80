"""The payload: `{"targetArtifact": descriptor}` (signature-specification, "Payload").

User metadata are the annotations of the signed descriptor.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any

from nv2 import strict_json
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.plain_text import quoted
from nv2.strict_json import Fields

MAX_SIZE = 2**63 - 1
"""Bytes of an artifact, as a descriptor can say: what Go's int64 holds."""

_FIELDS = ("mediaType", "digest", "size", "annotations", "artifactType", "urls", "data", "platform")
_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")


def build_payload(target: Descriptor, user_metadata: Mapping[str, str]) -> bytes:
    """The payload that signs `target`: media type, digest, size, and annotations with `user_metadata`.

    Raises `UsageError` for metadata with the reserved prefix, or with a key that `target` annotates already.
    """
    for key in user_metadata:
        if key.startswith(mt.RESERVED_PREFIX):
            raise UsageError(f"metadata key {key!r} has the reserved prefix {mt.RESERVED_PREFIX}")
        if key in target.annotations:
            raise UsageError(f"metadata key {key!r} is already an annotation of the artifact")
    signed = Descriptor(
        target.media_type, target.digest, target.size, None, {**target.annotations, **user_metadata}
    )
    return canonical({"targetArtifact": signed.to_json()})


def canonical(value: Any) -> bytes:
    """Compact JSON with sorted keys, as Go writes a map. Raises `UsageError` for what JSON cannot hold."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("text that is to be signed must be valid Unicode") from None
    except (TypeError, ValueError) as e:
        raise UsageError(f"this cannot be signed: {e}") from None


def read_payload(content_type: str, data: bytes) -> Descriptor:
    """The target of a payload that the envelope says is of `content_type`. Raises `MalformedEnvelope`."""
    if content_type != mt.PAYLOAD:
        raise MalformedEnvelope(f"the payload is of type {quoted(content_type)}")
    return parse_payload(data)


def parse_payload(data: bytes) -> Descriptor:
    """The target of a payload: media type, digest, size and annotations; other fields are ignored.

    Raises `MalformedEnvelope`. Two spellings of one field are refused: readers that ignore case, such
    as Go's, would take the other one.
    """
    document = Fields.of(
        strict_json.loads(data, MalformedEnvelope, at="payload"), "payload", MalformedEnvelope
    )
    refuse_other_spellings(document, ("targetArtifact",))
    artifact = document.object("targetArtifact")
    if artifact is None:
        raise MalformedEnvelope("an object is missing", at="payload.targetArtifact")
    refuse_other_spellings(artifact, _FIELDS)
    _check_unused(artifact)
    target = parse_descriptor(artifact)
    if target.size > MAX_SIZE:
        raise MalformedEnvelope("a size of more than 63 bits", at="payload.targetArtifact.size")
    return target._replace(artifact_type=None)


def check_kept(data: bytes, asked: bytes) -> None:
    """Raise `MalformedEnvelope` unless the payload `data` says what `asked` says: annotations may be added, nothing else.

    For envelopes that a plugin made (plugin-extensibility, "Signing workflow using plugin").
    """
    if data == asked:
        return
    signed, wanted = parse_payload(data), parse_payload(asked)
    if not signed.same_content(wanted):
        raise MalformedEnvelope(f"it signs another artifact: {quoted(signed.digest)}")
    for key, value in wanted.annotations.items():
        if signed.annotations.get(key) != value:
            raise MalformedEnvelope(f"the annotation {quoted(key)} was changed")
    document = Fields.of(strict_json.loads(data, MalformedEnvelope), "payload", MalformedEnvelope)
    document.only("targetArtifact")
    (document.object("targetArtifact") or document).only(*_FIELDS)


def _check_unused(artifact: Fields) -> None:
    """Raise unless the fields of a descriptor that nothing here uses are what OCI says: others refuse them too."""
    artifact.strings("urls")
    try:
        b64decode(artifact.get("data", str) or "", validate=True)
    except ValueError:
        raise MalformedEnvelope("is not base64", at=artifact.place("data")) from None
    platform = artifact.object("platform")
    if platform is not None:
        refuse_other_spellings(platform, _PLATFORM)
        for name in _PLATFORM:
            platform.strings(name) if name == "os.features" else platform.get(name, str)


def refuse_other_spellings(fields: Fields, known: tuple[str, ...]) -> None:
    """Raise `fields.error` for a key that differs from a `known` one in case alone."""
    for key in fields.value:
        if key not in known and (name := _folded(known).get(key.casefold())):
            raise fields.error(f"the field {name!r} is spelled {key!r}", at=fields.at or None)


@cache
def _folded(known: tuple[str, ...]) -> dict[str, str]:
    return {name.casefold(): name for name in known}
