"""Media types and annotation keys that nv2 knows by name."""

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
"""Removed from OCI 1.1 before its release; old signatures still come in it."""
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

INDEXES = frozenset({IMAGE_INDEX, DOCKER_MANIFEST_LIST})
MANIFESTS = (IMAGE_MANIFEST, IMAGE_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, ARTIFACT_MANIFEST)
"""What a client asks for (`Accept`), in this order."""

FOREIGN_LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    }
)
"""Layers that stay where their maker publishes them and are not copied (image-spec, "Non-Distributable Layers")."""

EMPTY = "application/vnd.oci.empty.v1+json"
NO_TYPE = (None, "", EMPTY)
"""What registries and clients write in place of the artifact type that they should have derived."""
OCTET_STREAM = "application/octet-stream"

SIGNATURE = "application/vnd.cncf.notary.signature"
"""Artifact type of a signature manifest (signature-specification, "OCI Signatures")."""
PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
JWS = "application/jose+json"
COSE = "application/cose"
ENVELOPES = {"jws": JWS, "cose": COSE}
"""The formats of signature envelopes, by the names that people write."""

THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"
"""Annotation of a signature manifest: SHA-256 of each certificate. Orders work, is never believed."""
CREATED = "org.opencontainers.image.created"
REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of a descriptor in a layout's index.json: its tag."""
RESERVED_PREFIX = "io.cncf.notary"
"""Prefix of annotation keys that user metadata must not use."""
