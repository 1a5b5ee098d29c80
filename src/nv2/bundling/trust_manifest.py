"""A trust policy and the trust stores that it names as an OCI artifact, and back: strictly, with limits.

What this module does not do: install anything, or say whether anybody may.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from unicodedata import normalize

from nv2.bundling.contents import TRUST
from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import EMPTY_CONFIG, parse_manifest
from nv2.plain_text import quoted
from nv2.trust.anchors import parse_store_name

TITLE = "org.opencontainers.image.title"
POLICY = "application/vnd.nv2.trust-policy.v1+json"
CERTIFICATES = "application/pem-certificate-chain"
"""RFC 8555, 9.1. A store may hold DER as well: what is in a file is what was in it."""

POLICY_NAME = "trustpolicy.json"
MAX_FILES = 1_000
MAX_FILE = 4 * 1024 * 1024
"""Bytes of one file: what a policy file, and a file of certificates, may have here."""
MAX_TRUST = 64 * 1024 * 1024
"""Bytes of all files, which are held in memory. A file may be named many times, and lie in the bundle once."""
MAX_NAME = 200
"""Bytes of the name of a file: file systems have 255, and the name of an unfinished file is longer."""

_STORE_FILE = re.compile(r"truststore/x509/(\w+)/([^/]+)/([^/]+)", re.ASCII)


class StoreFile(NamedTuple):
    """A file of a store: `ca`, `acme`, `root.crt`."""

    kind: str
    store: str
    name: str

    def __str__(self) -> str:
        return f"truststore/x509/{self.kind}/{self.store}/{self.name}"


class CarriedTrust(NamedTuple):
    """A trust policy, and the files of its stores, as bytes that were not looked into."""

    policy: bytes
    files: Mapping[StoreFile, bytes]


def pack_trust(trust: CarriedTrust) -> tuple[bytes, list[tuple[Descriptor, bytes]]]:
    """The manifest, and its blobs."""
    blobs = [(describe(EMPTY_CONFIG, mt.EMPTY), EMPTY_CONFIG)]
    layers = []
    named = [(POLICY_NAME, POLICY, trust.policy)]
    named += [(str(file), CERTIFICATES, data) for file, data in sorted(trust.files.items())]
    for title, media_type, data in named:
        layers.append(describe(data, media_type, annotations={TITLE: title}))
        blobs.append((Descriptor(*layers[-1][:3]), data))
    manifest = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "artifactType": TRUST,
        "config": describe(EMPTY_CONFIG, mt.EMPTY).to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return json.dumps(manifest, separators=(",", ":")).encode(), blobs


def unpack_trust(manifest: bytes, fetch: Callable[[Descriptor], bytes], at: str) -> CarriedTrust:
    """What `manifest` carries; `fetch` gets its blobs, whose digests it checks. Raises `MalformedManifest`."""
    found = parse_manifest(manifest, mt.IMAGE_MANIFEST, at)
    if found.artifact_type != TRUST or found.subject is not None:
        raise MalformedManifest("carries no trust policy", at=at)
    if len(found.layers) > MAX_FILES:
        raise MalformedManifest(f"more than {MAX_FILES} files of trust", at=at)
    if sum(layer.size for layer in found.layers) > MAX_TRUST:
        raise MalformedManifest(f"more than {MAX_TRUST} bytes of trust", at=at)
    policy: bytes | None = None
    files: dict[StoreFile, bytes] = {}
    known: set[str] = set()
    for number, layer in enumerate(found.layers):
        place, title = f"{at}: layers[{number}]", layer.annotations.get(TITLE, "")
        if layer.size > MAX_FILE:
            raise MalformedManifest(f"a file of more than {MAX_FILE} bytes", at=place)
        if title == POLICY_NAME and layer.media_type == POLICY and policy is None:
            policy = fetch(layer)
            continue
        file = _store_file(title, place)
        usual = normalize("NFC", str(file)).casefold()
        if layer.media_type != CERTIFICATES or usual in known:
            raise MalformedManifest(f"{quoted(title)} does not belong here", at=place)
        known.add(usual)  # file systems differ in which names are one
        files[file] = fetch(layer)
    if policy is None:
        raise MalformedManifest("carries no trust policy", at=at)
    return CarriedTrust(policy, files)


def _is_name(text: str) -> bool:
    return text.isprintable() and len(text.encode()) <= MAX_NAME


def _store_file(title: str, at: str) -> StoreFile:
    match = _STORE_FILE.fullmatch(title)
    if match is None or match[3] in (".", "..") or not _is_name(match[3]):
        raise MalformedManifest(f"{quoted(title)} is no file of a trust store", at=at)
    parse_store_name(f"{match[1]}:{match[2]}", at, MalformedManifest)
    return StoreFile(*match.groups())
