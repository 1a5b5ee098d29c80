"""`nv2 blob policy`: the trust policy for blobs, which says what is trusted for files."""

from __future__ import annotations

from nv2.cli import policies
from nv2.cli.command import OUTPUT, Call, Command, Flag, Group, Kind

_SCHEMA = "nv2.blob.policy.show/v1"


def init(call: Call) -> int:
    """Write a policy with one strict statement."""
    from nv2.notary.policy_setup import BLOB

    return policies.init(call, BLOB, {"globalPolicy": True} if call.on("global") else {})


def bring(call: Call) -> int:
    """Make a file the policy."""
    from nv2.notary.policy_setup import BLOB

    return policies.bring(call, BLOB)


def show(call: Call) -> int:
    """Show the policy's file as it is, good or bad."""
    from nv2.notary.policy_setup import BLOB

    return policies.show(call, BLOB, _SCHEMA)


_INIT_EXAMPLE = (
    "nv2 blob policy init --name releases --global --trust-store ca:acme-rockets \\\n"
    '    --trusted-identity "x509.subject: C=US, ST=WA, O=acme-rockets.io"'
)

COMMAND = Group(
    "policy",
    "Manage the trust policy for blobs",
    (
        Command(
            "init",
            "write a strict trust policy for blobs",
            init,
            flags=(
                Flag("name", "name of the policy statement", short="n", required=True),
                *policies.STATEMENT,
                Flag("global", "the statement applies where nobody names another", Kind.BOOL),
                policies.FORCE,
            ),
            arguments=(0, 0),
            description="Write a trust policy for blobs with one statement of level strict.",
            examples=(_INIT_EXAMPLE,),
        ),
        Command(
            "import",
            "import a trust policy for blobs from a JSON file",
            bring,
            flags=(policies.FORCE,),
            usage="<file_path>",
            arguments=(1, 1),
            missing="requires 1 argument but received 0",
            examples=(
                "nv2 blob policy import my_policy.json",
                "nv2 blob policy import --force my_policy.json",
            ),
        ),
        Command(
            "show",
            "show the trust policy for blobs",
            show,
            flags=(OUTPUT,),
            arguments=(0, 0),
            examples=("nv2 blob policy show", "nv2 blob policy show > my_policy.json"),
            schema=_SCHEMA,
        ),
    ),
    examples=(_INIT_EXAMPLE, "nv2 blob policy import my_policy.json", "nv2 blob policy show"),
)
