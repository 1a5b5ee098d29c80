"""The pages say what the commands can: every command has a page, and every flag stands on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.cli import options
from nv2.cli.command import Command, Flag
from nv2.cli.dispatch import COMMANDS, load
from tests.test_architecture import FLOORS

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "commands").glob("*.md")}
CONNECTION = (DOCS / "connection.md").read_text(encoding="utf-8")
OF_THE_CONNECTION = {flag.name for flag in options.CONNECTION} | {"debug"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^(```).*?^\1$", re.MULTILINE | re.DOTALL)


def _commands(name: str) -> tuple[Command, ...]:
    found = load(COMMANDS[name])
    if isinstance(found, Command):
        return (found,)
    return tuple(command for _, command in found.below() if isinstance(command, Command))


def _flags() -> Iterator[tuple[str, str, Flag]]:
    for name in COMMANDS:
        for command in _commands(name):
            for flag in command.flags:
                if not flag.hidden:
                    yield name, command.name, flag


def _names(page: str, flag: Flag) -> bool:
    words = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", page) for word in words)


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert set(PAGES) == set(COMMANDS)


@pytest.mark.parametrize(
    ("page", "command", "flag"),
    [pytest.param(*row, id=f"{row[0]}-{row[1]}-{row[2].name}") for row in _flags()],
)
def test_every_flag_stands_on_the_page_of_its_command(page: str, command: str, flag: Flag) -> None:
    text = PAGES[page]
    if flag.name in OF_THE_CONNECTION and "connection.md)" in text:
        text += CONNECTION
    assert _names(text, flag), f"docs/commands/{page}.md does not mention --{flag.name} of {command}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_mentions_every_command_under_its_word_and_every_other_name(name: str) -> None:
    found = load(COMMANDS[name])
    words = [alias for alias in COMMANDS[name].aliases if alias != "certificate"]
    if not isinstance(found, Command):
        words += [word for _, below in found.below() for word in (below.name, *below.aliases)]
    for word in words:
        assert re.search(rf"\b{re.escape(word)}\b", PAGES[name]), f"docs/commands/{name}.md: {word}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_names_the_json_documents_of_its_command(name: str) -> None:
    for command in _commands(name):
        if command.schema:
            assert f'"{command.schema}"' in PAGES[name]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_writes_no_flag_that_its_command_does_not_have(name: str) -> None:
    known = {flag.name for command in _commands(name) for flag in command.flags} | {"help", "version"}
    of_others = {flag.name for _, _, flag in _flags()}
    for line in PAGES[name].splitlines():
        if re.match(rf"\s*(?:\$ )?nv2 {name}\b", line):
            used = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", line))
            assert used <= known, f"docs/commands/{name}.md: {line}"
    used = set(re.findall(r"`--([a-z][a-z0-9-]*)", PAGES[name]))
    assert used <= known | of_others


@pytest.mark.parametrize("name", COMMANDS)
def test_the_index_leads_to_every_command(name: str) -> None:
    assert f"(commands/{name}.md)" in (DOCS / "index.md").read_text(encoding="utf-8")


def _pages() -> list[Path]:
    return sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])


@pytest.mark.parametrize("page", _pages(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target, section in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        found = page.parent / target
        assert found.exists(), f"{target} of {page.name}"
        if section:
            assert section in _sections(found.read_text(encoding="utf-8")), f"{target}#{section}"


def test_the_threat_model_names_modules_that_exist() -> None:
    rows = [
        line for line in (DOCS / "threat-model.md").read_text(encoding="utf-8").splitlines() if "|" in line
    ]
    named = {
        name for row in rows for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)*)`", row.rpartition(" | ")[2])
    }
    source = REPOSITORY / "src" / "nv2"
    functions = {"prove", "judge", "conclude"}
    found = {name for name in named if (source / f"{name}.py").exists() or (source / name).is_dir()}
    assert len(found) > 30 and named - found <= functions


SOURCE = REPOSITORY / "src" / "nv2"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return ARCHITECTURE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def _rows(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _named(text: str) -> list[str]:
    return re.findall(r"`([a-z_]+(?:/[a-z_]+)*)`", text)


def _exists(name: str) -> bool:
    return (SOURCE / f"{name}.py").is_file() or (SOURCE / name / "__init__.py").is_file()


def test_the_architecture_names_modules_that_exist() -> None:
    paths = {name for name in _named(ARCHITECTURE) if "/" in name and not name.startswith("tests/")}
    steps = {
        name
        for title in ("The walks", "The floors")
        for row in _rows(_section(title))
        for name in _named(row[0])
    }
    rooms = {name for row in _rows(_section("The floors")) for name in _named(row[1])}
    assert len(paths) > 40 and len(steps) > 30 and len(rooms) > 20
    assert [name for name in sorted(paths | steps | rooms) if not _exists(name)] == []


def test_the_architecture_has_the_floors_that_the_code_is_held_to() -> None:
    shown = {row[0]: row[1] for row in _rows(_section("The floors"))[1:]}
    assert list(shown) == [floor.name for floor in reversed(FLOORS)]
    for floor in FLOORS:
        rooms = {name.partition("/")[0] for name in _named(shown[floor.name])}
        assert rooms == {module.partition(".")[0] for module in floor.modules.split()} - {"_version"}, (
            floor.name
        )


@pytest.mark.parametrize("row", _rows(_section("Where would it go?"))[1:], ids=lambda row: row[0])
def test_what_is_new_goes_to_at_most_three_places(row: list[str]) -> None:
    places = [place for place in row[1].split(";") if _named(place)]
    assert 1 <= len(places) <= 3


def _sections(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def _led_to(page: Path) -> set[Path]:
    text = page.read_text(encoding="utf-8") if page.suffix == ".md" and page.is_file() else ""
    return {(page.parent / link).resolve() for link, _ in LINK.findall(text) if "://" not in link}


def test_every_page_is_two_clicks_from_the_first_one() -> None:
    reached = {(DOCS / "index.md").resolve()}
    for _ in range(2):
        reached |= {page for known in reached for page in _led_to(known)}
    assert {path.relative_to(DOCS) for path in DOCS.rglob("*.md") if path.resolve() not in reached} == set()


@pytest.mark.parametrize("record", sorted((DOCS / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_every_decision_stands_in_their_list_under_its_title(record: Path) -> None:
    number, _, title = (
        record.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
    )
    assert f"* {number}: [{title}]({record.name})\n" in (DOCS / "adr" / "index.md").read_text(
        encoding="utf-8"
    )
