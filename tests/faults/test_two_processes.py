"""Two processes that write the same configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import nv2
from tests.faults.state import files
from tests.unit.cli.command_line import ENVIRONMENT, CommandLine

WRITER = """
import io, sys
from nv2.cli.dispatch import main
from nv2.cli.output import Output
for number in range(int(sys.argv[1])):
    for line in " ".join(sys.argv[2:]).split(" THEN "):
        out = io.StringIO()
        code = main(line.replace("%", str(number)).split(), Output(out, out, "nv2"))
        if code:
            raise SystemExit(out.getvalue())
"""
TIMES = 6


def _all_keys(here: Path, who: str) -> bool:
    names = {key["name"] for key in json.loads((here / "config/signingkeys.json").read_bytes())["keys"]}
    return {f"{who}{number}" for number in range(TIMES)} <= names


def _a_whole_policy(here: Path, who: str) -> bool:
    found = json.loads((here / "config/trustpolicy.oci.json").read_bytes())
    return found["trustPolicies"][0]["name"] in ("a", "b")


def _all_certificates(here: Path, who: str) -> bool:
    names = {path.name for path in (here / "config/truststore/x509/ca/wabbit").iterdir()}
    return {f"{who}{number}.crt" for number in range(TIMES)} <= names


def _no_certificates(here: Path, who: str) -> bool:
    return not (here / "config/truststore/x509/ca/wabbit").exists()


def _no_keys(here: Path, who: str) -> bool:
    return json.loads((here / "config/signingkeys.json").read_bytes())["keys"] == []


class Written(NamedTuple):
    """Two processes run `words` `TIMES` times, as `a` and `b`; `is_kept` must hold for both."""

    name: str
    words: str
    is_kept: Callable[[Path, str], bool]


STATEMENT = "--registry-scope * --trust-store ca:wabbit --trusted-identity *"

WRITTEN = (
    Written("the list of keys", "key add WHO% --key-file wabbit.key --cert-file wabbit.crt", _all_keys),
    Written("one policy", "policy import --force WHO.json", _a_whole_policy),
    Written("one policy that is made", f"policy init --force --name WHO {STATEMENT}", _a_whole_policy),
    Written(
        "keys that come and go",
        "key add WHO% --key-file wabbit.key --cert-file wabbit.crt THEN key delete WHO%",
        _no_keys,
    ),
    Written("files of one store", "cert add -t ca -s wabbit WHO%.crt", _all_certificates),
    Written(
        "a store that comes and goes",
        "cert add -t ca -s wabbit WHO%.crt THEN cert delete -y -t ca -s wabbit WHO%.crt",
        _no_certificates,
    ),
    Written("keys that are made", "key generate WHO% --subject C=US,ST=WA,O=o,CN=WHO", _all_keys),
)


def _started(here: Path, *words: str, program: tuple[str, ...] = ("-m", "nv2.cli")) -> subprocess.Popen[str]:
    environ = {name: str(here / directory) for name, directory in ENVIRONMENT.items()}
    environ |= {"PATH": os.defpath, "PYTHONPATH": str(Path(nv2.__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, *program, *words],
        cwd=here,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_two_processes_that_write_the_same_configuration(wabbit: CommandLine, row: Written) -> None:
    here = wabbit.directory
    statement = {
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
    }
    for who in "ab":
        policy = {"version": "1.0", "trustPolicies": [{"name": who, **statement}]}
        (here / f"{who}.json").write_text(json.dumps(policy))
        for number in range(TIMES):
            (here / f"{who}{number}.crt").write_bytes((here / "root.crt").read_bytes())
    both = [
        _started(here, str(TIMES), *row.words.replace("WHO", who).split(), program=("-c", WRITER))
        for who in "ab"
    ]
    assert [process.communicate(timeout=200)[1] for process in both] == ["", ""]
    assert row.is_kept(here, "a") and row.is_kept(here, "b")
    assert not [path for path in files(here) if path.endswith((".tmp", ".lock"))]


def test_of_two_who_make_the_first_policy_one_is_told_that_there_is_one(wabbit: CommandLine) -> None:
    here = wabbit.directory
    for _ in range(TIMES):
        both = [_started(here, "policy", "init", "--name", who, *STATEMENT.split()) for who in ("a", "b")]
        said = [process.communicate(timeout=200)[1] for process in both]
        codes = dict(zip("ab", [process.returncode for process in both], strict=True))
        policy = here / "config/trustpolicy.oci.json"
        name = json.loads(policy.read_bytes())["trustPolicies"][0]["name"]
        # The other one saw the policy before it wrote and had nobody to ask, or just as it wrote.
        assert codes.pop(name) == 0 and set(codes.values()) <= {2, 3}, said
        policy.unlink()


def test_of_two_who_delete_one_key_one_is_told_that_there_is_none(wabbit: CommandLine) -> None:
    here = wabbit.directory
    for _ in range(TIMES):
        added = wabbit("key", "add", "ci", "--key-file", "wabbit.key", "--cert-file", "wabbit.crt")
        assert added.code == 0, added.err
        both = [_started(here, "key", "delete", "ci") for _ in "ab"]
        said = [process.communicate(timeout=200) for process in both]
        assert sorted(process.returncode for process in both) == [0, 3], said
        assert _no_keys(here, "")
