"""Trust policies for blobs: files that are signed by themselves, without a registry.

trust-store-trust-policy, "Blob Trust Policy". As strict as the policy for OCI artifacts, with which it shares
its terms. The caller names the statement, or the one that is global applies; that one cannot be `skip`
(notation means to refuse it, too, and compares the wrong things). What this module does not do: find or read the file.
"""

from __future__ import annotations

from typing import NamedTuple

from nv2.errors import PolicyError, UsageError
from nv2.strict_json import Fields
from nv2.trust.policy import TERMS, Statement, check_names, read_document, read_statements, read_terms


class BlobPolicy(NamedTuple):
    """A policy for blobs that keeps every rule of the specification."""

    statements: tuple[Statement, ...]
    without_name: Statement | None
    """The global statement, which applies where the caller names none."""

    def statement_for(self, name: str | None) -> Statement:
        """The statement called `name`, or the global one. Raises `PolicyError` if there is none.

        Raises `UsageError` for an empty name: a variable that is not set must not choose the global statement.
        """
        if name is None:
            if self.without_name is None:
                raise PolicyError("no global blob trust policy", hint=f"choose a statement: {self._names()}")
            return self.without_name
        if not name.strip():
            raise UsageError("policy name cannot be empty", hint="leave it out for the global statement")
        for statement in self.statements:
            if statement.name == name:
                return statement
        raise PolicyError(
            f'no applicable blob trust policy with name "{name}"', hint=f"statements: {self._names()}"
        )

    def _names(self) -> str:
        return ", ".join(repr(statement.name) for statement in self.statements)


def parse_blob_policy(data: bytes, at: str) -> BlobPolicy:
    """Read the policy document `data`, which came from `at` (a file name, or empty).

    Raises `PolicyError` with a place such as `trustPolicies[2].trustStores[0]`, after `at` if there is one.
    """
    return read_document(data, at, _policy)


def _policy(fields: Fields) -> BlobPolicy:
    read = read_statements(fields, _statement)
    statements = tuple(statement for statement, _ in read)
    check_names(statements)
    places = [i for i, (_, is_global) in enumerate(read) if is_global]
    if len(places) > 1:
        raise PolicyError(
            f"trustPolicies[{places[0]}] is the global statement already",
            at=f"trustPolicies[{places[1]}].globalPolicy",
        )
    return BlobPolicy(statements, statements[places[0]] if places else None)


def _statement(fields: Fields) -> tuple[Statement, bool]:
    """A statement, and whether it is the global one."""
    fields.only(*TERMS, "globalPolicy")
    statement = read_terms(fields)
    is_global = fields.get("globalPolicy", bool) or False
    if is_global and statement.level.skips:
        raise PolicyError(
            "the global statement cannot have level 'skip'",
            at=fields.at,
            hint="only a statement that the caller names can skip",
        )
    return statement, is_global
