"""Where the files of notation and of nv2 are.

The configuration directory is the Notary Project's own: `$NOTATION_CONFIG`, else `notation` in the user's
configuration directory. What this module does not do: touch the disk.

notation falls back to `.notation` in the current directory when there is no home directory. That would
let whoever fills a directory decide what is trusted in it; here it is an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.strict_json import ErrorType

_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)
NAME_RULE = "letters, digits, '_', '.' and '-', and not '.' or '..'"
MAX_NAME = 200
"""Characters of a name: with an ending, it must fit the 255 bytes of a file name."""


class Paths(NamedTuple):
    """The directories; every other path lies in one of them."""

    config: Path
    """notation's configuration."""
    libexec: Path
    """What holds `plugins/`."""
    cache: Path
    """notation's cache."""
    own_config: Path
    """What only nv2 knows."""
    state: Path
    """Locks, and what must not be forgotten between runs."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], platform: str = sys.platform) -> Paths:
        """The directories that `environ` names. An empty variable counts as absent.

        Raises `ConfigurationError` where a home directory is needed and there is none.
        """
        given = {key: Path(environ[key]) for key in _OWN_VARIABLES if environ.get(key)}
        config = given.get("NOTATION_CONFIG") or _user_directory(_CONFIG, environ, platform) / "notation"
        cache = given.get("NOTATION_CACHE") or _or_below(_CACHE, environ, platform, config) / "notation"
        return cls(
            config,
            given.get("NOTATION_LIBEXEC") or config,
            cache,
            given.get("NV2_CONFIG") or config / "nv2",
            _or_below(_STATE, environ, platform, config) / "nv2",
        )

    @property
    def settings(self) -> Path:
        """`config.json` of notation."""
        return self.config / "config.json"

    @property
    def signing_keys(self) -> Path:
        """The list of signing keys."""
        return self.config / "signingkeys.json"

    @property
    def own_signing_keys(self) -> Path:
        """The list of signing keys that only nv2 can use."""
        return self.own_config / "signingkeys.json"

    @property
    def policy(self) -> Path:
        """The trust policy, which goes before `old_policy`."""
        return self.config / "trustpolicy.oci.json"

    @property
    def old_policy(self) -> Path:
        """The trust policy as notation 1.x names it."""
        return self.config / "trustpolicy.json"

    @property
    def blob_policy(self) -> Path:
        """The trust policy for blobs."""
        return self.config / "trustpolicy.blob.json"

    @property
    def trust_stores(self) -> Path:
        """`<type>/<name>/<certificate files>`."""
        return self.config / "truststore" / "x509"

    @property
    def local_keys(self) -> Path:
        """Keys that were generated here."""
        return self.config / "localkeys"

    def local_pair(self, name: str) -> tuple[Path, Path]:
        """Where a generated key and its certificate are; `name` must have passed `check_name`."""
        return self.local_keys / f"{name}.key", self.local_keys / f"{name}.crt"

    @property
    def plugins(self) -> Path:
        """`<name>/notation-<name>`."""
        return self.libexec / "plugins"

    @property
    def denials(self) -> Path:
        """What no longer counts on this machine, whatever else says yes."""
        return self.own_config / "denials.json"

    @property
    def crl_cache(self) -> Path:
        """CRLs, shared with notation."""
        return self.cache / "crl"

    @property
    def ocsp_cache(self) -> Path:
        """Answers of OCSP responders, which notation keeps none of."""
        return self.cache / "nv2" / "ocsp"

    @property
    def content_cache(self) -> Path:
        """Signatures' manifests and envelopes, by repository and digest."""
        return self.cache / "nv2" / "content"

    @property
    def crl_numbers(self) -> Path:
        """The highest numbers of CRLs that were seen."""
        return self.state / "crl-numbers"

    @property
    def carried(self) -> Path:
        """Evidence about revocation that was carried here, over an air gap."""
        return self.cache / "nv2" / "carried"

    @property
    def clock_floor(self) -> Path:
        """The latest instant that carried evidence proves to have passed."""
        return self.state / "clock-floor"

    @property
    def own_settings(self) -> Path:
        """`settings.json` of nv2, where restrictions are that notation would ignore."""
        return self.own_config / "settings.json"

    @property
    def certs_d(self) -> Path:
        """Mirrors and settings of hosts, in containerd's format."""
        return self.own_config / "certs.d"

    @property
    def locks(self) -> Path:
        """Files that processes of this host lock."""
        return self.state / "locks"

    @property
    def attached(self) -> Path:
        """What was attached to which artifact, where the registry keeps no list by itself."""
        return self.state / "attached"

    @property
    def unfinished_uploads(self) -> Path:
        """Uploads of large blobs that were begun and have not ended."""
        return self.state / "uploads"


class _Kind(NamedTuple):
    """Where the user's directories of one kind are, per platform."""

    variable: str
    linux: str
    darwin: str
    windows: str


_OWN_VARIABLES = ("NOTATION_CONFIG", "NOTATION_LIBEXEC", "NOTATION_CACHE", "NV2_CONFIG")
_CONFIG = _Kind("XDG_CONFIG_HOME", ".config", "Library/Application Support", "APPDATA")
_CACHE = _Kind("XDG_CACHE_HOME", ".cache", "Library/Caches", "LOCALAPPDATA")
_STATE = _Kind("XDG_STATE_HOME", ".local/state", "Library/Application Support", "LOCALAPPDATA")


def _user_directory(kind: _Kind, environ: Mapping[str, str], platform: str) -> Path:
    if platform == "win32":
        return _absolute(kind.windows, environ, PureWindowsPath)
    # Go does not read the XDG variables on macOS, except that nv2's own state may be put anywhere.
    if environ.get(kind.variable) and (platform != "darwin" or kind is _STATE):
        return _absolute(kind.variable, environ)
    return _absolute("HOME", environ) / (kind.darwin if platform == "darwin" else kind.linux)


def _or_below(kind: _Kind, environ: Mapping[str, str], platform: str, config: Path) -> Path:
    """The user's directory, or where nobody has a home, a place below the named configuration."""
    try:
        return _user_directory(kind, environ, platform)
    except ConfigurationError:
        if not environ.get("NOTATION_CONFIG"):
            raise
        return config / kind.linux.rpartition("/")[2].lstrip(".")


def _absolute(variable: str, environ: Mapping[str, str], flavour: type[PurePath] = PurePosixPath) -> Path:
    text = environ.get(variable, "")
    if not text:
        raise ConfigurationError(f"${variable} is not set, so there is no configuration directory", hint=_SET)
    if not flavour(text).is_absolute():
        raise ConfigurationError(f"${variable} is not an absolute path: {text!r}", hint=_SET)
    return Path(text)


_SET = "set NOTATION_CONFIG to the directory that holds the configuration"


def is_name(name: str) -> bool:
    """Whether `name` may be joined to a directory: `[a-zA-Z0-9_.-]+`, but not `.` or `..`."""
    return bool(_NAME.fullmatch(name)) and name not in (".", "..") and len(name) <= MAX_NAME


def check_name(name: str, what: str, error: ErrorType) -> str:
    """`name`, if it may be joined to a directory; raises `error`."""
    if not is_name(name):
        raise error(f"{what} {name!r} cannot be used", hint=f"a name has {NAME_RULE}")
    return name


def is_file_name(name: str) -> bool:
    """Whether `name` names a file directly in a directory, whatever letters it is made of."""
    return name.isprintable() and name not in ("", ".", "..") and not set(name) & set("/\\")
