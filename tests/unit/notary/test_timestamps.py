"""Signing with a timestamp, from a program: what the authority is, and what goes wrong before anybody is asked."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope import formats
from nv2.errors import EnvironmentFailure, UsageError
from nv2.home.paths import Paths
from nv2.notary.blobs import sign_blob
from nv2.notary.registry_access import RegistryAccess, Settings
from nv2.notary.session import Session
from nv2.notary.signing import sign
from nv2.notary.timestamps import timestamper
from nv2.oci import media_types as mt
from nv2.oci.manifest import MAX_ENVELOPE, parse_manifest
from nv2.pki.chain import parse_chain
from nv2.pki.timestamp import parse_token
from nv2.pki.timestamp_request import MIN_NONCE
from tests.world.ca import CA, pem
from tests.world.network import FunctionTransport
from tests.world.signed import artifact
from tests.world.tsa import TSA

NAME = "registry.example/app"
URL = "http://tsa.example/stamp"
PAIR = CA("Wabbit").issue("build", key="EC-256")


class World:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = TSA("Clock")
        self.root = folder / "tsa.crt"
        self.root.write_bytes(pem([self.clock.root]))
        self.store = MemoryStore()
        self.image = artifact(self.store)
        transport = FunctionTransport({"tsa.example": self.clock.answer})
        monkeypatch.setattr(RegistryAccess, "transport", lambda _: transport)
        environ = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
        self.session = Session(
            Paths.from_environment(environ), Settings(), environ, stores={NAME: self.store}
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_a_program_signs_with_a_timestamp(world: World) -> None:
    reference = f"{NAME}@{world.image.digest}"
    signed = sign(
        reference,
        key=PAIR.signer(),
        timestamp_url=URL,
        timestamp_root=world.root,
        session=world.session,
    )
    assert signed.artifact.subject == world.image
    manifest = parse_manifest(world.store.fetch(signed.manifest, MAX_ENVELOPE), mt.IMAGE_MANIFEST)
    envelope = formats.parse(mt.JWS, world.store.fetch(manifest.layers[0], MAX_ENVELOPE))
    parse_token(envelope.unsigned.timestamp or b"").open().info.check_imprint(envelope.signature)


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_a_program_signs_a_blob_with_a_timestamp(world: World, media_type: str) -> None:
    signed = sign_blob(
        io.BytesIO(b"tool"),
        key=PAIR.signer(),
        media_type=media_type,
        timestamp_url=URL,
        timestamp_root=world.root,
        session=world.session,
    )
    envelope = formats.parse(media_type, signed.signature.data)
    parse_token(envelope.unsigned.timestamp or b"").open().info.check_imprint(envelope.signature)


def test_every_request_has_a_nonce_of_its_own(world: World) -> None:
    stamp = timestamper(world.session, URL, str(world.root))
    nonces = {parse_token(stamp(b"x", "sha256", parse_chain(PAIR.chain))).claimed().nonce for _ in range(5)}
    assert len(nonces) == 5
    assert all(nonce is not None and nonce.bit_length() >= MIN_NONCE for nonce in nonces)


@pytest.mark.parametrize(("url", "root"), [(URL, None), (None, "tsa.crt")])
def test_address_and_root_come_together(world: World, url: str | None, root: str | None) -> None:
    with pytest.raises(UsageError, match="cannot be empty"):
        sign(f"{NAME}:v1", key=PAIR.signer(), timestamp_url=url, timestamp_root=root, session=world.session)
    with pytest.raises(UsageError, match="cannot be empty"):
        sign_blob(
            io.BytesIO(), key=PAIR.signer(), timestamp_url=url, timestamp_root=root, session=world.session
        )


def test_a_root_file_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(EnvironmentFailure, match=r"absent\.crt"):
        timestamper(world.session, URL, str(world.root.with_name("absent.crt")))


def test_a_root_may_be_in_der(world: World) -> None:
    world.root.write_bytes(world.clock.root)
    assert timestamper(world.session, URL, str(world.root))(b"x", "sha384", parse_chain(PAIR.chain))
