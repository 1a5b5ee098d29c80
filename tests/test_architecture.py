"""The floors of the house, as tables, and that the code keeps to them.

An arrow only points down. Rooms on one floor do not see each other unless `DOORS` says so. A new module must
be given its place here before it passes. Imports for types alone do not count; those inside functions do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house import ROOT, House, Mention, Module, When, cycle, read_house

SOURCE = Path(__file__).parent.parent / "src" / "nv2"


class Floor(NamedTuple):
    """A floor, lowest first: its modules (`oci.*` is the room and all in it), and the lower floors it does not see."""

    name: str
    modules: str
    pure: bool = False
    blind_to: str = ""


# fmt: off
FLOORS = (
    Floor("errors",    "errors blame strict_json plain_text _version", pure=True),
    Floor("names",     "oci.*", pure=True),
    Floor("formats",   "envelope.* pki.*", pure=True),
    Floor("decisions", "trust.*", pure=True),
    Floor("ports",     "content content.interface  transport transport.interface  keys keys.interface "
                       "programs programs.interface programs.contract programs.plugins programs.plugins.interface "
                       "programs.plugins.messages programs.plugins.versions", pure=True, blind_to="decisions"),
    Floor("questions", "discovery opening revocation revocation.* plugin_verification timestamping closure rehearsal", pure=True),
    Floor("verbs",     "verification signing recursive_signing copying.* deletion inspection graph blob_verification", pure=True),
    Floor("compound-verbs", "bundling bundling.*", pure=True),
    Floor("files",     "files", blind_to="decisions questions verbs compound-verbs"),
    Floor("adapters",  "content.memory content.layout.* content.remote.* content.checked_stream content.blob_files "
                       "transport.address_rules transport.auth transport.challenges transport.connections transport.credentials transport.deadline "
                       "transport.exchange transport.failures transport.http transport.jobs transport.lanes transport.proxies transport.refusals "
                       "transport.redirects transport.resolutions transport.retry transport.tls transport.tokens transport.trace transport.urls transport.wire "
                       "keys.private_keys keys.file keys.generate keys.chains keys.pkcs11.* keys.plugin  "
                       "programs.run programs.plugins.calls  home.*",
                       blind_to="decisions questions verbs compound-verbs"),
    Floor("wiring",    "notary.*"),
    Floor("public",    ROOT),
    Floor("faces",     "cli.* server.* plugin plugin.*", blind_to="adapters"),
)

DOORS = (
    # from            to              why
    ("blame",         "errors",       "it notes on an error whose it is"),
    ("strict_json",   "errors",       "it raises what it is told to raise, which is one of ours"),
    ("strict_json",   "plain_text",   "one way to quote strangers"),
    ("blob_verification", "verification", "a blob's signature is judged like any other"),
    ("content.*",     "transport.urls",      "one way to read an address"),
    ("content.*",     "transport.failures",  "one way to say what an answer means"),
    ("content.*",     "transport.refusals",  "one way to say why somebody was not let in"),
    ("cli.*",         "server.*",     "`nv2 registry serve` and `nv2 demo` start the embedded registry"),
)

NOT_PURE = ("os pathlib io.open open tempfile shutil socket ssl http urllib subprocess threading multiprocessing "
            "concurrent asyncio select selectors signal time random secrets logging "
            "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today")

PROCESSES = ("subprocess multiprocessing pty os.system os.popen os.fork os.forkpty os.exec* os.spawn* "
             "os.posix_spawn*")

SOCKETS = "transport.http transport.connections transport.address_rules transport.tls transport.failures server.*"
"""`transport.address_rules`, `transport.tls` and `transport.failures` open none: they prepare and explain what `transport.http` does."""

MONOPOLIES = (
    # only these               may                     that is, use one of these
    (SOCKETS,                    "reach the network",  "socket ssl http.client urllib.request asyncio ftplib smtplib"),
    ("server.*",                 "listen",             "http.server socketserver wsgiref"),
    ("programs.run",             "start processes",    PROCESSES),
    # `cli.__main__` hands them over; `plugin.process` speaks for a plugin, which is a program of its own.
    ("cli.output cli.__main__ plugin.process", "print", "print sys.stdout sys.stderr"),
    ("cli.* plugin.process",     "ask a person",       "input getpass sys.stdin"),
    ("cli.__main__",             "exit",               "exit quit SystemExit sys.exit os._exit os.abort"),
    (f"cli.dispatch {ROOT}",     "import by name",     "importlib __import__"),  # laziness lives in two tables
)

NO_NAMES = "util utils common helper helpers base core manager managers misc"
# fmt: on


def without_a_floor(house: House) -> Iterator[str]:
    """A module that the table does not place, or places twice."""
    for name in house:
        floors = [floor.name for floor in FLOORS if _matches(name, floor.modules)]
        if len(floors) != 1:
            yield f"{name}: {'has no floor' if not floors else 'is on ' + ' and '.join(floors)}"


def upward(house: House) -> Iterator[str]:
    """An arrow that does not point down, into a floor that must not be seen, or into the neighbour's room."""
    for module in house.values():
        for mention in module.ours:
            if mention.when is not When.TYPES and not _may_see(module.name, mention.name):
                yield _at(module, mention, f"imports {mention.name}")


def impure(house: House) -> Iterator[str]:
    """A pure module that touches the world, or asks what time it is."""
    for module in house.values():
        if any(_matches(module.name, floor.modules) for floor in FLOORS if floor.pure):
            yield from (_at(module, m, f"uses {m.name}, but is pure") for m in _uses(module, NOT_PURE))


def trespassing(house: House) -> Iterator[str]:
    """A module that does what is another's to do."""
    for allowed, what, names in MONOPOLIES:
        for module in house.values():
            if not _matches(module.name, allowed):
                only = f"only {allowed} may {what}"
                yield from (_at(module, m, f"uses {m.name}: {only}") for m in _uses(module, names))


def nameless(house: House) -> Iterator[str]:
    """A module whose name says nothing."""
    return (f"{name}: a name that says nothing" for name in house if {*NO_NAMES.split()} & {*name.split(".")})


def missing(house: House) -> Iterator[str]:
    """A lazy import of a module that is not there, found here and not by a user."""
    for module in house.values():
        for mention in module.ours:
            if mention.when is When.NAMED and mention.name not in house:
                yield _at(module, mention, f"names {mention.name}, which does not exist")


def circular(house: House) -> Iterator[str]:
    """Modules that import each other in a ring."""
    if ring := cycle(house):
        yield "imports in a ring: " + " -> ".join(ring)


Rule = Callable[[House], Iterator[str]]
RULES: tuple[Rule, ...] = (without_a_floor, upward, impure, trespassing, nameless, missing, circular)


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, p) or p == f"{name}.*" for p in patterns.split())


def _uses(module: Module, names: str) -> Iterator[Mention]:
    """Each line once that uses one of `names`, or something inside one of them."""
    patterns = [pattern for name in names.split() for pattern in (name, f"{name}.*")]
    seen = set()
    for mention in module.others:
        if mention.line not in seen and any(fnmatchcase(mention.name, pattern) for pattern in patterns):
            seen.add(mention.line)
            yield mention


def _may_see(name: str, other: str) -> bool:
    here, there = _floor(name), _floor(other)
    if here is None or there is None:
        return True  # `without_a_floor` speaks of it
    if any(_matches(name, begin) and _matches(other, end) for begin, end, _ in DOORS):
        return True
    if here is there:
        return _room(name) == _room(other)
    return FLOORS.index(there) < FLOORS.index(here) and there.name not in here.blind_to.split()


def _floor(name: str) -> Floor | None:
    return next((floor for floor in FLOORS if _matches(name, floor.modules)), None)


def _room(name: str) -> str:
    return name.partition(".")[0]


def _at(module: Module, mention: Mention, message: str) -> str:
    return f"{module.name}:{mention.line}: {message}"


@pytest.fixture(scope="module")
def house() -> House:
    return read_house(SOURCE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule, house: House) -> None:
    found = list(rule(house))
    assert not found, "\n".join(["", rule.__doc__ or "", *found])


def test_the_house_was_read(house: House) -> None:
    assert {"errors", "oci.reference", "content.interface", ROOT} <= house.keys()
    assert "errors" in {mention.name for mention in house["strict_json"].ours}


def test_the_room_of_commands_has_commands_alone() -> None:
    modules = {path.stem: path.read_text() for path in (SOURCE / "cli" / "commands").glob("*.py")}
    made = {
        name
        for name, text in modules.items()
        if re.search(r"^[A-Z_]+ = (Command|Group)\(", text, re.MULTILINE)
    }
    assert modules.keys() - made == {"__init__"}


# What each rule must notice. The rest of the little house is innocent.
BREACHES = (
    # rule             file                   source                                                 what is said
    (without_a_floor, "newcomer.py",          "",                                                    "newcomer: has no floor"),
    (without_a_floor, "content/newcomer.py",  "",                                                    "content.newcomer: has no floor"),
    (upward,          "oci/reference.py",     "from nv2.trust.policy import parse_policy",           "imports trust.policy"),
    (upward,          "oci/reference.py",     "from ..trust import policy",                          "imports trust.policy"),
    (upward,          "oci/reference.py",     "def f():\n    import nv2.trust.policy",               "reference:2: imports trust.policy"),
    (upward,          "envelope/jws.py",      "from nv2 import pki",                                 "imports pki"),
    (upward,          "errors.py",            "from nv2 import __version__",                         "imports __init__"),
    (upward,          "verification.py",      "from nv2.content.memory import MemoryStore",          "imports content.memory"),
    (upward,          "verification.py",      "from nv2 import signing",                             "imports signing"),
    (upward,          "content/memory.py",    "from nv2.verification import evaluate",               "imports verification"),
    (upward,          "content/memory.py",    "from nv2.trust.policy import parse_policy",           "imports trust.policy"),
    (upward,          "content/memory.py",    "from nv2.home.lock import host_lock",            "imports home.lock"),
    (upward,          "content/interface.py", "from nv2.trust.policy import TrustPolicy",            "imports trust.policy"),
    (upward,          "notary.py",            "from nv2.cli import output",                          "imports cli.output"),
    (upward,          "cli/verify.py",        "from nv2.content.memory import MemoryStore",          "imports content.memory"),
    (upward,          "server/verifier.py",   "from nv2.cli import output",                          "imports cli.output"),
    (upward,          "__init__.py",          "LAZY = {'run': 'nv2.cli.output'}",                    "imports cli.output"),
    (impure,          "trust/policy.py",      "from pathlib import Path",                            "uses pathlib.Path, but is pure"),
    (impure,          "trust/policy.py",      "import urllib.parse as parse",                        "uses urllib.parse, but is pure"),
    (impure,          "trust/policy.py",      "def f():\n    import time",                           "uses time, but is pure"),
    (impure,          "signing.py",           "from datetime import datetime as d\nx = d.now()",     "uses datetime.datetime.now"),
    (impure,          "signing.py",           "import datetime\nx = datetime.date.today()",          "uses datetime.date.today"),
    (impure,          "signing.py",           "x = open('f')",                                       "uses open, but is pure"),
    (trespassing,     "transport/auth.py",    "import http.client",                                  "may reach the network"),
    (trespassing,     "content/memory.py",    "from urllib import request",                          "may reach the network"),
    (trespassing,     "cli/verify.py",        "from http.server import HTTPServer",                  "may listen"),
    (trespassing,     "cli/verify.py",        "import subprocess",                                   "may start processes"),
    (trespassing,     "keys/file.py",         "import os\nos.execvp('x', [])",                       "may start processes"),
    (trespassing,     "notary.py",            "print('hello')",                                      "may print"),
    (trespassing,     "cli/verify.py",        "import sys\nsys.stdout.write('hello')",               "may print"),
    (trespassing,     "keys/file.py",         "from getpass import getpass",                         "may ask a person"),
    (trespassing,     "cli/verify.py",        "from sys import exit as leave\nleave(1)",             "uses sys.exit"),
    (trespassing,     "cli/output.py",        "raise SystemExit(1)",                                 "may exit"),
    (trespassing,     "notary.py",            "from importlib import import_module",                 "may import by name"),
    (nameless,        "trust/utils.py",       "",                                                    "trust.utils: a name that says nothing"),
    (nameless,        "core/policy.py",       "",                                                    "core.policy: a name that says nothing"),
    (missing,         "__init__.py",          "LAZY = {'verify': 'nv2.notery'}",                     "names notery, which does not exist"),
    (circular,        "oci/reference.py",     "from nv2.oci import digest",                          "oci.digest -> oci.reference -> oci.digest"),
)  # fmt: skip

INNOCENT = {
    "__init__.py": "LAZY = {'verify': 'nv2.notary'}\ndef __getattr__(name):\n    from importlib import import_module",
    "errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nv2.trust.policy import TrustPolicy",
    "oci/__init__.py": "",
    "oci/reference.py": "from datetime import datetime\nx = datetime.fromisoformat\nprinted = 1",
    "oci/digest.py": "from .reference import x",
    "pki/__init__.py": "",
    "envelope/jws.py": "from nv2.errors import Nv2Error",
    "trust/__init__.py": "",
    "trust/policy.py": "from nv2 import errors\nfrom nv2.pki import y",
    "content/interface.py": "from nv2.oci.digest import z",
    "verification.py": "from nv2.content.interface import Source",
    "signing.py": "def f(now):\n    return now()",
    "content/memory.py": "import os\nfrom nv2.content.interface import Source",
    "home/lock.py": "import os",
    "keys/file.py": "",
    "transport/auth.py": "",
    "transport/http.py": "from nv2.transport import connections",
    "transport/connections.py": "import socket, ssl",
    "programs/run.py": "import subprocess",
    "notary.py": "from nv2.content.memory import MemoryStore\nfrom nv2 import verification",
    "cli/__main__.py": "import sys\nsys.exit(0)",
    "cli/output.py": "print('hello')",
    "cli/verify.py": "from nv2 import notary\nfrom nv2.server import verifier",
    "server/__init__.py": "",
    "server/verifier.py": "from http.server import HTTPServer",
}


def _build(tmp_path: Path, files: dict[str, str]) -> House:
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    return read_house(tmp_path)


def test_an_innocent_house_breaks_no_rule(tmp_path: Path) -> None:
    house = _build(tmp_path, INNOCENT)
    assert [found for rule in RULES for found in rule(house)] == []


@pytest.mark.parametrize(("rule", "file", "source", "said"), BREACHES)
def test_a_breach_is_noticed(rule: Rule, file: str, source: str, said: str, tmp_path: Path) -> None:
    house = _build(tmp_path, {**INNOCENT, file: source})
    assert said in "\n".join(rule(house))


def test_every_rule_has_a_breach_that_shows_it() -> None:
    assert {rule for rule, *_ in BREACHES} == set(RULES)
