"""Requests of the plugin contract as values, and answers as JSON: the plugin's side of `programs.plugins.messages`.

Fields that a later version of the contract adds are ignored, as it demands. What this module does not do: run functions.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from nv2 import strict_json
from nv2.envelope import algorithms
from nv2.envelope.algorithms import BY_KEY
from nv2.errors import InvalidCertificate, InvalidSignature, UsageError
from nv2.pki.chain import parse_chain
from nv2.plain_text import quoted
from nv2.programs.contract import CONTRACT_VERSION, HASH_NAMES, Capability, ErrorCode
from nv2.programs.plugins.interface import RawSignature, Result
from nv2.strict_json import Fields

NOTHING: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):
    """A function of a plugin says no; `message` is shown to the user, so it may hold no secret."""

    def __init__(
        self,
        message: str,
        code: ErrorCode = ErrorCode.ERROR,
        metadata: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.metadata = metadata

    def document(self) -> dict[str, Any]:
        """What the contract wants on standard error."""
        more = {"errorMetadata": dict(self.metadata)} if self.metadata else {}
        return {"errorCode": str(self.code), "errorMessage": self.message, **more}


class DescribeKey(NamedTuple):
    """Which key is meant. The answer: its kind, a key of `nv2.envelope.algorithms.BY_KEY` such as `EC-256`."""

    key_id: str
    config: Mapping[str, str]


class GenerateSignature(NamedTuple):
    """What to sign. The answer: `RawSignature`."""

    key_id: str
    config: Mapping[str, str]
    key_spec: str
    """Kind of the key as `describe-key` told it."""
    hash_name: str
    """hashlib's name of the hash that the signature must be made with."""
    payload: bytes
    """The bytes to sign, not hashed yet."""


class GenerateEnvelope(NamedTuple):
    """What to make an envelope of. The answer: `Envelope`."""

    key_id: str
    config: Mapping[str, str]
    payload: bytes
    payload_type: str
    envelope_type: str
    """Media type: `application/jose+json` or `application/cose`."""
    expiry: timedelta | None
    """From now."""


class Envelope(NamedTuple):
    """The answer to `GenerateEnvelope`."""

    data: bytes
    annotations: Mapping[str, str] = NOTHING
    """For the signature manifest."""


class VerifySignature(NamedTuple):
    """A signature of proven integrity whose further checks the plugin does. The answer: `Verified`."""

    content_type: str
    signing_scheme: str
    expiry: str | None
    """RFC 3339, as the two that follow."""
    authentic_signing_time: str | None
    extended: Mapping[str, Any]
    """Extended attributes, by name."""
    unprocessed: tuple[str, ...]
    """Names of critical attributes that nobody but the plugin understands."""
    chain: tuple[bytes, ...]
    """DER, signing certificate first."""
    trusted_identities: tuple[str, ...]
    """As written in the trust policy."""
    wanted: tuple[Capability, ...]
    """Each needs a result."""
    config: Mapping[str, str]


class Verified(NamedTuple):
    """The answer to `VerifySignature`."""

    results: Mapping[Capability, Result]
    processed: Sequence[str] = ()
    """Those of `unprocessed` that the plugin has checked."""


def read_request(data: bytes, *, contract: bool = True) -> Fields:
    """The fields of a request. Raises `UsageError`, and `Refusal` for another version of the contract."""
    fields = Fields.of(strict_json.loads(data, UsageError), "", UsageError)
    version = fields.require("contractVersion", str) if contract else CONTRACT_VERSION
    if version != CONTRACT_VERSION:
        raise Refusal(
            f"contract version {quoted(version)} is not supported, only {CONTRACT_VERSION}",
            ErrorCode.UNSUPPORTED_CONTRACT_VERSION,
        )
    return fields


def describe_key(fields: Fields) -> DescribeKey:
    """The request of `describe-key`. Raises `UsageError`, as the others."""
    return DescribeKey(_text(fields, "keyId"), _config(fields))


def generate_signature(fields: Fields) -> GenerateSignature:
    """The request of `generate-signature`. Raises `UsageError`."""
    spec, name = _text(fields, "keySpec"), _text(fields, "hashAlgorithm")
    if spec not in BY_KEY:
        raise UsageError(f"unknown key spec {quoted(spec)}", at="keySpec")
    wanted = BY_KEY[spec].hash
    if name != HASH_NAMES[wanted]:
        raise UsageError(f"a key {spec} signs with {HASH_NAMES[wanted]}", at="hashAlgorithm")
    return GenerateSignature(
        _text(fields, "keyId"), _config(fields), spec, wanted, _bytes(_text(fields, "payload"), "payload")
    )


def generate_envelope(fields: Fields) -> GenerateEnvelope:
    """The request of `generate-envelope`. Raises `UsageError`."""
    seconds = fields.get("expiryDurationInSeconds", int)
    try:
        expiry = timedelta(seconds=seconds) if seconds else None
    except OverflowError:
        raise UsageError("too large", at="expiryDurationInSeconds") from None
    return GenerateEnvelope(
        _text(fields, "keyId"),
        _config(fields),
        _bytes(_text(fields, "payload"), "payload"),
        _text(fields, "payloadType"),
        _text(fields, "signatureEnvelopeType"),
        expiry,
    )


def verify_signature(fields: Fields) -> VerifySignature:
    """The request of `verify-signature`. Raises `UsageError`."""
    signature, policy = _object(fields, "signature"), _object(fields, "trustPolicy")
    critical = _object(signature, "criticalAttributes")
    wanted = _strings(policy, "signatureVerification")
    if unknown := [name for name in wanted if name not in {*Capability}]:
        raise UsageError(f"unknown check {quoted(unknown[0])}", at="trustPolicy.signatureVerification")
    chain = _strings(signature, "certificateChain")
    return VerifySignature(
        _text(critical, "contentType"),
        _text(critical, "signingScheme"),
        _optional(critical, "expiry"),
        _optional(critical, "authenticSigningTime"),
        _given(critical, "extendedAttributes", dict) or {},
        _strings(signature, "unprocessedAttributes"),
        tuple(_bytes(text, f"signature.certificateChain[{i}]") for i, text in enumerate(chain)),
        _strings(policy, "trustedIdentities"),
        tuple(Capability(name) for name in wanted),
        _config(fields),
    )


def key_document(request: DescribeKey, key_spec: str) -> dict[str, Any]:
    """The answer to `describe-key`. Raises `UsageError`."""
    if key_spec not in BY_KEY:
        raise UsageError(f"{quoted(key_spec)} is no key that can sign", hint=f"possible: {', '.join(BY_KEY)}")
    return {"keyId": request.key_id, "keySpec": key_spec}


def signature_document(request: GenerateSignature, made: RawSignature) -> dict[str, Any]:
    """The answer to `generate-signature`: one that a caller would refuse is refused here. Raises `UsageError`."""
    algorithm = BY_KEY[request.key_spec]
    try:
        leaf = parse_chain(made.chain).leaf
        algorithms.verify(algorithm, leaf.public_key, made.signature, request.payload)
    except (InvalidCertificate, InvalidSignature) as e:
        raise UsageError(f"the key made no usable signature: {e}") from None
    return {
        "keyId": request.key_id,
        "signature": _base64(made.signature),
        "signingAlgorithm": algorithm.name,
        "certificateChain": [_base64(der) for der in made.chain],
    }


def envelope_document(request: GenerateEnvelope, made: Envelope) -> dict[str, Any]:
    """The answer to `generate-envelope`."""
    return {
        "signatureEnvelope": _base64(made.data),
        "signatureEnvelopeType": request.envelope_type,
        "annotations": dict(made.annotations),
    }


def verified_document(request: VerifySignature, found: Verified) -> dict[str, Any]:
    """The answer to `verify-signature`. Raises `UsageError` unless there is a result for each check that was asked for."""
    if {*found.results} != {*request.wanted}:
        raise UsageError("the results are not those of the checks that were asked for")
    if strange := {*found.processed} - {*request.unprocessed}:
        raise UsageError(f"processed {quoted(min(strange))}, which was not asked for")
    results = {
        str(name): {"success": result.success is True, "reason": result.reason}
        for name, result in found.results.items()
    }
    return {"verificationResults": results, "processedAttributes": list(found.processed)}


def _given(fields: Fields, key: str, kind: type[Any]) -> Any:
    """Go writes null for what is empty."""
    return None if fields.value.get(key) is None else fields.get(key, kind)


def _text(fields: Fields, key: str) -> str:
    text = fields.require(key, str)
    if not text:
        raise fields.error("is empty", at=fields.place(key))
    return text


def _optional(fields: Fields, key: str) -> str | None:
    return _given(fields, key, str) or None


def _object(fields: Fields, key: str) -> Fields:
    fields.require(key, dict)
    return fields.object(key) or fields


def _strings(fields: Fields, key: str) -> tuple[str, ...]:
    return () if fields.value.get(key) is None else fields.strings(key) or ()


def _config(fields: Fields) -> Mapping[str, str]:
    return {} if fields.value.get("pluginConfig") is None else fields.string_map("pluginConfig") or {}


def _bytes(text: str, at: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise UsageError("is not base64", at=at) from None


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
