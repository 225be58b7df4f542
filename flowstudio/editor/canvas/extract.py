"""Steps taken out into a flow of their own, with a `call` in their place: whether that can be done, and both results."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowstudio.editor.canvas.cards import COLUMN, Card, spec_of
from flowstudio.editor.canvas.compose import step_id
from flowstudio.editor.canvas.grouping import group_of
from flowstudio.editor.canvas.paths import Shape, scope_of
from flowstudio.errors import ExpressionError, Problem
from flowstudio.expressions.names import Reads, reads_of, reads_of_text
from flowstudio.flow.edits import AddStep, AddWire, Edit, Move, RemoveGroup, RemoveStep, SetGroup, Several
from flowstudio.flow.model import DEFAULT_IN, DEFAULT_OUT, ERROR_PORT, Flow, Layout, Step, Wire
from flowstudio.plan.references import uses_of_connection, uses_of_step, uses_of_variable
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import leaves

CALL: Final = "call@1"
CALLED: Final = "flow-called@1"

_OPENERS: Final = ("split", "loop")


@dataclass(frozen=True, slots=True)
class Extraction:
    """A flow made of some steps of another, the edit that calls it there, and the calling step's id."""

    called: Flow
    step: str
    edit: Edit


class CannotExtractError(Exception):
    """Why steps cannot become a flow of their own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def extract(
    flow: Flow,
    steps: Sequence[str],
    cards: Mapping[str, Card],
    registry: Registry,
    shape: Shape,
    taken: Iterable[str] = (),
) -> Extraction:
    """Takes steps out into a flow; CannotExtractError says why they must stay.

    One way may lead in, and all ways out have to lead to the same places: a call has one input and one output. `taken`
    are the ids of other flows; the new one's file has to be named by its id.
    """
    inside = [step for step in flow.steps if step in set(steps)]
    chosen = frozenset(inside)
    _check_components(registry)
    entry, entering = _way_in(flow, chosen, cards)
    targets = _ways_out(flow, chosen, cards)
    _check_scopes(flow, chosen, shape)
    _check_reads(flow, chosen, registry, shape)
    title = _title(flow, inside)
    identity = step_id(title, {*taken, flow.id})
    called = _called(flow, inside, entry, title, identity, registry)
    key = step_id(title, set(flow.steps) - chosen)
    edit = _calling(flow, inside, entering, targets, key, title, f"{identity}.flow.json")
    return Extraction(called, key, edit)


def _refuse(what: str, why: str, remedy: str, step: str | None = None) -> None:
    raise CannotExtractError(Problem(what, why, remedy, step=step))


def _check_components(registry: Registry) -> None:
    for component in (CALL, CALLED):
        if spec_of(registry, component) is None:
            _refuse("these steps cannot become a flow", f"the component {component} is not installed", "install it")


def _way_in(flow: Flow, inside: frozenset[str], cards: Mapping[str, Card]) -> tuple[tuple[str, str], list[Wire]]:
    entering = [wire for wire in flow.wires if wire.target in inside and wire.source not in inside]
    for step in inside:
        if step in cards and not cards[step].inputs:
            what = f"{flow.title_of(step)} cannot move into another flow"
            _refuse(what, "it starts this one", "leave it out of the selection", step)
    ends = {(wire.target, wire.target_port) for wire in entering}
    if len(ends) > 1:
        told = ", ".join(dict.fromkeys(flow.title_of(step) for step, _ in sorted(ends)))
        what = "more than one way leads into these steps"
        _refuse(what, f"wires come to {told}, and a call has one input", "select steps that one way leads into")
    if ends:
        return next(iter(ends)), entering
    entered = {wire.target for wire in flow.wires if wire.source in inside}
    first = [step for step in flow.steps if step in inside and step not in entered]
    if len(first) != 1:
        why = "nothing is wired to them, and more than one could be the first"
        _refuse("where these steps begin cannot be told", why, "wire them one after the other")
    port = cards[first[0]].inputs[0].name if first[0] in cards and cards[first[0]].inputs else DEFAULT_IN
    return (first[0], port), []


def _ways_out(flow: Flow, inside: frozenset[str], cards: Mapping[str, Card]) -> list[Wire]:
    """The wires that leave, one for each place they lead to."""
    leaving = [wire for wire in flow.wires if wire.source in inside and wire.target not in inside]
    error = next((wire for wire in leaving if wire.source_port == ERROR_PORT), None)
    if error is not None:
        what = f"the error route of {flow.title_of(error.source)} leads out of these steps"
        why = "a call's error route would catch the errors of all of them"
        _refuse(what, why, f"select {flow.title_of(error.target)} as well, or take that wire away", error.source)
    if not leaving:
        return []
    by_port: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for wire in leaving:
        by_port.setdefault((wire.source, wire.source_port), set()).add((wire.target, wire.target_port))
    places = list(by_port.values())
    for (step, port), ends in by_port.items():
        if ends != places[0]:
            what = f"{flow.title_of(step)} leads elsewhere than the other ways out"
            why = "a call has one output, so all ways out have to lead to the same place"
            _refuse(what, why, "select the steps up to where the ways meet again", step)
        if any(wire.target in inside for wire in flow.wires_from(step, port)):
            what = f"one output of {flow.title_of(step)} leads both out of these steps and on within them"
            why = "in the called flow its messages would not come out any more"
            _refuse(what, why, "select the steps that it leads to as well", step)
    for step in sorted(inside):
        wired = {wire.source_port for wire in flow.wires_from(step)}
        ends_here = [port.title for port in (cards[step].outputs if step in cards else ()) if port.name not in wired]
        if ends_here:
            what = f"the output {ends_here[0]} of {flow.title_of(step)} ends here"
            why = "what leaves a called flow by a port without a wire goes on behind the call"
            _refuse(what, why, "leave the step out, or wire its output", step)
    return [
        Wire("", target, DEFAULT_OUT, port)
        for target, port in dict.fromkeys((w.target, w.target_port) for w in leaving)
    ]


def _check_scopes(flow: Flow, inside: frozenset[str], shape: Shape) -> None:
    for opener in flow.steps:
        if shape(opener) not in _OPENERS:
            continue
        found = scope_of(flow, opener, shape)
        scope = found[1] if found is not None and found[0] == opener else frozenset({opener})
        if opener in inside and not scope <= inside and shape(opener) == "loop":
            missing = next(step for step in flow.steps if step in scope - inside)
            _refuse_scope(flow, opener, missing)
        closers = [step for step in scope if shape(step) == "collect"]
        if any((opener in inside) != (closer in inside) for closer in closers):
            _refuse_scope(flow, opener, closers[0] if opener in inside else opener)


def _refuse_scope(flow: Flow, opener: str, missing: str) -> None:
    what = f"{flow.title_of(opener)} and what belongs to it would lie in two flows"
    why = "what a split or loop opens is closed in the same flow"
    _refuse(what, why, f"select {flow.title_of(missing)} as well, or leave all of them out", opener)


def _check_reads(flow: Flow, inside: frozenset[str], registry: Registry, shape: Shape) -> None:
    for step in flow.steps:
        for use in uses_of_step(flow, registry, step):
            if use.step is not None and (use.step in inside) != (step in inside):
                where = f"{flow.title_of(use.step)} ({use.path[0]})"
                what = f"{where} reads the output of {flow.title_of(step)}"
                _refuse(what, "a flow sees only its own steps", "hand the value on in the payload first", use.step)
    for step in inside:
        for path, names in _names_read(flow, step, registry):
            for name in ("trigger", "item"):
                if name in names and not (name == "item" and _in_scope_inside(flow, step, inside, shape)):
                    what = f"{flow.title_of(step)} ({path[0]}) reads {'$' if path[0] != 'code' else ''}{name}"
                    why = f"in the called flow {name} is another one"
                    _refuse(what, why, "hand the value on in the payload first", step)


def _in_scope_inside(flow: Flow, step: str, inside: frozenset[str], shape: Shape) -> bool:
    found = scope_of(flow, step, shape)
    return found is not None and found[0] in inside and found[0] != step


def _names_read(flow: Flow, step: str, registry: Registry) -> Iterable[tuple[tuple[str | int, ...], frozenset[str]]]:
    spec = spec_of(registry, flow.steps[step].component)
    config = flow.steps[step].config
    for field in spec.fields if spec is not None else ():
        if field.name not in config:
            continue
        for leaf, path, value in leaves(field, config[field.name], (field.name,)):
            if not isinstance(value, str):
                continue
            if leaf.form == "code":
                yield path, _free_names(value)
                continue
            try:
                reads: Reads | None = None
                if leaf.kind is Kind.EXPRESSION:
                    reads = reads_of(value)
                elif "{{" in value:
                    reads = reads_of_text(value)
            except ExpressionError:
                continue  # it does not compile, which its own problem says
            if reads is not None:
                yield path, reads.names


def _free_names(code: str) -> frozenset[str]:
    """The names that a function's body reads and does not set itself."""
    try:
        tree = ast.parse("def body():\n" + textwrap.indent(code, " "))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()  # it does not compile, which its own problem says
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    taken = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    taken |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names) - taken


def _title(flow: Flow, inside: Sequence[str]) -> str:
    group = group_of(flow, inside[0])
    if group is not None and set(flow.groups[group].steps) == set(inside):
        return flow.groups[group].title
    return flow.title_of(inside[0])


def _called(
    flow: Flow, inside: Sequence[str], entry: tuple[str, str], title: str, identity: str, registry: Registry
) -> Flow:
    chosen = set(inside)
    start = step_id("called", chosen)
    steps = {start: Step(CALLED)} | {step: flow.steps[step] for step in inside}
    within = (wire for wire in flow.wires if wire.source in chosen and wire.target in chosen)
    wires = (Wire(start, entry[0], DEFAULT_OUT, entry[1]), *within)
    places = {step: flow.layout.steps[step] for step in inside if step in flow.layout.steps}
    if entry[0] in places:
        places[start] = (places[entry[0]][0] - COLUMN, places[entry[0]][1])
    used = [v for v in flow.variables if any(use.step in chosen for use in uses_of_variable(flow, registry, v))]
    slots = [c for c in flow.connections if any(use.step in chosen for use in uses_of_connection(flow, registry, c))]
    groups = {
        key: group
        for key, group in flow.groups.items()
        if group.steps and set(group.steps) <= chosen and set(group.steps) != chosen
    }
    return Flow(
        identity,
        title,
        steps,
        wires,
        variables={name: flow.variables[name] for name in used},
        connections={name: flow.connections[name] for name in slots},
        groups=groups,
        layout=Layout(places, groups={key: p for key, p in flow.layout.groups.items() if key in groups}),
    )


def _calling(
    flow: Flow,
    inside: Sequence[str],
    entering: Sequence[Wire],
    targets: Sequence[Wire],
    key: str,
    title: str,
    file: str,
) -> Edit:
    chosen = set(inside)
    rest = {step for step in flow.steps if step not in chosen}
    # The steps go first: the call may take over the id of one of them.
    edits: list[Edit] = [RemoveStep(step) for step in inside]
    edits.append(AddStep(key, CALL, {"flow": file}, None if key == title else title))
    kept = [wire for wire in flow.wires if wire.source in rest and wire.target in rest]
    before = {wire: sum(1 for other in kept if flow.wires.index(other) < flow.wires.index(wire)) for wire in entering}
    for added, wire in enumerate(entering):
        edits.append(AddWire(replace(wire, target=key, target_port=DEFAULT_IN), before[wire] + added))
    edits += [AddWire(replace(wire, source=key)) for wire in targets]
    for group, held in flow.groups.items():
        if set(held.steps) & chosen:
            left = tuple(step for step in held.steps if step not in chosen)
            edits.append(SetGroup(group, replace(held, steps=(*left, key))) if left else RemoveGroup(group))
    places = [flow.layout.steps[step] for step in inside if step in flow.layout.steps]
    if places:
        edits.append(Move({key: min(places)}))
    count = f"{len(inside)} steps" if len(inside) > 1 else flow.title_of(inside[0])
    return Several(f"extract {count}", tuple(edits))
