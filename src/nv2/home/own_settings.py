"""nv2's own `settings.json`: restrictions that notation would ignore, and so in no file that notation reads.

Unknown fields are errors: a restriction that is spelled wrongly must not look like one that holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.home.json_files import read_object
from nv2.home.paths import Paths
from nv2.pki.certificate_status import CLOCK_SKEW, STRICT, Allowance
from nv2.plain_text import parse_span, quoted
from nv2.strict_json import Fields

MAX_SETTINGS = 1024 * 1024
"""Bytes: thousands of names."""

_THUMBPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)


class EvidenceAge(NamedTuple):
    """How old evidence may be that was carried here; what was fetched never counts after its nextUpdate."""

    default: Allowance = STRICT
    issuers: Mapping[str, Allowance] = MappingProxyType({})
    """By SHA-256 of the issuer's certificate, lower-case hexadecimal."""

    def of(self, issuer: str) -> Allowance:
        """For what the issuer with the certificate of this thumbprint said."""
        return self.issuers.get(issuer, self.default)


class OwnSettings(NamedTuple):
    """The settings."""

    verification_plugins: frozenset[str] | None = None
    """Names of the only verification plugins that may be asked; None: whichever is installed."""
    evidence_age: EvidenceAge = EvidenceAge()
    clock_behind: timedelta = CLOCK_SKEW
    """How far the clock may be behind the latest instant that carried evidence proves."""

    def allows(self, name: str) -> bool:
        """Whether the verification plugin `name` may be asked."""
        return self.verification_plugins is None or name in self.verification_plugins


def load_own_settings(paths: Paths) -> OwnSettings:
    """The settings, or the defaults when there is no file. Raises `ConfigurationError`."""
    fields = read_object(paths.own_settings, MAX_SETTINGS, "settings of nv2", ConfigurationError)
    if fields is None:
        return OwnSettings()
    fields.only("verificationPlugins", "evidenceAge", "clockBehind")
    names = fields.strings("verificationPlugins")
    return OwnSettings(
        None if names is None else frozenset(names),
        _evidence_age(fields.object("evidenceAge")),
        _span(fields, "clockBehind", CLOCK_SKEW) or timedelta(),
    )


def _evidence_age(fields: Fields | None) -> EvidenceAge:
    if fields is None:
        return EvidenceAge()
    fields.only("grace", "maxAge", "issuers")
    default = _allowance(fields, STRICT)
    issuers = fields.object("issuers")
    found = {}
    for thumbprint in issuers.value if issuers else ():
        one = issuers.object(thumbprint) if issuers else None
        if not _THUMBPRINT.fullmatch(thumbprint) or one is None:
            raise ConfigurationError(
                f"{quoted(thumbprint)} names no issuer",
                at=fields.place("issuers"),
                hint="the SHA-256 of the issuer's certificate, 64 lower-case hexadecimal digits, as 'nv2 bundle check' shows it",
            )
        one.only("grace", "maxAge")
        found[thumbprint] = _allowance(one, default)
    return EvidenceAge(default, MappingProxyType(found))


def _allowance(fields: Fields, default: Allowance) -> Allowance:
    return Allowance(
        _span(fields, "grace", default.grace) or timedelta(), _span(fields, "maxAge", default.max_age)
    )


def _span(fields: Fields, key: str, default: timedelta | None) -> timedelta | None:
    text = fields.get(key, str)
    if text is None:
        return default
    found = parse_span(text)
    if found is None:
        raise fields.error(
            f"{quoted(text)} is not a span of time", at=fields.place(key), hint="such as 7d, 36h or 5m"
        )
    return found
