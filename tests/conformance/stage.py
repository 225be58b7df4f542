"""A stage for one component: real settings, real expressions, a recorded log, and other systems that answer as told."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import itertools
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from flowstudio.errors import StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.httpclient import Request, Response
from flowstudio.plan.settings import CompiledConfig, compile_config
from flowstudio.sdk import (
    Answer,
    Call,
    Collect,
    Component,
    Drop,
    Items,
    Loop,
    Merge,
    Reply,
    Sleep,
    Split,
    Stop,
    Stream,
    To,
    Wait,
)
from flowstudio.sdk.spec import derive
from flowstudio.sdk.stream import grouped
from flowstudio.testing.http import response_of

Json = Any

NOW = 1_767_225_600.25
"""1 January 2026, a quarter of a second after midnight UTC."""


class StageLog:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Json]]] = []

    def debug(self, message: str, **fields: Json) -> None:
        self.lines.append(("debug", message, fields))

    def info(self, message: str, **fields: Json) -> None:
        self.lines.append(("info", message, fields))

    def warning(self, message: str, **fields: Json) -> None:
        self.lines.append(("warning", message, fields))

    def error(self, message: str, **fields: Json) -> None:
        self.lines.append(("error", message, fields))


@dataclass
class StageContext:
    """What `run()` may ask: requests are kept and answered in order; without an answer left, nothing ever comes."""

    answers: list[Answer | Response] = field(default_factory=list)
    bound: Mapping[str, Json] = field(default_factory=dict)
    step: str = "step"
    address: str = "step"
    attempt: int = 1
    clock: VisitClock = field(default_factory=lambda: VisitClock(NOW, 7))
    log: StageLog = field(default_factory=StageLog)
    requests: list[Request] = field(default_factory=list)
    connections: list[str | None] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    remembered: Mapping[str, Json] | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def folder(self) -> Path:
        """A folder of its own, with the files in it."""
        made = Path(tempfile.mkdtemp(dir=_rooms()))
        lay(made, self.files)
        return made

    @property
    def state(self) -> Mapping[str, Json]:
        """What is remembered by now."""
        return self.bound.get("state", {}) if self.remembered is None else self.remembered

    @property
    def idempotency_key(self) -> str:
        return "run-1:step"

    def names(self) -> Mapping[str, Json]:
        return self.bound

    def remember(self, changes: Mapping[str, Json], remove: Iterable[str] = ()) -> None:
        gone = set(remove)
        kept = {name: value for name, value in self.state.items() if name not in gone}
        self.remembered = {**kept, **changes}

    async def http(self, request: Request, *, connection: str | None = None) -> Response:
        self.requests.append(request)
        self.connections.append(connection)
        if not self.answers:
            self.waiting.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Response) else response_of(answer)

    async def opened(self, connection: str) -> Any:
        raise StepError(f"nothing is opened on a stage, not even {connection}")

    async def effect(self, kind: str, request: Json, perform: Callable[[], Awaitable[Json]]) -> Json:
        return await perform()


@cache
def _rooms() -> str:
    """Where the folders of all contexts lie, until the tests end."""
    place = tempfile.mkdtemp(prefix="flowstudio-stage-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def lay(folder: Path, files: Mapping[str, str]) -> None:
    """Writes the files of an example."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def compiled(component: type[Component], config: Mapping[str, Json]) -> CompiledConfig:
    """A config compiled; an AssertionError tells what is wrong with it."""
    result, problems = compile_config(derive(component), config)
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    assert not errors, errors
    return result


@dataclass
class Performed:
    """What a component did with one message."""

    port: str | None
    payload: Json
    meta: Mapping[str, Json]
    result: Any
    context: StageContext

    @property
    def log(self) -> list[tuple[str, str, dict[str, Json]]]:
        return self.context.log.lines

    @property
    def request(self) -> Request:
        """The only request that was sent."""
        (request,) = self.context.requests
        return request


async def act(component: type[Component], config: Mapping[str, Json], payload: Json, context: StageContext) -> Any:
    """What a component gives for a message: what `run()` gives, of a shape what its own methods do."""
    bound = compiled(component, config).bind(context.bound)

    def settings(message: Json) -> Any:
        return bound.evaluate(message, context.bound, context.clock)

    made = component()
    if isinstance(made, Split):
        return made.items(settings(payload), payload)
    if isinstance(made, Collect):
        arriving = payload if isinstance(payload, list) else [payload]
        values = [made.value(settings(message), message) for message in arriving]
        return made.gather(settings(None), values)
    if isinstance(made, Merge):
        branches = payload if isinstance(payload, dict) else {"branch": payload}
        return made.join(settings(None), list(branches.items()))
    if isinstance(made, Loop):
        return To(("body",) if made.again(settings(payload), payload, 0) else ("done",))
    if isinstance(made, Call):
        assert made.target(settings(payload))
        return made.input(settings(payload), payload)
    result = made.run(settings(payload), payload, context)
    return await result if inspect.isawaitable(result) else result


def leaving(items: Items) -> list[Json]:
    """The payloads of the messages that a split makes."""
    values = items.values if isinstance(items.values, Sequence) else items.values.read()
    taken = list(itertools.islice(values, items.limit))
    return taken if items.batch is None else list(grouped(taken, items.batch))


def perform(
    component: type[Component],
    config: Mapping[str, Json],
    payload: Json = None,
    *,
    answers: Iterable[Answer | Response] = (),
    clock: VisitClock | None = None,
    files: Mapping[str, str] | None = None,
    **names: Json,
) -> Performed:
    """Has a component work on one message; `names` are what expressions see beside the payload."""

    async def work() -> Performed:
        context = StageContext(list(answers), names, clock=clock or VisitClock(NOW, 7), files=files or {})
        result = await act(component, config, payload, context)
        if isinstance(result, (Drop, Stop)):
            return Performed(None, MISSING, {}, result, context)
        if isinstance(result, To):
            (port,) = result.ports
            return Performed(
                port, payload if result.payload is MISSING else result.payload, result.meta, result, context
            )
        if isinstance(result, (Reply, Sleep, Wait)):
            return Performed("out", payload, {}, result, context)
        if isinstance(result, Items):
            return Performed("out", leaving(result), {}, result, context)
        # As the engine does where the next step does not read it piece by piece.
        whole = result.whole() if isinstance(result, Stream) else result
        return Performed("out", whole, {}, result, context)

    return asyncio.run(work())
