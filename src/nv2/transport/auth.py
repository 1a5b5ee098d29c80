"""Logging in: the conversation with a registry that wants basic or bearer credentials.

Credentials belong to an origin (scheme, host, port). A challenge that came from another one, after a
redirect, is not answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from nv2.transport.interface import Pending, Request, Response, Transport
from nv2.transport.tokens import Token, TokenStore, fetch_token, split_scopes
from nv2.transport.urls import Origin, origin_of

if TYPE_CHECKING:
    from nv2.transport.challenges import Challenge
    from nv2.transport.credentials import Credential

CredentialsFor = Callable[[str], "Credential | None"]
"""Given `host[:port]`, its credentials or None. May run a program; asked once per host."""

Conversation = Generator[Request, Response, Response]
"""Yields requests, is sent their responses, returns the response to the first."""


class Account:
    """What is known of one origin: the credentials, the way to log in, the tokens. Safe for threads."""

    def __init__(self, origin: Origin, credentials_for: CredentialsFor) -> None:
        self.origin = origin
        self.tokens = TokenStore()
        self.basic: str | None = None
        self._credentials_for = credentials_for
        self._lock = threading.Lock()
        self._asked: tuple[Credential | None] | None = None

    def credential(self) -> Credential | None:
        """The credentials, looked up when they are first needed."""
        with self._lock:
            if self._asked is None:
                self._asked = (self._credentials_for(self.origin.authority),)
            return self._asked[0]

    def authorization(self, scopes: tuple[str, ...]) -> str | None:
        """The header value to send without being asked, if one is known."""
        token = self.tokens.find(split_scopes(scopes))
        return f"Bearer {token.text}" if token else self.basic


def login(request: Request, account: Account) -> Conversation:
    """Send `request`; log in if its answer is a challenge, and send it again, once.

    Returns the last response, which may still be a 401. Raises `Refused`, `BadAnswer`, `CredentialError`.
    """
    sent = account.authorization(request.scopes)
    response = yield _authorized(request, sent)
    if response.status != 401 or origin_of(response.url) != account.origin:
        return response
    from nv2.transport.challenges import choose  # only those who are asked to log in need it

    challenge = choose(response.headers.get("www-authenticate", ""))
    if challenge is None:
        return response
    if sent and sent.startswith("Bearer "):
        account.tokens.forget(sent.removeprefix("Bearer "))
    answer = yield from _answer(challenge, request, account)
    if answer is None or answer == sent:
        return response
    response.discard()
    return (yield _authorized(request, answer))


def _answer(
    challenge: Challenge, request: Request, account: Account
) -> Generator[Request, Response, str | None]:
    """The header value that answers `challenge`, or None if there is nothing to answer with."""
    credential = account.credential()
    if challenge.scheme == "basic":
        account.basic = credential.basic if credential and credential.username else None
        return account.basic
    if credential and credential.registry_token:
        return f"Bearer {credential.registry_token}"
    scopes = split_scopes((*request.scopes, challenge.scope))
    with account.tokens.fetching:
        token: Token | None = account.tokens.find(scopes)
        if token is None:
            token = yield from fetch_token(account.origin, challenge, scopes, credential)
            account.tokens.keep(token)
    return f"Bearer {token.text}"


def _authorized(request: Request, authorization: str | None) -> Request:
    if authorization is None:
        return request
    return request._replace(headers={**request.headers, "Authorization": authorization})


class _Talk:
    """A conversation under way, carried on by whoever waits for its end; keeps the `Pending` protocol."""

    def __init__(self, transport: Transport, conversation: Conversation) -> None:
        self._transport = transport
        self._conversation = conversation
        self._pending = transport.start(next(conversation))

    def response(self) -> Response:
        """The last response. Raises what the transport and the conversation raise."""
        with closing(self._conversation):
            while True:
                response = self._pending.response()
                try:
                    request = self._conversation.send(response)
                except StopIteration as end:
                    found: Response = end.value
                    return found
                except BaseException:
                    response.discard()
                    raise
                self._pending = self._transport.start(request)


class Authenticated:
    """A `Transport` that logs in on the way. One of it serves a process: tokens are shared."""

    def __init__(self, transport: Transport, credentials_for: CredentialsFor) -> None:
        self._transport = transport
        self._credentials_for = credentials_for
        self._accounts: dict[Origin, Account] = {}
        self._lock = threading.Lock()

    def start(self, request: Request) -> Pending:
        """Begin `request`, with what is known of its origin; an anonymous one passes untouched."""
        if request.anonymous:
            return self._transport.start(request)
        origin = origin_of(request.url)
        with self._lock:
            if origin not in self._accounts:
                self._accounts[origin] = Account(origin, self._credentials_for)
        return _Talk(self._transport, login(request, self._accounts[origin]))
