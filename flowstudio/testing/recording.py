"""A recording: the effects of an earlier run, which answer those of this one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowstudio.errors import ConnectionFailedError, StepError, StepTimeoutError
from flowstudio.sdk.component import Answer
from flowstudio.trace.events import Effected
from flowstudio.trace.redact import MASK

if TYPE_CHECKING:
    from flowstudio.httpclient import Request

Json = Any

Trace = str | os.PathLike[str] | Iterable["Effected | Mapping[str, Json] | Any"]
"""A trace file (`flowstudio run --trace`), or its effects: events, lines as JSON, or the effects of a finished run."""

_ERRORS: Final = {error.type: error for error in (ConnectionFailedError, StepTimeoutError)}


@dataclass(eq=False)
class _Kept:
    kind: str
    address: str
    request: Json
    answer: Json
    error: Mapping[str, Json] | None
    used: bool = False


class Recording:
    """Effects to come again, each once: the same request gets the answer that it got then.

    What is masked in a recording stands for anything; logins, which are not in it, are not compared.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was recorded at all."""
        return not self._kept

    def add(self, trace: Trace) -> None:
        """Adds the effects of a trace. ValueError where a line of a file is no JSON."""
        self._kept += [kept for each in _entries(trace) if (kept := _kept(each)) is not None]

    def answer_to_request(self, request: Request) -> Answer | None:
        """What answered this request then, None where it was not sent; what failed then fails again."""
        sent = _shown(request)
        for kept in self._kept:
            if kept.kind == "http" and not kept.used and _same_request(kept.request, sent):
                kept.used = True
                _fail_again(kept)
                return _answer(kept)
        return None

    def answer_to_effect(self, address: str, kind: str, request: Json) -> tuple[Json] | None:
        """What came of this effect then, None where it was not done; what failed then fails again."""
        for kept in self._kept:
            here = kept.kind == kind and kept.address == address and not kept.used
            if here and _same(kept.request, request):
                kept.used = True
                _fail_again(kept)
                return (kept.answer,)
        return None

    def requests_left(self) -> list[str]:
        """The requests that have not come again."""
        left = [kept.request for kept in self._kept if kept.kind == "http" and not kept.used]
        return [f"{request['method']} {request['url']} {_short(request.get('body'))}".rstrip() for request in left]


def _entries(trace: Trace) -> Iterable[Any]:
    if isinstance(trace, (str, os.PathLike)):
        for number, line in enumerate(Path(trace).read_text(encoding="utf-8").splitlines(), 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"{trace}:{number} is no line of a trace: {error}") from None
    else:
        yield from trace


def _kept(each: Any) -> _Kept | None:
    if isinstance(each, Mapping):
        if each.get("event") != "Effected":
            return None
        return _Kept(each["kind"], each["address"], each["request"], each["answer"], each.get("error"))
    if not hasattr(each, "kind"):
        return None  # another event
    return _Kept(
        each.kind, each.address, each.request, each.answer, None if each.error is None else each.error.to_json()
    )


def _fail_again(kept: _Kept) -> None:
    if kept.error is not None:
        told = kept.error
        known = _ERRORS.get(told["type"], StepError)
        raise known(told["message"], type=told["type"], status=told.get("status"), data=told.get("data"))


def _answer(kept: _Kept) -> Answer:
    body = kept.answer["body"]
    if isinstance(body, Mapping) and set(body) == {"bytes", "type"}:
        raise AssertionError(f"The recorded answer to {kept.request['url']} was binary, which a trace does not keep")
    return Answer(kept.answer["status"], kept.answer["headers"], body)


def _shown(request: Request) -> dict[str, Json]:
    return {"method": request.method, "url": request.url, "body": _body(request.content)}


def _body(content: bytes) -> Json:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode("utf-8", "replace")


def _same_request(recorded: Json, sent: Mapping[str, Any]) -> bool:
    from flowstudio.httpclient import URL  # loaded by whoever sends requests

    if recorded["method"] != sent["method"]:
        return False
    before, now = URL(recorded["url"]), sent["url"]
    if not _same(str(before.copy_with(query=None, userinfo=b"")), str(now.copy_with(query=None, userinfo=b""))):
        return False
    # A login may add a parameter, which is not recorded.
    given = now.params.multi_items()
    if not all(
        any(name == other and _same(value, sent_) for other, sent_ in given)
        for name, value in before.params.multi_items()
    ):
        return False
    body = recorded.get("body")
    if isinstance(body, Mapping) and set(body) == {"bytes", "type"}:
        return True  # not kept, so it cannot be compared
    if isinstance(body, str) and not isinstance(sent["body"], str):
        body = _body(body.encode())
    return _same(body, sent["body"])


def _same(recorded: Json, now: Json) -> bool:
    """Whether two values are equal, the masked parts of the recorded one standing for anything."""
    if isinstance(recorded, str) and MASK in recorded:
        return re.fullmatch(".*".join(map(re.escape, recorded.split(MASK))), str(now), re.DOTALL) is not None
    if isinstance(recorded, Mapping):
        return (
            isinstance(now, Mapping) and recorded.keys() == now.keys() and all(_same(recorded[k], now[k]) for k in now)
        )
    if isinstance(recorded, list):
        return isinstance(now, list) and len(recorded) == len(now) and all(map(_same, recorded, now))
    return type(recorded) is type(now) and bool(recorded == now)


def _short(value: Json) -> str:
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


__all__ = ["Recording", "Trace"]
