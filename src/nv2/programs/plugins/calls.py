"""A plugin as a program: each question starts it once (plugin-extensibility, "Plugin contract")."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nv2.envelope.algorithms import Algorithm
from nv2.errors import Nv2Error, PluginError
from nv2.plain_text import quoted
from nv2.programs.contract import EXECUTABLE_PREFIX, HASH_NAMES, Command
from nv2.programs.interface import Programs
from nv2.programs.plugins import messages
from nv2.programs.plugins.interface import (
    MAX_OUTPUT,
    MadeEnvelope,
    Metadata,
    PluginVerdict,
    RawSignature,
    SignatureInQuestion,
)
from nv2.strict_json import Fields

METADATA_TIMEOUT = 15.0
"""Seconds for what is written into the plugin; the contract asks it not to call anybody."""

VERIFY_TIMEOUT = 60.0
"""Seconds; a plugin may ask a service."""

SIGN_TIMEOUT = 300.0
"""Seconds; somebody may have to touch a token or to approve."""

_TIMEOUTS = {Command.METADATA: METADATA_TIMEOUT, Command.VERIFY_SIGNATURE: VERIFY_TIMEOUT}


class InstalledPlugin:
    """A `SigningPlugin` and `VerificationPlugin` that is an executable of this machine. Safe for threads.

    `config` goes to it with every question, as it is. Every method raises `PluginError` for what the plugin
    refuses or answers wrongly, and `EnvironmentFailure` if it cannot be run, hangs or floods.
    """

    def __init__(self, programs: Programs, executable: Path, name: str, config: Mapping[str, str]) -> None:
        self._programs = programs
        self._executable = executable
        self._config = config
        self._lock = threading.Lock()
        self._metadata: Metadata | Nv2Error | None = None
        self.name = name

    def metadata(self) -> Metadata:
        """As `SigningPlugin.metadata`. What went wrong the first time is not tried again."""
        with self._lock:
            if self._metadata is None:
                try:
                    self._metadata = self._read_metadata()
                except Nv2Error as e:
                    self._metadata = e
            if isinstance(self._metadata, Nv2Error):
                raise self._metadata
            return self._metadata

    def _read_metadata(self) -> Metadata:
        found = messages.read_metadata(self._ask(Command.METADATA, {}, contract=False))
        if found.name != self.name:
            raise PluginError(
                f"plugin executable file name must be {quoted(EXECUTABLE_PREFIX + found.name)} instead of "
                f"{quoted(EXECUTABLE_PREFIX + self.name)}",
                at=f"plugin {self.name}",
            )
        return found

    def describe_key(self, key_id: str) -> Algorithm:
        """As `SigningPlugin.describe_key`."""
        return messages.read_key(self._ask(Command.DESCRIBE_KEY, {"keyId": key_id}), key_id)

    def generate_signature(self, key_id: str, algorithm: Algorithm, payload: bytes) -> RawSignature:
        """As `SigningPlugin.generate_signature`."""
        fields = {
            "keyId": key_id,
            "keySpec": algorithm.key,
            "hashAlgorithm": HASH_NAMES[algorithm.hash],
            "payload": messages.base64_of(payload),
        }
        return messages.read_signature(self._ask(Command.GENERATE_SIGNATURE, fields), key_id, algorithm)

    def generate_envelope(
        self, key_id: str, media_type: str, payload: bytes, payload_type: str, expiry_seconds: int | None
    ) -> MadeEnvelope:
        """As `SigningPlugin.generate_envelope`."""
        fields = {
            "keyId": key_id,
            "expiryDurationInSeconds": expiry_seconds,
            "payload": messages.base64_of(payload),
            "payloadType": payload_type,
            "signatureEnvelopeType": media_type,
        }
        return messages.read_envelope(self._ask(Command.GENERATE_ENVELOPE, fields), media_type)

    def verify_signature(self, question: SignatureInQuestion) -> PluginVerdict:
        """As `VerificationPlugin.verify_signature`."""
        return messages.read_verdict(self._ask(Command.VERIFY_SIGNATURE, messages.question_fields(question)))

    def _ask(self, command: Command, fields: Mapping[str, Any], *, contract: bool = True) -> Fields:
        at = f"plugin {self.name}: {command}"
        finished = self._programs.run(
            (str(self._executable), command.value),
            messages.request(fields, self._config, contract=contract),
            timeout=_TIMEOUTS.get(command, SIGN_TIMEOUT),
            max_output=MAX_OUTPUT,
        )
        if finished.status:
            raise messages.read_error(finished.errors, at, finished.status)
        return messages.read(finished.output, at)
