from __future__ import annotations

from pathlib import Path

import pytest

from nv2.errors import ConfigurationError, UsageError
from nv2.home.paths import Paths, check_name, is_file_name, is_name


def found(platform: str = "linux", **environ: str) -> Paths:
    return Paths.from_environment(environ, platform)


def test_the_configuration_is_notations_own_directory() -> None:
    paths = found(HOME="/home/u")
    assert paths.config == Path("/home/u/.config/notation")
    assert paths.libexec == paths.config
    assert paths.cache == Path("/home/u/.cache/notation")
    assert paths.own_config == paths.config / "nv2"
    assert paths.state == Path("/home/u/.local/state/nv2")


def test_the_xdg_variables_move_the_directories() -> None:
    paths = found(HOME="/home/u", XDG_CONFIG_HOME="/c", XDG_CACHE_HOME="/k", XDG_STATE_HOME="/s")
    assert (paths.config, paths.cache, paths.state) == (
        Path("/c/notation"),
        Path("/k/notation"),
        Path("/s/nv2"),
    )


def test_notations_variables_name_the_directories_themselves() -> None:
    paths = found(
        HOME="/h", NOTATION_CONFIG="/c", NOTATION_CACHE="/k", NOTATION_LIBEXEC="/l", NV2_CONFIG="/n"
    )
    assert (paths.config, paths.cache, paths.libexec) == (Path("/c"), Path("/k"), Path("/l"))
    assert paths.own_config == Path("/n")
    assert paths.plugins == Path("/l/plugins")


def test_an_empty_variable_counts_as_absent() -> None:
    assert found(HOME="/h", NOTATION_CONFIG="", XDG_CONFIG_HOME="").config == Path("/h/.config/notation")


def test_a_mac_and_windows_have_places_of_their_own() -> None:
    mac = found("darwin", HOME="/Users/u", XDG_CONFIG_HOME="/ignored", XDG_STATE_HOME="/s")
    assert mac.config == Path("/Users/u/Library/Application Support/notation")
    assert mac.cache == Path("/Users/u/Library/Caches/notation")
    assert mac.state == Path("/s/nv2")
    windows = found("win32", APPDATA="C:\\Users\\u\\Roaming", LOCALAPPDATA="C:\\Users\\u\\Local")
    assert windows.config == Path("C:\\Users\\u\\Roaming") / "notation"
    assert windows.cache == Path("C:\\Users\\u\\Local") / "notation"


def test_without_a_home_the_current_directory_is_never_trusted() -> None:
    with pytest.raises(ConfigurationError, match=r"\$HOME is not set") as caught:
        found()
    assert "NOTATION_CONFIG" in (caught.value.hint or "")


@pytest.mark.parametrize("environ", [{"HOME": "."}, {"HOME": "/h", "XDG_CONFIG_HOME": "config"}])
def test_a_relative_directory_of_the_user_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="is not an absolute path"):
        found(**environ)


def test_a_named_configuration_is_enough_without_a_home() -> None:
    paths = found(NOTATION_CONFIG="/c")
    assert paths.config == Path("/c")
    assert paths.cache == Path("/c/cache/notation")
    assert paths.state == Path("/c/state/nv2")


def test_the_files_lie_where_notation_has_them() -> None:
    paths = found(NOTATION_CONFIG="/c")
    assert paths.settings == Path("/c/config.json")
    assert paths.signing_keys == Path("/c/signingkeys.json")
    assert (paths.policy, paths.old_policy) == (Path("/c/trustpolicy.oci.json"), Path("/c/trustpolicy.json"))
    assert paths.trust_stores == Path("/c/truststore/x509")
    assert paths.local_pair("k") == (Path("/c/localkeys/k.key"), Path("/c/localkeys/k.crt"))


@pytest.mark.parametrize("name", ["a", "a.b-c_D9", "...", "-"])
def test_a_name_is_letters_digits_and_three_signs(name: str) -> None:
    assert is_name(name)
    assert check_name(name, "name", UsageError) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "../x", "a b", "a\n", "ä", "\0", "a" * 201])
def test_a_name_is_no_way_out_of_its_directory(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(UsageError, match="cannot be used"):
        check_name(name, "name", UsageError)


def test_a_file_name_may_have_any_letters_but_no_separator() -> None:
    assert is_file_name("my certificate (1).crt")
    assert not any(map(is_file_name, ["", ".", "..", "a/b", "a\\b", "a\0b", "a\nb"]))
