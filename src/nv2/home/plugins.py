"""Installed plugins: `plugins/<name>/notation-<name>` (plugin-extensibility, "Plugin lifecycle management").

Whatever puts a plugin there makes all of it visible at once, and the one before stays until then. What this module
does not do: run a plugin, or read packages (`plugin_packages`).
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nv2.errors import PluginError, UsageError
from nv2.files import failure, make_directory, sync_directory
from nv2.home.paths import Paths
from nv2.programs.contract import EXECUTABLE_PREFIX
from nv2.programs.plugins.interface import NAME_RULE, is_plugin_name

DIRECTORY_MODE = 0o755
"""As notation has it: other users may run the plugins of a shared directory."""

_SUFFIX = ".exe" if os.name == "nt" else ""
_WORLD_WRITABLE = "anybody could replace it: take the right to write away from others (chmod o-w)"


def check_plugin_name(name: str) -> str:
    """`name`, if a plugin can have it. Raises `UsageError`."""
    if not name:
        raise UsageError("plugin name is required")
    if not is_plugin_name(name):
        raise UsageError(f"{name!r} cannot be the name of a plugin", hint=NAME_RULE)
    return name


def executable_name(name: str) -> str:
    """The file name of the executable of plugin `name`."""
    return f"{EXECUTABLE_PREFIX}{name}{_SUFFIX}"


def name_of(file_name: str) -> str | None:
    """The plugin whose executable has this file name; None if it is none."""
    if not file_name.startswith(EXECUTABLE_PREFIX) or not file_name.endswith(_SUFFIX):
        return None
    name = file_name.removeprefix(EXECUTABLE_PREFIX).removesuffix(_SUFFIX)
    return name if is_plugin_name(name) else None


def plugin_names(paths: Paths) -> tuple[str, ...]:
    """Every directory that could be a plugin, in order. Raises `EnvironmentFailure`."""
    try:
        with os.scandir(paths.plugins) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False)))
    except FileNotFoundError:
        return ()
    except OSError as e:
        raise failure(e, paths.plugins) from None


def is_installed(paths: Paths, name: str) -> bool:
    """Whether there is something where the plugin `name` would be. Raises `UsageError` for what is no name."""
    return os.path.lexists(paths.plugins / check_plugin_name(name))


def executable_of(paths: Paths, name: str) -> Path:
    """The executable of the plugin `name`, which may be run.

    Raises `PluginError` if it is absent, no regular file, not executable, or if anybody may write to it.
    """
    if not is_plugin_name(name):
        raise PluginError(f"{name!r} cannot be the name of a plugin", hint=NAME_RULE)
    file = paths.plugins / name / executable_name(name)
    check_executable(file, paths.plugins / name)
    return file


def check_executable(file: Path, directory: Path) -> None:
    """Raise `PluginError` unless `file` in `directory` may be run."""
    install = "Use `nv2 plugin install` command to install the plugin"
    try:
        mode, above = file.lstat().st_mode, directory.lstat().st_mode
        all_plugins = directory.parent.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise PluginError(
            f"plugin executable file `{file.name}` not found. {install}",
            hint="'nv2 plugin list' shows what is installed",
        ) from None
    except OSError as e:
        raise failure(e, file, kind=PluginError) from None
    if not stat.S_ISREG(mode) or not stat.S_ISDIR(above):
        raise PluginError("plugin executable file is not a regular file", at=str(file))
    if os.name != "nt" and (mode | above | all_plugins) & stat.S_IWOTH:
        raise PluginError(
            "plugin executable file is writable by everybody", at=str(file), hint=_WORLD_WRITABLE
        )
    if not os.access(file, os.X_OK):
        raise PluginError(f"plugin file `{file.name}` is not executable. {install}")


@contextmanager
def staging(paths: Paths) -> Iterator[Path]:
    """A private directory on the file system of the plugins, gone afterwards. Raises `EnvironmentFailure`.

    Of a link in it, the link goes.
    """
    make_directory(paths.libexec)
    try:
        directory = tempfile.mkdtemp(prefix=".nv2-plugin-", dir=paths.libexec)
    except OSError as e:
        raise failure(e, paths.libexec) from None
    try:
        yield Path(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def put_in_place(paths: Paths, name: str, candidate: Path, staged: Path) -> None:
    """Let the directory `candidate` be the plugin `name`; both lie in `staged`, as what it replaces will.

    The caller holds the lock. If this fails, the plugin is what it was before. Raises `EnvironmentFailure`.
    """
    final, before = paths.plugins / check_plugin_name(name), staged / ".before"
    make_directory(paths.plugins)
    try:
        candidate.chmod(DIRECTORY_MODE)
        try:
            if os.path.lexists(final):
                final.rename(before)
            candidate.rename(final)
        except BaseException:  # an interruption too: what lies in `staged` will be gone
            if os.path.lexists(before) and not os.path.lexists(final):
                before.rename(final)
            raise
        sync_directory(paths.plugins)
    except OSError as e:
        raise failure(e, final) from None


def remove_plugin(paths: Paths, name: str) -> None:
    """Remove the plugin `name`, all of it at once. Raises `EnvironmentFailure`, `UsageError`."""
    final = paths.plugins / check_plugin_name(name)
    with staging(paths) as staged:
        try:
            final.rename(staged / "gone")
            sync_directory(paths.plugins)
        except OSError as e:
            raise failure(e, final) from None
