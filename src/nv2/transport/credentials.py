"""Credentials for registries as Docker keeps them: in its `config.json`, or with a credential helper.

What this module does not do: read or write files. Whoever reads `config.json` hands its bytes over.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from nv2 import strict_json
from nv2.errors import CredentialError, EnvironmentFailure
from nv2.oci.reference import DOCKER_HUB as _DOCKER_HUB_HOSTS
from nv2.plain_text import one_line
from nv2.programs.interface import Finished, Programs
from nv2.strict_json import Fields

DOCKER_HUB = "https://index.docker.io/v1/"
"""The name under which Docker keeps the credentials of Docker Hub."""

IDENTITY_USER = "<token>"
"""The user name that says: the secret is an identity token (docker-credential-helpers)."""

_NOT_FOUND = b"credentials not found in native keychain"

_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)

PREFIX = "docker-credential-"
"""What the names of helpers' programs begin with."""

MAX_MESSAGE = 200
"""Characters of a helper's complaint that are repeated."""

NATIVE_HELPERS: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        "linux": (("pass", "pass"), ("", "secretservice")),
        "darwin": (("", "osxkeychain"),),
        "win32": (("", "wincred"),),
    }
)
"""By platform: the first row counts whose program is there (`""` always is): the helper for who has named none."""

NO_HELPER = (
    "install docker-credential-pass, or another, and name it in notation's config.json: "
    '{"credsStore": "pass"}. '
    "Or do not log in, and set $NOTATION_USERNAME and $NOTATION_PASSWORD for each command"
)
"""The hint where there is no helper to keep credentials."""


class Credential(NamedTuple):
    """User name and password, or an identity token (to fetch tokens with), or a registry token (to send)."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    @property
    def basic(self) -> str:
        """The header value of basic authentication (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credential({self.username!r})"


class CredentialConfig(NamedTuple):
    """What a `config.json` says about credentials."""

    auths: Mapping[str, Any] = MappingProxyType({})
    helpers: Mapping[str, str] = MappingProxyType({})
    """Registry to helper: these come first."""
    store: str | None = None
    """The helper for every other registry."""
    at: str = "config.json"
    """The file, for messages."""

    @property
    def says_something(self) -> bool:
        """Whether there is anything to look in."""
        return bool(self.auths or self.helpers or self.store)


def native_helper(platform: str, is_there: Callable[[str], bool]) -> str | None:
    """The helper of the platform's own key chain, by notation's rule, if its program is there; else None.

    `platform` is as in `sys.platform`; `is_there` says whether a program is in PATH.
    """
    rows = NATIVE_HELPERS.get(platform, ())
    helper = next((helper for program, helper in rows if not program or is_there(program)), None)
    return helper if helper and is_there(f"{PREFIX}{helper}") else None


def parse_docker_config(data: bytes, at: str) -> CredentialConfig:
    """Read `auths`, `credHelpers` and `credsStore`; other fields are Docker's. Raises `CredentialError`.

    The entries of `auths` are read when they are used: a broken one concerns its own registry only.
    """
    fields = Fields.of(strict_json.loads(data, CredentialError, at=at), at, CredentialError)
    helpers = fields.string_map("credHelpers") or {}
    return CredentialConfig(
        fields.get("auths", dict) or {}, helpers, fields.get("credsStore", str) or None, at
    )


class CredentialStore:
    """The credentials that `config` points at."""

    def __init__(self, config: CredentialConfig, programs: Programs) -> None:
        self._config = config
        self._programs = programs

    def get(self, host: str) -> Credential | None:
        """The credentials of `host` (`host[:port]`), or None. Raises `CredentialError`."""
        if helper := self._helper(host):
            found = self._run(helper, "get", _server(host).encode())
            return None if found is None else _from_helper(found, helper)
        for name, entry in self._config.auths.items():
            if _same_registry(name, host):
                return _from_entry(Fields.of(entry, f"{self._config.at}: auths[{name!r}]", CredentialError))
        return None

    def source(self, host: str) -> str:
        """Who is asked for the credentials of `host`: a helper or a file, for messages."""
        return self._helper(host) or self._config.at

    def put(self, host: str, credential: Credential) -> None:
        """Hand the credentials to the helper. Raises `CredentialError` if there is none: nv2 writes no secrets to files."""
        helper = self._helper(host)
        if helper is None:
            raise CredentialError(
                "the credential could not be saved because a credentials store is required to securely store the "
                "password: there is no credential helper, and nv2 keeps no passwords in files",
                at=self._config.at,
                hint=NO_HELPER,
            )
        token = credential.identity_token
        document = {
            "ServerURL": _server(host),
            "Username": IDENTITY_USER if token else credential.username,
            "Secret": token or credential.password,
        }
        self._run(helper, "store", json.dumps(document).encode())

    def erase(self, host: str) -> None:
        """Let the helper forget `host`; nothing happens if it does not know it. Raises `CredentialError`."""
        helper = self._helper(host)
        if helper:
            self._run(helper, "erase", _server(host).encode())
        elif any(_same_registry(name, host) for name in self._config.auths):
            raise CredentialError(
                f"the credentials of {host} stand in this file, which nv2 does not change",
                at=self._config.at,
                hint=f"if it is Docker's: docker logout {host}",
            )

    def _helper(self, host: str) -> str | None:
        names = (name for name in _names(host) if name in self._config.helpers)
        helper = next((self._config.helpers[name] for name in names), None) or self._config.store
        if helper and not _HELPER_NAME.fullmatch(helper):
            raise CredentialError(f"{helper!r} is not the name of a credential helper", at=self._config.at)
        return f"{PREFIX}{helper}" if helper else None

    def _run(self, helper: str, verb: str, data: bytes) -> bytes | None:
        """What `helper` prints; None if it has no such credentials."""
        try:
            found = self._programs.run((helper, verb), data)
        except EnvironmentFailure as e:
            hint = e.hint or f"is {helper} installed? {self._config.at} names it"
            raise CredentialError(e.message, at=helper, hint=hint) from None
        if found.status == 0:
            return found.output
        if _NOT_FOUND in found.output or _NOT_FOUND in found.errors:
            return None
        raise CredentialError(f"cannot {verb} credentials: {_complaint(found)}", at=helper)


def _complaint(found: Finished) -> str:
    # On failure helpers print their message on standard output.
    text = (found.output.strip() or found.errors.strip()).decode("utf-8", "replace")
    line = text.splitlines()[0] if text else f"exit status {found.status}"
    return one_line(line, MAX_MESSAGE)


def _names(host: str) -> Iterator[str]:
    yield host
    if host in _DOCKER_HUB_HOSTS:
        yield from (*_DOCKER_HUB_HOSTS, DOCKER_HUB)


def _server(host: str) -> str:
    return DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


def _same_registry(name: str, host: str) -> bool:
    """Whether the key `name` of `auths` means `host`; old keys are addresses such as `https://host/v1/`."""
    bare = name.partition("://")[2] or name
    return bare.partition("/")[0].lower() in (known.lower() for known in _names(host) if "/" not in known)


def _from_helper(output: bytes, helper: str) -> Credential | None:
    fields = Fields.of(strict_json.loads(output, CredentialError, at=helper), helper, CredentialError)
    username, secret = fields.get("Username", str) or "", fields.get("Secret", str) or ""
    if username == IDENTITY_USER:
        return Credential(identity_token=secret)
    return Credential(username, secret) if username or secret else None


def _from_entry(fields: Fields) -> Credential | None:
    if token := fields.get("identitytoken", str):
        return Credential(identity_token=token)
    if token := fields.get("registrytoken", str):
        return Credential(registry_token=token)
    username, password = fields.get("username", str) or "", fields.get("password", str) or ""
    if encoded := fields.get("auth", str):
        username, password = _decode(encoded, fields)
    return Credential(username, password) if username else None


def _decode(encoded: str, fields: Fields) -> tuple[str, str]:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise CredentialError("not base64 of user:password", at=fields.place("auth")) from None
    username, colon, password = text.partition(":")
    if not colon:
        raise CredentialError("not base64 of user:password", at=fields.place("auth"))
    return username, password.rstrip("\0")
