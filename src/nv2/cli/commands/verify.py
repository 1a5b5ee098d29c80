"""`nv2 verify`: decide whether artifacts may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nv2.cli import options
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, wants_json
from nv2.errors import UsageError
from nv2.notary.session import Session

if TYPE_CHECKING:
    from nv2.notary.trust_here import TrustChoice


def run(call: Call) -> int:
    """Judge every reference; the exit code is the worst of them."""
    as_json = wants_json(call)
    wanted = options.references(call)
    budget = options.check_max_signatures(call)
    metadata = call.pairs(options.USER_METADATA)
    if call.string("key") is not None and call.string("scope") is not None:
        raise UsageError("--scope chooses a policy statement; with --key no policy is read")
    session = options.session(call)
    session.prepare(*wanted)
    # All that follows is loaded while the connections open.
    from nv2.cli.verdicts import report_json, report_text
    from nv2.notary.verification import evaluate_references

    choose = _trust(call, session)
    if not as_json:
        for reference in wanted:
            options.warn_of_tag(call.output.warn, reference, "verify")
    results = evaluate_references(
        session,
        wanted,
        choose,
        max_signatures=budget,
        user_metadata=metadata,
        plugin_config=call.pairs("plugin-config"),
        all_signatures=as_json,
    )
    return report_json(call, results, COMMAND.schema) if as_json else report_text(call, results)


def _trust(call: Call, session: Session) -> TrustChoice:
    from nv2.notary.trust_here import trust_by_policy, trust_in_file

    key = call.string("key")
    if key is not None:
        return trust_in_file(session, key)
    return trust_by_policy(session, call.string("scope"))


COMMAND = Command(
    "verify",
    "verify artifacts against a key or the trust policy",
    run,
    flags=(
        options.TRUSTED_KEY,
        options.REFERENCE,
        options.DEMANDED_METADATA,
        options.MAX_SIGNATURES,
        options.OCI_LAYOUT,
        Flag("scope", "choose the policy statement by this scope, not the repository"),
        *options.CONNECTION,
        OUTPUT,
        options.PLUGIN_CONFIG,
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>...",
    description=(
        "Verify artifacts. With --key exactly that key or certificate is trusted, strictly, and no policy\n"
        "is read; otherwise the trust policy decides. Exit code 0: trusted; 1: not trusted; 3: could not\n"
        "be decided."
    ),
    examples=(
        "nv2 verify -k wabbit-networks.crt -r registry.example.com/net-monitor:v1",
        "nv2 verify registry.example.com/net-monitor@sha256:...",
        "nv2 verify --output json registry.example.com/a@sha256:... registry.example.com/b@sha256:...",
    ),
    schema="nv2.verify/v1",
)
