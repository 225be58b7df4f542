"""Toy components, one for each shape that the engine knows, for tests of what the engine does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, run_flow
from flowstudio.flow.model import Flow
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import (
    MISSING,
    Call,
    Category,
    Collect,
    Component,
    Context,
    Drop,
    Expression,
    Lazy,
    Loop,
    Merge,
    Port,
    Settings,
    Sleep,
    Split,
    StepError,
    Stop,
    Stream,
    StreamSource,
    To,
    Trigger,
    Wait,
    setting,
)
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.shapes import Items
from flowstudio.trace.events import VisitStarted


class Start(Trigger):
    key = "start"
    starts = "by hand"
    title = "Start"
    description = "Begins."


class Pass(Component):
    key = "pass"
    title = "Pass"
    description = "Passes the message on."
    category = Category.TRANSFORM

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return payload


class Mark(Component):
    """Appends its own id to a text."""

    key = "mark"
    title = "Mark"
    description = "Appends its id."
    category = Category.TRANSFORM

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return f"{payload}{context.step}"


class Map(Component):
    key = "tmap"
    title = "Map"
    description = "Evaluates."
    category = Category.TRANSFORM

    class Config(Settings):
        expression: Expression = setting("$", description="What to put out")

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return config.expression


class Keep(Component):
    key = "keep"
    title = "Keep"
    description = "Filters."
    category = Category.LOGIC

    class Config(Settings):
        condition: Expression = setting("true", description="Whether it goes on")

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return payload if config.condition not in (False, None, MISSING) else Drop()


class Fail(Component):
    """Fails for a payload that is, or contains, `fail`; the first `recovers` tries alone."""

    key = "fail"
    title = "Fail"
    description = "Fails when it is told to."
    category = Category.LOGIC

    class Config(Settings):
        recovers: int = setting(0, description="Fails so many tries, then works; 0: always")

    async def run(self, config: Any, payload: Any, context: Context) -> Any:
        if "fail" in str(payload) and (not config.recovers or context.attempt <= config.recovers):
            raise StepError(f"{payload} was refused", status=503, type="Refused")
        return payload


class Ways(Component):
    """Leaves by the ports that the payload names."""

    key = "ways"
    title = "Ways"
    description = "Chooses."
    category = Category.LOGIC
    outputs = (Port("a"), Port("b"))

    class Config(Settings):
        both: bool = setting(False, description="May leave by both")

    @classmethod
    def leaves_by_several(cls, config: Any) -> bool:
        return bool(config.get("both"))

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return To(("a", "b")) if config.both else To(("a",) if "a" in str(payload) else ("b",))


class Slow(Component):
    """Finishes when its gate opens: tests choose the order."""

    key = "slow"
    title = "Slow"
    description = "Waits for a gate."
    category = Category.LOGIC
    gates: ClassVar[dict[str, asyncio.Event]] = {}

    async def run(self, config: Any, payload: Any, context: Context) -> Any:
        gate = self.gates.get(str(payload))
        if gate is not None:
            await gate.wait()
        return payload


class Nap(Component):
    key = "nap"
    title = "Nap"
    description = "Sleeps a minute."
    category = Category.LOGIC

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return Sleep(context.clock.now + 60)


class End(Component):
    key = "end"
    title = "End"
    description = "Stops."
    category = Category.LOGIC

    class Config(Settings):
        error: str | None = setting(None, description="Fails the run")

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return Stop(config.error)


class Each(Split):
    key = "each"
    title = "Each"
    description = "Splits."

    class Config(Settings):
        items: Expression = setting("$", description="The items")
        parallel: int = setting(1, description="At once")

    def items(self, config: Any, payload: Any) -> Items:
        values = config.items
        if values in (None, MISSING):
            values = []
        return Items(values if isinstance(values, list) else [values], config.parallel)


class Gather(Collect):
    key = "gather"
    title = "Gather"
    description = "Gathers."

    class Config(Settings):
        value: Lazy | None = setting(None, description="What each contributes")

    def value(self, config: Any, payload: Any) -> Any:
        return payload if config.value is None else config.value()


class Join(Merge):
    key = "join"
    title = "Join"
    description = "Joins."
    taken: ClassVar[int] = 0
    """How many messages were joined since somebody set it to 0."""

    def join(self, config: Any, arrivals: Sequence[tuple[str, Any]]) -> Any:
        Join.taken += len(arrivals)
        return [payload for _, payload in arrivals]


class Again(Loop):
    key = "again"
    title = "Again"
    description = "Loops."

    class Config(Settings):
        times: int = setting(3, description="Passes")

    def again(self, config: Any, payload: Any, passes: int) -> bool:
        return passes < config.times


class Sub(Call):
    key = "sub"
    title = "Sub"
    description = "Calls."

    class Config(Settings):
        flow: str = setting(description="The called flow")

    def target(self, config: Any) -> str:
        return str(config.flow)


class Hold(Component):
    key = "hold"
    title = "Hold"
    description = "Waits for a signal."
    category = Category.LOGIC
    outputs = (Port("out"), Port("timeout"))

    class Config(Settings):
        timeout: float | None = setting(None, description="Seconds")

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return Wait("go", config.timeout)


class Count(Component):
    """Counts in what the instance remembers."""

    key = "count"
    title = "Count"
    description = "Counts."
    category = Category.LOGIC
    pure = False

    class Config(Settings):
        next: Expression = setting("$exists($state.n) ? $state.n + 1 : 1", description="The new count")

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        context.remember({"n": config.next})
        return config.next


class Numbers(Component):
    """Puts out a stream of numbers."""

    key = "numbers"
    title = "Numbers"
    description = "Streams."
    category = Category.TRANSFORM
    opened: ClassVar[int] = 0

    class Config(Settings):
        count: int = setting(10, description="How many")
        broken: int | None = setting(None, description="Fails at this one")

    @classmethod
    def reopened(cls, options: Any, over: Stream | None) -> Stream:
        def read() -> Iterator[int]:
            cls.opened += 1
            try:
                for number in range(options["count"]):
                    if number == options["broken"]:
                        raise StepError("the stream broke off", type="Broken")
                    yield number
            finally:
                cls.opened -= 1

        return Stream("items", StreamSource("numbers@1", options), read)

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return self.reopened({"count": config.count, "broken": config.broken}, None)


class Flowing(Split):
    """A split that reads streams."""

    key = "flowing"
    title = "Flowing"
    description = "Splits streams."

    class Config(Settings):
        parallel: int = setting(1, description="At once")
        batch: int | None = setting(None, description="In lists of so many")
        limit: int | None = setting(None, description="At most")

    @classmethod
    def reads_streams(cls, config: Any) -> bool:
        return True

    def items(self, config: Any, payload: Any) -> Items:
        return Items(payload, config.parallel, config.batch, config.limit)


TOYS = (
    Start,
    Pass,
    Mark,
    Map,
    Keep,
    Fail,
    Ways,
    Slow,
    Nap,
    End,
    Each,
    Gather,
    Join,
    Again,
    Sub,
    Hold,
    Count,
    Numbers,
    Flowing,
)


def toys() -> Registry:
    """A registry of the toys alone."""
    registry = Registry()
    for toy in TOYS:
        registry.add(toy)
    return registry


def run_toys(flow: Flow, payload: Any = None, **more: Any) -> Result:
    """Runs a flow of toys once."""

    async def whole() -> Result:
        registry = toys()
        bound = BoundPlan(compile_flow(flow, registry), Values(), registry)
        try:
            return await run_flow(bound, None, payload, **more)
        finally:
            await bound.close()

    return asyncio.run(whole())


class Lines:
    """A recorder that keeps all events."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def record(self, event: Any) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def addresses(self) -> list[str]:
        """The addresses of the visits, in order of their start."""
        return [event.address for event in self.of(VisitStarted) if event.visit]
