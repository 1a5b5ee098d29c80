"""The flags that say who signs and how, shared by whatever signs, and what they come to.

What signs is loaded when that is asked: `copy` has these flags, and seldom signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nv2.cli import options, passphrase
from nv2.cli.command import Call, Flag, Kind
from nv2.errors import UsageError
from nv2.oci import media_types as mt

if TYPE_CHECKING:
    from nv2.keys.interface import EnvelopeMaker, Signer
    from nv2.notary.session import Session
    from nv2.signing import Wish

KEY = (
    Flag("key", "signing key: a name, a private key file, or a PKCS#11 URI", short="k"),
    Flag("cert", "file of the key's certificate chain, when not beside the key"),
    *passphrase.FLAGS,
)
ENVELOPE = (
    Flag("signature-format", f"envelope: {' or '.join(mt.ENVELOPES)} (default from config.json, else jws)"),
    Flag("expiry", "how long the signature shall be valid, such as 12h or 3h20m", Kind.DURATION, "e"),
    Flag(options.USER_METADATA, "{key}={value} pairs to sign with the artifact", Kind.PAIRS, "m"),
)
TIMESTAMP = (
    Flag("timestamp-url", "address of an RFC 3161 timestamping authority"),
    Flag("timestamp-root-cert", "root certificate file of the timestamping authority"),
)
ELSEWHERE = (
    Flag("id", "key id for a signing plugin"),
    Flag("plugin", "name of a signing plugin"),
    options.PLUGIN_CONFIG,
    *TIMESTAMP,
)
"""Who signs, or says when, outside this process."""

STAMPED = ("timestamp-url", "timestamp-root-cert")
TOGETHER = (STAMPED, ("id", "plugin"))
EXCLUSIVE = (("key", "id"), ("key", "plugin"))


def signature_format(call: Call, session: Session) -> str:
    """The envelope's format in notation's word: `jws` or `cose`. Raises `UsageError`."""
    word = call.string("signature-format") or session.config.signature_format or "jws"
    if word not in mt.ENVELOPES:
        known = " and ".join(f'"{name}"' for name in mt.ENVELOPES)
        raise UsageError(
            f'signature format "{word}" not supported',
            hint=f"supported signature envelope formats are {known}",
        )
    return word


def wish_of(call: Call, session: Session) -> Wish:
    """How the caller wants to have it signed. Raises `UsageError`, `DenialListError`."""
    from nv2.notary.denied_signing import heeding_denials
    from nv2.notary.signing import stamped_by
    from nv2.signing import Wish, check_expiry

    media_type = mt.ENVELOPES[signature_format(call, session)]
    expiry = call.duration("expiry") or None
    check_expiry(expiry)
    agent = session.signing_agent(call.output.program)
    wish = heeding_denials(session, Wish(media_type, expiry, call.pairs(options.USER_METADATA), agent))
    return stamped_by(session, wish, call.string("timestamp-url"), call.string("timestamp-root-cert"))


def signer_of(call: Call, session: Session) -> Signer | EnvelopeMaker:
    """Who signs. Raises `SigningKeyError`, `UsageError`, `PluginError`, `EnvironmentFailure`."""
    from nv2.notary.signers import find_plugin_key, find_signer

    plugin, config = call.string("plugin"), call.pairs("plugin-config")
    if plugin is not None:
        return find_plugin_key(session, plugin, call.string("id") or "", config)
    ask = passphrase.passphrase_source(call)
    return find_signer(session, call.string("key"), call.string("cert"), ask, config)
