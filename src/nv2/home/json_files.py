"""JSON files as notation reads and writes them, but strictly read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nv2.errors import Nv2Error
from nv2.files import read_file
from nv2.strict_json import ErrorType, Fields, loads

_ESCAPED = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def read_object(path: Path, limit: int, what: str, error: ErrorType) -> Fields | None:
    """The fields of the object in the file `path`, or None if there is no file.

    `limit` (bytes) and `what` are as for `read_file`; whatever is wrong is raised as `error`, at a place in
    `path`. `null` counts as absent, as it does for Go, which writes it for an empty list.
    """
    if not os.path.lexists(path):
        return None
    data = read_file(path, limit, what, error=error, regular=True)

    def located(message: str, *, at: str | None = None, hint: str | None = None) -> Nv2Error:
        return error(message, at=f"{path}: {at}" if at else str(path), hint=hint)

    fields = Fields.of(loads(data, located), "", located)
    return fields._replace(value={key: value for key, value in fields.value.items() if value is not None})


def json_text(document: Any, indent: int) -> str:
    """`document` as Go's encoder writes it: indented, what is special in HTML escaped, no final newline."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    # None of these stands outside strings in JSON.
    return "".join(_ESCAPED.get(character, character) for character in text)
