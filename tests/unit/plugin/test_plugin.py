"""A plugin that is written with `nv2.plugin` keeps the contract, whatever its functions do."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from nv2.envelope.algorithms import BY_KEY, verify
from nv2.errors import EnvironmentFailure, SigningKeyError
from nv2.plugin import (
    Capability,
    Envelope,
    ErrorCode,
    GenerateEnvelope,
    GenerateSignature,
    Plugin,
    RawSignature,
    Refusal,
    Result,
    Verified,
    VerifySignature,
    program,
)
from nv2.programs.contract import Command
from tests.world.ca import CA

AUTHORITY = CA("Wabbit")
PAIRS = {kind: AUTHORITY.issue(f"plugin-{kind}", kind) for kind in ("RSA-2048", "EC-256", "EC-384")}
SECRET = "s3cret-pin"


def new(name: str = "com.example.hsm") -> Plugin:
    return Plugin(name, "1.0.0", "an example", "https://example.com")


def signing() -> Plugin:
    plugin = new()
    plugin.signer(lambda key_id, _: PAIRS[key_id].signer())
    return plugin


def ask(plugin: Plugin, command: str, **fields: Any) -> tuple[int, Any]:
    request = {"contractVersion": "1.0", **fields}
    code, answer = plugin.answer([command], io.BytesIO(json.dumps(request).encode()))
    return code, json.loads(answer)


def refusal(plugin: Plugin, command: str, **fields: Any) -> str:
    code, answer = ask(plugin, command, **fields)
    assert code == 1
    assert set(answer) <= {"errorCode", "errorMessage", "errorMetadata"}
    return f"{answer['errorCode']}: {answer['errorMessage']}"


def to_sign(kind: str, **more: Any) -> dict[str, Any]:
    hash_name = BY_KEY[kind].hash.replace("sha", "SHA-")
    payload = b64encode(b"payload").decode()
    return {"keyId": kind, "keySpec": kind, "hashAlgorithm": hash_name, "payload": payload, **more}


def test_the_metadata_tell_what_there_are_functions_for() -> None:
    plugin = signing()
    plugin.verify_signature(Capability.TRUSTED_IDENTITY)(lambda _: Verified({}))
    assert ask(plugin, "get-plugin-metadata") == (
        0,
        {
            "name": "com.example.hsm",
            "version": "1.0.0",
            "description": "an example",
            "url": "https://example.com",
            "supportedContractVersions": ["1.0"],
            "capabilities": ["SIGNATURE_GENERATOR.RAW", "SIGNATURE_VERIFIER.TRUSTED_IDENTITY"],
        },
    )


@pytest.mark.parametrize("request_", [b"", b"{}", b'{"pluginConfig": {"a": "b"}}'])
def test_the_metadata_need_no_request(request_: bytes) -> None:
    assert signing().answer(["get-plugin-metadata"], io.BytesIO(request_))[0] == 0


@pytest.mark.parametrize("kind", PAIRS)
def test_a_signer_is_all_that_raw_signatures_need(kind: str) -> None:
    assert ask(signing(), "describe-key", keyId=kind) == (0, {"keyId": kind, "keySpec": kind})
    code, answer = ask(signing(), "generate-signature", **to_sign(kind))
    assert code == 0
    assert answer["keyId"] == kind
    assert answer["signingAlgorithm"] == BY_KEY[kind].name
    assert tuple(b64decode(text) for text in answer["certificateChain"]) == PAIRS[kind].chain
    verify(BY_KEY[kind], PAIRS[kind].public_key, b64decode(answer["signature"]), b"payload")


def test_the_configuration_of_the_key_reaches_the_function() -> None:
    plugin, seen = new(), []

    @plugin.generate_signature
    def sign(request: GenerateSignature) -> RawSignature:
        seen.append(request)
        pair = PAIRS["EC-256"]
        return RawSignature(pair.signer().sign(request.payload), pair.chain)

    ask(plugin, "generate-signature", **to_sign("EC-256", pluginConfig={"slot": "1"}, futureField=[1]))
    assert seen == [GenerateSignature("EC-256", {"slot": "1"}, "EC-256", "sha256", b"payload")]


@pytest.mark.parametrize(
    "made",
    [
        RawSignature(PAIRS["EC-256"].signer().sign(b"another payload"), PAIRS["EC-256"].chain),
        RawSignature(PAIRS["EC-256"].signer().sign(b"payload")[:-1], PAIRS["EC-256"].chain),
        RawSignature(PAIRS["EC-256"].signer().sign(b"payload"), PAIRS["EC-384"].chain),
        RawSignature(PAIRS["EC-256"].signer().sign(b"payload"), PAIRS["EC-256"].chain[:1]),
        RawSignature(PAIRS["EC-256"].signer().sign(b"payload"), ()),
        RawSignature(PAIRS["EC-256"].signer().sign(b"payload"), (b"junk",)),
    ],
)
def test_a_signature_that_its_caller_would_refuse_is_refused_at_once(made: RawSignature) -> None:
    plugin = new()
    plugin.generate_signature(lambda _: made)
    assert "no usable signature" in refusal(plugin, "generate-signature", **to_sign("EC-256"))


def test_an_envelope_comes_with_the_type_that_was_asked_for() -> None:
    plugin, seen = new(), []

    @plugin.generate_envelope
    def envelope(request: GenerateEnvelope) -> Envelope:
        seen.append(request)
        return Envelope(b"envelope", {"a": "b"})

    code, answer = ask(
        plugin,
        "generate-envelope",
        keyId="k",
        payload="cGF5bG9hZA==",
        payloadType="application/vnd.cncf.notary.payload.v1+json",
        signatureEnvelopeType="application/jose+json",
        expiryDurationInSeconds=60,
    )
    assert code == 0
    assert answer == {
        "signatureEnvelope": "ZW52ZWxvcGU=",
        "signatureEnvelopeType": "application/jose+json",
        "annotations": {"a": "b"},
    }
    assert (seen[0].payload, seen[0].expiry.total_seconds()) == (b"payload", 60)


IN_QUESTION = {
    "signature": {
        "criticalAttributes": {
            "contentType": "application/vnd.cncf.notary.payload.v1+json",
            "signingScheme": "notary.x509",
            "expiry": None,
            "extendedAttributes": {"com.example.x": 1},
        },
        "unprocessedAttributes": ["com.example.x"],
        "certificateChain": [b64encode(b"der").decode()],
    },
    "trustPolicy": {"trustedIdentities": ["*"], "signatureVerification": [str(Capability.TRUSTED_IDENTITY)]},
}


def test_a_verification_answers_what_was_asked() -> None:
    plugin, seen = new(), []

    @plugin.verify_signature(Capability.TRUSTED_IDENTITY)
    def check(request: VerifySignature) -> Verified:
        seen.append(request)
        return Verified({Capability.TRUSTED_IDENTITY: Result(False, "not ours")}, ("com.example.x",))

    code, answer = ask(plugin, "verify-signature", **IN_QUESTION)
    assert code == 0
    assert answer == {
        "verificationResults": {
            "SIGNATURE_VERIFIER.TRUSTED_IDENTITY": {"success": False, "reason": "not ours"}
        },
        "processedAttributes": ["com.example.x"],
    }
    assert (seen[0].chain, seen[0].extended) == ((b"der",), {"com.example.x": 1})
    assert seen[0].trusted_identities == ("*",)


@pytest.mark.parametrize(
    "found",
    [
        Verified({}),
        Verified({Capability.REVOCATION_CHECK: Result(True)}),
        Verified({Capability.TRUSTED_IDENTITY: Result(True)}, ("com.example.y",)),
    ],
)
def test_a_verification_that_answers_something_else_is_an_error(found: Verified) -> None:
    plugin = new()
    plugin.verify_signature(Capability.TRUSTED_IDENTITY)(lambda _: found)
    assert refusal(plugin, "verify-signature", **IN_QUESTION).startswith("VALIDATION_ERROR")


@pytest.mark.parametrize("success", [1, "yes", None])
def test_only_true_is_a_success(success: Any) -> None:
    plugin = new()
    found = Verified({Capability.TRUSTED_IDENTITY: Result(success)})
    plugin.verify_signature(Capability.TRUSTED_IDENTITY)(lambda _: found)
    _, answer = ask(plugin, "verify-signature", **IN_QUESTION)
    assert answer["verificationResults"]["SIGNATURE_VERIFIER.TRUSTED_IDENTITY"]["success"] is False


@pytest.mark.parametrize(
    ("command", "fields", "said"),
    [
        ("describe-key", {}, "VALIDATION_ERROR: keyId: a string is missing"),
        ("describe-key", {"keyId": ""}, "VALIDATION_ERROR: keyId: is empty"),
        ("describe-key", {"keyId": 1}, "VALIDATION_ERROR: keyId: expected a string"),
        ("describe-key", {"keyId": "k", "pluginConfig": {"a": 1}}, "VALIDATION_ERROR: pluginConfig"),
        ("describe-key", {"keyId": "k", "contractVersion": "2.0"}, "UNSUPPORTED_CONTRACT_VERSION"),
        ("describe-key", {"keyId": "k", "contractVersion": None}, "VALIDATION_ERROR: contractVersion"),
        ("generate-signature", to_sign("EC-256", keySpec="EC-128"), "VALIDATION_ERROR: keySpec"),
        ("generate-signature", to_sign("EC-256", hashAlgorithm="SHA-512"), "VALIDATION_ERROR: hashAlgo"),
        ("generate-signature", to_sign("EC-256", payload="%%"), "VALIDATION_ERROR: payload: is not base64"),
        ("generate-envelope", {"keyId": "k"}, "VALIDATION_ERROR: no such command"),
        ("", {}, "VALIDATION_ERROR: no such command"),
        ("describe-keys", {}, "VALIDATION_ERROR: no such command"),
    ],
)
def test_a_request_that_breaks_the_contract_is_one_error(command: str, fields: Any, said: str) -> None:
    assert refusal(signing(), command, **fields).startswith(said)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b'{"contractVersion":"1.0","contractVersion":"1.0"}', b"[" * 100_000]
)
def test_a_request_that_is_no_object_is_one_error(data: bytes) -> None:
    code, answer = signing().answer(["describe-key"], io.BytesIO(data))
    assert (code, json.loads(answer)["errorCode"]) == (1, "VALIDATION_ERROR")


def test_a_request_without_end_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MAX_MESSAGE", 1000)
    request = io.BytesIO(b" " * 5000)
    code, answer = signing().answer(["describe-key"], request)
    assert (code, request.tell()) == (1, 1001)
    assert b"longer than 1000 bytes" in answer


def failing(error: BaseException) -> Plugin:
    plugin = new()

    def open_key(key_id: str, config: Any) -> Any:
        raise error

    plugin.signer(open_key)
    return plugin


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refusal("ask Alice", ErrorCode.ACCESS_DENIED), "ACCESS_DENIED: ask Alice"),
        (Refusal("later", ErrorCode.THROTTLED, {"after": "5 s"}), "THROTTLED: later"),
        (SigningKeyError("no such key", at="hsm", hint="look"), "VALIDATION_ERROR: hsm: no such key (look)"),
        (EnvironmentFailure("disk full"), "ERROR: disk full"),
        (ValueError(SECRET), "ERROR: unexpected ValueError in open_key"),
    ],
)
def test_what_a_function_raises_becomes_the_contracts_error(error: Exception, said: str) -> None:
    told = refusal(failing(error), "describe-key", keyId="k")
    assert told.startswith(said)
    assert SECRET not in told


def test_an_unexpected_error_is_placed_in_the_function_and_not_in_a_library_of_it(tmp_path: Path) -> None:
    plugin = new()

    def open_key(key_id: str, config: Any) -> Any:
        return (tmp_path / "nothing").read_bytes()

    plugin.signer(open_key)
    line = open_key.__code__.co_firstlineno + 1
    told = refusal(plugin, "describe-key", keyId="k")
    assert told == f"ERROR: unexpected FileNotFoundError in open_key, line {line}"


def test_a_key_of_a_kind_that_cannot_sign_is_an_error() -> None:
    plugin = new()
    plugin.describe_key(lambda _: "EC-224")
    assert "no key that can sign" in refusal(plugin, "describe-key", keyId="k")


def test_a_plugin_without_functions_or_with_half_of_them_says_so() -> None:
    assert "no functions" in refusal(new(), "get-plugin-metadata")
    plugin = new()
    plugin.generate_signature(lambda _: RawSignature(b"", ()))
    assert "does not describe its keys" in refusal(plugin, "get-plugin-metadata")


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "a\0", "a b"])
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    # research: attack list, item 7 (names with / or ..)
    with pytest.raises(ValueError, match="cannot be the name"):
        new(name)


def test_one_command_has_one_function() -> None:
    plugin = signing()
    with pytest.raises(ValueError, match="has a function already"):
        plugin.describe_key(lambda _: "EC-256")


def test_a_plugin_says_what_it_is() -> None:
    with pytest.raises(ValueError, match="a version, a description and a url"):
        Plugin("a", "1.0.0", "", "https://example.com")


CHATTER = """#!{python} -I
import os, sys, subprocess
sys.path.insert(0, {source!r})
from nv2.plugin import Plugin
plugin = Plugin("chatter", "1.0.0", "d", "u")

@plugin.describe_key
def describe(request):
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"written\\n")
    subprocess.run(["echo", "echoed"])
    if request.key_id == "fail":
        raise ValueError("s3cret-pin")
    return "EC-256"

raise SystemExit(plugin.run())
"""


@pytest.fixture
def chatter(tmp_path: Path) -> Path:
    path = tmp_path / "notation-chatter"
    source = str(Path(program.__file__).parents[2])
    path.write_text(CHATTER.format(python=sys.executable, source=source))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.skipif(os.name == "nt", reason="a shebang is of POSIX")
@pytest.mark.parametrize(("key", "code"), [("good", 0), ("fail", 1)])
def test_nothing_but_the_answer_is_printed(chatter: Path, key: str, code: int) -> None:
    request = json.dumps({"contractVersion": "1.0", "keyId": key}).encode()
    ended = subprocess.run(
        [chatter, Command.DESCRIBE_KEY], input=request, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == code
    if code:
        assert ended.stdout == b""
        assert json.loads(ended.stderr)["errorCode"] == "ERROR"
        assert b"s3cret" not in ended.stderr
    else:
        assert json.loads(ended.stdout) == {"keyId": "good", "keySpec": "EC-256"}
        for word in (b"printed", b"complained", b"written", b"echoed"):
            assert word in ended.stderr


def test_the_page_holds_the_worked_example_as_it_is() -> None:
    root = Path(__file__).parents[3]
    example = (root / "examples" / "notation-softhsm" / "notation-softhsm").read_text()
    assert f"```python\n{example}```" in (root / "docs" / "tasks" / "write-a-plugin.md").read_text()
