"""nv2: sign OCI artifacts, keep the signatures beside them, decide what may run."""
