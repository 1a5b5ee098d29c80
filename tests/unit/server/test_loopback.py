"""The addresses that a server without login may listen on."""

from __future__ import annotations

import pytest

from nv2.errors import UsageError
from nv2.server.loopback import check_loopback


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
    assert check_loopback(host, 0) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "8.8.8.8", "fe80::1"])  # noqa: S104
def test_addresses_that_others_can_reach_are_refused_with_the_reason(host: str) -> None:
    with pytest.raises(UsageError, match="no login and no TLS"):
        check_loopback(host, 0)


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1.nip.io", "localhost.", "127.1"])
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(UsageError):
        check_loopback(host, 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(UsageError, match="not a port"):
        check_loopback("localhost", port)
