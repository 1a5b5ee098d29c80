"""A second opinion on the judgement of signatures, written from the prose of the specification alone.

Nothing here comes from nv2. "Policy" below is specs/trust-store-trust-policy.md of the Notary Project:
its sections "Signature Verification details" (levels, table), "Custom Verification Level" and
"Signature Verification", "Steps". "Workflow" is specs/signing-and-verification-workflow.md.
"nv2" marks the project's own convention: the four outcomes, undecided, denial and userMetadata.

Outcomes are passed, failed, unknown, notAsked; actions are enforce, log, skip;
verdicts are trusted, notTrusted, undecided, notChecked.
"""

from collections.abc import Iterator, Sequence
from itertools import product

# Policy, "Steps" 3 to 7 in this order; userMetadata comes last there as well. nv2: what is denied goes before all.
VALIDATIONS = (
    "denial",
    "integrity",
    "authenticity",
    "expiry",
    "authenticTimestamp",
    "revocation",
    "userMetadata",
)

# Policy, "Signature Verification details": the table, with its columns in the order of VALIDATIONS.
# Its first and last columns are nv2's: no level and no override relaxes them, but skip looks at nothing.
TABLE = {
    "strict": ("enforce", "enforce", "enforce", "enforce", "enforce", "enforce", "enforce"),
    "permissive": ("enforce", "enforce", "enforce", "log", "log", "log", "enforce"),
    "audit": ("enforce", "enforce", "log", "log", "log", "log", "enforce"),
    "skip": ("skip", "skip", "skip", "skip", "skip", "skip", "skip"),
}

# Policy, "Custom Verification Level": the supported keys, and the supported values of each.
OVERRIDES = {
    "authenticity": ("enforce", "log"),
    "authenticTimestamp": ("enforce", "log"),
    "expiry": ("enforce", "log"),
    "revocation": ("enforce", "log", "skip"),
}


def actions(level: str, override: dict[str, str]) -> dict[str, str] | None:
    """What is done about each validation, or None where the combination is not allowed.

    Policy, "Custom Verification Level": the override replaces the action of the level; only listed
    keys and values are supported; a skip level cannot be customized. An empty override is none.
    """
    if level not in TABLE:
        return None
    if level == "skip" and override:
        return None
    for validation, action in override.items():
        if validation not in OVERRIDES or action not in OVERRIDES[validation]:
            return None
    return dict(zip(VALIDATIONS, TABLE[level], strict=True)) | override


def _examined(outcomes: dict[str, str], actions: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each validation examined, with its action and outcome, up to and with the first critical failure.

    Policy, "Steps" 2: an enforced failure ends the verification, a logged one does not, and what is
    skipped is not examined. nv2: a validation that was not asked, though it is not skipped, is unknown;
    only denial and userMetadata may be absent: there is no list, nothing was demanded.
    """
    examined = []
    for validation in VALIDATIONS:
        if actions[validation] == "skip":
            continue
        if validation in ("denial", "userMetadata") and validation not in outcomes:
            continue
        outcome = outcomes[validation]
        if outcome == "notAsked":
            outcome = "unknown"
        if outcome not in ("passed", "failed", "unknown"):
            raise ValueError(f"{outcome!r} is no outcome")
        examined.append((validation, actions[validation], outcome))
        if actions[validation] == "enforce" and outcome == "failed":
            break
    return examined


def signature_verdict(outcomes: dict[str, str], actions: dict[str, str]) -> str:
    """The verdict of one signature.

    Policy, "Steps" 2: skip verifies nothing; a critical failure fails the signature; without any, it is
    verified. nv2: an enforced unknown leaves it undecided, unless an enforced failure follows.
    """
    if actions["integrity"] == "skip":  # every level but skip enforces integrity
        return "notChecked"
    enforced = [outcome for _, action, outcome in _examined(outcomes, actions) if action == "enforce"]
    if "failed" in enforced:
        return "notTrusted"
    if "unknown" in enforced:
        return "undecided"
    return "trusted"


def warnings(outcomes: dict[str, str], actions: dict[str, str]) -> tuple[str, ...]:
    """The logged validations that did not pass, in order, up to where evaluation ends.

    Policy, "Signature Verification details": the failure of a logged validation is logged, and the next
    is evaluated until a critical failure. nv2: so is a logged unknown.
    """
    return tuple(
        validation
        for validation, action, outcome in _examined(outcomes, actions)
        if action == "log" and outcome != "passed"
    )


def artifact_verdict(verdicts: Sequence[str], complete: bool) -> str:
    """The verdict of an artifact by those of its signatures; complete if all of them were looked at.

    Workflow, "OCI artifact verification workflow", and Policy, "FAQ": one verified signature is enough,
    and none is a failure. nv2: undecided where a signature undecided, or not looked at, might have been it.
    """
    if "trusted" in verdicts:
        return "trusted"
    if "undecided" in verdicts or not complete:
        return "undecided"
    return "notTrusted"


def every_level() -> Iterator[tuple[str, dict[str, str]]]:
    """Every allowed level and override: 3 customizable levels times 3 * 3 * 3 * 4 overrides, and skip.

    Policy, "Custom Verification Level". Each level comes with no override ({}) first.
    """
    for level in ("strict", "permissive", "audit"):
        for chosen in product(*(("", *supported) for supported in OVERRIDES.values())):
            yield level, {key: action for key, action in zip(OVERRIDES, chosen, strict=True) if action}
    yield "skip", {}


def every_forbidden_override() -> Iterator[tuple[str, dict[str, str]]]:
    """Known levels with overrides that must be refused. Policy, "Custom Verification Level"."""
    for level in ("strict", "permissive", "audit"):
        for action in ("enforce", "log", "skip"):
            yield level, {"integrity": action}  # cannot be overridden, not even to what it is
            yield level, {"userMetadata": action}  # not among the supported keys
        for validation in ("authenticity", "authenticTimestamp", "expiry"):
            yield level, {validation: "skip"}  # only revocation can be skipped
            yield level, {validation: "skip", "revocation": "skip"}
        for validation in ("authenticity", "authenticTimestamp", "expiry", "revocation"):
            for word in ("", "Log", "logged", "enforced", "skipped", "audit"):
                yield level, {validation: word}
        for validation in ("", "Expiry", "authentictimestamp", "timestamp", "level", "*"):
            yield level, {validation: "log"}
            yield level, {"expiry": "log", validation: "log"}  # one good key excuses no bad one
    for validation, supported in OVERRIDES.items():
        for action in supported:
            yield "skip", {validation: action}  # a skip level cannot be customized
    yield "skip", {"integrity": "enforce"}
