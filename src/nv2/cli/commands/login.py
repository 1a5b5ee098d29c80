"""`nv2 login`: check credentials with a registry, and keep them."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, VERBOSE, Call, Command, Flag, Kind
from nv2.errors import EnvironmentFailure, Nv2Error, UsageError

MAX_SECRET = 64 * 1024
"""Characters of a password or token on standard input. Tokens of registries have some thousands."""

HOW_TO = "see https://notaryproject.dev/docs/how-to/registry-authentication/"


class Secret(NamedTuple):
    """A user name and password, or without a user name an identity token."""

    username: str
    password: str


def run(call: Call) -> int:
    """Log in to one registry."""
    from nv2.notary.logins import check_server, log_in

    server = check_server(call.arguments[0])
    secret = _secret(call)
    values = {**call.values, "username": secret.username, "password": secret.password}
    try:
        kept = log_in(options.session(call._replace(values=values)), server, *secret)
    except UsageError:
        raise
    except Nv2Error as e:
        raise type(e)(f"failed to log in to {server}: {e}", hint=e.hint or HOW_TO) from None
    if not kept:
        call.output.warn(
            "The credentials store is not set up. It is recommended to configure the credentials store to securely "
            f"store your credentials. {HOW_TO.capitalize()}."
        )
        call.output.line("Authenticated with existing credentials")
    call.output.line("Login Succeeded")
    return exits.DONE


def _secret(call: Call) -> Secret:
    """From the flags, the environment, standard input, or the person at the terminal."""
    username = _given(call, "username", "NOTATION_USERNAME")
    if call.on("password-stdin"):
        password = _all_of_input()
    else:
        password = _given(call, "password", "NOTATION_PASSWORD")
        if "password" in call.changed:
            call.output.warn(
                "other users of this machine can see a password on the command line; use --password-stdin"
            )
    if password:
        return Secret(username, password)
    if not username:
        username = _ask_username(call)
    word = "password" if username else "token"
    password = _ask_password(call, f"{word.capitalize()}: ")
    if not password:
        raise UsageError(f"{word} required", hint="give it with --password-stdin, or at the prompt")
    return Secret(username, password)


def _given(call: Call, flag: str, variable: str) -> str:
    found = call.string(flag)
    return os.environ.get(variable, "") if found is None else found


def _all_of_input() -> str:
    found = sys.stdin.read(MAX_SECRET + 1)
    if len(found) > MAX_SECRET:
        raise UsageError(f"the password on standard input is longer than {MAX_SECRET} characters")
    return found.removesuffix("\n").removesuffix("\r")


def _ask_username(call: Call) -> str:
    found = call.output.ask("Username: ")
    if found is None:
        raise EnvironmentFailure("error reading username: end of input", hint="use -u, and --password-stdin")
    return found.strip()


def _ask_password(call: Call, prompt: str) -> str:
    if not sys.stdin.isatty():
        call.output.raw(prompt)
        found = _all_of_input()
        call.output.line()
        return found
    import getpass

    call.output.flush()
    return getpass.getpass(prompt)


COMMAND = Command(
    "login",
    "log in to a registry",
    run,
    flags=(
        *options.CONNECTION,
        Flag("password-stdin", "take the password from standard input", Kind.BOOL),
        DEBUG,
        VERBOSE,
    ),
    usage="<server>",
    arguments=(1, None),
    missing="no hostname specified",
    description=(
        "Log in to a registry: the credentials are checked with it and then kept by a credential helper.\n"
        "With an empty user name, the password is an identity token."
    ),
    examples=(
        "nv2 login -u alice --password-stdin registry.example.com < password.txt",
        "nv2 login registry.example.com  # with $NOTATION_USERNAME and $NOTATION_PASSWORD, or prompts",
    ),
)
