"""Each quirk shows: what it changes is changed, asked without a socket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import UsageError
from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of, fallback_tag, parse_digest
from nv2.server.messages import FileSlice, layered
from nv2.server.quirks import PROFILES, QUIRKS, layers_of, limits_of
from nv2.server.registry.routes import respond
from tests.unit.server.calls import Heard, ask
from tests.unit.server.registry.conftest import Shelf

HOST = "localhost:5000"
JUNK = "sha256:" + "0" * 64


class Quirky(Shelf):
    """A registry behind quirks; `plain` is the same one without."""

    def __init__(self, directory: Path, *names: str) -> None:
        super().__init__(directory, limits_of(names)._replace(manifest=4096))
        self.plain = lambda call: respond(self.storage, call, self.warnings.append)
        self.respond = layered(self.plain, layers_of(names))

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Heard:
        place = target if target.startswith("/") else f"/v2/{target}"
        return ask(self.respond, method, place, body, **{"host": HOST, **headers})

    def signed(self, kind: str = mt.SIGNATURE) -> tuple[str, str, Heard]:
        """Digests of an image that is tagged v1, and of what refers to it; the answer to the push of that."""
        image = self.image()
        self.push(image, "v1")
        digest = digest_of(json.dumps(image).encode())
        subject = {"mediaType": mt.IMAGE_MANIFEST, "digest": digest, "size": 1}
        referrer = self.image(artifactType=kind, subject=subject, annotations={"n": "1"})
        return digest, digest_of(json.dumps(referrer).encode()), self.push(referrer)

    def opened(self) -> str:
        return self.ask("POST", "a/blobs/uploads/").headers["Location"]

    def listed(self) -> Heard:
        return self.ask("GET", f"a/referrers/{self.signed()[0]}")

    def entry(self) -> dict[str, Any]:
        found: dict[str, Any] = self.listed().json["manifests"][0]
        return found


def index_under_tag(shelf: Quirky) -> tuple[str, str]:
    """Lists what refers to the image under the fallback tag; its tag, and the answer's status."""
    subject, referrer, _ = shelf.signed()
    tag = fallback_tag(parse_digest(subject))
    entry = {"mediaType": mt.IMAGE_MANIFEST, "digest": referrer, "size": 1, "artifactType": mt.SIGNATURE}
    shelf.push({"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [entry]}, tag)
    return subject, tag


def under_tag(shelf: Quirky) -> Heard:
    return shelf.ask("GET", f"a/manifests/{index_under_tag(shelf)[1]}")


def displaced(shelf: Quirky) -> list[str]:
    _, tag = index_under_tag(shelf)
    first = shelf.ask("GET", f"a/manifests/{tag}").json["manifests"][0]
    second = {**first, "digest": JUNK}
    shelf.push({"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [first, second]}, tag)
    return [item["digest"] for item in shelf.ask("GET", f"a/manifests/{tag}").json["manifests"]]


def tag_again(shelf: Quirky) -> Heard:
    shelf.push(shelf.image(), "v1")
    assert shelf.push(shelf.image(), "v1").status == 201
    return shelf.push(shelf.image(annotations={}), "v1")


def mount(query: str) -> Callable[[Quirky], int]:
    def mounted(shelf: Quirky) -> int:
        digest = shelf.push_blob(b"hello", "b")
        return shelf.ask("POST", f"a/blobs/uploads/?mount={digest}{query}").status

    return mounted


def stale_chunk(shelf: Quirky) -> tuple[int, str]:
    place = shelf.opened()
    shelf.ask("PATCH", place, b"he", content_range="0-1")
    found = shelf.ask("PATCH", place, b"lo", content_range="7-8")
    return found.status, found.headers["Range"]


def short_chunks(shelf: Quirky) -> tuple[str | None, int, int]:
    opened = shelf.ask("POST", "a/blobs/uploads/")
    place = opened.headers["Location"]
    first = shelf.ask("PATCH", place, b"he").status
    return opened.headers.get("OCI-Chunk-Min-Length"), first, shelf.ask("PATCH", place, b"llo").status


def conditional(shelf: Quirky) -> int:
    shelf.push(shelf.image(), "v1")
    return shelf.push(shelf.image(annotations={}), "v1", if_match='"nobody"').status


def twice(method: str, target: str) -> Callable[[Quirky], list[int]]:
    def asked(shelf: Quirky) -> list[int]:
        shelf.ask("GET", "x")
        return [shelf.ask(method, target).status for _ in range(2)]

    return asked


def pulled(shelf: Quirky) -> list[int]:
    shelf.signed()
    return [shelf.ask("GET", "a/manifests/v1").status for _ in range(4)]


def whole_and_cut(shelf: Quirky) -> tuple[int, int]:
    shelf.signed()
    cut = shelf.ask("GET", "a/manifests/v1")
    return len(cut.data) * 2 // len(shelf.ask("GET", "a/manifests/v1").data), cut.status


def tagged(shelf: Quirky, *names: str) -> Heard:
    for name in names:
        shelf.push(shelf.image(), name)
    return shelf.ask("GET", "a/tags/list?n=1")


def by_sha512(shelf: Quirky) -> int:
    data = json.dumps(shelf.image()).encode()
    target = f"a/manifests/{digest_of(data, 'sha512')}"
    return shelf.ask("PUT", target, data, content_type=mt.IMAGE_MANIFEST).status


def said_of_sha512(shelf: Quirky) -> str:
    by_sha512(shelf)
    data = json.dumps(shelf.image()).encode()
    return shelf.ask("GET", f"a/manifests/{digest_of(data, 'sha512')}").headers["Docker-Content-Digest"][:7]


def put(**fields: Any) -> Callable[[Quirky], int]:
    return lambda shelf: shelf.push(shelf.image(**fields)).status


def packed(accepts: str) -> Callable[[Quirky], tuple[bool, str | None]]:
    def found(shelf: Quirky) -> tuple[bool, str | None]:
        shelf.signed()
        heard = shelf.ask("GET", "a/manifests/v1", accept_encoding=accepts)
        return heard.data[:2] == gzip.compress(b"")[:2], heard.headers.get("Content-Encoding")

    return found


def accepted(accept: str) -> Callable[[Quirky], int]:
    def found(shelf: Quirky) -> int:
        shelf.signed()
        return shelf.ask("GET", "a/manifests/v1", accept=accept).status

    return found


def stateful(shelf: Quirky) -> tuple[int, int]:
    place = shelf.opened()
    return shelf.ask("GET", place.partition("?")[0]).status, shelf.ask("GET", place).status


def elsewhere(shelf: Quirky) -> tuple[str, int, int]:
    host, _, path = shelf.opened().removeprefix("http://").partition("/")
    shown = shelf.ask("GET", f"/{path}", authorization="Basic x").status
    return host, shown, shelf.ask("GET", f"/{path}").status


def blob_elsewhere(shelf: Quirky) -> tuple[int, str, int, int]:
    sent = shelf.ask("GET", f"a/blobs/{shelf.push_blob(b'hello')}")
    host, _, path = sent.headers["Location"].removeprefix("http://").partition("/")
    shown = shelf.ask("GET", f"/{path}", authorization="Basic x").status
    return sent.status, host, shown, shelf.ask("GET", f"/{path}").status


def deleted(target: str) -> Callable[[Quirky], int]:
    def found(shelf: Quirky) -> int:
        shelf.signed()
        return shelf.ask("DELETE", target).status

    return found


def paged(shelf: Quirky) -> list[int]:
    subject, _, _ = shelf.signed()
    about = {"mediaType": mt.IMAGE_MANIFEST, "digest": subject, "size": 1}
    for number in range(4):
        shelf.push(shelf.image(subject=about, annotations={"n": str(number)}))
    counts, place = [], f"/v2/a/referrers/{subject}"
    while place:
        heard = shelf.ask("GET", place)
        counts.append(len(heard.json["manifests"]))
        place = heard.headers.get("Link", "").partition(">")[0][1:]
    return counts


def filtered(shelf: Quirky) -> tuple[int, str | None]:
    heard = shelf.ask("GET", f"a/referrers/{shelf.signed()[0]}?artifactType=x/y")
    return len(heard.json["manifests"]), heard.headers.get("OCI-Filters-Applied")


def alias(*, while_set: bool = False) -> Callable[[Quirky], bool]:
    def found(shelf: Quirky) -> bool:
        subject, tag = index_under_tag(shelf) if while_set else (shelf.signed()[0], "")
        heard = shelf.ask("GET", f"a/manifests/{tag or fallback_tag(parse_digest(subject))}")
        return digest_of(heard.data) == subject

    return found


def linked(shelf: Quirky) -> str:
    return shelf.listed().headers["Link"].partition("/v2/")[0]


def stuck(s: Quirky) -> tuple[str, str, int, int]:
    """The Range after each of two chunks, the answer to how far it is, and that to the end."""
    first = s.ask("PATCH", s.opened(), b"he")
    second = s.ask("PATCH", first.headers["Location"], b"llo")
    place = second.headers["Location"]
    asked = s.ask("GET", place).status
    ended = s.ask("PUT", f"{place}?digest={digest_of(b'hello')}").status
    return first.headers["Range"], second.headers["Range"], asked, ended


def lost(s: Quirky) -> tuple[int, int]:
    """The answers to the end of an upload in chunks, and to a question about the blob."""
    place = s.ask("PATCH", s.opened(), b"hello").headers["Location"]
    digest = digest_of(b"hello")
    return s.ask("PUT", f"{place}?digest={digest}").status, s.ask("HEAD", f"a/blobs/{digest}").status


def posted(shelf: Quirky) -> tuple[int, str, list[str], int, int]:
    """The challenge; the fields of what a refresh token brings; what that opens; what a wrong one brings."""
    refused = shelf.ask("GET", "a/tags/list")
    form = "grant_type=refresh_token&scope=repository:a:pull,push&refresh_token="
    brought = shelf.ask("POST", "/oauth2/token", f"{form}refresh".encode())
    shown = {"authorization": f"Bearer {brought.json['access_token']}"}
    opened = shelf.ask("GET", "a/tags/list", **shown).code
    wrong = shelf.ask("POST", "/oauth2/token", f"{form}other".encode()).status
    elsewhere = shelf.ask("GET", "b/tags/list", **shown).status
    assert refused.headers["WWW-Authenticate"].endswith('scope="repository:a:pull"')
    return refused.status, opened, list(brought.json), wrong, elsewhere


FOREIGN = {"mediaType": next(iter(mt.FOREIGN_LAYERS)), "digest": JUNK, "size": 1}
ABSENT = {"mediaType": mt.IMAGE_MANIFEST, "digest": JUNK, "size": 1}

# fmt: off
SHOWS: dict[str, tuple[Callable[[Quirky], object], object]] = {
    "no-referrers":        (lambda s: (s.listed().status, s.signed()[2].headers.get("OCI-Subject")), (404, None)),
    "no-referrers-json":   (lambda s: s.listed().code, "MANIFEST_UNKNOWN"),
    "referrers-405":       (lambda s: s.listed().status, 405),
    "false-200":           (lambda s: (s.listed().status, s.listed().data[:6]), (200, b"<html>")),
    "false-200-json":      (lambda s: (s.listed().status, s.listed().json), (200, {})),
    "login-page":          (lambda s: s.ask("GET", s.listed().headers["Location"]).data[:6], b"<html>"),
    "subject-without-api": (lambda s: (s.listed().status, "OCI-Subject" in s.signed()[2].headers), (404, True)),
    "json-referrers":      (lambda s: s.listed().headers["Content-Type"], "application/json"),
    "no-artifact-type":    (lambda s: s.entry().get("artifactType"), None),
    "no-annotations":      (lambda s: s.entry().get("annotations"), None),
    "empty-artifact-type": (lambda s: (s.entry()["artifactType"], under_tag(s).json["manifests"][0]["artifactType"]), (mt.EMPTY, mt.EMPTY)),
    "null-referrers":      (lambda s: s.ask("GET", f"a/referrers/{JUNK}").json["manifests"], None),
    "ignores-filter":      (filtered, (1, None)),
    "silent-filter":       (filtered, (0, None)),
    "short-pages":         (paged, [2, 2, 1]),
    "link-cross-origin":   (linked, "<http://127.0.0.1:5000"),
    "link-for-ever":       (linked, "<"),
    "alias-tag":           (alias(while_set=True), True),
    "alias-unset-tag":     (lambda s: (alias()(s), alias(while_set=True)(s)), (True, False)),
    "makes-fallback-tags": (lambda s: s.ask("GET", f"a/manifests/{fallback_tag(parse_digest(s.signed()[0]))}").headers["Content-Type"], mt.IMAGE_INDEX),
    "forgets-fallback":    (lambda s: under_tag(s).status, 404),
    "displaces":           (displaced, [JUNK]),
    "immutable-tags":      (lambda s: tag_again(s).code, "TAG_INVALID"),
    "absolute-location":   (lambda s: s.opened().startswith(f"http://{HOST}/v2/a/blobs/uploads/"), True),
    "relative-location":   (lambda s: "/" in s.opened(), False),
    "stateful-location":   (stateful, (400, 204)),
    "cross-host-location": (elsewhere, ("127.0.0.1:5000", 400, 204)),
    "no-mount":            (mount("&from=b"), 202),
    "mount-forbidden":     (mount("&from=b"), 403),
    "mount-needs-from":    (lambda s: (mount("&from=b")(s), mount("")(s)), (201, 400)),
    "no-single-post":      (lambda s: s.ask("POST", f"a/blobs/uploads/?digest={digest_of(b'hello')}", b"hello").status, 202),
    "stale-pieces":        (stale_chunk, (202, "0-3")),
    "no-pieces":           (lambda s: s.ask("PATCH", s.opened(), b"he").status, 405),
    "long-pieces":         (short_chunks, ("5000", 202, 400)),
    "piece-201":           (lambda s: s.ask("PATCH", s.opened(), b"he").status, 201),
    "stuck-range":         (stuck, ("0-1", "0-1", 404, 201)),
    "lost-end":            (lost, (404, 200)),
    "no-upload-cancel":    (lambda s: s.ask("DELETE", s.opened()).status, 404),
    "no-delete":           (deleted("a/manifests/v1"), 405),
    "no-tag-delete":       (lambda s: (deleted("a/manifests/v1")(s), deleted(f"a/manifests/{s.signed()[0]}")(s)), (400, 202)),
    "etag-ignored":        (conditional, 201),
    "no-sha512":           (by_sha512, 400),
    "large-manifest-400":  (put(annotations={"x": "x" * 4096}), 400),
    "foreign-layers-500":  (put(layers=[FOREIGN]), 500),
    "subject-first":       (lambda s: (put(subject=ABSENT)(s), s.signed()[2].status), (400, 201)),
    "sparse":              (put(layers=[{**ABSENT, "mediaType": mt.OCTET_STREAM}]), 201),
    "refuses-subject":     (lambda s: s.signed()[2].status, 405),
    "exact-accept":        (lambda s: (accepted(mt.IMAGE_INDEX)(s), accepted(mt.IMAGE_MANIFEST)(s)), (404, 200)),
    "image-exact-accept":  (lambda s: (accepted(mt.IMAGE_INDEX)(s), accepted(mt.IMAGE_MANIFEST)(s)), (404, 200)),
    "no-digest-header":    (lambda s: s.signed() and s.ask("GET", "a/manifests/v1").headers.get("Docker-Content-Digest"), None),
    "wrong-digest-header": (lambda s: s.signed() and s.ask("GET", "a/manifests/v1").headers["Docker-Content-Digest"], digest_of(b"something else")),
    "sha512-as-sha256":    (said_of_sha512, "sha256:"),
    "bad-digest-500":      (lambda s: s.ask("GET", "a/blobs/sha256:x").status, 500),
    "no-ranges":           (lambda s: s.ask("GET", f"a/blobs/{s.push_blob(b'hello')}", range="bytes=1-2").data, b"hello"),
    "redirected-blobs":    (blob_elsewhere, (307, "127.0.0.1:5000", 400, 200)),
    "gzip":                (lambda s: (packed("gzip")(s), packed("identity")(s)), ((True, "gzip"), (False, None))),
    "gzip-unasked":        (packed("identity"), (True, "gzip")),
    "busy":                (twice("GET", "a/tags/list"), [503, 404]),
    "rate-limit":          (pulled, [200, 200, 429, 200]),
    "unpaged-tags":        (lambda s: tagged(s, "b", "a").json["tags"], ["b", "a"]),
    "null-tags":           (lambda s: s.signed() and s.ask("GET", "a/tags/list?n=0").json["tags"], None),
    "tags-1000":           (lambda s: s.signed() and [s.ask("GET", f"a/tags/list?n={n}").status for n in (1000, 1001)], [200, 400]),
    "refresh-token-login": (posted, (401, "NAME_UNKNOWN", ["access_token"], 401, 401)),
}
# fmt: on

BY_OTHER_TESTS = {"truncated", "slow-referrers"}


@pytest.fixture
def quirky(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Quirky]:
    shelf = Quirky(tmp_path / "registry", request.param)
    yield shelf
    shelf.storage.close()


@pytest.mark.parametrize(
    ("quirky", "quirk"), [(name, name) for name in SHOWS], indirect=["quirky"], ids=list(SHOWS)
)
def test_a_quirk_shows_and_is_not_there_without_its_switch(
    quirky: Quirky, quirk: str, tmp_path: Path
) -> None:
    shows, what = SHOWS[quirk]
    assert shows(quirky) == what
    plain = Quirky(tmp_path / "plain")
    try:
        found = shows(plain)
    except (KeyError, ValueError, IndexError):
        return  # what is looked at is not even there
    finally:
        plain.storage.close()
    assert found != what


def test_every_quirk_is_shown() -> None:
    assert SHOWS.keys() | BY_OTHER_TESTS == QUIRKS.keys()


@pytest.mark.parametrize("quirky", ["truncated"], indirect=True)
def test_content_that_is_cut_says_its_whole_length_and_has_half_of_it(quirky: Quirky) -> None:
    digest = quirky.push_blob(b"hello!")
    cut: list[object] = []

    def watched(call: Any) -> Any:
        answer = quirky.respond(call)
        cut.append(answer.body)
        return answer

    assert ask(watched, "GET", f"/v2/a/blobs/{digest}", host=HOST).data == b"hel"
    assert isinstance(cut[0], FileSlice) and cut[0].size == 6
    assert ask(watched, "GET", f"/v2/a/blobs/{digest}", host=HOST).data == b"hello!"


def test_a_slow_list_is_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("nv2.server.quirks.referrers.time.sleep", naps.append)
    shelf = Quirky(tmp_path / "registry", "slow-referrers")
    assert len(shelf.listed().json["manifests"]) == 1
    assert naps == [0.2]
    shelf.storage.close()


def test_a_profile_is_made_of_quirks_each_once() -> None:
    for profile in PROFILES.values():
        assert set(profile.quirks) <= QUIRKS.keys()
        assert len(layers_of(profile.quirks, ())) == len(profile.quirks)
    assert len(layers_of(("gzip", "gzip"), ("harbor29", "harbor"))) == 3


def test_every_quirk_is_one_clause_and_its_name_is_a_word() -> None:
    for name, quirk in QUIRKS.items():
        assert name == name.lower() and " " not in name and "_" not in name
        assert quirk.says and "\n" not in quirk.says and not quirk.says.endswith(".")


def test_the_documentation_has_the_tables() -> None:
    page = (Path(__file__).parents[4] / "docs" / "quirks.md").read_text(encoding="utf-8")
    quirks = [f"| `{name}` | {quirk.says} |" for name, quirk in QUIRKS.items()]
    profiles = [
        f"| `{name}` | {profile.says} | {', '.join(f'`{quirk}`' for quirk in profile.quirks)} |"
        for name, profile in PROFILES.items()
    ]
    assert "\n".join(quirks) in page
    assert "\n".join(profiles) in page


@pytest.mark.parametrize(("quirks", "profiles"), [(("nonsense",), ()), ((), ("nonsense",))])
def test_an_unknown_name_is_refused_with_a_hint(quirks: tuple[str, ...], profiles: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        layers_of(quirks, profiles)
