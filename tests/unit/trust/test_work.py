"""How much work signatures are: what was read and understood once is not read again. Counts, never times."""

from __future__ import annotations

from typing import Any

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope import payload
from nv2.pki import certificate
from nv2.revocation import WithoutNetwork
from nv2.trust import validations
from nv2.trust.anchors import CertificateAnchors
from nv2.trust.level import LEVELS
from nv2.trust.verdict import Verdict
from nv2.verification import Trust, evaluate
from tests.world.ca import CA, Pair
from tests.world.signed import NOW, artifact, sign

SIGNATURES = 20


class Work:
    """What was read to judge all the signatures of one image, the first signer's authority being trusted."""

    def __init__(self, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        image = artifact(store)
        for number, pair in enumerate(pairs):
            sign(store, image, pair, user_metadata={"number": str(number)})
        trust = Trust(
            "test",
            LEVELS["permissive"],
            CertificateAnchors((certificate.parse_certificate(pairs[0].root),)),
        )
        for cached in (certificate._parse, validations._chain):
            cached.cache_clear()
        self.certificates = _noted(monkeypatch, certificate, "usual_form")
        self.payloads = _noted(monkeypatch, payload, "parse_payload")
        verdict = evaluate(store, image, trust, revocation=WithoutNetwork(), now=NOW, stop_at_first=False)
        assert verdict.verdict is Verdict.TRUSTED
        assert len(verdict.signatures) == len(pairs)


def _noted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[bytes]:
    """Everything that a function of `module` will have been called with."""
    calls: list[bytes] = []
    original = getattr(module, name)

    def note(data: bytes, *more: Any, **others: Any) -> Any:
        calls.append(data)
        return original(data, *more, **others)

    monkeypatch.setattr(module, name, note)
    return calls


def test_the_chain_of_one_signer_is_read_once_for_all_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = CA().issue(key="EC-256")
    work = Work([pair] * SIGNATURES, monkeypatch)
    assert sorted(work.certificates) == sorted(pair.chain)


def test_an_authority_is_read_once_for_all_its_signers(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = CA()
    pairs = [authority.issue(f"signer {number}", "EC-256") for number in range(SIGNATURES)]
    work = Work(pairs, monkeypatch)
    assert sorted(work.certificates) == sorted({der for pair in pairs for der in pair.chain})


def test_a_payload_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work([CA().issue(key="EC-256")] * SIGNATURES, monkeypatch)
    assert len(work.payloads) == SIGNATURES
