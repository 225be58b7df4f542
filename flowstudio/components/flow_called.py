"""The component `flow-called`: begins a flow that other flows call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from flowstudio.components.captions import one_line
from flowstudio.components.json_schema import must_fit, schema_faults
from flowstudio.sdk import Example, Fault, Settings, Trigger, setting

Json = Any

_ORDER = {
    "type": "object",
    "properties": {"number": {"type": "integer"}, "total": {"type": "number", "minimum": 0}},
    "required": ["number"],
}


class FlowCalled(Trigger):
    """Begins a flow that other flows call.

    A call in another flow gives the payload, and gets back what leaves this flow by ports that are not wired. With an
    input declared, a payload that is not as it says is refused before the first step; with an output declared, what this
    flow gives back is checked as well. Either is an error of the calling step that names every violation.

    Run by hand, the flow begins with the sample that lies beside it.
    """

    key = "flow-called"
    title = "When called by a flow"
    description = "Begins a flow that other flows call, with what they give it."
    icon = "sign-in"
    aliases = ("start of a subflow", "when executed by another workflow", "link in", "entry")
    starts: ClassVar[Literal["outside", "by hand", "called"]] = "called"

    class Config(Settings):
        """What the flow takes and gives."""

        input: Any = setting(
            None,
            title="Input",
            description="A JSON Schema (2020-12) that the payload of a call must satisfy. Empty: anything is taken.",
            widget="json-schema",
        )
        output: Any = setting(
            None,
            title="Output",
            description="A JSON Schema (2020-12) that every output of this flow must satisfy. Empty: anything is given.",
            widget="json-schema",
        )

    examples = (
        Example("Anything is taken", {}, payload={"number": 1042}, output={"number": 1042}),
        Example("An order is taken", {"input": _ORDER}, payload={"number": 1042}, output={"number": 1042}),
        Example(
            "What is no order is refused",
            {"input": _ORDER},
            payload={"total": -1},
            port=None,
            error='The input does not fit the schema in 2 places, the first: "number" is a required property; $error.data '
            "lists them",
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`number, total → id`, by what is declared."""
        taken, given = (_named(config.get(name)) for name in ("input", "output"))
        if taken is None and given is None:
            return "Takes and gives anything"
        return one_line(f"{taken or 'anything'} → {given or 'anything'}")

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """What is declared are schemas that need nothing from outside."""
        for name in ("input", "output"):
            if config.get(name) is not None:
                yield from schema_faults(config[name], name)

    def enters(self, config: Config, payload: Json) -> Json:
        """The payload, when it is as the input's schema says."""
        if config.input is not None:
            must_fit(config.input, payload, "The input")
        return payload

    def returns(self, config: Config, payload: Json) -> Json:
        """The payload, when it is as the output's schema says."""
        if config.output is not None:
            must_fit(config.output, payload, "The output")
        return payload


def _named(schema: Json) -> str | None:
    """What a stored schema asks for, in a few words; None where there is none."""
    if not isinstance(schema, Mapping) or not schema:
        return None
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties:
        return ", ".join(map(str, properties))
    kind = schema.get("type")
    return kind if isinstance(kind, str) and kind else "as declared"
