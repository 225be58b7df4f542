"""What happens next: a run is a fold of its events over its state.

`advance(plan, state, event)` is the only place that decides where messages go. Live runs, stepping back, recovery after
a crash and the distributed driver all call it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from flowstudio.flow.model import ERROR_PORT
from flowstudio.plan.draft import Draft
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.state import Bag, Calling, RunState, Token, in_order
from flowstudio.plan.structure import BODY, DONE
from flowstudio.sdk.message import Lineage, Message
from flowstudio.trace.events import (
    CallEnded,
    Chained,
    Event,
    Failure,
    ItemsMade,
    ItemsRead,
    MessageEdited,
    RunCancelled,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    SegmentFinished,
    SignalReceived,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any

Part = VisitFinished | VisitFailed | Chained | ItemsMade | ItemsRead
"""What a segment consists of."""


def advance(plan: Plan, state: RunState, event: Event) -> RunState:
    """The state after an event. Events that change nothing (log lines, failed tries, effects) give the same state."""
    if isinstance(event, VisitStarted):
        return _visited(state, event)
    if isinstance(event, RunStarted):
        return _started(plan, event)
    if isinstance(event, RunCancelled):
        return state.but(cancelled=True)
    if isinstance(event, RunPaused):
        return state.but(paused=True)
    if isinstance(event, RunFinished):
        return state.but(status=event.status)
    if isinstance(event, RunResumed):
        return _resumed(plan, state)
    if isinstance(event, SegmentFinished):
        draft = Draft(plan, state, straight=True)
        for part in event.parts:
            work_in(draft, part)
        return draft.done(event.odd)
    work = _WORK.get(type(event))
    if work is None:
        return state
    draft = Draft(plan, state)
    work(draft, event)
    return draft.done()


def work_in(draft: Draft, part: Part) -> None:
    """Works one part of a segment into a draft."""
    if isinstance(part, Chained):
        draft.passed(part)
    elif isinstance(part, ItemsMade):
        draft.made(part)
    else:
        _WORK[type(part)](draft, part)


def fold(plan: Plan, events: Iterable[Event]) -> RunState:
    """The state after these events, from the beginning."""
    state = RunState()
    for event in events:
        state = advance(plan, state, event)
    return state


def ready(state: RunState) -> list[Token]:
    """The tokens whose visits may start now, oldest first; none while the run pauses, fails or is cancelled."""
    if state.paused or state.failing or state.cancelled or state.status != "running":
        return []
    return [token for token in state.tokens.values() if token.stage == "ready"]


def address(plan: Plan, token: Token) -> str:
    """Where a visit of this token stands: unique in its run, the same in every order of completion."""
    step = plan.steps[token.step]
    return token.bag + step.id + way(plan, step, token)


def way(plan: Plan, step: PlanStep, token: Token) -> str:
    """What tells the paths to a shared step apart: `~` and the wires taken where messages parted."""
    if not step.shared or len(token.place) == token.base:
        return ""
    return "~" + "+".join(_hop(plan, hop) for hop in token.place[token.base :])


def _hop(plan: Plan, hop: tuple[int, int, int]) -> str:
    if hop[0] < 0:
        return plan.steps[hop[1]].id
    step = plan.steps[hop[0]]
    if hop[1] < 0:
        return f"{step.id}{hop[2]}"
    port = step.ports[hop[1]]
    links = step.outs[port]
    position = next((n for n, link in enumerate(links) if link.position == hop[2]), 0)
    name = step.id if port == "out" else f"{step.id}:{port}"
    return name if len(links) < 2 else f"{name}.{position}"


def _started(plan: Plan, event: RunStarted) -> RunState:
    trigger = plan.index[event.step]
    state = RunState(
        run=event.run,
        trigger=trigger,
        payload=event.payload,
        meta=event.meta,
        started_at=event.at,
        attempt=event.attempt,
        test=event.test,
        bags={"": Bag()},
    )
    draft = Draft(plan, state)
    draft.put(trigger, "in", "", Message(event.payload, event.meta), (), 0)
    return draft.done()


def _visited(state: RunState, event: VisitStarted) -> RunState:
    token = state.tokens[event.token]
    tokens = {**state.tokens, token.number: token.but(stage="busy", visit=event.visit)}
    return state.but(tokens=tokens, visits=max(state.visits, event.visit))


def _resumed(plan: Plan, state: RunState) -> RunState:
    """Goes on: what was under way or had failed is visited again."""
    draft = Draft(plan, state)
    for token in state.tokens.values():
        if token.stage in ("busy", "failed"):
            draft.staged(token, stage="ready")
    draft.failing = False
    draft.changes.update(paused=False, cancelled=False, error=None, status="running")
    # What was held back while it failed, and items that segments had not come to.
    draft.settle_all()
    return draft.done()


def _finished(draft: Draft, event: VisitFinished) -> None:
    plan = draft.plan
    token = draft.tokens[event.token]
    draft.visits = max(draft.visits, event.visit)
    step = plan.steps[token.step]
    outcome = event.outcome
    before = token.message
    if draft.calls:
        given_up = draft.given_up(token.bag)
        if given_up:
            _ends_late(draft, given_up, token)
            return
    if outcome == "call":
        draft.call(step, token, event.address, event.payload)
        return
    if outcome == "sleep":
        draft.staged(token, stage="asleep", until=event.details["until"], visit=event.visit)
        return
    if outcome == "wait":
        _waits(draft, token, event)
        return
    if outcome == "stop" and event.details.get("error") is not None:
        failure = Failure(step.id, event.address, "Stop", str(event.details["error"]))
        _unwired(draft, token, failure)
        return
    draft.take(token)
    if outcome in ("to", "reply"):
        message = _passed(step, before, event)
        if outcome == "reply":
            draft.replied = True
        if step.shape == "loop" and event.ports == (BODY,):
            draft.go_round(step, token, way(plan, step, token), message)
        elif step.shape == "loop" and event.ports == (DONE,) and token.port != "in":
            above = draft.bags[token.bag].above or ""
            draft.send(step, event.ports, token.but(bag=above, base=draft.base(above, token.place)), message)
        else:
            draft.send(step, event.ports, token, message)
    elif outcome == "items":
        message = (
            Message(before.payload, {**before.meta, **event.meta}, before.lineage, before.error)
            if event.meta
            else before
        )
        draft.open_entry(step, token, event.address, message, event.details, event.payload)
    elif outcome == "value":
        draft.gather(step, token, event.payload)
    elif outcome == "drop":
        draft.filtered += 1
    elif outcome == "stop":
        draft.stopped += 1
    if not draft.failing:
        draft.settle(token.bag)


def _passed(step: PlanStep, before: Message, event: VisitFinished) -> Message:
    payload = event.payload
    meta = {**before.meta, **event.meta} if event.meta else before.meta
    return Message(payload, meta, Lineage(step.id, payload, before.lineage), before.error)


def _ends_late(draft: Draft, name: str, token: Token) -> None:
    """A visit inside a called flow that has failed meanwhile came to its end."""
    del draft.tokens[token.number]
    draft.stopped += 1
    failure = draft.calls[name].error
    assert failure is not None
    draft.give_up(name, failure)


def _waits(draft: Draft, token: Token, event: VisitFinished) -> None:
    signal = str(event.details["signal"])
    kept = (
        draft.state.signals.get(signal, ())
        if "signals" not in draft.changes
        else draft.changes["signals"].get(signal, ())
    )
    timeout = event.details.get("timeout")
    until = None if timeout is None else event.at + timeout
    if not kept:
        draft.staged(token, stage="waiting", signal=signal, until=until, visit=event.visit)
        return
    # The signal was there before: it is used up, and the message goes on as if it had come this moment.
    signals = dict(draft.changes.get("signals", draft.state.signals))
    signals[signal] = kept[1:]
    if not kept[1:]:
        del signals[signal]
    draft.changes["signals"] = signals
    draft.staged(token, stage="waiting", signal=signal, until=None, answer=(kept[0],), visit=event.visit)


def _signalled(draft: Draft, event: SignalReceived) -> None:
    waiting = [
        token
        for token in draft.tokens.values()
        if token.stage == "waiting" and token.signal == event.signal and token.answer is None
    ]
    for token in waiting:
        draft.staged(token, answer=(event.data,))
    if not waiting:
        kept = draft.state.signals
        draft.changes["signals"] = {**kept, event.signal: (*kept.get(event.signal, ()), event.data)}


def _unwired(draft: Draft, token: Token, failure: Failure) -> None:
    """An error that has no way to go: it is the error of the call around it that has one, or of the run."""
    name = draft.caught_by(token.bag)
    if name:
        del draft.tokens[token.number]
        draft.give_up(name, failure)
        return
    draft.staged(token, stage="failed")
    draft.failing = True
    if draft.state.error is None and "error" not in draft.changes:
        outermost = draft.outermost(token.bag)
        if outermost is not None:
            failure = replace(failure, step=draft.plan.steps[outermost].id)
        draft.changes["error"] = failure


def _failed(draft: Draft, event: VisitFailed) -> None:
    token = draft.tokens[event.token]
    draft.visits = max(draft.visits, event.visit)
    if draft.calls:
        given_up = draft.given_up(token.bag)
        if given_up:
            _ends_late(draft, given_up, token)
            return
    step = draft.plan.steps[token.step]
    if not step.catches:
        _unwired(draft, token, event.error)
        return
    draft.take(token)
    _errs(draft, step, token, token.message, event.error)
    if not draft.failing:
        draft.settle(token.bag)


def _errs(draft: Draft, step: PlanStep, token: Token, message: Message, error: Failure) -> None:
    """Sends a message down the error route of a step."""
    shown = {
        "step": step.id,
        "type": error.type,
        "message": error.message,
        "status": error.status,
        "data": error.data,
    }
    draft.send(step, (ERROR_PORT,), token, Message(message.payload, message.meta, message.lineage, shown))


def _woken(draft: Draft, event: WaitEnded) -> None:
    token = draft.tokens[event.token]
    step = draft.plan.steps[token.step]
    draft.take(token)
    before = token.message
    meta = {**before.meta, **event.meta} if event.meta else before.meta
    message = Message(event.payload, meta, Lineage(step.id, event.payload, before.lineage), before.error)
    draft.send(step, (event.port,), token, message)
    if not draft.failing:
        draft.settle(token.bag)


def _returned(draft: Draft, event: CallEnded) -> None:
    token = draft.tokens[event.token]
    step = draft.plan.steps[token.step]
    calling: Calling = token.answer
    draft.take(token)
    before = token.message
    for number, (left, payload) in enumerate(zip(in_order(calling.left), event.payload, strict=True)):
        message = Message(payload, left.message.meta, Lineage(step.id, payload, before.lineage), before.error)
        # Each of several goes its own way from here on, which addresses and the order of messages have to show.
        place = token.place if step.lone else (*token.place, (step.index, -2, number))
        draft.send(step, ("out",), token.but(place=place), message)
    if not draft.failing:
        draft.settle(token.bag)


def _read(draft: Draft, event: ItemsRead) -> None:
    if event.error is None:
        draft.read(event.address, tuple(event.items), event.ended)
        return
    entry = draft.entry(event.address)
    step = draft.plan.steps[entry.step]
    if not step.catches:
        draft.failing = True
        draft.changes["error"] = draft.state.error or event.error
        return
    entry.items, entry.offset, entry.next, entry.ended = (), entry.next, entry.next, True
    token = Token(0, entry.step, "in", entry.bag, entry.message, entry.place, entry.base)
    _errs(draft, step, token, entry.message, event.error)
    draft.collect(event.address)
    draft.close(event.address)
    draft.settle(entry.bag)


def _edited(draft: Draft, event: MessageEdited) -> None:
    token = draft.tokens[event.token]
    before = token.message
    draft.staged(token, message=Message(event.payload, before.meta, before.lineage, before.error))


_WORK: dict[type, Any] = {
    MessageEdited: _edited,
    VisitFinished: _finished,
    VisitFailed: _failed,
    WaitEnded: _woken,
    CallEnded: _returned,
    SignalReceived: _signalled,
    ItemsRead: _read,
}

__all__ = ["Part", "address", "advance", "fold", "ready", "work_in"]
