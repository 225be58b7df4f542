"""One visit: a message is worked on by one step, tried again where the step's policy says so."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flowstudio.engine.bound import BoundFlow, BoundPlan, Scopes
from flowstudio.engine.gate import UNANSWERED, Gate
from flowstudio.errors import ConnectionFailedError, StepError, StepTimeoutError
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.draft import DEEPEST_CALL
from flowstudio.plan.plan import PlanStep, Retry
from flowstudio.plan.state import Gathering, Token
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Drop, Outcome, Reply, Sleep, Stop, To, Wait
from flowstudio.sdk.shapes import Call, Collect, Items, Loop, Merge, Split
from flowstudio.sdk.stream import Stream, described, grouped
from flowstudio.trace.events import AttemptFailed, Effected, Event, Failure, Logged, VisitFailed, VisitFinished, iso
from flowstudio.trace.redact import MASK

if TYPE_CHECKING:
    from flowstudio.httpclient import Request, Response

Json = Any

HTTP_TIMEOUT = 30.0
"""Seconds for one request of a step without a timeout of its own."""

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class RunView(Scopes, Protocol):
    """What of a run's state a visit looks at: a state, or one that is being worked on."""

    @property
    def run(self) -> str: ...
    @property
    def payload(self) -> Json: ...
    @property
    def started_at(self) -> float: ...
    @property
    def attempt(self) -> int: ...
    @property
    def test(self) -> bool: ...


class MessageNames:
    """The bound names of one message, read from run and lineage when they are asked for.

    Whoever visits many messages in a row sets the message's parts anew and calls `renew` instead of making another.
    """

    __slots__ = ("_known", "bag", "error", "flow", "item", "lineage", "meta", "remembered", "run", "steps")

    def __init__(
        self,
        flow: BoundFlow,
        run: RunView,
        message: Message,
        bag: str,
        remembered: Json = None,
        steps: frozenset[str] | None = None,
    ) -> None:
        self.flow = flow
        self.run = run
        self.bag = bag
        self.meta = message.meta
        self.lineage = message.lineage
        self.error = message.error
        self.item: Any = None
        """`$item` where it is known already."""
        self.remembered = remembered
        self.steps = steps
        """The steps whose outputs are read, None where that is not known: streams are taken whole for these alone."""
        self._known: dict[str, Json] = {}

    def renew(self) -> None:
        """Forgets what was read of the message before."""
        if self._known:
            self._known = {}

    def get(self, name: str, default: Any = None, /) -> Any:
        """The value of a name, `default` where it is not bound here."""
        if name == "vars":
            return self.flow.variables
        if name == "meta":
            return self.meta
        if name in self._known:
            return self._known[name]
        value = self._read(name)
        if value is MISSING:
            return default
        self._known[name] = value
        return value

    def _read(self, name: str) -> Any:
        if name == "steps":
            return self._outputs()
        if name == "trigger":
            call = self.run.bags[self.bag].call
            return self.run.calls[call].payload if call else self.run.payload
        if name == "error":
            return MISSING if self.error is None else self.error
        if name == "run":
            run = self.run
            return {"id": run.run, "started_at": iso(run.started_at), "attempt": run.attempt, "test": run.test}
        if name == "item":
            return self.item if self.item is not None else self._item()
        if name == "state":
            return {} if self.remembered is None else self.remembered
        return self.flow.names.get(name, MISSING)

    def _outputs(self) -> dict[str, Json]:
        outputs = self.lineage.to_mapping() if self.lineage is not None else {}
        for step, output in outputs.items():
            if isinstance(output, Stream):
                whole = self.steps is not None and step in self.steps
                outputs[step] = output.whole() if whole else described(output)
        return outputs

    def _item(self) -> Any:
        bag = self.run.bags.get(self.bag)
        while bag is not None and bag.above is not None and bag.call == self.run.bags[bag.above].call:
            if bag.entry is not None:
                item: dict[str, Json] = {"index": bag.item}
                if bag.total is not None:
                    item["total"] = bag.total
                return item
            bag = self.run.bags.get(bag.above)
        return MISSING

    def all(self) -> dict[str, Json]:
        """Every name that is bound here."""
        names = ("meta", "vars", "steps", "trigger", "run", "customer", "instance", "item", "state", "error")
        found = {name: self.get(name, MISSING) for name in names}
        return {name: value for name, value in found.items() if value is not MISSING}


class VisitLog:
    """The log of one visit: each line becomes an event."""

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def _line(self, level: str, message: str, fields: Mapping[str, Json]) -> None:
        v = self._visit
        v.tell(Logged(v.state.run, v.now(), v.step.id, v.address, v.number, level, str(message), fields))

    def debug(self, message: str, **fields: Json) -> None:
        """A line for whoever looks for a fault."""
        self._line("debug", message, fields)

    def info(self, message: str, **fields: Json) -> None:
        """A line about the ordinary course."""
        self._line("info", message, fields)

    def warning(self, message: str, **fields: Json) -> None:
        """A line about something doubtful."""
        self._line("warning", message, fields)

    def error(self, message: str, **fields: Json) -> None:
        """A line about something that went wrong."""
        self._line("error", message, fields)


class VisitContext:
    """What `run()` may ask of the engine, for one try of one visit."""

    __slots__ = ("_clock", "_visit", "attempt", "forgotten", "limit", "log", "names_of_message", "remembered", "step")

    def __init__(self, visit: Visit, names: MessageNames, attempt: int, limit: asyncio.Timeout | None = None) -> None:
        self._visit = visit
        self.limit = limit
        self._clock: VisitClock | None = None
        self.names_of_message = names
        self.attempt = attempt
        self.step = visit.step.id
        self.log = VisitLog(visit)
        self.remembered: dict[str, Json] = {}
        self.forgotten: list[str] = []

    @property
    def address(self) -> str:
        """Where the visit stands."""
        return self._visit.address

    @property
    def clock(self) -> VisitClock:
        """The visit's time and chance."""
        if self._clock is None:
            self._clock = VisitClock(self._visit.started_at, self._visit.seed())
        return self._clock

    @property
    def idempotency_key(self) -> str:
        """One for all tries of this visit, another for every other visit."""
        return f"{self._visit.state.run}:{self.address}"

    @property
    def folder(self) -> Path:
        """Where relative file paths begin."""
        return self._visit.folder()

    def names(self) -> Mapping[str, Json]:
        """The bound names without their dollar."""
        return self.names_of_message.all()

    def renew(self) -> None:
        """Forgets time and chance of the visit before, for whoever makes many in a row."""
        self._clock = None

    def remember(self, changes: Mapping[str, Json], remove: Iterable[str] = ()) -> None:
        """Keeps values for the instance once this visit has ended well."""
        for name in remove:
            self.remembered.pop(name, None)
            self.forgotten.append(name)
        self.remembered.update(changes)

    async def http(self, request: Request, *, connection: str | None = None) -> Response:
        """Sends a request with the login of a slot within the visit's timeout; any status is an answer."""
        visit = self._visit
        connections = visit.bound.connections
        login = connections.login(connection) if connection else None
        shown = _shown_request(request)
        if login is not None:
            request = login.apply(request)
        asked = _without_key(shown, self.idempotency_key)
        stood_in = await self._stands_in("http", asked)
        started, clock = self._visit.now(), time.perf_counter()
        if stood_in is not UNANSWERED:
            self._effected("http", shown, _shown_response(stood_in), started, clock, None, replayed=True)
            return stood_in  # type: ignore[no-any-return]
        try:
            response = await connections.http.send(request, timeout=visit.step.timeout or HTTP_TIMEOUT)
        except StepError as error:
            self._effected("http", shown, None, started, clock, error)
            raise
        if visit.gate is not None:
            visit.gate.sent(self.address, "http", asked, response)
        self._effected("http", shown, _shown_response(response), started, clock, None)
        return response

    async def opened(self, connection: str) -> Any:
        """The client of a slot's connection."""
        return await self._visit.bound.connections.opened(connection)

    async def effect(self, kind: str, request: Json, perform: Callable[[], Awaitable[Json]]) -> Json:
        """Does something that leaves the process."""
        stood_in = await self._stands_in(kind, request)
        started, clock = self._visit.now(), time.perf_counter()
        if stood_in is not UNANSWERED:
            self._effected(kind, request, stood_in, started, clock, None, replayed=True)
            return stood_in
        try:
            answer = await perform()
        except Exception as error:
            self._effected(kind, request, None, started, clock, error)
            raise
        if self._visit.gate is not None:
            self._visit.gate.sent(self.address, kind, request, answer)
        self._effected(kind, request, answer, started, clock, None)
        return answer

    async def _stands_in(self, kind: str, request: Json) -> Any:
        """What stands in for an effect; while somebody thinks about it, the visit's time stands still."""
        visit = self._visit
        if visit.gate is None:
            return UNANSWERED
        limit, loop = self.limit, asyncio.get_running_loop()
        ends = None if limit is None else limit.when()
        left = None if ends is None else ends - loop.time()
        if limit is not None:
            limit.reschedule(None)
        try:
            return await visit.gate.stand_in(self.address, kind, request)
        finally:
            if limit is not None and left is not None:
                limit.reschedule(loop.time() + left)

    def _effected(
        self,
        kind: str,
        request: Json,
        answer: Json,
        started: float,
        clock: float,
        error: Exception | None,
        *,
        replayed: bool = False,
    ) -> None:
        visit = self._visit
        failure = None if error is None else failure_of(error, visit.step, visit.address, self.attempt)
        duration = (time.perf_counter() - clock) * 1000
        visit.tell(
            Effected(
                visit.state.run,
                started,
                visit.step.id,
                visit.address,
                visit.number,
                kind,
                request,
                answer,
                self.attempt,
                duration,
                failure,
                replayed,
            )
        )


@dataclass(frozen=True, slots=True)
class Visit:
    """A message at a step, with all that its visit needs. `tell` takes the events that only recorders care for."""

    bound: BoundPlan
    state: RunView
    token: Token
    step: PlanStep
    address: str
    number: int
    started_at: float
    tell: Callable[[Event], None]
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    remembered: Json = None
    gate: Gate | None = None

    def seed(self) -> int:
        """The seed of all chance in this visit: of run and address, so that a replay sees the same."""
        return seed_of(self.state.run, self.address)

    def folder(self) -> Path:
        """Where relative file paths begin."""
        return folder_of(self.bound, self.step)

    def make_now(self) -> VisitFinished | VisitFailed:
        """Makes an immediate visit."""
        begun = time.perf_counter()
        try:
            result, context = self._begin(1)
            if inspect.isawaitable(result):
                raise TypeError(f"run() of {self.step.spec.name} gives an awaitable; write it as `async def run`")
            return self._finished(result, context, 1, begun)
        except Exception as error:  # whatever a component raises is its step's failure
            return self._failed(error, 1, begun)

    async def make(self) -> VisitFinished | VisitFailed:
        """Makes the visit, with all its tries."""
        begun = time.perf_counter()
        retry = self.step.retry
        chance = random.Random(self.seed() ^ 0x7265747279)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout(self.step.timeout) as limit:
                    result, context = self._begin(attempt, limit)
                    if inspect.isawaitable(result):
                        result = await result
                return self._finished(result, context, attempt, begun)
            except TimeoutError as expired:
                error: Exception = (
                    StepTimeoutError(
                        f"{self.step.title} took longer than {self.step.timeout:g} s; raise its timeout or look at what it waits for"
                    )
                    if self.step.timeout
                    else expired
                )
            except Exception as raised:  # whatever a component raises is its step's failure
                error = raised
            if attempt >= retry.attempts or not _tried_again(retry, error):
                return self._failed(error, attempt, begun)
            wait = _wait(retry, attempt, error, chance)
            failure = failure_of(error, self.step, self.address, attempt)
            self.tell(
                AttemptFailed(
                    self.state.run, self.now(), self.step.id, self.address, self.number, attempt, failure, wait
                )
            )
            await self.sleep(wait)

    def _begin(self, attempt: int, limit: asyncio.Timeout | None = None) -> tuple[Any, VisitContext | None]:
        step, message, bag = self.step, self.token.message, self.token.bag
        if step.disabled:
            return To((step.spec.component.passes_by(step.config.values),)), None
        flow = self.bound.within(self.state, self.state.bags[bag].call)
        names = MessageNames(flow, self.state, message, bag, self.remembered, step.reads_steps)
        context = VisitContext(self, names, attempt, limit)
        payload = message.payload
        if isinstance(payload, Stream) and not step.component.reads_streams(step.config.values):
            # An aggregate stands behind the stream that its scope read and has no use for it a second time; one that
            # broke off would break off again.
            unread = step.shape == "collect" or message.error is not None
            payload = described(payload) if unread else payload.whole()
        config = flow.configs[step.index].evaluate(payload, names, context.clock if step.clocked else None)
        component = step.component
        if step.shape in ("plain", "trigger"):
            return component.run(config, payload, context), context
        if isinstance(component, Call):
            call = self.state.bags[bag].call
            if call and self.state.calls[call].depth >= DEEPEST_CALL:
                raise StepError(
                    f"Flows call one another more than {DEEPEST_CALL} deep; look for a flow that calls itself without end",
                    type="TooDeep",
                    retryable=False,
                )
            return _Called(component.input(config, payload)), context
        return self._shaped(config, payload), context

    def _shaped(self, config: Any, payload: Json) -> Any:
        token, component = self.token, self.step.component
        if isinstance(component, Split):
            return component.items(config, payload)
        if isinstance(component, Collect):
            if token.gathered is None:
                return _Value(component.value(config, payload))
            assert isinstance(token.gathered, Gathering)
            return component.gather(config, token.gathered.values())
        if isinstance(component, Merge):
            assert isinstance(token.gathered, tuple)
            return component.join(config, [(a.source, a.message.payload) for a in token.gathered])
        assert isinstance(component, Loop)
        passes = 0 if token.port == "in" else self.state.bags[token.bag].item
        return To(("body",) if component.again(config, payload, passes) else ("done",))

    def _failed(self, error: Exception, attempt: int, begun: float) -> VisitFailed:
        return VisitFailed(
            self.state.run,
            self.now(),
            self.step.id,
            self.address,
            self.number,
            self.token.number,
            failure_of(error, self.step, self.address, attempt),
            attempt,
            (time.perf_counter() - begun) * 1000,
        )

    def _finished(self, result: Any, context: VisitContext | None, attempt: int, begun: float) -> VisitFinished:
        step = self.step
        told = _told(result, self.token.message.payload)
        ports = told.get("ports", ("out",))
        wrong = [port for port in ports if port not in step.outs]
        if wrong:
            raise StepError(f"{step.spec.name} sent a message by a port {wrong[0]!r} that it does not have")
        payload = told.get("payload")
        if isinstance(payload, Stream) and told.get("outcome") != "items" and not step.streams.issuperset(ports):
            told["payload"] = payload.whole()
        if context is not None and (context.remembered or context.forgotten):
            kept = {"remember": context.remembered, "forget": context.forgotten}
            told["details"] = {**told.get("details", {}), **kept}
        return VisitFinished(
            run=self.state.run,
            at=self.now(),
            step=step.id,
            address=self.address,
            visit=self.number,
            token=self.token.number,
            attempt=attempt,
            duration_ms=(time.perf_counter() - begun) * 1000,
            **told,
        )


@dataclass(frozen=True, slots=True)
class _Value:
    """What a collect took in from one message."""

    value: Json


@dataclass(frozen=True, slots=True)
class _Called:
    """What a called flow begins with."""

    payload: Json


def _told(result: Any, before: Json) -> dict[str, Any]:
    """How a visit ended, as its event tells it."""
    if isinstance(result, Outcome):
        if isinstance(result, To):
            payload = before if result.payload is MISSING else result.payload
            return {"ports": tuple(result.ports), "payload": payload, "meta": result.meta}
        if isinstance(result, Drop):
            return {"outcome": "drop", "ports": ()}
        if isinstance(result, Reply):
            reply = {"status": result.status, "headers": dict(result.headers), "body": result.body}
            return {"outcome": "reply", "payload": before, "details": reply}
        if isinstance(result, Sleep):
            return {"outcome": "sleep", "ports": (), "details": {"until": result.until}}
        if isinstance(result, Wait):
            return {"outcome": "wait", "ports": (), "details": {"signal": result.signal, "timeout": result.timeout}}
        if isinstance(result, Stop):
            return {"outcome": "stop", "ports": (), "details": {"error": result.error}}
    if isinstance(result, _Value):
        return {"outcome": "value", "ports": (), "payload": None if result.value is MISSING else result.value}
    if isinstance(result, _Called):
        return {"outcome": "call", "ports": (), "payload": None if result.payload is MISSING else result.payload}
    if isinstance(result, Items):
        details: dict[str, Json] = {"parallel": result.parallel}
        if isinstance(result.values, Stream):
            details.update(batch=result.batch, limit=result.limit)
            return {"outcome": "items", "ports": (), "payload": result.values, "details": details}
        values = result.values if result.limit is None else result.values[: result.limit]
        if result.batch is not None:
            values = list(grouped(values, result.batch))
        return {"outcome": "items", "ports": (), "payload": values, "details": details}
    return {"payload": None if result is MISSING else result}


def folder_of(bound: BoundPlan, step: PlanStep) -> Path:
    """Where relative file paths of a step begin: at the file of the flow in which it stands."""
    named = bound.plan.folders[step.flow]
    return Path(named) if named else bound.folder


def seed_of(run: str, address: str) -> int:
    """The seed of all chance in the visit at this address."""
    digest = hashlib.blake2b(f"{run}:{address}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def failure_of(error: Exception, step: PlanStep, address: str, attempts: int) -> Failure:
    """An exception as the failure of a step."""
    if isinstance(error, StepError):
        return Failure(step.id, address, error.type, error.message, error.status, error.data, attempts)
    message = str(error) or type(error).__name__
    return Failure(step.id, address, type(error).__name__, message, attempts=attempts)


def _tried_again(retry: Retry, error: Exception) -> bool:
    kind = error.type if isinstance(error, StepError) else type(error).__name__
    status = error.status if isinstance(error, StepError) else None
    if retry.on is not None:
        return any(_matches(wanted, kind, status) for wanted in retry.on)
    if isinstance(error, StepError):
        if error.retryable is not None:
            return error.retryable
        if isinstance(error, (ConnectionFailedError, StepTimeoutError)):
            return True
    return status is None or status in RETRIED_STATUSES


def _matches(wanted: str, kind: str, status: int | None) -> bool:
    if wanted == kind:
        return True
    low, dash, high = wanted.partition("-")
    if status is None or not low.isdigit():
        return False
    return int(low) <= status <= int(high) if dash and high.isdigit() else status == int(low)


def _wait(retry: Retry, attempt: int, error: Exception, chance: random.Random) -> float:
    """Seconds before the next try."""
    asked = error.retry_after if isinstance(error, StepError) else None
    if asked is not None and 0 <= asked <= retry.max_backoff:
        return float(asked)
    wait = retry.backoff * 2 ** (attempt - 1) * chance.uniform(0.9, 1.1)
    return float(min(wait, retry.max_backoff))


def _without_key(shown: dict[str, Json], key: str) -> dict[str, Json]:
    """A request without the key that names the visit: in a fork the same request has another."""
    headers = {name: value for name, value in shown["headers"].items() if value != key}
    return {**shown, "headers": headers}


def _shown_request(request: Request) -> dict[str, Json]:
    """A request before its login is added: what the ledger shows. A login in the address itself is masked."""
    address = str(request.url)
    if request.url.userinfo:
        scheme, _, rest = address.partition("://")
        address = f"{scheme}://{MASK}@{rest.partition('@')[2]}"
    return {
        "method": request.method,
        "url": address,
        "headers": dict(request.headers),
        "body": _shown_body(request.content, request.headers.get("content-type", "")),
    }


def _shown_response(response: Response) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "status": response.status_code,
        "headers": dict(response.headers),
        "body": _shown_body(response.content, response.headers.get("content-type", "")),
    }
    timings = response.extensions.get("timings")
    if timings:
        shown["timings"] = dict(timings)
    return shown


def _shown_body(body: bytes, content_type: str) -> Json:
    if not body:
        return None
    if "json" in content_type:
        import msgspec

        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # told as the text that it is
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"bytes": len(body), "type": content_type or "application/octet-stream"}
