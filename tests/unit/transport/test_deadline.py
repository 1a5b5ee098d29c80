import pytest

from nv2.errors import Unreachable
from nv2.transport.deadline import Hurried
from nv2.transport.interface import TOTAL_TIMEOUT, Request
from tests.world.network import FunctionTransport, answer

ASKED = Request("GET", "https://r.test/v2/?secret")


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[Request] = []
        self.hurried = Hurried(FunctionTransport(self._answer), 600, clock=lambda: self.now)

    def _answer(self, request: Request):
        self.asked.append(request)
        return answer(request, 200, b"")


@pytest.mark.parametrize(
    ("later", "own", "given"),
    [(0, TOTAL_TIMEOUT, TOTAL_TIMEOUT), (0, None, 600), (590, TOTAL_TIMEOUT, 10), (590, 5, 5)],
)
def test_a_request_gets_its_own_time_but_no_more_than_is_left(later, own, given) -> None:
    world = World()
    world.now += later
    world.hurried.start(ASKED._replace(total_timeout=own)).response()
    assert [request.total_timeout for request in world.asked] == [given]


def test_when_the_time_is_over_nobody_is_asked() -> None:
    world = World()
    world.now += 600
    with pytest.raises(Unreachable, match="600 seconds for everything about one artifact are over") as caught:
        world.hurried.start(ASKED)
    assert not world.asked
    assert "secret" not in str(caught.value)
