"""Lists: tags with their pages and order, referrers with their filter and pages, and errors."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.registry.client import CONFIG, EMPTY, INDEX, Client, digest_of
from tests.contract.registry.documents import DATA_SETS

ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
UNKNOWN = "sha256:" + "0" * 64
TAGS = ["1.0", "1.10", "1.9", "B", "a", "c", "latest"]


def tagged(client: Client) -> None:
    for tag in reversed(TAGS):
        assert client.push(client.image(), tag).reply.status == 201


def page(client: Client, query: str = "") -> list[str]:
    reply = client.ask("GET", f"tags/list{query}")
    assert reply.status == 200
    return list(reply.json["tags"] or [])


def is_sorted(tags: list[str]) -> bool:
    return tags in (sorted(tags), sorted(tags, key=lambda tag: (tag.lower(), tag)))


def following(client: Client, target: str) -> list[Any]:
    """The documents of a list, page after page."""
    found = []
    while target:
        reply = client.ask("GET", target)
        assert reply.status == 200
        found.append(reply.json)
        link = re.fullmatch(r'<(?:http://[^/]*)?([^>]+)>; ?rel="?next"?', reply.headers.get("Link", ""))
        target = link[1] if link else ""
        assert len(found) < 50
    return found


def test_all_tags_are_listed_in_order(client: Client) -> None:
    tagged(client)
    reply = client.ask("GET", "tags/list")
    assert reply.json["name"] == client.repository
    assert sorted(reply.json["tags"]) == sorted(TAGS)
    assert is_sorted(reply.json["tags"])


def test_a_page_of_tags_has_as_many_as_are_asked_for(client: Client) -> None:
    tagged(client)
    everything = page(client)
    assert page(client, "?n=3") == everything[:3]
    assert page(client, "?n=100") == everything


def test_a_page_begins_after_the_last_tag(client: Client) -> None:
    tagged(client)
    everything = page(client)
    assert page(client, f"?last={everything[2]}") == everything[3:]
    assert page(client, f"?n=2&last={everything[2]}") == everything[3:5]
    assert page(client, f"?n=2&last={everything[-1]}") == []


def test_a_page_of_no_tags_is_empty_and_leads_nowhere(client: Client) -> None:
    tagged(client)
    reply = client.ask("GET", "tags/list?n=0")
    assert (reply.status, reply.json["tags"] or [], reply.headers.get("Link")) == (200, [], None)


def test_the_link_leads_through_all_tags(client: Client) -> None:
    tagged(client)
    pages = following(client, "tags/list?n=3")
    assert [tag for found in pages for tag in found["tags"]] == page(client)
    assert len(pages) == 3


def test_a_repository_without_tags_lists_none(client: Client) -> None:
    client.push(client.image())
    reply = client.ask("GET", "tags/list")
    assert (reply.status, reply.json["tags"]) == (200, [])


def test_a_repository_that_is_not_there_has_no_tags(client: Client) -> None:
    reply = client.ask("GET", "tags/list")
    assert reply.status == 404 or not reply.json["tags"]


# Referrers


def listed(client: Client, digest: str, query: str = "") -> list[dict[str, Any]]:
    reply = client.ask("GET", f"referrers/{digest}{query}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, INDEX)
    assert (reply.json["schemaVersion"], reply.json["mediaType"]) == (2, INDEX)
    found: list[dict[str, Any]] = reply.json["manifests"]
    return found


@pytest.mark.parametrize("digest", [UNKNOWN, digest_of(b"", "sha512")], ids=["sha256", "sha512"])
def test_nobody_refers_to_what_is_not_there(client: Client, digest: str) -> None:
    assert listed(client, digest) == []
    client.push(client.image())
    assert listed(client, digest) == []


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "nonsense"], ids=["no hex", "no colon"])
def test_referrers_of_what_is_no_digest_are_refused(client: Client, digest: str) -> None:
    client.push(client.image())
    assert client.ask("GET", f"referrers/{digest}").status == 400


@ALGORITHMS
@pytest.mark.parametrize("kind", ["missing_subject", "with_subject", "index_with_subject"])
def test_what_has_a_subject_is_listed_with_type_and_annotations(
    client: Client, kind: str, algorithm: str
) -> None:
    document = DATA_SETS[kind](client, algorithm)
    subject = document["subject"]["digest"]
    found = client.push(document, algorithm=algorithm)
    assert (found.reply.status, found.reply.headers["OCI-Subject"]) == (201, subject)
    entry = {**found.descriptor, "artifactType": "application/vnd.example"}
    if "annotations" in document:
        entry["annotations"] = document["annotations"]
    assert listed(client, subject) == [entry]
    assert client.ask("DELETE", f"manifests/{found.digest}").status == 202
    assert listed(client, subject) == []


def test_the_type_of_an_image_is_that_of_its_config(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    client.push(client.image(b"other", subject=subject))
    assert [entry["artifactType"] for entry in listed(client, subject["digest"])] == [CONFIG]


def test_an_index_without_a_type_has_none(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    client.push({"mediaType": INDEX, "manifests": [], "subject": subject})
    assert [entry.get("artifactType") for entry in listed(client, subject["digest"])] == [None]


def test_a_list_is_filtered_by_type_and_says_so(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    for kind in ("application/vnd.one", "application/vnd.two+json"):
        client.push(client.artifact(kind, subject=subject))
    target = f"referrers/{subject['digest']}?artifactType=application%2Fvnd.two%2Bjson"
    reply = client.ask("GET", target)
    assert reply.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["artifactType"] for entry in reply.json["manifests"]] == ["application/vnd.two+json"]
    assert listed(client, subject["digest"], f"?artifactType={EMPTY.replace('+', '%2B')}") == []
    assert len(listed(client, subject["digest"])) == 2


def test_referrers_are_those_of_one_repository(client: Client, other: Client) -> None:
    subject = client.push(client.image()).descriptor
    client.push(client.artifact("application/vnd.one", subject=subject))
    other.push(other.image())
    assert listed(other, subject["digest"]) == []


def test_a_referrer_has_referrers_of_its_own(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    first = client.push(client.artifact("application/vnd.one", subject=subject)).descriptor
    second = client.push(client.artifact("application/vnd.two", subject=first)).descriptor
    assert [entry["digest"] for entry in listed(client, first["digest"])] == [second["digest"]]


def test_referrers_stay_when_their_subject_is_deleted(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    client.push(client.artifact("application/vnd.one", subject=subject))
    client.ask("DELETE", f"manifests/{subject['digest']}")
    assert len(listed(client, subject["digest"])) == 1


def test_a_long_list_has_pages_of_four_mebibytes_at_most(client: Client) -> None:
    subject = client.push(client.image()).descriptor
    pushed = {
        client.push(
            client.artifact("application/vnd.x", subject=subject, annotations={f"{n}": "x" * 2_000_000})
        ).digest
        for n in range(5)
    }
    documents = following(client, f"referrers/{subject['digest']}")
    pages = [{entry["digest"] for entry in document["manifests"]} for document in documents]
    assert set().union(*pages) == pushed
    assert sum(map(len, pages)) == 5 and len(pages) >= 3


# Errors, and what is there at all


def test_the_registry_says_that_it_is_one(client: Client) -> None:
    assert client.ask("GET", "/v2/").status == 200


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (f"blobs/{UNKNOWN}", "BLOB_UNKNOWN"),
        (f"manifests/{UNKNOWN}", "MANIFEST_UNKNOWN"),
        ("manifests/v9", "MANIFEST_UNKNOWN"),
    ],
    ids=["blob", "manifest", "tag"],
)
def test_an_error_is_a_document_with_a_code(client: Client, target: str, code: str) -> None:
    client.push(client.image())
    reply = client.ask("GET", target)
    assert reply.status == 404
    assert reply.code == code
    assert isinstance(reply.json["errors"][0]["message"], str)


@pytest.mark.parametrize("name", ["Upper", "a_", "-a"])
def test_what_is_no_name_of_a_repository_is_refused(client: Client, name: str) -> None:
    assert client.ask("GET", f"/v2/{name}/tags/list").status in (400, 404)
    assert client.ask("POST", f"/v2/{name}/blobs/uploads/").status in (400, 404)
