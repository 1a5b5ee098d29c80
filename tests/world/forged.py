"""Envelopes that are properly signed and wrong in one thing, or in none: the signature fits whatever is in them.

Labels are those of JWS (`alg`, `cty`, `crit`); `FORMATS[mt.COSE]` writes them as COSE does. Keys made by `key_of` here
come from their owner's name, and signatures need no randomness: the same recipe gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from nv2.envelope.algorithms import BY_JWS, BY_KEY, HASHES
from nv2.oci import media_types as mt

MISSING = object()
"""As a change: take the label out."""

SCHEME = "io.cncf.notary.signingScheme"
SIGNING_TIME = "io.cncf.notary.signingTime"
AUTHENTIC = "io.cncf.notary.authenticSigningTime"
EXPIRY = "io.cncf.notary.expiry"
AGENT = "io.cncf.notary.signingAgent"
TIMESTAMP = "io.cncf.notary.timestampSignature"

_CURVES: dict[str, ec.EllipticCurve] = {
    "EC-224": ec.SECP224R1(),
    "EC-256": ec.SECP256R1(),
    "EC-384": ec.SECP384R1(),
    "EC-521": ec.SECP521R1(),
}
_MERSENNE = {8676: (4423, 4253)}
"""Exponents of two Mersenne primes for a modulus of so many bits: primes of that size take minutes to find."""
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


@functools.cache
def key_of(owner: str, kind: str) -> Any:
    """The private key of `owner`, always the same: `RSA-<bits>`, `EC-<bits>` or `Ed25519`."""
    seed = hashlib.sha512(f"{owner} {kind}".encode()).digest()
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])
    if kind.startswith("RSA-"):
        return _rsa(random.Random(seed), int(kind.removeprefix("RSA-")))
    return ec.derive_private_key(int.from_bytes(seed[:24], "big"), _CURVES[kind])


def _rsa(source: random.Random, bits: int) -> rsa.RSAPrivateKey:
    if bits in _MERSENNE:
        p, q = (2**exponent - 1 for exponent in _MERSENNE[bits])
    else:
        p, q = sorted((_prime(source, bits // 2) for _ in range(2)), reverse=True)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    # Whether they are primes was asked above; asking again takes seconds.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _prime(source: random.Random, bits: int) -> int:
    while True:
        n = source.getrandbits(bits) | 3 << (bits - 2) | 1
        if all(n % small for small in _SMALL_PRIMES) and n % 65537 != 1 and pow(2, n - 1, n) == 1:
            return n


def sign(key: Any, data: bytes, algorithm: str | None = None) -> bytes:
    """The raw signature by the algorithm that the key prescribes, or by that of this JWS name."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        kind = BY_JWS[algorithm] if algorithm else BY_KEY.get(f"RSA-{key.key_size}", BY_JWS["PS256"])
        return _pss(key, data, kind.hash)
    kind = BY_JWS[algorithm] if algorithm else BY_KEY.get(f"EC-{key.key_size}", BY_JWS["ES256"])
    made = key.sign(data, ec.ECDSA(HASHES[kind.hash], deterministic_signing=True))
    size = (key.key_size + 7) // 8
    return b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(made))


def _pss(key: rsa.RSAPrivateKey, data: bytes, name: str) -> bytes:
    """RSASSA-PSS with a salt that depends on the data alone (RFC 8017, 9.1.1)."""
    digest = hashlib.new(name, data).digest()
    salt = hashlib.new(name, b"salt" + digest).digest()
    size, bits = (key.key_size + 7) // 8, key.key_size - 1
    h = hashlib.new(name, bytes(8) + digest + salt).digest()
    block = b"\x01" + salt
    block = bytes(size - len(h) - 1 - len(block)) + block
    mask = b"".join(
        hashlib.new(name, h + i.to_bytes(4, "big")).digest() for i in range(len(block) // len(h) + 1)
    )
    masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
    masked[0] &= 0xFF >> (8 * size - bits)
    numbers = key.private_numbers()
    message = int.from_bytes(bytes(masked) + h + b"\xbc", "big")
    return pow(message, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")


def changed(values: Mapping[Any, Any], changes: Mapping[Any, Any]) -> dict[Any, Any]:
    """`values` with `changes`, whose `MISSING` ones are taken out."""
    return {label: value for label, value in {**values, **changes}.items() if value is not MISSING}


class Sheet(NamedTuple):
    """Everything that goes into an envelope. Bytes for a header stand for themselves."""

    chain: tuple[bytes, ...]
    key: Any
    payload: bytes
    protected: Mapping[Any, Any] | bytes
    header: Mapping[Any, Any]
    members: Mapping[str, Any] = {}
    """Of a JWS, as they are written at last."""
    sign: Callable[[Any, bytes], bytes] = sign
    tag: bytes = b"\xd2"
    """Of a COSE message, and what stands before it."""
    detached: bool = False


def jws(sheet: Sheet) -> bytes:
    """A JWS in the flattened form."""
    protected = sheet.protected
    if not isinstance(protected, bytes):
        protected = json.dumps(dict(protected), separators=(",", ":")).encode()
    parts = {"payload": base64url(sheet.payload), "protected": base64url(protected)}
    signature = sheet.sign(sheet.key, f"{parts['protected']}.{parts['payload']}".encode())
    chain = {"x5c": [b64encode(der).decode() for der in sheet.chain]}
    parts |= {"header": changed(chain, sheet.header), "signature": base64url(signature)}
    return json.dumps(changed(parts, sheet.members), separators=(",", ":")).encode()


def cose(sheet: Sheet) -> bytes:
    """A COSE_Sign1."""
    protected = sheet.protected
    if not isinstance(protected, bytes):
        protected = cbor2.dumps(protected, canonical=True)
    signed = cbor2.dumps(["Signature1", protected, b"", sheet.payload])
    header = changed({33: list(sheet.chain)}, sheet.header)
    payload = None if sheet.detached else sheet.payload
    return sheet.tag + cbor2.dumps([protected, header, payload, sheet.sign(sheet.key, signed)])


class Format(NamedTuple):
    """How a format writes what both have."""

    media_type: str
    short: str
    write: Callable[[Sheet], bytes]
    labels: Mapping[str, Any]
    algorithm: Callable[[str], Any]
    time: Callable[[datetime], Any]

    def translate(self, changes: Mapping[Any, Any]) -> dict[Any, Any]:
        """With the labels of the format, and instants as it writes them."""
        return {
            self.labels.get(label, label): self.time(value) if isinstance(value, datetime) else value
            for label, value in changes.items()
        }

    def protected(self, algorithm: str, signed_at: datetime) -> dict[Any, Any]:
        """A sound protected header."""
        return self.translate(
            {
                "alg": self.algorithm(algorithm),
                "crit": [SCHEME],
                "cty": mt.PAYLOAD,
                SCHEME: "notary.x509",
                SIGNING_TIME: signed_at,
            }
        )


def base64url(data: bytes) -> str:
    """Without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _seconds(instant: datetime) -> cbor2.CBORTag:
    return cbor2.CBORTag(1, int(instant.timestamp()))


FORMATS = {
    mt.JWS: Format(
        mt.JWS,
        "jws",
        jws,
        {},
        str,
        lambda instant: instant.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    ),
    mt.COSE: Format(
        mt.COSE,
        "cose",
        cose,
        {"alg": 1, "crit": 2, "cty": 3},
        lambda name: BY_JWS[name].cose,
        _seconds,
    ),
}
