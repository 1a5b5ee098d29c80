"""The envelope lies: forged, malformed, or well signed and wrong, one row an attack.

Most attacks are vectors (`tests/vectors`), in both formats. Here every vector that is no yes travels from a registry
to the command line; the table says which of them stand for which attack, and adds what is no vector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from nv2.envelope.envelope import VERIFICATION_PLUGIN, ExtendedAttribute
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.oci.manifest import build_signature_manifest
from tests.hostile.machine import BUILD, MIB, NOT_TRUSTED, UNDECIDED, Attack, Machine, check, check_ended
from tests.unit.cli.conftest import WABBIT
from tests.vectors.document import NOT_TRUSTED as A_NO
from tests.vectors.document import TRUSTED, Vector, paths, read
from tests.world.ca import CA, CODE_SIGNING, Pair, pem
from tests.world.forged import FORMATS, MISSING, SCHEME, Sheet, changed, jws
from tests.world.judged import SCOPE, write_stores
from tests.world.signed import SIGNED_AT, sealed

VECTORS = {path.stem: read(path) for path in paths()}
REFUSED = sorted(name for name, vector in VECTORS.items() if vector.expect != TRUSTED)

BOTH = ("jws-{}", "cose-{}")


def both(*names: str) -> tuple[str, ...]:
    return tuple(form.format(name) for form in BOTH for name in names)


# fmt: off
ATTACKS: Mapping[str, tuple[str, ...]] = {
    "no algorithm":                         ("jws-alg-none", "jws-alg-none-signed", *both("alg-missing")),
    "a secret for an algorithm":            ("jws-alg-hs256", "cose-alg-hmac"),
    "an algorithm that nobody may use":     ("jws-alg-rs256", "cose-alg-eddsa", "jws-alg-lower-case"),
    "an algorithm of another key":          both("alg-of-another-key", "alg-rsa-with-ec-key"),
    "crit is missing":                      both("crit-missing"),
    "crit is empty":                        both("crit-empty"),
    "crit names what nobody knows":         both("crit-unknown"),
    "crit names one thing twice":           both("crit-twice"),
    "crit names what is absent":            both("crit-absent"),
    "crit is no array":                     both("crit-text"),
    "crit names what the standard has":     ("jws-crit-standard", "cose-crit-alg"),
    "the scheme is not critical":           both("crit-without-scheme"),
    "the expiry is not critical":           both("crit-without-expiry"),
    "one key twice":                        ("jws-twice", "jws-protected-twice", *both("payload-twice"), "cose-label-twice", "cose-label-twice-in-other-form"),
    "a key in another case":                ("jws-other-case", "jws-protected-other-case", "jws-protected-both-cases", *both("payload-other-case")),
    "protected is not protected":           ("jws-header-repeats", "jws-x5c-protected", "cose-chain-protected", "cose-in-both-headers", "cose-scheme-in-both-headers", "cose-crit-unprotected"),
    "base64 in two spellings":              ("jws-padded", "jws-loose-bits", "jws-line-break", "jws-x5c-url-alphabet"),
    "something behind the payload":         (*both("payload-trailing"), "jws-trailing", "cose-trailing", "jws-protected-trailing", "cose-protected-trailing"),
    "a number that JSON does not have":     both("payload-nan"),
    "a payload nested too deep":            both("payload-deep"),
    "an indefinite length":                 ("cose-array-indefinite", "cose-map-indefinite"),
    "a tag too many, or another":           ("cose-tag-17", "cose-tag-98", "cose-tag-long", "cose-tag-twice", "cose-tag-self-described", "cose-untagged", "cose-protected-tagged", "cose-unprotected-tag"),
    "a time without its tag":               ("cose-time-untagged", "cose-sa-untagged", "cose-expiry-untagged", "cose-time-tag-0", "cose-time-text"),
    "a time beyond the calendar":           ("cose-time-huge", "cose-time-nan", "jws-time-30-february", "jws-time-zone-24"),
    "a time in another spelling":           ("jws-time-lower-case", "jws-time-one-digit", "jws-time-without-zone", "jws-time-number"),
    "it expired before it was signed":      both("expiry-before-signing", "expiry-is-signing-time"),
    "another scheme than the store's":      both("store-for-authorities", "store-for-x509", "time-of-the-other-scheme"),
    "a scheme that nobody knows":           both("scheme-unknown", "scheme-missing"),
    "the chain in another order":           both("chain-reversed"),
    "a certificate twice":                  both("chain-doubled-leaf", "chain-doubled-root"),
    "a chain without its anchor":           both("chain-without-root"),
    "a certificate too many":               both("chain-with-another", "self-signed-then-root"),
    "a link that is missing":               both("chain-skips-one"),
    "a chain that is very long":            both("chain-long"),
    "a signing certificate as authority":   both("authority-no-authority", "authority-no-constraints"),
    "an authority as signing certificate":  both("leaf-authority", "self-signed-authority"),
    "an authority too many":                both("authority-path-length"),
    "key usage that does not allow it":     both("leaf-no-digital-signature", "leaf-key-cert-sign", "leaf-no-key-usage", "leaf-key-usage-not-critical", "authority-no-cert-sign", "authority-no-key-usage"),
    "extended key usage for something else": both("leaf-eku-server-auth", "leaf-eku-time-stamping", "leaf-eku-ocsp-signing", "leaf-eku-email", "leaf-eku-client-auth", "leaf-eku-any"),
    "an issuer of another name":            both("chain-other-issuer"),
    "an issuer who did not sign it":        both("chain-bad-link", "chain-spoiled"),
    "a twin of the anchor":                 both("chain-twin-root"),
    "a certificate signed with MD5":        both("chain-md5"),
    "a certificate signed with SHA-1":      both("chain-sha1", "self-signed-sha1"),
    "a key too small":                      both("leaf-rsa-1024", "leaf-p224", "authority-rsa-1024", "root-rsa-1024"),
    "a key that takes long to check":       both("authority-rsa-8676"),
    "a signature of something else":        both("signature-of-something-else", "target-other-digest", "target-other-size", "target-other-type"),
    "a signature by somebody else":         both("signature-of-another-key", "signature-zero", "chain-of-a-stranger"),
    "a signature in another form":          ("jws-signature-der", *both("signature-short")),
    "the other format":                     ("cose-jws-in-cose", "jws-compact", "jws-general"),
    "basic constraints that are not critical": both("authority-constraints-not-critical"),
}
HARMLESS: Mapping[str, tuple[str, ...]] = {
    "extra fields in the payload":          both("payload-more"),
    "it was signed in the future":          both("signed-in-the-future"),
    "a fraction of a second":               ("jws-time-fraction",),
}
"""What notation takes as well, and nobody gains anything by."""
# fmt: on


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_is_no_reason_for_a_no(name: str) -> None:
    assert {VECTORS[vector].expect for vector in HARMLESS[name]} == {TRUSTED}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_has_vectors_and_none_of_them_is_a_yes(name: str) -> None:
    assert [VECTORS[vector].expect for vector in ATTACKS[name]] == [A_NO] * len(ATTACKS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_a_vector_that_is_no_yes_is_one_error_on_the_command_line(machine: Machine, name: str) -> None:
    vector = VECTORS[name]
    image = serve(machine, vector)
    ended = machine.run(f"verify --scope {SCOPE} {image}")
    check_ended(ended, NOT_TRUSTED if vector.expect == A_NO else UNDECIDED, vector.validation.split("T")[0])
    assert len(machine.network.requests) <= 5


def serve(machine: Machine, vector: Vector) -> str:
    """The vector's artifact, signature, policy and stores, where the machine finds them; a reference."""
    case = vector.case
    machine.policy(case.policy)
    (machine.config / "truststore/x509/ca/wabbit/root.crt").unlink()
    (machine.config / "truststore/x509/ca/wabbit").rmdir()
    write_stores(machine.config, case.stores)
    subject, envelope = describe(case.artifact, mt.IMAGE_MANIFEST), describe(case.envelope, case.media_type)
    built = build_signature_manifest(subject, envelope, (), SIGNED_AT)
    for blob in (case.envelope, built.config[1]):
        machine.repository.add_blob(blob)
    for manifest in (case.artifact, built.data):
        machine.repository.add(manifest, mt.IMAGE_MANIFEST)
    return f"registry.test/app@{subject.digest}"


# --- what is no vector ------------------------------------------------------------------------------------


def forged(
    media_type: str = mt.JWS,
    payload: Callable[[str], str] = str,
    *,
    pair: Pair = BUILD,
    protected: Mapping[str, object] = {},
    header: Mapping[object, object] = {},
) -> Callable[[Machine], None]:
    """Attach an envelope whose signature fits and whose text is what `payload` makes of a good one's."""

    def strike(machine: Machine) -> None:
        form = FORMATS[media_type]
        good = json.dumps({"targetArtifact": machine.subject.to_json()})
        head = changed(form.protected("ES256", SIGNED_AT), form.translate(protected))
        sheet = Sheet(pair.chain, pair.key, payload(good).encode(), head, header)
        machine.attach(form.write(sheet), media_type=media_type)

    return strike


def raw(data: bytes, media_type: str = mt.JWS) -> Callable[[Machine], object]:
    return lambda machine: machine.attach(data, media_type=media_type)


def resized(digits: str) -> Callable[[str], str]:
    return lambda text: text.replace(f'"size": {len_of_image(text)}', f'"size": {digits}')


def len_of_image(text: str) -> int:
    return int(json.loads(text)["targetArtifact"]["size"])


def same_float(text: str) -> str:
    """A size that rounds to another one, for those who read numbers as floats."""
    size = len_of_image(text)
    return text.replace(f'"size": {size}', f'"size": {size}.00000000000000000000001')


def same_key_other_certificate(machine: Machine) -> None:
    """The trusted key in a certificate of its own: only the certificate is trusted, not the key."""
    stranger = CA("CN=Stranger,O=Stranger,ST=WA,C=US").issue("build", key="EC-256")
    assert stranger.key is BUILD.key
    machine.sign(stranger)


def cross_signed_anchor(machine: Machine) -> None:
    """The anchor's name and key, certified by a stranger: its own certificate is what is trusted."""
    above = CA("Stranger")
    crossed = CA("Wabbit", parent=above)
    assert crossed.key is WABBIT.key
    machine.sign(crossed.issue("build", key="EC-256"))


def leaf_as_authority(machine: Machine) -> None:
    """A certificate for signing code issues another one."""
    below = CA("CN=build,O=wabbit-networks.io,ST=WA,C=US", parent=WABBIT, basic_constraints=(False, None),
               key_usage=("digital_signature",), eku=(CODE_SIGNING,))  # fmt: skip
    machine.sign(below.issue("below", key="EC-256"))


def leaf_as_anchor(machine: Machine) -> None:
    machine.store("ca/wabbit", leaf=pem([BUILD.leaf]))
    machine.sign()


def critical(key: str) -> Callable[[Machine], object]:
    return lambda machine: machine.sign(extended=[ExtendedAttribute(key, "x", True)])


def demands(plugin: str) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        machine.sign(extended=[ExtendedAttribute(VERIFICATION_PLUGIN, plugin, True)])

    return strike


def other_type(media_type: str) -> Callable[[Machine], None]:
    """A good envelope of one format that is announced as the other."""

    def strike(machine: Machine) -> None:
        data = sealed(machine.subject, BUILD, media_type=mt.COSE if media_type == mt.JWS else mt.JWS)
        machine.attach(data, media_type=media_type)

    return strike


def long_chain(machine: Machine) -> None:
    machine.attach(jws(Sheet(BUILD.chain * 2000, BUILD.key, b"{}", {}, {})))


HUGE = "9" * 5000
DEEP_CBOR = b"\x81" * 100_000
MANY_LABELS = b"\xd2\x84\x40\xb9\xff\xff"
"""The head of a map said to have 65,535 entries."""

# fmt: off
OTHERS = (
    Attack("a size that only a float takes for ours", forged(payload=same_float), "integrity failed", NOT_TRUSTED),
    Attack("a size of 5,000 digits", forged(payload=resized(HUGE)), "integrity failed", NOT_TRUSTED),
    Attack("a size with an exponent", forged(payload=resized("4.29e2")), "integrity failed", NOT_TRUSTED),
    Attack("a size beyond every float", forged(payload=resized("1e400")), "integrity failed", NOT_TRUSTED),
    Attack("a size below nothing", forged(payload=resized("-1")), "integrity failed", NOT_TRUSTED),
    Attack("a size that is true", forged(payload=resized("true")), "integrity failed", NOT_TRUSTED),
    Attack("the same key in a stranger's certificate", same_key_other_certificate, "authenticity failed", NOT_TRUSTED),
    Attack("an anchor that a stranger certified too", cross_signed_anchor, "authenticity failed", NOT_TRUSTED),
    Attack("a signing certificate that issues", leaf_as_authority, "integrity failed", NOT_TRUSTED),
    Attack("a trust store with somebody's signing certificate", leaf_as_anchor, "neither a CA certificate nor self-signed"),
    Attack("a chain of 4,000 certificates", long_chain, "integrity failed", NOT_TRUSTED, read=8 * MIB, memory=96 * MIB),
    Attack("a critical attribute that nobody knows", critical("com.example.must"), "com.example.must", NOT_TRUSTED),
    Attack("a critical attribute with the name of ours", critical("io.cncf.notary.unheardOf"), "io.cncf.notary.unheardOf", NOT_TRUSTED),
    Attack("a JWS announced as COSE", other_type(mt.COSE), "integrity failed", NOT_TRUSTED),
    Attack("a COSE announced as JWS", other_type(mt.JWS), "integrity failed", NOT_TRUSTED),
    Attack("nothing at all", raw(b""), "integrity failed", NOT_TRUSTED),
    Attack("a million dots", raw(b"." * MIB), "integrity failed", NOT_TRUSTED, read=2 * MIB, memory=16 * MIB),
    Attack("a million brackets", raw(b"[" * MIB), "integrity failed", NOT_TRUSTED, read=2 * MIB, memory=24 * MIB),
    Attack("a hundred thousand arrays of CBOR in one another", raw(DEEP_CBOR, mt.COSE), "integrity failed", NOT_TRUSTED),
    Attack("a map of CBOR with more labels than bytes", raw(MANY_LABELS, mt.COSE), "integrity failed", NOT_TRUSTED),
    Attack("a string of CBOR of 2^64 bytes", raw(b"\xd2\x84\x5b" + b"\xff" * 8, mt.COSE), "integrity failed", NOT_TRUSTED),
    Attack("a signature without any certificate", forged(header={"x5c": MISSING}), "integrity failed", NOT_TRUSTED),
    Attack("certificates that are an address", forged(header={"x5c": MISSING, "x5u": "https://elsewhere.test/chain"}), "integrity failed", NOT_TRUSTED),
    Attack("a scheme in capitals", forged(protected={SCHEME: "NOTARY.X509"}), "integrity failed", NOT_TRUSTED),
)
# fmt: on


@pytest.mark.parametrize("attack", OTHERS, ids=lambda attack: attack.name)
def test_an_envelope_that_lies_gets_no_yes(machine: Machine, attack: Attack) -> None:
    check(machine, attack)


@pytest.mark.parametrize(
    "name", ["../../../../bin/true", "/bin/true", "..", " ", "a\0b", "com.example.absent"]
)
def test_a_plugin_that_the_signer_names_is_neither_looked_for_nor_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    demands(name)(machine)
    ended = machine.run("verify IMAGE")
    assert ended.code in (NOT_TRUSTED, UNDECIDED)
    check_ended(ended, ended.code, "integrity")
    assert not list(machine.line.directory.rglob("plugins"))
