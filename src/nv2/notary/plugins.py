"""Plugins, wired: which are installed, bringing and removing them, and finding the one to ask."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from nv2.content.interface import Lock as HostLock
from nv2.errors import BadAnswer, Nv2Error, PluginError, UsageError
from nv2.files import failure
from nv2.home.paths import Paths
from nv2.home.plugin_packages import MAX_PACKAGE, take_package
from nv2.home.plugins import (
    check_plugin_name,
    executable_of,
    is_installed,
    name_of,
    plugin_names,
    put_in_place,
    remove_plugin,
    staging,
)
from nv2.plain_text import quoted
from nv2.programs.plugins.calls import InstalledPlugin
from nv2.programs.plugins.versions import is_semantic, rank_of
from nv2.programs.run import LocalPrograms
from nv2.transport.interface import AddressRule, Request, Response, Transport, send

if TYPE_CHECKING:
    from nv2.programs.plugins.interface import Metadata

NO_CONFIG: Mapping[str, str] = MappingProxyType({})
DOWNLOAD_TIMEOUT = 600.0
"""Seconds, as in notation."""

_CHUNK = 1024 * 1024
_NOT_COMPARABLE = "it can sign but not decide about signatures, and only --force replaces it"


class Listed(NamedTuple):
    """A directory among the plugins, and what the plugin says, or why it says nothing."""

    name: str
    metadata: Metadata | None
    problem: Nv2Error | None


class Installed(NamedTuple):
    """A plugin that was installed, and the version that it replaced."""

    name: str
    version: str
    before: str | None


def find_plugin(
    paths: Paths, name: str, config: Mapping[str, str] = NO_CONFIG, environ: Mapping[str, str] | None = None
) -> InstalledPlugin:
    """The plugin `name`, not run yet; `config` goes with every question. Raises `PluginError`."""
    programs = LocalPrograms(os.environ if environ is None else environ)
    return InstalledPlugin(programs, executable_of(paths, name), name, config)


def list_plugins(paths: Paths) -> tuple[Listed, ...]:
    """Every installed plugin, asked for its metadata. Raises `EnvironmentFailure`."""
    return tuple(_listed(paths, name) for name in plugin_names(paths))


def _listed(paths: Paths, name: str) -> Listed:
    try:
        return Listed(name, find_plugin(paths, name).metadata(), None)
    except Nv2Error as e:
        return Listed(name, None, e)


def has_plugin(paths: Paths, name: str) -> bool:
    """Whether the plugin `name` is installed, in whatever state. Raises `UsageError`."""
    return is_installed(paths, name)


def uninstall(paths: Paths, lock: HostLock, name: str) -> None:
    """Remove the plugin `name`. Raises `PluginError`, `EnvironmentFailure`."""
    check_plugin_name(name)
    with lock(str(paths.plugins)):
        remove_plugin(paths, name)


def install(
    paths: Paths,
    lock: HostLock,
    source: Path,
    *,
    checksum: str | None = None,
    force: bool = False,
    warn: Callable[[str], None],
) -> Installed:
    """Install the plugin in the package `source`: a directory, an archive, or the executable alone.

    It is run, from a private directory, only to say its name and version. A version that is not later than the
    installed one is refused without `force`; so is one that cannot be compared with it. If this fails, the plugin is
    what it was before. Raises `PluginError`, `EnvironmentFailure`.
    """
    with staging(paths) as staged:
        directory = staged / "plugin"
        try:
            directory.mkdir(0o700)
        except OSError as e:
            raise failure(e, directory) from None
        candidate = take_package(source, directory, checksum)
        if candidate.warning:
            warn(candidate.warning)
        found = InstalledPlugin(LocalPrograms(os.environ), candidate.executable, candidate.name, NO_CONFIG)
        version = found.metadata().version
        if not is_semantic(version):
            warn(f"plugin {candidate.name}: {quoted(version)} is not a semantic version; {_NOT_COMPARABLE}")
        with lock(str(paths.plugins)):
            before = _version_before(paths, candidate.name, force)
            if before is not None and not force:
                _check_later(candidate.name, version, before)
            put_in_place(paths, candidate.name, directory, staged)
        return Installed(candidate.name, version, before)


def _version_before(paths: Paths, name: str, force: bool) -> str | None:
    """The version that is installed; None if there is none, or with `force` none that works."""
    if not is_installed(paths, name):
        return None
    try:
        return find_plugin(paths, name).metadata().version
    except Nv2Error as e:
        if force:
            return None
        raise PluginError(
            f"the plugin {name} that is installed does not work: {e}", hint="replace it with --force"
        ) from None


def _check_later(name: str, version: str, before: str) -> None:
    place = f"plugin {name}"
    new, old = rank_of(version, place), rank_of(before, place)
    if new == old:
        raise PluginError(
            f"plugin {name} with version {before} already exists", hint="--force replaces it all the same"
        )
    if new < old:
        raise PluginError(
            f"failed to install plugin {name}. The installing plugin version {version} is lower than the existing "
            f"plugin version {before}",
            hint='It is not recommended to install an older version. To force the installation, use the "--force" option',
        )


def check_download(url: str, checksum: str | None) -> None:
    """Raise `UsageError` unless a plugin may be fetched from `url` at all."""
    if not checksum:
        raise UsageError("installing from URL requires non-empty SHA256 checksum of the plugin source")
    scheme = urlsplit(url).scheme
    if scheme != "https":
        raise UsageError(
            f"failed to download plugin from URL: only the HTTPS scheme is supported, but got {scheme}"
        )


@contextmanager
def downloaded(transport: Transport, url: str, checksum: str, paths: Paths) -> Iterator[Path]:
    """The package at `url` as a file for a while, whose SHA-256 is `checksum`. Raises `RemoteError`, `PluginError`.

    No credentials are sent. TLS alone would not do: whoever runs the server could change the package.
    """
    request = Request(
        "GET",
        url,
        total_timeout=DOWNLOAD_TIMEOUT,
        anonymous=True,
        address_rule=AddressRule.NOT_LINK_LOCAL,  # and after a redirect: no nearer than whoever redirects
    )
    response = send(transport, request)
    if response.status != 200:
        response.discard()
        raise BadAnswer(f"https response bad status: {response.status}", at=request.place)
    # A single executable keeps its name: what else would say which plugin it is?
    last = urlsplit(response.url).path.rpartition("/")[2]
    with staging(paths) as directory:
        target = directory / (last if name_of(last) else "package")
        _save(response, target, checksum)
        yield target


def _save(response: Response, target: Path, checksum: str) -> None:
    hashed, left, at = hashlib.sha256(), MAX_PACKAGE, response.request.place
    try:
        with response.stream as stream, target.open("xb") as file:
            while chunk := stream.read(_CHUNK):
                left -= len(chunk)
                if left <= 0:
                    raise BadAnswer(
                        f"https response reached the {MAX_PACKAGE // 2**20} MiB size limit", at=at
                    )
                hashed.update(chunk)
                file.write(chunk)
    except OSError as e:
        raise failure(e, target) from None
    if hashed.hexdigest() != checksum.strip().lower():
        raise PluginError(f"plugin SHA-256 checksum does not match user input. Expecting {checksum}", at=at)
    target.chmod(0o700)
