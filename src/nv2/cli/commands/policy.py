"""`nv2 policy`: the trust policy, which says what is trusted for which artifacts."""

from __future__ import annotations

from nv2.cli import policies
from nv2.cli.command import OUTPUT, Call, Command, Flag, Group, Kind

_SCHEMA = "nv2.policy.show/v1"


def init(call: Call) -> int:
    """Write a policy with one strict statement."""
    from nv2.notary.policy_setup import OCI

    return policies.init(call, OCI, {"registryScopes": list(call.strings("registry-scope"))})


def bring(call: Call) -> int:
    """Make a file the policy."""
    from nv2.notary.policy_setup import OCI

    return policies.bring(call, OCI)


def show(call: Call) -> int:
    """Show the policy's file as it is, good or bad."""
    from nv2.notary.policy_setup import OCI

    return policies.show(call, OCI, _SCHEMA)


_INIT_EXAMPLE = (
    "nv2 policy init --name production --registry-scope registry.example.com/net-monitor \\\n"
    '    --trust-store ca:acme-rockets --trusted-identity "x509.subject: C=US, ST=WA, O=acme-rockets.io"'
)

COMMAND = Group(
    "policy",
    "Manage OCI trust policy configuration for OCI artifact signature verification",
    (
        Command(
            "init",
            "write a strict trust policy",
            init,
            flags=(
                Flag("name", "name of the policy statement", short="n", required=True),
                Flag(
                    "registry-scope",
                    "repository that the statement is for, or '*' for all; may repeat",
                    Kind.STRINGS,
                    required=True,
                ),
                *policies.STATEMENT,
                policies.FORCE,
            ),
            arguments=(0, 0),
            description="Write a trust policy with one statement of level strict.",
            examples=(_INIT_EXAMPLE,),
        ),
        Command(
            "import",
            "import a trust policy from a JSON file",
            bring,
            flags=(policies.FORCE,),
            usage="<file_path>",
            arguments=(1, 1),
            missing="requires 1 argument but received 0",
            examples=("nv2 policy import my_policy.json", "nv2 policy import --force my_policy.json"),
        ),
        Command(
            "show",
            "show the trust policy",
            show,
            flags=(OUTPUT,),
            arguments=(0, 0),
            examples=("nv2 policy show", "nv2 policy show > my_policy.json"),
            schema=_SCHEMA,
        ),
    ),
    examples=(_INIT_EXAMPLE, "nv2 policy import my_policy.json", "nv2 policy show"),
)
