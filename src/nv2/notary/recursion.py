"""Sign all that belongs to an artifact, wired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

from nv2.errors import Nv2Error, PartlySigned
from nv2.keys.interface import EnvelopeMaker, Signer, makes_envelopes
from nv2.notary.denied_signing import heeding_denials
from nv2.notary.session import Artifact, Session, using
from nv2.notary.signers import no_passphrase
from nv2.notary.signing import Signed, signer_for, stamped_by
from nv2.notary.threads import at_once
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference, LayoutReference, parse
from nv2.pki.chain import parse_chain
from nv2.recursive_signing import Plan, is_signed_already, plan_for
from nv2.signing import NO_METADATA, Wish
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


def sign_all(
    session: Session,
    reference: AnyReference,
    signer: Signer | EnvelopeMaker,
    wish: Wish,
    *,
    force_referrers_tag: bool = False,
) -> SignedAll:
    """Sign the artifact, its children, and what refers to any of them; what is signed already is skipped.

    The first error ends it, so that nothing is signed whose children are not. Doing it again goes on from there.
    A plugin that makes whole envelopes does not say with which certificate, so nothing is skipped for it. Raises
    `PartlySigned` if something was signed before the error.
    """
    artifact = session.resolve(reference, push=True, force_referrers_tag=force_referrers_tag)
    plan = plan_for(artifact.store, artifact.subject, at_once)
    for problem in plan.problems:
        session.warn(problem)
    wish = heeding_denials(session, wish._replace(legacy_manifest=isinstance(reference, LayoutReference)))
    try:
        return _sign_planned(session, artifact, plan, signer, wish)
    finally:
        session.finish_writing(artifact.store)


def _sign_planned(
    session: Session, artifact: Artifact, plan: Plan, signer: Signer | EnvelopeMaker, wish: Wish
) -> SignedAll:
    store = artifact.store
    mine = None if makes_envelopes(signer) else parse_chain(cast("Signer", signer).chain).leaf.thumbprint
    signed: list[Signed] = []
    skipped: list[Descriptor] = []
    for wanted in plan.wanted:
        there = plan.signatures.get(wanted.digest, ())
        try:
            if mine and is_signed_already(store, wanted, there, mine, wish.user_metadata, session.now):
                skipped.append(wanted)
                continue
            manifest = sign_in_store(store, wanted, signer, wish, session.now)
        except Nv2Error as e:
            if not signed:
                raise
            done = SignedAll(artifact, tuple(signed), tuple(skipped))
            raise PartlySigned(e, done, f"{artifact.name}@{wanted.digest}") from e
        signed.append(Signed(artifact._replace(subject=wanted), manifest))
    return SignedAll(artifact, tuple(signed), tuple(skipped))


def sign_recursively(
    reference: str | AnyReference,
    *,
    key: str | Path | Signer | EnvelopeMaker | None = None,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
    media_type: str = mt.JWS,
    expiry: timedelta | None = None,
    user_metadata: Mapping[str, str] = NO_METADATA,
    timestamp_url: str | None = None,
    timestamp_root: str | Path | None = None,
    session: Session | None = None,
) -> SignedAll:
    """Sign the artifact, its children, and what refers to any of them, such as an SBOM: children first, the artifact last.

    What the same certificate has signed already is skipped. The arguments are those of `sign`. Raises `Nv2Error`:
    `PartlySigned`, which lists what is signed, if an error came after that; doing it again goes on from there.
    """
    parsed = parse(reference) if isinstance(reference, str) else reference
    with using(session) as shared:
        signer = signer_for(shared, key, certificate, passphrase)
        wish = Wish(media_type, expiry, user_metadata, shared.signing_agent())
        return sign_all(shared, parsed, signer, stamped_by(shared, wish, timestamp_url, timestamp_root))
