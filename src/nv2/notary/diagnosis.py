"""What can be said of a registry, wired: probes that read, and on request those that write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from nv2.content.remote.endpoint import Endpoint, base_url
from nv2.content.remote.probes import Finding, State, check_front, find_subject, read_all
from nv2.content.remote.write_probes import write_all
from nv2.errors import UsageError
from nv2.notary.session import Session
from nv2.oci.reference import Reference


class Diagnosis(NamedTuple):
    """What was found, and what it comes to."""

    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        """Whether nothing is bad."""
        return self.state is not State.BAD

    @property
    def state(self) -> State:
        """BAD if anything is, else LIMITED if anything is, else GOOD; what is unknown does not count."""
        found = {finding.state for finding in self.findings}
        return next((state for state in (State.BAD, State.LIMITED) if state in found), State.GOOD)

    @property
    def by_api(self) -> bool:
        """Whether signatures are listed by the referrers API, and not by the fallback tag."""
        signals = {finding.probe: finding.state for finding in self.findings}
        return (
            signals.get("referrers filter") is not None and signals.get("subject", State.GOOD) is State.GOOD
        )

    @property
    def summary(self) -> str:
        """What it means for signatures, in a line."""
        if self.state is State.BAD:
            return "signatures cannot be relied on here; see what is bad"
        how = "by the referrers API" if self.by_api else "by the fallback tag"
        return f"signatures can be stored and found, {how}"


def diagnose(session: Session, reference: Reference, scratch: Reference | None = None) -> Diagnosis:
    """Ask the registry of `reference` what it can do; with `scratch`, write there too, and remove it.

    Raises `UsageError` for a scratch tag that is there, or is of another registry, and what asking for `reference` raises.
    """
    if scratch is not None and (scratch.registry != reference.registry or not scratch.tag or scratch.digest):
        hint = f"name a repository and a new tag of {reference.registry}"
        raise UsageError("this cannot be scratched at", at=str(scratch), hint=hint)
    session.check_registries(reference)
    endpoint = _endpoint(session, reference, push=False)
    base = session.registries.base_of(reference.registry) or base_url(
        reference.registry, plain_http=session.registries.plain_http(reference.registry)
    )
    findings = [*check_front(endpoint, f"{base}/v2", datetime.now(UTC)), _tls(session, base)]
    subject = find_subject(endpoint, reference.wanted or "latest")
    findings += read_all(subject)
    if scratch is not None:
        findings += write_all(_endpoint(session, scratch, push=True), scratch.tag or "")
    return Diagnosis(tuple(findings))


def _endpoint(session: Session, reference: Reference, *, push: bool) -> Endpoint:
    access = session.registries
    return Endpoint(
        reference.registry,
        reference.repository,
        access.transport_to(reference.registry, push=push, alone=True),  # mirrors are not what is asked about
        plain_http=access.plain_http(reference.registry),
        push=push,
        base=access.base_of(reference.registry),
    )


def _tls(session: Session, base: str) -> Finding:
    if base.startswith("http:"):
        why = "whoever is on the way reads and changes lists of signatures, and reads passwords"
        return Finding("tls", State.LIMITED, "none", why)
    version = session.registries.tls_version(base)
    return Finding(
        "tls", State.GOOD if version else State.UNKNOWN, version or "not known, for a proxy or none"
    )
