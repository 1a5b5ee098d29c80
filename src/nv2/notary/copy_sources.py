"""What several artifacts to copy are, and where each goes: tags of a repository, repositories of a registry, wired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from nv2.content.interface import can_list_tags
from nv2.content.remote.name_lists import repositories_of
from nv2.errors import NotFound, UsageError
from nv2.notary.session import Session
from nv2.oci.digest import is_about_a_digest
from nv2.oci.reference import AnyReference, LayoutReference, Reference, is_repository_path

SHOWN = 5
"""Tags that the hint names where none fits."""


class Pair(NamedTuple):
    """One artifact, and where it goes."""

    source: AnyReference
    destination: AnyReference


class Directory(NamedTuple):
    """A destination in which every repository keeps its path: `registry/` or `registry/path/`."""

    registry: str
    path: str = ""

    def place_of(self, source: Reference) -> Reference:
        """Where `source` goes. Raises `UsageError` if the name becomes too long."""
        repository = f"{self.path}/{source.repository}" if self.path else source.repository
        if not is_repository_path(repository):
            raise UsageError(
                "the name of the repository would be too long", at=f"{self.registry}/{repository}"
            )
        return Reference(self.registry, repository, source.tag)


def tagged(session: Session, repository: AnyReference, patterns: Sequence[str]) -> tuple[AnyReference, ...]:
    """What has a tag in `repository` that fits one of `patterns` (as a shell's; none: all), one reference each.

    Tags that stand for a digest (`sha256-…`) are no names: what is under them comes along with what it is about. Raises
    `NotFound` if no tag fits, and what the store raises.
    """
    store = session.store(repository)
    if not can_list_tags(store):
        raise UsageError("has no list of tags", at=repository.name)
    known = [tag for tag in store.tag_names() if not is_about_a_digest(tag)]
    found = [tag for tag in known if not patterns or any(fnmatchcase(tag, p) for p in patterns)]
    if not found:
        shown = f"tags here: {', '.join(known[:SHOWN])}{', …' if len(known) > SHOWN else ''}"
        said = f"no tag fits {' or '.join(patterns)}" if patterns else "has no tags"
        raise NotFound(said, at=repository.name, hint=shown if known else None)
    return tuple(repository._replace(tag=tag, digest=None) for tag in found)


def repositories(session: Session, registry: str) -> tuple[Reference, ...]:
    """The repositories that `registry` names (`/v2/_catalog`). Raises `NotFound`, `Refused`, `BadAnswer`."""
    access = session.registries
    found = repositories_of(
        registry,
        access.transport(),
        plain_http=access.plain_http(registry),
        base=access.base_of(registry),
    )
    if not found:
        raise NotFound("names no repositories", at=registry, hint="does this login see any of them?")
    return tuple(Reference(registry, repository) for repository in found)


def pairs(sources: Iterable[AnyReference], destination: AnyReference | Directory) -> tuple[Pair, ...]:
    """Where each of `sources` goes. Raises `UsageError` if two would have the same name there."""
    found: list[Pair] = []
    taken: dict[str, AnyReference] = {}
    for source in sources:
        if isinstance(destination, Directory):
            if not isinstance(source, Reference):
                raise UsageError("has no repository, so no place of its own there", at=str(source))
            target: AnyReference = destination.place_of(source)
        else:
            target = destination._replace(tag=destination.tag or source.tag)
        other = taken.setdefault(str(target), source) if target.tag else source
        if other != source:
            raise UsageError(f"{other} and {source} would both become {target}", hint="copy them one by one")
        found.append(Pair(source, target))
    return tuple(found)


def is_one_file(place: LayoutReference) -> bool:
    """Whether all that is copied to `place` goes into one file, a tar archive: it has one writer at a time."""
    from nv2.content.layout.directory import is_archive  # most copies are between registries

    return is_archive(place.directory)
