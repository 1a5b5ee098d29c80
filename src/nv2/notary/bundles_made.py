"""Making a bundle, wired: everything is collected in one archive, which appears when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nv2.blame import DESTINATION, SOURCE, blaming
from nv2.bundling import evidence_manifest
from nv2.bundling.contents import Contents, Image, build_contents, layout_tags, two_meanings
from nv2.bundling.evidence import ARTIFACT_TYPE, Evidence
from nv2.bundling.trust_manifest import CarriedTrust, StoreFile, pack_trust
from nv2.closure import Node, closure_of
from nv2.content.interface import opener
from nv2.copying import copy
from nv2.errors import EnvironmentFailure, UsageError
from nv2.home.policy_file import load_policy
from nv2.home.trust_stores import list_certificates
from nv2.notary.bundle_sources import BundleSource, sources_of
from nv2.notary.copying import located, shown
from nv2.notary.session import Session
from nv2.notary.threads import at_once
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_ENVELOPE, is_signature
from nv2.oci.reference import AnyReference, LayoutReference, Reference
from nv2.signing import Wish
from nv2.signing import sign as sign_in_store
from nv2.trust.policy import parse_policy

if TYPE_CHECKING:
    from nv2.content.layout.store import LayoutStore
    from nv2.keys.interface import EnvelopeMaker, Signer
    from nv2.trust.anchors import Anchors


class MadeBundle(NamedTuple):
    """A bundle that was made."""

    path: str
    contents_in: Descriptor
    """The index that names everything."""
    contents: Contents
    evidence: Evidence
    signature: Descriptor | None
    problems: tuple[str, ...]
    """What could not come along; one line each."""
    warnings: tuple[str, ...]
    """What will not work where the bundle goes."""


def create(
    session: Session,
    references: Sequence[AnyReference],
    path: str,
    *,
    names: Sequence[Reference] = (),
    trusted: Sequence[Anchors] = (),
    with_policy: bool = False,
    signer: Signer | EnvelopeMaker | None = None,
    wish: Wish | None = None,
) -> MadeBundle:
    """Collect `references` with all that refers to them and the evidence about their signers in the new file `path`.

    Each image layout among them is called by the next of `names`. Evidence is gathered about signers whom the trust stores
    of this machine or `trusted` vouch for, and about `signer`. With `with_policy`, the trust policy of this machine and the
    stores that it names come along, which needs a `signer`: nobody takes them over unsigned. Raises `UsageError`,
    `EnvironmentFailure` if the file is there, and what copying raises.
    """
    _check(path, with_policy, signer)
    sources = sources_of(session, references, names)
    trust = trust_of(session) if with_policy else None
    target = LayoutReference(path)
    store = _begin(session, target)
    images, problems = _collect(session, sources, store, target)
    nodes = _nodes(store, images)
    evidence, unread = _gather(session, store, nodes.values(), signer, trusted)
    contents = Contents(
        session.now.replace(microsecond=0),
        images,
        tuple(_typed(node) for digest, node in nodes.items() if not node.required),
        _push_evidence(store, evidence),
        None if trust is None else _push_trust(store, trust),
    )
    index = _push_index(store, contents)
    signature = _sign(session, store, index, signer, wish)
    if problems:  # of what was left out a part may be here
        store.keep_only(_named(store, index))
    _appear(session, store, target)
    problems += tuple(str(gap) for gap in evidence.gaps)
    return MadeBundle(path, index, contents, evidence, signature, problems, (*unread, *_warnings(evidence)))


def _check(path: str, with_policy: bool, signer: object) -> None:
    if not path.endswith(".tar"):
        raise UsageError("a bundle is a plain tar archive", at=path, hint="let its name end in .tar")
    if with_policy and signer is None:
        raise UsageError(
            "a trust policy travels only in a signed bundle",
            hint="say with -k whose signature the other side trusts already",
        )
    _refuse_existing(path)


def _refuse_existing(path: str) -> None:
    if os.path.lexists(path):
        raise EnvironmentFailure(
            "exists already", at=path, hint="choose another name; nothing was overwritten"
        )


def _begin(session: Session, target: LayoutReference) -> LayoutStore:
    with located("", target), blaming(DESTINATION):
        return session.store(target, push=True, create=True)  # type: ignore[return-value]


def _collect(
    session: Session, sources: Sequence[BundleSource], store: LayoutStore, target: LayoutReference
) -> tuple[tuple[Image, ...], tuple[str, ...]]:
    images: list[Image] = []
    problems: list[str] = []
    for source in sources:
        with located(source.place, target):
            with blaming(SOURCE):
                artifact = session.resolve(source.place)
            name = source.named(artifact.subject.digest)
            result = copy(artifact.store, store, artifact.subject.digest, None, execute=at_once)
        images.append(Image(name, artifact.subject))
        _refuse_two_meanings(images)
        problems += (f"source {shown(source.place)}: {problem}" for problem in result.problems)
    return tuple({str(image.reference): image for image in images}.values()), tuple(problems)


def _refuse_two_meanings(images: Sequence[Image]) -> None:
    if clash := two_meanings(images):
        raise UsageError(
            f"{clash.name}:{clash.tag} would name two artifacts", hint="make a bundle for each of them"
        )


def _nodes(store: LayoutStore, images: Iterable[Image]) -> dict[Digest, Node]:
    """What came, as it will be found there. What one image is made of may refer to another: it is required then."""
    found: dict[Digest, Node] = {}
    for image in images:
        for digest, node in closure_of(store, image.descriptor).nodes.items():
            if digest not in found or node.required:
                found[digest] = node
    return found


def _named(store: LayoutStore, index: Descriptor) -> set[Digest]:
    """Every blob that the bundle brings."""
    nodes = closure_of(store, index).nodes
    return {blob.digest for node in nodes.values() for blob in node.blobs}.union(nodes)


def _typed(node: Node) -> Descriptor:
    return node.descriptor._replace(artifact_type=node.manifest.kind)


def _gather(
    session: Session,
    store: LayoutStore,
    nodes: Iterable[Node],
    signer: Signer | EnvelopeMaker | None,
    trusted: Sequence[Anchors],
) -> tuple[Evidence, tuple[str, ...]]:
    """The evidence, and about which signatures there can be none."""
    from nv2.notary.evidence import chains_of, gather
    from nv2.pki.chain import parse_chain

    layers = [
        node.manifest.layers[0] for node in nodes if is_signature(node.manifest) and node.manifest.layers
    ]
    envelopes = (
        (layer.media_type, store.fetch(layer, MAX_ENVELOPE)) for layer in layers if layer.size <= MAX_ENVELOPE
    )
    found = chains_of(envelopes, session)
    own = getattr(signer, "chain", None)  # one that makes envelopes does not say by whom
    evidence = gather(found.chains, session, trusted, parse_chain(own) if own else None)
    return evidence, tuple(f"no evidence about a signature was looked for: {why}" for why in found.problems)


def _push_index(store: LayoutStore, contents: Contents) -> Descriptor:
    """The index of the bundle, and the tags by which other programs find the images."""
    data, index = build_contents(contents)
    store.push(index, opener(data))
    for descriptor, tag in layout_tags(contents.images):
        store.tag(descriptor, tag)
    return index


def _sign(
    session: Session,
    store: LayoutStore,
    index: Descriptor,
    signer: Signer | EnvelopeMaker | None,
    wish: Wish | None,
) -> Descriptor | None:
    """The signature of the bundle as a whole, if somebody shall sign it."""
    if signer is None or wish is None:
        return None
    return sign_in_store(store, index, signer, wish._replace(legacy_manifest=True), session.now)


def _appear(session: Session, store: LayoutStore, target: LayoutReference) -> None:
    """Let the bundle have its name."""
    with located("", target), blaming(DESTINATION):
        _refuse_existing(target.directory)  # again: whoever made one meanwhile keeps it
    session.finish_writing(store)


def _push_evidence(store: LayoutStore, evidence: Evidence) -> Descriptor:
    packed = evidence_manifest.pack(evidence)
    return _push(store, packed.manifest, packed.blobs, ARTIFACT_TYPE)


def _push_trust(store: LayoutStore, trust: CarriedTrust) -> Descriptor:
    from nv2.bundling.contents import TRUST

    return _push(store, *pack_trust(trust), TRUST)


def _push(
    store: LayoutStore, manifest: bytes, blobs: Iterable[tuple[Descriptor, bytes]], kind: str
) -> Descriptor:
    for blob, data in blobs:
        store.push(blob, opener(data))
    descriptor = describe(manifest, mt.IMAGE_MANIFEST, artifact_type=kind)
    store.push(descriptor, opener(manifest))
    return descriptor


def _warnings(evidence: Evidence) -> tuple[str, ...]:
    from nv2.notary.evidence import notation_warnings

    return notation_warnings(evidence)


def trust_of(session: Session) -> CarriedTrust:
    """The trust policy of this machine, and every file of the stores that it names.

    Raises `PolicyError`, `TrustStoreError` if a store cannot be used here either.
    """
    file = load_policy(session.paths)
    statements = parse_policy(file.data, str(file.path)).statements
    files: dict[StoreFile, bytes] = {}
    from nv2.home.trust_stores import MAX_CERTIFICATE_FILE, load_store

    for store in sorted({store for statement in statements for store in statement.stores}, key=str):
        load_store(session.paths, store)
        for found in list_certificates(session.paths, store.type.value, store.name):
            files[StoreFile(found.kind, found.store, found.name)] = _read(found.path, MAX_CERTIFICATE_FILE)
    return CarriedTrust(file.data, files)


def _read(path: Path, limit: int) -> bytes:
    from nv2.files import read_file

    return read_file(path, limit, "certificates", regular=True)
