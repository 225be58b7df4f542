"""The debugger: leads a run from visit to visit, goes back in what was recorded, and begins forks from there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.breakpoints import Breakpoint, Breakpoints, When
from flowstudio.engine.course import Course
from flowstudio.engine.gate import UNANSWERED, Pin
from flowstudio.engine.record import Recorder
from flowstudio.engine.replay import Recording
from flowstudio.engine.runner import Result, Runner, new_run_id
from flowstudio.errors import InvalidInputError, Problem
from flowstudio.plan.advance import address, ready
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.message import Message
from flowstudio.trace.events import (
    CallEnded,
    Event,
    Logged,
    MessageEdited,
    RunFinished,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any

Reason = Literal["breakpoint", "step", "pause", "error", "until", "effect"]
Mode = Literal["go", "hold", "one", "over", "arrive"]
"""What the run does: goes on, stands, makes one visit, waits for that visit's end, goes to whatever comes next."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands still. `live` is False where it only shows an earlier moment; `request` is what would be sent."""

    visit: int
    step: str
    address: str
    when: When
    payload: Json
    reason: Reason
    token: int = 0
    live: bool = True
    request: Json = None


class Debugger:
    """One run under somebody's hand. `stood` is called wherever it stands still, `ended` when it is over."""

    def __init__(
        self,
        bound: BoundPlan,
        trigger: str,
        message: Message,
        *,
        stood: Callable[[Standing], None],
        ended: Callable[[Result], None] = lambda result: None,
        recorders: Sequence[Recorder] = (),
        breakpoints: Iterable[Breakpoint] = (),
        muted: bool = False,
        pins: Mapping[str, Pin] | None = None,
        state: RunState | None = None,
        recording: Recording | None = None,
        run: str | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.bound = bound
        self.breakpoints = Breakpoints(breakpoints, muted)
        self.pins = dict(pins or {})
        self.course = Course(bound.plan, state)
        self.recording = Recording(recording)
        self.edited = False
        """Whether somebody changed what this run works on."""
        self.result: Result | None = None
        self._stood = stood
        self._ended = ended
        self._forked = recording is not None
        self._mode: Mode = "go" if state is None else "arrive"
        self._reason: Reason = "step"
        self._passing = 0
        """The token at which it stood: it goes on whatever breakpoint is there."""
        self._wanted = 0
        self._inside = ""
        """While a call is stepped over: the bag of the called flow."""
        self._next = 0
        self._until: Callable[[Token, int], bool] | None = None
        self._standing: Standing | None = None
        self._moment: int | None = None
        """The moment that is looked at; None: now."""
        self._live: Standing | None = None
        """Where it stood when somebody looked back."""
        self._asking: asyncio.Future[Any] | None = None
        self.runner = Runner(
            bound,
            trigger,
            message,
            run=run,
            state=state,
            recorders=recorders,
            gate=self,
            test=True,
            now=now,
            sleep=sleep,
        )

    @property
    def id(self) -> str:
        """The run's id."""
        return self.runner.id

    @property
    def standing(self) -> Standing | None:
        """Where it stands still, or what moment it shows; None while it moves."""
        return self._standing

    async def run(self) -> Result:
        """Runs to the end, however long it stands still on the way."""
        self.result = await self.runner.run()
        self._standing = None
        self._ended(self.result)
        return self.result

    # The movements. Each ends in one call of `stood` or `ended`.

    def go(self) -> None:
        """Goes on to the next breakpoint, or to the end."""
        if self._moment is not None and self._replayed(self._recorded_hit):
            return
        if (asking := self._asked()) is not None:
            self._mode = "go"
            asking.set_result(UNANSWERED)
        else:
            self._move("go")

    def next(self) -> None:
        """Makes the visit before which it stands, a called flow as a whole, and stands before the next one."""
        self._one(over=True)

    def into(self) -> None:
        """Makes the visit before which it stands, and stands before the first one in the flow that it calls."""
        self._one(over=False)

    def out(self) -> None:
        """Goes on until the item, the pass or the called flow is left in which it stands."""
        bag = self._bag()
        if not bag:
            self.go()
            return
        self.until(lambda token, visit: not token.bag.startswith(bag))

    def until(self, reached: Callable[[Token, int], bool] | str | int) -> None:
        """Goes on until a step, a visit by number, or whatever `reached` says of a message and its visit."""
        if isinstance(reached, str):
            step = reached
            reached = lambda token, visit: self.bound.plan.steps[token.step].id == step  # noqa: E731 - one of two
        elif isinstance(reached, int):
            number = reached
            reached = lambda token, visit: visit >= number  # noqa: E731 - the other
        if self._moment is not None:
            found = reached
            if self._replayed(lambda start: self._recorded_hit(start) or self._recorded_until(start, found)):
                return
        self._until = reached
        self._move("go")

    def pause(self) -> None:
        """Stands still before the next visit."""
        if self._mode != "hold":
            self._reason = "pause"
            self._next = 0
            self._mode = "arrive"
            self.runner.poke()

    def stop(self) -> None:
        """Ends the run."""
        self.runner.cancel()

    def back(self, *, along: bool = False) -> None:
        """Shows the moment before the visit that was made last; `along`: the last on this message's own way."""
        moment = len(self.course) if self._moment is None else self._moment
        if along:
            token = self._standing.token if self._standing is not None else 0
            maker = self.course.maker(token)
            before = self.course.before(maker) if maker else None
        else:
            before = self.course.last_start(moment)
        if before is not None:
            self._look(before)
        elif self._standing is not None:
            self._stood(self._standing)

    def goto(self, visit: int, when: When = "before") -> None:
        """Shows the moment before or after a visit; LookupError when there was none."""
        before = self.course.before(visit)
        after = self.course.after(visit)
        if before is None or (when != "before" and after is None):
            raise LookupError(f"there is no moment {when} visit {visit} in this run")
        if when == "before":
            self._look(before)
        else:
            assert after is not None
            self._look(after, before)

    def edit(self, payload: Json) -> None:
        """Replaces the payload of the message before whose visit it stands, now."""
        standing = self._standing
        if standing is None or standing.when != "before" or self._moment is not None or not standing.token:
            raise InvalidInputError(
                Problem(
                    "no message waits here whose payload could be changed",
                    why="the run does not stand before a visit",
                    remedy="pause it before a step, or go back to one",
                )
            )
        self.edited = True
        self._standing = replace(standing, payload=payload)
        event = MessageEdited(self.id, self.runner.now(), standing.step, standing.address, standing.token, payload)
        self.runner.ask(event)

    def answer(self, answer: Any) -> None:
        """Stands in for the answer to the effect before which it stands."""
        asking = self._asked()
        if asking is None:
            raise InvalidInputError(
                Problem("no effect waits for an answer", remedy="an answer is given where a fork stops before sending")
            )
        self.edited = True
        self._mode = "arrive"
        asking.set_result(answer)

    def recorded_answer(self) -> Any:
        """What the effect before which it stands was answered last, whatever was asked then; UNANSWERED: never."""
        standing = self._standing
        if standing is None or standing.reason != "effect":
            return UNANSWERED
        return self.recording.latest(standing.address, standing.request["kind"])

    def fork_at(self, visit: int | None = None) -> RunState:
        """The state from which a fork before a visit begins, under an id of its own; default: the moment on show."""
        if visit is not None:
            moment = self.course.before(visit)
            if moment is None:
                raise LookupError(f"there is no visit {visit} in this run")
        else:
            moment = len(self.course) if self._moment is None else self._moment
        state = self.course.state_at(moment)
        return replace(state, run=new_run_id(), attempt=state.attempt + 1)

    # What the runner asks and tells.

    def lets(self, token: Token, state: RunState) -> bool:
        """Whether a visit may start now."""
        plan = self.bound.plan
        step = plan.steps[token.step]
        if self._mode == "hold":
            return False
        if step.shape == "collect" and token.gathered is None:
            return True  # a message that an aggregate takes in makes no visit
        visit = token.visit or state.visits + 1
        if self._mode == "one":
            if token.number != self._wanted:
                return False
            self._mode = "over"
            return True
        if self._mode == "over":
            return bool(self._inside) and token.bag.startswith(self._inside) and not self._stops(token, state, visit)
        if self._mode == "arrive":
            chosen = self._chosen(state)
            if chosen is not None:
                self._stand(chosen, state, "before", self._reason)
            return False
        if self._passing == token.number:
            self._passing = 0
            return True
        return not self._stops(token, state, visit)

    def took(self, event: Event, state: RunState) -> None:
        """An event took effect."""
        fresh = self.course.tokens
        if not isinstance(event, Logged):
            self.course.add(event, state)
        if isinstance(event, RunFinished):
            return
        token = getattr(event, "token", 0)
        if isinstance(event, (VisitFinished, VisitFailed)):
            if self._mode == "over" and token == self._wanted:
                self._over(event, fresh)
            if event.visit:
                self._after(event, state)
        elif isinstance(event, (WaitEnded, CallEnded)) and self._mode == "over" and token == self._wanted:
            self._over(event, fresh)

    def rests(self, state: RunState) -> None:
        """Nothing can go on at this moment."""

    def holds(self, state: RunState) -> bool:
        """It stands behind the last visit: whoever wants to see why it failed does so before the run has ended."""
        return self._mode == "hold"

    def pinned(self, token: Token, state: RunState) -> Pin | None:
        """What stands in for a visit."""
        step = self.bound.plan.steps[token.step]
        return self.pins.get(step.id) if step.flow == 0 and step.shape == "plain" else None

    async def stand_in(self, address: str, kind: str, request: Json) -> Any:
        """What stands in for the answer to an effect in a fork, where nothing is sent twice without being told."""
        if not self._forked:
            return UNANSWERED
        known = self.recording.answer(address, kind, request)
        if known is not UNANSWERED:
            return known
        while self._asking is not None:  # another effect is being decided
            await asyncio.wait({self._asking})
        asking = self._asking = asyncio.get_running_loop().create_future()
        mode, self._mode = self._mode, "hold"
        token = self._busy_at(address)
        step = self.bound.plan.steps[token.step]
        told = {"kind": kind, "request": request}
        payload = token.message.payload
        self._standing = Standing(
            token.visit, step.id, address, "before", payload, "effect", token.number, request=told
        )
        self._stood(self._standing)
        try:
            return await asking
        finally:
            self._asking = None
            self._standing = None
            if self._mode == "hold":
                self._mode = mode
            self.runner.poke()

    def sent(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """An effect was performed."""
        self.recording.keep(address, kind, request, answer)

    # How it moves.

    def _move(self, mode: Mode) -> None:
        if self.result is not None:
            self._ended(self.result)
            return
        standing, self._standing = self._standing, None
        if standing is not None and standing.when == "before":
            self._passing = standing.token
        self._mode = mode
        self.runner.poke()

    def _one(self, *, over: bool) -> None:
        if self._moment is not None:
            if not self._replayed(lambda start: True):
                self._to_now()
            return
        if (asking := self._asked()) is not None:
            self._mode = "arrive"
            asking.set_result(UNANSWERED)
            return
        standing = self._standing
        self._reason = "step"
        self._until = None
        if standing is None or standing.when != "before" or not standing.token:
            self._move("arrive")
            return
        self._wanted = standing.token
        self._inside = ""
        token = self.runner.state.tokens.get(standing.token)
        if over and token is not None and self.bound.plan.steps[token.step].target >= 0:
            self._inside = f"{standing.address}:/"
        self._next = self.runner.state.next_token
        self._move("one")

    def _over(self, event: Event, fresh: int) -> None:
        """The visit that was let has ended, or waits: whatever comes next is where it stands."""
        if isinstance(event, VisitFinished) and event.outcome == "call" and self._inside:
            return
        self._inside = ""
        self._next = fresh
        self._mode = "arrive"

    def _after(self, event: VisitFinished | VisitFailed, state: RunState) -> None:
        """Stands still behind a visit where a breakpoint says so."""
        when: When = "error" if isinstance(event, VisitFailed) else "after"
        if not self.breakpoints or self._mode == "hold":
            return
        moment = self.course.before(event.visit)
        if moment is None:
            return
        start = self.course.started(moment)
        token = self._before(event.token, moment)
        if isinstance(event, VisitFinished):
            told = replace(token.message, payload=event.payload, meta={**token.message.meta, **event.meta})
            token = replace(token, message=told)
        stops, lines = self.breakpoints.met(when, event.step, token, self.bound, self.course.state_at(moment))
        self._log(lines, start)
        if stops:
            reason: Reason = "error" if when == "error" else "breakpoint"
            payload = event.payload if isinstance(event, VisitFinished) else start.input
            self._hold(Standing(event.visit, event.step, event.address, when, payload, reason))

    def _before(self, token: int, moment: int) -> Token:
        return self.course.state_at(moment).tokens[token]

    def _stops(self, token: Token, state: RunState, visit: int) -> bool:
        """Whether the run stands still before a visit; if so it does."""
        if self._until is not None and self._until(token, visit):
            self._stand(token, state, "before", "until")
            return True
        if not self.breakpoints:
            return False
        step = self.bound.plan.steps[token.step]
        stops, lines = self.breakpoints.met("before", step.id, token, self.bound, state)
        if lines:
            self._log(lines, VisitStarted(self.id, self.runner.now(), step.id, self._at(token), visit, token.number))
        if stops:
            self._stand(token, state, "before", "breakpoint")
        return stops

    def _chosen(self, state: RunState) -> Token | None:
        """The message before which it stands next: one that the last visit sent on, else the oldest that waits."""
        steps = self.bound.plan.steps
        waiting = [
            token for token in ready(state) if steps[token.step].shape != "collect" or token.gathered is not None
        ]
        fresh = [token for token in waiting if token.number >= self._next] if self._next else []
        return next(iter(fresh or waiting), None)

    def _stand(self, token: Token, state: RunState, when: When, reason: Reason) -> None:
        step = self.bound.plan.steps[token.step]
        visit = token.visit or state.visits + 1
        self._hold(Standing(visit, step.id, self._at(token), when, token.message.payload, reason, token.number))

    def _hold(self, standing: Standing) -> None:
        self._mode = "hold"
        self._until = None
        self._standing = standing
        self._moment = None
        self._stood(standing)

    def _log(self, lines: Iterable[str], at: VisitStarted) -> None:
        for line in lines:
            self.runner.tell(Logged(self.id, self.runner.now(), at.step, at.address, at.visit, "info", line))

    def _at(self, token: Token) -> str:
        return address(self.bound.plan, token)

    def _busy_at(self, where: str) -> Token:
        tokens = self.runner.state.tokens.values()
        return next(token for token in tokens if token.stage == "busy" and self._at(token) == where)

    def _asked(self) -> asyncio.Future[Any] | None:
        """The effect that waits for somebody's word."""
        return self._asking if self._asking is not None and not self._asking.done() else None

    def _bag(self) -> str:
        """The scope in which it stands."""
        if self._moment is not None:
            token = self._standing.token if self._standing is not None else 0
            found = self.course.state_at(self._moment).tokens.get(token)
        else:
            found = self.runner.state.tokens.get(self._standing.token) if self._standing is not None else None
        return found.bag if found is not None else ""

    # How it looks at what was recorded.

    def _look(self, moment: int, start: int | None = None) -> None:
        """Shows a moment; `start` is that of the visit that it lies behind."""
        if self._moment is None:
            self._live = self._standing
            if self.result is None:
                self._mode = "hold"  # whoever looks back while the run goes on holds it there
        self._moment = moment
        event = self.course.started(moment if start is None else start)
        when: When = "before"
        payload = event.input
        if start is not None:
            last = self.course.events[moment - 1]
            when = "error" if isinstance(last, VisitFailed) else "after"
            payload = last.payload if isinstance(last, VisitFinished) else event.input
        token = event.token if start is None else 0
        self._standing = Standing(event.visit, event.step, event.address, when, payload, "step", token, live=False)
        self._stood(self._standing)

    def _replayed(self, stops: Callable[[int], bool]) -> bool:
        """Moves on in what was recorded to the next visit that `stops`; nothing is done again. False: there is none,
        and what is on show is now."""
        assert self._moment is not None
        start = self.course.next_start(self._moment if self._is_before() else self._moment - 1)
        while start is not None and not stops(start):
            start = self.course.next_start(start)
        if start is not None:
            self._look(start)
            return True
        self._moment = None
        self._standing, self._live = self._live, None
        return False

    def _to_now(self) -> None:
        """Stands where the run stands now, after what was recorded has been gone through."""
        if self.result is not None:
            self._ended(self.result)
        elif self._standing is not None:
            self._stood(self._standing)
        else:
            self._reason = "step"
            self._next = 0
            self._mode = "arrive"
            self.runner.poke()

    def _is_before(self) -> bool:
        return self._standing is not None and self._standing.when == "before"

    def _recorded_hit(self, start: int) -> bool:
        if not self.breakpoints:
            return False
        state = self.course.state_at(start)
        event = self.course.started(start)
        token = state.tokens[event.token]
        return self.breakpoints.met("before", event.step, token, self.bound, state, count=False)[0]

    def _recorded_until(self, start: int, reached: Callable[[Token, int], bool]) -> bool:
        return reached(self.course.token_at(start), self.course.started(start).visit)


__all__ = ["Breakpoint", "Debugger", "Reason", "Standing"]
