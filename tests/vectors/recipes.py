"""The recipes of the vectors that both formats share; `jws_recipes` and `cose_recipes` have the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.vectors.document import NOT_TRUSTED, TRUSTED, UNDECIDED
from tests.vectors.parties import (
    ARTIFACT,
    BELOW,
    BUILD,
    FAR,
    LONG_AGO,
    ROOT,
    RSA_ROOT,
    SELF,
    SIGNED_AT,
    STRANGER,
    YESTERDAY,
    Party,
    authority,
    party,
)
from tests.world import ca
from tests.world.forged import AUTHENTIC, EXPIRY, MISSING, SCHEME, SIGNING_TIME, key_of, sign

TARGET = describe(ARTIFACT, mt.IMAGE_MANIFEST).to_json()
INTEGRITY, AUTHENTICITY, EXPIRED, TIMESTAMPED = "integrity", "authenticity", "expiry", "authenticTimestamp"
ANYONE, WABBIT = ("*",), ("x509.subject:C=US,ST=WA,O=wabbit-networks.io",)
SA = {SCHEME: "notary.x509.signingAuthority", SIGNING_TIME: MISSING, AUTHENTIC: SIGNED_AT}
SA_CRIT = {**SA, "crit": [SCHEME, AUTHENTIC]}
BOTH = (mt.JWS, mt.COSE)
CA_STORE = {"ca:wabbit": (ROOT.certificate,)}
SA_STORE = {"signingAuthority:wabbit": (ROOT.certificate,)}


class Recipe(NamedTuple):
    """How one vector differs from a good signature."""

    name: str
    comment: str
    expect: str = NOT_TRUSTED
    validation: str = INTEGRITY
    difference: str = ""
    formats: tuple[str, ...] = BOTH
    signer: Party = BUILD
    algorithm: str = "ES256"
    protected: Mapping[str, Any] = {}
    """Changes, with the labels of JWS."""
    rewrite: Callable[[dict[Any, Any]], Any] = dict
    """What the protected header becomes before it is signed."""
    header: Mapping[Any, Any] = {}
    payload: bytes | None = None
    members: Mapping[str, Any] = {}
    sign: Callable[[Any, bytes], bytes] = sign
    tag: bytes = b"\xd2"
    detached: bool = False
    spoil: Callable[[bytes], bytes] = bytes
    """What is done to the finished envelope."""
    stores: Mapping[str, tuple[bytes, ...]] = CA_STORE
    named: tuple[str, ...] = ()
    """Stores that the policy names, if not those that are there."""
    identities: tuple[str, ...] = ANYONE
    level: str = "strict"


def good(name: str, comment: str, **how: Any) -> Recipe:
    """A recipe for a signature that is trusted."""
    return Recipe(name, comment, TRUSTED, "", **how)


def payload(text: str | None = None, **changes: Any) -> bytes:
    """A payload whose target has these changes, or these words."""
    if text is not None:
        return text.encode()
    target = {key: value for key, value in {**TARGET, **changes}.items() if value is not MISSING}
    return json.dumps({"targetArtifact": target}, separators=(",", ":")).encode()


def _flip(_: Any, __: bytes) -> bytes:
    made = sign(_, __)
    return made[:-1] + bytes([made[-1] ^ 1])


def _chain(*ders: bytes) -> Party:
    return BUILD._replace(chain=ders)


def _leaf(**oddities: Any) -> Party:
    return party("build", ROOT, **oddities)


def _under(**oddities: Any) -> Party:
    return party("build", authority("Odd CA", ROOT, **oddities))


_PLAIN = json.dumps(TARGET, separators=(",", ":"))
_TWIN = authority("Wabbit CA", serial=2)
_LONG = [ROOT]
for _number in range(10):
    _LONG.append(authority(f"Wabbit CA {_number}", _LONG[-1]))
_WEAK_ROOT = authority("Weak CA", kind="RSA-1024")
_NARROW = authority("Narrow CA", ROOT, basic_constraints=(True, 0))
_OTHER_KEY = key_of("somebody else", "EC-256")
_UNITS = party("CN=build,OU=a,OU=b,O=wabbit-networks.io,ST=WA,C=US", ROOT)
_ACME = party("CN=build,O=acme-rockets.io,ST=WA,C=US", ROOT)
_WEAK = party("weak", None, "RSA-2048", hash="sha1")
_UNKNOWN = {"com.example.must": "x", "crit": [SCHEME, "com.example.must"]}

SOUND = (
    good("good", "nothing is wrong"),
    good("good-expiry", "it expires, but not yet", protected={EXPIRY: FAR, "crit": [SCHEME, EXPIRY]}),
    good("good-es384", "a key on P-384", signer=party("build", ROOT, "EC-384"), algorithm="ES384"),
    good("good-es512", "a key on P-521", signer=party("build", ROOT, "EC-521"), algorithm="ES512"),
    good(
        "good-ps256",
        "an RSA key of 2048 bits",
        signer=party("build", ROOT, "RSA-2048"),
        algorithm="PS256",
        formats=(mt.JWS,),
    ),
    good(
        "good-ps384",
        "an RSA key of 3072 bits",
        signer=party("build", ROOT, "RSA-3072"),
        algorithm="PS384",
        formats=(mt.COSE,),
    ),
    good("good-intermediate", "an authority in between", signer=party("build", BELOW)),
    good(
        "good-intermediate-anchor",
        "the trust store holds the intermediate",
        signer=party("build", BELOW),
        stores={"ca:wabbit": (BELOW.certificate,)},
    ),
    good("good-self-signed", "one self-signed certificate", signer=SELF, stores={"ca:solo": SELF.chain}),
    good("good-identity", "the subject is a trusted identity", identities=WABBIT),
    good("good-signing-authority", "the other scheme", protected=SA_CRIT, stores=SA_STORE),
    good("good-optional-attribute", "an unknown attribute, not critical", protected={"com.example.may": "x"}),
    good(
        "good-annotations",
        "the target has annotations",
        payload=payload(annotations={"stage": "production"}),
    ),
    good(
        "good-commitment",
        "contentCommitment is tolerated",
        signer=_leaf(key_usage=("digital_signature", "content_commitment")),
    ),
    good("good-no-eku", "extended key usage may be absent", signer=_leaf(eku=None)),
    good("signed-in-the-future", "the time is only claimed under notary.x509", protected={SIGNING_TIME: FAR}),
    good(
        "timestamp-junk",
        "no tsa store is named, so a timestamp is not looked at",
        header={"io.cncf.notary.timestampSignature": "AAAA"},
        formats=(mt.JWS,),
    ),
)

HEADERS = (
    Recipe("crit-missing", "crit is missing", protected={"crit": MISSING}),
    Recipe("crit-empty", "crit is empty", protected={"crit": []}),
    Recipe("crit-text", "crit is no array", protected={"crit": SCHEME}),
    Recipe("crit-without-scheme", "crit does not name the scheme", protected={"crit": ["x"], "x": "y"}),
    Recipe("crit-absent", "crit names what is not there", protected={"crit": [SCHEME, "com.example.absent"]}),
    Recipe(
        "crit-twice", "crit names the scheme twice", protected={"crit": [SCHEME, SCHEME]}, difference="crit"
    ),
    Recipe(
        "crit-unknown",
        "a critical attribute that nobody understands",
        protected=_UNKNOWN,
        difference="critical",
    ),
    Recipe("crit-without-expiry", "the expiry is not critical", protected={EXPIRY: FAR}),
    Recipe(
        "crit-standard",
        "crit names a parameter of the standard",
        protected={"crit": [SCHEME, "alg"]},
        formats=(mt.JWS,),
    ),
    Recipe("alg-missing", "the algorithm is missing", protected={"alg": MISSING}),
    Recipe(
        "alg-of-another-key",
        "the algorithm does not fit the key",
        protected={},
        algorithm="ES384",
        sign=lambda key, data: sign(key, data, "ES256"),
    ),
    Recipe("alg-rsa-with-ec-key", "PS256, and the key is on P-256", algorithm="PS256"),
    Recipe("cty-missing", "the content type is missing", protected={"cty": MISSING}),
    Recipe("cty-other", "another content type", protected={"cty": "application/json"}),
    Recipe("scheme-missing", "the scheme is missing", protected={SCHEME: MISSING, "crit": [SIGNING_TIME]}),
    Recipe("scheme-unknown", "an unknown scheme", protected={SCHEME: "notary.x510"}),
    Recipe("time-missing", "the signing time is missing", protected={SIGNING_TIME: MISSING}),
    Recipe(
        "time-of-the-other-scheme",
        "an authentic time under notary.x509",
        difference="cose-ignored",
        protected={AUTHENTIC: SIGNED_AT},
    ),
    Recipe("sa-time-not-critical", "the authentic time must be critical", protected=SA, stores=SA_STORE),
    Recipe(
        "sa-claimed-time",
        "a claimed time under the other scheme",
        stores=SA_STORE,
        protected={SCHEME: SA[SCHEME]},
    ),
    Recipe(
        "expiry-before-signing",
        "it expired before it was signed",
        protected={EXPIRY: YESTERDAY, "crit": [SCHEME, EXPIRY]},
    ),
    Recipe(
        "expiry-is-signing-time",
        "it expires as it is signed",
        protected={EXPIRY: SIGNED_AT, "crit": [SCHEME, EXPIRY]},
    ),
    Recipe(
        "expired",
        "it has expired",
        validation=EXPIRED,
        protected={SIGNING_TIME: LONG_AGO, EXPIRY: YESTERDAY, "crit": [SCHEME, EXPIRY]},
    ),
    Recipe(
        "plugin",
        "a verification plugin is demanded that is not there",
        UNDECIDED,
        protected={
            "io.cncf.notary.verificationPlugin": "com.example.absent",
            "crit": [SCHEME, "io.cncf.notary.verificationPlugin"],
        },
    ),
)

SIGNATURES = (
    Recipe("signature-changed", "one bit of the signature is another", sign=_flip),
    Recipe(
        "signature-short",
        "the last byte of the signature is missing",
        sign=lambda key, data: sign(key, data)[:-1],
    ),
    Recipe("signature-of-another-key", "another key signed it", signer=BUILD._replace(key=_OTHER_KEY)),
    Recipe("signature-zero", "r and s are zero", sign=lambda _, __: bytes(64)),
    Recipe(
        "signature-of-something-else", "it signs other bytes", sign=lambda key, data: sign(key, data + b" ")
    ),
)

PAYLOADS = (
    Recipe("target-other-digest", "another artifact is signed", payload=payload(digest="sha256:" + "0" * 64)),
    Recipe("target-other-size", "another size is signed", payload=payload(size=7)),
    Recipe("target-other-type", "another media type is signed", payload=payload(mediaType=mt.IMAGE_INDEX)),
    Recipe("target-without-digest", "the digest is missing", payload=payload(digest=MISSING)),
    Recipe("target-size-text", "the size is text", payload=payload(size=str(TARGET["size"]))),
    Recipe("target-urls", "the URLs of the target are no array", payload=payload(urls=True)),
    Recipe("target-data", "the data of the target are no base64", payload=payload(data="?")),
    Recipe("target-platform", "the platform of the target is text", payload=payload(platform="linux")),
    Recipe("target-missing", "there is no target", payload=payload("{}")),
    Recipe("target-null", "the target is null", payload=payload('{"targetArtifact":null}')),
    Recipe("payload-no-json", "the payload is no JSON", payload=payload("targetArtifact")),
    Recipe("payload-array", "the payload is an array", payload=payload(f'[{{"targetArtifact":{_PLAIN}}}]')),
    Recipe(
        "payload-trailing",
        "something follows the payload's JSON",
        payload=payload(f'{{"targetArtifact":{_PLAIN}}} x'),
    ),
    Recipe(
        "payload-twice",
        "the target is there twice",
        difference="json",
        payload=payload(f'{{"targetArtifact":{{}},"targetArtifact":{_PLAIN}}}'),
    ),
    Recipe(
        "payload-other-case",
        "the target's name is in another case",
        difference="json",
        payload=payload(f'{{"TargetArtifact":{_PLAIN}}}'),
    ),
    Recipe(
        "payload-nan",
        "a number that JSON does not have",
        payload=payload(f'{{"targetArtifact":{_PLAIN},"x":NaN}}'),
    ),
    Recipe(
        "payload-deep",
        "arrays, 2,000 deep",
        difference="json",
        payload=payload(f'{{"targetArtifact":{_PLAIN},"x":{"[" * 2000}{"]" * 2000}}}'),
    ),
    good(
        "payload-more",
        "a further member of the payload is ignored",
        payload=payload(f'{{"targetArtifact":{_PLAIN},"x":1}}'),
    ),
)

CHAINS = (
    Recipe(
        "chain-of-a-stranger",
        "nobody trusts the root",
        validation=AUTHENTICITY,
        signer=party("build", STRANGER),
    ),
    Recipe(
        "chain-twin-root",
        "a root of the same name and key, another certificate",
        validation=AUTHENTICITY,
        signer=party("build", _TWIN),
    ),
    Recipe("chain-without-root", "the root is missing", signer=_chain(BUILD.certificate)),
    Recipe("chain-reversed", "the root stands first", signer=_chain(ROOT.certificate, BUILD.certificate)),
    Recipe(
        "chain-doubled-leaf",
        "the signing certificate is there twice",
        signer=_chain(BUILD.certificate, *BUILD.chain),
    ),
    Recipe("chain-doubled-root", "the root is there twice", signer=_chain(*BUILD.chain, ROOT.certificate)),
    Recipe(
        "chain-with-another", "a stranger's root follows", signer=_chain(*BUILD.chain, STRANGER.certificate)
    ),
    Recipe(
        "chain-skips-one",
        "the intermediate is missing",
        signer=party("build", BELOW, in_chain=(ROOT.certificate,)),
    ),
    Recipe("chain-long", "12 certificates", difference="chain-limit", signer=party("build", _LONG[-1])),
    Recipe(
        "chain-other-issuer",
        "the issuer has another name",
        signer=party("build", ROOT._replace(subject=ca.name_of("Other CA"))),
    ),
    Recipe("chain-bad-link", "the issuer did not sign the certificate", signer=_leaf(signed_by=STRANGER.key)),
    Recipe("chain-spoiled", "the certificate's signature is spoiled", signer=_leaf(bad_signature=True)),
    Recipe("chain-junk", "the root is no certificate", signer=_chain(BUILD.certificate, b"certificate")),
    Recipe(
        "chain-trailing",
        "a byte follows a certificate",
        signer=_chain(BUILD.certificate + b"\0", ROOT.certificate),
    ),
    Recipe("chain-empty", "no certificate", signer=_chain()),
    Recipe(
        "chain-sha1",
        "the certificate is signed with SHA-1",
        stores={"ca:rsa": RSA_ROOT.chain},
        signer=party("build", RSA_ROOT, hash="sha1"),
    ),
    Recipe(
        "chain-md5",
        "the certificate is signed with MD5",
        stores={"ca:rsa": RSA_ROOT.chain},
        signer=party("build", RSA_ROOT, hash="md5"),
    ),
    Recipe(
        "self-signed-then-root",
        "a self-signed certificate, and others follow",
        signer=SELF._replace(chain=(*SELF.chain, *SELF.chain)),
        stores={"ca:solo": SELF.chain},
    ),
    Recipe(
        "self-signed-sha1",
        "the only certificate is signed with SHA-1",
        signer=_WEAK,
        algorithm="PS256",
        stores={"ca:solo": _WEAK.chain},
        difference="sha1",
    ),
    Recipe("self-signed-authority", "a self-signed authority signs", signer=ROOT),
    Recipe(
        "certificate-expired",
        "the signing certificate has expired",
        validation=TIMESTAMPED,
        signer=_leaf(not_before=LONG_AGO, not_after=YESTERDAY),
    ),
    Recipe(
        "certificate-not-yet",
        "the signing certificate is not valid yet",
        validation=TIMESTAMPED,
        signer=_leaf(not_before=FAR),
    ),
    Recipe(
        "sa-before-certificate",
        "signed before the certificate was valid",
        validation=TIMESTAMPED,
        protected={**SA_CRIT, AUTHENTIC: LONG_AGO},
        stores=SA_STORE,
    ),
)

PROFILE = (
    Recipe(
        "leaf-authority", "the signing certificate is an authority", signer=_leaf(basic_constraints=(True, 0))
    ),
    Recipe("leaf-no-key-usage", "no key usage", signer=_leaf(key_usage=None)),
    Recipe(
        "leaf-key-usage-not-critical", "the key usage is not critical", signer=_leaf(key_usage_critical=False)
    ),
    Recipe(
        "leaf-no-digital-signature",
        "digitalSignature is missing",
        signer=_leaf(key_usage=("content_commitment",)),
    ),
    *(
        Recipe(
            f"leaf-{usage.replace('_', '-')}",
            f"the key usage {usage} is forbidden",
            signer=_leaf(key_usage=("digital_signature", usage)),
        )
        for usage in ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    ),
    *(
        Recipe(
            f"leaf-eku-{name}",
            f"the extended key usage {name} is forbidden",
            difference=difference,
            signer=_leaf(eku=(ca.CODE_SIGNING, oid), serial=number),
        )
        for number, (name, oid, difference) in enumerate(
            (
                ("server-auth", ca.SERVER_AUTH, ""),
                ("client-auth", ca.CLIENT_AUTH, ""),
                ("email", ca.EMAIL_PROTECTION, ""),
                ("time-stamping", ca.TIME_STAMPING, ""),
                ("ocsp-signing", ca.OCSP_SIGNING, ""),
                ("any", ca.ANY_EKU, "any-eku"),
            ),
            100,
        )
    ),
    Recipe("leaf-p224", "a key on P-224", signer=party("build", ROOT, "EC-224")),
    Recipe("leaf-ed25519", "an Ed25519 key", signer=party("build", ROOT, "Ed25519")),
    Recipe(
        "leaf-rsa-1024", "an RSA key of 1024 bits", signer=party("build", ROOT, "RSA-1024"), algorithm="PS256"
    ),
    Recipe(
        "authority-no-constraints",
        "an issuer without basic constraints",
        signer=_under(basic_constraints=None),
    ),
    Recipe(
        "authority-no-authority",
        "an issuer that is no authority",
        signer=_under(basic_constraints=(False, None)),
    ),
    Recipe(
        "authority-constraints-not-critical",
        "basic constraints of an issuer are not critical",
        signer=_under(basic_constraints_critical=False),
        difference="basic-constraints",
    ),
    Recipe(
        "authority-path-length",
        "one authority too many",
        signer=party("build", authority("Deep CA", _NARROW)),
    ),
    Recipe("authority-no-key-usage", "an issuer without key usage", signer=_under(key_usage=None)),
    Recipe("authority-no-cert-sign", "an issuer without keyCertSign", signer=_under(key_usage=("crl_sign",))),
    Recipe(
        "authority-key-usage-not-critical",
        "an issuer's key usage is not critical",
        signer=_under(key_usage_critical=False),
    ),
    Recipe(
        "authority-rsa-1024",
        "an issuer's RSA key has 1024 bits",
        signer=_under(kind="RSA-1024"),
        difference="weak-authority",
    ),
    Recipe(
        "root-rsa-1024",
        "the RSA key of a trusted root has 1024 bits",
        signer=party("build", _WEAK_ROOT),
        stores={"ca:weak": _WEAK_ROOT.chain},
        difference="weak-authority",
    ),
    Recipe(
        "authority-rsa-8676",
        "an issuer's RSA key has 8676 bits",
        signer=_under(kind="RSA-8676"),
        difference="large-keys",
    ),
)

STORES = (
    Recipe(
        "store-missing",
        "the trust store does not exist",
        UNDECIDED,
        AUTHENTICITY,
        stores={},
        named=("ca:wabbit",),
    ),
    Recipe("store-empty", "the trust store is empty", UNDECIDED, AUTHENTICITY, stores={"ca:wabbit": ()}),
    Recipe(
        "store-of-strangers",
        "the trust store holds somebody else",
        validation=AUTHENTICITY,
        stores={"ca:wabbit": (STRANGER.certificate,)},
    ),
    Recipe(
        "store-with-leaf",
        "a certificate in the store is neither authority nor self-signed",
        UNDECIDED,
        AUTHENTICITY,
        stores={"ca:wabbit": (BUILD.certificate,)},
    ),
    Recipe(
        "store-for-authorities", "only a store of the other scheme", validation=AUTHENTICITY, stores=SA_STORE
    ),
    Recipe(
        "store-for-x509",
        "a signing authority, and only a ca store",
        validation=AUTHENTICITY,
        protected=SA_CRIT,
    ),
    Recipe(
        "store-for-timestamps",
        "only a tsa store",
        validation=AUTHENTICITY,
        stores={"tsa:wabbit": (ROOT.certificate,)},
    ),
    Recipe(
        "timestamp-missing",
        "a tsa store is named, and there is no timestamp",
        validation=TIMESTAMPED,
        stores={**CA_STORE, "tsa:wabbit": (ROOT.certificate,)},
    ),
    Recipe(
        "identity-other",
        "the subject is no trusted identity",
        validation=AUTHENTICITY,
        signer=_ACME,
        identities=WABBIT,
    ),
    Recipe(
        "identity-two-units",
        "two units match no identity",
        validation=AUTHENTICITY,
        signer=_UNITS,
        identities=WABBIT,
    ),
    good(
        "logged-stranger",
        "at level audit a stranger's chain is logged only",
        signer=party("build", STRANGER),
        level="audit",
    ),
    good(
        "logged-expiry",
        "at level permissive an expiry is logged only",
        level="permissive",
        protected={SIGNING_TIME: LONG_AGO, EXPIRY: YESTERDAY, "crit": [SCHEME, EXPIRY]},
    ),
    Recipe("audit-integrity", "no level relaxes integrity", sign=_flip, level="audit"),
)

SHARED = (*SOUND, *HEADERS, *SIGNATURES, *PAYLOADS, *CHAINS, *PROFILE, *STORES)
