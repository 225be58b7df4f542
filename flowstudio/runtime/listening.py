"""Listens to a flow's triggers while it is being designed: webhooks on loopback, schedules by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.record import Redacting
from flowstudio.engine.runner import Runner
from flowstudio.errors import InvalidInputError, Problem
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.runtime.answers import answer_of, awaited, json_answer, login_for, replied, waits
from flowstudio.runtime.launch import launched
from flowstudio.runtime.protocol import listening_port
from flowstudio.runtime.scheduler import fire_at
from flowstudio.runtime.webserver import Incoming, Outgoing, WebServer
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Reply
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.trigger import Clock, Delivery, Route, Trigger

Json = Any

Notify = Callable[[str, Mapping[str, Json]], None]
Fired = Callable[[BoundPlan, str, Message, bool], Awaitable[Runner | None]]
"""Starts a run once its turn has come; the flag says to leave it out while another is under way: None then."""


class Listening:
    """The triggers of one flow, answered and fired until `stop()`. The port stays the same for a flow where it is free.

    What was opened for the runs stays open until `close()`: one may still be under way.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        variables: Mapping[str, Json],
        logins: Mapping[str, Mapping[str, Json]],
        *,
        notify: Notify,
        fired: Fired,
        once: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._plan = plan
        self._registry = registry
        self._variables = variables
        self._logins = logins
        self._notify = notify
        self._fired = fired
        self._once = once
        self._folder = folder
        self._opened = contextlib.AsyncExitStack()
        self._serving = contextlib.AsyncExitStack()
        self.bound: BoundPlan | None = None
        """What its runs use, once it has started."""
        self._routes: dict[str, tuple[PlanStep, Any, Route]] = {}
        self._captured = False

    async def start(self) -> dict[str, dict[str, str]]:
        """Starts listening; under `webhooks` the address of each by step, under `schedules` what is fired by the clock."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            await self.close()
            raise

    async def _start(self) -> dict[str, dict[str, str]]:
        bound = self.bound = await self._opened.enter_async_context(
            launched(self._plan, self._registry, variables=self._variables, logins=self._logins, folder=self._folder)
        )
        clocks: list[tuple[PlanStep, Any, Clock]] = []
        for step in self._plan.triggers:
            trigger = step.component
            if step.disabled or not isinstance(trigger, Trigger):
                continue
            config = bound.configs[step.index].evaluate(None, bound.names, None)
            source = trigger.source(config)
            if isinstance(source, Route):
                self._routes["/" + source.path.strip("/")] = (step, config, source)
            elif isinstance(source, Clock) and not self._once:
                clocks.append((step, config, source))
        if not self._routes and not clocks:
            raise InvalidInputError(
                Problem(
                    "the flow has nothing to listen to",
                    "it has no webhook" if self._once else "it has neither a webhook nor a schedule",
                    "add one, or run it with a sample",
                )
            )
        webhooks = await self._serve() if self._routes else {}
        for step, config, clock in clocks:
            task = asyncio.ensure_future(self._tick(step, config, clock))
            self._serving.push_async_callback(_ended, task)
        return {"webhooks": webhooks, "schedules": {step.id: _told(clock) for step, _, clock in clocks}}

    async def _serve(self) -> dict[str, str]:
        server = WebServer(self._answer, port=listening_port(self._plan.flow.id), body_limit=self._limit)
        try:
            host, port = await server.start()
        except InvalidInputError:
            # Another session of the same flow has its port.
            server = WebServer(self._answer, port=0, body_limit=self._limit)
            host, port = await server.start()
        self._serving.push_async_callback(server.stop, 1.0)
        return {step.id: f"http://{host}:{port}{path}" for path, (step, _, _) in self._routes.items()}

    async def stop(self) -> None:
        """Stops listening."""
        await self._serving.aclose()

    async def close(self) -> None:
        """Closes what was opened for the runs."""
        await self._opened.aclose()

    async def _tick(self, step: PlanStep, config: Any, clock: Clock) -> None:
        """Starts a run at each moment of a schedule."""
        assert self.bound is not None
        trigger = step.component
        assert isinstance(trigger, Trigger)
        bound = self.bound

        async def fire(moment: float) -> None:
            message = trigger.accept(config, Delivery(at=moment))
            if isinstance(message, Message):
                await self._fired(bound, step.id, message, clock.overlap == "skip")

        await fire_at(clock, fire, told=lambda moment: self._notify("due", {"step": step.id, "at": moment}))

    def _limit(self, method: str, path: str) -> int:
        found = self._routes.get(path)
        return found[2].max_bytes if found is not None else 0

    async def _answer(self, incoming: Incoming) -> Outgoing:
        found = self._routes.get(incoming.path)
        if found is None or (self._once and self._captured):
            return json_answer(404, {"error": "nothing listens at this address"})
        step, config, route = found
        if incoming.method not in route.methods:
            allowed = ", ".join(route.methods)
            return json_answer(
                405, {"error": f"{incoming.method} is not allowed here, use {allowed}"}, {"allow": allowed}
            )
        trigger = step.component
        assert isinstance(trigger, Trigger)
        assert self.bound is not None
        delivery = Delivery(
            method=incoming.method,
            path=incoming.path,
            query=incoming.query,
            headers=incoming.headers,
            body=incoming.body,
            login=login_for(config, self._logins),
            at=time.time(),
        )
        message = trigger.accept(config, delivery)
        if isinstance(message, Reply):
            self._refused(step, incoming, message)
            return replied(message.status, message.headers, message.body)
        if self._once:
            self._captured = True
            redacting = Redacting(self.bound.redactor)
            self._notify(
                "captured",
                {
                    "step": step.id,
                    "payload": redacting.payload(message.payload),
                    "meta": dict(redacting.meta(message.meta)),
                },
            )
            return json_answer(202, {"captured": True})
        return await self._run(step, message)

    def _refused(self, step: PlanStep, incoming: Incoming, reply: Reply) -> None:
        """Tells that a request was not taken, and why; never what it carried."""
        told = reply.body if isinstance(reply.body, Mapping) else {}
        reason = str(told.get("message") or "the trigger did not take it")
        self._notify(
            "refused",
            {
                "step": step.id,
                "method": incoming.method,
                "path": incoming.path,
                "status": reply.status,
                "reason": reason,
                "at": time.time(),
            },
        )

    async def _run(self, step: PlanStep, message: Message) -> Outgoing:
        assert self.bound is not None
        runner = await self._fired(self.bound, step.id, message, False)
        if runner is None:
            return json_answer(503, {"error": "it listens no longer"}, {"retry-after": "1"})
        if not waits(self._plan, step):
            return json_answer(202, {"run": runner.id})
        return await answer_of(runner, awaited(runner))


def _told(clock: Clock) -> str:
    return clock.cron if clock.cron is not None else f"every {clock.every:g} s"


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
