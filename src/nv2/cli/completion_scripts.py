"""Completion scripts: tables of words in, text for a shell out.

Each script walks the words before the cursor to find its place, then offers the sub-commands or, after
a `-`, the flags of that place. The scripts never run the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple


class Word(NamedTuple):
    """A sub-command, or a fixed argument."""

    name: str
    summary: str
    aliases: tuple[str, ...] = ()


class Option(NamedTuple):
    """A flag; `takes_value` says that the next word belongs to it."""

    name: str
    short: str
    summary: str
    takes_value: bool

    @property
    def spellings(self) -> tuple[str, ...]:
        """As it is written on a command line."""
        return (f"--{self.name}", f"-{self.short}") if self.short else (f"--{self.name}",)


class Place(NamedTuple):
    """The words that lead somewhere, and what may follow there."""

    path: tuple[str, ...]
    words: tuple[Word, ...]
    options: tuple[Option, ...] = ()

    @property
    def key(self) -> str:
        """The path as the scripts keep it: every word after a space."""
        return "".join(f" {word}" for word in self.path)


def _steps(places: tuple[Place, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What leads from one place to another: the spellings of path and word, and the key of the new place."""
    known = {place.key for place in places}
    for place in places:
        for word in place.words:
            target = f"{place.key} {word.name}"
            if target in known:
                yield tuple(f"{place.key} {name}" for name in (word.name, *word.aliases)), target


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def bash(program: str, places: tuple[Place, ...]) -> str:
    """For bash 3.2 and later."""
    steps = "\n".join(
        f"            {'|'.join(map(_quote, names))}) at={_quote(target)} ;;"
        for names, target in _steps(places)
    )
    offers = "\n".join(
        f"        {_quote(place.key)})\n"
        f'            words="{" ".join(word.name for word in place.words)}"\n'
        f'            flags="{" ".join(s for option in place.options for s in option.spellings)}" ;;'
        for place in places
    )
    return f"""# bash completion for {program}
_{program}_completion() {{
    local at="" words="" flags="" word i current="${{COMP_WORDS[COMP_CWORD]}}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        case "$at $word" in
{steps}
        esac
    done
    case "$at" in
{offers}
    esac
    [[ "$current" == -* ]] && words="$flags"
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _{program}_completion {program}
"""


def zsh(program: str, places: tuple[Place, ...]) -> str:
    """For zsh, sourced or as a file `_<program>` in `fpath`."""
    steps = "\n".join(
        f"            {'|'.join(map(_quote, names))}) at={_quote(target)} ;;"
        for names, target in _steps(places)
    )
    offers = "\n".join(_zsh_place(place) for place in places)
    return f"""#compdef {program}
# zsh completion for {program}
_{program}() {{
    local at="" word
    local -a offered flags
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case "$at $word" in
{steps}
        esac
    done
    case "$at" in
{offers}
    esac
    if [[ "${{words[CURRENT]}}" == -* ]]; then
        _describe -o flag flags
    elif (( $#offered )); then
        _describe command offered
    else
        _files
    fi
}}
if [[ "$funcstack[1]" == "_{program}" ]]; then
    _{program} "$@"
else
    compdef _{program} {program}
fi
"""


def _zsh_place(place: Place) -> str:
    words = " ".join(_quote(f"{word.name}:{word.summary}") for word in place.words)
    flags = " ".join(
        _quote(f"{spelling}:{option.summary}") for option in place.options for spelling in option.spellings
    )
    return f"        {_quote(place.key)}) offered=({words}) flags=({flags}) ;;"


def fish(program: str, places: tuple[Place, ...]) -> str:
    """For fish 3 and later."""
    steps = "\n".join(
        f"            case {' '.join(map(_fish_quote, names))}\n                set at {_fish_quote(target)}"
        for names, target in _steps(places)
    )
    offers = "\n".join(line for place in places for line in _fish_place(program, place))
    return f"""# fish completion for {program}
function __{program}_at
    set -l at ''
    set -l before (commandline -opc)
    set -e before[1]
    for word in $before
        switch "$at $word"
{steps}
        end
    end
    test "$at" = "$argv[1]"
end
{offers}
"""


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_place(program: str, place: Place) -> Iterator[str]:
    here = f"complete -c {program} -n {_fish_quote(f'__{program}_at {_fish_quote(place.key)}')}"
    for word in place.words:
        yield f"{here} -f -a {_fish_quote(word.name)} -d {_fish_quote(word.summary)}"
    for option in place.options:
        short = f" -s {option.short}" if option.short else ""
        value = " -r" if option.takes_value else ""
        yield f"{here} -l {option.name}{short}{value} -d {_fish_quote(option.summary)}"


def powershell(program: str, places: tuple[Place, ...]) -> str:
    """For PowerShell 5 and later."""
    steps = "\n".join(
        f"            {_ps_quote(name)} {{ $at = {_ps_quote(target)} }}"
        for names, target in _steps(places)
        for name in names
    )
    offers = "\n".join(
        f"        {_ps_quote(place.key)} = @({', '.join(_ps_quote('|'.join(offer)) for offer in _offers(place))})"
        for place in places
    )
    return f"""# PowerShell completion for {program}
Register-ArgumentCompleter -Native -CommandName {_ps_quote(program)} -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)
    $at = ''
    $before = $commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object {{ $_.Extent.EndOffset -lt $cursorPosition }}
    foreach ($word in $before) {{
        switch -CaseSensitive ("$at $word") {{
{steps}
        }}
    }}
    $offers = @{{
{offers}
    }}
    $offers[$at] | Where-Object {{ $_ -clike "$wordToComplete*" }} | ForEach-Object {{
        $name, $summary = $_ -split '[|]', 2
        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $summary)
    }}
}}
"""


def _offers(place: Place) -> Iterator[tuple[str, str]]:
    for word in place.words:
        yield word.name, word.summary
    for option in place.options:
        for spelling in option.spellings:
            yield spelling, option.summary


def _ps_quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SCRIPTS: Mapping[str, Callable[[str, tuple[Place, ...]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
    "powershell": powershell,
}
