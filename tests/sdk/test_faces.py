"""The face that third parties import: everything in it is listed, documented, and can be used from it alone."""

from __future__ import annotations

import asyncio
import inspect

import flowstudio.sdk as sdk
from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import run_flow
from flowstudio.plan.compile import compile_flow
from tests.builders import flow
from tests.toys import toys


def test_all_that_is_listed_is_there_once() -> None:
    assert len(set(sdk.__all__)) == len(sdk.__all__)
    assert all(hasattr(sdk, name) for name in sdk.__all__)


def test_every_class_of_the_face_is_documented() -> None:
    undocumented = [
        name for name in sdk.__all__ if inspect.isclass(getattr(sdk, name)) and not inspect.getdoc(getattr(sdk, name))
    ]
    assert undocumented == []


def test_a_component_is_one_class() -> None:
    class Shout(sdk.Component):
        key = "acme.shout"
        title = "Shout"
        description = "Writes a text in capitals."
        category = sdk.Category.TRANSFORM

        class Config(sdk.Settings):
            mark: sdk.Text = sdk.setting("!", description="What it ends with")

        def run(self, config: Config, payload: object, context: sdk.Context) -> object:
            return f"{payload}{config.mark}".upper()

    registry = toys()
    registry.add(Shout)
    bound = BoundPlan(
        compile_flow(flow("s=start -> a=acme.shout", a={"mark": " {{ $ }}?"}), registry), Values(), registry
    )
    result = asyncio.run(run_flow(bound, None, "hey"))
    assert [out.payload for out in result.outputs] == ["HEY HEY?"]
