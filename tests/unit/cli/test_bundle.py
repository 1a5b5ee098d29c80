"""`nv2 bundle`: what leaves one place arrives in another, and nothing else does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.bundling.contents import Image
from nv2.bundling.evidence import Evidence
from nv2.bundling.trust_manifest import CarriedTrust, StoreFile
from nv2.copying import CopyResult
from nv2.errors import ConfigurationError, EnvironmentFailure, MalformedManifest, Unreachable
from nv2.notary import bundles_imported
from nv2.notary.bundles import checker_for, open_bundle
from nv2.notary.bundles_imported import copy_all, destinations, naming_in
from nv2.notary.bundles_policy import propose, take_over
from nv2.notary.session import Session
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.oci.reference import parse_registry
from nv2.plain_text import rfc3339
from nv2.transport.interface import Request, Response
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import WABBIT
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import attach_referrer, push_image
from tests.world.ca import CA, pem
from tests.world.crl import Revoked, crl
from tests.world.publishing import Publishing

OTHER = CA("Other").issue("CN=other,O=other.io,ST=WA,C=US", "EC-256")
INSIDE = "registry.inside.example"


def policy(store: str = "wabbit", scope: str = "*") -> bytes:
    statement = {
        "name": "all",
        "registryScopes": [scope],
        "signatureVerification": {"level": "strict"},
        "trustStores": [f"ca:{store}"],
        "trustedIdentities": ["*"],
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement]}).encode()


def trusts(line: CommandLine, root: bytes, store: str = "wabbit", scope: str = "*") -> None:
    directory = line.config / "truststore" / "x509" / "ca" / store
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "root.crt").write_bytes(root)
    (line.config / "trustpolicy.json").write_bytes(policy(store, scope))


class Place:
    """A registry with `app:v1`, signed, with an SBOM; the command line trusts its signer."""

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        world = World()
        self.registry = world.registry
        line.reach(self.registry)
        self.image = push_image(world.store(), b"layer")
        attach_referrer(world.store(), self.image)
        self.name = f"{self.registry.host}/app:v1"
        world.store().tag(self.image, "v1")
        line("sign", "-k", "wabbit.key", self.name)
        trusts(line, (line.directory / "root.crt").read_bytes())
        self.store = world.store

    @property
    def file(self) -> Path:
        return self.line.directory / "b.tar"

    def create(self, *words: str) -> None:
        created = self.line("bundle", "create", *(words or (self.name,)), "--file", "b.tar")
        assert created.code == 0, created.err


@pytest.fixture
def place(wabbit: CommandLine) -> Place:
    return Place(wabbit)


def unplugged(*words: str) -> subprocess.CompletedProcess[str]:
    """nv2 in a process that may not make a socket, nor open a file to write, make or remove one."""
    forbidden = (
        "socket.",
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.link",
        "os.symlink",
        "os.chmod",
        "tempfile.",
    )
    program = f"""
import os, sys
def guard(event, arguments, forbidden={forbidden!r}):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(forbidden):
        raise RuntimeError(f"forbidden: {{event}} {{arguments}}")
sys.addaudithook(guard)
from nv2.cli.dispatch import main
from nv2.cli.output import Output
sys.exit(main({list(words)!r}, Output(sys.stdout, sys.stderr)))
"""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False
    )


def test_what_is_in_a_bundle_can_be_listed_with_its_digests(place: Place) -> None:
    place.create()
    shown = place.line("bundle", "inspect", "b.tar", "-o", "json").document
    assert shown["artifacts"] == [{"reference": place.name, "artifact": place.image.to_json()}]
    assert len(shown["referrers"]) == 2
    assert shown["policy"] is None
    assert place.line("bundle", "inspect", "b.tar").code == 0


def test_of_a_referrer_that_is_left_out_no_part_is_in_the_bundle(place: Place) -> None:
    """Else it would be refused for what its contents do not name."""
    parts = (b"a good part", b"a bad part")
    referrer = push_image(place.store(), *parts, config=b'{"of":"it"}', subject=place.image)
    place.store().attach(place.image, [referrer])
    place.registry.repository("app").blobs[digest_of(parts[1])] = b"something"
    ended = place.line("bundle", "create", place.name, "--file", "b.tar")
    assert ended.code == 4 and "left out" in ended.err
    assert place.line("bundle", "verify", "b.tar").code == 0
    assert parts[0] not in place.file.read_bytes()


def test_a_bundle_is_judged_without_a_network_and_without_writing(place: Place) -> None:
    place.create()
    ended = unplugged("bundle", "verify", "b.tar")
    assert (ended.returncode, ended.stderr.count("forbidden")) == (0, 0), ended.stderr
    assert (
        f"Successfully verified signature for {place.registry.host}/app@{place.image.digest}" in ended.stdout
    )
    assert "carried evidence counts until its nextUpdate" in ended.stderr


def test_the_guard_of_that_test_notices_who_asks_a_network(place: Place) -> None:
    ended = unplugged("verify", f"localhost:1/app@{place.image.digest}")
    assert "forbidden: socket" in ended.stderr


def test_a_bundle_whose_signer_is_not_trusted_is_not_trusted(place: Place) -> None:
    place.create()
    trusts(place.line, pem([OTHER.root]))
    ended = place.line("bundle", "verify", "b.tar", "-o", "json")
    assert (ended.code, ended.document["results"][0]["verdict"]) == (1, "notTrusted")


def test_a_key_and_a_scope_say_what_is_trusted(place: Place) -> None:
    place.create()
    (place.line.config / "trustpolicy.json").write_bytes(policy(scope="inside.example/only"))
    assert place.line("bundle", "verify", "b.tar").code == 3
    assert place.line("bundle", "verify", "b.tar", "--scope", "inside.example/only").code == 0
    assert place.line("bundle", "verify", "b.tar", "-k", "leaf.crt").code == 0
    assert (
        place.line("bundle", "verify", "b.tar", "-k", "leaf.crt", "--scope", "inside.example/only").code == 2
    )


def test_the_policy_is_asked_about_the_name_that_an_artifact_gets(place: Place) -> None:
    place.create()
    (place.line.config / "trustpolicy.json").write_bytes(policy(scope=f"{INSIDE}/in/app"))
    assert place.line("bundle", "verify", "b.tar", "--destination", f"{INSIDE}/in").code == 0
    assert place.line("bundle", "verify", "b.tar", "--destination", INSIDE).code == 3


def test_what_is_imported_has_its_tag_and_all_that_refers_to_it(place: Place) -> None:
    place.create()
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["imported"][0]["destination"].startswith(f"{place.registry.host}/in/app:v1@")
    arrived = place.store("in/app")
    assert arrived.resolve("v1") == place.image
    assert len(arrived.referrers(place.image).descriptors) == 2
    assert place.line("verify", f"{place.registry.host}/in/app@{place.image.digest}").code == 0
    again = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in", "-o", "json")
    assert (again.code, again.document["imported"][0]["copied"]) == (0, [])


def test_nothing_is_imported_if_one_artifact_is_not_trusted(place: Place) -> None:
    unsigned = push_image(place.store("other"), b"other")
    place.create(place.name, f"{place.registry.host}/other@{unsigned.digest}")
    place.registry.requests.clear()
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in")
    assert ended.code == 1
    assert place.registry.requests == []
    assert "No artifact was imported." in ended.err


def test_several_artifacts_travel_together_and_what_they_share_once(place: Place) -> None:
    second = push_image(place.store("other"), b"layer")
    place.store("other").tag(second, "v1")
    place.line("sign", "-k", "wabbit.key", f"{place.registry.host}/other:v1")
    place.create(place.name, f"{place.registry.host}/other:v1")
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in")
    assert ended.code == 0, ended.err
    assert place.store("in/other").resolve("v1") == second


def test_two_artifacts_that_would_have_one_name_are_not_imported(place: Place) -> None:
    place.create()
    bundle = open_bundle("b.tar")
    other = describe(b"other", mt.IMAGE_MANIFEST)
    named = (("a.example/app:v1", place.image), ("b.example/app:v1", other))
    images = tuple(Image(parse_registry(name), image) for name, image in named)
    clashing = bundle._replace(contents=bundle.contents._replace(images=images))
    with pytest.raises(MalformedManifest, match="two artifacts would both be"):
        destinations(clashing, naming_in(INSIDE))


def test_a_bundle_is_not_written_over_a_file_and_is_called_tar(place: Place) -> None:
    place.file.write_bytes(b"letter")
    ended = place.line("bundle", "create", place.name, "--file", "b.tar")
    assert (ended.code, place.file.read_bytes()) == (3, b"letter")
    assert place.line("bundle", "create", place.name, "--file", "b.zip").code == 2
    assert place.line("bundle", "create", "layout:image:v1", "--file", "c.tar").code == 2
    assert place.line("bundle", "create", f"{place.registry.host}/app:absent", "--file", "c.tar").code == 3
    assert not (place.line.directory / "c.tar").exists()


def test_what_appears_while_a_bundle_is_made_is_not_written_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gathered(*_: object) -> tuple[Evidence, tuple[str, ...]]:
        place.file.write_bytes(b"letter")
        return Evidence(datetime.now(UTC)), ()

    monkeypatch.setattr("nv2.notary.bundles_made._gather", gathered)
    ended = place.line("bundle", "create", place.name, "--file", "b.tar")
    assert ended.code == 3 and "exists already" in ended.err
    assert place.file.read_bytes() == b"letter"
    assert [path.name for path in place.line.directory.glob("*.tar")] == ["b.tar"]


def test_an_image_that_refers_to_another_is_no_referrer_besides(place: Place) -> None:
    first = push_image(place.store("pair"), b"first")
    second = push_image(place.store("pair"), b"second", subject=first)
    names = (f"{place.registry.host}/pair@{image.digest}" for image in (first, second))
    place.create(*names)
    shown = place.line("bundle", "inspect", "b.tar", "-o", "json").document
    assert (len(shown["artifacts"]), shown["referrers"]) == (2, [])


def test_stores_that_the_policy_does_not_name_stay_at_home(place: Place) -> None:
    trusts(place.line, pem([OTHER.root]), "other")
    (place.line.config / "trustpolicy.json").write_bytes(policy())
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    shutil.rmtree(place.line.config / "truststore")
    assert place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force").code == 0
    assert [path.name for path in (place.line.config / "truststore" / "x509" / "ca").iterdir()] == ["wabbit"]


def test_a_policy_travels_only_in_a_signed_bundle(place: Place) -> None:
    assert place.line("bundle", "create", place.name, "--with-policy", "--file", "b.tar").code == 2
    assert not place.file.exists()


@pytest.fixture
def signed(place: Place) -> Place:
    """A bundle with the policy, signed by wabbit; afterwards this machine has neither policy nor stores."""
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    (place.line.config / "trustpolicy.json").unlink()
    (place.line.config / "truststore" / "x509" / "ca" / "wabbit" / "root.crt").unlink()
    return place


def test_a_policy_is_taken_over_from_whom_this_machine_trusts_and_then_decides(signed: Place) -> None:
    line = signed.line
    undecided = line("bundle", "verify", "b.tar")
    assert undecided.code == 3 and "'nv2 bundle install-policy'" in undecided.err
    taken = line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "-o", "json")
    assert taken.code == 0, taken.err
    assert (line.config / "trustpolicy.oci.json").read_bytes() == policy()
    assert line("bundle", "verify", "b.tar").code == 0


def _nothing_was_installed(line: CommandLine) -> bool:
    stores = [path for path in (line.config / "truststore").rglob("*") if path.is_file()]
    return not stores and not (line.config / "trustpolicy.oci.json").exists()


def test_nothing_in_a_bundle_becomes_trusted_by_verifying_or_importing_it(signed: Place) -> None:
    line = signed.line
    assert line("bundle", "verify", "b.tar", "-k", "leaf.crt").code == 0
    assert line("bundle", "import", "b.tar", f"{signed.registry.host}/in", "-k", "leaf.crt").code == 0
    assert _nothing_was_installed(line)


def test_a_policy_that_somebody_else_signed_is_not_taken_over(signed: Place) -> None:
    (signed.line.directory / "other.crt").write_bytes(pem([OTHER.leaf]))
    ended = signed.line("bundle", "install-policy", "b.tar", "-k", "other.crt", "--force")
    assert ended.code == 1
    assert _nothing_was_installed(signed.line)


def test_a_signature_of_an_image_in_the_bundle_is_none_of_the_bundle(place: Place) -> None:
    """The image is signed by wabbit, the bundle by somebody else."""
    for name, data in {"other.key": OTHER.pem_key(), "other.crt": OTHER.pem_chain()}.items():
        (place.line.directory / name).write_bytes(data)
    (place.line.directory / "other.key").chmod(0o600)
    place.create(place.name, "--with-policy", "-k", "other.key")
    assert place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force").code == 1


@pytest.mark.parametrize("level", ["audit", "skip"])
def test_a_statement_that_lets_others_pass_lets_nobody_bring_a_policy(signed: Place, level: str) -> None:
    line = signed.line
    trusts(line, pem([OTHER.root]), "other")
    document = json.loads(policy("other"))
    statement = document["trustPolicies"][0]
    statement["signatureVerification"]["level"] = level
    if level == "skip":
        del statement["trustStores"], statement["trustedIdentities"]
    (line.config / "trustpolicy.json").write_text(json.dumps(document))
    ended = line("bundle", "install-policy", "b.tar", "--scope", "any.example/bundles", "--force")
    assert ended.code in (1, 3)
    assert not (line.config / "truststore" / "x509" / "ca" / "wabbit" / "root.crt").exists()


def test_an_unsigned_bundle_brings_no_policy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nv2.notary.bundles_made._check", lambda *_: None)
    place.create(place.name, "--with-policy")
    assert place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force").code == 1


def test_another_policy_is_replaced_only_on_demand(signed: Place) -> None:
    trusts(signed.line, pem([OTHER.root]), "other")
    words = ("bundle", "install-policy", "b.tar", "-k", "leaf.crt")
    assert signed.line(*words, "-o", "json").code == 2
    assert not (signed.line.config / "trustpolicy.oci.json").exists()
    assert signed.line(*words, "--force").code == 0


def test_a_file_in_a_store_is_never_replaced(signed: Place) -> None:
    trusts(signed.line, pem([OTHER.root]), "wabbit")
    ended = signed.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force")
    assert ended.code == 3
    assert "another file of this name" in ended.err
    store = signed.line.config / "truststore" / "x509" / "ca" / "wabbit"
    assert (store / "root.crt").read_bytes() == pem([OTHER.root])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """What time sessions think it is: the last one in the list, or the real one."""
    instants: list[datetime] = []
    original = Session.__init__

    def begin(self: Session, *arguments: object) -> None:
        original(self, *arguments)  # type: ignore[arg-type]
        self.now = instants[-1] if instants else self.now

    monkeypatch.setattr(Session, "__init__", begin)
    return instants


def test_an_older_bundle_does_not_bring_an_older_policy_back(place: Place, clock: list[datetime]) -> None:
    line, now = place.line, datetime.now(UTC)
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    place.file.rename(line.directory / "old.tar")
    clock.append(now + timedelta(minutes=2))
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    assert line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force").code == 0
    ended = line("bundle", "install-policy", "old.tar", "-k", "leaf.crt", "--force")
    assert ended.code == 3
    assert "an older one does not replace" in ended.err
    assert line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force").code == 0


def test_of_two_bundles_of_one_second_only_the_first_brings_its_policy(
    place: Place, clock: list[datetime]
) -> None:
    clock.append(datetime.now(UTC))
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    place.file.rename(place.line.directory / "first.tar")
    (place.line.config / "trustpolicy.json").write_bytes(policy(scope="other.example/app"))
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    words = ("-k", "leaf.crt", "--force")
    assert [place.line("bundle", "install-policy", file, *words).code for file in ("first.tar", "b.tar")] == [
        0,
        3,
    ]


def test_a_policy_whose_stores_are_neither_carried_nor_here_is_not_taken_over(
    signed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.notary.bundles_made.trust_of", lambda _: CarriedTrust(policy("absent"), {}))
    trusts(signed.line, (signed.line.directory / "root.crt").read_bytes())
    signed.file.unlink()
    signed.create(signed.name, "--with-policy", "-k", "wabbit.key")
    ended = signed.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force")
    assert ended.code == 3 and "absent" in ended.err
    assert not (signed.line.config / "trustpolicy.oci.json").exists()


def test_a_newer_policy_that_arrives_meanwhile_stays(place: Place, clock: list[datetime]) -> None:
    now = datetime.now(UTC)
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    place.file.rename(place.line.directory / "old.tar")
    clock.append(now + timedelta(minutes=2))
    (place.line.config / "trustpolicy.json").write_bytes(policy(scope="newer.example/app"))
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    with Session.from_environment() as session:
        older, newer = (
            propose(session, open_bundle(file), "leaf.crt", None) for file in ("old.tar", "b.tar")
        )
        taken = take_over(session, newer)
        with pytest.raises(ConfigurationError, match="came with one of"):
            take_over(session, older)
    assert taken.policy.read_bytes() == policy(scope="newer.example/app")


def test_a_bundle_of_tomorrow_brings_no_policy(place: Place, clock: list[datetime]) -> None:
    clock.append(datetime.now(UTC) + timedelta(days=1))
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    clock.append(datetime.now(UTC))
    (place.line.config / "nv2").mkdir(exist_ok=True)
    (place.line.config / "nv2" / "settings.json").write_text('{"clockBehind": "30d"}')
    ended = place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force")
    assert ended.code == 3
    assert "which is yet to come" in ended.err
    assert not (place.line.config / "trustpolicy.oci.json").exists()


def test_two_artifacts_with_one_tag_are_kept_apart_by_their_repositories_for_other_programs(
    place: Place,
) -> None:
    second = push_image(place.store("other"), b"other")
    place.store("other").tag(second, "v1")
    place.create(place.name, f"{place.registry.host}/other:v1")
    host = "".join(c if c.isalnum() else "." for c in place.registry.host)
    for name, image in (("app", place.image), ("other", second)):
        listed = place.line("list", "-o", "json", f"layout:b.tar:{host}.{name}-v1")
        assert image.digest in listed.out


def test_a_bundle_that_was_touched_is_refused_before_anything_is_judged(place: Place) -> None:
    place.create()
    data = bytearray(place.file.read_bytes())
    data[data.index(b"layer\0\0\0")] ^= 1
    place.file.write_bytes(data)
    for words in (
        ("inspect", "b.tar"),
        ("verify", "b.tar"),
        ("import", "b.tar", f"{place.registry.host}/in"),
    ):
        ended = place.line("bundle", *words)
        assert ended.code == 3
        assert "digest" in ended.err


CRL_URL = "http://crl.wabbit.example/wabbit.crl"


def bundle_of_somebody_with_a_crl(place: Place, *revoked: Revoked) -> str:
    """Makes b.tar; afterwards nobody answers but the registry, and this machine has forgotten everything."""
    now = datetime.now(UTC).replace(microsecond=0)
    pair = WABBIT.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256", crl_urls=(CRL_URL,), serial=7)
    (place.line.directory / "revoked.key").write_bytes(pair.pem_key() + pair.pem_chain())
    (place.line.directory / "revoked.key").chmod(0o600)
    image = push_image(place.store("revoked"), b"revoked")
    name = f"{place.registry.host}/revoked@{image.digest}"
    signed = place.line("sign", "-k", "revoked.key", name)
    assert signed.code == 0, signed.err
    published = crl(WABBIT, revoked, this_update=now, next_update=now + timedelta(days=9))
    authority = Publishing({CRL_URL: published})
    place.line.reach(lambda r: authority.start(r).response() if r.url == CRL_URL else place.registry(r))
    place.create(name)

    place.line.reach(place.registry)
    shutil.rmtree(place.line.directory / "cache", ignore_errors=True)
    shutil.rmtree(place.line.directory / "state", ignore_errors=True)
    return name


def test_the_news_that_a_signer_was_revoked_arrives_though_his_image_is_refused(place: Place) -> None:
    name = bundle_of_somebody_with_a_crl(place, Revoked(7, at=datetime.now(UTC) - timedelta(days=2)))
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in", "-o", "json")
    assert (ended.code, ended.document["imported"]) == (1, [])
    assert [piece["outcome"] for piece in ended.document["evidence"]] == ["installed"]
    assert place.line("verify", name).code == 1


def test_a_bundle_is_signed_later_by_another_party_as_any_artifact(place: Place) -> None:
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    for name, data in {"other.key": OTHER.pem_key(), "other.crt": OTHER.pem_chain()}.items():
        (place.line.directory / name).write_bytes(data)
    (place.line.directory / "other.key").chmod(0o600)
    (place.line.directory / "other-leaf.crt").write_bytes(pem([OTHER.leaf]))
    contents = place.line("bundle", "inspect", "b.tar", "-o", "json").document["contents"]["digest"]
    words = ("bundle", "install-policy", "b.tar", "-k", "other-leaf.crt", "--force")
    assert place.line(*words).code == 1
    assert place.line("sign", "-k", "other.key", f"layout:b.tar@{contents}").code == 0
    assert place.line(*words).code == 0


def test_a_copy_of_the_bundle_in_a_registry_is_complete(place: Place) -> None:
    """References downward survive every tool: also one that leaves referrers behind."""
    place.create()
    contents = place.line("bundle", "inspect", "b.tar", "-o", "json").document["contents"]["digest"]
    target = f"{place.registry.host}/bundles:monday"
    assert place.line("copy", "--no-referrers", f"layout:b.tar@{contents}", target).code == 0
    arrived = place.store("bundles")
    assert len(arrived.referrers(place.image).descriptors) == 2


@pytest.mark.parametrize(
    ("store", "certificate", "said"),
    [
        ("wabbit", OTHER.leaf, "neither a CA certificate"),
        ("unnamed", OTHER.root, "no store that the policy names"),
    ],
)
def test_stores_that_are_spoilt_or_that_the_policy_does_not_name_are_not_taken_over(
    place: Place, monkeypatch: pytest.MonkeyPatch, store: str, certificate: bytes, said: str
) -> None:
    file = StoreFile("ca", store, "more.crt")
    monkeypatch.setattr(
        "nv2.notary.bundles_made.trust_of", lambda _: CarriedTrust(policy(), {file: pem([certificate])})
    )
    place.create(place.name, "--with-policy", "-k", "wabbit.key")
    ended = place.line("bundle", "install-policy", "b.tar", "-k", "leaf.crt", "--force")
    assert ended.code == 3
    assert said in ended.err
    assert not (place.line.config / "trustpolicy.oci.json").exists()


def test_the_news_arrives_though_the_registry_fails(place: Place) -> None:
    name = bundle_of_somebody_with_a_crl(place)

    def gone(request: Request) -> Response:
        raise Unreachable("gone", at=request.place)

    place.line.reach(gone)
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in")
    assert ended.code == 3 and f"crl {CRL_URL}" in ended.out and "installed" in ended.out
    place.line.reach(place.registry)
    assert place.line("verify", name).code == 0


def test_evidence_that_cannot_be_kept_is_said_and_is_no_success(place: Place) -> None:
    bundle_of_somebody_with_a_crl(place)
    (place.line.directory / "cache").write_text("a file where a directory belongs")
    words = ("bundle", "import", "b.tar", f"{place.registry.host}/in")
    ended = place.line(*words)
    assert ended.code == 4 and "could not be kept everywhere" in ended.out and "directory" in ended.err
    document = place.line(*words, "-o", "json").document
    assert [piece["outcome"] for piece in document["evidence"]] == ["failed"] and document["problems"]
    assert [each["copied"] for each in document["imported"]] == [[]]


def test_not_trusted_is_worse_than_evidence_that_could_not_be_kept(place: Place) -> None:
    bundle_of_somebody_with_a_crl(place, Revoked(7, at=datetime.now(UTC) - timedelta(days=2)))
    (place.line.directory / "cache").write_text("a file where a directory belongs")
    ended = place.line("bundle", "import", "b.tar", f"{place.registry.host}/in")
    assert ended.code == 1 and "could not be kept everywhere" in ended.out


@pytest.fixture
def two_bundles(place: Place, clock: list[datetime]) -> Descriptor:
    """old.tar, and b.tar of two minutes later, when `app:v1` was another image: the one that is returned."""
    now = datetime.now(UTC)
    place.create()
    place.file.rename(place.line.directory / "old.tar")
    newer = push_image(place.store(), b"newer")
    place.store().tag(newer, "v1")
    place.line("sign", "-k", "wabbit.key", place.name)
    clock.append(now + timedelta(minutes=2))
    place.create()
    return newer


def test_an_older_bundle_moves_no_tag_back_unless_that_is_wanted(
    place: Place, two_bundles: Descriptor
) -> None:
    inside = f"{place.registry.host}/in"
    assert [place.line("bundle", "import", file, inside).code for file in ("old.tar", "b.tar")] == [0, 0]
    place.registry.requests.clear()
    ended = place.line("bundle", "import", "old.tar", inside)
    assert ended.code == 3 and "this one is older" in ended.err and "--older" in ended.err
    assert place.registry.requests == [] and place.store("in/app").resolve("v1") == two_bundles
    assert place.line("bundle", "import", "b.tar", inside).code == 0
    assert place.line("bundle", "import", "old.tar", f"{inside}/elsewhere").code == 0
    assert place.line("bundle", "import", "old.tar", inside, "--older").code == 0
    assert place.store("in/app").resolve("v1") == place.image
    assert place.line("bundle", "import", "b.tar", inside).code == 0
    assert place.store("in/app").resolve("v1") == two_bundles


def test_who_went_back_on_purpose_goes_on_from_there(
    place: Place, two_bundles: Descriptor, clock: list[datetime]
) -> None:
    inside, newer = f"{place.registry.host}/in", datetime.now(UTC) + timedelta(minutes=4)
    clock.append(newer)
    place.store().tag(place.image, "v1")
    place.file.rename(place.line.directory / "middle.tar")
    place.create()
    for words in (("b.tar",), ("middle.tar", "--older"), ("old.tar", "--older"), ("middle.tar",)):
        ended = place.line("bundle", "import", words[0], inside, *words[1:])
        assert ended.code == 0, ended.err
    assert place.store("in/app").resolve("v1") == two_bundles


def test_an_older_bundle_with_what_is_there_already_is_imported(place: Place, clock: list[datetime]) -> None:
    now, inside = datetime.now(UTC), f"{place.registry.host}/in"
    place.create()
    place.file.rename(place.line.directory / "old.tar")
    clock.append(now + timedelta(minutes=2))
    place.create()
    for file in ("b.tar", "old.tar"):
        assert place.line("bundle", "import", file, inside).code == 0


def test_where_one_tag_came_with_a_newer_bundle_nothing_of_an_older_one_is_copied(
    place: Place, clock: list[datetime]
) -> None:
    """Not even what stands before it."""
    now, inside = datetime.now(UTC), f"{place.registry.host}/in"
    first = push_image(place.store("first"), b"first")
    place.store("first").tag(first, "v1")
    place.line("sign", "-k", "wabbit.key", f"{place.registry.host}/first:v1")
    place.create(f"{place.registry.host}/first:v1", place.name)
    place.file.rename(place.line.directory / "old.tar")
    place.store().tag(push_image(place.store(), b"newer"), "v1")
    place.line("sign", "-k", "wabbit.key", place.name)
    clock.append(now + timedelta(minutes=2))
    place.create()
    assert place.line("bundle", "import", "b.tar", inside).code == 0
    place.registry.requests.clear()
    assert place.line("bundle", "import", "old.tar", inside).code == 3
    assert place.registry.requests == []


def test_what_another_import_brought_meanwhile_is_not_moved_back(
    place: Place, two_bundles: Descriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came after the first look, and before this one had the tag to itself."""
    inside = f"{place.registry.host}/in"
    older, newer = (open_bundle(file) for file in ("old.tar", "b.tar"))

    @contextmanager
    def after_the_newer(_: str) -> Iterator[None]:
        with monkeypatch.context() as undone, Session.from_environment() as session:
            undone.setattr("nv2.notary.bundles_imported.host_lock", lambda *_, **__: nullcontext)
            list(copy_all(session, newer, naming_in(inside)))
        yield

    monkeypatch.setattr("nv2.notary.bundles_imported.host_lock", lambda *_, **__: after_the_newer)
    with Session.from_environment() as session, pytest.raises(ConfigurationError, match="this one is older"):
        list(copy_all(session, older, naming_in(inside)))
    assert place.store("in/app").resolve("v1") == two_bundles


def test_a_tag_is_imported_by_one_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.create()
    inside, bundle = f"{place.registry.host}/in", open_bundle("b.tar")
    monkeypatch.setattr("nv2.notary.bundles_imported.MAX_WAIT", 0.0)
    original, refused = bundles_imported.copy, []

    def copied(*arguments: Any, **more: Any) -> CopyResult:
        with (
            Session.from_environment() as other,
            pytest.raises(EnvironmentFailure, match="has held the lock"),
        ):
            list(copy_all(other, bundle, naming_in(inside)))
        refused.append(True)
        return original(*arguments, **more)

    monkeypatch.setattr("nv2.notary.bundles_imported.copy", copied)
    with Session.from_environment() as session:
        assert len(list(copy_all(session, bundle, naming_in(inside)))) == 1
    assert refused == [True]


def test_whoever_is_killed_before_the_tag_is_there_lets_no_older_one_in(
    place: Place, two_bundles: Descriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    inside = f"{place.registry.host}/in"
    with monkeypatch.context() as patched:
        patched.setattr("nv2.notary.bundles_imported.copy", killed)
        with Session.from_environment() as session, pytest.raises(KeyboardInterrupt):
            list(copy_all(session, open_bundle("b.tar"), naming_in(inside)))
    assert [place.line("bundle", "import", file, inside).code for file in ("old.tar", "b.tar")] == [3, 0]
    assert place.store("in/app").resolve("v1") == two_bundles


def test_whoever_is_killed_on_the_way_back_has_not_gone_back(
    place: Place, two_bundles: Descriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    inside = f"{place.registry.host}/in"
    assert place.line("bundle", "import", "b.tar", inside).code == 0
    with monkeypatch.context() as patched:
        patched.setattr("nv2.notary.bundles_imported.copy", killed)
        with Session.from_environment() as session, pytest.raises(KeyboardInterrupt):
            list(copy_all(session, open_bundle("old.tar"), naming_in(inside), older=True))
    assert place.line("bundle", "import", "old.tar", inside).code == 3
    assert place.store("in/app").resolve("v1") == two_bundles


def test_what_arrived_before_a_failure_is_told_and_stays(place: Place) -> None:
    second = push_image(place.store("other"), b"other")
    place.store("other").tag(second, "v1")
    place.line("sign", "-k", "wabbit.key", f"{place.registry.host}/other:v1")
    place.create(place.name, f"{place.registry.host}/other:v1")

    def breaks(request: Request) -> Response:
        if "/in/other/" in request.url:
            raise Unreachable("gone", at=request.place)
        return place.registry(request)

    place.line.reach(breaks)
    words = ("bundle", "import", "b.tar", f"{place.registry.host}/in")
    told = place.line(*words)
    assert told.code == 4 and f"Imported {place.name} as" in told.out and "gone" in told.err
    ended = place.line(*words, "-o", "json")
    assert ended.code == 4 and "gone" in ended.document["error"]["message"]
    assert [each["source"] for each in ended.document["imported"]] == [place.name]
    assert place.store("in/app").resolve("v1") == place.image
    place.line.reach(place.registry)
    again = place.line(*words, "-o", "json")
    assert (again.code, again.document["error"], len(again.document["imported"])) == (0, None, 2)


def test_a_note_about_bundles_that_cannot_be_read_says_nothing_in_favour(
    place: Place, two_bundles: Descriptor
) -> None:
    inside = f"{place.registry.host}/in"
    assert place.line("bundle", "import", "b.tar", inside).code == 0
    [note] = (place.line.directory / "state").rglob("imported/*")
    note.write_text(note.read_text().replace(rfc3339(open_bundle("b.tar").contents.created), "yesterday"))
    ended = place.line("bundle", "import", "old.tar", inside)
    assert ended.code == 3 and "is not an instant" in ended.err
    assert place.store("in/app").resolve("v1") == two_bundles


def test_a_bundle_of_tomorrow_is_not_imported_and_leaves_no_date(place: Place, clock: list[datetime]) -> None:
    clock.append(datetime.now(UTC) + timedelta(days=1))
    place.create()
    clock.append(datetime.now(UTC))
    for words in (("verify", "b.tar"), ("import", "b.tar", f"{place.registry.host}/in")):
        ended = place.line("bundle", *words)
        assert ended.code == 3 and "the clock of this machine is behind" in ended.err
    assert not list((place.line.directory / "state").rglob("imported/*"))


def test_evidence_with_another_date_does_not_make_a_bundle_of_tomorrow_one_of_today(place: Place) -> None:
    place.create()
    bundle = open_bundle("b.tar")
    ahead = bundle.contents._replace(created=bundle.contents.created + timedelta(days=1))
    with Session.from_environment() as session:
        assert checker_for(session, bundle)
        with pytest.raises(EnvironmentFailure, match="is behind"):
            checker_for(session, bundle._replace(contents=ahead))


def test_who_is_killed_while_a_policy_is_taken_over_goes_on_and_not_back(
    signed: Place, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, now = signed.line, datetime.now(UTC)
    line.reach(signed.registry)
    trusts(line, (line.directory / "root.crt").read_bytes())
    signed.file.rename(line.directory / "old.tar")
    clock.append(now + timedelta(minutes=2))
    signed.create(signed.name, "--with-policy", "-k", "wabbit.key")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("nv2.home.policy_file.import_policy", killed)
        with pytest.raises(KeyboardInterrupt), Session.from_environment() as session:
            take_over(session, propose(session, open_bundle("b.tar"), "leaf.crt", None))
    words = ("-k", "leaf.crt", "--force")
    assert line("bundle", "install-policy", "old.tar", *words).code == 3
    assert line("bundle", "install-policy", "b.tar", *words).code == 0
