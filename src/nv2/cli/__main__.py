"""The entry point, and the only place that exits."""

from __future__ import annotations

import gc
import os
import sys

from nv2.cli.dispatch import Terminated, main
from nv2.cli.exits import BROKEN_PIPE, exit_code, of_program
from nv2.cli.output import Output
from nv2.errors import EnvironmentFailure

COLLECT_AFTER = 20_000
"""Objects that are made until the garbage collector looks for circles. What is loaded at the start stays until the
end: with Python's 700 it is looked through forty times, which takes a twentieth of a short command."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def _terminated(*_: object) -> NoReturn:
    raise Terminated


def run() -> NoReturn:
    """The console script. Never returns: skipping the interpreter's own end saves 10 ms."""
    import signal

    gc.set_threshold(COLLECT_AFTER)
    program = "notation" if os.path.basename(sys.argv[0]).split(".")[0] == "notation" else "nv2"
    output = Output(sys.stdout, sys.stderr, program)
    signal.signal(signal.SIGTERM, _terminated)
    code = main(sys.argv[1:], output)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        output.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except OSError as e:
        code = _cannot_print(e)
    if files := sys.modules.get("nv2.files"):
        files.leave_nothing_unfinished()  # threads that nobody waits for end here, too
    os._exit(of_program(code, program))


def _cannot_print(error: OSError) -> int:
    failure = EnvironmentFailure(f"cannot write the output: {error.strerror}")
    os.write(2, f"Error: {failure}\n".encode())
    return exit_code(failure)


if __name__ == "__main__":
    run()
