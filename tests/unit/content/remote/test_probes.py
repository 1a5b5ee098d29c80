"""What the doctor makes of answers that no well-meaning registry gives, and what it leaves behind after a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from nv2.content.remote.endpoint import Endpoint
from nv2.content.remote.probes import Finding, State, check_front, find_subject, read_all
from nv2.content.remote.write_probes import write_all
from nv2.errors import BadAnswer, Nv2Error, Refused, Unreachable, UsageError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, digest_of
from nv2.transport.interface import Request, Response
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import push_image
from tests.world.network import Answer, FunctionTransport, answer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def endpoint(answers: Answer) -> Endpoint:
    return Endpoint("registry.test", "app", FunctionTransport(answers), plain_http=True)


def front(**headers: str) -> dict[str, Finding]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    there = endpoint(lambda request: answer(request, 200, b"{}", named))
    return {found.probe: found for found in check_front(there, "http://registry.test/v2", NOW)}


# fmt: off
CLOCKS = (
    (format_datetime(NOW + timedelta(seconds=60)),   State.GOOD,    "60 seconds apart"),
    (format_datetime(NOW + timedelta(seconds=61)),   State.LIMITED, "61 seconds ahead of ours"),
    (format_datetime(NOW - timedelta(hours=1)),      State.LIMITED, "3600 seconds behind ours"),
    ("Sun, 01 Mar 2026 12:00:00 -0000",              State.GOOD,    "0 seconds apart"),
    ("",                                             State.UNKNOWN, "does not say"),
    ("yesterday",                                    State.UNKNOWN, "does not say"),
    (f"Mon, 1 Jan {'9' * 30} 00:00:00 GMT",          State.UNKNOWN, "does not say"),
    ("Mon, 1 Jan 2020 00:00:00 +9999999999",         State.UNKNOWN, "does not say"),
)
# fmt: on


@pytest.mark.parametrize(("date", "state", "says"), CLOCKS)
def test_a_clock_is_compared_with_ours(date: str, state: State, says: str) -> None:
    found = front(Date=date)["clock"]
    assert found.state is state and says in found.found
    assert bool(found.meaning) is (state is State.LIMITED)


@pytest.mark.parametrize(
    ("challenge", "says"),
    [('Bearer realm="x"', "a token server"), ('basic realm="x"', "(basic)"), ("Negotiate", "unknown")],
)
def test_how_to_log_in_is_said(challenge: str, says: str) -> None:
    there = endpoint(lambda request: answer(request, 401, b"", {"WWW-Authenticate": challenge}))
    found = {item.probe: item for item in check_front(there, "http://registry.test/v2", NOW)}
    assert says in found["login"].found and found["api"].state is State.GOOD


@pytest.mark.parametrize(("status", "body"), [(200, b" <html>"), (404, b"{}"), (500, b"")])
def test_what_does_not_speak_the_api_is_bad(status: int, body: bytes) -> None:
    there = endpoint(lambda request: answer(request, status, body))
    assert next(check_front(there, "http://registry.test/v2", NOW)).state is State.BAD


class Asked:
    """A registry with an image, of which one kind of answer is changed; what reading finds."""

    def __init__(self, part: str, change: Callable[[Response], Response]) -> None:
        self.world = World()
        self.image = push_image(self.world.store(), b"layer of some bytes")
        self.world.store().tag(self.image, "v1")

        def changed(request: Request) -> Response:
            response = self.world.registry(request)
            return change(response) if part in request.url else response

        self.endpoint = endpoint(changed)

    def found(self, name: str = "v1") -> dict[str, Finding]:
        return {item.probe: item for item in read_all(find_subject(self.endpoint, name))}


def document(value: object) -> Callable[[Response], Response]:
    data = json.dumps(value).encode()
    return lambda response: answer(response.request, 200, data, {"Content-Type": mt.IMAGE_INDEX})


def headers(**more: str) -> Callable[[Response], Response]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return lambda response: response._replace(headers={**response.headers, **named})


def test_limits_of_pulls_are_told() -> None:
    limits = headers(ratelimit_limit="100;w=21600", ratelimit_remaining="76;w=21600")
    found = Asked("/manifests/", limits).found()["rate limit"]
    assert found.state is State.LIMITED
    assert found.found == "ratelimit-limit 100;w=21600, ratelimit-remaining 76;w=21600"
    assert Asked("/nothing/", limits).found()["rate limit"].state is State.GOOD


@pytest.mark.parametrize("tags", [5, "ab", {"a": 1}, True])
def test_a_list_of_tags_that_is_none_is_no_list(tags: object) -> None:
    found = Asked("/tags/list", document({"tags": tags})).found()["tag list"]
    assert (found.state, found.found) == (State.LIMITED, "no list (answered 200)")


@pytest.mark.parametrize("entry", [5, None, {"artifactType": []}, {"artifactType": {}}, []])
def test_entries_of_a_list_that_are_none_end_nothing(entry: object) -> None:
    found = Asked("/referrers/", document({"manifests": [entry]})).found()
    assert found["referrers api"].found == "lists 1" and "range" in found


def test_other_content_than_was_asked_for_is_bad() -> None:
    asked = Asked("/manifests/", document({"schemaVersion": 2}))
    found = asked.found(asked.image.digest)["digest"]
    assert found.state is State.BAD and digest_of(b'{"schemaVersion": 2}') in found.found


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("sha512", State.GOOD),
        ("sha256:" + "0" * 64, State.BAD),
        ("sha256:x", State.BAD),
        ("md9:abcdef", State.GOOD),
    ],
)
def test_the_digest_of_the_header_is_computed_by_its_own_algorithm(said: str, state: State) -> None:
    asked = Asked("/nothing/", lambda response: response)
    data = asked.world.registry.repository("app").manifests[asked.image.digest][1]
    value = str(digest_of(data, "sha512")) if said == "sha512" else said
    named = Asked("/manifests/", headers(docker_content_digest=value))
    assert named.found()["digest"].state is state


class Writing:
    """A registry that is written to, and dies when `part` is asked with `method` for the `nth` time."""

    def __init__(self) -> None:
        self.world = World()
        self.repository = self.world.registry.repository("app")

    def found(self) -> dict[str, Finding]:
        return {item.probe: item for item in write_all(endpoint(self.world.registry), "new")}


@pytest.mark.parametrize(
    ("status", "error"), [(401, Refused), (403, Refused), (429, BadAnswer), (500, BadAnswer)]
)
def test_nothing_is_written_where_it_cannot_be_told_whether_the_tag_is_there(
    status: int, error: type[Nv2Error]
) -> None:
    writing = Writing()
    writing.world.registry.fail("HEAD", "/manifests/new", status=status)
    with pytest.raises(error):
        writing.found()
    assert not [r for r in writing.world.registry.requests if r.method != "HEAD"]


def test_a_tag_of_any_type_is_there() -> None:
    writing = Writing()
    writing.repository.add(b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "new")
    with pytest.raises(UsageError, match="is there"):
        writing.found()


def test_a_tag_that_somebody_else_sets_meanwhile_is_left_alone() -> None:
    writing = Writing()
    writing.world.registry.quirks.add("etag")
    theirs: list[Descriptor] = []

    def set_it() -> None:
        theirs.append(push_image(writing.world.store(), b"theirs"))
        writing.repository.tags["new"] = theirs[0].digest

    writing.world.registry.before("PUT", "/manifests/new", set_it)
    found = writing.found()
    assert found["push"].state is State.UNKNOWN and "if-match" not in found
    assert writing.repository.tags["new"] == theirs[0].digest


def test_a_tag_that_somebody_else_moves_afterwards_is_not_deleted() -> None:
    writing = Writing()
    digests: list[Digest] = []

    def move_it() -> None:
        image = push_image(writing.world.store(), b"theirs")
        writing.repository.tags["new"] = image.digest
        digests.append(image.digest)

    writing.world.registry.before("GET", "/manifests/new", move_it)
    found = writing.found()
    assert writing.repository.tags["new"] == digests[0] and digests[0] in writing.repository.manifests
    assert "delete tag" not in found


@pytest.mark.parametrize("part", ["/uploads/", "/manifests/"])
def test_one_deletion_that_fails_keeps_nothing_else_and_is_named(part: str) -> None:
    writing = Writing()
    lost = Unreachable("gone", at="registry.test")
    if part == "/uploads/":
        writing.world.registry.fail("DELETE", "/blobs/", error=lost)
    else:
        writing.world.registry.fail("DELETE", "/manifests/sha256", error=lost)
    found = writing.found()
    left = found["cleaning up"].found.partition(": ")[2].split(", ")
    there = [f"manifests/{d}" for d in writing.repository.manifests] + [
        f"blobs/{d}" for d in writing.repository.blobs
    ]
    assert len(left) == 1 and left == there


def test_what_was_kept_though_the_answer_was_lost_is_removed() -> None:
    writing = Writing()
    real = writing.world.registry
    cut: list[int] = []

    def losing(request: Request) -> Response:
        response = real(request)
        if request.method == "PUT" and "/manifests/sha256" in request.url and not cut:
            cut.append(response.status)
            raise Unreachable("cut", at="registry.test")
        return response

    found = {item.probe for item in write_all(endpoint(losing), "new")}
    assert cut == [201] and "cleaning up" not in found
    assert (writing.repository.manifests, writing.repository.tags) == ({}, {})


def test_an_interruption_leaves_nothing_behind() -> None:
    writing = Writing()
    real = writing.world.registry

    def interrupted(request: Request) -> Response:
        if "/referrers/" in request.url:
            raise KeyboardInterrupt
        return real(request)

    with pytest.raises(KeyboardInterrupt):
        write_all(endpoint(interrupted), "new")
    assert (writing.repository.manifests, writing.repository.tags) == ({}, {})


def test_what_was_refused_is_not_said_to_be_left_behind() -> None:
    writing = Writing()
    writing.world.registry.fail("PUT", "/manifests/sha512", status=400)
    writing.world.registry.fail("DELETE", "/manifests/sha512", status=400, times=9)
    assert "cleaning up" not in writing.found()
    assert not writing.world.asked("DELETE", "/manifests/sha512")


def test_an_upload_that_takes_no_chunks_is_cancelled() -> None:
    writing = Writing()
    writing.world.registry.quirks.add("no_pieces")
    writing.found()
    assert writing.world.asked("DELETE", "/uploads/")


def test_where_it_cannot_be_told_whose_the_tag_is_all_else_is_removed() -> None:
    writing = Writing()
    writing.world.registry.fail("GET", "/manifests/new", error=Unreachable("gone", at="registry.test"))
    found = writing.found()
    assert "delete tag" not in found and "cleaning up" not in found
    assert (writing.repository.manifests, writing.repository.tags) == ({}, {})
    assert not writing.world.asked("DELETE", "/manifests/new")
