import pytest

from nv2.content.interface import opener
from nv2.content.remote.downloads import LEAST_RATE
from nv2.content.remote.endpoint import Endpoint, base_url, ping
from nv2.errors import (
    BadAnswer,
    ContentMismatch,
    InvalidReference,
    MalformedManifest,
    NotFound,
    Refused,
    Unreachable,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.transport.auth import Authenticated
from nv2.transport.credentials import Credential
from nv2.transport.failures import Cut
from nv2.transport.interface import TOTAL_TIMEOUT, Request
from tests.unit.content.remote.registry_world import World, sign
from tests.world.artifacts import push_blob, push_image
from tests.world.logins import BasicLogin, BearerLogin
from tests.world.network import Answer, FunctionTransport, answer


def test_resolving_and_fetching_is_one_request() -> None:
    world = World()
    world.store().tag(image := push_image(world.store(), b"layer"), "v1")
    store, before = world.store(), len(world.registry.requests)
    assert store.resolve("v1") == image
    assert len(store.fetch(image, 10_000)) == image.size
    assert store.resolve(image.digest) == image
    assert len(world.registry.requests) == before + 1


def test_every_kind_of_manifest_is_accepted_in_one_request() -> None:
    world = World("exact_accept")
    for media_type in mt.MANIFESTS[:4]:
        digest = world.registry.repository("app").add(b"{}", media_type, "v1")
        assert world.store().resolve("v1") == Descriptor(media_type, digest, 2)  # type: ignore[arg-type]


def test_a_registry_that_sends_other_bytes_than_asked_for_is_found_out() -> None:
    world = World()
    image = push_image(world.store())
    world.registry.repository("app").manifests[image.digest] = (mt.IMAGE_MANIFEST, b'{"other": 1}')
    with pytest.raises(ContentMismatch):
        world.store().resolve(image.digest)


def test_a_digest_header_that_lies_is_found_out() -> None:
    world = World("wrong_digest_header")
    world.registry.repository("app").add(b"{}", mt.IMAGE_MANIFEST, "v1")
    with pytest.raises(ContentMismatch):
        world.store().resolve("v1")


def test_a_registry_without_digest_header_is_no_problem() -> None:
    world = World("no_digest_header")
    digest = world.registry.repository("app").add(b"{}", mt.IMAGE_MANIFEST, "v1")
    assert world.store().resolve("v1").digest == digest


def test_a_tag_of_a_sha512_manifest_resolves_to_sha512() -> None:
    digest = digest_of(b"{}", "sha512")

    def registry(request: Request) -> object:
        return answer(
            request, 200, b"{}", {"Content-Type": mt.IMAGE_MANIFEST, "Docker-Content-Digest": digest}
        )

    store = World().store(transport=FunctionTransport(registry))  # type: ignore[arg-type]
    assert store.resolve("v1").digest == digest


@pytest.mark.parametrize("media_type", ["text/html", "application/json", "", mt.OCTET_STREAM])
def test_a_login_page_is_not_an_artifact(media_type: str) -> None:
    world = World()
    world.registry.repository("app").add(b"<html>", media_type, "v1")
    with pytest.raises(BadAnswer, match="not a manifest"):
        world.store().resolve("v1")


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        (mt.IMAGE_MANIFEST, b'{"mediaType": "application/vnd.oci.image.index.v1+json"}'),
        (mt.IMAGE_MANIFEST, b'{"manifests": []}'),
        (mt.IMAGE_INDEX, b'{"manifests": [], "layers": []}'),
        (mt.IMAGE_INDEX, b'{"a": 1, "a": 2}'),
        (mt.IMAGE_INDEX, b"[]"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(media_type: str, data: bytes) -> None:
    world = World()
    world.registry.repository("app").add(data, media_type, "v1")
    with pytest.raises(MalformedManifest):
        world.store().resolve("v1")


@pytest.mark.parametrize("name", ["", "no tag", "-x", "a" * 129, "../../secret"])
def test_a_name_that_is_none_is_never_asked_for(name: str) -> None:
    world = World()
    with pytest.raises(InvalidReference):
        world.store().resolve(name)
    assert world.registry.requests == []


def test_what_is_missing_is_named_with_its_place() -> None:
    world = World()
    with pytest.raises(NotFound, match=r"^registry\.test/app: no such repository, so no tag v1$"):
        world.store().resolve("v1")
    push_image(world.store())
    with pytest.raises(NotFound, match=r"^registry\.test/app: no such tag v1$"):
        world.store().resolve("v1")


def test_a_refusal_says_how_to_log_in() -> None:
    world = World()
    world.registry.login = BasicLogin()
    with pytest.raises(Refused, match=r"access to tag v1 was refused \(401\): UNAUTHORIZED") as e:
        world.store().resolve("v1")
    assert e.value.hint == "nv2 login registry.test"


@pytest.mark.parametrize("status", [429, 500, 503, 418])
def test_other_statuses_are_bad_answers_with_their_number(status: int) -> None:
    world = World()
    world.registry.fail(
        "GET", "/manifests/", status=status, body=b'{"errors":[{"code":"X","message":"a\\u001b[2Jb"}]}'
    )
    with pytest.raises(BadAnswer, match=rf"answered {status} to GET of tag v1: X: a�\[2Jb$"):
        world.store().resolve("v1")


def test_an_answer_that_breaks_off_is_asked_for_once_more() -> None:
    world = World()
    image = push_image(world.store())
    broken: list[int] = []

    class Breaking:
        def read(self, size: int = -1) -> bytes:
            raise Cut("the connection was cut", at="registry.test:80")

        def __enter__(self) -> "Breaking":
            return self

        def __exit__(self, *_: object) -> None:
            broken.append(1)

    def flaky(request: Request) -> object:
        response = world.registry(request)
        return response if broken else response._replace(stream=Breaking())  # type: ignore[arg-type]

    store = world.store(transport=FunctionTransport(flaky))  # type: ignore[arg-type]
    assert store.resolve(image.digest) == image and broken == [1]


def test_a_stream_checks_itself_at_its_end() -> None:
    world = World()
    blob = push_blob(world.store(), b"layer")
    world.registry.repository("app").blobs[blob.digest] = b"reyal"
    with world.store().open(blob) as stream, pytest.raises(ContentMismatch):
        stream.read()


def test_a_stream_may_take_longer_the_larger_it_is_but_not_for_ever() -> None:
    world = World()
    for size in (1, 100 * LEAST_RATE):
        blob = push_blob(world.store(), b"x" * size)
        world.store().open(blob).close()
        assert world.registry.requests[-1].total_timeout == TOTAL_TIMEOUT + size / LEAST_RATE


def test_many_are_under_way_at_a_time_but_not_all() -> None:
    world = World()
    store = world.store()
    blobs = [push_blob(store, bytes([n])) for n in range(30)]
    before = len(world.registry.requests)
    found = store.fetch_many(blobs, 10)
    assert next(found) == b"\0"
    assert len(world.registry.requests) - before == 8
    assert list(found) == [bytes([n]) for n in range(1, 30)]


def test_a_manifest_that_the_registry_stores_as_another_is_noticed() -> None:
    world = World()
    headers = {"Docker-Content-Digest": digest_of(b"x")}
    world.registry.fail("PUT", "/manifests/", status=201, headers=headers)
    with pytest.raises(ContentMismatch, match="stored it as"):
        push_image(world.store())


def test_pushing_more_than_an_index_may_have_is_refused_before_it_is_sent() -> None:
    world = World()
    data = b"x" * (4 * 1024 * 1024 + 1)
    with pytest.raises(BadAnswer, match="at most"):
        world.store().push(describe(data, mt.IMAGE_MANIFEST), opener(data))
    assert world.registry.requests == []


@pytest.mark.parametrize("quirk", ["absolute_location", "cross_host_location"])
def test_uploads_go_where_the_registry_says(quirk: str) -> None:
    world = World(quirk)
    blob = push_blob(world.store(), b"layer")
    assert world.registry.repository("app").blobs[blob.digest] == b"layer"
    assert "state=kept&digest=sha256:" in world.asked("PUT")[0].url


def test_an_upload_at_another_host_gets_no_credentials() -> None:
    world = World("cross_host_location")
    world.registry.login = BasicLogin()
    hosts: dict[str, Answer] = {"registry.test": world.registry, "uploads.test": world.registry}
    wire = Authenticated(FunctionTransport(hosts), lambda _: Credential("alice", "wonderland"))
    push_blob(world.store(transport=wire), b"layer")
    assert [("Authorization" in r.headers) for r in world.asked("P")] == [False, True, False]
    assert [r.led for r in world.asked("P")] == [False, False, True]


def test_an_upload_never_steps_down_to_plain_http() -> None:
    world = World("downgraded_location")
    with pytest.raises(BadAnswer, match="from https to http"):
        push_blob(world.store(plain_http=False), b"layer")
    assert world.asked("PUT") == []


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "http://127.0.0.1:2375/x", "http://[::1]/", "http://127.1/"]
)
def test_an_upload_is_not_sent_to_this_machine_or_to_a_metadata_service(location: str) -> None:
    world = World()
    world.registry.fail("POST", "/uploads/", status=202, headers={"location": location})
    with pytest.raises(BadAnswer, match="sends to the"):
        push_blob(world.store(), b"layer")
    assert world.asked("PUT") == []


def test_an_upload_without_location_is_a_bad_answer() -> None:
    world = World()
    world.registry.fail("POST", "/uploads/", status=202)
    with pytest.raises(BadAnswer, match="without saying where"):
        push_blob(world.store(), b"layer")


def test_a_blob_is_mounted_from_another_repository() -> None:
    world = World()
    base = world.store("base")
    blob = push_blob(base, b"layer")
    store = world.store()
    assert store.mount(blob, base) and store.exists(blob)


def test_a_mount_that_became_an_upload_is_used_for_it() -> None:
    world = World("no_mount")
    base, store = world.store("base"), world.store()
    blob = push_blob(base, b"layer")
    assert not store.mount(blob, base)
    store.push(blob, opener(b"layer"))
    assert store.exists(blob) and len(world.asked("POST", "/v2/app/")) == 1


def test_a_refused_mount_is_no_error() -> None:
    world = World()
    base = world.store("base")
    world.registry.fail("POST", "mount=", status=403)
    assert not world.store().mount(push_blob(base, b"layer"), base)


def test_nothing_is_mounted_from_elsewhere() -> None:
    world, other = World(), World()
    other.registry.host = "other.test"
    assert not world.store().mount(describe(b"", mt.OCTET_STREAM), other.store())
    assert not world.store().mount(describe(b"", mt.OCTET_STREAM), object())
    assert world.registry.requests == []


def test_signing_behind_a_token_server_fetches_one_token() -> None:
    world, login = World(), BearerLogin()
    subject = push_image(world.store())
    world.registry.login = login
    hosts: dict[str, Answer] = {"registry.test": world.registry, "auth.test": login}
    wire = Authenticated(FunctionTransport(hosts), lambda _: Credential("alice", "wonderland"))
    store = world.store(transport=wire, push=True)
    sign(store, store.resolve(subject.digest), "one")
    assert len(login.requests) == 1 and "repository:app:pull,push" in login.requests[0].url


def test_reading_asks_for_nothing_but_reading() -> None:
    world, login = World(), BearerLogin()
    subject = push_image(world.store())
    world.registry.login = login
    hosts: dict[str, Answer] = {"registry.test": world.registry, "auth.test": login}
    store = world.store(
        transport=Authenticated(FunctionTransport(hosts), lambda _: Credential("alice", "wonderland"))
    )
    store.referrers(store.resolve(subject.digest))
    assert [r.url.partition("scope=")[2] for r in login.requests] == ["repository:app:pull"]


@pytest.mark.parametrize("registry", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_api_of_docker_hub_is_at_another_host(registry: str) -> None:
    assert base_url(registry, plain_http=False) == "https://registry-1.docker.io"


@pytest.mark.parametrize(
    ("registry", "repository", "asked"),
    [
        ("docker.io", "alpine", "registry-1.docker.io/v2/library/alpine"),
        ("index.docker.io", "alpine", "registry-1.docker.io/v2/library/alpine"),
        ("registry-1.docker.io", "alpine", "registry-1.docker.io/v2/library/alpine"),
        ("docker.io", "library/alpine", "registry-1.docker.io/v2/library/alpine"),
        ("docker.io", "team/app", "registry-1.docker.io/v2/team/app"),
        ("registry.test", "alpine", "registry.test/v2/alpine"),
        ("docker.io.test", "alpine", "docker.io.test/v2/alpine"),
    ],
)
def test_one_part_is_an_official_image_on_docker_hub_and_nowhere_else(
    registry: str, repository: str, asked: str
) -> None:
    endpoint = Endpoint(registry, repository, FunctionTransport({}), plain_http=False)
    request = endpoint.request("GET", "manifests/v1")
    assert request.url == f"https://{asked}/manifests/v1"
    assert request.scopes == (f"repository:{asked.partition('/v2/')[2]}:pull",)
    assert endpoint.name == f"{registry}/{repository}"


def test_a_ping_is_silent_when_the_registry_lets_us_in() -> None:
    ping("registry.test", FunctionTransport(World().registry), plain_http=True)


def test_a_ping_with_wrong_credentials_is_refused() -> None:
    world = World()
    world.registry.login = BasicLogin()
    with pytest.raises(Refused, match=r"registry\.test: the login was refused \(401\)"):
        ping("registry.test", FunctionTransport(world.registry), plain_http=True)


def test_a_ping_of_what_is_no_registry_says_so() -> None:
    with pytest.raises(BadAnswer, match="is no registry"):
        ping("web.test", FunctionTransport(lambda r: answer(r, 404)), plain_http=True)


def test_a_ping_of_nobody_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        ping("nobody.test", FunctionTransport({}), plain_http=True)
