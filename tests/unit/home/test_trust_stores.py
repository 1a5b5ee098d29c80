from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nv2.errors import TrustStoreError, UsageError
from nv2.home.paths import Paths
from nv2.home.trust_stores import (
    add_certificate,
    delete_certificate,
    delete_store,
    list_certificates,
    load_store,
    stored_certificates,
)
from nv2.trust.anchors import StoreName, StoreType
from tests.world.ca import CA, Pair, pem, self_signed

WABBIT = StoreName(StoreType.CA, "wabbit")


@pytest.fixture(scope="module")
def ca() -> CA:
    return CA("Wabbit")


@pytest.fixture(scope="module")
def pair(ca: CA) -> Pair:
    return ca.issue("build", key="EC-256")


def put(paths: Paths, name: str, data: bytes, kind: str = "ca", store: str = "wabbit") -> Path:
    path = paths.trust_stores / kind / store / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_store_is_loaded_in_the_order_of_its_file_names(paths: Paths, ca: CA) -> None:
    own = self_signed("own", key="EC-256")
    put(paths, "b.pem", own.pem_chain())
    put(paths, "a.crt", ca.certificate)
    assert [certificate.der for certificate in load_store(paths, WABBIT)] == [ca.certificate, own.leaf]


def test_a_file_may_hold_several_certificates(paths: Paths, ca: CA) -> None:
    other = CA("Other")
    put(paths, "a.pem", pem([ca.certificate, other.certificate]))
    assert len(load_store(paths, WABBIT)) == 2


def test_a_store_that_is_not_there_is_named_with_its_type(paths: Paths) -> None:
    with pytest.raises(
        TrustStoreError, match='the trust store "wabbit" of type "ca" does not exist'
    ) as caught:
        load_store(paths, WABBIT)
    assert "nv2 cert add --type ca --store wabbit" in (caught.value.hint or "")


def test_an_empty_store_is_an_error(paths: Paths) -> None:
    (paths.trust_stores / "ca" / "wabbit").mkdir(parents=True)
    with pytest.raises(TrustStoreError, match="no x509 certificates were found"):
        load_store(paths, WABBIT)


def test_one_file_that_is_no_certificate_spoils_the_store(paths: Paths, ca: CA) -> None:
    put(paths, "a.crt", ca.certificate)
    bad = put(paths, "b.crt", b"junk")
    with pytest.raises(TrustStoreError) as caught:
        load_store(paths, WABBIT)
    assert (caught.value.at or "").startswith(str(bad))


def test_a_certificate_that_is_neither_a_cas_nor_self_signed_spoils_the_store(
    paths: Paths, pair: Pair
) -> None:
    put(paths, "leaf.crt", pair.leaf)
    with pytest.raises(TrustStoreError, match="neither a CA certificate nor self-signed"):
        load_store(paths, WABBIT)


def test_a_timestamping_store_takes_roots_alone(paths: Paths, ca: CA) -> None:
    tsa = StoreName(StoreType.TSA, "tsa")
    put(paths, "root.crt", ca.certificate, "tsa", "tsa")
    assert len(load_store(paths, tsa)) == 1
    put(paths, "sub.crt", ca.intermediate("Sub").certificate, "tsa", "tsa")
    with pytest.raises(TrustStoreError, match="is not a root CA certificate"):
        load_store(paths, tsa)


def test_links_and_directories_spoil_a_store(paths: Paths, ca: CA) -> None:
    path = put(paths, "a.crt", ca.certificate)
    (path.parent / "link.crt").symlink_to("a.crt")
    with pytest.raises(TrustStoreError, match="symbolic link"):
        load_store(paths, WABBIT)
    (path.parent / "link.crt").unlink()
    (path.parent / "sub").mkdir()
    with pytest.raises(TrustStoreError, match="is a directory"):
        load_store(paths, WABBIT)


def test_a_store_that_is_a_link_is_refused(paths: Paths, ca: CA) -> None:
    put(paths, "a.crt", ca.certificate, store="other")
    (paths.trust_stores / "ca" / "wabbit").symlink_to("other")
    with pytest.raises(TrustStoreError, match="not a directory"):
        load_store(paths, WABBIT)


def test_a_name_that_leads_elsewhere_is_refused(paths: Paths) -> None:
    for name in ("..", "a/b", ""):
        with pytest.raises(UsageError, match="named store name needs to follow"):
            load_store(paths, StoreName(StoreType.CA, name))


def test_an_added_file_keeps_its_name_and_bytes(paths: Paths, ca: CA, tmp_path: Path) -> None:
    source = tmp_path / "my root.crt"
    source.write_bytes(pem([ca.certificate]))
    added = add_certificate(paths, "ca", "wabbit", source)
    path = paths.trust_stores / "ca" / "wabbit" / "my root.crt"
    assert [certificate.der for certificate in added] == [ca.certificate]
    assert path.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.trust_stores.stat().st_mode) == 0o700
    assert os.listdir(paths.trust_stores.parent) == ["x509"]


def test_adding_never_replaces_a_file(paths: Paths, ca: CA, tmp_path: Path) -> None:
    source = tmp_path / "root.crt"
    source.write_bytes(ca.certificate)
    add_certificate(paths, "ca", "wabbit", source)
    with pytest.raises(TrustStoreError, match="certificate already exists in the Trust Store"):
        add_certificate(paths, "ca", "wabbit", source)


@pytest.mark.parametrize("data", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_not_added(paths: Paths, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.crt").write_bytes(data)
    with pytest.raises(TrustStoreError):
        add_certificate(paths, "ca", "wabbit", tmp_path / "x.crt")
    assert not paths.trust_stores.exists()


def test_an_unknown_type_of_store_is_refused(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unsupported store type: cas"):
        add_certificate(paths, "cas", "wabbit", tmp_path / "x")


def test_files_are_listed_by_type_then_store_then_name(paths: Paths, ca: CA) -> None:
    put(paths, "a.crt", ca.certificate, "tsa", "t")
    put(paths, "b.crt", ca.certificate, "ca", "z")
    put(paths, "a.crt", ca.certificate, "ca", "z")
    put(paths, "a.crt", ca.certificate, "ca", "b")
    put(paths, "a.crt", ca.certificate, "signingAuthority", "b")
    listed = [(found.kind, found.store, found.name) for found in list_certificates(paths)]
    assert listed == [
        ("ca", "b", "a.crt"),
        ("ca", "z", "a.crt"),
        ("ca", "z", "b.crt"),
        ("signingAuthority", "b", "a.crt"),
        ("tsa", "t", "a.crt"),
    ]
    assert len(list(list_certificates(paths, "ca"))) == 3
    assert len(list(list_certificates(paths, "", "b"))) == 2
    assert len(list(list_certificates(paths, "ca", "b"))) == 1
    assert list(list_certificates(paths, "nope")) == []
    assert list(list_certificates(paths, "ca", "..")) == []


def test_a_stored_file_is_shown_by_its_name_alone(paths: Paths, ca: CA) -> None:
    put(paths, "a.crt", ca.certificate)
    assert stored_certificates(paths, "ca", "wabbit", "a.crt")[0].der == ca.certificate
    with pytest.raises(UsageError, match="cannot be used"):
        stored_certificates(paths, "ca", "wabbit", "../wabbit/a.crt")


def test_deleting_the_last_file_removes_the_store(paths: Paths, ca: CA) -> None:
    path = put(paths, "a.crt", ca.certificate)
    put(paths, "b.crt", ca.certificate)
    delete_certificate(paths, "ca", "wabbit", "a.crt")
    assert os.listdir(path.parent) == ["b.crt"]
    delete_certificate(paths, "ca", "wabbit", "b.crt")
    assert not path.parent.exists()


def test_deleting_stays_inside_the_store(paths: Paths, ca: CA) -> None:
    put(paths, "a.crt", ca.certificate)
    outside = put(paths, "x", b"mine", "ca", "other")
    with pytest.raises(UsageError, match="cannot be used"):
        delete_certificate(paths, "ca", "wabbit", "../other/x")
    assert outside.exists()
    with pytest.raises(TrustStoreError, match="no such file"):
        delete_certificate(paths, "ca", "wabbit", "nope")


def test_a_store_is_deleted_whole_whatever_is_in_it(paths: Paths, ca: CA) -> None:
    path = put(paths, "a.crt", ca.certificate)
    (path.parent / "sub").mkdir()
    assert delete_store(paths, "ca", "wabbit") == path.parent
    assert os.listdir(paths.trust_stores.parent) == ["x509"]
    assert os.listdir(paths.trust_stores / "ca") == []
    with pytest.raises(TrustStoreError, match="does not exist"):
        delete_store(paths, "ca", "wabbit")
