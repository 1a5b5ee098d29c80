"""Which referrers of a trusted artifact the trust policy lets a copy take along, wired.

A signature must be trusted itself. Anything else that refers to the artifact, such as an SBOM, must have a trusted
signature of its own: the signature of the artifact says nothing about what was attached later. That holds for what
cosign attached under a tag as well, which refers to nothing.
"""

from __future__ import annotations

from nv2.closure import Closure
from nv2.notary.session import Session
from nv2.notary.trust_here import TrustChoice
from nv2.notary.verification import Evaluated, evaluate_reference
from nv2.oci.digest import Digest
from nv2.oci.manifest import is_signature
from nv2.oci.reference import AnyReference
from nv2.trust.trust import MAX_SIGNATURES
from nv2.trust.verdict import Verdict

UNSIGNED = "has no trusted signature"


def untrusted(
    session: Session,
    reference: AnyReference,
    choose: TrustChoice,
    closure: Closure,
    *,
    attached: bool = False,
) -> dict[Digest, str]:
    """What of `closure`, read at the place of `reference`, must stay behind, and why.

    If it was `attached` to something by a tag, that may be all of it: nobody has judged its root. Where the policy's level
    is skip nobody is judged. Raises `Nv2Error` where nothing can be said.
    """
    signatures, others = _referrers(closure)
    if attached:
        others.add(closure.root.digest)
    found: dict[Digest, str] = {}
    for subject in dict.fromkeys((*signatures, *others)):
        about = signatures.get(subject, [])
        evaluated = evaluate_reference(
            session,
            reference.with_digest(subject),
            choose,
            max_signatures=max(len(about), MAX_SIGNATURES),
            all_signatures=True,
        )
        if evaluated.verdict.verdict is Verdict.NOT_CHECKED:
            continue
        found.update(_refused(evaluated, about))
        if subject in others and evaluated.verdict.verdict is not Verdict.TRUSTED:
            found[subject] = UNSIGNED
    return found


def _referrers(closure: Closure) -> tuple[dict[Digest, list[Digest]], set[Digest]]:
    """The signatures of `closure`, by what they sign, and the other referrers."""
    signatures: dict[Digest, list[Digest]] = {}
    others: set[Digest] = set()
    for digest, node in closure.nodes.items():
        subject = node.manifest.subject
        if node.required or subject is None or subject.digest not in closure.nodes:
            continue
        if is_signature(node.manifest):
            signatures.setdefault(subject.digest, []).append(digest)
        else:
            others.add(digest)
    return signatures, others


def _refused(evaluated: Evaluated, signatures: list[Digest]) -> dict[Digest, str]:
    """Those of `signatures` that are not trusted, and why."""
    judged = {item.manifest.digest: item for item in evaluated.verdict.signatures}
    return {
        digest: f"not trusted: {judged[digest].reason}" if digest in judged else "not judged"
        for digest in signatures
        if digest not in judged or judged[digest].verdict is not Verdict.TRUSTED
    }
