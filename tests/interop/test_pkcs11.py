"""Keys in tokens: SoftHSM2 signs, the real notation verifies, and nothing goes wrong in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.envelope.algorithms import BY_KEY, verify
from nv2.errors import Nv2Error, SigningKeyError
from nv2.keys.pkcs11 import signer as signing
from nv2.keys.pkcs11.signer import TokenSigner, open_signer
from nv2.keys.pkcs11.uri import parse_uri
from nv2.notary.session import Session
from nv2.notary.signers import find_signer
from nv2.pki.certificate import parse_certificate
from tests.interop.home import KEYS, Home, new_home
from tests.world.ca import CA, certificate, name_of, pem
from tests.world.images import image_layout
from tests.world.softhsm import PIN, TOKEN, SoftHsm

pytestmark = pytest.mark.peers

AUTHORITY = CA("Wabbit").intermediate("Signers")
SUBJECT = "CN=token,O=wabbit-networks.io,ST=WA,C=US"
WITHOUT_CERTIFICATE = "bare"
ALWAYS_ASKING = ("EC-256", "RSA-2048")


class Tokens(NamedTuple):
    """A set-up with a key of every kind, and keys with something wrong."""

    hsm: SoftHsm
    leaves: dict[str, bytes]
    """By label, DER."""
    directory: Path

    def chain_file(self, label: str) -> Path:
        path = self.directory / f"{label}.crt"
        path.write_bytes(pem((self.leaves[label], *AUTHORITY.chain)))
        return path


@pytest.fixture(scope="session")
def tokens(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    leaves = {}
    softhsm.initialize(TOKEN)
    for label in ("twin", "twin", "bare"):
        softhsm.initialize(f"{label} token")
    with softhsm.opened() as session:

        def make(label: str, kind: str, identifier: bytes, **oddities: bool) -> None:
            made = softhsm.generate(session, label, kind, identifier, **oddities)
            name = name_of(SUBJECT)
            leaves[label] = certificate(name, made, issuer=AUTHORITY.subject, signed_by=AUTHORITY.key)

        for number, kind in enumerate(KEYS):
            make(kind, kind, bytes([number + 1]))
            softhsm.write_certificate(session, leaves[kind], kind, bytes([number + 1]))
        for number, issuer in enumerate(AUTHORITY.chain):
            softhsm.write_certificate(session, issuer, "issuer", bytes([200 + number]))
        softhsm.write_certificate(session, b"junk", "junk", b"\xc0")
        make("may-not-sign", "EC-256", b"\x40", may_sign=False)
        for number, kind in enumerate(ALWAYS_ASKING):
            make(f"always {kind}", kind, bytes([0x50 + number]), always_authenticate=True)
        make("double", "EC-256", b"\x41")
        make("double", "EC-256", b"\x42")
        make("hidden", "EC-256", b"\x43")
        softhsm.forget_public_key(session, "hidden")
        make("uncertified", "EC-256", b"\x44")
        make("misfiled", "EC-256", b"\x45")
        softhsm.forget_public_key(session, "misfiled")
        softhsm.write_certificate(session, leaves["EC-256"], "misfiled", b"\x45")
    with softhsm.opened("bare token") as session:
        softhsm.generate(session, WITHOUT_CERTIFICATE, "EC-256", b"\x01")
    return Tokens(softhsm, leaves, tmp_path_factory.mktemp("chains"))


@pytest.fixture(autouse=True)
def _see_the_tokens(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tokens.hsm.configuration))


def right_pin(_: str) -> bytes:
    return PIN.encode()


def unasked(name: str) -> bytes:
    raise AssertionError(f"asked for the PIN of {name}")


@pytest.fixture
def open_key(tokens: Tokens) -> Iterator[Callable[..., TokenSigner]]:
    opened: list[TokenSigner] = []

    def open_one(label: str, *more: str, cert: Path | None = None, ask: Any = right_pin, **where: str) -> Any:
        uri = parse_uri(tokens.hsm.uri(label, *more, **where))
        opened.append(open_signer(uri, cert_path=cert, ask_pin=ask))
        return opened[-1]

    yield open_one
    for signer in opened:
        signer.close()


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_every_kind_signs_in_the_token(kind, tokens, open_key) -> None:
    signer = open_key(kind)
    assert signer.algorithm is BY_KEY[kind]
    assert signer.chain == (tokens.leaves[kind], *AUTHORITY.chain)
    verify(signer.algorithm, parse_certificate(signer.chain[0]).public_key, signer.sign(b"data"), b"data")


@pytest.mark.parametrize("kind", ["RSA-2048", "RSA-3072", "RSA-4096"])
def test_a_token_that_cannot_hash_gets_the_hash(kind, open_key, monkeypatch) -> None:
    signer = open_key(kind)
    asked = []
    choose = signing._mechanism
    monkeypatch.setattr(
        signing, "_mechanism", lambda *of: asked.append(choose(of[0], set(), of[2])) or dict(asked[0])
    )
    verify(signer.algorithm, parse_certificate(signer.chain[0]).public_key, signer.sign(b"data"), b"data")
    assert asked[0]["mechanism"].name == "RSA_PKCS_PSS"


def test_the_chain_may_stand_in_a_file(tokens, open_key) -> None:
    signer = open_key("uncertified", cert=tokens.chain_file("uncertified"))
    assert signer.chain == (tokens.leaves["uncertified"], *AUTHORITY.chain)
    assert signer.sign(b"data")


def test_a_key_that_hides_its_public_half_signs_with_the_certificate_of_a_file(tokens, open_key) -> None:
    assert open_key("hidden", cert=tokens.chain_file("hidden")).sign(b"data")


def test_a_certificate_of_another_key_is_noticed_before_the_signature_is_used(tokens, open_key) -> None:
    with pytest.raises(SigningKeyError, match="does not fit the certificate"):
        open_key("misfiled").sign(b"data")
    with pytest.raises(SigningKeyError, match="does not match the key"):
        open_key("uncertified", cert=tokens.chain_file("hidden"))


def test_two_keys_of_one_label_are_told_apart_by_their_ids(tokens, open_key) -> None:
    cert = tokens.chain_file("double")
    assert open_key("double", "id=%42", cert=cert).sign(b"data")
    with pytest.raises(SigningKeyError) as caught:
        open_key("double", cert=cert)
    assert caught.value.message == "2 keys fit"
    assert "id=41" in (caught.value.hint or "") and "id=42" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("label", "where", "message"),
    [
        ("nobody", {}, "there is no such key in the token"),
        ("EC-256", {"token": "nowhere"}, "there is no such token"),
        ("EC-256", {"token": "twin token"}, "2 tokens fit"),
        ("may-not-sign", {}, "the key may not sign"),
        ("uncertified", {}, "does not match the key"),
        (WITHOUT_CERTIFICATE, {"token": "bare token"}, "the token has no certificate"),
    ],
)
def test_what_cannot_sign_is_one_error_at_its_uri(label, where, message, open_key) -> None:
    with pytest.raises(SigningKeyError, match=message) as caught:
        open_key(label, **where)
    assert str(caught.value.at).startswith("pkcs11:token=")
    assert PIN not in f"{caught.value} {caught.value.hint}"


def test_a_wrong_pin_is_tried_once_and_never_shown(open_key) -> None:
    asked = []
    with pytest.raises(SigningKeyError, match="the PIN is wrong") as caught:
        open_key("EC-256", ask=lambda name: asked.append(name) or b"wrong-pin-0815")
    assert asked == [f"token {TOKEN}"]
    assert "0815" not in f"{caught.value} {caught.value.hint}"


def test_a_pin_may_come_from_a_file_that_the_uri_names(tokens, open_key, tmp_path) -> None:
    (tmp_path / "pin").write_text(f"{PIN}\nsecond line\n")
    assert open_key("EC-256", ask=unasked, query=f"&pin-source=file:{tmp_path}/pin").sign(b"data")
    with pytest.raises(SigningKeyError, match="no such file"):
        open_key("EC-256", ask=unasked, query=f"&pin-source=file:{tmp_path}/nothing")
    with pytest.raises(SigningKeyError, match="not the absolute path of a file"):
        open_key("EC-256", ask=unasked, query="&pin-source=pin")


def test_a_pin_in_the_uri_signs_with_a_warning(open_key) -> None:
    signer = open_key("EC-256", ask=unasked, query=f"&pin-value={PIN}")
    assert len(signer.warnings) == 1
    assert PIN not in signer.warnings[0]


@pytest.mark.parametrize("kind", ALWAYS_ASKING)
def test_a_key_that_always_wants_the_pin_is_given_it_for_every_signature(kind, tokens, open_key) -> None:
    asked = []
    cert = tokens.chain_file(f"always {kind}")
    label = f"always%20{kind}"
    signer = open_key(label, cert=cert, ask=lambda name: asked.append(name) or PIN.encode())
    assert signer.sign(b"one") and signer.sign(b"two")
    assert asked[0] == f"token {TOKEN}"
    assert [name.startswith("key pkcs11:") for name in asked[1:]] == [True, True]
    signer = open_key(label, cert=cert, ask=unasked, query=f"&pin-value={PIN}")
    assert signer.sign(b"three")


def test_a_wrong_pin_for_a_key_is_one_error_and_hands_nothing_on(tokens, open_key) -> None:
    answers = [PIN.encode(), b"wrong-pin-0815"]
    cert = tokens.chain_file("always EC-256")
    signer = open_key("always%20EC-256", cert=cert, ask=lambda _: answers.pop(0))
    with pytest.raises(SigningKeyError, match="the PIN is wrong") as caught:
        signer.sign(b"data")
    assert answers == []
    assert "0815" not in f"{caught.value} {caught.value.hint}"


def test_several_threads_take_turns(open_key) -> None:
    from concurrent.futures import ThreadPoolExecutor

    signer = open_key("EC-256")
    public = parse_certificate(signer.chain[0]).public_key
    data = [str(number).encode() for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        for signature, signed in zip(pool.map(signer.sign, data), data, strict=True):
            verify(signer.algorithm, public, signature, signed)


def test_a_closed_signer_signs_no_more(tokens) -> None:
    signer = open_signer(parse_uri(tokens.hsm.uri("EC-256")), ask_pin=right_pin)
    signer.close()
    with pytest.raises(SigningKeyError):
        signer.sign(b"data")


def test_a_key_of_a_session_signs_no_more_when_the_session_has_ended(tokens, tmp_path) -> None:
    places = {"NOTATION_CONFIG": str(tmp_path / "config"), "HOME": str(tmp_path)}
    with Session.from_environment(environ=places) as session:
        signer = find_signer(session, tokens.hsm.uri("EC-256"), None, right_pin)
        assert signer.sign(b"data")
    with pytest.raises(SigningKeyError):
        signer.sign(b"data")


def test_a_library_that_is_no_module_is_one_error(tokens, tmp_path) -> None:
    (tmp_path / "module.so").write_bytes(b"junk")
    for path in (tmp_path / "module.so", tmp_path / "nothing.so"):
        uri = parse_uri(f"pkcs11:token=a?module-path={path}")
        with pytest.raises(Nv2Error) as caught:
            open_signer(uri, ask_pin=unasked)
        assert caught.value.at == str(uri)


# --- both programs ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, notation: Path, tokens: Tokens) -> Home:
    home = new_home(tmp_path_factory.mktemp("home"), notation)
    home.write_store("ca", "wabbit", AUTHORITY.chain[-1])
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
    (home.directory / "pin").write_text(PIN)
    return home


def run(home: Home, tokens: Tokens, *words: str, check: bool = True) -> Any:
    return home.nv2(*words, check=check, more=tokens.hsm.environment)


@pytest.mark.parametrize("envelope", ["jws", "cose"])
@pytest.mark.parametrize("kind", KEYS)
def test_notation_verifies_what_a_token_signed(kind, envelope, home, tokens, tmp_path) -> None:
    digest = image_layout(tmp_path / "layout", f"{kind}-{envelope}")
    uri = tokens.hsm.uri(kind, query=f"&pin-source=file:{home.directory}/pin")
    run(home, tokens, "sign", "-k", uri, "--signature-format", envelope, f"layout:{tmp_path}/layout@{digest}")
    verified = home.notation(
        "verify", "--oci-layout", "--scope", "local/layout", f"{tmp_path}/layout@{digest}"
    )
    assert "Successfully verified signature" in verified.stdout


def test_a_listed_key_signs_and_notation_never_sees_it(home, tokens, tmp_path) -> None:
    digest = image_layout(tmp_path / "layout", "listed")
    reference = f"layout:{tmp_path}/layout@{digest}"
    word = ("--passphrase-file", f"{home.directory}/pin")
    added = run(home, tokens, "key", "add", "hsm", "--pkcs11", tokens.hsm.uri("RSA-2048"), "--default", *word)
    assert added.stdout == "hsm: marked as default\n"
    assert "hsm" not in home.notation("key", "list").stdout
    assert not (home.config / "signingkeys.json").exists()
    (listed,) = json.loads(run(home, tokens, "key", "list", "-o", "json").stdout)["keys"]
    assert listed == {"name": "hsm", "default": True, "pkcs11": tokens.hsm.uri("RSA-2048")}
    assert tokens.hsm.uri("RSA-2048") in run(home, tokens, "key", "list").stdout
    run(home, tokens, "sign", *word, reference)
    run(home, tokens, "sign", "-k", "hsm", "--passphrase-command", f"cat '{home.directory}/pin'", reference)
    home.notation("verify", "--oci-layout", "--scope", "local/layout", f"{tmp_path}/layout@{digest}")
    assert "Removed default key hsm" in run(home, tokens, "key", "delete", "hsm").stdout


def test_a_pin_never_goes_to_the_list_of_keys(home, tokens) -> None:
    uri = tokens.hsm.uri("EC-256", query=f"&pin-value={PIN}")
    ended = run(home, tokens, "key", "add", "hsm2", "--pkcs11", uri, check=False)
    assert ended.returncode == 2
    assert "a PIN is not written to the list of keys" in ended.stderr
    assert PIN not in ended.stderr + ended.stdout
    assert not any(PIN in path.read_text("latin-1") for path in home.config.rglob("*.json"))


@pytest.mark.parametrize("flags", [(), ("-d",), ("-v",)])
def test_no_pin_reaches_a_log_or_an_error(flags, home, tokens, tmp_path) -> None:
    # research: attack list, item 7 (secrets in the debug log)
    digest = image_layout(tmp_path / "layout", "log")
    reference = f"layout:{tmp_path}/layout@{digest}"
    uri = tokens.hsm.uri("EC-256", query=f"&pin-value={PIN}")
    ended = run(home, tokens, "sign", *flags, "-k", uri, reference)
    assert PIN not in ended.stderr + ended.stdout
    wrong = tokens.hsm.uri("EC-256", query="&pin-value=wrong-0815")
    ended = run(home, tokens, "sign", *flags, "-k", wrong, reference, check=False)
    assert (ended.returncode, "0815" in ended.stderr) == (3, False)
    assert "the PIN is wrong" in ended.stderr


def test_a_pin_that_nobody_can_be_asked_for_is_one_error(home, tokens, tmp_path) -> None:
    digest = image_layout(tmp_path / "layout", "nobody")
    ended = run(
        home,
        tokens,
        "sign",
        "-k",
        tokens.hsm.uri("EC-256"),
        f"layout:{tmp_path}/layout@{digest}",
        check=False,
    )
    assert ended.returncode == 3
    assert "--passphrase-command" in ended.stderr
