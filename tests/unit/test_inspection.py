from __future__ import annotations

from nv2.content.memory import MemoryStore
from nv2.discovery import discover
from nv2.inspection import Inspected, Unreadable, inspect
from nv2.plain_text import MAX_LINE
from tests.world.ca import CA
from tests.world.signed import artifact, attach, sign


def test_a_signature_is_shown_as_it_describes_itself() -> None:
    store = MemoryStore()
    image = artifact(store)
    manifest = sign(store, image, CA().issue("build", "EC-256"), user_metadata={"a": "b"})
    (shown,) = inspect(store, image, discover(store, image), 10)
    assert isinstance(shown, Inspected)
    assert shown.manifest.digest == manifest.digest
    assert shown.target.annotations == {"a": "b"}


def test_what_cannot_be_read_is_reported_in_one_bounded_line() -> None:
    store = MemoryStore()
    image = artifact(store)
    attach(store, image, b'{"\\u001b[2J' + b"x" * 100_000 + b'": 1}')
    attach(
        store,
        image,
        b'{"header": {"io.cncf.notary.timestampSignature' + b"\\u001b[2J\\n" * 10_000 + b'": 1}}',
    )
    shown = list(inspect(store, image, discover(store, image), 10))
    assert len(shown) == 2
    for item in shown:
        assert isinstance(item, Unreadable)
        assert item.reason.isprintable()
        assert len(item.reason) <= MAX_LINE + 1
