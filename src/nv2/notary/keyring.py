"""The signing keys of this machine, wired: the list, the files it names, and new pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nv2.errors import EnvironmentFailure, InvalidCertificate, Nv2Error, SigningKeyError, UsageError
from nv2.files import FILE_MODE, delete_file, read_file, write_atomically
from nv2.home.paths import check_name
from nv2.home.signing_keys import SigningKey, SigningKeys, change_signing_keys, load_signing_keys
from nv2.notary.machine import Machine
from nv2.plain_text import rfc3339

CERTIFICATE_MODE = 0o644
"""A certificate is there to be handed out."""


class Pair(NamedTuple):
    """The files of a generated pair, and what its certificate says."""

    key: Path
    certificate: Path
    thumbprint: str
    subject: str
    not_after: str
    """RFC 3339."""


def list_keys(machine: Machine) -> SigningKeys:
    """The list of signing keys. Raises `SigningKeyError`."""
    return load_signing_keys(machine.paths)


def add_key(
    machine: Machine,
    name: str,
    key: Path,
    certificate: Path | None,
    *,
    default: bool,
    passphrase: Callable[[str], bytes],
) -> tuple[str, ...]:
    """Add the pair of files to the list, if one can sign with it; what its owner should hear.

    The paths are stored as absolute ones. Raises `SigningKeyError`.
    """
    from nv2.keys.file import load_key

    _check_free(machine, name)
    signer = load_key(key, cert_path=certificate, passphrase=passphrase)
    entry = SigningKey(name, str(key.absolute()), str(signer.chain_path.absolute()))
    change_signing_keys(machine.paths, machine.lock, lambda keys: keys.add(entry, default=default))
    return (*signer.warnings, *_invalid_now(signer.chain, signer.chain_path, machine.now))


def _invalid_now(chain: tuple[bytes, ...], place: Path, now: datetime) -> tuple[str, ...]:
    """A warning if `chain` cannot sign at `now`: it is listed all the same, since it may have to wait for its time."""
    from nv2.pki.chain import check_validity, parse_chain

    try:
        check_validity(parse_chain(chain), now)
    except InvalidCertificate as e:
        return (f"{place}: {e}; as long as that is so, nothing is signed with it",)
    return ()


def add_token_key(
    machine: Machine,
    name: str,
    uri: str,
    certificate: Path | None,
    *,
    default: bool,
    passphrase: Callable[[str], bytes],
) -> None:
    """Add the key in a token that the PKCS#11 URI `uri` names to nv2's own list, if one can sign with it.

    `certificate` is stored as an absolute path. Raises `UsageError`, `SigningKeyError`, `EnvironmentFailure`.
    """
    from nv2.keys.pkcs11.signer import open_signer
    from nv2.keys.pkcs11.uri import parse_uri

    _check_free(machine, name)
    parsed = parse_uri(uri)
    if parsed.pin_value is not None:
        raise UsageError(
            "a PIN is not written to the list of keys",
            at="pkcs11: pin-value",
            hint="leave it out: it is asked for when the key signs, or write pin-source=file:/path",
        )
    signer = open_signer(parsed, cert_path=certificate, ask_pin=passphrase)
    try:
        signer.sign(_TRIAL)
    finally:
        signer.close()
    path = str(certificate.absolute()) if certificate else None
    entry = SigningKey(name, certificate_path=path, uri=parsed.shown)
    change_signing_keys(machine.paths, machine.lock, lambda keys: keys.add(entry, default=default))


_TRIAL = b"nv2 key add: does the key belong to its certificate?"
"""No payload of an envelope: what is signed here can never be taken for a signature of an artifact."""


def add_plugin_key(
    machine: Machine, name: str, plugin: str, key_id: str, config: Mapping[str, str], *, default: bool
) -> None:
    """Add the key `key_id` of an installed plugin to the list, which it is not asked about.

    `config` goes to the plugin with every question: it is written to the list, so no secret belongs in it. Raises
    `UsageError`, `SigningKeyError`, `PluginError`.
    """
    from nv2.home.plugins import executable_of

    _check_free(machine, name)
    if not key_id or not plugin:
        raise UsageError("plugin name cannot be empty" if key_id else "missing key id")
    executable_of(machine.paths, plugin)
    entry = SigningKey(name, id=key_id, plugin=plugin, plugin_config=dict(config))
    change_signing_keys(machine.paths, machine.lock, lambda keys: keys.add(entry, default=default))


def _check_free(machine: Machine, name: str) -> None:
    """Before any work is done or a passphrase asked for; `add` asks again, under the lock."""
    if not name.isprintable():
        raise UsageError(f"key name {name!r} has characters that cannot be shown")
    load_signing_keys(machine.paths).add(SigningKey(name), default=False)


def set_default(machine: Machine, name: str) -> None:
    """Make `name` the key to sign with when none is named. Raises `SigningKeyError`."""
    change_signing_keys(machine.paths, machine.lock, lambda keys: keys.with_default(name))


def delete_keys(machine: Machine, names: tuple[str, ...]) -> str | None:
    """Take `names` off the list, all or none; the files stay. Returns what the default was.

    Raises `SigningKeyError`.
    """
    return change_signing_keys(machine.paths, machine.lock, lambda keys: keys.remove(names)).default


def generate_pair(
    machine: Machine, name: str, subject: str, key_spec: str, validity: timedelta, *, default: bool
) -> Pair:
    """Make a key and a self-signed certificate in `localkeys/`, and put them on the list.

    It goes into no trust store: what this machine signs with is not what it trusts. Nothing is left when
    this fails. Raises `UsageError`, `SigningKeyError`, `EnvironmentFailure`.
    """
    with new_pair(machine, name, subject, key_spec, validity, default=default) as pair:
        return pair


@contextmanager
def new_pair(
    machine: Machine, name: str, subject: str, key_spec: str, validity: timedelta, *, default: bool
) -> Iterator[Pair]:
    """As `generate_pair`; what fails inside takes the pair away again."""
    from nv2.keys.generate import generate
    from nv2.pki.pem import certificates_from

    check_name(name, "key name", UsageError)
    _check_free(machine, name)
    paths = machine.paths.local_pair(name)
    for path in paths:
        _check_absent(path)
    made = generate(subject, key_spec, validity, now=machine.now)
    (certificate,) = certificates_from(made.certificate, str(paths[1]))
    files = zip(paths, made, (FILE_MODE, CERTIFICATE_MODE), strict=True)
    with _taken_back() as undo:
        for path, data, mode in files:
            undo.append(partial(_drop, machine, name, path, data))
            write_atomically(path, data, mode, replace=False)
        key, cert = (str(path.absolute()) for path in paths)
        before = change_signing_keys(
            machine.paths, machine.lock, lambda keys: keys.add(SigningKey(name, key, cert), default=default)
        )
        undo.append(partial(_take_off, machine, name, before.default))
        yield Pair(*paths, certificate.thumbprint, certificate.subject, rfc3339(certificate.not_after))


def _check_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise EnvironmentFailure(
            "exists already", at=str(path), hint="choose another name; a key is never overwritten"
        )


@contextmanager
def _taken_back() -> Iterator[list[Callable[[], None]]]:
    """Steps to take back, the last first, unless everything inside succeeds."""
    undo: list[Callable[[], None]] = []
    try:
        yield undo
    except BaseException:
        for step in reversed(undo):
            with suppress(Nv2Error):  # What went wrong first is what the caller should hear.
                step()
        raise


def _drop(machine: Machine, name: str, path: Path, data: bytes) -> None:
    """Remove a file of a pair that came to nothing.

    Not one of somebody else's, who was faster, nor one of a pair that an interruption found listed already.
    """
    if load_signing_keys(machine.paths).find(name) is None and read_file(path, len(data), "a file") == data:
        delete_file(path)


def _take_off(machine: Machine, name: str, default: str | None) -> None:
    """Take a key that was just added off the list, and give the default back."""

    def without(keys: SigningKeys) -> SigningKeys:
        left = keys.remove([name])
        return left.with_default(default) if default and left.find(default) else left

    change_signing_keys(machine.paths, machine.lock, without)


class Cleaned(NamedTuple):
    """What `clean_pair` found and removed."""

    listed: bool
    key: bool
    certificate: bool


def clean_pair(machine: Machine, name: str) -> Cleaned:
    """Remove a generated pair and its entry in the list, whatever of it is there."""
    check_name(name, "key name", UsageError)
    listed = load_signing_keys(machine.paths).find(name) is not None
    if listed:
        delete_keys(machine, (name,))
    key, certificate = machine.paths.local_pair(name)
    return Cleaned(listed, _remove(key), _remove(certificate))


def _remove(path: Path) -> bool:
    if not os.path.lexists(path):
        return False
    delete_file(path, error=SigningKeyError)
    return True
