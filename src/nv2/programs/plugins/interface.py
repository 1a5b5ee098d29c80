"""The plugin port: what a plugin can be asked (plugin-extensibility, "Plugin contract" 1.0).

What this module does not do: find a plugin, or decide whether one may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nv2.programs.contract import Capability

if TYPE_CHECKING:
    from nv2.envelope.algorithms import Algorithm

MAX_OUTPUT = 16 * 1024 * 1024
"""Bytes that a plugin may print on each channel: an envelope of the largest size in base64 fits twice. notation: 64 MiB."""

MAX_NAME = 200
NAME_RULE = "a plugin's name has letters, digits, '_', '.' and '-', and no '..'"

_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


def is_plugin_name(name: str) -> bool:
    """Whether a plugin can have this name: it is joined to a directory, and may have come from a stranger."""
    return bool(_NAME.fullmatch(name)) and ".." not in name and name != "." and len(name) <= MAX_NAME


class Metadata(NamedTuple):
    """What a plugin says about itself."""

    name: str
    description: str
    version: str
    url: str
    capabilities: tuple[str, ...]
    """As written: those that a later contract adds are kept."""

    def can(self, capability: Capability) -> bool:
        """Whether the plugin has `capability`."""
        return capability in self.capabilities


class RawSignature(NamedTuple):
    """What `generate-signature` answers; nothing of it is checked yet but its form."""

    signature: bytes
    """Raw: RSASSA-PSS, or r and s concatenated."""
    chain: tuple[bytes, ...]
    """DER, signing certificate first."""


class MadeEnvelope(NamedTuple):
    """What `generate-envelope` answers; nothing of it is checked yet but its form."""

    data: bytes
    annotations: Mapping[str, str] = _NO_TEXTS
    """For the signature manifest."""


class SignatureInQuestion(NamedTuple):
    """What a verification plugin is told about a signature of proven integrity."""

    content_type: str
    scheme: str
    expiry: datetime | None
    authentic_signing_time: datetime | None
    plugin: str
    min_version: str | None
    extended: Mapping[str, object]
    """Extended attributes: JSON primitives, by name."""
    unprocessed: tuple[str, ...]
    """Names of the critical ones among `extended`."""
    chain: tuple[bytes, ...]
    """DER, signing certificate first."""
    identities: tuple[str, ...]
    """Trusted identities of the policy, as written."""
    wanted: tuple[Capability, ...]
    """Which checks to do."""


class Result(NamedTuple):
    """The outcome of one check that a plugin did."""

    success: bool
    reason: str = ""


class PluginVerdict(NamedTuple):
    """What `verify-signature` answers."""

    results: Mapping[str, Result]
    """By capability, as written."""
    processed: frozenset[str]
    """Names of the attributes that the plugin understood."""


class SigningPlugin(Protocol):
    """A plugin that can reach keys. Everything raises `PluginError` or `EnvironmentFailure`."""

    @property
    def name(self) -> str:
        """Its name."""

    def metadata(self) -> Metadata:
        """What it says about itself; checked, and asked only once."""

    def describe_key(self, key_id: str) -> Algorithm:
        """The algorithm that the key prescribes."""

    def generate_signature(self, key_id: str, algorithm: Algorithm, payload: bytes) -> RawSignature:
        """The signature of `payload`."""

    def generate_envelope(
        self, key_id: str, media_type: str, payload: bytes, payload_type: str, expiry_seconds: int | None
    ) -> MadeEnvelope:
        """An envelope of `media_type` around `payload`."""


class VerificationPlugin(Protocol):
    """A plugin that takes over checks. Everything raises `PluginError` or `EnvironmentFailure`."""

    def metadata(self) -> Metadata:
        """What it says about itself; checked, and asked only once."""

    def verify_signature(self, question: SignatureInQuestion) -> PluginVerdict:
        """Its results."""


class FindPlugin(Protocol):
    """Whoever finds installed verification plugins."""

    def __call__(self, name: str, /) -> VerificationPlugin:
        """The plugin `name`, which nobody has checked. Raises `PluginError`, `EnvironmentFailure`."""
