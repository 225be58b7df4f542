"""Goes on with runs of the journal: those that the end of a host broke off, and failed ones that somebody resumes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from flowstudio.engine.runner import Runner
from flowstudio.errors import FlowStudioError, InvalidInputError, Problem
from flowstudio.plan.advance import advance
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState
from flowstudio.runtime.host import Host
from flowstudio.runtime.hosted import Hosted
from flowstudio.runtime.journaling import RunJournal, events_of
from flowstudio.sdk.message import Message
from flowstudio.stores.journal import HostedRun
from flowstudio.trace.events import Effected, Event, RunStarted

Json = Any

_log = logging.getLogger(__name__)


async def go_on(host: Host) -> int:
    """Goes on with all runs that were under way when the host before ended; how many they are."""
    broken_off = [run for run in host.runs.unfinished() if run.run not in host.under_way]
    for run in broken_off:
        try:
            await _revived(host, run, None)
        except FlowStudioError as error:
            # A dead letter: when what keeps it from going on is mended, it is resumed.
            _log.warning("Run %s of %s does not go on: %s", run.run, run.instance, error)
            told = {"step": "", "address": "", "type": type(error).__name__, "message": str(error)}
            host.journal.end(replace(run, status="failed", ended_at=host.now(), error=told))
    return len(broken_off)


async def resume(host: Host, run: str, step: str | None = None) -> Runner:
    """Goes on with a failed or cancelled run where it stopped, or at the last message that came to a step.

    InvalidInputError where there is nothing to go on with.
    """
    found = host.runs.run(run)
    if found is None:
        raise _refused(f"there is no run {run}", "flowstudio runs lists them")
    if run in host.under_way or found.status == "running":
        raise _refused(f"run {run} is under way", "wait for its end")
    if found.status == "succeeded":
        raise _refused(f"run {run} ended well", "run the flow again for a second one")
    runner, journal = await _revived(host, found, step)
    # Whoever asks how it stands from now on sees it under way.
    await journal.settled()
    return runner


async def _revived(host: Host, run: HostedRun, step: str | None) -> tuple[Runner, RunJournal]:
    hosted = await _hosted(host, run)
    events = events_of(host.runs.records(run.run), host.seal, host.registry)
    started = next((event for _, event in events if isinstance(event, RunStarted)), None)
    if started is None:
        raise _refused(f"the events of run {run.run} are gone", "send its message again")
    if step is not None:
        kept = _until(hosted.bound.plan, events, step)
        if kept < len(events):
            host.journal.cut(run.run, events[kept][0])
        events = events[:kept]
    state = RunState()
    for _, event in events:
        state = _folded(hosted.bound.plan, state, event)
    run = replace(run, status="running", ended_at=None, error=None)
    host.journal.put(run)
    journal = RunJournal(host.journal, hosted.bound, host.seal, run, events[-1][0])
    message = Message(started.payload, started.meta)
    runner = Runner(hosted.bound, started.step, message, state=state, journal=journal, now=host.now)
    host.drive(hosted, runner, journal)
    if host.instances.get((run.customer, run.template)) is not hosted:
        await hosted.retire()  # once this run has ended
    return runner, journal


async def _hosted(host: Host, run: HostedRun) -> Hosted:
    """The instance with the flow that the run began with, and the values that it has now."""
    name = run.customer, run.template
    deployed = host.deployed.get(name)
    if deployed is None:
        raise _refused(f"the instance {run.instance} was removed", "deploy it again, then resume the run")
    hosted = host.instances.get(name)
    if hosted is not None and hosted.flow == run.flow:
        return hosted
    document = host.runs.flow(run.flow)
    if document is None:
        raise _refused(f"the flow of run {run.run} is gone", "send its message again")
    return host.hosted(deployed, document)


def _until(plan: Plan, events: list[tuple[int, Event]], step: str) -> int:
    """How many events there were when the last message had come to a step, or was on its way there without an effect."""
    index = plan.index.get(step)
    if index is None:
        raise _refused(f"the flow has no step {step}", f"it has {', '.join(plan.index)}")
    found = 0
    state = RunState()
    for number, (_, event) in enumerate(events, start=1):
        state = _folded(plan, state, event)
        for token in state.tokens.values():
            visited = any(link.step == step for link in token.message.lineage or ())
            at = plan.steps[token.step]
            if token.stage == "ready" and (at.index == index or (at.may_reach(index) and not visited)):
                found = number
    if not found:
        raise _refused(f"no message came to {step}", "name a step that the run has visited")
    return found


def _folded(plan: Plan, state: RunState, event: Event) -> RunState:
    return state if isinstance(event, Effected) else advance(plan, state, event)


def _refused(what: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(Problem(what, remedy=remedy))


__all__ = ["go_on", "resume"]
