"""Breakpoints: at which steps a run stands still, and for which messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.visit import MessageNames
from flowstudio.errors import ExpressionError, InvalidInputError, Problem, StepError
from flowstudio.expressions.language import Expression, VisitClock, compile_expression
from flowstudio.expressions.text import Text, compile_text
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.stream import Stream, described

Json = Any
When = Literal["before", "after", "error"]


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A place to stand still: `step` None means any, with `when` error.

    `condition` is JSONata on the message that waits, `item` the index in the innermost split, `hits` the number of the
    first message of all that satisfy these that stops. With `log` nothing stops: the text goes into the run's log.
    """

    id: str
    step: str | None
    when: When = "before"
    condition: str | None = None
    item: int | None = None
    hits: int | None = None
    log: str | None = None
    disabled: bool = False


@dataclass(slots=True)
class _Compiled:
    told: Breakpoint
    condition: Expression | None
    log: Text | None
    met: int = field(default=0)


class Breakpoints:
    """The breakpoints of one run; they may change while it is under way."""

    def __init__(self, told: Iterable[Breakpoint] = (), muted: bool = False) -> None:
        self.muted = muted
        self._held: dict[str, _Compiled] = {}
        self.set(told, muted)

    def set(self, told: Iterable[Breakpoint], muted: bool = False) -> None:
        """Replaces all of them; those that stay as they are go on counting. InvalidInputError when one does not compile."""
        problems: list[Problem] = []
        held: dict[str, _Compiled] = {}
        for each in told:
            known = self._held.get(each.id)
            if known is not None and known.told == each:
                held[each.id] = known
                continue
            try:
                condition = compile_expression(f"$boolean(({each.condition}))") if each.condition else None
                log = compile_text(each.log) if each.log is not None else None
            except ExpressionError as error:
                remedy = error.remedy or "correct it"
                problems.append(
                    Problem("a breakpoint's condition or text does not compile", error.message, remedy, step=each.step)
                )
                continue
            held[each.id] = _Compiled(each, condition, log)
        if problems:
            raise InvalidInputError(problems)
        self._held = held
        self.muted = muted

    def told(self) -> list[Breakpoint]:
        """All of them, as they were set."""
        return [each.told for each in self._held.values()]

    def __bool__(self) -> bool:
        return not self.muted and any(not each.told.disabled for each in self._held.values())

    def met(
        self, when: When, step: str, token: Token, bound: BoundPlan, state: RunState, *, count: bool = True
    ) -> tuple[bool, list[str]]:
        """Whether a message stops at a step, and what goes into the log instead. `count` False: only look."""
        if self.muted:
            return False, []
        payload = token.message.payload
        payload = described(payload) if isinstance(payload, Stream) else payload
        clock = VisitClock(state.started_at, token.number)
        return self.met_by(when, step, payload, lambda: _names(bound, state, token), clock, count=count)

    def met_by(
        self,
        when: When,
        step: str,
        payload: Json,
        known: Callable[[], Any],
        clock: VisitClock,
        *,
        count: bool = True,
    ) -> tuple[bool, list[str]]:
        """The same for a payload and the bound names, which `known` gives when they are asked for."""
        lines: list[str] = []
        if self.muted:
            return False, lines
        stops = False
        names: Any = None
        for each in self._held.values():
            told = each.told
            if told.disabled or told.when != when or told.step not in (None, step):
                continue
            if told.step is None and when != "error":
                continue
            if names is None and (told.item is not None or each.condition is not None or each.log is not None):
                names = known()
            if told.item is not None:
                item = names.get("item")
                if not isinstance(item, Mapping) or item.get("index") != told.item:
                    continue
            try:
                if each.condition is not None and each.condition.evaluate(payload, names, clock) is not True:
                    continue
                line = each.log.text(payload, names, clock) if each.log is not None else None
            except (ExpressionError, StepError) as error:
                # Better to stand still once too often than to run past what somebody wants to see.
                line = f"the breakpoint could not be evaluated: {error}" if each.log is not None else None
            if count:
                each.met += 1
            if told.hits is not None and each.met < told.hits:
                continue
            if line is not None:
                lines.append(line)
            else:
                stops = True
        return stops, lines


def _names(bound: BoundPlan, state: RunState, token: Token) -> MessageNames:
    call = state.bags[token.bag].call
    return MessageNames(bound.within(state, call), state, token.message, token.bag, bound.memory.read())


__all__ = ["Breakpoint", "Breakpoints", "When"]
