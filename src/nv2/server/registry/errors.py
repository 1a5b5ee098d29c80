"""Refusals in the words of the distribution specification ("Error Codes")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from nv2.server.messages import NO_HEADERS, Answer

Code = Literal[
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
]
"""What a refusal may be called; nothing else is allowed."""


class Refusal(Exception):
    """A request that the registry does not fulfil; `answer` is what the client gets to read."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        detail: Any = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.detail, self.headers = detail, headers

    @property
    def answer(self) -> Answer:
        """The error document and its status."""
        error = {"code": self.code, "message": self.message}
        if self.detail is not None:
            error["detail"] = self.detail
        body = json.dumps({"errors": [error]}, separators=(",", ":")).encode() + b"\n"
        return Answer(self.status, {"Content-Type": "application/json", **self.headers}, body)
