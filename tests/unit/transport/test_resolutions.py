from pathlib import Path

import pytest

from nv2.errors import Refused, Unreachable, UsageError
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import parse
from nv2.transport.http import HttpSettings, HttpTransport, Way
from nv2.transport.interface import Request, send
from nv2.transport.resolutions import parse_resolutions
from nv2.transport.tls import TlsSettings
from nv2.transport.urls import Origin
from tests.world.sockets import http, make_identity, serving


@pytest.mark.parametrize(
    ("text", "asked", "goal"),
    [
        ("r.test:443:192.0.2.7", ("r.test", 443), ("192.0.2.7", 443)),
        ("R.Test:443:192.0.2.7:5000", ("r.test", 443), ("192.0.2.7", 5000)),
        ("r.test:443:2001:db8::1", ("r.test", 443), ("2001:db8::1", 443)),
        ("r.test:443:[2001:db8::1]", ("r.test", 443), ("2001:db8::1", 443)),
        ("r.test:443:[2001:db8::1]:5000", ("r.test", 443), ("2001:db8::1", 5000)),
        ("[2001:db8::2]:443:[::1]:5000", ("2001:db8::2", 443), ("::1", 5000)),
    ],
)
def test_an_address_is_read_for_both_schemes(
    text: str, asked: tuple[str, int], goal: tuple[str, int]
) -> None:
    found = parse_resolutions([text])
    assert found == {Origin(scheme, *asked): Origin(scheme, *goal) for scheme in ("http", "https")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r.test",
        "r.test:443",
        "r.test:443:",
        "r.test::192.0.2.7",
        "r.test:0:192.0.2.7",
        "r.test:65536:192.0.2.7",
        "r.test:443:192.0.2.7:0",
        "r.test:443:other.test",
        "r.test:443:127.1",
        "r.test:443:[::g]",
        "*:443:192.0.2.7",
        "r.test/a:443:192.0.2.7",
        "r.test:443:192.0.2.7\n",
        "r.test:443:fe80::1%eth0",
        "r.test:443:[fe80::1%25eth0]",
        "user@r.test:443:192.0.2.7",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--resolve: cannot be read"):
        parse_resolutions([text])


def test_one_host_cannot_be_at_two_addresses() -> None:
    with pytest.raises(UsageError, match=r"r\.test:443 is to be at two addresses"):
        parse_resolutions(["r.test:443:192.0.2.7", "R.test:443:192.0.2.8"])


def test_the_connection_goes_to_the_address_and_the_name_stays() -> None:
    with serving(lambda _: http(200, b"here")) as server:
        ways = parse_resolutions([f"registry.test:80:127.0.0.1:{server.port}"])
        client = HttpTransport(HttpSettings(ways={origin: Way(goal) for origin, goal in ways.items()}))
        assert send(client, Request("GET", "http://Registry.test/v2/")).data() == b"here"
        assert server.requests[0].headers["host"].lower() == "registry.test"
        with pytest.raises(Unreachable):
            send(client, Request("GET", "http://registry.test:81/v2/", persistent=False))
        client.close()


def test_the_certificate_must_have_the_name_and_not_the_address(tmp_path: Path) -> None:
    named = make_identity(tmp_path, "192.0.2.1", "named", names=["registry.test"])
    with serving(lambda _: http(200, b"here"), named.server_context()) as server:
        for host, good in (("registry.test", True), ("other.test", False)):
            ways = parse_resolutions([f"{host}:443:127.0.0.1:{server.port}"])
            tls = TlsSettings(ca_files=(str(named.certificate),))
            client = HttpTransport(HttpSettings(tls, ways={o: Way(goal) for o, goal in ways.items()}))
            request = Request("GET", f"https://{host}/v2/", persistent=False)
            if good:
                assert send(client, request).data() == b"here"
            else:
                with pytest.raises(Unreachable, match="certificate"):
                    send(client, request)
            client.close()


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io", "Registry-1.docker.io"])
def test_docker_hub_is_found_by_any_of_its_names(name: str, tmp_path: Path) -> None:
    with serving(lambda _: http(401)) as server:
        settings = Settings(resolve=(f"{name}:80:127.0.0.1:{server.port}",), insecure_registry=True)
        with (
            Session.from_environment(settings, {"HOME": str(tmp_path)}) as session,
            pytest.raises(Refused),
        ):
            session.resolve(parse("docker.io/library/alpine:3"))
        assert server.requests[0].headers["host"] == "registry-1.docker.io"


def test_headers_of_an_origin_are_sent_to_it_and_not_where_it_leads() -> None:
    with (
        serving(lambda _: http(200)) as there,
        serving(lambda _: http(302, Location=f"{there.url}/x")) as here,
    ):
        way = Way(headers={"X-Team": "wabbit"})
        client = HttpTransport(HttpSettings(ways={Origin("http", "127.0.0.1", here.port): way}))
        send(client, Request("GET", f"{here.url}/v2/")).discard()
        assert here.requests[0].headers["x-team"] == "wabbit"
        assert "x-team" not in there.requests[0].headers
        client.close()
