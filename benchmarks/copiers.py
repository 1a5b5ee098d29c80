"""Who else copies images: the words that make each program copy from one registry to another, logins and TLS aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.programs import Program
from tests.peers import find


class Copier(NamedTuple):
    """A program, and what stands between its name and the two references."""

    program: Program
    words: tuple[str, ...]
    prefix: str = ""
    """What stands before a reference."""

    def copy(self, source: str, destination: str) -> tuple[Program, tuple[str, ...]]:
        """The program and its arguments."""
        return self.program, (*self.words, self.prefix + source, self.prefix + destination)


WORDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "oras": (("cp", "-r", "--from-plain-http", "--to-plain-http", "--no-tty"), ""),
    "crane": (("copy", "--insecure"), ""),
    "skopeo": (
        ("copy", "--insecure-policy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"),
        "docker://",
    ),
    "regctl": (("image", "copy"), ""),
}
"""oras follows referrers, the others copy the image alone."""


def copiers(nv2: Program, *hosts: str) -> dict[str, Copier]:
    """nv2 and every peer that is here, by name; `hosts` are the registries (`localhost:PORT`)."""
    found = {"nv2": Copier(nv2, ("copy",))}
    plain = tuple(word for host in hosts for word in ("--host", f"reg={host},tls=disabled"))
    for name, (words, prefix) in WORDS.items():
        if place := find(name):
            program = Program(name, (str(place),), nv2.environment)
            found[name] = Copier(program, (*plain, *words) if name == "regctl" else words, prefix)
    return found
