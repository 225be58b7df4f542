"""Answers of effects as they were recorded, for runs that must not send them a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowstudio.engine.gate import UNANSWERED
from flowstudio.trace.canonical import canonical
from flowstudio.trace.events import Effected
from flowstudio.trace.payloads import content_hash
from flowstudio.trace.redact import MASK

if TYPE_CHECKING:
    from flowstudio.httpclient import Response

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
        self._answers[address, kind, self._name(request)] = answer
        self._latest[address, kind] = answer

    def retry(self, address: str) -> None:
        """What failed at an address is tried again: what was answered there before answers nothing by itself."""
        self._retried.add(address)

    def answer(self, address: str, kind: str, request: Json) -> Any:
        """The answer to the same request at the same address; UNANSWERED when there is none."""
        found = self._answers.get((address, kind, self._name(request)), UNANSWERED)
        if found is not UNANSWERED or self._before is None or address in self._retried:
            return found
        return self._before.answer(address, kind, request)

    def latest(self, address: str, kind: str) -> Any:
        """The last answer at an address, whatever was asked; UNANSWERED when there is none."""
        found = self._latest.get((address, kind), UNANSWERED)
        return found if found is not UNANSWERED or self._before is None else self._before.latest(address, kind)

    def _name(self, request: Json) -> str:
        """What tells a request from others."""
        return content_hash(request)


class RecordedAnswers(Recording):
    """The answers of a run of the history, where requests and answers lie with their secrets masked.

    `shown` masks a request as it was masked there. What was masked in an answer is not known any more: such an answer
    stands in for nothing.
    """

    def __init__(self, shown: Callable[[Json], Json], before: Recording | None = None) -> None:
        super().__init__(before)
        self._shown = shown

    def keep_recorded(self, run: str, event: Effected) -> None:
        """Notes what an effect of a run was answered, as its event was recorded."""
        if MASK.encode() in canonical(event.answer):
            return
        request, answer = event.request, event.answer
        if event.kind == "http":
            key = f"{run}:{event.address}"
            headers = {name: value for name, value in request["headers"].items() if value != key}
            request = {**request, "headers": headers}
            answer = response_of(answer)
            if answer is None:
                return
        self.keep(event.address, event.kind, request, answer)

    def _name(self, request: Json) -> str:
        return content_hash(self._shown(request))


def response_of(told: Mapping[str, Json]) -> Response | None:
    """The answer to a request as it was recorded; None where its body was not, because it is neither text nor JSON."""
    from flowstudio.httpclient import Request, Response  # loading it takes longer than most runs need

    headers = {str(name): str(value) for name, value in dict(told.get("headers") or {}).items()}
    body, kind = told.get("body"), headers.get("content-type", "")
    if isinstance(body, dict) and body.keys() == {"bytes", "type"} and "json" not in kind:
        return None
    if body is None:
        content = b""
    elif isinstance(body, str) and "json" not in kind:
        content = body.encode()
    else:
        content = canonical(body)
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        headers = {each: value for each, value in headers.items() if each.lower() != name}
    return Response(int(told["status"]), headers=headers, content=content, request=Request("GET", "http://x/"))


__all__ = ["RecordedAnswers", "Recording", "response_of"]
