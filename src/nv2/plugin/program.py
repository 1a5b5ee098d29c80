"""A plugin as a program: its functions, and the conversation of contract 1.0 on standard input and output."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar

from nv2.envelope.algorithms import algorithm_of
from nv2.errors import ConfigurationError, Nv2Error, UsageError
from nv2.plain_text import quoted
from nv2.plugin import messages
from nv2.plugin.messages import (
    DescribeKey,
    Envelope,
    GenerateEnvelope,
    GenerateSignature,
    Refusal,
    Verified,
    VerifySignature,
)
from nv2.programs.contract import CONTRACT_VERSION, MAX_MESSAGE, Capability, Command, ErrorCode
from nv2.programs.plugins.interface import RawSignature, is_plugin_name
from nv2.strict_json import Fields

F = TypeVar("F", bound=Callable[..., Any])


class KeyHolder(Protocol):
    """Whoever holds a private key: `nv2.open_key` gives one, and anything else of this shape will do."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates, signing certificate first, root last."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature of `data`: RSASSA-PSS, or r and s concatenated for ECDSA (RFC 7518 3.4)."""


OpenKey = Callable[[str, Mapping[str, str]], KeyHolder]


class _Step(NamedTuple):
    """How a command is answered: request from fields, function, document from request and result."""

    read: Callable[[Fields], Any]
    function: Callable[[Any], Any]
    write: Callable[[Any, Any], dict[str, Any]]


class Plugin:
    """A plugin's name, and the functions that make its capabilities; each is a decorator."""

    def __init__(self, name: str, version: str, description: str, url: str) -> None:
        """`version` is semantic; `url` leads to help. Raises `ValueError` for what the contract does not allow."""
        if not is_plugin_name(name):
            raise ValueError(f"{name!r} cannot be the name of a plugin")
        if not all((version, description, url)):
            raise ValueError("a plugin has a version, a description and a url")
        self.name = name
        self.version = version
        self.description = description
        self.url = url
        self._steps: dict[Command, _Step] = {}
        self._capabilities: list[Capability] = []

    def signer(self, open_key: OpenKey) -> OpenKey:
        """`open_key(key_id, config)` gives whoever signs: all that `SIGNATURE_GENERATOR.RAW` needs."""

        def spec(request: DescribeKey) -> str:
            return _spec_of(open_key(request.key_id, request.config).chain)

        def sign(request: GenerateSignature) -> RawSignature:
            holder = open_key(request.key_id, request.config)
            return RawSignature(holder.sign(request.payload), tuple(holder.chain))

        self.describe_key(spec)
        self.generate_signature(sign)
        return open_key

    def describe_key(self, function: Callable[[DescribeKey], str]) -> Callable[[DescribeKey], str]:
        """`function` tells the kind of a key: `RSA-2048`, `EC-256`, …"""
        step = _Step(messages.describe_key, function, messages.key_document)
        return self._add(Command.DESCRIBE_KEY, function, step)

    def generate_signature(
        self, function: Callable[[GenerateSignature], RawSignature]
    ) -> Callable[[GenerateSignature], RawSignature]:
        """`function` signs bytes; `describe_key` belongs to it."""
        step = _Step(messages.generate_signature, function, messages.signature_document)
        return self._add(Command.GENERATE_SIGNATURE, function, step, Capability.RAW)

    def generate_envelope(
        self, function: Callable[[GenerateEnvelope], Envelope]
    ) -> Callable[[GenerateEnvelope], Envelope]:
        """`function` makes whole envelopes."""
        step = _Step(messages.generate_envelope, function, messages.envelope_document)
        return self._add(Command.GENERATE_ENVELOPE, function, step, Capability.ENVELOPE)

    def verify_signature(
        self, *checks: Capability
    ) -> Callable[[Callable[[VerifySignature], Verified]], Callable[[VerifySignature], Verified]]:
        """The function does these checks: `TRUSTED_IDENTITY`, `REVOCATION_CHECK`."""

        def add(function: Callable[[VerifySignature], Verified]) -> Callable[[VerifySignature], Verified]:
            step = _Step(messages.verify_signature, function, messages.verified_document)
            return self._add(Command.VERIFY_SIGNATURE, function, step, *checks)

        return add

    def _add(self, command: Command, function: F, step: _Step, *capabilities: Capability) -> F:
        if command in self._steps:
            raise ValueError(f"{command} has a function already")
        self._steps[command] = step
        self._capabilities.extend(capabilities)
        return function

    def run(self) -> int:
        """Answer the command of this process, and return its exit code: `raise SystemExit(plugin.run())`."""
        from nv2.plugin import process

        return process.converse(self)

    def answer(self, arguments: Sequence[str], request: BinaryIO) -> tuple[int, bytes]:
        """Exit code, and what belongs on standard output (0) or standard error (1), for the `arguments` of a process.

        Never raises: what a function raises becomes the contract's error.
        """
        try:
            document = self._answer(arguments, request)
            return 0, _encoded(document)
        except Refusal as e:
            return 1, _encoded(e.document())
        except Nv2Error as e:
            said = f"{e} ({e.hint})" if e.hint else str(e)
            ours = isinstance(e, UsageError | ConfigurationError)
            return 1, _encoded(
                Refusal(said, ErrorCode.VALIDATION_ERROR if ours else ErrorCode.ERROR).document()
            )
        except Exception as e:
            return 1, _encoded(Refusal(_where(e)).document())

    def _answer(self, arguments: Sequence[str], request: BinaryIO) -> dict[str, Any]:
        command = arguments[0] if len(arguments) == 1 else ""
        if command == Command.METADATA:
            return self._metadata()  # the request may be empty: nothing in it matters
        step = self._steps.get(Command(command)) if command in {*Command} else None
        if step is None:
            known = ", ".join((Command.METADATA, *self._steps))
            raise Refusal(f"no such command {quoted(command)}: {known}", ErrorCode.VALIDATION_ERROR)
        data = request.read(MAX_MESSAGE + 1)
        if len(data) > MAX_MESSAGE:
            raise Refusal(f"the request is longer than {MAX_MESSAGE} bytes", ErrorCode.VALIDATION_ERROR)
        asked = step.read(messages.read_request(data))
        return step.write(asked, step.function(asked))

    def _metadata(self) -> dict[str, Any]:
        if not self._capabilities:
            raise Refusal("the plugin has no functions")
        if Capability.RAW in self._capabilities and Command.DESCRIBE_KEY not in self._steps:
            raise Refusal("the plugin signs, and does not describe its keys")
        return {
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "url": self.url,
            "supportedContractVersions": [CONTRACT_VERSION],
            "capabilities": [str(capability) for capability in self._capabilities],
        }


def _spec_of(chain: Sequence[bytes]) -> str:
    from nv2.pki.certificate import parse_certificate

    if not chain:
        raise Refusal("the key has no certificate")
    return algorithm_of(parse_certificate(chain[0]).public_key).key


def _where(error: Exception) -> str:
    """What went wrong without the error's own text, which may quote a PIN or a token."""
    steps = traceback.extract_tb(error.__traceback__)
    # Where the function that was registered gave up, and not where in a library of it.
    outside = (step.filename for step in steps if os.path.dirname(step.filename) != os.path.dirname(__file__))
    theirs = next(outside, steps[-1].filename)
    place = next(step for step in reversed(steps) if step.filename == theirs)
    return f"unexpected {type(error).__name__} in {place.name}, line {place.lineno}"


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
