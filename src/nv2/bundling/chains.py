"""The chains of signatures that are carried: of who signed, and of the timestamping authority.

What this module does not do: judge a signature, or believe its anchor. What cannot be read is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nv2.errors import ArtifactError
from nv2.pki.certificate import Certificate
from nv2.pki.chain import Chain
from nv2.plain_text import one_line
from nv2.trust.validations import Proven, prove_self


class FoundChains(NamedTuple):
    """Different chains, and why some could not be had, a line each."""

    chains: tuple[Chain, ...]
    problems: tuple[str, ...]


def chains_of(envelopes: Iterable[tuple[str, bytes]], roots: Sequence[Certificate]) -> FoundChains:
    """The chains of `envelopes` (media type, bytes). Timestamps bring no root: theirs must be among `roots`."""
    chains: dict[Chain, None] = {}
    problems: dict[str, None] = {}
    for media_type, data in envelopes:
        try:
            proven = prove_self(media_type, data)
            chains[proven.chain] = None
            if proven.content.envelope.unsigned.timestamp is not None:
                chains[_of_timestamp(proven, roots)] = None
        except ArtifactError as e:
            problems[one_line(str(e))] = None
    return FoundChains(tuple(chains), tuple(problems))


def _of_timestamp(proven: Proven, roots: Sequence[Certificate]) -> Chain:
    from nv2.pki.timestamp import parse_token  # few signatures have one
    from nv2.pki.timestamp_chain import timestamp_chain

    envelope = proven.content.envelope
    opened = parse_token(envelope.unsigned.timestamp or b"").open()
    opened.info.check_imprint(envelope.signature)
    return timestamp_chain(opened, roots)
