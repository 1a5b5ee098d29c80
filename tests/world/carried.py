"""Evidence to carry: an authority that publishes, its signers, and places to keep evidence in memory."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime

from nv2.bundling.evidence import Evidence, Kind
from nv2.bundling.evidence_manifest import piece
from nv2.errors import Nv2Error
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import parse_chain
from nv2.revocation.carried import Place
from tests.world.ca import CA, Pair
from tests.world.crl import NOW

WABBIT, STRANGER = CA("Wabbit"), CA("Stranger")
CRL_URL, OCSP_URL = "http://wabbit.test/crl", "http://wabbit.test/ocsp"
SERIAL = 0xB01D
LISTED = WABBIT.issue("listed", "EC-256", serial=SERIAL, crl_urls=(CRL_URL,))
ASKED = WABBIT.issue("asked", "EC-256", serial=SERIAL + 1, ocsp_urls=(OCSP_URL,))
FOREIGN = STRANGER.issue("foreign", "EC-256", serial=SERIAL, crl_urls=(CRL_URL,))
CHAIN, ASKED_CHAIN, FOREIGN_CHAIN = (parse_chain(pair.chain) for pair in (LISTED, ASKED, FOREIGN))
ROOT, FOREIGN_ROOT = CHAIN.root, FOREIGN_CHAIN.root


class Lists:
    """A `CrlCache` in memory."""

    def __init__(self) -> None:
        self.warnings: list[Nv2Error] = []
        self.kept: dict[str, tuple[bytes, bytes | None]] = {}

    def load(self, url: str) -> tuple[bytes, bytes | None] | None:
        return self.kept.get(url)

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        self.kept[url] = base, delta


class Answers:
    """An `OcspCache` in memory."""

    def __init__(self) -> None:
        self.warnings: list[Nv2Error] = []
        self.kept: dict[str, bytes] = {}

    def load(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def store(self, key: str, response: bytes) -> None:
        self.kept[key] = response


class Numbers:
    """`CrlNumbers` in memory."""

    def __init__(self) -> None:
        self.warnings: list[Nv2Error] = []
        self.highest: dict[str, int] = {}

    def refusal(self, series: str, number: int | None) -> str | None:
        if older := self.older(series, number):
            return older
        if number is not None:
            self.highest[series] = number
        return None

    def older(self, series: str, number: int | None) -> str | None:
        seen = self.highest.get(series)
        is_older = seen is not None and (number is None or number < seen)
        return f"number {seen} was seen before" if is_older else None


def place(*, is_fetched: bool = False) -> Place:
    """An empty one."""
    return Place(Lists(), Answers(), is_fetched)


def by_crl(*data: bytes, pair: Pair = LISTED, url: str = CRL_URL, now: datetime = NOW) -> Evidence:
    """A set with a CRL, and the delta to it, about the certificates of `pair`."""
    certificates = tuple(parse_certificate(der) for der in pair.chain)
    issuer = certificates[-1].thumbprint
    kinds = zip((Kind.CRL, Kind.DELTA), data, strict=False)
    pieces = tuple(piece(kind, url, issuer, "", each) for kind, each in kinds)
    return Evidence(now, certificates, pieces)


def by_ocsp(data: bytes, now: datetime = NOW) -> Evidence:
    """A set with an answer about `ASKED`."""
    leaf, issuer = (parse_certificate(der) for der in ASKED.chain)
    found = piece(Kind.OCSP, OCSP_URL, issuer.thumbprint, leaf.thumbprint, data)
    return Evidence(now, (leaf, issuer), (found,))


no_lock = nullcontext
"""`new_lock` for a test of one thread."""
