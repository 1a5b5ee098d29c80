"""`nv2 cert generate-test` and `cleanup-test`: a pair for trying things out, trusted on this machine."""

from __future__ import annotations

from nv2.cli import exits
from nv2.cli.command import Call, Command, Flag, Kind
from nv2.errors import UsageError

SIZES = (2048, 3072, 4096)


def generate(call: Call) -> int:
    """Make a test pair, and trust it."""
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import generate_test_pair

    name, bits, default = call.arguments[0], call.number("bits"), call.on("default")
    if bits not in SIZES:
        raise UsageError(f"a key of {bits} bits cannot sign", hint=f"sizes: {', '.join(map(str, SIZES))}")
    pair = generate_test_pair(Machine.from_environment(), name, bits, default=default)
    call.output.lines(
        (
            f"generating RSA Key with {bits} bits",
            f"generated certificate expiring on {pair.not_after}",
            f"wrote key: {pair.key}",
            f"wrote certificate: {pair.certificate}",
            f"Successfully added {pair.certificate.name} to named store {name} of type ca",
            f"{name}: added to the key list",
        )
    )
    if default:
        call.output.line(f"{name}: marked as default signing key")
    return exits.DONE


def clean_up(call: Call) -> int:
    """Remove a test pair and everything that was made with it."""
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import clean_test_pair, trial_pair_paths

    machine, name = Machine.from_environment(), call.arguments[0]
    key, certificate = trial_pair_paths(machine, name)
    question = (
        f"The test key {name} and its corresponding certificate will be cleaned up with the following changes:\n"
        f"- Delete certificate {name}.crt from trust store {name} of type ca\n"
        f"- Remove key {name} from the key list\n"
        f"- Delete key file: {key}\n"
        f"- Delete certificate file: {certificate}\n\n"
        "Are you sure you want to continue?"
    )
    if not call.on("yes") and not call.output.confirm(question, "yes"):
        return exits.DONE
    done = clean_test_pair(machine, name)
    stored = f"{name}.crt from trust store {name} of type ca"
    call.output.lines(
        (
            f"Successfully deleted {stored}"
            if done.stored
            else f"Certificate {stored.replace(' from ', ' does not exist in ', 1)}",
            f"Successfully removed key {name} from the key list"
            if done.pair.listed
            else f"Key {name} does not exist in the key list",
            f"Successfully deleted key file: {key}" if done.pair.key else f"Key file {key} does not exist",
            f"Successfully deleted certificate file: {certificate}"
            if done.pair.certificate
            else f"Certificate file {certificate} does not exist",
            "Cleanup completed successfully",
        )
    )
    return exits.DONE


GENERATE = Command(
    "generate-test",
    "generate a test RSA key and a corresponding self-signed certificate",
    generate,
    flags=(
        Flag("bits", "RSA key bits", Kind.INT, "b", 2048),
        Flag("default", "mark as default signing key", Kind.BOOL),
    ),
    usage="<common_name>",
    arguments=(1, None),
    missing="missing certificate common_name",
    description=(
        "Generate a test RSA key and a corresponding self-signed certificate, valid for a day. Unlike\n"
        "'key generate', this also trusts the certificate on this machine (trust store ca:<common_name>)."
    ),
    examples=('nv2 cert generate-test --default "wabbit-networks.io"',),
)

CLEANUP = Command(
    "cleanup-test",
    "clean up what generate-test made",
    clean_up,
    flags=(Flag("yes", "do not prompt for confirmation", Kind.BOOL, "y"),),
    usage="<common_name>",
    arguments=(1, None),
    missing="missing certificate common name",
    examples=('nv2 cert cleanup-test "wabbit-networks.io"',),
)
