"""The component `wait`: holds a message until somebody says that it may go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import caption, one_line
from flowstudio.sdk import Category, Component, Context, Example, Port, Settings, StepError, Text, Value, Wait, setting

Json = Any


class WaitComponent(Component):
    """Holds a message until somebody says that it may go on.

    A signal is a name that is sent to the run from outside: an approval, a payment that came in, an answer from another
    system. When the signal comes, the message leaves by `out`, and what came with it stands in `$meta.signal`; a signal
    that comes before the message is kept for it. With a timeout the message leaves by `timeout` when the signal has not
    come in that time; without one it waits for ever, and there is no such port.
    """

    key = "wait"
    title = "Wait for a signal"
    description = "Holds a message until a signal comes, or a time has passed."
    category = Category.LOGIC
    icon = "hand-palm"
    aliases = ("approval", "approve", "pause", "resume", "hold", "wait for webhook", "callback", "human", "event")

    class Config(Settings):
        """What is waited for, and how long."""

        signal: Text = setting(
            title="Signal",
            description="The name of the signal. With {{ }} each message waits for one of its own.",
            placeholder="approved-{{ number }}",
            min_length=1,
        )
        timeout: Value[float] | None = setting(
            None,
            title="Timeout",
            description="How many seconds the message waits before it leaves by timeout. Empty: for ever.",
            gt=0,
        )

    examples = (
        Example(
            "An approval of this order",
            {"signal": "approved-{{ number }}"},
            payload={"number": 1042},
            output={"number": 1042},
            waits=Wait("approved-1042"),
        ),
        Example(
            "A day at most",
            {"signal": "paid-{{ number }}", "timeout": 86_400},
            payload={"number": 1042},
            output={"number": 1042},
            waits=Wait("paid-1042", 86_400),
        ),
    )

    @classmethod
    def ports(cls, config: Mapping[str, Json]) -> tuple[Port, ...]:
        """The way on, and with a timeout the way for those that waited in vain."""
        return (Port("out"),) if config.get("timeout") is None else (Port("out"), Port("timeout"))

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`approved-{number}, 3600 s at most`."""
        told, timeout = caption(config.get("signal"), "No signal yet"), config.get("timeout")
        if timeout is None:
            return told
        seconds = f"{timeout:,g}" if isinstance(timeout, (int, float)) else caption(timeout, "some")
        return one_line(f"{told}, {seconds} s at most")

    def run(self, config: Config, payload: Json, context: Context) -> Wait:
        """Waits."""
        signal = config.signal.strip()
        if not signal:
            raise StepError(
                "The signal has no name: its text is empty for this message; correct the expression in it",
                type="NoSignal",
                retryable=False,
            )
        return Wait(signal, config.timeout)
