"""Records a run in the history of a data directory: what began it, what names it in lists, its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.record import Redacting
from flowstudio.errors import ExpressionError, StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.text import compile_text
from flowstudio.sdk.stream import Stream
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunRecord, RunStore
from flowstudio.trace.events import AttemptFailed, Event, Logged
from flowstudio.trace.limits import LeftOut
from flowstudio.trace.payloads import Ref
from flowstudio.trace.records import to_record

Json = Any

STORED: Final = "$stored"
"""In the record of an event: the hash of the payload that stands there."""
GIVEN: Final = "$given"
"""In the record of an event: a payload that is there itself, because it is as short as its hash."""


def begin_record(
    history: RunStore,
    payloads: PayloadStore,
    bound: BoundPlan,
    *,
    run: str,
    trigger: str,
    payload: Json,
    started_at: float,
    parent: Mapping[str, Json] | None = None,
    path: str | None = None,
) -> RunRecord:
    """The record of a run that begins with this payload; secrets are masked in all that is kept."""
    flow = bound.plan.flow
    shown = Redacting(bound.redactor).payload(payload)
    return history.begin(
        run,
        flow=flow.id,
        name=flow.name,
        flow_hash=bound.plan.flow_hash,
        trigger=trigger,
        started_at=started_at,
        label=label_of(bound, shown, started_at),
        payload=None if isinstance(payload, Stream) else payloads.put(shown).hash,
        parent=parent,
        document=flow.to_document(),
        path=path,
        given=bound.redactor.payload(dict(bound.variables)),
    )


class EventRecord:
    """A recorder that keeps the events from which a run can be gone on with; `ref` stores a payload."""

    def __init__(self, record: RunRecord, ref: Callable[[Json], Ref]) -> None:
        self._record = record
        self._ref = ref

    def record(self, event: Event) -> None:
        """Takes note of an event."""
        if isinstance(event, LeftOut):
            self._record.cut()
        elif not isinstance(event, (Logged, AttemptFailed)):  # the log is recorded as it is told
            self._record.event(to_record(event, self._kept))

    def _kept(self, payload: Json) -> Json:
        if isinstance(payload, dict | list) or (isinstance(payload, str) and len(payload) > 64):
            return {STORED: self._ref(payload).hash}
        return {GIVEN: payload}


def label_of(bound: BoundPlan, payload: Json, at: float) -> str:
    """The flow's label over what began the run; empty where it has none, or it fails."""
    told = bound.plan.flow.label
    if not told:
        return ""
    try:
        return bound.redactor.text(compile_text(told).text(payload, bound.names, VisitClock(at, 0)))
    except (ExpressionError, StepError):
        return ""  # a label is a help, and must not keep a run from beginning


__all__ = ["GIVEN", "STORED", "EventRecord", "begin_record", "label_of"]
