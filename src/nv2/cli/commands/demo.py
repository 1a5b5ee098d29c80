"""`nv2 demo`: the main road on a registry that needs no installation, each command before its output."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nv2.cli import exits
from nv2.cli.command import Call, Command
from nv2.cli.demo_image import push_image
from nv2.cli.dispatch import main
from nv2.cli.output import as_program
from nv2.errors import EnvironmentFailure
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import parse_registry
from nv2.server.registry import serve

LOCALKEYS = "config/localkeys"


class Step(NamedTuple):
    """A command line of the demo, what is said before it, and how it must end."""

    say: str
    words: str
    code: int = exits.DONE


def run(call: Call) -> int:
    """Run the demo in a temporary directory; the exit code says whether every step ended as it must."""
    with (
        tempfile.TemporaryDirectory(prefix="nv2-demo-") as name,
        _inside(Path(name)) as directory,
        serve(directory / "registry", "127.0.0.1", 0) as registry,
    ):
        image = f"{registry.address}/net-monitor"
        subject = push_image(parse_registry(f"{image}:v1"), "net-monitor, version 1\n")
        call.output.line(f"A registry runs at {registry.address}, with a small image: {image}:v1")
        _play(call, _signing(image, f"{image}@{subject.digest}"))
        _play(call, _refusing(f"{image}@{subject.digest}"))
        push_image(parse_registry(f"{image}:v1"), "net-monitor, tampered with\n")
        _play(call, _changed_tag(image))
        _play(call, _copying(registry.address, image, subject))
        _tamper(directory / "registry", subject)
        _play(call, _changed_bytes(image, subject))
    call.output.lines(as_program(line, call.output.program) for line in _NEXT)
    return exits.DONE


def _signing(image: str, pinned: str) -> Iterator[Step]:
    yield Step(
        "Wabbit Networks makes a key.",
        "key generate wabbit-networks --subject C=US,ST=WA,O=wabbit-networks.io",
    )
    yield Step(
        "Wabbit signs. The image's digest and tag do not change.", f"sign -k wabbit-networks -r {image}:v1"
    )
    yield Step("The signature lies beside the image.", f"list {pinned}")
    yield Step("What does it say?", f"inspect {pinned}")
    yield Step(
        "Somebody who has Wabbit's certificate verifies.",
        f"verify -k {LOCALKEYS}/wabbit-networks.crt -r {pinned}",
    )
    yield Step(
        "ACME Rockets makes a key of its own …",
        "key generate acme-rockets --subject C=US,ST=WA,O=acme-rockets.io",
    )
    yield Step(
        "… and adds its signature: this image may run in production.",
        f"sign -k acme-rockets --signature-format cose -m stage=production -r {pinned}",
    )
    yield Step("Two signatures now.", f"list {pinned}")
    yield Step(
        "ACME's servers trust ACME's certificate …",
        f"cert add --type ca --store acme-rockets {LOCALKEYS}/acme-rockets.crt",
    )
    yield Step(
        "… for images of this repository, and nothing else.",
        f"policy init --name production --registry-scope {image} --trust-store ca:acme-rockets --trusted-identity "
        "x509.subject:C=US,ST=WA,O=acme-rockets.io",
    )
    yield Step("A server verifies before it runs the image.", f"verify {pinned}")


def _refusing(pinned: str) -> Iterator[Step]:
    yield Step("Mallory has a key too …", "key generate mallory --subject C=US,ST=WA,O=mallory.example")
    yield Step(
        "… but nobody signed with it: refused.",
        f"verify -k {LOCALKEYS}/mallory.crt -r {pinned}",
        exits.NOT_TRUSTED,
    )


def _changed_tag(image: str) -> Iterator[Step]:
    yield Step(
        "Somebody pushed a changed image under the same tag. It has no signature: refused.",
        f"verify {image}:v1",
        exits.NOT_TRUSTED,
    )


def _copying(address: str, image: str, subject: Descriptor) -> Iterator[Step]:
    copy = f"{address}/acme/net-monitor"
    yield Step(
        "The signed image moves to ACME's own repository, and its signatures with it.",
        f"copy {image}@{subject.digest} {copy}:v1",
    )
    yield Step("They arrived.", f"list {copy}:v1")
    yield Step("And they count.", f"verify -k {LOCALKEYS}/acme-rockets.crt -r {copy}:v1")


def _changed_bytes(image: str, subject: Descriptor) -> Iterator[Step]:
    yield Step(
        "Somebody changed a byte on the registry's disk. The digest no longer fits: refused.",
        f"verify {image}@{subject.digest}",
        exits.FAILED,
    )


_NEXT = (
    "",
    "That was it; registry, keys and configuration of the demo are gone. What to try next:",
    "",
    "  nv2 registry serve --dir ./registry            a registry of your own on this machine",
    "  docker push localhost:5000/net-monitor:v1      any OCI client will do",
    "  nv2 key generate ci --subject C=US,ST=WA,O=example.com --default",
    "  nv2 sign localhost:5000/net-monitor:v1",
    "  nv2 --help",
)


def _play(call: Call, steps: Iterator[Step]) -> None:
    for step in steps:
        words = f"{call.output.program} {step.words}"
        call.output.lines(("", f"# {step.say}", f"$ {words}"))
        call.output.flush()
        call.output.warned = False  # or the empty line after an earlier step's warning comes now
        code = main(step.words.split(), call.output)
        call.output.flush()
        expected = exits.of_program(step.code, call.output.program)
        if code != expected:
            raise EnvironmentFailure(f"ended with exit code {code} instead of {expected}", at=words)
        if code:
            call.output.line(f"(exit code {code})")


@contextmanager
def _inside(directory: Path) -> Iterator[Path]:
    """Work in `directory`, with the configuration in it, and nothing of the caller's own."""
    before, environ = os.getcwd(), dict(os.environ)
    names = {
        "NOTATION_CONFIG": "config",
        "NOTATION_CACHE": "cache",
        "XDG_STATE_HOME": "state",
        "DOCKER_CONFIG": "docker",
    }
    for foreign in ("NV2_CONFIG", "NOTATION_USERNAME", "NOTATION_PASSWORD"):
        os.environ.pop(foreign, None)
    os.environ.update({variable: str(directory / name) for variable, name in names.items()})
    os.chdir(directory)
    try:
        yield directory
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)


def _tamper(registry: Path, subject: Descriptor) -> None:
    """Change one byte of the manifest where the registry keeps it."""
    encoded = subject.digest.partition(":")[2]
    path = next(path for path in registry.rglob(encoded) if path.is_file())
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


COMMAND = Command(
    "demo",
    "watch an image get signed, verified, tampered with and refused",
    run,
    arguments=(0, 0),
    description=(
        "Start a registry in a temporary directory, push a small image, then sign, list, inspect, verify,\n"
        "tamper and copy, showing each command line before its output. Leaves nothing behind."
    ),
    examples=("nv2 demo",),
)
