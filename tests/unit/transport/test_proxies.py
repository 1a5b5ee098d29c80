import pytest

from nv2.errors import ConfigurationError
from nv2.transport.proxies import Proxies
from nv2.transport.urls import origin_of


def way(url: str, **environ: str) -> str | None:
    proxy = Proxies.from_environment(environ).proxy_for(origin_of(url))
    return proxy.origin.place if proxy else None


def test_each_scheme_has_its_proxy() -> None:
    environ = {"http_proxy": "http://p.test:3128", "HTTPS_PROXY": "q.test:8080"}
    assert way("http://r.test/", **environ) == "p.test:3128"
    assert way("https://r.test/", **environ) == "q.test:8080"


def test_without_variables_nothing_stands_between() -> None:
    assert way("http://r.test/") is None


def test_a_web_client_cannot_set_the_proxy_of_a_cgi_program() -> None:
    assert way("http://r.test/", HTTP_PROXY="http://evil.test", REQUEST_METHOD="GET") is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_is_reached_directly(host: str) -> None:
    assert way(f"http://{host}:5000/", http_proxy="http://p.test") is None


@pytest.mark.parametrize(
    "exceptions", ["*", "r.test", ".test", "test", "*.test", "a, r.test", "r.test:5000", "R.TEST"]
)
def test_exceptions_are_reached_directly(exceptions: str) -> None:
    assert way("http://r.test:5000/", http_proxy="p.test", no_proxy=exceptions) is None


@pytest.mark.parametrize("exceptions", ["est", "other.r.test", "r.test:5001", "10.0.0.0/8", ""])
def test_others_are_not(exceptions: str) -> None:
    assert way("http://r.test:5000/", http_proxy="p.test", NO_PROXY=exceptions) == "p.test:80"


def test_networks_are_exceptions_by_address() -> None:
    assert way("http://10.1.2.3/", http_proxy="p.test", NO_PROXY="10.0.0.0/8") is None


def test_the_password_is_sent_and_never_shown() -> None:
    proxy = Proxies.from_environment({"http_proxy": "http://u:p%40ss@p.test"}).proxy_for(
        origin_of("http://r/")
    )
    assert proxy is not None and proxy.authorization == "Basic dTpwQHNz" and "dTpw" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "socks5://u:secret@p.test",
        "https://p.test",
        "http://u:secret@:x",
        "http://u:80/secret@p.test",
        "http://u:80?secret@p.test",
        "http://u:80#secret@p.test",
        "http://u:secret@p.test/path",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(value: str) -> None:
    with pytest.raises(ConfigurationError) as e:
        Proxies.from_environment({"http_proxy": value})
    assert "secret" not in str(e.value) and e.value.at == "http_proxy"


@pytest.mark.parametrize("value", ["socks5://p.test:1080", "https://p.test"])
def test_a_proxy_of_another_kind_is_refused_with_the_form_to_write(value: str) -> None:
    with pytest.raises(ConfigurationError) as e:
        Proxies.from_environment({"https_proxy": value})
    assert "http://host:port" in str(e.value.hint)


@pytest.mark.parametrize(
    "exceptions",
    ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5000", "2001:db8::/32", "2001:DB8::1"],
)
def test_ipv6_addresses_are_exceptions_with_and_without_brackets(exceptions: str) -> None:
    assert way("http://[2001:db8::1]:5000/", http_proxy="p.test", no_proxy=exceptions) is None
    assert way("http://[2001:db9::2]:5000/", http_proxy="p.test", no_proxy=exceptions) == "p.test:80"


def test_an_ipv6_address_is_one_however_it_is_written() -> None:
    assert way("http://[2001:db8:0:0::1]/", http_proxy="p.test", no_proxy="2001:db8::1") is None
