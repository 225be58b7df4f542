"""The trigger: a component that starts runs. It declares where its messages come from and turns each delivery into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from flowstudio.sdk.component import Category, Component, Port
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Reply

Json = Any


@dataclass(frozen=True, slots=True)
class Route:
    """HTTP requests at a path under the instance's address; `max_bytes` bounds the body."""

    path: str
    methods: tuple[str, ...] = ("POST",)
    max_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock: `cron` in a time zone, or every so many seconds."""

    cron: str | None = None
    every: float | None = None
    timezone: str = "UTC"
    overlap: Literal["skip", "queue", "allow"] = "skip"
    catch_up: Literal["none", "one", "all"] = "none"


@dataclass(frozen=True, slots=True)
class Consume:
    """A queue or feed behind a connection, taken one message at a time."""

    connection: str
    source: str
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """The instance itself: it was put in place, or is taken away."""

    moment: Literal["deployed", "removed"]


Source = Route | Clock | Consume | Placed | None
"""Where a trigger's messages come from; None: it is started by hand or by another flow."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came in, as it was: header names lower case, values as sent; `query` keeps the last of equal names."""

    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    login: Mapping[str, str] | None = None
    """The fields of the login that the trigger's authentication names; None where there is none."""
    at: float = 0.0
    """When it came, seconds since the epoch."""


class Trigger(Component):
    """A component without an input that starts runs."""

    category: ClassVar[Category] = Category.TRIGGER
    inputs: ClassVar[tuple[Port, ...]] = ()
    fails: ClassVar[bool] = False
    starts: ClassVar[Literal["outside", "by hand", "called"]] = "outside"
    """Who starts it: the world outside, a person (or a call, where there is no better trigger), or a call alone."""

    def source(self, config: Any) -> Source:
        """Where this trigger's messages come from."""
        return None

    def accept(self, config: Any, delivery: Delivery) -> Message | Reply:
        """The message that a delivery makes (its `meta` holds `trigger`), or the answer that refuses it. Pure."""
        raise NotImplementedError(f"{type(self).__name__} takes no deliveries")

    def key_of(self, config: Any, delivery: Delivery) -> str | None:
        """What tells a delivery that was accepted from others: a second one with the same starts no run. None: nothing.

        `config` is evaluated with the message's payload.
        """
        return None

    def enters(self, config: Any, payload: Json) -> Json:
        """The payload with which a run or a called flow begins; StepError refuses it."""
        return payload

    def returns(self, config: Any, payload: Json) -> Json:
        """What the caller gets of an output of the flow that this trigger began; StepError when it may not be one."""
        return payload

    def run(self, config: Any, payload: Json, context: Any) -> Any:
        """The message is made before the run begins; the trigger's visit passes it on."""
        return self.enters(config, payload)
