"""Files, and signatures of them, that somebody else made: never a wrong yes, one error, and no more is read than needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nv2.content.blob_files import BLOCK, Blob
from nv2.envelope import formats
from nv2.errors import NotTrusted
from nv2.notary import signature_files
from nv2.notary.blobs import DetachedSignature, verify_blob
from nv2.notary.trust_in_memory import KeyTrust
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import MAX_ENVELOPE
from nv2.trust.verdict import Verdict
from tests.hostile.machine import STRANGER
from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import pem
from tests.world.signed import sealed

BUILD = WABBIT.issue("build", key="EC-256")
DATA = b"tool"
NAMES = ("tool.jws.sig", "tool.cose.sig")
SKIP = {"name": "drafts", "signatureVerification": {"level": "skip"}}


@pytest.fixture
def blob(wabbit: CommandLine) -> CommandLine:
    """A machine with `tool`, its signature `tool.jws.sig`, and a strict global policy."""
    directory = wabbit.directory
    (directory / "tool").write_bytes(DATA)
    (directory / NAMES[0]).write_bytes(signature())
    assert wabbit("cert", "add", "-t", "ca", "-s", "wabbit", "root.crt").code == 0
    policy(wabbit, statement())
    return wabbit


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "name": "all",
        "globalPolicy": True,
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **changes,
    }


def policy(line: CommandLine, *statements: dict[str, Any]) -> None:
    document = {"version": "1.0", "trustPolicies": list(statements)}
    (line.config / "trustpolicy.blob.json").write_text(json.dumps(document))


def signature(target: Descriptor | None = None, **how: Any) -> bytes:
    return sealed(target or describe(DATA, mt.OCTET_STREAM), how.pop("pair", BUILD), **how)


def verify(line: CommandLine, *flags: str, name: str = NAMES[0]) -> Ended:
    ended = line("blob", "verify", "-s", name, *flags, "tool")
    assert "Traceback" not in ended.err
    return ended


def test_the_machine_trusts_what_is_good(blob: CommandLine) -> None:
    assert verify(blob).code == 0


# fmt: off
FORGED: tuple[tuple[str, Callable[[], bytes], str], ...] = (
    ("of another blob",           lambda: signature(describe(b"toot", mt.OCTET_STREAM)), "does not match the given blob"),
    ("of a longer blob",          lambda: signature(describe(b"tool and more", mt.OCTET_STREAM)), "and 13 are signed"),
    ("of another size",           lambda: signature(describe(DATA, mt.OCTET_STREAM)._replace(size=5)), "and 5 are signed"),
    ("with another hash than the key's", lambda: signature(describe_by("sha512")), "does not match the given blob"),
    ("by a stranger",             lambda: signature(pair=STRANGER), "authenticity"),
    ("in the other format",       lambda: signature(media_type=mt.COSE), "integrity"),
    ("cut short",                 lambda: signature()[:-20], "integrity"),
    ("empty",                     lambda: b"", "integrity"),
    ("with a byte changed",       lambda: signature().replace(b'"payload":"ey', b'"payload":"eY'), "integrity"),
)
# fmt: on


def describe_by(algorithm: str) -> Descriptor:
    with Blob(_Stream(DATA)) as opened:
        return opened.describe([algorithm], mt.OCTET_STREAM)[0]


class _Stream:
    """A stream that counts what is taken from it."""

    def __init__(self, data: bytes, *, endless: bool = False) -> None:
        self._data, self._endless = data, endless
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        found, self._data = self._data[:size], self._data[size:]
        found = found or (bytes(size) if self._endless else b"")
        self.taken += len(found)
        return found


@pytest.mark.parametrize(("name", "make", "reason"), FORGED, ids=[row[0] for row in FORGED])
def test_a_forged_signature_is_not_trusted(
    blob: CommandLine, name: str, make: Callable[[], bytes], reason: str
) -> None:
    (blob.directory / NAMES[0]).write_bytes(make())
    ended = verify(blob)
    assert ended.code == 1 and reason in ended.err, name
    assert ended.out == ""


def test_an_enormous_signature_is_not_read_to_its_end(blob: CommandLine) -> None:
    with (blob.directory / NAMES[0]).open("wb") as file:
        file.truncate(MAX_ENVELOPE + 1)
    ended = verify(blob)
    assert ended.code == 3 and "too long for a signature" in ended.err


def test_of_an_endless_stream_no_more_is_read_than_was_signed() -> None:
    stream = _Stream(DATA, endless=True)
    trust = KeyTrust(pem([BUILD.leaf]))
    with pytest.raises(NotTrusted, match="longer than the 4 bytes that are signed"):
        verify_blob(stream, DetachedSignature(signature(), mt.JWS), trust=trust)
    assert stream.taken <= 2 * BLOCK


def test_a_stream_is_not_read_before_its_signature_is_proven() -> None:
    stream = _Stream(DATA)
    with pytest.raises(NotTrusted):
        verify_blob(stream, DetachedSignature(b"{}", mt.JWS), trust=KeyTrust(pem([BUILD.leaf])))
    assert stream.taken == 0


def test_5_4_d_a_global_statement_that_skips_is_refused(blob: CommandLine) -> None:
    policy(blob, {**SKIP, "globalPolicy": True})
    for flags in ((), ("--policy-name", "drafts")):
        ended = verify(blob, *flags)
        assert ended.code == 3 and "the global statement cannot have level 'skip'" in ended.err


def test_5_4_e_skipping_ends_well_and_says_which_bytes_were_signed_otherwise(blob: CommandLine) -> None:
    policy(blob, SKIP, statement())
    (blob.directory / NAMES[0]).write_bytes(b"no signature at all")
    assert verify(blob, "--policy-name", "drafts").code == 0
    (blob.directory / NAMES[0]).write_bytes(signature())
    trust = KeyTrust(pem([BUILD.leaf]))
    verdict = verify_blob(blob.directory / "tool", blob.directory / NAMES[0], trust=trust)
    assert verdict.verdict is Verdict.TRUSTED and verdict.subject == describe(DATA, mt.OCTET_STREAM)


def test_5_3_7_a_blob_that_is_swapped_under_the_reading_is_undecided(
    blob: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Blob.check_unchanged

    def swapped(self: Blob) -> None:
        (blob.directory / "other").write_bytes(DATA)
        os.replace(blob.directory / "other", blob.directory / "tool")
        check(self)

    monkeypatch.setattr(Blob, "check_unchanged", swapped)
    ended = verify(blob)
    assert ended.code == 3 and "the file changed while it was read" in ended.err


def test_5_3_7_a_signature_that_cannot_be_written_leaves_the_old_one_whole(
    blob: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (blob.directory / NAMES[0]).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended = blob("blob", "sign", "-k", "wabbit.key", "--force", "tool")
    assert ended.code == 3 and "the disk is full" in ended.err
    assert (blob.directory / NAMES[0]).read_bytes() == before
    assert not list(Path(blob.directory).glob(".nv2-*"))


def test_5_3_7_a_signature_file_that_is_swapped_is_judged_as_it_was_read(
    blob: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read once: what was judged is what was read, whatever stands there a moment later."""
    read, files = signature_files.read_file, []

    def then_swapped(path: Path, *arguments: Any, **more: Any) -> bytes:
        found = read(path, *arguments, **more)
        if path.name == NAMES[0]:
            files.append(path)
            path.write_bytes(signature() if STRANGER.leaf in chain_of(found) else signature(pair=STRANGER))
        return found

    monkeypatch.setattr(signature_files, "read_file", then_swapped)
    assert [verify(blob).code, verify(blob).code] == [0, 1]
    assert len(files) == 2


def chain_of(data: bytes) -> tuple[bytes, ...]:
    return formats.parse(mt.JWS, data).unsigned.certificates


@pytest.mark.parametrize("name", ["\x1b[31m.jws.sig", "x\n.jws.sig"])
def test_a_name_cannot_write_to_the_terminal(blob: CommandLine, name: str) -> None:
    (blob.directory / name).write_bytes(b"junk")
    for ended in (verify(blob, name=name), blob("blob", "inspect", name)):
        assert ended.code in (1, 3) and "\x1b" not in ended.err + ended.out


@pytest.mark.parametrize("position", range(len(DATA)))
@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_bit_of_the_blob_is_never_trusted(blob: CommandLine, position: int, bit: int) -> None:
    data = bytearray(DATA)
    data[position] ^= bit
    (blob.directory / "tool").write_bytes(data)
    assert verify(blob).code == 1
