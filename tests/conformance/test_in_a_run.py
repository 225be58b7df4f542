"""The examples once more, in the engine itself: what a component does alone it does in a flow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.connections import Outside
from flowstudio.engine.memory import ProcessMemory
from flowstudio.engine.runner import Result, Runner, starting_step
from flowstudio.flow.called import CalledFlow, nowhere
from flowstudio.flow.model import Flow, Slot, Step, Wire
from flowstudio.httpclient import AsyncBaseTransport, HttpClient, Request, Response
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Example, Message, Sleep, Wait
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec
from flowstudio.testing.http import response_of
from tests.conformance.stage import NOW, lay

REGISTRY = Registry.from_entry_points()
EXAMPLES = [(spec, example) for spec in REGISTRY.specs() for example in spec.component.examples]


class Answering(AsyncBaseTransport):
    """The other systems of an example."""

    def __init__(self, example: Example) -> None:
        self._answers = list(example.answers)
        self.requests: list[Request] = []

    async def handle_async_request(self, request: Request) -> Response:
        self.requests.append(request)
        return response_of(self._answers.pop(0))


def flow_of(spec: Spec, example: Example) -> Flow:
    """A flow that does nothing but the example: what a shape needs around it is there too."""
    steps = {"it": Step(spec.name, example.config)}
    auth: Any = example.config.get("auth", {})
    slots = {auth["connection"]: Slot(auth["type"])} if "connection" in auth else {}
    wires = [Wire("start", "it")]
    if spec.shape != "trigger":
        steps["start"] = Step("manual@1")
    match spec.shape:
        case "trigger":
            wires = []
        case "collect":
            steps["each"] = Step("split@1")
            wires = [Wire("start", "each"), Wire("each", "it")]
        case "merge":
            steps.update({branch: Step("map@1", {"expression": branch}) for branch in example.payload})
            wires = [wire for branch in example.payload for wire in (Wire("start", branch), Wire(branch, "it"))]
        case "loop":
            steps["inside"] = Step("set@1")
            wires.append(Wire("it", "inside", "body"))
    return Flow("example", example.title, steps, tuple(wires), connections=slots)


def echo(name: str) -> CalledFlow:
    """A flow to call that gives back what it gets."""
    return CalledFlow(name, Flow("echo", "Echo", {"begun": Step("manual@1")}), nowhere)


def leaving(spec: Spec, example: Example) -> list[tuple[str, str, Any]]:
    """What leaves the flow of an example: step, port, payload."""
    if example.port is None or example.error is not None:
        return []
    if spec.shape == "split":
        return [("it", example.port, item) for item in example.output]
    if example.port == "body":
        return [("inside", "out", example.output)]
    return [("it", example.port, example.output)]


@pytest.mark.parametrize(
    ("spec", "example"), EXAMPLES, ids=[f"{spec.key}: {example.title}" for spec, example in EXAMPLES]
)
def test_an_example_does_in_a_run_what_it_says(spec: Spec, example: Example, tmp_path: Path) -> None:
    lay(tmp_path, example.files)
    transport = Answering(example)
    client = HttpClient(transport=transport)
    memory = ProcessMemory(example.state)
    rested: list[float] = []

    async def rest(seconds: float) -> None:
        rested.append(seconds)

    async def work() -> Result:
        plan = compile_flow(flow_of(spec, example), REGISTRY, echo)
        bound = BoundPlan(plan, Values(folder=tmp_path, memory=memory), REGISTRY, Outside(client))
        message = Message(example.payload)
        runner = Runner(bound, starting_step(plan, None), message, now=lambda: NOW, sleep=rest)
        if isinstance(example.waits, Wait):
            runner.signal(example.waits.signal)
        try:
            return await runner.run()
        finally:
            await bound.close()
            await client.aclose()

    result = asyncio.run(work())
    assert (None if result.error is None else result.error.message) == example.error
    assert [(output.step, output.port, output.payload) for output in result.outputs] == leaving(spec, example)
    ended = example.port is None and example.error is None
    assert result.filtered + result.state.stopped == (1 if ended else 0)
    assert rested == ([example.waits.until - NOW] if isinstance(example.waits, Sleep) else [])
    assert memory.read() == (example.state if example.remembers is None else example.remembers)
    assert [(request.method, str(request.url)) for request in transport.requests] == [
        (told["method"], told["url"]) for told in example.requests
    ]
