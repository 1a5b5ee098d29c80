"""What `sign` and `attach` say of the signatures that they put beside artifacts: text or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar, cast

from nv2.cli import exits
from nv2.cli.command import Call
from nv2.errors import Nv2Error, PartlySigned
from nv2.oci.reference import AnyReference


class Done(Protocol):
    """What was done with one reference."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object, save for the reference."""


D = TypeVar("D", bound=Done)


def report(
    call: Call,
    results: Iterable[tuple[AnyReference, D | Nv2Error]],
    schema: str | None,
    lines: Callable[[D], Iterator[str]],
    *,
    as_json: bool,
) -> int:
    """Say of each reference what was done, and return the worst exit code."""
    documents: list[dict[str, Any]] = []

    def show(reference: AnyReference, done: D) -> int:
        if as_json:
            documents.append({"reference": str(reference), **done.to_json()})
        else:
            call.output.lines(lines(done))
        return exits.DONE

    def failed(reference: AnyReference, error: Nv2Error) -> None:
        document = exits.failure_document(reference, error)
        if isinstance(error, PartlySigned):
            document = {**document, **error.done.to_json()}
            document["error"]["kind"] = type(error.cause).__name__
            if not as_json:
                call.output.lines(lines(cast("D", error.done)))
        call.output.error(error)
        documents.append(document)

    code = exits.report(call.output, results, show, failed)
    if as_json:
        call.output.json({"schema": schema, "results": documents})
    return code
