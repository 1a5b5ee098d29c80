"""One key by its place, for programs that keep no list of keys: plugins, for example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nv2.keys.interface import Signer
from nv2.keys.pkcs11.uri import is_uri, parse_uri
from nv2.notary.signers import no_passphrase


def open_key(
    place: str | Path,
    *,
    certificate: str | Path | None = None,
    passphrase: Callable[[str], bytes] = no_passphrase,
) -> Signer:
    """The key in the file `place`, or in the token that the PKCS#11 URI `place` names, with its chain.

    `certificate` is the file of the chain, when it is neither with the key nor beside it. `passphrase` is called with the
    key's or the token's name if it needs one. A token stays open until the process ends, or until its signer's
    `close`. Raises `SigningKeyError`, `UsageError`, `EnvironmentFailure` and what `passphrase` raises.
    """
    chain = None if certificate is None else Path(certificate)
    if isinstance(place, str) and is_uri(place):
        from nv2.keys.pkcs11.signer import open_signer

        return open_signer(parse_uri(place), cert_path=chain, ask_pin=passphrase)
    from nv2.keys.file import load_key

    return load_key(Path(place), cert_path=chain, passphrase=passphrase)
