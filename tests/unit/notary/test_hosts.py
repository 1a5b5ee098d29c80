"""Hosts files in a session: who is asked, with whose credentials, certificates and headers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from nv2.content.remote.endpoint import ping
from nv2.errors import (
    BadAnswer,
    ConfigurationError,
    CredentialError,
    NotFound,
    Nv2Error,
    Refused,
    Unreachable,
)
from nv2.notary.diagnosis import diagnose
from nv2.notary.hosts import HostRules
from nv2.notary.logins import log_in
from nv2.notary.registry_access import Settings
from nv2.notary.session import NO_SETTINGS, Session
from nv2.notary.tag_history import history
from nv2.oci.reference import parse
from nv2.transport.http import Way
from nv2.transport.tls import TlsSettings
from nv2.transport.urls import Origin
from tests.world.sockets import Received, Server, http, make_identity, serving

MANIFEST = b'{"schemaVersion": 2, "config": {}, "layers": [], "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
TYPE = "application/vnd.oci.image.manifest.v1+json"


class Here:
    """A registry and a mirror at sockets of their own; both want Basic credentials for everything."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home = home
        self.seen: dict[str, list[Received]] = {"registry": [], "mirror": []}
        self.registry = stack.enter_context(serving(lambda r: self._answer("registry", r)))
        self.mirror = stack.enter_context(serving(lambda r: self._answer("mirror", r)))
        self.name = f"localhost:{self.registry.port}"

    def _answer(self, who: str, received: Received) -> bytes:
        self.seen[who].append(received)
        if "authorization" not in received.headers and who == "mirror":
            return http(401, b"", WWW_Authenticate='Basic realm="x"')
        return http(200, MANIFEST, Content_Type=TYPE)

    def write(self, text: str, *, below: str = ".config/notation/nv2/certs.d") -> Path:
        place = self.home / below / f"localhost_{self.registry.port}_"
        place.mkdir(parents=True)
        (place / "hosts.toml").write_text(text)
        return place.parent

    def at_mirror(self, more: str = "") -> str:
        return f'[host."{self.mirror.url}"]\ncapabilities = ["pull", "resolve"]\n{more}'

    def ask(self, settings: Settings | None = None, **environ: str) -> None:
        there = {"HOME": str(self.home), **environ}
        with Session.from_environment(settings or Settings(), there) as session:
            session.resolve(parse(f"{self.name}/app:v1"))

    def credentials(self, who: str) -> set[str | None]:
        return {received.headers.get("authorization") for received in self.seen[who]}


@pytest.fixture
def here(tmp_path: Path) -> Here:
    with ExitStack() as stack:
        yield Here(tmp_path, stack)  # type: ignore[misc]


def test_without_a_file_the_registry_is_asked(here: Here) -> None:
    here.ask()
    assert len(here.seen["registry"]) == 1


def test_a_file_in_nv2s_directory_names_a_mirror(here: Here) -> None:
    here.write(here.at_mirror())
    here.ask()
    assert here.seen["mirror"][0].target == f"/v2/app/manifests/v1?ns={here.name}"
    assert len(here.seen["registry"]) == 1  # the mirror wanted a login, so it is no answer


def test_the_credentials_that_are_given_are_the_registrys_alone(here: Here) -> None:
    here.write(here.at_mirror())
    here.ask(Settings(username="alice", password="secret"))
    assert here.credentials("mirror") == {None}


def test_a_mirror_is_sent_the_credentials_of_its_own_name(here: Here) -> None:
    here.write(here.at_mirror())
    docker = here.home / ".docker"
    docker.mkdir()
    mirror, registry = f"127.0.0.1:{here.mirror.port}", here.name
    auths = f'{{"auths": {{"{mirror}": {{"auth": "bTpt"}}, "{registry}": {{"auth": "cjpy"}}}}}}'
    (docker / "config.json").write_text(auths)
    here.ask()
    assert here.credentials("mirror") == {None, "Basic bTpt"}
    assert here.seen["registry"] == []


def test_headers_are_sent_to_the_host_that_they_are_for(here: Here) -> None:
    here.write(here.at_mirror(f'[host."{here.mirror.url}".header]\nX-Team = "wabbit"'))
    here.ask()
    assert {r.headers.get("x-team") for r in here.seen["mirror"]} == {"wabbit"}
    assert {r.headers.get("x-team") for r in here.seen["registry"]} == {None}


def test_headers_are_not_sent_where_somebody_else_leads(here: Here) -> None:
    """A mirror must not make us ask a host, with what is for that host alone, for what the mirror likes."""
    here.write(here.at_mirror())
    target = here.name.replace("localhost", "127.0.0.1")
    other = here.home / ".config/notation/nv2/certs.d" / f"{target.replace(':', '_')}_"
    other.mkdir()
    (other / "hosts.toml").write_text('[header]\nX-Secret = "s"')

    def leads(received: Received) -> bytes:
        here.seen["mirror"].append(received)
        return http(307, b"", Location=f"http://{target}/v2/secret")

    with serving(leads) as mirror:
        here.mirror = mirror
        (
            here.home / ".config/notation/nv2/certs.d" / f"{here.name.replace(':', '_')}_/hosts.toml"
        ).write_text(here.at_mirror())
        with Session.from_environment(Settings(insecure_registry=True), {"HOME": str(here.home)}) as session:
            session.resolve(parse(f"{target}/app:v1"))
            assert here.seen["registry"].pop().headers["x-secret"] == "s"
            session.resolve(parse(f"{here.name}/app:v1"))
    assert [r.target for r in here.seen["registry"]] == ["/v2/secret"]
    assert "x-secret" not in here.seen["registry"][0].headers


def test_a_header_of_the_file_takes_the_place_of_our_own_whatever_its_case(here: Here) -> None:
    here.write(
        here.at_mirror(f'[host."{here.mirror.url}".header]\nauthorization = "Bearer x"\nuser-agent = "me"')
    )
    here.ask()
    (received,) = here.seen["mirror"]
    assert (received.headers["authorization"], received.headers["user-agent"]) == ("Bearer x", "me")


def test_a_server_takes_the_registrys_place(here: Here) -> None:
    here.write(f'server = "{here.mirror.url}"')
    with pytest.raises(Refused):
        here.ask()
    assert here.seen["registry"] == []


def test_the_variable_names_another_directory(here: Here) -> None:
    elsewhere = here.write(here.at_mirror(), below="etc")
    here.ask()
    assert here.seen["mirror"] == []
    here.ask(NV2_CERTS_D=str(elsewhere))
    assert len(here.seen["mirror"]) == 1


def test_a_variable_that_leads_nowhere_is_an_error(here: Here) -> None:
    with pytest.raises(ConfigurationError, match="no such directory"):
        here.ask(NV2_CERTS_D=str(here.home / "nothing"))


def test_a_file_that_cannot_be_read_ends_the_run(here: Here) -> None:
    here.write("[host")
    with pytest.raises(ConfigurationError, match="not TOML"):
        here.ask()
    assert here.seen == {"registry": [], "mirror": []}


def test_nothing_is_written_where_the_file_says_so(here: Here) -> None:
    here.write(f'server = "{here.mirror.url}"\ncapabilities = ["pull", "resolve"]')
    with (
        Session.from_environment(environ={"HOME": str(here.home)}) as session,
        pytest.raises(ConfigurationError, match="nothing is written"),
    ):
        session.store(parse(f"{here.name}/app:v1"), push=True)


def _tls(here: Here, server: Server, ca: str, settings: Settings | None = None) -> None:
    here.write(f'[host."{server.url}"]\ncapabilities = ["pull", "resolve"]\n{ca}')
    here.ask(settings)


def test_the_authority_of_a_mirror_is_named_in_its_file(here: Here, tmp_path: Path) -> None:
    identity = make_identity(tmp_path, name="mirror")
    with serving(lambda _: http(200, MANIFEST, Content_Type=TYPE), identity.server_context()) as mirror:
        _tls(here, mirror, f'ca = "{identity.certificate}"')
    assert here.seen["registry"] == []


def test_a_mirror_whose_certificate_nobody_vouches_for_is_not_believed(here: Here, tmp_path: Path) -> None:
    identity = make_identity(tmp_path, name="mirror")
    with serving(lambda _: http(200, MANIFEST, Content_Type=TYPE), identity.server_context()) as mirror:
        _tls(here, mirror, "")
    assert len(here.seen["registry"]) == 1


def test_an_authority_that_is_not_there_is_an_error_and_no_reason_to_go_on(
    here: Here, tmp_path: Path
) -> None:
    identity = make_identity(tmp_path, name="mirror")
    with (
        serving(lambda _: http(200, MANIFEST, Content_Type=TYPE), identity.server_context()) as mirror,
        pytest.raises(ConfigurationError, match=r"nothing\.crt"),
    ):
        _tls(here, mirror, 'ca = "nothing.crt"')


def test_where_mirror_and_registry_are_gone_the_registrys_error_is_told(here: Here) -> None:
    here.write('[host."http://127.0.0.1:1"]')
    here.name = "localhost:1"
    (here.home / ".config/notation/nv2/certs.d/localhost_1_").mkdir()
    (here.home / ".config/notation/nv2/certs.d/localhost_1_/hosts.toml").write_text(
        '[host."http://127.0.0.1:2"]'
    )
    with pytest.raises((Unreachable, NotFound), match="localhost:1"):
        here.ask()


def test_a_login_believes_the_authority_that_the_registrys_file_names(here: Here, tmp_path: Path) -> None:
    identity = make_identity(tmp_path, name="registry")
    with serving(lambda _: http(200, b"{}"), identity.server_context()) as server:
        place = here.home / ".config/notation/nv2/certs.d" / f"127.0.0.1_{server.port}_"
        place.mkdir(parents=True)
        (place / "hosts.toml").write_text(f'ca = "{identity.certificate}"')
        with Session.from_environment(environ={"HOME": str(here.home)}) as session:
            name = f"127.0.0.1:{server.port}"
            assert not ping(name, session.registries.transport_to(name, push=True), plain_http=False)


def _in_place_of(here: Here, more: str = "") -> str:
    """A registry in whose place a hosts file puts the one that runs."""
    place = here.home / ".config/notation/nv2/certs.d" / "wabbit.test"
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(f'server = "{here.registry.url}"\n{more}')
    return "wabbit.test"


def _session(here: Here, settings: Settings = NO_SETTINGS) -> Session:
    return Session.from_environment(settings, {"HOME": str(here.home)})


@pytest.mark.parametrize("more", ["", 'capabilities = ["pull", "resolve"]'])
def test_the_doctor_asks_whoever_stands_in_the_registrys_place(here: Here, more: str) -> None:
    name = _in_place_of(here, more)
    with _session(here) as session:
        found = diagnose(session, parse(f"{name}/app:v1"))
    assert found.findings and {r.headers["host"] for r in here.seen["registry"]} == {
        f"127.0.0.1:{here.registry.port}"
    }


def test_the_history_is_asked_of_whoever_stands_in_the_registrys_place(here: Here) -> None:
    name = _in_place_of(here)
    with _session(here) as session, pytest.raises(BadAnswer, match=r"wabbit\.test/app"):
        history(session, parse(f"{name}/app:v1"), None, 5)
    assert [r.target.partition("?")[0] for r in here.seen["registry"]] == ["/v2/app/_nv2/tags/history"]


def test_a_login_says_that_another_registry_is_asked_in_its_place(here: Here) -> None:
    place = here.home / ".config/notation/nv2/certs.d" / here.name.replace(":", "_").join(("", "_"))
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text('server = "https://other.test"')
    said: list[str] = []
    settings = Settings(username="alice", password="secret", warn=said.append)
    with _session(here, settings) as session, pytest.raises(CredentialError):
        log_in(session, here.name, "alice", "secret")
    assert said[0] == (
        f"a hosts file puts other.test in the place of {here.name}: nv2 login other.test is what counts there"
    )
    assert [r.target for r in here.seen["registry"]] == ["/v2/"]


def test_a_login_where_nobody_takes_the_place_says_nothing_of_it(here: Here) -> None:
    here.write(f'server = "http://{here.name}"')
    said: list[str] = []
    settings = Settings(username="alice", password="secret", warn=said.append)
    with _session(here, settings) as session, pytest.raises(CredentialError):
        log_in(session, here.name, "alice", "secret")
    assert not [line for line in said if "hosts file" in line]


def test_a_password_of_a_proxy_is_in_no_line_of_debugging_and_in_no_error(here: Here) -> None:
    said: list[str] = []
    with serving(lambda _: http(407)) as proxy:
        value = f"http://user:pa%24%24word@127.0.0.1:{proxy.port}"
        environ = {"HOME": str(here.home), "HTTP_PROXY": value, "HTTPS_PROXY": value}
        for plain in (True, False):
            settings = Settings(debug=said.append, insecure_registry=plain)
            with Session.from_environment(settings, environ) as session, pytest.raises(Nv2Error) as caught:
                session.resolve(parse("registry.test/app:v1"))
            said.append(f"{caught.value} {caught.value.hint}")
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    text = "\n".join(said)
    assert f"proxy for https: 127.0.0.1:{proxy.port}" in text
    for secret in ("pa%24", "pa$$", proxy.requests[0].headers["proxy-authorization"][6:]):
        assert secret not in text


def test_the_doctor_and_who_writes_ask_no_mirror(here: Here) -> None:
    here.write(here.at_mirror())
    with _session(here) as session:
        reference = parse(f"{here.name}/app:v1")
        diagnose(session, reference)
        session.store(reference, push=True).resolve("v1")
    assert here.seen["mirror"] == [] and len(here.seen["registry"]) > 1


def test_a_registry_that_is_its_own_mirror_is_sent_its_credentials(here: Here) -> None:
    """As many files have it: the registry is written as the last of its hosts."""
    here.name = f"127.0.0.1:{here.mirror.port}"
    place = here.home / ".config/notation/nv2/certs.d" / f"127.0.0.1_{here.mirror.port}_"
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(here.at_mirror())
    here.ask(Settings(username="alice", password="secret", insecure_registry=True))
    assert here.credentials("mirror") == {None, "Basic YWxpY2U6c2VjcmV0"}


class Rules:
    """What a hosts file makes of TLS at a registry and at its mirror."""

    def __init__(self, directory: Path, text: str) -> None:
        (directory / "r.test").mkdir()
        (directory / "r.test" / "hosts.toml").write_text(text)
        self.directory = directory
        self.ways: dict[Origin, Way] = {}
        self.rules = HostRules(str(directory), self.ways)
        self.rules.of("r.test", "https://r.test")

    def tls(self, host: str, given: TlsSettings) -> TlsSettings | None:
        return self.rules.tls(Origin("https", host, 443), given)

    def path(self, name: str) -> str:
        return str(self.directory / "r.test" / name)


BOTH = """
ca = "up.crt"
client = [["up.cert", "up.key"]]
[host."https://m.test"]
ca = "m.crt"
client = [["m.cert", "m.key"]]
"""


def test_a_mirrors_certificates_are_those_of_its_section(tmp_path: Path) -> None:
    rules = Rules(tmp_path, BOTH)
    given = TlsSettings(("flag.crt",), "flag.cert", "flag.key")
    assert rules.tls("m.test", given) == TlsSettings(
        ("flag.crt", rules.path("m.crt")), rules.path("m.cert"), rules.path("m.key")
    )


def test_the_flags_client_certificate_is_not_shown_to_a_mirror_that_has_none(tmp_path: Path) -> None:
    rules = Rules(tmp_path, '[host."https://m.test"]')
    given = TlsSettings(("flag.crt",), "flag.cert", "flag.key")
    assert rules.tls("m.test", given) == TlsSettings(("flag.crt",))
    assert rules.tls("r.test", given) is None


def test_the_flags_come_before_what_the_file_says_of_the_registry(tmp_path: Path) -> None:
    rules = Rules(tmp_path, BOTH)
    by_file = TlsSettings((rules.path("up.crt"),), rules.path("up.cert"), rules.path("up.key"))
    assert rules.tls("r.test", TlsSettings()) == by_file
    assert rules.tls("r.test", TlsSettings(("flag.crt",))) == by_file._replace(ca_files=("flag.crt",))
    assert rules.tls("r.test", TlsSettings((), "flag.cert", "flag.key")) == TlsSettings(
        (rules.path("up.crt"),), "flag.cert", "flag.key"
    )


def test_headers_and_time_to_connect_are_learnt_of_each_host(tmp_path: Path) -> None:
    rules = Rules(
        tmp_path,
        'dial_timeout = "3s"\n[host."https://M.test:8443"]\ndial_timeout = "500ms"\n'
        '[host."https://M.test:8443".header]\nX-A = "b"',
    )
    assert rules.ways == {
        Origin("https", "r.test", 443): Way(dial_timeout=3.0),
        Origin("https", "m.test", 8443): Way(headers={"X-A": "b"}, dial_timeout=0.5),
    }


def test_docker_hub_is_called_by_its_usual_name_towards_mirrors(here: Here) -> None:
    place = here.home / ".config/notation/nv2/certs.d" / "docker.io"
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(f'server = "{here.registry.url}"')
    with _session(here) as session:
        session.resolve(parse("registry-1.docker.io/library/alpine:3"))
    assert [r.target for r in here.seen["registry"]] == ["/v2/library/alpine/manifests/3?ns=docker.io"]
