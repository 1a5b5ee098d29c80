"""`nv2 plugin`: the plugins of this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nv2.cli import exits
from nv2.cli.command import (
    DEBUG,
    NO_NETWORK_DEBUG,
    OUTPUT,
    VERBOSE,
    Call,
    Command,
    Flag,
    Group,
    Kind,
    wants_json,
)
from nv2.errors import PluginError, UsageError

if TYPE_CHECKING:
    from nv2.notary.machine import Machine
    from nv2.notary.plugins import Installed, Listed

_NO_PROBLEM = "<nil>"
"""As notation prints it."""


def list_all(call: Call) -> int:
    """List the plugins, which are run to say what they are."""
    from nv2.notary.machine import Machine
    from nv2.notary.plugins import list_plugins

    as_json = wants_json(call)
    found = list_plugins(Machine.from_environment().paths)
    if as_json:
        call.output.json({"schema": "nv2.plugin.list/v1", "plugins": [_document(item) for item in found]})
        return exits.DONE
    call.output.table(
        ("NAME", "DESCRIPTION", "VERSION", "CAPABILITIES", "ERROR"),
        [_row(item, call.output.program) for item in found],
    )
    return exits.DONE


def _row(item: Listed, program: str) -> tuple[str, ...]:
    about = item.metadata
    if about is None:
        return (item.name, "", "", "[]", str(item.problem).replace("`nv2 ", f"`{program} "))
    return (item.name, about.description, about.version, f"[{' '.join(about.capabilities)}]", _NO_PROBLEM)


def _document(item: Listed) -> dict[str, Any]:
    about = item.metadata
    if about is None:
        return {"name": item.name, "error": str(item.problem)}
    return {
        "name": item.name,
        "description": about.description,
        "version": about.version,
        "url": about.url,
        "capabilities": list(about.capabilities),
    }


def install(call: Call) -> int:
    """Install a plugin from a file, a directory or an address."""
    from nv2.notary.machine import Machine
    from nv2.notary.plugins import check_download
    from nv2.notary.plugins import install as install_plugin

    from_file, from_url = call.on("file"), call.on("url")
    source, checksum = _source(call), call.string("sha256sum") or None
    if not (from_file or from_url):
        raise UsageError(
            "at least one of the flags in the group [file url] is required", hint=_HOW_TO_INSTALL
        )
    machine = Machine.from_environment()
    with ExitStack() as stack:
        if from_url:
            check_download(source, checksum)
            path = _downloaded(call, machine, stack, source, checksum or "")
        else:
            path = Path(source)
        try:
            done = install_plugin(
                machine.paths,
                machine.lock,
                path,
                checksum=checksum,
                force=call.on("force"),
                warn=call.output.warn,
            )
        except PluginError as e:
            raise PluginError(f"plugin installation failed: {e}", hint=e.hint) from None
    call.output.line(_done(done))
    return exits.DONE


def _downloaded(call: Call, machine: Machine, stack: ExitStack, url: str, checksum: str) -> Path:
    from nv2.notary.plugins import downloaded
    from nv2.notary.registry_access import Settings
    from nv2.notary.session import Session

    settings = Settings(
        ca_file=call.string("ca-file"),
        warn=call.output.warn,
        debug=call.output.note if call.on("debug") else None,
    )
    call.output.line(f"Downloading plugin from {url}")
    session = stack.enter_context(Session.from_environment(settings))
    path = stack.enter_context(downloaded(session.registries.transport(), url, checksum, machine.paths))
    call.output.line("Download completed")
    return path


def _done(done: Installed) -> str:
    if done.before is None:
        return f"Successfully installed plugin {done.name}, version {done.version}"
    return f"Successfully updated plugin {done.name} from version {done.before} to {done.version}"


def _source(call: Call) -> str:
    if len(call.arguments) > 1:
        raise UsageError(f"can only install one plugin at a time, but got [{' '.join(call.arguments)}]")
    if call.arguments:
        return call.arguments[0]
    kinds = (("file", "plugin file path"), ("url", "plugin URL"))
    missing = next((what for flag, what in kinds if call.on(flag)), "plugin source location")
    raise UsageError(f"missing {missing}", hint=_HOW_TO_INSTALL)


_HOW_TO_INSTALL = "nv2 plugin install --file PATH, or --url URL --sha256sum DIGEST"


def uninstall(call: Call) -> int:
    """Remove a plugin."""
    from nv2.notary.machine import Machine
    from nv2.notary.plugins import has_plugin
    from nv2.notary.plugins import uninstall as uninstall_plugin

    machine, name = Machine.from_environment(), call.arguments[0]
    if not has_plugin(machine.paths, name):
        raise PluginError(
            f"unable to find plugin {name}", hint="to view a list of installed plugins, use 'nv2 plugin list'"
        )
    question = f'Are you sure you want to uninstall plugin "{name}"?'
    if not call.on("yes") and not call.output.confirm(question, "yes"):
        return exits.DONE
    uninstall_plugin(machine.paths, machine.lock, name)
    call.output.line(f"Successfully uninstalled plugin {name}")
    return exits.DONE


COMMAND = Group(
    "plugin",
    "Manage plugins",
    (
        Command(
            "list",
            "list installed plugins",
            list_all,
            flags=(OUTPUT, NO_NETWORK_DEBUG, VERBOSE),
            aliases=("ls",),
            description="List installed plugins. Each of them is run, to say what it is.",
            examples=("nv2 plugin ls", "nv2 plugin list --output json"),
            schema="nv2.plugin.list/v1",
        ),
        Command(
            "install",
            "install a plugin",
            install,
            flags=(
                Flag("file", "install from a file or directory of this machine", Kind.BOOL),
                Flag("url", "install from an https address", Kind.BOOL),
                Flag("sha256sum", "SHA-256 of the package in hexadecimal; required with --url"),
                Flag("force", "install whatever version is there already", Kind.BOOL),
                Flag("ca-file", "PEM file of authorities to trust for TLS, besides the system's"),
                DEBUG,
                VERBOSE,
            ),
            usage="<plugin_source>",
            arguments=(0, None),
            aliases=("add",),
            description=(
                "Install a plugin from a directory, a .zip or .tar.gz archive, or the executable alone. It is run\n"
                "once, to say its name and version, before it takes the place of an older one."
            ),
            examples=(
                "nv2 plugin install --file notation-example_1.0.0_linux_amd64.tar.gz",
                "nv2 plugin install --url https://example.com/plugin.tar.gz --sha256sum f8a75d92...",
            ),
            exclusive=(("file", "url"),),
        ),
        Command(
            "uninstall",
            "uninstall a plugin",
            uninstall,
            flags=(Flag("yes", "do not prompt for confirmation", Kind.BOOL, "y"), NO_NETWORK_DEBUG, VERBOSE),
            usage="<plugin_name>",
            arguments=(1, 1),
            too_many="only one plugin can be removed at a time",
            missing="plugin name is required",
            aliases=("remove", "rm"),
            examples=("nv2 plugin uninstall example",),
        ),
    ),
    examples=("nv2 plugin list", "nv2 plugin install --file notation-example_1.0.0_linux_amd64.tar.gz"),
)
