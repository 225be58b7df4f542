"""Drives one run: event, journal, `advance`, recorders, and then the visits that are ready."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.record import Journal, Recorder, Redacting
from flowstudio.engine.visit import Visit
from flowstudio.errors import InvalidInputError, Problem
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.advance import address, advance, ready
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.message import Message
from flowstudio.trace.events import (
    Event,
    Failure,
    Logged,
    RunCancelled,
    RunFinished,
    RunStarted,
    RunStatus,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any


@dataclass(frozen=True, slots=True)
class Output:
    """A message that left the flow by a port without a wire."""

    step: str
    port: str
    payload: Json
    meta: Json


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. `outputs` are in order, what is secret in them is masked."""

    run: str
    status: RunStatus
    outputs: tuple[Output, ...]
    filtered: int
    visits: int
    duration_ms: float
    error: Failure | None
    state: RunState

    def to_json(self) -> dict[str, Json]:
        """The answer of `run --json`."""
        return {
            "run": self.run,
            "status": self.status,
            "outputs": [
                {"step": out.step, "port": out.port, "payload": out.payload, "meta": dict(out.meta)}
                for out in self.outputs
            ],
            "filtered": self.filtered,
            "visits": self.visits,
            "duration_ms": round(self.duration_ms, 3),
            "error": None if self.error is None else self.error.to_json(),
        }


def new_run_id() -> str:
    """A run's id: unique, and sorted by time as text."""
    return f"{time.time_ns() // 1_000_000:011x}{uuid.uuid4().hex[:9]}"


def starting_step(plan: Plan, trigger: str | None) -> str:
    """The trigger that a run starts at; InvalidInputError where it must be named, or may not be started."""
    triggers = plan.triggers
    names = ", ".join(step.id for step in triggers)
    if trigger is None:
        if len(triggers) != 1:
            raise InvalidInputError(
                Problem("the flow has several triggers", why=f"they are {names}", remedy="name one: --trigger STEP")
            )
        trigger = triggers[0].id
    chosen = next((step for step in triggers if step.id == trigger), None)
    if chosen is None:
        raise InvalidInputError(Problem(f"{trigger!r} is no trigger of this flow", remedy=f"name one of {names}"))
    if chosen.disabled:
        raise InvalidInputError(Problem(f"the trigger {trigger} is disabled", remedy="enable it", step=trigger))
    return trigger


class Runner:
    """One run of a bound plan. `run()` is called once; `cancel()` at any time from the same loop."""

    def __init__(
        self,
        bound: BoundPlan,
        trigger: str,
        message: Message,
        *,
        run: str | None = None,
        recorders: Sequence[Recorder] = (),
        journal: Journal | None = None,
        test: bool = False,
        attempt: int = 1,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.bound = bound
        self.id = run or new_run_id()
        self.state = RunState()
        self._plan = bound.plan
        self._trigger = trigger
        self._message = message
        self._recorders = tuple(recorders)
        self._journal = journal
        self._test = test
        self._attempt = attempt
        self._now = now
        self._sleep = sleep
        self._reply: asyncio.Future[VisitFinished | None] | None = None
        self._redacting = Redacting(bound.redactor)
        self._under_way: dict[asyncio.Task[Event], Token] = {}
        self._resting: dict[int, asyncio.Task[Event]] = {}
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """Ends the run: visits under way are broken off, no new one starts."""
        self._cancelled.set()

    def answer_to(self, reply: asyncio.Future[VisitFinished | None]) -> None:
        """Has the flow's first answer put there, or None when the run ends without one."""
        self._reply = reply

    async def run(self) -> Result:
        """Runs until nothing is left to do. Never raises for what goes wrong in the flow: the result tells it."""
        begun = time.perf_counter()
        message = self._message
        await self._happened(
            RunStarted(
                self.id,
                self._now(),
                self._trigger,
                message.payload,
                message.meta,
                self._plan.flow_hash,
                self._attempt,
                self._test,
            )
        )
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await self._drive(cancelled)
        finally:
            cancelled.cancel()
            await self._break_off()
        state = self.state
        status: RunStatus = "cancelled" if state.cancelled else "failed" if state.failing else "succeeded"
        duration = (time.perf_counter() - begun) * 1000
        await self._happened(
            RunFinished(
                self.id, self._now(), status, state.outputs, state.filtered, state.visits, duration, state.error
            )
        )
        return self._result(status, duration)

    async def _drive(self, cancelled: asyncio.Task[Any]) -> None:
        since = time.perf_counter()
        while not self._cancelled.is_set():
            started = False
            for token in ready(self.state):
                started = True
                await self._start(token)
                if self.state.failing or self._cancelled.is_set():
                    break
            self._rest()
            if self.state.over:
                return
            if not started:
                waiting: set[asyncio.Task[Any]] = {*self._under_way, *self._resting.values(), cancelled}
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if task is not cancelled:
                        await self._ended(task)
                since = time.perf_counter()
            elif time.perf_counter() - since > 0.02:
                # Steps that compute never wait: let a stop, a webhook and other runs have their turn.
                await asyncio.sleep(0)
                since = time.perf_counter()
        await self._happened(RunCancelled(self.id, self._now()))

    async def _start(self, token: Token) -> None:
        step = self._plan.steps[token.step]
        intake = step.shape == "collect" and token.gathered is None
        number = 0 if intake else self.state.visits + 1
        where = address(self._plan, token)
        at = self._now()
        await self._happened(VisitStarted(self.id, at, step.id, where, number, token.number, token.message.payload))
        visit = Visit(self.bound, self.state, token, step, where, number, at, self._tell, self._sleep)
        if visit.immediate:
            await self._happened(visit.make_now())
        else:
            self._under_way[asyncio.ensure_future(visit.make())] = token

    async def _ended(self, task: asyncio.Task[Event]) -> None:
        token = self._under_way.pop(task, None)
        if token is None:
            for number, resting in list(self._resting.items()):
                if resting is task:
                    del self._resting[number]
        await self._happened(task.result())

    def _rest(self) -> None:
        """Sets an alarm for every message that sleeps."""
        if self.state.failing or self.state.cancelled:
            return
        for token in self.state.tokens.values():
            if token.until is not None and token.stage in ("asleep", "waiting") and token.number not in self._resting:
                self._resting[token.number] = asyncio.ensure_future(self._wake(token))

    async def _wake(self, token: Token) -> Event:
        await self._sleep(max(0.0, (token.until or 0.0) - self._now()))
        step = self._plan.steps[token.step]
        port = "timeout" if token.stage == "waiting" else "out"
        return WaitEnded(
            self.id,
            self._now(),
            step.id,
            address(self._plan, token),
            token.visit,
            token.number,
            port,
            token.message.payload,
        )

    async def _break_off(self) -> None:
        tasks = [*self._under_way, *self._resting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()
        self._resting.clear()

    async def _happened(self, event: Event) -> None:
        if self._journal is not None:
            await self._journal.commit(event)
        self.state = advance(self._plan, self.state, event)
        if self._reply is not None and not self._reply.done():
            if isinstance(event, VisitFinished) and event.outcome == "reply":
                self._reply.set_result(event)
            elif isinstance(event, RunFinished):
                self._reply.set_result(None)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if not self._recorders:
            return
        shown = self._redacting.event(event)
        for recorder in self._recorders:
            recorder.record(shown)

    def _result(self, status: RunStatus, duration: float) -> Result:
        state, show = self.state, self._redacting
        outputs = tuple(
            Output(
                self._plan.steps[left.step].id,
                left.port,
                show.payload(left.message.payload),
                show.meta(left.message.meta),
            )
            for left in state.outputs_in_order()
        )
        error = None if state.error is None else show.failure(state.error)
        return Result(self.id, status, outputs, state.filtered, state.visits, duration, error, state)


async def run_flow(bound: BoundPlan, trigger: str | None, message: Message | Json, **more: Any) -> Result:
    """Runs a bound plan once; `message` may be a payload alone."""
    if not isinstance(message, Message):
        message = Message(None if message is MISSING else message)
    return await Runner(bound, starting_step(bound.plan, trigger), message, **more).run()


__all__ = ["Logged", "Output", "Result", "Runner", "VisitFailed", "new_run_id", "run_flow", "starting_step"]
