"""Who is told what happens in a run: a journal before it counts, recorders afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from flowstudio.sdk.stream import Stream, described
from flowstudio.trace.events import (
    AttemptFailed,
    CallEnded,
    Effected,
    Event,
    Failure,
    ItemsRead,
    Logged,
    MessageEdited,
    RunFinished,
    RunStarted,
    SignalReceived,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)
from flowstudio.trace.redact import Redactor

Json = Any

_HELD = 1_000_000
"""Entries and characters of payloads that are held, so that those a step passes on are not looked through again."""


class Journal(Protocol):
    """Keeps events so that a run survives a crash. What led to an effect or an answer is durable before that leaves."""

    def note(self, event: Event) -> None:
        """Takes the next event, and those of the log that say what left the process."""

    async def settled(self) -> None:
        """Returns once all that was noted is durable; raises StoreError where it cannot become so."""


class Recorder(Protocol):
    """Is told of every event after it has taken effect, secrets masked; must be quick and never raise."""

    def record(self, event: Event) -> None:
        """Takes note of an event."""


class Redacting:
    """Masks what is secret in the events of one run before recorders see them.

    A payload that passes several steps unchanged is one object and is looked through once.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[int, tuple[Json, Json]] = {}
        self._entries = 0

    def payload(self, payload: Json) -> Json:
        """A payload as it may be shown; the same object when nothing in it is secret."""
        if not isinstance(payload, (dict, list, str)):
            return described(payload) if isinstance(payload, Stream) else payload
        known = self._known.get(id(payload))
        if known is not None and known[0] is payload:
            return known[1]
        shown = self._redactor.payload(payload)
        self._entries += len(payload)
        if len(self._known) > 64 or self._entries > _HELD:  # only the payloads under way matter
            self._known.clear()
            self._entries = len(payload)
        self._known[id(payload)] = (payload, shown)
        return shown

    def exchanged(self, told: Json) -> Json:
        """A request or an answer: secret paths are those of payloads, which is what stands in its body."""
        shown = self._redactor.payload(told)
        if isinstance(shown, Mapping) and isinstance(shown.get("body"), dict | list):
            shown = {**shown, "body": self._redactor.payload(shown["body"])}
        return shown

    def failure(self, failure: Failure) -> Failure:
        """A failure as it may be shown."""
        return replace(failure, message=self._redactor.text(failure.message), data=self._redactor.payload(failure.data))

    def meta(self, meta: Mapping[str, Json]) -> Mapping[str, Json]:
        """Metadata as it may be shown: secret values and the headers that carry logins are masked."""
        if not meta:
            return meta
        shown = dict(self._redactor.payload(dict(meta)))
        if isinstance(shown.get("headers"), Mapping):
            shown["headers"] = self._redactor.headers(shown["headers"])
        trigger = shown.get("trigger")
        if isinstance(trigger, Mapping) and isinstance(trigger.get("headers"), Mapping):
            shown["trigger"] = {**trigger, "headers": self._redactor.headers(trigger["headers"])}
        return shown

    def event(self, event: Event) -> Event:
        """An event as it may be shown."""
        # Most events hold no secret, and are the same event then: making another of each costs more than all else here.
        if isinstance(event, VisitStarted):
            shown = self.payload(event.input)
            if shown is event.input and not event.state:
                return event
            state = self._redactor.payload(event.state) if event.state else event.state
            return replace(event, input=shown, state=state)
        if isinstance(event, VisitFinished):
            shown = self.payload(event.payload)
            if shown is event.payload and not event.meta and not event.details:
                return event
            details = self._redactor.payload(dict(event.details)) if event.details else event.details
            return replace(event, payload=shown, meta=self.meta(event.meta), details=details)
        if isinstance(event, RunStarted):
            return replace(event, payload=self.payload(event.payload), meta=self.meta(event.meta))
        if isinstance(event, (VisitFailed, AttemptFailed)):
            return replace(event, error=self.failure(event.error))
        if isinstance(event, Logged):
            return replace(
                event, message=self._redactor.text(event.message), fields=self._redactor.payload(dict(event.fields))
            )
        if isinstance(event, Effected):
            return replace(
                event,
                request=self.exchanged(event.request),
                answer=self.exchanged(event.answer),
                error=self.failure(event.error) if event.error else None,
            )
        if isinstance(event, WaitEnded):
            return replace(event, payload=self.payload(event.payload), meta=self.meta(event.meta))
        if isinstance(event, CallEnded):
            return replace(event, payload=[self.payload(payload) for payload in event.payload])
        if isinstance(event, MessageEdited):
            return replace(event, payload=self.payload(event.payload))
        if isinstance(event, SignalReceived):
            return replace(event, data=self.payload(event.data))
        if isinstance(event, ItemsRead):
            error = self.failure(event.error) if event.error else None
            return replace(event, items=tuple(self.payload(item) for item in event.items), error=error)
        if isinstance(event, RunFinished) and event.error is not None:
            return replace(event, error=self.failure(event.error))
        return event
