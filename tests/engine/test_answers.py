"""Answers that a flow gives to whoever started it: the first counts, later ones are told in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Runner
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Category, Component, Context, Reply
from flowstudio.sdk.message import Message
from flowstudio.trace.events import Logged
from tests.builders import flow
from tests.toys import Lines, toys


class Answer(Component):
    """Answers with the payload."""

    key = "answer"
    title = "Answer"
    description = "Answers."
    category = Category.LOGIC

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return Reply(200, {}, payload)


class Lonely(Lines):
    """A recorder that cares for the log alone."""

    every_visit = False


def answered(drawing: str, recorder: Lines) -> Any:
    async def whole() -> Any:
        registry = toys()
        registry.add(Answer)
        bound = BoundPlan(compile_flow(flow(drawing), registry), Values(), registry)
        runner = Runner(bound, "s", Message("x"), recorders=[recorder])
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        runner.answer_to(reply)
        result = await runner.run()
        return reply.result(), [out.payload for out in result.outputs]

    return asyncio.run(whole())


@pytest.mark.parametrize("recorder", [Lines, Lonely])
def test_the_first_answer_counts_and_a_later_one_is_told(recorder: type[Lines]) -> None:
    lines = recorder()
    reply, outputs = answered("s=start -> a=answer -> m=mark -> b=answer", lines)
    assert (reply.step, reply.details["body"], outputs) == ("a", "x", ["xm"])
    (line,) = lines.of(Logged)
    assert (line.step, line.level) == ("b", "warning")
    assert "answered already" in line.message


def test_a_run_that_never_answers_says_so_at_its_end() -> None:
    assert answered("s=start -> m=mark", Lines()) == (None, ["xm"])
