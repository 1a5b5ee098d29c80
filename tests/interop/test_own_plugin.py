"""The worked example: a plugin written with `nv2.plugin`, whose keys are in SoftHSM2, driven by the real notation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.interop import peers
from tests.interop.home import Home, new_home
from tests.world.ca import CA, certificate, name_of
from tests.world.images import image_layout
from tests.world.softhsm import PIN, SoftHsm

pytestmark = pytest.mark.peers

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "notation-softhsm" / "notation-softhsm"
SOURCE = Path(__file__).parent.parent.parent / "src"
SUBJECT = "CN=plugin,O=wabbit-networks.io,ST=WA,C=US"
TOKEN = "plugin token"
KINDS = ("RSA-2048", "EC-384")


@pytest.fixture(scope="module")
def home(softhsm: SoftHsm, notation: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The plugin installed, a key of it for each kind in notation's list, and trust in its authority."""
    home = new_home(tmp_path_factory.mktemp("home"), notation)
    _make_keys(softhsm, home.directory / "root.der")
    program = home.config / "plugins" / "softhsm" / "notation-softhsm"
    program.parent.mkdir(parents=True)
    # As for any user whose Python has nv2: the first line names that Python.
    text = EXAMPLE.read_text().partition("\n")[2]
    program.write_text(f"#!{sys.executable}\nimport sys; sys.path.insert(0, {str(SOURCE)!r})\n{text}")
    program.chmod(0o755)
    (home.directory / "pin").write_text(PIN)
    home.write_store("ca", "wabbit", (home.directory / "root.der").read_bytes())
    home.write_policy(
        [
            {
                "name": "everything",
                "registryScopes": ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:wabbit"],
                "trustedIdentities": [f"x509.subject:{SUBJECT}"],
            }
        ]
    )
    return home


def _make_keys(hsm: SoftHsm, root: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.interop.test_own_plugin import make_keys; "
        "make_keys(*map(Path, sys.argv[1:]))"
    )
    hsm.initialize(TOKEN)
    # In a process of its own: the module sees only tokens that were there when it was loaded.
    subprocess.run(
        [sys.executable, "-c", script, str(hsm.module), str(hsm.configuration), str(root)],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": f"{SOURCE}:{SOURCE.parent}",
            **hsm.environment,
        },
        check=True,
        timeout=60,
    )


def notation(home: Home, hsm: SoftHsm, *words: str, check: bool = True) -> Any:
    environment = home.environment(**hsm.environment)
    return peers.run(home.notation_program, *words, home=home.directory, environment=environment, check=check)


def add(home: Home, hsm: SoftHsm, name: str, key_id: str, *config: str, check: bool = True) -> Any:
    words = ("key", "add", name, "--plugin", "softhsm", "--id", key_id)
    return notation(home, hsm, *words, *(f"--plugin-config={item}" for item in config), check=check)


def test_notation_lists_the_plugin(home: Home, softhsm: SoftHsm) -> None:
    listed = notation(home, softhsm, "plugin", "list").stdout
    assert "softhsm" in listed and "SIGNATURE_GENERATOR.RAW" in listed and "<nil>" in listed


@pytest.mark.parametrize("envelope", ["jws", "cose"])
@pytest.mark.parametrize("kind", KINDS)
def test_notation_signs_with_a_key_in_the_token(kind, envelope, home, softhsm, tmp_path) -> None:
    digest = image_layout(tmp_path / "layout", f"{kind}-{envelope}")
    place = f"{tmp_path}/layout@{digest}"
    name = f"{kind}-{envelope}"
    add(home, softhsm, name, softhsm.uri(kind, token=TOKEN), f"pinFile={home.directory}/pin")
    words = ("sign", "--oci-layout", "--key", name, "--signature-format", envelope, place)
    assert "Successfully signed" in notation(home, softhsm, *words).stdout
    scope = ("--oci-layout", "--scope", "local/layout")
    assert "Successfully verified" in home.notation("verify", *scope, place).stdout
    assert home.nv2("verify", "--scope", "local/layout", f"layout:{place}").returncode == 0


def test_what_the_plugin_refuses_reaches_the_user(home, softhsm, tmp_path) -> None:
    digest = image_layout(tmp_path / "layout", "refused")
    add(home, softhsm, "no-pin", softhsm.uri("EC-384", token=TOKEN))
    place = f"{tmp_path}/layout@{digest}"
    ended = notation(home, softhsm, "sign", "--oci-layout", "--key", "no-pin", place, check=False)
    assert ended.returncode == 1
    assert "name the file of the PIN" in ended.stderr
    (home.directory / "wrong").write_text("wrong-0815")
    add(home, softhsm, "wrong", softhsm.uri("EC-384", token=TOKEN), f"pinFile={home.directory}/wrong")
    ended = notation(home, softhsm, "sign", "--oci-layout", "--key", "wrong", place, check=False)
    assert ended.returncode == 1
    assert "the PIN is wrong" in ended.stderr
    assert "0815" not in ended.stderr + ended.stdout


def make_keys(module: Path, configuration: Path, root: Path) -> None:
    """Make the keys and certificates, and write the authority's to `root`; run in a process of its own."""
    hsm, authority = SoftHsm(module, configuration), CA("Wabbit")
    root.write_bytes(authority.certificate)
    with hsm.opened(TOKEN) as session:
        for number, kind in enumerate(KINDS):
            made = hsm.generate(session, kind, kind, bytes([number + 1]))
            leaf = certificate(name_of(SUBJECT), made, issuer=authority.subject, signed_by=authority.key)
            hsm.write_certificate(session, leaf, kind, bytes([number + 1]))
        hsm.write_certificate(session, authority.certificate, "root", b"\xff")


@pytest.mark.parametrize("envelope", ["jws", "cose"])
def test_nv2_drives_the_same_plugin(envelope, home, softhsm, tmp_path) -> None:
    place = f"{tmp_path}/layout@{image_layout(tmp_path / 'layout', envelope)}"
    name = f"nv2-{envelope}"
    words = ("--plugin", "softhsm", "--id", softhsm.uri("RSA-2048", token=TOKEN))
    config = ("--plugin-config", f"pinFile={home.directory}/pin")
    home.nv2("key", "add", name, *words, *config, more=softhsm.environment)
    signed = ("sign", "-k", name, "--signature-format", envelope, f"layout:{place}")
    home.nv2(*signed, more=softhsm.environment)
    scope = ("--oci-layout", "--scope", "local/layout")
    assert "Successfully verified" in home.notation("verify", *scope, place).stdout
