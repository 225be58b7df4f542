"""Events as JSON documents and back, exact to the last digit: what a journal keeps, from which a run is folded again.

A trace line (`Event.to_json`) is for people and tools; a record is for the engine. Payloads pass through `keep` on their
way out and `find` on their way back, so that a journal may put references, encrypted values or streams in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from flowstudio.trace.events import (
    AttemptFailed,
    CallEnded,
    Chained,
    Effected,
    Event,
    Failure,
    ItemsMade,
    ItemsRead,
    Logged,
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
Change = Callable[[Json], Json]

_KINDS: Final = {
    kind.__name__: kind
    for kind in (
        RunStarted,
        VisitStarted,
        AttemptFailed,
        VisitFinished,
        VisitFailed,
        WaitEnded,
        CallEnded,
        SignalReceived,
        ItemsRead,
        SegmentFinished,
        Logged,
        Effected,
        MessageEdited,
        RunCancelled,
        RunPaused,
        RunResumed,
        RunFinished,
        Chained,
        ItemsMade,
    )
}
_NAMES: Final = {kind: tuple(part.name for part in fields(kind)) for kind in _KINDS.values()}
_PLAIN: Final = frozenset({str, int, float, bool, type(None), dict})
_PAYLOADS: Final = frozenset({"payload", "input", "data", "request", "answer"})


def to_record(event: Event, keep: Change = lambda payload: payload) -> dict[str, Json]:
    """An event as a document of JSON values, payloads as `keep` gives them."""
    return _written(event, keep)


def from_record(record: Mapping[str, Json], find: Change = lambda payload: payload) -> Event:
    """The event of a record; `find` gives back what `keep` was given. ValueError for what is no record."""
    event = _read(record, find)
    if not isinstance(event, Event):
        raise ValueError(f"{type(event).__name__} stands inside events, not for one")
    return event


def _written(thing: Any, keep: Change) -> dict[str, Json]:
    kind = type(thing)
    record: dict[str, Json] = {"event": kind.__name__}
    for name in _NAMES[kind]:
        value = getattr(thing, name)
        if name in _PAYLOADS:
            value = keep(value)
        elif type(value) in _PLAIN:
            pass  # most are, and what follows asks many questions
        elif name == "parts":
            value = [_written(each, keep) for each in value]
        elif name == "values" and thing.leaving:
            value = [[keep(payload), dict(meta)] for payload, meta in value]
        elif name in ("items", "values"):
            value = [keep(each) for each in value]
        elif name == "outputs" and kind is Chained:
            value = [[keep(payload), None if meta is None else dict(meta)] for payload, meta in value]
        elif isinstance(value, Failure):
            value = value.to_json()
        elif isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        record[name] = value
    return record


def _read(record: Mapping[str, Json], find: Change) -> Any:
    kind = _KINDS.get(str(record.get("event")))
    if kind is None:
        raise ValueError(f"there is no event {record.get('event')!r}; the record comes from another version")
    known = {part.name for part in fields(kind)}
    told: dict[str, Any] = {}
    for name, value in record.items():
        if name == "event" or name not in known:
            continue  # a newer version may know more
        if name in _PAYLOADS:
            value = find(value)
        elif name == "parts":
            value = tuple(_read(each, find) for each in value)
        elif name == "values" and record.get("leaving"):
            value = tuple((find(payload), meta) for payload, meta in value)
        elif name in ("items", "values"):
            value = tuple(find(each) for each in value)
        elif name == "outputs" and kind is Chained:
            value = tuple((find(payload), meta) for payload, meta in value)
        elif name == "error" and value is not None:
            value = Failure(**value)
        elif name == "dropped" and kind is ItemsMade:
            value = frozenset(value)
        elif name in ("ports", "odd"):
            value = tuple(value)
        told[name] = value
    return kind(**told)


__all__ = ["from_record", "to_record"]
