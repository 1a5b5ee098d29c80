"""What is trusted, given in memory by a program: no file of this machine is read.

The values are checked when they are made, cannot be changed, and serve any number of calls and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from nv2.errors import DenialListError, InvalidCertificate, TrustStoreError, UsageError
from nv2.home.trust_stores import unfit
from nv2.notary.trust_here import TrustChoice, choice_of, trust_by
from nv2.pki.certificate import Certificate
from nv2.pki.pem import certificates_from, public_key_from
from nv2.trust.anchors import Anchors, CertificateAnchors, KeyAnchor, parse_store_name
from nv2.trust.blob_policy import BlobPolicy, parse_blob_policy
from nv2.trust.denial import DenialList, parse_denials
from nv2.trust.level import LEVELS
from nv2.trust.policy import Statement, TrustPolicy, parse_policy
from nv2.trust.trust import Trust

if TYPE_CHECKING:
    from nv2.trust.anchors import Stores

Certificates = bytes | str | Sequence[bytes | str]
"""PEM, any number in one, or DER, one in each."""


class GivenTrust(Protocol):
    """What `trust=` takes."""

    @property
    def needs_scope(self) -> bool:
        """Whether it matters which repository is asked about."""

    def choice(self, scope: str | None) -> TrustChoice:
        """What is trusted for a reference, or for the repository `scope` whatever the reference is."""


class GivenBlobTrust(Protocol):
    """What `trust=` takes where blobs are verified."""

    def for_blobs(self, policy_name: str | None) -> Trust | Statement:
        """What is trusted by the statement `policy_name`, or by the one for who names none."""


class KeyTrust:
    """Exactly this certificate or public key is trusted, strictly; no policy is read.

    A certificate must be in the chain of a signature byte for byte, a public key must be the signing
    certificate's own. `data` is PEM or DER, `name` is what messages call it. `denials` is the JSON of a list of denials
    (`nv2 trust denials --output json`), which goes before the trust. Raises `UsageError`, `DenialListError`.
    """

    needs_scope = False

    def __init__(
        self, data: bytes | str, name: str = "the given key", *, denials: bytes | str | None = None
    ) -> None:
        anchor = _anchor(_bytes(data), name)
        self._trust = Trust(name, LEVELS["strict"], anchor, denials=_denials(denials))

    def __repr__(self) -> str:
        return f"<KeyTrust {self._trust.name}>"

    def choice(self, scope: str | None) -> TrustChoice:
        """The same for every reference. Raises `UsageError` if a `scope` is given: there is no policy."""
        if scope is not None:
            raise UsageError("a scope chooses a policy statement, and with a key there is no policy")
        return lambda _: self._trust

    def for_blobs(self, policy_name: str | None) -> Trust:
        """The same for every blob. Raises `UsageError` if a `policy_name` is given: there is no policy."""
        if policy_name is not None:
            raise UsageError("a name chooses a policy statement, and with a key there is no policy")
        return self._trust


class PolicyTrust:
    """The trust policy `document` decides, with `stores` as its trust stores.

    `document` is the JSON of a `trustpolicy.json`. `stores` has the certificates of every store that it names,
    by `type:name` such as `ca:wabbit-networks`; the rules for stores on disk apply. `name` is what messages call the
    policy. `denials` is as for `KeyTrust`. Raises `PolicyError`, `TrustStoreError`, `DenialListError`
    (trust-store-trust-policy, "Trust Store", "OCI Trust Policy").
    """

    needs_scope = True

    def __init__(
        self,
        document: bytes | str,
        stores: Mapping[str, Certificates],
        name: str = "trust policy",
        *,
        denials: bytes | str | None = None,
    ) -> None:
        self._denials = _denials(denials)
        self._name = name
        self._policy: TrustPolicy = parse_policy(_bytes(document), name)
        self._load = _loader(stores, self._policy.statements)

    def __repr__(self) -> str:
        return f"<PolicyTrust {self._name}: {', '.join(s.name for s in self._policy.statements)}>"

    def choice(self, scope: str | None) -> TrustChoice:
        """By the statement for `scope`, or for the reference's repository. It raises `PolicyError`."""
        return choice_of(self._policy, self._load, scope, self._denials)


class BlobPolicyTrust:
    """The trust policy for blobs `document` decides, with `stores` as its trust stores.

    `document` is the JSON of a `trustpolicy.blob.json`; the rest is as for `PolicyTrust` (trust-store-trust-policy,
    "Blob Trust Policy"). It raises the same.
    """

    def __init__(
        self,
        document: bytes | str,
        stores: Mapping[str, Certificates],
        name: str = "blob trust policy",
        *,
        denials: bytes | str | None = None,
    ) -> None:
        self._denials = _denials(denials)
        self._name = name
        self._policy: BlobPolicy = parse_blob_policy(_bytes(document), name)
        self._load = _loader(stores, self._policy.statements)

    def __repr__(self) -> str:
        return f"<BlobPolicyTrust {self._name}: {', '.join(s.name for s in self._policy.statements)}>"

    def for_blobs(self, policy_name: str | None) -> Trust | Statement:
        """By the statement `policy_name`, or the global one; a statement where its level skips. Raises `PolicyError`."""
        return trust_by(self._policy.statement_for(policy_name), self._load, self._denials)


def _loader(stores: Mapping[str, Certificates], statements: Iterable[Statement]) -> Stores:
    """What has the certificates of `stores`. Raises `TrustStoreError` at once for a store that `statements` miss."""
    loaded = {
        parse_store_name(text, None, TrustStoreError): _load(text, given) for text, given in stores.items()
    }
    for store in {store for statement in statements for store in statement.stores}:
        if store not in loaded:
            raise TrustStoreError("the policy names this trust store, and it was not given", at=str(store))
    return loaded.__getitem__


def _denials(data: bytes | str | None) -> DenialList | None:
    return None if data is None else parse_denials(_bytes(data), DenialListError)


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _anchor(data: bytes, name: str) -> Anchors:
    try:
        spki = public_key_from(data, name)
        if spki is not None:
            return KeyAnchor(spki)
        certificates = certificates_from(data, name)
    except InvalidCertificate as e:
        hint = "give a certificate or a public key, as PEM or DER"
        raise UsageError(e.message, at=e.at, hint=hint) from None
    if len(certificates) > 1:
        raise UsageError(
            f"holds {len(certificates)} certificates, and exactly one can be trusted this way",
            at=name,
            hint="give the signing certificate alone, or a policy with trust stores",
        )
    return CertificateAnchors(certificates)


def _load(text: str, given: Certificates) -> tuple[Certificate, ...]:
    files = [given] if isinstance(given, bytes | str) else given
    try:
        found = tuple(each for file in files for each in certificates_from(_bytes(file), text))
    except InvalidCertificate as e:
        raise TrustStoreError(e.message, at=e.at, hint=e.hint) from None
    if not found:
        raise TrustStoreError("a trust store needs a certificate", at=text)
    if problem := unfit(found, text.partition(":")[0]):
        raise TrustStoreError(problem, at=text)
    return found
