"""Reading bundles, wired: a file is opened, every digest in it is checked, and the trust policy decides by what it brings.

A bundle is hostile input: nothing is unpacked, nothing is written, nobody is asked. What this module does not do: import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nv2.bundling import evidence_manifest
from nv2.bundling.checking import BundleManifests, check_tags, manifests_of
from nv2.bundling.contents import BUNDLE, FAMILY, NEWER, Contents, parse_contents
from nv2.bundling.evidence import Evidence
from nv2.content.layout.archive import refuse_strangers
from nv2.content.layout.store import LayoutStore
from nv2.errors import EnvironmentFailure, MalformedManifest, NotFound, Nv2Error
from nv2.notary.session import Artifact, Session
from nv2.notary.trust_here import TrustChoice
from nv2.notary.verification import Evaluated, plugin_finder
from nv2.oci.descriptor import Descriptor
from nv2.oci.manifest import MAX_MANIFEST
from nv2.oci.reference import Reference
from nv2.plain_text import quoted
from nv2.revocation import RevocationChecker
from nv2.trust.trust import MAX_SIGNATURES, Trust
from nv2.verification import evaluate, not_checked

CHUNK = 1024 * 1024
"""Bytes of a blob in memory at a time."""

_HOW = "bundles are made with 'nv2 bundle create'"


class OpenBundle(NamedTuple):
    """A bundle of which every digest was checked. Nothing in it is trusted for that."""

    path: str
    store: LayoutStore
    contents_in: Descriptor
    """The index that names everything: whoever has this digest from elsewhere knows every byte."""
    contents: Contents
    manifests: BundleManifests
    evidence: Evidence | None
    """What it brings about revocation, unjudged."""
    blobs: int
    """How many files were compared with their digests."""
    size: int
    """Bytes of them."""


def open_bundle(path: str) -> OpenBundle:
    """Open the file `path` and check everything in it.

    Raises `EnvironmentFailure` if there is none, `ArtifactError`, `NotFound` or `BadAnswer` for whatever is wrong with it.
    """
    if not os.path.isfile(path):
        raise EnvironmentFailure(
            "no such file" if not os.path.exists(path) else "a bundle is a file", at=path, hint=_HOW
        )
    refuse_strangers(path)
    store = LayoutStore(Path(path), lock=_unlocked)
    index = _index_of(store, path)
    contents = parse_contents(store.fetch(index, MAX_MANIFEST), f"{path}: {index.digest}")
    found = manifests_of(store, index, contents, path)
    check_tags(store.listed(), contents, found, path)
    blobs, size = _check_blobs(store, found, path)
    evidence = _evidence(store, contents, path)
    return OpenBundle(path, store, index, contents, found, evidence, blobs, size)


def _unlocked(_: str) -> AbstractContextManager[None]:
    """A bundle is only read: no file is made to lock it."""
    return nullcontext()


def _index_of(store: LayoutStore, path: str) -> Descriptor:
    found = {entry[:3]: entry for entry in store.listed() if entry.artifact_type == BUNDLE}
    if len(found) != 1:
        kinds = [entry.artifact_type or "" for entry in store.listed()]
        if other := next((kind for kind in kinds if kind.startswith(FAMILY) and kind != BUNDLE), None):
            raise MalformedManifest(
                f"is a bundle of a kind that is not known here: {quoted(other)}", at=path, hint=NEWER
            )
        message = "is no bundle" if not found else f"has the contents of {len(found)} bundles"
        raise MalformedManifest(message, at=path, hint=_HOW)
    return Descriptor(*next(iter(found.values()))[:4])


def _check_blobs(store: LayoutStore, found: BundleManifests, path: str) -> tuple[int, int]:
    """Read every blob once, and refuse files that nothing names."""
    for blob in found.blobs:
        try:
            with store.open(blob) as stream:
                while stream.read(CHUNK):
                    pass
        except NotFound as e:
            raise MalformedManifest("a part of the bundle is missing", at=f"{path}: {blob.digest}") from e
    named = {blob.digest for blob in found.blobs}.union(found.nodes)
    if strangers := sorted(store.digests() - named):
        raise MalformedManifest(
            "is in the bundle, and its contents do not name it", at=f"{path}: {strangers[0]}"
        )
    sizes = {blob.digest: blob.size for blob in found.blobs}
    sizes |= {digest: node.descriptor.size for digest, node in found.nodes.items()}
    return len(sizes), sum(sizes.values())


def _evidence(store: LayoutStore, contents: Contents, path: str) -> Evidence | None:
    if contents.evidence is None:
        return None
    manifest = store.fetch(contents.evidence, MAX_MANIFEST)
    return evidence_manifest.unpack(manifest, partial(_fetch, store), f"{path}: {contents.evidence.digest}")


def _fetch(store: LayoutStore, descriptor: Descriptor) -> bytes:
    """`unpack` has looked at the size."""
    return store.fetch(descriptor, descriptor.size)


def checker_for(session: Session, bundle: OpenBundle) -> RevocationChecker:
    """Who judges revocation by what `bundle` brings, and by newer evidence that is here; nobody is asked.

    Raises `EnvironmentFailure` if the clock of this machine cannot be right.
    """
    from nv2.notary.evidence import checker

    created = bundle.contents.created
    evidence = bundle.evidence or Evidence(created)
    return checker(evidence._replace(gathered_at=max(created, evidence.gathered_at)), session)


Naming = Callable[[Reference], Reference]
"""What an artifact of a bundle is called here, by what it was called where it came from."""


def as_it_was(reference: Reference) -> Reference:
    """The `Naming` of those who keep the names."""
    return reference


def judge(
    session: Session,
    bundle: OpenBundle,
    choose: TrustChoice,
    *,
    naming: Naming = as_it_was,
    max_signatures: int = MAX_SIGNATURES,
    all_signatures: bool = False,
) -> Iterator[tuple[Reference, Evaluated | Nv2Error]]:
    """The verdict of each artifact of `bundle` under the name that `naming` gives it, or why there is none.

    Raises `EnvironmentFailure` as `checker_for`, at once.
    """
    revocation = checker_for(session, bundle)
    find_plugin = plugin_finder(session.paths)

    def verdict(name: Reference, subject: Descriptor) -> Evaluated | Nv2Error:
        artifact = Artifact(name, bundle.store, Descriptor(*subject[:3]))
        try:
            trust = choose(name)
            if not isinstance(trust, Trust):
                return Evaluated(artifact, not_checked(trust))
            found = evaluate(
                bundle.store,
                artifact.subject,
                trust,
                revocation=revocation,
                now=session.now,
                max_signatures=max_signatures,
                find_plugin=find_plugin,
                stop_at_first=not all_signatures,
            )
            return Evaluated(artifact, found)
        except Nv2Error as e:
            return e

    for image in bundle.contents.images:
        name = naming(image.reference)
        yield name, verdict(name, image.descriptor)


def named_by(choose: TrustChoice, bundle: OpenBundle, naming: Naming = as_it_was) -> frozenset[str] | None:
    """Thumbprints of the certificates that are trusted for any artifact of `bundle`: none for a bare key.

    None where a policy trusts nobody in particular, or cannot be asked: `judge` says why.
    """
    found: set[str] = set()
    is_known = False
    for image in bundle.contents.images:
        try:
            trust = choose(naming(image.reference))
            if isinstance(trust, Trust):
                found |= trust.anchors.thumbprints()
                is_known = True
        except Nv2Error:
            continue
    return frozenset(found) if is_known else None
