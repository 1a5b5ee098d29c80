"""Names of trust stores, and what anchors trust: stores, certificates, or one bare key.

trust-store-trust-policy, "Trust Store"; signing-scheme, "Trust Stores". What this module does not do:
read a store, or check a chain. A chain that comes here is ordered, linked and profiled already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nv2.envelope.envelope import Scheme
from nv2.errors import PolicyError
from nv2.strict_json import ErrorType

if TYPE_CHECKING:
    from nv2.pki.certificate import Certificate
    from nv2.pki.chain import Chain

MAX_STORE_NAME = 255
"""Characters: what file systems allow for the directory of that name."""

_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)


class StoreType(Enum):
    """What the certificates of a store may vouch for. Keeping them apart is a security property."""

    CA = "ca"
    SIGNING_AUTHORITY = "signingAuthority"
    TSA = "tsa"


STORE_OF: dict[Scheme, StoreType] = {
    Scheme.X509: StoreType.CA,
    Scheme.SIGNING_AUTHORITY: StoreType.SIGNING_AUTHORITY,
}
"""Which stores anchor the signatures of a scheme. `tsa` stores anchor timestamps alone."""


class StoreName(NamedTuple):
    """`type:name`, as trust policies write it."""

    type: StoreType
    name: str

    def __str__(self) -> str:
        return f"{self.type.value}:{self.name}"


def is_store_name(name: str) -> bool:
    """Whether `name` may name a store: `[a-zA-Z0-9_.-]+`, and not a way out of the directory of stores."""
    return bool(_NAME.fullmatch(name)) and len(name) <= MAX_STORE_NAME and name not in (".", "..")


def parse_store_name(text: str, at: str | None, error: ErrorType = PolicyError) -> StoreName:
    """Read `type:name`. Raises `error` at `at`."""
    word, colon, name = text.partition(":")
    types = ", ".join(kind.value for kind in StoreType)
    if not colon:
        raise error(f"{text!r} is not a trust store", at=at, hint="expected <type>:<name>, such as ca:acme")
    kind = next((kind for kind in StoreType if kind.value == word), None)
    if kind is None:
        raise error(f"unknown type of trust store {word!r}", at=at, hint=f"types: {types}")
    if not is_store_name(name):
        raise error(
            f"{name!r} cannot name a trust store", at=at, hint="letters, digits, '_', '.' and '-' can be used"
        )
    return StoreName(kind, name)


Stores = Callable[[StoreName], "tuple[Certificate, ...]"]
"""Loads the certificates of a store. Raises `TrustStoreError`, also for a store without certificates."""


class Anchors(Protocol):
    """Whatever trust starts from."""

    @property
    def serves_timestamps(self) -> bool:
        """Whether a timestamp could be anchored: only then are timestamps asked for."""

    def timestamp_roots(self) -> tuple[Certificate, ...]:
        """Whom timestamps must come from; nobody where they are not asked for.

        Raises `ConfigurationError` or `EnvironmentFailure`.
        """

    def refusal(self, chain: Chain, scheme: Scheme) -> str | None:
        """Why `chain` is not anchored for signatures of `scheme`; None if it is.

        Raises `ConfigurationError` or `EnvironmentFailure` if that cannot be decided.
        """

    def thumbprints(self) -> frozenset[str]:
        """Lower-hex SHA-256 of the certificates that anchor signatures, to order work by.

        Raises `ConfigurationError` or `EnvironmentFailure`.
        """


class StoreAnchors:
    """The trust stores that a statement names; each is loaded at most once, when it is needed."""

    __slots__ = ("_load", "_loaded", "stores")

    def __init__(self, stores: tuple[StoreName, ...], load: Stores) -> None:
        self.stores = stores
        self._load = load
        self._loaded: dict[StoreName, tuple[Certificate, ...]] = {}

    @property
    def serves_timestamps(self) -> bool:
        return any(store.type is StoreType.TSA for store in self.stores)

    def timestamp_roots(self) -> tuple[Certificate, ...]:
        names = [store for store in self.stores if store.type is StoreType.TSA]
        return tuple(found for name in names for found in self._certificates(name))

    def refusal(self, chain: Chain, scheme: Scheme) -> str | None:
        needed = STORE_OF[scheme]
        names = [store for store in self.stores if store.type is needed]
        if not names:
            return f"no trust store of type {needed.value!r} is named, which signatures of scheme {scheme.value} need"
        # Every store is loaded before any is searched: a store that is missing must not go unnoticed
        # because another one happened to match first.
        trusted = {certificate for name in names for certificate in self._certificates(name)}
        if trusted.isdisjoint(chain.certificates):
            return f"no certificate of the chain is in {', '.join(map(str, names))}"
        return None

    def thumbprints(self) -> frozenset[str]:
        names = [store for store in self.stores if store.type is not StoreType.TSA]
        return frozenset(found.thumbprint for name in names for found in self._certificates(name))

    def _certificates(self, name: StoreName) -> tuple[Certificate, ...]:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]


class CertificateAnchors:
    """Certificates named one by one: one of them must be in the chain, byte by byte."""

    __slots__ = ("certificates",)

    def __init__(self, certificates: tuple[Certificate, ...]) -> None:
        self.certificates = certificates

    serves_timestamps = False

    def timestamp_roots(self) -> tuple[Certificate, ...]:
        return ()

    def refusal(self, chain: Chain, scheme: Scheme) -> str | None:
        if scheme is not Scheme.X509:
            return _ONLY_X509
        if set(self.certificates).isdisjoint(chain.certificates):
            return "the given certificate is not in the chain"
        return None

    def thumbprints(self) -> frozenset[str]:
        return frozenset(certificate.thumbprint for certificate in self.certificates)


class KeyAnchor:
    """A bare public key (DER SubjectPublicKeyInfo): it must be the signing certificate's own."""

    __slots__ = ("spki",)

    def __init__(self, spki: bytes) -> None:
        self.spki = spki

    serves_timestamps = False

    def timestamp_roots(self) -> tuple[Certificate, ...]:
        return ()

    def refusal(self, chain: Chain, scheme: Scheme) -> str | None:
        if scheme is not Scheme.X509:
            return _ONLY_X509
        if chain.leaf.spki != self.spki:
            return "the signing certificate has another key than the given one"
        return None

    def thumbprints(self) -> frozenset[str]:
        return frozenset()


_ONLY_X509 = f"a signing authority must be named by a trust store, and signatures of {Scheme.X509.value} alone by a file"
