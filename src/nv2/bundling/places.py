"""Evidence in memory as a verifier looks for it: by address, or by what was asked of whom."""

from __future__ import annotations

from nv2.bundling.evidence import Evidence, Kind
from nv2.errors import Nv2Error
from nv2.pki.ocsp import cache_key
from nv2.revocation.carried import Place


def places_of(evidence: Evidence) -> tuple[Place, ...]:
    """The evidence where a checker looks: a place for each issuer, for two may name one address."""
    issuers = dict.fromkeys(piece.issuer for piece in evidence.pieces)
    return tuple(Place(_Lists(evidence, issuer), _Answers(evidence, issuer)) for issuer in issuers)


class _Lists:
    """A `CrlCache` of the CRLs of one issuer, in memory."""

    def __init__(self, evidence: Evidence, issuer: str) -> None:
        self.warnings: list[Nv2Error] = []
        own = (piece for piece in evidence.pieces if piece.issuer == issuer)
        self._pieces = {(piece.kind, piece.address): piece.data for piece in own}

    def load(self, url: str) -> tuple[bytes, bytes | None] | None:
        base = self._pieces.get((Kind.CRL, url))
        return None if base is None else (base, self._pieces.get((Kind.DELTA, url)))

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        """Nothing is kept: a bundle is read."""


class _Answers:
    """An `OcspCache` of the answers about the certificates of one issuer, in memory."""

    def __init__(self, evidence: Evidence, issuer: str) -> None:
        self.warnings: list[Nv2Error] = []
        by_thumbprint = {found.thumbprint: found for found in evidence.certificates}
        self._answers = {
            cache_key(piece.address, by_thumbprint[piece.certificate], by_thumbprint[issuer]): piece.data
            for piece in evidence.pieces
            if piece.kind is Kind.OCSP and piece.issuer == issuer
        }

    def load(self, key: str) -> bytes | None:
        return self._answers.get(key)

    def store(self, key: str, response: bytes) -> None:
        """Nothing is kept: a bundle is read."""
