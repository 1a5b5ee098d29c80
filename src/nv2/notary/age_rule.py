"""How old carried evidence may be on this machine, in words: stated wherever it decides."""

from __future__ import annotations

from typing import NamedTuple

from nv2.home.own_settings import OwnSettings
from nv2.pki.certificate_status import Allowance
from nv2.plain_text import span


class AgeRule(NamedTuple):
    """The two settings that decide how old carried evidence may be here: stated wherever they decide."""

    settings: OwnSettings

    @property
    def text(self) -> str:
        """In one line."""
        age = self.settings.evidence_age
        parts = [f"carried evidence counts {_rule(age.default)}"]
        parts += [f"of issuer {issuer} {_rule(each)}" for issuer, each in sorted(age.issuers.items())]
        clock = f"the clock may be {span(self.settings.clock_behind)} behind it"
        return f"{'; '.join(parts)}; {clock}; who is listed as revoked stays so, however old the list is"

    def to_json(self) -> dict[str, object]:
        """As the settings name them."""
        age = self.settings.evidence_age
        issuers = {issuer: _rule_json(each) for issuer, each in sorted(age.issuers.items())}
        return {
            "evidenceAge": {**_rule_json(age.default), "issuers": issuers},
            "clockBehind": span(self.settings.clock_behind),
        }


def _rule(allowance: Allowance) -> str:
    grace = f"and a grace of {span(allowance.grace)} " if allowance.grace else ""
    most = f", at most {span(allowance.max_age)} after it was made" if allowance.max_age is not None else ""
    return f"until its nextUpdate {grace}".rstrip() + most


def _rule_json(allowance: Allowance) -> dict[str, object]:
    most = None if allowance.max_age is None else span(allowance.max_age)
    return {"grace": span(allowance.grace), "maxAge": most}
