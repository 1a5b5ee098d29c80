"""The registry lies, or somebody between it and us: one row a lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from nv2.transport.interface import Request, Response
from tests.hostile.machine import (
    BUILD,
    HOST,
    KIB,
    MIB,
    NOT_TRUSTED,
    UNDECIDED,
    Attack,
    Machine,
    check,
    check_ended,
)
from tests.world.images import image
from tests.world.logins import PASSWORD, BearerLogin
from tests.world.network import answer, answer_json
from tests.world.signed import sealed

OTHER = image("other")


def quirks(*names: str) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.registry.quirks |= set(names)

    return strike


def index(entries: list[Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": entries}).encode()


def invented(number: int) -> dict[str, Any]:
    """An entry for a signature that does not exist."""
    digest = digest_of(str(number).encode())
    return {"mediaType": mt.IMAGE_MANIFEST, "digest": digest, "size": 700, "artifactType": mt.SIGNATURE}


def pages(size: int, following: Callable[[int], str]) -> Callable[[Machine], None]:
    """The listing has pages of `size` invented signatures; `following` says where page n + 1 is."""

    def strike(machine: Machine) -> None:
        def page(request: Request) -> Response:
            number = int(request.url.partition("n=")[2] or 0)
            entries = [invented(number * size + i) for i in range(size)]
            link = f'<{following(number)}>; rel="next"'
            return answer(request, 200, index(entries), {"Content-Type": mt.IMAGE_INDEX, "Link": link})

        machine.lie("/referrers/", page)

    return strike


def next_number(number: int) -> str:
    return f"?n={number + 1}"


def circle(number: int) -> str:
    return f"?n={1 - number}"


def at_host(prefix: str) -> Callable[[int], str]:
    return lambda number: f"{prefix}/v2/app/referrers/x?n={number + 1}"


def more_than_anybody_has(machine: Machine) -> None:
    machine.monkeypatch.setattr("nv2.content.remote.referrers.MAX_REFERRERS", 500)
    pages(100, next_number)(machine)


def other_artifact(machine: Machine) -> None:
    """Asked for the image by digest, the registry sends another one, which is signed well."""
    machine.sign(target=OTHER.descriptor)
    machine.say(f"/manifests/{machine.image}", OTHER.manifest, mt.IMAGE_MANIFEST)


def other_artifact_with_its_header(machine: Machine) -> None:
    machine.say(
        f"/manifests/{machine.image}",
        OTHER.manifest,
        mt.IMAGE_MANIFEST,
        Docker_Content_Digest=OTHER.descriptor.digest,
    )


def other_artifact_with_our_header(machine: Machine) -> None:
    machine.say(
        f"/manifests/{machine.image}", OTHER.manifest, mt.IMAGE_MANIFEST, Docker_Content_Digest=machine.image
    )


def signed(**how: Any) -> Callable[[Machine], None]:
    """A good signature, but for what the listing says of it."""

    def strike(machine: Machine) -> None:
        machine.listing([machine.entry(machine.sign(), **how)])

    return strike


def manifest(**changes: Any) -> Callable[[Machine], None]:
    """A good envelope in a manifest with these changes."""

    def strike(machine: Machine) -> None:
        machine.attach(sealed(machine.subject, BUILD), **changes)

    return strike


def envelope_bytes(change: Callable[[bytes], bytes]) -> Callable[[Machine], None]:
    """A good signature, for whose envelope the registry sends other bytes."""

    def strike(machine: Machine) -> None:
        digest = machine.attach(data := sealed(machine.subject, BUILD))
        layer = json.loads(machine.repository.manifests[digest][1])["layers"][0]["digest"]
        machine.say(f"/blobs/{layer}", change(data), mt.OCTET_STREAM)

    return strike


def endless_envelope(machine: Machine) -> None:
    machine.attach(sealed(machine.subject, BUILD))
    machine.drip("/blobs/", mt.OCTET_STREAM)


def endless_signature_manifest(machine: Machine) -> None:
    machine.drip(f"/manifests/{machine.sign()}", mt.IMAGE_MANIFEST)


def manifest_bytes(machine: Machine) -> None:
    machine.say(f"/manifests/{machine.sign()}", OTHER.manifest, mt.IMAGE_MANIFEST)


def for_another(machine: Machine) -> None:
    """The listing of the image has a good signature manifest of another image."""
    target = OTHER.descriptor.to_json()
    digest = machine.attach(sealed(OTHER.descriptor, BUILD), subject=target)
    machine.listing([machine.entry(digest)])


def envelope_of_another(machine: Machine) -> None:
    """The manifest says the image is its subject; what is signed is another one."""
    machine.sign(target=OTHER.descriptor)


def thousand_times(machine: Machine) -> None:
    machine.listing([machine.entry(machine.attach(b"junk"))] * 1000)


def twins(machine: Machine) -> None:
    """One digest, entered a thousand times with a thousand sizes."""
    digest = machine.attach(b"junk")
    machine.listing([machine.entry(digest, size=size) for size in range(1, 1001)])


def tag_moves(machine: Machine) -> None:
    """Whoever asks for the tag twice gets two images, and only the second is signed."""
    machine.sign(target=OTHER.descriptor)
    machine.repository.add(OTHER.manifest, mt.IMAGE_MANIFEST)

    def move() -> None:
        machine.repository.tags["v1"] = OTHER.descriptor.digest

    machine.registry.before("GET", "/referrers/", move)


def moving_index(machine: Machine) -> None:
    """The fallback tag names something else than a list."""
    machine.registry.referrers_api = False
    tag = machine.image.replace(":", "-")
    machine.repository.add(OTHER.manifest, mt.IMAGE_MANIFEST, tag)


def login(realm: str) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.monkeypatch.setenv("NOTATION_USERNAME", "alice")
        machine.monkeypatch.setenv("NOTATION_PASSWORD", PASSWORD)
        machine.registry.login = BearerLogin(realm=realm)

    return strike


def greedy_token_server(machine: Machine) -> None:
    login("https://auth.test/token")(machine)
    machine.hosts["auth.test"] = lambda request: answer_json(request, 200, {"token": "x" * MIB})


def junk_token_server(machine: Machine) -> None:
    login("https://auth.test/token")(machine)
    machine.hosts["auth.test"] = lambda request: answer_json(request, 200, {"token": "a b"})


def stubborn_login(machine: Machine) -> None:
    login("https://auth.test/token")(machine)
    machine.hosts["auth.test"] = lambda request: answer_json(request, 200, {"token": "never-good-enough"})


def said(part: str, body: bytes, media_type: str) -> Callable[[Machine], None]:
    return lambda machine: machine.say(part, body, media_type)


def dripping(part: str, media_type: str) -> Callable[[Machine], None]:
    return lambda machine: machine.drip(part, media_type)


IMAGE, LISTING = "/manifests/sha256:", "/referrers/"
SIZE_IS_ENORMOUS = {"size": 2**62}

# fmt: off
ATTACKS = (
    # pages
    Attack("a page of the listing that names itself as the next", quirks("link_for_ever"), "not every referrer could be read", requests=104),
    Attack("pages of the listing that go round in a circle", pages(3, circle), "not every referrer could be read", requests=110),
    Attack("pages of the listing without end", pages(1, next_number), "not every referrer could be read", requests=204),
    Attack("a listing with more entries than anybody has", more_than_anybody_has, "not every referrer could be read", requests=520),
    Attack("the next page at another host", pages(1, at_host("https://elsewhere.test")), "the next page of the referrers is at elsewhere.test", requests=4),
    Attack("the next page at another port", pages(1, at_host(f"https://{HOST}:8443")), "the next page of the referrers is at registry.test:8443", requests=4),
    Attack("the next page without TLS", pages(1, at_host(f"http://{HOST}")), "sends from https to http", requests=4),
    Attack("the next page in a file", pages(1, at_host("file://")), "not an http or https address", requests=4),
    Attack("the next page with a user name in its address", pages(1, at_host(f"https://a:b@{HOST}")), "not an http or https address", requests=4),
    # the listing
    Attack("a listing without end", dripping(LISTING, mt.IMAGE_INDEX), "longer than 4194304 bytes", requests=4, read=5 * MIB, memory=24 * MIB),
    Attack("a listing that is no JSON", said(LISTING, b"[", mt.IMAGE_INDEX), "referrers of registry.test/app", requests=4),
    Attack("a listing with a key twice", said(LISTING, b'{"mediaType":"%s","manifests":[],"manifests":[]}' % mt.IMAGE_INDEX.encode(), mt.IMAGE_INDEX), "referrers of registry.test/app", requests=4),
    Attack("a listing nested too deep", said(LISTING, b"[" * 100_000, mt.IMAGE_INDEX), "referrers of registry.test/app", requests=4),
    Attack("a listing of entries that are none", lambda m: m.listing([None, 7, [], {}, {"digest": "x"}] * 10), "no signature is associated", NOT_TRUSTED),
    Attack("one entry a thousand times", thousand_times, "integrity failed", NOT_TRUSTED, requests=6),
    Attack("one digest with a thousand sizes", twins, "is listed in more than 8 ways", requests=12),
    Attack("a listing that says the manifest has 2^62 bytes", signed(**SIZE_IS_ENORMOUS), "a manifest of more than", NOT_TRUSTED, requests=4),
    Attack("a listing that says the manifest has less bytes", signed(size=10), "longer than 10 bytes", requests=6),
    Attack("a listing that says the manifest is an index", signed(mediaType=mt.IMAGE_INDEX), "integrity", NOT_TRUSTED, requests=6),
    Attack("a listing with a digest that is a path", signed(digest="sha256:../../x"), "no signature is associated", NOT_TRUSTED, requests=4),
    Attack("a fallback tag that names an image", moving_index, "the tag that lists referrers is not an image index", NOT_TRUSTED, requests=6),
    # other bytes than those asked for
    Attack("another artifact for a digest", other_artifact, "the content has digest", requests=6),
    Attack("… with its own digest in the header", other_artifact_with_its_header, "the content has digest", requests=6),
    Attack("… with our digest in the header", other_artifact_with_our_header, "the content has digest", requests=6),
    Attack("our artifact with another digest in the header", quirks("wrong_digest_header"), "the content has digest", requests=6),
    Attack("another signature manifest for a digest", manifest_bytes, "the content has", NOT_TRUSTED, requests=6),
    Attack("an envelope with another byte", envelope_bytes(lambda d: d[:-1] + b" "), "the content has digest", NOT_TRUSTED),
    Attack("an envelope that is cut", envelope_bytes(lambda d: d[:-1]), "the content has", NOT_TRUSTED),
    Attack("an envelope with something behind it", envelope_bytes(lambda d: d + b"\n"), "the answer is longer"),
    Attack("the artifact as another media type", lambda m: m.say(IMAGE, image("app").manifest, mt.IMAGE_INDEX), "image.index", requests=6),
    Attack("the artifact as a page", lambda m: m.say(IMAGE, b"<html>", "text/html"), "the content has digest", requests=6),
    Attack("a tag that moves between two requests", tag_moves, "it signs another artifact", NOT_TRUSTED, words="verify TAG"),
    # sizes
    Attack("an artifact without end", dripping(IMAGE, mt.IMAGE_MANIFEST), "bytes", requests=6, read=5 * MIB, memory=24 * MIB),
    Attack("a tag without end", dripping("/manifests/v1", mt.IMAGE_MANIFEST), "bytes", words="verify TAG", requests=6, read=5 * MIB, memory=24 * MIB),
    Attack("a signature manifest without end", endless_signature_manifest, "the answer is longer", requests=6, read=64 * KIB),
    Attack("an envelope without end", endless_envelope, "the answer is longer", requests=6, read=128 * KIB),
    Attack("an envelope said to have 2^62 bytes", manifest(blob=SIZE_IS_ENORMOUS), "an envelope of more than", NOT_TRUSTED, requests=6),
    Attack("an envelope said to have less than none", manifest(blob={"size": -1}), "integrity", NOT_TRUSTED, requests=6),
    # signature manifests
    Attack("a signature manifest without a layer", manifest(layers=[]), "has 1 layer, this one 0", NOT_TRUSTED),
    Attack("a signature manifest with two layers", manifest(layers=[invented(1), invented(2)]), "has 1 layer, this one 2", NOT_TRUSTED),
    Attack("a signature manifest with children", manifest(manifests=[]), "has 'manifests'", NOT_TRUSTED),
    Attack("a signature manifest that says it is an index", manifest(mediaType=mt.IMAGE_INDEX), "says it is", NOT_TRUSTED),
    Attack("an envelope of a format that nobody knows", manifest(blob={"mediaType": "application/x"}), "unknown format of signatures", NOT_TRUSTED),
    Attack("a signature manifest of another artifact", for_another, "its subject is another manifest", NOT_TRUSTED),
    Attack("an envelope of another artifact", envelope_of_another, "integrity failed", NOT_TRUSTED),
    # logins
    Attack("a token server on this machine", login("https://127.0.0.1/token"), "127.0.0.1", requests=6),
    Attack("a token server where clouds keep their secrets", login("https://169.254.169.254/token"), "169.254.169.254", requests=6),
    Attack("a token server without TLS", login("http://auth.test/token"), "without TLS", requests=6),
    Attack("a token server in a file", login("file:///etc/passwd"), "address", requests=6),
    Attack("a token of a mebibyte", greedy_token_server, "longer than 131072 bytes", requests=12, read=MIB),
    Attack("a token with a space", junk_token_server, "no usable token", requests=12),
    Attack("a login that no token satisfies", stubborn_login, "registry.test", requests=12),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_registry_that_lies_gets_no_yes(machine: Machine, attack: Attack) -> None:
    check(machine, attack)
    assert all(
        request.url.startswith(("https://registry.test/", "https://auth.test/"))
        for request in machine.network.requests
    )


OTHER_COMMANDS = (
    "sign -k wabbit.key IMAGE",
    "list IMAGE",
    "inspect IMAGE",
    "copy IMAGE layout:copy:v1",
    f"copy IMAGE {HOST}/copy:v1",
)


@pytest.mark.parametrize(
    "lie", [other_artifact, other_artifact_with_its_header, other_artifact_with_our_header]
)
@pytest.mark.parametrize("words", OTHER_COMMANDS)
def test_no_command_takes_another_artifact_for_the_one_it_asked_for(
    machine: Machine, words: str, lie: Callable[[Machine], None]
) -> None:
    lie(machine)
    before = (dict(machine.repository.manifests), set(machine.registry.repositories))
    check_ended(machine.run(words), UNDECIDED, "the content has digest")
    assert before == (machine.repository.manifests, set(machine.registry.repositories)), "nothing was written"
    assert not (machine.line.directory / "copy" / "index.json").exists()
