"""Who signs, wired: the name of a signing key first, else a PKCS#11 URI, else a path; without any, the default key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from nv2.errors import SigningKeyError, UsageError
from nv2.home.signing_keys import SigningKey, load_signing_keys
from nv2.keys.file import load_key
from nv2.keys.interface import EnvelopeMaker, Signer
from nv2.keys.pkcs11.uri import is_uri, parse_uri
from nv2.notary.session import Session

NO_CONFIG: Mapping[str, str] = MappingProxyType({})
_HOW_TO_KEY = "see 'nv2 key list'; 'nv2 key generate NAME --subject ...' makes a key"


def no_passphrase(name: str) -> bytes:
    """For callers that have none to give. Raises `SigningKeyError`."""
    raise SigningKeyError("the key is encrypted and there is no passphrase", at=name)


def find_signer(
    session: Session,
    key: str | None,
    certificate: str | None,
    passphrase: Callable[[str], bytes],
    plugin_config: Mapping[str, str] = NO_CONFIG,
) -> Signer | EnvelopeMaker:
    """The signer that `key` names; `certificate` is the file of its chain when it is elsewhere.

    `plugin_config` replaces, word by word, what the list of keys says to a plugin. A signer in a token ends with `session`. Raises `SigningKeyError`, `UsageError`, `EnvironmentFailure`.
    """
    keys = load_signing_keys(session.paths)
    known = keys.get_default() if key is None else keys.find(key)
    if known is not None:
        return _known(session, known, certificate, passphrase, plugin_config)
    if is_uri(key or ""):
        return _from_token(session, key or "", certificate, passphrase)
    path = Path(key or "")
    if not path.exists():
        raise SigningKeyError(
            f"signing key {key} not found, nor a file of this name",
            hint=keys.meant_by(str(path)) or _HOW_TO_KEY,
        )
    return _from_file(session, path, certificate, passphrase)


def find_plugin_key(session: Session, plugin: str, key_id: str, config: Mapping[str, str]) -> EnvelopeMaker:
    """The key `key_id` of the signing plugin `plugin`. Raises `UsageError`, `PluginError`, `EnvironmentFailure`."""
    if not plugin or not key_id:
        raise UsageError(f"missing {'key id' if plugin else 'plugin name'}")
    from nv2.keys.plugin import plugin_key
    from nv2.notary.plugins import find_plugin

    return plugin_key(find_plugin(session.paths, plugin, config), key_id)


def _known(
    session: Session,
    known: SigningKey,
    certificate: str | None,
    passphrase: Callable[[str], bytes],
    config: Mapping[str, str],
) -> Signer | EnvelopeMaker:
    certificate = certificate or known.certificate_path
    if known.uri is not None:
        return _from_token(session, known.uri, certificate, passphrase)
    if known.key_path is None:
        return find_plugin_key(session, known.plugin or "", known.id or "", {**known.plugin_config, **config})
    return _from_file(session, Path(known.key_path), certificate, passphrase)


def _from_token(
    session: Session, uri: str, certificate: str | None, passphrase: Callable[[str], bytes]
) -> Signer:
    from nv2.keys.pkcs11.signer import open_signer

    signer = open_signer(
        parse_uri(uri),
        cert_path=Path(certificate) if certificate else None,
        ask_pin=passphrase,
        now=session.now,
    )
    session.at_end(signer.close)
    for warning in signer.warnings:
        session.warn(warning)
    return signer


def _from_file(
    session: Session, path: Path, certificate: str | None, passphrase: Callable[[str], bytes]
) -> Signer:
    signer = load_key(
        path, cert_path=Path(certificate) if certificate else None, passphrase=passphrase, now=session.now
    )
    for warning in signer.warnings:
        session.warn(warning)
    return signer
