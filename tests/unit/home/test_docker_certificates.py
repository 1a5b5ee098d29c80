"""Docker's `certs.d`: which directory counts, what it holds, and what is wrong with it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError
from nv2.home.docker_certificates import (
    MAX_FILES,
    DockerCertificates,
    certificate_directories,
    docker_certificates,
)


def fill(place: Path, *names: str) -> Path:
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_text("PEM")
    return place


def test_the_users_directories_go_before_the_machines() -> None:
    assert certificate_directories({"HOME": "/home/alice"}, "linux") == (
        Path("/home/alice/.docker/certs.d"),
        Path("/home/alice/.config/docker/certs.d"),
        Path("/etc/docker/certs.d"),
    )


def test_variables_move_the_users_directories_and_none_is_needed() -> None:
    environ = {"HOME": "/home/alice", "DOCKER_CONFIG": "/d", "XDG_CONFIG_HOME": "/x"}
    assert certificate_directories(environ, "linux")[:2] == (Path("/d/certs.d"), Path("/x/docker/certs.d"))
    assert certificate_directories({}, "linux") == (Path("/etc/docker/certs.d"),)
    assert certificate_directories({"PROGRAMDATA": "D"}, "win32") == (Path("D", "docker", "certs.d"),)


def test_authorities_and_a_client_certificate_are_found_and_other_files_are_not_looked_at(
    tmp_path: Path,
) -> None:
    place = fill(tmp_path / "one:5000", "b.crt", "a.crt", "client.cert", "client.key", "README", "old.pem")
    assert docker_certificates([tmp_path], ["one:5000"]) == DockerCertificates(
        (f"{place}/a.crt", f"{place}/b.crt"), f"{place}/client.cert", f"{place}/client.key"
    )


def test_only_the_first_directory_counts_and_a_registry_without_one_has_none(tmp_path: Path) -> None:
    fill(tmp_path / "mine" / "one", "mine.crt")
    fill(tmp_path / "machine" / "one:443", "theirs.crt")
    directories = [tmp_path / "nowhere", tmp_path / "mine", tmp_path / "machine"]
    found = docker_certificates(directories, ["one", "one:443"])
    assert found == DockerCertificates((f"{tmp_path}/mine/one/mine.crt",))
    assert docker_certificates(directories, ["one:5000"]) is None


def test_a_colon_is_left_out_on_windows(tmp_path: Path) -> None:
    fill(tmp_path / "one5000", "ca.crt")
    assert docker_certificates([tmp_path], ["one:5000"], "win32") is not None


@pytest.mark.parametrize(("there", "missing"), [("me.cert", "me.key"), ("me.key", "me.cert")])
def test_half_a_pair_is_one_error_that_names_the_other_half(tmp_path: Path, there: str, missing: str) -> None:
    place = fill(tmp_path / "one", "ca.crt", there)
    with pytest.raises(ConfigurationError, match=f"there is no {missing} that belongs to {there}") as e:
        docker_certificates([tmp_path], ["one"])
    assert e.value.at == str(place)
    assert "--client-cert" in str(e.value.hint)


def test_two_client_certificates_are_one_too_many(tmp_path: Path) -> None:
    fill(tmp_path / "one", "a.cert", "a.key", "b.cert", "b.key")
    with pytest.raises(ConfigurationError, match="more than one client certificate"):
        docker_certificates([tmp_path], ["one"])


def test_a_directory_of_very_many_files_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "one", *(f"{number}.crt" for number in range(MAX_FILES + 1)))
    with pytest.raises(ConfigurationError, match=f"more than {MAX_FILES}"):
        docker_certificates([tmp_path], ["one"])


def test_a_file_that_cannot_be_read_is_an_error_at_that_file(tmp_path: Path) -> None:
    place = fill(tmp_path / "one", "client.cert")
    (place / "client.key").symlink_to("gone")  # what no user can read, not even root
    with pytest.raises(ConfigurationError, match="cannot be read") as e:
        docker_certificates([tmp_path], ["one"])
    assert e.value.at == os.fspath(place / "client.key")


def test_a_place_that_this_user_may_not_enter_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "stat", refused)
    assert docker_certificates([tmp_path], ["r.test"]) is None
