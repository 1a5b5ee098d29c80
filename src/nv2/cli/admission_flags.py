"""The flags of `nv2 registry serve` that let tags name signed content only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli.command import Call, Flag
from nv2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nv2.notary.admission import CurrentJudge

REQUIRE_SIGNED = Flag("require-signed", "set tags only on what this trust policy file trusts")
KNOWN_AS = Flag("known-as", "what the policy's scopes call this registry (default its address)")


def judges(call: Call) -> Callable[[str], CurrentJudge] | None:
    """Who judges, given the registry's address; None without `--require-signed`. Raises `UsageError`."""
    policy, known_as = call.string("require-signed"), call.string("known-as")
    if policy is None:
        if known_as is not None:
            raise UsageError(
                "--known-as says what a policy calls this registry", hint="it comes with --require-signed"
            )
        return None
    from nv2.oci.reference import is_registry

    if known_as is not None and not is_registry(known_as):
        raise UsageError("not the name of a registry", at=known_as, hint="expected HOST or HOST:PORT")
    return partial(_judge, Path(policy), known_as, call.output.warn)


def _judge(policy: Path, known_as: str | None, warn: Callable[[str], None], address: str) -> CurrentJudge:
    from nv2.notary.admission import CurrentJudge

    return CurrentJudge(policy, known_as or address, warn)
