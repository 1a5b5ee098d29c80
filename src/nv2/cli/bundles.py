"""What the commands about bundles share: flags, and what a bundle says of itself, as text or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from nv2.bundling.contents import Contents
from nv2.cli import options
from nv2.cli.command import Call, Flag
from nv2.errors import PolicyError, UsageError
from nv2.notary.bundles import Naming, OpenBundle
from nv2.notary.session import Session
from nv2.notary.trust_here import TrustChoice, has_policy, trust_by_policy, trust_in_file
from nv2.oci.descriptor import Descriptor
from nv2.plain_text import rfc3339

SCOPE = Flag("scope", "choose the policy statement by this scope, for all artifacts")
TRUST = (options.TRUSTED_KEY, SCOPE, options.MAX_SIGNATURES)
"""How it is said what is trusted, as for `verify`."""


def trust(call: Call, session: Session) -> TrustChoice:
    """What is trusted. Raises `UsageError`, and what reading it raises."""
    key, scope = call.string("key"), call.string("scope")
    if key is not None and scope is not None:
        raise UsageError("--scope chooses a policy statement; with --key no policy is read")
    if key is not None:
        return trust_in_file(session, key)
    try:
        return trust_by_policy(session, scope)
    except PolicyError as e:
        if has_policy(session):
            raise
        hint = f"{e.hint}; one that a signed bundle has is taken over by 'nv2 bundle install-policy'"
        raise PolicyError(e.message, at=e.at, hint=hint) from None


def naming(place: str | None) -> Naming:
    """What artifacts are called below `place`; as they were called where there is none. Raises `UsageError`."""
    from nv2.notary.bundles import as_it_was
    from nv2.notary.bundles_imported import naming_in

    return as_it_was if place is None else naming_in(place)


def summary(bundle: OpenBundle) -> Iterator[str]:
    """A few lines about what was opened."""
    yield f"{bundle.path}: {bundle.blobs} files with {bundle.size} bytes, every digest is right"
    yield f"contents: {bundle.contents_in.digest}, made on {rfc3339(bundle.contents.created)}"


def document(bundle: OpenBundle) -> dict[str, Any]:
    """What was opened, as JSON."""
    signatures = [node.descriptor for node in bundle.manifests.signatures]
    return {
        "path": bundle.path,
        "files": bundle.blobs,
        "bytes": bundle.size,
        **contents_document(bundle.contents_in, bundle.contents),
        "bundleSignatures": [plain(descriptor) for descriptor in signatures],
    }


def contents_document(index: Descriptor, contents: Contents) -> dict[str, Any]:
    """Contents, as JSON."""
    return {
        "contents": plain(index),
        "created": rfc3339(contents.created),
        "artifacts": [
            {"reference": str(image.reference), "artifact": plain(image.descriptor)}
            for image in contents.images
        ],
        "referrers": [referrer.to_json() for referrer in contents.referrers],
        "evidence": plain(contents.evidence) if contents.evidence else None,
        "policy": plain(contents.trust) if contents.trust else None,
    }


def kinds(contents: Contents) -> str:
    """How many referrers there are of which kind."""
    counted = Counter(referrer.artifact_type or "no type" for referrer in contents.referrers)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items())) or "none"


def plain(descriptor: Descriptor) -> dict[str, Any]:
    """A descriptor as JSON: what it is, and no more."""
    return Descriptor(*descriptor[:3]).to_json()
