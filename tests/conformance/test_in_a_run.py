"""The examples once more, in the engine itself: what a component does alone it does in a flow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.connections import Connections
from flowstudio.engine.runner import Result, run_flow
from flowstudio.flow.model import Flow, Slot, Step, Wire
from flowstudio.httpclient import AsyncBaseTransport, HttpClient, Request, Response
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Example
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec
from tests.conformance.stage import response_of

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
    """A flow that does nothing but the example."""
    step = Step(spec.name, example.config)
    auth: Any = example.config.get("auth", {})
    slots = {auth["connection"]: Slot(auth["type"])} if "connection" in auth else {}
    if spec.shape == "trigger":
        return Flow("example", example.title, {"it": step}, connections=slots)
    steps = {"start": Step("manual@1"), "it": step}
    return Flow("example", example.title, steps, (Wire("start", "it"),), connections=slots)


@pytest.mark.parametrize(
    ("spec", "example"), EXAMPLES, ids=[f"{spec.key}: {example.title}" for spec, example in EXAMPLES]
)
def test_an_example_does_in_a_run_what_it_says(spec: Spec, example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Answering(example)
    client = HttpClient(transport=transport)
    monkeypatch.setattr(Connections, "http", property(lambda self: client))

    async def work() -> Result:
        bound = BoundPlan(compile_flow(flow_of(spec, example), REGISTRY), Values(), REGISTRY)
        try:
            return await run_flow(bound, None, example.payload)
        finally:
            await bound.close()
            await client.aclose()

    result = asyncio.run(work())
    assert result.error is None
    assert [(output.step, output.port, output.payload) for output in result.outputs] == (
        [("it", example.port, example.output)] if example.port is not None else []
    )
    assert result.filtered == (1 if example.port is None else 0)
    assert [(request.method, str(request.url)) for request in transport.requests] == [
        (told["method"], told["url"]) for told in example.requests
    ]
