"""The logic components in flows that the engine runs: scopes, joins, loops, calls, and what waits or is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.memory import ProcessMemory
from flowstudio.engine.runner import Result, Runner, starting_step
from flowstudio.flow.called import among, nowhere
from flowstudio.flow.model import Flow, Variable
from flowstudio.plan.compile import compile_flow, problems_of
from flowstudio.sdk import Category, Component, Context, Message, Settings, Stream, StreamSource, setting
from flowstudio.sdk.registry import Registry
from tests.builders import flow
from tests.conformance.stage import NOW
from tests.toys import Lines


class Rows(Component):
    """Puts out a stream of numbers, and counts how many were read."""

    key = "rows"
    title = "Rows"
    description = "Puts out numbers."
    category = Category.TRANSFORM
    read: ClassVar[int] = 0

    class Config(Settings):
        count: int = setting(10, description="How many.")

    @classmethod
    def reopened(cls, options: Mapping[str, Any], over: Stream | None) -> Stream:
        def reading() -> Iterator[int]:
            for number in range(options["count"]):
                cls.read += 1
                yield number

        return Stream("items", StreamSource("rows@1", options), reading)

    def run(self, config: Any, payload: Any, context: Context) -> Stream:
        return self.reopened({"count": config.count}, None)


REGISTRY = Registry.from_entry_points()
REGISTRY.add(Rows)


async def turns(seconds: float) -> None:
    """Sleeps so many turns of the event loop: who sleeps longer wakes later, and no time passes."""
    for _ in range(round(seconds)):
        await asyncio.sleep(0)


def run(
    drawn: Flow,
    payload: Any = None,
    *,
    called: Mapping[str, Flow] | None = None,
    memory: ProcessMemory | None = None,
    meanwhile: Callable[[Runner], None] | None = None,
    watched: bool = True,
    variables: Mapping[str, Any] | None = None,
) -> Result:
    """Runs a flow; `meanwhile` is called as soon as a message waits for a signal."""

    async def whole() -> Result:
        plan = compile_flow(drawn, REGISTRY, among(called) if called else nowhere)
        bound = BoundPlan(plan, Values(variables or {}, memory=memory), REGISTRY)
        recorders = [Lines()] if watched else []
        trigger = starting_step(plan, None)
        runner = Runner(bound, trigger, Message(payload), recorders=recorders, now=lambda: NOW, sleep=turns)
        running = asyncio.ensure_future(runner.run())
        if meanwhile is not None:
            while not any(token.stage == "waiting" for token in runner.state.tokens.values()):
                await asyncio.sleep(0)
            meanwhile(runner)
        try:
            return await running
        finally:
            await bound.close()

    return asyncio.run(whole())


def outputs(result: Result) -> list[Any]:
    """The payloads that left, of a run that succeeded."""
    assert result.error is None, result.error
    return [out.payload for out in result.outputs]


def left(drawn: Flow, payload: Any = None, **more: Any) -> list[Any]:
    """The payloads that leave, the same whether each visit is watched or not."""
    watched = outputs(run(drawn, payload, **more))
    assert outputs(run(drawn, payload, watched=False, **more)) == watched
    return watched


def test_nested_splits_of_three_and_two_make_six_messages_and_lists_of_lists() -> None:
    drawn = flow(
        "start -> split -> split2 -> map -> aggregate2 -> aggregate",
        split={"items": "orders"},
        split2={"items": "lines"},
        map={"expression": '$.sku & "/" & $steps.split.id & "/" & $item.index'},
    )
    orders = [{"id": n, "lines": [{"sku": "a"}, {"sku": "b"}]} for n in range(3)]
    assert left(drawn, {"orders": orders}) == [[[f"a/{n}/0", f"b/{n}/1"] for n in range(3)]]
    assert run(drawn, {"orders": orders}).visits == 1 + 1 + 3 + 6 + 3 + 1


def test_an_aggregate_keeps_the_order_of_the_split_when_the_first_is_through_last() -> None:
    drawn = flow("start -> split -> delay -> aggregate", split={"parallel": 5}, delay={"seconds": "{{ $ * 10 }}"})
    assert left(drawn, [5, 3, 4, 1, 2]) == [[5, 3, 4, 1, 2]]


def test_a_filter_inside_shortens_the_list_and_an_empty_one_is_a_list() -> None:
    drawn = flow("start -> split -> filter -> aggregate", filter={"condition": "$ > 2"})
    assert left(drawn, [1, 2, 3, 4]) == [[3, 4]]
    assert left(drawn, [1]) == [[]]
    assert left(drawn, []) == [[]]
    assert run(drawn, [1, 2, 3, 4]).filtered == 2


FAILS = {"expression": '$ > 1 and $ < 4 ? $number("none") : $'}


def test_what_fails_inside_stands_at_its_place_when_its_route_leads_to_the_aggregate() -> None:
    drawn = flow(
        "start -> split -> map -> aggregate; map ! map2 -> aggregate",
        split={"parallel": 4},
        map=FAILS,
        map2={"expression": '{"item": $, "step": $error.step}'},
    )
    failed = [{"item": n, "step": "map"} for n in (2, 3)]
    assert left(drawn, [1, 2, 3, 4]) == [[1, *failed, 4]]


def test_what_fails_inside_is_missing_when_its_route_leads_elsewhere_and_fails_the_run_without_one() -> None:
    assert left(flow("start -> split -> map -> aggregate; map ! log", map=FAILS), [1, 2, 3, 4]) == [2, 3, [1, 4]]
    failed = run(flow("start -> split -> map -> aggregate", map=FAILS), [1, 2, 3, 4])
    assert (failed.status, failed.outputs) == ("failed", ())
    assert failed.error is not None
    assert failed.error.address == "split[1]/map"


def test_two_aggregates_of_one_split_each_make_their_own_list() -> None:
    drawn = flow(
        "start -> split -> filter -> aggregate; split -> aggregate2",
        filter={"condition": "$ > 1"},
        aggregate2={"value": "$ * 10"},
    )
    assert left(drawn, [1, 2, 3]) == [[2, 3], [10, 20, 30]]


def test_an_aggregates_failing_value_takes_its_error_port_for_that_message() -> None:
    drawn = flow("start -> split -> aggregate -> log; aggregate ! log2", aggregate={"value": "$number($)"})
    assert left(drawn, ["1", "x", "3"]) == ["x", [1, 3]]


def test_items_that_give_nothing_stand_as_null_in_the_list() -> None:
    drawn = flow("start -> split -> aggregate", aggregate={"value": "id"})
    assert left(drawn, [{"id": 1}, {}, {"id": 3}]) == [[1, None, 3]]


@pytest.mark.parametrize(
    ("drawing", "config"),
    [
        ("start -> each=split -> map -> aggregate", {"batch": 2}),
        ("start -> each=batch -> map -> aggregate", {"size": 2}),
    ],
)
def test_batches_are_messages_that_are_lists(drawing: str, config: dict[str, Any]) -> None:
    drawn = flow(drawing, each=config, map={"expression": '{"sum": $sum($), "at": $item.index, "of": $item.total}'})
    assert left(drawn, [1, 2, 3, 4, 5]) == [
        [{"sum": total, "at": place, "of": 3} for place, total in enumerate((3, 7, 5))]
    ]


def test_the_limit_cuts_before_batches_are_made() -> None:
    drawn = flow("start -> split -> aggregate", split={"limit": "{{ most }}", "batch": 2, "items": "rows"})
    assert left(drawn, {"rows": [1, 2, 3, 4], "most": 3}) == [[[1, 2], [3]]]
    assert left(drawn, {"rows": [1, 2, 3, 4], "most": 0}) == [[]]


def test_a_split_that_cannot_be_made_takes_its_error_port() -> None:
    drawn = flow("start -> split -> aggregate; split ! log", split={"batch": "{{ size }}"})
    assert left(drawn, {"size": 0}) == [{"size": 0}]


@pytest.mark.parametrize(
    ("mode", "joined"),
    [("list", [{"n": 3}, 9, "c"]), ("object", {"map": {"n": 3}, "map3": 9, "log": "c"})],
)
def test_a_merge_joins_its_branches_by_the_order_of_its_wires(mode: str, joined: Any) -> None:
    drawn = flow(
        "start -> map -> merge; start -> map2 -> map3 -> merge; start -> map4 -> log -> merge",
        merge={"mode": mode},
        map={"expression": '{"n": $}'},
        map2={"expression": "$ * $"},
        map4={"expression": '"c"'},
    )
    assert left(drawn, 3) == [joined]


def test_a_merge_names_a_step_from_which_several_came_with_their_list() -> None:
    drawn = flow(
        "start -> map -> log -> merge; start -> map2 -> log; start -> map3 -> merge",
        merge={"mode": "object"},
        map={"expression": "1"},
        map2={"expression": "2"},
        map3={"expression": "3"},
    )
    assert left(drawn) == [{"log": [1, 2], "map3": 3}]


def test_a_merge_waits_for_no_branch_that_was_filtered_and_not_at_all_when_none_comes() -> None:
    drawn = flow(
        "start -> filter -> merge -> log; start -> filter2 -> merge",
        filter={"condition": "$ > 1"},
        filter2={"condition": "$ > 5"},
    )
    assert left(drawn, 3) == [[3]]
    assert left(drawn, 0) == []


def test_a_merge_inside_a_split_joins_each_item_for_itself() -> None:
    drawn = flow(
        "start -> split -> delay -> merge -> aggregate; split -> map -> merge",
        split={"parallel": 3},
        delay={"seconds": "{{ 10 - $ }}"},
        merge={"mode": "object"},
        map={"expression": "$ * 10"},
    )
    assert left(drawn, [1, 2, 3]) == [[{"delay": n, "map": n * 10} for n in (1, 2, 3)]]


COUNTING = "start -> loop:body -> set -> loop:next; loop:done -> log"
PLUS_ONE = {"fields": {"n": "n + 1"}}


def test_a_loop_goes_round_while_its_condition_holds() -> None:
    drawn = flow(COUNTING, loop={"while": "n < 5"}, set=PLUS_ONE)
    assert left(drawn, {"n": 0}) == [{"n": 5}]
    assert left(drawn, {"n": 9}) == [{"n": 9}]
    assert run(drawn, {"n": 0}).visits == 1 + 6 + 5 + 1


def test_a_loop_that_never_ends_fails_by_its_error_port_with_what_came_last() -> None:
    drawn = flow(
        f"{COUNTING}; loop ! map",
        loop={"while": "true", "max": 3},
        set=PLUS_ONE,
        map={"expression": '{"n": n, "why": $error.type}'},
    )
    assert left(drawn, {"n": 0}) == [{"n": 3, "why": "TooManyPasses"}]
    failed = run(flow(COUNTING, loop={"while": "true"}, set=PLUS_ONE), {"n": 0})
    assert failed.error is not None
    assert failed.error.data == {"passes": 1000}


def test_a_filter_in_a_loop_ends_the_message() -> None:
    drawn = flow(
        "start -> loop:body -> set -> filter -> loop:next; loop:done -> log",
        loop={"while": "n < 5"},
        set=PLUS_ONE,
        filter={"condition": "n != 3"},
    )
    result = run(drawn, {"n": 0})
    assert (result.status, outputs(result), result.filtered) == ("succeeded", [], 1)
    assert left(drawn, {"n": 3}) == [{"n": 5}]


def test_a_loop_inside_a_split_counts_for_each_item() -> None:
    drawn = flow(
        "start -> split -> loop:body -> set -> loop:next; loop:done -> aggregate",
        split={"parallel": 2},
        loop={"while": "n < top", "max": 4},
        set=PLUS_ONE,
        aggregate={"value": "n"},
    )
    assert left(drawn, [{"n": 0, "top": 4}, {"n": 1, "top": 1}, {"n": 2, "top": 3}]) == [[4, 1, 3]]


def test_a_split_inside_a_loop_gathers_in_each_pass() -> None:
    drawn = flow(
        "start -> loop:body -> split -> map -> aggregate -> loop:next; loop:done -> log",
        loop={"while": "$[0] < 8"},
        map={"expression": "$ * 2"},
    )
    assert left(drawn, [1, 3]) == [[8, 24]]


def test_a_disabled_loop_lets_the_message_go_on_by_done() -> None:
    drawn = flow(COUNTING, loop={"while": "true"}, set=PLUS_ONE)
    disabled = replace(drawn, steps={**drawn.steps, "loop": replace(drawn.steps["loop"], disabled=True)})
    assert left(disabled, {"n": 0}) == [{"n": 0}]


def test_a_stop_without_an_error_ends_its_own_path_alone() -> None:
    drawn = flow(
        "start -> split -> choice:bad -> stop; choice:otherwise -> aggregate",
        choice={"cases": [{"port": "bad", "when": "$ > 1"}]},
    )
    result = run(drawn, [1, 2, 0])
    assert (outputs(result), result.filtered) == ([[1, 0]], 0)
    assert left(drawn, [1, 2, 0]) == [[1, 0]]


def test_a_stop_with_an_error_fails_the_run_and_no_route_takes_it() -> None:
    drawn = flow(
        "start -> split -> choice:bad -> stop; choice:otherwise -> aggregate",
        choice={"cases": [{"port": "bad", "when": "$ > 1"}]},
        stop={"error": "no {{ $ }}"},
    )
    for watched in (True, False):
        result = run(drawn, [1, 2, 0], watched=watched)
        assert (result.status, result.outputs) == ("failed", ())
        assert result.error is not None
        assert (result.error.step, result.error.message) == ("stop", "no 2")


def test_a_disabled_stop_lets_the_message_go_on() -> None:
    drawn = flow("start -> stop -> log", stop={"error": "never"})
    disabled = replace(drawn, steps={**drawn.steps, "stop": replace(drawn.steps["stop"], disabled=True)})
    assert left(disabled, 1) == [1]


def test_a_delay_holds_its_own_message_alone() -> None:
    drawn = flow("start -> delay -> log; start -> log2", delay={"seconds": 30})
    assert left(drawn, 1) == [1, 1]
    past = flow("start -> delay -> log", delay={"until": "2020-01-01T00:00:00Z", "seconds": None})
    assert left(past, 1) == [1]


def test_a_delay_that_names_no_time_takes_its_error_port() -> None:
    drawn = flow(
        "start -> delay -> log; delay ! map",
        delay={"until": "{{ due }}", "seconds": None},
        map={"expression": "$error.type"},
    )
    assert left(drawn, {}) == ["NoTime"]


def test_a_wait_goes_on_with_its_signal_and_shows_what_came_with_it() -> None:
    drawn = flow(
        "start -> wait -> map",
        wait={"signal": "approved-{{ number }}"},
        map={"expression": '{"number": number, "by": $meta.signal.by}'},
    )
    done = run(drawn, {"number": 7}, meanwhile=lambda runner: runner.signal("approved-7", {"by": "ada"}))
    assert outputs(done) == [{"number": 7, "by": "ada"}]


def test_a_wait_leaves_by_timeout_when_no_signal_comes() -> None:
    drawn = flow(
        "start -> wait -> log; wait:timeout -> map", wait={"signal": "go", "timeout": 60}, map={"expression": '"late"'}
    )
    assert left(drawn, 1) == ["late"]
    assert outputs(run(drawn, 1, meanwhile=lambda runner: runner.signal("go"))) == [1]


def test_items_wait_for_signals_of_their_own() -> None:
    drawn = flow(
        "start -> split -> wait -> aggregate; wait:timeout -> map -> aggregate",
        split={"parallel": 2},
        wait={"signal": "go-{{ $ }}", "timeout": 500},
        map={"expression": '"late " & $'},
    )
    done = run(drawn, ["a", "b"], meanwhile=lambda runner: runner.signal("go-b"))
    assert outputs(done) == [["late a", "b"]]


def test_a_wire_to_the_timeout_of_a_wait_without_one_is_a_problem() -> None:
    drawn = flow("start -> wait -> log; wait:timeout -> log2", wait={"signal": "go"})
    assert [problem.step for problem in problems_of(drawn, REGISTRY) if problem.severity == "error"] == ["wait"]


def test_what_is_remembered_is_there_in_the_next_step_and_in_the_next_run() -> None:
    drawn = flow(
        "start -> remember -> map",
        remember={"set": {"runs": "$exists($state.runs) ? $state.runs + 1 : 1", "last": "id"}, "remove": ["old"]},
        map={"expression": '{"id": id, "state": $state}'},
    )
    memory = ProcessMemory({"old": 1, "kept": True})
    assert outputs(run(drawn, {"id": 7}, memory=memory)) == [{"id": 7, "state": {"kept": True, "runs": 1, "last": 7}}]
    assert outputs(run(drawn, {}, memory=memory, watched=False)) == [{"state": {"kept": True, "runs": 2, "last": 7}}]


def test_nothing_is_remembered_by_a_step_that_fails() -> None:
    drawn = flow("start -> remember -> log", remember={"set": {"a": "1", "b": '$number("none")'}})
    memory = ProcessMemory()
    assert run(drawn, memory=memory).status == "failed"
    assert memory.read() == {}


@pytest.mark.parametrize(
    ("split", "payload"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6]),
        ({"batch": 3}, [[0, 1, 2], [3, 4, 5], [6]]),
        ({"limit": 4, "batch": 3}, [[0, 1, 2], [3]]),
    ],
)
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_stream_is_split_as_a_list_would_be(split: dict[str, Any], payload: list[Any], parallel: int) -> None:
    drawn = flow("start -> rows=rows -> split -> aggregate", rows={"count": 7}, split={**split, "parallel": parallel})
    assert left(drawn) == [payload]


def test_a_stream_is_read_no_further_than_the_limit() -> None:
    drawn = flow("start -> rows=rows -> split -> aggregate", rows={"count": 1_000_000}, split={"limit": 3})
    Rows.read = 0
    assert outputs(run(drawn)) == [[0, 1, 2]]
    assert Rows.read <= 4


def test_a_stream_is_taken_whole_where_a_setting_looks_at_it() -> None:
    counted = flow(
        "start -> rows=rows -> split -> aggregate", rows={"count": 4}, split={"batch": "{{ $count($) - 1 }}"}
    )
    assert left(counted) == [[[0, 1, 2], [3]]]
    picked = flow("start -> rows=rows -> split -> aggregate", rows={"count": 4}, split={"items": "$[$ > 1]"})
    assert left(picked) == [[2, 3]]


def test_a_batch_of_a_stream_has_the_size_that_a_variable_gives() -> None:
    drawn = flow(
        "start -> rows=rows -> batch -> aggregate",
        rows={"count": 5},
        batch={"size": "{{ $vars.size }}"},
        variables={"size": Variable("integer", default=2)},
    )
    assert left(drawn) == [[[0, 1], [2, 3], [4]]]
    assert left(drawn, variables={"size": 4}) == [[[0, 1, 2, 3], [4]]]


GREETING = flow(
    "flow-called -> map",
    flow_called={
        "input": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "output": {"type": "string", "maxLength": 12},
    },
    map={"expression": '"Hello " & name'},
)


def test_a_called_flow_gets_the_input_and_its_output_goes_on() -> None:
    drawn = flow(
        "start -> split -> call -> aggregate", split={"parallel": 2}, call={"flow": "greeting", "input": "person"}
    )
    people = [{"person": {"name": "Ada"}}, {"person": {"name": "Bob"}}]
    assert left(drawn, people, called={"greeting": GREETING}) == [["Hello Ada", "Hello Bob"]]


@pytest.mark.parametrize(
    ("name", "why"), [(5, "The input does not fit"), ("Ada of Lovelace", "The output does not fit")]
)
def test_what_is_not_as_declared_is_an_error_of_the_call(name: Any, why: str) -> None:
    drawn = flow(
        "start -> call -> log; call ! map",
        call={"flow": "greeting"},
        map={"expression": '$error.step & ": " & $error.message'},
    )
    (told,) = left(drawn, {"name": name}, called={"greeting": GREETING})
    assert told.startswith(f"call: {why}")


def test_a_called_flow_with_several_outputs_gives_several_messages_and_one_without_gives_none() -> None:
    lines = flow("flow-called -> split -> log", split={"items": "lines"})
    drawn = flow("start -> call -> map", call={"flow": "lines"}, map={"expression": "$ * 10"})
    assert left(drawn, {"lines": [1, 2, 3]}, called={"lines": lines}) == [10, 20, 30]
    assert left(drawn, {"lines": []}, called={"lines": lines}) == []


def test_a_called_flow_may_begin_by_hand_and_call_further() -> None:
    inner = flow("start -> map", map={"expression": "$ + 1"})
    outer = flow("flow-called -> call -> call2", call={"flow": "inner"}, call2={"flow": "inner"})
    drawn = flow("start -> call", call={"flow": "outer"})
    assert left(drawn, 1, called={"inner": inner, "outer": outer}) == [3]
