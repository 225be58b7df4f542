"""Answers that come in pages are read to their end, or the step says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowstudio.components.http import Http
from flowstudio.errors import HttpStatusError, StepError
from flowstudio.httpclient import Response
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.stage import Performed, perform

URL = "https://shop.example.com/orders?open=1"


def page(body: Any, status: int = 200, **headers: str) -> Response:
    """One page."""
    return Response(status, headers={"Content-Type": "application/json", **headers}, content=json.dumps(body).encode())


def walk(config: dict[str, Any], *pages: Response) -> Performed:
    """Has the step read these pages."""
    return perform(Http, {"url": URL, **config}, answers=pages)


def queries(done: Performed) -> list[str]:
    """What the query of each request was."""
    return [request.url.query.decode() for request in done.context.requests]


def test_by_cursor_until_there_is_none() -> None:
    done = walk(
        {"pagination": "cursor", "items": "data.rows", "next": "meta.next", "cursor_param": "after", "page_size": 2},
        page({"data": {"rows": [1, 2]}, "meta": {"next": "a b"}}),
        page({"data": {"rows": [3]}, "meta": {"next": 7}}),
        page({"data": {"rows": []}, "meta": {"next": None}}),
    )
    assert done.payload == [1, 2, 3]
    assert queries(done) == ["open=1&limit=2", "open=1&limit=2&after=a+b", "open=1&limit=2&after=7"]


@pytest.mark.parametrize("end", [{}, {"next": None}, {"next": ""}, {"next": False}])
def test_a_cursor_ends_in_many_ways(end: dict[str, Any]) -> None:
    done = walk({"pagination": "cursor", "items": "rows", "next": "next"}, page({"rows": [1], **end}))
    assert done.payload == [1]


def test_by_page_until_one_is_not_full() -> None:
    done = walk({"pagination": "page", "page_size": 2, "first_page": 0, "page_param": "p"}, page([1, 2]), page([3]))
    assert done.payload == [1, 2, 3]
    assert queries(done) == ["open=1&p=0&limit=2", "open=1&p=1&limit=2"]


def test_by_page_without_a_size_until_one_is_empty() -> None:
    done = walk({"pagination": "page"}, page([1]), page([2]), page([]))
    assert done.payload == [1, 2]
    assert queries(done) == ["open=1&page=1", "open=1&page=2", "open=1&page=3"]


def test_by_offset_as_many_as_came() -> None:
    done = walk(
        {"pagination": "offset", "items": "rows"}, page({"rows": [1, 2]}), page({"rows": [3]}), page({"rows": []})
    )
    assert done.payload == [1, 2, 3]
    assert queries(done) == ["open=1&offset=0", "open=1&offset=2", "open=1&offset=3"]


def test_by_the_link_header() -> None:
    done = walk(
        {"pagination": "link"},
        page([1], Link='<https://shop.example.com/orders?p=2>; rel="next", <https://x/>; rel="last"'),
        page([2], Link='</orders?p=3>; rel="next"'),
        page([3]),
    )
    assert done.payload == [1, 2, 3]
    assert queries(done) == ["open=1", "p=2", "p=3"]


def test_by_an_address_in_the_answer() -> None:
    done = walk(
        {"pagination": "link", "items": "value", "next": "`@odata.nextLink`"},
        page({"value": [1], "@odata.nextLink": "https://shop.example.com/orders?$skip=1"}),
        page({"value": [2]}),
    )
    assert done.payload == [1, 2]


def test_meta_is_that_of_the_last_page() -> None:
    done = walk({"pagination": "page", "page_size": 1}, page([1], X="1"), page([], X="2"))
    assert done.meta["headers"]["x"] == "2"


def test_a_link_to_another_server_is_not_followed() -> None:
    for elsewhere in ("https://evil.example.com/", "http://shop.example.com/orders", "https://shop.example.com:444/"):
        with pytest.raises(StepError, match="another server"):
            walk({"pagination": "link"}, page([1], Link=f'<{elsewhere}>; rel="next"'), page([2]))


def test_the_same_page_again_and_again_is_told() -> None:
    with pytest.raises(StepError, match="again and again"):
        walk(
            {"pagination": "cursor", "items": "r", "next": "n"},
            *[page({"r": [1], "n": "same"})] * 3,
        )
    with pytest.raises(StepError, match="again and again"):
        walk({"pagination": "link"}, page([1], Link=f'<{URL}>; rel="next"'), page([2]))


def test_a_list_is_never_cut_without_a_word() -> None:
    with pytest.raises(StepError, match="goes on after 2 pages with 2 items"):
        walk({"pagination": "page", "max_pages": 2}, page([1]), page([2]), page([]))
    assert walk({"pagination": "page", "max_pages": 2}, page([1]), page([])).payload == [1]


def test_where_the_items_are_is_asked_for() -> None:
    with pytest.raises(StepError, match="its list is at orders"):
        walk({"pagination": "page"}, page({"orders": [1], "total": 1}))
    with pytest.raises(StepError, match="nothing at data"):
        walk({"pagination": "page", "items": "data"}, page({"orders": [1]}))
    with pytest.raises(StepError, match="a text at data"):
        walk({"pagination": "page", "items": "data"}, page({"data": "x"}))


def test_a_cursor_that_is_none_is_told() -> None:
    with pytest.raises(StepError, match="The cursor at next of the answer is an object"):
        walk({"pagination": "cursor", "items": "r", "next": "next"}, page({"r": [1], "next": {"a": 1}}))


def test_a_page_that_fails_fails_the_step() -> None:
    with pytest.raises(HttpStatusError):
        walk({"pagination": "page"}, page([1]), page({"message": "no"}, 500))


def test_each_page_of_a_post_has_a_key_of_its_own() -> None:
    done = walk({"method": "POST", "pagination": "page", "body": "{}"}, page([1]), page([]))
    keys = [request.headers["idempotency-key"] for request in done.context.requests]
    assert keys == ["run-1:step", "run-1:step:page-2"]
    assert all(request.content == b"{}" for request in done.context.requests)


def test_faults_of_paging_are_found_before_a_run() -> None:
    _, problems = compile_config(derive(Http), {"url": URL, "pagination": "cursor", "items": "a..b"})
    assert {problem.field for problem in problems} == {"items", "next"}
