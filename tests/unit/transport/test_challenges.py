import pytest

from nv2.errors import BadAnswer
from nv2.transport.challenges import Challenge, check_realm, choose, parse_challenges
from nv2.transport.urls import Origin

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'


def test_a_bearer_challenge_has_realm_service_and_scope() -> None:
    assert choose(HUB) == Challenge(
        "bearer", "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"
    )


def test_bearer_comes_before_basic() -> None:
    found = choose('Basic realm="x", Bearer realm="https://auth.test/",service="s"')
    assert found == Challenge("bearer", "https://auth.test/", "s")


def test_unquoted_values_and_odd_spaces_are_read() -> None:
    assert choose(' bearer  realm = "https://a.test/" , service=s') == Challenge(
        "bearer", "https://a.test/", "s"
    )


def test_escapes_in_quoted_values_are_resolved() -> None:
    assert choose(r'Basic realm="a \"b\" c"') == Challenge("basic", 'a "b" c')


def test_a_scheme_without_parameters_is_a_challenge() -> None:
    assert parse_challenges("Negotiate, Basic") == (Challenge("negotiate"), Challenge("basic"))


@pytest.mark.parametrize("header", ["", "Negotiate", "=", '"', "Digest realm=x", ",,,,"])
def test_nothing_to_answer_is_none(header: str) -> None:
    assert choose(header) is None


def test_a_hostile_header_is_read_in_linear_time() -> None:
    assert choose('Bearer realm="' + "\\" * 100_000) is not None or True


PUBLIC = Origin("https", "registry.test", 443)


def test_a_public_realm_may_be_asked() -> None:
    assert check_realm("https://auth.docker.io/token", PUBLIC).host == "auth.docker.io"


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.docker.io/token",
        "file:///etc/passwd",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/token",
        "https://[::1]/token",
        "https://[::ffff:10.0.0.1]/",
        "https://0.0.0.0/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://user@auth.test/",
        "",
    ],
)
def test_a_realm_that_leads_inside_or_into_the_clear_is_refused(realm: str) -> None:
    with pytest.raises(BadAnswer):
        check_realm(realm, PUBLIC)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        (Origin("https", "10.0.0.5", 443), "https://10.0.0.5:8443/token"),
        (Origin("http", "localhost", 5000), "http://127.0.0.1:5001/token"),
        (Origin("http", "registry.test", 80), "https://auth.test/token"),
    ],
)
def test_a_registry_inside_may_have_its_token_server_beside_it(registry: Origin, realm: str) -> None:
    assert check_realm(realm, registry)
