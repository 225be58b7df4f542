"""Streams: read piece by piece by a split, taken whole by anything else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, Runner
from flowstudio.engine.streams import found, kept
from flowstudio.errors import StepError
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.state import RunState
from flowstudio.sdk.message import Message
from flowstudio.sdk.stream import Stream, StreamSource
from flowstudio.trace.events import Event, ItemsRead, VisitFinished
from flowstudio.trace.records import from_record, to_record
from tests.builders import flow
from tests.toys import Lines, Numbers, Slow, run_toys, toys


def outputs(result: Result) -> list[Any]:
    return [out.payload for out in result.outputs]


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2500])
def test_a_split_behind_a_stream_reads_all_of_it(count: int, watched: bool) -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> m=tmap -> g=gather", n={"count": count}, m={"expression": "$ * 2"}
    )
    result = run_toys(drawn, None, recorders=[Lines()] if watched else [])
    assert outputs(result) == [[2 * n for n in range(count)]]
    assert Numbers.opened == 0


def test_any_other_reader_gets_it_whole() -> None:
    drawn = flow(
        "s=start -> n=numbers -> m=tmap; n -> each=flowing -> g=gather", n={"count": 3}, m={"expression": "$sum($)"}
    )
    assert outputs(run_toys(drawn)) == [3, [0, 1, 2]]


def test_one_that_leaves_the_flow_is_whole() -> None:
    assert outputs(run_toys(flow("s=start -> n=numbers", n={"count": 3}))) == [[0, 1, 2]]


def test_limit_cuts_first_then_batch_groups() -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> m=tmap -> g=gather",
        n={"count": 100},
        each={"limit": 7, "batch": 3},
        m={"expression": '{"i": $item.index, "t": $item.total, "n": $}'},
    )
    expected = [{"i": 0, "n": [0, 1, 2]}, {"i": 1, "n": [3, 4, 5]}, {"i": 2, "n": [6]}]
    assert outputs(run_toys(drawn)) == [expected]


def test_no_more_is_read_than_there_is_room_for() -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> slow=slow -> g=gather", n={"count": 2_500}, each={"parallel": 2}
    )

    async def whole() -> tuple[list[int], Result]:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        Slow.gates = {"0": asyncio.Event(), "1": asyncio.Event()}
        lines = Lines()
        runner = Runner(bound, "s", Message(None), recorders=[lines])
        running = asyncio.ensure_future(runner.run())
        while sum(token.stage == "busy" for token in runner.state.tokens.values()) < 2:
            await asyncio.sleep(0)
        read = [len(event.items) for event in lines.of(ItemsRead)]
        for gate in Slow.gates.values():
            gate.set()
        return read, await running

    read, result = asyncio.run(whole())
    assert read == [1000]
    assert outputs(result) == [list(range(2_500))]


@pytest.mark.parametrize("watched", [False, True])
def test_a_stream_that_breaks_off_takes_the_error_route_and_what_was_read_stays(watched: bool) -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> g=gather; each ! e=tmap",
        n={"count": 3000, "broken": 1500},
        e={"expression": "$error.type"},
    )
    result = run_toys(drawn, None, recorders=[Lines()] if watched else [])
    assert result.status == "succeeded"
    assert "Broken" in outputs(result)
    assert list(range(1500)) in outputs(result)
    assert Numbers.opened == 0


def test_a_stream_that_breaks_off_without_a_way_for_errors_fails_the_run() -> None:
    result = run_toys(flow("s=start -> n=numbers -> each=flowing -> g=gather", n={"count": 5, "broken": 2}))
    assert result.error is not None
    assert (result.status, result.error.step, result.error.type) == ("failed", "each", "Broken")
    assert Numbers.opened == 0


def test_a_cancelled_run_leaves_no_stream_open() -> None:
    drawn = flow("s=start -> n=numbers -> each=flowing -> slow=slow -> g=gather", n={"count": 5000})

    async def whole() -> None:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        Slow.gates = {"3": asyncio.Event()}
        runner = Runner(bound, "s", Message(None))
        running = asyncio.ensure_future(runner.run())
        while not any(token.message.payload == 3 for token in runner.state.tokens.values()):
            await asyncio.sleep(0)
        assert Numbers.opened == 1
        runner.cancel()
        await running
        assert Numbers.opened == 0

    asyncio.run(whole())


def test_a_trace_shows_what_stands_for_a_stream() -> None:
    lines = Lines()
    run_toys(flow("s=start -> n=numbers -> each=flowing -> g=gather", n={"count": 3}), recorders=[lines])
    (shown,) = [event.payload for event in lines.of(VisitFinished) if event.step == "n"]
    assert shown == {"stream": "items", "component": "numbers@1", "options": {"count": 3, "broken": None}, "over": None}
    json.dumps([event.to_json() for event in lines.events])


def test_a_later_step_may_read_a_stream_by_its_steps_name() -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> g=gather -> m=tmap", n={"count": 3}, m={"expression": "$sum($steps.n)"}
    )
    assert outputs(run_toys(drawn)) == [3]


def test_what_is_too_large_to_be_taken_whole_says_what_to_do() -> None:
    stream = Stream("text", StreamSource("x@1"), lambda: iter(["a" * 1000] * 1000))
    assert len(stream.whole(2_000_000)) == 1_000_000
    with pytest.raises(StepError, match="directly behind it"):
        stream.whole(100_000)


class Log:
    """A journal of JSON lines; the process dies after so many of them."""

    def __init__(self, most: int | None) -> None:
        self.lines: list[str] = []
        self.most = most

    def note(self, event: Event) -> None:
        if len(self.lines) == self.most:
            raise KeyboardInterrupt
        self.lines.append(json.dumps(to_record(event, kept)))

    async def settled(self) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("watched", [False, True])
def test_a_run_that_was_killed_while_it_read_goes_on_from_its_journal(watched: bool) -> None:
    drawn = flow(
        "s=start -> n=numbers -> each=flowing -> f=slow -> g=gather -> c=tmap",
        n={"count": 2100},
        each={"parallel": 3, "batch": 100},
        c={"expression": "$sum($)"},
    )
    registry = toys()
    plan = compile_flow(drawn, registry)
    Slow.gates = {}

    def run(log: Log, state: RunState | None) -> Result:
        recorders = [Lines()] if watched else []
        bound = BoundPlan(plan, Values(), registry)
        return asyncio.run(Runner(bound, "s", Message(None), journal=log, state=state, recorders=recorders).run())

    whole = Log(None)
    expected = outputs(run(whole, None))
    for most in range(1, len(whole.lines), 7):
        log = Log(most)
        with pytest.raises(KeyboardInterrupt):
            run(log, None)
        events = [from_record(json.loads(line), lambda told: found(told, registry)) for line in log.lines]
        log.most = None
        assert outputs(run(log, fold(plan, events))) == expected
    assert Numbers.opened == 0
