"""Trust policies: which statement applies to an artifact, and what it demands.

trust-store-trust-policy, "OCI Trust Policy" (`blob_policy` has the other kind). Stricter than notation (docs/adr): unknown fields and
duplicate keys are errors, because a restriction that is misspelt must not vanish; and `skip` with the
scope `*` is refused, as the specification says. What this module does not do: find or read the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, TypeVar

from nv2 import strict_json
from nv2.errors import PolicyError
from nv2.oci.reference import DOCKER_HUB, api_repository, is_repository
from nv2.strict_json import Fields
from nv2.trust.anchors import StoreName, parse_store_name
from nv2.trust.identity import Identity, parse_identities
from nv2.trust.level import Level, custom_level

VERSION = "1.0"
GLOBAL = "*"
"""The scope of all artifacts that no other statement names."""

P = TypeVar("P")
S = TypeVar("S")


class TimestampWhen(Enum):
    """When a timestamp is verified, if a `tsa` store is named at all."""

    ALWAYS = "always"
    AFTER_CERT_EXPIRY = "afterCertExpiry"


class Statement(NamedTuple):
    """One statement of a policy."""

    name: str
    scopes: tuple[str, ...]
    """Empty in a policy for blobs, which knows no repositories."""
    level: Level
    timestamp: TimestampWhen
    stores: tuple[StoreName, ...]
    identities: tuple[Identity, ...]
    """Never empty, except at level skip."""


class TrustPolicy(NamedTuple):
    """A policy that keeps every rule of the specification."""

    statements: tuple[Statement, ...]

    def statement_for(self, scope: str) -> Statement:
        """The statement for the repository `scope`: an exact match, else the global one.

        Raises `PolicyError` if there is neither: then nothing of that repository is trusted. Raises it, too, if
        a statement names the same repository in another spelling: whoever chooses the spelling of a reference
        must not choose the statement with it.
        """
        if found := self._naming(scope):
            return found
        for statement in self.statements:
            for other in statement.scopes:
                if other != GLOBAL and _canonical(other) == _canonical(scope):
                    raise PolicyError(f"{scope} is {other} in another spelling", hint=f"write {other}")
        if found := self._naming(GLOBAL):
            return found
        known = ", ".join(scope for statement in self.statements for scope in statement.scopes)
        raise PolicyError(
            f'artifact "{scope}" has no applicable oci trust policy statement',
            hint=f"registryScopes of the policy, which 'nv2 policy import FILE' replaces: {known}",
        )

    def _naming(self, scope: str) -> Statement | None:
        return next((statement for statement in self.statements if scope in statement.scopes), None)


def _canonical(scope: str) -> tuple[str, str, str]:
    """Host, port and repository: case of the host, the port of https, names of Docker Hub, and the `library/` that is
    understood there make no difference."""
    registry, _, repository = scope.lower().partition("/")
    host, colon, port = registry.rpartition(":")
    if not colon or registry.endswith("]"):
        host, port = registry, "443"
    hub = DOCKER_HUB[0] if host in DOCKER_HUB else host
    return hub, port.lstrip("0"), api_repository(hub, repository)


def parse_policy(data: bytes, at: str) -> TrustPolicy:
    """Read the policy document `data`, which came from `at` (a file name, or empty).

    Raises `PolicyError` with a place such as `trustPolicies[2].trustStores[0]`, after `at` if there is one.
    """
    return read_document(data, at, _policy)


def read_document(data: bytes, at: str, read: Callable[[Fields], P]) -> P:
    """What `read` makes of the JSON document `data`; `at` goes before the place of every `PolicyError`."""
    try:
        return read(Fields.of(strict_json.loads(data, PolicyError), "", PolicyError))
    except PolicyError as e:
        raise PolicyError(e.message, at=": ".join(filter(None, (at, e.at))), hint=e.hint) from None


def read_statements(fields: Fields, read: Callable[[Fields], S]) -> tuple[S, ...]:
    """The statements of a document, each as `read` reads it: one at least. Raises `PolicyError`."""
    fields.only("version", "trustPolicies")
    version = fields.require("version", str)
    if version != VERSION:
        raise PolicyError(f"unknown version {version!r}", at="version", hint=f"known version: {VERSION}")
    statements = tuple(read(item) for item in fields.objects("trustPolicies"))
    if not statements:
        raise PolicyError("a policy has at least one statement", at="trustPolicies")
    return statements


def check_names(statements: Sequence[Statement]) -> None:
    """Raise `PolicyError` unless every statement has a name of its own."""
    _once([(s.name, f"trustPolicies[{i}].name") for i, s in enumerate(statements)])


def _policy(fields: Fields) -> TrustPolicy:
    statements = read_statements(fields, _statement)
    check_names(statements)
    _once(
        [
            (scope, f"trustPolicies[{i}].registryScopes[{j}]")
            for i, statement in enumerate(statements)
            for j, scope in enumerate(statement.scopes)
        ]
    )
    return TrustPolicy(statements)


def _once(values: list[tuple[str, str]]) -> None:
    """Raise unless every value of the (value, place) pairs is there once."""
    seen: dict[str, str] = {}
    for value, at in values:
        if value in seen:
            raise PolicyError(f"{value!r} stands at {seen[value]} already", at=at)
        seen[value] = at


TERMS = ("name", "signatureVerification", "trustStores", "trustedIdentities")
"""What a statement says in a policy of either kind."""


def _statement(fields: Fields) -> Statement:
    fields.only(*TERMS, "registryScopes")
    scopes = _scopes(fields)
    statement = read_terms(fields)
    if statement.level.skips and GLOBAL in scopes:
        raise PolicyError(
            "level 'skip' cannot be used with the scope '*'",
            at=fields.at,
            hint="name the repositories that need no verification",
        )
    return statement._replace(scopes=scopes)


def read_terms(fields: Fields) -> Statement:
    """A statement by its `TERMS`, without scopes. Raises `PolicyError`."""
    name = fields.require("name", str)
    if not name:
        raise PolicyError("a statement needs a name", at=fields.place("name"))
    level, timestamp = _verification(fields)
    stores, identities = _strings(fields, "trustStores"), _strings(fields, "trustedIdentities")
    _check_presence(fields, level, stores, identities)
    place = fields.place("trustStores")
    return Statement(
        name,
        (),
        level,
        timestamp,
        tuple(parse_store_name(text, f"{place}[{i}]") for i, text in enumerate(stores)),
        parse_identities(identities, fields.place("trustedIdentities")),
    )


def _check_presence(
    fields: Fields, level: Level, stores: tuple[str, ...], identities: tuple[str, ...]
) -> None:
    for key, found in (("trustStores", stores), ("trustedIdentities", identities)):
        if level.skips and found:
            raise PolicyError("level 'skip' verifies nothing and takes none", at=fields.place(key))
        if not level.skips and not found:
            raise PolicyError(f"level {level.name!r} needs at least one", at=fields.place(key))


def _verification(fields: Fields) -> tuple[Level, TimestampWhen]:
    found = Fields.of(
        fields.require("signatureVerification", dict), fields.place("signatureVerification"), PolicyError
    )
    found.only("level", "override", "verifyTimestamp")
    level = custom_level(found.require("level", str), found.string_map("override") or {}, found.at)
    word = found.get("verifyTimestamp", str)
    if word is None:
        return level, TimestampWhen.ALWAYS
    for when in TimestampWhen:
        if when.value == word:
            return level, when
    values = ", ".join(when.value for when in TimestampWhen)
    raise PolicyError(f"unknown value {word!r}", at=found.place("verifyTimestamp"), hint=f"values: {values}")


def _scopes(fields: Fields) -> tuple[str, ...]:
    at = fields.place("registryScopes")
    scopes = fields.strings("registryScopes")
    if not scopes:
        raise PolicyError("at least one scope is needed", at=at)
    for i, scope in enumerate(scopes):
        if scope == GLOBAL and len(scopes) > 1:
            raise PolicyError("'*' must be the only scope", at=f"{at}[{i}]")
        if scope != GLOBAL and not is_repository(scope):
            raise PolicyError(
                f"{scope!r} is not a repository",
                at=f"{at}[{i}]",
                hint="expected '*' or <registry>/<repository> without scheme, tag, digest or wildcard",
            )
    return scopes


def _strings(fields: Fields, key: str) -> tuple[str, ...]:
    # Go writes an absent list as null.
    return () if fields.value.get(key) is None else fields.strings(key) or ()
