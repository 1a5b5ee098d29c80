"""`nv2 registry history`: what a tag named, who set it, and when."""

from __future__ import annotations

from pathlib import Path

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.errors import InvalidReference, NotFound, UsageError

MOST = 1000
"""Lines at a time: as many as fit into what is read of an answer."""

HEADER = ("WHEN", "TAG", "EVENT", "DIGEST", "PREVIOUS", "WHO")


def run(call: Call) -> int:
    """Show a page of the journal; one line more is asked for, to know whether there are more."""
    as_json = wants_json(call)
    count = call.number("count")
    if not 0 < count <= MOST:
        raise UsageError(f"--count is between 1 and {MOST}, not {count}")
    before = call.number("before") if "before" in call.changed else None
    directory = call.string("dir")
    found = (
        _in_directory(call, directory, before, count + 1) if directory else _asked(call, before, count + 1)
    )
    page, more = found[:count], len(found) > count
    if as_json:
        following = {"before": page[-1]["number"]} if more else {}
        call.output.json({"schema": COMMAND.schema, "history": page, **following})
    elif page:
        call.output.table(HEADER, (_row(line) for line in page))
        if more:
            call.output.note(f"there are older lines: --before {page[-1]['number']}")
    else:
        call.output.note("nothing is written down of this")
    return exits.DONE


def _asked(call: Call, before: int | None, count: int) -> list[dict[str, object]]:
    from nv2.notary.tag_history import history
    from nv2.oci.reference import parse_registry

    reference = parse_registry(call.arguments[0])
    if reference.digest is not None:
        raise UsageError(
            "a digest has no history", at=call.arguments[0], hint="name a tag, or the repository alone"
        )
    lines = history(options.session(call), reference, before, count)
    return [{"number": line.number, **line.texts} for line in lines]


def _in_directory(call: Call, directory: str, before: int | None, count: int) -> list[dict[str, object]]:
    from nv2.oci.reference import is_repository_path, is_tag
    from nv2.server.registry.maintenance import history_in

    text = call.arguments[0]
    repository, colon, tag = text.partition(":")
    if not is_repository_path(repository) or (colon and not is_tag(tag)):
        hint = "with --dir it is <repository>[:<tag>], without a registry"
        raise InvalidReference("not a repository of this registry", at=text, hint=hint)
    found = history_in(Path(directory), repository, tag or None, before, count)
    if found is None:
        raise NotFound("no such repository", at=f"{directory}: {repository}")
    return [entry.to_json() | ({"peer": entry.peer} if entry.peer else {}) for entry in found]


def _row(line: dict[str, object]) -> tuple[str, ...]:
    who = line.get("user") or line.get("peer") or "-"
    shown = (
        line.get("at"),
        line.get("tag"),
        line.get("event"),
        line.get("digest"),
        line.get("previous"),
        who,
    )
    return tuple(str(text) if text else "-" for text in shown)


COMMAND = Command(
    "history",
    "show what a tag named, who set it, and when",
    run,
    flags=(
        Flag("dir", "read the registry's directory instead of asking it"),
        Flag("count", "how many lines to show", Kind.INT, short="n", default=50),
        Flag("before", "show lines older than the one with this number", Kind.INT),
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<registry>/<repository>[:<tag>]",
    arguments=(1, 1),
    missing="missing the repository or tag",
    description=(
        "Show the journal that the embedded registry keeps of its tags, the latest line first: each\n"
        "digest that a tag named, the previous one, who set it and when; deletions too. Nothing\n"
        "removes a line from it."
    ),
    examples=(
        "nv2 registry history localhost:5000/net-monitor:v1",
        "nv2 registry history --dir ./registry net-monitor",
    ),
    schema="nv2.registry.history/v1",
)
