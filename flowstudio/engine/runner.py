"""Drives one run: event, journal, `advance`, recorders, and then the visits that are ready."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.gate import Gate, Pin
from flowstudio.engine.record import Journal, Recorder, Redacting
from flowstudio.engine.segment import Segment
from flowstudio.engine.visit import Visit, failure_of
from flowstudio.errors import InvalidInputError, Problem
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.advance import address, advance, ready
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.state import Calling, Entry, RunState, Token, in_order
from flowstudio.sdk.message import Message
from flowstudio.sdk.stream import grouped
from flowstudio.sdk.trigger import Trigger
from flowstudio.trace.events import (
    CallEnded,
    Effected,
    Event,
    Failure,
    ItemsRead,
    Logged,
    MessageEdited,
    RunCancelled,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStatus,
    SegmentFinished,
    SignalReceived,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any

READ_AHEAD: Final = 1000
"""How many values of a stream are read at a time."""


@dataclass(frozen=True, slots=True)
class Output:
    """A message that left the flow by a port without a wire."""

    step: str
    port: str
    payload: Json
    meta: Json


@dataclass(frozen=True, slots=True, repr=False)
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

    def __repr__(self) -> str:
        # asyncio writes out the result of the task that it ran (to no one); a million payloads take seconds.
        return f"<result of run {self.run}: {self.status}, {len(self.outputs)} outputs>"

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
    """One run of a bound plan. `run()` is called once; the rest at any time from the same loop.

    With `state`, which the events of an earlier run folded to, it goes on with that: with what was under way when a
    process ended, at what had failed, or where it was cancelled.
    """

    def __init__(
        self,
        bound: BoundPlan,
        trigger: str,
        message: Message,
        *,
        run: str | None = None,
        state: RunState | None = None,
        recorders: Sequence[Recorder] = (),
        journal: Journal | None = None,
        gate: Gate | None = None,
        test: bool = False,
        attempt: int = 1,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.bound = bound
        self.id = state.run if state is not None else run or new_run_id()
        self.state = state or RunState()
        self._plan = bound.plan
        self.trigger = trigger
        self._message = message
        self._recorders = tuple(recorders)
        self._gate = gate
        self._watched = gate is not None or any(getattr(recorder, "every_visit", True) for recorder in recorders)
        self._journal = journal
        self._test = test
        self._attempt = attempt
        self.now = now
        self._sleep = sleep
        self._reply: asyncio.Future[VisitFinished | None] | None = None
        self._redacting = Redacting(bound.redactor)
        self._under_way: dict[asyncio.Task[Event], Token] = {}
        self._resting: dict[int, asyncio.Task[Event]] = {}
        self._readings: dict[str, Iterator[Json]] = {}
        self._broken: dict[str, Failure] = {}
        """Streams that broke off behind items that have still to be told."""
        self._told_of: set[int] = set()
        """The messages of which it was told that they wait for a signal."""
        self._asked: list[RunPaused | RunResumed | SignalReceived | MessageEdited] = []
        self._cancelled = False
        self._poked = asyncio.Event()

    def cancel(self) -> None:
        """Ends the run: visits under way are broken off, no new one starts."""
        self._cancelled = True
        self._poked.set()

    def pause(self) -> None:
        """Starts no new visit until `resume`; those under way come to their end."""
        self.ask(RunPaused(self.id, self.now()))

    def resume(self) -> None:
        """Goes on after a pause."""
        self.ask(RunResumed(self.id, self.now()))

    def signal(self, name: str, data: Json = None) -> None:
        """Lets the messages go on that wait for this signal; kept for the first that will where none waits."""
        self.ask(SignalReceived(self.id, self.now(), name, data))

    def poke(self) -> None:
        """Has the gate asked again about what it did not let."""
        self._poked.set()

    def answer_to(self, reply: asyncio.Future[VisitFinished | None]) -> None:
        """Has the flow's first answer put there, or None when the run ends without one."""
        self._reply = reply

    async def run(self) -> Result:
        """Runs until nothing is left to do. Never raises for what goes wrong in the flow: the result tells it."""
        begun = time.perf_counter()
        message = self._message
        if self.state.run:
            await self._happened(RunResumed(self.id, self.now()))
        else:
            await self._happened(
                RunStarted(
                    self.id,
                    self.now(),
                    self.trigger,
                    message.payload,
                    message.meta,
                    self._plan.flow_hash,
                    self._attempt,
                    self._test,
                )
            )
        try:
            await self._drive()
        finally:
            await self._break_off()
        state = self.state
        status: RunStatus = "cancelled" if state.cancelled else "failed" if state.failing else "succeeded"
        duration = (time.perf_counter() - begun) * 1000
        await self._happened(
            RunFinished(self.id, self.now(), status, state.outputs, state.filtered, state.visits, duration, state.error)
        )
        return self._result(status, duration)

    def ask(self, event: RunPaused | RunResumed | SignalReceived | MessageEdited) -> None:
        """Has an event happen that comes from outside."""
        self._asked.append(event)
        self._poked.set()

    async def _drive(self) -> None:
        since = time.perf_counter()
        while not self._cancelled:
            self._poked.clear()
            while self._asked:
                await self._happened(self._asked.pop(0))
            moved = await self._step()
            if self.state.over and not self._asked:
                if self._gate is None or not self._gate.holds(self.state):
                    return
                moved = False
            if not moved:
                if self._gate is not None:
                    self._gate.rests(self.state)
                await self._wait()
                since = time.perf_counter()
            elif time.perf_counter() - since > 0.02:
                # Steps that compute never wait: let a stop, a webhook and other runs have their turn.
                await asyncio.sleep(0)
                since = time.perf_counter()
        await self._happened(RunCancelled(self.id, self.now()))

    async def _step(self) -> bool:
        """Does what can be done at once; whether there was anything."""
        moved = False
        if not self._watched:
            moved = await self._segment()
        for token in ready(self.state):
            if token.number not in self.state.tokens:
                continue  # an event of this round took it away
            if self._gate is not None and not self._gate.lets(token, self.state):
                continue
            moved = True
            await self._start(token)
            if self.state.failing or self._cancelled or self._asked:
                break
        for key, entry in list(self.state.entries.items()):
            if entry.hungry and not (self.state.failing or self.state.paused or self._cancelled):
                moved = True
                await self._happened(self._read(key, entry))
        return await self._rest() or moved

    def _tell_of_waiting(self) -> None:
        """Says so, once, when nothing but a signal from outside can go on with the run."""
        if self._under_way or self._resting or self.state.paused or self._gate is not None:
            return
        for token in self.state.tokens.values():
            if token.stage == "waiting" and token.number not in self._told_of:
                self._told_of.add(token.number)
                where = address(self._plan, token)
                message = f"Waits for the signal {token.signal}"
                step = self._plan.steps[token.step].id
                self.tell(Logged(self.id, self.now(), step, where, token.visit, "info", message))

    async def _wait(self) -> None:
        """Waits until a visit ends, an alarm goes off, or somebody asks for something."""
        self._tell_of_waiting()
        poked = asyncio.ensure_future(self._poked.wait())
        try:
            waiting: set[asyncio.Task[Any]] = {*self._under_way, *self._resting.values(), poked}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            poked.cancel()
        for task in done:
            if task is not poked:
                await self._ended(task)

    async def _segment(self) -> bool:
        """Makes all visits that can be made without waiting in one go."""
        state = self.state
        if state.paused or state.failing or state.cancelled or self._cancelled:
            return False
        if not self._busy_with_steps():
            return False
        made = Segment(self.bound, state, self.now(), self.tell, self._read, self.now).make()
        if made is None:
            return False
        await self._happened(*made)
        return True

    def _busy_with_steps(self) -> bool:
        steps, state = self._plan.steps, self.state
        return any(token.stage == "ready" and steps[token.step].immediate for token in state.tokens.values()) or any(
            steps[entry.step].straight and entry.live < entry.parallel and not entry.hungry
            for entry in state.entries.values()
        )

    async def _start(self, token: Token) -> None:
        step = self._plan.steps[token.step]
        if step.stateful and not step.spec.pure and step.synchronous:
            # Between what it reads of `$state` and what it keeps no other run of the instance may keep something.
            async with self.bound.remembering:
                await self._visit(token, step)
        else:
            await self._visit(token, step)

    async def _visit(self, token: Token, step: PlanStep) -> None:
        intake = step.shape == "collect" and token.gathered is None
        # A visit that is made again after a crash or a failure is the same visit.
        number = 0 if intake else token.visit or self.state.visits + 1
        where = address(self._plan, token)
        at = self.now()
        remembered = self.bound.memory.read() if step.stateful else None
        payload = token.message.payload
        await self._happened(VisitStarted(self.id, at, step.id, where, number, token.number, payload, state=remembered))
        pin = self._gate.pinned(token, self.state) if self._gate is not None else None
        if pin is not None:
            await self._happened(self._pinned(pin, token, step, where, number))
            return
        visit = Visit(
            self.bound,
            self.state,
            token,
            step,
            where,
            number,
            at,
            self.tell,
            self.now,
            self._sleep,
            remembered,
            self._gate,
        )
        plain = step.synchronous and step.timeout is None and step.retry.attempts == 1
        if plain and (step.spec.pure or step.stateful):
            await self._happened(visit.make_now())
        else:
            self._under_way[asyncio.ensure_future(self._made(visit))] = token

    async def _made(self, visit: Visit) -> Event:
        """A visit that may wait, and may have effects: what led to it is durable before."""
        if self._journal is not None and not visit.step.spec.pure:
            await self._journal.settled()
        return await visit.make()

    def _pinned(self, pin: Pin, token: Token, step: PlanStep, where: str, number: int) -> VisitFinished | VisitFailed:
        """The visit for which a pin stands in."""
        at = self.now()
        if pin.error is not None:
            return VisitFailed(self.id, at, step.id, where, number, token.number, pin.error)
        ports = (pin.port,) if pin.port in step.outs else ()
        details = {"pinned": True}
        return VisitFinished(
            self.id, at, step.id, where, number, token.number, "to", ports, pin.payload, pin.meta, details=details
        )

    def _read(self, key: str, entry: Entry) -> ItemsRead:
        """The next items of a split's stream."""
        step = self._plan.steps[entry.step]
        assert entry.source is not None
        reading = self._readings.get(key)
        items: list[Json] = []
        ended = False
        try:
            if key in self._broken:
                reading = iter(())
            elif reading is None:
                reading = self._readings[key] = _reading(entry)
            most = max(1, READ_AHEAD // (entry.batch or 1))
            for item in reading:
                items.append(item)
                if len(items) == most:
                    break
            else:
                ended = True
        except Exception as error:  # whatever a stream raises is its split's failure
            self._broken[key] = failure_of(error, step, key, 1)
        broken = None if items else self._broken.pop(key, None)
        if ended or broken is not None:
            self._readings.pop(key, None)
        if broken is not None:
            return ItemsRead(self.id, self.now(), step.id, key, error=broken)
        return ItemsRead(self.id, self.now(), step.id, key, tuple(items), ended)

    async def _ended(self, task: asyncio.Task[Event]) -> None:
        token = self._under_way.pop(task, None)
        if token is None:
            for number, resting in list(self._resting.items()):
                if resting is task:
                    del self._resting[number]
                    if number not in self.state.tokens:
                        return
        await self._happened(task.result())

    async def _rest(self) -> bool:
        """Wakes what need not wait any longer, and sets an alarm for what sleeps; whether anything was woken."""
        state = self.state
        if state.failing or state.cancelled:
            return False
        woken = False
        for number in [number for number in self._resting if number not in state.tokens]:
            self._resting.pop(number).cancel()
        for token in list(state.tokens.values()):
            if token.stage == "returned":
                await self._happened(self._return(token))
            elif token.stage == "waiting" and token.answer is not None:
                alarm = self._resting.pop(token.number, None)
                if alarm is not None:
                    alarm.cancel()
                await self._happened(self._awake(token, "out", {"signal": token.answer[0]}))
            else:
                if (
                    token.until is not None
                    and token.stage in ("asleep", "waiting")
                    and token.number not in self._resting
                ):
                    self._resting[token.number] = asyncio.ensure_future(self._alarm(token))
                continue
            woken = True
        return woken

    async def _alarm(self, token: Token) -> Event:
        await self._sleep(max(0.0, (token.until or 0.0) - self.now()))
        return self._awake(token, "timeout" if token.stage == "waiting" else "out", {})

    def _awake(self, token: Token, port: str, meta: Mapping[str, Json]) -> WaitEnded:
        step = self._plan.steps[token.step]
        where = address(self._plan, token)
        payload = token.message.payload
        return WaitEnded(self.id, self.now(), step.id, where, token.visit, token.number, port, payload, meta)

    def _return(self, token: Token) -> CallEnded | VisitFailed:
        """How a called flow ended."""
        step = self._plan.steps[token.step]
        calling: Calling = token.answer
        where = address(self._plan, token)
        error = calling.error
        payloads: list[Json] = []
        if error is None:
            trigger = self._plan.steps[step.target]
            assert isinstance(trigger.component, Trigger)
            flow = self.bound.within(self.state, self.state.bags[token.bag].call).calls[step.index]
            names = {**flow.names}
            try:
                config = flow.configs[trigger.index].evaluate(calling.payload, names, None)
                payloads = [trigger.component.returns(config, left.message.payload) for left in in_order(calling.left)]
            except Exception as raised:  # what the called flow put out is not what it promised
                error = failure_of(raised, step, where, 1)
        if error is not None:
            failure = replace(error, step=step.id)
            return VisitFailed(self.id, self.now(), step.id, where, token.visit, token.number, failure)
        return CallEnded(self.id, self.now(), step.id, where, token.visit, token.number, payloads)

    async def _break_off(self) -> None:
        tasks = [*self._under_way, *self._resting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()
        self._resting.clear()
        for reading in self._readings.values():
            close = getattr(reading, "close", None)
            if close is not None:
                close()
        self._readings.clear()

    async def _happened(self, event: Event, after: RunState | None = None) -> None:
        """An event takes effect; `after` is the state that it leads to where that is known already."""
        if self._journal is not None:
            self._journal.note(event)
        answered = self.state.replied
        self.state = advance(self._plan, self.state, event) if after is None else after
        if isinstance(event, VisitFinished):
            await self._took_effect(event, answered)
        elif isinstance(event, SegmentFinished):
            for part in event.parts:
                if isinstance(part, VisitFinished):
                    await self._took_effect(part, answered)
                    answered = answered or part.outcome == "reply"
        elif isinstance(event, RunFinished):
            await self._answer(None)
        self.tell(event)

    async def _took_effect(self, event: VisitFinished, answered: bool) -> None:
        details = event.details
        if "remember" in details:
            self.bound.memory.keep(details["remember"], details["forget"])
        if event.outcome != "reply":
            return
        if answered:
            message = "Whoever waits for this run has been answered already; this answer goes nowhere"
            self.tell(Logged(self.id, event.at, event.step, event.address, event.visit, "warning", message))
        else:
            await self._answer(event)

    async def _answer(self, reply: VisitFinished | None) -> None:
        """Gives whoever waits the run's answer, once what led to it is durable."""
        if self._reply is None or self._reply.done():
            return
        if self._journal is not None:
            await self._journal.settled()
        if not self._reply.done():
            self._reply.set_result(reply)

    def tell(self, event: Event) -> None:
        """Tells the recorders of an event, and the journal of what left the process."""
        if isinstance(event, Effected) and self._journal is not None:
            self._journal.note(event)
        if self._gate is not None:
            self._gate.took(event, self.state)
        if not self._recorders or isinstance(event, SegmentFinished):
            return  # a segment is made where nobody wants to be told of its visits
        if not self._watched and isinstance(event, (VisitStarted, VisitFinished)):
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


def _reading(entry: Entry) -> Iterator[Json]:
    """What is still to come of an entry's stream, from its first item on that was not read."""
    assert entry.source is not None
    values: Iterator[Json] = entry.source.read()
    try:
        rest: Iterator[Json] = values if entry.limit is None else islice(values, entry.limit)
        batches = rest if entry.batch is None else grouped(rest, entry.batch)
        yield from islice(batches, entry.at_hand, None)
    finally:
        close = getattr(values, "close", None)
        if close is not None:
            close()


async def run_flow(bound: BoundPlan, trigger: str | None, message: Message | Json, **more: Any) -> Result:
    """Runs a bound plan once; `message` may be a payload alone."""
    if not isinstance(message, Message):
        message = Message(None if message is MISSING else message)
    return await Runner(bound, starting_step(bound.plan, trigger), message, **more).run()


__all__ = ["Logged", "Output", "Result", "Runner", "VisitFailed", "new_run_id", "run_flow", "starting_step"]
