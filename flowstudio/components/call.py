"""The component `call`: has another flow do a part of the work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flowstudio.components.captions import expression_caption, one_line
from flowstudio.sdk import MISSING, Call, Example, Expression, Fault, Settings, setting

Json = Any

_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:|[a-z]+://")
_SUFFIX: Final = ".flow.json"


class CallComponent(Call):
    """Has another flow do a part of the work.

    The called flow begins with one trigger `flow-called` (or `manual`), which gets the input. When it has ended, each of
    its outputs goes on from here as a message; a flow without an output ends the path. An error that the called flow
    does not catch is this step's error.

    Variables and connections of the same name are the caller's; the other variables have the called flow's defaults.
    `$steps` shows what this flow's steps put out, inside of the called flow only its own.
    """

    key = "call"
    title = "Call a flow"
    description = "Runs another flow and goes on with its outputs."
    icon = "flow-arrow"
    aliases = ("subflow", "sub-workflow", "execute workflow", "flow ref", "link call", "direct", "reuse")
    pure = False

    class Config(Settings):
        """Which flow, and what it gets."""

        flow: str = setting(
            title="Flow",
            description="The file of the called flow, relative to this one, or the id of a flow in the same folder.",
            placeholder="customer.flow.json",
            min_length=1,
            widget="flow",
            fixed=True,
        )
        input: Expression = setting(
            "$", title="Input", description="The payload that the called flow begins with.", placeholder="customer"
        )

    examples = (
        Example("The payload as it is", {"flow": "normalise"}, payload={"name": "ada"}, output={"name": "ada"}),
        Example(
            "A part of it",
            {"flow": "shared/customer.flow.json", "input": "customer"},
            payload={"order": 1042, "customer": {"name": "Ada"}},
            output={"name": "Ada"},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`customer(order.customer)`."""
        flow, given = config.get("flow"), config.get("input")
        if not isinstance(flow, str) or not flow.strip():
            return "No flow yet"
        told = flow.strip().removesuffix(_SUFFIX)
        if isinstance(given, str) and given.strip() not in ("", "$"):
            told = f"{told} with {expression_caption(given)}"
        return one_line(told)

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The flow is known before anything runs, and found wherever the two lie together."""
        flow = config.get("flow")
        if not isinstance(flow, str):
            return
        if "{{" in flow:
            yield Fault(
                "flow",
                "which flow is called is fixed",
                "the called flow is checked together with this one",
                "name it without {{ }}; to choose between flows, put a choice before several calls",
            )
        elif _ABSOLUTE.match(flow.strip()):
            yield Fault(
                "flow",
                f"{flow} is a place on one computer",
                "the flow could not be found anywhere else",
                "give the path relative to this flow's file, or the id of a flow in the same folder",
            )
        elif not flow.strip():
            yield Fault("flow", "no flow is named", "there would be nothing to call", "give its file or its id")

    def target(self, config: Config) -> str:
        """The called flow's file or id."""
        return config.flow.strip()

    def input(self, config: Config, payload: Json) -> Json:
        """The called flow's payload."""
        return None if config.input is MISSING else config.input
