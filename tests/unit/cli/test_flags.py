"""Flags are read as pflag reads them."""

from datetime import timedelta

import pytest

from nv2.cli.command import Command, Flag, Kind
from nv2.cli.flags import check, parse
from nv2.errors import UsageError

FLAGS = (
    Flag("key", "", short="k"),
    Flag("debug", "", Kind.BOOL, short="d"),
    Flag("max", "", Kind.INT, default=100),
    Flag("expiry", "", Kind.DURATION, short="e"),
    Flag("ref", "", Kind.STRINGS, short="r"),
    Flag("meta", "", Kind.PAIRS, short="m"),
)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--key", "a"], "key", "a"),
        (["--key=a=b"], "key", "a=b"),
        (["--key="], "key", ""),
        (["-k", "a"], "key", "a"),
        (["-ka"], "key", "a"),
        (["-k=a"], "key", "a"),
        (["-dk", "a"], "key", "a"),
        (["-dka"], "key", "a"),
        (["--key", "--debug"], "key", "--debug"),
        (["-k", "-"], "key", "-"),
        ([], "key", None),
        (["--debug"], "debug", True),
        (["--debug=false"], "debug", False),
        (["--debug=T"], "debug", True),
        (["-d"], "debug", True),
        ([], "max", 100),
        (["--max", "-3"], "max", -3),
        (["--expiry", "3h20m"], "expiry", timedelta(hours=3, minutes=20)),
        (["-e", "1.5s"], "expiry", timedelta(seconds=1.5)),
        (["-e", "0"], "expiry", timedelta(0)),
        (["-e", "-12h"], "expiry", timedelta(hours=-12)),
        (["-r", "a", "-r", "b,c"], "ref", ("a", "b,c")),
        (["-m", "a=1", "-m", "b=x=y", "-m", "a=2"], "meta", {"a": "2", "b": "x=y"}),
    ],
)
def test_a_value_is_read(words, name, value):
    assert parse(FLAGS, words).values[name] == value


def test_flags_and_positionals_mix():
    parsed = parse(FLAGS, ["x", "--debug", "y", "-k", "a", "z"])
    assert parsed.arguments == ("x", "y", "z")
    assert parsed.changed == {"debug", "key"}


def test_two_dashes_end_the_flags():
    assert parse(FLAGS, ["-d", "--", "--key", "-k"]).arguments == ("--key", "-k")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--key"], "flag needs an argument: --key"),
        (["-dk"], "flag needs an argument: 'k' in -dk"),
        (["--debug=maybe"], 'invalid argument "maybe" for "-d, --debug" flag: neither true nor false'),
        (["--max", "many"], 'invalid argument "many" for "--max" flag: not a whole number'),
        (
            ["--expiry", "soon"],
            'invalid argument "soon" for "-e, --expiry" flag: not a duration such as 12h or 3h20m',
        ),
        (
            ["-e", "9999999999999h"],
            'invalid argument "9999999999999h" for "-e, --expiry" flag: a duration out of range',
        ),
        (["-m", "novalue"], 'could not parse flag meta: key-value pair requires "=" as separator'),
        (["-m", "=x"], 'could not parse flag meta: key-value pair requires "=" as separator'),
    ],
)
def test_a_mistake_is_named(words, message):
    with pytest.raises(UsageError) as caught:
        parse(FLAGS, words)
    assert caught.value.message == message


def test_a_misspelt_flag_gets_a_hint_and_no_abbreviation_is_taken():
    with pytest.raises(UsageError) as caught:
        parse(FLAGS, ["--expir", "1h"])
    assert caught.value.hint == "did you mean --expiry?"


def _command(**more):
    return Command("c", "", lambda _: 0, FLAGS, **more)


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (_command(arguments=(1, None), missing="name it"), [], "name it"),
        (_command(arguments=(0, 1)), ["a", "b"], "accepts at most 1 arg(s), received 2"),
        (
            _command(together=(("key", "debug"),)),
            ["--key", "a"],
            "if any flags in the group [key debug] are set they must all be set; missing [debug]",
        ),
        (
            _command(exclusive=(("key", "debug"),)),
            ["--key", "a", "-d"],
            "if any flags in the group [key debug] are set none of the others can be; [debug key] were all set",
        ),
    ],
)
def test_the_rules_of_a_command_are_held(command, words, message):
    with pytest.raises(UsageError) as caught:
        check(command, parse(FLAGS, words))
    assert caught.value.message == message


def test_a_required_flag_is_required():
    command = Command("c", "", lambda _: 0, (Flag("name", "", required=True),))
    with pytest.raises(UsageError, match=r'required flag\(s\) "name" not set'):
        check(command, parse(command.flags, []))
