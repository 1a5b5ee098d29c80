"""The content port: small protocols that memory, OCI layout and registry all keep.

A store is one repository (of a registry), one layout directory, or one memory. Whatever a store hands
out was checked against its descriptor. Every method may raise `RemoteError`, `EnvironmentFailure` or
`ArtifactError`; what it raises besides is said with the method.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol, TypeGuard

from nv2.errors import BadAnswer, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest

Opener = Callable[[], BinaryIO]
"""Opens the same bytes anew each time."""

Lock = Callable[[str], AbstractContextManager[None]]
"""Given a key, a lock that excludes other threads and processes of this host; wiring has the real one."""


class Journal(Protocol):
    """Remembers what was attached to a subject (`registry/repository@digest`); wiring has one that lasts."""

    def recall(self, subject: str) -> tuple[Descriptor, ...]:
        """What was recorded of `subject`. Raises `EnvironmentFailure`."""

    def record(self, subject: str, manifests: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
        """Record what is about to be attached; what was recorded before. Raises `EnvironmentFailure`."""

    def forget(self, subject: str, digests: Collection[str]) -> None:
        """Drop what was recorded of `subject` under these digests. Raises `EnvironmentFailure`."""


class ContentCache(Protocol):
    """Content of one repository that outlives the run; nothing about it is fatal."""

    def load(self, digest: Digest, size: int) -> bytes | None:
        """What has that digest and size, if it is kept; it was held against the digest just now."""

    def keep(self, digest: Digest, data: bytes) -> None:
        """Keep `data`, which was held against `digest`."""


class Referrers(NamedTuple):
    """The answer to "who refers to this?"."""

    descriptors: tuple[Descriptor, ...]
    """Each manifest once, or in each of the ways in which the listing contradicts itself. `artifact_type` may be
    missing or wrong (research says registries lie)."""
    complete: bool
    """False if a cap ended the listing early: then absence proves nothing."""
    problems: tuple[str, ...] = ()
    """Entries that could not be used, one line each."""


class Resolver(Protocol):
    def resolve(self, name: str) -> Descriptor:
        """The descriptor of a tag or digest; the bytes' own digest was computed, whatever the store says.

        Raises `NotFound`, `ContentMismatch`; `MalformedManifest` for what is no manifest, `BadAnswer` for one that
        is too long.
        """


class Fetcher(Protocol):
    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content. `BadAnswer` before reading if the descriptor's size exceeds `limit` bytes.

        Raises `NotFound`, `ContentMismatch`.
        """

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """`fetch` of each, in order, several under way at a time; an error takes the place of its content."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a stream for large blobs; reading to the end raises `ContentMismatch` if it is wrong."""


class Pusher(Protocol):
    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the store has this content."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob or (by media type) a manifest, under its digest. Nothing is visible if it fails.

        A manifest's subject need not exist. A manifest with a subject is listed as a referrer only
        after `attach`, where the store does not list it by itself.
        """

    def provide(self, descriptor: Descriptor, source: Opener, subject: Descriptor) -> Callable[[], object]:
        """Begin to see to it that a blob is there that many referrers of `subject` name, as an empty config.

        It is sent only if it is missing. Call the result before the manifest that names it is pushed; then it
        is there, or will be before `attach` lists the manifest.
        """


class Tagger(Protocol):
    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Let `tag` name a manifest that is in the store."""


class ReferrerLister(Protocol):
    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        """Every manifest that names `subject`, up to a named cap.

        `artifact_type` is only a hint to the store; the caller filters.
        """


class Attacher(Protocol):
    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        """Make `manifests` (pushed already, `subject` in them) appear in `referrers(subject)`: one write for all.

        Descriptors carry `artifact_type` and `annotations`. Entries of others are kept. Raises
        `BadAnswer` if the entries do not stay: then nothing is known to be listed.
        """


class Source(Resolver, Fetcher, ReferrerLister, Protocol):
    """What verifying and copying from needs."""


class Store(Source, Pusher, Tagger, Attacher, Protocol):
    """What signing and copying to needs."""


class Mounter(Protocol):
    """An optional power: take a blob from another repository of the same registry."""

    def would_mount(self, source: object) -> bool:
        """Whether `mount` would ask for a blob of `source`, the other store, at all. Asks nobody."""

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Whether the blob is here now without having been sent; `source` is the other store."""


class TaggingPusher(Protocol):
    """An optional power: store a manifest and name it in one step."""

    def push_tagged(self, descriptor: Descriptor, source: Opener, tag: str) -> None:
        """`push` of a manifest, and `tag`. Whoever resolves the tag finds the manifest whole."""


class Forerunner(Protocol):
    """An optional power: ask early, where answers are long under way."""

    def ask_ahead(self, digest: Digest, artifact_type: str) -> None:
        """Begin what `resolve(digest)` and then `referrers(…, artifact_type)` will ask, and return at once."""


class Healer(Protocol):
    """An optional power: list again what this machine attached and others displaced."""

    def heal(self, subject: Descriptor) -> tuple[Descriptor, ...]:
        """What was put back. Raises `BadAnswer` as `attach`, `EnvironmentFailure`."""


class TagLister(Protocol):
    """An optional power: name every tag."""

    def tag_names(self) -> tuple[str, ...]:
        """Every tag, sorted, the fallback tags of referrers too. Raises `NotFound`, `BadAnswer` beyond a named cap."""


class Distant(Protocol):
    """An optional power: say that every question is a round trip, so that one asks no more than one must."""

    @property
    def distant(self) -> bool:
        """Whether it is so."""


class Remover(Protocol):
    """An optional power: take away what is there. Blobs stay until the store itself collects them."""

    def remove(self, descriptor: Descriptor) -> None:
        """Remove a manifest and every tag that names it. Raises `NotFound`, and `BadAnswer` if the store does not."""

    def untag(self, tag: str) -> None:
        """Remove a tag alone. Raises as `remove`."""

    def detach(self, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:
        """No longer list `digests` as referrers of `subject`: one write for all; what `attach` would list again.

        Nothing to do where the store lists by itself. Entries of others are kept. Raises `BadAnswer` as `attach`.
        """


class Finisher(Protocol):
    """An optional power: show what was written only when all of it is there, as a file does that is one archive."""

    def finish(self) -> None:
        """Let others see what was written. Raises `EnvironmentFailure`."""


class Warner(Protocol):
    """An optional power: remember what went wrong without harm."""

    @property
    def warnings(self) -> Sequence[str]:
        """One line each, such as that a superseded index stayed."""


# Python's own check of a protocol would load `inspect`, which costs a run more than all of these.


def can_mount(store: object) -> TypeGuard[Mounter]:
    """Whether `store` has the power of a `Mounter`."""
    return hasattr(store, "mount")


def can_push_tagged(store: object) -> TypeGuard[TaggingPusher]:
    """Whether `store` has the power of a `TaggingPusher`."""
    return hasattr(store, "push_tagged")


def can_ask_ahead(store: object) -> TypeGuard[Forerunner]:
    """Whether `store` has the power of a `Forerunner`."""
    return hasattr(store, "ask_ahead")


def can_heal(store: object) -> TypeGuard[Healer]:
    """Whether `store` has the power of a `Healer`."""
    return hasattr(store, "heal")


def can_remove(store: object) -> TypeGuard[Remover]:
    """Whether `store` has the power of a `Remover`."""
    return hasattr(store, "remove")


def can_finish(store: object) -> TypeGuard[Finisher]:
    """Whether `store` has the power of a `Finisher`."""
    return hasattr(store, "finish")


def can_warn(store: object) -> TypeGuard[Warner]:
    """Whether `store` has the power of a `Warner`."""
    return hasattr(store, "warnings")


def can_list_tags(store: object) -> TypeGuard[TagLister]:
    """Whether `store` has the power of a `TagLister`."""
    return hasattr(store, "tag_names")


def is_distant(store: object) -> bool:
    """Whether `store` says so, as a `Distant`."""
    return bool(getattr(store, "distant", False))


def opener(data: bytes) -> Opener:
    """`data` as an `Opener`."""
    return lambda: io.BytesIO(data)


def done() -> None:
    """The end of what is done already."""


def check_size(descriptor: Descriptor, limit: int) -> None:
    """Raise `BadAnswer` before anything is read if the content would be longer than `limit` bytes."""
    if descriptor.size > limit:
        raise BadAnswer(f"has {descriptor.size} bytes; at most {limit} are read", at=descriptor.digest)


def one_by_one(fetcher: Fetcher, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
    """`fetch_many` for stores that have nothing to wait for."""
    for descriptor in descriptors:
        try:
            yield fetcher.fetch(descriptor, limit)
        except Nv2Error as e:
            yield e
