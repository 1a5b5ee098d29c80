"""The addresses that a server may listen on: with nothing said, those of this machine alone."""

from __future__ import annotations

import pytest

from nv2.errors import UsageError
from nv2.server.loopback import check_address, is_loopback


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1.2.3", "127.1.2.3"),
        ("::1", "::1"),
        ("[::1]", "::1"),
    ],
)
def test_loopback_addresses_are_accepted(host: str, address: str) -> None:
    assert check_address(host, 0) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "8.8.8.8", "fe80::1"])  # noqa: S104
def test_addresses_that_others_can_reach_are_refused_with_the_reason(host: str) -> None:
    with pytest.raises(UsageError, match="takes TLS and a login"):
        check_address(host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "127.0.0.1"])  # noqa: S104
def test_addresses_that_others_can_reach_are_accepted_from_those_who_see_to_a_login(host: str) -> None:
    assert check_address(host, 0, public=True) == host
    assert is_loopback(host) == (host == "127.0.0.1")


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1.nip.io", "localhost.", "127.1"])
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(UsageError):
        check_address(host, 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(UsageError, match="not a port"):
        check_address("localhost", port)
