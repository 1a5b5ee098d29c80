"""Exit codes, and what several results come to."""

from __future__ import annotations

from nv2.cli.output import Output, error_document
from nv2.errors import NotTrusted, Nv2Error, PartlySigned, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from nv2.trust.verdict import Verdict

    R = TypeVar("R")
    T = TypeVar("T")

DONE = 0
NOT_TRUSTED = 1
USAGE = 2
FAILED = 3
"""Undecided, or something failed: network, registry, configuration."""
PARTLY = 4
INTERRUPTED = 130
BROKEN_PIPE = 141
"""As a program that dies of SIGPIPE: whoever read our output has left."""
TERMINATED = 143

_OF_ERRORS: tuple[tuple[type[Nv2Error], int], ...] = (
    (NotTrusted, NOT_TRUSTED),
    (UsageError, USAGE),
    (PartlySigned, PARTLY),
    (Nv2Error, FAILED),
)
_OF_VERDICTS = {"trusted": DONE, "notChecked": DONE, "notTrusted": NOT_TRUSTED, "undecided": FAILED}
"""By value: most commands that end here load nothing that judges."""

_WORST_LAST = (DONE, PARTLY, FAILED, NOT_TRUSTED, USAGE)


def of_program(code: int, program: str) -> int:
    """`code` as `program` exits with it: notation knows 0 and 1 only, and scripts that were written for it too."""
    return min(code, 1) if program == "notation" else code


def exit_code(error: Nv2Error) -> int:
    """The exit code of an error."""
    return next(code for kind, code in _OF_ERRORS if isinstance(error, kind))


def verdict_code(verdict: Verdict) -> int:
    """The exit code of a verdict."""
    return _OF_VERDICTS[verdict.value]


def worst(codes: Iterable[int]) -> int:
    """The worst of several exit codes: 2, then 1, then 3, then 4, then 0."""
    return max(codes, key=_WORST_LAST.index, default=DONE)


def all_or_some(codes: Sequence[int]) -> int:
    """The exit code of several changes: 4 if only some were made, else the worst."""
    some = any(code in (DONE, PARTLY) for code in codes)
    return PARTLY if some and any(codes) else worst(codes)


def report(
    output: Output,
    results: Iterable[tuple[R, T | Nv2Error]],
    show: Callable[[R, T], int],
    failed: Callable[[R, Nv2Error], None] | None = None,
) -> int:
    """Show each result as it comes, an error on standard error; return the worst exit code."""
    codes = []
    for reference, result in results:
        if isinstance(result, Nv2Error):
            (failed or (lambda _, error: output.error(error)))(reference, result)
            codes.append(exit_code(result))
        else:
            codes.append(show(reference, result))
    return worst(codes)


def failure_document(reference: object, error: Nv2Error) -> dict[str, Any]:
    """A result that is an error, as JSON."""
    return {"reference": str(reference), "error": error_document(error)}
