"""Writing to a repository of a registry: blobs, manifests, tags, and lists of referrers.

What this module does not do: find out whether the registry keeps the lists itself (store), nor write them where it does
not (fallback). Those who only read do not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from nv2.content.interface import Opener, check_size, opener
from nv2.content.remote import shared_blobs
from nv2.content.remote.fallback import Writer, attach_by_tag, restore_by_tag, witnesses
from nv2.content.remote.manifest_answers import check_pushed
from nv2.content.remote.manifest_cache import Manifests
from nv2.content.remote.shared_blobs import NOBODY, SharedBlobs
from nv2.content.remote.uploads import Uploads
from nv2.errors import InvalidReference
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, algorithm_of
from nv2.oci.manifest import MAX_MANIFEST, is_manifest
from nv2.oci.reference import EXPECTED, is_tag

CANONICAL = "sha256"
"""The algorithm of the digests that registries compute themselves."""


class Writing:
    """What one store writes. The store reads by `fetch`, and remembers `manifests`."""

    def __init__(
        self,
        writer: Writer,
        uploads: Uploads,
        manifests: Manifests,
        fetch: Callable[[Descriptor, int], bytes],
    ) -> None:
        self._endpoint = writer.endpoint
        self._uploads = uploads
        self._manifests = manifests
        self._fetch = fetch
        self._shared = SharedBlobs(self._endpoint, uploads)
        self._writer = writer._replace(confirm=self._shared.confirm)
        self._pushed: dict[Digest, str] = {}
        """Manifests that were put, and the subject that the registry says it noted (OCI-Subject)."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob or a manifest under its digest. See `Pusher.push`."""
        if not is_manifest(descriptor.media_type):
            self._uploads.push(descriptor, source)
            return
        self._put_manifest(descriptor, _whole(descriptor, source), descriptor.digest)

    def push_tagged(self, descriptor: Descriptor, source: Opener, tag: str) -> None:
        """Store a manifest and let `tag` name it. Raises as `tag`. See `TaggingPusher.push_tagged`.

        What the registry does not vouch for, by the digest in its answer, is sent under its digest as well.
        """
        _check_tag(tag, self._endpoint.name)
        data = _whole(descriptor, source)
        # What comes under a tag is stored under sha256.
        if algorithm_of(descriptor.digest) != CANONICAL:
            self._put_manifest(descriptor, data, descriptor.digest)
            self._put_manifest(descriptor, data, tag)
        elif not self._put_manifest(descriptor, data, tag):
            self._put_manifest(descriptor, data, descriptor.digest)

    def provide(self, descriptor: Descriptor, source: Opener, subject: Descriptor) -> Callable[[], object]:
        """See to it that the registry has a blob that many manifests name. See `Pusher.provide`."""
        return self._shared.provide(descriptor, source, witnesses(self._writer, subject))

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Whether the registry took the blob over from `repository` of its own."""
        return self._uploads.mount(descriptor, repository)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Let `tag` name a manifest of the repository. Raises `InvalidReference`, and what a push raises."""
        _check_tag(tag, self._endpoint.name)
        self._put_manifest(descriptor, self._fetch(descriptor, MAX_MANIFEST), tag)

    def _put_manifest(self, descriptor: Descriptor, data: bytes, name: str) -> bool:
        """Whether the registry says that it stored it under its digest."""
        headers = {"Content-Type": descriptor.media_type}
        request = self._endpoint.request(
            "PUT", f"manifests/{name}", headers, body=opener(data), body_size=len(data)
        )
        response = self._endpoint.send(request)
        for pause in shared_blobs.PATIENCE:
            if response.status not in shared_blobs.MISSING_CONTENT:
                break
            error = self._endpoint.failure(response, f"manifest {name}")
            if not self._shared.confirm(NOBODY):
                if shared_blobs.BLOB_UNKNOWN not in error.message:
                    raise error
                self._writer.sleep(pause)
            response = self._endpoint.send(request)
        if response.status != 201:
            raise self._endpoint.failure(response, f"manifest {name}")
        response.discard()
        is_sure = check_pushed(response, descriptor, self._endpoint.name)
        self._pushed[descriptor.digest] = response.headers.get("oci-subject", "").strip()
        self._manifests.keep(descriptor, data)
        return is_sure

    def was_noted(self, manifest: Descriptor, subject: Descriptor) -> bool:
        """Whether the registry noted, when it was sent `manifest`, that it refers to `subject`; so too if it was sent none."""
        return self._pushed.get(manifest.digest, subject.digest) == subject.digest

    def attach(
        self, subject: Descriptor, unlisted: Sequence[Descriptor], listed: Sequence[Descriptor]
    ) -> None:
        """List `unlisted` under the fallback tag of `subject`, and see to it that the registry lists `listed` itself.

        See `Attacher.attach`; the fallback tag is written as `fallback` says.
        """
        if unlisted:
            attach_by_tag(self._writer, subject, unlisted)
        self._shared.confirm(NOBODY)
        if len(listed) > 1:
            from nv2.content.remote.listed_by_itself import see_listed  # most attach one signature

            see_listed(self._endpoint, subject, listed, self._push_again, self._writer.sleep)

    def _push_again(self, manifest: Descriptor) -> None:
        plain = Descriptor(*manifest[:3])
        self._put_manifest(plain, self._fetch(plain, MAX_MANIFEST), plain.digest)

    def restore(self, subject: Descriptor, listed: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
        """List again what the journal knows of, and the fallback tag, which has `listed`, lost. See `Healer.heal`."""
        return restore_by_tag(self._writer, subject, listed)

    def remove(self, descriptor: Descriptor) -> None:
        """Delete a manifest and every tag of it. See `Remover.remove`."""
        from nv2.content.remote.removal import remove_manifest  # only those who delete need it

        remove_manifest(self._endpoint, descriptor)
        self._manifests.drop(descriptor.digest)

    def untag(self, tag: str) -> None:
        """Delete a tag alone. See `Remover.untag`."""
        from nv2.content.remote.removal import remove_tag

        remove_tag(self._endpoint, tag)

    def detach(self, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:
        """Keep the fallback index right, if there is one. See `Remover.detach`."""
        from nv2.content.remote.removal import detach_by_tag

        return detach_by_tag(self._writer, subject, digests)


def _check_tag(tag: str, at: str) -> None:
    if not is_tag(tag):
        raise InvalidReference(f"invalid tag {tag!r}", at=at, hint=EXPECTED)


def _whole(descriptor: Descriptor, source: Opener) -> bytes:
    """The manifest, checked. Raises `BadAnswer`, `ContentMismatch`, and what reading raises."""
    check_size(descriptor, MAX_MANIFEST)
    with source() as stream:
        data = stream.read(descriptor.size + 1)
    descriptor.check(data)
    return data
