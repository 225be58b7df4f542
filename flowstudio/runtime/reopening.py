"""Opens a run of the journal for people: computed once more from what its effects gave, into the history of runs.

A host records no visits. What a step without effects did follows from its message, so it is made again, unfused and at
the recorded time; for a step with effects its recorded result stands in, and nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.gate import Pin
from flowstudio.engine.runner import Runner
from flowstudio.errors import StepError
from flowstudio.plan.advance import address
from flowstudio.plan.state import RunState, Token
from flowstudio.runtime.broadcast import Broadcast
from flowstudio.runtime.history import EventRecord, begin_record
from flowstudio.sdk.message import Message
from flowstudio.stores.journal import HostedRun
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunStore
from flowstudio.trace.events import (
    Effected,
    Event,
    RunStarted,
    SegmentFinished,
    SignalReceived,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any


class RecordedState:
    """What an instance remembered, as each visit saw it."""

    def __init__(self) -> None:
        self.values: Mapping[str, Json] = {}

    def read(self) -> Mapping[str, Json]:
        """What the visit that begins now saw."""
        return self.values

    def keep(self, changes: Mapping[str, Json], remove: Iterable[str]) -> None:
        """Nothing is kept: it was, when the run was made."""


class _Replay:
    """The gate of a run that is computed once more: recorded results stand in for all that has effects."""

    def __init__(self, bound: BoundPlan, events: list[Event], memory: RecordedState) -> None:
        self._bound = bound
        self._memory = memory
        self.runner: Runner | None = None
        self.at = events[0].at
        self._results: dict[str, VisitFinished | VisitFailed] = {}
        self._seen: dict[str, Mapping[str, Json]] = {}
        self._effects: dict[str, list[Effected]] = {}
        self._after: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._signals = [event for event in events if isinstance(event, SignalReceived)]
        before = ""
        for event in events:
            if isinstance(event, SegmentFinished):
                self._after.setdefault(before, event.at)
                continue
            if isinstance(event, VisitStarted):
                self._begun[event.address] = event.at
                if event.state is not None:
                    self._seen[event.address] = event.state
            elif isinstance(event, Effected):
                self._effects.setdefault(event.address, []).append(event)
            elif isinstance(event, (VisitFinished, VisitFailed, WaitEnded)):
                before = event.address
                if not isinstance(event, WaitEnded):
                    self._results[event.address] = event
        self.at = self._after.get("", self.at)

    def lets(self, token: Token, state: RunState) -> bool:
        """Whatever has effects is only shown where its result is recorded."""
        where = address(self._bound.plan, token)
        if not self._bound.plan.steps[token.step].spec.pure and where not in self._results:
            return False
        self._memory.values = self._seen.get(where, {})
        if where in self._begun:
            self.at = self._begun[where]
        return True

    def pinned(self, token: Token, state: RunState) -> Pin | None:
        """The recorded result of a step with effects."""
        where = address(self._bound.plan, token)
        result = self._results.get(where)
        if result is None or self._bound.plan.steps[token.step].spec.pure:
            return None
        assert self.runner is not None
        for effect in self._effects.get(where, ()):
            self.runner.tell(effect)
        self.at = result.at
        if isinstance(result, VisitFailed):
            return Pin(error=result.error)
        if result.outcome != "to":
            return None
        return Pin(result.payload, result.ports[0] if result.ports else "", result.meta)

    def took(self, event: Event, state: RunState) -> None:
        """The steps behind a result were made at their own time."""
        if isinstance(event, (VisitFinished, VisitFailed, WaitEnded)):
            self.at = self._after.get(event.address, self.at)

    def rests(self, state: RunState) -> None:
        """What is left waited when the record ended, or waits for a signal that came."""
        assert self.runner is not None
        if self._signals:
            signal = self._signals.pop(0)
            self.runner.signal(signal.signal, signal.data)
        else:
            self.runner.cancel()

    def holds(self, state: RunState) -> bool:
        """Never."""
        return False

    async def stand_in(self, address: str, kind: str, request: Json) -> Any:
        """Nothing leaves the process."""
        raise StepError("Nothing is sent while a run is only looked at", type="NotSent", retryable=False)

    def sent(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """Never happens."""


async def reopen(
    run: HostedRun,
    events: list[Event],
    bound: BoundPlan,
    memory: RecordedState,
    folder: RunStore,
    payloads: PayloadStore,
) -> None:
    """Writes a run with all its visits into the history, secrets masked, in the place of what is there of it.

    `bound` has `memory` for its memory.
    """
    started = events[0]
    assert isinstance(started, RunStarted)
    record = begin_record(
        folder,
        payloads,
        bound,
        run=run.run,
        trigger=started.step,
        payload=started.payload,
        started_at=started.at,
    )
    broadcast = Broadcast(bound.plan, payloads, record.told)
    broadcast.also = EventRecord(record, broadcast.ref).record
    replay = _Replay(bound, events, memory)
    replay.runner = Runner(
        bound,
        started.step,
        Message(started.payload, started.meta),
        run=run.run,
        recorders=[broadcast],
        gate=replay,
        attempt=started.attempt,
        now=lambda: replay.at,
        sleep=_at_once,
    )
    try:
        await replay.runner.run()
    finally:
        record.flush()


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


__all__ = ["RecordedState", "reopen"]
