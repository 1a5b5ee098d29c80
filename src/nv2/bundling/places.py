"""Evidence in memory as a verifier looks for it: by address, or by what was asked of whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nv2.bundling.evidence import Evidence, Kind, Piece
from nv2.errors import Nv2Error
from nv2.pki.ocsp import cache_key
from nv2.revocation.carried import Place

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate


def places_of(evidence: Evidence) -> tuple[Place, ...]:
    """The evidence where a checker looks: a place for each issuer, for two may name one address."""
    known = {certificate.thumbprint: certificate for certificate in evidence.certificates}
    by_issuer: dict[str, list[Piece]] = {}
    for piece in evidence.pieces:
        by_issuer.setdefault(piece.issuer, []).append(piece)
    return tuple(
        Place(_Lists(pieces), _Answers(pieces, known, issuer)) for issuer, pieces in by_issuer.items()
    )


class _Lists:
    """A `CrlCache` of the CRLs of one issuer, in memory."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.warnings: list[Nv2Error] = []
        self._pieces = {(piece.kind, piece.address): piece.data for piece in pieces}

    def load(self, url: str) -> tuple[bytes, bytes | None] | None:
        base = self._pieces.get((Kind.CRL, url))
        return None if base is None else (base, self._pieces.get((Kind.DELTA, url)))

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        """Nothing is kept: a bundle is read."""


class _Answers:
    """An `OcspCache` of the answers about the certificates of one issuer, in memory."""

    def __init__(self, pieces: Sequence[Piece], known: Mapping[str, Certificate], issuer: str) -> None:
        self.warnings: list[Nv2Error] = []
        self._answers = {
            cache_key(piece.address, known[piece.certificate], known[issuer]): piece.data
            for piece in pieces
            if piece.kind is Kind.OCSP
        }

    def load(self, key: str) -> bytes | None:
        return self._answers.get(key)

    def store(self, key: str, response: bytes) -> None:
        """Nothing is kept: a bundle is read."""
