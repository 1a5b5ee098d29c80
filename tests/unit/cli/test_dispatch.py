"""Words lead to commands, and wrong words to advice."""

from __future__ import annotations

from tests.unit.cli.command_line import CommandLine


def test_help_speaks_under_the_name_it_was_called_by(line: CommandLine) -> None:
    assert "  nv2 verify -k " in line("verify", "--help").out
    as_notation = line("verify", "--help", program="notation").out
    assert "  notation verify -k " in as_notation
    assert "nv2 " not in as_notation


def test_an_unknown_word_under_a_word_is_an_error_but_for_notation_which_prints_its_help(
    line: CommandLine,
) -> None:
    assert line("policy", "imprt", "p.json").code == 2
    ended = line("policy", "imprt", "p.json", program="notation")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Manage ") or "Usage:" in ended.out


def test_a_word_alone_prints_its_help(line: CommandLine) -> None:
    for words in (("key",), ("key", "--help")):
        ended = line(*words)
        assert ended.code == 0
        assert "Usage:\n  nv2 key <command>" in ended.out
