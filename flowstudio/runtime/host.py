"""The host: keeps the instances of a data directory alive, takes their messages in, and sees their runs to the end.

A message is answered once the journal has it; what led to an effect is in the journal before the effect; so after a crash
every run that was under way goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, Runner, new_run_id
from flowstudio.errors import BindError, FlowStudioError, InvalidInputError, Problem, StoreError
from flowstudio.expressions.language import VisitClock
from flowstudio.flow.called import among
from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import Flow
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.runtime.answers import Awaited, answer_of, awaited, json_answer, login_for, replied, waits
from flowstudio.runtime.fleet import Fleet, Name
from flowstudio.runtime.history import label_of
from flowstudio.runtime.hosted import Hosted, Started
from flowstudio.runtime.journaling import JournalMemory, RunJournal, Seal
from flowstudio.runtime.webserver import Incoming, Outgoing
from flowstudio.sdk.message import Message
from flowstudio.sdk.outcome import Reply
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.trigger import Delivery
from flowstudio.stores.catalogue import Deployed
from flowstudio.stores.host_runs import HostRuns
from flowstudio.stores.journal import HostedRun, Journal, JournalBusyError, Key
from flowstudio.stores.locks import FileLock
from flowstudio.stores.secrets import data_key
from flowstudio.trace.payloads import content_hash

Json = Any

_log = logging.getLogger(__name__)

LOCK: Final = "host.lock"
MOST_RUNS: Final = 20_000
"""So many runs may be under way at once; what comes then is asked to come again."""
_RETRY_SECONDS: Final = "5"
_PAUSED_SECONDS: Final = "60"


class Host:
    """The instances of one data directory, and their runs. `open()` before all else, `close()` at the end.

    InvalidInputError when another host has the directory, SecretStoreError when there is no key for what is secret in
    running messages.
    """

    def __init__(
        self,
        folder: Path,
        registry: Registry,
        environ: Mapping[str, str] = os.environ,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.registry = registry
        self.now = now
        self._environ = environ
        self._lock = FileLock(folder / LOCK)
        self._plans: dict[str, Plan] = {}
        self._documents: dict[str, dict[str, Json]] = {}
        self._versions: dict[str, str] = {}
        self._memories: dict[Name, JournalMemory] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.under_way: dict[str, asyncio.Task[None]] = {}
        """The runs that move now, by id."""
        self._draining = False
        self.counted: Counter[tuple[str, ...]] = Counter()
        """What happened so far: `("message", HOW)`, `("run", STATUS)`."""
        self.deployed: dict[Name, Deployed] = {}
        """All that is in the catalogue."""
        self.instances: dict[Name, Hosted] = {}
        """Those that may run now."""
        self.resting: dict[Name, str] = {}
        """Why the others may not: paused, or what they need."""
        self.base_url = ""
        """Where its webhooks are reached."""

    async def open(self) -> None:
        """Takes the directory, and reads what is deployed."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be used ({error.strerror}); check its permissions, or give another data directory"
            ) from None
        if not self._lock.take():
            raise InvalidInputError(
                Problem(
                    f"another host serves {self.folder}",
                    "one data directory has one host",
                    "end that one, or give another directory with --data",
                )
            )
        try:
            key, _ = data_key(self.folder, self._environ)
            self.seal = Seal(key)
            self.fleet = Fleet(self.folder, self.registry, self._environ)
            self.journal = Journal(self.folder, told=self._troubled)
            self.runs = HostRuns(self.folder)
        except BaseException:
            self._lock.release()
            raise
        self._seen = -1
        self._set_up = self.runs.setups()
        await self.refresh()

    async def close(self, grace: float = 0.0) -> None:
        """Begins no more runs, lets those under way end for `grace` seconds; the others go on when a host comes again."""
        self._draining = True
        tasks = set(self.under_way.values())
        if tasks and grace:
            _, tasks = await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for hosted in self.instances.values():
            await hosted.retire()
        await self.journal.close()
        self.runs.close()
        self.fleet.close()
        self._lock.release()

    # What is deployed.

    async def refresh(self, *, anyway: bool = False) -> bool:
        """Looks whether what is deployed has changed, and takes it up; `anyway` also where no other process did it."""
        seen = self.fleet.catalogue.seen
        if seen == self._seen and not anyway:
            return False
        self._seen = seen
        now = {(each.customer, each.template): each for each in self.fleet.catalogue.instances()}
        gone = self.deployed.keys() - now.keys()
        changed = {name for name, each in now.items() if self.deployed.get(name) != each}
        known, self.deployed = self.deployed, now
        for name in gone | changed:
            hosted = self.instances.pop(name, None)
            self.resting.pop(name, None)
            if hosted is not None:
                if name in gone and (removed := hosted.placed("removed")) is not None:
                    self.fire(hosted, removed, self.now())
                await hosted.retire()
        if gone:
            self.journal.forget(gone)
            for name in gone:
                self._memories.pop(name, None)
                self._set_up.pop(name, None)
        for name in changed:
            if name in known and self._set_up.get(name) is not None:
                del self._set_up[name]  # something about it was changed: it is tried again
            self._take_up(name, now[name])
        return bool(gone or changed)

    def _take_up(self, name: Name, deployed: Deployed) -> None:
        if deployed.paused:
            self.resting[name] = "it is paused"
            return
        try:
            hosted = self.hosted(deployed)
        except FlowStudioError as error:
            self.resting[name] = str(error)
            _log.warning("%s does not run: %s", deployed.id, error)
            return
        placed = hosted.placed("deployed")
        if placed is not None and self._set_up.get(name) is not None:
            self.resting[name] = "its setup failed"
            return
        self.instances[name] = hosted
        if placed is not None and name not in self._set_up:
            self._set_up[name] = None
            self.fire(hosted, placed, self.now())

    def hosted(self, deployed: Deployed, document: Mapping[str, Json] | None = None) -> Hosted:
        """An instance ready to run, on its own flow or on that of a document of the journal."""
        bound = self.fleet.bound(deployed)
        if document is None:
            if bound.needs:
                needs = ", ".join(str(need) for need in bound.needs)
                raise BindError(
                    Problem(f"{deployed.id} needs {needs}", remedy="give it with deploy, or in the setup form")
                )
            key = f"{deployed.template}@{deployed.version}" if not deployed.overrides else ""
            plan, name = self._plan(bound.flow, bound.flows, key)
        else:
            flows = {each: flow_from_document(told) for each, told in document["flows"].items()}
            plan, name = self._plan(flow_from_document(document["flow"]), flows)
        logins = {slot: login for slot, login in bound.connections.items() if slot in plan.flow.connections}
        values = {each: value for each, value in bound.values.items() if each in plan.flow.variables}
        place = deployed.customer, deployed.template
        if place not in self._memories:
            self._memories[place] = JournalMemory(self.journal, self.seal, *place)
        memory = self._memories[place]
        instance = {
            "id": deployed.id,
            "version": deployed.version,
            "webhooks": _addresses(plan, f"{self.base_url}/in/{deployed.id}"),
        }
        folder = self.folder / "files" / deployed.customer / deployed.template
        ready = BoundPlan(plan, Values(values, logins, bound.customer, instance, folder, memory), self.registry)
        memory.may_hold = ready.redactor.may_hold
        return Hosted(deployed, ready, logins, name)

    def _plan(self, flow: Flow, flows: Mapping[str, Flow], version: str = "") -> tuple[Plan, str]:
        """The plan of a flow with those that it calls, and the hash of them all; `version` names those of a template."""
        known = self._versions.get(version, "")
        if known:
            return self._plans[known], known
        called = {name: each.to_document() for name, each in flows.items()}
        document = {"flow": flow.to_document(), "flows": called}
        name = content_hash(document)
        if name not in self._plans:
            self._plans[name] = compile_flow(flow, self.registry, among(flows))
            self._documents[name] = document
        if version:
            self._versions[version] = name
        return self._plans[name], name

    # Messages.

    async def webhook(self, incoming: Incoming) -> Outgoing:
        """Answers a request below `/in/`."""
        found = self._addressed(incoming.path)
        if found is None or "%2f" in incoming.target.lower().partition("?")[0]:
            return _nobody()
        name, path = found
        hosted = self.instances.get(name)
        if hosted is None:
            if name not in self.resting:
                return _nobody()
            self.counted["message", "resting"] += 1
            return json_answer(503, {"error": "this instance rests"}, {"retry-after": _PAUSED_SECONDS})
        started = hosted.routes.get(path)
        if started is None:
            return _nobody()
        message = started.accept(
            Delivery(
                method=incoming.method,
                path=path,
                query=incoming.query,
                headers=incoming.headers,
                body=incoming.body,
                login=login_for(started.config, hosted.logins),
                at=self.now(),
            )
        )
        if isinstance(message, Reply):
            self.counted["message", "refused"] += 1
            return replied(message.status, message.headers, message.body)
        return await self._taken(hosted, started, message, incoming)

    def body_limit(self, path: str) -> int | None:
        """How large a body may be at an address below `/in/`; None where it is nobody's."""
        found = self._addressed(path)
        hosted = None if found is None else self.instances.get(found[0])
        started = None if hosted is None or found is None else hosted.routes.get(found[1])
        return None if started is None else getattr(started.source, "max_bytes", None)

    async def _taken(self, hosted: Hosted, started: Started, message: Message, incoming: Incoming) -> Outgoing:
        if self._draining or len(self.under_way) >= MOST_RUNS or self.journal.trouble is not None:
            self.counted["message", "put off"] += 1
            return _later("the host is being stopped" if self._draining else "the host cannot take more just now")
        run = new_run_id()
        key = self._key(hosted, started, message, incoming)
        if key is not None:
            try:
                before = self.journal.reserve(key, run)
            except JournalBusyError:
                return _later("the same message is being taken in just now")
            if before is not None:
                self.counted["message", "repeated"] += 1
                return json_answer(202, {"run": before})
        reply: Awaited | None = None

        def beginning() -> None:
            if key is not None:
                self.journal.came(key, run, self.now())

        runner, journal = self._runner(hosted, started.step.id, message, run, beginning)
        if waits(hosted.bound.plan, started.step):
            reply = awaited(runner)
        self.drive(hosted, runner, journal)
        try:
            await journal.begun
        except StoreError as error:
            self.counted["message", "put off"] += 1
            _log.error("A message for %s was not taken: %s", hosted.id, error)
            return _later("the host cannot take more just now")
        self.counted["message", "taken"] += 1
        return json_answer(202, {"run": run}) if reply is None else await answer_of(runner, reply)

    def _key(self, hosted: Hosted, started: Started, message: Message, incoming: Incoming) -> Key | None:
        """What tells a message from others, where its trigger says so."""
        delivery = Delivery(incoming.method, incoming.path, incoming.query, incoming.headers, incoming.body)
        bound, at = hosted.bound, self.now()
        names = {**bound.names, "meta": message.meta, "trigger": message.payload}
        config = bound.configs[started.step.index].evaluate(message.payload, names, VisitClock(at, 0))
        key = started.trigger.key_of(config, delivery)
        if key is None:
            return None
        return hosted.deployed.customer, hosted.deployed.template, f"{started.step.id}:{key}"

    def fire(self, hosted: Hosted, started: Started, moment: float) -> asyncio.Task[None] | None:
        """Starts the run of a moment of a schedule; None where the trigger takes no such delivery."""
        message = started.accept(Delivery(at=moment))
        if isinstance(message, Reply) or self._draining:
            return None
        place = hosted.deployed.customer, hosted.deployed.template, started.step.id
        runner, journal = self._runner(
            hosted, started.step.id, message, new_run_id(), lambda: self.journal.fired(*place, moment)
        )
        journal.begun.add_done_callback(lambda begun: self._fired(hosted, begun))
        return self.drive(hosted, runner, journal)

    def _fired(self, hosted: Hosted, begun: asyncio.Future[None]) -> None:
        if not begun.cancelled() and begun.exception() is not None:
            _log.error("A schedule of %s was not begun: %s", hosted.id, begun.exception())

    def _runner(
        self, hosted: Hosted, trigger: str, message: Message, run: str, beginning: Callable[[], object]
    ) -> tuple[Runner, RunJournal]:
        deployed, at = hosted.deployed, self.now()

        def noted() -> None:
            self.journal.flow(hosted.flow, self._documents[hosted.flow])
            beginning()

        shown = hosted.bound.redactor.payload(message.payload) if hosted.bound.plan.flow.label else None
        hosted_run = HostedRun(
            run,
            deployed.customer,
            deployed.template,
            deployed.version,
            hosted.flow,
            trigger,
            label_of(hosted.bound, shown, at),
            at,
        )
        journal = RunJournal(self.journal, hosted.bound, self.seal, hosted_run, beginning=noted)
        return Runner(hosted.bound, trigger, message, run=run, journal=journal, now=self.now), journal

    def drive(self, hosted: Hosted, runner: Runner, journal: RunJournal) -> asyncio.Task[None]:
        """Lets a run go its way; the task ends with it."""
        hosted.began(runner)
        task = asyncio.ensure_future(self._driven(hosted, runner, journal))
        self.under_way[runner.id] = task
        task.add_done_callback(lambda done: self.under_way.pop(runner.id, None))
        return task

    async def _driven(self, hosted: Hosted, runner: Runner, journal: RunJournal) -> None:
        try:
            result = await runner.run()
        except StoreError as error:
            journal.failed(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a fault of ours: whoever waits must not wait for ever
            _log.exception("Run %s of %s broke off", runner.id, hosted.id)
            journal.failed(StoreError(f"the run broke off ({type(error).__name__})"))
        else:
            self._told(hosted, runner.trigger, result)
        finally:
            self.journal.dismiss(runner.id)
            await hosted.ended(runner)

    def _told(self, hosted: Hosted, trigger: str, result: Result) -> None:
        self.counted["run", result.status] += 1
        error = result.error
        placed = hosted.placed("deployed")
        if placed is not None and placed.step.id == trigger:
            self._was_set_up(hosted.deployed, result)
        if result.status == "failed" and error is not None:
            _log.warning("%s: run %s failed at %s: %s", hosted.id, result.run, error.step, error.message)

    def _was_set_up(self, deployed: Deployed, result: Result) -> None:
        """The run has ended that an instance needs before it is ready."""
        name = deployed.customer, deployed.template
        if self.deployed.get(name) is None:
            return
        error = None if result.error is None else {"message": result.error.message, "step": result.error.step}
        self.journal.setup(*name, result.run, error)
        self._set_up[name] = error
        if error is not None:
            hosted = self.instances.pop(name, None)
            self.resting[name] = "its setup failed"
            if hosted is not None:
                task = asyncio.ensure_future(hosted.retire())
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
        elif name not in self.instances:
            self.resting.pop(name, None)
            self._take_up(name, self.deployed[name])

    def _addressed(self, path: str) -> tuple[Name, str] | None:
        parts = path.split("/", 4)
        if len(parts) < 5 or parts[1] != "in":
            return None
        return (parts[2], parts[3]), "/" + parts[4].strip("/")

    def _troubled(self, trouble: StoreError | None) -> None:
        if trouble is None:
            _log.warning("The journal can be written again")
        else:
            _log.error("Nothing is taken in: %s", trouble)


def _addresses(plan: Plan, base: str) -> dict[str, str]:
    found = {}
    for step in plan.triggers:
        path = step.config.values.get("path")
        if isinstance(path, str) and not step.disabled:
            found[step.id] = f"{base}/{path.strip('/')}"
    return found


def _nobody() -> Outgoing:
    return json_answer(404, {"error": "nothing is at this address"})


def _later(reason: str) -> Outgoing:
    return json_answer(503, {"error": reason}, {"retry-after": _RETRY_SECONDS})


__all__ = ["LOCK", "Host"]
