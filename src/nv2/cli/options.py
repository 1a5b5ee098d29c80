"""Flags that several commands share, and how they become arguments of the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from nv2.cli.command import Call, Flag, Kind
from nv2.errors import InvalidReference, UsageError
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import AnyReference, parse, parse_layout

REFERENCE = Flag("reference", "artifact, instead of the positional argument; may repeat", Kind.STRINGS, "r")
ONE_REFERENCE = REFERENCE._replace(help="artifact, instead of the positional argument")
OCI_LAYOUT = Flag("oci-layout", "the reference names an OCI image layout directory", Kind.BOOL)
PLUGIN_CONFIG = Flag("plugin-config", "passed to plugins as it is", Kind.PAIRS)
USER_METADATA = "user-metadata"
DEMANDED_METADATA = Flag(USER_METADATA, "{key}={value} pairs that must be in the signature", Kind.PAIRS, "m")
TRUSTED_KEY = Flag("key", "trust exactly this: file of a certificate or key, or a key's name", short="k")
FORCE_REFERRERS_TAG = Flag(
    "force-referrers-tag", "store by the referrers tag, whatever the registry can", Kind.BOOL
)
ALLOW_REFERRERS_API = Flag("allow-referrers-api", "accepted for older scripts", Kind.BOOL, hidden=True)
MAX_SIGNATURES = Flag("max-signatures", "how many signatures to examine at most", Kind.INT, default=100)

STANDARD_INPUT = "-"
"""In place of the file of a blob."""

CONNECTION = (
    Flag("username", "user name for the registry (default $NOTATION_USERNAME)", short="u"),
    Flag("password", "password for the registry (default $NOTATION_PASSWORD)", short="p"),
    Flag("insecure-registry", "speak plain HTTP with the registry", Kind.BOOL),
    Flag("ca-file", "PEM file of authorities to trust for TLS, besides the system's"),
    Flag("client-cert", "PEM file of the client certificate for TLS"),
    Flag("client-key", "PEM file of the client certificate's key"),
    Flag("resolve", "HOST:PORT:ADDRESS[:PORT] to connect to; may repeat", Kind.STRINGS),
)


def session(call: Call) -> Session:
    """A session, set up by the environment and the call's connection flags; it ends with the call."""
    settings = Settings(
        username=call.string("username"),
        password=call.string("password"),
        insecure_registry=call.on("insecure-registry"),
        ca_file=call.string("ca-file"),
        client_certificate=call.string("client-cert"),
        client_key=call.string("client-key"),
        resolve=call.strings("resolve"),
        per_host=call.number("concurrency") if "concurrency" in call.values else None,
    )
    return _opened(call, settings)


def session_without_registry(call: Call) -> Session:
    """As `session`, for commands that speak with no registry and have no connection flags."""
    return _opened(call, Settings())


def _opened(call: Call, settings: Settings) -> Session:
    debug = call.output.note if "debug" in call.values and call.on("debug") else None
    session = Session.from_environment(settings._replace(warn=call.output.warn, debug=debug))
    return call.resources.enter_context(session)


def reference_texts(call: Call) -> tuple[str, ...]:
    """The references as written: `-r`, then positionals. As `notation`, only the first positional counts."""
    positional = call.arguments[:1] if call.output.program == "notation" else call.arguments
    return (*call.strings("reference"), *positional)


def read_reference(call: Call, text: str) -> AnyReference:
    """The reference that `text` names. Raises `InvalidReference`."""
    if "oci-layout" in call.values and call.on("oci-layout"):
        return parse_layout(text)
    try:
        return parse(text)
    except InvalidReference as e:
        if "key" in call.values and os.path.isfile(text):
            hint = "this is a file here: name keys and certificates with --key"
            raise InvalidReference(e.message, at=e.at, hint=hint) from None
        raise


def references(call: Call) -> tuple[AnyReference, ...]:
    """All references of the call, each with a tag or digest. Raises `UsageError` if there is none."""
    texts = reference_texts(call)
    if not texts:
        raise missing_reference()
    return tuple(with_name(read_reference(call, text), text) for text in texts)


def only_reference(call: Call) -> AnyReference:
    """The one reference of a command that takes one. Raises `UsageError` otherwise."""
    found = references(call)
    if len(found) > 1:
        raise UsageError(f"takes one reference, not {len(found)}")
    return found[0]


def missing_reference() -> UsageError:
    """What to say when there is no reference."""
    return UsageError(
        "missing reference to the artifact",
        hint="name it as <registry>/<repository>@<digest>, or as layout:<directory>@<digest>",
    )


def only_blob(call: Call) -> str:
    """The blob of the call; as `notation`, only the first positional counts. Raises `UsageError`."""
    name = call.arguments[0]
    if len(call.arguments) > 1 and call.output.program != "notation":
        raise UsageError(
            f"takes one blob, not {len(call.arguments)}",
            hint="one at a time; 'nv2 blob verify' is given the signature with -s",
        )
    if not name:
        raise UsageError("blob path cannot be empty")
    return name


def blob_source(name: str) -> tuple[str | BinaryIO, str]:
    """What to read, and what to call it: the file `name`, or standard input for `-`."""
    return (sys.stdin.buffer, "standard input") if name == STANDARD_INPUT else (name, name)


def with_name(reference: AnyReference, text: str) -> AnyReference:
    """`reference`, if it has a tag or digest. Raises `UsageError` otherwise."""
    if reference.wanted is None:
        raise UsageError("no tag or digest", at=text, hint=f"write {text}:<tag> or {text}@<digest>")
    return reference


def check_max_signatures(call: Call) -> int:
    """The value of `--max-signatures`. Raises `UsageError` unless it is positive."""
    number = call.number("max-signatures")
    if number <= 0:
        raise UsageError(f"max-signatures value {number} must be a positive number")
    return number


def warn_of_tag(warn: Callable[[str], None], reference: AnyReference, verb: str) -> None:
    """Warn where a tag was used: it may point elsewhere tomorrow."""
    if reference.digest is not None:
        return
    why = (
        "tags are mutable and a tag reference can point to a different artifact than the one signed"
        if verb == "sign"
        else "resolved digest may not point to the same signed artifact, as tags are mutable"
    )
    warn(
        f"Always {verb} the artifact using digest(@sha256:...) rather than a tag(:{reference.tag}) because {why}."
    )
