"""The words of OCI: references, digests, descriptors, manifests. Pure: no input, no output."""
