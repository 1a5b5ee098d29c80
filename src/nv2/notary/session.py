"""A run of nv2: settings, paths, one transport and one instant, shared by every reference of the run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from nv2._version import __version__
from nv2.errors import Nv2Error
from nv2.home.config import Config, load_config
from nv2.home.paths import Paths
from nv2.notary.registry_access import RegistryAccess, Settings
from nv2.oci.reference import AnyReference, LayoutReference, Reference

if TYPE_CHECKING:
    from nv2.content.interface import ContentCache, Journal, Lock, Store
    from nv2.content.layout.store import LayoutStore
    from nv2.content.remote.pieces import UploadNotes
    from nv2.oci.descriptor import Descriptor
    from nv2.revocation import OnDemand, RevocationChecker

T = TypeVar("T")


def _ignore(_: object) -> None:
    """Nobody listens."""


NO_SETTINGS = Settings()
NO_STORES: Mapping[str, Store] = MappingProxyType({})


class Artifact(NamedTuple):
    """An artifact that was resolved: from here on only its digest counts."""

    reference: AnyReference
    store: Store
    subject: Descriptor

    @property
    def name(self) -> str:
        """Repository or directory."""
        return self.reference.name

    @property
    def shown(self) -> str:
        """Name and digest, as messages show it."""
        return f"{self.name}@{self.subject.digest}"


class Session:
    """Shared by all references of a run: connections, tokens, and `now`. A context manager that closes them."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        environ: Mapping[str, str],
        stores: Mapping[str, Store] = NO_STORES,
    ) -> None:
        self.paths = paths
        self.settings = settings
        self.warn = settings.warn
        self.now = datetime.now(UTC)
        self.config: Config = load_config(paths)
        self.registries = RegistryAccess(settings, self.config, environ, paths.certs_d)
        self._keeps = not environ.get("NV2_NO_CACHE")
        self._stores = dict(stores)
        self._written: list[LayoutStore] = []
        self._at_end: list[Callable[[], None]] = []
        self._making = threading.Lock()
        self._revocation: RevocationChecker | None = None

    @classmethod
    def from_environment(
        cls,
        settings: Settings = NO_SETTINGS,
        environ: Mapping[str, str] | None = None,
        *,
        stores: Mapping[str, Store] = NO_STORES,
    ) -> Session:
        """A session of the directories and credentials that `environ` names (the process's by default).

        `stores` holds, by `registry/repository`, content that is nowhere else: those registries are not asked.
        """
        environ = os.environ if environ is None else environ
        return cls(Paths.from_environment(environ), settings, environ, stores)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A call that uses the session afterwards opens new ones."""
        # After an interruption threads may be writing still; what they began ends with the session.
        for layout in self._written:
            layout.close()
        self.registries.close()
        while self._at_end:
            self._at_end.pop()()

    def at_end(self, close: Callable[[], None]) -> None:
        """Have `close` called when the session ends: by who opened a token, for example."""
        self._at_end.append(close)

    def signing_agent(self, program: str = "nv2") -> str:
        """What signatures name as their maker: an unsigned courtesy. As `notation`, in its shape."""
        return (
            f"notation-go/{__version__} nv2/{__version__}" if program == "notation" else f"nv2/{__version__}"
        )

    def store(
        self,
        reference: AnyReference,
        *,
        push: bool = False,
        force_referrers_tag: bool = False,
        create: bool = False,
        hurried: bool = False,
    ) -> Store:
        """The content store of `reference`; with `push` to write to, `create` makes a layout that is not there.

        With `hurried`, a registry is asked for `MAX_READING` seconds from now on, and no longer; and what never changes
        is kept for the next run, unless NV2_NO_CACHE is set. Raises `CredentialError` as `check_registries`.
        """
        given = self._stores.get(reference.name)
        if given is not None:
            return given
        if isinstance(reference, LayoutReference):
            from nv2.content.layout.store import LayoutStore  # registries are what is asked most

            layout = LayoutStore(Path(reference.directory), create=create, push=push, lock=self._lock)
            if push:
                self._written.append(layout)
            return layout
        self.check_registries(reference)
        from nv2.content.remote.store import RemoteStore
        from nv2.transport.deadline import MAX_READING, Hurried

        transport = self.registries.transport_to(reference.registry, push=push)
        return RemoteStore(
            reference.registry,
            reference.repository,
            Hurried(transport, MAX_READING) if hurried else transport,
            plain_http=self.registries.plain_http(reference.registry),
            lock=self._lock,
            force_referrers_tag=force_referrers_tag,
            push=push,
            journal=self._journal() if push else None,
            uploads=self._upload_notes() if push else None,
            cache=partial(self._content_cache, reference.name) if hurried and self._keeps else None,
            base=self.registries.base_of(reference.registry),
        )

    def rehearsal(self, reference: AnyReference) -> Store:
        """As `store` for a destination that `create` would make, but what is written to it goes nowhere."""
        from nv2.rehearsal import Rehearsal

        if isinstance(reference, LayoutReference) and reference.name not in self._stores:
            from nv2.content.layout.directory import is_blank

            if is_blank(reference.directory):
                from nv2.content.memory import MemoryStore

                return MemoryStore()
        return Rehearsal(self.store(reference))

    @property
    def revocation(self) -> OnDemand:
        """Who is asked about revocation: one for all signatures of the run, so that nothing is asked twice."""
        from nv2.revocation import OnDemand

        return OnDemand(self._asking_checker)

    def _asking_checker(self) -> RevocationChecker:
        from nv2.notary.revocation import asking_checker  # most chains name nobody to ask

        with self._making:
            if self._revocation is None:
                self._revocation = asking_checker(self)
            return self._revocation

    def prepare(self, *references: AnyReference) -> None:
        """Begin to open the connections that reading about `references` will need, and return at once."""
        counts: dict[str, int] = {}
        for reference in references:
            if isinstance(reference, Reference) and reference.name not in self._stores:
                # With a digest three questions are asked at once. None is opened that may stay unused.
                wanted = 3 if reference.digest else 1
                counts[reference.registry] = max(wanted, counts.get(reference.registry, 0))
        for registry, count in counts.items():
            self.registries.prepare(registry, count)

    @cached_property
    def _lock(self) -> Lock:
        from nv2.home.lock import host_lock  # only those who write need it

        return host_lock(self.paths.locks)

    def _content_cache(self, name: str) -> ContentCache:
        from nv2.home.content_cache import ContentCache as FileCache

        return FileCache(self.paths.content_cache, name, self.settings.debug or _ignore)

    def _journal(self) -> Journal:
        from nv2.home.attached import FileJournal

        return FileJournal(self.paths.attached, self._lock)

    def _upload_notes(self) -> UploadNotes:
        from nv2.home.unfinished_uploads import FileUploadNotes

        return FileUploadNotes(self.paths.unfinished_uploads)

    def resolve(
        self,
        reference: AnyReference,
        *,
        push: bool = False,
        force_referrers_tag: bool = False,
        hurried: bool = False,
        ahead: Callable[[Store], object] = _ignore,
    ) -> Artifact:
        """The artifact that `reference` names now. Its bytes' own digest was computed.

        `ahead` is called with the store before anybody waits for an answer. Raises `NotFound` and what the
        store raises.
        """
        store = self.store(reference, push=push, force_referrers_tag=force_referrers_tag, hurried=hurried)
        ahead(store)
        from nv2.oci.descriptor import Descriptor

        # Only these three are ever signed or compared; a layout's index adds annotations of its own.
        subject = Descriptor(*store.resolve(reference.wanted or "")[:3])
        return Artifact(reference, store, subject)

    def check_registries(self, *references: AnyReference) -> None:
        """Raise `CredentialError` if one user name and password would have to do for several registries of the session."""
        self.registries.check_registries(
            reference.registry for reference in references if isinstance(reference, Reference)
        )

    def finish_writing(self, store: object) -> None:
        """To be called when all was written to `store`: others see it then, if they did not before. Warnings are passed on."""
        from nv2.content.interface import can_finish

        if can_finish(store):
            store.finish()
        self.pass_on_warnings(store)

    def pass_on_warnings(self, store: object) -> None:
        """Tell the caller what went wrong in `store` without harm, such as a superseded index that stayed."""
        from nv2.content.interface import can_warn

        if can_warn(store):
            for warning in store.warnings:
                self.warn(warning)

    def each(
        self, references: Sequence[AnyReference], work: Callable[[AnyReference], T]
    ) -> Iterator[tuple[AnyReference, T | Nv2Error]]:
        """`work` on every reference, several at once, in order; an error takes the place of its result.

        The work begins with the first result that is asked for. Raises `CredentialError` as `check_registries`, at once.
        """
        from nv2.notary.threads import at_once

        self.check_registries(*references)
        results = at_once([partial(_attempt, work, reference) for reference in references])
        return zip(references, results, strict=True)


@contextmanager
def using(session: Session | None) -> Iterator[Session]:
    """`session`, or one of the environment that is closed afterwards."""
    if session is not None:
        yield session
        return
    with Session.from_environment() as own:
        yield own


def _attempt(work: Callable[[AnyReference], T], reference: AnyReference) -> T | Nv2Error:
    try:
        return work(reference)
    except Nv2Error as e:
        return e
