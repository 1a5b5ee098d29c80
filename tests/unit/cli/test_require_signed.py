"""`nv2 registry serve --require-signed`: a tag is set only on what the policy trusts."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.notary import admission
from nv2.notary.admission import CurrentJudge
from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from nv2.server.registry import RunningRegistry, serve
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.world.ca import CA
from tests.world.judged import write_stores

REGISTRY = "registry.example"


def policy(name: str = "wabbit", level: str = "strict", scope: str = "*") -> dict[str, Any]:
    trusted = {} if level == "skip" else {"trustStores": ["ca:wabbit"], "trustedIdentities": ["*"]}
    return {
        "name": name,
        "registryScopes": [scope],
        "signatureVerification": {"level": level},
        **trusted,
    }


def write(line: CommandLine, *statements: dict[str, Any]) -> Path:
    file = line.directory / "admitted.json"
    file.write_text(json.dumps({"version": "1.0", "trustPolicies": statements}))
    return file


@pytest.fixture
def registry(wabbit: CommandLine) -> Iterator[RunningRegistry]:
    """It calls itself `registry.example`, whatever its address is."""
    write_stores(wabbit.config, {"ca:wabbit": (WABBIT.certificate,)})
    file = write(wabbit, policy())
    judges = lambda _address: CurrentJudge(file, REGISTRY, warnings.append)  # noqa: E731
    warnings: list[str] = []
    with ExitStack() as stack:
        yield stack.enter_context(serve(wabbit.directory / "registry", judges=judges))


class Heard:
    """What the registry answered."""

    def __init__(
        self,
        registry: RunningRegistry,
        method: str,
        path: str,
        data: bytes = b"",
        media_type: str = mt.IMAGE_INDEX,
    ) -> None:
        connection = http.client.HTTPConnection("localhost", registry.port, timeout=30)
        connection.request(method, f"/v2/{path}", data, {"Content-Type": media_type})
        answer = connection.getresponse()
        self.status, self.data = answer.status, answer.read()
        self.type = answer.headers["Content-Type"]
        connection.close()


def index(number: int = 1) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [], "annotations": {"n": str(number)}}).encode()


def sign(line: CommandLine, reference: str) -> None:
    ended = line("sign", "-k", "wabbit.key", reference)
    assert ended.code == 0, ended.err


def test_a_tag_for_what_is_not_signed_is_refused_and_the_answer_says_what_to_do(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    heard = Heard(registry, "PUT", "app/manifests/v1", index())
    [error] = json.loads(heard.data)["errors"]
    assert (heard.status, error["code"]) == (403, "DENIED")
    assert "no signature" in error["message"]
    assert f"sign app@{digest_of(index())}" in error["message"]
    assert error["detail"] == {"digest": digest_of(index()), "tags": ["v1"]}
    assert Heard(registry, "GET", "app/manifests/v1").status == 404
    assert Heard(registry, "GET", "app/_nv2/tags/history").data.count(b'"digest"') == 0


def test_who_was_refused_signs_by_digest_and_pushes_again(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 403
    sign(wabbit, f"{registry.address}/app@{digest_of(index())}")
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 201
    assert Heard(registry, "GET", "app/manifests/v1").data == index()


def test_tags_that_come_beside_a_digest_are_refused_as_well(registry: RunningRegistry) -> None:
    digest = digest_of(index())
    assert Heard(registry, "PUT", f"app/manifests/{digest}?tag=v1&tag=v2", index()).status == 403
    assert Heard(registry, "GET", "app/manifests/v1").status == 404


def test_by_digest_everything_comes_in(registry: RunningRegistry) -> None:
    assert Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index()).status == 201


def test_a_signature_of_another_repository_does_not_count(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    for repository in ("app", "other"):
        Heard(registry, "PUT", f"{repository}/manifests/{digest_of(index())}", index())
    sign(wabbit, f"{registry.address}/app@{digest_of(index())}")
    assert Heard(registry, "PUT", "other/manifests/v1", index()).status == 403
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 201


def test_a_signature_by_a_stranger_does_not_count(wabbit: CommandLine, registry: RunningRegistry) -> None:
    pair = CA("Stranger").issue()
    (wabbit.directory / "stranger.key").write_bytes(pair.pem_key())
    (wabbit.directory / "stranger.key").chmod(0o600)
    (wabbit.directory / "stranger.crt").write_bytes(pair.pem_chain())
    reference = f"{registry.address}/app@{digest_of(index())}"
    Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index())
    assert wabbit("sign", "-k", "stranger.key", reference).code == 0
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 403


def test_a_copy_brings_the_signatures_first_and_the_tag_is_set(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    refused = wabbit("copy", IMAGE, f"{registry.address}/app:v1")
    assert refused.code != 0
    assert "signed content only" in refused.err
    sign(wabbit, IMAGE)
    copied = wabbit("copy", IMAGE, f"{registry.address}/app:v1")
    assert copied.code == 0, copied.err
    assert Heard(registry, "HEAD", "app/manifests/v1").status == 200


def test_a_yes_lasts_until_a_signature_goes(
    wabbit: CommandLine, registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    judged = admission.Judge.refusal

    def counted(*arguments: Any) -> str | None:
        asked.append(1)
        return judged(*arguments)

    monkeypatch.setattr(admission.Judge, "refusal", counted)
    Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index())
    sign(wabbit, f"{registry.address}/app@{digest_of(index())}")
    for tag in ("v1", "v2", "v3"):
        assert Heard(registry, "PUT", f"app/manifests/{tag}", index()).status == 201
    assert len(asked) == 1
    listed = json.loads(Heard(registry, "GET", f"app/referrers/{digest_of(index())}").data)
    Heard(registry, "DELETE", f"app/manifests/{listed['manifests'][0]['digest']}")
    assert Heard(registry, "PUT", "app/manifests/v4", index()).status == 403


def test_a_policy_that_changes_counts_at_once_and_one_that_breaks_admits_nothing(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    write(wabbit, policy("free", "skip", f"{REGISTRY}/free"), policy())
    assert Heard(registry, "PUT", "free/manifests/v1", index()).status == 201
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 403
    (wabbit.directory / "admitted.json").write_text("{")
    heard = Heard(registry, "PUT", "free/manifests/v1", index())
    assert heard.status == 403
    assert b"cannot be used" in heard.data


def test_a_repository_that_no_statement_names_gets_no_tags(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    write(wabbit, policy(scope=f"{REGISTRY}/app"))
    Heard(registry, "PUT", f"other/manifests/{digest_of(index())}", index())
    sign(wabbit, f"{registry.address}/other@{digest_of(index())}")
    assert Heard(registry, "PUT", "other/manifests/v1", index()).status == 403


def test_what_is_not_decided_is_refused_and_the_answer_says_so(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index())
    sign(wabbit, f"{registry.address}/app@{digest_of(index())}")
    for file in (wabbit.config / "truststore").rglob("*.pem"):
        file.write_text("spoilt")
    heard = Heard(registry, "PUT", "app/manifests/v1", index())
    assert heard.status == 403
    assert b"could not decide" in heard.data


def test_a_signature_that_has_expired_does_not_count(wabbit: CommandLine, registry: RunningRegistry) -> None:
    Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index())
    reference = f"{registry.address}/app@{digest_of(index())}"
    assert wabbit("sign", "-k", "wabbit.key", "-e", "1s", reference).code == 0
    time.sleep(1.1)
    assert Heard(registry, "PUT", "app/manifests/v1", index()).status == 403


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--require-signed", "absent.json"), 3, "absent.json"),
        (("--known-as", "registry.example"), 2, "--require-signed"),
        (("--require-signed", "admitted.json", "--known-as", "a b"), 2, "not the name of a registry"),
    ],
)
def test_serving_does_not_begin_with_a_policy_that_cannot_be(
    wabbit: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    write(wabbit, policy())
    ended = wabbit("registry", "serve", "--listen", "127.0.0.1:0", *words)
    assert ended.code == code
    assert said in ended.err
    assert ended.out == ""


def test_old_news_is_asked_anew(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stores(wabbit.config, {"ca:wabbit": (WABBIT.certificate,)})
    current = CurrentJudge(write(wabbit, policy()), REGISTRY, print)
    first = current()
    assert current() is first
    late = admission.time.monotonic() + timedelta(minutes=2).total_seconds()
    monkeypatch.setattr(admission.time, "monotonic", lambda: late)
    assert current() is not first


def test_what_a_tag_names_does_not_become_another_type(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    """The signature is about the type, too, and a yes to one type is none to another."""
    data = json.dumps({"schemaVersion": 2}).encode()
    by_digest = f"app/manifests/{digest_of(data)}"
    Heard(registry, "PUT", by_digest, data)
    sign(wabbit, f"{registry.address}/app@{digest_of(data)}")
    assert Heard(registry, "PUT", "app/manifests/v1", data).status == 201
    for name in ("app/manifests/v1", "app/manifests/v2", by_digest, f"{by_digest}?tag=v1"):
        assert Heard(registry, "PUT", name, data, mt.IMAGE_MANIFEST).status == 403, name
    assert Heard(registry, "GET", "app/manifests/v1").type == mt.IMAGE_INDEX
    assert Heard(registry, "DELETE", "app/manifests/v1").status == 202
    assert Heard(registry, "PUT", "app/manifests/v2", data, mt.IMAGE_MANIFEST).status == 403
    assert Heard(registry, "GET", "app/manifests/v2").status == 404
    assert Heard(registry, "PUT", "app/manifests/v2", data).status == 201


def test_who_pushes_as_a_wrong_type_first_keeps_nobody_from_the_right_one(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    data = json.dumps({"schemaVersion": 2}).encode()
    by_digest = f"app/manifests/{digest_of(data)}"
    assert Heard(registry, "PUT", by_digest, data, mt.IMAGE_MANIFEST).status == 201
    Heard(registry, "PUT", by_digest, data)
    sign(wabbit, f"{registry.address}/app@{digest_of(data)}")
    assert Heard(registry, "PUT", by_digest, data, mt.IMAGE_MANIFEST).status == 201
    assert Heard(registry, "PUT", "app/manifests/v1", data).status == 201
    assert Heard(registry, "GET", "app/manifests/v1").type == mt.IMAGE_INDEX


def test_what_holds_something_signed_is_not_signed(wabbit: CommandLine, registry: RunningRegistry) -> None:
    signed = {"mediaType": mt.IMAGE_INDEX, "digest": digest_of(index()), "size": len(index())}
    Heard(registry, "PUT", f"app/manifests/{signed['digest']}", index())
    sign(wabbit, f"{registry.address}/app@{signed['digest']}")
    for more in ({"manifests": [signed]}, {"manifests": [], "subject": signed}):
        wrapped = json.dumps({"schemaVersion": 2, **more}).encode()
        assert Heard(registry, "PUT", "app/manifests/v1", wrapped).status == 403
        assert Heard(registry, "PUT", f"app/manifests/{digest_of(wrapped)}?tag=v1", wrapped).status == 403
    assert Heard(registry, "GET", "app/manifests/v1").status == 404


def test_a_signature_that_is_hung_on_something_else_does_not_count(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    Heard(registry, "PUT", f"app/manifests/{digest_of(index(1))}", index(1))
    Heard(registry, "PUT", f"app/manifests/{digest_of(index(2))}", index(2))
    sign(wabbit, f"{registry.address}/app@{digest_of(index(1))}")
    listed = json.loads(Heard(registry, "GET", f"app/referrers/{digest_of(index(1))}").data)
    found = Heard(registry, "GET", f"app/manifests/{listed['manifests'][0]['digest']}")
    moved = found.data.replace(digest_of(index(1)).encode(), digest_of(index(2)).encode())
    assert moved != found.data
    assert Heard(registry, "PUT", f"app/manifests/{digest_of(moved)}", moved, found.type).status == 201
    heard = Heard(registry, "PUT", "app/manifests/v1", index(2))
    assert heard.status == 403
    assert b"no signature is associated" not in heard.data, "it was looked at"


def test_the_same_content_by_another_algorithm_is_not_signed(
    wabbit: CommandLine, registry: RunningRegistry
) -> None:
    Heard(registry, "PUT", f"app/manifests/{digest_of(index())}", index())
    sign(wabbit, f"{registry.address}/app@{digest_of(index())}")
    by_sha512 = f"sha512:{hashlib.sha512(index()).hexdigest()}"
    assert Heard(registry, "PUT", f"app/manifests/{by_sha512}?tag=v1", index()).status == 403
    assert Heard(registry, "PUT", f"app/manifests/{digest_of(index())}?tag=v1", index()).status == 201
