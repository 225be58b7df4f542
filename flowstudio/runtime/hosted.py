"""One instance on a host: its plan bound to what the customer gave, the triggers that start its runs, the runs under way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.runner import Runner
from flowstudio.plan.plan import PlanStep
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Reply
from flowstudio.sdk.trigger import Clock, Delivery, Placed, Route, Source, Trigger
from flowstudio.stores.catalogue import Deployed

Json = Any


@dataclass(frozen=True, slots=True)
class Started:
    """A trigger of an instance with its settings."""

    step: PlanStep
    trigger: Trigger
    config: Any
    source: Source

    def accept(self, delivery: Delivery) -> Message | Reply:
        """The message that a delivery makes, or the answer that refuses it."""
        return self.trigger.accept(self.config, delivery)


class Hosted:
    """An instance that may run; another takes its place when something about it changes.

    What its runs opened is closed when it is retired and the last of them has ended.
    """

    def __init__(
        self, deployed: Deployed, bound: BoundPlan, logins: Mapping[str, Mapping[str, Json]], flow: str
    ) -> None:
        self.deployed = deployed
        self.bound = bound
        self.logins = logins
        self.flow = flow
        """The hash under which the journal keeps its flow."""
        self.runners: dict[str, Runner] = {}
        self.started: tuple[Started, ...] = tuple(_started(bound))
        self.routes = {
            "/" + each.source.path.strip("/"): each for each in self.started if isinstance(each.source, Route)
        }
        self._retired = False

    @property
    def id(self) -> str:
        """`CUSTOMER/TEMPLATE`."""
        return self.deployed.id

    @property
    def clocks(self) -> Iterator[tuple[Started, Clock]]:
        """The triggers that the clock fires."""
        for each in self.started:
            if isinstance(each.source, Clock):
                yield each, each.source

    def placed(self, moment: str) -> Started | None:
        """The trigger that is started when the instance is put in place, or taken away."""
        for each in self.started:
            if isinstance(each.source, Placed) and each.source.moment == moment:
                return each
        return None

    def busy(self, step: str) -> bool:
        """Whether a run that this trigger started is under way."""
        return any(runner.trigger == step for runner in self.runners.values())

    def began(self, runner: Runner) -> None:
        """A run of it has begun."""
        self.runners[runner.id] = runner

    async def ended(self, runner: Runner) -> None:
        """A run of it has ended."""
        self.runners.pop(runner.id, None)
        await self._close_if_done()

    async def retire(self) -> None:
        """No more runs begin."""
        self._retired = True
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self._retired and not self.runners:
            await self.bound.close()


def _started(bound: BoundPlan) -> Iterator[Started]:
    for step in bound.plan.triggers:
        trigger = step.component
        if step.disabled or not isinstance(trigger, Trigger):
            continue
        config = bound.configs[step.index].evaluate(None, bound.names, None)
        yield Started(step, trigger, config, trigger.source(config))


__all__ = ["Hosted", "Started"]
