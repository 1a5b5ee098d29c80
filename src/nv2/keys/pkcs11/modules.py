"""Which library reaches a token: the one that the URI names, else the one that the environment names.

Loading a library runs its code. So none is ever searched for beside an artifact, in the working directory or on a path
that is not absolute: only what the user wrote, or what the administrator of this machine installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nv2.errors import SigningKeyError
from nv2.keys.pkcs11.uri import Uri

VARIABLE = "NV2_PKCS11_MODULE"

DIRECTORIES = tuple(
    f"{prefix}/{place}"
    for prefix in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")
    for place in ("pkcs11", "softhsm", "")
)  # fmt: skip
"""Where a `module-name` is looked for: directories that only the administrator writes to."""

_HINT = f"name it in the URI (?module-path=/usr/lib/softhsm/libsofthsm2.so) or in ${VARIABLE}"


def module_of(uri: Uri, environ: Mapping[str, str], directories: tuple[str, ...] = DIRECTORIES) -> Path:
    """The library that reaches the token of `uri`. Raises `SigningKeyError`."""
    if uri.module_path is not None:
        return _existing(Path(uri.module_path), uri)
    if uri.module_name is not None:
        return _named(uri.module_name, uri, directories)
    given = environ.get(VARIABLE)
    if not given:
        raise SigningKeyError("nothing says which PKCS#11 module to load", at=str(uri), hint=_HINT)
    if not Path(given).is_absolute():
        raise SigningKeyError("is not an absolute path", at=f"${VARIABLE}", hint=_HINT)
    return _existing(Path(given), uri)


def _named(name: str, uri: Uri, directories: tuple[str, ...]) -> Path:
    if "/" in name or name.startswith("."):
        raise SigningKeyError(
            "a module's name is no path", at=str(uri), hint="a path is given as ?module-path=/..."
        )
    for directory in directories:
        for file in (f"{name}.so", f"lib{name}.so", f"{name}.dylib", f"lib{name}.dylib"):
            if (found := Path(directory, file)).is_file():
                return found
    raise SigningKeyError(
        f"no PKCS#11 module {name!r} is installed", at=str(uri), hint="name its file: ?module-path=/..."
    )


def _existing(path: Path, uri: Uri) -> Path:
    if not path.is_file():
        raise SigningKeyError(f"there is no PKCS#11 module {path}", at=str(uri), hint=_HINT)
    return path
