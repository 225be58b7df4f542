"""Where a value came from, followed back through real runs of the built-in components."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.debug import Debugger
from flowstudio.engine.history import CourseHistory
from flowstudio.flow.called import among
from flowstudio.flow.model import Flow, Step, Variable, Wire
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.provenance import Hop, provenance
from flowstudio.sdk.message import Message
from flowstudio.sdk.registry import Registry
from tests.builders import flow

REGISTRY = Registry.from_entry_points()


def followed(
    drawn: Flow, payload: Any, step: str, path: tuple[Any, ...], called: dict[str, Flow] | None = None, which: int = -1
) -> list[Hop]:
    """The way back from a path of the last output of a step."""

    async def whole() -> list[Hop]:
        bound = BoundPlan(compile_flow(drawn, REGISTRY, among(called or {})), Values(), REGISTRY)
        debugger = Debugger(bound, next(iter(drawn.steps)), Message(payload), stood=lambda standing: None)
        result = await debugger.run()
        assert result.status == "succeeded", result.error
        visits = [e.visit for e in debugger.course.events if getattr(e, "step", "") == step and getattr(e, "visit", 0)]
        history = CourseHistory(debugger.course, bound)
        await bound.close()
        return provenance(history, sorted(set(visits))[which], path)

    return asyncio.run(whole())


def way(hops: list[Hop]) -> list[str]:
    return [f"{hop.step}.{hop.side} {'.'.join(map(str, hop.path))} {hop.kind}" for hop in hops]


def test_through_map_and_set_and_filter_to_the_trigger() -> None:
    drawn = flow(
        "manual -> shape=map -> only=filter -> mark=set",
        shape={"expression": '{"name": customer.first, "lines": [lines.{"sku": id}]}'},
        only={"condition": "name = 'Ada'"},
        mark={"fields": {"seen": "true"}},
    )
    payload = {"customer": {"first": "Ada"}, "lines": [{"id": "a"}, {"id": "b"}]}
    assert way(followed(drawn, payload, "mark", ("lines", 1, "sku"))) == [
        "mark.output lines.1.sku passed",
        "mark.input lines.1.sku passed",
        "only.output lines.1.sku passed",
        "only.input lines.1.sku passed",
        "shape.output lines.1.sku copied",
        "shape.input lines.1.id passed",
        "manual.output lines.1.id made",
    ]


def test_a_computed_value_leads_to_all_that_it_was_computed_from() -> None:
    drawn = flow("manual -> shape=map", shape={"expression": '{"total": qty * price}'})
    hops = followed(drawn, {"qty": 2, "price": 5}, "shape", ("total",))
    assert hops[0].kind == "computed"
    assert [hops[place].path for place in hops[0].before] == [("qty",), ("price",)]


def test_an_earlier_step_is_the_one_on_the_messages_own_path() -> None:
    drawn = flow(
        "manual -> split -> first=map -> second=map -> aggregate",
        first={"expression": '{"x": $}'},
        second={"expression": '{"y": $steps.first.x}'},
    )
    hops = followed(drawn, [10, 20, 30], "aggregate", (1, "y"))
    assert way(hops) == [
        "aggregate.output 1.y copied",
        "second.output y copied",
        "first.output x copied",
        "first.input  copied",
        "split.input 1 passed",
        "manual.output 1 made",
    ]
    assert hops[1].address == "split[1]/second"


def test_a_merge_leads_to_the_branch() -> None:
    drawn = flow(
        "manual -> a=map -> merge; manual -> b=map -> merge",
        a={"expression": '{"n": left}'},
        b={"expression": '{"n": right}'},
        merge={"mode": "object"},
    )
    assert way(followed(drawn, {"left": 1, "right": 2}, "merge", ("b", "n")))[:3] == [
        "merge.output b.n passed",
        "b.output n copied",
        "b.input right passed",
    ]


def test_a_call_leads_into_the_called_flow_and_out_again() -> None:
    inner = flow("flow-called -> inside=map", inside={"expression": '{"up": up}'})
    drawn = flow("manual -> sub=call", sub={"flow": "other", "input": '{"up": low}'})
    assert way(followed(drawn, {"low": 1}, "sub", ("up",), {"other": inner}))[:3] == [
        "sub.output up passed",
        "inside.output up copied",
        "inside.input up passed",
    ]


def test_where_the_way_to_nothing_ended() -> None:
    drawn = flow(
        "manual -> shape=map -> more=map",
        shape={"expression": '{"customer": customer}'},
        more={"expression": '{"vat": customer.vat}'},
    )
    hops = followed(drawn, {"customer": {"name": "Ada"}}, "more", ("vat",))
    assert hops[0].kind == "nothing"
    assert hops[0].expression == '{"vat": customer.vat}'


def test_variables_and_constants_end_the_way() -> None:
    drawn = flow(
        "manual -> shape=map",
        shape={"expression": '{"limit": $vars.limit, "source": "web"}'},
        variables={"limit": Variable("number", default=5)},
    )
    (bound,) = followed(drawn, {}, "shape", ("limit",))
    assert (bound.kind, bound.name) == ("bound", "$vars.limit")
    (made,) = followed(drawn, {}, "shape", ("source",))
    assert made.kind == "made"


def test_a_script_cannot_say() -> None:
    drawn = flow("manual -> script", script={"code": "return {'b': payload['a']}"})
    hops = followed(drawn, {"a": 1}, "script", ("b",))
    assert (hops[0].kind, hops[1].path) == ("unknown", ())


keys = st.sampled_from(["a", "b", "c"])


@st.composite
def chains(draw: st.DrawFn) -> tuple[Flow, dict[str, str], dict[str, str]]:
    """A chain of maps, sets, filters and whether each field at its end is a copy, and of which field at its beginning."""
    steps: dict[str, Step] = {"start": Step("manual@1")}
    wires: list[Wire] = []
    payload = {key: f"value of {key}" for key in "abc"}
    origin: dict[str, str | None] = {key: key for key in payload}
    last = "start"
    for number in range(draw(st.integers(1, 6))):
        name = f"s{number}"
        kind = draw(st.sampled_from(["map", "set", "filter", "wrap"]))
        known = sorted(origin)
        if kind == "map":
            picked = draw(st.dictionaries(keys, st.sampled_from(known), min_size=1, max_size=3))
            computed = draw(st.sets(st.sampled_from(sorted(picked)), max_size=1))
            parts = [
                f'"{key}": {f"$uppercase({source})" if key in computed else source}' for key, source in picked.items()
            ]
            steps[name] = Step("map@1", {"expression": "{" + ", ".join(parts) + "}"})
            origin = {key: None if key in computed else origin[source] for key, source in picked.items()}
        elif kind == "set":
            key, source = draw(keys), draw(st.sampled_from(known))
            steps[name] = Step("set@1", {"fields": {key: source}})
            origin = {**origin, key: origin[source]}
        elif kind == "filter":
            steps[name] = Step("filter@1", {"condition": "true"})
        else:
            steps[name] = Step("map@1", {"expression": '[{"w": $}].w'})
        wires.append(Wire(last, name))
        last = name
    return Flow("chain", "Chain", steps, tuple(wires)), payload, {k: v for k, v in origin.items() if v is not None}


@given(chains())
def test_every_stated_origin_of_a_chain_is_true_and_copies_are_found(chain: Any) -> None:
    drawn, payload, copies = chain
    last = list(drawn.steps)[-1]
    for key in "abc":
        hops = followed(drawn, payload, last, (key,))
        end = hops[-1]
        kinds = {hop.kind for hop in hops}
        if key in copies:
            assert kinds <= {"passed", "copied", "made"}, way(hops)
            assert (end.step, end.path, end.kind) == ("start", (copies[key],), "made")
        elif end.kind == "made" and "computed" not in kinds and end.step == "start":
            pytest.fail(f"{key} is no copy, but {way(hops)} says so")
