"""Denials before signing, wired: what this machine would never trust is not signed here either."""

from __future__ import annotations

from nv2.home.denials import has_denials
from nv2.notary.session import Session
from nv2.oci.digest import Digest
from nv2.pki.chain import Chain
from nv2.signing import Wish


def heeding_denials(session: Session, wish: Wish) -> Wish:
    """`wish`, made to refuse what is denied on this machine. Where nobody denied anything, nothing is loaded.

    Raises `DenialListError` for a list that cannot be read.
    """
    if wish.refusal is not None or not has_denials(session.paths):
        return wish
    from nv2.notary.denials import read_denials  # rare

    denials = read_denials(session.paths)
    if denials is None:
        return wish

    def refusal(chain: Chain, digest: Digest) -> str | None:
        return denials.of_artifact(digest) or denials.of_chain(chain, digest)

    return wish._replace(refusal=refusal)
