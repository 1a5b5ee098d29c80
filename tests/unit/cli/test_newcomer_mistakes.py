"""Every mistake of the first ten minutes gets one error that says where, a hint, and leaves nothing behind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.world.ca import CA, SERVER_AUTH, self_signed

TAGGED = "registry.example.com/image:v1"


def _no_traceback(ended: Ended) -> None:
    assert "Traceback" not in ended.err
    assert ended.out == ""


def _acme_key(line: CommandLine) -> None:
    assert line("key", "generate", "acme", "--subject", "CN=acme,O=acme,ST=WA,C=US").code == 0


class Mistake(NamedTuple):
    """A command line that cannot work, and what must be said."""

    name: str
    words: tuple[str, ...]
    says: str
    hint: str
    code: int = 3
    prepare: Callable[[CommandLine], None] = lambda _: None


def _policy(text: str) -> Callable[[CommandLine], None]:
    def prepare(line: CommandLine) -> None:
        line.config.mkdir()
        (line.config / "trustpolicy.json").write_text(text)

    return prepare


def _statement(**more: object) -> str:
    statement = {
        "name": "images",
        "registryScopes": ["registry.example.com/image"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **more,
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement]})


def _write(name: str, data: bytes) -> Callable[[CommandLine], None]:
    return lambda line: (line.directory / name).write_bytes(data) and None


def _lonely_key(line: CommandLine) -> None:
    (line.directory / "lonely.key").write_bytes((line.directory / "wabbit.key").read_bytes())


def _expired_pair(line: CommandLine) -> None:
    pair = WABBIT.issue("CN=old,O=o,ST=WA,C=US", "EC-256", not_after=datetime(2025, 6, 1, tzinfo=UTC))
    (line.directory / "old.key").write_bytes(pair.pem_key())
    (line.directory / "old.crt").write_bytes(pair.pem_chain())


def _authority_pair(line: CommandLine) -> None:
    pair = self_signed("CN=openssl,O=o,ST=WA,C=US", "EC-256", basic_constraints=(True, None))
    (line.directory / "openssl.key").write_bytes(pair.pem_key() + pair.pem_chain())


STRANGER = WABBIT.issue("CN=stranger,O=o,ST=WA,C=US", "EC-256")

MISTAKES = (
    Mistake("no reference", ("verify",), "missing reference to the artifact", "name it as", 2),
    Mistake(
        "no registry in the name",
        ("verify", "alpine:3"),
        "a registry is missing",
        "docker.io/library/alpine",
        2,
    ),
    Mistake(
        "no tag",
        ("verify", "registry.example.com/image"),
        "no tag or digest",
        "registry.example.com/image:<tag>",
        2,
    ),
    Mistake(
        "capital letters",
        ("verify", "registry.example.com/Image:v1"),
        "invalid repository 'Image'",
        "lower case: image",
        2,
    ),
    Mistake(
        "a scheme before the registry",
        ("verify", "https://registry.example.com/image:v1"),
        "a reference has no scheme",
        "write registry.example.com/image:v1",
        2,
    ),
    Mistake(
        "a layout without its word",
        ("list", "./image:v1"),
        "a path is no reference to a registry",
        "layout:./image:v1",
        2,
    ),
    Mistake(
        "skopeo's scheme before the registry",
        ("copy", "docker://registry.example.com/image:v1", "layout:here"),
        "a reference has no scheme",
        "write registry.example.com/image:v1",
        2,
    ),
    *(
        Mistake(f"a layout as elsewhere: {text}", ("list", text), says, "layout:image:v1", 2)
        for text, says in (
            ("oci:image:v1", "a registry is missing"),
            ("oci-archive:image:v1", "a registry is missing"),
            ("ocidir://image:v1", "a reference has no scheme"),
        )
    ),
    Mistake("an archive", ("list", "image.tar"), "a registry is missing", "named layout:image.tar", 2),
    Mistake("an archive, tag", ("list", "image.tar:v1"), "is missing", "named layout:image.tar:v1", 2),
    Mistake(
        "a registry alone",
        ("list", "localhost:5000"),
        "localhost:5000: a registry is missing",
        "a registry alone: name a repository in it, localhost:5000/<repository>:<tag>",
        2,
    ),
    Mistake(
        "no tag for the doctor",
        ("registry", "doctor", "registry.example.com/image"),
        "no tag or digest",
        "registry.example.com/image:<tag>",
        2,
    ),
    Mistake(
        "a certificate without -k",
        ("verify", "leaf.crt", IMAGE),
        "leaf.crt: a registry is missing",
        "name keys and certificates with --key",
        2,
    ),
    Mistake("misspelt command", ("verfy",), 'unknown command "verfy"', "did you mean 'nv2 verify'?", 2),
    Mistake(
        "misspelt command under a word",
        ("key", "genrate", "ci"),
        'unknown command "genrate" for "nv2 key"',
        "did you mean 'nv2 key generate'?",
        2,
    ),
    Mistake("what people say", ("key", "rm", "ci"), 'unknown command "rm"', "'nv2 key delete'?", 2),
    Mistake(
        "no plugin",
        ("plugin", "install", "--file"),
        "missing plugin file path",
        "nv2 plugin install --file",
        2,
    ),
    Mistake("a flag before the command", ("-d", "list", IMAGE), 'unknown flag "-d"', "flags come after", 2),
    Mistake(
        "a subject without attributes",
        ("key", "generate", "ci", "--subject", "wabbit"),
        "'wabbit' is not a distinguished name",
        "C=US,ST=WA,O=example.com",
        2,
    ),
    Mistake(
        "misspelt store type", ("cert", "list", "--type", "CA"), "unsupported store type: CA", "types: ca", 2
    ),
    Mistake(
        "a certificate that is not in the store",
        ("cert", "show", "--type", "ca", "--store", "acme", "acme.crt"),
        "no such file",
        "nv2 cert list",
    ),
    Mistake("misspelt flag", ("sign", "--kye", "x", IMAGE), "unknown flag: --kye", "did you mean --key?", 2),
    Mistake("half a flag", ("sign", "--ca", "x", IMAGE), "unknown flag: --ca", "did you mean --ca-file?", 2),
    Mistake("a flag of oras", ("list", "--plain-http", IMAGE), "unknown flag", "--insecure-registry?", 2),
    Mistake("curl's flag", ("list", "--cacert", "x", IMAGE), "unknown flag", "did you mean --ca-file?", 2),
    Mistake("an authority's file", ("list", "--ca-cert", "x", IMAGE), "unknown flag", "mean --ca-file?", 2),
    Mistake("one annotation", ("sign", "--annotation", "a=b", IMAGE), "unknown", "mean --user-metadata?", 2),
    Mistake("cosign's flag", ("sign", "--annotations", "a=b", IMAGE), "unknown", "mean --user-metadata?", 2),
    Mistake(
        "a certificate", ("sign", "--certificate", "x", IMAGE), "unknown flag", "did you mean --cert?", 2
    ),
    Mistake("… where there is none", ("list", "--certificate", "x"), "unknown", "see 'nv2 list --help'", 2),
    *(
        Mistake(f"TLS elsewhere: {flag}", ("list", flag, IMAGE), "unknown flag", "TLS are always verified", 2)
        for flag in (
            "--allow-insecure",
            "--insecure",
            "--insecure-skip-tls-verify",
            "--insecure-skip-verify",
            "--tls-verify=true",
        )
    ),
    *(
        Mistake(f"copying elsewhere: {flag}", ("copy", flag, IMAGE, "layout:x"), "unknown flag", hint, 2)
        for flag, hint in (
            ("--recursive", "comes along anyway"),
            ("--all", "comes along anyway"),
            ("--referrers", "comes along anyway"),
            ("--to-oci-layout", "layout:<directory>:<tag>"),
            ("--to-plain-http", "--insecure-registry?"),
            ("--dest-tls-verify=false", "TLS are always verified"),
        )
    ),
    Mistake("a command of oras", ("pull", IMAGE), 'unknown command "pull"', "'nv2 copy'?", 2),
    Mistake("a misspelt flag of nv2", ("--verison",), 'unknown flag "--verison"', "'nv2 --version'?", 2),
    Mistake("a flag before its command", ("--debug", "list"), "unknown flag", "come after the command", 2),
    Mistake("a flag like none", ("sign", "--xyzzy", IMAGE), "unknown flag", "see 'nv2 sign --help'", 2),
    Mistake("a letter like none", ("key", "ls", "-x"), "unknown shorthand", "see 'nv2 key list --help'", 2),
    Mistake(
        "half a plugin's key", ("sign", "--plugin", "x", IMAGE), "must all be set; missing [id]", "--help", 2
    ),
    Mistake(
        "a store that is not there",
        ("cert", "delete", "--type", "ca", "--store", "acme", "--all", "--yes"),
        'the trust store "acme" of type "ca" does not exist',
        "see 'nv2 cert list'",
    ),
    Mistake("no policy", ("verify", TAGGED), "trust policy", "nv2 policy init"),
    Mistake(
        "a typo in the policy",
        ("verify", TAGGED),
        "unknown field 'trustStore'",
        "did you mean 'trustStores'?",
        prepare=_policy(_statement(trustStore=[])),
    ),
    Mistake("half a policy", ("verify", TAGGED), "not JSON", "", prepare=_policy('{"version": "1.0",')),
    Mistake(
        "a level that is none",
        ("verify", TAGGED),
        "trustPolicies[0].signatureVerification.level: unknown level 'strikt'",
        "levels: strict",
        prepare=_policy(_statement(signatureVerification={"level": "strikt"})),
    ),
    Mistake(
        "no applicable oci trust policy statement",
        ("verify", "registry.example.com/other:v1"),
        "registry.example.com/other",
        "'nv2 policy import FILE' replaces: registry.example.com/image",
        prepare=_policy(_statement()),
    ),
    Mistake(
        "no scope for a layout",
        ("verify", IMAGE),
        "an image layout has no repository",
        "--scope",
        prepare=_policy(_statement()),
    ),
    Mistake("no keys at all", ("sign", IMAGE), "default signing key", "nv2 key"),
    Mistake(
        "no such key",
        ("sign", "-k", "nobody", IMAGE),
        "signing key nobody not found, nor a file of this name",
        "nv2 key list",
    ),
    Mistake(
        "the file of a key that lies among the signing keys",
        ("sign", "-k", "acme.key", IMAGE),
        "signing key acme.key not found, nor a file of this name",
        "there is a signing key of that name: -k acme",
        prepare=_acme_key,
    ),
    Mistake(
        "the certificate of a key that lies among the signing keys",
        ("verify", "-k", "acme.crt", IMAGE),
        "acme.crt",
        "there is a signing key of that name: -k acme",
        prepare=_acme_key,
    ),
    Mistake(
        "a key without a certificate",
        ("sign", "-k", "lonely.key", IMAGE),
        "certificate",
        "--cert",
        prepare=_lonely_key,
    ),
    Mistake(
        "a certificate of another key",
        ("sign", "-k", "wabbit.key", "--cert", "other.crt", IMAGE),
        "other.crt",
        "--cert",
        prepare=_write("other.crt", STRANGER.pem_chain()),
    ),
    Mistake(
        "an expired certificate signs",
        ("sign", "-k", "old.key", IMAGE),
        "2025-06-01",
        "",
        prepare=_expired_pair,
    ),
    Mistake(
        "a server certificate signs",
        ("sign", "-k", "wabbit.key", "--cert", "tls.crt", IMAGE),
        "tls.crt",
        "",
        prepare=_write(
            "tls.crt", CA("Web").issue("CN=www,O=o,ST=WA,C=US", "EC-256", eku=(SERVER_AUTH,)).pem_chain()
        ),
    ),
    Mistake("a directory where a key belongs", ("sign", "-k", "image", IMAGE), "image: ", "name a file"),
    Mistake(
        "a key that is none",
        ("sign", "-k", "junk.key", IMAGE),
        "junk.key: ",
        "",
        prepare=_write("junk.key", b"hello"),
    ),
    Mistake(
        "an encrypted key and no terminal",
        ("sign", "-k", "locked.key", "--cert", "wabbit.crt", IMAGE),
        "there is no terminal",
        "--passphrase-file",
        prepare=_write("locked.key", STRANGER.pem_key(b"x")),
    ),
    Mistake(
        "trust in something else",
        ("verify", "-k", "junk", IMAGE),
        "junk: ",
        "-k takes a certificate",
        2,
        prepare=_write("junk", b"hello"),
    ),
    Mistake("trust in nothing", ("verify", "-k", "absent.crt", IMAGE), "absent.crt", "nv2 key list"),
    Mistake(
        "no build metadata", ("sign", "--metadata-file", "build.json"), "build.json: no such file", "path"
    ),
    Mistake("no policy to import", ("policy", "import", "policy.json"), "policy.json: no such file", "path"),
    Mistake("no policy to show", ("policy", "show"), "does not exist", "nv2 policy init"),
    Mistake(
        "a certificate authority signs",
        ("sign", "-k", "openssl.key", IMAGE),
        "must not be a certificate authority",
        "nv2 key generate",
        prepare=_authority_pair,
    ),
    Mistake("trust in a directory", ("verify", "-k", "image", IMAGE), "image: ", "name a file"),
    Mistake("no such layout", ("verify", "-k", "leaf.crt", "layout:nowhere:v1"), "nowhere", ""),
    Mistake(
        "no layout", ("list", "layout:config:v1"), "config", "", prepare=lambda line: line.config.mkdir()
    ),
    Mistake("no such tag in a layout", ("list", "layout:image:v9"), "v9", "v1"),
    Mistake(
        "negative expiry",
        ("sign", "-k", "wabbit.key", "-e", "-1h", IMAGE),
        "cannot be a negative value",
        "",
        2,
    ),
    Mistake(
        "reserved metadata",
        ("sign", "-k", "wabbit.key", "-m", "io.cncf.notary.x=1", IMAGE),
        "io.cncf.notary",
        "",
        2,
    ),
    Mistake(
        "unknown format",
        ("sign", "-k", "wabbit.key", "--signature-format", "pgp", IMAGE),
        'signature format "pgp" not supported',
        "jws",
        2,
    ),
    Mistake("unknown output", ("list", "-o", "yaml", IMAGE), 'invalid format: "yaml"', "text, json", 2),
    Mistake(
        "a plugin", ("sign", "--plugin", "p", "--id", "i", IMAGE), "`notation-p` not found", "plugin list", 3
    ),
    Mistake(
        "max-signatures of nothing",
        ("verify", "-k", "leaf.crt", "--max-signatures", "0", IMAGE),
        "must be a positive number",
        "",
        2,
    ),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_gets_one_error_and_a_hint(wabbit: CommandLine, mistake: Mistake, monkeypatch) -> None:
    monkeypatch.setattr("builtins.open", _without_terminal(open))
    mistake.prepare(wabbit)
    before = _everything(wabbit.directory)
    ended = wabbit(*mistake.words)
    _no_traceback(ended)
    assert ended.code == mistake.code, ended.err
    errors = [line for line in ended.error_lines if line.startswith("Error: ")]
    hints = [line for line in ended.error_lines if line.startswith("hint: ")]
    assert len(errors) == 1
    assert mistake.says in errors[0]
    assert mistake.hint in "".join(hints)
    assert _everything(wabbit.directory) == before


def _without_terminal(real: Callable[..., object]) -> Callable[..., object]:
    def opened(name: object, *more: object, **words: object) -> object:
        if name == "/dev/tty":
            raise OSError(6, "No such device or address")
        return real(name, *more, **words)

    return opened


def _everything(directory: Path) -> dict[str, bytes | None]:
    """Every file and folder that is not a lock."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
        if "state" not in path.relative_to(directory).parts
    }


def test_an_expired_signature_says_when_it_expired(wabbit: CommandLine, monkeypatch) -> None:
    wabbit("sign", "-k", "wabbit.key", "-e", "1s", IMAGE)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr("nv2.notary.session.datetime", _Clock(tomorrow))
    ended = wabbit("verify", "-k", "leaf.crt", IMAGE)
    assert ended.code == 1
    assert "expiry failed" in ended.err
    assert f"{datetime.now(UTC):%Y-%m-%d}" in ended.err


class _Clock:
    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self, _: object) -> datetime:
        return self._instant


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_file_that_may_not_be_read_is_named(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTATION_CONFIG", "config")  # the directories above are the owner's alone
    (wabbit.directory / "wabbit.key").chmod(0)
    wabbit.directory.chmod(0o755)
    with _as_nobody():
        ended = wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert ended.code == 3
    assert "wabbit.key: " in ended.err
    assert "permission" in ended.err.lower()


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)
