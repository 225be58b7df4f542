"""The engine process behind the editor: runs flows, answers for their payloads, listens for webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from flowstudio import __version__
from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.breakpoints import Breakpoint
from flowstudio.engine.gate import Pin
from flowstudio.engine.record import Redacting
from flowstudio.engine.runner import Runner, starting_step
from flowstudio.errors import (
    CompileError,
    ExpressionError,
    FlowStudioError,
    InvalidInputError,
    Problem,
    ProtocolError,
    StepError,
    StoreError,
)
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.called import Called, beside, nowhere
from flowstudio.flow.files import flow_from_document, read_flow, read_payload, read_sample
from flowstudio.flow.model import ABSENT, Flow
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.runtime import protocol
from flowstudio.runtime.archive import Archive
from flowstudio.runtime.debugging import DebuggedRun, breakpoint_of, pin_of
from flowstudio.runtime.launch import launched
from flowstudio.runtime.listening import Listening
from flowstudio.runtime.recorded import RecordedRun, Revival, refuse_masked
from flowstudio.runtime.tidying import Tidying
from flowstudio.sdk.message import Message
from flowstudio.sdk.registry import Registry
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.places import cache_dir
from flowstudio.stores.retention import Retention
from flowstudio.stores.runs import RunStore
from flowstudio.trace.payloads import canonical, parse

Json = Any


_MUCH_WORK = 0.1
"""Seconds of looking into payloads after which memory may be free that was not before."""
_FLUSHED_EVERY = 1.0
"""Seconds after which what a run has told is on disk, however little it is."""
_KEPT_RUNS = 50
"""So many runs can be looked back into; a screen that listens for days makes thousands."""


class Session:
    """One engine process: its runs, its payloads, and whoever listens at the other end of `send`."""

    def __init__(self, registry: Registry, send: Callable[[bytes], None]) -> None:
        self._registry = registry
        self._send = send
        self._payloads: PayloadStore | None = None
        self._archive: Archive | None = None
        """The runs in the data directory; None where the session has none."""
        self._no_history = ""
        """Why it has none although it has a data directory."""
        self._runs: dict[str, DebuggedRun | RecordedRun] = {}
        self._live: DebuggedRun | None = None
        self._stage = contextlib.AsyncExitStack()
        """What the current run has opened; it stays open for its forks."""
        self._bounds: list[BoundPlan] = []
        """In these forks can begin: that of the current run, and those of changed flows that it went on with."""
        self._called: Called = nowhere
        """Finds the flows that the current run's flow calls."""
        self._path: str | None = None
        """The file of the current run's flow."""
        self._current: str | None = None
        self._running: asyncio.Task[None] | None = None
        self._listening: Listening | None = None
        self._listened: Called = nowhere
        """Finds the flows that the flow which listens calls."""
        self._listened_path: str | None = None
        self._revivals: set[str] = set()
        """The runs that were brought back from the history, where secrets are masked."""
        self._turns = asyncio.Lock()
        self._queued = 0
        """How many firings wait for their turn."""
        self._breakpoints: Sequence[Breakpoint] = ()
        """Those of the runs that triggers start."""
        self._muted = False
        self._pins: Mapping[str, Pin] = {}
        self._tidying = Tidying()
        self._handlers: dict[str, Callable[[Any], Awaitable[Json]]] = {
            "initialize": self._initialize,
            "evaluate": self._evaluate,
            "run": self._run,
            "listen": self._listen,
            "unlisten": self._unlisten,
            "stop": self._stop,
            "until": self._moves("until"),
            "back": self._moves("back"),
            "goto": self._moves("goto"),
            **{method: self._moves(method) for method in ("pause", "continue", "next", "into", "out")},
            "edit": self._edit,
            "breakpoints": self._set_breakpoints,
            "origin": self._origin,
            "ledger": self._ledger,
            "payload": self._payload,
            "value": self._value,
            "search": self._search,
            "diff": self._diff,
            "trace": self._trace,
            "open": self._open,
            **{
                method: self._archived(method)
                for method in ("runs", "history", "mark", "steps", "compare", "delete", "retain")
            },
        }

    async def handle(self, line: bytes) -> None:
        """Answers one request. Never raises: what goes wrong is the answer."""
        ident: int | str | None = None
        try:
            call = protocol.read_call(line)
            ident = call.id
            params = protocol.read_params(call)
            if self._payloads is None and call.method != "initialize":
                raise ProtocolError(
                    "the session is not initialized; call initialize first", code=protocol.NOT_INITIALIZED
                )
            answer: dict[str, Json] = {"result": await self._handlers[call.method](params)}
        except Exception as error:  # a fault of ours must reach the editor as an answer, not end the process
            answer = {"error": _told(error)}
            if ident is None and not isinstance(error, ProtocolError):
                return
        if ident is not None or "error" in answer:
            self._write({"jsonrpc": "2.0", "id": ident, **answer})

    async def close(self) -> None:
        """Ends what is under way."""
        self._tidying.stop()
        await self._unlisten(None)
        await self._break_off()
        if self._archive is not None:
            await self._archive.close()
        if self._payloads is not None:
            self._payloads.close()

    def notify(self, method: str, params: Mapping[str, Json]) -> None:
        """Tells the other end something that it did not ask for."""
        self._send(protocol.notification(method, params))

    def _write(self, message: Mapping[str, Json]) -> None:
        self._send(canonical(dict(message)) + b"\n")

    @property
    def payloads(self) -> PayloadStore:
        """The payloads of this session."""
        assert self._payloads is not None
        return self._payloads

    async def _initialize(self, params: protocol.Initialize) -> Json:
        if self._payloads is None:
            self._open_stores(params)
        return {
            "version": __version__,
            "protocol": 1,
            "pid": os.getpid(),
            "history": self._no_history or self._archive is not None,
        }

    def _open_stores(self, params: protocol.Initialize) -> None:
        """Opens the data directory; runs work without a history where that is damaged, or of a newer version."""
        own = cache_dir() / "sessions"
        if not params.data:
            self._payloads = PayloadStore.of_session(own)
            return
        payloads: PayloadStore | None = None
        try:
            payloads = PayloadStore(Path(params.data))
            history = RunStore(Path(params.data))
        except StoreError as error:
            if payloads is not None:
                payloads.close()
            self._payloads = PayloadStore.of_session(own)
            self._no_history = str(error)
            return
        self._payloads = payloads
        told = params.retain
        kept = Retention() if told is None else Retention.of(told.runs, told.days, told.megabytes)
        self._archive = Archive(history, payloads, self._send, self.notify, kept)

    async def _evaluate(self, params: protocol.Evaluate) -> Json:
        from flowstudio.expressions.language import VisitClock, compile_expression
        from flowstudio.expressions.text import compile_text

        payload = self._payload_of(params)
        names: dict[str, Json] = {"vars": params.vars, "meta": params.meta, "steps": params.steps}
        if bytes(params.trigger):
            names["trigger"] = parse(bytes(params.trigger))
        if params.at is not None:
            names.update(self._run_named(params.at.run).broadcast.names_at(params.at.visit))
            names["vars"] = params.vars
        clock = VisitClock(time.time(), time.time_ns())
        if params.text:
            text = compile_text(params.expression)
            value = text.value(payload, names, clock) if text.single else text.text(payload, names, clock)
        else:
            value = compile_expression(params.expression).evaluate(payload, names, clock)
        if value is MISSING:
            return {}
        if params.keep or len(canonical(value)) > protocol.LARGEST_PAYLOAD:
            return {"ref": self.payloads.put(value).to_json()}
        return {"value": value}

    def _payload_of(self, params: protocol.Evaluate) -> Json:
        if params.sample is not None:
            return self._stored(params.sample)
        if params.at is not None:
            return self._run_named(params.at.run).broadcast.input_of(params.at.visit)
        raw = bytes(params.payload)
        if len(raw) > protocol.LARGEST_PAYLOAD:
            raise ProtocolError("the payload is larger than 1 MB; name it by hash", code=protocol.INVALID_PARAMS)
        return parse(raw) if raw else MISSING

    def _stored(self, name: str) -> Json:
        try:
            return self.payloads.get(name)
        except KeyError:
            raise ProtocolError(f"there is no payload {name}", code=protocol.NOT_FOUND) from None

    async def _run(self, params: protocol.Run) -> Json:
        self._refuse_second_run()
        flow, path = _flow_of(params.flow, params.path)
        plan = self._compiled(flow, _called_by(path), params.to)
        if params.from_ is not None and params.from_ not in plan.index:
            raise InvalidInputError(Problem(f"there is no step {params.from_} to begin at", remedy="name a step's id"))
        meta: Mapping[str, Json] = params.meta
        again = None if params.again is None else self.archive.trigger_of(params.again, plan)
        trigger = params.from_ or _trigger_of(plan, params.trigger or again)
        if params.again is not None:
            payload, meta = self.archive.message_of(params.again)
        elif params.payload_file is not None:
            payload = read_payload(params.payload_file)
        elif bytes(params.payload):
            payload = parse(bytes(params.payload))
        else:
            payload = None if path is None else read_sample(path, trigger)
            payload = None if payload is ABSENT else payload
        await self._clear()
        launching = launched(
            plan, self._registry, variables=params.vars, logins=params.secrets, folder=_folder_of(path)
        )
        bound = await self._stage.enter_async_context(launching)
        self._bounds, self._called, self._path = [bound], _called_by(path), path
        self._breakpoints, self._muted = self._breakpoints_of(params.breakpoints), params.muted
        run = DebuggedRun(
            bound,
            trigger,
            Message(payload, meta),
            self.payloads,
            self.notify,
            breakpoints=self._breakpoints,
            muted=self._muted,
            pins={step: pin_of(step, pin) for step, pin in params.pins.items()},
            to=params.to,
        )
        return self._begin(run)

    def _compiled(self, flow: Flow, called: Called, to: str | None) -> Plan:
        """The plan of a flow; where it shall run to a step alone, what comes after that may be unfinished."""
        try:
            return compile_flow(flow, self._registry, called)
        except CompileError:
            if to is None or to not in flow.steps:
                raise
            return compile_flow(_before(flow, to), self._registry, called)

    def _begin(self, run: DebuggedRun) -> Json:
        self._keep(run)
        if self._archive is not None:
            run.record_in(self._archive.store, self._path)
            self._archive.store.hold(run.id)
        self._live = run
        # The answer that names the run goes out before the run's first notification: the task begins in a turn to come.
        self._running = asyncio.ensure_future(self._whole_run(run))
        return {"run": run.id}

    def _keep(self, run: DebuggedRun | RecordedRun) -> None:
        """Has a run at hand until many others came after it."""
        self._runs.pop(run.id, None)
        self._runs[run.id] = run
        self._current = run.id
        for old in list(self._runs)[:-_KEPT_RUNS]:
            del self._runs[old]
            if self._archive is not None:
                self._archive.store.let_go(old)

    async def _flush_now_and_then(self, run: DebuggedRun) -> None:
        while True:
            await asyncio.sleep(_FLUSHED_EVERY)
            run.flush()

    async def _whole_run(self, run: DebuggedRun) -> None:
        flushing = asyncio.ensure_future(self._flush_now_and_then(run))
        try:
            await run.run()
        except Exception as error:
            # A fault of ours ends this run, and whoever watches it has to be told; the session goes on.
            told = {"type": type(error).__name__, "message": f"the engine itself failed: {error}"}
            self.notify("finished", {"run": run.id, "status": "failed", "outputs": [], "error": told})
            raise
        finally:
            flushing.cancel()
            if self._live is run:
                self._live = None
            self._lay_down(run)
            self._tidying.soon()

    def _lay_down(self, run: DebuggedRun) -> None:
        """A run that is over, and large, is looked at in its record from now on."""
        if self._archive is None or not run.is_heavy or self._runs.get(run.id) is not run:
            return
        run.flush()
        if run.is_recorded and self._archive.store.is_whole(run.id):
            self._runs[run.id] = RecordedRun(self._archive.store, run.id, self.payloads, self.notify)

    async def _clear(self) -> None:
        """Closes what the run before had opened; it can be looked at, but no fork can begin in it any longer."""
        await self._stage.aclose()
        self._stage = contextlib.AsyncExitStack()
        self._bounds = []

    def _breakpoints_of(self, told: Sequence[protocol.Breakpoint]) -> list[Breakpoint]:
        return [breakpoint_of(each, number) for number, each in enumerate(told)]

    def _moves(self, method: str) -> Callable[[Any], Awaitable[Json]]:
        async def move(params: Any) -> Json:
            run = self._run_named(params.run)
            if isinstance(run, RecordedRun) and method == "continue":
                # Nobody counts what has passed already: each that fits is a hit.
                run.breakpoints.set([replace(each, hits=None) for each in self._breakpoints], self._muted)
            run.move(method, params)
            return {}

        return move

    async def _set_breakpoints(self, params: protocol.SetBreakpoints) -> Json:
        self._breakpoints, self._muted = self._breakpoints_of(params.set), params.muted
        if self._live is not None:
            self._live.debugger.breakpoints.set(self._breakpoints_of(params.set), params.muted)
        return {}

    async def _origin(self, params: protocol.Origin) -> Json:
        run = self._run_named(params.run)
        try:
            if isinstance(run, RecordedRun):
                run = await self._revived(run.id, params.visit)
            return {"hops": run.origin(params.visit, tuple(params.path), params.side)}
        except LookupError as error:
            raise ProtocolError(str(error), code=protocol.NOT_FOUND) from None

    async def _ledger(self, params: protocol.Ledger) -> Json:
        return {"effects": self._run_named(params.run).ledger()}

    async def _edit(self, params: protocol.Edit) -> Json:
        run = self._run_named(params.run)
        if isinstance(run, RecordedRun) or (run.bound not in self._bounds and self._live is None and self._archive):
            run, params = await self._brought_back(run, params)
        if params.answer is not None:
            run.answer(params.answer)
            return {"run": run.id}
        changed = bool(bytes(params.payload)) or params.path is not None
        value = parse(bytes(params.value or params.payload)) if changed else None
        standing = run.debugger.standing
        here = params.visit is None and standing is not None and standing.live and self._live is run
        if here and changed and params.flow is None:
            run.edit(params.path, value)
            return {"run": run.id}
        if run.bound not in self._bounds:
            raise InvalidInputError(
                Problem(
                    f"no fork can begin in run {run.id} any longer",
                    why="another run has taken its place, and what it had opened is closed",
                    remedy="run the flow again",
                )
            )
        bound = None if params.flow is None else self._rebound(run.bound, params.flow)
        fork = run.fork(params.visit, params.path, value, changed=changed, bound=bound)
        if run.id in self._revivals:
            refuse_masked(fork)
        await self._end_live()
        return self._begin(fork)

    async def _brought_back(
        self, run: DebuggedRun | RecordedRun, params: protocol.Edit
    ) -> tuple[DebuggedRun, protocol.Edit]:
        """A run of the history, and the edit, as if it had just ended here: a fork of it can begin."""
        self._refuse_second_run()
        visit = params.visit if params.visit is not None or not isinstance(run, RecordedRun) else run.visit
        if visit is None:
            raise InvalidInputError(Problem("a fork begins before a visit", remedy="name one, or go back to one"))
        revived = await self._revived(run.id, visit, params.given or protocol.Given())
        self._revivals.add(revived.id)
        return revived, msgspec.structs.replace(params, visit=visit, run=revived.id)

    async def _revived(self, run: str, visit: int, given: protocol.Given | None = None) -> DebuggedRun:
        """The run in which a visit was made, brought back; with what is `given` for its flow, or only to be looked at."""
        store = self.archive.store
        path = given.path if given is not None and given.path is not None else store.run(run)["path"]
        called = _called_by(path)
        made: dict[bytes, Plan] = {}

        def compiled(document: Mapping[str, Json]) -> Plan:
            key = canonical(dict(document))
            if key not in made:
                made[key] = compile_flow(flow_from_document(document), self._registry, called)
            return made[key]

        revival = Revival(store, self.payloads, self.notify, compiled)
        run = revival.run_with(run, visit)
        document = store.document(run)
        if document is None:
            raise InvalidInputError(Problem(f"the flow of run {run} was not recorded", remedy="run the flow again"))
        plan = compiled(document)
        variables = {
            name: value
            for name, value in {**store.given(run), **({} if given is None else given.vars)}.items()
            if name in plan.flow.variables
        }
        if given is None:
            bound = BoundPlan(plan, Values(variables, {}, None, None, _folder_of(path)), self._registry)
            return await asyncio.to_thread(revival.revived, run, bound)
        await self._clear()
        logins = {slot: login for slot, login in given.secrets.items() if slot in plan.flow.connections}
        launching = launched(plan, self._registry, variables=variables, logins=logins, folder=_folder_of(path))
        bound = await self._stage.enter_async_context(launching)
        self._bounds, self._called, self._path = [bound], called, path
        breakpoints = self._breakpoints_of(given.breakpoints)
        return await asyncio.to_thread(lambda: revival.revived(run, bound, breakpoints=breakpoints, muted=given.muted))

    def _rebound(self, bound: BoundPlan, document: Mapping[str, Json]) -> BoundPlan:
        """What a fork uses that goes on with a changed flow: open as long as what the run before has opened."""
        plan = compile_flow(flow_from_document(document), self._registry, self._called)
        changed = bound.rebound(plan)
        self._stage.push_async_callback(changed.close)
        self._bounds.append(changed)
        return changed

    async def _end_live(self) -> None:
        """Ends the run that stands still, because a fork of it goes on."""
        if self._live is not None and self._running is not None:
            self._live.debugger.stop()
            await asyncio.wait({self._running})

    def _refuse_second_run(self) -> None:
        if self._live is not None or (self._running is not None and not self._running.done()):
            raise ProtocolError(
                "a run is live; stop it or let it finish first", code=protocol.RUN_IS_LIVE, data={"run": self._current}
            )

    async def _listen(self, params: protocol.Listen) -> Json:
        flow, path = _flow_of(params.flow, params.path)
        plan = compile_flow(flow, self._registry, _called_by(path))
        await self._unlisten(None)
        listening = Listening(
            plan,
            self._registry,
            params.vars,
            params.secrets,
            notify=self.notify,
            fired=self._fired,
            once=params.once,
            folder=_folder_of(path),
        )
        found = await listening.start()
        self._listening, self._listened, self._listened_path = listening, _called_by(path), path
        self._breakpoints, self._muted = self._breakpoints_of(params.breakpoints), params.muted
        self._pins = {step: pin_of(step, pin) for step, pin in params.pins.items()}
        return found

    async def _fired(self, bound: BoundPlan, trigger: str, message: Message, skip: bool) -> Runner | None:
        """A trigger fired: its run waits until those before are through, or is left out."""
        if skip and (self._queued or self._live is not None):
            self.notify("skipped", {"step": trigger})
            return None
        self._queued += 1
        try:
            if self._queued > 1 or self._live is not None:
                self.notify("queued", {"count": self._queued})
            async with self._turns:
                while self._running is not None and not self._running.done():
                    await asyncio.wait({self._running})
                if self._listening is None or self._listening.bound is not bound:
                    return None
                return await self._begin_fired(bound, trigger, message)
        finally:
            self._queued -= 1

    async def _begin_fired(self, bound: BoundPlan, trigger: str, message: Message) -> Runner:
        if bound not in self._bounds:
            await self._clear()
            self._bounds, self._called, self._path = [bound], self._listened, self._listened_path
        run = DebuggedRun(
            bound,
            trigger,
            message,
            self.payloads,
            self.notify,
            breakpoints=self._breakpoints,
            muted=self._muted,
            pins=self._pins,
        )
        redacting = Redacting(bound.redactor)
        payload = redacting.payload(message.payload)
        told: dict[str, Json] = {"run": run.id, "step": trigger, "meta": dict(redacting.meta(message.meta))}
        if len(canonical(payload)) > protocol.LARGEST_PAYLOAD:
            told["ref"] = self.payloads.put(payload).to_json()
        else:
            told["payload"] = payload
        self.notify("fired", told)
        self._begin(run)
        return run.runner

    async def _unlisten(self, params: protocol.Unlisten | None) -> Json:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            await listening.stop()
            if listening.bound in self._bounds:
                # A run of it may be under way, and forks can begin in it until another run takes its place.
                self._stage.push_async_callback(listening.close)
            else:
                await listening.close()
        return {}

    async def _stop(self, params: protocol.Stop) -> Json:
        if self._live is not None and params.run in (None, self._live.id):
            self._live.debugger.stop()
        return {}

    async def _break_off(self) -> None:
        if self._live is not None:
            self._live.debugger.stop()
        if self._running is not None and not self._running.done():
            with contextlib.suppress(Exception):
                await self._running
        await self._clear()

    async def _payload(self, params: protocol.Payload) -> Json:
        return await self._looked_up(
            lambda: self.payloads.page(
                params.hash,
                tuple(params.path),
                offset=params.offset,
                limit=params.limit,
                view=params.view,
                filter=params.filter,
                sort=params.sort,
                within=_seconds(params.within),
                line_of=params.line_of,
            )
        )

    @property
    def archive(self) -> Archive:
        """The recorded runs; ProtocolError where the session keeps none."""
        if self._archive is None:
            raise ProtocolError(
                self._no_history or "this session keeps no history: it has no data directory; initialize it with one",
                code=protocol.NO_HISTORY,
            )
        return self._archive

    def _archived(self, method: str) -> Callable[[Any], Awaitable[Json]]:
        async def answer(params: Any) -> Json:
            archive = self.archive
            live = None if self._live is None else self._live.id
            if isinstance(params, protocol.Delete) and live in archive.store.families_of(params.runs):
                raise ProtocolError(f"run {live} is live; stop it first", code=protocol.RUN_IS_LIVE)
            handlers: dict[str, Callable[[Any], Awaitable[Json]]] = {
                "runs": archive.list,
                "history": archive.overview,
                "mark": archive.mark,
                "steps": archive.steps,
                "compare": archive.compare,
                "delete": archive.delete,
                "retain": archive.retain,
            }
            return await handlers[method](params)

        return answer

    async def _open(self, params: protocol.Open) -> Json:
        if self._live is not None and self._live.id == params.run:
            raise ProtocolError(f"run {params.run} is live; it is on show already", code=protocol.RUN_IS_LIVE)
        run, told = await self.archive.open(params)
        current = self._current
        self._keep(run)
        if self._live is not None:
            self._current = current  # what moves without a name is the live one
        return told

    async def _value(self, params: protocol.Value) -> Json:
        def piece() -> Json:
            pieces = self.payloads.pieces(params.hash, params.path)
            text, last = pieces.piece(params.offset)
            return {"text": text, "json": pieces.is_json, "last": last, "size": pieces.size}

        return await self._looked_up(piece)

    async def _search(self, params: protocol.Search) -> Json:
        def found() -> Json:
            places = self.payloads.found(params.hash, params.text)
            within = _seconds(params.within)
            places.grow(within, None)
            share = {} if places.complete else {"share": places.share}
            hits = places.paths(params.offset, params.limit)
            looks = {"looks": [self.payloads.glimpse(params.hash, path) for path in hits]} if params.look else {}
            return {"total": len(places), "hits": hits, **looks, **share}

        return await self._looked_up(found)

    async def _diff(self, params: protocol.Diff) -> Json:
        def compared() -> Json:
            differing = self.payloads.differing(params.a, params.b, params.path)
            within = _seconds(params.within)
            differing.grow(within, None)
            share = {} if differing.complete else {"share": differing.share}
            counts = {op: differing.counts[op] for op in ("added", "changed", "removed")}
            items = differing.items(params.offset, params.limit)
            return {**counts, "items": [{**item, "path": [*params.path, *item["path"]]} for item in items], **share}

        return await self._looked_up(compared)

    async def _looked_up(self, work: Callable[[], Json]) -> Json:
        """Looks into payloads in a thread: `stop` must not wait for it."""
        begun = time.perf_counter()
        try:
            return await asyncio.to_thread(work)
        except KeyError as error:
            raise ProtocolError(f"there is nothing at {error}", code=protocol.NOT_FOUND) from None
        finally:
            if time.perf_counter() - begun > _MUCH_WORK:
                self._tidying.soon()

    async def _trace(self, params: protocol.Trace) -> Json:
        return self._run_named(params.run).broadcast.trace(params.offset, params.limit)

    def _run_named(self, run: str | None) -> DebuggedRun | RecordedRun:
        found = self._runs.get(run or self._current or "")
        if found is None and run and self._archive is not None:
            # Another process may have made it, or this one long ago.
            found = self._archive.found(run)
        if found is None:
            raise ProtocolError(f"there is no run {run or ''}".rstrip(), code=protocol.NOT_FOUND)
        return found


def _seconds(within: int | None) -> float | None:
    return None if within is None else within / 1000


def _flow_of(given: Mapping[str, Json] | str, path: str | None) -> tuple[Flow, str | None]:
    if isinstance(given, str):
        return read_flow(given, arranged=False).flow, given
    return flow_from_document(given, path), path


def _before(flow: Flow, step: str) -> Flow:
    """The part of a flow that leads to a step."""
    leading = {step}
    while True:
        more = {wire.source for wire in flow.wires if wire.target in leading} - leading
        if not more:
            break
        leading |= more
    return replace(
        flow,
        steps={name: made for name, made in flow.steps.items() if name in leading},
        wires=tuple(wire for wire in flow.wires if wire.source in leading and wire.target in leading),
    )


def _called_by(path: str | None) -> Called:
    return nowhere if path is None else beside(Path(path))


def _folder_of(path: str | None) -> Path | None:
    return None if path is None else Path(path).parent


def _trigger_of(plan: Plan, named: str | None) -> str:
    try:
        return starting_step(plan, named)
    except InvalidInputError as error:
        raise CompileError(error.problems) from None


def _told(error: Exception) -> dict[str, Json]:
    """An error as JSON-RPC answers it."""
    if isinstance(error, ProtocolError):
        told: dict[str, Json] = {"code": error.code, "message": error.message}
        if error.data is not None:
            told["data"] = error.data
        return told
    if isinstance(error, InvalidInputError):
        problems = [problem.to_json() for problem in error.problems]
        return {"code": protocol.FLOW_HAS_PROBLEMS, "message": "the flow may not run", "data": {"problems": problems}}
    if isinstance(error, ExpressionError):
        data = {"code": error.code, "message": error.message, "position": error.position, "remedy": error.remedy}
        return {"code": protocol.EXPRESSION_FAILED, "message": error.message, "data": data}
    if isinstance(error, StepError):
        problem = Problem(error.message)
        return {
            "code": protocol.FLOW_HAS_PROBLEMS,
            "message": error.message,
            "data": {"problems": [problem.to_json()]},
        }
    if isinstance(error, FlowStudioError):
        return {"code": protocol.INTERNAL_ERROR, "message": str(error)}
    return {"code": protocol.INTERNAL_ERROR, "message": f"{type(error).__name__}: {error}"}


async def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answers requests from `stdin` on `stdout` until the end of input."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        # A thread, because standard input may be a file, a pipe or a terminal, and not all of them can be polled.
        for line in stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    def send(message: bytes) -> None:
        stdout.write(message)
        stdout.flush()

    threading.Thread(target=read, daemon=True).start()
    session = Session(Registry.from_entry_points(), send)
    answering: set[asyncio.Task[None]] = set()
    try:
        while line := await lines.get():
            if not line.strip():
                continue
            # Each in a task of its own: a slow answer must not keep `stop` waiting. They start in order.
            task = asyncio.ensure_future(session.handle(line))
            answering.add(task)
            task.add_done_callback(answering.discard)
    except BrokenPipeError:
        pass  # nobody listens any more, which ends a session as the end of input does
    finally:
        await session.close()


def main() -> int:
    """`flowstudio session`: standard output belongs to the protocol alone."""
    stdout = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.stdin.buffer, stdout))
    return 0
