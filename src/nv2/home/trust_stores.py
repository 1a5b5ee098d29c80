"""Trust stores on disk: `truststore/x509/<type>/<name>/<file>`, certificates as PEM or DER.

trust-store-trust-policy, "Trust Store"; that a store with one bad file is refused as a whole is
notation's rule, and a good one: a store that silently lacks a certificate, or has one more than its
administrator thinks, decides wrongly.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import InvalidCertificate, TrustStoreError, UsageError
from nv2.files import FILE_MODE, delete_file, failure, read_file, sync_directory, write_atomically
from nv2.home.paths import NAME_RULE, Paths, is_file_name, is_name

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.trust.anchors import StoreName

STORE_TYPES = ("ca", "signingAuthority", "tsa")
"""The directories of types, in the order in which they are listed."""

MAX_CERTIFICATE_FILE = 4 * 1024 * 1024
"""Bytes of a file of certificates: ten bundles of all public roots."""

MAX_STORE_FILES = 10_000
"""Files of a store, which is read whole."""


class StoredFile(NamedTuple):
    """A file of a store."""

    kind: str
    store: str
    name: str
    path: Path


def load_store(paths: Paths, store: StoreName) -> tuple[Certificate, ...]:
    """The certificates of the store, in order of file names. Raises `TrustStoreError` for what is wrong with any.

    Every certificate must be a CA's or self-signed, in a `tsa` store a self-signed root's.
    """
    kind = store.type.value
    directory = store_directory(paths, kind, store.name)
    if not directory.is_dir() or directory.is_symlink():
        raise _no_store(directory, kind, store.name, _add(kind, store.name))
    found: list[Certificate] = []
    for entry in _entries(directory):
        certificates = read_certificates(entry, regular=True)
        if problem := unfit(certificates, kind):
            raise TrustStoreError(problem, at=str(entry))
        found.extend(certificates)
    if not found:
        raise TrustStoreError(
            f'no x509 certificates were found in trust store "{store.name}" of type "{kind}"',
            hint=_add(kind, store.name),
        )
    return tuple(found)


def _no_store(directory: Path, kind: str, name: str, hint: str | None) -> TrustStoreError:
    if directory.exists() or directory.is_symlink():
        return TrustStoreError("not a directory (symbolic links are not followed)", at=str(directory))
    return TrustStoreError(f'the trust store "{name}" of type "{kind}" does not exist', hint=hint)


def _add(kind: str, name: str) -> str:
    return f"add certificates with 'nv2 cert add --type {kind} --store {name} FILE'"


def unfit(certificates: Iterable[Certificate], kind: str) -> str | None:
    """Why one of `certificates` would spoil a store of type `kind`, if one would."""
    for certificate in certificates:
        own = certificate.has_signed(certificate)
        if kind == "tsa" and not (own and certificate.is_self_issued):
            return f'certificate with subject "{certificate.subject}" is not a root CA certificate'
        if not (certificate.is_ca or own):
            return f'certificate with subject "{certificate.subject}" is neither a CA certificate nor self-signed'
    return None


def read_certificates(path: Path, *, regular: bool = False) -> tuple[Certificate, ...]:
    """The certificates of a file, one at least. Raises `TrustStoreError`."""
    return _parse(_read(path, regular), path)


def _read(path: Path, regular: bool) -> bytes:
    absent = "see 'nv2 cert list'" if regular else None
    return read_file(
        path, MAX_CERTIFICATE_FILE, "certificates", error=TrustStoreError, absent=absent, regular=regular
    )


def _parse(data: bytes, path: Path) -> tuple[Certificate, ...]:
    from nv2.pki.pem import certificates_from

    try:
        found = certificates_from(data, str(path))
    except InvalidCertificate as e:
        raise TrustStoreError(e.message, at=e.at or str(path), hint=e.hint or _FORMATS) from None
    if not found:
        raise TrustStoreError("no valid certificate found in the file", at=str(path), hint=_FORMATS)
    return found


_FORMATS = "certificates are read as PEM, any number in a file, or as DER, one in a file"


def store_directory(paths: Paths, kind: str, name: str) -> Path:
    """Where the store is. Raises `UsageError` unless both words may be joined to a directory."""
    if not kind:
        raise UsageError("store type cannot be empty", hint=f"types: {', '.join(STORE_TYPES)}")
    if kind not in STORE_TYPES:
        raise UsageError(f"unsupported store type: {kind}", hint=f"types: {', '.join(STORE_TYPES)}")
    if not is_name(name):
        raise UsageError(
            f"named store name needs to follow [a-zA-Z0-9_.-]+ format, which {name!r} does not",
            hint=f"a name has {NAME_RULE}",
        )
    return paths.trust_stores / kind / name


def store_file(paths: Paths, kind: str, store: str, name: str) -> Path:
    """Where a file of a store is. Raises `UsageError` unless all words may be joined to a directory."""
    directory = store_directory(paths, kind, store)
    if not name:
        raise UsageError("certificate fileName cannot be empty")
    if not is_file_name(name):
        raise UsageError(
            f"certificate file name {name!r} cannot be used",
            hint="name a file of the store, without directories",
        )
    return directory / name


def _entries(directory: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(directory))
    except OSError as e:
        raise failure(e, directory, kind=TrustStoreError) from None
    if len(names) > MAX_STORE_FILES:
        raise TrustStoreError(f"more than {MAX_STORE_FILES} files", at=str(directory))
    return [directory / name for name in names]


def list_certificates(paths: Paths, kind: str = "", store: str = "") -> Iterator[StoredFile]:
    """The regular files of the stores of type `kind` (of all, if empty) called `store` (likewise).

    What is not there, or is no type, lists nothing, as in notation. Raises `TrustStoreError`.
    """
    for each in STORE_TYPES:
        if kind not in ("", each):
            continue
        root = paths.trust_stores / each
        names = [store] if store else [path.name for path in _entries(root)] if root.is_dir() else []
        for name in filter(is_name, names):
            yield from _files(each, root / name)


def _files(kind: str, directory: Path) -> Iterator[StoredFile]:
    if directory.is_dir() and not directory.is_symlink():
        for path in _entries(directory):
            if path.is_file() and not path.is_symlink():
                yield StoredFile(kind, directory.name, path.name, path)


def stored_certificates(paths: Paths, kind: str, store: str, name: str) -> tuple[Certificate, ...]:
    """The certificates of one file of a store. Raises `TrustStoreError`, `UsageError`."""
    return read_certificates(store_file(paths, kind, store, name), regular=True)


def add_certificate(paths: Paths, kind: str, store: str, source: Path) -> tuple[Certificate, ...]:
    """Copy the file `source` into a store under its own name, and return the certificates in it.

    Raises `UsageError`, `TrustStoreError` (also when the store has a file of this name), `EnvironmentFailure`.
    """
    target = store_file(paths, kind, store, source.name)
    data = _read(source, False)
    certificates = _parse(data, source)
    if os.path.lexists(target):
        raise TrustStoreError("certificate already exists in the Trust Store", at=str(target), hint=_TWICE)
    # Not beside: a verification that reads the store just now must not meet an unfinished file.
    write_atomically(target, data, FILE_MODE, replace=False, scratch=paths.trust_stores.parent)
    return certificates


_TWICE = "rename the file, or first delete the one in the store with 'nv2 cert delete'"


def delete_certificate(paths: Paths, kind: str, store: str, name: str) -> None:
    """Remove a file from a store, and the store's directory if that was the last.

    Raises `TrustStoreError`, `UsageError`.
    """
    path = store_file(paths, kind, store, name)
    delete_file(path, error=TrustStoreError)
    with contextlib.suppress(OSError):  # Not empty, most often; an empty store left over harms nobody.
        path.parent.rmdir()


def delete_store(paths: Paths, kind: str, store: str) -> Path:
    """Remove a store with all its files, and return where it was. Raises `TrustStoreError`, `UsageError`, `EnvironmentFailure`."""
    directory = store_directory(paths, kind, store)
    if not directory.is_dir() or directory.is_symlink():
        raise _no_store(directory, kind, store, "see 'nv2 cert list'")
    import shutil  # it loads every compressor there is, and those who verify delete nothing

    # Out of the way first: nobody must meet a store that is half deleted.
    doomed = paths.trust_stores.parent / f".nv2-{os.urandom(8).hex()}.tmp"
    try:
        directory.rename(doomed)
        sync_directory(directory.parent)
        shutil.rmtree(doomed)
    except OSError as e:
        raise failure(e, directory) from None
    return directory
