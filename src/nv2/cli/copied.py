"""What `copy` says of what it copied: text or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nv2.notary.copying import Copied

SHOWN = 20
"""Digests that a line about what was left names: every signature of what people sign, no flood of a repository's."""


def lines(
    copied: Copied, *, rehearsed: bool, signatures_only: bool = False, signs: bool = False
) -> Iterator[str]:
    """What was copied, how much of it, and what was left and why; what was signed on arrival, if that was asked for."""
    result = copied.result
    verb = "Would copy" if rehearsed else "Copied"
    what = f"the signatures of {copied.source.shown}" if signatures_only else copied.source.shown
    yield f"{verb} {what} to {copied.destination}"
    counts = (
        ("to copy" if rehearsed else "copied", result.copied),
        ("to mount" if rehearsed else "mounted", result.mounted),
        ("there already", result.skipped),
        ("left out", result.left),
    )
    said = ", ".join(f"{len(found)} {word}" for word, found in counts if found)
    yield f"{said}; {result.bytes_sent} bytes to send" if rehearsed else said
    reasons: dict[str, list[str]] = {}
    for item in result.left:
        reasons.setdefault(item.reason, []).append(item.descriptor.digest)
    for reason, digests in reasons.items():
        more = f" and {len(digests) - SHOWN} more" if len(digests) > SHOWN else ""
        yield f"Left out: {', '.join(digests[:SHOWN])}{more}: {reason}"
    arrived = f"{copied.destination.name}@{result.root.digest}"
    if copied.signature is not None:
        yield f"Signed {arrived} on arrival"
        yield f"Pushed the signature to {copied.destination.name}@{copied.signature.digest}"
    elif signs and rehearsed:
        yield f"Would sign {arrived} on arrival, unless that certificate has signed it there"
    elif signs:
        yield f"That certificate has signed {arrived} already"


def document(copied: Copied) -> dict[str, Any]:
    """One result of `nv2 copy --output json`."""
    result = copied.result
    return {
        "source": copied.source.shown,
        "destination": str(copied.destination),
        "artifact": result.root.to_json(),
        "copied": [item.to_json() for item in result.copied],
        "mounted": [item.to_json() for item in result.mounted],
        "skipped": [item.to_json() for item in result.skipped],
        "left": [item.descriptor.to_json() | {"reason": item.reason} for item in result.left],
        "signature": copied.signature.to_json() if copied.signature else None,
        "problems": list(result.problems),
    }
