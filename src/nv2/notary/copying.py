"""Copy, wired: from one place to another, threads included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from nv2.blame import DESTINATION, SOURCE, blaming, locate
from nv2.copying import Choice, CopyResult, Once, Watcher, always, follow_up
from nv2.copying import copy as copy_content
from nv2.errors import Nv2Error, UsageError
from nv2.notary.session import Artifact, Session, using
from nv2.notary.threads import MAX_AT_ONCE, at_once
from nv2.oci import media_types as mt
from nv2.oci.digest import is_fallback_tag
from nv2.oci.platforms import parse_platform
from nv2.oci.reference import AnyReference, LayoutReference, parse

if TYPE_CHECKING:
    from pathlib import Path

    from nv2.closure import Execute, Types
    from nv2.content.interface import Store
    from nv2.keys.interface import EnvelopeMaker, Signer
    from nv2.notary.arrivals import Together
    from nv2.notary.signing import SigningOptions
    from nv2.notary.trust_here import TrustChoice
    from nv2.oci.descriptor import Descriptor
    from nv2.signing import Wish

A_LIST = "copy what the list is about: it brings its referrers, and lists them as the destination does"


class Copied(NamedTuple):
    """What was copied, and where to."""

    source: Artifact
    destination: AnyReference
    result: CopyResult
    signature: Descriptor | None = None
    """The manifest of our own signature, if one was made on arrival."""


class Wanted(NamedTuple):
    """How to copy."""

    referrer_types: Types = None
    platforms: Sequence[str] = ()
    digest_tags: bool = False
    recheck: bool = False
    signatures_only: bool = False
    rehearsed: bool = False
    """Whether nothing is written."""
    trust: TrustChoice | None = None
    """Who decides which referrers may come along; None for all. About the artifact itself it was asked before."""
    signer: tuple[Signer | EnvelopeMaker, Wish] | None = None
    """Who signs on arrival, and how."""
    concurrency: int = MAX_AT_ONCE
    watcher: Watcher | None = None
    """Hears how it goes on."""
    together: Together | None = None
    """What it shares with other copies that are under way; then `concurrency` is theirs."""

    @property
    def execute(self) -> Execute:
        """Who does jobs at once."""
        return self.together.hands if self.together else partial(at_once, limit=self.concurrency)

    def once_at(self, target: AnyReference) -> Once:
        """Who knows what other copies bring to `target`."""
        return partial(self.together.once, target.name) if self.together else always


def copy(
    source: str | AnyReference,
    destination: str | AnyReference,
    *,
    referrer_types: Types = None,
    platform: str | Sequence[str] | None = None,
    digest_tags: bool = False,
    recheck: bool = False,
    sign_key: str | Path | Signer | EnvelopeMaker | None = None,
    sign_with: SigningOptions | None = None,
    watcher: Watcher | None = None,
    session: Session | None = None,
) -> Copied:
    """Copy the artifact with everything that belongs to it and refers to it; the tag is written last.

    A destination without a tag takes the tag of the source, if it has one. `referrer_types` are the artifact types
    of the referrers that come along: None for all, an empty set for none. With `platform` (`os/architecture`) the
    image of an index alone is copied; the index and its signatures are left. With several platforms the index and its
    signatures are copied, and of its images those of these platforms. With `digest_tags`, what cosign attached comes along.
    `sign_key`, as the key of `sign`, signs on arrival, before the tag is written, unless it has, as `sign_with` says: a
    dict of what `sign` takes besides the key. With `recheck`, a registry is asked for everything, also for signatures that
    it lists. `watcher` hears how it goes on.

    Raises `UsageError` for `sign_with` without a key, and `TypeError` for what `sign` does not know; else `Nv2Error`.
    """
    if sign_with is not None and sign_key is None:
        raise UsageError("sign_with says how to sign", hint="sign_key says who signs: without it nobody does")
    wanted = Wanted(referrer_types, _platforms(platform), digest_tags, recheck, watcher=watcher)
    with using(session) as shared:
        if sign_key is not None:
            from nv2.notary.signing import signer_and_wish  # most copies sign nothing

            wanted = wanted._replace(signer=signer_and_wish(shared, sign_key, **(sign_with or {})))
        return transfer(shared, source, destination, wanted)


def plan_copy(
    source: str | AnyReference,
    destination: str | AnyReference,
    *,
    referrer_types: Types = None,
    platform: str | Sequence[str] | None = None,
    digest_tags: bool = False,
    recheck: bool = False,
    session: Session | None = None,
) -> Copied:
    """What `copy` would do now; nothing is written. Blobs of the source are not read.

    What the result calls mounted is what the registry would be asked to take from its other repository.
    """
    wanted = Wanted(referrer_types, _platforms(platform), digest_tags, recheck, rehearsed=True)
    with using(session) as shared:
        return transfer(shared, source, destination, wanted)


def copy_signatures(
    source: str | AnyReference, destination: str | AnyReference, *, session: Session | None = None
) -> Copied:
    """Copy only the signatures of what another tool has copied; what they sign must be there, by digest.

    Signatures of a part that is not at the destination are left. No tag is written. Raises `NotFound` if the
    artifact is not there.
    """
    with using(session) as shared:
        return transfer(shared, source, destination, Wanted(signatures_only=True))


def plan_copy_signatures(
    source: str | AnyReference, destination: str | AnyReference, *, session: Session | None = None
) -> Copied:
    """What `copy_signatures` would do now; nothing is written."""
    with using(session) as shared:
        return transfer(shared, source, destination, Wanted(signatures_only=True, rehearsed=True))


def _platforms(named: str | Sequence[str] | None) -> Sequence[str]:
    if named is None:
        return ()
    return (named,) if isinstance(named, str) else named


def transfer(
    session: Session, source: str | AnyReference, destination: str | AnyReference, wanted: Wanted
) -> Copied:
    """Copy as `wanted`. Raises what the stores and the signer raise, located; then no tag was written."""
    origin = parse(source) if isinstance(source, str) else source
    target = parse(destination) if isinstance(destination, str) else destination
    target = target._replace(tag=target.tag or origin.tag, digest=None)
    if is_fallback_tag(target.tag or ""):
        raise UsageError("is where clients look for what refers to a digest", at=str(target), hint=A_LIST)
    session.check_registries(origin, target)
    with located(origin, target):
        with blaming(SOURCE):
            found = session.resolve(origin)
        # Others of the same: what the first of them copied is not even looked for by the next.
        same = (found.subject.digest, shown(target))
        with wanted.together.alone(same) if wanted.together else nullcontext():
            with blaming(DESTINATION):
                store = _destination(session, target, wanted)
            copied = (_followed if wanted.signatures_only else _copied)(session, found, target, store, wanted)
            with blaming(DESTINATION):
                session.finish_writing(store)
    return copied


@contextmanager
def located(source: AnyReference | str, destination: AnyReference | str) -> Iterator[None]:
    """Let errors say whether it is the source or the destination, by the names of these, that is at fault."""
    try:
        yield
    except Nv2Error as e:
        locate(e, {SOURCE: shown(source), DESTINATION: shown(destination)})
        raise


def shown(place: AnyReference | str) -> str:
    """What messages call a repository, a layout, or a place of another name."""
    if isinstance(place, str):
        return place
    return f"layout:{place.directory}" if isinstance(place, LayoutReference) else place.name


def _destination(session: Session, target: AnyReference, wanted: Wanted) -> Store:
    if wanted.rehearsed:
        return session.rehearsal(target)
    create = isinstance(target, LayoutReference) and not wanted.signatures_only
    return session.store(target, push=True, create=create)


def _copied(session: Session, found: Artifact, target: AnyReference, store: Store, wanted: Wanted) -> Copied:
    made: list[Descriptor] = []
    sign = None
    if wanted.signer is not None and not wanted.rehearsed:
        from nv2.notary.signing_on_arrival import sign_unless_signed  # most copies sign nothing

        legacy = isinstance(target, LayoutReference)
        once = partial(sign_unless_signed, session, store, wanted.signer, made, legacy=legacy)
        sign = partial(_in_turn, wanted, target, once)
    result = copy_content(
        found.store,
        store,
        found.subject.digest,
        target.tag,
        choice=_choice(session, found, wanted, wanted.referrer_types),
        on_arrival=sign,
        execute=wanted.execute,
        once=wanted.once_at(target),
        watcher=wanted.watcher,
    )
    return Copied(found, target, result, made[0] if made else None)


def _followed(
    session: Session, found: Artifact, target: AnyReference, store: Store, wanted: Wanted
) -> Copied:
    choice = _choice(session, found, wanted, frozenset((mt.SIGNATURE,)))
    result = follow_up(
        found.store,
        store,
        found.subject.digest,
        choice=choice,
        execute=wanted.execute,
        once=wanted.once_at(target),
        watcher=wanted.watcher,
    )
    return Copied(found, target._replace(tag=None), result)


def _choice(session: Session, found: Artifact, wanted: Wanted, types: Types) -> Choice:
    platforms = tuple(dict.fromkeys(map(parse_platform, wanted.platforms)))
    choice = Choice(
        types,
        platforms[0] if len(platforms) == 1 else None,
        platforms if len(platforms) > 1 else (),
        _attachments(found.store) if wanted.digest_tags else (),
        recheck=wanted.recheck,
    )
    if wanted.trust is None:
        return choice
    from nv2.notary.copied_trust import untrusted  # with it comes all that judges

    object_to = partial(untrusted, session, found.reference, wanted.trust)
    return choice._replace(object_to=object_to, object_to_attached=partial(object_to, attached=True))


def _attachments(store: Store) -> tuple[str, ...]:
    from nv2.content.interface import can_list_tags
    from nv2.oci.digest import is_about_a_digest

    return tuple(filter(is_about_a_digest, store.tag_names())) if can_list_tags(store) else ()


def _in_turn(
    wanted: Wanted, target: AnyReference, sign: Callable[[Descriptor], object], root: Descriptor
) -> None:
    """`sign`, after other copies that sign the same: two indexes may have one image of a platform."""
    key = ("signing", root.digest, shown(target))
    with wanted.together.alone(key) if wanted.together else nullcontext():
        sign(root)
