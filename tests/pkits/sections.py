"""The rows of NIST's PKITS (Public Key Interoperability Test Suite 1.0.1, data of 2011): certification paths and CRLs.

A row is named as its end entity certificate is, without spaces: `InvalidRevokedEETest3` of section 4.4 is test 4.4.3, and
it is not valid. What is written down is the path: the authorities below the trust anchor, which stands above all of them.
The sections on policies are left out: "the rest of the extensions MUST NOT be evaluated" (signature-specification, "Other
requirements").
"""

from __future__ import annotations

import re
from typing import NamedTuple

ROOT = "TrustAnchorRootCertificate"
GOOD = "GoodCA"
_SEPARATE = "SeparateCertificateandCRLKeys"
_NEW_KEY, _OLD_KEY, _CRL_KEY = (
    "BasicSelfIssuedNewKeyCA",
    "BasicSelfIssuedOldKeyCA",
    "BasicSelfIssuedCRLSigningKeyCA",
)
_LONG_PATH = "pathLenConstraint6CA"


class Row(NamedTuple):
    """One test of the suite."""

    section: str
    name: str
    authorities: tuple[str, ...]
    """Files without `Cert.crt`, the one below the trust anchor first."""

    @property
    def number(self) -> str:
        """As the document counts: `4.4.3`."""
        return f"{self.section}.{re.findall('[0-9]+', self.name)[-1]}"

    @property
    def is_valid(self) -> bool:
        """Whether the path should validate, as NIST says."""
        return self.name.startswith("Valid")


SECTIONS: dict[str, tuple[str, int]] = {
    "4.1": ("Signature verification", 6),
    "4.2": ("Validity periods", 8),
    "4.3": ("Name chaining", 11),
    "4.4": ("Basic certificate revocation", 21),
    "4.5": ("Self-issued certificates", 8),
    "4.6": ("Basic constraints", 17),
    "4.7": ("Key usage", 5),
    "4.13": ("Name constraints", 38),
    "4.14": ("Distribution points", 35),
    "4.15": ("Delta CRLs", 10),
    "4.16": ("Private certificate extensions", 2),
}
"""Title and number of tests."""

_PATHS: dict[str, dict[str, str]] = {
    "4.1": {
        "ValidCertificatePathTest1": GOOD,
        "InvalidCASignatureTest2": "BadSignedCA",
        "InvalidEESignatureTest3": GOOD,
        "ValidDSASignaturesTest4": "DSACA",
        "ValidDSAParameterInheritanceTest5": "DSACA DSAParametersInheritedCA",
        "InvalidDSASignatureTest6": "DSACA",
    },
    "4.2": {
        "InvalidCAnotBeforeDateTest1": "BadnotBeforeDateCA",
        "InvalidEEnotBeforeDateTest2": GOOD,
        "Validpre2000UTCnotBeforeDateTest3": GOOD,
        "ValidGeneralizedTimenotBeforeDateTest4": GOOD,
        "InvalidCAnotAfterDateTest5": "BadnotAfterDateCA",
        "InvalidEEnotAfterDateTest6": GOOD,
        "Invalidpre2000UTCEEnotAfterDateTest7": GOOD,
        "ValidGeneralizedTimenotAfterDateTest8": GOOD,
    },
    "4.3": {
        "InvalidNameChainingTest1": GOOD,
        "InvalidNameChainingOrderTest2": "NameOrderingCA",
        "ValidNameChainingWhitespaceTest3": GOOD,
        "ValidNameChainingWhitespaceTest4": GOOD,
        "ValidNameChainingCapitalizationTest5": GOOD,
        "ValidNameUIDsTest6": "UIDCA",
        "ValidRFC3280MandatoryAttributeTypesTest7": "RFC3280MandatoryAttributeTypesCA",
        "ValidRFC3280OptionalAttributeTypesTest8": "RFC3280OptionalAttributeTypesCA",
        "ValidUTF8StringEncodedNamesTest9": "UTF8StringEncodedNamesCA",
        "ValidRolloverfromPrintableStringtoUTF8StringTest10": "RolloverfromPrintableStringtoUTF8StringCA",
        "ValidUTF8StringCaseInsensitiveMatchTest11": "UTF8StringCaseInsensitiveMatchCA",
    },
    "4.4": {
        "InvalidMissingCRLTest1": "NoCRLCA",
        "InvalidRevokedCATest2": f"{GOOD} RevokedsubCA",
        "InvalidRevokedEETest3": GOOD,
        "InvalidBadCRLSignatureTest4": "BadCRLSignatureCA",
        "InvalidBadCRLIssuerNameTest5": "BadCRLIssuerNameCA",
        "InvalidWrongCRLTest6": "WrongCRLCA",
        "ValidTwoCRLsTest7": "TwoCRLsCA",
        "InvalidUnknownCRLEntryExtensionTest8": "UnknownCRLEntryExtensionCA",
        "InvalidUnknownCRLExtensionTest9": "UnknownCRLExtensionCA",
        "InvalidUnknownCRLExtensionTest10": "UnknownCRLExtensionCA",
        "InvalidOldCRLnextUpdateTest11": "OldCRLnextUpdateCA",
        "Invalidpre2000CRLnextUpdateTest12": "pre2000CRLnextUpdateCA",
        "ValidGeneralizedTimeCRLnextUpdateTest13": "GeneralizedTimeCRLnextUpdateCA",
        "ValidNegativeSerialNumberTest14": "NegativeSerialNumberCA",
        "InvalidNegativeSerialNumberTest15": "NegativeSerialNumberCA",
        "ValidLongSerialNumberTest16": "LongSerialNumberCA",
        "ValidLongSerialNumberTest17": "LongSerialNumberCA",
        "InvalidLongSerialNumberTest18": "LongSerialNumberCA",
        "ValidSeparateCertificateandCRLKeysTest19": f"{_SEPARATE}CertificateSigningCA",
        "InvalidSeparateCertificateandCRLKeysTest20": f"{_SEPARATE}CertificateSigningCA",
        "InvalidSeparateCertificateandCRLKeysTest21": f"{_SEPARATE}CA2CertificateSigningCA",
    },
    "4.5": {
        "ValidBasicSelfIssuedOldWithNewTest1": f"{_NEW_KEY} BasicSelfIssuedNewKeyOldWithNewCA",
        "InvalidBasicSelfIssuedOldWithNewTest2": f"{_NEW_KEY} BasicSelfIssuedNewKeyOldWithNewCA",
        "ValidBasicSelfIssuedNewWithOldTest3": f"{_OLD_KEY} BasicSelfIssuedOldKeyNewWithOldCA",
        "ValidBasicSelfIssuedNewWithOldTest4": _OLD_KEY,
        "InvalidBasicSelfIssuedNewWithOldTest5": _OLD_KEY,
        "ValidBasicSelfIssuedCRLSigningKeyTest6": _CRL_KEY,
        "InvalidBasicSelfIssuedCRLSigningKeyTest7": _CRL_KEY,
        "InvalidBasicSelfIssuedCRLSigningKeyTest8": f"{_CRL_KEY} BasicSelfIssuedCRLSigningKeyCRL",
    },
    "4.6": {
        "InvalidMissingbasicConstraintsTest1": "MissingbasicConstraintsCA",
        "InvalidcAFalseTest2": "basicConstraintsCriticalcAFalseCA",
        "InvalidcAFalseTest3": "basicConstraintsNotCriticalcAFalseCA",
        "ValidbasicConstraintsNotCriticalTest4": "basicConstraintsNotCriticalCA",
        "InvalidpathLenConstraintTest5": "pathLenConstraint0CA pathLenConstraint0subCA",
        "InvalidpathLenConstraintTest6": "pathLenConstraint0CA pathLenConstraint0subCA",
        "ValidpathLenConstraintTest7": "pathLenConstraint0CA",
        "ValidpathLenConstraintTest8": "pathLenConstraint0CA",
        "InvalidpathLenConstraintTest9": f"{_LONG_PATH} pathLenConstraint6subCA0 pathLenConstraint6subsubCA00",
        "InvalidpathLenConstraintTest10": f"{_LONG_PATH} pathLenConstraint6subCA0 pathLenConstraint6subsubCA00",
        "InvalidpathLenConstraintTest11": f"{_LONG_PATH} pathLenConstraint6subCA1 pathLenConstraint6subsubCA11"
        " pathLenConstraint6subsubsubCA11X",
        "InvalidpathLenConstraintTest12": f"{_LONG_PATH} pathLenConstraint6subCA1 pathLenConstraint6subsubCA11"
        " pathLenConstraint6subsubsubCA11X",
        "ValidpathLenConstraintTest13": f"{_LONG_PATH} pathLenConstraint6subCA4 pathLenConstraint6subsubCA41"
        " pathLenConstraint6subsubsubCA41X",
        "ValidpathLenConstraintTest14": f"{_LONG_PATH} pathLenConstraint6subCA4 pathLenConstraint6subsubCA41"
        " pathLenConstraint6subsubsubCA41X",
        "ValidSelfIssuedpathLenConstraintTest15": "pathLenConstraint0CA pathLenConstraint0SelfIssuedCA",
        "InvalidSelfIssuedpathLenConstraintTest16": "pathLenConstraint0CA pathLenConstraint0SelfIssuedCA"
        " pathLenConstraint0subCA2",
        "ValidSelfIssuedpathLenConstraintTest17": "pathLenConstraint1CA pathLenConstraint1SelfIssuedCA"
        " pathLenConstraint1subCA pathLenConstraint1SelfIssuedsubCA",
    },
    "4.7": {
        "InvalidkeyUsageCriticalkeyCertSignFalseTest1": "keyUsageCriticalkeyCertSignFalseCA",
        "InvalidkeyUsageNotCriticalkeyCertSignFalseTest2": "keyUsageNotCriticalkeyCertSignFalseCA",
        "ValidkeyUsageNotCriticalTest3": "keyUsageNotCriticalCA",
        "InvalidkeyUsageCriticalcRLSignFalseTest4": "keyUsageCriticalcRLSignFalseCA",
        "InvalidkeyUsageNotCriticalcRLSignFalseTest5": "keyUsageNotCriticalcRLSignFalseCA",
    },
    "4.13": {
        "ValidDNnameConstraintsTest1": "nameConstraintsDN1CA",
        "InvalidDNnameConstraintsTest2": "nameConstraintsDN1CA",
        "InvalidDNnameConstraintsTest3": "nameConstraintsDN1CA",
        "ValidDNnameConstraintsTest4": "nameConstraintsDN1CA",
        "ValidDNnameConstraintsTest5": "nameConstraintsDN2CA",
        "ValidDNnameConstraintsTest6": "nameConstraintsDN3CA",
        "InvalidDNnameConstraintsTest7": "nameConstraintsDN3CA",
        "InvalidDNnameConstraintsTest8": "nameConstraintsDN4CA",
        "InvalidDNnameConstraintsTest9": "nameConstraintsDN4CA",
        "InvalidDNnameConstraintsTest10": "nameConstraintsDN5CA",
        "ValidDNnameConstraintsTest11": "nameConstraintsDN5CA",
        "InvalidDNnameConstraintsTest12": "nameConstraintsDN1CA nameConstraintsDN1subCA1",
        "InvalidDNnameConstraintsTest13": "nameConstraintsDN1CA nameConstraintsDN1subCA2",
        "ValidDNnameConstraintsTest14": "nameConstraintsDN1CA nameConstraintsDN1subCA2",
        "InvalidDNnameConstraintsTest15": "nameConstraintsDN3CA nameConstraintsDN3subCA1",
        "InvalidDNnameConstraintsTest16": "nameConstraintsDN3CA nameConstraintsDN3subCA1",
        "InvalidDNnameConstraintsTest17": "nameConstraintsDN3CA nameConstraintsDN3subCA2",
        "ValidDNnameConstraintsTest18": "nameConstraintsDN3CA nameConstraintsDN3subCA2",
        "ValidDNnameConstraintsTest19": "nameConstraintsDN1CA nameConstraintsDN1SelfIssuedCA",
        "InvalidDNnameConstraintsTest20": "nameConstraintsDN1CA",
        "ValidRFC822nameConstraintsTest21": "nameConstraintsRFC822CA1",
        "InvalidRFC822nameConstraintsTest22": "nameConstraintsRFC822CA1",
        "ValidRFC822nameConstraintsTest23": "nameConstraintsRFC822CA2",
        "InvalidRFC822nameConstraintsTest24": "nameConstraintsRFC822CA2",
        "ValidRFC822nameConstraintsTest25": "nameConstraintsRFC822CA3",
        "InvalidRFC822nameConstraintsTest26": "nameConstraintsRFC822CA3",
        "ValidDNandRFC822nameConstraintsTest27": "nameConstraintsDN1CA nameConstraintsDN1subCA3",
        "InvalidDNandRFC822nameConstraintsTest28": "nameConstraintsDN1CA nameConstraintsDN1subCA3",
        "InvalidDNandRFC822nameConstraintsTest29": "nameConstraintsDN1CA nameConstraintsDN1subCA3",
        "ValidDNSnameConstraintsTest30": "nameConstraintsDNS1CA",
        "InvalidDNSnameConstraintsTest31": "nameConstraintsDNS1CA",
        "ValidDNSnameConstraintsTest32": "nameConstraintsDNS2CA",
        "InvalidDNSnameConstraintsTest33": "nameConstraintsDNS2CA",
        "ValidURInameConstraintsTest34": "nameConstraintsURI1CA",
        "InvalidURInameConstraintsTest35": "nameConstraintsURI1CA",
        "ValidURInameConstraintsTest36": "nameConstraintsURI2CA",
        "InvalidURInameConstraintsTest37": "nameConstraintsURI2CA",
        "InvalidDNSnameConstraintsTest38": "nameConstraintsDNS1CA",
    },
    "4.14": {
        "ValiddistributionPointTest1": "distributionPoint1CA",
        "InvaliddistributionPointTest2": "distributionPoint1CA",
        "InvaliddistributionPointTest3": "distributionPoint1CA",
        "ValiddistributionPointTest4": "distributionPoint1CA",
        "ValiddistributionPointTest5": "distributionPoint2CA",
        "InvaliddistributionPointTest6": "distributionPoint2CA",
        "ValiddistributionPointTest7": "distributionPoint2CA",
        "InvaliddistributionPointTest8": "distributionPoint2CA",
        "InvaliddistributionPointTest9": "distributionPoint2CA",
        "ValidNoissuingDistributionPointTest10": "NoissuingDistributionPointCA",
        "InvalidonlyContainsUserCertsTest11": "onlyContainsUserCertsCA",
        "InvalidonlyContainsCACertsTest12": "onlyContainsCACertsCA",
        "ValidonlyContainsCACertsTest13": "onlyContainsCACertsCA",
        "InvalidonlyContainsAttributeCertsTest14": "onlyContainsAttributeCertsCA",
        "InvalidonlySomeReasonsTest15": "onlySomeReasonsCA1",
        "InvalidonlySomeReasonsTest16": "onlySomeReasonsCA1",
        "InvalidonlySomeReasonsTest17": "onlySomeReasonsCA2",
        "ValidonlySomeReasonsTest18": "onlySomeReasonsCA3",
        "ValidonlySomeReasonsTest19": "onlySomeReasonsCA4",
        "InvalidonlySomeReasonsTest20": "onlySomeReasonsCA4",
        "InvalidonlySomeReasonsTest21": "onlySomeReasonsCA4",
        "ValidIDPwithindirectCRLTest22": "indirectCRLCA1",
        "InvalidIDPwithindirectCRLTest23": "indirectCRLCA1",
        "ValidIDPwithindirectCRLTest24": "indirectCRLCA2",
        "ValidIDPwithindirectCRLTest25": "indirectCRLCA2",
        "InvalidIDPwithindirectCRLTest26": "indirectCRLCA2",
        "InvalidcRLIssuerTest27": "indirectCRLCA2",
        "ValidcRLIssuerTest28": "indirectCRLCA3",
        "ValidcRLIssuerTest29": "indirectCRLCA3",
        "ValidcRLIssuerTest30": "indirectCRLCA4",
        "InvalidcRLIssuerTest31": "indirectCRLCA6",
        "InvalidcRLIssuerTest32": "indirectCRLCA6",
        "ValidcRLIssuerTest33": "indirectCRLCA6",
        "InvalidcRLIssuerTest34": "indirectCRLCA5",
        "InvalidcRLIssuerTest35": "indirectCRLCA5",
    },
    "4.15": {
        "InvaliddeltaCRLIndicatorNoBaseTest1": "deltaCRLIndicatorNoBaseCA",
        "ValiddeltaCRLTest2": "deltaCRLCA1",
        "InvaliddeltaCRLTest3": "deltaCRLCA1",
        "InvaliddeltaCRLTest4": "deltaCRLCA1",
        "ValiddeltaCRLTest5": "deltaCRLCA1",
        "InvaliddeltaCRLTest6": "deltaCRLCA1",
        "ValiddeltaCRLTest7": "deltaCRLCA1",
        "ValiddeltaCRLTest8": "deltaCRLCA2",
        "InvaliddeltaCRLTest9": "deltaCRLCA2",
        "InvaliddeltaCRLTest10": "deltaCRLCA3",
    },
    "4.16": {
        "ValidUnknownNotCriticalCertificateExtensionTest1": "",
        "InvalidUnknownCriticalCertificateExtensionTest2": "",
    },
}

ROWS = tuple(
    Row(section, name, tuple(path.split())) for section, rows in _PATHS.items() for name, path in rows.items()
)

_OTHER_CRLS: dict[str, str] = {
    ROOT: "TrustAnchorRootCRL",
    "NoCRLCA": "",
    "NameOrderingCA": "NameOrderCACRL",
    "TwoCRLsCA": "TwoCRLsCABadCRL TwoCRLsCAGoodCRL",
    f"{_SEPARATE}CertificateSigningCA": f"{_SEPARATE}CRL",
    f"{_SEPARATE}CA2CertificateSigningCA": f"{_SEPARATE}CA2CRL",
    "BasicSelfIssuedNewKeyOldWithNewCA": f"{_NEW_KEY}CRL",
    _OLD_KEY: f"BasicSelfIssuedOldKeySelfIssuedCertCRL {_OLD_KEY}CRL",
    "BasicSelfIssuedOldKeyNewWithOldCA": f"BasicSelfIssuedOldKeySelfIssuedCertCRL {_OLD_KEY}CRL",
    _CRL_KEY: f"BasicSelfIssuedCRLSigningKeyCRLCertCRL {_CRL_KEY}CRL",
    "BasicSelfIssuedCRLSigningKeyCRL": f"BasicSelfIssuedCRLSigningKeyCRLCertCRL {_CRL_KEY}CRL",
    "pathLenConstraint0SelfIssuedCA": "pathLenConstraint0CACRL",
    "pathLenConstraint1SelfIssuedCA": "pathLenConstraint1CACRL",
    "pathLenConstraint1SelfIssuedsubCA": "pathLenConstraint1subCACRL",
    "nameConstraintsDN1SelfIssuedCA": "nameConstraintsDN1CACRL",
    **{
        f"onlySomeReasonsCA{n}": f"onlySomeReasonsCA{n}compromiseCRL onlySomeReasonsCA{n}otherreasonsCRL"
        for n in (1, 3, 4)
    },
    "onlySomeReasonsCA2": "onlySomeReasonsCA2CRL1 onlySomeReasonsCA2CRL2",
    "indirectCRLCA2": "indirectCRLCA1CRL",
    "indirectCRLCA3": "indirectCRLCA3CRL indirectCRLCA3cRLIssuerCRL",
    "indirectCRLCA4": "indirectCRLCA4cRLIssuerCRL",
    "indirectCRLCA6": "indirectCRLCA5CRL",
}
"""CRLs about what an authority has issued, in the order in which they are tried, where there is not one of its name."""

DELTAS = {f"deltaCRLCA{n}CRL": f"deltaCRLCA{n}deltaCRL" for n in (1, 2, 3)}
"""CRL, and the delta to it."""


def crls_of(authority: str) -> tuple[str, ...]:
    """Files without `.crl`."""
    return tuple(_OTHER_CRLS.get(authority, f"{authority}CRL").split())
