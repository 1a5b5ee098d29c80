"""Denials: keys, signatures and artifacts that no longer count, whatever else says yes.

The Notary Project knows revocation by the authority that issued a certificate. A key without one, a single signature
and an artifact are withdrawn here: by a list of this machine, which goes before every trust. Keys are meant by their
SubjectPublicKeyInfo, so that another certificate does not help, and signatures by what was signed, so that neither
other unsigned attributes nor another encoding does. What this module does not do: read or write the list's file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from nv2.errors import InvalidReference
from nv2.oci.digest import Digest, parse_digest
from nv2.plain_text import one_line, rfc3339
from nv2.strict_json import ErrorType, Fields, loads
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome

if TYPE_CHECKING:
    from nv2.envelope.envelope import Envelope
    from nv2.pki.certificate import Certificate
    from nv2.pki.chain import Chain

SCHEMA = "nv2.trust.denials/v1"
MAX_TEXT = 400
"""Characters of a reason, and of who denied."""
ID_LENGTH = 16
"""Hexadecimal digits of a denial's name: enough to tell a million apart."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class DenialKind(Enum):
    """What a denial is about; the values are the words of the file."""

    KEY = "key"
    SIGNATURE = "signature"
    KEY_FOR_ARTIFACT = "keyForArtifact"
    ARTIFACT = "artifact"


_TARGETS: Mapping[DenialKind, tuple[str, ...]] = MappingProxyType(
    {
        DenialKind.KEY: ("spki",),
        DenialKind.SIGNATURE: ("spki", "signedBytes"),
        DenialKind.KEY_FOR_ARTIFACT: ("spki", "artifact"),
        DenialKind.ARTIFACT: ("artifact",),
    }
)
"""The fields that say what is meant: SHA-256 in lower hexadecimal, and for `artifact` a digest.

Of a signature, the signed bytes do not suffice: nothing in them says who signed, so that two who sign an artifact in
the same second sign the same, and one of the two is meant.
"""

_OTHERS = ("kind", "id", "reason", "deniedAt", "deniedBy")


class Denial(NamedTuple):
    """One entry. Two with the same `kind` and `target` mean the same."""

    kind: DenialKind
    target: tuple[str, ...]
    """As `_TARGETS` orders it."""
    reason: str
    denied_at: str
    """RFC 3339 in UTC."""
    denied_by: str | None = None

    @property
    def id(self) -> str:
        """A short name, the same on every machine."""
        return sha256("\n".join((self.kind.value, *self.target)).encode()).hexdigest()[:ID_LENGTH]

    def to_json(self) -> dict[str, str]:
        """The JSON object."""
        target = dict(zip(_TARGETS[self.kind], self.target, strict=True))
        who = {"deniedBy": self.denied_by} if self.denied_by else {}
        return {
            "id": self.id,
            "kind": self.kind.value,
            **target,
            "reason": self.reason,
            "deniedAt": self.denied_at,
            **who,
        }

    def told(self, what: str) -> str:
        """Why `what` does not count, in one line."""
        return one_line(f"{what} is denied since {self.denied_at}: {self.reason}")


class DenialList:
    """All denials that apply. Immutable; looked up without going through them."""

    def __init__(self, denials: Iterable[Denial] = ()) -> None:
        self.denials = tuple(denials)

    @cached_property
    def _by_target(self) -> Mapping[tuple[DenialKind, tuple[str, ...]], Denial]:
        return {(denial.kind, denial.target): denial for denial in self.denials}

    def _find(self, kind: DenialKind, *target: str) -> Denial | None:
        return self._by_target.get((kind, target))

    def merged(self, others: Iterable[Denial]) -> DenialList:
        """With those of `others` that are new; what is known keeps its words."""
        found = dict(self._by_target)
        for denial in others:
            found.setdefault((denial.kind, denial.target), denial)
        return DenialList(found.values())

    def without(self, denial: Denial) -> DenialList:
        """Without what means the same as `denial`."""
        return DenialList(
            other for other in self.denials if (other.kind, other.target) != (denial.kind, denial.target)
        )

    def of_artifact(self, digest: Digest) -> str | None:
        """Why the artifact `digest` may not be used, whoever signed it; None if nobody denied it."""
        denial = self._find(DenialKind.ARTIFACT, digest)
        return denial.told("the artifact") if denial else None

    def refusal(self, envelope: Envelope, chain: Chain, digest: Digest) -> str | None:
        """Why a signature of the artifact `digest` does not count; None if nobody denied it, or a key of its chain."""
        found = self._find(DenialKind.SIGNATURE, *signature_target(envelope, chain))
        return found.told("the signature") if found else self.of_chain(chain, digest)

    def of_chain(self, chain: Chain, digest: Digest | None = None) -> str | None:
        """Why no signature of `chain` counts: the key of any of its certificates is denied, everywhere or for `digest`.

        An authority that is denied takes with it all that it issued.
        """
        for number, certificate in enumerate(chain.certificates, 1):
            spki = spki_hash(certificate)
            denial = self._find(DenialKind.KEY, spki)
            if denial is None and digest is not None:
                denial = self._find(DenialKind.KEY_FOR_ARTIFACT, spki, digest)
            if denial:
                where = " for this artifact" if denial.kind is DenialKind.KEY_FOR_ARTIFACT else ""
                return denial.told(f"the key of certificate #{number} ({certificate.subject}){where}")
        return None

    def finding(self, envelope: Envelope, chain: Chain, digest: Digest) -> Finding:
        """The finding about a signature of proven integrity."""
        refusal = self.refusal(envelope, chain, digest)
        if refusal is None:
            return Finding(Validation.DENIAL, Outcome.PASSED)
        return Finding(Validation.DENIAL, Outcome.FAILED, refusal)

    def to_json(self) -> dict[str, Any]:
        """The document, as it is stored and handed out."""
        return {"schema": SCHEMA, "denials": [denial.to_json() for denial in self.denials]}

    def encode(self) -> bytes:
        """The document as bytes."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False).encode() + b"\n"


def spki_hash(certificate: Certificate) -> str:
    """SHA-256 of the certificate's SubjectPublicKeyInfo, lower hexadecimal."""
    return sha256(certificate.spki).hexdigest()


def signature_target(envelope: Envelope, chain: Chain) -> tuple[str, str]:
    """What means this signature: SHA-256 of the signer's key, and of what was signed, in lower hexadecimal.

    The latter is the JWS Signing Input or the COSE Sig_structure.
    """
    return spki_hash(chain.leaf), sha256(envelope.signed_bytes).hexdigest()


def deny(
    kind: DenialKind,
    target: tuple[str, ...],
    *,
    reason: str,
    now: datetime,
    who: str | None,
    error: ErrorType,
) -> Denial:
    """A new denial. Raises `error` for what could not be read again."""
    denial = Denial(kind, target, reason, rfc3339(now), who)
    return _denial(Fields(dict(denial.to_json()), "", error))


def parse_denials(data: bytes, error: ErrorType) -> DenialList:
    """The list that `data` holds, to its last field. Raises `error` with the place."""
    fields = Fields.of(loads(data, error), "", error)
    fields.only("schema", "denials")
    schema = fields.require("schema", str)
    if schema != SCHEMA:
        raise error(f"not a list of denials: its schema is not {SCHEMA!r}", at=fields.place("schema"))
    found = DenialList(map(_denial, fields.objects("denials")))
    if len(found.merged(()).denials) != len(found.denials):
        raise error("two denials mean the same", at="denials")
    return found


def _denial(fields: Fields) -> Denial:
    word = fields.require("kind", str)
    kind = next((kind for kind in DenialKind if kind.value == word), None)
    if kind is None:
        words = ", ".join(kind.value for kind in DenialKind)
        raise fields.error(
            "an unknown kind of denial",
            at=fields.place("kind"),
            hint=f"kinds: {words}; a newer nv2 may know more",
        )
    fields.only(*_OTHERS, *_TARGETS[kind])
    target = tuple(_target(fields, name) for name in _TARGETS[kind])
    at = fields.require("deniedAt", str)
    if not _INSTANT.fullmatch(at):
        raise fields.error("expected a time like 2026-01-02T15:04:05Z", at=fields.place("deniedAt"))
    who = _text(fields, "deniedBy") if "deniedBy" in fields.value else None
    denial = Denial(kind, target, _text(fields, "reason"), at, who)
    if fields.get("id", str) not in (None, denial.id):
        raise fields.error(f"does not fit the denial, which is {denial.id}", at=fields.place("id"))
    return denial


def _target(fields: Fields, name: str) -> str:
    text = fields.require(name, str)
    if name == "artifact":
        try:
            return parse_digest(text)
        except InvalidReference as e:
            raise fields.error(e.message, at=fields.place(name)) from None
    if not _SHA256.fullmatch(text):
        raise fields.error("expected SHA-256 as 64 lower-case hexadecimal digits", at=fields.place(name))
    return text


def _text(fields: Fields, name: str) -> str:
    text = fields.require(name, str)
    if not text.strip() or not text.isprintable() or len(text) > MAX_TEXT:
        raise fields.error(
            f"expected one line of at most {MAX_TEXT} characters that can be shown", at=fields.place(name)
        )
    return text


def rows(denials: DenialList) -> Iterator[tuple[str, str, str, str, str]]:
    """For people: id, kind, what is meant, since when and why (by whom, where that is known)."""
    for denial in denials.denials:
        by = f" (by {denial.denied_by})" if denial.denied_by else ""
        yield denial.id, denial.kind.value, " ".join(denial.target), denial.denied_at, denial.reason + by
