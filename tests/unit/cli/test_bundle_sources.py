"""`nv2 bundle create` from image layouts: what is in a bundle is called as its maker says, and judged by that name."""

from __future__ import annotations

import json

import pytest

import nv2
from nv2.oci.reference import LayoutReference
from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.test_bundle import INSIDE, policy, trusts
from tests.unit.content.remote.registry_world import World
from tests.world.images import image_layout

NAME = "outside.example/net-monitor"
LAYOUT = "layout:image:v1"
FALLBACK = "sha256-" + "0" * 64


@pytest.fixture
def signed(wabbit: CommandLine) -> CommandLine:
    """The layout `image` is signed, and this machine trusts the signer."""
    assert wabbit("sign", "-k", "wabbit.key", LAYOUT).code == 0
    trusts(wabbit, (wabbit.directory / "root.crt").read_bytes())
    return wabbit


def create(line: CommandLine, *words: str) -> Ended:
    return line("bundle", "create", *words, "--file", "b.tar")


def nothing_was_made(line: CommandLine) -> bool:
    return not (line.directory / "b.tar").exists()


def claim(line: CommandLine, annotation: str, value: str) -> None:
    """Let the layout itself say what its image is called."""
    file = line.directory / "image" / "index.json"
    index = json.loads(file.read_text())
    index["manifests"][0].setdefault("annotations", {})[annotation] = value
    file.write_text(json.dumps(index))


def digest_of(line: CommandLine) -> str:
    index = json.loads((line.directory / "image" / "index.json").read_text())
    return str(index["manifests"][0]["digest"])


@pytest.mark.parametrize("layout", [LAYOUT, "layout:image.tar:v1"])
def test_what_is_in_a_layout_travels_with_its_signatures_under_the_name_that_it_is_given(
    signed: CommandLine, layout: str
) -> None:
    assert signed("copy", LAYOUT, "layout:image.tar:v1").code == 0
    made = create(signed, layout, "--as", f"{NAME}:v7")
    assert made.code == 0, made.err
    shown = signed("bundle", "inspect", "b.tar", "-o", "json").document
    assert [each["reference"] for each in shown["artifacts"]] == [f"{NAME}:v7"]
    world = World()
    signed.reach(world.registry)
    imported = signed("bundle", "import", "b.tar", f"{world.registry.host}/in")
    assert imported.code == 0, imported.err
    arrived = world.store("in/net-monitor")
    assert len(arrived.referrers(arrived.resolve("v7")).descriptors) == 1


def test_the_policy_is_asked_about_the_name_that_it_is_given(signed: CommandLine) -> None:
    assert create(signed, LAYOUT, "--as", f"{NAME}:v1").code == 0
    (signed.config / "trustpolicy.json").write_bytes(policy(scope=NAME))
    assert signed("bundle", "verify", "b.tar").code == 0
    (signed.config / "trustpolicy.json").write_bytes(policy(scope="outside.example/other"))
    assert signed("bundle", "verify", "b.tar").code == 3
    (signed.config / "trustpolicy.json").write_bytes(policy(scope=f"{INSIDE}/net-monitor"))
    assert signed("bundle", "verify", "b.tar", "--destination", INSIDE).code == 0


@pytest.mark.parametrize("annotation", ["io.containerd.image.name", "org.opencontainers.image.ref.name"])
def test_a_name_that_the_layout_claims_is_shown_and_never_used(signed: CommandLine, annotation: str) -> None:
    digest = digest_of(signed)
    claim(signed, annotation, "prod.example/payments:v1")
    ended = create(signed, f"layout:image@{digest}")
    assert ended.code == 2 and nothing_was_made(signed)
    assert "--as" in ended.err and "the layout itself says prod.example/payments:v1" in ended.err
    assert create(signed, f"layout:image@{digest}", "--as", f"{NAME}:v1").code == 0
    shown = signed("bundle", "inspect", "b.tar").out
    assert NAME in shown and "prod.example" not in shown


@pytest.mark.parametrize("name", ["v1", "payments:v1", "a\x1b[31m.example/app:v1", "../a.example/app"])
def test_what_is_no_whole_name_is_not_shown_as_one(signed: CommandLine, name: str) -> None:
    claim(signed, "io.containerd.image.name", name)
    ended = create(signed, f"layout:image@{digest_of(signed)}")
    assert ended.code == 2 and "the layout itself says" not in ended.err and "\x1b" not in ended.err


def test_a_name_without_a_tag_takes_the_tag_of_the_layout_and_else_the_digest(signed: CommandLine) -> None:
    digest = digest_of(signed)
    made = nv2.create_bundle(
        [LAYOUT, LayoutReference("image", digest=digest)],  # type: ignore[arg-type]
        "b.tar",
        names=[NAME, "outside.example/other"],
    )
    named = [str(image.reference) for image in made.contents.images]
    assert named == [f"{NAME}:v1", f"outside.example/other@{digest}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((LAYOUT, LAYOUT, "--as", f"{NAME}:v1"), "names: 1, image layouts: 2"),
        ((LAYOUT, "--as", f"{NAME}:v1", "--as", f"{NAME}:v2"), "names: 2, image layouts: 1"),
        ((f"{NAME}:v1", "--as", f"{NAME}:v2"), "names: 1, image layouts: 0"),
        ((LAYOUT, "--as", f"{NAME}@sha256:{'0' * 64}"), "not what it shall be called"),
        ((LAYOUT, "--as", f"{NAME}:{FALLBACK}"), "where clients look for what refers to a digest"),
        ((LAYOUT, "--as", "net-monitor:v1"), "a registry is missing"),
        ((LAYOUT, "--as", "layout:image:v1"), "a registry is missing"),
        (("layout:image:absent",), "no such tag"),
    ],
)
def test_names_that_do_not_fit_make_no_bundle(signed: CommandLine, words: tuple[str, ...], said: str) -> None:
    ended = create(signed, *words)
    assert ended.code in (2, 3) and said in ended.err, ended.err
    assert nothing_was_made(signed)


def test_names_belong_to_the_layouts_in_their_order_and_registries_keep_theirs(signed: CommandLine) -> None:
    world = World()
    signed.reach(world.registry)
    there = f"{world.registry.host}/app:v1"
    assert signed("copy", LAYOUT, there).code == 0
    words = (LAYOUT, there, LAYOUT, "--as", f"{NAME}:a", "--as", f"{NAME}:b")
    made = create(signed, *words, "-o", "json")
    assert made.code == 0, made.err
    named = [each["reference"] for each in made.document["artifacts"]]
    assert named == [f"{NAME}:a", there, f"{NAME}:b"]


def test_one_name_for_two_artifacts_makes_no_bundle(signed: CommandLine) -> None:
    image_layout(signed.directory / "second", "another")
    ended = create(signed, LAYOUT, "layout:second:v1", "--as", f"{NAME}:v1", "--as", f"{NAME}:v1")
    assert ended.code == 2 and f"{NAME}:v1 would name two artifacts" in ended.err
    assert nothing_was_made(signed)
