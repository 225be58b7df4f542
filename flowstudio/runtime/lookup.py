"""Looks into runs of a host: a run of the journal is put into the history once, and read from there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.errors import InvalidInputError, Problem
from flowstudio.flow.called import among
from flowstudio.flow.files import flow_from_document
from flowstudio.plan.compile import compile_flow
from flowstudio.runtime.fleet import Fleet
from flowstudio.runtime.journaling import Seal, events_of
from flowstudio.runtime.reopening import RecordedState, reopen
from flowstudio.sdk.registry import Registry
from flowstudio.stores.host_runs import HostRuns
from flowstudio.stores.journal import HostedRun
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunStore
from flowstudio.trace.canonical import canonical

Json = Any

_HASH: Final = re.compile("[0-9a-f]{64}")


class Lookup:
    """The runs of a data directory's journal as a person sees them: every visit with its payloads, secrets masked."""

    def __init__(self, folder: Path, fleet: Fleet, seal: Seal, registry: Registry) -> None:
        self._fleet = fleet
        self._seal = seal
        self._registry = registry
        self._runs = HostRuns(folder)
        self._history = RunStore(folder)
        self._payloads = PayloadStore(folder)
        self._one = asyncio.Lock()

    def close(self) -> None:
        """Ends the use of the stores."""
        self._runs.close()
        self._history.close()
        self._payloads.close()

    async def show(self, run: HostedRun) -> None:
        """Puts a run into the history, as far as it came until now; InvalidInputError where its events are gone."""
        async with self._one:
            if self._is_there(run):
                return
            records = self._runs.records(run.run)
            document = self._runs.flow(run.flow)
            if not records or document is None:
                why = "of a run that ended well nothing is kept but that it did" if run.status == "succeeded" else ""
                raise InvalidInputError(Problem(f"what happened in run {run.run} is not kept", why))
            memory = RecordedState()
            bound = self._bound(run, document, memory)
            try:
                events = [event for _, event in events_of(records, self._seal, self._registry)]
                await reopen(run, events, bound, memory, self._history, self._payloads)
            finally:
                await bound.close()

    async def trace(self, run: HostedRun) -> list[dict[str, Json]]:
        """The events of a run, payloads by their hashes."""
        await self.show(run)
        return await asyncio.to_thread(lambda: list(self._history.events(run.run)))

    def payload(self, name: str) -> bytes:
        """The bytes of a payload; LookupError where there is none."""
        try:
            if _HASH.fullmatch(name):
                return canonical(self._payloads.get(name))
        except KeyError:
            pass
        raise LookupError(f"there is no payload {name}")

    def _is_there(self, run: HostedRun) -> bool:
        try:
            told = self._history.run(run.run)
        except KeyError:
            return False
        # One that went on since then is computed anew.
        return bool(told["status"] == run.status and told["visits"] == run.visits)

    def _bound(self, run: HostedRun, document: Json, memory: RecordedState) -> BoundPlan:
        flow = flow_from_document(document["flow"])
        flows = {name: flow_from_document(told) for name, told in document["flows"].items()}
        plan = compile_flow(flow, self._registry, among(flows))
        deployed = self._fleet.catalogue.instance(run.customer, run.template)
        if deployed is None:
            raise InvalidInputError(
                Problem(
                    f"run {run.run} cannot be opened",
                    f"the instance {run.instance} was removed, and with it the values of its variables",
                    "deploy it again",
                )
            )
        given = self._fleet.bound(deployed)
        values = {name: value for name, value in given.values.items() if name in flow.variables}
        logins = {slot: login for slot, login in given.connections.items() if slot in flow.connections}
        instance = {"id": deployed.id, "version": run.version, "webhooks": {}}
        return BoundPlan(plan, Values(values, logins, given.customer, instance, None, memory), self._registry)


__all__ = ["Lookup"]
