"""A key that stays in its token and signs there: `keys.interface.Signer`.

Bytes go in and a signature comes out; the private key never is in this process. Every signature is checked with the
certificate before it is handed on, since a token may hold a certificate of another key.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nv2.envelope import algorithms
from nv2.envelope.algorithms import Algorithm
from nv2.errors import InvalidCertificate, InvalidSignature, SigningKeyError
from nv2.files import read_file
from nv2.keys.chains import chain_of, read_certificates, signing_chain
from nv2.keys.pkcs11 import token as tokens
from nv2.keys.pkcs11.modules import module_of
from nv2.keys.pkcs11.public_half import public_half
from nv2.keys.pkcs11.token import AskPin
from nv2.keys.pkcs11.uri import Uri
from nv2.pki.certificate import Certificate, parse_certificate

if TYPE_CHECKING:
    import pkcs11

MAX_PIN = 256
"""Bytes of a PIN in a file; tokens allow 255 at most."""

_CERTIFICATE = "write it to the token, or name its file with --cert"
_SEEN = "the PIN stands in the command line, where every user of this machine can read it; use pin-source=file:... or --passphrase-fd"


class TokenSigner:
    """A private key in a token, with its chain. Close it when it has signed."""

    def __init__(
        self,
        session: pkcs11.Session,
        key: Any,
        chain: tuple[bytes, ...],
        uri: Uri,
        ask_pin: AskPin,
    ) -> None:
        self._session = session
        self._key = key
        self._uri = uri
        self._ask_pin = ask_pin
        self._turn = threading.Lock()
        self.chain = chain
        self._public = parse_certificate(chain[0]).public_key
        self.algorithm: Algorithm = algorithms.algorithm_of(self._public)
        self.warnings: tuple[str, ...] = (_SEEN,) if uri.pin_value is not None else ()
        """What the owner of the key should hear; no reason not to sign."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature of `data` (`keys.interface.Signer.sign`), one at a time: a session has one operation.

        Raises `SigningKeyError`.
        """
        from pkcs11 import Attribute

        with self._turn, tokens.located(self._uri):
            mechanism = _mechanism(self.algorithm, self._session.token.slot.get_mechanisms(), data)
            more = {}
            if tokens.read(self._key, Attribute.ALWAYS_AUTHENTICATE):
                more["pin"] = tokens.text_of(self._ask_pin(f"key {self._uri}"), self._uri)
            signature = bytes(self._key.sign(mechanism.pop("data"), **mechanism, **more))
        try:
            algorithms.verify(self.algorithm, self._public, signature, data)
        except InvalidSignature:
            raise SigningKeyError(
                "the token's signature does not fit the certificate", at=str(self._uri), hint=_CERTIFICATE
            ) from None
        return signature

    def close(self) -> None:
        """End the session with the token. What signs afterwards fails."""
        with self._turn, tokens.located(self._uri):
            self._session.close()


def _mechanism(algorithm: Algorithm, known: set[Any], data: bytes) -> dict[str, Any]:
    """What to hand to the token, and how it shall sign it.

    ECDSA hashes here, since every token can sign a hash and few can hash; of RSASSA-PSS there are tokens that can
    only do the one or the other.
    """
    from pkcs11 import MGF, Mechanism

    digest = hashlib.new(algorithm.hash, data).digest()
    if algorithm.key.startswith("EC"):
        return {"data": digest, "mechanism": Mechanism.ECDSA}
    name = algorithm.hash.upper()
    whole = Mechanism[f"{name}_RSA_PKCS_PSS"]
    parameters = (Mechanism[name], MGF[name], len(digest))
    if whole in known:
        return {"data": data, "mechanism": whole, "mechanism_param": parameters}
    return {"data": digest, "mechanism": Mechanism.RSA_PKCS_PSS, "mechanism_param": parameters}


def open_signer(
    uri: Uri,
    *,
    cert_path: Path | None = None,
    ask_pin: AskPin,
    now: datetime | None = None,
    environ: Mapping[str, str] = os.environ,
) -> TokenSigner:
    """The key that `uri` names, with its chain: of `cert_path`, else out of the token.

    The PIN is the URI's own, else that of its `pin-source`, else `ask_pin` is asked. With `now`, every certificate must
    be valid then. Raises `SigningKeyError` and what `ask_pin` raises.
    """
    module = tokens.load_module(module_of(uri, environ), uri)
    ask = _pin_of(uri, ask_pin)
    session = tokens.open_session(tokens.find_token(module, uri), uri, ask)
    try:
        key = tokens.find_key(session, uri)
        return TokenSigner(session, key, _chain(session, key, uri, cert_path, now), uri, ask)
    except BaseException:
        session.close()
        raise


def _pin_of(uri: Uri, ask_pin: AskPin) -> AskPin:
    if uri.pin_value is not None:
        pin = uri.pin_value.encode()
        return lambda _: pin
    if uri.pin_source is None:
        return ask_pin
    path = Path(uri.pin_source.removeprefix("file:"))
    if not path.is_absolute():
        raise SigningKeyError(
            "pin-source is not the absolute path of a file",
            at=str(uri),
            hint="write pin-source=file:/path; of a program, use --passphrase-command",
        )
    return lambda _: (
        read_file(path, MAX_PIN, "a PIN", error=SigningKeyError).partition(b"\n")[0].rstrip(b"\r")
    )


def _chain(
    session: pkcs11.Session, key: Any, uri: Uri, cert_path: Path | None, now: datetime | None
) -> tuple[bytes, ...]:
    from pkcs11 import Attribute

    identifier = tokens.read(key, Attribute.ID) or b""
    place = str(cert_path or uri)
    if cert_path is not None:
        held: Sequence[Certificate] = read_certificates(cert_path)
        own = [certificate for certificate in held if not _is_issuer(certificate, held)]
    else:
        found = _on_token(session, uri)
        held = [certificate for _, certificate in found]
        own = [certificate for name, certificate in found if identifier and name == identifier]
    with tokens.located(uri):
        spki = public_half(session, key, identifier)
    if spki is not None:
        return signing_chain(held, spki, key=str(uri), place=place, now=now)
    # The token does not show the key's public half: the first signature tells whether this is its certificate.
    if len(own) != 1:
        raise SigningKeyError("it is not clear which certificate is the key's", at=place, hint=_CERTIFICATE)
    return chain_of(own[0], held, place=place, now=now)


def _on_token(session: pkcs11.Session, uri: Uri) -> list[tuple[bytes, Certificate]]:
    """CKA_ID and certificate, where a certificate that cannot be read stands in nobody's way."""
    found = []
    for name, der in tokens.certificates_on(session, uri):
        with suppress(InvalidCertificate):
            found.append((name, parse_certificate(der, str(uri))))
    if not found:
        raise SigningKeyError("the token has no certificate", at=str(uri), hint=_CERTIFICATE)
    return found


def _is_issuer(certificate: Certificate, held: Sequence[Certificate]) -> bool:
    return any(other.issuer_der == certificate.subject_der for other in held if other.der != certificate.der)
