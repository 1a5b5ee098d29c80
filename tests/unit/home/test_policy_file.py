from __future__ import annotations

import stat

import pytest

from nv2.errors import PolicyError
from nv2.home.paths import Paths
from nv2.home.policy_file import existing_policy, import_policy, load_policy


@pytest.fixture
def config(paths: Paths) -> Paths:
    paths.config.mkdir(parents=True)
    return paths


def test_without_a_policy_the_error_says_how_to_get_one(paths: Paths) -> None:
    with pytest.raises(PolicyError, match="trust policy is not present") as caught:
        load_policy(paths)
    assert "nv2 policy init" in (caught.value.hint or "")
    assert existing_policy(paths) is None


def test_the_older_file_serves_where_there_is_no_other(config: Paths) -> None:
    config.old_policy.write_bytes(b"old")
    file = load_policy(config)
    assert (file.path, file.data, file.warnings) == (config.old_policy, b"old", ())


def test_the_newer_file_goes_before_the_older_one_and_a_difference_is_told(config: Paths) -> None:
    config.old_policy.write_bytes(b"old")
    config.policy.write_bytes(b"new")
    file = load_policy(config)
    assert (file.path, file.data) == (config.policy, b"new")
    assert len(file.warnings) == 1
    assert str(config.old_policy) in file.warnings[0]


def test_two_equal_files_are_no_reason_to_warn(config: Paths) -> None:
    config.old_policy.write_bytes(b"same")
    config.policy.write_bytes(b"same")
    assert load_policy(config).warnings == ()


def test_an_unreadable_newer_file_never_lets_the_older_one_decide(config: Paths) -> None:
    config.old_policy.write_bytes(b"old")
    config.policy.symlink_to("missing")
    with pytest.raises(PolicyError, match="symbolic link"):
        load_policy(config)


def test_a_link_is_refused_but_shown(config: Paths) -> None:
    (config.config / "elsewhere").write_bytes(b"x")
    config.policy.symlink_to("elsewhere")
    with pytest.raises(PolicyError, match="symbolic link"):
        load_policy(config)
    assert load_policy(config, follow=True).data == b"x"


def test_an_imported_policy_keeps_its_bytes_and_replaces_both_files(config: Paths) -> None:
    config.old_policy.write_bytes(b"old")
    imported = import_policy(config, b"new \xff")
    assert (imported.path, imported.removed_old) == (config.policy, True)
    assert config.policy.read_bytes() == b"new \xff"
    assert stat.S_IMODE(config.policy.stat().st_mode) == 0o600
    assert not config.old_policy.exists()
    assert not import_policy(config, b"newer").removed_old


def test_an_older_file_that_cannot_be_removed_is_a_warning(config: Paths) -> None:
    config.old_policy.mkdir()
    imported = import_policy(config, b"new")
    assert not imported.removed_old
    assert "failed to delete old trust policy configuration" in imported.warnings[0]
