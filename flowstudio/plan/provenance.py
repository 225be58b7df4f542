"""Where a value came from: from a part of a step's output or input back, visit by visit, to where it entered the flow.

Every step of the way is claimed only where it is known: what a step copies unchanged, what an expression copies or
computes. A step that cannot say what it did with its input ends the way with "any of the input".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.origins import Origins, origins, value_at
from flowstudio.plan.plan import PlanStep
from flowstudio.sdk.component import MadeOf
from flowstudio.sdk.shapes import Collect, Merge, Split

Json = Any
Path = tuple[str | int, ...]
Side = Literal["input", "output"]

MOST_HOPS: Final = 200
"""A value that is computed of very many is not followed to all of their origins."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One station on the way back.

    `kind`: `passed` unchanged, `copied` by the expression, `computed` by it, `made` here (the trigger's message, another
    system's answer, a constant), `bound` (a name such as `$vars.x`, in `name`), `unknown` (any of the input), `nothing`
    (here the way to the value ended). `before` are the hops that follow, by their place in the list.
    """

    visit: int
    step: str
    address: str
    side: Side
    path: Path
    kind: str
    value: Json = None
    expression: str | None = None
    name: str = ""
    before: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The hop as the protocol sends it, without the value."""
        return {
            "visit": self.visit,
            "step": self.step,
            "address": self.address,
            "side": self.side,
            "path": list(self.path),
            "kind": self.kind,
            "expression": self.expression,
            "name": self.name,
            "before": list(self.before),
        }


class Visited(Protocol):
    """A visit as it was recorded."""

    @property
    def number(self) -> int: ...
    @property
    def step(self) -> PlanStep: ...
    @property
    def address(self) -> str: ...
    @property
    def input(self) -> Json: ...
    @property
    def output(self) -> Json:
        """What it put out; MISSING where it put out nothing."""

    def names(self) -> Mapping[str, Json]:
        """The bound names of its message."""

    def clock(self) -> VisitClock:
        """Its time and chance."""


class History(Protocol):
    """The recorded visits of one run, and how messages went between them."""

    def visit(self, number: int) -> Visited: ...

    def sender(self, number: int) -> tuple[int, int | None] | None:
        """The visit whose output came to a visit, and which item of it where it was a split; None for the first."""

    def latest(self, step: str, number: int) -> int | None:
        """The visit of a step whose output `$steps` shows at a visit."""

    def gathered(self, number: int) -> Sequence[int]:
        """The visits whose outputs an aggregate or merge had taken in, in order."""

    def inner(self, number: int) -> Sequence[int]:
        """The visits inside a called flow whose outputs a call gave, in order."""


def provenance(history: History, visit: int, path: Path, side: Side = "output") -> list[Hop]:
    """The way back from a part of a visit's input or output; the first hop is that part itself."""
    return _Way(history).of(visit, path, side)


class _Way:
    """Goes back; hops are numbered as they are found."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._hops: list[Hop] = []
        self._known: dict[tuple[int, Side, Path], int] = {}

    def of(self, visit: int, path: Path, side: Side) -> list[Hop]:
        self._go(visit, side, path)
        return self._hops

    def _go(self, number: int, side: Side, path: Path) -> int:
        """The number of the hop of a place, with all that is before it."""
        known = self._known.get((number, side, path))
        if known is not None:
            return known
        place = len(self._hops)
        self._known[number, side, path] = place
        visit = self._history.visit(number)
        value = _at(visit.output if side == "output" else visit.input, path)
        hop = Hop(number, visit.step.id, visit.address, side, path, "unknown", None if value is MISSING else value)
        self._hops.append(hop)
        if place < MOST_HOPS:
            kind, more, before = self._from_output(visit, path) if side == "output" else self._from_input(visit, path)
            if value is MISSING and kind in ("passed", "copied") and not before:
                kind = "nothing"
            following = tuple(self._go(*each) for each in before)
            self._hops[place] = Hop(
                number,
                visit.step.id,
                visit.address,
                side,
                path,
                kind,
                hop.value,
                more.get("expression"),
                more.get("name", ""),
                following,
            )
        return place

    def _from_input(self, visit: Visited, path: Path) -> tuple[str, dict[str, Any], list[tuple[int, Side, Path]]]:
        sender = self._history.sender(visit.number)
        if sender is None:
            return "made", {}, []
        number, item = sender
        if item is not None:
            return self._from_item(self._history.visit(number), item, path)
        return "passed", {}, [(number, "output", path)]

    def _from_item(
        self, visit: Visited, item: int, path: Path
    ) -> tuple[str, dict[str, Any], list[tuple[int, Side, Path]]]:
        component = visit.step.component
        assert isinstance(component, Split)
        made = component.made_of_item(visit.step.config.values, item, path)
        if made is None:
            return "unknown", {}, [(visit.number, "input", ())]
        return self._by_expression(visit, made)

    def _from_output(self, visit: Visited, path: Path) -> tuple[str, dict[str, Any], list[tuple[int, Side, Path]]]:
        step, component = visit.step, visit.step.component
        if step.shape == "trigger":
            return "made", {}, []
        if step.disabled:
            return "passed", {}, [(visit.number, "input", path)]
        if step.shape == "call":
            inner = self._history.inner(visit.number)
            return ("passed", {}, [(inner[0], "output", path)]) if len(inner) == 1 else ("unknown", {}, [])
        if isinstance(component, (Collect, Merge)):
            return self._from_join(visit, path)
        if visit.output is visit.input:
            return "passed", {}, [(visit.number, "input", path)]
        made = component.made_of(step.config.values, path)
        if made is None:
            if not step.spec.pure:
                return "made", {}, []
            return "unknown", {}, [(visit.number, "input", ())]
        if made.expression is None:
            return "passed", {}, [(visit.number, "input", made.path)]
        return self._by_expression(visit, made)

    def _from_join(self, visit: Visited, path: Path) -> tuple[str, dict[str, Any], list[tuple[int, Side, Path]]]:
        component, config = visit.step.component, visit.step.config.values
        arrived = self._history.gathered(visit.number)
        if not path or not arrived:
            return "computed", {}, [(number, "output", ()) for number in arrived]
        if isinstance(component, Merge):
            sources = [self._history.visit(number).step.id for number in arrived]
            found = component.made_of_arrival(config, sources, path)
            if found is None:
                return "unknown", {}, [(number, "output", ()) for number in arrived]
            return "passed", {}, [(arrived[found[0]], "output", found[1])]
        place = path[0]
        if not isinstance(place, int) or not 0 <= place < len(arrived):
            return "nothing", {}, []
        made = component.made_of(config, path[1:])
        sender = self._history.visit(arrived[place])
        if made is None:
            return "unknown", {}, [(sender.number, "output", ())]
        if made.expression is None:
            return "passed", {}, [(sender.number, "output", made.path)]
        return self._by_expression(sender, made, "output")

    def _by_expression(
        self, visit: Visited, made: MadeOf, side: Side = "input"
    ) -> tuple[str, dict[str, Any], list[tuple[int, Side, Path]]]:
        assert made.expression is not None
        payload = visit.input if side == "input" else visit.output
        names = visit.names()
        if side == "output":
            names = {**names, "steps": {**names.get("steps", {}), visit.step.id: visit.output}}
        found = origins(made.expression, made.path, payload, names, visit.clock())
        if found.kind == "nothing" and made.otherwise is not None:
            found = origins(made.expression, made.otherwise, payload, names, visit.clock())
        more: dict[str, Any] = {"expression": made.expression}
        before = list(self._places(visit, side, found))
        if found.kind == "nothing":
            return ("nothing", more, before)
        named = [place for place in found.places if place.name not in ("", "steps")]
        if found.kind == "copied" and named:
            return "bound", {**more, "name": _written(named[0].name, named[0].path)}, before
        if found.kind == "computed" and not found.places:
            return "made", more, []
        return found.kind, more, before

    def _places(self, visit: Visited, side: Side, found: Origins) -> Iterator[tuple[int, Side, Path]]:
        for place in found.places:
            if place.name == "":
                yield visit.number, side, place.path
            elif place.name == "steps" and place.path:
                number = self._history.latest(str(place.path[0]), visit.number)
                if number is not None:
                    yield number, "output", place.path[1:]


def _written(name: str, path: Path) -> str:
    return f"${name}" + "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path)


def _at(value: Json, path: Path) -> Json:
    for key in path:
        value = value_at(value, key)
        if value is MISSING:
            break
    return value


__all__ = ["History", "Hop", "Side", "Visited", "provenance"]
