"""A configuration that nv2 and notation share, and both programs run on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop import peers
from tests.world.ca import CA, Pair, pem

KEYS = ("RSA-2048", "RSA-3072", "RSA-4096", "EC-256", "EC-384", "EC-521")
SUBJECT = "CN={key},O=wabbit-networks.io,ST=WA,C=US"


class Home(NamedTuple):
    """A home directory with one notation configuration in it."""

    directory: Path
    notation_program: Path

    @property
    def config(self) -> Path:
        """The Notary Project's configuration directory."""
        return self.directory / ".config" / "notation"

    def environment(self, **more: str) -> dict[str, str]:
        """What both programs get as their environment, and nothing else."""
        return {
            "HOME": str(self.directory),
            "XDG_CONFIG_HOME": str(self.directory / ".config"),
            "XDG_CACHE_HOME": str(self.directory / ".cache"),
            "XDG_STATE_HOME": str(self.directory / ".state"),
            "NOTATION_EXPERIMENTAL": "1",
            **more,
        }

    def notation(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the real notation."""
        return peers.run(
            self.notation_program, *words, home=self.directory, environment=self.environment(), check=check
        )

    def nv2(
        self, *words: str, check: bool = True, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run nv2 as its own process."""
        return run_nv2(words, self.environment(**(more or {})), self.directory, check=check)

    def write_policy(self, statements: Sequence[Mapping[str, Any]]) -> None:
        """Write a trust policy of these statements, where both programs read it."""
        document = {"version": "1.0", "trustPolicies": list(statements)}
        (self.config / "trustpolicy.json").write_text(json.dumps(document))

    def write_store(self, kind: str, name: str, *certificates: bytes) -> None:
        """Write a trust store with these DER certificates."""
        folder = self.config / "truststore" / "x509" / kind / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.pem").write_bytes(pem(certificates))

    def write_keys(self, keys: Mapping[str, Pair]) -> None:
        """Write key pairs and list them in signingkeys.json."""
        folder = self.config / "localkeys"
        folder.mkdir(parents=True, exist_ok=True)
        listed = []
        for name, pair in keys.items():
            key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
            key.write_bytes(pair.pem_key())
            key.chmod(0o600)
            certificate.write_bytes(pair.pem_chain())
            listed.append({"name": name, "keyPath": str(key), "certPath": str(certificate)})
        (self.config / "signingkeys.json").write_text(json.dumps({"keys": listed}))


def run_nv2(
    words: Sequence[str], environment: Mapping[str, str], directory: Path, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run nv2 in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-I", "-m", "nv2.cli", *words],
        env={"PATH": "/usr/bin:/bin", **environment},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if check and finished.returncode:
        shown = f"nv2 {' '.join(words)}"
        raise AssertionError(f"{shown}: exit {finished.returncode}\n{finished.stdout}{finished.stderr}")
    return finished


def new_home(directory: Path, notation_program: Path) -> Home:
    """An empty home."""
    home = Home(directory, notation_program)
    home.config.mkdir(parents=True)
    return home


def wabbit_home(directory: Path, notation_program: Path) -> Home:
    """A home with a key of every kind below one authority, which a strict policy for everything trusts."""
    home = new_home(directory, notation_program)
    authority = CA("Wabbit")
    home.write_keys({kind: authority.issue(SUBJECT.format(key=kind), kind) for kind in KEYS})
    home.write_store("ca", "wabbit", authority.chain[-1])
    home.write_policy(
        [
            {
                "name": "everything",
                "registryScopes": ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:wabbit"],
                "trustedIdentities": ["x509.subject:C=US,ST=WA,O=wabbit-networks.io"],
            }
        ]
    )
    return home
