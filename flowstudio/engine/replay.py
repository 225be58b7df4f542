"""Answers of effects as they were recorded, for runs that must not send them a second time."""

from __future__ import annotations

from typing import Any

from flowstudio.engine.gate import UNANSWERED
from flowstudio.trace.payloads import content_hash

Json = Any


class Recording:
    """The answers of one run's effects by address, kind and request; behind it those of the run that it is a fork of."""

    def __init__(self, before: Recording | None = None) -> None:
        self._before = before
        self._answers: dict[tuple[str, str, str], Any] = {}
        self._latest: dict[tuple[str, str], Any] = {}
        self._retried: set[str] = set()

    def keep(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """Notes what an effect was answered."""
        self._answers[address, kind, content_hash(request)] = answer
        self._latest[address, kind] = answer

    def retry(self, address: str) -> None:
        """What failed at an address is tried again: what was answered there before answers nothing by itself."""
        self._retried.add(address)

    def answer(self, address: str, kind: str, request: Json) -> Any:
        """The answer to the same request at the same address; UNANSWERED when there is none."""
        found = self._answers.get((address, kind, content_hash(request)), UNANSWERED)
        if found is not UNANSWERED or self._before is None or address in self._retried:
            return found
        return self._before.answer(address, kind, request)

    def latest(self, address: str, kind: str) -> Any:
        """The last answer at an address, whatever was asked; UNANSWERED when there is none."""
        found = self._latest.get((address, kind), UNANSWERED)
        return found if found is not UNANSWERED or self._before is None else self._before.latest(address, kind)


__all__ = ["Recording"]
