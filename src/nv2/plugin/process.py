"""The standard streams of a plugin: one answer goes out, and nothing that anybody else prints.

What functions of the plugin, their libraries or their children print would spoil the answer. So while they run, standard
output leads to standard error; and since an error must stand alone there, what was printed goes nowhere when there is one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from nv2.plugin.program import Plugin

MAX_CHATTER = 64 * 1024
"""Bytes of what was printed that are passed on."""


def converse(plugin: Plugin) -> int:
    """Answer the request of this process; the exit code."""
    with tempfile.TemporaryFile() as chatter:
        with _listening_to(chatter):
            code, answer = plugin.answer(sys.argv[1:], sys.stdin.buffer)
        if code == 0:
            chatter.seek(0)
            _write(2, chatter.read(MAX_CHATTER))
    _write(1 if code == 0 else 2, answer)
    return code


@contextmanager
def _listening_to(file: BinaryIO) -> Iterator[None]:
    """Both output streams lead to `file`, for C libraries and child processes as well."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        for number, _ in kept:
            os.dup2(file.fileno(), number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


def _write(number: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]
