"""Plugins in memory: a `Programs` that answers for one, honestly, or as it was told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nv2.envelope.envelope import Draft, Scheme, SignedAttributes
from nv2.envelope.formats import FORMATS
from nv2.programs.interface import MAX_OUTPUT, TIMEOUT, Finished
from nv2.programs.plugins.calls import InstalledPlugin
from tests.world.ca import Pair
from tests.world.signed import SIGNED_AT

RAW, ENVELOPE = "SIGNATURE_GENERATOR.RAW", "SIGNATURE_GENERATOR.ENVELOPE"
IDENTITY, REVOCATION = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY", "SIGNATURE_VERIFIER.REVOCATION_CHECK"
METADATA: Mapping[str, Any] = {
    "name": "acme",
    "description": "Signs",
    "version": "1.0.0",
    "url": "https://example.com",
    "supportedContractVersions": ["1.0"],
    "capabilities": [RAW, IDENTITY, REVOCATION],
}

Change = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | Finished | Exception
"""Fields of an answer, or what makes them of the request; or how the program ends instead."""


def said(document: Any, status: int = 0) -> Finished:
    """A program that printed `document`."""
    return Finished(status, json.dumps(document).encode(), b"")


class FakePlugin:
    """`programs` of a plugin `acme` that signs with `pair`; `changes` are what it answers otherwise, by command."""

    def __init__(self, pair: Pair, **changes: Change) -> None:
        self._pair = pair
        self._changes = {name.replace("_", "-"): change for name, change in changes.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def installed(self, config: Mapping[str, str] | None = None) -> InstalledPlugin:
        """The plugin as nv2 calls it."""
        return InstalledPlugin(self, Path("/plugins/acme/notation-acme"), "acme", config or {})

    def run(
        self,
        arguments: tuple[str, ...],
        standard_input: bytes,
        *,
        timeout: float = TIMEOUT,
        max_output: int = MAX_OUTPUT,
    ) -> Finished:
        """As `Programs.run`."""
        command, request = arguments[1], json.loads(standard_input)
        self.asked.append((command, request))
        change = self._changes.get(command, {})
        if isinstance(change, Exception):
            raise change
        if isinstance(change, Finished):
            return change
        changed = change(request) if callable(change) else change
        return said({**self._answer(command, request), **changed})

    def _answer(self, command: str, request: dict[str, Any]) -> dict[str, Any]:
        signer = self._pair.signer()
        match command:
            case "get-plugin-metadata":
                return dict(METADATA)
            case "describe-key":
                return {"keyId": request["keyId"], "keySpec": signer.algorithm.key}
            case "generate-signature":
                signature = signer.sign(base64.b64decode(request["payload"]))
                return {
                    "keyId": request["keyId"],
                    "signature": encoded(signature),
                    "signingAlgorithm": signer.algorithm.name,
                    "certificateChain": [encoded(der) for der in self._pair.chain],
                }
            case "generate-envelope":
                return {
                    "signatureEnvelope": encoded(envelope_for(request, self._pair)),
                    "signatureEnvelopeType": request["signatureEnvelopeType"],
                }
            case _:
                wanted = request["trustPolicy"]["signatureVerification"]
                return {
                    "verificationResults": {name: {"success": True} for name in wanted},
                    "processedAttributes": request["signature"]["unprocessedAttributes"],
                }


def encoded(data: bytes) -> str:
    """Base64, as in the messages."""
    return base64.b64encode(data).decode()


def envelope_for(request: Mapping[str, Any], pair: Pair, payload: bytes | None = None) -> bytes:
    """What `generate-envelope` asks for, or around another `payload`."""
    attributes = SignedAttributes(request["payloadType"], Scheme.X509, SIGNED_AT)
    draft = Draft(base64.b64decode(request["payload"]) if payload is None else payload, attributes, "acme")
    signer = pair.signer()
    return FORMATS[request["signatureEnvelopeType"]].seal(draft, pair.chain, signer.algorithm, signer.sign)
