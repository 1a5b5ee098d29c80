"""`signingkeys.json`: the names of signing keys, in notation's exact form, and those that only nv2 can use.

notation would take a key in a PKCS#11 token for one without files, so those stand in a list of nv2's own (ADR 0018).
Both are read as one. Fields that are not known here are kept when a file is written again. What this module
does not do: open the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nv2.content.interface import Lock
from nv2.errors import SigningKeyError, UsageError
from nv2.files import write_atomically
from nv2.home.json_files import json_text, read_object
from nv2.home.paths import Paths
from nv2.strict_json import Fields

MAX_KEY_LIST = 4 * 1024 * 1024
"""Bytes of the list: ten thousand keys and more."""

_INDENT = 4
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_TEXTS = ("keyPath", "certPath", "id", "pluginName")


class SigningKey(NamedTuple):
    """A named key: a pair of files, something that a plugin can reach (`plugin`), or a key in a token (`uri`)."""

    name: str
    key_path: str | None = None
    certificate_path: str | None = None
    id: str | None = None
    plugin: str | None = None
    plugin_config: Mapping[str, str] = _NOTHING
    others: Mapping[str, Any] = _NOTHING
    """Fields of the file that mean nothing here."""
    uri: str | None = None
    """PKCS#11 URI; such a key stands in nv2's own list."""

    def document(self) -> dict[str, Any]:
        """The JSON object, in Go's order of fields and without empty ones."""
        config = dict(sorted(self.plugin_config.items()))
        texts = zip(_TEXTS, (self.key_path, self.certificate_path, self.id, self.plugin), strict=True)
        found: dict[str, Any] = {"name": self.name, **{key: text for key, text in texts if text}}
        if self.uri:
            found["pkcs11"] = self.uri
        return {**found, **({"pluginConfig": config} if config else {}), **self.others}


class SigningKeys(NamedTuple):
    """The list. Every method that changes it returns another list."""

    default: str | None = None
    keys: tuple[SigningKey, ...] = ()
    others: Mapping[str, Any] = _NOTHING

    def find(self, name: str) -> SigningKey | None:
        """The key called `name`."""
        return next((key for key in self.keys if key.name == name), None)

    def meant_by(self, path: str) -> str | None:
        """The advice to whoever named the file `NAME.key` or `NAME.crt` of a key by a path that is none."""
        name = path.rpartition("/")[2].rpartition(".")[0]
        return f"there is a signing key of that name: -k {name}" if self.find(name) else None

    def get(self, name: str) -> SigningKey:
        """The key called `name`. Raises `SigningKeyError`."""
        found = self.find(_not_empty(name))
        if found is None:
            raise SigningKeyError(f"signing key {name} not found", hint=self._known())
        return found

    def get_default(self) -> SigningKey:
        """The key to sign with when none is named. Raises `SigningKeyError`."""
        if self.default is None:
            raise SigningKeyError("default signing key not set", hint=_NO_DEFAULT)
        return self.get(self.default)

    def add(self, key: SigningKey, *, default: bool) -> SigningKeys:
        """With `key` at the end. Raises `SigningKeyError` if its name is taken."""
        if self.find(_not_empty(key.name)):
            raise SigningKeyError(
                f'signing key with name "{key.name}" already exists',
                hint=f"choose another name, or first run 'nv2 key delete {key.name}'",
            )
        return self._replace(keys=(*self.keys, key), default=key.name if default else self.default)

    def remove(self, names: Iterable[str]) -> SigningKeys:
        """Without `names`, all of which must be there. Removing the default leaves none.

        Raises `SigningKeyError`, and `UsageError` for a name that comes twice.
        """
        gone = [self.get(name).name for name in names]
        if twice := [name for name in gone if gone.count(name) > 1]:
            raise UsageError(f"signing key {twice[0]} is named twice")
        keys = tuple(key for key in self.keys if key.name not in gone)
        return self._replace(keys=keys, default=None if self.default in gone else self.default)

    def with_default(self, name: str) -> SigningKeys:
        """With `name` as the default. Raises `SigningKeyError` if it is not there."""
        return self._replace(default=self.get(name).name)

    def encode(self) -> bytes:
        """The file."""
        default = {} if self.default is None else {"default": self.default}
        document = {**default, "keys": [key.document() for key in self.keys], **self.others}
        return json_text(document, _INDENT).encode() + b"\n"

    def _known(self) -> str:
        if not self.keys:
            return "there are no keys yet: 'nv2 key generate' makes one, 'nv2 key add' adds one"
        return f"known keys: {', '.join(key.name for key in self.keys[:_SHOWN])}"


_SHOWN = 10
_NO_DEFAULT = "name one with --key, or choose one with 'nv2 key update --default <key_name>'"


def _not_empty(name: str) -> str:
    if not name:
        raise UsageError("key name cannot be empty")
    return name


def load_signing_keys(paths: Paths) -> SigningKeys:
    """All keys, notation's first. Raises `SigningKeyError`."""
    shared, own = _load(paths)
    return _merged(shared, own, paths)


def _load(paths: Paths) -> tuple[SigningKeys, SigningKeys]:
    """notation's list and nv2's own, each empty when there is no file."""
    files = ((paths.signing_keys, False), (paths.own_signing_keys, True))
    found = [(read_object(path, MAX_KEY_LIST, "a list of keys", SigningKeyError), own) for path, own in files]
    shared, own = (SigningKeys() if fields is None else _parse(fields, own) for fields, own in found)
    return shared, own


def _merged(shared: SigningKeys, own: SigningKeys, paths: Paths) -> SigningKeys:
    for key in own.keys:
        if shared.find(key.name):
            raise SigningKeyError(
                f"multiple keys with name {key.name!r} found, the other one in {paths.signing_keys}",
                at=str(paths.own_signing_keys),
                hint="which of them shall sign is not clear; rename one in its file",
            )
    default = shared.default if own.default is None else own.default
    return shared._replace(default=default, keys=(*shared.keys, *own.keys))


def _parted(shared: SigningKeys, own: SigningKeys, after: SigningKeys) -> tuple[SigningKeys, SigningKeys]:
    """`after` as notation's list and nv2's own, which were `shared` and `own`.

    notation's default stays what it was while the default is a key that notation cannot use.
    """
    files = tuple(key for key in after.keys if key.uri is None)
    tokens = tuple(key for key in after.keys if key.uri is not None)
    in_token = any(key.name == after.default for key in tokens)
    kept = (
        shared.default if in_token or (after.default is None and own.default is not None) else after.default
    )
    if not any(key.name == kept for key in files):
        kept = None
    return (
        shared._replace(default=kept, keys=files),
        own._replace(default=after.default if in_token else None, keys=tokens),
    )


def change_signing_keys(
    paths: Paths, lock: Lock, change: Callable[[SigningKeys], SigningKeys]
) -> SigningKeys:
    """Replace the keys by what `change` makes of them, while no other nv2 of this host changes them.

    Returns them as they were. A list that does not change is not written. Raises `SigningKeyError`,
    `EnvironmentFailure` and what `change` raises; the lists are then as they were.
    """
    with lock(str(paths.signing_keys)):
        shared, own = _load(paths)
        before = _merged(shared, own, paths)
        after_shared, after_own = _parted(shared, own, change(before))
        if after_shared != shared:
            write_atomically(paths.signing_keys, after_shared.encode())
        if after_own != own:
            write_atomically(paths.own_signing_keys, after_own.encode())
        return before


def _parse(fields: Fields, own: bool) -> SigningKeys:
    keys = tuple(_key(each, own) for each in fields.objects("keys")) if "keys" in fields.value else ()
    default = fields.get("default", str)
    names: set[str] = set()
    for position, key in enumerate(keys):
        if key.name in names:
            raise fields.error(f"multiple keys with name {key.name!r} found", at=f"keys[{position}].name")
        names.add(key.name)
    if default is not None and default not in names:
        raise fields.error(
            f"default key {default!r} not found",
            at="default",
            hint="name one of the keys, or remove the line",
        )
    others = {key: value for key, value in fields.value.items() if key not in ("default", "keys")}
    return SigningKeys(default, keys, others)


def _key(fields: Fields, own: bool) -> SigningKey:
    fields = fields._replace(value={key: value for key, value in fields.value.items() if value is not None})
    name = fields.require("name", str)
    if not name:
        raise fields.error("key name cannot be empty", at=fields.place("name"))
    texts = (fields.get(key, str) or None for key in _TEXTS)
    uri = fields.require("pkcs11", str) if own else None
    known = ("name", *_TEXTS, "pluginConfig", *(("pkcs11",) if own else ()))
    others = {key: value for key, value in fields.value.items() if key not in known}
    config = fields.string_map("pluginConfig") or {}
    key_path, certificate_path, identifier, plugin = texts
    return SigningKey(name, key_path, certificate_path, identifier, plugin, config, others, uri)
