"""One payload through all instances of a template, up to their effects: nothing is sent, what would be is put in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.gate import Pin
from flowstudio.engine.record import Redacting
from flowstudio.engine.runner import Runner, starting_step
from flowstudio.errors import FlowStudioError
from flowstudio.flow.called import among
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState, Token
from flowstudio.runtime.fleet import Fleet
from flowstudio.sdk.message import Message
from flowstudio.sdk.registry import Registry
from flowstudio.stores.catalogue import Deployed
from flowstudio.templates.instance import Bound
from flowstudio.templates.version import Version
from flowstudio.trace.canonical import canonical, parse
from flowstudio.trace.events import Event

Json = Any

_SHORTEST: Final = 4
"""Shorter values of variables are not looked for in what would be sent."""


@dataclass(frozen=True, slots=True)
class Group:
    """Instances for which the same would happen.

    `outcome` is `sends`, `filtered`, `ends` (well, without an effect), `fails` or `needs setup`. `requests` are what each
    would send first on its paths: step, kind and the request, with the customers' own values by the names of their
    variables. `differs` are the places in which they are others than in the largest group that sends.
    """

    outcome: str
    instances: tuple[str, ...]
    requests: tuple[Mapping[str, Json], ...] = ()
    why: str = ""
    differs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The group as a document."""
        return {
            "outcome": self.outcome,
            "instances": list(self.instances),
            "requests": [dict(each) for each in self.requests],
            "why": self.why,
            "differs": list(self.differs),
        }


@dataclass(slots=True)
class _Stopping:
    """The gate of one run: it lets everything go its way, and holds every effect before it leaves."""

    redacting: Redacting
    asked: list[dict[str, Json]] = field(default_factory=list)
    runner: Runner | None = None

    def lets(self, token: Token, state: RunState) -> bool:
        """Everything may start."""
        return True

    def pinned(self, token: Token, state: RunState) -> Pin | None:
        """Nothing stands in."""
        return None

    def took(self, event: Event, state: RunState) -> None:
        """Nothing is noted."""

    def rests(self, state: RunState) -> None:
        """All that is left stands before an effect, or waits for something that nobody sends."""
        assert self.runner is not None
        busy = sum(token.stage == "busy" for token in state.tokens.values())
        if busy <= len(self.asked):
            self.runner.cancel()

    def holds(self, state: RunState) -> bool:
        """Never at the end."""
        return False

    async def stand_in(self, address: str, kind: str, request: Json) -> Any:
        """Notes the effect, and lets it wait for ever."""
        assert self.runner is not None
        step = address.rpartition("/")[2].partition("~")[0]
        self.asked.append({"step": step, "kind": kind, "request": self.redacting.exchanged(request)})
        self.runner.poke()
        await asyncio.Event().wait()

    def sent(self, address: str, kind: str, request: Json, answer: Any) -> None:
        """Never happens."""


async def everyone(
    fleet: Fleet,
    registry: Registry,
    version: Version,
    payload: Json,
    *,
    trigger: str | None = None,
    told: Callable[[int], object] = lambda done: None,
) -> list[Group]:
    """What a payload would do in each instance of a template, on the version given; the largest groups first.

    InvalidInputError where the trigger must be named. `told` hears how many instances are done.
    """
    shared = compile_flow(version.flow, registry, among(version.flows))
    start = starting_step(shared, trigger)
    found: dict[bytes, tuple[Group, list[str]]] = {}
    for done, deployed in enumerate(fleet.catalogue.instances(version.id), start=1):
        group = await _one(fleet, registry, version, deployed, shared, start, payload)
        key = canonical([group.outcome, [dict(each) for each in group.requests], group.why])
        found.setdefault(key, (group, []))[1].append(deployed.id)
        told(done)
    groups = [Group(group.outcome, tuple(instances), group.requests, group.why) for group, instances in found.values()]
    groups.sort(key=lambda group: -len(group.instances))
    first = next((group for group in groups if group.outcome == "sends"), None)
    return [
        group
        if first is None or group is first or group.outcome != "sends"
        else Group(
            group.outcome,
            group.instances,
            group.requests,
            group.why,
            tuple(_differing(list(first.requests), list(group.requests))),
        )
        for group in groups
    ]


async def _one(
    fleet: Fleet, registry: Registry, version: Version, deployed: Deployed, shared: Plan, start: str, payload: Json
) -> Group:
    try:
        given = fleet.bound_to(version, deployed)
        if given.needs:
            return Group("needs setup", (), why=", ".join(map(str, given.needs)))
        plan = shared if not deployed.overrides else compile_flow(given.flow, registry, among(given.flows))
        instance = {"id": deployed.id, "version": version.version, "webhooks": {}}
        bound = BoundPlan(plan, Values(given.values, given.connections, given.customer, instance), registry)
    except FlowStudioError as error:
        return Group("fails", (), why=str(error))
    gate = _Stopping(Redacting(bound.redactor))
    runner = gate.runner = Runner(bound, start, Message(payload), gate=gate, test=True, sleep=_at_once)
    try:
        result = await runner.run()
    finally:
        await bound.close()
    if gate.asked:
        requests = sorted((_anonymous(each, given) for each in gate.asked), key=canonical)
        return Group("sends", (), tuple(requests))
    if result.status == "failed" and result.error is not None:
        return Group("fails", (), why=f"{result.error.step}: {result.error.message}")
    return Group("filtered" if result.filtered and not result.outputs else "ends", ())


def _anonymous(request: Mapping[str, Json], given: Bound) -> dict[str, Json]:
    """What would be sent, with the addresses that are the customer's own by the names of their variables."""
    text = canonical(dict(request)).decode()
    for name, value in given.values.items():
        variable = given.flow.variables.get(name)
        if variable is not None and variable.type == "url" and isinstance(value, str) and len(value) >= _SHORTEST:
            text = text.replace(canonical(value).decode()[1:-1], f"{{{{ $vars.{name} }}}}")
    shown: dict[str, Json] = parse(text.encode())
    return shown


def _differing(first: Json, second: Json, at: str = "") -> Iterable[str]:
    """The places in which two documents are others."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys((*first, *second)):
            here = f"{at}.{name}" if at else str(name)
            if name not in first or name not in second:
                yield here
            else:
                yield from _differing(first[name], second[name], here)
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for place, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _differing(one, other, f"{at}[{place}]")
    elif first != second:
        yield at or "the number of requests"


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


__all__ = ["Group", "everyone"]
