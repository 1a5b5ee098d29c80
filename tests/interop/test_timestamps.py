"""Timestamps: `openssl ts` as another authority and another verifier, and notation on the same authority, both ways."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509

from nv2.content.interface import opener
from nv2.envelope import formats
from nv2.envelope.envelope import Scheme, SignedAttributes
from nv2.envelope.payload import build_payload
from nv2.errors import InvalidTimestamp
from nv2.home.paths import Paths
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.oci.manifest import build_signature_manifest
from nv2.oci.reference import parse
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import parse_chain
from nv2.pki.timestamp_chain import timestamp_chain
from nv2.pki.timestamp_request import build_request, open_reply
from nv2.server.registry import serve
from tests.interop.home import Home, new_home
from tests.world.ca import CA, NOT_BEFORE, TIME_STAMPING, Pair, pem
from tests.world.images import push_image
from tests.world.tsa import ESS_V1, OCTETS, SEQUENCE, TSA, attribute, serving, tlv

WHAT = b"the signature"
NONCE = 1 << 127 | 3
STAMPING: dict[str, Any] = {"eku": (TIME_STAMPING,), "eku_critical": True}

CONFIGURATION = """
[tsa]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
signer_digest = {digest}
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
ess_cert_id_chain = {chain}
ess_cert_id_alg = {named}
"""


class OpenSsl(NamedTuple):
    """`openssl ts` with the key of `pair`."""

    program: Path
    folder: Path
    pair: Pair

    def run(self, *words: str) -> str:
        finished = subprocess.run(
            [self.program, "ts", *words], cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def reply(
        self,
        request: bytes,
        *,
        digest: str = "sha256",
        named: str = "sha256",
        chain: str = "no",
        beside: tuple[bytes, ...] = (),
    ) -> bytes:
        said = CONFIGURATION.format(folder=self.folder, digest=digest, named=named, chain=chain)
        for name, data in {
            "ts.cnf": said.encode(),
            "tsa.key": self.pair.pem_key(),
            "tsa.crt": pem([self.pair.leaf]),
            "chain.crt": pem(beside or self.pair.chain),
            "request.tsq": request,
            "serial": b"01",
        }.items():
            (self.folder / name).write_bytes(data)
        files = ("-queryfile", "request.tsq", "-signer", "tsa.crt", "-inkey", "tsa.key")
        self.run(
            *("-reply", "-config", "ts.cnf", "-section", "tsa", *files, "-chain", "chain.crt", "-out", "r")
        )
        return (self.folder / "r").read_bytes()


@pytest.fixture
def ssl(openssl: Path, tmp_path: Path) -> OpenSsl:
    pair = CA("Root").intermediate("Below").issue("tsa", key="RSA-2048", **STAMPING)
    return OpenSsl(openssl, tmp_path, pair)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_openssl_understands_our_request_and_we_its_reply(ssl: OpenSsl, name: str) -> None:
    reply = ssl.reply(build_request(WHAT, name, NONCE), digest=name, named=name)
    _, opened = open_reply(reply, WHAT, name, NONCE)
    assert opened.info.accuracy == timedelta(seconds=1, microseconds=500_100)
    assert abs(opened.info.gen_time - datetime.now(UTC)) < timedelta(minutes=5)
    chain = timestamp_chain(opened, [parse_certificate(ssl.pair.root)])
    assert tuple(certificate.der for certificate in chain.certificates) == ssl.pair.chain


@pytest.mark.peers
@pytest.mark.parametrize("chain", ["yes", "no"])
def test_extra_certificates_in_any_order_do_no_harm(ssl: OpenSsl, chain: str) -> None:
    extra = TSA("Clock").pair.leaf
    beside = (extra, *reversed(ssl.pair.chain))
    reply = ssl.reply(build_request(WHAT, "sha256", NONCE), chain=chain, beside=beside)
    _, opened = open_reply(reply, WHAT, "sha256", NONCE)
    assert extra in [certificate.der for certificate in opened.certificates]
    assert timestamp_chain(opened, [parse_certificate(ssl.pair.root)]).root.der == ssl.pair.root


@pytest.mark.peers
def test_the_older_certificate_attribute_of_openssl_does_not_suffice(ssl: OpenSsl) -> None:
    reply = ssl.reply(build_request(WHAT, "sha256", NONCE), named="sha1")
    with pytest.raises(InvalidTimestamp, match="signing-certificate-v2 is missing"):
        open_reply(reply, WHAT, "sha256", NONCE)


@pytest.mark.peers
@pytest.mark.parametrize("key", ["EC-256", "RSA-2048"])
@pytest.mark.parametrize("form", ["", "indefinite", "parts"])
def test_openssl_believes_the_authority_of_the_tests(
    openssl: Path, tmp_path: Path, key: str, form: str
) -> None:
    """Or else what it stamps would prove nothing about us."""
    clock = TSA("Clock", key=key)
    request = build_request(WHAT, "sha256", NONCE)
    files = {
        "q": request,
        "r": clock.reply(request, at=datetime.now(UTC), ber=form),
        "root.crt": pem([clock.root]),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    said = OpenSsl(openssl, tmp_path, clock.pair).run(
        "-verify", "-in", "r", "-queryfile", "q", "-CAfile", "root.crt"
    )
    assert "Verification: OK" in said
    open_reply(files["r"], WHAT, "sha256", NONCE)


# --- notation ---------------------------------------------------------------------------------------------

WABBIT = CA("Wabbit")
CLOCK = TSA("Clock")
EXPIRES = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
EXPIRED = WABBIT.issue("expired", key="EC-256", not_after=EXPIRES)
BEFORE = EXPIRES - timedelta(days=1)


class World(NamedTuple):
    """Both programs' home, a registry, and an authority that both can ask."""

    home: Home
    registry: str
    clock: str
    root: str

    def image(self, name: str) -> str:
        return f"{self.registry}/{name}@{push_image(self.registry, name)}"

    def policy(self, *stores: str, when: str = "always", level: str = "strict") -> None:
        self.home.write_policy(
            [
                {
                    "name": "all",
                    "registryScopes": ["*"],
                    "signatureVerification": {"level": level, "verifyTimestamp": when},
                    "trustStores": ["ca:wabbit", *stores],
                    "trustedIdentities": ["*"],
                }
            ]
        )

    def verdicts(self, reference: str) -> tuple[int, int]:
        """nv2's exit code, and notation's."""
        ours = self.home.nv2("verify", reference, check=False)
        theirs = self.home.notation("verify", reference, check=False)
        return ours.returncode, theirs.returncode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Iterator[World]:
    home = new_home(tmp_path_factory.mktemp("home"), notation)
    home.write_keys({key: WABBIT.issue(key.lower(), key=key) for key in ("EC-384", "RSA-2048")})
    home.write_store("ca", "wabbit", WABBIT.certificate)
    home.write_store("tsa", "clock", CLOCK.root)
    home.write_store("tsa", "other", TSA("Other").root)
    root = home.directory / "tsa.crt"
    root.write_bytes(pem([CLOCK.root]))
    with (
        serve(tmp_path_factory.mktemp("registry"), "127.0.0.1", 0) as registry,
        serving(CLOCK) as clock,
    ):
        yield World(home, registry.address, clock, str(root))


@pytest.mark.peers
@pytest.mark.parametrize("envelope", ["jws", "cose"])
@pytest.mark.parametrize("key", ["EC-384", "RSA-2048"])
def test_both_programs_stamp_and_believe_each_others_timestamps(
    world: World, envelope: str, key: str
) -> None:
    world.policy("tsa:clock")
    stamping = ("--timestamp-url", world.clock, "--timestamp-root-cert", world.root)
    for program in (world.home.nv2, world.home.notation):
        reference = world.image(f"by-{program.__name__}/{envelope}-{key.lower()}")
        program("sign", *("--key", key, "--signature-format", envelope), *stamping, reference)
        assert world.verdicts(reference) == (0, 0)
        shown = [
            run("inspect", "--output", "json", reference).stdout
            for run in (world.home.nv2, world.home.notation)
        ]
        # 1.3.2 still wrote the name of the list with a capital.
        documents = (json.loads(text.replace('"Signatures"', '"signatures"')) for text in shown)
        ours, theirs = (document["signatures"][0]["unsignedAttributes"] for document in documents)
        assert ours == theirs
        mine, its = (
            _stamp_in(run("inspect", reference).stdout) for run in (world.home.nv2, world.home.notation)
        )
        assert mine == its
        assert mine[4] == "issued to: CN=Clock TSA,O=wabbit-networks.io,ST=WA,C=US"
        assert ours["timestampSignature"]["certificates"][0]["issuedTo"].startswith("CN=Clock TSA")


def _stamp_in(tree: str) -> list[str]:
    """What a tree says about the timestamp; 1.3.2 lists the other attributes below it, main above."""
    lines = [line.lstrip("│├└─ \N{NO-BREAK SPACE}") for line in tree.splitlines()]
    begin = lines.index("timestamp signature")
    return lines[begin : begin + 7]


def stamped(world: World, name: str, pair: Pair, **how: Any) -> str:
    """An image with a signature by `pair`, made at `BEFORE` and stamped as `how` says."""
    reference = world.image(name)
    image = parse(reference)
    with Session(
        Paths.from_environment(world.home.environment()), Settings(), world.home.environment()
    ) as session:
        artifact = session.resolve(image, push=True)
        attributes = SignedAttributes(mt.PAYLOAD, Scheme.X509, BEFORE)
        draft = formats.Draft(build_payload(artifact.subject, {}), attributes, "tests")
        signer = pair.signer()
        envelope = formats.seal(mt.JWS, draft, pair.chain, signer.algorithm, signer.sign)
        if how:
            clock = how.pop("clock", CLOCK)
            envelope = formats.with_timestamp(envelope, clock.token(envelope.signature, **how))
        store = artifact.store
        blob = describe(envelope.raw, mt.JWS)
        built = build_signature_manifest(artifact.subject, blob, parse_chain(pair.chain).thumbprints, BEFORE)
        store.push(built.config[0], opener(built.config[1]))
        store.push(blob, opener(envelope.raw))
        store.push(built.descriptor, opener(built.data))
        store.attach(artifact.subject, [built.descriptor])
    return reference


YES, NO = (0, 0), (1, 1)
IDENTIFIED = TSA(
    "Identified",
    authority=CLOCK.authority,
    extensions=[(x509.SubjectKeyIdentifier(b"0123456789"), False)],
)
LAX = TSA("Lax", authority=CLOCK.authority, key_usage_critical=False)
NOT_CRITICAL = TSA("Not critical", authority=CLOCK.authority, eku_critical=False)
OLD_ONE = attribute(ESS_V1, tlv(SEQUENCE, tlv(SEQUENCE, tlv(SEQUENCE, tlv(OCTETS, bytes(20))))))
GOOD = WABBIT.issue("good", key="EC-256")

# fmt: off
ROWS: dict[str, tuple[Pair, dict[str, Any], tuple[str, ...], str, tuple[int, int]]] = {
    # name                       signer   timestamp                                stores          when                verdicts
    "expired, stamped in time":  (EXPIRED, {"at": BEFORE},                         ("tsa:clock",), "always",           YES),
    "expired, when it has":      (EXPIRED, {"at": BEFORE},                         ("tsa:clock",), "afterCertExpiry",  YES),
    "expired, not stamped":      (EXPIRED, {},                                     ("tsa:clock",), "afterCertExpiry",  NO),
    "expired, no tsa store":     (EXPIRED, {"at": BEFORE},                         (),             "always",           NO),
    "expired, another tsa":      (EXPIRED, {"at": BEFORE},                         ("tsa:other",), "always",           NO),
    "expired, stamped too late": (EXPIRED, {"at": EXPIRES + timedelta(days=1)},    ("tsa:clock",), "always",           NO),
    "window crosses the expiry": (EXPIRED, {"at": EXPIRES, "accuracy": (1, 0, 0)}, ("tsa:clock",), "always",           NO),
    "window ends at the expiry": (EXPIRED, {"at": EXPIRES - timedelta(seconds=1)}, ("tsa:clock",), "always",           YES),
    "other imprint":             (EXPIRED, {"at": BEFORE, "imprint": bytes(32)},   ("tsa:clock",), "always",           NO),
    "spoilt":                    (EXPIRED, {"at": BEFORE, "spoil_signature": True}, ("tsa:clock",), "always",          NO),
    "valid, not stamped":        (GOOD,    {},                                     ("tsa:clock",), "always",           NO),
    "valid, not stamped yet":    (GOOD,    {},                                     ("tsa:clock",), "afterCertExpiry",  YES),
    "valid, junk not looked at": (GOOD,    {"at": BEFORE, "content": b"x"},        ("tsa:clock",), "afterCertExpiry",  YES),
    "valid, junk":               (GOOD,    {"at": BEFORE, "content": b"x"},        ("tsa:clock",), "always",           NO),
    "several signers, same":     (EXPIRED, {"at": BEFORE, "signers": 2},           ("tsa:clock",), "always",           (1, 0)),
    "certificate by key":        (EXPIRED, {"at": BEFORE, "ess": ()},              ("tsa:clock",), "always",           NO),
    "indefinite lengths":        (EXPIRED, {"at": BEFORE, "ber": "indefinite"},    ("tsa:clock",), "always",           (0, 1)),
    "old certificate attribute": (EXPIRED, {"at": BEFORE, "ess": (ESS_V1,)}, ("tsa:clock",), "always", NO),
    "old one contradicts":       (EXPIRED, {"at": BEFORE, "further": (OLD_ONE,)}, ("tsa:clock",), "always", (1, 0)),
    "signer by key identifier":  (EXPIRED, {"at": BEFORE, "clock": IDENTIFIED, "sid": "key"}, ("tsa:clock",), "always", (0, 1)),
    "key usage not critical":    (EXPIRED, {"at": BEFORE, "clock": LAX}, ("tsa:clock",), "always", YES),
    "purpose not critical":      (EXPIRED, {"at": BEFORE, "clock": NOT_CRITICAL}, ("tsa:clock",), "always", NO),
    "with fractions":            (EXPIRED, {"at": BEFORE, "fraction": ".123"}, ("tsa:clock",), "always", YES),
    "fraction ends in zero":     (EXPIRED, {"at": BEFORE, "fraction": ".120"}, ("tsa:clock",), "always", NO),
    "signing time contradicts":  (EXPIRED, {"at": BEFORE, "signing_time": NOT_BEFORE - timedelta(days=1)}, ("tsa:clock",), "always", NO),
    "unknown critical":          (EXPIRED, {"at": BEFORE, "extensions": (("1.2.3", True),)}, ("tsa:clock",), "always", (1, 0)),
}
# fmt: on


@pytest.mark.peers
@pytest.mark.parametrize("name", ROWS)
def test_both_programs_give_the_same_verdict_about_a_timestamp(world: World, name: str) -> None:
    pair, how, stores, when, expected = ROWS[name]
    world.policy(*stores, when=when)
    reference = stamped(world, name.replace(" ", "-").replace(",", ""), pair, **how)
    assert world.verdicts(reference) == expected
