"""What a session answers about recorded runs: lists them, looks through their payloads, compares and forgets them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from flowstudio.errors import InvalidInputError, Problem, ProtocolError, StoreError
from flowstudio.plan.plan import Plan
from flowstudio.runtime import protocol
from flowstudio.runtime.recorded import RecordedRun
from flowstudio.stores.aligned import aligned
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.retention import Retention, Swept, sweep
from flowstudio.stores.run_search import RunsHolding
from flowstudio.stores.runs import RunStore, Sought
from flowstudio.trace.payloads import canonical
from flowstudio.trace.redact import MASK

Json = Any

_FIRST_AFTER: Final = 15.0
"""Seconds after its start that a session sweeps for the first time: what somebody waits for comes first."""
_EVERY: Final = 600.0
_TOLD_AT_ONCE: Final = 250
"""Visits that are told in one turn: `stop` must not wait for 20,000 of them."""


class Archive:
    """The history of a data directory in the hands of one session."""

    def __init__(
        self,
        history: RunStore,
        payloads: PayloadStore,
        send: Callable[[bytes], None],
        notify: Callable[[str, Mapping[str, Json]], None],
        retention: Retention,
    ) -> None:
        self.store = history
        self._payloads = payloads
        self._send = send
        self._notify = notify
        self._retention = retention
        self._others: dict[str, RunStore] = {}
        self._found: RecordedRun | None = None
        """The run that was named last without having been opened here."""
        self._search: tuple[Sought, str, RunsHolding] | None = None
        self._aligned: tuple[str, str, list[dict[str, Json]]] | None = None
        self._sweeping = asyncio.ensure_future(self._sweep_now_and_then())
        self._telling: set[asyncio.Task[None]] = set()
        self._one_sweep = asyncio.Lock()

    async def close(self) -> None:
        """Ends what is under way; a sweep comes to its end."""
        for task in (self._sweeping, *self._telling):
            task.cancel()
        async with self._one_sweep:
            for store in (self.store, *self._others.values()):
                store.close()

    async def list(self, params: protocol.Runs) -> Json:
        """A page of the runs."""
        sought = Sought(params.find, params.status, params.flow, params.since, params.before)
        if params.value:
            return await asyncio.to_thread(self._look_through, sought, params)
        return self.store.runs(
            params.find,
            params.status,
            params.offset,
            params.limit,
            flow=params.flow,
            since=params.since,
            before=params.before,
        )

    async def overview(self, params: protocol.History) -> Json:
        """What there is, and how much room it takes."""
        kept = self._retention
        return {
            "flows": self.store.flows(),
            "bytes": self.store.size() + self._payloads.size(),
            "retention": {"runs": kept.runs, "days": kept.seconds / 86_400, "megabytes": kept.bytes / 1_000_000},
        }

    async def open(self, params: protocol.Open) -> tuple[RecordedRun, Json]:
        """A run that is told again; it lies in the history of this session, or in another one's data directory."""
        elsewhere = params.data is not None and not self._is_own(params.data)
        store = self._other(str(params.data)) if elsewhere else self.store
        try:
            run = await asyncio.to_thread(RecordedRun, store, params.run, self._payloads, self._notify)
            document = store.document(params.run)
            lines = store.log_of(params.run)
        except KeyError:
            raise ProtocolError(f"there is no run {params.run} in the history", code=protocol.NOT_FOUND) from None
        store.hold(params.run)
        task = asyncio.ensure_future(self._tell_again(run, lines, together=params.together))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return run, {**run.told, "document": document, "whole": not elsewhere and self.store.is_whole(params.run)}

    def found(self, run: str) -> RecordedRun | None:
        """A run of the history, to be moved in without being told again; None where there is none."""
        known = self._found
        if known is None or known.id != run:
            try:
                known = RecordedRun(self.store, run, self._payloads, self._notify)
            except KeyError:
                return None
            self.store.hold(run)
            if self._found is not None:
                self.store.let_go(self._found.id)
            self._found = known
        return known

    def _other(self, folder: str) -> RunStore:
        """The history of another data directory; it stays open, because runs in it are read as they are looked at."""
        known = self._others.get(folder)
        if known is None:
            known = self._others[folder] = RunStore(Path(folder))
        return known

    def trigger_of(self, run: str, plan: Plan) -> str | None:
        """The trigger that began a recorded run, where a flow still has it."""
        trigger = str(self._recorded(run)["trigger"])
        return trigger if any(step.id == trigger for step in plan.triggers) else None

    def message_of(self, run: str) -> tuple[Json, Mapping[str, Json]]:
        """What began a recorded run; InvalidInputError where secrets in it were masked, or it is no longer kept."""
        name = self._recorded(run)["payload"]
        why = "it was not kept"
        try:
            payload = None if name is None else self._payloads.get(name)
        except KeyError:
            name = None
        if name is not None:
            if MASK.encode() not in canonical(payload):
                first = next(iter(self.store.events(run)), {})
                return payload, dict(first.get("meta") or {})
            why = "secret values in it were masked in the record"
        remedy = "use it as a sample, enter what is missing, and run the flow"
        raise InvalidInputError(Problem("the flow cannot be run again with the same input", why, remedy))

    def _recorded(self, run: str) -> dict[str, Json]:
        try:
            return self.store.run(run)
        except KeyError:
            raise ProtocolError(f"there is no run {run} in the history", code=protocol.NOT_FOUND) from None

    async def mark(self, params: protocol.Mark) -> Json:
        """Keeps runs, or names them anew."""
        return {"changed": self.store.mark(params.runs, kept=params.kept, label=params.label)}

    async def steps(self, params: protocol.Steps) -> Json:
        """How the steps of a run fared."""
        self._recorded(params.run)
        document = self.store.document(params.run) or {}
        visits = await asyncio.to_thread(self.store.course, params.run)
        return {"whole": self.store.is_whole(params.run), "steps": _by_step(visits, document.get("steps") or {})}

    async def delete(self, params: protocol.Delete) -> Json:
        """Forgets runs and their forks."""
        if params.ask:
            return {"runs": self.store.families_of(params.runs)}
        deleted = await asyncio.to_thread(self.store.delete, params.runs)
        self._search = self._aligned = None
        await self.sweep()
        return {"deleted": deleted}

    async def compare(self, params: protocol.Compare) -> Json:
        """Two runs, visit by visit."""
        if self._aligned is None or self._aligned[:2] != (params.a, params.b) or not params.offset:
            try:
                found = await asyncio.to_thread(aligned, self.store, params.a, params.b)
            except KeyError as error:
                raise ProtocolError(f"there is no run {error} in the history", code=protocol.NOT_FOUND) from None
            self._aligned = (params.a, params.b, found)
        every = self._aligned[2]
        shown = [each for each in every if each["differs"]] if params.differing else every
        some = shown[max(0, params.offset) : max(0, params.offset) + max(0, params.limit)]
        return {"total": len(shown), "visits": len(every), "differing": _differing(every), "items": some}

    async def retain(self, params: protocol.Retain) -> Json:
        """Keeps so much from now on, and forgets what is beyond it."""
        self._retention = Retention.of(params.runs, params.days, params.megabytes)
        swept = await self.sweep()
        return {"forgotten": swept.runs, "freed": swept.bytes}

    async def sweep(self) -> Swept:
        """Forgets what is beyond what is kept."""
        async with self._one_sweep:
            swept = await asyncio.shield(asyncio.to_thread(sweep, self.store, self._payloads, self._retention))
        if swept.runs:
            self._notify("swept", {"runs": swept.runs, "bytes": swept.bytes})
        return swept

    def _is_own(self, folder: str) -> bool:
        return os.path.realpath(folder) == os.path.realpath(self._payloads.folder)

    def _look_through(self, sought: Sought, params: protocol.Runs) -> Json:
        bare = Sought("", sought.status, sought.flow, sought.since, sought.before)
        search = self._search
        if search is None or search[:2] != (bare, params.find) or (search[2].complete and not params.offset):
            search = self._search = (bare, params.find, RunsHolding(self.store, self._payloads, bare, params.find))
        holding = search[2]
        holding.grow(None if params.within is None else params.within / 1000, None)
        page = holding.page(params.offset, params.limit)
        there = self.store.told([run for run, _ in page])  # one may have been deleted since it was found
        runs = [{**there[run], "found": place} for run, place in page if run in there]
        told: dict[str, Json] = {"total": len(holding), "runs": runs}
        if not holding.complete:
            told |= {"share": holding.share, "looked_at": holding.looked_at, "of": holding.total}
        return told

    async def _tell_again(self, run: RecordedRun, lines: Sequence[Mapping[str, Json]], *, together: bool) -> None:
        # The answer goes out first: this begins in a turn to come.
        visits = run.visits_told()
        while some := list(islice(visits, _TOLD_AT_ONCE)):
            if together:
                head = b'{"jsonrpc":"2.0","method":"visits","params":{"run":' + canonical(run.id) + b',"visits":['
                self._send(head + b",".join(some) + b"]}}\n")
            else:
                head = b'{"jsonrpc":"2.0","method":"visit","params":'
                self._send(b"".join(head + visit + b"}\n" for visit in some))
            await asyncio.sleep(0)
        if run.told["left_out"]:
            self._notify("left_out", {"run": run.id, "steps": run.told["left_out"], "logged": 0, "effected": 0})
        for line in lines:
            self._notify("log", line)
        run.tell_end()

    async def _sweep_now_and_then(self) -> None:
        await asyncio.sleep(_FIRST_AFTER)
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                self._notify("history_failed", {"message": str(error)})
            await asyncio.sleep(_EVERY)


def _by_step(visits: Sequence[Mapping[str, Json]], made: Mapping[str, Json]) -> list[dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for visit in visits:
        step = str(visit["step"])
        told = found.setdefault(
            step,
            {"step": step, "title": (made.get(step) or {}).get("name"), "visits": 0, "failed": 0, "duration_ms": 0.0},
        )
        told["component"] = (made.get(step) or {}).get("component")
        told["visits"] += 1
        told["failed"] += visit["status"] == "failed"
        told["duration_ms"] += float(visit.get("duration_ms") or 0.0)
        told["last"] = visit
    return list(found.values())


def _differing(every: Sequence[Mapping[str, Json]]) -> int:
    return sum(bool(each["differs"]) for each in every)


__all__ = ["Archive"]
