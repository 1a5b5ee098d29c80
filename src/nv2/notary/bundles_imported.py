"""Importing a bundle, wired: what was judged is copied, unless a newer bundle was here before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nv2.blame import DESTINATION, blaming
from nv2.copying import CopyResult, copy
from nv2.errors import ConfigurationError, MalformedManifest, UsageError
from nv2.home.bundle_state import Arrived, last_arrived, note_arrived
from nv2.notary.bundles import Naming, OpenBundle
from nv2.notary.copying import located
from nv2.notary.session import Session
from nv2.notary.threads import at_once
from nv2.oci.digest import Digest
from nv2.oci.reference import Reference, is_registry, is_repository_path
from nv2.plain_text import rfc3339


class Imported(NamedTuple):
    """An artifact that was copied to where it belongs here."""

    source: Reference
    """What it was called outside."""
    destination: Reference
    result: CopyResult


def naming_in(place: str) -> Naming:
    """What artifacts are called below `place`, a registry or `registry/prefix`. Raises `UsageError`."""
    registry, slash, prefix = place.partition("/")
    if not is_registry(registry) or (slash and not is_repository_path(prefix)):
        raise UsageError(
            "expected a registry, or a registry and the beginning of repositories",
            at=place,
            hint="such as registry.example.com or registry.example.com/imported",
        )

    def name(reference: Reference) -> Reference:
        path = f"{prefix}/{reference.repository}" if slash else reference.repository
        if not is_repository_path(path):
            raise UsageError(f"the repository would be {path!r}, which is too long", at=place)
        return Reference(registry, path, reference.tag, reference.digest)

    return name


def destinations(bundle: OpenBundle, naming: Naming) -> list[tuple[Reference, Reference, Digest]]:
    """For each artifact: what it was called, what it is called here, and its digest.

    Raises `MalformedManifest` where two come to one tag: repositories of the same name in two registries.
    """
    taken: dict[str, Digest] = {}
    found = []
    for image in bundle.contents.images:
        name = naming(image.reference)
        if (
            name.tag
            and taken.setdefault(f"{name.name}:{name.tag}", image.descriptor.digest)
            != image.descriptor.digest
        ):
            raise MalformedManifest(
                f"two artifacts would both be {name.name}:{name.tag}",
                at=bundle.path,
                hint="make a bundle for each registry, and import them under different prefixes",
            )
        found.append((image.reference, name, image.descriptor.digest))
    return found


def copy_all(session: Session, bundle: OpenBundle, naming: Naming, *, older: bool = False) -> list[Imported]:
    """Copy every artifact with all that refers to it. The caller has judged them.

    Unless `older` ones are wanted, raises `ConfigurationError` before anything is copied if a tag came here with a bundle
    that was made later than this one; and what `copy` raises.
    """
    found = destinations(bundle, naming)
    if not older:
        _refuse_older(session, bundle, found)
    done = []
    for source, name, digest in found:
        with located(bundle.path, name):
            with blaming(DESTINATION):
                store = session.store(name, push=True)
            result = copy(bundle.store, store, digest, name.tag, execute=at_once)
            with blaming(DESTINATION):
                session.finish_writing(store)
        if name.tag:
            note_arrived(session.paths, _tagged(name), Arrived(bundle.contents.created, digest))
        done.append(Imported(source, name._replace(digest=digest), result))
    return done


def _tagged(name: Reference) -> str:
    return f"{name.name}:{name.tag}"


def _refuse_older(
    session: Session, bundle: OpenBundle, found: Iterable[tuple[Reference, Reference, Digest]]
) -> None:
    """The signature of an older artifact still holds: that it is older, only what came before can tell."""
    created = bundle.contents.created
    for _, name, digest in found:
        last = last_arrived(session.paths, _tagged(name)) if name.tag else None
        if last is not None and last.artifact != digest and created < last.created:
            raise ConfigurationError(
                f"{_tagged(name)} came with a bundle of {rfc3339(last.created)}, and this one is older, of {rfc3339(created)}",
                at=bundle.path,
                hint="have a new bundle made; who wants to go back to what is in this one says --older",
            )
