"""What is read without `cryptography.x509` is what it reads; what it might read otherwise has no answer.

`tests/fuzz` holds the two against each other on changed certificates.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type

from nv2.pki import der
from nv2.pki.essentials import essentials_of
from nv2.pki.public_keys import spki_of
from nv2.pki.usual_form import usual_form
from tests.world.ca import CA, self_signed

USUAL = ("RSA-2048", "RSA-3072", "EC-256", "EC-384", "EC-521", "Ed25519")
LEAF = self_signed("CN=build,O=wabbit-networks.io,ST=WA,C=US", key="EC-256").leaf


@pytest.mark.parametrize("key", USUAL)
def test_a_usual_certificate_is_read_as_the_library_reads_it(key: str) -> None:
    for data in CA("Root", key=key).intermediate("Middle").issue("build", key=key).chain:
        ours, theirs = usual_form(data), essentials_of(data)
        assert ours is not None
        assert ours._replace(spki=None, load_key=theirs.load_key) == theirs
        assert ours.spki == spki_of(ours.load_key()) == spki_of(theirs.load_key())


def test_both_ways_to_write_a_year_are_read() -> None:
    late = datetime(2061, 1, 2, 3, 4, 5, tzinfo=UTC)
    found = usual_form(self_signed(not_after=late).leaf)
    assert found is not None
    assert found.not_after == late


def _replaced(old: str, new: str) -> bytes:
    """The certificate with the only occurrence of `old` replaced by as many bytes."""
    before, after = bytes.fromhex(old), bytes.fromhex(new)
    assert len(before) == len(after)
    assert LEAF.count(before) == 1
    return LEAF.replace(before, after)


def _named(kind: _ASN1Type) -> bytes:
    names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, "build", kind)]
    return self_signed(x509.Name(names), key="EC-256").leaf


# fmt: off
UNUSUAL = {
    "a name in two-byte characters":  lambda: _named(_ASN1Type.BMPString),
    "a name of the telephone":        lambda: _named(_ASN1Type.T61String),
    "a curve of another kind":        lambda: self_signed(key="EC-256K1").leaf,
    "a small RSA key":                lambda: self_signed(key="RSA-1024").leaf,
    "version 2":                      lambda: _replaced("a003020102", "a003020101"),
    "a key of an unknown algorithm":  lambda: _replaced("06072a8648ce3d0201", "06072a8648ce3d0202"),
    "a point that is not plain":      lambda: _replaced("03420004", "03420006"),
    "a key that does not fill bytes": lambda: _replaced("03420004", "03420104"),
    "critical, although false":       lambda: _replaced("0603551d130101ff", "0603551d13010100"),
    "a month that is none":           lambda: _replaced(b"250101000000Z".hex(), b"251301000000Z".hex()),
    "a time of another zone":         lambda: _replaced(b"250101000000Z".hex(), b"250101000000+".hex()),
    "a sign in the year":             lambda: _replaced(b"250101000000Z".hex(), b"+50101000000Z".hex()),
    "something behind":               lambda: LEAF + b"\0",
    "nothing":                        lambda: b"",
    "no certificate":                 lambda: b"\x30\x00",
}
# fmt: on


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_certificate_has_no_answer(name: str) -> None:
    assert usual_form(UNUSUAL[name]()) is None


def test_an_RSA_modulus_below_zero_has_no_answer() -> None:
    data = self_signed(key="RSA-2048").leaf
    assert usual_form(data) is not None
    positive = bytes.fromhex("0282010100")
    assert data.count(positive) == 1
    assert usual_form(data.replace(positive, positive[:-1] + b"\x80")) is None


def test_two_attributes_in_one_part_of_a_name_have_no_answer() -> None:
    parts = x509.RelativeDistinguishedName(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "build"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "wabbit"),
        ]
    )
    assert usual_form(self_signed(x509.Name([parts]), key="EC-256").leaf) is None


def test_a_point_that_is_not_on_the_curve_is_no_key() -> None:
    body = der.children(der.single(LEAF, der.SEQUENCE))[0]
    point = der.items(der.items(body)[6])[1].content[2:]
    found = usual_form(LEAF.replace(point, bytes(len(point) - 1) + b"\1"))
    assert found is not None
    with pytest.raises(ValueError, match="Invalid EC key"):
        found.load_key()


def test_a_usual_chain_is_read_without_the_rest_of_the_library() -> None:
    chain = [data.hex() for data in CA("Root").issue("build").chain]
    code = (
        "import sys; from nv2.pki.chain import parse_chain; "
        f"parse_chain(tuple(map(bytes.fromhex, {chain!r}))); "
        "sys.exit('cryptography.x509' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
