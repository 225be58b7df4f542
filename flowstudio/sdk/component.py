"""The component: a kind of step, written as one class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from flowstudio.sdk.fields import Settings
from flowstudio.sdk.outcome import Sleep, Wait

if TYPE_CHECKING:
    from flowstudio.sdk.context import Context
    from flowstudio.sdk.stream import Stream

Json = Any


class Category(StrEnum):
    """The palette's groups, in their order."""

    TRIGGER = "Trigger"
    CONNECT = "Connect"
    TRANSFORM = "Transform"
    LOGIC = "Logic"
    RELIABILITY = "Reliability"
    OUTPUT = "Output"


@dataclass(frozen=True, slots=True)
class Port:
    """Where wires end: its name in the file, and the title that people see (default the name)."""

    name: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a config: the dotted name of the field, what, why, what to do; `span` in that field's text."""

    field: str
    what: str
    why: str = ""
    remedy: str = ""
    span: tuple[int, int] | None = None
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other system says in an example of a component that calls out."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None


@dataclass(frozen=True, slots=True)
class Example:
    """One executable example: with this config, this payload gives this output. Shown in the reference, run by the tests.

    `output` is the payload that leaves by `port`; `port` None means that nothing leaves. `requests` are what the
    component sends (method, url, body), answered in order by `answers`. `error` is the message with which it fails,
    `waits` what it waits for before the payload leaves, by the clock of the examples: they begin a quarter of a second
    into the year 2026, in UTC. `state` is what `$state` holds before, `remembers` what it holds after it. `files` are the
    texts that lie in the flow's folder before, by their paths.

    Of a split `output` lists the payloads that leave; of a collect `payload` lists those that arrive; of a merge it
    names for each branch's last step what comes from there; of a call `output` is what the called flow begins with.
    """

    title: str
    config: Mapping[str, Json]
    payload: Json = None
    output: Json = None
    port: str | None = "out"
    answers: tuple[Answer, ...] = ()
    requests: tuple[Mapping[str, Json], ...] = ()
    error: str | None = None
    waits: Sleep | Wait | None = None
    state: Mapping[str, Json] = field(default_factory=dict)
    remembers: Mapping[str, Json] | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a part of an output was made of: an expression of the config, evaluated on the input, and where in its value.

    Without an expression it is what lies at `path` in the input, unchanged. `otherwise` is where to look when the value
    has nothing at `path`.
    """

    expression: str | None
    path: tuple[str | int, ...]
    otherwise: tuple[str | int, ...] | None = None


class Component:
    """A kind of step. Subclasses set the class attributes, declare `Config` and write `run()`.

    A component holds no state of its own: one object serves all messages of all runs at once. Whatever leaves the
    process goes through `context.http` or `context.effect`.
    """

    key: ClassVar[str]
    """Its name in flow files, without the version: `http`; a third party's has a vendor's prefix: `acme.crm`."""
    version: ClassVar[int] = 1
    """The major version; it rises when a stored config no longer means the same."""
    title: ClassVar[str]
    description: ClassVar[str]
    """One sentence: what the step does to the payload."""
    category: ClassVar[Category]
    icon: ClassVar[str] = "cube"
    """The name of a Phosphor icon."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other tools' words for it, known to the palette's search."""
    inputs: ClassVar[tuple[Port, ...]] = (Port("in"),)
    outputs: ClassVar[tuple[Port, ...]] = (Port("out"),)
    pure: ClassVar[bool] = True
    """Whether the result depends on message, config and the visit's clock and seed alone, and nothing leaves."""
    reads_names: ClassVar[bool] = False
    """Whether `run()` asks for `context.names()`, so that its config does not tell what it reads."""
    fails: ClassVar[bool] = True
    """Whether the step has an `error` port."""
    examples: ClassVar[tuple[Example, ...]] = ()

    class Config(Settings):
        """No settings."""

    @classmethod
    def ports(cls, config: Mapping[str, Json]) -> tuple[Port, ...]:
        """The output ports under a stored config, without `error`."""
        return cls.outputs

    @classmethod
    def leaves_by_several(cls, config: Mapping[str, Json]) -> bool:
        """Whether one message may leave by more than one port at once under a stored config."""
        return False

    @classmethod
    def passes_by(cls, config: Mapping[str, Json]) -> str:
        """The port by which the message of a disabled step goes on."""
        return "out"

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """One line for the card on the canvas, made of the stored config: `GET {shop_url}/orders`."""
        return cls.title

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """What the types alone do not show: a cron line that never fires, a port named twice.

        `config` is the stored config with defaults filled in; its fields are of their types, except that those that
        may be `{{ }}` can be such a string.
        """
        return ()

    @classmethod
    def made_of(cls, config: Mapping[str, Json], path: tuple[str | int, ...]) -> MadeOf | None:
        """What lies at a path of the output was made of, under a stored config; None when it cannot be told.

        An output that is the input itself needs no word.
        """
        return None

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """Whether it reads a payload that is a Stream piece by piece under a stored config; else it gets it whole."""
        return False

    @classmethod
    def reopened(cls, options: Mapping[str, Json], over: Stream | None) -> Stream:
        """The stream that this component put out, made again from its source: `options` and the stream below it."""
        raise NotImplementedError(f"{cls.__name__} puts out no streams")

    def run(self, config: Any, payload: Json, context: Context) -> Any:
        """Does the step's work: returns the new payload, or an Outcome. May be a coroutine function.

        `config` is a `Config` with every field evaluated for this message. Raises StepError (or anything else, which
        counts as one) when it fails. The payload is shared: never change it in place. It may return a Stream, which those
        wired behind it read piece by piece if all of them can (`reads_streams`).
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what it does: write run()")
