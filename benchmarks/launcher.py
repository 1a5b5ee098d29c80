"""Run one program and say what it cost: `python -I -S launcher.py PROGRAM [ARGUMENT…]`.

A process of its own, and a small one: Linux counts the memory of whoever starts a program to that program's peak.
Prints milliseconds, peak resident KiB and the exit code; what the program prints goes nowhere, its errors come through.
"""

import os
import sys
import time


def main() -> None:
    """Start, wait, report."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begin = time.perf_counter()
    process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
    _, status, usage = os.wait4(process, 0)
    spent = (time.perf_counter() - begin) * 1000
    print(spent, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
