"""`split` and `batch`: what a message is split into, also when it is read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.batch import Batch
from flowstudio.components.split import SplitComponent
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Items, Stream, StreamSource
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import compiled, perform

SOURCE = StreamSource("numbers@1")


def numbers(count: int) -> Stream:
    """A stream of the numbers below `count`."""
    return Stream("items", SOURCE, lambda: iter(range(count)))


def unreadable() -> Stream:
    """A stream that fails when somebody reads it."""

    def reading() -> Iterator[Any]:
        raise AssertionError("nobody may read this stream")

    return Stream("items", SOURCE, reading)


def split(config: dict[str, Any], payload: Any, **names: Any) -> Items:
    """What a split gives to the engine."""
    settings = compiled(SplitComponent, config).bind(names).evaluate(payload, names, None)
    return SplitComponent().items(settings, payload)


def faults(component: Any, config: dict[str, Any]) -> set[str | None]:
    """The fields of a config that are wrong."""
    return {problem.field for problem in compile_config(derive(component), config)[1]}


@pytest.mark.parametrize(
    ("payload", "items"),
    [
        (None, []),
        ([], []),
        ([1, None], [1, None]),
        ({"a": 1}, [{"a": 1}]),
        ("text", ["text"]),
        (0, [0]),
        ([[1]], [[1]]),
    ],
)
def test_a_list_gives_its_elements_nothing_gives_none_and_all_else_is_one_item(payload: Any, items: list[Any]) -> None:
    assert split({}, payload).values == items


def test_an_expression_that_gives_nothing_gives_no_items() -> None:
    assert split({"items": "orders.lines"}, {"orders": {}}).values == []
    assert split({"items": "null"}, {}).values == []


def test_the_elements_of_the_payload_are_not_copied() -> None:
    payload = [{"a": 1}]
    assert split({}, payload).values[0] is payload[0]  # type: ignore[index]


def test_what_is_set_is_told_to_the_engine_as_it_is_for_the_message() -> None:
    config = {"items": "rows", "batch": "{{ $vars.size }}", "parallel": "{{ many }}", "limit": "{{ most }}"}
    assert split(config, {"rows": [1, 2], "many": 4, "most": 0}, vars={"size": 3}) == Items([1, 2], 4, 3, 0)
    assert split({}, [1]) == Items([1], 1, None, None)


def test_a_value_that_turns_out_to_be_nothing_is_as_if_it_had_not_been_set() -> None:
    config = {"batch": "{{ none }}", "parallel": "{{ none }}", "limit": "{{ none }}"}
    assert split(config, {"a": 1}) == Items([{"a": 1}])


@pytest.mark.parametrize(("field", "wrong"), [("batch", 0), ("parallel", 0), ("limit", -1)])
def test_a_number_that_makes_no_sense_is_an_error_of_the_step(field: str, wrong: int) -> None:
    assert faults(SplitComponent, {field: wrong}) == {field}
    with pytest.raises(StepError, match=field):
        perform(SplitComponent, {field: "{{ n }}"}, {"n": wrong})


def test_a_stream_of_items_goes_on_unread() -> None:
    stream = unreadable()
    config = {"batch": 2, "parallel": "{{ $vars.at_once }}", "limit": 7}
    assert split(config, stream, vars={"at_once": 3}) == Items(stream, 3, 2, 7)
    assert split({"items": " $ "}, stream).values is stream
    assert perform(Batch, {"size": "{{ $vars.size }}"}, numbers(5), vars={"size": 2}).payload == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_a_stream_of_text_is_one_item(kind: Any) -> None:
    pieces = ["a", "b"] if kind == "text" else [b"a", b"b"]
    assert split({}, Stream(kind, SOURCE, lambda: iter(pieces))).values == ["ab"]


@pytest.mark.parametrize(
    ("config", "reads"),
    [
        ({}, True),
        ({"items": "$"}, True),
        ({"items": " $ ", "batch": 100, "limit": 5, "parallel": 2}, True),
        ({"batch": "{{ $vars.size }}", "limit": "{{$vars.`the limit`}}"}, True),
        ({"items": "rows"}, False),
        ({"items": "$[active]"}, False),
        ({"batch": "{{ size }}"}, False),
        ({"limit": "{{ $.size }}"}, False),
        ({"limit": "{{ $count($) }}"}, False),
        ({"limit": "{{ $vars.a + b }}"}, False),
        ({"limit": "{{ $vars.a[b] }}"}, False),
    ],
)
def test_it_reads_a_stream_where_no_setting_looks_at_the_payload(config: dict[str, Any], reads: bool) -> None:
    spec = derive(SplitComponent)
    assert compile_config(spec, config)[1] == []
    assert SplitComponent.reads_streams({**spec.defaults, **config}) is reads
    assert SplitComponent.reads_streams(config) is reads
    if "parallel" not in config and "limit" not in config:
        own = {"size": config.get("batch", 1), **({"items": config["items"]} if "items" in config else {})}
        assert Batch.reads_streams(own) is reads


@given(st.lists(json_values, max_size=9), st.integers(1, 4), st.none() | st.integers(0, 10))
def test_batches_in_a_row_are_the_items_up_to_the_limit(items: list[Any], size: int, limit: int | None) -> None:
    config: dict[str, Any] = {"batch": size} if limit is None else {"batch": size, "limit": limit}
    batches = perform(SplitComponent, config, items).payload
    assert [item for batch in batches for item in batch] == items[:limit]
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches)
    if limit is None:
        assert perform(Batch, {"size": size}, items).payload == batches


def test_a_batch_needs_its_size() -> None:
    assert faults(Batch, {}) == {"size"}
    assert faults(Batch, {"size": 0}) == {"size"}
    assert faults(Batch, {"size": 2, "parallel": 2}) == {"parallel"}
    assert perform(Batch, {"size": 3, "items": "rows"}, {"rows": [1, 2]}).result == Items([1, 2], batch=3)


@pytest.mark.parametrize(
    ("component", "config", "told"),
    [
        (SplitComponent, {}, "Each item"),
        (
            SplitComponent,
            {"items": "orders", "batch": 100, "parallel": 4},
            "Each of orders; in lists of 100; 4 at once",
        ),
        (SplitComponent, {"items": "$vars.rows", "limit": "{{ $vars.n }}"}, "Each of rows; at most some"),
        (Batch, {"size": 50}, "Lists of 50"),
        (Batch, {"size": "{{ n }}", "items": "orders"}, "Lists of some size of orders"),
        (Batch, {}, "No size yet"),
    ],
)
def test_a_card_says_what_is_split(component: Any, config: dict[str, Any], told: str) -> None:
    assert derive(component).summary(config) == told
