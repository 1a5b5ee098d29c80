"""The embedded registry: OCI distribution-spec 1.1 for whoever is let in, content in one directory.

What it does not do: log anybody in, or speak TLS.
"""

from nv2.server.registry.serving import RunningRegistry, serve

__all__ = ["RunningRegistry", "serve"]
