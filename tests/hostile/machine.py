"""A machine, and a registry that lies to it: what every row of this suite is struck at.

The machine has a policy (strict), a trust store with one authority, a signing key, and `image`, which nobody has
signed. `Attack.strike` makes of that whatever somebody else could have made of it; then one command runs, in this
process, over everything of nv2 but the sockets.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, cast

import pytest

from nv2.errors import BadAnswer
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import build_signature_manifest
from nv2.transport.interface import Pending, Request, Response
from nv2.transport.urls import origin_of
from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.conftest import WABBIT
from tests.world.ca import CA, Pair, pem
from tests.world.images import image
from tests.world.network import FunctionTransport, Settled, answer
from tests.world.registry import Registry, Repository
from tests.world.signed import SIGNED_AT, sealed

HOST = "registry.test"
SCOPE = f"{HOST}/app"
KIB = 1024
MIB = 1024 * 1024
MEMORY = 48 * MIB
"""What a row may take at once that does not say less or more: a few answers of the largest size, and what is read out of them."""

BUILD = WABBIT.issue("build", key="EC-256")
STRANGER = CA("Stranger").issue("stranger", key="EC-256")
STATEMENT: Mapping[str, Any] = {
    "name": "images",
    "registryScopes": [SCOPE],
    "signatureVerification": {"level": "strict"},
    "trustStores": ["ca:wabbit"],
    "trustedIdentities": ["*"],
}

NOT_TRUSTED, USAGE, UNDECIDED = 1, 2, 3
Answer = Callable[[Request], Response]

_PLACE = re.compile(
    r"registry\.test|127\.0\.0\.1:|sha256:|trustPolicies|/|name \"|plugin [a-z]|'[^']*' cannot be"
)
"""Where something is wrong: a host, a digest, a place in a document, a file, a name, a plugin."""


class Zeros(io.RawIOBase):
    """A body without end."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "a body without end was read to its end"
        return bytes(min(size, 64 * KIB))


class Network(FunctionTransport):
    """The machine's only way out. Counts requests and bytes."""

    def __init__(self, hosts: dict[str, Answer]) -> None:
        super().__init__(hosts)
        self.read = 0

    def start(self, request: Request) -> Pending:
        try:
            origin_of(request.url)  # as a real one does
        except BadAnswer as e:
            return Settled(e)
        pending = cast(Settled, super().start(request))
        if not isinstance(pending.outcome, Response):
            return pending
        return Settled(
            pending.outcome._replace(stream=cast(BinaryIO, _Counted(pending.outcome.stream, self)))
        )

    def prepare(self, *_: object) -> None:
        """As a real one; there is nothing to open."""

    def close(self) -> None:
        """As a real one; there is nothing to close."""


class _Counted(io.RawIOBase):
    def __init__(self, stream: BinaryIO, network: Network) -> None:
        self._stream = stream
        self._network = network

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._network.read += len(found)
        return found


class Machine:
    """See the module. `line.directory` holds its files, `hosts` whoever answers on its network."""

    def __init__(self, line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.line = line
        self.config = line.config
        self.monkeypatch = monkeypatch
        self.registry = Registry()
        self.image = self._push("app", "v1")
        self.entries: list[dict[str, Any]] = []
        """What `list_entries` will list."""
        self._lies: list[tuple[str, Answer]] = []
        self.hosts: dict[str, Answer] = {HOST: self._answer}
        self.network = Network(self.hosts)
        monkeypatch.setattr("nv2.notary.registry_access.HttpTransport", lambda _: self.network)
        monkeypatch.setattr("nv2.content.remote.fallback.MIN_WAIT", 0.0)
        self.policy()
        self.store("ca/wabbit", root=pem([WABBIT.certificate]))

    # --- the registry

    @property
    def repository(self) -> Repository:
        return self.registry.repository("app")

    @property
    def subject(self) -> Descriptor:
        """The image."""
        return image("app").descriptor

    def lie(self, part: str, answer: Answer) -> None:
        """From now on, `answer` answers every request with `part` in its address."""
        self._lies.append((part, answer))

    def say(self, part: str, body: bytes, media_type: str, **headers: str) -> None:
        """From now on, these bytes are the answer."""
        told = {"Content-Type": media_type, **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.lie(part, lambda request: answer(request, 200, body, told))

    def drip(self, part: str, media_type: str) -> None:
        """From now on, the answer has no end."""
        headers = {"content-type": media_type}
        self.lie(part, lambda request: Response(200, headers, cast(BinaryIO, Zeros()), request))

    def attach(
        self,
        envelope: bytes,
        *,
        media_type: str = mt.JWS,
        thumbprints: Sequence[str] = (),
        blob: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Attach `envelope` to the image; the digest of the manifest. `changes` are of the manifest's members,
        `blob` of its layer."""
        self.repository.add_blob(envelope)
        layer = describe(envelope, media_type)
        built = build_signature_manifest(self.subject, layer, tuple(thumbprints), SIGNED_AT)
        self.repository.add_blob(built.config[1])
        document = {**json.loads(built.data), **changes}
        if blob:
            document["layers"] = [{**layer.to_json(), **blob}]
        return self.repository.add(json.dumps(document).encode(), mt.IMAGE_MANIFEST)

    def sign(self, pair: Pair = BUILD, *, target: Descriptor | None = None, **how: Any) -> str:
        """Sign the image well; `how` are arguments of `sealed`."""
        data = sealed(target or self.subject, pair, **how)
        return self.attach(
            data,
            media_type=how.get("media_type", mt.JWS),
            thumbprints=[hashlib.sha256(der).hexdigest() for der in pair.chain],
        )

    def list_entries(self) -> None:
        """From now on, the registry lists `entries`."""
        self.listing(self.entries)

    def listing(self, entries: Sequence[Any]) -> None:
        """From now on, the registry lists these as what refers to the image."""
        document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": list(entries)}
        self._lies = [(part, lie) for part, lie in self._lies if part != "/referrers/"]
        self.say("/referrers/", json.dumps(document).encode(), mt.IMAGE_INDEX)

    def entry(self, digest: str, /, **changes: Any) -> dict[str, Any]:
        """How a listing names the signature manifest `digest`."""
        media_type, data = self.repository.manifests[digest]
        found = describe(data, media_type, artifact_type=mt.SIGNATURE).to_json()
        return {**found, **changes}

    def _push(self, text: str, tag: str) -> str:
        made = image(text)
        for _, data in made.blobs:
            self.repository.add_blob(data)
        return self.repository.add(made.manifest, made.descriptor.media_type, tag)

    def _answer(self, request: Request) -> Response:
        for part, lie in self._lies:
            if part in request.url:
                return lie(request)
        return self.registry(request)

    # --- the files

    def policy(self, text: str | None = None, **changes: Any) -> None:
        """Write the policy: `text` as it is, or the usual one with `changes` of its statement."""
        statement = {**STATEMENT, **changes}
        self.config.mkdir(exist_ok=True)
        whole = json.dumps({"version": "1.0", "trustPolicies": [statement]}) if text is None else text
        (self.config / "trustpolicy.json").write_text(whole, encoding="utf-8")

    def store(self, place: str, **files: bytes) -> None:
        """Write files, `name=bytes` for `name.crt`, into the trust store `type/name`."""
        folder = self.config / "truststore" / "x509" / place
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / f"{name}.crt").write_bytes(data)

    # --- the command

    def run(self, words: str) -> Ended:
        """Run a command; IMAGE is the image by digest, TAG by tag."""
        places = {"IMAGE": f"{SCOPE}@{self.image}", "TAG": f"{SCOPE}:v1"}
        return self.line(*(places.get(word, word) for word in words.split()))


def nothing(_: Machine) -> None:
    """The words alone are the attack."""


class Attack(NamedTuple):
    """A row: what is done to the machine, and how little comes of it."""

    name: str
    strike: Callable[[Machine], object]
    says: str
    code: int = UNDECIDED
    words: str = "verify IMAGE"
    requests: int = 12
    """At most so many are sent."""
    read: int = MIB
    """At most so many bytes of answers are read."""
    memory: int = MEMORY
    """At most so many bytes are taken and in use at once while the command runs."""


def check(machine: Machine, attack: Attack) -> Ended:
    """Strike, run, and hold the end against what the row promises."""
    attack.strike(machine)
    tracemalloc.start()
    try:
        ended = machine.run(attack.words)
        assert tracemalloc.get_traced_memory()[1] <= attack.memory
    finally:
        tracemalloc.stop()
    check_ended(ended, attack.code, attack.says)
    assert len(machine.network.requests) <= attack.requests
    assert machine.network.read <= attack.read
    return ended


def check_ended(ended: Ended, code: int, says: str) -> None:
    """One error with its place, the right kind of no, and nothing else."""
    errors = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ended.err
    assert code == USAGE or _PLACE.search(ended.err), f"no place: {ended.err}"
    assert says in ended.err, ended.err
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err + ended.out
    assert "Successfully" not in ended.out
    assert all(len(line) < 2 * KIB for line in ended.err.splitlines()), "an error of many lines in one"


def trusts(machine: Machine, words: str = "verify IMAGE") -> None:
    """The machine says yes."""
    ended = machine.run(words)
    assert (ended.code, "Successfully verified" in ended.out) == (0, True), ended.err
