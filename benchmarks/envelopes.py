"""Envelopes without a registry: how many one core verifies in a second, beside the bare check of a signature.

Twice: from bytes to proven content (`prove`: envelope, signature, chain, artifact), and the public road from bytes to a
verdict with all its findings (`nv2.evaluate_envelope`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from benchmarks.bench import Bench
from benchmarks.rows import Row, Unit
from benchmarks.turns import middle, take_turns
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.world.ca import CA, Pair

from nv2 import KeyTrust, Session, evaluate_envelope
from nv2.envelope.envelope import Scheme, SignedAttributes
from nv2.envelope.formats import Draft, Envelope, build_payload, parse, seal
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.trust.validations import prove

COUNT = 100
"""Different envelopes of one signer; only the chain is the same."""
RATE = 5000.0
"""Per second, at least."""

FORMATS = {"JWS": mt.JWS, "COSE": mt.COSE}


def measure_envelopes(bench: Bench) -> Iterator[Row]:
    """The public road, from bytes to a verdict; the chain, which all have in common, is known."""
    pair = CA().issue(key="RSA-3072")
    trust = KeyTrust(pair.signer().chain[0])
    session = Session.from_environment()
    judge = partial(evaluate_envelope, trust=trust, session=session)
    artifacts = [describe(b"%d" % number, mt.IMAGE_MANIFEST) for number in range(COUNT)]
    for name, media_type in FORMATS.items():
        sealed = [_sealed(media_type, artifact, pair) for artifact in artifacts]
        works = {
            "evaluate_envelope": _timed(
                [
                    partial(judge, data, media_type, artifact)
                    for data, artifact in zip(sealed, artifacts, strict=True)
                ]
            ),
            "prove": _timed(
                [
                    partial(prove, media_type, data, artifact)
                    for data, artifact in zip(sealed, artifacts, strict=True)
                ]
            ),
            "bare check": _timed([_bare(parse(media_type, data), pair) for data in sealed]),
        }
        samples = take_turns(bench.runs * 3, works)
        each = {program: middle(samples, program) for program in samples}
        beside = ", ".join(f"{program} {spent:.0f} µs" for program, spent in each.items())
        for road in ("prove", "evaluate_envelope"):
            what = f"library: `{road}`, chain known, {name}, RSA-3072, one core"
            yield Row(what, Unit.RATE, 1e6 / each[road], RATE, beside, samples)


def _sealed(media_type: str, artifact: Descriptor, pair: Pair) -> bytes:
    attributes = SignedAttributes(mt.PAYLOAD, Scheme.X509, datetime.now(UTC))
    signer = pair.signer()
    draft = Draft(build_payload(artifact, {}), attributes, "bench")
    return seal(media_type, draft, signer.chain, signer.algorithm, signer.sign).raw


def _bare(envelope: Envelope, pair: Pair) -> Callable[[], object]:
    """The check of the signature alone, as `cryptography` offers it."""
    hash_ = hashes.SHA384()
    pss = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
    return partial(pair.public_key.verify, envelope.signature, envelope.signed_bytes, pss, hash_)


def _timed(works: list[Callable[[], object]]) -> Callable[[], float]:
    """Microseconds of processor time that each of `works` takes, on average."""

    def run() -> float:
        begin = time.process_time()
        for work in works:
            work()
        return (time.process_time() - begin) / len(works) * 1e6

    return run
