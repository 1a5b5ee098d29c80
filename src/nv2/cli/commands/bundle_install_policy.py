"""`nv2 bundle install-policy`: take over the trust policy of a bundle that somebody trusted has signed."""

from __future__ import annotations

from nv2.cli import bundles, exits, options
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.errors import UsageError
from nv2.notary.bundles import open_bundle
from nv2.notary.bundles_policy import Proposal, TakenPolicy, propose, take_over


def run(call: Call) -> int:
    """Take it over, over another one only if the caller wants that."""
    as_json = wants_json(call)
    key, scope = call.string("key"), call.string("scope")
    if (key is None) == (scope is None):
        raise UsageError(
            "say whose signature of the bundle counts",
            hint="--key names a certificate; --scope chooses a statement of the trust policy here",
        )
    session = options.session_without_registry(call)
    proposal = propose(session, open_bundle(call.arguments[0]), key, scope)
    if proposal.replaces and not call.on("force"):
        if as_json:
            raise UsageError("there is another trust policy here", hint="--force replaces it")
        if not call.output.confirm("There is another trust policy here, do you want to replace it?", "force"):
            return exits.DONE
    taken = take_over(session, proposal)
    for warning in taken.warnings:
        call.output.warn(warning)
    if as_json:
        _print_json(call, proposal, taken)
    else:
        signer = _signer(proposal)
        call.output.line(f"The bundle {proposal.bundle.contents_in.digest} is signed by {signer}")
        call.output.line(f"Installed its trust policy as {taken.policy}")
        call.output.lines(f"Added {path}" for path in taken.added)
    return exits.DONE


def _signer(proposal: Proposal) -> str:
    trusted = proposal.signed.trusted_by
    return str(trusted.facts.signer) if trusted and trusted.facts else "a trusted signer"


def _print_json(call: Call, proposal: Proposal, taken: TakenPolicy) -> None:
    call.output.json(
        {
            "schema": COMMAND.schema,
            "bundle": bundles.document(proposal.bundle),
            "signedBy": _signer(proposal),
            "policy": str(taken.policy),
            "added": [str(path) for path in taken.added],
        }
    )


COMMAND = Command(
    "install-policy",
    "take over the trust policy of a signed bundle",
    run,
    flags=(
        options.TRUSTED_KEY,
        Flag("scope", "the policy statement with this scope says whose signature counts"),
        Flag("force", "replace the trust policy that is here without asking", Kind.BOOL),
        OUTPUT,
        NO_NETWORK_DEBUG,
    ),
    usage="<file>",
    arguments=(1, 1),
    missing="names the file of a bundle",
    description=(
        "Take over the trust policy of a bundle and the trust stores that it names, if the bundle as a\n"
        "whole is signed by whom this machine trusts already: the certificate of --key, or the\n"
        "statement of --scope, always strictly. A bundle that is older than the last one taken over is\n"
        "refused. Stores only gain; nothing in them is replaced."
    ),
    examples=("nv2 bundle install-policy -k acme.crt all.tar",),
    schema="nv2.bundle.install-policy/v1",
)
