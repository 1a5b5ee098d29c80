from __future__ import annotations

import pytest

from nv2.envelope.envelope import Scheme
from nv2.errors import PolicyError, TrustStoreError
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.chain import Chain, parse_chain
from nv2.trust.anchors import (
    CertificateAnchors,
    KeyAnchor,
    StoreAnchors,
    StoreName,
    StoreType,
    is_store_name,
    parse_store_name,
)
from tests.world.ca import CA, self_signed

WABBIT, ACME = CA("Wabbit"), CA("Acme")
CHAIN = parse_chain(WABBIT.issue("build", key="EC-256").chain)
CA_WABBIT, CA_ACME = StoreName(StoreType.CA, "wabbit"), StoreName(StoreType.CA, "acme")
SA_WABBIT = StoreName(StoreType.SIGNING_AUTHORITY, "wabbit")
TSA = StoreName(StoreType.TSA, "clock")


def certificate(ca: CA) -> Certificate:
    return parse_certificate(ca.certificate)


class World:
    """Trust stores in memory that count how often they are read."""

    def __init__(self) -> None:
        self.read: list[StoreName] = []
        self.stores = {
            CA_WABBIT: (certificate(WABBIT),),
            SA_WABBIT: (certificate(WABBIT),),
            CA_ACME: (certificate(ACME),),
        }

    def load(self, name: StoreName) -> tuple[Certificate, ...]:
        self.read.append(name)
        if name not in self.stores:
            raise TrustStoreError("no such trust store", at=str(name))
        return self.stores[name]


def refusal(*stores: StoreName, scheme: Scheme = Scheme.X509, chain: Chain = CHAIN) -> str | None:
    return StoreAnchors(stores, World().load).refusal(chain, scheme)


def test_a_store_name_is_read_and_written_back() -> None:
    assert parse_store_name("signingAuthority:acme-1.x_y", None) == (
        StoreType.SIGNING_AUTHORITY,
        "acme-1.x_y",
    )
    assert str(parse_store_name("tsa:clock", None)) == "tsa:clock"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ca",
        "acme",
        "CA:acme",
        "ca :acme",
        "sa:acme",
        "ca:",
        "ca:a/b",
        "ca:..",
        "ca:.",
        "ca:a:b",
        "ca:a\n",
    ],
)
def test_what_names_no_store_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_store_name(text, "trustPolicies[0].trustStores[1]")
    assert caught.value.at == "trustPolicies[0].trustStores[1]"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\\b", "ä", "x" * 256])
def test_a_name_cannot_lead_out_of_the_directory_of_stores(name: str) -> None:
    assert not is_store_name(name)


def test_the_root_in_a_named_store_anchors_the_chain() -> None:
    assert refusal(CA_WABBIT) is None
    assert refusal(CA_ACME, CA_WABBIT) is None


def test_a_root_in_another_store_does_not() -> None:
    assert refusal(CA_ACME) == "no certificate of the chain is in ca:acme"


def test_an_intermediate_anchors_its_chain_as_in_notation() -> None:
    intermediate = WABBIT.intermediate("Builds")
    world = World()
    world.stores[CA_ACME] = (certificate(intermediate),)
    chain = parse_chain(intermediate.issue("build", key="EC-256").chain)
    assert StoreAnchors((CA_ACME,), world.load).refusal(chain, Scheme.X509) is None


def test_a_certificate_of_the_same_name_and_key_is_another_certificate() -> None:
    world = World()
    world.stores[CA_WABBIT] = (certificate(CA("Wabbit")),)
    assert StoreAnchors((CA_WABBIT,), world.load).refusal(CHAIN, Scheme.X509)


@pytest.mark.parametrize(
    ("scheme", "store", "needed"),
    [(Scheme.SIGNING_AUTHORITY, CA_WABBIT, "signingAuthority"), (Scheme.X509, SA_WABBIT, "ca")],
)
def test_a_store_of_the_wrong_type_does_not_serve_a_scheme(
    scheme: Scheme, store: StoreName, needed: str
) -> None:
    assert refusal(store, scheme=scheme) == (
        f"no trust store of type '{needed}' is named, which signatures of scheme {scheme.value} need"
    )


def test_a_signing_authority_is_anchored_by_its_own_store() -> None:
    assert refusal(CA_ACME, SA_WABBIT, scheme=Scheme.SIGNING_AUTHORITY) is None


def test_a_tsa_store_anchors_no_signature() -> None:
    world = World()
    world.stores[TSA] = (certificate(WABBIT),)
    anchors = StoreAnchors((TSA,), world.load)
    assert anchors.refusal(CHAIN, Scheme.X509)
    assert anchors.thumbprints() == frozenset()
    assert anchors.serves_timestamps


def test_a_missing_store_is_noticed_even_if_another_one_matches() -> None:
    with pytest.raises(TrustStoreError):
        refusal(CA_WABBIT, StoreName(StoreType.CA, "gone"))


def test_a_store_that_the_scheme_does_not_need_may_be_missing() -> None:
    assert refusal(CA_WABBIT, StoreName(StoreType.SIGNING_AUTHORITY, "gone")) is None


def test_a_store_is_read_once_and_only_when_needed() -> None:
    world = World()
    anchors = StoreAnchors((CA_WABBIT, SA_WABBIT), world.load)
    assert world.read == []
    for _ in range(3):
        anchors.refusal(CHAIN, Scheme.X509)
    assert world.read == [CA_WABBIT]


def test_thumbprints_are_those_of_all_stores_that_anchor_signatures() -> None:
    anchors = StoreAnchors((CA_WABBIT, CA_ACME, SA_WABBIT, TSA), World().load)
    assert anchors.thumbprints() == {certificate(WABBIT).thumbprint, certificate(ACME).thumbprint}


def test_a_given_certificate_must_be_in_the_chain_byte_by_byte() -> None:
    assert CertificateAnchors((CHAIN.leaf,)).refusal(CHAIN, Scheme.X509) is None
    assert CertificateAnchors((CHAIN.root,)).refusal(CHAIN, Scheme.X509) is None
    assert CertificateAnchors((certificate(ACME),)).refusal(CHAIN, Scheme.X509)


def test_a_given_key_must_be_that_of_the_signing_certificate() -> None:
    pair = self_signed("build", key="EC-256")
    chain = parse_chain(pair.chain)
    assert KeyAnchor(chain.leaf.spki).refusal(chain, Scheme.X509) is None
    assert KeyAnchor(certificate(WABBIT).spki).refusal(CHAIN, Scheme.X509)


@pytest.mark.parametrize("anchors", [CertificateAnchors((CHAIN.root,)), KeyAnchor(CHAIN.leaf.spki)])
def test_what_a_file_names_is_no_signing_authority_and_no_clock(
    anchors: CertificateAnchors | KeyAnchor,
) -> None:
    assert anchors.refusal(CHAIN, Scheme.SIGNING_AUTHORITY)
    assert not anchors.serves_timestamps
