"""From a program: signing where no registry is, attaching where no key is, and signing all that belongs to an artifact."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import nv2
from nv2.errors import (
    ArtifactError,
    EnvironmentFailure,
    MalformedEnvelope,
    PartlySigned,
    SigningKeyError,
    UsageError,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index
from tests.world.ca import CA, pem

NAME = "memory.example/app"
PAIR = CA("Wabbit").issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
TRUST = nv2.KeyTrust(pem([PAIR.leaf]))


class Broken(nv2.MemoryStore):
    """Nothing can be attached to `broken`."""

    broken = ""

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        if subject.digest == self.broken:
            raise EnvironmentFailure("the disk is full")
        super().attach(subject, manifests)


@pytest.fixture
def store() -> Broken:
    found = Broken()
    child = push_image(found, b"amd64")
    attach_referrer(found, child, b"{}", artifact_type=SBOM)
    found.tag(push_index(found, [child]), "v1")
    return found


@pytest.fixture
def session(store: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[nv2.Session]:
    monkeypatch.setenv("NOTATION_CONFIG", str(tmp_path / "config"))
    with nv2.Session.from_environment(stores={NAME: store}) as opened:
        yield opened


def subject(store: Broken) -> Descriptor:
    return Descriptor(*store.resolve("v1")[:3])


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
@pytest.mark.parametrize("kept", ["signature", "bytes", "file"])
def test_what_was_signed_from_a_descriptor_is_attached_and_trusted(
    session: nv2.Session, store: Broken, tmp_path: Path, media_type: str, kept: str
) -> None:
    made = nv2.sign_descriptor(
        subject(store), key=PAIR.signer(), media_type=media_type, user_metadata={"a": "b"}, session=session
    )
    (tmp_path / "image.sig").write_bytes(made.data)
    given = {"signature": made, "bytes": made.data, "file": tmp_path / "image.sig"}[kept]
    attached = nv2.attach(f"{NAME}:v1", given, session=session)
    found = nv2.verify(f"{NAME}:v1", trust=TRUST, user_metadata={"a": "b"}, session=session)
    assert found.verdict.signatures[0].manifest[:3] == attached.manifest[:3]


def test_of_a_descriptor_only_media_type_digest_and_size_are_signed(
    session: nv2.Session, store: Broken
) -> None:
    told = subject(store)._replace(annotations={"made by": "somebody"}, artifact_type="text/x-note")
    nv2.attach(f"{NAME}:v1", nv2.sign_descriptor(told, key=PAIR.signer(), session=session), session=session)
    found = nv2.verify(f"{NAME}:v1", trust=TRUST, session=session).verdict.signatures[0]
    assert found.facts is not None
    assert found.facts.user_metadata == ()


# fmt: off
WRONG = {
    "of another digest":     {"digest": f"sha256:{'0' * 64}"},
    "of another size":       {"size": 7},
    "of another media type": {"media_type": mt.IMAGE_MANIFEST},
}
# fmt: on


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_signature_of_anything_else_is_not_attached(
    session: nv2.Session, store: Broken, changes: dict[str, object]
) -> None:
    made = nv2.sign_descriptor(
        subject(store)._replace(**changes),  # type: ignore[arg-type]
        key=PAIR.signer(),
        session=session,
    )
    with pytest.raises(ArtifactError):
        nv2.attach(f"{NAME}:v1", made, session=session)
    assert nv2.list_signatures(f"{NAME}:v1", session=session).signatures == ()


def test_a_blob_of_the_same_bytes_is_no_image_unless_it_was_signed_as_one(
    session: nv2.Session, store: Broken, tmp_path: Path
) -> None:
    blob = tmp_path / "index.json"
    blob.write_bytes(store.fetch(subject(store), 10_000))
    made = nv2.sign_blob(blob, key=PAIR.signer(), session=session)
    with pytest.raises(MalformedEnvelope, match="another artifact"):
        nv2.attach(f"{NAME}:v1", made.signature, session=session)


def test_a_signature_of_an_image_is_one_of_its_manifest_as_a_file_under_its_media_type_alone(
    session: nv2.Session, store: Broken, tmp_path: Path
) -> None:
    blob = tmp_path / "index.json"
    blob.write_bytes(store.fetch(subject(store), 10_000))
    made = nv2.sign_descriptor(subject(store), key=PAIR.signer(), session=session)
    nv2.verify_blob(blob, made, trust=TRUST, content_type=mt.IMAGE_INDEX, session=session)
    with pytest.raises(nv2.NotTrusted, match="not as 'application/octet-stream'"):
        nv2.verify_blob(blob, made, trust=TRUST, content_type=mt.OCTET_STREAM, session=session)


def test_what_describes_no_manifest_is_not_signed(session: nv2.Session, store: Broken) -> None:
    with pytest.raises(UsageError, match="describes no manifest"):
        nv2.sign_descriptor(
            subject(store)._replace(media_type=mt.OCTET_STREAM), key=PAIR.signer(), session=session
        )


def test_bytes_that_are_no_signature_are_one_located_error(session: nv2.Session) -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        nv2.attach(f"{NAME}:v1", b"{", session=session)
    assert str(caught.value.at).startswith("the given signature")


def test_all_that_belongs_to_an_index_is_signed_and_the_second_time_skipped(session: nv2.Session) -> None:
    first, again = (nv2.sign_recursively(f"{NAME}:v1", key=PAIR.signer(), session=session) for _ in range(2))
    assert (len(first.signed), first.skipped) == (3, ())
    assert [signed.artifact.subject for signed in first.signed] == list(again.skipped)
    assert all(nv2.verify(signed.artifact.shown, trust=TRUST, session=session) for signed in first.signed)


def test_an_error_after_the_first_signature_carries_what_was_signed(
    session: nv2.Session, store: Broken
) -> None:
    store.broken = subject(store).digest
    with pytest.raises(PartlySigned, match="the disk is full") as caught:
        nv2.sign_recursively(f"{NAME}:v1", key=PAIR.signer(), session=session)
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own bytes
    assert (len(error.done.signed), error.at) == (2, f"{NAME}@{store.broken}")
    assert isinstance(error.cause, EnvironmentFailure)


def test_a_key_that_is_denied_here_signs_nothing_in_two_places(
    session: nv2.Session, store: Broken, tmp_path: Path
) -> None:
    deny(tmp_path)
    with pytest.raises(SigningKeyError):
        nv2.sign_descriptor(subject(store), key=PAIR.signer(), session=session)
    with pytest.raises(SigningKeyError):
        nv2.sign_recursively(f"{NAME}:v1", key=PAIR.signer(), session=session)


def deny(directory: Path) -> None:
    from nv2.pki.certificate import parse_certificate
    from nv2.trust.denial import Denial, DenialKind, DenialList, spki_hash

    spki = spki_hash(parse_certificate(PAIR.leaf))
    listed = DenialList([Denial(DenialKind.KEY, (spki,), "stolen", "2026-01-02T15:04:05Z")])
    path = directory / "config" / "nv2" / "denials.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(listed.encode())
