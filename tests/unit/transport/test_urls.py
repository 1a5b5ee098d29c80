import pytest

from nv2.errors import BadAnswer
from nv2.transport.urls import Origin, Reach, origin_of, parse_url, reach_of, resolve_url


def test_an_address_has_an_origin_and_a_target() -> None:
    assert parse_url("https://Registry.test/v2/?n=1") == (Origin("https", "registry.test", 443), "/v2/?n=1")


def test_the_port_that_the_scheme_implies_makes_no_difference() -> None:
    assert origin_of("https://registry.test:443/a") == origin_of("https://registry.test/b")


def test_another_port_is_another_origin() -> None:
    assert origin_of("https://registry.test:8443/") != origin_of("https://registry.test/")


def test_an_ipv6_address_keeps_its_brackets_in_the_authority() -> None:
    assert origin_of("http://[::1]:5000/").authority == "[::1]:5000"


@pytest.mark.parametrize(
    "text",
    [
        "ftp://registry.test/",
        "//registry.test/",
        "https:///path",
        "https://user:secret@registry.test/",
        "https://registry.test:99999/",
        "https://registry.test/a b",
        "https://registry.test/\r\nHost: other",
        "https://regi\u00dftry.test/",
        "https://registry.test/" + "a" * 9000,
        "https://[::1",
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse_url(text)


def test_a_relative_location_is_seen_from_the_address_that_answered() -> None:
    assert resolve_url("https://r.test/v2/a/blobs/uploads/", "/u/1?x=y") == "https://r.test/u/1?x=y"


def test_a_step_from_https_down_to_http_is_refused() -> None:
    with pytest.raises(BadAnswer, match="from https to http"):
        resolve_url("https://r.test/", "http://r.test/")


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("registry.test", Reach.ANYWHERE),
        ("8.8.8.8", Reach.ANYWHERE),
        ("localhost", Reach.LOOPBACK),
        ("a.localhost", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.9.9.9", Reach.LOOPBACK),
        ("127.0.0.1.", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("169.254.169.254", Reach.LINK_LOCAL),
        ("fe80::1", Reach.LINK_LOCAL),
        ("10.1.2.3", Reach.PRIVATE),
        ("192.168.0.1", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("fec0::1", Reach.PRIVATE),
        ("0.0.0.0", Reach.INVALID),  # noqa: S104
        ("::", Reach.INVALID),
        ("127.1", Reach.INVALID),
        ("2130706433", Reach.INVALID),
        ("0x7f000001", Reach.INVALID),
        ("0177.0.0.1", Reach.INVALID),
    ],
)
def test_a_literal_shows_how_far_it_reaches(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


@pytest.mark.parametrize("location", ["http://[", "//[::1", "https://[v1", "https://.registry.test/"])
def test_a_location_that_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(BadAnswer, match="not an"):
        resolve_url("https://registry.test/v2/", location)
