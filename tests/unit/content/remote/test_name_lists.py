"""Tags of a repository and repositories of a registry, page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from nv2.content.remote import name_lists
from nv2.content.remote.name_lists import repositories_of
from nv2.content.remote.store import RemoteStore
from nv2.errors import BadAnswer, NotFound, Refused
from nv2.transport.interface import Request, Response
from tests.world.artifacts import thread_lock
from tests.world.network import FunctionTransport, answer

HOST = "http://registry.test"


class Pages:
    """Answers with one page after the other, each of which links to the next."""

    def __init__(self, *pages: Any, link: str = "/v2/next?after={}", status: int = 200) -> None:
        self.pages = pages
        self.link = link
        self.status = status
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        number = min(len(self.requests), len(self.pages) - 1)
        self.requests.append(request)
        headers: Mapping[str, str] = {}
        if number + 1 < len(self.pages) or "loop" in self.link:
            headers = {"Link": f'<{self.link.format(number)}>; rel="next"'}
        return answer(request, self.status, json.dumps(self.pages[number]).encode(), headers)


def tags(pages: Pages) -> tuple[str, ...]:
    store = RemoteStore("registry.test", "app", FunctionTransport(pages), plain_http=True, lock=thread_lock())
    return store.tag_names()


def repositories(pages: Pages) -> tuple[str, ...]:
    return repositories_of("registry.test", FunctionTransport(pages), plain_http=True)


def test_the_tags_of_all_pages_come_sorted_and_once() -> None:
    pages = Pages({"name": "app", "tags": ["v2", "v1"]}, {"name": "app", "tags": ["v1", "v3"]})
    assert tags(pages) == ("v1", "v2", "v3")
    assert [request.url for request in pages.requests] == [
        f"{HOST}/v2/app/tags/list?n=1000",
        f"{HOST}/v2/next?after=0",
    ]


def test_a_repository_without_tags_has_none_in_both_ways_of_saying_so() -> None:
    assert tags(Pages({"name": "app", "tags": None})) == ()
    assert tags(Pages({"name": "app", "tags": []})) == ()


def test_names_that_cannot_be_tags_or_repositories_are_left_out() -> None:
    assert tags(Pages({"tags": ["v1", "../../etc", "a b", ""]})) == ("v1",)
    assert repositories(Pages({"repositories": ["app", "Team/App", "../x", "team/app"]})) == (
        "app",
        "team/app",
    )


def test_pages_that_never_end_are_not_followed_for_ever() -> None:
    pages = Pages({"tags": ["v1"]}, link="/v2/loop")
    assert tags(pages) == ("v1",)
    assert len(pages.requests) == 2


def test_a_list_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lists, "MAX_NAMES", 3)
    assert len(tags(Pages({"tags": ["a", "b", "c"]}))) == 3
    with pytest.raises(BadAnswer, match="more than 3 names"):
        tags(Pages({"tags": ["a", "b"]}, {"tags": ["c", "d"]}))


def test_the_next_page_is_at_the_registry_itself() -> None:
    with pytest.raises(BadAnswer, match=r"the next page of the list of tags is at other\.test"):
        tags(Pages({"tags": ["a"]}, {"tags": ["b"]}, link="http://other.test/{}"))


@pytest.mark.parametrize("document", [[], {"tags": "v1"}, {"tags": [1]}, {"tags": {"v1": 1}}])
def test_something_else_than_a_list_of_names_is_refused(document: Any) -> None:
    with pytest.raises(BadAnswer, match="something else"):
        tags(Pages(document))


def test_a_registry_that_names_no_repositories_says_so_by_its_status() -> None:
    with pytest.raises(NotFound, match="does not name its repositories"):
        repositories(Pages({}, status=404))
    with pytest.raises(Refused, match="list of repositories"):
        repositories(Pages({}, status=401))


def test_repositories_are_asked_for_with_the_right_to_see_the_catalog() -> None:
    pages = Pages({"repositories": ["b", "a"]})
    assert repositories(pages) == ("a", "b")
    assert [(request.url, request.scopes) for request in pages.requests] == [
        (f"{HOST}/v2/_catalog?n=1000", ("registry:catalog:*",))
    ]


def test_a_list_of_too_many_pages_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lists, "MAX_PAGES", 3)
    pages = Pages(*({"name": "app", "tags": [f"v{number}"]} for number in range(5)))
    with pytest.raises(BadAnswer, match="more than 3 pages"):
        tags(pages)
    assert len(pages.requests) == 3
