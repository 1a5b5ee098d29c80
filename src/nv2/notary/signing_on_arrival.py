"""The signature of our own that a copy adds where it arrives, before the tag is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nv2.keys.interface import makes_envelopes
from nv2.notary.denied_signing import heeding_denials
from nv2.oci import media_types as mt
from nv2.pki.chain import parse_chain
from nv2.recursive_signing import is_signed_already
from nv2.signing import sign

if TYPE_CHECKING:
    from nv2.content.interface import Store
    from nv2.keys.interface import EnvelopeMaker, Signer
    from nv2.notary.session import Session
    from nv2.oci.descriptor import Descriptor
    from nv2.signing import Wish


def sign_unless_signed(
    session: Session,
    store: Store,
    how: tuple[Signer | EnvelopeMaker, Wish],
    made: list[Descriptor],
    root: Descriptor,
    *,
    legacy: bool,
) -> None:
    """Sign `root`, which has arrived, unless the same certificate has done so; what was `made` is noted."""
    signer, wish = how
    wish = heeding_denials(session, wish._replace(legacy_manifest=legacy))
    if not makes_envelopes(signer):
        mine = parse_chain(cast("Signer", signer).chain).leaf.thumbprint
        listed = store.referrers(root, mt.SIGNATURE).descriptors
        ours = tuple(item for item in listed if mine in item.annotations.get(mt.THUMBPRINTS, mine))
        if is_signed_already(store, root, ours, mine, wish.user_metadata, session.now):
            return
    made.append(sign(store, root, signer, wish, session.now))
