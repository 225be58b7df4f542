"""What an instance remembers between runs: kept with the visit, read as `$state`, never lost between runs at once."""

from __future__ import annotations

import asyncio
from typing import Any

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.memory import ProcessMemory
from flowstudio.engine.runner import Runner
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk.message import Message
from flowstudio.trace.events import VisitStarted
from tests.builders import flow
from tests.toys import Lines, toys


def runs(drawn: Any, times: int, memory: ProcessMemory, recorders: Any = ()) -> list[Any]:
    async def whole() -> list[Any]:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(memory=memory), registry)
        results = await asyncio.gather(
            *(Runner(bound, "s", Message("x"), recorders=recorders, journal=Slowly()).run() for _ in range(times))
        )
        return [out.payload for result in results for out in result.outputs]

    return asyncio.run(whole())


class Slowly:
    """A journal that lets others have their turn before an event counts."""

    def note(self, event: Any) -> None:
        pass

    async def settled(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)


def test_runs_at_once_count_every_one_of_them() -> None:
    memory = ProcessMemory()
    assert sorted(runs(flow("s=start -> n=count"), 20, memory)) == list(range(1, 21))
    assert memory.read() == {"n": 20}


def test_a_step_sees_what_was_remembered_before_it_and_the_trace_keeps_what_it_saw() -> None:
    lines = Lines()
    memory = ProcessMemory({"n": 4})
    drawn = flow("s=start -> n=count -> see=tmap", see={"expression": "$state.n"})
    assert runs(drawn, 1, memory, [lines]) == [5]
    assert [(event.step, event.state) for event in lines.of(VisitStarted) if event.state is not None] == [
        ("n", {"n": 4}),
        ("see", {"n": 5}),
    ]


def test_nothing_is_kept_by_a_visit_that_fails() -> None:
    memory = ProcessMemory({"n": "text"})
    runs(flow("s=start -> n=count", n={"next": "$state.n + 1"}), 1, memory)
    assert memory.read() == {"n": "text"}
