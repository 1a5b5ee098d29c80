"""The state that every program starts from: a home directory and a registry, equal to the last byte each time.

Keys, certificates and signatures are kept in `data/`, so that what a program shows of them is the same in every run.
The signatures were made by notation's main branch (`record.COMMIT`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from nv2.oci import media_types as mt
from nv2.server.registry import serve
from tests.interop.home import Home, new_home
from tests.world.images import image, image_layout, push_blob, push_image, push_manifest

DATA = Path(__file__).parent / "data"
KEYS = ("first", "second", "third", "signer")
SIGNED = ("image", "cose", "several", "expired", "foreign", "audited", "stamped")
REPOSITORIES = (*SIGNED, "unsigned", "skipped", "other", "fresh")
LEVELS = {"skipped": "skip", "audited": "audit"}
STORES = {"stamped": ["tsa:timestamps"]}
"""Stores beside that of the signers."""
ANYBODY = "x509.subject:C=US,ST=WA,O=wabbit-networks.io"

PLUGIN = """#!/bin/sh
# Says who it is; asked for a signature, it says no.
cat > /dev/null
if [ "$1" = get-plugin-metadata ]; then
    echo '{"name":"probe","description":"For tests","version":"VERSION","url":"https://example.com",\
"supportedContractVersions":["1.0"],"capabilities":["SIGNATURE_GENERATOR.RAW"]}'
    exit 0
fi
echo '{"errorCode":"ACCESS_DENIED","errorMessage":"it can generate nothing"}' >&2
exit 1
"""


class State(NamedTuple):
    """A home, the registry beside it, and what the words in braces stand for."""

    home: Home
    registry: str
    words: dict[str, str]


@contextmanager
def new_state(directory: Path, program: Path) -> Iterator[State]:
    """A state in `directory`, which does not exist yet; the registry ends with the block."""
    home = new_home(directory / "home", program)
    with serve(directory / "registry", "127.0.0.1", 0) as registry:
        fill_registry(registry.address)
        fill_home(home, registry.address)
        yield State(home, registry.address, words_for(home, registry.address))


def words_for(home: Home, registry: str) -> dict[str, str]:
    """What the words in braces stand for."""
    words = {name: f"{registry}/{name}@{image(name).descriptor.digest}" for name in REPOSITORIES}
    absent = f"{registry}/image@sha256:{'0' * 64}"
    return {**words, "absent": absent, "registry": registry, "home": str(home.directory)}


def fill_registry(registry: str) -> None:
    """Push the images, and the signatures that are kept, in the order of their names."""
    for repository in REPOSITORIES:
        push_image(registry, repository)
        for manifest in sorted((DATA / "signatures" / repository).glob("*.manifest.json")):
            data = manifest.read_bytes()
            envelope = manifest.with_name(manifest.name.replace(".manifest.json", ".envelope"))
            push_blob(registry, repository, b"{}")
            push_blob(registry, repository, envelope.read_bytes())
            push_manifest(registry, repository, data, mt.IMAGE_MANIFEST)


def fill_home(home: Home, registry: str) -> None:
    """Write keys, policy, and the files that command lines name."""
    keys = home.config / "localkeys"
    shutil.copytree(DATA / "keys", keys)
    for key in keys.glob("*.key"):
        key.chmod(0o600)
    listed = [
        {"name": name, "keyPath": str(keys / f"{name}.key"), "certPath": str(keys / f"{name}.crt")}
        for name in KEYS
    ]
    (home.config / "signingkeys.json").write_text(json.dumps({"keys": listed}))
    policy = json.dumps(_policy(registry), indent=2)
    (home.config / "trustpolicy.json").write_text(policy)
    for name in ("signingkeys.json", "trustpolicy.json"):
        (home.config / name).chmod(0o600)
    for name, text in (
        ("policy.json", policy),
        ("blobs.json", json.dumps(_BLOBS, indent=2)),
        ("empty.json", "{}"),
        ("junk.crt", "junk"),
        ("x.sig", "junk"),
        ("x.pgp.sig", "junk"),
        ("file.bin", "some bytes\n"),
        ("notation-probe", PLUGIN.replace("VERSION", "1.0.0")),
        ("newer/notation-probe", PLUGIN.replace("VERSION", "1.1.0")),
        ("liar/notation-liar", PLUGIN.replace("VERSION", "1.0.0")),
    ):
        path = home.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if "notation-" in name else 0o644)
    for path in (DATA / "files").iterdir():
        shutil.copy(path, home.directory)
    image_layout(home.directory / "layout", "layout")


def _policy(registry: str) -> dict[str, Any]:
    scopes = {name: f"{registry}/{name}" for name in REPOSITORIES if name != "other"}
    return {
        "version": "1.0",
        "trustPolicies": [_statement(*item) for item in {**scopes, "local": "local/layout"}.items()],
    }


def _statement(name: str, scope: str) -> dict[str, Any]:
    level = LEVELS.get(name, "strict")
    statement = {"name": name, "registryScopes": [scope], "signatureVerification": {"level": level}}
    if level == "skip":
        return statement
    stores = ["ca:wabbit", *STORES.get(name, [])]
    return {**statement, "trustStores": stores, "trustedIdentities": [ANYBODY]}


_BLOBS = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": name,
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:wabbit"],
            "trustedIdentities": [ANYBODY],
            **more,
        }
        for name, more in (("named", {}), ("everything", {"globalPolicy": True}))
    ],
}
