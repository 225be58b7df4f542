"""Flows that call flows: what goes in and comes out, addresses, values, failures, depth."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, run_flow
from flowstudio.errors import BindError, CompileError
from flowstudio.flow.called import among, beside
from flowstudio.flow.model import Flow, Variable, canonical_bytes
from flowstudio.plan.compile import compile_flow, problems_of
from tests.builders import flow
from tests.toys import Lines, toys


def run(main: Flow, payload: Any, called: dict[str, Flow], values: dict[str, Any] | None = None, **more: Any) -> Result:
    async def whole() -> Result:
        registry = toys()
        bound = BoundPlan(compile_flow(main, registry, among(called)), Values(values or {}), registry)
        try:
            return await run_flow(bound, None, payload, **more)
        finally:
            await bound.close()

    return asyncio.run(whole())


def outputs(result: Result) -> list[Any]:
    return [out.payload for out in result.outputs]


@pytest.mark.parametrize("watched", [False, True])
def test_the_called_flows_output_goes_on_from_the_call(watched: bool) -> None:
    lines = Lines()
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    result = run(main, "x", {"other": flow("t=start -> a=mark -> b=mark")}, recorders=[lines] if watched else [])
    assert (outputs(result), result.visits) == (["xabm"], 6)
    if watched:
        assert lines.addresses() == ["s", "sub", "sub:/t", "sub:/a", "sub:/b", "m"]


def test_every_output_goes_on_as_a_message_of_its_own_in_the_order_of_their_ways() -> None:
    lines = Lines()
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    called = {"other": flow("t=start -> b=mark; t -> each=each -> a=mark", each={"items": "[1, 2]"})}
    result = run(main, "x", called, recorders=[lines])
    assert outputs(result) == ["xbm", "1am", "2am"]
    assert lines.addresses()[-3:] == ["m~sub0", "m~sub1", "m~sub2"]


def test_a_called_flow_without_output_ends_the_path() -> None:
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    result = run(main, "x", {"other": flow("t=start -> k=keep", k={"condition": "false"})})
    assert (result.status, outputs(result), result.filtered) == ("succeeded", [], 1)


def test_steps_and_trigger_are_those_of_the_called_flow_inside_and_of_the_caller_behind() -> None:
    inside = flow(
        "t=start -> a=mark -> see=tmap",
        see={"expression": '{"steps": $steps.$keys(), "trigger": $trigger, "outer": $steps.before}'},
    )
    main = flow(
        "s=start -> before=mark -> sub=sub -> see=tmap",
        sub={"flow": "other"},
        see={"expression": '{"inside": $steps.sub, "steps": $steps.$keys(), "trigger": $trigger}'},
    )
    (seen,) = outputs(run(main, "x", {"other": inside}))
    assert (set(seen["inside"]["steps"]), seen["inside"]["trigger"]) == ({"t", "a"}, "xbefore")
    assert "outer" not in seen["inside"]
    assert set(seen["steps"]) == {"s", "before", "sub"}
    assert seen["trigger"] == "x"


def test_the_item_of_the_caller_is_not_seen_inside() -> None:
    inside = flow("t=start -> see=tmap", see={"expression": '{"item": $item}'})
    main = flow("s=start -> each=each -> sub=sub -> g=gather", sub={"flow": "other"})
    assert outputs(run(main, [1, 2], {"other": inside})) == [[{}, {}]]


def test_calls_in_a_scope_run_side_by_side_and_keep_the_order() -> None:
    main = flow("s=start -> outer=each -> sub=sub -> g=gather", outer={"parallel": 3}, sub={"flow": "other"})
    inner = flow("t=start -> inner=each -> m=mark -> g=gather")
    assert outputs(run(main, [["a"], ["b", "c"], []], {"other": inner})) == [[["am"], ["bm", "cm"], []]]


def test_values_are_the_called_flows_defaults_overridden_by_the_callers_of_the_same_name() -> None:
    inner = flow(
        "t=start -> see=tmap",
        see={"expression": "[$vars.shared, $vars.own, $vars.$keys()]"},
        variables={"shared": Variable("text", default="inner"), "own": Variable("text", default="inner")},
    )
    main = flow(
        "s=start -> sub=sub",
        sub={"flow": "other"},
        variables={"shared": Variable("text", default="outer"), "hidden": Variable("text", default="outer")},
    )
    assert outputs(run(main, None, {"other": inner})) == [["outer", "inner", "shared", "own"]]
    assert outputs(run(main, None, {"other": inner}, {"shared": "given"})) == [["given", "inner", "shared", "own"]]


def test_values_go_down_from_flow_to_flow_alone() -> None:
    read = flow("t=start -> see=tmap", see={"expression": "$vars.v"}, variables={"v": Variable("text", default="own")})
    between = flow("t=start -> sub=sub", sub={"flow": "read"})
    main = flow(
        "s=start -> direct=sub; s -> by=sub",
        direct={"flow": "read"},
        by={"flow": "between"},
        variables={"v": Variable("text", default="main")},
    )
    assert outputs(run(main, None, {"read": read, "between": between})) == ["main", "own"]


def test_a_required_variable_of_a_called_flow_that_nothing_fills_is_named() -> None:
    inner = flow("t=start -> m=mark", variables={"key": Variable("text", required=True)})
    main = flow("s=start -> sub=sub", sub={"flow": "other"})
    with pytest.raises(BindError, match="the variable key of the called flow"):
        run(main, None, {"other": inner})


def test_an_error_inside_is_the_error_of_the_call() -> None:
    main = flow("s=start -> sub=sub -> m=mark; sub ! e=tmap", sub={"flow": "other"}, e={"expression": "$error"})
    result = run(main, "fail", {"other": flow("t=start -> deep=fail -> after=mark")})
    (error,) = outputs(result)
    assert result.status == "succeeded"
    assert (error["step"], error["type"], error["status"]) == ("sub", "Refused", 503)


def test_an_error_inside_that_nothing_catches_fails_the_run_at_the_call() -> None:
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    result = run(main, "fail", {"other": flow("t=start -> deep=fail -> after=mark")})
    assert result.status == "failed"
    assert result.error is not None
    assert (result.error.step, result.error.address) == ("sub", "sub:/deep")


def test_the_innermost_call_with_a_way_for_errors_catches_them() -> None:
    deep = flow("t=start -> f=fail")
    between = flow("t=start -> sub=sub -> m=mark; sub ! caught=mark", sub={"flow": "deep"})
    main = flow("s=start -> sub=sub; sub ! never=mark", sub={"flow": "between"})
    assert outputs(run(main, "fail", {"deep": deep, "between": between})) == ["failcaught"]


def test_what_waits_in_a_called_flow_that_failed_goes_no_further() -> None:
    inner = flow("t=start -> nap=nap -> late=mark; t -> f=fail")
    main = flow("s=start -> sub=sub -> m=mark; sub ! caught=mark", sub={"flow": "other"})
    result = run(main, "fail", {"other": inner}, sleep=lambda seconds: asyncio.sleep(0))
    assert (result.status, outputs(result)) == ("succeeded", ["failcaught"])
    assert dict(result.state.tokens) == {}
    assert list(result.state.bags) == [""]


def test_a_merge_behind_a_call_waits_for_the_called_flow() -> None:
    inner = flow("t=start -> nap=nap -> a=mark")
    main = flow("s=start -> sub=sub -> j=join; s -> b=mark -> j", sub={"flow": "other"})
    assert outputs(run(main, "x", {"other": inner}, sleep=lambda seconds: asyncio.sleep(0))) == [["xa", "xb"]]


def test_a_flow_that_calls_itself_ends_where_it_says() -> None:
    down = flow(
        "t=start -> less=tmap -> more=keep -> sub=sub",
        less={"expression": "$ - 1"},
        more={"condition": "$ > 0"},
        sub={"flow": "down"},
    )
    # The last one filters; nothing comes back.
    result = run(down, 5, {"down": down})
    assert (result.status, result.filtered, outputs(result)) == ("succeeded", 1, [])


def test_calls_without_end_are_an_error_that_says_so() -> None:
    down = flow("t=start -> sub=sub", sub={"flow": "down"})
    result = run(down, 5, {"down": down})
    assert result.error is not None
    assert (result.status, result.error.type) == ("failed", "TooDeep")


class TestWhatIsWrongWithACall:
    def problems(self, main: Flow, called: dict[str, Flow]) -> list[str]:
        return [f"{p.step}: {p}" for p in problems_of(main, toys(), among(called)) if p.severity == "error"]

    def test_a_flow_that_is_not_there(self) -> None:
        (problem,) = self.problems(flow("s=start -> sub=sub", sub={"flow": "nowhere"}), {})
        assert "nowhere" in problem

    def test_a_flow_without_a_trigger_for_calls(self) -> None:
        (problem,) = self.problems(
            flow("s=start -> sub=sub", sub={"flow": "other"}), {"other": flow("a=start -> m=mark; b=start -> m")}
        )
        assert "several triggers" in problem

    def test_a_called_flow_with_a_fault_of_its_own(self) -> None:
        (problem,) = problems_of(
            flow("s=start -> sub=sub", sub={"flow": "other"}),
            toys(),
            among({"other": flow("t=start -> m=tmap", m={"expression": "("})}),
        )
        assert (problem.file, problem.step, problem.field) == ("other", "m", "expression")

    @pytest.mark.parametrize(("field", "value"), [("retry", {"attempts": 2}), ("timeout", 3)])
    def test_a_policy_that_would_repeat_or_cut_off_the_whole_of_it(self, field: str, value: Any) -> None:
        main = flow("s=start -> sub=sub", sub={"flow": "other"})
        steps = {**main.steps, "sub": replace(main.steps["sub"], **{field: value})}
        (problem,) = problems_of(replace(main, steps=steps), toys(), among({"other": flow("t=start -> m=mark")}))
        assert (problem.step, problem.field) == ("sub", field)

    def test_a_name_that_only_a_value_would_tell(self) -> None:
        main = flow("s=start -> sub=sub", sub={"flow": "{{ $vars.x }}"}, variables={"x": Variable("text")})
        (problem,) = self.problems(main, {})
        assert "not known beforehand" in problem


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        inner = replace(flow("t=start -> a=mark"), id="inner-flow")
        (tmp_path / "a file.flow.json").write_bytes(canonical_bytes(inner.to_document()))
        return tmp_path

    @pytest.mark.parametrize("name", ["a file.flow.json", "a file", "inner-flow"])
    def test_a_flow_is_found_by_path_by_name_and_by_id(self, folder: Path, name: str) -> None:
        main = flow("s=start -> sub=sub -> m=mark", sub={"flow": name})
        plan = compile_flow(main, toys(), beside(folder / "main.flow.json"))
        assert plan.flows[1].id == "inner-flow"
        assert plan.folders == ("", str(folder))

    def test_one_that_is_not_there_says_where_was_looked(self, folder: Path) -> None:
        main = flow("s=start -> sub=sub", sub={"flow": "other"})
        with pytest.raises(CompileError, match="there is no flow other"):
            compile_flow(main, toys(), beside(folder / "main.flow.json"))
