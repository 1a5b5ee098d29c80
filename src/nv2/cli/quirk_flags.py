"""`--quirk` and `--profile` of `nv2 registry serve`: to try clients against what other registries do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import Call, Flag, Kind

if TYPE_CHECKING:
    from nv2.server.messages import Layer
    from nv2.server.registry.limits import Limits

HELP = "help"
"""The name that asks for all the others."""

QUIRK = Flag("quirk", "do as other registries do, to test clients; 'help' lists them", Kind.STRINGS)
PROFILE = Flag("profile", "the quirks of one registry, as ghcr; 'help' lists them; repeatable", Kind.STRINGS)


def wants_help(call: Call) -> bool:
    """Whether the names are asked for."""
    return HELP in (*call.strings("quirk"), *call.strings("profile"))


def explain(call: Call) -> int:
    """Print the names, with what each means."""
    from nv2.server.quirks import PROFILES, QUIRKS

    if HELP in call.strings("quirk"):
        for name, quirk in QUIRKS.items():
            call.output.line(f"{name:20} {quirk.says}")
    if HELP in call.strings("profile"):
        for name, profile in PROFILES.items():
            call.output.line(f"{name:20} {profile.says}: {', '.join(profile.quirks)}")
    return exits.DONE


def layers(call: Call) -> tuple[Layer, ...]:
    """What stands before the registry. Raises `UsageError` for a name that nobody knows."""
    quirks, profiles = call.strings("quirk"), call.strings("profile")
    if not quirks and not profiles:
        return ()
    from nv2.server.quirks import layers_of

    return layers_of(quirks, profiles)


def limits(call: Call) -> Limits | None:
    """The registry's limits; None for the usual ones. Raises `UsageError` as `layers`."""
    quirks, profiles = call.strings("quirk"), call.strings("profile")
    if not quirks and not profiles:
        return None
    from nv2.server.quirks import limits_of

    return limits_of(quirks, profiles)
