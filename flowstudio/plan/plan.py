"""The plan: a compiled flow. It is shared by all runs and all customers; values and logins travel apart from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowstudio.flow.model import ERROR_PORT, Flow
from flowstudio.plan.settings import CompiledConfig
from flowstudio.sdk.component import Component
from flowstudio.sdk.spec import Shape, Spec

Json = Any


@dataclass(frozen=True, slots=True)
class Link:
    """The far end of a wire, with the wire's position in the flow, which is its place in the order of messages."""

    target: int
    port: str
    position: int


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a visit is tried again; times in seconds. `on` None means the default errors."""

    attempts: int = 1
    backoff: float = 1.0
    max_backoff: float = 60.0
    on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PlanStep:
    """A step, resolved: what it runs, where its messages go, in which scopes it stands.

    `outs` has every port that may be used, `error` only when it is wired. `scopes` are the steps that opened the scopes
    around it, outermost first. `forks` says that messages may part here, so that the way taken belongs to their place;
    `shared` that several messages of one scope may visit it, so that the way taken belongs to their address.
    """

    index: int
    id: str
    title: str
    spec: Spec
    component: Component
    config: CompiledConfig
    outs: Mapping[str, tuple[Link, ...]]
    retry: Retry
    timeout: float | None
    disabled: bool
    scopes: tuple[int, ...]
    forks: bool
    shared: bool
    reaches: int
    """The steps that a message here can still come to, as a bit set by index."""
    body: int = 0
    """Of a loop: the steps on a way from `body` to `next`, as a bit set."""
    inner: Mapping[int, int] = field(default_factory=dict)
    """Of a loop: what each step can come to within one pass, as bit sets."""
    joins: tuple[int, ...] = ()
    """Of a split: the collects that close it."""
    flow: int = 0
    """The number of its flow in `Plan.flows`."""
    target: int = -1
    """Of a call: the trigger of the called flow."""
    ports: tuple[str, ...] = ()
    """The names of `outs`, in their order."""
    streams: frozenset[str] = frozenset()
    """The ports behind which everything reads a stream piece by piece."""
    lone: bool = True
    """Of a call: whether the called flow gives one message at most."""
    clocked: bool = True
    """Whether its config reads the time or the chance of a visit."""
    stateful: bool = False
    """Whether its config reads `$state`."""
    reads_steps: frozenset[str] | None = frozenset()
    """The steps whose outputs its config reads; None where that cannot be told beforehand."""
    immediate: bool = False
    """Whether its visits are made at once: nothing in them waits, has an effect or must be known one by one."""
    synchronous: bool = False
    """Whether its component's work is a plain call."""
    simple: bool = False
    """Whether its visits can be made in a row with others: immediate, of no shape, one way out."""
    onward: int = -1
    """Of a simple step: the simple step that its only wire leads to within the same scope."""
    straight: tuple[int, ...] = ()
    """Of a split whose items can only go through simple steps, to its one aggregate or, where it has none, out of the
    flow: these steps, the aggregate among them."""

    @property
    def shape(self) -> Shape:
        """What the engine does with it."""
        return self.spec.shape

    @property
    def catches(self) -> bool:
        """Whether its failures have a way to go."""
        return ERROR_PORT in self.outs

    def may_reach(self, other: int) -> bool:
        """Whether a message at this step can still come to that one."""
        return bool(self.reaches >> other & 1)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A compiled flow: its steps in the flow's order, found by index or by id."""

    flow: Flow
    flow_hash: str
    steps: tuple[PlanStep, ...]
    index: Mapping[str, int]
    """The steps of the flow itself by id; those of called flows follow in `steps`, found through their calls."""
    flows: tuple[Flow, ...] = ()
    """The flow itself, and after it each flow that is called, however often, once."""
    folders: tuple[str, ...] = ("",)
    """For each of `flows` the folder in which its file lies; empty where it lies in none, and for the flow itself."""

    def step(self, step: str) -> PlanStep:
        """The step of that id; KeyError where the flow has none."""
        return self.steps[self.index[step]]

    def reached_from(self, step: PlanStep) -> Iterator[PlanStep]:
        """The steps that a message at a step can come to, those of the flows that are called on its way too."""
        entered: set[int] = set()
        waiting = [step]
        while waiting:
            at = waiting.pop()
            for other in self.steps:
                if at.may_reach(other.index):
                    yield other
                    if other.target >= 0 and not other.disabled and other.target not in entered:
                        entered.add(other.target)
                        waiting.append(self.steps[other.target])

    @property
    def triggers(self) -> tuple[PlanStep, ...]:
        """The steps that start runs."""
        return tuple(self.steps[index] for index in self.index.values() if self.steps[index].shape == "trigger")
