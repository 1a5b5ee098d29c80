"""What lies on this machine is wrong, by mistake or on purpose: policy, trust stores, keys, names of files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nv2.transport.interface import Request, Response
from tests.hostile.machine import (
    BUILD,
    HOST,
    MIB,
    NOT_TRUSTED,
    STATEMENT,
    STRANGER,
    UNDECIDED,
    USAGE,
    Attack,
    Machine,
    check,
    nothing,
    trusts,
)
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.world.ca import pem
from tests.world.logins import PASSWORD, BearerLogin

GOOD = "x509.subject: C=US, ST=WA, O=wabbit-networks.io"


def good(strike: Callable[[Machine], object]) -> Callable[[Machine], None]:
    """The image is signed well, and then `strike`: the files alone must make the no."""

    def both(machine: Machine) -> None:
        machine.sign()
        strike(machine)

    return both


def statement(**changes: Any) -> Callable[[Machine], None]:
    return good(lambda machine: machine.policy(**changes))


def text(change: Callable[[str], str]) -> Callable[[Machine], None]:
    """The usual policy, rewritten."""
    usual = json.dumps({"version": "1.0", "trustPolicies": [STATEMENT]})
    return good(lambda machine: machine.policy(change(usual)))


def inserted(before: str, more: str) -> Callable[[Machine], None]:
    return text(lambda usual: usual.replace(before, more + before, 1))


def identity(*identities: str) -> Callable[[Machine], None]:
    return statement(trustedIdentities=[f"x509.subject: {name}" for name in identities])


def path_of(machine: Machine, name: str) -> Path:
    return machine.config / name


def linked(name: str) -> Callable[[Machine], None]:
    """The file or directory is a symbolic link to one with the same content."""

    def strike(machine: Machine) -> None:
        path = path_of(machine, name)
        path.rename(target := machine.line.directory / "target")
        path.symlink_to(target)

    return good(strike)


def replaced(name: str, data: bytes) -> Callable[[Machine], None]:
    return good(lambda machine: path_of(machine, name).write_bytes(data))


def gone(name: str) -> Callable[[Machine], None]:
    return good(lambda machine: path_of(machine, name).unlink())


def pipe(name: str) -> Callable[[Machine], None]:
    """The file is a pipe that nobody writes to."""

    def strike(machine: Machine) -> None:
        path_of(machine, name).unlink()
        os.mkfifo(path_of(machine, name))

    return good(strike)


def larger(name: str, size: int) -> Callable[[Machine], None]:
    """The file is longer than any of its kind, with holes."""
    return good(lambda machine: os.truncate(path_of(machine, name), size))


def policies(*many: Mapping[str, Any]) -> Callable[[Machine], None]:
    document = json.dumps({"version": "1.0", "trustPolicies": list(many)})
    return good(lambda machine: machine.policy(document))


POLICY, STORE, ROOT = "trustpolicy.json", "truststore/x509/ca/wabbit", "truststore/x509/ca/wabbit/root.crt"
SKIP = {"level": "skip"}
NESTED = "[" * 100_000
# Another letter for the "a" of "wabbit-networks.io": it looks the same.
LOOK_ALIKE = "C=US,ST=WA,O=w\N{CYRILLIC SMALL LETTER A}bbit-networks.io"

# fmt: off
POLICIES = (
    # files
    Attack("a policy that is a link", linked(POLICY), "is a symbolic link"),
    Attack("a policy that is a pipe", pipe(POLICY), "not a regular file"),
    Attack("a policy that is not there", gone(POLICY), "trust policy is not present"),
    Attack("a policy of a gigabyte", larger(POLICY, 1024 * MIB), "longer than", memory=24 * MIB),
    Attack("a trust store that is a link", linked(STORE), "symbolic links are not followed"),
    Attack("a directory of trust stores that is a link to nowhere", good(lambda m: (m.config / "truststore/x509").rename(m.config / "gone")), "does not exist"),
    Attack("a certificate that is a link", linked(ROOT), "is a symbolic link"),
    Attack("a certificate that is a pipe", pipe(ROOT), "not a regular file"),
    Attack("a certificate that is none", replaced(ROOT, b"junk"), "root.crt"),
    Attack("a certificate of a gigabyte", larger(ROOT, 1024 * MIB), "longer than", memory=24 * MIB),
    Attack("a directory among the certificates", good(lambda m: (m.config / STORE / "more").mkdir()), "more"),
    Attack("a certificate of a stranger in place of ours", replaced(ROOT, pem([STRANGER.root])), "authenticity failed", NOT_TRUSTED),
    Attack("a signing certificate as an authority", replaced(ROOT, pem([BUILD.leaf])), "neither a CA certificate nor self-signed"),
    Attack("a private key among the certificates", good(lambda m: m.store("ca/wabbit", key=BUILD.pem_key())), "key.crt"),
    Attack("a junk file beside a good certificate", good(lambda m: m.store("ca/wabbit", junk=b"junk")), "junk.crt"),
    Attack("a trust store without certificates", gone(ROOT), "no x509 certificates were found"),
    # JSON
    Attack("a policy that is no JSON", text(lambda usual: usual[:-1]), "trustpolicy.json"),
    Attack("a policy with something behind it", text(lambda usual: usual + "{}"), "trustpolicy.json"),
    Attack("a policy with a key twice", inserted('"trustStores"', '"trustStores": ["ca:other"], '), "duplicate key 'trustStores'"),
    Attack("a policy with statements twice", inserted('"trustPolicies"', '"trustPolicies": [], '), "duplicate key 'trustPolicies'"),
    Attack("a policy with a key in another case", text(lambda usual: usual.replace("level", "Level")), "unknown field 'Level'"),
    Attack("a policy with one key in two cases", inserted('"trustStores"', '"truststores": ["ca:other"], '), "unknown field 'truststores'"),
    Attack("a policy with a misspelt field", statement(signatureVerification={"level": "strict", "verifyTimestmp": "always"}), "unknown field 'verifyTimestmp'"),
    Attack("a policy with a field of nobody", statement(trustStore=["ca:x"]), "unknown field 'trustStore'"),
    Attack("a policy nested too deep", text(lambda _: NESTED), "trustpolicy.json"),
    Attack("a policy with a number of 100,000 digits", inserted('"trustPolicies"', f'"version": {"9" * 100_000}, '), "trustpolicy.json"),
    Attack("a policy in UTF-16", good(lambda m: (m.config / POLICY).write_bytes((m.config / POLICY).read_text().encode("utf-16"))), "trustpolicy.json"),
    Attack("a policy with half a character", text(lambda usual: usual.replace("images", "\\ud800")), "trustpolicy.json"),
    Attack("a version that nobody knows", text(lambda usual: usual.replace("1.0", "2.0")), "unknown version '2.0'"),
    # statements
    Attack("all artifacts among named ones", statement(registryScopes=["*", "registry.test/app"]), "'*' must be the only scope"),
    Attack("a wildcard in a repository", statement(registryScopes=["registry.test/*"]), "is not a repository"),
    Attack("no verification for all artifacts", policies({"name": "x", "registryScopes": ["*"], "signatureVerification": SKIP}), "level 'skip' cannot be used with the scope '*'"),
    Attack("no verification, and a trust store", statement(signatureVerification=SKIP), "level 'skip' verifies nothing"),
    Attack("one repository in two statements", policies(STATEMENT, {**STATEMENT, "name": "other"}), "stands at trustPolicies[0].registryScopes[0] already"),
    Attack("one repository in two spellings", statement(registryScopes=["REGISTRY.test:443/app"]), "in another spelling"),
    Attack("no statement for the repository", statement(registryScopes=["registry.test/other"]), 'artifact "registry.test/app" has no applicable oci trust policy statement'),
    Attack("integrity that is only logged", statement(signatureVerification={"level": "strict", "override": {"integrity": "log"}}), "trustPolicies[0].signatureVerification.override"),
    Attack("a level that nobody knows", statement(signatureVerification={"level": "none"}), "trustPolicies[0].signatureVerification.level"),
    Attack("a trust store above its directory", statement(trustStores=["ca:../wabbit"]), "trustPolicies[0].trustStores[0]"),
    Attack("a trust store of the directory itself", statement(trustStores=["ca:."]), "trustPolicies[0].trustStores[0]"),
    Attack("a trust store at an absolute place", statement(trustStores=["ca:/etc/ssl"]), "trustPolicies[0].trustStores[0]"),
    Attack("a trust store with a NUL in its name", statement(trustStores=["ca:a\0b"]), "trustPolicies[0].trustStores[0]"),
    Attack("a type of trust stores that is a path", statement(trustStores=["../x509/ca:wabbit"]), "trustPolicies[0].trustStores[0]"),
    # identities
    Attack("anyone among named identities", statement(trustedIdentities=["*", GOOD]), "'*' must be the only identity"),
    Attack("identities that overlap", identity("C=US,ST=WA,O=x", "C=US,ST=WA,O=x,CN=y"), "overlaps with trustPolicies[0].trustedIdentities[0]"),
    Attack("identities that overlap in another order", identity("CN=y,O=x,ST=WA,C=US", "C=US,ST=WA,O=x"), "overlaps with trustPolicies[0].trustedIdentities[0]"),
    Attack("an identity with a comma that is escaped", identity(r"C=US,ST=WA,O=wabbit-networks.io\,CN=build"), "authenticity failed", NOT_TRUSTED),
    Attack("an identity with letters that look alike", identity(LOOK_ALIKE), "authenticity failed", NOT_TRUSTED),
    Attack("an identity in another case", identity("C=US,ST=WA,O=Wabbit-Networks.io"), "authenticity failed", NOT_TRUSTED),
    Attack("an identity that is the beginning of ours", identity("C=US,ST=WA,O=wabbit"), "authenticity failed", NOT_TRUSTED),
    Attack("an identity with a pattern", identity("C=US,ST=WA,O=*"), "authenticity failed", NOT_TRUSTED),
    Attack("an identity with several values in one part", identity("C=US+ST=WA,O=wabbit-networks.io"), "several values in one part"),
    Attack("an identity with an empty attribute", identity("C=US,ST=WA,O="), "O has no value"),
    Attack("an identity with an attribute twice", identity("C=US,ST=WA,O=x,O=wabbit-networks.io"), "O occurs twice"),
    Attack("an identity with a state twice, under two names", identity("C=US,ST=WA,S=WA,O=wabbit-networks.io"), "ST occurs twice"),
    Attack("an identity without an organisation", identity("C=US,ST=WA"), "has no O"),
    Attack("an identity that ends in a backslash", identity("C=US,ST=WA,O=x\\"), "a backslash escapes"),
    Attack("an identity with bytes that are no text", identity(r"C=US,ST=WA,O=\ff"), "is not a distinguished name"),
    Attack("an identity of a kind that nobody decides", statement(trustedIdentities=["spiffe://x"]), "authenticity failed", NOT_TRUSTED),
    # other files
    Attack("settings with a key twice", replaced("config.json", b'{"insecureRegistries":[],"insecureRegistries":[]}'), "config.json"),
    Attack("settings of the wrong kind", replaced("config.json", b'{"insecureRegistries":"registry.test"}'), "config.json"),
    Attack("a list of keys nested too deep", replaced("signingkeys.json", NESTED.encode()), "signingkeys.json", words="sign -k ci IMAGE"),
    Attack("a list of keys with a key twice", replaced("signingkeys.json", b'{"keys":[],"keys":[]}'), "signingkeys.json", words="sign -k ci IMAGE"),
    Attack("a list of keys of a gigabyte", good(lambda m: (replaced("signingkeys.json", b"{")(m), larger("signingkeys.json", 1024 * MIB)(m))), "longer than", words="sign -k ci IMAGE", memory=24 * MIB),
)

NAMES = (
    Attack("a certificate to delete above its store", nothing, "cannot be used", USAGE, "cert delete -y --type ca --store wabbit ../other/keep.crt"),
    Attack("a certificate to delete at an absolute place", nothing, "cannot be used", USAGE, "cert delete -y --type ca --store wabbit /etc/hostname"),
    Attack("a store to delete above its type", nothing, "'../ca' does not", USAGE, "cert delete -y --all --type ca --store ../ca"),
    Attack("a store to delete that is every store", nothing, "'.' does not", USAGE, "cert delete -y --all --type ca --store ."),
    Attack("a type to delete above the stores", nothing, "unsupported store type: ..", USAGE, "cert delete -y --all --type .. --store x509"),
    Attack("a certificate to show above its store", nothing, "cannot be used", USAGE, "cert show --type ca --store wabbit ../../../trustpolicy.json"),
    Attack("a store to add to above its type", nothing, "'../../x' does not", USAGE, "cert add --type ca --store ../../x root.crt"),
    Attack("a test certificate above its directory", nothing, "must follow", USAGE, "cert generate-test ../x"),
    Attack("a test certificate to clean up above its directory", nothing, "must follow", USAGE, "cert cleanup-test -y ../x"),
    Attack("a key to generate above its directory", nothing, "cannot be used", USAGE, "key generate ../x --subject C=US,ST=WA,O=x"),
    Attack("a key to generate where there is one", lambda m: m.run("key generate ci --subject C=US,ST=WA,O=x"), "ci", UNDECIDED, "key generate ci --subject C=US,ST=WA,O=x"),
)
# fmt: on


@pytest.mark.parametrize("attack", POLICIES, ids=lambda attack: attack.name)
def test_a_file_that_is_wrong_gets_no_yes(machine: Machine, attack: Attack) -> None:
    trusts_when_untouched(machine)
    check(machine, attack)


def trusts_when_untouched(machine: Machine) -> None:
    """So that the file, and nothing else, makes the no."""
    digest = machine.sign()
    trusts(machine)
    del machine.repository.manifests[digest]
    machine.network.requests.clear()


@pytest.mark.parametrize("attack", NAMES, ids=lambda attack: attack.name)
def test_a_name_that_leads_elsewhere_touches_nothing(machine: Machine, attack: Attack) -> None:
    machine.store("ca/other", keep=pem([WABBIT.certificate]))
    attack.strike(machine)
    before = files(machine.line.directory)
    check(machine, attack._replace(strike=nothing))
    assert files(machine.line.directory) == before
    assert machine.network.requests == []


def files(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# --- secrets ----------------------------------------------------------------------------------------------


def test_a_generated_key_is_for_its_owner_alone(machine: Machine) -> None:
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        assert machine.run("key generate ci --subject C=US,ST=WA,O=x").code == 0
    finally:
        os.umask(before)
    (key,) = machine.config.rglob("ci.key")
    assert key.stat().st_mode & 0o077 == 0
    assert key.parent.stat().st_mode & 0o077 == 0


def test_a_key_that_everybody_can_read_signs_with_a_warning(machine: Machine) -> None:
    (machine.line.directory / "wabbit.key").chmod(0o644)
    ended = machine.run(f"sign -k wabbit.key {IMAGE}")
    assert ended.code == 0
    assert "every user of this machine can read the private key" in ended.err


@pytest.mark.parametrize("words", ["verify -d IMAGE", "sign -d -k wabbit.key IMAGE", "list -d IMAGE"])
def test_a_debug_log_holds_no_secret(machine: Machine, words: str) -> None:
    login = BearerLogin(realm="https://auth.test/token")
    machine.registry.login = login
    machine.hosts["auth.test"] = login
    machine.monkeypatch.setenv("NOTATION_USERNAME", "alice")
    machine.monkeypatch.setenv("NOTATION_PASSWORD", PASSWORD)
    machine.sign()
    ended = machine.run(words)
    assert ended.code == 0, ended.err
    assert "registry.test" in ended.err
    secrets = [PASSWORD, *login.tokens]
    secrets += [
        r.headers["Authorization"].split()[1]
        for r in machine.network.requests
        if "Authorization" in r.headers
    ]
    assert len(secrets) > 3
    assert not [secret for secret in secrets if secret in ended.err + ended.out]


def test_a_debug_log_holds_no_cookie(machine: Machine) -> None:
    machine.sign()
    serve = machine.hosts[HOST]

    def with_cookie(request: Request) -> Response:
        found = serve(request)
        return found._replace(headers={**found.headers, "set-cookie": "session=hunter2"})

    machine.hosts[HOST] = with_cookie
    ended = machine.run("verify -d IMAGE")
    assert ended.code == 0
    assert "registry.test" in ended.err
    assert "hunter2" not in ended.err + ended.out


def test_a_file_that_another_user_may_write_is_still_read(machine: Machine) -> None:
    """Who may write the configuration decides what is trusted; the modes of its files are his own affair."""
    machine.sign()
    (machine.config / POLICY).chmod(0o666)
    (machine.config / ROOT).chmod(0o666)
    trusts(machine)
