"""Verification plugins, wired: the installed ones that the settings of nv2 allow."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from nv2.errors import PluginError
from nv2.home.own_settings import load_own_settings
from nv2.home.paths import Paths
from nv2.notary.plugins import find_plugin
from nv2.programs.plugins.calls import InstalledPlugin


class VerificationPlugins:
    """Finds the verification plugins of this machine (`FindPlugin`), each once. Safe for threads.

    `config` goes to every one of them, as it is.
    """

    def __init__(self, paths: Paths, config: Mapping[str, str]) -> None:
        self._paths = paths
        self._config = config
        self._lock = Lock()
        self._found: dict[str, InstalledPlugin] = {}

    def __call__(self, name: str, /) -> InstalledPlugin:
        """The plugin `name`. Raises `PluginError`, also for one that the settings of nv2 do not allow."""
        with self._lock:
            if name not in self._found:
                self._found[name] = self._find(name)
            return self._found[name]

    def _find(self, name: str) -> InstalledPlugin:
        if not load_own_settings(self._paths).allows(name):
            raise PluginError(
                f"verification plugin {name} is not among those that are allowed",
                at=str(self._paths.own_settings),
                hint="verificationPlugins names the plugins that may decide about signatures",
            )
        return find_plugin(self._paths, name, self._config)
