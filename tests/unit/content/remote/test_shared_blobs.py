"""Blobs that many manifests name: not asked for where a listed signature vouches for them, and never missing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nv2.content.interface import Journal, opener
from nv2.content.remote.fallback import RunJournal
from nv2.content.remote.store import RemoteStore
from nv2.errors import BadAnswer, EnvironmentFailure, NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import fallback_tag
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import SBOM, push_blob, push_image, push_manifest

CONFIG = describe(b"{}", mt.EMPTY)


class _Unreadable(RunJournal):
    def recall(self, subject: str) -> tuple[Descriptor, ...]:
        raise EnvironmentFailure("cannot be read", at=subject)

    def record(self, subject: str, manifests: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
        raise EnvironmentFailure(f"{len(manifests)} cannot be written", at=subject)


class Signing:
    """An image in a registry with the fallback tag only, and whoever signs it, each time with a new store."""

    def __init__(self, *quirks: str, journal: Journal | None = None) -> None:
        self.world = World(referrers_api=False)
        self.journal = journal or RunJournal()
        self.image = push_image(self.world.store())  # its config is `{}`, too
        self.world.registry.quirks = set(quirks)
        self.repository = self.world.registry.repository("app")

    def store(self) -> RemoteStore:
        return self.world.store(journal=self.journal)

    def sign(self, name: str, artifact_type: str = mt.SIGNATURE) -> list[str]:
        """What was asked, with the digest of the config as CONFIG and the fallback tag as TAG."""
        before, store = len(self.world.registry.requests), self.store()
        provided = store.provide(CONFIG, opener(b"{}"), self.image)
        layer = push_blob(store, name.encode())
        provided()
        document = {
            "artifactType": artifact_type,
            "config": CONFIG.to_json(),
            "layers": [layer.to_json()],
            "subject": self.image.to_json(),
        }
        manifest = push_manifest(store, document, mt.IMAGE_MANIFEST)._replace(artifact_type=artifact_type)
        store.attach(self.image, [manifest])
        found = self.world.registry.requests[before:]
        return [f"{r.method} {self._short(r.url.rpartition('/')[2], manifest)}" for r in found]

    def _short(self, name: str, manifest: Descriptor) -> str:
        names = {
            CONFIG.digest: "CONFIG",
            fallback_tag(self.image.digest): "TAG",
            manifest.digest: "SIGNATURE",
        }
        return names.get(name.partition("?")[0], "SENT CONFIG" if name.endswith(CONFIG.digest) else "other")

    def lose_config(self) -> None:
        del self.repository.blobs[CONFIG.digest]


@pytest.fixture
def signing() -> Signing:
    return Signing()


def test_the_first_signature_asks_for_the_config_and_further_ones_do_not(signing: Signing) -> None:
    assert "HEAD CONFIG" in signing.sign("one")
    assert "HEAD CONFIG" not in signing.sign("two")


def test_a_missing_config_is_sent_before_the_manifest() -> None:
    signing = Signing()
    signing.lose_config()
    asked = signing.sign("one")
    assert asked.index("PUT SENT CONFIG") < asked.index("PUT SIGNATURE")


def test_what_is_recorded_but_not_listed_vouches_for_nothing(signing: Signing) -> None:
    signing.sign("one")
    del signing.repository.tags[fallback_tag(signing.image.digest)]
    signing.lose_config()
    asked = signing.sign("two")
    assert asked.index("HEAD CONFIG") < asked.index("PUT SENT CONFIG") < asked.index("PUT TAG")
    assert CONFIG.digest in signing.repository.blobs


def test_a_listed_signature_of_somebody_else_vouches_for_nothing(signing: Signing) -> None:
    signing.sign("one")
    signing.journal = RunJournal()
    assert "HEAD CONFIG" in signing.sign("two")


def test_another_referrer_than_a_signature_vouches_for_nothing(signing: Signing) -> None:
    signing.sign("one", SBOM)
    assert "HEAD CONFIG" in signing.sign("two")


def test_a_registry_that_misses_the_config_in_spite_of_a_witness_gets_it_and_then_the_manifest() -> None:
    signing = Signing("checks_blobs")
    signing.sign("one")
    signing.lose_config()
    asked = signing.sign("two")
    assert asked.count("PUT SIGNATURE") == 2 and asked.count("PUT SENT CONFIG") == 1
    assert asked.index("PUT SENT CONFIG") < asked.index("PUT TAG")


def test_a_manifest_that_is_refused_for_another_reason_stays_refused(signing: Signing) -> None:
    signing.sign("one")
    signing.world.registry.fail("PUT", "/manifests/sha256:", status=400)
    with pytest.raises(BadAnswer, match="answered 400"):
        signing.sign("two")
    signing.world.registry.fail("PUT", "/manifests/sha256:", status=404)
    with pytest.raises(NotFound):
        signing.sign("three")


BLOB_UNKNOWN = b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry"}]}'


def test_a_registry_that_misses_what_it_has_while_another_signer_sends_it_is_asked_again(
    signing: Signing,
) -> None:
    signing.sign("one")
    signing.world.registry.fail("PUT", "/manifests/sha256:", status=400, body=BLOB_UNKNOWN, times=3)
    assert signing.sign("two").count("PUT SIGNATURE") == 4


def test_a_registry_that_goes_on_to_miss_what_it_has_is_an_error(signing: Signing) -> None:
    signing.sign("one")
    signing.world.registry.fail("PUT", "/manifests/sha256:", status=400, body=BLOB_UNKNOWN, times=5)
    with pytest.raises(BadAnswer, match="MANIFEST_BLOB_UNKNOWN"):
        signing.sign("two")


def test_a_registry_that_lists_by_itself_by_now_is_asked_before_the_signature_counts(
    signing: Signing,
) -> None:
    signing.sign("one")
    signing.world.registry.referrers_api = True
    signing.lose_config()
    assert signing.sign("two")[-1] == "PUT SENT CONFIG"
    assert CONFIG.digest in signing.repository.blobs


def test_without_a_record_the_config_is_asked_for(signing: Signing) -> None:
    signing.journal = _Unreadable()
    for name in ("one", "two"):
        assert "HEAD CONFIG" in signing.sign(name)


def test_a_registry_that_cannot_say_whether_it_has_the_config_gets_no_manifest(signing: Signing) -> None:
    signing.world.registry.fail("HEAD", "/blobs/")
    with pytest.raises(BadAnswer, match=f"blob {CONFIG.digest}"):
        signing.sign("one")
    assert list(signing.repository.manifests) == [signing.image.digest]
