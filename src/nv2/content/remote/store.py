"""A repository of a registry as a content store (distribution-spec 1.1).

What this module does not do: log in or open sockets (transport), write (writing), nor believe the registry: every
manifest and blob is hashed before it is handed out.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from nv2.content.checked_stream import CheckedStream
from nv2.content.interface import ContentCache, Journal, Lock, Opener, Referrers, check_size
from nv2.content.remote.endpoint import Endpoint, content_name, look_for
from nv2.content.remote.manifest_answers import describe_answer
from nv2.content.remote.manifest_cache import Kept, Manifests
from nv2.content.remote.prefetch import Ahead, Asked, in_order, manifest_request, needed_login, start_ahead
from nv2.content.remote.referrers import (
    api_listing,
    fallback_index,
    fallback_listing,
    has_api,
    start_api,
    start_fallback,
)
from nv2.errors import InvalidReference, MalformedManifest, NotFound, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, parse_digest
from nv2.oci.manifest import MAX_MANIFEST, is_manifest, parse_manifest
from nv2.oci.reference import EXPECTED, is_tag
from nv2.transport.interface import Pending, Request, Transport

if TYPE_CHECKING:
    from nv2.content.remote.pieces import UploadNotes
    from nv2.content.remote.writing import Writing


class _Api(enum.Enum):
    """What is known of the repository's referrers API."""

    UNKNOWN = "unknown"
    THERE = "there"
    MISSING = "missing"


NO_REFERRERS = Referrers((), True)


class RemoteStore:
    """The repository `repository` at `registry` (`host[:port]`); keeps `Store` and every optional power.

    `push` says that this store is going to be written, so that one token is asked for everything.
    `journal` remembers what was attached; without one that ends with this store. `cache` keeps signatures' manifests
    and envelopes for later runs, `uploads` what was begun of large blobs.
    `base` is as for `Endpoint`. `warnings` collects what went wrong without harm.
    """

    distant = True

    def __init__(
        self,
        registry: str,
        repository: str,
        transport: Transport,
        *,
        plain_http: bool,
        lock: Lock,
        force_referrers_tag: bool = False,
        push: bool = False,
        sleep: Callable[[float], object] = time.sleep,
        journal: Journal | None = None,
        cache: Callable[[], ContentCache] | None = None,
        base: str | None = None,
        uploads: UploadNotes | None = None,
    ) -> None:
        self.registry = registry
        self.repository = repository
        self.warnings: list[str] = []
        self._endpoint = Endpoint(
            registry, repository, transport, plain_http=plain_http, push=push, base=base
        )
        self._sleep = sleep
        self._begin_writing = partial(_begin_writing, self, lock, journal, uploads)
        self._written: Writing | None = None
        self._lock = threading.Lock()
        self._force_tag = force_referrers_tag
        self._api = _Api.UNKNOWN
        self._ahead: Ahead | None = None
        self._manifests = Manifests()
        self._kept = Kept(cache)
        if push:
            self._writing()  # loaded now, while the first answers are under way

    def resolve(self, name: str) -> Descriptor:
        """The descriptor of the manifest under a tag or digest; one request, and its bytes are remembered."""
        digest = parse_digest(name) if ":" in name else None
        if digest is None and not is_tag(name):
            raise InvalidReference("a tag or digest is missing", at=self._endpoint.name, hint=EXPECTED)
        if digest and (known := self._manifests.get(digest)):
            return known.descriptor
        ahead, self._ahead = self._ahead, None
        ahead = ahead if ahead and ahead.subject == digest else None
        request = manifest_request(self._endpoint, name)
        asked = ahead.manifest if ahead else self._endpoint.start(request)
        what = f"manifest {name}" if digest else f"tag {name}"
        response, data = self._endpoint.read(asked, request, what)
        self._ahead = None if needed_login(response) else ahead
        found = describe_answer(response, data, digest, f"{self._endpoint.name}:{name}")
        self._manifests.keep(found, data)
        return found

    def ask_ahead(self, digest: Digest, artifact_type: str) -> None:
        """Begin what `resolve(digest)` and then `referrers(…, artifact_type)` will ask: they need not wait twice."""
        if self._api is _Api.UNKNOWN and not self._manifests.get(digest):
            self._ahead = start_ahead(self._endpoint, digest, artifact_type)

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content, checked. See `Fetcher.fetch`."""
        return self._begin(descriptor, limit)()

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """The contents in order, a few under way at a time. See `Fetcher.fetch_many`."""
        return in_order(partial(self._begin, descriptor, limit) for descriptor in descriptors)

    def _begin(self, descriptor: Descriptor, limit: int) -> Callable[[], bytes]:
        """Ask for the content; calling the result waits for it."""
        check_size(descriptor, limit)
        if known := self._manifests.get(descriptor.digest):
            return lambda: _checked(known.data, descriptor)
        if (kept := self._kept.find(descriptor)) is not None:
            return lambda: kept
        request = self._endpoint.content_request(descriptor, limit=descriptor.size)
        pending = self._endpoint.start(request)
        return lambda: self._finish(descriptor, request, pending)

    def _finish(self, descriptor: Descriptor, request: Request, pending: Pending) -> bytes:
        _, data = self._endpoint.read(pending, request, content_name(descriptor))
        descriptor.check(data)
        self._kept.keep(descriptor, data)
        if is_manifest(descriptor.media_type):
            self._manifests.keep(descriptor, data)
        return data

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a stream that checks itself; close it. It has the longer to come the larger it is.

        If the connection breaks it goes on with the rest.
        """
        from nv2.content.remote.downloads import Download  # those who verify read no streams

        return CheckedStream(Download(self._endpoint, descriptor, self._sleep), descriptor)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the repository has the content; nothing is transferred."""
        return look_for(self._endpoint, descriptor)()

    def _writing(self) -> Writing:
        with self._lock:
            if self._written is None:
                self._written = self._begin_writing()
            return self._written

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob or a manifest under its digest. See `Pusher.push`."""
        self._writing().push(descriptor, source)

    def push_tagged(self, descriptor: Descriptor, source: Opener, tag: str) -> None:
        """Store a manifest and let `tag` name it, mostly in one request. See `TaggingPusher.push_tagged`."""
        self._writing().push_tagged(descriptor, source, tag)

    def provide(self, descriptor: Descriptor, source: Opener, subject: Descriptor) -> Callable[[], object]:
        """See to it that the registry has a blob that many manifests name. See `Pusher.provide`."""
        return self._writing().provide(descriptor, source, subject)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Let `tag` name a manifest of the repository."""
        self._writing().tag(descriptor, tag)

    def tag_names(self) -> tuple[str, ...]:
        """Every tag of the repository. See `TagLister.tag_names`."""
        from nv2.content.remote.name_lists import tags_of  # only those who copy all of them need it

        return tags_of(self._endpoint)

    def would_mount(self, source: object) -> bool:
        """Whether `source` is a repository of the same registry."""
        return isinstance(source, RemoteStore) and source.registry == self.registry

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Whether the registry took the blob over from `source`, another repository of it."""
        if not isinstance(source, RemoteStore) or not self.would_mount(source):
            return False
        return self._writing().mount(descriptor, source._endpoint.repository)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        """Who names `subject`, by the API, else by the fallback tag (distribution-spec, "Listing Referrers").

        As long as it is not known which of the two the registry has, both are asked at once.
        """
        found = self._referrers(subject, artifact_type)
        self._kept.answered()
        return found

    def _referrers(self, subject: Descriptor, artifact_type: str | None) -> Referrers:
        endpoint, (asked, tag) = self._endpoint, self._ask_for_referrers(subject.digest, artifact_type)
        listing = api_listing(endpoint, asked) if asked else None
        self._api = _Api.MISSING if listing is None else _Api.THERE
        if listing is not None:
            return listing
        try:
            index = fallback_index(endpoint, subject, tag or start_fallback(endpoint, subject.digest))
        except MalformedManifest as e:
            # "If the tag does not return a valid image index, the client SHOULD assume no referrers."
            return Referrers((), True, (str(e),))
        return fallback_listing(endpoint, index, self._children(subject)) if index else NO_REFERRERS

    def _ask_for_referrers(self, subject: Digest, artifact_type: str | None) -> Asked:
        ahead, self._ahead = self._ahead, None
        if ahead and (ahead.subject, ahead.artifact_type) == (subject, artifact_type):
            return ahead.listings
        api = None if self._api is _Api.MISSING else start_api(self._endpoint, subject, artifact_type)
        tag = None if self._api is _Api.THERE else start_fallback(self._endpoint, subject)
        return Asked(api, tag)

    def _children(self, subject: Descriptor) -> frozenset[Digest]:
        if subject.media_type not in mt.INDEXES:
            return frozenset()
        try:
            data = self.fetch(subject, MAX_MANIFEST)
        except NotFound:
            return frozenset()
        return frozenset(item.digest for item in parse_manifest(data, subject.media_type).manifests)

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        """List `manifests` as referrers of `subject`: nothing to do where the registry does it itself.

        See `Attacher.attach`.
        """
        listed = [item for item in manifests if not self._force_tag and self._is_listed(subject, item)]
        unlisted = [item for item in manifests if item not in listed]
        self._writing().attach(subject, unlisted, listed)

    def remove(self, descriptor: Descriptor) -> None:
        """Delete a manifest and every tag of it. See `Remover.remove`."""
        self._writing().remove(descriptor)

    def untag(self, tag: str) -> None:
        """Delete a tag alone. See `Remover.untag`."""
        self._writing().untag(tag)

    def detach(self, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:
        """Keep the fallback index right, if there is one. See `Remover.detach`."""
        return self._writing().detach(subject, digests)

    def heal(self, subject: Descriptor) -> tuple[Descriptor, ...]:
        """List again what the journal knows of and the fallback tag lost; what was put back.

        Nothing to do where the registry lists by itself. Raises `BadAnswer` as `attach`,
        `EnvironmentFailure` if the journal cannot be read.
        """
        listed = self.referrers(subject)
        if self._api is _Api.THERE:
            return ()
        return self._writing().restore(subject, listed.descriptors)

    def _is_listed(self, subject: Descriptor, manifest: Descriptor) -> bool:
        """Whether the registry lists it by itself: OCI-Subject at the push, and an API that answers.

        Some said the one and had not the other, so neither is believed alone.
        """
        if not self._writing().was_noted(manifest, subject):
            return False
        if self._api is _Api.UNKNOWN:
            self._api = _Api.THERE if has_api(self._endpoint, subject.digest) else _Api.MISSING
        return self._api is _Api.THERE


def _begin_writing(
    store: RemoteStore, lock: Lock, journal: Journal | None, uploads: UploadNotes | None
) -> Writing:
    from nv2.content.remote.fallback import RunJournal, Writer  # those who verify write nothing
    from nv2.content.remote.uploads import Uploads
    from nv2.content.remote.writing import Writing

    endpoint, sleep = store._endpoint, store._sleep
    writer = Writer(endpoint, lock, store.exists, sleep, store.warnings.append, journal or RunJournal())
    return Writing(writer, Uploads(endpoint, sleep, uploads), store._manifests, store.fetch)


def _checked(data: bytes, descriptor: Descriptor) -> bytes:
    descriptor.check(data)
    return data
