"""The component `loop`: repeats steps as long as a condition holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import expression_caption
from flowstudio.components.conditions import holds
from flowstudio.sdk import Example, Expression, Loop, Settings, StepError, Value, setting

Json = Any


class LoopComponent(Loop):
    """Repeats steps as long as a condition holds.

    The condition is looked at before each pass, also before the first. While it holds, the message goes by `body`
    through the steps of the loop; the last of them is wired back to the port `next`, and what arrives there is looked at
    in turn. Otherwise it leaves by `done`. A filter among the steps ends the message's path, and the loop with it.

    For each element of a list there is the split.
    """

    key = "loop"
    title = "Loop"
    description = "Sends a message through steps again and again while a condition holds."
    icon = "repeat"
    aliases = (
        "while",
        "do while",
        "until",
        "repeat",
        "do until",
        "poll until",
        "again",
        "paginate",
        "retry",
    )

    class Config(Settings):
        """How long it goes on."""

        while_: Expression = setting(
            title="While",
            description="The message goes round once more while this is true. Nothing, null, 0, an empty text, an empty "
            "object and a list without a true element count as false.",
            placeholder="next_page != null",
            alias="while",
        )
        max: Value[int] = setting(
            1000,
            title="At most",
            description="How many passes there may be. When the condition still holds after so many, the step fails.",
            ge=1,
        )

    examples = (
        Example(
            "Not ready yet: once more",
            {"while": 'status != "ready"'},
            payload={"job": 17, "status": "queued"},
            output={"job": 17, "status": "queued"},
            port="body",
        ),
        Example(
            "Ready: on with it",
            {"while": 'status != "ready"', "max": 60},
            payload={"job": 17, "status": "ready"},
            output={"job": 17, "status": "ready"},
            port="done",
        ),
    )

    @classmethod
    def passes_by(cls, config: Mapping[str, Json]) -> str:
        """Disabled, it lets every message go on as if the condition did not hold."""
        return "done"

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The condition."""
        return expression_caption(config.get("while"), "No condition yet")

    def again(self, config: Config, payload: Json, passes: int) -> bool:
        """Whether the condition holds; StepError when it still does after the last pass."""
        if not holds(config.while_):
            return False
        if passes >= config.max:
            raise StepError(
                f"The condition still holds after {passes:,} {'pass' if passes == 1 else 'passes'}, which is as many as "
                "the loop may make; correct while, or raise max",
                type="TooManyPasses",
                retryable=False,
                data={"passes": passes},
            )
        return True
