"""What stands before the registry, put together out of an access file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nv2.server.front import Files, Front
from nv2.server.messages import Answer, Call, layered
from tests.unit.server.calls import Heard, ask


def _reading(call: Call) -> Answer:
    return Answer(200, {"limit": str(call.upload_limit)}, call.body.read(100))


class Place:
    """A front with an access file of these fields, before something that takes everything."""

    def __init__(self, folder: Path, **fields: object) -> None:
        self.warnings: list[str] = []
        self._file = folder / "access.json"
        self.write(**fields)
        self.front = Front(Files(access=self._file), self.warnings.append)

    def write(self, **fields: object) -> None:
        self._file.write_text(json.dumps(fields))

    def ask(self, method: str, target: str, body: bytes = b"") -> Heard:
        return ask(layered(_reading, self.front.layers), method, target, body)


def test_the_access_file_may_make_it_read_only_and_writable_again(tmp_path: Path) -> None:
    place = Place(tmp_path, readOnly=True)
    statuses = []
    for fields in ({"readOnly": True}, {"readOnly": False}, {"readOnly": True}):
        place.write(**fields)
        place.front.reload()
        statuses.append([place.ask(method, "/v2/a/manifests/v1").status for method in ("GET", "PUT")])
    assert statuses == [[200, 405], [200, 200], [200, 405]]
    assert place.warnings == []


def test_the_access_file_may_bound_bodies_and_with_them_uploads(tmp_path: Path) -> None:
    place = Place(tmp_path, maxBodyBytes=5)
    assert place.ask("PUT", "/v2/a/manifests/v1", b"123456").status == 413
    heard = place.ask("PUT", "/v2/a/manifests/v1", b"12345")
    assert (heard.status, heard.headers["limit"]) == (200, "5")
    place.write()
    place.front.reload()
    heard = place.ask("PUT", "/v2/a/manifests/v1", b"123456")
    assert (heard.status, heard.headers["limit"]) == (200, "0")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_read_only_registry_gives_no_figures_away_for_writing_and_stays_well(
    tmp_path: Path, method: str
) -> None:
    place = Place(tmp_path, readOnly=True)
    assert place.ask(method, "/metrics").status == 405
    assert place.ask("GET", "/metrics").status == 200
    assert place.ask("GET", "/healthz").data == b"ok\n"
