"""What the other end of a session is told of a run, and what can be asked for later, however long the run is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, run_flow
from flowstudio.errors import ProtocolError
from flowstudio.flow.called import among
from flowstudio.flow.model import Flow
from flowstudio.plan.compile import compile_flow
from flowstudio.runtime.broadcast import OUTPUTS, Broadcast
from flowstudio.stores.payloads import PayloadStore
from tests.builders import flow
from tests.toys import toys


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PayloadStore]:
    kept = PayloadStore(tmp_path)
    yield kept
    kept.close()


class Told:
    """A run with its broadcast, and the notifications as the other end reads them."""

    def __init__(
        self, store: PayloadStore, main: Flow, payload: Any, called: Mapping[str, Flow] | None = None, **more: Any
    ) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

        async def whole() -> Result:
            registry = toys()
            bound = BoundPlan(compile_flow(main, registry, among(dict(called or {}))), Values(), registry)
            self.broadcast = Broadcast(bound.plan, store, self._notify, **more)
            try:
                return await run_flow(bound, None, payload, recorders=[self.broadcast])
            finally:
                await bound.close()

        self.result = asyncio.run(whole())

    def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.messages.append((method, json.loads(json.dumps(params))))

    def of(self, method: str) -> list[dict[str, Any]]:
        return [params for told, params in self.messages if told == method]

    def ends(self, step: str) -> list[dict[str, Any]]:
        return [visit for visit in self.of("visit") if visit["step"] == step and visit["status"] != "running"]


def test_a_message_that_slept_has_left_when_it_wakes(store: PayloadStore) -> None:
    told = Told(store, flow("s=start -> h=hold:timeout -> m=mark", h={"timeout": 0.001}), "x")
    assert [(v["status"], v["left"]) for v in told.ends("h")] == [("waiting", {}), ("succeeded", {"timeout": 1})]
    assert told.broadcast.names_at(3)["steps"] == {"s": "x", "h": "x"}


def test_a_call_runs_until_the_called_flow_has_ended(store: PayloadStore) -> None:
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    told = Told(store, main, "x", {"other": flow("t=start -> a=mark -> b=mark")})
    (call,) = told.ends("sub")
    assert (call["status"], call["left"], store.get(call["output"]["hash"])) == ("succeeded", {"out": 1}, "xab")
    assert call["duration_ms"] >= 0
    order = [visit["step"] for visit in told.of("visit") if visit["status"] == "succeeded"]
    assert order == ["s", "t", "a", "b", "sub", "m"]
    (finished,) = told.of("finished")
    assert [output["step"] for output in finished["outputs"]] == ["m"], (
        "what left the called flow has not left the flow"
    )


def test_several_outputs_of_a_call_are_counted(store: PayloadStore) -> None:
    main = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
    called = {"other": flow("t=start -> b=mark; t -> a=mark")}
    (call,) = Told(store, main, "x", called).ends("sub")
    assert call["left"] == {"out": 2}
    assert sorted(store.get(call["output"]["hash"])) == ["xa", "xb"]


@pytest.mark.slow
def test_a_long_run_is_counted_beyond_the_limit(store: PayloadStore) -> None:
    main = flow("s=start -> each=each -> k=keep -> m=mark", each={"items": "[1..3000]"}, k={"condition": "$ % 2 = 0"})
    told = Told(store, main, None, visits=100)
    visits = told.result.visits
    assert visits == 2 + 3000 + 1500
    seen = {visit["visit"] for visit in told.of("visit")}
    assert set(range(1, 101)) <= seen
    assert len(seen) < 700
    left_out = told.of("left_out")
    assert len(left_out) >= 4
    steps = left_out[-1]["steps"]
    assert len(seen) + sum(counted["visits"] for counted in steps.values()) == visits
    for step, total, out in (("k", 3000, 1500), ("m", 1500, 1500)):
        ends = told.ends(step)
        assert len(ends) + steps[step]["visits"] == total
        assert sum(end["left"].get("out", 0) for end in ends) + steps[step]["left"]["out"] == out
    assert sum(end["status"] == "filtered" for end in told.ends("k")) + steps["k"]["filtered"] == 1500
    last = max(told.ends("m"), key=lambda end: end["visit"])
    assert store.get(last["input"]["hash"]) == 3000
    (finished,) = told.of("finished")
    assert told.messages[-1][0] == "finished"
    assert (finished["visits"], finished["filtered"]) == (visits, 1500)
    assert len(finished["outputs"]) <= OUTPUTS
    trace = told.broadcast.trace(0, 10**6)
    assert trace["total"] == len(trace["events"]) < 1500
    assert [event["event"] for event in trace["events"][-2:]] == ["LeftOut", "RunFinished"]
    unrecorded = next(number for number in range(1, visits) if number not in seen)
    with pytest.raises(ProtocolError, match="in the record of this run"):
        told.broadcast.input_of(unrecorded)


def test_what_is_asked_of_a_visit_is_answered_from_the_record(store: PayloadStore) -> None:
    main = flow("s=start -> each=each -> a=mark -> b=mark", each={"items": '["x", "y", "z"]'})
    told = Told(store, main, {"n": 1})
    inputs = [store.get(visit["input"]["hash"]) for visit in told.ends("b")]
    assert sorted(inputs) == ["xa", "ya", "za"]
    for visit in told.ends("b"):
        assert told.broadcast.input_of(visit["visit"]) == store.get(visit["input"]["hash"])
    last = max(visit["visit"] for visit in told.ends("b"))
    names = told.broadcast.names_at(last)
    assert names["trigger"] == {"n": 1}
    assert names["steps"]["s"] == {"n": 1}
    assert names["steps"]["a"] == "za"
    events = told.broadcast.trace(0, 3)["events"]
    assert told.broadcast.trace(1, 1)["events"] == events[1:2]
    assert events[0]["payload"]["hash"] == store.put({"n": 1}).hash


@pytest.mark.slow
def test_memory_does_not_grow_with_the_record(store: PayloadStore) -> None:
    """The record of 20,000 visits takes less than a tenth of what they would as objects."""
    import tracemalloc

    from flowstudio.trace.events import VisitFinished, VisitStarted

    plan = compile_flow(flow("s=start -> m=mark"), toys())
    broadcast = Broadcast(plan, store, lambda method, params: None)
    small = {"name": "always the same"}
    tracemalloc.start()
    for number in range(1, 20_001):
        broadcast.record(VisitStarted("r", number, "m", f"each[{number}]/m", number, number, small))
        broadcast.record(VisitFinished("r", number, "m", f"each[{number}]/m", number, number, payload=small))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 5_000_000
    assert broadcast.trace(39_000, 1)["events"][0]["visit"] == 19_501
