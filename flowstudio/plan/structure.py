"""The structure of a flow: what can be reached from where, and in which scopes each step stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flowstudio.flow.model import ERROR_PORT, Flow, Wire
from flowstudio.sdk.spec import Spec

BODY, NEXT, DONE = "body", "next", "done"


@dataclass(frozen=True)
class Structure:
    """A flow's graph by index of step. Only wires whose ends exist are in it.

    `back` are the wires that lead round a loop, by position; `circle` is a circle that passes through no loop, as step
    ids, empty when there is none. `scopes` are the openers around each step, None where no trigger reaches it; `clashes`
    are steps that paths reach with different scopes open, `unopened` collects with nothing to close.
    """

    ids: tuple[str, ...]
    index: Mapping[str, int]
    wires: tuple[tuple[int, Wire], ...]
    order: tuple[int, ...]
    back: frozenset[int]
    circle: tuple[str, ...]
    reaches: tuple[int, ...]
    bodies: Mapping[int, int]
    scopes: tuple[tuple[int, ...] | None, ...]
    clashes: tuple[int, ...]
    unopened: tuple[int, ...]
    joins: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    inner: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """For each loop what `reaches` would be if no wire led back to it: what one pass can come to."""


def structure_of(flow: Flow, specs: Mapping[str, Spec]) -> Structure:
    """The structure of a flow whose components are `specs`, by step; unknown steps count as plain."""
    ids = tuple(flow.steps)
    index = {step: place for place, step in enumerate(ids)}
    wires = tuple(
        (place, wire) for place, wire in enumerate(flow.wires) if wire.source in index and wire.target in index
    )
    shapes = {index[step]: spec.shape for step, spec in specs.items() if step in index}
    back = frozenset(
        place for place, wire in wires if shapes.get(index[wire.target]) == "loop" and wire.target_port == NEXT
    )
    forward: list[list[int]] = [[] for _ in ids]
    for place, wire in wires:
        if place not in back:
            forward[index[wire.source]].append(index[wire.target])
    order, circle = _ordered(forward)
    along: list[set[int]] = [set() for _ in ids]
    for _, wire in wires:
        along[index[wire.source]].add(index[wire.target])
    reaches = _reached(along, order)
    bodies = _bodies(ids, index, wires, shapes, back)
    inner = {loop: _reached(_without(along, index, wires, back, loop), order) for loop in bodies}
    scopes, clashes, unopened, joins = _scopes(len(ids), index, wires, shapes, order, back, bodies)
    return Structure(
        ids,
        index,
        wires,
        order,
        back,
        tuple(ids[step] for step in circle),
        reaches,
        bodies,
        scopes,
        clashes,
        unopened,
        joins,
        inner,
    )


def _ordered(forward: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The steps in an order in which wires go forwards, and a circle that prevents one; steps on circles come last."""
    waiting = [0] * len(forward)
    for targets in forward:
        for target in targets:
            waiting[target] += 1
    ready = [step for step, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        step = ready.pop()
        order.append(step)
        for target in forward[step]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    if len(order) == len(forward):
        return tuple(order), ()
    rest = [step for step, count in enumerate(waiting) if count > 0]
    inside = set(rest)
    # Every step of the rest has one before it in the rest: going backwards long enough ends on a circle.
    before = {target: step for step in rest for target in forward[step] if target in inside}
    seen: list[int] = []
    step = rest[0]
    while step not in seen:
        seen.append(step)
        step = before[step]
    circle = seen[seen.index(step) :][::-1]
    return (*order, *rest), tuple(circle)


def _without(
    along: Sequence[set[int]],
    index: Mapping[str, int],
    wires: Iterable[tuple[int, Wire]],
    back: frozenset[int],
    loop: int,
) -> list[set[int]]:
    """The graph without the wires that lead back to a loop."""
    left = [set(targets) for targets in along]
    for place, wire in wires:
        if place in back and index[wire.target] == loop:
            left[index[wire.source]].discard(loop)
    return left


def _reached(along: Sequence[set[int]], order: Sequence[int]) -> tuple[int, ...]:
    """For each step the bit set of steps that its messages can come to, loops included."""
    reached = [0] * len(along)
    changed = True
    while changed:  # once for a flow without loops, and once more for each level of nested ones
        changed = False
        for step in reversed(order):
            bits = reached[step]
            for target in along[step]:
                bits |= reached[target] | 1 << target
            if bits != reached[step]:
                reached[step] = bits
                changed = True
    return tuple(reached)


def _bodies(
    ids: Sequence[str],
    index: Mapping[str, int],
    wires: Iterable[tuple[int, Wire]],
    shapes: Mapping[int, str],
    back: frozenset[int],
) -> dict[int, int]:
    """For each loop the bit set of the steps on a way from `body` to `next`."""
    bodies: dict[int, int] = {}
    loops = [step for step, shape in shapes.items() if shape == "loop"]
    if not loops:
        return bodies
    targets: list[list[int]] = [[] for _ in ids]
    sources: list[list[int]] = [[] for _ in ids]
    for _, wire in wires:
        targets[index[wire.source]].append(index[wire.target])
        sources[index[wire.target]].append(index[wire.source])
    for loop in loops:
        starts = [index[w.target] for _, w in wires if index[w.source] == loop and w.source_port == BODY]
        ends = [index[w.source] for place, w in wires if index[w.target] == loop and place in back]
        forwards = _closure(starts, targets, loop)
        backwards = _closure(ends, sources, loop)
        bodies[loop] = sum(1 << step for step in forwards & backwards)
    return bodies


def _closure(starts: Iterable[int], along: Sequence[Sequence[int]], stop: int) -> set[int]:
    found: set[int] = set()
    waiting = [step for step in starts if step != stop]
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting.extend(target for target in along[step] if target != stop)
    return found


def scope_after(
    source: int,
    port: str,
    scopes: tuple[int, ...],
    target: int,
    shapes: Mapping[int, str],
    bodies: Mapping[int, int],
) -> tuple[int, ...]:
    """The scopes in which a message arrives that leaves `source` by `port`, where `scopes` are open, for `target`."""
    shape = shapes.get(source)
    if shape == "split" and port != ERROR_PORT:
        scopes = (*scopes, source)
    elif shape == "collect" and port != ERROR_PORT:
        scopes = scopes[:-1]
    elif shape == "loop" and port == BODY:
        scopes = (*scopes, source)
    while scopes and shapes.get(scopes[-1]) == "loop" and target != scopes[-1] and not bodies[scopes[-1]] >> target & 1:
        scopes = scopes[:-1]
    return scopes


def _scopes(
    count: int,
    index: Mapping[str, int],
    wires: Iterable[tuple[int, Wire]],
    shapes: Mapping[int, str],
    order: Sequence[int],
    back: frozenset[int],
    bodies: Mapping[int, int],
) -> tuple[tuple[tuple[int, ...] | None, ...], tuple[int, ...], tuple[int, ...], dict[int, tuple[int, ...]]]:
    leaving: list[list[tuple[int, Wire]]] = [[] for _ in range(count)]
    for place, wire in wires:
        leaving[index[wire.source]].append((place, wire))
    scopes: list[tuple[int, ...] | None] = [None] * count
    clashes: list[int] = []
    unopened: list[int] = []
    joins: dict[int, list[int]] = {}
    for step, shape in shapes.items():
        if shape == "trigger":
            scopes[step] = ()
    for step in order:
        here = scopes[step]
        if here is None:
            continue
        if shapes.get(step) == "collect":
            if not here or shapes.get(here[-1]) != "split":
                unopened.append(step)
                continue
            joins.setdefault(here[-1], []).append(step)
        for place, wire in leaving[step]:
            target = index[wire.target]
            there = scope_after(step, wire.source_port, here, target, shapes, bodies)
            if place in back:
                if there != (*(scopes[target] or ()), target):
                    clashes.append(target)
            elif scopes[target] is None:
                scopes[target] = there
            elif scopes[target] != there:
                clashes.append(target)
    closers = {split: tuple(sorted(steps)) for split, steps in joins.items()}
    return tuple(scopes), tuple(dict.fromkeys(clashes)), tuple(unopened), closers


def shared_steps(
    structure: Structure, shapes: Mapping[int, str], several: Iterable[int], many: Iterable[int] = ()
) -> frozenset[int]:
    """The steps that more than one message of one scope may visit.

    `several` are the steps whose one message may leave by more than one port, any other leaves by one; `many` those
    that may send more than one message by a port.
    """
    several, many = frozenset(several), frozenset(many)
    count = len(structure.ids)
    entering: list[list[Wire]] = [[] for _ in range(count)]
    leaving: list[dict[str, list[int]]] = [{} for _ in range(count)]
    for place, wire in structure.wires:
        source, target = structure.index[wire.source], structure.index[wire.target]
        if place not in structure.back:
            entering[target].append(wire)
            leaving[source].setdefault(wire.source_port, []).append(target)
    splits = {collect: split for split, collects in structure.joins.items() for collect in collects}
    # A cautious count first: several ports as if all were taken. Where even that gives one, one it is.
    crowded: set[int] = set()

    def crowds(wire: Wire) -> bool:
        source = structure.index[wire.source]
        shape = shapes.get(source)
        if shape == "collect":
            # It emits once for each message that entered its split; those that failed in it are of the scope inside.
            return wire.source_port == ERROR_PORT or splits.get(source) in crowded
        if shape == "merge" or (shape == "split" and wire.source_port != ERROR_PORT):
            return False
        return source in many or source in crowded

    for step in structure.order:
        if shapes.get(step) in ("merge", "collect"):
            continue
        if len(entering[step]) > 1 or any(crowds(wire) for wire in entering[step]):
            crowded.add(step)
    for loop, body in structure.bodies.items():
        ends = [w for p, w in structure.wires if p in structure.back and structure.index[w.target] == loop]
        if len(ends) > 1 or any(crowds(wire) for wire in ends):
            crowded.add(loop)
            crowded.update(step for step in range(count) if body >> step & 1 or structure.reaches[loop] >> step & 1)
    targets = {target for ports in leaving for ends in ports.values() for target in ends}
    triggers = [step for step, scopes in enumerate(structure.scopes) if scopes == () and step not in targets]
    known = (structure, shapes, leaving, splits, several, many, triggers)
    shared = {step for step in crowded if _arrivals(step, *known) > 1}
    # An aggregate emits as often as its split is entered.
    return frozenset(shared | {collect for collect, split in splits.items() if split in shared})


def _arrivals(
    goal: int,
    structure: Structure,
    shapes: Mapping[int, str],
    leaving: Sequence[Mapping[str, Sequence[int]]],
    splits: Mapping[int, int],
    several: frozenset[int],
    many: frozenset[int],
    triggers: Sequence[int],
) -> int:
    """How many messages of one scope can come to `goal`, up to 2."""
    if any(structure.reaches[loop] >> goal & 1 for loop in structure.bodies):
        return 2  # several passes may each send a message out of the loop
    arriving = [0] * len(structure.ids)
    starts = 0
    emitted = [0] * len(structure.ids)
    """Of a split: how many of the messages at `goal` come of one message that enters it, by way of its aggregates."""
    bit = 1 << goal
    for step in reversed(structure.order):
        if step == goal:
            arriving[step] = 1
            continue
        if not structure.reaches[step] & bit:
            continue  # nothing comes from here: in a wide flow these are nearly all
        ports = {port: sum(arriving[target] for target in targets) for port, targets in leaving[step].items()}
        failed = ports.pop(ERROR_PORT, 0)
        taken = sum(ports.values()) if step in several else max(ports.values(), default=0)
        taken = 2 * taken if step in many else taken
        if shapes.get(step) == "collect" and step in splits:
            emitted[splits[step]] += taken
            taken = 0  # what arrives here goes no further, unless it fails
        elif shapes.get(step) == "merge":
            if structure.scopes[step] == structure.scopes[goal]:
                starts += taken  # whatever arrives here, one message leaves, beside those that come other ways
            taken = 0
        arriving[step] = min(2, max(taken + emitted[step], failed))
    around = structure.scopes[goal]
    begun = arriving[around[-1]] if around else max((arriving[step] for step in triggers), default=0)
    return min(2, starts + begun)


__all__ = ["BODY", "DONE", "NEXT", "Structure", "scope_after", "shared_steps", "structure_of"]
