"""One run of a session under somebody's hand: moved, looked back into, forked; wherever it stands is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.breakpoints import Breakpoint
from flowstudio.engine.debug import Debugger, Standing
from flowstudio.engine.gate import UNANSWERED, Pin
from flowstudio.engine.history import CourseHistory
from flowstudio.engine.record import Redacting
from flowstudio.engine.replay import Recording
from flowstudio.engine.runner import Runner
from flowstudio.errors import InvalidInputError, Problem, ProtocolError, StoreError
from flowstudio.plan.provenance import Side, provenance
from flowstudio.plan.state import RunState, Token
from flowstudio.plan.transplant import transplant
from flowstudio.runtime import protocol
from flowstudio.runtime.broadcast import Broadcast
from flowstudio.runtime.history import STORED, EventRecord, begin_record
from flowstudio.sdk.message import Message
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunRecord, RunStore
from flowstudio.trace.events import Effected, Failure
from flowstudio.trace.payloads import canonical

if TYPE_CHECKING:
    from flowstudio.httpclient import Response

Json = Any
Notify = Callable[[str, Mapping[str, Json]], None]

HEAVY: Final = 24_000_000
"""Canonical bytes of payloads of a run that are not held in memory once it has ended; as objects they are five times as
large."""

LONG: Final = 10_000
"""So many visits are not held in memory either once they are over."""


class DebuggedRun:
    """A run, what is told of it, and whose fork it is (`parent`: the run, and the visit before which it begins)."""

    def __init__(
        self,
        bound: BoundPlan,
        trigger: str,
        message: Message,
        payloads: PayloadStore,
        notify: Notify,
        *,
        breakpoints: Sequence[Breakpoint] = (),
        muted: bool = False,
        pins: Mapping[str, Pin] | None = None,
        to: str | None = None,
        parent: Mapping[str, Json] | None = None,
        state: RunState | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.bound = bound
        self.parent = parent
        self.broadcast = Broadcast(bound.plan, payloads, self._tell)
        self.debugger = Debugger(
            bound,
            trigger,
            message,
            stood=self._stood,
            ended=self._ended,
            recorders=(self.broadcast,),
            breakpoints=breakpoints,
            muted=muted,
            pins=pins,
            state=state,
            recording=recording,
        )
        self._trigger = trigger
        self._message = message
        self._payloads = payloads
        self._notify = notify
        self._redacting = Redacting(bound.redactor)
        self._record: RunRecord | None = None
        self.changed: tuple[int, Json] | None = None
        """In a fork: the message whose payload was changed where it begins, and what it is now."""
        self._finished: Mapping[str, Json] | None = None
        """How its end was told."""
        self._looked_back = False
        if to is not None:
            self.debugger.until(to)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.debugger.id

    @property
    def runner(self) -> Runner:
        """What drives it."""
        return self.debugger.runner

    def record_in(self, history: RunStore, path: str | None = None) -> None:
        """Has the run recorded in a history; `path` is the file of its flow."""
        state = self.runner.state
        parent = self.parent
        if parent is not None and self.changed is not None:
            number, payload = self.changed
            name = self._payloads.put(self._redacting.payload(payload)).hash
            parent = {**parent, "token": number, "payload": {STORED: name}}
        self._record = begin_record(
            history,
            self._payloads,
            self.bound,
            run=self.id,
            trigger=self._trigger,
            payload=state.payload if state.run else self._message.payload,
            started_at=self.runner.now(),
            parent=parent,
            path=path,
        )
        events = EventRecord(self._record, self.broadcast.ref)
        self.broadcast.also = lambda event: self._note(lambda record: events.record(event))

    @property
    def is_heavy(self) -> bool:
        """Whether what it went through takes much memory for as long as it is held."""
        return self.broadcast.weight > HEAVY or self.runner.state.visits > LONG

    @property
    def is_recorded(self) -> bool:
        """Whether a history has it."""
        return self._record is not None

    def flush(self) -> None:
        """Writes what was recorded and is not written yet: whoever kills the process loses as little as can be."""
        self._note(lambda record: record.flush())

    def _note(self, note: Callable[[RunRecord], object]) -> None:
        """Records something; a history that cannot be written ends the record, not the run."""
        if self._record is None:
            return
        try:
            note(self._record)
        except StoreError as error:
            self._record = self.broadcast.also = None
            self._notify("history_failed", {"message": str(error)})

    async def run(self) -> None:
        """Runs to the end, however long it stands still on the way."""
        await self.debugger.run()

    def move(self, method: str, params: Any) -> None:
        """Makes a movement; ProtocolError when there is nowhere to move to."""
        debugger = self.debugger
        if method == "until":
            if params.visit is None and params.step is None:
                raise ProtocolError("until what? name a step or a visit", code=protocol.INVALID_PARAMS)
            debugger.until(params.visit if params.visit is not None else params.step)
        elif method == "back":
            debugger.back(along=params.along == "path")
        elif method == "goto":
            try:
                debugger.goto(params.visit, params.when)
            except LookupError as error:
                raise ProtocolError(str(error), code=protocol.NOT_FOUND) from None
        else:
            {
                "pause": debugger.pause,
                "continue": debugger.go,
                "next": debugger.next,
                "into": debugger.into,
                "out": debugger.out,
            }[method]()

    def answer(self, told: Json) -> None:
        """Stands in for the answer to the effect before which it stands: `recorded`, or a payload with its meta."""
        standing = self.debugger.standing
        if told == "recorded":
            answer = self.debugger.recorded_answer()
            if answer is UNANSWERED:
                raise InvalidInputError(
                    Problem(
                        "no answer was recorded for this effect",
                        why="the run before never came to it",
                        remedy="enter an answer, or send it",
                    )
                )
        elif isinstance(told, Mapping) and "payload" in told:
            kind = standing.request["kind"] if standing is not None and standing.request else ""
            answer = _response(told) if kind == "http" else told["payload"]
        else:
            raise InvalidInputError(
                Problem("this is no answer", remedy='give "recorded", or an object with payload and perhaps meta')
            )
        self.debugger.answer(answer)

    def edit(self, path: Sequence[str | int] | None, value: Json) -> None:
        """Replaces the payload that waits now, or what lies at a path in it."""
        self._note(lambda record: record.edited())
        self.debugger.edit(value if path is None else _put(self._waiting(), path, value))
        standing = self.debugger.standing
        if standing is not None:
            self._stood(standing)

    def fork(
        self,
        visit: int | None,
        path: Sequence[str | int] | None,
        value: Json,
        *,
        changed: bool,
        bound: BoundPlan | None = None,
    ) -> DebuggedRun:
        """A run that begins before a visit (default: the moment on show), with another payload if it is `changed`.

        With `bound` it goes on with a changed flow; InvalidInputError says why its steps do not fit the moment.
        """
        debugger = self.debugger
        standing = debugger.standing
        at = visit if visit is not None else standing.visit if standing is not None else None
        if at is None:
            raise InvalidInputError(Problem("a fork begins before a visit", remedy="name one, or go back to one"))
        moment = debugger.course.before(at)
        if moment is not None:
            state = debugger.fork_at(at)
            number = debugger.course.started(moment).token
        elif standing is not None and standing.live and standing.visit == at and standing.token:
            # The visit before which it stands now has not been made.
            state, number = debugger.fork_at(), standing.token
        else:
            raise ProtocolError(f"there is no visit {at} in this run", code=protocol.NOT_FOUND)
        if bound is not None:
            state = transplant(state, self.bound.plan, bound.plan)
        token = state.tokens[number]
        if changed:
            payload = value if path is None else _put(token.message.payload, path, value)
            state = changed_in(state, number, payload)
        fork = DebuggedRun(
            bound or self.bound,
            self._trigger,
            self._message,
            self._payloads,
            self._notify,
            breakpoints=debugger.breakpoints.told(),
            muted=debugger.breakpoints.muted,
            pins=debugger.pins,
            parent={"run": self.id, "at": at},
            state=state,
            recording=debugger.recording,
        )
        if changed:
            fork.changed = number, state.tokens[number].message.payload
        if debugger.course.failed(at):
            # Whoever goes on from before a failure means to try again, and is asked before it is sent.
            assert moment is not None
            fork.debugger.recording.retry(debugger.course.started(moment).address)
        return fork

    def origin(self, visit: int, path: tuple[str | int, ...], side: Side) -> list[dict[str, Json]]:
        """Where a part of a visit's output or input came from, hop by hop; LookupError when there was no such visit."""
        hops = provenance(CourseHistory(self.debugger.course, self.bound), visit, path, side)
        return [{**hop.to_json(), "value": self._ref(hop.value)} for hop in hops]

    def ledger(self) -> list[dict[str, Json]]:
        """What left the process, in order, secrets masked."""
        return [
            {
                "visit": event.visit,
                "step": event.step,
                "address": event.address,
                "attempt": event.attempt,
                "kind": event.kind,
                "key": f"{self.id}:{event.address}",
                "request": self._ref(event.request),
                "answer": None if event.answer is None else self._ref(event.answer),
                "at": event.at,
                "duration_ms": event.duration_ms,
                "replayed": event.replayed,
                "error": None if event.error is None else event.error.to_json(),
            }
            for event in (
                self._redacting.event(each) for each in self.debugger.course.events if isinstance(each, Effected)
            )
            if isinstance(event, Effected)
        ]

    def _waiting(self) -> Json:
        standing = self.debugger.standing
        return None if standing is None else standing.payload

    def _stood(self, standing: Standing) -> None:
        told: dict[str, Json] = {
            "run": self.id,
            "visit": standing.visit,
            "step": standing.step,
            "address": standing.address,
            "when": standing.when,
            "input": self._ref(standing.payload),
            "reason": standing.reason,
            "live": standing.live,
        }
        if standing.request is not None:
            told["request"] = {"kind": standing.request["kind"], "request": self._ref(standing.request["request"])}
            recorded = self.debugger.recorded_answer()
            told["recorded"] = recorded is not UNANSWERED
        if self.parent is not None:
            told["parent"] = dict(self.parent)
        self._looked_back = not standing.live
        self.flush()
        self._notify("paused", told)
        if standing.live:
            self._notify("waiting", {"run": self.id, "wires": self._waiting_wires()})

    def _tell(self, method: str, params: Mapping[str, Json]) -> None:
        if method == "finished":
            self._finished = params
        self._note(lambda record: record.told(method, params))
        self._notify(method, params)

    def _ended(self, result: Any) -> None:
        # The broadcast tells the end when it comes; whoever looks back and goes on again is at it once more.
        if self._looked_back and self._finished is not None:
            self._notify("finished", self._finished)
        self._looked_back = False

    def _waiting_wires(self) -> list[dict[str, Json]]:
        """Where messages wait, by wire: how many, and the first of them."""
        waiting: dict[str, list[Token]] = {}
        for token in self.runner.state.tokens.values():
            if token.stage == "ready" and token.gathered is None:
                waiting.setdefault(self._wire_to(token), []).append(token)
        return [
            {"wire": wire, "count": len(tokens), "first": self._ref(tokens[0].message.payload)}
            for wire, tokens in waiting.items()
            if wire
        ]

    def _wire_to(self, token: Token) -> str:
        plan = self.bound.plan
        step = plan.steps[token.step]
        if step.flow != 0:
            return ""
        wires = [wire for wire in plan.flow.wires if wire.target == step.id and wire.target_port == token.port]
        lineage = token.message.lineage
        for wire in wires:
            if lineage is not None and wire.source == lineage.step:
                return str(wire)
        return str(wires[0]) if wires else ""

    def _ref(self, payload: Json) -> Json:
        return self._payloads.put(self._redacting.payload(payload)).to_json()


def breakpoint_of(told: protocol.Breakpoint, number: int) -> Breakpoint:
    """A breakpoint as a message tells it; one without an id gets its place as one."""
    return Breakpoint(
        told.id or f"{number}:{told.step}:{told.when}",
        told.step,
        told.when,
        told.condition,
        told.item,
        told.hits,
        told.log,
        told.disabled,
    )


def pin_of(step: str, told: protocol.Pin) -> Pin:
    """A pin as a message tells it."""
    error = None
    if told.error is not None:
        error = Failure(
            step,
            step,
            str(told.error.get("type", "Pinned")),
            str(told.error.get("message", "this error is pinned")),
            told.error.get("status"),
            told.error.get("data"),
        )
    return Pin(told.payload, told.port, told.meta, error)


def changed_in(state: RunState, number: int, payload: Json) -> RunState:
    """A state in which a message that waits has another payload."""
    token = state.tokens[number]
    message = replace(token.message, payload=payload)
    return replace(state, tokens={**state.tokens, number: replace(token, message=message)})


def _put(payload: Json, path: Sequence[str | int], value: Json) -> Json:
    """The payload with another value at a path, which must lead somewhere but for its last key."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(payload, dict) and isinstance(key, str) and (not rest or key in payload):
        return {**payload, key: _put(payload.get(key), rest, value)}
    if isinstance(payload, list) and isinstance(key, int) and 0 <= key < len(payload):
        return [*payload[:key], _put(payload[key], rest, value), *payload[key + 1 :]]
    raise ProtocolError(f"there is nothing at {key!r}", code=protocol.NOT_FOUND)


def _response(told: Mapping[str, Json]) -> Response:
    """An answer that somebody wrote, as the other system would have given it."""
    from flowstudio.httpclient import Request, Response  # loading it takes longer than most sessions need to start

    meta = told.get("meta") or {}
    payload = told["payload"]
    headers = {str(name): str(value) for name, value in dict(meta.get("headers") or {}).items()}
    if isinstance(payload, str) and headers.get("content-type", "application/json") != "application/json":
        content = payload.encode()
    else:
        content = canonical(payload)
        headers.setdefault("content-type", "application/json")
    return Response(int(meta.get("status", 200)), headers=headers, content=content, request=Request("GET", "http://x/"))


__all__ = ["DebuggedRun", "breakpoint_of", "changed_in", "pin_of"]
