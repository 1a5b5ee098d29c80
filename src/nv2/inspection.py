"""Inspection: what signatures say about themselves. Nothing is verified and nothing is trusted.

The structure of envelope and chain is checked (a broken one is reported, not shown); signature, trust
stores and policy are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from nv2.content.interface import Source
from nv2.discovery import Discovery
from nv2.envelope.formats import Envelope, parse
from nv2.errors import ArtifactError
from nv2.oci.descriptor import Descriptor
from nv2.opening import FoundSignature, open_signatures
from nv2.pki.chain import Chain, parse_chain
from nv2.plain_text import one_line

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.pki.timestamp import TstInfo


class Inspected(NamedTuple):
    """One signature, as it describes itself."""

    manifest: Descriptor
    envelope: Envelope
    chain: Chain
    target: Descriptor
    """The artifact that the payload names; user metadata are its annotations."""


class Unreadable(NamedTuple):
    """A signature that could not be shown, and why."""

    manifest: Descriptor
    reason: str


class ShownTimestamp(NamedTuple):
    """What a timestamp token says. Nothing is proven but that it speaks of this signature."""

    info: TstInfo
    certificates: tuple[Certificate, ...]
    """In the order of the token."""


def shown_timestamp(envelope: Envelope) -> ShownTimestamp:
    """The timestamp of `envelope`, which has one. Raises `InvalidTimestamp`."""
    from nv2.pki.timestamp import parse_token  # few signatures have one

    token = parse_token(envelope.unsigned.timestamp or b"")
    info = token.claimed()
    info.check_imprint(envelope.signature)
    return ShownTimestamp(info, token.certificates)


def inspect(
    source: Source, subject: Descriptor, found: Discovery, limit: int
) -> Iterator[Inspected | Unreadable]:
    """Open the first `limit` signatures of `subject`, in order."""
    for opened in open_signatures(source, subject, found.signatures[:limit], found.manifests):
        if isinstance(opened, FoundSignature):
            yield _inspected(opened)
        else:
            yield Unreadable(opened.manifest, opened.reason)


def inspect_envelope(data: bytes, media_type: str, manifest: Descriptor) -> Inspected:
    """What one signature says, which `manifest` stands for. Raises `ArtifactError`."""
    envelope = parse(media_type, data)
    chain = parse_chain(envelope.unsigned.certificates)
    return Inspected(manifest, envelope, chain, envelope.claimed)


def _inspected(found: FoundSignature) -> Inspected | Unreadable:
    try:
        return inspect_envelope(found.data, found.envelope.media_type, found.manifest)
    except ArtifactError as e:
        return Unreadable(found.manifest, one_line(str(e)))
