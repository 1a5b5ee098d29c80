"""A case for a seed: a good signature under a good policy, with one or two things changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import cbor2

from nv2.oci import media_types as mt
from tests.differential.mutations import mutate_bytes, mutate_tree
from tests.vectors.parties import (
    ARTIFACT,
    BELOW,
    BUILD,
    FAR,
    LONG_AGO,
    ROOT,
    SELF,
    SIGNED_AT,
    STRANGER,
    YESTERDAY,
    Party,
    authority,
    party,
)
from tests.vectors.recipes import TARGET
from tests.world import ca
from tests.world.forged import (
    AUTHENTIC,
    EXPIRY,
    FORMATS,
    MISSING,
    SCHEME,
    SIGNING_TIME,
    Format,
    Sheet,
    changed,
)
from tests.world.judged import SCOPE, Case

STORES: Mapping[str, tuple[bytes, ...]] = {
    "ca:wabbit": (ROOT.certificate,),
    "ca:solo": SELF.chain,
    "ca:both": (STRANGER.certificate, ROOT.certificate),
    "signingAuthority:wabbit": (ROOT.certificate,),
    "tsa:wabbit": (ROOT.certificate,),
    "ca:empty": (),
}
"""The same for every case; policies name some."""

IDENTITY = "x509.subject:C=US,ST=WA,O=wabbit-networks.io"


class Draft(NamedTuple):
    """A case in the making."""

    form: Format
    signer: Party
    protected: Any
    header: dict[Any, Any]
    payload: Any
    policy: Any
    finish: Callable[[bytes], bytes] = bytes


class Made(NamedTuple):
    """A case, and what was done to it, for people."""

    case: Case
    story: str


def make(seed: int) -> Made:
    """The case of a seed."""
    source = random.Random(seed)
    draft = _good(source)
    story = []
    for _ in range(source.choice((1, 1, 1, 2))):
        change = source.choice(CHANGES)
        draft = change(draft, source)
        story.append(change.__name__.strip("_"))
    form = draft.form
    payload = draft.payload if isinstance(draft.payload, bytes) else _json(draft.payload)
    sheet = Sheet(draft.signer.chain, draft.signer.key, payload, draft.protected, draft.header)
    policy = draft.policy if isinstance(draft.policy, str) else json.dumps(draft.policy)
    case = Case(form.media_type, draft.finish(form.write(sheet)), ARTIFACT, policy, STORES)
    return Made(case, f"{form.short}: {', '.join(story)}")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _good(source: random.Random) -> Draft:
    form = FORMATS[source.choice((mt.JWS, mt.COSE))]
    protected = form.protected("ES256", SIGNED_AT)
    variant = source.randrange(4)
    if variant == 0:
        changes = {EXPIRY: FAR, "crit": [SCHEME, EXPIRY]}
        protected = changed(protected, form.translate(changes))
    elif variant == 1:
        authentic = {
            SCHEME: "notary.x509.signingAuthority",
            AUTHENTIC: SIGNED_AT,
            SIGNING_TIME: MISSING,
            "crit": [SCHEME, AUTHENTIC],
        }
        protected = changed(protected, form.translate(authentic))
    stores = ["signingAuthority:wabbit"] if variant == 1 else ["ca:wabbit"]
    statement = {
        "name": "one",
        "registryScopes": [SCOPE],
        "signatureVerification": {"level": source.choice(("strict", "strict", "permissive", "audit"))},
        "trustStores": stores,
        "trustedIdentities": [source.choice(("*", IDENTITY))],
    }
    policy = {"version": "1.0", "trustPolicies": [statement]}
    signer = source.choice((BUILD, BUILD, party("build", BELOW)))
    return Draft(form, signer, protected, {}, {"targetArtifact": TARGET}, policy)


def _words(form: Format) -> tuple[Any, ...]:
    times: tuple[datetime, ...] = (LONG_AGO, YESTERDAY, FAR, SIGNED_AT)
    texts = (SCHEME, EXPIRY, SIGNING_TIME, "notary.x509", "notary.x509.signingAuthority", mt.PAYLOAD, "alg")
    odd_times = (
        "2026-01-01T12:00:00.5Z",
        "2026-01-01t12:00:00z",
        "2026-01-01T12:00:00+24:00",
        "2026-1-1T1:00:00Z",
    )
    more = odd_times if form.short == "jws" else (1, 2, cbor2.CBORTag(0, "x"), cbor2.CBORTag(1, 1.5), b"x")
    return (*texts, *(form.time(instant) for instant in times), *more, "ES256", "ES384", -7, -35)


def _protected(draft: Draft, source: random.Random) -> Draft:
    if isinstance(draft.protected, bytes):
        return draft
    return draft._replace(protected=mutate_tree(draft.protected, source, _words(draft.form)))


def _protected_bytes(draft: Draft, source: random.Random) -> Draft:
    plain = draft.protected
    if not isinstance(plain, bytes):
        plain = _json(plain) if draft.form.short == "jws" else cbor2.dumps(plain, canonical=True)
    return draft._replace(protected=mutate_bytes(plain, source))


def _header(draft: Draft, source: random.Random) -> Draft:
    labels = (
        "x",
        SCHEME,
        "alg",
        1,
        33,
        "io.cncf.notary.signingAgent",
        "io.cncf.notary.timestampSignature",
        "X5C",
    )
    label = source.choice(labels if draft.form.short == "cose" else [x for x in labels if isinstance(x, str)])
    tree = mutate_tree({label: source.choice(("x", "AAAA", 1, None, [], ["AAAA"]))}, source)
    return draft._replace(header=tree if isinstance(tree, dict) else {})


def _payload(draft: Draft, source: random.Random) -> Draft:
    if isinstance(draft.payload, bytes):
        return draft
    words = (
        mt.IMAGE_MANIFEST,
        mt.IMAGE_INDEX,
        TARGET["digest"],
        TARGET["size"],
        float(TARGET["size"]),
        {"a": "b"},
    )
    return draft._replace(payload=mutate_tree(draft.payload, source, words))


def _payload_bytes(draft: Draft, source: random.Random) -> Draft:
    plain = draft.payload if isinstance(draft.payload, bytes) else _json(draft.payload)
    return draft._replace(payload=mutate_bytes(plain, source))


def _envelope(draft: Draft, source: random.Random) -> Draft:
    seed = source.random()
    return draft._replace(finish=lambda data: mutate_bytes(data, random.Random(seed)))


def _envelope_tree(draft: Draft, source: random.Random) -> Draft:
    seed = source.random()

    def finish(data: bytes) -> bytes:
        own = random.Random(seed)
        if draft.form.short == "jws":
            return _json(mutate_tree(json.loads(data), own))
        message = cbor2.loads(data)
        return cbor2.dumps(cbor2.CBORTag(message.tag, mutate_tree(list(message.value), own)))

    return draft._replace(finish=finish)


def _chain(draft: Draft, source: random.Random) -> Draft:
    chain = list(draft.signer.chain)
    at = source.randrange(len(chain))
    others = (ROOT.certificate, STRANGER.certificate, BELOW.certificate, SELF.certificate, b"x", b"")
    match source.randrange(5):
        case 0:
            del chain[at]
        case 1:
            chain.insert(at, source.choice(others))
        case 2:
            chain.append(chain[at])
        case 3:
            source.shuffle(chain)
        case _:
            chain[at] = mutate_bytes(chain[at], source)
    return draft._replace(signer=draft.signer._replace(chain=tuple(chain)))


_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "key_cert_sign", "crl_sign")
_EXTENDED = (ca.CODE_SIGNING, ca.SERVER_AUTH, ca.TIME_STAMPING, ca.ANY_EKU, "1.2.3.4")


def _oddities(source: random.Random) -> dict[str, Any]:
    odd: tuple[tuple[str, Any], ...] = (
        ("key_usage", source.sample(_USAGES, source.randrange(1, 4))),
        ("key_usage", None),
        ("key_usage_critical", False),
        ("eku", source.sample(_EXTENDED, source.randrange(1, 3))),
        ("eku_critical", True),
        ("basic_constraints", source.choice((None, (True, None), (True, 0), (False, None)))),
        ("basic_constraints_critical", False),
        ("not_before", source.choice((FAR, LONG_AGO))),
        ("not_after", source.choice((FAR, YESTERDAY))),
        ("bad_signature", True),
        ("serial", 7),
    )
    told = dict(source.sample(odd, source.choice((1, 2))))
    if told.get("not_after") is YESTERDAY:
        told["not_before"] = LONG_AGO
    return told


def _certificate(draft: Draft, source: random.Random) -> Draft:
    told = _oddities(source)
    if source.random() < 0.5:
        issuer = ROOT if source.random() < 0.8 else STRANGER
        subjects = (
            "build",
            "CN=build,O=acme,ST=WA,C=US",
            "CN=x,OU=a,OU=b,O=wabbit-networks.io,ST=WA,C=US",
            "CN=x",
        )
        return draft._replace(signer=party(source.choice(subjects), issuer, **told))
    told.pop("eku", None)
    return draft._replace(signer=party("build", authority("Odd CA", ROOT, **told)))


_POLICY_WORDS = (
    *STORES,
    "ca:nowhere",
    "ca:../wabbit",
    "strict",
    "permissive",
    "audit",
    "skip",
    "enforce",
    "log",
    "always",
    "afterCertExpiry",
    SCOPE,
    "local/*",
    f"{SCOPE}/",
    "*",
    IDENTITY,
    "x509.subject: C=US, S=WA, O=wabbit-networks.io, CN=build",
    "x509.subject:CN=build",
    "x509.subject:C=US+ST=WA,O=x",
    "x509.subject:C=US,ST=WA,O=acme",
    "other:identity",
    {"revocation": "skip"},
    {"authenticity": "log"},
    {"integrity": "log"},
    {"expiry": "log", "authenticTimestamp": "log"},
)


def _policy(draft: Draft, source: random.Random) -> Draft:
    if isinstance(draft.policy, str):
        return draft
    policy = draft.policy
    if source.random() < 0.4:
        override = {
            source.choice(("authenticity", "expiry", "revocation", "integrity")): source.choice(
                ("enforce", "log", "skip")
            )
        }
        policy = json.loads(json.dumps(policy))
        with suppress(LookupError, TypeError):  # an earlier change left nothing to override
            policy["trustPolicies"][0]["signatureVerification"] |= {"override": override}
    return draft._replace(policy=mutate_tree(policy, source, _POLICY_WORDS))


def _policy_bytes(draft: Draft, source: random.Random) -> Draft:
    plain = draft.policy if isinstance(draft.policy, str) else json.dumps(draft.policy)
    return draft._replace(policy=mutate_bytes(plain.encode(), source).decode("utf-8", "replace"))


CHANGES: tuple[Callable[[Draft, random.Random], Draft], ...] = (
    _protected,
    _protected,
    _protected_bytes,
    _header,
    _payload,
    _payload_bytes,
    _envelope,
    _envelope_tree,
    _chain,
    _certificate,
    _certificate,
    _policy,
    _policy,
    _policy_bytes,
)
"""What may be changed; some twice, because more can be wrong there."""
