"""Tokens of SoftHSM2, a software HSM, in a directory of their own: keys are made on them and never leave them.

One configuration for a process, since the module reads it when it is loaded. What is here plays the officer who sets
a token up; nv2 meets it only through the module.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pkcs11
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)

PIN = "open-sesame-4711"
OFFICER = "87654321"
TOKEN = "wabbit token"
CURVES = {"EC-256": "secp256r1", "EC-384": "secp384r1", "EC-521": "secp521r1"}


def module() -> Path | None:
    """The module of this machine, if it is installed."""
    return next((Path(path) for path in MODULES if Path(path).is_file()), None)


class Made(NamedTuple):
    """The public half of a key on the token, as `tests.world.ca.certificate` wants it."""

    public: Any

    def public_key(self) -> Any:
        return self.public


class SoftHsm:
    """Tokens below `directory`; `environment` shows them to whoever loads the module."""

    def __init__(self, library: Path, configuration: Path) -> None:
        self.module = library
        self.configuration = configuration
        self.environment = {"SOFTHSM2_CONF": str(configuration)}

    @classmethod
    def create(cls, library: Path, directory: Path) -> SoftHsm:
        """A set-up without tokens."""
        configuration = directory / "softhsm2.conf"
        (directory / "tokens").mkdir()
        configuration.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
        return cls(library, configuration)

    def initialize(self, label: str) -> None:
        """A new token; only processes that load the module afterwards see it."""
        words = ("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", OFFICER)
        subprocess.run(
            ["softhsm2-util", *words],
            env={"PATH": os.environ["PATH"], **self.environment},
            check=True,
            capture_output=True,
            timeout=60,
        )

    def uri(self, key: str, *more: str, token: str = TOKEN, query: str = "") -> str:
        """The URI of a key."""
        path = ";".join((f"token={token.replace(' ', '%20')}", f"object={key}", *more))
        return f"pkcs11:{path}?module-path={self.module}{query}"

    @contextmanager
    def opened(self, token: str = TOKEN) -> Iterator[Any]:
        """A session that may write."""
        with pkcs11.lib(str(self.module)).get_token(token_label=token).open(rw=True, user_pin=PIN) as session:
            yield session

    def generate(
        self,
        session: Any,
        label: str,
        kind: str,
        identifier: bytes,
        *,
        may_sign: bool = True,
        always_authenticate: bool = False,
    ) -> Made:
        """A pair of keys made on the token; the private one may want the PIN for every signature."""
        told: dict[str, Any] = {
            "label": label,
            "id": identifier,
            "store": True,
            "private_template": {
                Attribute.SIGN: may_sign,
                **({Attribute.ALWAYS_AUTHENTICATE: True} if always_authenticate else {}),
            },
        }
        if kind.startswith("RSA"):
            size = int(kind.removeprefix("RSA-"))
            public, _ = session.generate_keypair(
                KeyType.RSA, size, mechanism=Mechanism.RSA_PKCS_KEY_PAIR_GEN, **told
            )
            return Made(load_der_public_key(_rsa_spki(public)))
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVES[kind])}
        parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
        public, _ = parameters.generate_keypair(mechanism=Mechanism.EC_KEY_PAIR_GEN, **told)
        return Made(load_der_public_key(encode_ec_public_key(public)))

    def write_certificate(self, session: Any, der: bytes, label: str, identifier: bytes) -> None:
        """A certificate object."""
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.CERTIFICATE,
                Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                Attribute.TOKEN: True,
                Attribute.LABEL: label,
                Attribute.ID: identifier,
                Attribute.SUBJECT: b"\x30\x00",
                Attribute.VALUE: der,
            }
        )

    def forget_public_key(self, session: Any, label: str) -> None:
        """Take the public half off the token."""
        for found in list(
            session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label})
        ):
            found.destroy()


def _rsa_spki(public: Any) -> bytes:
    from asn1crypto.keys import PublicKeyInfo, RSAPublicKey

    key = RSAPublicKey.load(encode_rsa_public_key(public))
    return bytes(PublicKeyInfo.wrap(key, "rsa").dump())
