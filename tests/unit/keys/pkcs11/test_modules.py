from __future__ import annotations

from pathlib import Path

import pytest

from nv2.errors import SigningKeyError
from nv2.keys.pkcs11.modules import DIRECTORIES, VARIABLE, module_of
from nv2.keys.pkcs11.uri import parse_uri


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "libhsm.so"
    path.write_bytes(b"")
    return path


def test_the_uri_goes_before_the_environment(module: Path) -> None:
    uri = parse_uri(f"pkcs11:?module-path={module}")
    assert module_of(uri, {VARIABLE: "/elsewhere.so"}) == module
    assert module_of(parse_uri("pkcs11:"), {VARIABLE: str(module)}) == module


@pytest.mark.parametrize("name", ["hsm", "libhsm"])
def test_a_name_is_looked_for_in_directories_of_the_system(module: Path, name: str) -> None:
    uri = parse_uri(f"pkcs11:?module-name={name}")
    assert module_of(uri, {}, (str(module.parent / "none"), str(module.parent))) == module
    with pytest.raises(SigningKeyError, match="no PKCS#11 module"):
        module_of(uri, {}, ())


def test_every_such_directory_is_an_absolute_path() -> None:
    assert all(Path(directory).is_absolute() for directory in DIRECTORIES)


@pytest.mark.parametrize("name", ["../libhsm", "/tmp/libhsm", "..", ".hidden", "a/b"])
def test_a_name_that_is_a_path_is_refused(module: Path, name: str) -> None:
    # research: attack list, item 7 (names with / or ..)
    uri = parse_uri(f"pkcs11:?module-name={name}")
    with pytest.raises(SigningKeyError, match="a module's name is no path"):
        module_of(uri, {}, (str(module.parent / "sub"),))


@pytest.mark.parametrize("given", ["", "libhsm.so", "./libhsm.so", "/no/such/module.so"])
def test_the_environment_names_an_absolute_path_of_a_file_or_nothing(
    module: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(module.parent)
    with pytest.raises(SigningKeyError):
        module_of(parse_uri("pkcs11:"), {VARIABLE: given})
