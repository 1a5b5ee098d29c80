"""nv2's own `settings.json`: restrictions that notation would ignore, and so in no file that notation reads.

Unknown fields are errors: a restriction that is spelled wrongly must not look like one that holds.
"""

from __future__ import annotations

from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.home.json_files import read_object
from nv2.home.paths import Paths

MAX_SETTINGS = 1024 * 1024
"""Bytes: thousands of names."""


class OwnSettings(NamedTuple):
    """The settings."""

    verification_plugins: frozenset[str] | None = None
    """Names of the only verification plugins that may be asked; None: whichever is installed."""

    def allows(self, name: str) -> bool:
        """Whether the verification plugin `name` may be asked."""
        return self.verification_plugins is None or name in self.verification_plugins


def load_own_settings(paths: Paths) -> OwnSettings:
    """The settings, or the defaults when there is no file. Raises `ConfigurationError`."""
    fields = read_object(paths.own_settings, MAX_SETTINGS, "settings of nv2", ConfigurationError)
    if fields is None:
        return OwnSettings()
    fields.only("verificationPlugins")
    names = fields.strings("verificationPlugins")
    return OwnSettings(None if names is None else frozenset(names))
