"""The embedded registry: OCI distribution-spec 1.1 on loopback, content in one directory.

What it does not do: log anybody in, or speak TLS.
"""

from nv2.server.registry.serving import RunningRegistry, serve

__all__ = ["RunningRegistry", "serve"]
