"""Where nv2 says something else than NIST, each row with the section of the Notary specification that asks for it."""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """What nv2 says to a row, and by which section."""

    outcome: str
    section: str
    reason: str


_AUTHORITIES = 'signature-specification, "Root and Intermediate CA Certificates"'
_OTHER = 'signature-specification, "Other requirements"'
_CRLS = 'trust-store-trust-policy, "CRLs"'
_DOWNLOAD = 'trust-store-trust-policy, "CRL Download"'
_BY_CRL = 'trust-store-trust-policy, "Revocation Checking with CRL"'

_STRICTER: dict[str, Difference] = {
    "4.1.4 4.1.5": Difference(
        "refused",
        f'signature-specification, "Signature Algorithm Requirements"; {_OTHER}, SHA-1',
        "DSA is no algorithm of the specification, and these signatures use SHA-1",
    ),
    "4.3.3 4.3.4 4.3.5 4.3.10 4.3.11": Difference(
        "refused",
        f"{_OTHER}, ordered list: how names compare is left open",
        "names are compared byte for byte, as in notation; nothing may be trusted here that notation refuses",
    ),
    "4.4.14": Difference(
        "revoked",
        f"{_BY_CRL}, 3: how a serial number is written is left open",
        "the CRL lists -1, whose byte is that of 255: an authority that forgets the zero in front must not unlist anybody",
    ),
    "4.4.19 4.5.1 4.5.4 4.5.6 4.13.19": Difference(
        "unknown",
        f"{_CRLS}: signed by the certificate issuing CA; {_OTHER}: no unrelated certificate in a chain",
        "the key that signed the CRL is not that of the issuing certificate, and its certificate is not in the chain",
    ),
    "4.14.22 4.14.24 4.14.25 4.14.28 4.14.29 4.14.30 4.14.33": Difference(
        "unknown", _CRLS, "indirect CRLs, which an implementation MAY support"
    ),
    "4.14.18 4.14.19": Difference(
        "unknown",
        f"{_CRLS}: of all certificates; {_DOWNLOAD}: places are tried in order, until one answers",
        "two CRLs that together cover all reasons are not put together: each alone leaves some out",
    ),
    "4.6.4": Difference("refused", f"{_AUTHORITIES}, 1", "basic constraints MUST be critical"),
    "4.6.15 4.6.17": Difference(
        "refused",
        f"{_AUTHORITIES}, 1",
        "a path length is verified against the depth of the chain, self-issued certificates included",
    ),
    "4.7.3": Difference("refused", f"{_AUTHORITIES}, 2", "the key usage of an authority MUST be critical"),
}

_NOT_EVALUATED = Difference(
    "valid",
    f"{_OTHER}, 2",
    "all extensions but basic constraints, key usage and extended key usage MUST NOT be evaluated",
)
_NOBODY_ASKED = Difference(
    "valid",
    'trust-store-trust-policy, "Certificate Revocation Evaluation"',
    "a certificate that names neither OCSP nor a CRL is considered valid; the finding says that it names nobody",
)

BY_EXTENSIONS: dict[str, Difference] = dict.fromkeys(
    (
        *(f"4.13.{n}" for n in (2, 3, 7, 8, 9, 10, 12, 13, 15, 16, 17)),
        *(f"4.13.{n}" for n in (20, 22, 24, 26, 28, 29, 31, 33, 35, 37, 38)),
        "4.16.2",
    ),
    _NOT_EVALUATED,
)
"""What makes them invalid is in an extension at which nv2 must not look."""

OPEN: dict[str, Difference] = {"4.4.1": _NOBODY_ASKED, **BY_EXTENSIONS}
"""Invalid rows that nv2 has to let pass."""

DIFFERENCES: dict[str, Difference] = {
    **{number: difference for numbers, difference in _STRICTER.items() for number in numbers.split()},
    **OPEN,
}
"""By number of the row."""

_NOT_FILLED = "a signature that does not fill its bytes"
_EXPIRED_LIST = "the CRL expired at"
_UNKNOWN_IN_LIST = "critical extension that is not known"
_OTHERS_LIST = "made by another issuer"
_OTHERS_POINT = "a distribution point that the certificate does not name"
_NO_AUTHORITY = "an issuer must be a certificate authority"
_TOO_LONG = "authorities under it, but there are"
_REVOKED = "revoked at 2010-"

_WORDS: dict[str, str] = {
    "4.1.2 4.1.6": _NOT_FILLED,
    "4.1.3": "not made by the issuer's key",
    "4.2.1 4.2.2": "is not valid before 2047-",
    "4.2.5 4.2.6 4.2.7": "expired at",
    "4.3.1 4.3.2": "was not issued by the certificate that follows it",
    "4.4.2 4.4.3 4.4.18": _REVOKED,
    "4.4.4": _NOT_FILLED,
    "4.4.5 4.4.6": _OTHERS_LIST,
    "4.4.8 4.4.9 4.4.10": _UNKNOWN_IN_LIST,
    "4.4.11 4.4.12": _EXPIRED_LIST,
    "4.5.8": _NO_AUTHORITY,
    "4.6.1 4.6.2 4.6.3": _NO_AUTHORITY,
    "4.6.5 4.6.6 4.6.9 4.6.10 4.6.11 4.6.12 4.6.16": _TOO_LONG,
    "4.7.1": "keyCertSign is missing",
    "4.7.4": "cRLSign is missing",
    "4.14.2 4.14.6 4.14.15 4.14.16 4.14.20 4.14.21": _REVOKED,
    "4.14.3 4.14.8 4.14.9": _OTHERS_POINT,
    "4.14.11": "onlyContainsUserCerts",
    "4.14.12": "onlyContainsCACerts",
    "4.14.14": "onlyContainsAttributeCerts",
    "4.14.17": "some reasons only",
    "4.14.26 4.14.27 4.14.31 4.14.32": _OTHERS_LIST,
    "4.15.1": "a delta CRL is published where a complete one belongs",
    "4.15.3 4.15.4 4.15.6 4.15.9": _REVOKED,
    "4.15.10": "the delta CRL belongs to CRL 2 or later",
}

_WORDS_EARLIER: dict[str, str] = {
    "4.4.15": "its serial number is negative",
    "4.4.20 4.4.21": "cRLSign is missing",
    "4.5.2 4.5.5 4.5.7": "the CRL cannot be believed",
    "4.7.2 4.7.5": "the key usage extension must be critical",
    "4.14.23": "indirectCRL",
    "4.14.34 4.14.35": _UNKNOWN_IN_LIST,
}
"""No, as NIST says, but by a rule that is asked before the one that NIST means."""

EARLIER = frozenset(" ".join(_WORDS_EARLIER).split())

REASONS = {
    number: words for numbers, words in {**_WORDS, **_WORDS_EARLIER}.items() for number in numbers.split()
}
"""Why an invalid row is one, in words of nv2's message: a no for any other reason would show nothing."""
