"""Flags as pflag reads them: mixed with positionals, `--flag=false`, grouped short ones, no abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from nv2.cli.command import Command, Flag, Kind
from nv2.errors import UsageError

_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)

OF_OTHER_TOOLS = {
    "plain-http": "insecure-registry",
    "format": "output",
    "json": "output",
    "annotation": "user-metadata",
    "annotations": "user-metadata",
    "ca-cert": "ca-file",
    "cacert": "ca-file",
    "certificate": "cert",
    "to-plain-http": "insecure-registry",
    "from-plain-http": "insecure-registry",
}
"""Names of flags in oras, docker, podman and cosign, and what does the same here."""

ABOUT_TLS = frozenset(
    [
        "allow-insecure",
        "insecure",
        "insecure-skip-tls-verify",
        "insecure-skip-verify",
        "tls-verify",
        "src-tls-verify",
        "dest-tls-verify",
    ]
)
"""Names of their flags that say how TLS is verified. Nothing here does the same, so none is suggested."""
TLS_HINT = (
    "certificates of TLS are always verified: --ca-file names authorities of your own; "
    "for plain HTTP there is --insecure-registry"
)

IN_COPIES = {
    **dict.fromkeys(
        ("all", "recursive", "referrers"),
        "all that belongs to an artifact and refers to it comes along anyway",
    ),
    **dict.fromkeys(
        ("from-oci-layout", "oci-layout", "to-oci-layout"), "a layout is named layout:<directory>:<tag>"
    ),
}
"""Flags of the commands of oras, skopeo and regctl that copy, and what to know about them here."""

HELP = Flag("help", "show this help", Kind.BOOL, short="h")


class Parsed(NamedTuple):
    """Arguments and flag values; `changed` names the flags that were given."""

    arguments: tuple[str, ...]
    values: dict[str, object]
    changed: frozenset[str]


def parse(flags: Sequence[Flag], words: Sequence[str]) -> Parsed:
    """Read `words` by `flags` (and `--help`). Raises `UsageError`."""
    known = (*flags, HELP)
    long = {flag.name: flag for flag in known}
    short = {flag.short: flag for flag in known if flag.short}
    values: dict[str, object] = {flag.name: flag.default for flag in known}
    changed: set[str] = set()
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.extend(rest)
        elif word.startswith("--"):
            _store(_long(word, long, rest), values, changed)
        elif word.startswith("-") and word != "-":
            for found in _short(word, short, rest):
                _store(found, values, changed)
        else:
            arguments.append(word)
    return Parsed(tuple(arguments), values, frozenset(changed))


class _Found(NamedTuple):
    flag: Flag
    shown: str
    text: str


def _long(word: str, long: dict[str, Flag], rest: Iterator[str]) -> _Found:
    name, equals, text = word[2:].partition("=")
    if name not in long:
        raise UsageError(f"unknown flag: --{name}", hint=_near(name, long))
    flag = long[name]
    if not equals:
        text = "true" if flag.kind is Kind.BOOL else _next(rest, f"flag needs an argument: --{name}")
    return _Found(flag, _shown(flag), text)


def _short(word: str, short: dict[str, Flag], rest: Iterator[str]) -> Iterator[_Found]:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in short:
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}")
        flag = short[letter]
        if letters.startswith("="):
            text, letters = letters[1:], ""
        elif flag.kind is Kind.BOOL:
            text = "true"
        elif letters:
            text, letters = letters, ""
        else:
            text = _next(rest, f"flag needs an argument: {letter!r} in {word}")
        yield _Found(flag, _shown(flag), text)


def _next(rest: Iterator[str], complaint: str) -> str:
    for word in rest:
        return word
    raise UsageError(complaint)


def _shown(flag: Flag) -> str:
    return f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"


def _near(name: str, long: dict[str, Flag]) -> str | None:
    import difflib

    shown = [flag.name for flag in long.values() if not flag.hidden]
    if name in IN_COPIES and "signatures-only" in shown:
        return IN_COPIES[name]
    if name in ABOUT_TLS and "ca-file" in shown:
        return TLS_HINT
    if name in OF_OTHER_TOOLS:
        near = [other for other in shown if OF_OTHER_TOOLS[name] == other]
    else:
        near = difflib.get_close_matches(name, shown, 1)
        near += [other for other in shown if name and (other.startswith(name) or name in other.split("-"))]
    return f"did you mean --{near[0]}?" if near else None


def _store(found: _Found, values: dict[str, object], changed: set[str]) -> None:
    flag = found.flag
    value = _value(found)
    if flag.kind is Kind.STRINGS and flag.name in changed:
        value = (*_as_tuple(values[flag.name]), *_as_tuple(value))
    if flag.kind is Kind.PAIRS and flag.name in changed:
        value = {**_as_dict(values[flag.name]), **_as_dict(value)}
    values[flag.name] = value
    changed.add(flag.name)


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _as_dict(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _value(found: _Found) -> object:
    match found.flag.kind:
        case Kind.BOOL:
            return _looked_up(found)
        case Kind.INT:
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", found.text, re.ASCII):
                raise _invalid(found, "not a whole number")
            return int(found.text)
        case Kind.DURATION:
            return _duration(found)
        case Kind.STRINGS:
            return (found.text,)
        case Kind.PAIRS:
            return _pair(found)
        case _:
            return found.text


def _looked_up(found: _Found) -> bool:
    if found.text not in _BOOLS:
        raise _invalid(found, "neither true nor false")
    return _BOOLS[found.text]


def _pair(found: _Found) -> dict[str, str]:
    key, equals, value = found.text.partition("=")
    if not (key and equals and value):
        raise UsageError(
            f'could not parse flag {found.flag.name}: key-value pair requires "=" as separator',
            hint=f"write --{found.flag.name} key=value",
        )
    return {key: value}


def _duration(found: _Found) -> timedelta:
    text = found.text.lstrip("+-")
    parts = _PART.findall(text)
    if text == "0":
        return timedelta(0)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise _invalid(found, "not a duration such as 12h or 3h20m")
    try:
        whole = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise _invalid(found, "a duration out of range") from None
    return -whole if found.text.startswith("-") else whole


def _invalid(found: _Found, reason: str) -> UsageError:
    return UsageError(f'invalid argument "{found.text}" for "{found.shown}" flag: {reason}')


def check(command: Command, parsed: Parsed) -> None:
    """Hold `parsed` against the command's rules, in the order of cobra. Raises `UsageError`."""
    least, most = command.arguments
    count = len(parsed.arguments)
    if count < least:
        raise UsageError(command.missing or f"requires {least} arguments but received {count}")
    if most is not None and count > most:
        said = command.too_many or f"accepts {'at most ' if most else ''}{most} arg(s), received {{count}}"
        raise UsageError(said.format(parsed.arguments[most], count=count))
    needed = [f'"{flag.name}"' for flag in command.flags if flag.required and flag.name not in parsed.changed]
    if needed:
        raise UsageError(f"required flag(s) {', '.join(needed)} not set")
    for group in command.together:
        _all_or_none(group, parsed)
    for group in command.exclusive:
        _at_most_one(group, parsed)


def _all_or_none(group: tuple[str, ...], parsed: Parsed) -> None:
    missing = [name for name in group if name not in parsed.changed]
    if missing and len(missing) < len(group):
        raise UsageError(
            f"if any flags in the group [{' '.join(group)}] are set they must all be set; "
            f"missing [{' '.join(missing)}]"
        )


def _at_most_one(group: tuple[str, ...], parsed: Parsed) -> None:
    given = sorted(name for name in group if name in parsed.changed)
    if len(given) > 1:
        raise UsageError(
            f"if any flags in the group [{' '.join(group)}] are set none of the others can be; "
            f"[{' '.join(given)}] were all set"
        )
