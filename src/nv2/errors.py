"""Every exception of nv2, split by who must act.

Nv2Error
 ├─ UsageError                the caller: a wrong argument, an impossible combination
 │   └─ InvalidReference      … a reference that cannot be read
 ├─ ConfigurationError        whoever administers this machine
 │   ├─ PolicyError           … the trust policy: absent, malformed, nothing applies
 │   ├─ TrustStoreError       … a named store: absent, empty, a file that is no certificate
 │   ├─ DenialListError       … the list of denials: unreadable, malformed
 │   ├─ SigningKeyError       … a signing key or its certificates: absent, unreadable, not a pair
 │   ├─ CredentialError       … stored credentials, a credential helper
 │   └─ PluginError           … a plugin: absent, not to be run, refuses, or answers wrongly
 ├─ EnvironmentFailure        the machine: disk full, permission, no such file
 ├─ RemoteError               the remote party
 │   ├─ Unreachable           … no connection, time-out, TLS failure
 │   ├─ Refused               … 401, 403: credentials are missing or do not suffice
 │   ├─ NotFound              … 404: no such tag, manifest, blob, repository
 │   ├─ BadAnswer             … 5xx, 429 to the end, not what the protocol says
 │   └─ InvalidRevocationData  … a CRL or an OCSP response that cannot be read
 ├─ ArtifactError             whoever made the artifact or its signatures
 │   ├─ ContentMismatch       … bytes that do not have the digest or size asked for
 │   ├─ MalformedManifest     … a manifest or index that cannot be read
 │   ├─ MalformedEnvelope     … a signature envelope that cannot be read, or breaks its rules
 │   ├─ InvalidSignature      … the envelope's signature does not fit its content
 │   ├─ InvalidTimestamp      … a timestamp token that cannot be read, or does not prove a time
 │   └─ InvalidCertificate    … a certificate or chain that breaks the profile
 ├─ PartlySigned              whoever must act about its `cause`: some of what belongs to an artifact is signed
 ├─ NotTrusted                the verdict: no signature makes the artifact trusted
 └─ Undecided                 the verdict: it could not be decided whether one does

An error says where (`at`), what (`message`), and what to do (`hint`, may be absent).
"""

from __future__ import annotations

TYPE_CHECKING = False  # without loading `typing`: `nv2 --version` needs errors, and nothing of it
if TYPE_CHECKING:
    from nv2.notary.recursion import SignedAll
    from nv2.trust.verdict import ArtifactVerdict


class Nv2Error(Exception):
    """Whatever nv2 raises on purpose.

    `message` is lower case without a full stop; `at` is a place such as
    `trustPolicies[2].trustStores[0]` or a file name; `hint` is one line of advice.
    """

    side: str | None = None
    """Where something moves: whether the `source` or the `destination` is at fault (`nv2.blame`)."""
    about: str | None = None
    """The digest of what was asked for then."""

    def __init__(self, message: str, *, at: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class UsageError(Nv2Error):
    """The caller asked for something that cannot be."""


class InvalidReference(UsageError):
    """A reference that cannot be read."""


class ConfigurationError(Nv2Error):
    """The set-up of this machine must change."""


class PolicyError(ConfigurationError):
    """The trust policy is absent, malformed, or has no statement for the artifact."""


class TrustStoreError(ConfigurationError):
    """A named trust store is absent, empty or holds something else than certificates."""


class DenialListError(ConfigurationError):
    """The list of denials is there and cannot be read: nothing is trusted before it can."""


class SigningKeyError(ConfigurationError):
    """A signing key or its certificates cannot be used."""


class CredentialError(ConfigurationError):
    """Stored credentials or a credential helper cannot be used."""


class PluginError(ConfigurationError):
    """A plugin is absent or must not be run, refuses, or does not keep the contract."""


class EnvironmentFailure(Nv2Error):
    """The machine refused: disk full, permission denied, no such file."""


class RemoteError(Nv2Error):
    """The remote party did not do its part."""


class Unreachable(RemoteError):
    """No connection, a time-out, or a TLS failure."""


class Refused(RemoteError):
    """The remote party wants other credentials (401, 403)."""


class NotFound(RemoteError):
    """The remote party does not have it (404)."""


class BadAnswer(RemoteError):
    """The answer is an error, or is not what the protocol says."""


class InvalidRevocationData(RemoteError):
    """A CRL or an OCSP response that cannot be read, or breaks the rules of its format."""


class ArtifactError(Nv2Error):
    """The bytes of the artifact, or of what is attached to it, are at fault."""


class ContentMismatch(ArtifactError):
    """Bytes that do not have the digest or the size that was asked for."""

    again: bool = False
    """Whether it was a mirror's copy: who asks again asks somebody else."""


class MalformedManifest(ArtifactError):
    """A manifest, index or layout that cannot be read."""


class MalformedEnvelope(ArtifactError):
    """A signature envelope that cannot be read or breaks the rules of its format."""


class InvalidSignature(ArtifactError):
    """The signature does not fit the signed content."""


class InvalidTimestamp(ArtifactError):
    """A timestamp token that cannot be read, breaks its rules, or does not fit the signature."""


class InvalidCertificate(ArtifactError):
    """A certificate, or a chain of them, that breaks the profile."""


class PartlySigned(Nv2Error):
    """Some of what belongs to an artifact is signed, as `done` lists it, and then `cause` ended it at `at`."""

    def __init__(self, cause: Nv2Error, done: SignedAll, at: str) -> None:
        super().__init__(str(cause), at=at, hint=cause.hint or "the same command goes on from there")
        self.cause = cause
        self.done = done

    def __reduce__(self) -> tuple[type[PartlySigned], tuple[Nv2Error, SignedAll, str | None]]:
        return type(self), (self.cause, self.done, self.at)


class _VerdictError(Nv2Error):
    def __init__(self, message: str, verdict: ArtifactVerdict, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.verdict = verdict

    def __reduce__(self) -> tuple[type[_VerdictError], tuple[str, ArtifactVerdict], dict[str, object]]:
        return type(self), (self.message, self.verdict), self.__dict__


class NotTrusted(_VerdictError):
    """No signature makes the artifact trusted; `verdict` holds every finding."""


class Undecided(_VerdictError):
    """It could not be decided whether the artifact is trusted; `verdict` holds every finding."""
