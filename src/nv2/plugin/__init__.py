"""Write a plugin for notation and nv2 in a few lines: contract 1.0 (plugin-extensibility, "Plugin contract").

    #!/usr/bin/env python3
    from nv2.plugin import Plugin

    plugin = Plugin("com.example.hsm", "1.0.0", "keys in our HSM", "https://example.com/hsm")

    @plugin.signer
    def open_key(key_id, config):
        return MySigner(key_id)      # with `chain` and `sign(data)`: `nv2.plugin.KeyHolder`

    if __name__ == "__main__":
        raise SystemExit(plugin.run())

The file is called `notation-com.example.hsm`. Other doors: `describe_key` and `generate_signature`, `generate_envelope`,
`verify_signature`. Capabilities are what there are functions for. A function says no by raising `Refusal`; whatever else it
raises becomes an error without its text, which may hold secrets. What it prints goes to standard error.
"""

from __future__ import annotations

from nv2.plugin.messages import (
    DescribeKey,
    Envelope,
    GenerateEnvelope,
    GenerateSignature,
    Refusal,
    Verified,
    VerifySignature,
)
from nv2.plugin.program import KeyHolder, Plugin
from nv2.programs.contract import Capability, ErrorCode
from nv2.programs.plugins.interface import RawSignature, Result

__all__ = [
    "Capability",
    "DescribeKey",
    "Envelope",
    "ErrorCode",
    "GenerateEnvelope",
    "GenerateSignature",
    "KeyHolder",
    "Plugin",
    "RawSignature",
    "Refusal",
    "Result",
    "Verified",
    "VerifySignature",
]
