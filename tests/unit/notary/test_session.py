"""Many references in one run share what they can, and errors stay with their reference."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nv2.errors import CredentialError, PolicyError
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.notary.verification import evaluate_references
from nv2.oci.reference import AnyReference, parse
from nv2.server.connections import Connections
from nv2.server.registry import serve
from nv2.transport.http import PER_HOST
from nv2.trust.trust import Trust
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import line, wabbit  # noqa: F401  fixtures
from tests.world.images import push_image

MANY = 24


@pytest.fixture
def requests(tmp_path, monkeypatch) -> Iterator[tuple[str, list[str], list[object]]]:
    """A registry: its address, the requests that it got, and the connections that it accepted."""
    log: list[str] = []
    accepted: list[object] = []
    admit = Connections.admit

    def counted(self: Connections, connection: object) -> bool:
        accepted.append(connection)
        return admit(self, connection)

    monkeypatch.setattr(Connections, "admit", counted)
    with serve(tmp_path / "registry", "127.0.0.1", 0, log.append) as registry:
        yield registry.address, log, accepted


def test_many_references_share_few_connections(wabbit: CommandLine, requests) -> None:  # noqa: F811
    address, log, accepted = requests
    references = [
        f"{address}/image{number}@{push_image(address, f'image{number}')}" for number in range(MANY)
    ]
    for words in (("sign", "-k", "wabbit.key"), ("verify", "-k", "leaf.crt")):
        log.clear()
        accepted.clear()
        ended = wabbit(*words, *references)
        assert ended.code == 0, ended.err
        assert ended.out.count(f"Successfully {'signed' if words[0] == 'sign' else 'verified'}") == MANY
        assert len(accepted) <= PER_HOST
        assert len(log) > 3 * MANY


def test_results_come_in_the_order_of_the_references(wabbit: CommandLine, requests) -> None:  # noqa: F811
    address, _, _ = requests
    references = [f"{address}/image{number}:v1" for number in range(MANY)]
    for number in range(0, MANY, 2):
        push_image(address, f"image{number}")
    results = wabbit("sign", "-k", "wabbit.key", "-o", "json", *references).document["results"]
    assert [result["reference"] for result in results] == references
    assert ["error" in result for result in results] == [bool(number % 2) for number in range(MANY)]


def test_what_was_built_is_signed_and_not_what_the_tag_became(wabbit: CommandLine, requests) -> None:  # noqa: F811
    address, _, _ = requests
    built = push_image(address, "app", text="built")
    metadata = {"containerimage.digest": built, "image.name": f"{address}/app:v1"}
    (wabbit.directory / "build.json").write_text(json.dumps(metadata))
    moved = push_image(address, "app", text="somebody else's")
    ended = wabbit("sign", "-k", "wabbit.key", "--metadata-file", "build.json")
    assert ended.code == 0, ended.err
    assert f"Successfully signed {address}/app@{built}" in ended.out
    assert wabbit("verify", "-k", "leaf.crt", f"{address}/app@{built}").code == 0
    assert wabbit("verify", "-k", "leaf.crt", f"{address}/app@{moved}").code == 1


def test_a_password_for_one_registry_is_never_offered_to_the_next_one_of_the_session(tmp_path) -> None:
    """Though the first one, which it may be for, has not asked for it."""
    settings = Settings(username="alice", password="secret")
    with Session.from_environment(settings, {"HOME": str(tmp_path)}) as session:
        for _ in range(2):
            session.store(parse("first.test/app:v1"))
        with pytest.raises(CredentialError, match=r"two registries: first[.]test and second[.]test"):
            session.store(parse("second.test/app:v1"))
        session.store(parse("first.test/other:v1"))


def test_credentials_for_two_registries_are_refused_before_the_first_result_is_asked_for(tmp_path) -> None:
    settings = Settings(username="alice", password="open sesame")
    references = [parse(f"{host}.test/app:v1") for host in ("first", "second")]
    with Session.from_environment(settings, {"HOME": str(tmp_path)}) as session:
        with pytest.raises(CredentialError, match="two registries"):
            session.each(references, str)
        with pytest.raises(CredentialError, match="two registries"):
            evaluate_references(session, references, trust_nobody)


def trust_nobody(_: AnyReference) -> Trust:
    raise PolicyError("nobody is trusted")


def test_a_session_closes_once_what_was_opened_for_it_the_last_first() -> None:
    closed: list[str] = []
    with Session.from_environment(environ={"HOME": "/nowhere"}) as session:
        session.at_end(lambda: closed.append("first"))
        session.at_end(lambda: closed.append("second"))
        assert closed == []
    session.close()
    assert closed == ["second", "first"]
