"""The bench: one instance of a flow or component in memory, with all that surrounds it under the test's control."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.connections import Outside
from flowstudio.engine.gate import UNANSWERED, Pin
from flowstudio.engine.memory import ProcessMemory
from flowstudio.engine.runner import Result, Runner, starting_step
from flowstudio.errors import BindError, InvalidInputError, Problem
from flowstudio.flow.called import Called, CalledFlow, beside, nowhere
from flowstudio.flow.files import flow_from_document, read_flow
from flowstudio.flow.model import Flow
from flowstudio.flow.values import is_demo
from flowstudio.httpclient import HttpClient
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.component import Component
from flowstudio.sdk.message import Message
from flowstudio.sdk.registry import Registry
from flowstudio.templates.instance import Instance, bind_flow
from flowstudio.testing.clock import FakeClock, StuckError, run_with
from flowstudio.testing.http import HttpStubs, StubbedTransport
from flowstudio.testing.recording import Recording, Trace
from flowstudio.testing.results import (
    ComponentRecord,
    Left,
    RunEnd,
    RunRecord,
    effect_of,
    line_of,
    reply_of,
    visits_of,
    waits_of,
)
from flowstudio.testing.setting import STEP, flow_around
from flowstudio.trace.events import Effected, Event, Logged

Json = Any
FlowLike = Flow | Mapping[str, Json] | str | os.PathLike[str]
"""A flow, its document, or the path of its file."""

YEAR_2026: Final = 1_767_225_600.25
"""A quarter of a second into the year 2026, in UTC: when a bench's clock begins, as the clock of examples does."""


class UnexpectedEffectError(AssertionError):
    """A component did something that is not in the recording."""


@dataclass(frozen=True, slots=True)
class Login:
    """A fake login: its type (`bearer`), and the fields that this type has."""

    type: str
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal for steps that wait, sent `after` so many seconds of the fake clock."""

    name: str
    data: Json = None
    after: float = 0.0


class Bench:
    """One instance under test. What its runs remember stays for the next one, its clock goes on from run to run.

    `variables` are the values by name, `logins` the fake logins by slot, `clients` what `context.opened()` gives for a
    slot, `state` what is remembered before. Relative file paths begin at `folder`, without one at the flow's own.
    Nothing reaches the network unless `network` is True; then what no stub answers goes out.
    """

    def __init__(
        self,
        *,
        variables: Mapping[str, Json] | None = None,
        logins: Mapping[str, Login] | None = None,
        clients: Mapping[str, Any] | None = None,
        customer: Mapping[str, Json] | None = None,
        instance: Mapping[str, Json] | None = None,
        state: Mapping[str, Json] | None = None,
        folder: str | os.PathLike[str] | None = None,
        at: float | str | datetime = YEAR_2026,
        registry: Registry | None = None,
        network: bool = False,
    ) -> None:
        self.http = HttpStubs()
        """What answers requests."""
        self.clock = FakeClock(at)
        """The time, which moves only while runs wait."""
        self.registry = registry or Registry.from_entry_points()
        """The components and logins that flows find; `registry.add(MyComponent)` adds one that is not installed."""
        self._variables = dict(variables or {})
        self._logins = dict(logins or {})
        self._clients = dict(clients or {})
        self._customer = customer
        self._instance = instance
        self._memory = ProcessMemory(state)
        self._folder = None if folder is None else Path(folder)
        self._network = network
        self._recording = Recording()
        self._effects: dict[str, Callable[[Json], Json]] = {}
        self._runs = 0

    @property
    def state(self) -> Mapping[str, Json]:
        """What is remembered by now: `$state` of the next run."""
        return self._memory.read()

    def on_effect(self, kind: str, answer: Json | Callable[[Json], Json]) -> None:
        """Has effects of this kind answered (by a function: of their request) instead of performed."""
        if kind == "http":
            raise ValueError("Requests are answered by stubs: bench.http.on(METHOD, URL).respond(...)")
        self._effects[kind] = answer if callable(answer) else lambda request: answer

    def replay(self, trace: Trace) -> None:
        """Has effects answered as they were in a trace. Stubs go first; what is in neither fails the test."""
        self._recording.add(trace)

    def run_flow(
        self,
        flow: FlowLike,
        payload: Json = None,
        *,
        trigger: str | None = None,
        meta: Mapping[str, Json] | None = None,
        signals: Sequence[Signal] = (),
        pins: Mapping[str, Json] | None = None,
        called: Mapping[str, FlowLike] | None = None,
    ) -> RunRecord:
        """Runs a flow once, from its trigger with this payload, and tells how it went; no real time passes.

        A run that fails is a record with status `failed`. InvalidInputError (CompileError, BindError, FileError): the
        flow may not run, or the bench's values do not fit it. AssertionError: it sent what nothing answers, or waits
        for what never comes. `pins` are outputs by step that stand in for its visits. `called` are the flows that it calls, by the name in the call; a flow from a file also finds
        those beside it.
        """
        _not_in_a_loop("run_flow")
        run = _Run(self, *_read(flow, called or {}), pins or {})
        return run.made(payload, trigger, meta or {}, signals)

    async def run_flow_async(
        self,
        flow: FlowLike,
        payload: Json = None,
        *,
        trigger: str | None = None,
        meta: Mapping[str, Json] | None = None,
        signals: Sequence[Signal] = (),
        pins: Mapping[str, Json] | None = None,
        called: Mapping[str, FlowLike] | None = None,
    ) -> RunRecord:
        """The same from within an event loop: the run has a loop of its own, in another thread."""
        return await asyncio.to_thread(
            self.run_flow, flow, payload, trigger=trigger, meta=meta, signals=signals, pins=pins, called=called
        )

    def run_component(
        self,
        component: type[Component] | str,
        config: Mapping[str, Json] | None = None,
        payload: Json = None,
        *,
        meta: Mapping[str, Json] | None = None,
        steps: Mapping[str, Json] | None = None,
        signals: Sequence[Signal] = (),
        retry: Mapping[str, Json] | None = None,
        timeout: float | None = None,
    ) -> ComponentRecord:
        """Has one component (its class, or `KEY@VERSION`) work on a payload, in a flow that is built around it.

        `steps` are outputs that `$steps` shows, `meta` is what `$meta` shows; `retry` and `timeout` are the step's. Of a
        collect `payload` lists what arrives, of a merge it names for each branch's last step what comes from there; the
        flow behind a call gives back what it gets.
        Errors are those of `run_flow`; a component that fails is a record with an `error`.
        """
        _not_in_a_loop("run_component")
        name = component if isinstance(component, str) else self.registry.add(component).name
        spec = self.registry.spec(name)
        slots = {slot: login.type for slot, login in self._logins.items()}
        flow = flow_around(
            spec,
            config or {},
            payload,
            slots=slots,
            steps=steps or {},
            variables=self._variables,
            retry=retry,
            timeout=timeout,
            registry=self.registry,
        )
        record = _Run(self, flow, _echo, None, {}).made(payload, None, meta or {}, signals)
        visits = record.visits_of(STEP)
        failed = next((visit for visit in visits if visit.status == "failed"), None)
        visit = failed or visits[0]
        outputs = tuple(left.payload for left in record.outputs)
        return ComponentRecord(
            visit.status,
            visit.ports[0] if visit.ports else None,
            visit.ports,
            outputs[0] if spec.shape == "call" and outputs else visit.output,
            visit.meta,
            visit.error or record.error,
            tuple(line for line in record.log if line.step == STEP),
            tuple(effect for effect in record.effects if effect.step == STEP),
            visit.attempts,
            record.reply,
            record.waiting_for,
            record.seconds,
            waits_of(record.events, STEP),
            outputs,
        )

    async def run_component_async(
        self,
        component: type[Component] | str,
        config: Mapping[str, Json] | None = None,
        payload: Json = None,
        **more: Any,
    ) -> ComponentRecord:
        """The same from within an event loop; `more` is what `run_component` takes."""
        return await asyncio.to_thread(self.run_component, component, config, payload, **more)


def _not_in_a_loop(name: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{name} was called from within an event loop, which it would block; await {name}_async instead")


def _read(given: FlowLike, called: Mapping[str, FlowLike]) -> tuple[Flow, Called, Path | None]:
    """A flow, where it finds those that it calls, and its folder."""
    beside_it: Called = nowhere
    folder: Path | None = None
    if isinstance(given, Flow):
        flow = given
    elif isinstance(given, Mapping):
        flow = flow_from_document(given)
    else:
        path = Path(given)
        flow, beside_it, folder = read_flow(path, arranged=False).flow, beside(path), path.parent

    def find(name: str) -> CalledFlow:
        if name not in called:
            return beside_it(name)
        there, others, where = _read(called[name], called)
        return CalledFlow(name, there, others, "" if where is None else str(where))

    return flow, find, folder


def _echo(name: str) -> CalledFlow:
    """A flow to call that gives back what it gets: what stands behind a call on its own."""
    return CalledFlow(name, flow_from_document(_ECHO), nowhere)


_ECHO: Final = {
    "format": "flowstudio/flow@1",
    "id": "echo",
    "name": "Echo",
    "steps": {"begun": {"component": "manual@1"}},
}


class _Events(list[Event]):
    """A recorder that keeps everything."""

    def record(self, event: Event) -> None:
        """Takes note of an event."""
        self.append(event)


class _World:
    """Stands in for steps that are pinned and for effects that are answered."""

    def __init__(
        self, bench: Bench, plan: Plan, pins: Mapping[str, Pin], unexpected: Callable[[AssertionError], None]
    ) -> None:
        self._bench = bench
        self._plan = plan
        self._pins = pins
        self._unexpected = unexpected

    def lets(self, token: Token, state: RunState) -> bool:
        """Every visit may start."""
        return True

    def took(self, event: Event, state: RunState) -> None:
        """Events are recorded elsewhere."""

    def pinned(self, token: Token, state: RunState) -> Pin | None:
        """What the test pinned."""
        return self._pins.get(self._plan.steps[token.step].id)

    def rests(self, state: RunState) -> None:
        """Whoever waits is told by the clock."""

    def holds(self, state: RunState) -> bool:
        """It never stands still."""
        return False

    async def stand_in(self, address: str, kind: str, request: Json) -> Any:
        """The answer of the test or of the recording; requests get theirs at the other end of the HTTP client."""
        bench = self._bench
        answer = bench._effects.get(kind)
        try:
            if answer is not None:
                return answer(request)
            if kind == "http" or bench._recording.empty:
                return UNANSWERED
            found = bench._recording.answer_to_effect(address, kind, request)
            if found is not None:
                return found[0]
            raise UnexpectedEffectError(f"{address} did what is not in the recording: {kind} {request!r}")
        except AssertionError as error:
            self._unexpected(error)
            raise

    def sent(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """Effects are recorded elsewhere."""


class _Run:
    """One run on a bench."""

    def __init__(self, bench: Bench, flow: Flow, called: Called, folder: Path | None, pins: Mapping[str, Json]) -> None:
        self._bench = bench
        self._pins = {step: Pin(payload) for step, payload in pins.items()}
        self._flow = flow
        self._called = called
        self._folder = bench._folder or folder
        self._events = _Events()
        self._unexpected: AssertionError | None = None
        self._runner: Runner | None = None
        self._waiting_for: tuple[str, ...] = ()

    def made(
        self, payload: Json, trigger: str | None, meta: Mapping[str, Json], signals: Sequence[Signal]
    ) -> RunRecord:
        bench = self._bench
        bench._runs += 1
        begun = bench.clock.passed
        try:
            result = run_with(
                bench.clock,
                self._work(payload, trigger, meta, signals),
                self._nothing_to_do,
                None if bench._network else self._fail,
            )
        except StuckError:
            under_way = [visit.step for visit in visits_of(self._events) if visit.ended_at is None]
            raise AssertionError(
                f"The run waits for something that never comes, in {', '.join(dict.fromkeys(under_way)) or 'no step'}"
            ) from None
        if self._unexpected is not None:
            raise self._unexpected
        return self._record(result, bench.clock.passed - begun)

    async def _work(
        self, payload: Json, trigger: str | None, meta: Mapping[str, Json], signals: Sequence[Signal]
    ) -> Result:
        bench, clock = self._bench, self._bench.clock
        plan = compile_flow(self._flow, bench.registry, self._called)
        known = {step.id for step in plan.steps}
        if strangers := sorted(self._pins.keys() - known):
            raise InvalidInputError(
                Problem(f"there is no step {step} to pin", remedy=f"name one of {', '.join(sorted(known))}", step=step)
                for step in strangers
            )
        transport = StubbedTransport(bench.http, bench._recording, bench._network, self._fail)
        async with HttpClient(transport=transport) as client:
            outside = Outside(client, bench._clients)
            bound = BoundPlan(plan, self._values(), bench.registry, outside)
            try:
                runner = self._runner = Runner(
                    bound,
                    starting_step(plan, trigger),
                    Message(payload, meta),
                    run=f"test-{bench._runs}",
                    recorders=(self._events,),
                    gate=_World(self._bench, plan, self._pins, self._fail),
                    test=True,
                    now=lambda: clock.now,
                    sleep=asyncio.sleep,
                )
                loop = asyncio.get_running_loop()
                for signal in signals:
                    if signal.after:
                        loop.call_later(signal.after, runner.signal, signal.name, signal.data)
                    else:
                        runner.signal(signal.name, signal.data)
                return await runner.run()
            finally:
                await bound.close()

    def _values(self) -> Values:
        bench, flow = self._bench, self._flow
        wrong = [
            Problem(
                f"the login of {slot} is of type {login.type}",
                why=f"the flow's slot is of type {flow.connections[slot].type}",
                remedy="give it one of that type",
                path=("connections", slot),
            )
            for slot, login in bench._logins.items()
            if slot in flow.connections and flow.connections[slot].type != login.type
        ]
        unknown = [
            Problem(f"the flow has no connection {slot}", remedy="take the login out", path=("connections", slot))
            for slot in {*bench._logins, *bench._clients}
            if slot not in flow.connections
        ]
        if wrong or unknown:
            raise BindError([*wrong, *unknown])
        logins = {slot: login.fields for slot, login in bench._logins.items()}
        given = bind_flow(flow, Instance(values=bench._variables, connections=logins))
        needs = [need for need in given.needs if not (need.kind != "variable" and need.name in bench._clients)]
        if needs:
            raise InvalidInputError(
                Problem(
                    f"the {need.kind} {need.name} is missing",
                    why="it is required and has no default",
                    remedy=f"give it to the bench: Bench({'variables' if need.kind == 'variable' else 'logins'}=...)",
                    path=(f"{need.kind}s", need.name),
                )
                for need in needs
            )
        values = {name: _demo(value) if is_demo(value) else value for name, value in given.values.items()}
        return Values(values, logins, bench._customer, bench._instance, self._folder, bench._memory)

    def _fail(self, error: AssertionError) -> None:
        """Ends the run: the test fails, whatever the flow would have made of it."""
        if self._unexpected is None:
            self._unexpected = error
        if self._runner is not None:
            self._runner.cancel()

    def _nothing_to_do(self) -> bool:
        """Whether the run waits for signals alone, and then ends it."""
        runner = self._runner
        if runner is None or self._waiting_for:
            return False
        tokens = list(runner.state.tokens.values())
        waiting = [token.signal for token in tokens if token.stage == "waiting" and token.signal is not None]
        if not waiting or any(token.stage == "busy" for token in tokens):
            return False
        self._waiting_for = tuple(dict.fromkeys(waiting))
        runner.cancel()
        return True

    def _record(self, result: Result, seconds: float) -> RunRecord:
        events = tuple(self._events)
        return RunRecord(
            result.run,
            "waiting" if self._waiting_for else cast(RunEnd, result.status),
            tuple(Left(left.step, left.port, left.payload, left.meta) for left in result.outputs),
            result.error,
            result.filtered,
            visits_of(events),
            tuple(line_of(event) for event in events if isinstance(event, Logged)),
            tuple(effect_of(event) for event in events if isinstance(event, Effected)),
            reply_of(events),
            self._waiting_for,
            seconds,
            events,
        )


def _demo(value: str) -> str:
    """The address at which a test finds a demo system: no such host exists."""
    rest = value.removeprefix("demo:").lstrip("/")
    return f"http://demo.test/{rest or 'demo'}"


__all__ = ["Bench", "FlowLike", "Login", "Signal", "UnexpectedEffectError"]
