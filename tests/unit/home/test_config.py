from __future__ import annotations

import pytest

from nv2.errors import ConfigurationError
from nv2.home.config import Config, load_config
from nv2.home.paths import Paths


def write(paths: Paths, text: str) -> None:
    paths.config.mkdir(parents=True)
    paths.settings.write_text(text)


def test_without_a_file_there_are_only_defaults(paths: Paths) -> None:
    assert load_config(paths) == Config()


def test_the_settings_of_notation_are_read(paths: Paths) -> None:
    write(
        paths,
        '{"insecureRegistries": ["Registry.Example:5000"], "credsStore": "pass",'
        ' "credHelpers": {"x.example": "y"}, "signatureFormat": "COSE", "auths": {}}',
    )
    config = load_config(paths)
    assert config.is_insecure("registry.example:5000")
    assert not config.is_insecure("registry.example")
    assert config.credentials_store == "pass"
    assert config.credential_helpers == {"x.example": "y"}
    assert config.signature_format == "cose"


def test_the_null_that_go_writes_for_no_registries_is_read(paths: Paths) -> None:
    write(paths, '{"insecureRegistries": null}')
    assert load_config(paths) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"insecureRegistries": "x"}', "insecureRegistries: expected an array"),
        ('{"insecureRegistries": [1]}', r"insecureRegistries\[0\]: expected a string"),
        ('{"signatureFormat": "pgp"}', "signatureFormat: unknown signature format 'pgp'"),
    ],
)
def test_a_malformed_file_is_refused_at_its_place(paths: Paths, text: str, message: str) -> None:
    write(paths, text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_config(paths)
    assert str(caught.value).startswith(str(paths.settings))


def test_a_link_in_the_files_place_is_refused(paths: Paths) -> None:
    write(paths, "{}")
    paths.settings.rename(paths.config / "other")
    paths.settings.symlink_to("other")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        load_config(paths)
