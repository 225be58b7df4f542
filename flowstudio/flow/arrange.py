"""Where things lie on the canvas when nobody has said so: in layers from left to right, with few crossings.

The method is Sugiyama's: break circles, give every step a column, order each column so that few wires cross, then
choose heights after Brandes and Köpf so that lines run straight. Nothing in it is random, so the same flow is always
laid out the same.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from flowstudio.flow.model import ERROR_PORT, Flow, Layout

COLUMN: Final = 296
"""From one card's left edge to the next one's."""
GRID: Final = 24
CARD: Final = (232.0, 64.0)

_GAP_X: Final = COLUMN - CARD[0]
_GAP_Y: Final = 80
"""Under a card, for its caption and a frame's title; with a card of 64 an even number of grid lines, so that a fork of two
lies symmetrically."""
_AXIS: Final = 32
"""How far below a card's top its wires run."""
_LANE: Final = 24
"""The height kept free for a wire that passes a column."""
_FRAME: Final = (24.0, 48.0)
"""How far a group's frame stands off its cards, sideways and up and down: title above, captions below."""
_NOTE_WIDTH: Final = 408.0
_EFFORT: Final = 40_000
"""How many nodes are sorted at most to reduce crossings: a flow of 2,000 steps stays well under a second."""
_NEXT: Final = "next"

Sizes = Mapping[str, tuple[float, float]]
Place = tuple[float, float]
Frame = tuple[float, float, float, float]


def arrange(flow: Flow, sizes: Sizes | None = None, ports: Mapping[str, Sequence[str]] | None = None) -> Layout:
    """A layout for the whole flow, from (0, 0) to the right and down.

    `sizes` are the cards' widths and heights where they are known (else the height follows from the wired outputs),
    `ports` the outputs of a step from top to bottom (else as its wires name them); `error` always lies lowest. Steps
    that wires join lie together, each other trigger on lanes of its own below, steps without a wire in rows at the
    end, then notes, in their sizes. What the old layout holds of unknown ids is kept.
    """
    drawing = _Drawing.of(flow, sizes or {}, ports or {})
    places: dict[str, Place] = {}
    bottom: float = 0
    columns = 1
    alone: list[int] = []
    for members in drawing.components():
        if len(members) == 1:
            alone += members
            continue
        part = _place_component(drawing, members)
        for node, (x, y) in part.items():
            places[drawing.ids[node]] = (x, y + bottom)
        columns = max(columns, len({x for x, _ in part.values()}))
        bottom = _up(max(y + drawing.heights[node] for node, (_, y) in part.items()) + bottom + _GAP_Y + GRID)
    _place_rows(drawing, alone, max(columns, 6), bottom, places)
    steps = {key: places[key] for key in flow.steps}
    steps.update({key: place for key, place in flow.layout.steps.items() if key not in steps})
    return _with_frames(flow, drawing, replace(flow.layout, steps=steps), set(flow.notes), set(flow.groups))


def complete(flow: Flow, sizes: Sizes | None = None) -> Layout:
    """The flow's own layout, with a place for every step, note and group that has none; what has one stays.

    A new step goes to the right of the step before it, to the left of the one after it, else below everything, in the
    first free place downwards.
    """
    missing = [key for key in flow.steps if key not in flow.layout.steps]
    if flow.steps and len(missing) == len(flow.steps):
        return arrange(flow, sizes)
    notes = {key for key in flow.notes if key not in flow.layout.notes}
    groups = {key for key in flow.groups if key not in flow.layout.groups}
    if not (missing or notes or groups):
        return flow.layout
    drawing = _Drawing.of(flow, sizes or {}, {})
    places = {key: flow.layout.steps[key] for key in flow.steps if key in flow.layout.steps}
    taken = _Taken([(*place, *drawing.size(key)) for key, place in places.items()])
    left = min((x for x, _ in places.values()), default=0.0)
    bottom = max((y + drawing.size(key)[1] for key, (_, y) in places.items()), default=-_GAP_Y)
    onward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    for wire in flow.wires:
        if wire.source in flow.steps and wire.target in flow.steps:
            onward.setdefault(wire.source, []).append(wire.target)
            backward.setdefault(wire.target, []).append(wire.source)

    def put(key: str, x: float, y: float) -> None:
        nonlocal bottom
        places[key] = taken.free(x, y, *drawing.size(key))
        bottom = max(bottom, places[key][1] + drawing.size(key)[1])
        waiting.append(key)

    waiting = deque(places)
    for start in (None, *missing):
        if start is not None and start not in places:
            put(start, left, bottom + _GAP_Y)
        while waiting:
            near = waiting.popleft()
            x, y = places[near]
            for key in onward.get(near, ()):
                if key not in places:
                    put(key, x + drawing.size(near)[0] + _GAP_X, y)
            for key in backward.get(near, ()):
                if key not in places:
                    put(key, x - drawing.size(key)[0] - _GAP_X, y)
    steps = {**flow.layout.steps, **{key: places[key] for key in missing}}
    return _with_frames(flow, drawing, replace(flow.layout, steps=steps), notes, groups)


def _up(value: float) -> float:
    return math.ceil(value / GRID) * GRID


@dataclass(slots=True)
class _Taken:
    """The rectangles that are in use, looked up by a coarse grid."""

    frames: Iterable[Frame]
    cells: dict[tuple[int, int], list[Frame]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for frame in self.frames:
            self.add(frame)

    def _cells(self, frame: Frame) -> Iterable[tuple[int, int]]:
        x, y, width, height = frame
        for column in range(int(x // COLUMN), int((x + width) // COLUMN) + 1):
            for row in range(int(y // COLUMN), int((y + height) // COLUMN) + 1):
                yield column, row

    def add(self, frame: Frame) -> None:
        for cell in self._cells(frame):
            self.cells.setdefault(cell, []).append(frame)

    def free(self, x: float, y: float, width: float, height: float) -> Place:
        """The first place at or below (x, y) where the card and its caption overlap nothing; it is then taken."""
        while True:
            wanted = (x, y, width, height + GRID)
            hit = max(
                (top + tall for cell in self._cells(wanted) for left, top, wide, tall in self.cells.get(cell, ())
                 if left < x + width and x < left + wide and top < y + height + GRID and y < top + tall + GRID),
                default=None,
            )  # fmt: skip
            if hit is None:
                self.add((x, y, width, height))
                return x, y
            y = _up(hit - y + _GAP_Y) + y


@dataclass(frozen=True, slots=True)
class _Edge:
    source: int
    target: int
    rank: float
    """Where at the source it leaves, from 0 (top) to below 1."""
    error: bool


@dataclass(slots=True)
class _Drawing:
    """The flow as numbered nodes with sizes, and edges without circles."""

    ids: list[str]
    widths: list[float]
    heights: list[float]
    edges: list[_Edge]
    joined: list[list[int]]
    """Of each node, those at the other ends of all its wires, circles included."""
    group: list[int | None]
    topological: list[int]
    numbers: dict[str, int]

    @classmethod
    def of(cls, flow: Flow, sizes: Sizes, ports: Mapping[str, Sequence[str]]) -> _Drawing:
        ids = list(flow.steps)
        numbers = {key: number for number, key in enumerate(ids)}
        wires = [w for w in flow.wires if w.source in numbers and w.target in numbers and w.source != w.target]
        outputs: dict[str, list[str]] = {}
        for wire in flow.wires:
            known = outputs.setdefault(wire.source, [p for p in ports.get(wire.source, ()) if p != ERROR_PORT])
            if wire.source_port not in known and wire.source_port != ERROR_PORT:
                known.append(wire.source_port)
        ranks = {
            (source, port): index / (len(known) + 1)
            for source, known in outputs.items()
            for index, port in enumerate((*known, ERROR_PORT))
        }
        edges: list[_Edge] = []
        joined: list[list[int]] = [[] for _ in ids]
        back: list[bool] = []
        for wire in wires:
            source, target = numbers[wire.source], numbers[wire.target]
            rank = ranks[wire.source, wire.source_port]
            edges.append(_Edge(source, target, rank, wire.source_port == ERROR_PORT))
            back.append(wire.target_port == _NEXT)
            joined[source].append(target)
            joined[target].append(source)
        kept, topological = _without_circles(len(ids), edges, back)
        group: list[int | None] = [None] * len(ids)
        for number, members in enumerate(flow.groups.values()):
            for key in members.steps:
                if key in numbers and group[numbers[key]] is None:
                    group[numbers[key]] = number
        guessed = {key: (CARD[0], 40.0 + 24 * len(known)) for key, known in outputs.items() if len(known) > 1}
        measured = [sizes.get(key) or guessed.get(key, CARD) for key in ids]
        widths, heights = [size[0] for size in measured], [size[1] for size in measured]
        return cls(ids, widths, heights, kept, joined, group, topological, numbers)

    def size(self, key: str) -> tuple[float, float]:
        number = self.numbers[key]
        return self.widths[number], self.heights[number]

    def components(self) -> list[list[int]]:
        """The nodes that wires join, each set in order, the sets by their first node."""
        seen = [False] * len(self.ids)
        found: list[list[int]] = []
        for start in range(len(self.ids)):
            if seen[start]:
                continue
            seen[start] = True
            members = [start]
            for node in members:
                for other in self.joined[node]:
                    if not seen[other]:
                        seen[other] = True
                        members.append(other)
            found.append(sorted(members))
        return found


def _without_circles(count: int, edges: list[_Edge], back: list[bool]) -> tuple[list[_Edge], list[int]]:
    """The edges without those that close a circle, and the nodes in an order in which all of them point forward.

    Wires to a `next` port are looked at last, so in a loop they are the ones that close it.
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    entered = [False] * count
    for index in sorted(range(len(edges)), key=lambda i: (back[i], edges[i].rank)):
        leaving[edges[index].source].append(index)
        entered[edges[index].target] |= not back[index]
    fresh, open_, done = 0, 1, 2
    state = [fresh] * count
    dropped = [False] * len(edges)
    finished: list[int] = []
    for root in (*(n for n in range(count) if not entered[n]), *range(count)):
        if state[root] != fresh:
            continue
        state[root] = open_
        trail = [(root, iter(leaving[root]))]
        while trail:
            node, rest = trail[-1]
            for index in rest:
                target = edges[index].target
                if state[target] == open_:
                    dropped[index] = True
                elif state[target] == fresh:
                    state[target] = open_
                    trail.append((target, iter(leaving[target])))
                    break
            else:
                trail.pop()
                state[node] = done
                finished.append(node)
    return [edge for edge, drop in zip(edges, dropped, strict=True) if not drop], finished[::-1]


@dataclass(slots=True)
class _Layers:
    """A component as columns of nodes in which every edge joins neighbouring columns.

    Nodes below `real` are cards; the others keep a lane free where a wire passes a column. Wires to the same card share
    their lane, or a flow in which every step reports to one alert would have more lanes than steps.
    """

    real: int
    columns: list[list[int]]
    up: list[list[tuple[int, float, bool]]]
    """Of each node, its neighbours one column before: (node, rank of the port, is a mere error wire)."""
    down: list[list[tuple[int, float, bool]]]


def _layered(drawing: _Drawing, members: list[int]) -> _Layers:
    local = {node: index for index, node in enumerate(members)}
    edges = [_Edge(local[e.source], local[e.target], e.rank, e.error) for e in drawing.edges if e.source in local]
    order = [local[node] for node in drawing.topological if node in local]
    arriving: list[list[_Edge]] = [[] for _ in members]
    leaving: list[list[_Edge]] = [[] for _ in members]
    for edge in edges:
        arriving[edge.target].append(edge)
        leaving[edge.source].append(edge)
    layer = [0] * len(members)
    for node in order:
        layer[node] = max((layer[edge.source] + 1 for edge in arriving[node]), default=0)
    columns: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    up: list[list[tuple[int, float, bool]]] = [[] for _ in members]
    down: list[list[tuple[int, float, bool]]] = [[] for _ in members]
    budget = 2 * len(members) + 1000
    onward = [sum(not edge.error for edge in leaving[node]) for node in range(len(members))]
    entered = [any(not edge.error for edge in arriving[node]) for node in range(len(members))]
    # A wire that skips columns beside another way out of the same step must be straight, or it runs over the cards of
    # that way: then all else at its ends gives way.
    bypass = [
        edge for edge in edges
        if not edge.error and layer[edge.target] - layer[edge.source] > 1 and onward[edge.source] > 1
    ]  # fmt: skip
    left_by, reached_by = {edge.source for edge in bypass}, {edge.target for edge in bypass}

    def join(source: int, target: int, rank: float, minor: bool) -> None:
        down[source].append((target, rank, minor))
        up[target].append((source, rank, minor))

    for node in order:
        columns[layer[node]].append(node)
        long = [edge for edge in arriving[node] if layer[node] - layer[edge.source] > 1]
        first = min((layer[edge.source] for edge in long), default=layer[node]) + 1
        lanes: dict[int, int] = {}
        if layer[node] - first <= budget:
            budget -= max(layer[node] - first, 0)
            for column in range(first, layer[node]):
                lanes[column] = len(up)
                columns[column].append(len(up))
                up.append([])
                down.append([])
        for column, lane in lanes.items():
            further = lanes.get(column + 1)
            minor = further is None and entered[node] and all(edge.error for edge in long)
            join(lane, node if further is None else further, 0.0, minor)
        for edge in arriving[node]:
            minor = edge.error and (onward[edge.source] > 0 or entered[node])
            if layer[node] - layer[edge.source] == 1:
                join(edge.source, node, edge.rank, minor or edge.source in left_by or node in reached_by)
            elif lanes:
                join(edge.source, lanes[layer[edge.source] + 1], edge.rank, minor)
    return _Layers(len(members), columns, up, down)


def _ordered(layers: _Layers) -> list[int]:
    """Orders each column in place so that few wires cross; gives every node's position in its column."""
    position = [0] * len(layers.up)
    _first_order(layers, position)
    best = [list(column) for column in layers.columns]
    fewest = _crossings(layers, position)
    idle = 0
    for sweep in range(max(4, min(16, _EFFORT // len(position)))):
        if not fewest or idle >= 4:
            break
        down = sweep % 2 == 0
        columns = layers.columns[1:] if down else layers.columns[-2::-1]
        for column in columns:
            _sort_column(column, layers.up if down else layers.down, position, ports=down)
        found = _crossings(layers, position)
        idle += 1
        if found < fewest:
            fewest, best, idle = found, [list(column) for column in layers.columns], 0
    layers.columns[:] = best
    for column in layers.columns:
        for index, node in enumerate(column):
            position[node] = index
    return position


def _first_order(layers: _Layers, position: list[int]) -> None:
    """Depth first along the ports from top to bottom: already free of crossings where the flow is a tree."""
    number = [-1] * len(layers.up)
    count = 0
    for start in (*sorted(layers.columns[0]), *(node for column in layers.columns for node in column)):
        stack = [start]
        while stack:
            node = stack.pop()
            if number[node] >= 0:
                continue
            number[node] = count
            count += 1
            stack += [target for target, _, _ in sorted(layers.down[node], key=lambda end: end[1], reverse=True)]
    for column in layers.columns:
        column.sort(key=number.__getitem__)
        for index, node in enumerate(column):
            position[node] = index


def _sort_column(
    column: list[int], neighbours: list[list[tuple[int, float, bool]]], position: list[int], *, ports: bool
) -> None:
    """Sorts by the mean position of the neighbours; a node without any keeps its place."""
    means: dict[int, float] = {}
    for node in column:
        ends = neighbours[node]
        if ends:
            means[node] = sum(position[end] + (rank if ports else 0) for end, rank, _ in ends) / len(ends)
    ranked = iter(sorted(means, key=means.__getitem__))
    column[:] = [next(ranked) if node in means else node for node in column]
    for index, node in enumerate(column):
        position[node] = index


def _crossings(layers: _Layers, position: list[int]) -> int:
    total = 0
    for column in layers.columns[:-1]:
        ends: list[int] = []
        for node in column:
            fan = sorted((rank, position[target]) for target, rank, _ in layers.down[node])
            # Wires of one port do not cross each other: they are counted after all of them were compared.
            index = 0
            while index < len(fan):
                stop = index
                while stop < len(fan) and fan[stop][0] == fan[index][0]:
                    total += len(ends) - bisect_right(ends, fan[stop][1])
                    stop += 1
                for _, end in fan[index:stop]:
                    insort(ends, end)
                index = stop
    return total


def _heights(layers: _Layers, position: list[int], apart: Callable[[int, int], float]) -> list[float]:
    """The height of every node's line after Brandes and Köpf: the middle of four ways to align it with its neighbours."""
    crossing = _conflicts(layers, position)
    up = [[end for end, _, minor in ends if not minor] for ends in layers.up]
    down = [[end for end, _, minor in ends if not minor] for ends in layers.down]
    drawings: list[list[float]] = []
    for upwards in (False, True):
        for mirrored in (False, True):
            columns = [column[::-1] if mirrored else column for column in layers.columns]
            if upwards:
                columns.reverse()
            place = [0] * len(position)
            for column in columns:
                for index, node in enumerate(column):
                    place[node] = index
            roots = _aligned(columns, down if upwards else up, place, crossing, upwards)
            gap = (lambda a, b: apart(b, a)) if mirrored else apart
            heights = _compacted(columns, roots, gap)
            drawings.append([-y for y in heights] if mirrored else heights)
    spans = [max(drawing) - min(drawing) for drawing in drawings]
    narrowest = drawings[spans.index(min(spans))]
    low, high = min(narrowest), max(narrowest)
    for index, drawing in enumerate(drawings):
        shift = high - max(drawing) if index % 2 else low - min(drawing)
        drawings[index] = [y + shift for y in drawing]
    return [sum(sorted(four)[1:3]) / 2 for four in zip(*drawings, strict=True)]


def _conflicts(layers: _Layers, position: list[int]) -> set[tuple[int, int]]:
    """The wire pieces that cross a lane: they must not be straightened at its cost."""
    found: set[tuple[int, int]] = set()
    real = layers.real
    for index in range(1, len(layers.columns)):
        column = layers.columns[index]
        begin = low = 0
        for here, node in enumerate(column):
            lane = next((end for end, _, _ in layers.up[node] if end >= real), None) if node >= real else None
            if lane is None and here < len(column) - 1:
                continue
            high = position[lane] if lane is not None else len(layers.columns[index - 1])
            for other in column[begin : here + 1]:
                for end, _, _ in layers.up[other]:
                    if not low <= position[end] <= high and not (end >= real and other >= real):
                        found.add((end, other))
            begin, low = here + 1, high
    return found


def _aligned(
    columns: list[list[int]],
    neighbours: list[list[int]],
    place: list[int],
    crossing: set[tuple[int, int]],
    upwards: bool,
) -> list[int]:
    """Of each node the head of the straight line that it lies on."""
    root = list(range(len(place)))
    used = [False] * len(place)
    for column in columns:
        last = -1
        for node in column:
            ends = sorted(neighbours[node], key=place.__getitem__)
            for end in dict.fromkeys((ends[(len(ends) - 1) // 2], ends[len(ends) // 2])) if ends else ():
                piece = (node, end) if upwards else (end, node)
                if place[end] > last and not used[end] and piece not in crossing:
                    root[node] = root[end]
                    used[end] = True
                    last = place[end]
                    break
    return root


def _compacted(columns: list[list[int]], root: list[int], apart: Callable[[int, int], float]) -> list[float]:
    """Heights with every line as high up as those above it allow, then drawn down to those below it."""
    above: dict[int, dict[int, float]] = {}
    below: dict[int, dict[int, float]] = {}
    waiting: dict[int, int] = {}
    for column in columns:
        for node in column:
            waiting.setdefault(root[node], 0)
        for upper, lower in pairwise(column):
            a, b, gap = root[upper], root[lower], apart(upper, lower)
            if b not in below.setdefault(a, {}):
                waiting[b] = waiting.get(b, 0) + 1
            below[a][b] = max(gap, below[a].get(b, 0))
            above.setdefault(b, {})[a] = below[a][b]
    ready = [line for line, count in waiting.items() if not count]
    height = dict.fromkeys(waiting, 0.0)
    for line in ready:
        height[line] = max((height[a] + gap for a, gap in above.get(line, {}).items()), default=0.0)
        for b in below.get(line, ()):
            waiting[b] -= 1
            if not waiting[b]:
                ready.append(b)
    for line in reversed(ready):
        room = min((height[b] - gap for b, gap in below.get(line, {}).items()), default=height[line])
        height[line] = max(height[line], room)
    return [height[line] for line in root]


def _place_component(drawing: _Drawing, members: list[int]) -> dict[int, Place]:
    """The places of the nodes that wires join, the topmost at 0."""
    layers = _layered(drawing, members)
    position = _ordered(layers)
    real = layers.real
    tall = [drawing.heights[node] for node in members]
    # A tall card hangs around its line by whole grid steps, so that its outputs fan out from the middle; one with two
    # outputs stays on the line.
    lift = [GRID * max(0, math.ceil((height - CARD[1]) / (2 * GRID) - 0.5)) for height in tall]
    group = [drawing.group[node] for node in members]

    def apart(upper: int, lower: int) -> float:
        if upper >= real and lower >= real:
            return _LANE
        over = tall[upper] - _AXIS - lift[upper] if upper < real else 0
        under = _AXIS + lift[lower] if lower < real else 0
        gap = _GAP_Y if upper < real and lower < real else _GAP_Y - _LANE
        if upper < real and lower < real and group[upper] != group[lower] and None not in (group[upper], group[lower]):
            gap += _LANE
        return _up(over + gap + under)

    lines = _heights(layers, position, apart)
    left: float = 0
    places: dict[int, Place] = {}
    for column in layers.columns:
        cards = [node for node in column if node < real]
        for node in cards:
            places[members[node]] = (left, math.floor(lines[node] / GRID + 0.5) * GRID - lift[node])
        left += max([COLUMN, *(math.ceil(drawing.widths[members[node]] + _GAP_X) for node in cards)])
    top = min(y for _, y in places.values())
    return {node: (x, y - top) for node, (x, y) in places.items()}


def _place_rows(drawing: _Drawing, nodes: list[int], columns: int, top: float, places: dict[str, Place]) -> None:
    """Steps without a wire, in rows."""
    for start in range(0, len(nodes), columns):
        row = nodes[start : start + columns]
        left: float = 0
        for node in row:
            places[drawing.ids[node]] = (left, top)
            left += max(COLUMN, math.ceil(drawing.widths[node] + _GAP_X))
        top = _up(top + max(drawing.heights[node] for node in row) + _GAP_Y)


def _with_frames(flow: Flow, drawing: _Drawing, layout: Layout, notes: set[str], groups: set[str]) -> Layout:
    """The layout with the named groups framed around their steps, and the named notes in a row below everything."""
    cards = {key: (*layout.steps[key], *drawing.size(key)) for key in flow.steps}
    group_frames = dict(layout.groups)
    loose: list[tuple[float, str, str, float, float]] = []
    for key, group in flow.groups.items():
        members = [cards[step] for step in group.steps if step in cards]
        if key in groups and members:
            group_frames[key] = _frame_around(members)
        elif key in groups:
            width, height = flow.layout.groups.get(key, (0, 0, 256.0, 160.0))[2:]
            loose.append((0.0, "group", key, width, height))
    for key, note in flow.notes.items():
        if key in notes:
            old = flow.layout.notes.get(key)
            width, height = old[2:] if old else (_NOTE_WIDTH, _note_height(note.text))
            loose.append((_column_of(old, flow, layout), "note", key, width, height))
    note_frames = dict(layout.notes)
    bottom = max(
        [y + height + GRID for _, y, _, height in cards.values()]
        + [y + height for key, (_, y, _, height) in group_frames.items() if key in flow.groups]
        + [y + height for key, (_, y, _, height) in note_frames.items() if key in flow.notes and key not in notes],
        default=-GRID,
    )
    top, right = _up(bottom + GRID), -math.inf
    for x, kind, key, width, height in sorted(loose, key=lambda item: item[0]):
        x = max(x, right)
        (note_frames if kind == "note" else group_frames)[key] = (x, top, width, height)
        right = _up(x + width + GRID)
    return replace(layout, notes=note_frames, groups=group_frames)


def _frame_around(cards: list[Frame]) -> Frame:
    aside, over = _FRAME
    left, top = min(x for x, *_ in cards) - aside, min(y for _, y, *_ in cards) - over
    right = max(x + width for x, _, width, _ in cards) + aside
    bottom = max(y + height for _, y, _, height in cards) + over
    return left, top, right - left, bottom - top


def _column_of(old: Frame | None, flow: Flow, layout: Layout) -> float:
    """The left edge of a note: that of the step by which it lay before, else the flow's."""
    steps = [key for key in flow.steps if key in flow.layout.steps]
    if old is None or not steps:
        return min((layout.steps[key][0] for key in flow.steps), default=0.0)
    near = min(steps, key=lambda key: math.dist(flow.layout.steps[key], old[:2]))
    return layout.steps[near][0]


def _note_height(text: str) -> float:
    letters = (_NOTE_WIDTH - 32) / 6.5
    lines = sum(max(1, math.ceil(len(line) / letters)) for line in text.splitlines() or [""])
    return max(72.0, _up(lines * 20 + 32))
