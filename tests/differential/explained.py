"""Which row of docs/differences.md a no of nv2 belongs to, by the reason that it gives."""

from __future__ import annotations

import re

_OF_ENVELOPES = (
    ("critical", r"unknown critical attribute"),
    ("crit", r"is named twice|cannot be critical|must be critical$"),
    ("basic-constraints", r"basic constraints of an authority must be critical"),
    ("any-eku", r"extended key usage anyExtendedKeyUsage"),
    ("cose-ignored", r"unprotected\[.*is in the protected header too|a tag is not expected|is not expected$"),
    ("cose-ignored", r"^protected\[.*(?:is not allowed under signing scheme)"),
    ("jws-time", r"^protected\..*(?:no such time|expected a time like)"),
    ("cose-time", r"^protected\[.*no such time"),
    ("json", r"header\..*is in the protected header too|is spelled '|duplicate key|unknown field"),
    ("json", r"not acceptable JSON|not JSON: extra data"),
    # Where Go accepts a value of another type, it is `null`.
    ("json", r"^header\.io\.cncf\.notary\.\w+: expected a string"),
    ("json", r"^payload\.[\w.]+: expected an? "),
    ("cose-ignored", r"^unprotected\['io\.cncf\.notary\.timestampSignature'\]: expected a byte string"),
    ("base64", r"is not canonical base64|is not base64"),
    ("cbor", r"not acceptable CBOR"),
    ("chain-limit", r"^a chain has 1 to"),
    ("weak-authority", r"the key of an authority must have at least \d+ bits"),
    ("large-keys", r"an RSA key (?:of more than \d+ bits|with a public exponent above \d+)"),
)
_OF_POLICIES = (
    ("skip-everything", r"level 'skip' cannot be used with the scope"),
    ("policy-fields", r"unknown field"),
    ("policy-twice", r"duplicate key"),
    ("policy-json", r"not JSON: extra data|not acceptable JSON"),
    ("policy-empty", r"unknown value ''"),
)


def row_of(reason: str, *, of_policy: bool) -> str:
    """The id of the row; empty if there is none."""
    rows = _OF_POLICIES if of_policy else _OF_ENVELOPES
    return next((row for row, words in rows if re.search(words, reason)), "")


ROWS = frozenset(row for row, _ in (*_OF_ENVELOPES, *_OF_POLICIES))
