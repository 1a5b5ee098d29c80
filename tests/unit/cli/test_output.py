"""Data on standard output, everything else on standard error, and no terminal tricks."""

import io
import json

import pytest

from nv2.cli import exits
from nv2.cli.output import Output, error_document, printable
from nv2.errors import EnvironmentFailure, PolicyError, UsageError
from nv2.trust.verdict import Verdict


@pytest.fixture
def streams():
    return io.StringIO(), io.StringIO()


def test_data_and_warnings_go_to_different_streams(streams):
    output = Output(*streams)
    output.line("data")
    output.warn("careful")
    output.note("by the way")
    assert streams[0].getvalue() == "data\n"
    assert streams[1].getvalue() == "Warning: careful\nby the way\n"


def test_control_characters_are_escaped():
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"


def test_an_error_names_its_place_and_its_hint(streams):
    Output(*streams).error(PolicyError("unknown level 'x'", at="trustPolicies[0]", hint="levels: strict"))
    assert streams[1].getvalue() == "Error: trustPolicies[0]: unknown level 'x'\nhint: levels: strict\n"


def test_an_error_is_a_document_too():
    document = error_document(PolicyError("no", at="here"))
    assert document == {"kind": "PolicyError", "message": "no", "at": "here"}


def test_json_is_safe_inside_html(streams):
    Output(*streams).json({"a": "<b>&é"})
    assert streams[0].getvalue() == '{\n  "a": "\\u003cb\\u003e\\u0026é"\n}\n'


def test_a_table_pads_every_cell(streams):
    Output(*streams).table(("KEY", "VALUE"), [("a", "1"), ("long", "2")])
    assert streams[0].getvalue() == "KEY    VALUE   \na      1       \nlong   2       \n"


def test_a_full_disk_is_one_error():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    with pytest.raises(EnvironmentFailure, match="cannot write the output: No space left on device"):
        Output(Full(), io.StringIO()).line("data")


@pytest.mark.parametrize(("answer", "said"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_question_is_answered(streams, monkeypatch, answer, said):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert Output(*streams).confirm("Sure?", "yes") is said
    assert streams[0].getvalue().startswith("Sure? [y/N] ")


def test_the_end_of_input_is_an_error_that_names_the_flag(streams, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UsageError, match="nobody answered") as caught:
        Output(*streams).confirm("Sure?", "yes")
    assert caught.value.hint == "--yes needs no answer"


def test_the_end_of_input_is_a_silent_no_under_the_name_notation(streams, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert Output(*streams, program="notation").confirm("Sure?", "yes") is False
    assert streams[0].getvalue() == "Sure? [y/N] "


def test_json_is_utf_8_whatever_the_terminal_is():
    data = io.BytesIO()
    stdout = io.TextIOWrapper(data, encoding="ascii", errors="backslashreplace")
    Output(stdout, io.StringIO()).json({"a": "é"})
    stdout.flush()
    assert data.getvalue() == '{\n  "a": "é"\n}\n'.encode()


def test_json_cannot_drive_a_terminal_and_means_the_same(streams):
    document = {"a": "\x1b[2J\x7f\x9b31m\u202e\U000e0001ü\U0001f600"}
    Output(*streams).json(document)
    text = streams[0].getvalue()
    assert json.loads(text) == document
    assert text.replace("\n", "").isprintable()
    assert "ü\U0001f600" in text


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"\\u2514 \\xfc\n"), ("latin-1", b"\\u2514 \xfc\n")]
)
def test_what_the_encoding_of_the_terminal_lacks_is_escaped(encoding, shown):
    data = io.BytesIO()
    output = Output(io.TextIOWrapper(data, encoding), io.StringIO())
    output.line("└ ü")
    output.flush()
    assert data.getvalue() == shown


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_an_exit_code_and_only_those_that_say_so_are_zero(verdict: Verdict) -> None:
    zero = verdict in (Verdict.TRUSTED, Verdict.NOT_CHECKED)
    assert (exits.verdict_code(verdict) == exits.DONE) is zero
