"""Who signs in the vectors: authorities and signing certificates that come out the same in every run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography import x509

from tests.world import ca
from tests.world.forged import key_of

ARTIFACT = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    b'"artifactType":"application/vnd.example.vector","config":{"mediaType":"application/vnd.oci.empty.v1+json",'
    b'"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}'
)
LONG_AGO, YESTERDAY = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)
SIGNED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAR = datetime(2044, 1, 1, tzinfo=UTC)


class Party(NamedTuple):
    """A key, and the chain of its certificate, that certificate first."""

    subject: x509.Name
    key: Any
    chain: tuple[bytes, ...]

    @property
    def certificate(self) -> bytes:
        """Its own certificate."""
        return self.chain[0]


def party(
    subject: str,
    issuer: Party | None = None,
    kind: str = "EC-256",
    *,
    owner: str = "",
    in_chain: tuple[bytes, ...] | None = None,
    **oddities: Any,
) -> Party:
    """A party with a certificate of `issuer`, or a self-signed one; `oddities` are those of `ca.certificate`."""
    name = ca.name_of(subject)
    key = key_of(owner or name.rfc4514_string(), kind)
    above = Party(name, key, ()) if issuer is None else issuer
    told = {"issuer": above.subject, "signed_by": above.key, **oddities}
    seed = repr((subject, above.subject.rfc4514_string(), kind, sorted(oddities)))
    serial = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") >> 1
    der = ca.certificate(name, key, **{"serial": serial, **told})
    return Party(name, key, (der, *(above.chain if in_chain is None else in_chain)))


def authority(subject: str, issuer: Party | None = None, **oddities: Any) -> Party:
    """A certificate authority."""
    usual = {"basic_constraints": (True, None), "key_usage": ("key_cert_sign", "crl_sign"), "eku": None}
    return party(subject, issuer, **{**usual, **oddities})


ROOT = authority("Wabbit CA")
RSA_ROOT = authority("Wabbit RSA CA", kind="RSA-2048")
STRANGER = authority("Stranger CA")
BELOW = authority("Wabbit Below CA", ROOT)
BUILD = party("build", ROOT)
SELF = party("solo")
