"""Why a registry let us not in (401, 403), as far as its answer tells, and what may help."""

from __future__ import annotations

from typing import NamedTuple

from nv2.transport.interface import Response
from nv2.transport.urls import Origin, origin_of

WRONG = (
    "are the user name and the password right? Some registries want a token in place of the password. "
    "Flags and $NOTATION_PASSWORD come before what 'nv2 login' keeps"
)
"""The hint where credentials were sent and refused."""


class Refusal(NamedTuple):
    """What follows "was refused" in a message, and the hint."""

    how: str
    hint: str


def explain(response: Response, registry: Origin, at: str) -> Refusal:
    """What the answer `response`, a 401 or 403 of `registry` (which users call `at`) or of whom it
    sent the request to, means."""
    status = response.status
    there = origin_of(response.url)
    if there != registry:
        hint = f"credentials are sent to {at} alone; name {there.authority} as the registry if that is meant"
        return Refusal(f"({status}) by {there.place}, where {at} sends it", hint)
    how = f"({status})"
    sent = response.request.headers.get("Authorization", "")
    if not sent and status == 401:
        return Refusal(how, f"nv2 login {at}")
    if not sent:  # a registry that wanted to know who asks would have said 401: it has reasons of its own
        return Refusal(how, f"the registry says why, if at all; if it minds who asks: nv2 login {at}")
    if sent.startswith("Basic ") and status == 401:
        return Refusal(how, WRONG)
    if _challenge_error(response) == "invalid_token":
        hint = "the registry does not accept the token: do the clocks of it and its token server agree?"
        return Refusal(f"({status}, invalid token)", hint)
    return Refusal(how, f"nv2 login {at}, as a user who may do that")


def _challenge_error(response: Response) -> str:
    """What was wrong with the token (RFC 6750 section 3.1), or nothing."""
    from nv2.transport.challenges import choose

    challenge = choose(response.headers.get("www-authenticate", ""))
    return challenge.error if challenge else ""
