"""What a command may not load: start-up is most of what a short command costs.

Each command runs in an interpreter of its own, as the console script does; then `sys.modules` is looked at.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from nv2.home.crl_cache import CrlCache
from nv2.notary.session import Session
from nv2.oci.reference import LayoutReference
from nv2.signing import Wish, sign
from tests.world.ca import CA, pem
from tests.world.crl import crl
from tests.world.tsa import TSA

SOURCE = Path(__file__).parent.parent / "src"

ALWAYS = "argparse asyncio dataclasses inspect logging importlib.metadata unittest email.mime"
"""What nothing on the command line needs. `dataclasses` brings `inspect`: 15 ms."""
NO_NETWORK = "socket ssl http.client urllib.request"
NO_CRYPTOGRAPHY = "cryptography"
NO_PROGRAMS = "subprocess multiprocessing"
NO_LOGIN = "nv2.transport.challenges nv2.transport.credentials nv2.keys.file shutil"
"""What those need who are asked to log in, who show a private key, or who delete."""
NO_ASKING = (
    "nv2.notary.revocation nv2.revocation.online nv2.revocation.inquiry nv2.revocation.evidence nv2.pki.crl nv2.pki.ocsp "
    "nv2.home.crl_cache nv2.home.ocsp_cache nv2.home.crl_numbers nv2.transport.address_rules"
)
"""What only those chains need that name responders or CRLs."""
NO_TIMESTAMPS = "nv2.timestamping nv2.pki.timestamp nv2.pki.cms nv2.pki.ber nv2.notary.timestamps secrets"
"""What only signatures with a timestamp that is due need."""
NO_DENIALS = "nv2.trust.denial nv2.notary.denials"
"""What only machines with a list of denials need."""
NO_LAYOUT = "nv2.content.layout.store"
NO_MIRRORS = "tomllib nv2.home.hosts nv2.notary.hosts nv2.content.remote.mirrors nv2.transport.resolutions nv2.home.content_cache"
"""What only machines with hosts files need, and those who are told where to connect, or were answered."""
NO_WRITING = "nv2.content.remote.writing nv2.content.remote.fallback nv2.content.remote.uploads nv2.content.remote.name_lists"
"""What only those need who write to a registry, or want all of its tags."""
NO_X509 = "cryptography.x509 email.utils"
"""What only certificates of an unusual form need: 30 ms."""
NOTHING_HEAVY = f"{ALWAYS} {NO_NETWORK} {NO_CRYPTOGRAPHY} {NO_PROGRAMS}"

FOR_A_KEY = "dataclasses inspect"
"""What showing a private key brings, through `cryptography.hazmat.primitives.serialization.ssh`: the public door to its
readers of PEM and DER loads the one of SSH too. The only exception to `ALWAYS`."""
BUT_FOR_A_KEY = " ".join(sorted({*ALWAYS.split()} - {*FOR_A_KEY.split()}))

MOST = 99
"""Modules of ours that a command loads at most: `verify`, which needs most. One takes about 0.3 ms."""
UNREACHABLE = f"localhost:1/app@sha256:{'0' * 64}"
"""A port where nobody listens: everything is loaded that it takes to ask."""

# fmt: off
COMMANDS = (
    # command                           exit  must not load
    ("--help",                           0,   f"{NOTHING_HEAVY} json pathlib"),
    ("--version",                        0,   f"{NOTHING_HEAVY} json pathlib typing re datetime"),
    ("version",                          0,   f"{NOTHING_HEAVY} json pathlib"),
    ("no-such-command",                  2,   NOTHING_HEAVY),
    ("list layout:image:v1",             0,   NOTHING_HEAVY),
    ("tree layout:image:v1",             0,   NOTHING_HEAVY),
    ("copy layout:image:v1 layout:copy:v1", 0, NOTHING_HEAVY),
    ("key list",                         0,   f"{ALWAYS} {NO_NETWORK} {NO_PROGRAMS}"),
    ("verify --scope a.example/b layout:image:v1", 1,   f"{NO_DENIALS} {ALWAYS} {NO_ASKING} {NO_TIMESTAMPS} {NO_PROGRAMS} {NO_LOGIN} {NO_X509} ssl http.client"),
    (f"verify {UNREACHABLE}",            3,   f"{NO_DENIALS} {ALWAYS} {NO_ASKING} {NO_TIMESTAMPS} {NO_PROGRAMS} {NO_LOGIN} {NO_LAYOUT} {NO_WRITING} {NO_MIRRORS} {NO_X509} http.client"),
    ("verify --scope a.example/b layout:signed:v1", 0,  f"{NO_DENIALS} {ALWAYS} {NO_ASKING} {NO_TIMESTAMPS} {NO_PROGRAMS} {NO_LOGIN} {NO_X509} ssl http.client"),
    ("verify -k build.crt layout:signed:v1", 0,  f"{NO_DENIALS} {ALWAYS} {NO_ASKING} {NO_TIMESTAMPS} {NO_PROGRAMS} {NO_LOGIN} {NO_X509} ssl http.client"),
    ("sign -k build.key --cert chain.crt layout:image:v1", 0, f"{BUT_FOR_A_KEY} {NO_PROGRAMS} {NO_NETWORK} {NO_X509}"),
)
# fmt: on

RUN = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
report = sys.argv.pop(1)
os._exit = sys.exit  # the program skips the interpreter's own end; here there is something left to do
try:
    from nv2.cli.__main__ import run
    run()
except SystemExit as e:
    with open(report, "w") as file:
        print(e.code, *sys.modules, file=file)
"""


def _write_image(directory: Path) -> None:
    """An OCI layout with one manifest, `v1`, without signatures."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [],
    }
    listed = put(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    listed["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _write_policy(configuration: Path) -> None:
    statement = {
        "name": "any",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:any"],
        "trustedIdentities": ["*"],
    }
    configuration.mkdir(mode=0o700, parents=True)
    policy = configuration / "trustpolicy.json"
    policy.write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))
    policy.chmod(0o600)


def _write_keys(here: Path) -> None:
    """`build.key`, its certificates beside it, and the trust store `any` with its authority."""
    pair = CA("Wabbit").issue("build", key="EC-256")
    (here / "build.key").write_bytes(pair.pem_key())
    (here / "build.key").chmod(0o600)
    (here / "build.crt").write_bytes(pem([pair.leaf]))
    (here / "chain.crt").write_bytes(pair.pem_chain())
    store = here / ".config/notation/truststore/x509/ca/any"
    store.mkdir(parents=True)
    (store / "root.crt").write_bytes(pem([pair.root]))


def _run(here: Path, command: str) -> tuple[int, list[str], str]:
    """The exit code of a command, what it loaded, and what it said."""
    report = here / "report"
    finished = subprocess.run(
        [sys.executable, "-I", "-c", RUN, str(SOURCE), str(report), *command.split()],
        cwd=here,
        env={"HOME": str(here), "PATH": os.defpath},
        capture_output=True,
        text=True,
    )
    assert report.exists(), finished.stderr
    code, *loaded = report.read_text().split()
    return int(code), loaded, finished.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with a policy, a key, an image that nobody signed, and one that is signed."""
    here = tmp_path_factory.mktemp("machine")
    _write_policy(here / ".config" / "notation")
    _write_keys(here)
    _write_image(here / "image")
    _write_image(here / "signed")
    code, _, said = _run(here, "sign -k build.key --cert chain.crt layout:signed:v1")
    assert code == 0, said
    return here


@pytest.mark.parametrize(("command", "status", "unwanted"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_command_loads_only_what_it_needs(
    command: str, status: int, unwanted: str, machine: Path, tmp_path: Path
) -> None:
    here = shutil.copytree(machine, tmp_path / "here")
    code, loaded, said = _run(here, command)
    assert code == status, said
    heavy = sorted(set(unwanted.split()) & set(loaded))
    assert not heavy, f"nv2 {command} loads {', '.join(heavy)}"
    ours = [name for name in loaded if name.startswith("nv2")]
    assert len(ours) <= MOST, f"nv2 {command} loads {len(ours)} modules of ours"


STAMPED = "verify --scope a.example/stamped layout:stamped:v1"
"""A signature with a timestamp, whose certificates name CRLs that are in the cache."""
FOR_STAMPED = f"{NO_DENIALS} {ALWAYS} {NO_PROGRAMS} {NO_LOGIN} {NO_X509} {NO_NETWORK} nv2.pki.ocsp"
MOST_STAMPED = 120
"""Modules of ours, at most, for an image in a layout."""


def test_a_timestamp_and_crls_out_of_the_cache_load_no_network_and_nothing_heavy(
    machine: Path, tmp_path: Path
) -> None:
    here = shutil.copytree(machine, tmp_path / "here")
    _write_image(here / "stamped")
    _stamp_and_publish(here)
    code, loaded, said = _run(here, STAMPED)
    assert code == 0, said
    assert {"nv2.pki.crl", "nv2.pki.timestamp"} <= set(loaded)
    heavy = sorted(set(FOR_STAMPED.split()) & set(loaded))
    assert not heavy, f"it loads {', '.join(heavy)}"
    ours = [name for name in loaded if name.startswith("nv2")]
    assert len(ours) <= MOST_STAMPED, f"{len(ours)} modules of ours"


def _stamp_and_publish(here: Path) -> None:
    """Sign the image `stamped` with a timestamp, and put the CRLs that the certificates name in the cache."""
    now, ca, environ = datetime.now(UTC).replace(microsecond=0), CA("Wabbit"), {"HOME": str(here)}
    url = "http://crl.example/all"
    pair, clock = ca.issue("build", "EC-256", crl_urls=(url,)), TSA(authority=ca, crl_urls=(url,))
    for kind in ("ca", "tsa"):
        store = here / ".config/notation/truststore/x509" / kind / "any"
        store.mkdir(parents=True, exist_ok=True)
        (store / "this.crt").write_bytes(pem([ca.certificate]))
    policy = here / ".config/notation/trustpolicy.json"
    document = json.loads(policy.read_text())
    stamped = {
        "name": "stamped",
        "registryScopes": ["a.example/stamped"],
        "trustStores": ["ca:any", "tsa:any"],
    }
    document["trustPolicies"].append({**document["trustPolicies"][0], **stamped})
    policy.write_text(json.dumps(document))
    with Session.from_environment(environ=environ) as session:
        image = session.resolve(LayoutReference(str(here / "stamped"), tag="v1"), push=True)
        wish = Wish(timestamper=lambda signature, name, _: clock.token(signature, at=now, hash=name))
        sign(image.store, image.subject, pair.signer(), wish, now)
        day = timedelta(days=1)
        published = crl(ca, this_update=now - day, next_update=now + day)
        CrlCache(session.paths.crl_cache).store(url, published, None)


# fmt: off
MOMENTS = (
    # called     for                           must not be loaded yet
    ("prepare", "connections to be opened",    "nv2.content.remote.store nv2.trust nv2.notary.trust_here cryptography"),
    ("start",   "a question to be sent",       "nv2.verification nv2.envelope.jws nv2.envelope.cose nv2.pki.certificate cryptography"),
)
# fmt: on

RECORD = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from nv2.transport.http import HttpTransport
method = sys.argv.pop(1)
called = getattr(HttpTransport, method)
def record(*given):
    with open("moment", "a") as file:
        print(*sys.modules, file=file)
    return called(*given)
setattr(HttpTransport, method, record)
from nv2.cli.__main__ import run
run()
"""


@pytest.mark.parametrize("trusted", ["", "-k leaf.crt "], ids=["policy", "file"])
@pytest.mark.parametrize(
    ("method", "unwanted"), [(row[0], row[2]) for row in MOMENTS], ids=[row[1] for row in MOMENTS]
)
def test_the_network_works_while_the_rest_is_loaded(
    method: str, unwanted: str, trusted: str, tmp_path: Path
) -> None:
    _write_policy(tmp_path / ".config" / "notation")
    (tmp_path / "leaf.crt").write_text("read, and not looked into yet")
    subprocess.run(
        [sys.executable, "-I", "-c", RECORD, str(SOURCE), method, "verify", *trusted.split(), UNREACHABLE],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
    )
    loaded = (tmp_path / "moment").read_text().splitlines()[0].split()
    early = sorted(set(unwanted.split()) & set(loaded))
    assert not early, f"{', '.join(early)} could be loaded while the network works"


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    script = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import nv2; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    ).stdout
    ours = {name for name in shown.split() if name.startswith("nv2")}
    assert ours == {"nv2", "nv2._version"}
    assert not set(NOTHING_HEAVY.split()) & set(shown.split())
