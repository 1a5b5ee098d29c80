"""The quirks of other registries, for the embedded one: each is a layer before it (one, `sparse`, a limit), with a name and a switch.

Clients are tried against them. `table` has all of them and the profiles that put some together.
"""

from nv2.server.quirks.table import PROFILES, QUIRKS, layers_of, limits_of

__all__ = ["PROFILES", "QUIRKS", "layers_of", "limits_of"]
