"""Timestamps of public authorities (`tokens/README.md`): as they really come."""

from __future__ import annotations

from pathlib import Path

import pytest

from nv2.envelope import formats
from nv2.errors import InvalidTimestamp
from nv2.oci import media_types as mt
from nv2.pki.chain import parse_chain
from nv2.pki.pem import certificates_from
from nv2.pki.timestamp import OpenedToken, parse_token
from nv2.pki.timestamp_chain import timestamp_chain
from nv2.pki.timestamp_request import read_reply
from nv2.plain_text import rfc3339

TOKENS = Path(__file__).parent / "tokens"


def data(name: str) -> bytes:
    return (TOKENS / name).read_bytes()


def token(name: str) -> bytes:
    return read_reply(data(name)) if name.endswith(".tsr") else data(name)


def subjects(opened: OpenedToken, root: str) -> tuple[str, ...]:
    roots = [c for c in certificates_from(data(root), root) if c.is_self_issued]
    return tuple(certificate.subject for certificate in timestamp_chain(opened, roots).certificates)


@pytest.mark.parametrize(
    ("name", "root", "when", "length"),
    [
        ("globalsign-2021.p7s", "globalsign-r3.crt", "2021-09-17T14:09:10Z", 4),
        ("globalsign-2021.p7s", "globalsign-r6.crt", "2021-09-17T14:09:10Z", 3),
        ("granted.tsr", "globalsign-r6.crt", "2021-09-18T11:54:34Z", 3),
        ("sigstore-staging-2025.tsr", "sigstore-staging.pem", "2025-05-09T11:58:55Z", 2),
    ],
)
def test_the_token_of_an_authority_leads_to_its_root(name: str, root: str, when: str, length: int) -> None:
    opened = parse_token(token(name)).open()
    assert rfc3339(opened.info.gen_time) == when
    assert len(subjects(opened, root)) == length


@pytest.mark.parametrize("name", ["globalsign-2021.p7s", "sigstore-staging-2025.tsr"])
def test_it_does_not_lead_to_anothers(name: str) -> None:
    other = "sigstore-staging.pem" if name.startswith("globalsign") else "globalsign-r6.crt"
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        subjects(parse_token(token(name)).open(), other)


@pytest.mark.parametrize("name", ["certificate-v1.tsr", "identrust.tsr"])
def test_authorities_that_use_sha_1_alone_are_refused_as_the_specification_says(name: str) -> None:
    with pytest.raises(InvalidTimestamp, match="signing-certificate-v2 is missing"):
        parse_token(token(name)).open()


def test_a_refusal_says_why() -> None:
    with pytest.raises(InvalidTimestamp, match="rejected, 'request contains unknown algorithm', badAlg"):
        read_reply(data("rejection.tsr"))


@pytest.mark.parametrize(
    ("name", "media_type"), [("notation-jws-expired.sig", mt.JWS), ("notation-cose-expired.sig", mt.COSE)]
)
def test_a_signature_that_notation_stamped_at_a_public_authority_is_understood(
    name: str, media_type: str
) -> None:
    envelope = formats.parse(media_type, data(name))
    envelope.open(parse_chain(envelope.unsigned.certificates).leaf.public_key)
    opened = parse_token(envelope.unsigned.timestamp or b"").open()
    opened.info.check_imprint(envelope.signature)
    assert subjects(opened, "globalsign-r6.crt")[0].startswith("CN=Globalsign TSA for Advanced - G4")
    assert rfc3339(opened.info.gen_time).startswith("2024-06-18T07:21")
