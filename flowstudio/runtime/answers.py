"""What the sender of a message is answered: by a trigger that refuses it, by the flow itself, or with the run's id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from flowstudio.engine.runner import Runner
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.runtime.webserver import Outgoing
from flowstudio.trace.canonical import canonical
from flowstudio.trace.events import VisitFinished

Json = Any
Awaited = asyncio.Future[VisitFinished | None]

REPLY_WITHIN: Final = 30.0
"""Seconds that a sender waits for the flow's own answer."""


def login_for(config: Any, logins: Mapping[str, Mapping[str, Json]]) -> Mapping[str, str] | None:
    """The fields of the login that a trigger's authentication names; None where there is none."""
    slot = getattr(getattr(config, "auth", None), "connection", None)
    found = logins.get(slot) if slot else None
    return {name: str(value) for name, value in found.items()} if found is not None else None


def waits(plan: Plan, step: PlanStep) -> bool:
    """Whether the flow may answer itself: an enabled respond can be reached, in a called flow perhaps."""
    return any(other.spec.key == "respond" and not other.disabled for other in plan.reached_from(step))


def awaited(runner: Runner) -> Awaited:
    """Has a run's first answer put where `answer_of` waits for it."""
    reply: Awaited = asyncio.get_running_loop().create_future()
    runner.answer_to(reply)
    return reply


async def answer_of(runner: Runner, reply: Awaited) -> Outgoing:
    """The flow's own answer, or what stands for it where it gives none, or none in time."""
    try:
        async with asyncio.timeout(REPLY_WITHIN):
            event = await reply
    except TimeoutError:
        return json_answer(202, {"run": runner.id})
    if event is not None:
        return replied(event.details["status"], event.details["headers"], event.details["body"])
    if runner.state.failing:
        return json_answer(500, {"run": runner.id, "error": "the flow failed"})
    return Outgoing(204, {}, b"")


def json_answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Outgoing:
    """An answer of the program itself."""
    return Outgoing(status, {"content-type": "application/json", **(headers or {})}, canonical(body))


def replied(status: int, headers: Mapping[str, str], body: Json) -> Outgoing:
    """A reply of the flow as it goes over the wire: JSON unless its content type says text."""
    told = {name.lower(): value for name, value in headers.items()}
    content = told.get("content-type", "")
    if isinstance(body, bytes):
        return Outgoing(status, {"content-type": "application/octet-stream", **told}, body)
    if isinstance(body, str) and content and "json" not in content:
        return Outgoing(status, told, body.encode())
    return Outgoing(status, {"content-type": "application/json", **told}, canonical(body))


__all__ = ["REPLY_WITHIN", "Awaited", "answer_of", "awaited", "json_answer", "login_for", "replied", "waits"]
