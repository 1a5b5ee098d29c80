"""Whom a stranger may make us ask: judged by the address that is connected to, over real sockets on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nv2.errors import BadAnswer, Unreachable
from nv2.transport.address_rules import check_address, narrowed
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import AddressRule, Request, Response, send
from nv2.transport.proxies import Proxies, Proxy
from nv2.transport.urls import Origin, Reach, origin_of
from tests.world.sockets import Received, Server, http, serving

LINK_LOCAL = (
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "100.100.100.200",
    "168.63.129.16",
)
IN_DISGUISE = ("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1")
SPELLED = ("0xa9fea9fe", "2852039166", "169.16689662", "0251.0376.0251.0376")

RULE = AddressRule.NOT_LINK_LOCAL


def resolving(**names: str) -> Callable[..., list[tuple[Any, ...]]]:
    """A name server that knows `names`, dots written as underscores; addresses mean themselves."""
    known = {name.replace("_", "."): addresses.split() for name, addresses in names.items()}

    def resolve(host: bytes, port: int, **_: object) -> list[tuple[Any, ...]]:
        text = host.decode()
        return [(2, 1, 6, "", (address, port)) for address in known.get(text, [text])]

    return resolve


def client(**names: str) -> HttpTransport:
    return HttpTransport(HttpSettings(resolve=resolving(**names)))


def get(transport: HttpTransport, url: str, rule: AddressRule = RULE) -> Response:
    return send(transport, Request("GET", url, address_rule=rule, total_timeout=5.0))


def in_url(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


@pytest.mark.parametrize("address", [*LINK_LOCAL, *IN_DISGUISE])
def test_a_metadata_service_is_never_asked_by_its_address(address: str) -> None:
    with pytest.raises(BadAnswer, match="is a link-local address: "):
        get(client(), in_url(address))


@pytest.mark.parametrize("spelling", SPELLED)
def test_nor_by_a_spelling_that_only_the_c_library_reads(spelling: str) -> None:
    with pytest.raises(BadAnswer, match="an invalid address"):
        get(client(), in_url(spelling))


@pytest.mark.parametrize("address", [*LINK_LOCAL, *IN_DISGUISE])
def test_nor_by_a_name_that_resolves_to_it(address: str) -> None:
    with pytest.raises(BadAnswer, match=r"resolves to .*, a link-local address: "):
        get(client(pki_example=address), "http://pki.example/")


def test_of_several_addresses_only_the_allowed_ones_are_tried() -> None:
    with serving(lambda _: http(200, b"here")) as server:
        names = client(pki_example="169.254.169.254 127.0.0.1")
        assert get(names, f"http://pki.example:{server.port}/").data() == b"here"


def test_an_address_that_takes_no_connection_is_followed_by_the_next() -> None:
    with serving(lambda _: http(200, b"here")) as server:
        names = client(pki_example="127.0.0.2 127.0.0.1")
        assert get(names, f"http://pki.example:{server.port}/").data() == b"here"


def test_a_name_without_addresses_that_answer_is_unreachable() -> None:
    with serving(lambda _: http()) as server:
        port = server.port
    with pytest.raises(Unreachable, match="refused"):
        get(client(pki_example="127.0.0.2 127.0.0.1"), f"http://pki.example:{port}/")


def test_a_connection_that_somebody_else_opened_is_judged_as_well() -> None:
    with serving(lambda _: http(200, b"here")) as server:
        transport = client()
        get(transport, server.url, AddressRule.ANY).discard()
        with pytest.raises(BadAnswer, match=r"a loopback address: .* must be at a private or public address"):
            get(transport, server.url, AddressRule.NOT_THIS_MACHINE)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest",
        "http://metadata.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://2852039166/",
    ],
)
def test_a_redirect_there_is_refused(location: str) -> None:
    with serving(lambda _: http(302, Location=location)) as server:
        with pytest.raises(BadAnswer):
            get(client(metadata_example="169.254.169.254"), server.url)
        assert len(server.requests) == 1


def test_a_name_that_turns_out_to_be_private_cannot_send_to_this_machine() -> None:
    # Seen from the proxy's side: what goes through it is judged by what is written.
    with proxied(302, Location="http://10.0.0.5:9/") as (server, transport):
        with pytest.raises(BadAnswer, match=r"is a private address: .* must be at a public address"):
            get(transport, "http://8.8.8.8/crl")
        assert [request.target for request in server.requests] == ["http://8.8.8.8/crl"]


def test_a_private_address_may_send_to_another_private_one() -> None:
    def script(request: Received) -> bytes:
        return http(200, b"crl") if "10.0.0.6" in request.target else http(302, Location="http://10.0.0.6/")

    with serving(script) as server:
        assert get(through(server), "http://10.0.0.5/crl").data() == b"crl"


def test_a_proxy_is_not_asked_for_a_forbidden_address() -> None:
    with proxied(200) as (server, transport):
        for url in ("http://169.254.169.254/", "https://169.254.169.254/"):
            with pytest.raises(BadAnswer, match="link-local"):
                get(transport, url)
        assert server.connections == 0


def test_whoever_is_named_by_the_user_may_be_anywhere() -> None:
    with serving(lambda _: http(200, b"here")) as server:
        assert get(client(), server.url, AddressRule.ANY).data() == b"here"


def through(server: Server) -> HttpTransport:
    """A client that reaches everything but this machine by the proxy `server`."""
    return HttpTransport(HttpSettings(proxies=Proxies({"http": _proxy(server), "https": _proxy(server)})))


def _proxy(server: Server) -> Proxy:
    return Proxy(origin_of(server.url), None)


class proxied:  # noqa: N801
    """A proxy that answers everything alike, and a client that uses it."""

    def __init__(self, status: int, **headers: str) -> None:
        self._serving = serving(lambda _: http(status, **headers))

    def __enter__(self) -> tuple[Server, HttpTransport]:
        server = self._serving.__enter__()
        return server, through(server)

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)


# fmt: off
AFTER = (
    # rule                          sent by            may send to
    (AddressRule.NOT_LINK_LOCAL,    Reach.LOOPBACK,    AddressRule.NOT_LINK_LOCAL),
    (AddressRule.NOT_LINK_LOCAL,    Reach.PRIVATE,     AddressRule.NOT_THIS_MACHINE),
    (AddressRule.NOT_LINK_LOCAL,    Reach.ANYWHERE,    AddressRule.PUBLIC),
    (AddressRule.NOT_THIS_MACHINE,  Reach.ANYWHERE,    AddressRule.PUBLIC),
    (AddressRule.PUBLIC,            Reach.PRIVATE,     AddressRule.PUBLIC),
    (AddressRule.NOT_THIS_MACHINE,  Reach.LOOPBACK,    AddressRule.NOT_THIS_MACHINE),
)
# fmt: on


@pytest.mark.parametrize(("rule", "sender", "then"), AFTER)
def test_nobody_sends_us_nearer_than_he_is_himself(
    rule: AddressRule, sender: Reach, then: AddressRule
) -> None:
    assert narrowed(rule, sender) is then


def test_a_refusal_names_the_place_and_the_address() -> None:
    origin = Origin("http", "pki.example", 80)
    with pytest.raises(BadAnswer, match=r"^pki\.example:80: resolves to 10\.0\.0\.1, a private address: "):
        check_address(AddressRule.PUBLIC, "10.0.0.1", origin)
