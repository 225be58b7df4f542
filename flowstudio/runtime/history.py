"""Begins the record of a run in the history of a data directory: what it is, what began it, and what names it in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.record import Redacting
from flowstudio.errors import ExpressionError, StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.text import compile_text
from flowstudio.sdk.stream import Stream
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunRecord, RunStore

Json = Any


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
        label=_label(bound, shown, started_at),
        payload=None if isinstance(payload, Stream) else payloads.put(shown).hash,
        parent=parent,
        document=flow.to_document(),
    )


def _label(bound: BoundPlan, payload: Json, at: float) -> str:
    """The flow's label over what began the run; empty where it has none, or it fails."""
    told = bound.plan.flow.label
    if not told:
        return ""
    try:
        return bound.redactor.text(compile_text(told).text(payload, bound.names, VisitClock(at, 0)))
    except (ExpressionError, StepError):
        return ""  # a label is a help, and must not keep a run from beginning


__all__ = ["begin_record"]
