"""Layers that need no login: nothing may be written, or only so much of it at a time."""

from __future__ import annotations

from nv2.server.access.scopes import READING
from nv2.server.messages import Answer, BadMessage, Body, Call, Respond
from nv2.server.registry.errors import Refusal


def read_only(call: Call, respond: Respond) -> Answer:
    """Refuse whatever would change something."""
    if call.method in READING:
        return respond(call)
    refusal = Refusal(405, "UNSUPPORTED", "this registry is read-only", headers={"Allow": "GET, HEAD"})
    return refusal.answer


class BodyLimit:
    """Refuse bodies of more than `limit` bytes: those that say so at once, the others where they pass it.

    What comes in several requests is bounded where it is put together (`Call.upload_limit`).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, call: Call, respond: Respond) -> Answer:
        """The answer to `call`, or 413."""
        if (call.body.size or 0) > self.limit:
            return Refusal(413, "SIZE_INVALID", f"a request has at most {self.limit} bytes here").answer
        return respond(call._replace(body=_Counted(call.body, self.limit), upload_limit=self.limit))


class _Counted:
    def __init__(self, body: Body, limit: int) -> None:
        self.size = body.size
        self._body = body
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._body.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise BadMessage(413, "the request is larger than this registry takes")
        return data
