"""`nv2 trust`: withdraw trust on this machine from keys, signatures and artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Group, Kind, wants_json
from nv2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nv2.notary.denials import Merged
    from nv2.oci.digest import Digest
    from nv2.oci.reference import AnyReference
    from nv2.trust.denial import Denial, DenialKind

_DIGESTS = ("sha256:", "sha384:", "sha512:")
"""What a digest begins with, and the names of few registries."""
_WHAT = ("key", "artifact", "signature", "envelope", "import")


def deny(call: Call) -> int:
    """Put something on this machine's list of denials, or everything that another list has."""
    as_json = wants_json(call)
    _check_words(call)
    from nv2.notary.denials import add_denials, read_document
    from nv2.notary.machine import Machine

    machine = Machine.from_environment()
    path = call.string("import")
    denials = read_document(Path(path)) if path is not None else (_one(call, machine.now),)
    merged = add_denials(machine.paths, denials)
    if as_json:
        _show_json(call, merged)
    elif path is not None:
        call.output.line(f"Added to the list: {len(merged.added)}; on it already: {len(merged.known)}")
    else:
        _show(call, merged)
    return exits.DONE


def _check_words(call: Call) -> None:
    given = [name for name in _WHAT if name in call.changed]
    if not given:
        raise UsageError(
            "nothing to deny", hint="say what: --key, --artifact, --signature, --envelope, or --import a list"
        )
    if len(given) > 1 and given != ["key", "artifact"]:
        raise UsageError(
            f"--{given[0]} and --{given[1]} do not go together",
            hint="of several, only --key with --artifact means one denial: this key, for this artifact",
        )
    if given != ["import"] and not call.string("reason"):
        raise UsageError("a denial needs a reason", hint="--reason 'key stolen, incident 4711'")


def _one(call: Call, now: datetime) -> Denial:
    from nv2.trust.denial import deny as new_denial

    kind, target = _meant(call)
    reason, who = call.string("reason") or "", call.string("by")
    return new_denial(kind, target, reason=reason, now=now, who=who, error=UsageError)


def _meant(call: Call) -> tuple[DenialKind, tuple[str, ...]]:
    from nv2.notary.denials import key_named, signature_in, signature_of
    from nv2.oci.digest import parse_digest
    from nv2.trust.denial import DenialKind

    key, artifact = call.string("key"), call.string("artifact")
    signature, envelope = call.string("signature"), call.string("envelope")
    references = _references(call)
    if envelope is not None:
        return DenialKind.SIGNATURE, signature_in(Path(envelope))
    if signature is not None:
        if len(references) != 1:
            raise UsageError("--signature needs the reference of the artifact that was signed")
        digest = parse_digest(signature, "--signature")
        return DenialKind.SIGNATURE, signature_of(options.session(call), references[0], digest)
    spki = () if key is None else (key_named(options.session(call), key, references),)
    if artifact is None:
        return DenialKind.KEY, spki
    kind = DenialKind.KEY_FOR_ARTIFACT if key is not None else DenialKind.ARTIFACT
    return kind, (*spki, _digest(call, artifact))


def _references(call: Call) -> Sequence[AnyReference]:
    texts = options.reference_texts(call)
    if texts and not {"key", "signature"} & call.changed:
        raise UsageError("a reference says where --signature, or the thumbprint of --key, is looked for")
    return [options.with_name(options.read_reference(call, text), text) for text in texts]


def _digest(call: Call, text: str) -> Digest:
    from nv2.notary.denials import artifact_digest, digest_to_deny

    if "/" not in text and text.startswith(_DIGESTS):
        return digest_to_deny(text)
    reference = options.with_name(options.read_reference(call, text), text)
    return artifact_digest(options.session(call), reference)


def _show(call: Call, merged: Merged) -> None:
    for denial in merged.added:
        call.output.line(f"Denied {denial.kind.value} {' '.join(denial.target)}")
        call.output.line(f"The id of the denial is {denial.id}")
    for denial in merged.known:
        call.output.line(f"Already denied since {denial.denied_at}, and left as it is: {denial.id}")


def _show_json(call: Call, merged: Merged) -> None:
    added, known = ([denial.to_json() for denial in found] for found in merged)
    call.output.json({"schema": "nv2.trust.deny/v1", "added": added, "known": known})


def denials(call: Call) -> int:
    """Show the list; as JSON it is what `deny --import` reads elsewhere."""
    as_json = wants_json(call)
    from nv2.notary.denials import denials_of
    from nv2.notary.machine import Machine
    from nv2.trust.denial import rows

    found = denials_of(Machine.from_environment())
    if as_json:
        call.output.json(found.to_json())
    elif found.denials:
        call.output.table(("ID", "KIND", "WHAT", "SINCE", "REASON"), rows(found))
    else:
        call.output.line("Nothing is denied on this machine")
    return exits.DONE


def allow(call: Call) -> int:
    """Take denials off the list, one by one and only after a yes."""
    from nv2.notary.denials import denials_of, find_denial, remove_denial
    from nv2.notary.machine import Machine

    machine = Machine.from_environment()
    listed = denials_of(machine)
    for denial in [find_denial(listed, name) for name in call.arguments]:
        what = f"{denial.kind.value} {' '.join(denial.target)} ({denial.reason})"
        question = (
            f"{what} was denied at {denial.denied_at}. Shall signatures and artifacts of it count again?"
        )
        if call.on("yes") or call.output.confirm(question, "yes"):
            remove_denial(machine, denial.id)
            call.output.line(f"{denial.kind.value} {' '.join(denial.target)} is not denied any more")
    return exits.DONE


COMMAND = Group(
    "trust",
    "Withdraw trust from keys, signatures and artifacts",
    (
        Command(
            "deny",
            "let a key, a signature or an artifact count no more on this machine",
            deny,
            flags=(
                Flag(
                    "key",
                    "a key: its file, a certificate, its name, thumbprint or spki:<SHA-256>",
                    short="k",
                ),
                Flag(
                    "artifact",
                    "a digest, or what a reference names now; with --key: that key for it",
                ),
                Flag("signature", "digest of a signature manifest of the reference: that signature"),
                Flag("envelope", "file of a signature envelope: that signature"),
                Flag("import", "file of a list of denials to take in; what is on the list stays"),
                Flag("reason", "why, in one line"),
                Flag("by", "who denies, in one line"),
                options.ONE_REFERENCE,
                options.OCI_LAYOUT,
                *options.CONNECTION,
                OUTPUT,
                DEBUG,
            ),
            usage="[<reference>]",
            arguments=(0, 1),
            description=(
                "Put something on the list of denials of this machine. It goes before every trust: the policy at any\n"
                "level, and -k. A denied authority takes with it all that it issued. The reference says where\n"
                "--signature, or the certificate with the thumbprint of --key, is looked for."
            ),
            examples=(
                "nv2 trust deny --key wabbit-networks.crt --reason 'stolen, incident 4711'",
                "nv2 trust deny --signature sha256:... --reason 'wrong build' registry.example.com/app:v1",
                "nv2 trust deny --artifact registry.example.com/app@sha256:... --reason CVE-2026-1",
                "nv2 trust deny --import denials.json",
            ),
            schema="nv2.trust.deny/v1",
        ),
        Command(
            "denials",
            "show what is denied on this machine",
            denials,
            flags=(OUTPUT,),
            arguments=(0, 0),
            examples=("nv2 trust denials", "nv2 trust denials --output json > denials.json"),
            schema="nv2.trust.denials/v1",
        ),
        Command(
            "allow",
            "take a denial back",
            allow,
            flags=(Flag("yes", "do not prompt for confirmation", Kind.BOOL, "y"),),
            usage="<id>...",
            arguments=(1, None),
            missing="requires the id of a denial, which 'nv2 trust denials' shows",
            examples=("nv2 trust allow 0123456789abcdef",),
        ),
    ),
    examples=(
        "nv2 trust deny --key wabbit-networks.crt --reason 'stolen, incident 4711'",
        "nv2 trust denials",
        "nv2 trust deny --import denials.json",
    ),
)
