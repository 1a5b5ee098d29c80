"""May a tag name this artifact? A trust policy decides over content that is at hand; for registries that admit by it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.errors import Nv2Error, PolicyError
from nv2.files import read_file
from nv2.home.policy_file import MAX_POLICY
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.notary.trust_here import choice_of, denials_here, stores_here
from nv2.notary.verification import failure_about, plugin_finder
from nv2.oci.reference import Reference
from nv2.trust.policy import parse_policy
from nv2.trust.trust import Trust
from nv2.trust.verdict import USABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nv2.content.interface import Source
    from nv2.oci.descriptor import Descriptor

FRESH = 60.0
"""Seconds after which trust stores and denials are read anew, and what is known of revocation is asked anew."""


class Judge:
    """What a trust policy says of artifacts, as it stood when this was made. Safe for threads."""

    def __init__(self, policy: Path, registry: str, warn: Callable[[str], None]) -> None:
        """`registry` is what the scopes of the policy call the registry. Raises `PolicyError`, `DenialListError`."""
        data = read_file(policy, MAX_POLICY, "trust policy", error=PolicyError)
        self._registry = registry
        self._session = Session.from_environment(Settings(warn=warn))
        parsed = parse_policy(data, str(policy))
        self._choose = choice_of(parsed, stores_here(self._session), None, denials_here(self._session))

    def refusal(self, source: Source, repository: str, subject: Descriptor) -> str | None:
        """Why `subject`, whose signatures are in `source`, may not be used as one of `repository`; None if it may.

        What cannot be decided is refused too, and the reason says so.
        """
        try:
            return self._refusal(source, repository, subject)
        except Nv2Error as e:
            return f"could not decide whether it is trusted: {e}"

    def close(self) -> None:
        """Close the connections that questions about revocation opened."""
        self._session.close()

    def _refusal(self, source: Source, repository: str, subject: Descriptor) -> str | None:
        trust = self._choose(Reference(self._registry, repository, None, subject.digest))
        if not isinstance(trust, Trust):
            return None  # the level of its statement is skip
        from nv2.verification import evaluate

        verdict = evaluate(
            source,
            subject,
            trust,
            revocation=self._session.revocation,
            now=datetime.now(UTC),
            find_plugin=plugin_finder(self._session.paths),
        )
        shown = f"{self._registry}/{repository}@{subject.digest}"
        return None if verdict.verdict in USABLE else str(failure_about(shown, verdict))


class CurrentJudge:
    """The `Judge` of the policy in a file: a new one when the file has changed, and every `FRESH` seconds."""

    def __init__(self, policy: Path, registry: str, warn: Callable[[str], None]) -> None:
        """As `Judge`, which is made at once."""
        self._arguments = (policy, registry, warn)
        self._policy = policy
        self._lock = threading.Lock()
        self._seen = self._state()
        self._until = time.monotonic() + FRESH
        self._judge = Judge(*self._arguments)

    def __call__(self) -> Judge:
        """The judge of now. Raises as `Judge`, if the file cannot be used any more."""
        with self._lock:
            seen = self._state()
            if seen != self._seen or time.monotonic() >= self._until:
                judge = Judge(*self._arguments)
                self._judge.close()
                self._judge, self._seen, self._until = judge, seen, time.monotonic() + FRESH
            return self._judge

    def _state(self) -> tuple[int, ...]:
        try:
            found = self._policy.stat()
        except OSError:
            return ()  # whoever reads it will say why
        return found.st_ino, found.st_size, found.st_mtime_ns
