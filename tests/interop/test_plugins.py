"""A real plugin, on notation's own framework, driven by notation 1.3.2 and by nv2: the same answers from both."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.server.registry import serve
from tests.interop.home import Home, new_home
from tests.world.ca import CA, pem
from tests.world.images import push_image
from tests.world.tsa import TSA, serving

pytestmark = pytest.mark.peers

AUTHORITY = CA("Wabbit")
ENVELOPE = ("--plugin-config", "capabilities=SIGNATURE_GENERATOR.ENVELOPE")
DEMANDED = (*ENVELOPE, "--plugin-config", "attribute.io.cncf.notary.verificationPlugin=nv2test")
ATTRIBUTE = (*DEMANDED, "--plugin-config", "attribute.com.example.must=1")
NEWER = (*DEMANDED, "--plugin-config", "attribute.io.cncf.notary.verificationPluginMinVersion=1.0.1")
IDENTITY, REVOCATION = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY", "SIGNATURE_VERIFIER.REVOCATION_CHECK"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("registry"), "127.0.0.1", 0) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(scope="module")
def home(notation: Path, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with the plugin, and a policy that trusts one subject."""
    found = new_home(tmp_path_factory.mktemp("home"), notation)
    place(plugin, found.config / "plugins" / "nv2test")
    pair = AUTHORITY.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    (found.directory / "key.pem").write_bytes(pair.pem_key() + pair.pem_chain())
    found.write_store("ca", "wabbit", AUTHORITY.chain[-1])
    identities(found, "x509.subject:C=US,ST=WA,O=wabbit-networks.io")
    return found


def identities(home: Home, identity: str, *stores: str) -> None:
    home.write_policy(
        [
            {
                "name": "everything",
                "registryScopes": ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:wabbit", *stores],
                "trustedIdentities": [identity],
            }
        ]
    )


def place(plugin: Path, folder: Path, version: str = "1.0.0") -> Path:
    folder.mkdir(parents=True)
    shutil.copy(plugin, folder / "notation-nv2test")
    (folder / "VERSION").write_text(version)
    return folder


def pushed(registry: str, repository: str, text: str) -> str:
    return f"{registry}/{repository}@{push_image(registry, repository, text=text)}"


def key(home: Home) -> tuple[str, ...]:
    return ("--plugin", "nv2test", "--id", str(home.directory / "key.pem"))


@pytest.mark.parametrize("media", ["jws", "cose"])
@pytest.mark.parametrize(
    "config", [(), ENVELOPE, DEMANDED, ATTRIBUTE], ids=["raw", "envelope", "demanded", "attribute"]
)
@pytest.mark.parametrize("signer", ["nv2", "notation"])
def test_what_one_signs_with_a_plugin_both_verify(
    signer: str, config: tuple[str, ...], media: str, home: Home, registry: str
) -> None:
    reference = pushed(registry, f"both/{signer}", f"{signer}{config}{media}")
    words = ("sign", *key(home), *config, "--signature-format", media, "-m", "a=b", reference)
    (home.nv2 if signer == "nv2" else home.notation)(*words)
    assert "Successfully verified" in home.nv2("verify", "-m", "a=b", reference).stdout
    assert "Successfully verified" in home.notation("verify", "-m", "a=b", reference).stdout


@pytest.mark.parametrize("config", [(), ENVELOPE], ids=["raw", "envelope"])
def test_what_a_plugin_signs_gets_a_timestamp_that_both_believe(
    config: tuple[str, ...], home: Home, registry: str
) -> None:
    clock = TSA("Clock")
    reference = pushed(registry, "stamped", f"stamped {config}")
    root = home.directory / "tsa.crt"
    root.write_bytes(pem([clock.root]))
    home.write_store("tsa", "clock", clock.root)
    with serving(clock) as url:
        stamping = ("--timestamp-url", url, "--timestamp-root-cert", str(root))
        home.nv2("sign", *key(home), *config, *stamping, reference)
    assert len(clock.requests) == 1
    identities(home, "*", "tsa:clock")
    try:
        home.notation("verify", reference)
        home.nv2("verify", reference)
    finally:
        identities(home, "x509.subject:C=US,ST=WA,O=wabbit-networks.io")


# fmt: off
REFUSALS = (
    # signed with  verified with                                                              nv2  says
    (DEMANDED,     ("--plugin-config", f"deny={IDENTITY}"),                                   1,   "trusted identity verification by plugin 'nv2test' failed with reason 'denied by configuration'"),
    (DEMANDED,     ("--plugin-config", f"deny={REVOCATION}"),                                 1,   "revocation check by plugin 'nv2test' failed with reason"),
    (ATTRIBUTE,    ("--plugin-config", "ignore=yes"),                                         1,   "'com.example.must' was not processed"),
    (NEWER,        (),                                                                        3,   "needs plugin version greater than or equal to 1.0.1"),
    (DEMANDED,     ("--plugin-config", "capabilities=SIGNATURE_GENERATOR.RAW"),               3,   "verification capabilities"),
)
# fmt: on


@pytest.mark.parametrize("row", range(len(REFUSALS)))
def test_both_refuse_what_the_plugin_refuses(row: int, home: Home, registry: str) -> None:
    signed, verified, code, says = REFUSALS[row]
    reference = pushed(registry, "refused", f"refused {row}")
    home.notation("sign", *key(home), *signed, reference)
    ended = home.nv2("verify", *verified, reference, check=False)
    assert (ended.returncode, says in ended.stderr) == (code, True), ended.stderr
    assert home.notation("verify", *verified, reference, check=False).returncode == 1


def test_an_identity_that_only_the_plugin_knows_is_the_plugins_to_judge(home: Home, registry: str) -> None:
    reference = pushed(registry, "identity", "identity")
    home.nv2("sign", *key(home), *DEMANDED, reference)
    identities(home, "x509.subject:C=US,ST=WA,O=somebody else")
    try:
        home.notation("verify", reference)
        home.nv2("verify", reference)
    finally:
        identities(home, "x509.subject:C=US,ST=WA,O=wabbit-networks.io")


def test_a_signing_agent_names_the_plugin_and_annotations_of_the_plugin_are_kept(
    home: Home, registry: str
) -> None:
    reference = pushed(registry, "agent", "agent")
    home.nv2("sign", *key(home), reference)
    assert "nv2test/1.0.0" in home.notation("inspect", reference).stdout
    home.nv2("sign", *key(home), *ENVELOPE, "--plugin-config", "annotation.com.example=noted", reference)
    shown = home.nv2("inspect", "-o", "json", reference).stdout
    assert home.notation("verify", reference).returncode == 0
    assert "nv2test" in shown


def test_a_key_that_one_lists_the_other_signs_with(home: Home, registry: str) -> None:
    reference = pushed(registry, "listed", "listed")
    identifier = str(home.directory / "key.pem")
    for program, name, other in ((home.nv2, "a", home.notation), (home.notation, "b", home.nv2)):
        added = program(
            "key", "add", name, "--plugin", "nv2test", "--id", identifier, "--plugin-config", "x=y"
        )
        assert added.stdout == f"{name}\n"
        other("sign", "-k", name, reference)
    assert home.nv2("key", "list").stdout == home.notation("key", "list").stdout


def test_both_print_the_same_table_also_of_what_is_no_plugin(home: Home) -> None:
    (home.config / "plugins" / "absent").mkdir(exist_ok=True)
    theirs, ours = (run("plugin", "list").stdout for run in (home.notation, home.nv2))
    assert ours.replace("`nv2 plugin", "`notation plugin").split() == theirs.split()
    assert "[SIGNATURE_GENERATOR.RAW SIGNATURE_GENERATOR.ENVELOPE" in ours


def package(plugin: Path, folder: Path, version: str) -> Path:
    files = place(plugin, folder / f"files-{version}", version)
    archive = folder / f"plugin-{version}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in sorted(files.iterdir()):
            tar.add(file, file.name)
    return archive


def test_both_install_upgrade_refuse_to_go_back_and_uninstall(
    notation: Path, plugin: Path, tmp_path: Path
) -> None:
    old, new = (package(plugin, tmp_path, version) for version in ("1.2.0", "1.10.0"))
    steps = (
        ("install", "--file", str(old)),
        ("install", "--file", str(old)),
        ("install", "--file", str(new)),
        ("install", "--file", str(old)),
        ("add", "--force", "--file", str(old)),
        ("ls",),
        ("uninstall", "-y", "nv2test"),
        ("rm", "-y", "nv2test"),
        ("install", "--url", "http://localhost/x", "--sha256sum", "00"),
        ("install", "--url", "https://localhost/x"),
    )
    ours, theirs = new_home(tmp_path / "ours", notation), new_home(tmp_path / "theirs", notation)
    for step in steps:
        wanted = theirs.notation("plugin", *step, check=False)
        found = ours.nv2("plugin", *step, check=False)
        assert (found.returncode == 0) == (wanted.returncode == 0), f"{step}: {found.stderr}{wanted.stderr}"
        assert found.stdout == wanted.stdout
        core = wanted.stderr.removeprefix("Error: ").partition("\n")[0].rstrip(".")
        assert core in found.stderr
        files = [
            sorted(
                (str(path.relative_to(home.config)), path.stat().st_mode)
                for path in (home.config / "plugins").rglob("*")
            )
            for home in (ours, theirs)
        ]
        assert files[0] == files[1]
    assert not [path for path in ours.config.iterdir() if path.name.startswith(".nv2")]
