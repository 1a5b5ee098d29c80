import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import EnvironmentFailure
from nv2.programs.interface import MAX_OUTPUT
from nv2.programs.run import LocalPrograms


def run(
    code: str, data: bytes = b"", environ: dict[str, str] | None = None, *, timeout: float = 60.0
) -> tuple[int, bytes, bytes]:
    return LocalPrograms(environ or {}).run((sys.executable, "-I", "-c", code), data, timeout=timeout)


def test_status_output_and_errors_come_back() -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('oh', file=sys.stderr); sys.exit(3)"
    assert run(code, b"hello") == (3, b"HELLO\n", b"oh\n")


def test_a_program_that_does_not_listen_is_no_failure() -> None:
    assert run("pass", b"x" * 1_000_000)[0] == 0


def test_much_output_on_both_pipes_does_not_stop_it() -> None:
    found = run("import sys; sys.stderr.write('e' * 300000); sys.stdout.write('o' * 300000)")
    assert (len(found[1]), len(found[2])) == (300_000, 300_000)


def test_too_much_output_is_a_failure() -> None:
    with pytest.raises(EnvironmentFailure, match=f"more than {MAX_OUTPUT} bytes"):
        run("while True: print('x' * 65536)")


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(EnvironmentFailure, match="did not end within"):
        run("import time; time.sleep(1000)", timeout=0.2)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFailure, match="docker-credential-nobody: no such program"):
        LocalPrograms({"PATH": "/nowhere"}).run(("docker-credential-nobody", "get"), b"")


def test_a_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "helper").write_text("text")
    with pytest.raises(EnvironmentFailure, match="helper: cannot be started"):
        LocalPrograms({}).run((str(tmp_path / "helper"),), b"")


def test_our_secrets_are_not_in_its_environment() -> None:
    code = "import os; print(sorted(os.environ))"
    environ = {
        "NOTATION_PASSWORD": "x",
        "NOTATION_USERNAME": "y",
        "PYTHONPATH": "z",
        "HOME": "/h",
        "LC_ALL": "C",
    }
    assert run(code, b"", environ)[1] == b"['HOME', 'LC_ALL']\n"


def test_what_a_program_started_is_ended_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "held")
    reading = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    held = f"held = os.open({str(tmp_path / 'held')!r}, os.O_WRONLY)"
    code = f"import os, time\nif os.fork() == 0:\n  {held}\n  os.write(held, b'x')\ntime.sleep(1000)"

    class Popen(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> Any:
            if timeout is not None:  # its time is not over before it has started another one
                assert select.select([reading], [], [], 60)[0]
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    try:
        with pytest.raises(EnvironmentFailure, match="did not end within"):
            run(code, timeout=0.2)
        assert os.read(reading, 10) == b"x"
        ended, _, _ = select.select([reading], [], [], 60)  # the pipe ends with the last one that holds it
        assert ended and os.read(reading, 10) == b""
    finally:
        os.close(reading)
