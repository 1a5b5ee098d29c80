"""Signatures in files of the user's: where notation puts that of a blob, and which envelope a file holds.

Of a blob's signature the name of the file says the format, as in notation; of one that 'nv2 sign --descriptor' made, its
first byte does. What this module does not do: open the envelope, or write files.
"""

from __future__ import annotations

from pathlib import Path

from nv2.blob_verification import DetachedSignature
from nv2.envelope.envelope import Envelope
from nv2.envelope.formats import MAX_ENVELOPE, parse
from nv2.errors import MalformedEnvelope, UsageError
from nv2.files import read_file
from nv2.oci import media_types as mt

_AN_ENVELOPE = (
    "a signature envelope is JWS or COSE, such as 'nv2 sign --descriptor' and 'nv2 blob sign' write"
)


def signature_path(blob: str | Path, media_type: str, directory: str | Path | None = None) -> Path:
    """Where notation keeps the signature of `blob`: `<name>.<jws|cose>.sig`, beside it or in `directory`."""
    word = next(word for word, known in mt.ENVELOPES.items() if known == media_type)
    where = Path(blob).parent if directory is None else Path(directory)
    return where / f"{Path(blob).name}.{word}.sig"


def format_of(path: str | Path) -> str:
    """The media type of the envelope in a file that is called `path`. Raises `UsageError`, with notation's words."""
    name = Path(path).name
    *front, word, ending = ("", *name.split("."))
    if ending.lower() != "sig":
        raise UsageError(f"invalid signature filename {name}. The file extension must be .sig")
    if len(front) < 2:
        raise UsageError(
            f"invalid signature filename {name}. "
            "A valid signature file name must contain signature format and .sig file extension",
            hint="call it <blob>.jws.sig or <blob>.cose.sig",
        )
    if word.lower() not in mt.ENVELOPES:
        raise UsageError(
            f'signature format "{word.lower()}" not supported',
            hint='supported signature envelope formats are "jws" and "cose"',
        )
    return mt.ENVELOPES[word.lower()]


def read_signature(path: str | Path) -> DetachedSignature:
    """The signature in a file; its name says the format. Raises `UsageError`, `EnvironmentFailure`."""
    media_type = format_of(path)
    return DetachedSignature(read_file(Path(path), MAX_ENVELOPE, "a signature"), media_type)


def read_envelope(path: Path) -> Envelope:
    """The signature envelope in a file. Raises `MalformedEnvelope`, `EnvironmentFailure`."""
    return parse_envelope(read_file(path, MAX_ENVELOPE, "a signature envelope"), str(path))


def parse_envelope(data: bytes, at: str) -> Envelope:
    """The signature envelope `data`, whose format its first byte tells, from the place `at`. Raises `MalformedEnvelope`."""
    media_type = mt.JWS if data.lstrip()[:1] == b"{" else mt.COSE
    try:
        return parse(media_type, data)
    except MalformedEnvelope as e:
        place = f"{at}: {e.at}" if e.at else at
        raise MalformedEnvelope(e.message, at=place, hint=e.hint or _AN_ENVELOPE) from None
