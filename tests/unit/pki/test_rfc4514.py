from __future__ import annotations

import pytest

from nv2.errors import PolicyError
from nv2.pki.rfc4514 import parse_name

BASE = "O=acme,ST=WA,C=US"


def parse(text: str) -> dict[str, str]:
    return parse_name(text, "here", PolicyError)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        (BASE, {"O": "acme", "ST": "WA", "C": "US"}),
        ("C=US, S=WA , O = acme", {"O": "acme", "ST": "WA", "C": "US"}),
        ("C=US;ST=WA;O=acme", {"O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=a\,b\=c\\,{BASE}", {"CN": "a,b=c\\", "O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=Gr\C3\B6\c3\9fe,{BASE}", {"CN": "Größe", "O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=\ a\ ,{BASE}", {"CN": " a ", "O": "acme", "ST": "WA", "C": "US"}),
        (f"CN=a=b,{BASE}", {"CN": "a=b", "O": "acme", "ST": "WA", "C": "US"}),
        (f"cn=a,{BASE}", {"cn": "a", "O": "acme", "ST": "WA", "C": "US"}),
    ],
)
def test_names_are_read_as_rfc_4514_says(text: str, attributes: dict[str, str]) -> None:
    assert parse(text) == attributes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not TYPE=VALUE"),
        ("acme", "not TYPE=VALUE"),
        (f"{BASE},", "not TYPE=VALUE"),
        (f",{BASE}", "not TYPE=VALUE"),
        (f"=x,{BASE}", "not TYPE=VALUE"),
        ("C=US,ST=WA", "has no O"),
        ("CN=x", "no C and no ST and no O"),
        ("c=US,st=WA,o=acme", "has no C"),
        (f"CN=,{BASE}", "CN has no value"),
        (f"{BASE},O=other", "O occurs twice"),
        (f"{BASE},S=CA", "ST occurs twice"),
        (f"OU=a+OU=b,{BASE}", "several values"),
        (f"CN=#0c0161,{BASE}", "hexadecimal"),
        (f"CN=a=#b,{BASE}", "hexadecimal"),
        (f"CN=a\\,{BASE}\\", "backslash"),
        (f"CN=\\x,{BASE}", "backslash"),
        (f"CN=\\C,{BASE}", "backslash"),
        (f"CN=\\ff,{BASE}", "utf-8"),
    ],
)
def test_other_names_are_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert words in caught.value.message
    assert caught.value.at == "here"
    assert "C, ST and O" in str(caught.value.hint)
