"""Where messages go: branches, filters, scopes, joins, loops, error routes, and the addresses of their visits."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Runner
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk.message import Message
from flowstudio.trace.events import RunFinished
from tests.builders import flow
from tests.toys import Lines, Slow, run_toys, toys


def outputs(result: Any) -> list[Any]:
    return [out.payload for out in result.outputs]


def test_a_straight_way_delivers_one_message() -> None:
    result = run_toys(flow("s=start -> a=mark -> b=mark"), "x")
    assert (result.status, outputs(result), result.visits, result.filtered) == ("succeeded", ["xab"], 3, 0)


def test_two_wires_on_a_port_both_carry_the_message_in_their_order() -> None:
    result = run_toys(flow("s=start -> b=mark; s -> a=mark"), "x")
    assert outputs(result) == ["xb", "xa"]


def test_a_filter_that_does_not_match_is_a_success_without_output() -> None:
    result = run_toys(flow("s=start -> k=keep -> a=mark", k={"condition": "$ > 5"}), 3)
    assert (result.status, outputs(result), result.filtered) == ("succeeded", [], 1)


def test_a_choice_whose_branches_meet_again_visits_the_meeting_step_once_under_its_plain_address() -> None:
    lines = Lines()
    drawn = flow("s=start -> w=ways:a -> a=mark -> end=mark; w:b -> b=mark -> end")
    result = run_toys(drawn, "a", recorders=[lines])
    assert outputs(result) == ["aaend"]
    assert lines.addresses() == ["s", "w", "a", "end"]


def test_branches_that_meet_without_a_merge_visit_the_step_once_each_under_addresses_of_their_own() -> None:
    lines = Lines()
    result = run_toys(flow("s=start -> a=mark -> end=mark; s -> b=mark -> end"), "x", recorders=[lines])
    assert sorted(outputs(result)) == ["xaend", "xbend"]
    addresses = lines.addresses()
    assert len(set(addresses)) == len(addresses) == 5
    assert [a for a in addresses if a.startswith("end")] == ["end~s.0", "end~s.1"]


def test_a_split_sends_each_item_and_an_aggregate_gathers_them() -> None:
    lines = Lines()
    result = run_toys(flow("s=start -> each=each -> m=mark -> g=gather"), ["1", "2", "3"], recorders=[lines])
    assert outputs(result) == [["1m", "2m", "3m"]]
    assert lines.addresses() == ["s", "each", "each[0]/m", "each[1]/m", "each[2]/m", "g"]
    assert result.visits == 6


def test_nested_three_by_two_gives_six() -> None:
    drawn = flow("s=start -> outer=each -> inner=each -> m=mark -> gi=gather -> go=gather")
    lines = Lines()
    result = run_toys(drawn, [["a", "b"], ["c", "d"], ["e", "f"]], recorders=[lines])
    assert outputs(result) == [[["am", "bm"], ["cm", "dm"], ["em", "fm"]]]
    assert [a for a in lines.addresses() if a.endswith("/m")] == [
        f"outer[{i}]/inner[{j}]/m" for i in range(3) for j in range(2)
    ]


@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_split_gathers_an_empty_list(nothing: Any) -> None:
    assert outputs(run_toys(flow("s=start -> each=each -> m=mark -> g=gather -> t=pass"), nothing)) == [[]]


def test_a_split_without_an_aggregate_runs_its_messages_to_their_ends() -> None:
    assert outputs(run_toys(flow("s=start -> each=each -> m=mark"), ["1", "2"])) == ["1m", "2m"]


def test_a_filtered_item_leaves_a_shorter_list() -> None:
    drawn = flow("s=start -> each=each -> k=keep -> g=gather", k={"condition": "$ != 2"})
    result = run_toys(drawn, [1, 2, 3])
    assert (outputs(result), result.filtered) == ([[1, 3]], 1)


@pytest.mark.parametrize("order", list(itertools.permutations("123")))
def test_an_aggregate_keeps_the_splits_order_whatever_finishes_first(order: tuple[str, ...]) -> None:
    drawn = flow("s=start -> each=each -> slow=slow -> g=gather", each={"parallel": 3})

    async def whole() -> Any:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        Slow.gates = {item: asyncio.Event() for item in "123"}
        runner = Runner(bound, "s", Message(["1", "2", "3"]))
        running = asyncio.ensure_future(runner.run())
        for item in order:
            await asyncio.sleep(0)
            Slow.gates[item].set()
        return await running

    assert outputs(asyncio.run(whole())) == [["1", "2", "3"]]


def test_as_many_items_as_the_split_allows_are_under_way() -> None:
    drawn = flow("s=start -> each=each -> slow=slow -> g=gather", each={"parallel": 2})

    async def whole() -> list[int]:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        Slow.gates = {str(item): asyncio.Event() for item in range(4)}
        runner = Runner(bound, "s", Message([str(item) for item in range(4)]))
        running = asyncio.ensure_future(runner.run())
        seen = []
        for item, expected in enumerate((("0", "1"), ("1", "2"), ("2", "3"), ("3",))):
            while (busy := tuple(token.message.payload for token in runner.state.tokens.values())) != expected:
                await asyncio.sleep(0)
            seen.append(len(busy))
            Slow.gates[str(item)].set()
        await running
        return seen

    assert asyncio.run(whole()) == [2, 2, 2, 1]


def test_a_merge_waits_for_all_that_can_still_arrive_and_emits_once() -> None:
    drawn = flow("s=start -> a=mark -> j=join; s -> b=mark -> c=mark -> j; s -> k=keep -> j", k={"condition": "false"})
    result = run_toys(drawn, "x")
    assert (outputs(result), result.filtered) == ([["xa", "xbc"]], 1)


def test_a_merge_in_a_split_emits_once_per_item() -> None:
    drawn = flow("s=start -> each=each -> a=mark -> j=join; each -> b=mark -> j; j -> g=gather")
    assert outputs(run_toys(drawn, ["1", "2"])) == [[["1a", "1b"], ["2a", "2b"]]]


def test_an_item_on_the_error_route_counts_at_its_place() -> None:
    drawn = flow("s=start -> each=each -> f=fail -> g=gather; f ! e=mark -> g")
    assert outputs(run_toys(drawn, ["1", "fail", "3"])) == [["1", "faile", "3"]]


def test_an_item_that_ends_on_its_error_route_is_missing_in_the_list() -> None:
    drawn = flow("s=start -> each=each -> f=fail -> g=gather; f ! e=mark")
    assert outputs(run_toys(drawn, ["1", "fail", "3"])) == ["faile", ["1", "3"]]


def test_an_unwired_error_fails_the_run_and_no_join_emits_without_the_message() -> None:
    drawn = flow("s=start -> each=each -> f=fail -> g=gather")
    result = run_toys(drawn, ["1", "fail", "3"])
    assert (result.status, outputs(result)) == ("failed", [])
    assert result.error is not None
    assert (result.error.step, result.error.address, result.error.type) == ("f", "each[1]/f", "Refused")


def test_the_error_route_carries_what_went_in_and_what_went_wrong() -> None:
    drawn = flow(
        "s=start -> f=fail; f ! m=tmap", m={"expression": '{"in": $, "why": $error.message, "at": $error.step}'}
    )
    assert outputs(run_toys(drawn, "fail it")) == [{"in": "fail it", "why": "fail it was refused", "at": "f"}]


def test_steps_are_those_of_the_messages_own_path() -> None:
    drawn = flow("s=start -> each=each -> m=mark -> t=tmap -> g=gather", t={"expression": "$steps.each & $steps.m"})
    assert outputs(run_toys(drawn, ["1", "2"])) == [["11m", "22m"]]


def test_after_an_aggregate_the_steps_inside_are_gone_and_those_before_are_back() -> None:
    drawn = flow(
        "s=start -> a=mark -> each=each -> m=mark -> g=gather -> t=tmap",
        each={"items": '["1", "2"]'},
        t={"expression": '{"before": $steps.a, "inside": $exists($steps.m), "list": $count($steps.g)}'},
    )
    assert outputs(run_toys(drawn, "x")) == [{"before": "xa", "inside": False, "list": 2}]


def test_an_item_knows_its_number() -> None:
    drawn = flow("s=start -> each=each -> t=tmap -> g=gather", t={"expression": "[$item.index, $item.total]"})
    assert outputs(run_toys(drawn, ["a", "b"])) == [[[0, 2], [1, 2]]]


def test_a_loop_goes_round_and_each_pass_has_an_address_of_its_own() -> None:
    lines = Lines()
    drawn = flow("s=start -> again=again:body -> m=mark -> again:next; again:done -> d=mark")
    result = run_toys(drawn, "x", recorders=[lines])
    assert outputs(result) == ["xmmmd"]
    addresses = lines.addresses()
    assert [a for a in addresses if a.endswith("m")] == ["again#1/m", "again#2/m", "again#3/m"]
    assert len(set(addresses)) == len(addresses)


def test_a_merge_in_a_loop_joins_the_messages_of_one_pass() -> None:
    drawn = flow(
        "s=start -> again=again:body -> a=mark -> j=join; again:body -> b=mark -> j;"
        "j -> t=tmap -> again:next; again:done -> d=mark",
        again={"times": 2},
        t={"expression": '$join($, "+")'},
    )
    assert outputs(run_toys(drawn, "x")) == ["xa+xba+xa+xbbd"]


def test_a_sleeping_message_goes_on_when_its_time_has_come() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))

    result = run_toys(flow("s=start -> n=nap -> m=mark"), "x", sleep=sleep)
    assert (outputs(result), slept) == (["xm"], [60])


def test_stop_ends_the_path_and_with_an_error_the_run() -> None:
    assert run_toys(flow("s=start -> e=end -> m=mark"), "x").status == "succeeded"
    failed = run_toys(flow("s=start -> e=end -> m=mark", e={"error": "no stock"}), "x")
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message == "no stock"


def test_a_failed_try_is_repeated_as_the_policy_says() -> None:
    from dataclasses import replace

    from flowstudio.trace.events import AttemptFailed

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    drawn = flow("s=start -> f=fail", f={"recovers": 2})
    step = replace(drawn.steps["f"], retry={"attempts": 4, "backoff": 2.0})
    drawn = replace(drawn, steps={**drawn.steps, "f": step})
    lines = Lines()
    result = run_toys(drawn, "fail", sleep=sleep, recorders=[lines])
    assert result.status == "succeeded"
    assert [event.attempt for event in lines.of(AttemptFailed)] == [1, 2]
    assert 1.8 <= slept[0] <= 2.2
    assert 3.6 <= slept[1] <= 4.4


def test_the_state_is_the_fold_of_the_events() -> None:
    drawn = flow("s=start -> outer=each -> inner=each -> f=fail -> gi=gather -> go=gather; f ! e=mark")

    async def whole() -> tuple[Any, Any]:
        registry = toys()
        plan = compile_flow(drawn, registry)
        lines = Lines()
        bound = BoundPlan(plan, Values(), registry)
        result = await Runner(bound, "s", Message([["a", "fail"], [], ["c"]]), recorders=[lines]).run()
        return result.state, fold(plan, lines.events)

    live, folded = asyncio.run(whole())
    assert live == folded
    assert live.status == "succeeded"


def test_a_cancelled_run_breaks_off_its_visits_and_leaves_no_task() -> None:
    drawn = flow("s=start -> slow=slow -> m=mark")

    async def whole() -> tuple[Any, int]:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        Slow.gates = {"x": asyncio.Event()}
        lines = Lines()
        runner = Runner(bound, "s", Message("x"), recorders=[lines])
        running = asyncio.ensure_future(runner.run())
        while not any(token.stage == "busy" for token in runner.state.tokens.values()):
            await asyncio.sleep(0)
        runner.cancel()
        result = await running
        assert [event.status for event in lines.of(RunFinished)] == ["cancelled"]
        return result, len(asyncio.all_tasks()) - 1

    result, left = asyncio.run(whole())
    assert (result.status, outputs(result), left) == ("cancelled", [], 0)
