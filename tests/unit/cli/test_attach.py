"""Signing without a registry, attaching without a key, and signing all that belongs to an index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.errors import EnvironmentFailure
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, thread_lock


@pytest.fixture
def described(wabbit: CommandLine) -> CommandLine:
    """`image.json` has the descriptor of the image."""
    write(wabbit, "image.json", wabbit("list", "-o", "json", IMAGE).document["artifact"])
    return wabbit


def write(line: CommandLine, name: str, document: object) -> None:
    (line.directory / name).write_text(json.dumps(document))


def sign(line: CommandLine, *more: str) -> Any:
    return line(
        "sign", "-k", "wabbit.key", "--descriptor", "image.json", "--signature-file", "image.sig", *more
    )


@pytest.mark.parametrize("word", ["jws", "cose"])
def test_a_signature_is_made_without_a_registry_and_attached_without_the_key(
    described: CommandLine, word: str
) -> None:
    ended = sign(described, "--signature-format", word)
    assert (ended.code, ended.out.splitlines()[1]) == (0, "Wrote the signature to image.sig")
    assert described("verify", "-k", "leaf.crt", IMAGE).code == 1
    (described.directory / "wabbit.key").unlink()
    ended = described("attach", "image.sig", IMAGE)
    assert (ended.code, ended.out.partition(" image@")[0]) == (0, "Attached the signature to")
    found = ended.out.split("@sha256:")[-1].strip()
    manifest = json.loads((described.directory / "image/blobs/sha256" / found).read_text())
    assert manifest["config"]["mediaType"] == mt.SIGNATURE  # the form that notation 1.3.2 sees in layouts
    assert described("verify", "-k", "leaf.crt", IMAGE).code == 0


def test_the_descriptor_may_be_the_one_of_a_build(described: CommandLine) -> None:
    image = json.loads((described.directory / "image.json").read_text())
    more = {**image, "annotations": {"org.opencontainers.image.created": "2026"}}
    write(described, "image.json", {"containerimage.descriptor": more, "buildx.build.ref": "x"})
    assert sign(described).code == 0
    assert described("attach", "image.sig", IMAGE).code == 0
    assert described("verify", "-k", "leaf.crt", IMAGE).code == 0


def test_attaching_twice_is_as_attaching_once(described: CommandLine) -> None:
    sign(described)
    one, other = (described("attach", "image.sig", IMAGE, "-o", "json").document for _ in range(2))
    assert one == other
    assert one["schema"] == "nv2.attach/v1"
    assert len(described("list", "-o", "json", IMAGE).document["signatures"]) == 1


IMAGE_JSON = {"mediaType": mt.IMAGE_MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 7}
LAYER = "application/vnd.oci.image.layer.v1.tar"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "expected an object"),
        ('{"size": 1, "size": 2}', "duplicate key"),
        (json.dumps({**IMAGE_JSON, "size": -1}), "a size cannot be negative"),
        (json.dumps({**IMAGE_JSON, "digest": "sha256:12"}), "64 lower-case hexadecimal digits"),
        (json.dumps({**IMAGE_JSON, "digest": "md5:12"}), "a digest that nobody could check"),
        (json.dumps({**IMAGE_JSON, "mediaType": LAYER}), "describes no manifest"),
        (
            json.dumps({"schemaVersion": 2, "mediaType": mt.IMAGE_MANIFEST}),
            "image.json: size: an integer is missing",
        ),
    ],
)
def test_what_describes_no_manifest_is_not_signed(described: CommandLine, text: str, message: str) -> None:
    (described.directory / "image.json").write_text(text)
    ended = sign(described)
    assert (ended.code, message in ended.err) == (2, True), ended.err
    assert not (described.directory / "image.sig").exists()


def test_a_signature_of_another_artifact_is_not_attached(described: CommandLine) -> None:
    write(described, "image.json", IMAGE_JSON)
    assert sign(described).code == 0
    ended = described("attach", "image.sig", IMAGE)
    assert (ended.code, "it signs another artifact" in ended.err) == (3, True)
    assert described("list", "-o", "json", IMAGE).document["signatures"] == []


def test_a_signature_without_integrity_is_not_attached(described: CommandLine) -> None:
    sign(described)
    path = described.directory / "image.sig"
    found = json.loads(path.read_text())
    found["signature"] = found["signature"][::-1].swapcase()[:-1] + "A"
    path.write_text(json.dumps(found))
    ended = described("attach", "image.sig", IMAGE)
    assert ended.code == 3, ended.out
    assert described("list", "-o", "json", IMAGE).document["signatures"] == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xd2\x84", b"x" * 5_000_000])
def test_what_is_no_signature_is_not_attached(described: CommandLine, content: bytes) -> None:
    (described.directory / "image.sig").write_bytes(content)
    ended = described("attach", "image.sig", IMAGE)
    assert ended.code == 3
    assert "image.sig" in ended.err and "Traceback" not in ended.err


def test_no_file_is_overwritten(described: CommandLine) -> None:
    (described.directory / "image.sig").write_text("somebody's")
    assert sign(described).code == 3
    assert (described.directory / "image.sig").read_text() == "somebody's"


@pytest.mark.parametrize(
    "words",
    [
        ("sign", "--descriptor", "image.json"),
        ("sign", "--descriptor", "image.json", "--signature-file", "x", IMAGE),
        ("sign", "--descriptor", "image.json", "--signature-file", "x", "--recursive"),
        ("sign", "--descriptor", "image.json", "--signature-file", "x", "--metadata-file", "x"),
        ("attach",),
        ("attach", "image.sig"),
    ],
)
def test_a_command_line_that_says_two_things_is_refused(
    described: CommandLine, words: tuple[str, ...]
) -> None:
    assert described(*words).code == 2


class Multi:
    """A layout with an index of two images, an SBOM of one and an SBOM of the index, and something that refers to an SBOM."""

    def __init__(self, directory: Path) -> None:
        store = LayoutStore(directory, create=True, lock=thread_lock())
        self.children = [push_image(store, layer) for layer in (b"amd64", b"arm64")]
        self.index = push_index(store, self.children)
        store.tag(self.index, "v1")
        self.sboms = [
            attach_referrer(store, of, b"{}", artifact_type=SBOM) for of in (self.children[0], self.index)
        ]
        self.note = attach_referrer(store, self.sboms[0], b"seen", artifact_type="text/x-note")
        store.close()

    @property
    def all(self) -> set[str]:
        return {d.digest for d in (*self.children, self.index, *self.sboms, self.note)}


@pytest.fixture
def multi(wabbit: CommandLine) -> Multi:
    return Multi(wabbit.directory / "multi")


SIGN_ALL = ("sign", "--recursive", "-k", "wabbit.key", "-o", "json", "layout:multi:v1")


def digests(found: list[dict[str, Any]]) -> list[str]:
    return [item["artifact"]["digest"] if "artifact" in item else item["digest"] for item in found]


def verdict(line: CommandLine, digest: str) -> int:
    return line("verify", "-k", "leaf.crt", f"layout:multi@{digest}").code


def test_an_index_is_signed_with_all_that_belongs_to_it_and_last(wabbit: CommandLine, multi: Multi) -> None:
    ended = wabbit(*SIGN_ALL)
    assert ended.code == 0, ended.err
    (result,) = ended.document["results"]
    signed = digests(result["signed"])
    assert sorted(signed) == sorted(multi.all)
    assert signed[-1] == multi.index.digest
    assert [verdict(wabbit, digest) for digest in sorted(multi.all)] == [0] * len(multi.all)


def test_without_the_flag_only_the_index_is_signed(wabbit: CommandLine, multi: Multi) -> None:
    assert wabbit("sign", "-k", "wabbit.key", "layout:multi:v1").code == 0
    trusted = {digest for digest in multi.all if verdict(wabbit, digest) == 0}
    assert trusted == {multi.index.digest}


def test_doing_it_again_signs_nothing_again_and_no_signatures(wabbit: CommandLine, multi: Multi) -> None:
    wabbit(*SIGN_ALL)
    (result,) = wabbit(*SIGN_ALL).document["results"]
    assert (result["signed"], sorted(digests(result["skipped"]))) == ([], sorted(multi.all))
    shown = wabbit(*(word for word in SIGN_ALL if word not in ("-o", "json"))).out.splitlines()
    assert len(shown) == len(multi.all) and all("Signed already, and skipped: multi@" in row for row in shown)


@pytest.mark.parametrize("more", [("-m", "build=2"), ("--key", "other.key")])
def test_what_is_signed_otherwise_is_signed_again(
    wabbit: CommandLine, multi: Multi, more: tuple[str, ...]
) -> None:
    wabbit("key", "generate", "other", "--subject", "CN=o,O=x,ST=WA,C=US")
    for ending in ("key", "crt"):
        made = wabbit.config / "localkeys" / f"other.{ending}"
        made.rename(wabbit.directory / made.name)
    wabbit(*SIGN_ALL)
    (result,) = wabbit(*SIGN_ALL, *more).document["results"]
    assert sorted(digests(result["signed"])) == sorted(multi.all)


def test_a_new_child_alone_is_signed_when_the_rest_has_been(wabbit: CommandLine, multi: Multi) -> None:
    wabbit(*SIGN_ALL)
    store = LayoutStore(wabbit.directory / "multi", lock=thread_lock())
    late: Descriptor = attach_referrer(store, multi.children[1], b"late", artifact_type=SBOM)
    store.close()
    (result,) = wabbit(*SIGN_ALL).document["results"]
    assert digests(result["signed"]) == [late.digest]


def refuse(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    """From now on nothing can be attached to `digest`."""
    attach = LayoutStore.attach

    def refusing(self: LayoutStore, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        if subject.digest == digest:
            raise EnvironmentFailure("the disk is full", at="multi", hint="free some space")
        attach(self, subject, manifests)

    monkeypatch.setattr(LayoutStore, "attach", refusing)


def test_what_was_signed_before_an_error_is_listed_and_the_code_says_partly(
    wabbit: CommandLine, multi: Multi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refuse(patched, multi.index.digest)
        ended = wabbit(*SIGN_ALL)
        assert ended.code == 4
        (result,) = ended.document["results"]
        assert sorted(digests(result["signed"])) == sorted(multi.all - {multi.index.digest})
        assert (result["artifact"]["digest"], result["skipped"]) == (multi.index.digest, [])
        assert result["error"] == {
            "kind": "EnvironmentFailure",
            "message": "multi: the disk is full",
            "at": f"multi@{multi.index.digest}",
            "hint": "free some space",
        }
    (result,) = wabbit(*SIGN_ALL).document["results"]
    assert digests(result["signed"]) == [multi.index.digest]


def test_what_was_signed_before_an_error_is_told_in_words(
    wabbit: CommandLine, multi: Multi, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, multi.index.digest)
    words = [word for word in SIGN_ALL if word not in ("-o", "json")]
    ended = wabbit(*words)
    told = [row.split("@")[1] for row in ended.out.splitlines() if row.startswith("Successfully signed")]
    assert (ended.code, sorted(told)) == (4, sorted(multi.all - {multi.index.digest}))
    assert f"Error: multi@{multi.index.digest}: multi: the disk is full" in ended.err
    assert wabbit(*words, program="notation").code == 1


def test_where_nothing_was_signed_before_the_error_nothing_is_partly_done(
    wabbit: CommandLine, multi: Multi, monkeypatch: pytest.MonkeyPatch
) -> None:
    wabbit(*(word for word in SIGN_ALL if word != "--recursive"))
    refuse(monkeypatch, multi.note.digest)
    ended = wabbit(*SIGN_ALL)
    (result,) = ended.document["results"]
    assert (ended.code, "signed" in result) == (3, False)
