"""What a verification plugin says about a signature (plugin-extensibility, "Verification workflow using plugin").

The signer chose the plugin, so nothing of it is looked for or run before the chain was found to end in a trusted
anchor, and then only by a name that fits the rule. What cannot be asked is *unknown*, never passed. What this module
does not do: find or start the plugin, or choose which ones are allowed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from nv2.envelope.envelope import (
    VERIFICATION_PLUGIN,
    VERIFICATION_PLUGIN_MIN_VERSION,
    ExtendedAttribute,
    Scheme,
)
from nv2.errors import ConfigurationError, EnvironmentFailure, MalformedEnvelope, PluginError
from nv2.plain_text import quoted
from nv2.programs.contract import Capability
from nv2.programs.plugins.interface import (
    NAME_RULE,
    FindPlugin,
    Metadata,
    PluginVerdict,
    SignatureInQuestion,
    VerificationPlugin,
    is_plugin_name,
)
from nv2.programs.plugins.versions import check_version, rank_of
from nv2.trust import validations
from nv2.trust.identity import WILDCARD
from nv2.trust.level import Action, Validation
from nv2.trust.trust import Trust
from nv2.trust.validations import Proven
from nv2.trust.verdict import Finding, Outcome

_OUR_OWN = (VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION)
_CAPABILITIES = {
    Capability.TRUSTED_IDENTITY: (Validation.AUTHENTICITY, "trusted identity verification"),
    Capability.REVOCATION_CHECK: (Validation.REVOCATION, "revocation check"),
}


class Assessment(NamedTuple):
    """The findings that a plugin has a part in."""

    integrity: Finding
    """Whether every critical attribute was understood."""
    authenticity: Finding
    revocation: Finding | None = None
    """None: the plugin has nothing to say about it."""


def assess(proven: Proven, anchorage: Finding, trust: Trust, find: FindPlugin | None) -> Assessment:
    """Ask the plugin that `proven` demands. `anchorage` is whether its chain ends in a trusted anchor."""
    name = proven.plugin or ""
    if not is_plugin_name(name):
        return _refused(f"demands a verification plugin that cannot be: {quoted(name)}", anchorage, NAME_RULE)
    if anchorage.outcome is not Outcome.PASSED:
        reason = (
            f"verification plugin {quoted(name)} is not asked about a signature that has no trusted anchor"
        )
        return Assessment(Finding(Validation.INTEGRITY, Outcome.UNKNOWN, reason), anchorage)
    try:
        least, extended = _min_version(proven), _extended(proven)
    except MalformedEnvelope as e:
        return _refused(str(e), anchorage)
    try:
        if find is None:
            raise PluginError(f"needs verification plugin {quoted(name)}, and none can be used here")
        plugin = find(name)
        wanted = _wanted(plugin.metadata(), name, least, trust)
        verdict = _ask(plugin, proven, trust, (least, extended, wanted))
    except (ConfigurationError, EnvironmentFailure) as e:
        return _undecided(proven, anchorage, trust, e)
    return _assessed(proven, anchorage, trust, wanted, verdict)


def _refused(reason: str, anchorage: Finding, hint: str = "") -> Assessment:
    return Assessment(Finding(Validation.INTEGRITY, Outcome.FAILED, reason, hint), anchorage)


def _undecided(
    proven: Proven, anchorage: Finding, trust: Trust, error: PluginError | Exception
) -> Assessment:
    """Nobody answered; an identity that we do not find ourselves may be one that the plugin would have found."""
    reason, hint = str(error), getattr(error, "hint", None) or ""
    own = validations.authenticity(anchorage, proven, trust.identities)
    passed = own.outcome is Outcome.PASSED
    return Assessment(
        Finding(Validation.INTEGRITY, Outcome.UNKNOWN, reason, hint),
        own if passed else Finding(Validation.AUTHENTICITY, Outcome.UNKNOWN, reason, hint),
        None if _skips_revocation(trust) else Finding(Validation.REVOCATION, Outcome.UNKNOWN, reason, hint),
    )


def _skips_revocation(trust: Trust) -> bool:
    return trust.level.action(Validation.REVOCATION) is Action.SKIP


def _attributes(proven: Proven) -> tuple[ExtendedAttribute, ...]:
    return proven.content.envelope.attributes.extended


def _min_version(proven: Proven) -> str | None:
    """The oldest version that the signer allows. Raises `MalformedEnvelope` unless it is a critical SemVer string."""
    for attribute in _attributes(proven):
        if attribute.key == VERIFICATION_PLUGIN_MIN_VERSION:
            version = attribute.value if attribute.critical and isinstance(attribute.value, str) else ""
            return check_version(version, MalformedEnvelope, "the minimum version of the verification plugin")
    return None


def _extended(proven: Proven) -> dict[str, object]:
    """The attributes for the plugin. Raises `MalformedEnvelope` for a critical one that JSON cannot hand over."""
    found: dict[str, object] = {}
    for attribute in _attributes(proven):
        if attribute.key in _OUR_OWN or not isinstance(attribute.key, str):
            continue
        if _is_primitive(attribute.value):
            found[attribute.key] = attribute.value
        elif attribute.critical:
            raise MalformedEnvelope(
                f"the value of critical attribute {quoted(attribute.key)} is no JSON primitive"
            )
    return found


def _is_primitive(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _critical(proven: Proven) -> tuple[str, ...]:
    """The critical attributes that only the plugin can know."""
    return tuple(str(a.key) for a in _attributes(proven) if a.critical and a.key not in _OUR_OWN)


def _wanted(metadata: Metadata, name: str, least: str | None, trust: Trust) -> tuple[Capability, ...]:
    """What to ask the plugin. Raises `PluginError` if it is too old, or verifies nothing."""
    version = rank_of(metadata.version, f"plugin {name}")
    if least is not None and version < rank_of(least, f"plugin {name}"):
        raise PluginError(
            f"found plugin {name} with version {metadata.version} but signature verification needs plugin "
            f"version greater than or equal to {least}"
        )
    able = tuple(capability for capability in _CAPABILITIES if metadata.can(capability))
    if not able:
        raise PluginError(
            f"signature verification needs plugin {name} with verification capabilities, and it has none"
        )
    return tuple(c for c in able if c is not Capability.REVOCATION_CHECK or not _skips_revocation(trust))


def _ask(
    plugin: VerificationPlugin,
    proven: Proven,
    trust: Trust,
    given: tuple[str | None, dict[str, object], tuple[Capability, ...]],
) -> PluginVerdict:
    least, extended, wanted = given
    if not wanted:
        return PluginVerdict({}, frozenset())
    attributes = proven.content.envelope.attributes
    by_authority = proven.scheme is Scheme.SIGNING_AUTHORITY
    return plugin.verify_signature(
        SignatureInQuestion(
            content_type=attributes.content_type,
            scheme=proven.scheme.value,
            expiry=attributes.expiry,
            authentic_signing_time=attributes.signing_time if by_authority else None,
            plugin=proven.plugin or "",
            min_version=least,
            extended=extended,
            unprocessed=_critical(proven),
            chain=proven.content.envelope.unsigned.certificates,
            identities=tuple(identity.text for identity in trust.identities) or (WILDCARD,),
            wanted=wanted,
        )
    )


def _assessed(
    proven: Proven, anchorage: Finding, trust: Trust, wanted: tuple[Capability, ...], verdict: PluginVerdict
) -> Assessment:
    name = proven.plugin or ""
    found = {capability: _finding(capability, name, verdict) for capability in wanted}
    authenticity = found.get(Capability.TRUSTED_IDENTITY)
    return Assessment(
        _integrity(proven, wanted, verdict),
        authenticity or validations.authenticity(anchorage, proven, trust.identities),
        found.get(Capability.REVOCATION_CHECK),
    )


def _integrity(proven: Proven, wanted: tuple[Capability, ...], verdict: PluginVerdict) -> Finding:
    for attribute in _critical(proven):
        if attribute not in verdict.processed:
            reason = (
                f"extended critical attribute {quoted(attribute)} was not processed by the verification "
                f"plugin {quoted(proven.plugin)}"
            )
            return Finding(Validation.INTEGRITY, Outcome.FAILED, reason)
    for capability in wanted:
        if capability not in verdict.results:
            return Finding(Validation.INTEGRITY, Outcome.UNKNOWN, _no_result(capability, proven.plugin or ""))
    return Finding(Validation.INTEGRITY, Outcome.PASSED)


def _no_result(capability: Capability, name: str) -> str:
    return f"verification plugin {quoted(name)} gave no result for {capability}"


def _finding(capability: Capability, name: str, verdict: PluginVerdict) -> Finding:
    validation, what = _CAPABILITIES[capability]
    result = verdict.results.get(capability)
    if result is None:
        return Finding(validation, Outcome.UNKNOWN, _no_result(capability, name))
    if result.success:
        return Finding(validation, Outcome.PASSED, f"by verification plugin {quoted(name)}")
    reason = f"{what} by plugin {quoted(name)} failed with reason {quoted(result.reason)}"
    return Finding(validation, Outcome.FAILED, reason)
