"""`nv2 copy`: artifacts with all their signatures, to another place."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from nv2.cli import copied as said
from nv2.cli import exits, options, passphrase, signing_flags
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.progress import progress_on
from nv2.errors import InvalidReference, NotFound, Nv2Error, UsageError
from nv2.notary.copy_sources import Directory, Pair, is_one_file, pairs, repositories, tagged
from nv2.notary.copying import Wanted, shown, transfer
from nv2.notary.session import Session
from nv2.notary.threads import MAX_AT_ONCE
from nv2.oci.reference import AnyReference, LayoutReference, Reference, is_registry, is_repository_path

if TYPE_CHECKING:
    from nv2.cli.copied_together import Copy, Result, Say, Watching
    from nv2.keys.interface import EnvelopeMaker, Signer
    from nv2.notary.arrivals import Together
    from nv2.signing import Wish

MAX_CONCURRENCY = 64
SEVERAL = ("all-repositories", "all-tags", "tags")
"""Flags that name more than one artifact each."""
SIGNING = (*signing_flags.KEY[1:], *signing_flags.ENVELOPE, options.PLUGIN_CONFIG, *signing_flags.TIMESTAMP)
"""Flags of `sign` that say how to sign with `--sign-key`."""


def run(call: Call) -> int:
    """Copy from all references but the last to that one."""
    as_json = wants_json(call)
    _check(call)
    session = options.session(call)
    pairs, alone = _pairs(call, session)
    copy = partial(_copy, call, session, _wanted(call, session))
    if not alone:
        copy = partial(_attempt, call, copy)
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    with closing(_each(call, pairs, copy)) as results:
        for code, document in results:
            codes.append(code)
            documents += [document] if document else []
    if as_json:
        call.output.json({"schema": COMMAND.schema, "dryRun": call.on("dry-run"), "results": documents})
    return exits.all_or_some(codes)


def _each(call: Call, pairs: Sequence[Pair], copy: Copy) -> Generator[Result]:
    """What came of each of `pairs`, in order; several at once where their destination is not one file, or in memory."""
    place = pairs[-1].destination
    one_by_one = isinstance(place, LayoutReference) and (call.on("dry-run") or is_one_file(place))
    if len(pairs) > 1 and call.number("concurrency") > 1 and not one_by_one:
        from nv2.cli.copied_together import copied_together  # most copy one

        yield from copied_together(call, pairs, copy)
        return
    for pair in pairs:
        yield copy(None, partial(progress_on, call.output), lambda tell: tell(), pair)


def _attempt(
    call: Call, copy: Copy, together: Together | None, watching: Watching, say: Say, pair: Pair
) -> Result:
    """Copy one of several: an error is told, and does not end it."""
    try:
        return copy(together, watching, say, pair)
    except Nv2Error as e:
        say(partial(call.output.error, e))
        return exits.exit_code(e), exits.failure_document(pair.source, e)


def _check(call: Call) -> None:
    """Raise `UsageError` for flags that mean nothing without another, or nothing at all."""
    if call.string("scope") is not None and not call.on("verify"):
        raise UsageError("--scope chooses a policy statement; without --verify no policy is read")
    asked = next((flag.name for flag in SIGNING if flag.name in call.changed), None)
    if asked and call.string("sign-key") is None:
        raise UsageError(f"--{asked} is for --sign-key, which is missing")
    if not 0 < call.number("concurrency") <= MAX_CONCURRENCY:
        raise UsageError(f"--concurrency is a number from 1 to {MAX_CONCURRENCY}")


def _pairs(call: Call, session: Session) -> tuple[tuple[Pair, ...], bool]:
    """What goes where, and whether one artifact was named alone. Raises `UsageError`, and what listing raises."""
    *texts, last = call.arguments
    alone = len(texts) == 1 and not any(name in call.changed for name in SEVERAL)
    destination = _directory(call, last) or options.read_reference(call, last)
    _check_registries(call, session, texts, destination)
    if not isinstance(destination, Directory):
        if destination.digest is not None:
            raise UsageError("a destination is named by tag or not at all", at=last)
        if destination.tag is not None and not alone:
            raise UsageError(
                "several artifacts cannot have one tag", at=last, hint="name the repository alone"
            )
    return pairs(_sources(call, session, texts), destination), alone


def _check_registries(
    call: Call, session: Session, texts: list[str], destination: AnyReference | Directory
) -> None:
    """Raise `CredentialError` before a source is asked for its tags or verified: it could ask for what is not its own."""
    hosts = [destination.registry] if isinstance(destination, Directory | Reference) else []
    if call.on("all-repositories"):
        hosts += [text.rstrip("/") for text in texts]
    else:
        references = (options.read_reference(call, text) for text in texts)
        hosts += [item.registry for item in references if isinstance(item, Reference)]
    session.registries.check_registries(hosts)


def _directory(call: Call, text: str) -> Directory | None:
    """The place in a registry that keeps the paths of repositories, if `text` names one: it ends in a slash."""
    every = call.on("all-repositories")
    if text.startswith("layout:") or not (every or text.endswith("/")):
        return None
    registry, _, path = text.rstrip("/").partition("/")
    if not is_registry(registry) or (path and not is_repository_path(path)):
        raise InvalidReference(
            "neither a registry nor a path in one", at=text, hint="expected <registry>/[<path>/]"
        )
    return Directory(registry, path)


def _sources(call: Call, session: Session, texts: list[str]) -> list[AnyReference]:
    patterns = call.strings("tags")
    if call.on("all-repositories"):
        if len(texts) > 1 or not is_registry(texts[0].rstrip("/")):
            raise UsageError(
                "--all-repositories copies from one registry", at=texts[0], hint="name host[:port] alone"
            )
        found: list[AnyReference] = []
        for repository in repositories(session, texts[0].rstrip("/")):
            try:
                found += tagged(session, repository, patterns)
            except NotFound as e:
                call.output.warn(str(e))
        if not found:
            raise NotFound("no repository has anything to copy", at=texts[0])
        return found
    references = [options.read_reference(call, text) for text in texts]
    if not (call.on("all-tags") or patterns):
        return [options.with_name(item, text) for item, text in zip(references, texts, strict=True)]
    if named := next((item for item in references if item.wanted is not None), None):
        raise UsageError(
            "with --all-tags or --tags a source has no tag", at=str(named), hint="name the repository alone"
        )
    return [item for repository in references for item in tagged(session, repository, patterns)]


def _copy(
    call: Call,
    session: Session,
    wanted: Wanted,
    together: Together | None,
    watching: Watching,
    say: Say,
    pair: Pair,
) -> Result:
    """Copy one artifact, and say so; the exit code, and the result in JSON."""
    source = pair.source
    if call.on("verify"):
        code, source = _verified(call, session, source, say)
        if code != exits.DONE:
            return code, None
    with watching() as watcher:
        copied = transfer(
            session, source, pair.destination, wanted._replace(watcher=watcher, together=together)
        )
    if not wants_json(call):
        text = said.lines(
            copied,
            rehearsed=call.on("dry-run"),
            signatures_only=call.on("signatures-only"),
            signs=wanted.signer is not None,
        )
        say(partial(call.output.lines, tuple(text)))
    for problem in copied.result.problems:
        say(partial(call.output.warn, f"source {shown(source)}: {problem}"))
    return exits.PARTLY if copied.result.problems else exits.DONE, said.document(copied)


def _verified(call: Call, session: Session, source: AnyReference, say: Say) -> tuple[int, AnyReference]:
    """What `nv2 verify` says and exits with, and `source` by the digest that was judged: its tag may move."""
    from nv2.cli.verdicts import report_text
    from nv2.notary.verification import evaluate, failure
    from nv2.trust.verdict import USABLE

    evaluated = evaluate(source, scope=call.string("scope"), session=session, all_signatures=False)
    usable = evaluated.verdict.verdict in USABLE
    if wants_json(call) and not usable:
        raise failure(evaluated)
    if not wants_json(call):
        say(partial(report_text, call, [(source, evaluated)]))
    code = exits.DONE if usable else exits.verdict_code(evaluated.verdict.verdict)
    return code, source._replace(digest=evaluated.artifact.subject.digest)


def _wanted(call: Call, session: Session) -> Wanted:
    trust = None
    if call.on("verify"):
        from nv2.notary.trust_here import trust_by_policy

        trust = trust_by_policy(session, call.string("scope"))
    return Wanted(
        _types(call),
        tuple(name for text in call.strings("platform") for name in text.split(",")),
        call.on("digest-tags"),
        call.on("recheck"),
        call.on("signatures-only"),
        call.on("dry-run"),
        trust,
        _signer(call, session),
        call.number("concurrency"),
    )


def _signer(call: Call, session: Session) -> tuple[Signer | EnvelopeMaker, Wish] | None:
    """Who signs on arrival, as `sign -k` would. Raises `SigningKeyError`, `UsageError`."""
    key = call.string("sign-key")
    if key is None:
        return None
    from nv2.notary.signers import find_signer

    ask = passphrase.passphrase_source(call)
    signer = find_signer(session, key, call.string("cert"), ask, call.pairs("plugin-config"))
    return signer, signing_flags.wish_of(call, session)


def _types(call: Call) -> frozenset[str] | None:
    """Of which types referrers come along: of all, if nothing was said."""
    if call.on("no-referrers"):
        return frozenset()
    types = frozenset(call.strings("referrer-type"))
    if "" in types:
        raise UsageError("the value of --referrer-type is empty", hint="--no-referrers copies no referrers")
    return types or None


COMMAND = Command(
    "copy",
    "copy artifacts with their signatures",
    run,
    flags=(
        Flag("all-repositories", "copy a whole registry, each repository to the same path", Kind.BOOL),
        Flag("all-tags", "copy every tag of the sources", Kind.BOOL),
        Flag("tags", "copy the tags that fit this pattern, such as 'v1.*'; may repeat", Kind.STRINGS),
        Flag("platform", "copy one image of an index, such as linux/arm64; may repeat", Kind.STRINGS),
        Flag("no-referrers", "leave signatures and all other referrers behind", Kind.BOOL),
        Flag("referrer-type", "copy only referrers of this artifact type; may repeat", Kind.STRINGS),
        Flag("signatures-only", "copy only signatures of what is there already", Kind.BOOL),
        Flag("digest-tags", "copy what cosign attached, too (tags sha256-….sig, .att, .sbom)", Kind.BOOL),
        Flag("verify", "copy only what the trust policy trusts; exit as verify", Kind.BOOL),
        Flag("scope", "with --verify: choose the policy statement by this scope"),
        Flag("sign-key", "sign on arrival with this key, before the tag is written"),
        *(flag._replace(hidden=True) for flag in SIGNING),
        Flag("recheck", "ask for every piece, also of signatures that are listed there", Kind.BOOL),
        Flag("concurrency", "how much is under way at a time", Kind.INT, default=MAX_AT_ONCE),
        Flag("dry-run", "say what would be copied, and write nothing", Kind.BOOL),
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    together=(signing_flags.STAMPED,),
    exclusive=(
        ("no-referrers", "referrer-type", "signatures-only"),
        ("all-repositories", "all-tags"),
        ("all-tags", "tags"),
        ("signatures-only", "platform"),
        ("signatures-only", "digest-tags"),
        ("signatures-only", "sign-key"),
    ),
    usage="<source>... <destination>",
    arguments=(2, None),
    missing="names at least one source, and a destination",
    aliases=("cp",),
    description=(
        "Copy artifacts, all that belongs to them and all that refers to them (signatures first) between\n"
        "registries and OCI image layouts. The tag is written last: whoever sees it sees the signatures too."
    ),
    examples=(
        "nv2 copy registry.example.com/net-monitor:v1 registry.acme.example/net-monitor:v1",
        "nv2 copy --tags 'v1.*' registry.example.com/net-monitor registry.acme.example/net-monitor",
    ),
    schema="nv2.copy/v1",
)
