"""Timestamps for signing, wired: an authority by its URL, and the file of the root that it must lead to."""

from __future__ import annotations

import secrets
from pathlib import Path

from nv2.errors import InvalidCertificate, Nv2Error, UsageError
from nv2.files import read_file
from nv2.notary.session import Session
from nv2.pki.certificate import Certificate
from nv2.pki.pem import certificates_from
from nv2.pki.timestamp_request import MIN_NONCE
from nv2.plain_text import quoted
from nv2.signing import Timestamper
from nv2.timestamping import TimestampService
from nv2.transport.urls import parse_url

MAX_ROOT_FILE = 1024 * 1024
"""Bytes; one certificate has 2 kB."""

_EXPECTING = "Expecting single x509 root certificate in PEM or DER format from the file"


def timestamper(session: Session, url: str, root_file: str) -> Timestamper:
    """Whoever stamps signatures for this session: the authority at `url`, which must lead to the certificate in `root_file`.

    Nobody is asked yet. Raises `UsageError`, `EnvironmentFailure`.
    """
    if not url:
        raise UsageError("timestamping: tsa url cannot be empty")
    if not root_file:
        raise UsageError("timestamping: tsa root certificate path cannot be empty")
    _check_url(url)
    return TimestampService(
        session.registries.transport(),
        url,
        _root_in(root_file),
        session.revocation,
        session.now,
        _nonce,
    ).stamp


def _nonce() -> int:
    return secrets.randbits(2 * MIN_NONCE - 1) | 1 << 2 * MIN_NONCE - 1


def _check_url(url: str) -> None:
    try:
        parse_url(url)
    except Nv2Error as e:
        raise UsageError(
            f"timestamping: {quoted(url)} cannot be asked: {e.message}",
            hint="an absolute http or https address, such as http://timestamp.example.com",
        ) from None


def _root_in(path: str) -> Certificate:
    """The one certificate of the file, which must have signed itself."""
    try:
        found = certificates_from(read_file(Path(path), MAX_ROOT_FILE, "a certificate"), path)
    except InvalidCertificate as e:
        raise UsageError(
            f'cannot find any certificate from "{path}": {e.message}. {_EXPECTING}', hint=e.hint
        ) from None
    if len(found) > 1:
        raise UsageError(f'found more than one certificates from "{path}". {_EXPECTING}')
    if not found[0].is_self_issued or not found[0].has_signed(found[0]):
        raise UsageError(f'certificate from "{path}" is not a root certificate. {_EXPECTING}')
    return found[0]
