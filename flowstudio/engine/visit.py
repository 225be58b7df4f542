"""One visit: a message is worked on by one step, tried again where the step's policy says so."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.errors import ConnectionFailedError, StepError, StepTimeoutError
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.plan import PlanStep, Retry
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.outcome import Drop, Outcome, Reply, Sleep, Stop, To, Wait
from flowstudio.sdk.shapes import Collect, Items, Loop, Merge, Split
from flowstudio.trace.events import AttemptFailed, Effected, Event, Failure, Logged, VisitFailed, VisitFinished, iso
from flowstudio.trace.redact import MASK

if TYPE_CHECKING:
    from flowstudio.httpclient import Request, Response

Json = Any

HTTP_TIMEOUT = 30.0
"""Seconds for one request of a step without a timeout of its own."""

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class MessageNames:
    """The bound names of one message, read from run and lineage when they are asked for."""

    __slots__ = ("_bound", "_known", "_run", "_token")

    def __init__(self, bound: BoundPlan, state: RunState, token: Token) -> None:
        self._bound = bound
        self._run = state
        self._token = token
        self._known: dict[str, Json] = {}

    def get(self, name: str, default: Any = None, /) -> Any:
        """The value of a name, `default` where it is not bound here."""
        if name == "vars":
            return self._bound.variables
        if name == "meta":
            return self._token.message.meta
        if name in self._known:
            return self._known[name]
        value = self._read(name)
        if value is MISSING:
            return default
        self._known[name] = value
        return value

    def _read(self, name: str) -> Any:
        message = self._token.message
        if name == "steps":
            return message.lineage.to_mapping() if message.lineage is not None else {}
        if name == "trigger":
            return self._run.payload
        if name == "error":
            return MISSING if message.error is None else message.error
        if name == "run":
            run = self._run
            return {"id": run.run, "started_at": iso(run.started_at), "attempt": run.attempt, "test": run.test}
        if name == "item":
            return self._item()
        return self._bound.names.get(name, MISSING)

    def _item(self) -> Any:
        bag = self._run.bags.get(self._token.bag)
        while bag is not None and bag.above is not None:
            if bag.entry is not None:
                item: dict[str, Json] = {"index": bag.item}
                if bag.total is not None:
                    item["total"] = bag.total
                return item
            bag = self._run.bags.get(bag.above)
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
        v.tell(Logged(v.state.run, time.time(), v.step.id, v.address, v.number, level, str(message), fields))

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

    __slots__ = ("_names", "_visit", "address", "attempt", "clock", "log", "step")

    def __init__(self, visit: Visit, names: MessageNames, clock: VisitClock, attempt: int) -> None:
        self._visit = visit
        self._names = names
        self.clock = clock
        self.attempt = attempt
        self.step = visit.step.id
        self.address = visit.address
        self.log = VisitLog(visit)

    @property
    def idempotency_key(self) -> str:
        """One for all tries of this visit, another for every other visit."""
        return f"{self._visit.state.run}:{self.address}"

    def names(self) -> Mapping[str, Json]:
        """The bound names without their dollar."""
        return self._names.all()

    async def http(self, request: Request, *, connection: str | None = None) -> Response:
        """Sends a request with the login of a slot within the visit's timeout; any status is an answer."""
        visit = self._visit
        connections = visit.bound.connections
        login = connections.login(connection) if connection else None
        shown = _shown_request(request)
        if login is not None:
            request = login.apply(request)
        started, clock = time.time(), time.perf_counter()
        try:
            response = await connections.http.send(request, timeout=visit.step.timeout or HTTP_TIMEOUT)
        except StepError as error:
            self._effected("http", shown, None, started, clock, error)
            raise
        self._effected("http", shown, _shown_response(response), started, clock, None)
        return response

    async def opened(self, connection: str) -> Any:
        """The client of a slot's connection."""
        return await self._visit.bound.connections.opened(connection)

    async def effect(self, kind: str, request: Json, perform: Callable[[], Awaitable[Json]]) -> Json:
        """Does something that leaves the process."""
        started, clock = time.time(), time.perf_counter()
        try:
            answer = await perform()
        except Exception as error:
            self._effected(kind, request, None, started, clock, error)
            raise
        self._effected(kind, request, answer, started, clock, None)
        return answer

    def _effected(
        self, kind: str, request: Json, answer: Json, started: float, clock: float, error: Exception | None
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
            )
        )


@dataclass(frozen=True, slots=True)
class Visit:
    """A message at a step, with all that its visit needs. `tell` takes the events that only recorders care for."""

    bound: BoundPlan
    state: RunState
    token: Token
    step: PlanStep
    address: str
    number: int
    started_at: float
    tell: Callable[[Event], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def seed(self) -> int:
        """The seed of all chance in this visit: of run and address, so that a replay sees the same."""
        digest = hashlib.blake2b(f"{self.state.run}:{self.address}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    @property
    def immediate(self) -> bool:
        """Whether this visit can be made at once: nothing in it waits."""
        step = self.step
        return (
            step.timeout is None and step.retry.attempts == 1 and step.spec.pure and not _is_async(type(step.component))
        )

    def make_now(self) -> VisitFinished | VisitFailed:
        """Makes an immediate visit."""
        begun = time.perf_counter()
        try:
            result = self._begin(1)
        except Exception as error:  # whatever a component raises is its step's failure
            return self._failed(error, 1, begun)
        return self._finished(result, 1, begun)

    async def make(self) -> VisitFinished | VisitFailed:
        """Makes the visit, with all its tries."""
        begun = time.perf_counter()
        retry = self.step.retry
        chance = random.Random(self.seed() ^ 0x7265747279)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout(self.step.timeout):
                    result = self._begin(attempt)
                    if inspect.isawaitable(result):
                        result = await result
                return self._finished(result, attempt, begun)
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
                    self.state.run, time.time(), self.step.id, self.address, self.number, attempt, failure, wait
                )
            )
            await self.sleep(wait)

    def _begin(self, attempt: int) -> Any:
        step, message = self.step, self.token.message
        names = MessageNames(self.bound, self.state, self.token)
        clock = VisitClock(self.started_at, self.seed())
        if step.disabled:
            return To((step.spec.component.passes_by(step.config.values),))
        config = self.bound.configs[step.index].evaluate(message.payload, names, clock)
        if step.shape in ("plain", "trigger"):
            return step.component.run(config, message.payload, VisitContext(self, names, clock, attempt))
        return self._shaped(config)

    def _shaped(self, config: Any) -> Any:
        token, component = self.token, self.step.component
        payload = token.message.payload
        if isinstance(component, Split):
            return component.items(config, payload)
        if isinstance(component, Collect):
            if token.gathered is None:
                return _Value(component.value(config, payload))
            return component.gather(config, [arrival.message.payload for arrival in token.gathered])
        if isinstance(component, Merge):
            return component.join(config, [(a.source, a.message.payload) for a in token.gathered or ()])
        assert isinstance(component, Loop)
        passes = 0 if token.port == "in" else self.state.bags[token.bag].item
        return To(("body",) if component.again(config, payload, passes) else ("done",))

    def _failed(self, error: Exception, attempt: int, begun: float) -> VisitFailed:
        return VisitFailed(
            self.state.run,
            time.time(),
            self.step.id,
            self.address,
            self.number,
            self.token.number,
            failure_of(error, self.step, self.address, attempt),
            attempt,
            (time.perf_counter() - begun) * 1000,
        )

    def _finished(self, result: Any, attempt: int, begun: float) -> VisitFinished | VisitFailed:
        told = _told(result, self.token.message.payload)
        wrong = [port for port in told.get("ports", ()) if port not in self.step.outs]
        if wrong:
            error = StepError(f"{self.step.spec.name} sent a message by a port {wrong[0]!r} that it does not have")
            return self._failed(error, attempt, begun)
        return VisitFinished(
            run=self.state.run,
            at=time.time(),
            step=self.step.id,
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
    if isinstance(result, Items):
        return {"outcome": "items", "ports": (), "payload": result.values, "details": {"parallel": result.parallel}}
    return {"payload": None if result is MISSING else result}


_ASYNC: dict[type, bool] = {}


def _is_async(component: type) -> bool:
    known = _ASYNC.get(component)
    if known is None:
        known = _ASYNC[component] = inspect.iscoroutinefunction(getattr(component, "run", None))
    return known


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
