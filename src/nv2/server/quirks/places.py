"""Where registries send their clients: uploads and blobs that are somewhere else, or named in another way."""

from __future__ import annotations

from urllib.parse import quote

from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks.parts import Part, answers, error, part_of, with_headers

STORED = "stored"
"""The parameter by which the storage behind a registry knows an address that the registry signed."""

STATE = "_state"
"""The parameter that keeps the state of an upload."""


def other_name(call: Call) -> str:
    """This machine under another name than the client used: for him, another host."""
    host, _, port = call.headers.get("host", "").rpartition(":")
    return f"{'127.0.0.1' if host == 'localhost' else 'localhost'}:{port}"


def _location(change: str) -> Layer:
    def changed(call: Call, _part: Part, answer: Answer) -> Answer:
        place = answer.headers.get("Location", "")
        if "/blobs/uploads/" not in place:
            return answer
        moved = {
            "absolute": f"http://{call.headers.get('host', '')}{place}",
            "relative": place.rpartition("/")[2],
            "storage": f"http://{other_name(call)}{place}?{STORED}=1",
            "state": f"{place}?{STATE}={place[-8:]}&also=kept",
        }
        return with_headers(answer, Location=moved[change])

    return answers(changed)


def absolute() -> Layer:
    """`Location` is a whole address, without TLS."""
    return _location("absolute")


def relative() -> Layer:
    """`Location` is relative to the address that answered."""
    return _location("relative")


def stateful() -> Layer:
    """`Location` has a query that must come back."""
    located = _location("state")

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if part.kind == "blobs/uploads" and part.name and call.first(STATE) != part.name[-8:]:
            return error(400, "BLOB_UPLOAD_INVALID")
        return located(call, respond)

    return layer


def stored_uploads() -> Layer:
    """Uploads go to another host, which wants no credentials."""
    located = _location("storage")

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if part.kind == "blobs/uploads" and part.name and (refusal := _at_storage(call)):
            return refusal
        return located(call, respond)

    return layer


def stored_blobs() -> Layer:
    """Blobs are read from another host, which wants no credentials."""

    def layer(call: Call, respond: Respond) -> Answer:
        if part_of(call).kind != "blobs" or call.method != "GET":
            return respond(call)
        if call.first(STORED):
            return _at_storage(call) or respond(call)
        place = f"http://{other_name(call)}{quote(call.path, safe='/:')}?{STORED}=1"
        return Answer(307, {"Location": place})

    return layer


def _at_storage(call: Call) -> Answer | None:
    """As object stores do: an address that is signed already is refused to whoever shows credentials besides."""
    if not call.first(STORED):
        return error(404, "NOT_AT_THIS_HOST")
    return error(400, "ONLY_ONE_AUTH_MECHANISM") if "authorization" in call.headers else None
