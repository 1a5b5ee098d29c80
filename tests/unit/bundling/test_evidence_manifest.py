"""A set of evidence as an OCI artifact, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from nv2.bundling import evidence_manifest
from nv2.bundling.contents import NEWER
from nv2.bundling.evidence import Evidence, Gap, Kind, Packed
from nv2.bundling.evidence_manifest import pack, unpack
from nv2.errors import InvalidCertificate, InvalidRevocationData, MalformedManifest, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import digest_of
from tests.world.carried import ASKED, CRL_URL, OCSP_URL, WABBIT, by_crl, by_ocsp
from tests.world.crl import NEXT_UPDATE, NOW, THIS_UPDATE, crl
from tests.world.ocsp import about, response
from tests.world.publishing import ocsp_answer

GAP = Gap(Kind.CRL, "http://gone.test/crl", "ab" * 32, "CN=gone", "answered 404")


def _whole() -> Evidence:
    lists = by_crl(crl(WABBIT, number=1), crl(WABBIT, delta_of=1, number=2))
    answer = by_ocsp(ocsp_answer(WABBIT, ASKED.leaf, NOW))
    certificates = dict.fromkeys((*lists.certificates, *answer.certificates))
    return Evidence(NOW, tuple(certificates), (*lists.pieces, *answer.pieces), (GAP,))


WHOLE = _whole()


def read(packed: Packed) -> Evidence:
    blobs = {descriptor.digest: data for descriptor, data in packed.blobs}
    return unpack(packed.manifest, lambda descriptor: blobs[descriptor.digest])


def spoiled(change: Callable[[dict[str, Any]], object]) -> Evidence:
    packed = pack(WHOLE)
    document = json.loads(packed.manifest)
    change(document)
    return read(packed._replace(manifest=json.dumps(document).encode()))


def test_what_is_packed_comes_back() -> None:
    found, given = read(pack(WHOLE)), WHOLE
    assert set(found.pieces) == set(given.pieces) and set(found.certificates) == set(given.certificates)
    assert (found.gathered_at, found.gaps) == (NOW, (GAP,))
    piece = next(piece for piece in found.pieces if piece.kind is Kind.CRL)
    assert (piece.address, piece.this_update, piece.next_update) == (CRL_URL, THIS_UPDATE, NEXT_UPDATE)
    assert next(piece for piece in found.pieces if piece.kind is Kind.OCSP).address == OCSP_URL


def test_the_same_set_gives_the_same_bytes_in_whatever_order_it_came() -> None:
    turned = WHOLE._replace(certificates=WHOLE.certificates[::-1], pieces=WHOLE.pieces[::-1])
    assert pack(turned) == pack(WHOLE)


def test_every_blob_has_its_digest_and_its_media_type() -> None:
    packed = pack(WHOLE)
    layers = json.loads(packed.manifest)["layers"]
    assert {layer["mediaType"] for layer in layers} == {"application/pkix-cert", "application/pkix-crl", "application/ocsp-response"}  # fmt: skip
    assert all(digest_of(data) == descriptor.digest for descriptor, data in packed.blobs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(artifactType="application/other"), "not a set of evidence"),
        (lambda d: d["config"].update(mediaType="application/other"), "not a set of evidence"),
        (lambda d: d["layers"].append(d["layers"][-1]), "a second time"),
        (lambda d: d["layers"][-1].update(mediaType="text/plain"), "no evidence that is known"),
        (lambda d: d["layers"][-1]["annotations"].update({"io.nv2.evidence.kind": "crl"}), "no evidence that is known"),
        (lambda d: d["layers"][-1]["annotations"].pop("io.nv2.evidence.address"), "what it is about"),
        (lambda d: d["layers"][-1]["annotations"].pop("io.nv2.evidence.certificate"), "what it is about"),
        (lambda d: d["layers"][-1]["annotations"].update({"io.nv2.evidence.issuer": "ab" * 32}), "certificate that is not there"),
        (lambda d: d["layers"][-1]["annotations"].update({"io.nv2.evidence.certificate": "ab" * 32}), "certificate that is not there"),
        (lambda d: d.update(layers=d["layers"][-3:]), "certificate that is not there"),
        (lambda d: d["layers"][-1].update(size=1 << 20), "a piece of more than"),
        (lambda d: d["layers"][0].update(size=1 << 20), "a certificate of more than"),
        (lambda d: d["layers"][0].update(size=1 << 40), "bytes of evidence"),
        (lambda d: d["layers"].extend(d["layers"][:1] * 5000), "pieces of evidence"),
        (lambda d: d["config"].update(size=1 << 21), "a configuration of more than"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_set_is_refused_at_its_place(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(MalformedManifest, match=message) as caught:
        spoiled(change)
    assert str(caught.value).startswith("evidence")
    assert (caught.value.hint == NEWER) is ("that is known" in message)


@pytest.mark.parametrize(
    ("media_type", "error"),
    [
        ("application/pkix-crl", InvalidRevocationData),
        ("application/ocsp-response", InvalidRevocationData),
        ("application/pkix-cert", InvalidCertificate),
    ],
)
def test_a_piece_that_cannot_be_read_is_refused_at_its_place(media_type: str, error: type[Nv2Error]) -> None:
    packed = pack(WHOLE)
    blobs = {descriptor.digest: (descriptor.media_type, data) for descriptor, data in packed.blobs}

    def fetch(descriptor: Descriptor) -> bytes:
        kind, data = blobs[descriptor.digest]
        return b"junk" if kind == media_type else data

    with pytest.raises(error) as caught:
        unpack(packed.manifest, fetch)
    assert "layers[" in str(caught.value)


@pytest.mark.parametrize("config", [b"{}", b'{"gatheredAt":"today","missing":[]}', b'{"gatheredAt":"2026-01-01T00:00:00","missing":[]}', b'{"gatheredAt":"2026-01-01T00:00:00Z","missing":[{"kind":"x"}]}', b"["])  # fmt: skip
def test_a_configuration_that_does_not_say_when_or_what_is_refused(config: bytes) -> None:
    packed = pack(WHOLE)
    blobs = {descriptor.digest: data for descriptor, data in packed.blobs}

    def fetch(descriptor: Descriptor) -> bytes:
        return config if descriptor.media_type.endswith("config.v1+json") else blobs[descriptor.digest]

    with pytest.raises(MalformedManifest):
        unpack(packed.manifest, fetch)


def test_an_answer_with_several_statements_is_as_old_as_the_oldest_and_lasts_as_long_as_the_shortest() -> (
    None
):
    told = [
        about(ASKED, this_update=THIS_UPDATE + step, next_update=NEXT_UPDATE - step)
        for step in (timedelta(hours=2), timedelta(), timedelta(hours=1))
    ]
    [piece] = by_ocsp(response(WABBIT, *told)).pieces
    assert (piece.this_update, piece.next_update) == (THIS_UPDATE, NEXT_UPDATE - timedelta(hours=2))
    endless = about(ASKED, this_update=THIS_UPDATE, next_update=None)
    [piece] = by_ocsp(response(WABBIT, *told, endless)).pieces
    assert piece.next_update is None


def test_a_set_that_is_too_large_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_manifest, "MAX_PIECES", 2)
    with pytest.raises(MalformedManifest, match="more than 2 pieces"):
        pack(WHOLE)
