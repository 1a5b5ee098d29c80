"""Make the vectors anew from their recipes: `python -m tests.vectors.make`.

What notation says is not made but observed: the line `notation:` of a file stays. `--record` asks the notation of
`make peers` about every vector and writes it down.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.vectors.cose_recipes import COSE
from tests.vectors.document import CASES, NOT_TRUSTED, TRUSTED, Vector, read, write
from tests.vectors.jws_recipes import JWS
from tests.vectors.parties import ARTIFACT, SIGNED_AT
from tests.vectors.recipes import SHARED, Recipe, payload
from tests.world.forged import FORMATS, Sheet, changed
from tests.world.judged import SCOPE, Case, write_stores

TIME = datetime(2026, 6, 1, 12, tzinfo=UTC)


def vectors() -> Iterator[tuple[str, Vector]]:
    """Every vector by name, without what notation says."""
    for recipe in (*SHARED, *JWS, *COSE):
        for media_type in recipe.formats:
            name = f"{FORMATS[media_type].short}-{recipe.name}"
            case = _case(recipe, media_type)
            head = (recipe.expect, recipe.validation, recipe.comment, "", recipe.difference)
            yield name, Vector(*head, TIME, case)


def _case(recipe: Recipe, media_type: str) -> Case:
    form = FORMATS[media_type]
    sound = form.protected(recipe.algorithm, SIGNED_AT)
    protected = recipe.rewrite(changed(sound, form.translate(recipe.protected)))
    signed = payload() if recipe.payload is None else recipe.payload
    sheet = Sheet(
        recipe.signer.chain,
        recipe.signer.key,
        signed,
        protected,
        recipe.header,
        recipe.members,
        recipe.sign,
        recipe.tag,
        recipe.detached,
    )
    return Case(media_type, recipe.spoil(form.write(sheet)), ARTIFACT, policy(recipe), recipe.stores)


def policy(recipe: Recipe) -> str:
    """The trust policy of a vector."""
    statement = {
        "name": "vector",
        "registryScopes": [SCOPE],
        "signatureVerification": {"level": recipe.level},
        "trustStores": list(recipe.named or recipe.stores),
        "trustedIdentities": list(recipe.identities),
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement]})


def made() -> dict[str, str]:
    """The text of every vector by name, with what the present files say of notation."""
    texts = {}
    for name, vector in vectors():
        path = CASES / f"{name}.txt"
        known = read(path) if path.exists() else None
        said = known.notation if known and known.case == vector.case else ""
        full = vector._replace(notation=said)
        texts[name] = write(full if full.differs or not said else full._replace(difference=""))
    return texts


def record(program: Path) -> None:
    """Write down what `program`, a notation, says of every vector."""
    from tests.interop.home import new_home
    from tests.interop.layouts import notation_says

    for name, vector in vectors():
        with tempfile.TemporaryDirectory() as folder:
            home = new_home(Path(folder), program)
            write_stores(home.config, vector.case.stores)
            yes, _ = notation_says(home, vector.case)
        full = vector._replace(notation=TRUSTED if yes else NOT_TRUSTED)
        text = write(full if full.differs else full._replace(difference=""))
        (CASES / f"{name}.txt").write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write every vector, and remove what has no recipe any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="ask notation about every vector")
    options = parser.parse_args(arguments)
    texts = made()
    for old in CASES.glob("*.txt"):
        if old.stem not in texts:
            old.unlink()
    for name, text in texts.items():
        (CASES / f"{name}.txt").write_text(text, encoding="utf-8")
    if options.record:
        from tests.peers import find

        program = find("notation")
        assert program, "run `make peers`"
        record(program)


if __name__ == "__main__":
    main(sys.argv[1:])
