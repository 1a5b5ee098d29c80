"""notation's `config.json`: what of it concerns registries and signing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nv2.errors import ConfigurationError
from nv2.home.json_files import read_object
from nv2.home.paths import Paths
from nv2.oci import media_types as mt
from nv2.strict_json import Fields

MAX_CONFIG = 1024 * 1024
"""Bytes of a configuration file: thousands of registries."""


class Config(NamedTuple):
    """The settings. Unknown fields are somebody else's and are left alone."""

    insecure_registries: frozenset[str] = frozenset()
    """`host[:port]`, lower case: these speak plain HTTP."""
    credentials_store: str | None = None
    credential_helpers: Mapping[str, str] = MappingProxyType({})
    auths: Mapping[str, Any] = MappingProxyType({})
    """Registry to credentials in plain text, as in Docker's file; read when they are used."""
    signature_format: str | None = None
    """A name of `media_types.ENVELOPES`."""

    def is_insecure(self, registry: str) -> bool:
        """Whether `registry` (host[:port]) was named as one that speaks plain HTTP."""
        return registry.lower() in self.insecure_registries


def load_config(paths: Paths) -> Config:
    """The settings, or the defaults when there is no file. Raises `ConfigurationError`."""
    fields = read_object(paths.settings, MAX_CONFIG, "a configuration", ConfigurationError)
    if fields is None:
        return Config()
    return Config(
        frozenset(name.lower() for name in fields.strings("insecureRegistries") or ()),
        fields.get("credsStore", str) or None,
        MappingProxyType(fields.string_map("credHelpers") or {}),
        MappingProxyType(fields.get("auths", dict) or {}),
        _format(fields),
    )


def _format(fields: Fields) -> str | None:
    word = (fields.get("signatureFormat", str) or "").lower()
    if word and word not in mt.ENVELOPES:
        raise fields.error(
            f"unknown signature format {word!r}",
            at=fields.place("signatureFormat"),
            hint=f"formats: {', '.join(mt.ENVELOPES)}",
        )
    return word or None
