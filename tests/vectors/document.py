"""The text of a vector: a header of `name: value` lines, an empty line, and a JSON object with the inputs."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.world.judged import SCOPE, Case

CASES = Path(__file__).parent / "cases"

TRUSTED, NOT_TRUSTED, UNDECIDED, REFUSED = "trusted", "not trusted", "undecided", "policy refused"
WORDS = {
    "trusted": TRUSTED,
    "notTrusted": NOT_TRUSTED,
    "undecided": UNDECIDED,
    "policyError": REFUSED,
    "notChecked": "not checked",
}
"""How a vector writes nv2's answer."""

_HEADER = ("expect", "validation", "comment", "notation", "difference", "time")


class Vector(NamedTuple):
    """One failure, or none."""

    expect: str
    validation: str
    """Which validation fails, or cannot be decided; empty if none."""
    comment: str
    notation: str
    """What notation 1.3.2 says: trusted or not trusted; empty while nobody has asked it."""
    difference: str
    """The row of docs/differences.md, if notation's yes or no is not ours."""
    time: datetime
    """When it is judged; any time until 2044 will do."""
    case: Case

    @property
    def differs(self) -> bool:
        """Whether only one of the two programs says yes."""
        return bool(self.notation) and (self.expect in (TRUSTED, "not checked")) != (self.notation == TRUSTED)


def write(vector: Vector) -> str:
    """The text of a vector."""
    values = (*vector[:5], vector.time.isoformat().replace("+00:00", "Z"))
    head = [f"{name}: {value}" for name, value in zip(_HEADER, values, strict=True) if value]
    case = vector.case
    body = {
        "mediaType": case.media_type,
        "envelope": b64encode(case.envelope).decode(),
        "target": describe(case.artifact, mt.IMAGE_MANIFEST).to_json(),
        "artifact": b64encode(case.artifact).decode(),
        "repository": SCOPE,
        "trustPolicy": case.policy,
        "trustStores": {
            name: [b64encode(der).decode() for der in ders] for name, ders in case.stores.items()
        },
    }
    return "\n".join(head) + "\n\n" + json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Vector:
    """The vector in a file."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    values = dict(line.split(": ", 1) for line in head.splitlines())
    assert set(values) <= set(_HEADER), path
    inputs = json.loads(body)
    stores = {name: tuple(b64decode(text) for text in texts) for name, texts in inputs["trustStores"].items()}
    case = Case(
        inputs["mediaType"],
        b64decode(inputs["envelope"]),
        b64decode(inputs["artifact"]),
        inputs["trustPolicy"],
        stores,
    )
    texts = [values.get(name, "") for name in _HEADER[:5]]
    return Vector(*texts, datetime.fromisoformat(values["time"]), case)


def paths() -> list[Path]:
    """Every vector."""
    return sorted(CASES.glob("*.txt"))
