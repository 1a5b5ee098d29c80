"""The passphrase of an encrypted key: from a file, a file descriptor, or the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.unit.cli.test_interruption import environment

LOCKED = WABBIT.issue("CN=locked,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
WORD = b"open sesame"


@pytest.fixture
def locked(wabbit: CommandLine) -> CommandLine:
    """With `locked.key`, which is encrypted, and its certificate."""
    (wabbit.directory / "locked.key").write_bytes(LOCKED.pem_key(WORD))
    (wabbit.directory / "locked.key").chmod(0o600)
    (wabbit.directory / "locked.crt").write_bytes(LOCKED.pem_chain())
    return wabbit


@pytest.mark.parametrize("data", [WORD, WORD + b"\n", WORD + b"\r\n", WORD + b"\nsecond line\n"])
def test_the_first_line_of_a_descriptor_is_the_passphrase(locked: CommandLine, data: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        ended = locked("sign", "-k", "locked.key", "--passphrase-fd", str(read), IMAGE)
    finally:
        os.close(read)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("number", ["999", "-1"])
def test_a_descriptor_that_is_none_is_an_error(locked: CommandLine, number: str) -> None:
    ended = locked("sign", "-k", "locked.key", "--passphrase-fd", number, IMAGE)
    assert ended.code in (2, 3)
    assert len(ended.error_lines) <= 3
    assert "passphrase" in ended.err


def test_one_way_at_a_time(locked: CommandLine) -> None:
    ended = locked("sign", "-k", "locked.key", "--passphrase-fd", "0", "--passphrase-file", "x", IMAGE)
    assert ended.code == 2


# A new session takes the terminal that it is given as its own.
IN_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from nv2.cli.__main__ import run
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are of POSIX")
@pytest.mark.parametrize(("typed", "code"), [(WORD, 0), (b"open rye", 3)])
def test_a_terminal_is_asked_without_echo(locked: CommandLine, typed: bytes, code: int) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "sign", "-k", "locked.key", IMAGE],
        cwd=locked.directory,
        env=environment(locked.directory),
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        shown = b""
        while not shown.endswith(b": "):
            shown += os.read(ours, 1)
        os.write(ours, typed + b"\n")
        assert process.wait(120) == code
    os.set_blocking(ours, False)
    shown += os.read(ours, 1000)
    os.close(theirs)
    os.close(ours)
    assert b"Passphrase for locked.key: " in shown
    assert typed not in shown


def printing(line: CommandLine, text: str) -> str:
    """The command line of a program that is `text` in Python."""
    (line.directory / "ask me.py").write_text(text)
    return f"'{sys.executable}' 'ask me.py'"


def test_the_first_line_that_a_program_prints_is_the_passphrase(locked: CommandLine) -> None:
    command = printing(locked, f"print({WORD.decode()!r}); print('more')")
    assert locked("sign", "-k", "locked.key", "--passphrase-command", command, IMAGE).code == 0


def test_no_shell_reads_the_command(locked: CommandLine) -> None:
    command = printing(locked, "import sys; print(sys.argv[1:])") + " $HOME ; touch pwned `touch pwned` && x"
    ended = locked("sign", "-k", "locked.key", "--passphrase-command", command, IMAGE)
    assert (ended.code, "the passphrase is wrong" in ended.err) == (3, True)
    assert not (locked.directory / "pwned").exists()


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import sys; print('s3cret'); sys.exit('s3cret')", 3, "ended with exit code 1"),
        ("pass", 3, "printed no passphrase"),
        ("print('s3cret' * 1000)", 3, "no passphrase"),
        ("print('s3cret')", 3, "the passphrase is wrong"),
    ],
)
def test_what_a_program_says_wrong_is_never_shown(
    locked: CommandLine, program: str, code: int, said: str
) -> None:
    ended = locked("sign", "-d", "-k", "locked.key", "--passphrase-command", printing(locked, program), IMAGE)
    assert ended.code == code
    assert said in ended.err
    assert "s3cret" not in ended.err + ended.out


@pytest.mark.parametrize(("command", "code"), [("", 2), ("'open", 2), ("no-such-program-here x", 3)])
def test_a_command_that_names_no_program_is_an_error(locked: CommandLine, command: str, code: int) -> None:
    ended = locked("sign", "-k", "locked.key", "--passphrase-command", command, IMAGE)
    assert (ended.code, len(ended.error_lines) <= 2) == (code, True)


def test_a_program_is_run_only_for_a_key_that_is_encrypted(wabbit: CommandLine) -> None:
    command = printing(wabbit, "open('ran', 'w')")
    assert wabbit("sign", "-k", "wabbit.key", "--passphrase-command", command, IMAGE).code == 0
    assert not (wabbit.directory / "ran").exists()
