"""Sign all that belongs to an artifact, wired."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from nv2.keys.interface import EnvelopeMaker, Signer, makes_envelopes
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Artifact, Session
from nv2.notary.signing import Signed
from nv2.notary.threads import at_once
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference, LayoutReference
from nv2.pki.chain import parse_chain
from nv2.recursive_signing import is_signed_already, plan_for
from nv2.signing import Wish
from nv2.signing import sign as sign_in_store


class SignedAll(NamedTuple):
    """An artifact that was signed with all that belongs to it."""

    artifact: Artifact
    signed: tuple[Signed, ...]
    """Children first, the artifact itself last."""
    skipped: tuple[Descriptor, ...]
    """What the same certificate has signed already, in the same way."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `nv2 sign --recursive --output json` shows, save for the reference."""
        return {
            "artifact": self.artifact.subject.to_json(),
            "signed": [signed.to_json() for signed in self.signed],
            "skipped": [skipped.to_json() for skipped in self.skipped],
        }


def sign_recursively(
    session: Session,
    reference: AnyReference,
    signer: Signer | EnvelopeMaker,
    wish: Wish,
    *,
    force_referrers_tag: bool = False,
) -> SignedAll:
    """Sign the artifact, its children, and what refers to any of them; what is signed already is skipped.

    The first error ends it, so that nothing is signed whose children are not. Doing it again goes on from there.
    A plugin that makes whole envelopes does not say with which certificate, so nothing is skipped for it.
    """
    artifact = session.resolve(reference, push=True, force_referrers_tag=force_referrers_tag)
    store = artifact.store
    plan = plan_for(store, artifact.subject, at_once)
    for problem in plan.problems:
        session.warn(problem)
    wish = heeding_denials(session, wish._replace(legacy_manifest=isinstance(reference, LayoutReference)))
    mine = None if makes_envelopes(signer) else parse_chain(cast("Signer", signer).chain).leaf.thumbprint
    signed: list[Signed] = []
    skipped: list[Descriptor] = []
    for wanted in plan.wanted:
        there = plan.signatures.get(wanted.digest, ())
        if mine and is_signed_already(store, wanted, there, mine, wish.user_metadata, session.now):
            skipped.append(wanted)
            continue
        manifest = sign_in_store(store, wanted, signer, wish, session.now)
        signed.append(Signed(artifact._replace(subject=wanted), manifest))
    session.pass_on_warnings(store)
    return SignedAll(artifact, tuple(signed), tuple(skipped))
