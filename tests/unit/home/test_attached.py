"""What was attached is recorded for each artifact, whole, by whoever of this host does it."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from nv2.errors import EnvironmentFailure
from nv2.home import attached
from nv2.home.attached import FileJournal
from nv2.home.lock import host_lock
from nv2.home.paths import Paths
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe

SUBJECT = "registry.test/app@sha256:" + "1" * 64


def open_journal(paths: Paths) -> FileJournal:
    return FileJournal(paths.attached, host_lock(paths.locks))


def signature(name: str) -> Descriptor:
    return describe(name.encode(), mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE, annotations={"name": name})


def test_nothing_was_recorded_and_looking_makes_no_file(paths: Paths) -> None:
    assert open_journal(paths).recall(SUBJECT) == ()
    assert not paths.state.exists()


def test_another_run_knows_what_one_recorded(paths: Paths) -> None:
    one, two = signature("one"), signature("two")
    assert open_journal(paths).record(SUBJECT, [one]) == ()
    assert open_journal(paths).record(SUBJECT, [two, one]) == (one,)
    assert open_journal(paths).recall(SUBJECT) == (one, two)


def test_each_artifact_has_its_own_record(paths: Paths) -> None:
    open_journal(paths).record(SUBJECT, [signature("one")])
    assert open_journal(paths).recall(SUBJECT.replace("app", "other")) == ()


def test_the_record_is_for_its_owner_alone(paths: Paths) -> None:
    open_journal(paths).record(SUBJECT, [signature("one")])
    (file,) = paths.attached.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_several_record_at_once_is_all_there(paths: Paths) -> None:
    threads = [
        threading.Thread(target=lambda n=n: open_journal(paths).record(SUBJECT, [signature(str(n))]))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_journal(paths).recall(SUBJECT)) == 12


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"manifests": []}',
        '{"subject": "registry.test/other@sha256:00", "manifests": []}',
        f'{{"subject": "{SUBJECT}", "manifests": [{{"mediaType": "x/y", "digest": "none", "size": 1}}]}}',
    ],
)
def test_a_spoilt_record_is_an_error_that_names_the_file(paths: Paths, text: str) -> None:
    open_journal(paths).record(SUBJECT, [signature("one")])
    (file,) = paths.attached.iterdir()
    file.write_text(text)
    with pytest.raises(EnvironmentFailure) as caught:
        open_journal(paths).recall(SUBJECT)
    assert str(file) in (caught.value.at or "")


def test_what_is_forgotten_is_gone_and_the_file_with_the_last(paths: Paths) -> None:
    one, two = signature("one"), signature("two")
    open_journal(paths).record(SUBJECT, [one, two])
    open_journal(paths).forget(SUBJECT, {one.digest, "sha256:another"})
    assert open_journal(paths).recall(SUBJECT) == (two,)
    open_journal(paths).forget(SUBJECT, {two.digest})
    assert open_journal(paths).recall(SUBJECT) == () and list(paths.attached.iterdir()) == []


def test_forgetting_what_is_not_known_makes_no_file(paths: Paths) -> None:
    open_journal(paths).forget(SUBJECT, {"sha256:another"})
    assert not paths.attached.exists()


def test_of_too_many_artifacts_the_oldest_are_forgotten(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "MAX_SUBJECTS", 4)
    monkeypatch.setattr(attached, "_ROOM", 2)
    for number in range(5):
        subject = f"{SUBJECT}{number}"
        open_journal(paths).record(subject, [signature("one")])
        when = 1_000_000_000 - number if number < 4 else None
        if when:
            os.utime(max(paths.attached.iterdir(), key=lambda path: path.stat().st_mtime), (when, when))
    assert [bool(open_journal(paths).recall(f"{SUBJECT}{number}")) for number in range(5)] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_a_record_does_not_grow_without_bound(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "MAX_JOURNAL", 600)
    open_journal(paths).record(SUBJECT, [signature("one")])
    with pytest.raises(EnvironmentFailure, match="more than 600 bytes"):
        open_journal(paths).record(SUBJECT, [signature("two"), signature("three")])
    assert open_journal(paths).recall(SUBJECT) == (signature("one"),)
