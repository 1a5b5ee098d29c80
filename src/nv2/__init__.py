"""nv2: sign OCI artifacts, keep the signatures beside them, decide what may run.

    import nv2

    nv2.verify("registry.example.com/net-monitor:v1", key="wabbit-networks.crt")

`verify` raises `nv2.NotTrusted` or `nv2.Undecided` unless the artifact may be used; whatever nv2 raises on purpose
is an `nv2.Nv2Error` (the tree: `help(nv2.errors)`). The public names are loaded on first use, so that `import nv2`
costs nothing.
"""

from __future__ import annotations

from nv2._version import __version__

_PUBLIC = {
    "Artifact": ("nv2.notary.session", "Artifact"),
    "ArtifactVerdict": ("nv2.trust.verdict", "ArtifactVerdict"),
    "BlobPolicyTrust": ("nv2.notary.trust_in_memory", "BlobPolicyTrust"),
    "Copied": ("nv2.notary.copying", "Copied"),
    "Descriptor": ("nv2.oci.descriptor", "Descriptor"),
    "Deleted": ("nv2.deletion", "Deleted"),
    "DetachedSignature": ("nv2.blob_verification", "DetachedSignature"),
    "Doomed": ("nv2.notary.deletion", "Doomed"),
    "Evaluated": ("nv2.notary.verification", "Evaluated"),
    "ImportedBundle": ("nv2.notary.carrying", "ImportedBundle"),
    "Inspection": ("nv2.notary.inspection", "Inspection"),
    "KeyTrust": ("nv2.notary.trust_in_memory", "KeyTrust"),
    "LayoutReference": ("nv2.oci.reference", "LayoutReference"),
    "Listed": ("nv2.notary.listing", "Listed"),
    "MadeBundle": ("nv2.notary.bundles_made", "MadeBundle"),
    "MemoryStore": ("nv2.content.memory", "MemoryStore"),
    "NotTrusted": ("nv2.errors", "NotTrusted"),
    "Nv2Error": ("nv2.errors", "Nv2Error"),
    "PartlySigned": ("nv2.errors", "PartlySigned"),
    "PolicyTrust": ("nv2.notary.trust_in_memory", "PolicyTrust"),
    "Reference": ("nv2.oci.reference", "Reference"),
    "Session": ("nv2.notary.session", "Session"),
    "Settings": ("nv2.notary.registry_access", "Settings"),
    "SignatureVerdict": ("nv2.trust.verdict", "SignatureVerdict"),
    "Signed": ("nv2.notary.signing", "Signed"),
    "SignedAll": ("nv2.notary.recursion", "SignedAll"),
    "SignedBlob": ("nv2.notary.blobs", "SignedBlob"),
    "SigningOptions": ("nv2.notary.signing", "SigningOptions"),
    "Store": ("nv2.content.interface", "Store"),
    "Undecided": ("nv2.errors", "Undecided"),
    "Verdict": ("nv2.trust.verdict", "Verdict"),
    "attach": ("nv2.notary.attaching", "attach"),
    "copy": ("nv2.notary.copying", "copy"),
    "copy_signatures": ("nv2.notary.copying", "copy_signatures"),
    "create_bundle": ("nv2.notary.carrying", "create_bundle"),
    "delete": ("nv2.notary.deletion", "delete"),
    "describe": ("nv2.oci.descriptor", "describe"),
    "errors": ("nv2", "errors"),
    "evaluate": ("nv2.notary.verification", "evaluate"),
    "evaluate_blob": ("nv2.notary.blobs", "evaluate_blob"),
    "evaluate_envelope": ("nv2.notary.envelope_in_hand", "evaluate_envelope"),
    "import_bundle": ("nv2.notary.carrying", "import_bundle"),
    "inspect_signatures": ("nv2.notary.inspection", "inspect_signatures"),
    "list_signatures": ("nv2.notary.listing", "list_signatures"),
    "open_key": ("nv2.notary.single_keys", "open_key"),
    "parse_reference": ("nv2.oci.reference", "parse"),
    "plan_copy": ("nv2.notary.copying", "plan_copy"),
    "plan_copy_signatures": ("nv2.notary.copying", "plan_copy_signatures"),
    "plan_delete": ("nv2.notary.deletion", "plan_delete"),
    "sign": ("nv2.notary.signing", "sign"),
    "sign_blob": ("nv2.notary.blobs", "sign_blob"),
    "sign_descriptor": ("nv2.notary.attaching", "sign_descriptor"),
    "sign_recursively": ("nv2.notary.recursion", "sign_recursively"),
    "verify": ("nv2.notary.verification", "verify"),
    "verify_blob": ("nv2.notary.blobs", "verify_blob"),
    "verify_bundle": ("nv2.notary.carrying", "verify_bundle"),
    "verify_envelope": ("nv2.notary.envelope_in_hand", "verify_envelope"),
}

TYPE_CHECKING = False  # `typing` has its own: 10 ms that `import nv2` need not pay
if TYPE_CHECKING:
    from nv2 import errors
    from nv2.blob_verification import DetachedSignature
    from nv2.content.interface import Store
    from nv2.content.memory import MemoryStore
    from nv2.deletion import Deleted
    from nv2.errors import NotTrusted, Nv2Error, PartlySigned, Undecided
    from nv2.notary.attaching import attach, sign_descriptor
    from nv2.notary.blobs import SignedBlob, evaluate_blob, sign_blob, verify_blob
    from nv2.notary.bundles_made import MadeBundle
    from nv2.notary.carrying import ImportedBundle, create_bundle, import_bundle, verify_bundle
    from nv2.notary.copying import Copied, copy, copy_signatures, plan_copy, plan_copy_signatures
    from nv2.notary.deletion import Doomed, delete, plan_delete
    from nv2.notary.envelope_in_hand import evaluate_envelope, verify_envelope
    from nv2.notary.inspection import Inspection, inspect_signatures
    from nv2.notary.listing import Listed, list_signatures
    from nv2.notary.recursion import SignedAll, sign_recursively
    from nv2.notary.registry_access import Settings
    from nv2.notary.session import Artifact, Session
    from nv2.notary.signing import Signed, SigningOptions, sign
    from nv2.notary.single_keys import open_key
    from nv2.notary.trust_in_memory import BlobPolicyTrust, KeyTrust, PolicyTrust
    from nv2.notary.verification import Evaluated, evaluate, verify
    from nv2.oci.descriptor import Descriptor, describe
    from nv2.oci.reference import LayoutReference, Reference
    from nv2.oci.reference import parse as parse_reference
    from nv2.trust.verdict import ArtifactVerdict, SignatureVerdict, Verdict
else:  # Unseen by type checkers, to which a name that is not above would be fine otherwise.

    def __getattr__(name: str) -> object:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'nv2' has no attribute {name!r}")
        from importlib import import_module

        module, attribute = _PUBLIC[name]
        if module == __name__:
            return import_module(f"{module}.{attribute}")
        return getattr(import_module(module), attribute)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "Artifact",
    "ArtifactVerdict",
    "BlobPolicyTrust",
    "Copied",
    "Deleted",
    "Descriptor",
    "DetachedSignature",
    "Doomed",
    "Evaluated",
    "ImportedBundle",
    "Inspection",
    "KeyTrust",
    "LayoutReference",
    "Listed",
    "MadeBundle",
    "MemoryStore",
    "NotTrusted",
    "Nv2Error",
    "PartlySigned",
    "PolicyTrust",
    "Reference",
    "Session",
    "Settings",
    "SignatureVerdict",
    "Signed",
    "SignedAll",
    "SignedBlob",
    "SigningOptions",
    "Store",
    "Undecided",
    "Verdict",
    "__version__",
    "attach",
    "copy",
    "copy_signatures",
    "create_bundle",
    "delete",
    "describe",
    "errors",
    "evaluate",
    "evaluate_blob",
    "evaluate_envelope",
    "import_bundle",
    "inspect_signatures",
    "list_signatures",
    "open_key",
    "parse_reference",
    "plan_copy",
    "plan_copy_signatures",
    "plan_delete",
    "sign",
    "sign_blob",
    "sign_descriptor",
    "sign_recursively",
    "verify",
    "verify_blob",
    "verify_bundle",
    "verify_envelope",
]
