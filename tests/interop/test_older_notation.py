"""What older versions wrote is read, and notation 1.3.2 reads what nv2 writes without being asked for anything special."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.server.registry import serve
from tests.interop.home import Home, new_home, wabbit_home
from tests.world.images import push_blob, push_image, push_manifest

pytestmark = pytest.mark.peers


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "registry", "127.0.0.1", 0) as found:
        yield found.address


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    return wabbit_home(tmp_path / "home", notation)


def fetch(registry: str, repository: str, kind: str, reference: str) -> bytes:
    request = urllib.request.Request(
        f"http://{registry}/v2/{repository}/{kind}/{reference}",
        headers={"Accept": f"{mt.IMAGE_MANIFEST}, {mt.IMAGE_INDEX}"},
    )
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def forms(signature: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A signature manifest in every form that a version of notation has written."""
    rest = {"subject": signature["subject"], "annotations": signature["annotations"]}
    image = {"schemaVersion": 2, "mediaType": mt.IMAGE_MANIFEST, **rest, "layers": signature["layers"]}
    empty = describe(b"{}", mt.EMPTY).to_json()
    return {
        "image, artifact type": {**image, "artifactType": mt.SIGNATURE, "config": empty},
        "image, config": {**image, "config": {**empty, "mediaType": mt.SIGNATURE}},
        "artifact": {
            "mediaType": mt.ARTIFACT_MANIFEST,
            "artifactType": mt.SIGNATURE,
            "blobs": signature["layers"],
            **rest,
        },
    }


@pytest.mark.parametrize("form", ["image, artifact type", "image, config", "artifact"])
def test_every_form_of_a_signature_manifest_is_read_by_both(home: Home, registry: str, form: str) -> None:
    digest = push_image(registry, "made", text="net-monitor")
    signed = home.notation("sign", "-k", "EC-256", f"{registry}/made@{digest}")
    listed = json.loads(fetch(registry, "made", "referrers", digest))["manifests"]
    assert len(listed) == 1, signed.stdout
    manifest = json.loads(fetch(registry, "made", "manifests", listed[0]["digest"]))
    assert push_image(registry, "old", text="net-monitor") == digest
    push_blob(registry, "old", b"{}")
    push_blob(registry, "old", fetch(registry, "made", "blobs", manifest["layers"][0]["digest"]))
    older = forms(manifest)[form]
    push_manifest(registry, "old", json.dumps(older).encode(), older["mediaType"])
    reference = f"{registry}/old@{digest}"
    for run in (home.notation, home.nv2):
        assert f"Successfully verified signature for {reference}" in run("verify", reference).stdout
    assert home.nv2("list", reference).stdout == home.notation("list", reference).stdout


@pytest.mark.parametrize("flag", ["--force-referrers-tag", "--force-referrers-tag=false"])
def test_the_tag_of_the_referrers_is_written_where_it_is_asked_for_and_else_not(
    home: Home, registry: str, flag: str
) -> None:
    digest = push_image(registry, "app")
    reference = f"{registry}/app@{digest}"
    home.nv2("sign", "-k", "EC-256", flag, reference)
    tag = digest.replace(":", "-")
    if flag.endswith("false"):
        with pytest.raises(HTTPError, match="404"):
            fetch(registry, "app", "manifests", tag)
    else:
        index = json.loads(fetch(registry, "app", "manifests", tag))
        assert [entry["artifactType"] for entry in index["manifests"]] == [mt.SIGNATURE]
    for run in (home.notation, home.nv2):
        assert f"Successfully verified signature for {reference}" in run("verify", reference).stdout


FILES = {"signingkeys.json", "config.json", "trustpolicy.json", "localkeys", "truststore", "plugins", "nv2"}
"""What notation 1.3.2 knows in its directory, and the directory that is nv2's."""


def test_what_nv2_writes_into_the_configuration_is_read_by_notation_1_3_2(
    tmp_path: Path, notation: Path, registry: str
) -> None:
    home = new_home(tmp_path / "home", notation)
    home.nv2("cert", "generate-test", "--default", "ci")
    home.nv2("key", "generate", "build", "--subject", "C=US,ST=WA,O=wabbit-networks.io")
    home.nv2("cert", "add", "-t", "ca", "-s", "copy", str(home.config / "localkeys" / "build.crt"))
    home.nv2("trust", "deny", "--artifact", f"sha256:{'0' * 64}", "--reason", "a test")
    assert {path.name for path in home.config.iterdir()} <= FILES
    for words in (("key", "list"), ("cert", "list")):
        assert home.notation(*words).stdout == home.nv2(*words).stdout
    assert "* ci" in home.notation("key", "list").stdout
    reference = f"{registry}/app@{push_image(registry, 'app')}"
    home.notation("sign", "-k", "build", reference)
    home.nv2("sign", "-k", "build", reference)
    home.nv2("sign", "--signature-format", "cose", reference)
    shown = home.notation("list", reference).stdout
    assert shown == home.nv2("list", reference).stdout
    assert shown.count("sha256:") == 4
