"""Importing a bundle, wired: what was judged is copied, unless a newer bundle was here before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from nv2.blame import DESTINATION, blaming
from nv2.copying import CopyResult, copy
from nv2.errors import ConfigurationError, MalformedManifest, UsageError
from nv2.home.bundle_state import Arrived, last_arrived, note_arrived
from nv2.home.lock import host_lock
from nv2.notary.bundles import Naming, OpenBundle
from nv2.notary.copying import located
from nv2.notary.session import Session
from nv2.notary.threads import at_once
from nv2.oci.digest import Digest
from nv2.oci.reference import Reference, is_registry, is_repository_path
from nv2.plain_text import rfc3339

MAX_WAIT = 3600.0
"""Seconds to wait for another import of the same tag, which may be copying a large image."""


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
        digest = image.descriptor.digest
        if name.tag and taken.setdefault(_tagged(name), digest) != digest:
            raise MalformedManifest(
                f"two artifacts would both be {_tagged(name)}",
                at=bundle.path,
                hint="make a bundle for each registry, and import them under different prefixes",
            )
        found.append((image.reference, name, digest))
    return found


def copy_all(
    session: Session, bundle: OpenBundle, naming: Naming, *, older: bool = False
) -> Iterator[Imported]:
    """Copy every artifact with all that refers to it, one after the other. The caller has judged them.

    Unless `older` ones are wanted, raises `ConfigurationError` before anything is copied if a tag came here with a bundle
    that was made later than this one; and what `copy` raises. What was copied before that stays.
    """
    found = destinations(bundle, naming)
    for _, name, digest in found:
        _refuse_older(session, bundle, name, digest, older=older)
    for source, name, digest in found:
        with _alone(session, name):
            # Again: another import may have been quicker.
            _refuse_older(session, bundle, name, digest, older=older)
            result = _copy(session, bundle, name, digest)
        yield Imported(source, name._replace(digest=digest), result)


def _copy(session: Session, bundle: OpenBundle, name: Reference, digest: Digest) -> CopyResult:
    """The note about a newer one comes before its tag: whoever is killed in between goes on with that one."""
    goes_back = _is_newer_here(session, bundle, name)
    if not goes_back:
        _note(session, bundle, name, digest)
    with located(bundle.path, name):
        with blaming(DESTINATION):
            store = session.store(name, push=True)
        result = copy(bundle.store, store, digest, name.tag, execute=at_once)
        with blaming(DESTINATION):
            session.finish_writing(store)
    if goes_back:
        _note(session, bundle, name, digest)
    return result


def _alone(session: Session, name: Reference) -> AbstractContextManager[None]:
    """While nobody else on this machine imports under the same tag."""
    if not name.tag:
        return nullcontext()
    return host_lock(session.paths.locks, timeout=MAX_WAIT)(f"import of {_tagged(name)}")


def _note(session: Session, bundle: OpenBundle, name: Reference, digest: Digest) -> None:
    if name.tag:
        note_arrived(session.paths, _tagged(name), Arrived(bundle.contents.created, digest))


def _tagged(name: Reference) -> str:
    return f"{name.name}:{name.tag}"


def _last(session: Session, name: Reference) -> Arrived | None:
    return last_arrived(session.paths, _tagged(name)) if name.tag else None


def _is_newer_here(session: Session, bundle: OpenBundle, name: Reference) -> bool:
    last = _last(session, name)
    return last is not None and bundle.contents.created < last.created


def _refuse_older(
    session: Session, bundle: OpenBundle, name: Reference, digest: Digest, *, older: bool
) -> None:
    """The signature of an older artifact still holds: that it is older, only what came before can tell."""
    if older:
        return
    created = bundle.contents.created
    last = _last(session, name)
    if last is not None and last.artifact != digest and created < last.created:
        raise ConfigurationError(
            f"{_tagged(name)} came with a bundle of {rfc3339(last.created)}, and this one is older, of {rfc3339(created)}",
            at=bundle.path,
            hint="have a new bundle made; who wants to go back to what is in this one says --older",
        )
