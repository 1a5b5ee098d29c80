"""What a registry is shown, and by what it is believed: flags first, then Docker's directory for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError, Unreachable
from nv2.home.config import Config
from nv2.notary.registry_access import RegistryAccess, Settings
from nv2.transport.interface import Request, send
from tests.world.sockets import Identity, Received, Server, http, make_identity, serving


def ok(_: Received) -> bytes:
    return http(200, b"ok")


class Here:
    """A registry that wants a client certificate, and a home with a `certs.d` directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.registry = make_identity(home, name="registry")
        self.client = make_identity(home, name="client")

    def place(self, server: Server) -> Path:
        """Docker's directory for `server`, made."""
        found = self.home / "docker" / "certs.d" / f"127.0.0.1:{server.port}"
        found.mkdir(parents=True)
        return found

    def fill(self, server: Server) -> Path:
        """Docker's directory with all that is needed."""
        place = self.place(server)
        shutil.copy(self.registry.certificate, place / "ca.crt")
        self.copy_client(place, self.client)
        return place

    def copy_client(self, place: Path, identity: Identity) -> None:
        shutil.copy(identity.certificate, place / "client.cert")
        shutil.copy(identity.key, place / "client.key")

    def ask(self, server: Server, settings: Settings | None = None) -> bytes:
        environ = {"DOCKER_CONFIG": str(self.home / "docker"), "HOME": str(self.home)}
        access = RegistryAccess(settings or Settings(), Config(), environ)
        try:
            return send(access.transport(), Request("POST", f"{server.url}/")).data()
        finally:
            access.close()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


@pytest.fixture
def server(here: Here) -> Iterator[Server]:
    with serving(ok, here.registry.server_context(clients=here.client.certificate)) as found:
        yield found


def test_what_docker_knows_of_a_registry_opens_its_door(here: Here, server: Server) -> None:
    with pytest.raises(Unreachable, match="the certificate is not trusted"):
        here.ask(server)
    here.fill(server)
    assert here.ask(server) == b"ok"


def test_the_directory_of_one_port_says_nothing_of_another(here: Here, server: Server) -> None:
    here.fill(server)
    with (
        serving(ok, here.registry.server_context()) as other,
        pytest.raises(Unreachable, match="the certificate is not trusted"),
    ):
        here.ask(other)


def test_a_flag_takes_the_place_of_what_the_directory_says(here: Here, server: Server) -> None:
    place = here.place(server)
    shutil.copy(here.client.certificate, place / "ca.crt")  # the wrong one
    here.copy_client(place, here.client)
    with pytest.raises(Unreachable, match="the certificate is not trusted"):
        here.ask(server)
    assert here.ask(server, Settings(ca_file=str(here.registry.certificate))) == b"ok"
    shutil.copy(here.registry.certificate, place / "ca.crt")
    here.copy_client(place, here.registry)  # a stranger's
    with pytest.raises(Unreachable):
        here.ask(server)
    ours = Settings(client_certificate=str(here.client.certificate), client_key=str(here.client.key))
    assert here.ask(server, ours) == b"ok"


def test_a_directory_is_not_looked_at_where_the_flags_say_everything(here: Here, server: Server) -> None:
    (here.place(server) / "half.cert").write_text("")
    with pytest.raises(ConfigurationError, match=r"half\.key"):
        here.ask(server)
    everything = Settings(
        ca_file=str(here.registry.certificate),
        client_certificate=str(here.client.certificate),
        client_key=str(here.client.key),
    )
    assert here.ask(server, everything) == b"ok"


def test_junk_in_the_directory_is_an_error_at_its_file(here: Here, server: Server) -> None:
    place = here.fill(server)
    (place / "ca.crt").write_text("junk")
    with pytest.raises(ConfigurationError, match="cannot read certificates") as e:
        here.ask(server)
    assert e.value.at == str(place / "ca.crt")
