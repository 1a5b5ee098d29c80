"""nv2: sign OCI artifacts, keep the signatures beside them, decide what may run.

The public names are loaded on first use, so that `import nv2` costs nothing.
"""

from __future__ import annotations

from nv2._version import __version__

TYPE_CHECKING = False  # `typing` has its own: 10 ms that `import nv2` need not pay
if TYPE_CHECKING:
    from typing import Any

    from nv2.errors import NotTrusted as NotTrusted
    from nv2.errors import Nv2Error as Nv2Error
    from nv2.errors import Undecided as Undecided
    from nv2.notary.copying import copy as copy
    from nv2.notary.inspection import inspect_signatures as inspect_signatures
    from nv2.notary.listing import list_signatures as list_signatures
    from nv2.notary.session import Session as Session
    from nv2.notary.session import Settings as Settings
    from nv2.notary.signing import sign as sign
    from nv2.notary.verification import evaluate as evaluate
    from nv2.notary.verification import verify as verify
    from nv2.oci.reference import parse

    parse_reference = parse

_PUBLIC = {
    "NotTrusted": ("nv2.errors", "NotTrusted"),
    "Nv2Error": ("nv2.errors", "Nv2Error"),
    "Session": ("nv2.notary.session", "Session"),
    "Settings": ("nv2.notary.session", "Settings"),
    "Undecided": ("nv2.errors", "Undecided"),
    "copy": ("nv2.notary.copying", "copy"),
    "evaluate": ("nv2.notary.verification", "evaluate"),
    "inspect_signatures": ("nv2.notary.inspection", "inspect_signatures"),
    "list_signatures": ("nv2.notary.listing", "list_signatures"),
    "parse_reference": ("nv2.oci.reference", "parse"),
    "sign": ("nv2.notary.signing", "sign"),
    "verify": ("nv2.notary.verification", "verify"),
}

__all__ = [
    "NotTrusted",
    "Nv2Error",
    "Session",
    "Settings",
    "Undecided",
    "__version__",
    "copy",
    "evaluate",
    "inspect_signatures",
    "list_signatures",
    "parse_reference",
    "sign",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nv2' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)
