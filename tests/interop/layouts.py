"""What the real notation says of one signature: an image layout, and `notation verify` on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import build_signature_manifest
from tests.interop.home import Home
from tests.world.judged import SCOPE, Case

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def notation_says(home: Home, case: Case) -> tuple[bool, str]:
    """Whether notation verifies the case, and what it printed. The stores are in `home` already."""
    layout = home.directory / "layout"
    subject = _write(layout, case)
    (home.config / "trustpolicy.json").write_text(case.policy)
    reference = f"{layout}@{subject.digest}"
    finished = home.notation("verify", "--oci-layout", "--scope", SCOPE, reference, check=False)
    return finished.returncode == 0, finished.stdout + finished.stderr


def _write(layout: Path, case: Case) -> Descriptor:
    """The layout with this one signature. What an earlier case left is not listed any more."""
    subject = describe(case.artifact, mt.IMAGE_MANIFEST)
    envelope = describe(case.envelope, case.media_type)
    built = build_signature_manifest(subject, envelope, (), CREATED, legacy=True)
    blobs = layout / "blobs" / "sha256"
    if not blobs.exists():
        blobs.mkdir(parents=True)
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    empty = describe(b"{}", mt.EMPTY)
    contents = (
        (subject, case.artifact),
        (envelope, case.envelope),
        (built.descriptor, built.data),
        built.config,
        (empty, b"{}"),
    )
    for descriptor, data in contents:
        (blobs / descriptor.digest.partition(":")[2]).write_bytes(data)
    listed = [Descriptor(*found[:3]).to_json() for found in (subject, built.descriptor)]
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": listed}
    (layout / "index.json").write_text(json.dumps(index))
    return subject
