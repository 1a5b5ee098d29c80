"""A set of evidence as an OCI artifact, and back: strictly, with limits.

What this module does not do: believe what a manifest says of its layers. Times are read from the pieces themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from nv2 import strict_json
from nv2.bundling.contents import NEWER
from nv2.bundling.evidence import (
    ARTIFACT_TYPE,
    CERTIFICATE,
    CONFIG,
    MAX_EVIDENCE,
    MAX_PIECES,
    MAX_REASON,
    Evidence,
    Fetch,
    Gap,
    Kind,
    Packed,
    Piece,
)
from nv2.errors import InvalidRevocationData, MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import parse_manifest
from nv2.pki.certificate import MAX_CERTIFICATE, Certificate, parse_certificate
from nv2.pki.certificate_status import MAX_CRL, MAX_RESPONSE
from nv2.plain_text import one_line, parse_instant, rfc3339
from nv2.strict_json import Fields

PREFIX = "io.nv2.evidence."
"""Of annotations of layers."""

MAX_CONFIG = 1024 * 1024
"""Bytes of the configuration: when, and a line for each piece that could not be had."""

_LIMITS = {Kind.CRL: MAX_CRL, Kind.DELTA: MAX_CRL, Kind.OCSP: MAX_RESPONSE}


def piece(kind: Kind, address: str, issuer: str, certificate: str, data: bytes) -> Piece:
    """The piece that `data` is. Raises `InvalidRevocationData` for what is no CRL, or no answer."""
    read = _times_of_answer if kind is Kind.OCSP else _times_of_crl
    return Piece(kind, address, issuer, certificate, *read(data), data)


def _times_of_crl(data: bytes) -> tuple[datetime, datetime | None]:
    from nv2.pki.crl_format import parse_crl

    found = parse_crl(data)
    return found.this_update, found.next_update


def _times_of_answer(data: bytes) -> tuple[datetime, datetime | None]:
    """Of the statement that is first out of date: an answer says little about certificates that were not asked about."""
    from nv2.pki.ocsp_response import parse_response

    found = parse_response(data)
    if isinstance(found, str) or not found.statements:
        raise InvalidRevocationData("an OCSP response that says nothing")
    ends = [said.next_update for said in found.statements]
    known = [end for end in ends if end is not None]
    return min(said.this_update for said in found.statements), min(known) if len(known) == len(ends) else None


def pack(evidence: Evidence) -> Packed:
    """`evidence` as an image manifest with its blobs. The same set gives the same bytes. Raises `MalformedManifest` where it is too large."""
    blobs: list[tuple[Descriptor, bytes]] = []
    layers = []
    for certificate in sorted(evidence.certificates, key=lambda found: found.thumbprint):
        layers.append(describe(certificate.der, CERTIFICATE))
        blobs.append((layers[-1], certificate.der))
    for found in sorted(evidence.pieces, key=_order):
        layers.append(describe(found.data, found.kind.media_type, annotations=_annotations(found)))
        blobs.append((Descriptor(*layers[-1][:3]), found.data))
    _check_size(layers)
    data = _compact({"gatheredAt": rfc3339(evidence.gathered_at), "missing": _missing(evidence.gaps)})
    config = describe(data, CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return Packed(_compact(manifest), ((config, data), *blobs))


def _order(found: Piece) -> tuple[str, ...]:
    return (found.kind.value, found.address, found.certificate, found.issuer)


def _annotations(found: Piece) -> dict[str, str]:
    values = {
        "kind": found.kind.value,
        "address": found.address,
        "issuer": found.issuer,
        "certificate": found.certificate,
        # For people and for other programs: we read them from the piece.
        "thisUpdate": rfc3339(found.this_update),
        "nextUpdate": rfc3339(found.next_update) if found.next_update else "",
    }
    return {PREFIX + name: value for name, value in values.items() if value}


def _missing(gaps: Iterable[Gap]) -> list[dict[str, str]]:
    return [
        {
            "kind": gap.kind.value,
            "address": one_line(gap.address, MAX_REASON),
            "certificate": gap.certificate,
            "subject": one_line(gap.subject, MAX_REASON),
            "reason": one_line(gap.reason, MAX_REASON),
        }
        for gap in gaps
    ]


def _compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _check_size(layers: Sequence[Descriptor], at: str | None = None) -> None:
    if len(layers) > MAX_PIECES:
        raise MalformedManifest(f"more than {MAX_PIECES} pieces of evidence", at=at)
    if sum(layer.size for layer in layers) > MAX_EVIDENCE:
        raise MalformedManifest(f"more than {MAX_EVIDENCE} bytes of evidence", at=at)


def unpack(manifest: bytes, fetch: Fetch, at: str = "evidence") -> Evidence:
    """The set that `manifest` describes; `fetch` gets its blobs, whose digests it checks.

    Raises `MalformedManifest` at a place below `at`, `InvalidRevocationData`, `InvalidCertificate` and what `fetch` raises.
    """
    found = parse_manifest(manifest, mt.IMAGE_MANIFEST, at)
    if found.artifact_type != ARTIFACT_TYPE or found.config is None or found.config.media_type != CONFIG:
        raise MalformedManifest("is not a set of evidence", at=at)
    _check_size(found.layers, at)
    if found.config.size > MAX_CONFIG:
        raise MalformedManifest(f"a configuration of more than {MAX_CONFIG} bytes", at=at)
    gathered_at, gaps = _read_config(fetch(found.config), at)
    certificates: dict[str, Certificate] = {}
    pieces: dict[tuple[str, ...], Piece] = {}
    for number, layer in enumerate(found.layers):
        place = f"{at}: layers[{number}]"
        if layer.media_type == CERTIFICATE:
            certificate = _certificate(layer, fetch, place)
            certificates[certificate.thumbprint] = certificate
        else:
            read = _piece(layer, fetch, place)
            if _order(read) in pieces:
                raise MalformedManifest("the same piece a second time", at=place)
            pieces[_order(read)] = read
    for read in pieces.values():
        if not {read.issuer, read.certificate or read.issuer} <= certificates.keys():
            raise MalformedManifest("evidence about a certificate that is not there", at=at)
    return Evidence(gathered_at, tuple(certificates.values()), tuple(pieces.values()), gaps)


def _certificate(layer: Descriptor, fetch: Fetch, place: str) -> Certificate:
    if layer.size > MAX_CERTIFICATE:
        raise MalformedManifest(f"a certificate of more than {MAX_CERTIFICATE} bytes", at=place)
    return parse_certificate(fetch(layer), place)


def _piece(layer: Descriptor, fetch: Fetch, place: str) -> Piece:
    said = {
        key.removeprefix(PREFIX): value for key, value in layer.annotations.items() if key.startswith(PREFIX)
    }
    kind = next((kind for kind in Kind if kind.value == said.get("kind")), None)
    if kind is None or kind.media_type != layer.media_type:
        raise MalformedManifest("is no evidence that is known", at=place, hint=NEWER)
    if layer.size > _LIMITS[kind]:
        raise MalformedManifest(f"a piece of more than {_LIMITS[kind]} bytes", at=place)
    if (
        not said.get("address")
        or not said.get("issuer")
        or (kind is Kind.OCSP) != bool(said.get("certificate"))
    ):
        raise MalformedManifest("does not say what it is about", at=place)
    data = fetch(layer)
    try:
        return piece(kind, said["address"], said["issuer"], said.get("certificate", ""), data)
    except InvalidRevocationData as e:
        raise InvalidRevocationData(e.message, at=place) from None


def _read_config(data: bytes, at: str) -> tuple[datetime, tuple[Gap, ...]]:
    fields = Fields.of(strict_json.loads(data, MalformedManifest, at=at), f"{at}: config", MalformedManifest)
    instant = parse_instant(fields.require("gatheredAt", str))
    if instant is None:
        raise MalformedManifest("is not an instant", at=fields.place("gatheredAt"))
    return instant, tuple(_gap(gap) for gap in fields.objects("missing"))


def _gap(fields: Fields) -> Gap:
    kind = next((kind for kind in Kind if kind.value == fields.get("kind", str)), None)
    if kind is None:
        raise MalformedManifest("is no evidence that is known", at=fields.place("kind"))
    texts = (fields.require(name, str) for name in ("address", "certificate", "subject", "reason"))
    return Gap(kind, *(one_line(text, MAX_REASON) for text in texts))
