"""Whatever is attached beside a good signature never hides it, and costs bounded work.

Anyone who may write to a repository may attach what he likes, and as much of it.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from nv2.content.remote.referrers import MAX_VARIANTS
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.oci.digest import digest_of
from nv2.pki.chain import parse_chain
from tests.hostile.machine import (
    BUILD,
    KIB,
    MIB,
    NOT_TRUSTED,
    STRANGER,
    UNDECIDED,
    Machine,
    check_ended,
    trusts,
)
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import pem
from tests.world.images import image
from tests.world.network import answer
from tests.world.signed import SIGNED_AT, sealed

THOUSAND = 1000
GOOD = parse_chain(BUILD.chain).thumbprints


def junk_manifests(machine: Machine, count: int) -> None:
    """Bytes that are no manifest, listed as signatures."""
    for number in range(count):
        beside(machine, b"{" + str(number).encode())


def untyped(machine: Machine, count: int) -> None:
    """Manifests of nothing known, listed without a type."""
    for number in range(count):
        document = {"schemaVersion": 2, "mediaType": mt.IMAGE_MANIFEST, "layers": [], "x": number}
        beside(machine, json.dumps(document).encode(), None)


def huge(machine: Machine, count: int) -> None:
    """Manifests said to be larger than any may be."""
    for number in range(count):
        beside(machine, b"huge%d" % number, size=2**40)


def missing(machine: Machine, count: int) -> None:
    """Manifests that are listed and not there."""
    for number in range(count):
        digest = beside(machine, b"missing%d" % number)
        del machine.repository.manifests[digest]


def missing_envelopes(machine: Machine, count: int) -> None:
    """Manifests of envelopes that are not there."""
    for number in range(count):
        envelope = b"lost%d" % number
        listed(machine, machine.attach(envelope))
        del machine.repository.blobs[digest_of(envelope)]


def wrong_digests(machine: Machine, count: int) -> None:
    """Manifests whose bytes are others than their digests say."""
    for number in range(count):
        digest = beside(machine, b"wrong%d" % number)
        machine.repository.manifests[digest] = (mt.IMAGE_MANIFEST, b"other%d" % number)


def wrong_types(machine: Machine, count: int) -> None:
    """Envelopes of a media type that nobody knows, and manifests listed as what they are not."""
    for number in range(count):
        listed(machine, machine.attach(b"type%d" % number, blob={"mediaType": "application/x"}))
        beside(machine, b'{"manifests":[],"x":%d}' % number, media_type=mt.IMAGE_INDEX)


def junk_envelopes(machine: Machine, count: int) -> None:
    """Well-formed manifests of envelopes that are none."""
    for number in range(count):
        listed(machine, machine.attach(b"junk%d" % number))


def strangers(machine: Machine, count: int) -> None:
    """Well-formed signatures of somebody whom nobody here trusts, each another one."""
    for number in range(count):
        envelope = stranger(number)
        listed(machine, machine.attach(envelope, thumbprints=parse_chain(STRANGER.chain).thumbprints))


def impostors(machine: Machine, count: int) -> None:
    """The same, in manifests that claim the thumbprints of the certificate that is trusted."""
    for number in range(count):
        envelope = stranger(number)
        listed(machine, machine.attach(envelope, thumbprints=GOOD))


def claims_of_size(machine: Machine, count: int) -> None:
    """Manifests that claim our thumbprints, and that their few bytes are as many as an envelope may have."""
    for number in range(count):
        envelope = b"small%d" % number
        listed(machine, machine.attach(envelope, thumbprints=GOOD, blob={"size": 4 * MIB}))


def one_envelope(machine: Machine, count: int) -> None:
    """The same, and all of them name one envelope."""
    for number in range(count):
        annotations = {"n": str(number)}
        blob = {"size": 4 * MIB, "annotations": annotations}
        listed(machine, machine.attach(b"one blob", thumbprints=GOOD, blob=blob))


def twins(machine: Machine, count: int) -> None:
    """Manifests that are listed twice, in two ways that are both wrong."""
    for number in range(count):
        data = b'{"x":%d}' % number
        for size in (len(data) + 1, len(data) + 2):
            beside(machine, data, size=size)


def borrowed_chains(machine: Machine, count: int) -> None:
    """Envelopes that carry the trusted chain and were signed with another key."""
    for number in range(count):
        envelope = stranger(number, BUILD.chain)
        listed(machine, machine.attach(envelope, thumbprints=GOOD))


@cache
def stranger(number: int, chain: tuple[bytes, ...] = STRANGER.chain) -> bytes:
    """A stranger's signature of the image, another one for each number."""
    return sealed(image("app").descriptor, STRANGER, chain=chain, user_metadata={"n": str(number)})


def beside(
    machine: Machine,
    data: bytes,
    artifact_type: str | None = mt.SIGNATURE,
    *,
    media_type: str = mt.IMAGE_MANIFEST,
    size: int = 0,
) -> str:
    """Put `data` beside the image as a manifest, and list it."""
    entry = describe(data, media_type, artifact_type=artifact_type).to_json()
    machine.repository.manifests[entry["digest"]] = (media_type, data)
    machine.entries.append({**entry, "size": size or len(data)})
    return str(entry["digest"])


def listed(machine: Machine, digest: str) -> None:
    annotations = json.loads(machine.repository.manifests[digest][1])["annotations"]
    machine.entries.append(machine.entry(digest, annotations=annotations))


class Crowd(NamedTuple):
    """What stands beside the good signature; `alone` is the answer when the good one is not there."""

    name: str
    gather: Callable[[Machine, int], None]
    alone: int
    each: int
    """Requests for each, at most."""


# fmt: off
CROWDS = (
    #                                                                    without the good one
    Crowd("junk manifests",                           junk_manifests,    NOT_TRUSTED, 1),
    Crowd("junk without a type",                      untyped,           NOT_TRUSTED, 1),
    Crowd("huge manifests",                           huge,              NOT_TRUSTED, 0),
    Crowd("missing manifests",                        missing,           UNDECIDED,   1),
    Crowd("missing envelopes",                        missing_envelopes, UNDECIDED,   2),
    Crowd("manifests of wrong digests",               wrong_digests,     NOT_TRUSTED, 1),
    Crowd("wrong media types",                        wrong_types,       NOT_TRUSTED, 2),
    Crowd("junk envelopes",                           junk_envelopes,    NOT_TRUSTED, 2),
    Crowd("strangers' signatures",                    strangers,         NOT_TRUSTED, 2),
    Crowd("strangers' with our thumbprint",           impostors,         NOT_TRUSTED, 2),
    Crowd("claims of 4 MiB each",                     claims_of_size,    UNDECIDED,   2),
    Crowd("one envelope, many manifests",             one_envelope,      NOT_TRUSTED, 1),
    Crowd("twins",                                    twins,             UNDECIDED,   2),
    Crowd("our chain, and another key",               borrowed_chains,   NOT_TRUSTED, 2),
)
# fmt: on

every = pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.name)


@every
@pytest.mark.parametrize("count", [1, THOUSAND])
def test_a_good_signature_is_found_among(machine: Machine, crowd: Crowd, count: int) -> None:
    crowd.gather(machine, count)
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine)
    assert len(machine.network.requests) <= 6 + crowd.each * count
    assert machine.network.read <= 64 * KIB + 6 * KIB * count


@every
def test_a_good_signature_that_claims_nothing_is_found_among_a_thousand(
    machine: Machine, crowd: Crowd
) -> None:
    crowd.gather(machine, THOUSAND)
    listed(machine, machine.attach(sealed(machine.subject, BUILD)))
    machine.list_entries()
    trusts(machine, "verify --max-signatures 1 IMAGE")
    assert len(machine.network.requests) <= 6 + crowd.each * THOUSAND


@every
def test_a_thousand_alone_are_never_a_yes(machine: Machine, crowd: Crowd) -> None:
    crowd.gather(machine, THOUSAND)
    machine.list_entries()
    ended = machine.run("verify IMAGE")
    check_ended(ended, crowd.alone, "sha256:")
    assert len(machine.network.requests) <= 6 + crowd.each * THOUSAND


def test_all_of_them_at_once_hide_nothing_in_any_order(machine: Machine) -> None:
    for crowd in CROWDS:
        crowd.gather(machine, 20)
    listed(machine, machine.sign())
    for entries in (machine.entries, machine.entries[::-1]):
        machine.entries = entries
        machine.list_entries()
        trusts(machine)


def test_a_thousand_strangers_are_not_even_opened_where_thumbprints_tell(machine: Machine) -> None:
    strangers(machine, THOUSAND)
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine)
    assert len(machine.network.requests) <= 70, "one batch of manifests, and of envelopes"


def test_a_thousand_signatures_on_a_fallback_tag_hide_nothing_either(machine: Machine) -> None:
    strangers(machine, THOUSAND)
    listed(machine, machine.sign())
    machine.registry.referrers_api = False
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": machine.entries}
    machine.repository.add(json.dumps(index).encode(), mt.IMAGE_INDEX, machine.image.replace(":", "-"))
    trusts(machine)


def test_a_thousand_strangers_cost_bounded_memory(machine: Machine) -> None:
    impostors(machine, THOUSAND)
    listed(machine, machine.sign())
    machine.list_entries()
    tracemalloc.start()
    try:
        trusts(machine)
        assert tracemalloc.get_traced_memory()[1] <= 24 * MIB
    finally:
        tracemalloc.stop()


# --- entries that contradict each other -------------------------------------------------------------------

WRONG = (
    {"size": 10},
    {"size": 2**40},
    {"mediaType": mt.IMAGE_INDEX},
    {"artifactType": "x/y"},
    {"size": 10, "artifactType": "x/y"},
)


def by_api(machine: Machine, entries: list[dict[str, Any]]) -> None:
    machine.listing(entries)


def by_tag(machine: Machine, entries: list[dict[str, Any]]) -> None:
    machine.registry.referrers_api = False
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": entries}
    machine.repository.add(json.dumps(index).encode(), mt.IMAGE_INDEX, machine.image.replace(":", "-"))


Lister = Callable[[Machine, list[dict[str, Any]]], None]
either = pytest.mark.parametrize("lister", [by_api, by_tag])


@either
@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_wrong_entry_hides_no_right_one_of_the_same_manifest(
    machine: Machine, lister: Lister, wrong: dict[str, Any], backwards: bool
) -> None:
    good = machine.sign()
    lister(machine, [machine.entry(good, **wrong), machine.entry(good)][:: -1 if backwards else 1])
    trusts(machine)


@either
def test_entries_that_are_all_wrong_and_contradict_each_other_are_undecided(
    machine: Machine, lister: Lister
) -> None:
    good = machine.sign()
    lister(machine, [machine.entry(good, size=10), machine.entry(good, size=11)])
    ended = machine.run("verify IMAGE")
    check_ended(ended, UNDECIDED, "not every referrer could be read")
    assert f"{good} is listed in several ways, and as none of them it can be read" in ended.err


@either
def test_more_descriptions_of_one_manifest_than_are_kept_are_undecided(
    machine: Machine, lister: Lister
) -> None:
    good = machine.sign()
    wrong = [machine.entry(good, size=size) for size in range(10, 10 + MAX_VARIANTS)]
    lister(machine, [*wrong[1:], machine.entry(good)])
    trusts(machine)
    lister(machine, [*wrong, machine.entry(good)])
    ended = machine.run("verify IMAGE")
    check_ended(ended, UNDECIDED, "not every referrer could be read")
    assert f"is listed in more than {MAX_VARIANTS} ways" in ended.err


# --- those who may spend the budget -----------------------------------------------------------------------


def expired(machine: Machine, count: int) -> None:
    """Signatures by somebody trusted that have expired: each counts, for each might cost a question to the CA."""
    for number in range(count):
        end = SIGNED_AT.replace(month=2)
        listed(machine, machine.sign(expiry=end, user_metadata={"n": str(number)}))


def retired(machine: Machine, count: int) -> None:
    """Signatures of a certificate that has expired."""
    pair = WABBIT.issue("retired", key="EC-256", not_after=SIGNED_AT.replace(month=3))
    for number in range(count):
        listed(machine, machine.sign(pair, user_metadata={"n": str(number)}))


@pytest.mark.parametrize("spend", [expired, retired])
def test_a_budget_used_up_by_the_trusted_is_undecided(
    machine: Machine, spend: Callable[[Machine, int], None]
) -> None:
    spend(machine, 101)
    machine.list_entries()
    ended = machine.run("verify IMAGE")
    check_ended(ended, UNDECIDED, "the budget is used up, and 1 were not looked at")
    check_ended(machine.run("verify --max-signatures 101 IMAGE"), NOT_TRUSTED, "sha256:")


@pytest.mark.parametrize("spend", [expired, retired])
def test_a_budget_that_is_just_enough_decides(
    machine: Machine, spend: Callable[[Machine, int], None]
) -> None:
    spend(machine, 99)
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine, "verify --max-signatures 100 IMAGE")


def test_junk_beside_them_does_not_spend_it(machine: Machine) -> None:
    for gather in (junk_envelopes, strangers, impostors, borrowed_chains, missing):
        gather(machine, 50)
    expired(machine, 9)
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine, "verify --max-signatures 10 IMAGE")


def test_copies_of_one_signature_spend_it_once(machine: Machine) -> None:
    envelope = sealed(machine.subject, BUILD, expiry=SIGNED_AT.replace(month=2))
    for number in range(200):
        listed(machine, machine.attach(envelope, thumbprints=GOOD, annotations={"n": str(number)}))
    listed(machine, machine.sign())
    machine.list_entries()
    trusts(machine, "verify --max-signatures 2 IMAGE")


def test_a_store_that_cannot_be_read_is_undecided_and_not_a_no(machine: Machine) -> None:
    strangers(machine, 3)
    machine.list_entries()
    machine.store("ca/wabbit", junk=b"junk", root=pem([WABBIT.certificate]))
    check_ended(machine.run("verify IMAGE"), UNDECIDED, "junk.crt")


def test_one_envelope_that_cannot_be_fetched_leaves_a_no_undecided(machine: Machine) -> None:
    strangers(machine, 3)
    listed(machine, machine.sign())
    machine.list_entries()
    machine.lie("/blobs/", lambda request: answer(request, 503))
    check_ended(machine.run("verify IMAGE"), UNDECIDED, "could not decide")
