"""Asking an application behind the listener without a socket, and reading what it answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from nv2.server.bodies import SizedBody
from nv2.server.messages import Answer, Call, FileSlice


class Heard(NamedTuple):
    """An answer whose body was read."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str(self.json["errors"][0]["code"])


def ask(
    respond: Callable[[Call], Answer], method: str, target: str, body: bytes = b"", **headers: str
) -> Heard:
    """The answer to a request; `content_type="…"` is the header `content-type`."""
    path, _, query = target.partition("?")
    fields = {key: tuple(values) for key, values in parse_qs(query, keep_blank_values=True).items()}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = respond(Call(method, path, SizedBody(io.BytesIO(body), len(body)), named, fields))
    try:
        return Heard(answer.status, answer.headers, _read(answer.body))
    finally:
        answer.close()


def _read(body: bytes | FileSlice) -> bytes:
    if isinstance(body, bytes):
        return body
    body.file.seek(body.offset)
    return body.file.read(body.size)
