"""What only writing shows of a registry: uploads, mounts, subjects, conditional writes, deletion, limits.

All of it happens under one tag of a scratch repository, which must not be there before; what was written is removed at the
end, and what the registry would not remove is named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from urllib.parse import quote

from nv2.content.interface import opener
from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, Endpoint, completed, location_of
from nv2.content.remote.probes import Finding, State, answer, guarded
from nv2.errors import BadAnswer, RemoteError, UsageError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest, digest_of
from nv2.transport.interface import Request, Response

LARGE = 4 * 1024 * 1024
"""Bytes of a manifest that every registry should take (distribution-spec, "Pushing Manifests")."""

ARTIFACT = "application/vnd.nv2.doctor"

_ANY_TYPE = {"Accept": ", ".join((*mt.MANIFESTS, "*/*"))}


class Scratch:
    """The scratch repository, and what was written there so far."""

    def __init__(self, endpoint: Endpoint, tag: str) -> None:
        self.endpoint = endpoint
        self.tag = tag
        self.config = os.urandom(16)
        self.image: Descriptor | None = None
        self.manifests: list[Digest] = []
        self.blobs: list[Digest] = []

    def send(self, method: str, path: str, data: bytes = b"", **headers: str) -> Response:
        """Ask for `path`, with `data` if there is any; the body of the answer is read."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = opener(data) if data else None
        response, _ = answer(
            self.endpoint, self.endpoint.request(method, path, given, body=body, body_size=len(data))
        )
        return response

    def send_to(self, url: str, method: str, data: bytes, **headers: str) -> Response:
        """As `send`, to an address that the registry named."""
        given = {"Content-Type": mt.OCTET_STREAM}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = opener(data) if data else None
        scopes = (self.endpoint.scope(writes=True),)
        response = self.endpoint.send_to(url, Request(method, url, given, body, len(data), scopes=scopes))
        response.data()
        return response

    def put_blob(self, data: bytes, algorithm: str = "sha256") -> Response:
        """Push a blob in one piece."""
        opened, digest = self.opened(), digest_of(data, algorithm)
        response = self.send_to(completed(location_of(opened), digest), "PUT", data)
        if response.status in (201, 204):
            self.blobs.append(digest)
        return response

    def opened(self, query: str = "") -> Response:
        """An upload that was begun."""
        response = self.send("POST", f"blobs/uploads/{query}")
        if response.status != 202:
            raise BadAnswer(
                f"answered {response.status} to the beginning of an upload", at=self.endpoint.name
            )
        return response

    def put_manifest(
        self, name: str, document: dict[str, object], algorithm: str = "sha256", **headers: str
    ) -> tuple[Response, Digest]:
        """Push a manifest under a tag, or under its digest where `name` is empty."""
        data = json.dumps(document).encode()
        digest = digest_of(data, algorithm)
        path = f"manifests/{name or digest}"
        if new := digest not in self.manifests:
            self.manifests.append(digest)  # before it is sent: what fails may have been kept
        response = self.send("PUT", path, data, Content_Type=mt.IMAGE_MANIFEST, **headers)
        if new and 400 <= response.status < 500:
            self.manifests.remove(digest)
        return response, digest

    def names_ours(self) -> bool:
        """Whether the tag names what was pushed here, and not what somebody else pushed meanwhile."""
        request = self.endpoint.request("GET", f"manifests/{self.tag}", ACCEPT_MANIFESTS)
        try:
            _, data = answer(self.endpoint, request)
        except RemoteError:
            return False
        return self.image is not None and digest_of(data) == self.image.digest

    def delete(self, path: str) -> int:
        """The answer to deleting `path`; 0 if there is none."""
        try:
            return self.send("DELETE", path).status
        except RemoteError:
            return 0

    def manifest(self, **more: object) -> dict[str, object]:
        """A manifest of the scratch repository, with fields of its own."""
        config = describe(self.config, mt.OCTET_STREAM).to_json()
        return {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "artifactType": ARTIFACT,
            "config": config,
            "layers": [],
            **more,
        }


def _uploads(scratch: Scratch) -> Iterator[Finding]:
    response = scratch.put_blob(scratch.config)
    good = response.status in (201, 204)
    why = "" if good else "nothing can be pushed"
    yield Finding("upload", State.GOOD if good else State.BAD, f"answered {response.status}", why)
    if good:
        blob = scratch.put_blob(os.urandom(16), "sha512")
        document = scratch.manifest(annotations={"name": "sha512"})
        manifest, _ = scratch.put_manifest("", document, "sha512")
        taken = blob.status == manifest.status == 201
        why = "" if taken else "artifacts named by sha512 cannot be copied here"
        found = f"answered {blob.status} for a blob, {manifest.status} for a manifest"
        yield Finding("sha512", State.GOOD if taken else State.LIMITED, found, why)


def _chunks(scratch: Scratch) -> Iterator[Finding]:
    data, half = os.urandom(32), 16
    opened = scratch.opened()
    first = scratch.send_to(location_of(opened), "PATCH", data[:half], Content_Range=f"0-{half - 1}")
    if first.status not in (201, 202, 204):
        scratch.send_to(location_of(opened), "DELETE", b"")
        why = "large blobs go in one piece, and begin again when interrupted"
        yield Finding("chunks", State.LIMITED, f"answered {first.status}", why)
        return
    asked = scratch.send_to(location_of(first), "GET", b"")
    resumable = asked.status == 204 and asked.headers.get("range", "").endswith(f"-{half - 1}")
    last = scratch.send_to(completed(location_of(first), digest_of(data)), "PUT", data[half:])
    if last.status in (201, 204):
        scratch.blobs.append(digest_of(data))
    taken = last.status in (201, 204)
    yield Finding(
        "chunks", State.GOOD if taken else State.LIMITED, f"answered {first.status}, then {last.status}"
    )
    why = "" if resumable else "an upload that was interrupted begins again"
    yield Finding("resume", State.GOOD if resumable else State.LIMITED, f"answered {asked.status}", why)


def _mount(scratch: Scratch) -> Iterator[Finding]:
    digest = digest_of(scratch.config)
    query = f"?mount={quote(digest, safe=':')}&from={quote(scratch.endpoint.repository)}"
    response = scratch.send("POST", f"blobs/uploads/{query}")
    if response.status == 202:
        scratch.send_to(location_of(response), "DELETE", b"")
    why = "" if response.status == 201 else "copies within the registry send every byte"
    yield Finding(
        "mount", State.GOOD if response.status == 201 else State.LIMITED, f"answered {response.status}", why
    )


def _subjects(scratch: Scratch) -> Iterator[Finding]:
    # Where conditions are ignored, nobody else had the tag a moment ago.
    response, digest = scratch.put_manifest(scratch.tag, scratch.manifest(), If_None_Match="*")
    size = len(json.dumps(scratch.manifest()).encode())
    if response.status == 412:
        yield Finding("push", State.UNKNOWN, "somebody else has pushed the scratch tag meanwhile")
        return
    if response.status != 201:
        why = "artifacts with a type of their own, as signatures are, cannot be pushed"
        yield Finding("push", State.BAD, f"answered {response.status}", why)
        return
    scratch.image = Descriptor(mt.IMAGE_MANIFEST, digest, size)
    yield Finding("push", State.GOOD, "taken")
    subject = {"mediaType": mt.IMAGE_MANIFEST, "digest": digest, "size": size}
    pushed, referrer = scratch.put_manifest("", scratch.manifest(subject=subject))
    said = pushed.headers.get("oci-subject", "") == digest
    request = scratch.endpoint.request("GET", f"referrers/{digest}", {"Accept": mt.IMAGE_INDEX})
    listing, data = answer(scratch.endpoint, request)
    listed = listing.status == 200 and referrer.encode() in data
    if pushed.status != 201:
        yield Finding("subject", State.BAD, f"answered {pushed.status}", "signatures cannot be pushed")
    elif said and listed:
        yield Finding("subject", State.GOOD, "noted (OCI-Subject) and listed by the API")
    elif said or listed:
        found = "noted and not listed" if said else "listed, and not noted (no OCI-Subject)"
        why = "one signal contradicts the other; nv2 asks for both, and takes the fallback tag if one is missing"
        yield Finding("subject", State.LIMITED, found, why)
    else:
        yield Finding(
            "subject", State.LIMITED, "neither noted nor listed", "signatures go by the fallback tag"
        )


def _conditions(scratch: Scratch) -> Iterator[Finding]:
    if scratch.image is None:
        return  # the tag is not ours
    response, _ = scratch.put_manifest(scratch.tag, scratch.manifest(), If_Match=f'"sha256:{"0" * 64}"')
    good = response.status == 412
    why = (
        ""
        if good
        else "of two tools that write the fallback tag at once, one loses; nv2 looks again and writes again"
    )
    yield Finding("if-match", State.GOOD if good else State.LIMITED, f"answered {response.status}", why)


def _limit(scratch: Scratch) -> Iterator[Finding]:
    document = scratch.manifest(annotations={"filler": ""})
    document["annotations"] = {"filler": "x" * (LARGE - len(json.dumps(document).encode()))}
    response, _ = scratch.put_manifest("", document)
    good = response.status == 201
    found = "4 MiB are taken" if good else f"4 MiB are refused ({response.status})"
    why = "" if good else "fallback tags of artifacts with thousands of signatures end below that"
    yield Finding("manifest size", State.GOOD if good else State.LIMITED, found, why)


def _answered(status: int) -> str:
    return f"answered {status}" if status else "no answer"


def _clean(scratch: Scratch) -> Iterator[Finding]:
    by_tag = scratch.delete(f"manifests/{scratch.tag}") if scratch.image and scratch.names_ours() else None
    left = []
    statuses = set()
    for kind, digests in (("manifests", reversed(scratch.manifests)), ("blobs", reversed(scratch.blobs))):
        for digest in digests:
            status = scratch.delete(f"{kind}/{digest}")
            if kind == "manifests":
                statuses.add(status)
            if status not in (200, 202, 204, 404):
                left.append(f"{kind}/{digest}")
    if by_tag is not None:
        good = by_tag in (200, 202, 204)
        yield Finding("delete tag", State.GOOD if good else State.LIMITED, _answered(by_tag))
    if statuses:
        good = statuses <= {200, 202, 204, 404}
        why = "" if good else "signatures cannot be taken back, and the indexes that nv2 replaces stay"
        found = ", ".join(map(_answered, sorted(statuses)))
        yield Finding("delete", State.GOOD if good else State.LIMITED, found, why)
    if left:
        found = f"left behind in {scratch.endpoint.name}: {', '.join(left)}"
        yield Finding("cleaning up", State.LIMITED, found, "whoever runs the registry can remove it")


WRITING: tuple[tuple[str, Callable[[Scratch], Iterator[Finding]]], ...] = (
    ("upload", _uploads),
    ("chunks", _chunks),
    ("mount", _mount),
    ("subject", _subjects),
    ("if-match", _conditions),
    ("manifest size", _limit),
)


def write_all(endpoint: Endpoint, tag: str) -> list[Finding]:
    """What every probe that writes finds in the scratch repository of `endpoint`, which is cleaned up, whatever happens.

    Raises `UsageError` if there is such a tag, and `Refused` or `BadAnswer` if that cannot be told: nothing that somebody
    needs may be overwritten.
    """
    scratch = Scratch(endpoint, tag)
    findings: list[Finding] = []
    asked = endpoint.send(endpoint.request("HEAD", f"manifests/{tag}", _ANY_TYPE))
    if asked.status == 200:
        raise UsageError("the scratch tag is there", at=f"{endpoint.name}:{tag}", hint="name one that is not")
    if asked.status != 404:  # it may well be there
        raise endpoint.failure(asked, f"scratch tag {tag}")
    asked.discard()
    try:
        for name, probe in WRITING:
            findings += guarded(name, probe(scratch))
    finally:
        findings += guarded("cleaning up", _clean(scratch))
    return findings
