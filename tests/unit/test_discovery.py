from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from nv2 import discovery, opening
from nv2.content.interface import Referrers
from nv2.content.memory import MemoryStore
from nv2.discovery import Discovery, discover
from nv2.errors import (
    ArtifactError,
    BadAnswer,
    ContentMismatch,
    MalformedManifest,
    NotFound,
    Nv2Error,
    RemoteError,
    Unreachable,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.manifest import MAX_ENVELOPE, MAX_MANIFEST
from nv2.opening import BATCH, FoundSignature, Problem, open_signatures
from nv2.plain_text import MAX_LINE
from tests.world.signed import artifact, attach, put


class CountingStore(MemoryStore):
    """Remembers what was fetched, and can be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[Descriptor] = []
        self.unreachable: set[str] = set()
        self.complete = True

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        self.fetched.append(descriptor)
        if descriptor.digest in self.unreachable:
            raise Unreachable("no connection")
        return super().fetch(descriptor, limit)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        return super().referrers(subject, artifact_type)._replace(complete=self.complete)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def image(store: CountingStore) -> Descriptor:
    return artifact(store)


def put_manifest(store: MemoryStore, image: Descriptor, /, **changes: object) -> Descriptor:
    """A signature manifest with fields changed, listed as a signature."""
    good = attach(MemoryStore(), image, b"envelope")
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "artifactType": mt.SIGNATURE,
        "config": {"mediaType": mt.EMPTY, "digest": good.digest, "size": 2},
        "layers": [put(store, b"envelope", mt.JWS).to_json()],
        "subject": Descriptor(*image[:3]).to_json(),
        **changes,
    }
    manifest = put(store, json.dumps(document).encode(), mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE)
    store.attach(image, [manifest])
    return manifest


def opened(store: MemoryStore, subject: Descriptor) -> list[FoundSignature | Problem]:
    found = discover(store, subject)
    return list(open_signatures(store, subject, found.signatures, found.manifests))


def error_of(store: MemoryStore, subject: Descriptor) -> Nv2Error:
    (problem,) = opened(store, subject)
    assert isinstance(problem, Problem)
    return problem.error


# --- discover ---------------------------------------------------------------------------------------------


def test_signatures_are_found_and_other_referrers_are_not(store: CountingStore, image: Descriptor) -> None:
    signature = attach(store, image, b"envelope")
    sbom = put(store, b"{}", mt.IMAGE_MANIFEST, artifact_type="application/spdx+json")
    store.attach(image, [sbom])
    found = discover(store, image)
    assert found.signatures == (signature,)
    assert (found.complete, found.problems) == (True, ())
    assert store.fetched == []


def test_an_unsigned_artifact_has_no_signatures(store: CountingStore, image: Descriptor) -> None:
    assert discover(store, image) == Discovery((), True, ())


def test_the_order_is_that_of_digests_whatever_the_listing_says(image: Descriptor) -> None:
    forward, backward = MemoryStore(), MemoryStore()
    names = [f"envelope {i}".encode() for i in range(8)]
    for name in names:
        attach(forward, image, name)
    for name in reversed(names):
        attach(backward, image, name)
    assert discover(forward, image) == discover(backward, image)


def test_signatures_whose_annotation_names_a_trusted_certificate_come_first(
    store: CountingStore, image: Descriptor
) -> None:
    for i in range(8):
        attach(store, image, f"envelope {i}".encode(), thumbprints=(f"{i}" * 64,))
    wanted = attach(store, image, b"wanted", thumbprints=("a" * 64, "b" * 64))
    assert discover(store, image, frozenset({"b" * 64})).signatures[0] == wanted


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", "null", "[" * 100_000, '"' + "a" * 64 + '"'])
def test_an_annotation_that_cannot_be_read_only_loses_its_place(
    store: CountingStore, image: Descriptor, text: str
) -> None:
    signature = attach(store, image, b"envelope")
    store.attach(image, [signature._replace(annotations={mt.THUMBPRINTS: text})])
    assert len(discover(store, image, frozenset({"a" * 64})).signatures) == 1


@pytest.mark.parametrize("said", [None, "", mt.EMPTY])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_missing_type_is_repaired_from_the_manifest(
    store: CountingStore, image: Descriptor, said: str | None, legacy: bool
) -> None:
    listed = attach(store, image, b"envelope", artifact_type=said, legacy=legacy, thumbprints=("a" * 64,))
    (found,) = discover(store, image).signatures
    assert found.digest == listed.digest
    assert found.artifact_type == mt.SIGNATURE
    assert mt.THUMBPRINTS in found.annotations


def test_a_manifest_that_was_read_to_know_its_type_is_not_read_again(
    store: CountingStore, image: Descriptor
) -> None:
    attach(store, image, b"envelope", artifact_type=None)
    (signature,) = opened(store, image)
    assert isinstance(signature, FoundSignature)
    assert [d.media_type for d in store.fetched] == [mt.IMAGE_MANIFEST, mt.JWS]


def test_an_untyped_referrer_that_is_something_else_is_left_out(
    store: CountingStore, image: Descriptor
) -> None:
    store.attach(image, [artifact(store, "other")])
    assert discover(store, image) == Discovery((), True, ())


def test_an_untyped_index_is_not_even_read(store: CountingStore, image: Descriptor) -> None:
    store.attach(image, [put(store, b'{"manifests":[]}', mt.IMAGE_INDEX)])
    assert discover(store, image).signatures == ()
    assert store.fetched == []


def test_an_untyped_referrer_that_cannot_be_fetched_leaves_the_listing_incomplete(
    store: CountingStore, image: Descriptor
) -> None:
    good = attach(store, image, b"envelope")
    lost = attach(store, image, b"other", artifact_type=None)
    store.unreachable.add(lost.digest)
    found = discover(store, image)
    assert found.signatures == (good,)
    assert not found.complete
    assert found.problems == ("a referrer was skipped: no connection",)


def test_an_untyped_referrer_that_is_junk_is_reported_and_no_reason_to_doubt(
    store: CountingStore, image: Descriptor
) -> None:
    store.attach(image, [put(store, b"junk", mt.IMAGE_MANIFEST)])
    found = discover(store, image)
    assert found.complete
    assert len(found.problems) == 1


def test_an_untyped_referrer_that_is_too_large_leaves_the_listing_incomplete(
    store: CountingStore, image: Descriptor
) -> None:
    large = put(store, b" " * (discovery.MAX_UNTYPED_MANIFEST + 1), mt.IMAGE_MANIFEST)
    store.attach(image, [large])
    found = discover(store, image)
    assert not found.complete
    assert found.problems
    assert store.fetched == []


def test_a_listing_that_was_cut_short_is_incomplete(store: CountingStore, image: Descriptor) -> None:
    store.complete = False
    found = discover(store, image)
    assert not found.complete
    assert found.problems == ("the list of referrers is incomplete, so there may be more",)


def test_what_exceeds_the_cap_is_left_out_after_ordering(store: CountingStore, image: Descriptor) -> None:
    for i in range(5):
        attach(store, image, f"envelope {i}".encode())
    wanted = attach(store, image, b"wanted", thumbprints=("a" * 64,))
    found = discover(store, image, frozenset({"a" * 64}), cap=2)
    assert found.signatures[0] == wanted
    assert len(found.signatures) == 2
    assert not found.complete
    assert found.problems == ("6 signatures are listed, only 2 are looked at",)


# --- open -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_a_signature_is_opened_down_to_the_bytes_of_its_envelope(
    store: CountingStore, image: Descriptor, legacy: bool
) -> None:
    attach(store, image, b"envelope", media_type=mt.COSE, legacy=legacy)
    (found,) = opened(store, image)
    assert isinstance(found, FoundSignature)
    assert (found.media_type, found.data) == (mt.COSE, b"envelope")


@pytest.mark.parametrize(
    "changes",
    [
        {"artifactType": "application/x"},
        {"subject": None},
        {"subject": {"mediaType": mt.IMAGE_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}},
        {"layers": []},
        {"layers": [{"mediaType": mt.JWS, "digest": "sha256:" + "0" * 64, "size": 1}] * 2},
        {"layers": [{"mediaType": "application/pgp", "digest": "sha256:" + "0" * 64, "size": 1}]},
        {"layers": [{"mediaType": mt.JWS, "digest": "sha256:" + "0" * 64, "size": MAX_ENVELOPE + 1}]},
        {"layers": [{"mediaType": mt.JWS, "digest": "sha256:" + "0" * 64, "size": -1}]},
        {"config": {"mediaType": "application/x", "digest": "sha256:" + "0" * 64, "size": 1}},
        {"mediaType": mt.IMAGE_INDEX},
    ],
)
def test_a_bad_signature_manifest_is_a_problem_of_the_artifact(
    store: CountingStore, image: Descriptor, changes: dict[str, object]
) -> None:
    put_manifest(store, image, **changes)
    assert isinstance(error_of(store, image), MalformedManifest)
    assert [d.media_type for d in store.fetched] == [mt.IMAGE_MANIFEST]


def test_a_signature_manifest_that_is_too_large_is_not_fetched(
    store: CountingStore, image: Descriptor
) -> None:
    large = attach(store, image, b"envelope")._replace(size=MAX_MANIFEST + 1)
    store.attach(image, [large])
    assert isinstance(error_of(store, image), MalformedManifest)
    assert store.fetched == []


def test_a_missing_envelope_is_a_problem_of_the_registry(store: CountingStore, image: Descriptor) -> None:
    put_manifest(store, image, layers=[{"mediaType": mt.JWS, "digest": "sha256:" + "0" * 64, "size": 1}])
    assert isinstance(error_of(store, image), NotFound)


def test_changed_bytes_are_a_problem_of_the_artifact(store: CountingStore, image: Descriptor) -> None:
    attach(store, image, b"envelope")
    store.contents = {k: v.replace(b"envelope", b"Envelope") for k, v in store.contents.items()}
    error = error_of(store, image)
    assert isinstance(error, ContentMismatch)
    assert isinstance(error, ArtifactError)


def test_one_bad_signature_does_not_hide_the_others(store: CountingStore, image: Descriptor) -> None:
    attach(store, image, b"one")
    put_manifest(store, image, layers=[])
    lost = attach(store, image, b"two")
    attach(store, image, b"three")
    store.unreachable.add(lost.digest)
    items = opened(store, image)
    assert [item.manifest for item in items] == list(discover(store, image).signatures)
    assert {item.data for item in items if isinstance(item, FoundSignature)} == {b"one", b"three"}
    errors = [item.error for item in items if isinstance(item, Problem)]
    assert {isinstance(error, RemoteError) for error in errors} == {True, False}


def test_nothing_is_fetched_that_nobody_asks_for(store: CountingStore, image: Descriptor) -> None:
    for i in range(3 * BATCH):
        attach(store, image, f"envelope {i}".encode())
    items = open_signatures(store, image, discover(store, image).signatures)
    next(items)
    assert len(store.fetched) == BATCH + 1


def test_a_thousand_signatures_come_one_for_one_in_order(store: CountingStore, image: Descriptor) -> None:
    for i in range(1000):
        attach(store, image, f"envelope {i}".encode())
    found = discover(store, image)
    assert [i.manifest for i in open_signatures(store, image, found.signatures)] == list(found.signatures)


ZEROS = bytes(MAX_ENVELOPE)


class Claims(CountingStore):
    """Has every envelope, of any size, and records how much is asked for at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        self.asked.append(sum(descriptor.size for descriptor in descriptors))
        if all(descriptor.media_type == mt.JWS for descriptor in descriptors):
            return (ZEROS[: descriptor.size] for descriptor in descriptors)
        return super().fetch_many(descriptors, limit)


def test_what_is_asked_for_at_once_fits_in_memory() -> None:
    store = Claims()
    image = artifact(store)
    for i in range(70):
        layer = {"mediaType": mt.JWS, "digest": f"sha256:{i:064x}", "size": MAX_ENVELOPE}
        put_manifest(store, image, layers=[layer])
    items = opened(store, image)
    affordable = opening.MAX_TOTAL // MAX_ENVELOPE
    assert max(store.asked) <= opening.MAX_BATCH
    assert sum(isinstance(item, FoundSignature) for item in items) == affordable
    refused = [item.error for item in items if isinstance(item, Problem)]
    assert len(refused) == 70 - affordable
    assert all(isinstance(error, BadAnswer) for error in refused)


def claim(store: MemoryStore, image: Descriptor, name: int, size: int, **changes: object) -> Descriptor:
    """A manifest of an envelope of `size` bytes."""
    layer = {"mediaType": mt.JWS, "digest": f"sha256:{name:064x}", "size": size}
    return put_manifest(store, image, layers=[layer], **changes)


def test_all_small_envelopes_can_be_read_whatever_else_is_there() -> None:
    assert opening.MAX_SMALL * discovery.MAX_REFERRERS <= opening.MAX_TOTAL
    assert opening.MAX_SMALL > 25 * 1024


def test_small_envelopes_come_first_and_large_ones_by_about_their_size() -> None:
    small, twice = opening.MAX_SMALL, 3 * opening.MAX_SMALL // 2
    sizes = [MAX_ENVELOPE, twice + 1, small, 8 * small, 1, small + 1, twice]
    store = Claims()
    image = artifact(store)
    manifests = [claim(store, image, number, size) for number, size in enumerate(sizes)]
    items = open_signatures(store, image, manifests)
    read = [item.envelope.size for item in items if isinstance(item, FoundSignature)]
    assert read == [small, 1, twice + 1, small + 1, twice, 8 * small, MAX_ENVELOPE]


def test_no_number_of_largest_envelopes_keeps_a_smaller_one_from_being_read() -> None:
    store = Claims()
    image = artifact(store)
    for number in range(100):
        claim(store, image, number, MAX_ENVELOPE)
    wanted = [claim(store, image, 100 + n, size) for n, size in enumerate((10, 30_000, MAX_ENVELOPE // 4))]
    found = {item.manifest.digest for item in opened(store, image) if isinstance(item, FoundSignature)}
    assert found.issuperset(manifest.digest for manifest in wanted)


def test_an_envelope_that_many_manifests_name_is_read_and_charged_once() -> None:
    store = Claims()
    image = artifact(store)
    for number in range(70):
        claim(store, image, 1, MAX_ENVELOPE, annotations={"n": str(number)})
    items = opened(store, image)
    assert len(items) == 70
    assert all(isinstance(item, FoundSignature) for item in items)
    assert store.asked.count(MAX_ENVELOPE) == 1
    assert len({item.manifest.digest for item in items}) == 70


def test_an_envelope_that_is_missing_is_charged_nothing(store: CountingStore, image: Descriptor) -> None:
    for number in range(70):
        claim(store, image, number, MAX_ENVELOPE)
    assert all(isinstance(item, Problem) for item in opened(store, image))
    errors = {type(item.error) for item in opened(store, image) if isinstance(item, Problem)}
    assert errors == {NotFound}


def test_an_envelope_of_another_size_than_is_said_is_charged_as_is_said(
    store: CountingStore, image: Descriptor
) -> None:
    for number in range(70):
        blob = put(store, b"%d" % number, mt.JWS)._replace(size=MAX_ENVELOPE)
        put_manifest(store, image, layers=[blob.to_json()])
    errors = [type(item.error) for item in opened(store, image) if isinstance(item, Problem)]
    affordable = opening.MAX_TOTAL // MAX_ENVELOPE
    assert errors == [ContentMismatch] * affordable + [BadAnswer] * (70 - affordable)


# --- listings that contradict themselves ------------------------------------------------------------------


class Listed(CountingStore):
    """Lists exactly `entries`."""

    entries: tuple[Descriptor, ...] = ()

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        return Referrers(self.entries, complete=True)


WRONG = (
    {"size": 10},
    {"media_type": mt.IMAGE_INDEX},
    {"artifact_type": "application/x"},
    {"artifact_type": None},
    {"size": 10, "artifact_type": None},
    {"size": 2**40},
    {"media_type": mt.IMAGE_INDEX, "artifact_type": "application/x"},
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_wrong_entry_does_not_hide_a_right_one_of_the_same_digest(
    wrong: dict[str, Any], backwards: bool
) -> None:
    store = Listed()
    image = artifact(store)
    good = attach(store, image, b"envelope", thumbprints=("a" * 64,))
    store.entries = (good._replace(**wrong), good)[:: -1 if backwards else 1]
    assert discover(store, image)[:3] == ((good,), True, ())
    (item,) = opened(store, image)
    assert isinstance(item, FoundSignature)
    assert item.data == b"envelope"


@pytest.mark.parametrize(
    "wrong",
    [
        ({"size": 10}, {"size": 11}),
        ({"size": 10}, {"size": 10, "artifact_type": "application/x"}),
        ({"media_type": mt.IMAGE_INDEX}, {"size": 2**40}),
        ({"size": 2**40}, {"size": 2**41}),
        ({"size": 10, "artifact_type": "application/x"}, {"size": 10, "artifact_type": "application/y"}),
    ],
    ids=str,
)
def test_entries_that_contradict_each_other_and_are_all_wrong_leave_the_listing_incomplete(
    wrong: tuple[dict[str, Any], ...],
) -> None:
    store = Listed()
    image = artifact(store)
    good = attach(store, image, b"envelope")
    store.entries = tuple(good._replace(**changes) for changes in wrong)
    found = discover(store, image)
    assert (found.signatures, found.complete) == ((), False)
    assert f"{good.digest} is listed in several ways, and as none of them it can be read" in found.problems


def test_entries_that_contradict_each_other_about_something_else_are_no_reason_to_doubt() -> None:
    store = Listed()
    image = artifact(store)
    other = artifact(store, "other")
    store.entries = (other._replace(size=1), other._replace(artifact_type="application/x"))
    assert discover(store, image) == Discovery((), True, ())


@pytest.mark.parametrize("more", [0, 1])
def test_only_so_many_referrers_without_a_type_are_read(more: int) -> None:
    store = Listed()
    image = artifact(store)
    count = discovery.MAX_UNTYPED + more
    store.entries = tuple(put(store, b'{"x":%d}' % n, mt.IMAGE_MANIFEST) for n in range(count))
    found = discover(store, image)
    assert len(store.fetched) == discovery.MAX_UNTYPED
    assert found.complete is not bool(more)
    said = ("1 referrers without an artifact type are too large or too many",)
    assert found.problems == (said if more else ())


def test_what_is_called_a_signature_is_read_before_a_crowd_without_types() -> None:
    store = Listed()
    image = artifact(store)
    good = attach(store, image, b"envelope")
    crowd = [put(store, b'{"x":%d}' % n, mt.IMAGE_MANIFEST) for n in range(discovery.MAX_UNTYPED)]
    store.entries = (*crowd, good._replace(size=10), good)
    assert discover(store, image).signatures == (good,)


# --- lines ------------------------------------------------------------------------------------------------


def test_a_reason_is_one_bounded_line() -> None:
    problem = Problem(Descriptor("", discovery.Digest(""), 0), MalformedManifest("a\x1b[2J\nb" + "c" * 1000))
    assert problem.reason.startswith("a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b")
    assert len(problem.reason) == MAX_LINE + 1


def test_a_problem_of_the_listing_is_one_bounded_line(store: CountingStore, image: Descriptor) -> None:
    class Chatty(MemoryStore):
        def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
            return Referrers((), True, ("a\x1b[2J\n" + "b" * 100_000,))

    (problem,) = discover(Chatty(), image).problems
    assert problem.isprintable()
    assert len(problem) <= MAX_LINE + 1
