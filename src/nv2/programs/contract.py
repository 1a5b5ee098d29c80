"""The words of the plugin contract (plugin-extensibility, "Plugin contract"): what both of its sides must agree on.

`programs.plugins` calls plugins of others by it, and `nv2.plugin` answers as one. What this module does not do: read or write.
"""

from __future__ import annotations

from enum import StrEnum

CONTRACT_VERSION = "1.0"
"""The only version there is."""

EXECUTABLE_PREFIX = "notation-"
"""A plugin `example` is the program `notation-example`."""

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of a message: notation's own limit."""


class Command(StrEnum):
    """A plugin's first argument."""

    METADATA = "get-plugin-metadata"
    DESCRIBE_KEY = "describe-key"
    GENERATE_SIGNATURE = "generate-signature"
    GENERATE_ENVELOPE = "generate-envelope"
    VERIFY_SIGNATURE = "verify-signature"


class Capability(StrEnum):
    """What a plugin can do, and says in its metadata."""

    RAW = "SIGNATURE_GENERATOR.RAW"
    ENVELOPE = "SIGNATURE_GENERATOR.ENVELOPE"
    ENVELOPE_FOR_BLOB = "SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB"
    TRUSTED_IDENTITY = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY"
    REVOCATION_CHECK = "SIGNATURE_VERIFIER.REVOCATION_CHECK"


class ErrorCode(StrEnum):
    """Why a plugin did not do it."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    UNSUPPORTED_CONTRACT_VERSION = "UNSUPPORTED_CONTRACT_VERSION"
    ACCESS_DENIED = "ACCESS_DENIED"
    TIMEOUT = "TIMEOUT"
    THROTTLED = "THROTTLED"
    ERROR = "ERROR"


HASH_NAMES = {"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
"""hashlib's name: the contract's."""
