"""The flow around a component that is tried alone: a trigger, what its shape needs, and the outputs that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.sdk.component import Category, Component
from flowstudio.sdk.connection import Connection
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.shapes import Items, Split
from flowstudio.sdk.spec import FieldSpec, Spec
from flowstudio.sdk.trigger import Trigger

Json = Any

STEP: Final = "it"
"""The id of the step under test."""

INSIDE: Final = "inside"
"""The id of the step in the body of a loop under test."""


def flow_around(
    spec: Spec,
    config: Mapping[str, Json],
    payload: Json,
    *,
    registry: Registry,
    slots: Mapping[str, str],
    variables: Mapping[str, Json],
    steps: Mapping[str, Json],
    retry: Mapping[str, Json] | None = None,
    timeout: float | None = None,
) -> Flow:
    """A flow that does nothing but what one component does. `registry` gets the components that it needs beside.

    `slots` are types of login by slot; a slot that the config names and they do not has one of no login.
    """
    if STEP in steps or INSIDE in steps:
        raise ValueError(f"A step cannot be called {STEP} or {INSIDE} here: these ids are the bench's own")
    for helper in (_Begun, _Each, _passing_on({})):
        registry.add(helper)
    registry.add_connection(_NoLogin)
    found: dict[str, Step] = {STEP: Step(spec.name, config, retry=retry, timeout=timeout)}
    wires: list[Wire] = []
    connections = {slot: Slot(kind) for slot, kind in slots.items()}
    for name in _slots_in(spec, config):
        connections.setdefault(name, Slot(_NoLogin.key, required=False))
    if spec.shape != "trigger":
        found["begun"] = Step(f"{_Begun.key}@1")
        last = "begun"
        if steps:
            registry.add(_passing_on({**steps, _BACK: payload}))
            for step in (*steps, _BACK):
                found[step] = Step(f"{_PassesOn.key}@1")
                wires.append(Wire(last, step))
                last = step
        wires += _wired(spec, payload, last, found)
    return Flow(
        "bench",
        spec.title,
        found,
        tuple(wires),
        variables={name: Variable("json", default=value) for name, value in variables.items()},
        connections=connections,
    )


def _wired(spec: Spec, payload: Json, last: str, found: dict[str, Step]) -> Iterator[Wire]:
    """The wires to the step under test, by its shape."""
    if spec.shape == "collect":
        found["each"] = Step(f"{_Each.key}@1")
        yield from (Wire(last, "each"), Wire("each", STEP))
    elif spec.shape == "merge" and isinstance(payload, Mapping):
        for branch in payload:
            found[branch] = Step("map@1", {"expression": branch if branch.isidentifier() else f"`{branch}`"})
            yield from (Wire(last, branch), Wire(branch, STEP))
    else:
        yield Wire(last, STEP)
    if spec.shape == "loop":
        found[INSIDE] = Step(f"{_PassesOn.key}@1")
        yield Wire(STEP, INSIDE, "body")


def _slots_in(spec: Spec, config: Mapping[str, Json]) -> Iterator[str]:
    """The connection slots that a config names."""
    for field in spec.fields:
        yield from _slots_of(field, config.get(field.name, spec.defaults.get(field.name)))


def _slots_of(field: FieldSpec, value: Json) -> Iterator[str]:
    if field.form == "connection":
        if isinstance(value, str):
            yield value
    elif isinstance(value, Mapping):
        inner = field.fields
        if field.discriminator is not None:
            inner = next((each.fields for each in field.variants if each.value == value.get(field.discriminator)), ())
        for each in inner:
            yield from _slots_of(each, value.get(each.name))
    elif isinstance(value, list) and field.item is not None:
        for each_value in value:
            yield from _slots_of(field.item, each_value)


class _NoLogin(Connection):
    """A login without fields, for slots whose type a test does not care for."""

    key = "flowstudio-bench.any"
    title = "Any login"


class _Begun(Trigger):
    """Begins the run."""

    key = "flowstudio-bench.begun"
    title = "Begun"
    description = "Begins the run of a bench."
    starts = "by hand"


class _Each(Split):
    """Makes a message of each element."""

    key = "flowstudio-bench.each"
    title = "Each"
    description = "Makes a message of each element of a list."

    def items(self, config: Any, payload: Json) -> Items:
        return Items(payload if isinstance(payload, list) else [payload])


_BACK: Final = "back"
"""The step that puts the payload back, behind the steps whose outputs were given."""


class _PassesOn(Component):
    """Puts out what the test gives for its step, or passes on what comes."""

    key = "flowstudio-bench.passes-on"
    title = "Passes on"
    description = "Puts out what a test gives."
    category = Category.TRANSFORM
    given: ClassVar[Mapping[str, Json]] = {}

    def run(self, config: Any, payload: Json, context: Any) -> Json:
        return self.given.get(context.step, payload)


def _passing_on(outputs: Mapping[str, Json]) -> type[Component]:
    return type("PassesOn", (_PassesOn,), {"given": outputs, "__doc__": _PassesOn.__doc__})


__all__ = ["INSIDE", "STEP", "flow_around"]
