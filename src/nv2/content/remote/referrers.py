"""Asking a registry who refers to a manifest: the referrers API, else the fallback tag.

What this module does not do: fetch what is listed. Whether a manifest really names the subject is
checked by whoever opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from nv2 import strict_json
from nv2.content.interface import Referrers
from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, Endpoint, next_page, read_errors
from nv2.errors import BadAnswer, MalformedManifest, NotFound, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import Digest, digest_of, fallback_tag
from nv2.oci.manifest import is_manifest
from nv2.plain_text import quoted
from nv2.strict_json import Fields
from nv2.transport.interface import Pending, Response

MAX_REFERRERS = 10_000
"""Entries that one listing may have: about as many as a fallback index of 4 MiB holds."""

MAX_VARIANTS = 8
"""Ways in which one listing may describe the same manifest. Honest ones have one."""

MAX_PAGES = 100
"""Pages of one listing."""

_UNSUPPORTED = (400, 404, 405, 406)
"""How registries without the API answer; a page that is no index is another way."""

_A_PAGE = "is there a proxy before the registry that wants a login?"


class FallbackIndex(NamedTuple):
    """What is under the fallback tag: the document with every field, and what identifies this state of it."""

    document: dict[str, Any]
    digest: Digest
    etag: str | None

    @property
    def entries(self) -> list[Any]:
        """The entries as they came."""
        found: list[Any] = self.document.get("manifests") or []
        return found

    @property
    def digests(self) -> frozenset[str]:
        """The digests that are listed."""
        return frozenset(str(item.get("digest")) for item in self.entries if isinstance(item, dict))

    @property
    def is_emptied(self) -> bool:
        """Whether it lists nothing, and was written by who took the last entry out."""
        return not self.entries and _EMPTIED in (self.document.get("annotations") or ())

    @property
    def is_only_a_list(self) -> bool:
        """Whether it looks as clients write lists of referrers, and not like an index of images or an artifact.

        Who gives the tag to an artifact of that kind would have it deleted with the next signature.
        """
        plain = self.document.keys() <= {"schemaVersion", "mediaType", "manifests"}
        return self.is_emptied or (plain and all(map(_is_listed_referrer, self.entries)))


_EMPTIED = "nv2.emptied-list-of"


def emptied(subject: Digest) -> dict[str, str]:
    """Annotations that tell the emptied list of `subject` from every other index without entries."""
    return {_EMPTIED: subject}


def _is_listed_referrer(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("artifactType"), str) and "platform" not in entry


def unlisted(items: Iterable[Descriptor], entries: Iterable[Any]) -> list[Descriptor]:
    """Those of `items` that no entry (a descriptor as JSON) describes. The digest alone does not: readers would
    fetch something else. A type that is left out is no harm: they repair it."""
    listed: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        if isinstance(entry, dict):
            listed.setdefault(str(entry.get("digest")), []).append(entry)
    return [item for item in items if not any(_describes(e, item) for e in listed.get(item.digest, ()))]


def _describes(entry: Mapping[str, Any], item: Descriptor) -> bool:
    said = (entry.get("mediaType"), entry.get("digest"), entry.get("size"))
    return said == item[:3] and entry.get("artifactType") in (item.artifact_type, *mt.NO_TYPE)


def start_api(endpoint: Endpoint, subject: Digest, artifact_type: str | None) -> Pending:
    """Ask the referrers API; `api_listing` reads the answer."""
    path = f"referrers/{subject}"
    if artifact_type:
        path += f"?artifactType={quote(artifact_type, safe='')}"
    return endpoint.start(endpoint.request("GET", path, {"Accept": mt.IMAGE_INDEX}))


def api_listing(endpoint: Endpoint, pending: Pending) -> Referrers | None:
    """Every entry of every page, or None if the registry has no referrers API.

    Raises `NotFound` for a repository that does not exist, `Refused`, `BadAnswer`.
    """
    response = pending.response()
    entries = _first_page(endpoint, response)
    if entries is None:
        return None
    listing, pages = _Listing(f"referrers of {endpoint.name}"), 1
    while listing.add(entries) and (following := next_page(endpoint, response, "referrers")):
        if pages == MAX_PAGES:
            return listing.result(complete=False)
        request = endpoint.request("GET", "", {"Accept": mt.IMAGE_INDEX})._replace(url=following)
        response, pages = endpoint.send(request), pages + 1
        found = _page(endpoint, response)
        if found is None:
            raise BadAnswer(f"page {pages} of the referrers is not an image index", at=endpoint.name)
        entries = found
    return listing.result()


def has_api(endpoint: Endpoint, subject: Digest) -> bool:
    """Whether the registry lists referrers by itself, asked with a filter that leaves next to nothing of the list.

    Raises as `api_listing`.
    """
    return _first_page(endpoint, start_api(endpoint, subject, mt.EMPTY).response()) is not None


def _first_page(endpoint: Endpoint, response: Response) -> list[Any] | None:
    """The entries, or None if there is no referrers API."""
    if response.status not in _UNSUPPORTED:
        return _page(endpoint, response)
    codes, _ = read_errors(response)
    if response.status == 404 and "NAME_UNKNOWN" in codes:
        raise NotFound("no such repository", at=endpoint.name)
    return None


def _page(endpoint: Endpoint, response: Response) -> list[Any] | None:
    """The entries of an answer, or None if it is no index: some registries answer 200 to anything."""
    if response.status != 200:
        raise endpoint.failure(response, "list of referrers")
    if response.content_type not in (mt.IMAGE_INDEX, "application/json"):
        response.discard()
        return None
    try:
        document = strict_json.loads(response.data(), BadAnswer, at=f"referrers of {endpoint.name}")
    except BadAnswer:
        if response.content_type == mt.IMAGE_INDEX:
            raise
        return None
    # Harbor before 2.11 says application/json; then the document itself must say what it is.
    return _entries(document, strict=response.content_type != mt.IMAGE_INDEX)


def _entries(document: Any, *, strict: bool) -> list[Any] | None:
    if not isinstance(document, dict) or "manifests" not in document:
        return None
    if document.get("mediaType", None if strict else mt.IMAGE_INDEX) != mt.IMAGE_INDEX:
        return None
    entries = document["manifests"]
    return [] if entries is None else entries if isinstance(entries, list) else None


class _Listing:
    """Entries on their way to a `Referrers`: each once, up to the caps.

    Entries of one digest that contradict each other are all kept: a wrong one must not hide the right one.
    """

    def __init__(self, at: str) -> None:
        self._at = at
        self._found: dict[Digest, dict[tuple[object, ...], Descriptor]] = {}
        self._problems: list[str] = []
        self._crowded: dict[Digest, str] = {}
        self._seen = 0
        self._capped = False

    def add(self, entries: list[Any]) -> bool:
        """Take entries; False when no more may come."""
        for item in entries:
            if self._seen == MAX_REFERRERS:
                self._capped = True
                return False
            self._seen += 1
            try:
                found = parse_descriptor(
                    Fields.of(item, f"{self._at}: manifests[{self._seen - 1}]", BadAnswer)
                )
            except Nv2Error as e:
                self._problems.append(str(e))
            else:
                self._keep(found)
        return True

    def _keep(self, found: Descriptor) -> None:
        variants = self._found.setdefault(found.digest, {})
        if found[:4] in variants or len(variants) < MAX_VARIANTS:
            variants.setdefault(found[:4], found)
            return
        self._capped = True
        self._crowded[found.digest] = (
            f"{self._at}: {found.digest} is listed in more than {MAX_VARIANTS} ways, the rest are left out"
        )

    def result(self, *, complete: bool = True) -> Referrers:
        """What was taken."""
        found = tuple(entry for variants in self._found.values() for entry in variants.values())
        problems = (*self._problems, *self._crowded.values())
        return Referrers(found, complete and not self._capped, problems)


def start_fallback(endpoint: Endpoint, subject: Digest) -> Pending:
    """Ask for the fallback tag; `fallback_index` reads the answer."""
    return endpoint.start(endpoint.request("GET", f"manifests/{fallback_tag(subject)}", ACCEPT_MANIFESTS))


def fallback_index(endpoint: Endpoint, subject: Descriptor, pending: Pending) -> FallbackIndex | None:
    """The index under the fallback tag, or None if there is none.

    Some registries take the tag for the subject's own digest (GitLab): that is none either. Raises
    `MalformedManifest` if the tag names something else than an image index, `Refused`, and `BadAnswer` if
    what came is no manifest at all: then it is somebody else's answer (a login page), and says nothing.
    """
    response, tag = pending.response(), fallback_tag(subject.digest)
    if response.status == 404:
        response.discard()
        return None
    if response.status != 200:
        raise endpoint.failure(response, f"tag {tag}")
    data, at = response.data(), f"{endpoint.name}:{tag}"
    digest = digest_of(data)
    if subject.digest == digest_of(data, subject.digest.partition(":")[0]):
        return None
    if not is_manifest(response.content_type):
        raise BadAnswer(f"answered with {quoted(response.content_type)}, not a manifest", at=at, hint=_A_PAGE)
    if response.content_type != mt.IMAGE_INDEX:
        raise MalformedManifest("the tag that lists referrers is not an image index", at=at)
    document = strict_json.loads(data, MalformedManifest, at=at)
    if _entries(document, strict=False) is None:
        raise MalformedManifest("the tag that lists referrers is not an image index", at=at)
    return FallbackIndex(document, digest, response.headers.get("etag"))


def fallback_listing(endpoint: Endpoint, index: FallbackIndex, children: frozenset[Digest]) -> Referrers:
    """The entries of `index` but for `children` of the subject, which cannot refer to it."""
    listing = _Listing(f"referrers of {endpoint.name}")
    listing.add(index.entries)
    found = listing.result()
    kept = tuple(item for item in found.descriptors if item.digest not in children)
    return found._replace(descriptors=kept, problems=(*found.problems, *_own_children(found, children)))


def _own_children(found: Referrers, children: frozenset[Digest]) -> Iterator[str]:
    for item in found.descriptors:
        if item.digest in children:
            yield f"{item.digest} is a part of the artifact, not a referrer"
