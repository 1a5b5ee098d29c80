"""What goes to a plugin and what comes back: JSON of contract 1.0, read strictly.

Fields that a later version of the contract adds are ignored; everything else has its type, or is refused.
What this module does not do: start the plugin.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nv2 import strict_json
from nv2.envelope.algorithms import ALGORITHMS, BY_KEY, Algorithm
from nv2.errors import PluginError
from nv2.plain_text import one_line, quoted, rfc3339
from nv2.programs.contract import CONTRACT_VERSION
from nv2.programs.plugins.interface import (
    MadeEnvelope,
    Metadata,
    PluginVerdict,
    RawSignature,
    Result,
    SignatureInQuestion,
)
from nv2.strict_json import Fields

MAX_ITEMS = 100
"""Capabilities, results, annotations or certificates in one answer; no plugin has use for more."""

MAX_TEXT = 1000
"""Characters of what a plugin says for people."""

_TEXTS = ("name", "description", "version", "url")
_BY_NAME = {algorithm.name: algorithm for algorithm in ALGORITHMS}


def request(fields: Mapping[str, Any], config: Mapping[str, str], *, contract: bool = True) -> bytes:
    """A request with `fields`, of which those that are None are left out."""
    said = {"contractVersion": CONTRACT_VERSION} if contract else {}
    given = {key: value for key, value in fields.items() if value is not None}
    configured = {"pluginConfig": dict(config)} if config else {}
    return json.dumps({**said, **given, **configured}, separators=(",", ":"), ensure_ascii=False).encode()


def base64_of(data: bytes) -> str:
    """`data` as Go writes bytes into JSON."""
    return b64encode(data).decode()


def question_fields(question: SignatureInQuestion) -> dict[str, Any]:
    """The request of `verify-signature`."""
    critical = {
        "contentType": question.content_type,
        "signingScheme": question.scheme,
        "expiry": _instant(question.expiry),
        "authenticSigningTime": _instant(question.authentic_signing_time),
        "verificationPlugin": question.plugin,
        "verificationPluginMinVersion": question.min_version,
        "extendedAttributes": dict(question.extended),
    }
    return {
        "signature": {
            "criticalAttributes": {key: value for key, value in critical.items() if value is not None},
            "unprocessedAttributes": list(question.unprocessed),
            "certificateChain": [base64_of(certificate) for certificate in question.chain],
        },
        "trustPolicy": {
            "trustedIdentities": list(question.identities),
            "signatureVerification": list(question.wanted),
        },
    }


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def read(data: bytes, at: str) -> Fields:
    """The fields of an answer; `at` is the plugin and the command. Raises `PluginError`."""
    return Fields.of(strict_json.loads(data, PluginError, at=at), at, PluginError)


def read_metadata(fields: Fields) -> Metadata:
    """What a plugin says about itself. Raises `PluginError` for fields that are missing or empty."""
    texts = [_not_empty(fields, key) for key in _TEXTS]
    capabilities = _some(fields, "capabilities")
    versions = _some(fields, "supportedContractVersions")
    if CONTRACT_VERSION not in versions:
        raise PluginError(
            f"contract version {CONTRACT_VERSION} is not among the supported ones: {one_line(', '.join(versions))}",
            at=fields.place("supportedContractVersions"),
        )
    name, description, version, url = texts
    return Metadata(name, description, version, url, capabilities)


def _not_empty(fields: Fields, key: str) -> str:
    text = fields.require(key, str)
    if not text:
        raise PluginError(f"empty {key}", at=fields.at)
    if len(text) > MAX_TEXT:
        raise PluginError(f"longer than {MAX_TEXT} characters", at=fields.place(key))
    return text


def _some(fields: Fields, key: str) -> tuple[str, ...]:
    found = fields.strings(key)
    if not found:
        raise PluginError(f"empty {key}", at=fields.at)
    return _bounded(found, fields, key)


def _bounded(found: tuple[str, ...], fields: Fields, key: str) -> tuple[str, ...]:
    if len(found) > MAX_ITEMS:
        raise PluginError(f"more than {MAX_ITEMS} entries", at=fields.place(key))
    return found


def check_key(fields: Fields, key_id: str) -> None:
    """Raise `PluginError` unless the answer is about the key that was named."""
    answered = fields.require("keyId", str)
    if answered != key_id:
        raise PluginError(
            f"the answer is about key {quoted(answered)}, not {quoted(key_id)}", at=fields.place("keyId")
        )


def read_key(fields: Fields, key_id: str) -> Algorithm:
    """The algorithm of the key that `describe-key` describes. Raises `PluginError`."""
    check_key(fields, key_id)
    spec = fields.require("keySpec", str)
    if spec not in BY_KEY:
        raise PluginError(
            f"{quoted(spec)} is no key that can sign",
            at=fields.place("keySpec"),
            hint=f"possible: {', '.join(BY_KEY)}",
        )
    return BY_KEY[spec]


def read_signature(fields: Fields, key_id: str, algorithm: Algorithm) -> RawSignature:
    """What `generate-signature` made, if it says that it is of that key and algorithm. Raises `PluginError`."""
    check_key(fields, key_id)
    name = fields.require("signingAlgorithm", str)
    if _BY_NAME.get(name) != algorithm:
        raise PluginError(
            f"{quoted(name)}, where the key prescribes {algorithm.name}", at=fields.place("signingAlgorithm")
        )
    chain = _some(fields, "certificateChain")
    place = fields.place("certificateChain")
    return RawSignature(
        _bytes(fields.require("signature", str), fields.place("signature")),
        tuple(_bytes(text, f"{place}[{i}]") for i, text in enumerate(chain)),
    )


def read_envelope(fields: Fields, media_type: str) -> MadeEnvelope:
    """What `generate-envelope` made, if it says that it is of `media_type`. Raises `PluginError`."""
    answered = fields.require("signatureEnvelopeType", str)
    if answered != media_type:
        raise PluginError(
            f"{quoted(answered)}, where {media_type} was asked for", at=fields.place("signatureEnvelopeType")
        )
    # Go's plugins write null for a map that they never filled.
    given = None if fields.value.get("annotations") is None else fields.string_map("annotations")
    if given and len(given) > MAX_ITEMS:
        raise PluginError(f"more than {MAX_ITEMS} entries", at=fields.place("annotations"))
    data = _bytes(fields.require("signatureEnvelope", str), fields.place("signatureEnvelope"))
    return MadeEnvelope(data, given or {})


def read_verdict(fields: Fields) -> PluginVerdict:
    """What `verify-signature` found. Raises `PluginError`."""
    results = fields.object("verificationResults")
    if results is None:
        raise PluginError("an object is missing", at=fields.place("verificationResults"))
    if len(results.value) > MAX_ITEMS:
        raise PluginError(f"more than {MAX_ITEMS} entries", at=results.at)
    found = {key: _result(results, key) for key in results.value if results.value[key] is not None}
    # Attributes may be as many as an envelope holds, and null is what Go writes for none.
    processed = None if fields.value.get("processedAttributes") is None else _processed(fields)
    return PluginVerdict(found, frozenset(processed or ()))


def _processed(fields: Fields) -> tuple[str, ...] | None:
    return fields.strings("processedAttributes")


def _result(results: Fields, key: str) -> Result:
    given = Fields.of(results.value[key], results.place(quoted(key)), PluginError)
    return Result(given.require("success", bool), one_line(given.get("reason", str) or "", MAX_TEXT))


def _bytes(text: str, at: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise PluginError("is not base64", at=at) from None


def read_error(data: bytes, at: str, status: int) -> PluginError:
    """The error of a plugin that ended with `status`, from its standard error: never raised here."""
    try:
        fields = read(data, at)
        code, message = fields.require("errorCode", str), fields.get("errorMessage", str) or ""
        more = fields.string_map("errorMetadata") if fields.value.get("errorMetadata") else None
    except PluginError:
        return _without_document(data, at, status)
    shown = one_line(f"{code}: {message}" if message else code, MAX_TEXT)
    hint = one_line(", ".join(f"{key}: {value}" for key, value in (more or {}).items())) or None
    return PluginError(shown, at=at, hint=hint)


def _without_document(data: bytes, at: str, status: int) -> PluginError:
    how = f"ended with exit code {status}" if status >= 0 else f"was ended by signal {-status}"
    said = one_line(" ".join(data.decode("utf-8", "replace").split()))
    message = f"{how}, and said: {said}" if said else f"{how}, and said nothing"
    return PluginError(
        message, at=at, hint="a plugin that fails says why, as JSON on standard error; ask its publisher"
    )
