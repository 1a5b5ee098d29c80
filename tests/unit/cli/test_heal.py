"""`list --heal`: what this machine attached and a rival displaced is listed again, and nothing else."""

from __future__ import annotations

import json

import pytest

from nv2.content.remote.store import RemoteStore
from nv2.oci import media_types as mt
from nv2.oci.digest import fallback_tag
from tests.unit.cli.command_line import CommandLine
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import push_image
from tests.world.registry import Registry


@pytest.fixture
def registry(wabbit: CommandLine) -> Registry:
    found = Registry(referrers_api=False)
    wabbit.reach(found)
    return found


def push(registry: Registry) -> str:
    world = World()
    world.registry = registry
    return f"{registry.host}/app@{push_image(world.store()).digest}"


def sign(line: CommandLine, image: str) -> str:
    signed = line("sign", "-k", "wabbit.key", "-o", "json", image)
    assert signed.code == 0, signed.err
    return str(signed.document["results"][0]["signature"]["digest"])


def listed(registry: Registry, image: str) -> list[str]:
    repository = registry.repository("app")
    index = repository.manifests[repository.tags[fallback_tag(image.partition("@")[2])]][1]
    return [entry["digest"] for entry in json.loads(index)["manifests"]]


def displaced(line: CommandLine, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """An image, our signature, which is not listed any more, and that of a rival on another machine."""
    image = push(registry)
    ours = sign(line, image)
    registry.quirks.add("displaces")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(line.directory / "elsewhere"))
        theirs = sign(line, image)
    registry.quirks.remove("displaces")
    assert listed(registry, image) == [theirs]
    return image, ours, theirs


def test_what_was_displaced_is_listed_again_beside_the_rivals(
    wabbit: CommandLine, registry: Registry, monkeypatch
) -> None:
    image, ours, theirs = displaced(wabbit, registry, monkeypatch)
    healed = wabbit("list", "--heal", "-o", "json", image)
    assert healed.code == 0, healed.err
    assert healed.document["restored"] == [ours]
    assert {entry["digest"] for entry in healed.document["signatures"]} == {ours, theirs}
    assert listed(registry, image) == [theirs, ours]
    assert "restored 1 signature that" in healed.err
    assert wabbit("verify", "-k", "leaf.crt", image).code == 0


WRONG = ({"size": 10}, {"mediaType": mt.IMAGE_INDEX}, {"artifactType": "x/y"})


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_entry_that_says_something_else_of_ours_is_not_ours(
    wabbit: CommandLine, registry: Registry, wrong: dict[str, object]
) -> None:
    image = push(registry)
    ours = sign(wabbit, image)
    repository, tag = registry.repository("app"), fallback_tag(image.partition("@")[2])
    index = json.loads(repository.manifests[repository.tags[tag]][1])
    spoilt = {**index["manifests"][0], **wrong}
    repository.add(json.dumps({**index, "manifests": [spoilt]}).encode(), mt.IMAGE_INDEX, tag)
    assert wabbit("verify", "-k", "leaf.crt", image).code != 0
    assert wabbit("list", "--heal", "-o", "json", image).document["restored"] == [ours]
    assert listed(registry, image) == [ours, ours]
    assert wabbit("verify", "-k", "leaf.crt", image).code == 0
    assert wabbit("list", "--heal", "-o", "json", image).document["restored"] == []


def test_an_entry_that_only_lost_its_type_is_still_ours(wabbit: CommandLine, registry: Registry) -> None:
    image = push(registry)
    sign(wabbit, image)
    repository, tag = registry.repository("app"), fallback_tag(image.partition("@")[2])
    index = json.loads(repository.manifests[repository.tags[tag]][1])
    del index["manifests"][0]["artifactType"]
    repository.add(json.dumps(index).encode(), mt.IMAGE_INDEX, tag)
    assert wabbit("list", "--heal", "-o", "json", image).document["restored"] == []


def test_what_is_restored_has_type_and_annotations_as_before(
    wabbit: CommandLine, registry: Registry, monkeypatch
) -> None:
    image = push(registry)
    sign(wabbit, image)
    before = wabbit("list", "-o", "json", image).document["signatures"]
    repository = registry.repository("app")
    del repository.tags[fallback_tag(image.partition("@")[2])]
    assert wabbit("list", "--heal", "-o", "json", image).document["signatures"] == before
    assert "annotations" in before[0]


def test_healing_again_changes_nothing(wabbit: CommandLine, registry: Registry, monkeypatch) -> None:
    image, _, _ = displaced(wabbit, registry, monkeypatch)
    wabbit("list", "--heal", image)
    written = len(registry.asked("PUT"))
    healed = wabbit("list", "--heal", image)
    assert healed.code == 0 and "nothing to restore" in healed.err
    assert len(registry.asked("PUT")) == written


def test_a_list_without_the_flag_writes_nothing(wabbit: CommandLine, registry: Registry, monkeypatch) -> None:
    image, _, theirs = displaced(wabbit, registry, monkeypatch)
    written = len(registry.asked("PUT"))
    shown = wabbit("list", "-o", "json", image).document
    assert [entry["digest"] for entry in shown["signatures"]] == [theirs] and shown["restored"] == []
    assert len(registry.asked("PUT")) == written


def test_signing_again_heals_as_well(wabbit: CommandLine, registry: Registry, monkeypatch) -> None:
    image, ours, theirs = displaced(wabbit, registry, monkeypatch)
    third = sign(wabbit, image)
    assert sorted(listed(registry, image)) == sorted([ours, theirs, third])


def test_what_was_deleted_stays_deleted(wabbit: CommandLine, registry: Registry, monkeypatch) -> None:
    image, ours, theirs = displaced(wabbit, registry, monkeypatch)
    del registry.repository("app").manifests[ours]
    assert "nothing to restore" in wabbit("list", "--heal", image).err
    assert listed(registry, image) == [theirs]
    assert list((wabbit.directory / "state/nv2/attached").iterdir()) == []


def test_what_other_machines_attached_is_not_known_here(
    wabbit: CommandLine, registry: Registry, monkeypatch
) -> None:
    image, _, theirs = displaced(wabbit, registry, monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(wabbit.directory / "a third machine"))
    assert "nothing to restore" in wabbit("list", "--heal", image).err
    assert listed(registry, image) == [theirs]


def test_who_was_interrupted_before_the_list_was_written_is_helped(
    wabbit: CommandLine, registry: Registry
) -> None:
    image = push(registry)
    registry.fail("PUT", "/manifests/sha256-")
    assert wabbit("sign", "-k", "wabbit.key", image).code == 3
    assert wabbit("verify", "-k", "leaf.crt", image).code == 1
    assert "restored 1 signature" in wabbit("list", "--heal", image).err
    assert wabbit("verify", "-k", "leaf.crt", image).code == 0


def test_where_the_registry_lists_by_itself_nothing_is_written(wabbit: CommandLine) -> None:
    registry = Registry()
    wabbit.reach(registry)
    image = push(registry)
    sign(wabbit, image)
    assert "nothing to restore" in wabbit("list", "--heal", image).err
    assert registry.repository("app").tags == {}


def test_a_layout_has_no_list_to_heal(wabbit: CommandLine) -> None:
    ended = wabbit("list", "--heal", "layout:image:v1")
    assert ended.code == 2 and "only the list of a registry can be healed" in ended.err


def test_a_record_that_cannot_be_kept_is_a_warning(wabbit: CommandLine, registry: Registry) -> None:
    image = push(registry)
    (wabbit.directory / "state/nv2").mkdir(parents=True)
    (wabbit.directory / "state/nv2/attached").write_text("in the way")
    ended = wabbit("sign", "-k", "wabbit.key", image)
    assert ended.code == 0 and "is not recorded here" in ended.err


def test_a_record_that_cannot_be_read_is_an_error_and_nothing_is_changed(
    wabbit: CommandLine, registry: Registry
) -> None:
    image = push(registry)
    sign(wabbit, image)
    (record,) = (wabbit.directory / "state/nv2/attached").iterdir()
    record.write_text("{")
    written = len(registry.asked("PUT"))
    ended = wabbit("list", "--heal", image)
    assert ended.code == 3 and str(record) in ended.err
    assert len(registry.asked("PUT")) == written


def test_healing_asks_for_the_right_to_push(wabbit: CommandLine, registry: Registry, monkeypatch) -> None:
    asked: list[bool] = []
    made = RemoteStore.__init__

    def noted(self: RemoteStore, *words, push: bool = False, **more) -> None:
        asked.append(push)
        made(self, *words, push=push, **more)

    image = push(registry)
    monkeypatch.setattr(RemoteStore, "__init__", noted)
    wabbit("list", image)
    wabbit("list", "--heal", image)
    assert asked == [False, True]
