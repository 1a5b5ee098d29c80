"""Keys that a signing plugin can reach (plugin-extensibility, "Signing interfaces").

A plugin that can sign bytes gets what is to be signed and no more, and the envelope is made here; one that only
makes whole envelopes is trusted with the payload. Its chain comes with the signature, not before it, so neither is
a `Signer`. What this module does not do: believe the plugin. Whoever asked for an envelope reads and opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

from nv2.envelope.algorithms import Algorithm
from nv2.envelope.envelope import Draft
from nv2.envelope.formats import seal
from nv2.errors import PluginError, SigningKeyError, UsageError
from nv2.keys.interface import EnvelopeMaker, Made
from nv2.programs.contract import Capability
from nv2.programs.plugins.interface import RawSignature, SigningPlugin

_NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})


def plugin_key(plugin: SigningPlugin, key_id: str) -> EnvelopeMaker:
    """The key `key_id` of `plugin`, by whichever of its capabilities serves best. Raises `PluginError`."""
    metadata = plugin.metadata()
    if metadata.can(Capability.RAW):
        return RawKey(plugin, key_id)
    if metadata.can(Capability.ENVELOPE):
        return EnvelopeKey(plugin, key_id)
    raise PluginError("does not have signing capabilities", at=f"plugin {plugin.name}")


class RawKey:
    """A key whose plugin signs bytes: an `EnvelopeMaker`."""

    def __init__(self, plugin: SigningPlugin, key_id: str) -> None:
        self._plugin = plugin
        self._key_id = key_id

    @cached_property
    def algorithm(self) -> Algorithm:
        """What the plugin says that the key prescribes."""
        return self._plugin.describe_key(self._key_id)

    def make(self, media_type: str, draft: Draft) -> Made:
        """Let the plugin sign, and build the envelope. The signing agent names the plugin, as notation's does.

        Raises `PluginError`, and `UsageError` for a draft that makes no envelope.
        """
        answers: list[RawSignature] = []

        def sign(data: bytes) -> bytes:
            answers.append(self._plugin.generate_signature(self._key_id, self.algorithm, data))
            return answers[0].signature

        def chain() -> Iterator[bytes]:
            yield from answers[0].chain

        about = self._plugin.metadata()
        named = draft._replace(signing_agent=f"{draft.signing_agent} {about.name}/{about.version}")
        try:
            return Made(
                seal(media_type, named, chain(), self.algorithm, sign).raw,
                _NO_ANNOTATIONS,
                f"plugin {about.name}",
            )
        except UsageError as e:
            if not answers:
                raise
            raise PluginError(f"its answer makes no envelope: {e}", at=f"plugin {about.name}") from None


class EnvelopeKey:
    """A key whose plugin makes whole envelopes: an `EnvelopeMaker`."""

    def __init__(self, plugin: SigningPlugin, key_id: str) -> None:
        self._plugin = plugin
        self._key_id = key_id

    @property
    def algorithm(self) -> Algorithm:
        """Not known before it signs. Raises `SigningKeyError`."""
        raise SigningKeyError(
            f"the plugin {self._plugin.name!r} lacks the signature generator capability required for blob signing"
        )

    def make(self, media_type: str, draft: Draft) -> Made:
        """Ask the plugin for all of it. Signing time and signing agent are its own. Raises `PluginError`."""
        about = draft.attributes
        seconds = int((about.expiry - about.signing_time).total_seconds()) if about.expiry else None
        made = self._plugin.generate_envelope(
            self._key_id, media_type, draft.payload, about.content_type, seconds
        )
        return Made(made.data, made.annotations, f"plugin {self._plugin.name}")
