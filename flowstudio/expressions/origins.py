"""Where a part of an expression's value came from: the very field that was copied, or the fields it was computed from.

The expression is gone through once more on the same data, keeping for each value the place that it was read at. What
comes out must equal what the engine gave, part for part, or nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowstudio.errors import ExpressionError
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.engine import VisitClock
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.names import NAMES, reads_of
from flowstudio.expressions.nothing import MISSING

Json = Any
Path = tuple[str | int, ...]
Key = str | int

_MOST: Final = 200_000
"""So many values are looked at, then nothing is claimed: who asks waits for the answer."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that a value came from: in the payload (`name` empty) or in a bound name without its dollar."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Origins:
    """What is known of where a value came from.

    `kind`: `copied` from the one place in `places`; `computed` from all of them (none: it is a constant of the
    expression); `unknown`, when `places` are all that the expression reads; `nothing`: there is no value, and `places`
    is where the way to it ended, if that is known.
    """

    kind: str
    places: tuple[Origin, ...] = ()


def origins(source: str, path: Sequence[Key], payload: Json, names: Mapping[str, Json], clock: VisitClock) -> Origins:
    """Where what lies at a path of an expression's value came from."""
    expression = compile_expression(source)
    try:
        value = expression.evaluate(payload, names, clock)
    except ExpressionError:
        return _any_of(source)
    try:
        root = _Walk(source, payload, names, clock).whole()
    except (_UnsureError, ExpressionError):
        return _any_of(source)
    if root is None:
        return Origins("nothing") if value is MISSING else _any_of(source)
    if not _same(_plain(root), value):
        return _any_of(source)
    found: _Sourced | None = root
    for place, key in enumerate(path):
        assert found is not None
        inner = _inside(found, key)
        if inner is None:
            if isinstance(found, _At) and not isinstance(found.value, dict | list):
                return Origins("nothing", (Origin(found.name, found.path),))
            if isinstance(found, _At):
                return Origins("nothing", (Origin(found.name, (*found.path, *path[place:])),))
            return Origins("nothing")
        found = inner
    assert found is not None
    if isinstance(found, _At):
        return Origins("copied", (Origin(found.name, found.path),))
    return Origins("computed", tuple(dict.fromkeys(_places(found))))


def _any_of(source: str) -> Origins:
    """All that an expression reads: nothing more is known."""
    reads = reads_of(source)
    places = [Origin("", ())] if reads.payload else []
    for name in sorted(reads.names & set(NAMES)):
        parts = reads.steps if name == "steps" else reads.variables if name == "vars" else None
        places += [Origin(name, (part,)) for part in sorted(parts)] if parts else [Origin(name, ())]
    return Origins("unknown", tuple(places))


@dataclass(frozen=True, slots=True)
class _At:
    """A value as it lies at a place."""

    name: str
    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class _Made:
    """An object or list that the expression builds."""

    parts: dict[str, _Sourced] | list[_Sourced]
    sequence: bool = False
    """A list that is only what a path found: one element stands for itself."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """A value that the expression computes."""

    value: Json
    of: tuple[_Sourced, ...]


_Sourced = _At | _Made | _Computed


class _UnsureError(Exception):
    """This part of the language is not followed."""


def _plain(sourced: _Sourced) -> Json:
    if isinstance(sourced, _Made):
        if isinstance(sourced.parts, dict):
            return {key: _plain(part) for key, part in sourced.parts.items()}
        return [_plain(part) for part in sourced.parts]
    return sourced.value


def _inside(sourced: _Sourced, key: Key) -> _Sourced | None:
    if isinstance(sourced, _Made):
        if isinstance(sourced.parts, dict):
            return sourced.parts.get(key) if isinstance(key, str) else None
        return sourced.parts[key] if isinstance(key, int) and 0 <= key < len(sourced.parts) else None
    child = value_at(sourced.value, key)
    if child is MISSING:
        return None
    if isinstance(sourced, _At):
        return _At(sourced.name, (*sourced.path, key), child)
    return _Computed(child, sourced.of)


def value_at(value: Json, key: Key) -> Json:
    """What lies under one key, or at one place of a list; MISSING when nothing does."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, MISSING)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return MISSING


def _places(sourced: _Sourced) -> Iterator[Origin]:
    if isinstance(sourced, _At):
        yield Origin(sourced.name, sourced.path)
    elif isinstance(sourced, _Made):
        for part in sourced.parts.values() if isinstance(sourced.parts, dict) else sourced.parts:
            yield from _places(part)
    else:
        for part in sourced.of:
            yield from _places(part)


def _same(one: Json, other: Json) -> bool:
    """Equal, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _listed(sourced: _Sourced) -> list[_Sourced] | None:
    """The elements of a list; None for anything else."""
    if isinstance(sourced, _Made):
        return sourced.parts if isinstance(sourced.parts, list) else None
    if not isinstance(sourced.value, list):
        return None
    if isinstance(sourced, _At):
        return [_At(sourced.name, (*sourced.path, place), item) for place, item in enumerate(sourced.value)]
    return [_Computed(item, sourced.of) for item in sourced.value]


class _Walk:
    """Goes through one expression on one payload."""

    def __init__(self, source: str, payload: Json, names: Mapping[str, Json], clock: VisitClock) -> None:
        self._source = source
        self._root = _At("", (), payload)
        self._names = names
        self._clock = clock
        self._left = _MOST

    def whole(self) -> _Sourced | None:
        """The value of the whole, None for nothing."""
        return self._value(tree.parse(self._source), self._root, {})

    def _value(self, node: tree.Node, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        found = self._found(node, focus, env)
        if isinstance(found, _Made) and found.sequence:
            assert isinstance(found.parts, list)
            if not found.parts:
                return None
            return found.parts[0] if len(found.parts) == 1 else _Made(found.parts)
        return found

    def _found(self, node: tree.Node, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        self._left -= 1
        if self._left < 0:
            raise _UnsureError
        match node:
            case tree.Literal():
                return _Computed(node.value, ())
            case tree.Name():
                return self._field(focus, node.value)
            case tree.Variable():
                return self._variable(node.name, focus, env)
            case tree.Path():
                return self._path(node.steps, focus, env)
            case tree.Filter():
                return self._filtered(node, focus, env)
            case tree.Keep():
                kept = self._value(node.target, focus, env)
                if kept is None or _listed(kept) is not None:
                    return kept
                return _Made([kept])
            case tree.Array():
                return self._array(node, focus, env)
            case tree.Object():
                return self._object(node, focus, env)
            case tree.Block():
                inner = dict(env)
                last: _Sourced | None = None
                for item in node.items:
                    last = self._value(item, focus, inner)
                return last
            case tree.Assignment():
                value = self._value(node.value, focus, env)
                env[node.variable.name] = value
                return value
            case tree.Condition():
                for test, branch in node.branches:
                    if self._holds(test, focus, env):
                        return self._value(branch, focus, env)
                return None if node.otherwise is None else self._value(node.otherwise, focus, env)
            case tree.Default():
                left = self._value(node.left, focus, env)
                if node.operator == "??":
                    return left if left is not None else self._value(node.right, focus, env)
                return left if self._holds(node.left, focus, env) else self._value(node.right, focus, env)
            case tree.Chain() | tree.Negation() | tree.Call():
                return self._computed(node, focus, env)
        raise _UnsureError

    def _field(self, focus: _Sourced, name: str) -> _Sourced | None:
        items = _listed(focus)
        if items is None:
            return _inside(focus, name)
        found: list[_Sourced] = []
        for item in items:
            child = self._field(item, name)
            if child is None:
                continue
            inner = _listed(child)
            found += [child] if inner is None else inner
        return _Made(found, sequence=True)

    def _variable(self, name: str, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        if name == "":
            return focus
        if name == "$":
            return self._root
        if name in env:
            return env[name]
        if name in NAMES:
            value = self._names.get(name, MISSING)
            return None if value is MISSING else _At(name, (), value)
        raise _UnsureError

    def _path(self, steps: Sequence[tree.Node], focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        first = steps[0]
        rest = list(steps)
        if isinstance(first, tree.Variable | tree.Block | tree.Call):
            begun = self._value(first, focus, env)
            if begun is None:
                return None
            rest = rest[1:]
        elif isinstance(first, tree.Array):
            raise _UnsureError
        else:
            begun = focus
        current = _listed(begun)
        items: list[_Sourced] = [begun] if current is None else current
        for number, step in enumerate(rest):
            results: list[tuple[_Sourced, bool]] = []
            for item in items:
                found = self._value(step, item, env)
                if found is not None:
                    results.append((found, isinstance(step, tree.Array)))
            if number == len(rest) - 1 and len(results) == 1 and _listed(results[0][0]) is not None:
                return results[0][0]
            items = []
            for found, whole in results:
                inner = None if whole else _listed(found)
                items += [found] if inner is None else inner
            if not items:
                return None
        return _Made(items, sequence=True)

    def _filtered(self, node: tree.Filter, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        target = self._value(node.target, focus, env)
        if target is None:
            return None
        listed = _listed(target)
        items = [target] if listed is None else listed
        predicate = node.predicate
        if isinstance(predicate, tree.Literal | tree.Negation):
            number = self._evaluated(predicate, focus, env)
            if isinstance(number, bool) or not isinstance(number, int):
                raise _UnsureError
            place = number if number >= 0 else len(items) + number
            return items[place] if 0 <= place < len(items) else None
        kept = []
        for item in items:
            value = self._evaluated(predicate, item, env)
            if isinstance(value, list) or (isinstance(value, int | float) and not isinstance(value, bool)):
                raise _UnsureError
            if _true(value):
                kept.append(item)
        return _Made(kept, sequence=True)

    def _array(self, node: tree.Array, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced:
        parts: list[_Sourced] = []
        for item in node.items:
            if isinstance(item, tree.Range):
                raise _UnsureError
            value = self._value(item, focus, env)
            if value is None:
                continue
            inner = None if isinstance(item, tree.Array) else _listed(value)
            parts += [value] if inner is None else inner
        return _Made(parts)

    def _object(self, node: tree.Object, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced:
        if _listed(focus) is not None:
            raise _UnsureError  # it groups the elements of a list
        parts: dict[str, _Sourced] = {}
        for key, value in node.pairs:
            name = self._evaluated(key, focus, env)
            if not isinstance(name, str) or name in parts:
                raise _UnsureError
            made = self._value(value, focus, env)
            if made is not None:
                parts[name] = made
        return _Made(parts)

    def _computed(self, node: tree.Node, focus: _Sourced, env: dict[str, _Sourced | None]) -> _Sourced | None:
        value = self._evaluated(node, focus, env)
        if value is MISSING:
            return None
        if isinstance(node, tree.Chain):
            operands: Sequence[tree.Node] = node.operands
        elif isinstance(node, tree.Negation):
            operands = (node.operand,)
        else:
            assert isinstance(node, tree.Call)
            operands = node.arguments or (tree.Variable(node.start, node.start, ""),)
        parts = []
        for operand in operands:
            if isinstance(operand, tree.Lambda | tree.Placeholder | tree.Regex):
                if isinstance(operand, tree.Lambda) and reads_of(self._text(operand)).names:
                    raise _UnsureError
                continue
            part = self._value(operand, focus, env)
            if part is not None:
                parts.append(part)
        return _Computed(value, tuple(parts))

    def _holds(self, node: tree.Node, focus: _Sourced, env: dict[str, _Sourced | None]) -> bool:
        return _true(self._evaluated(node, focus, env))

    def _evaluated(self, node: tree.Node, focus: _Sourced, env: dict[str, _Sourced | None]) -> Json:
        """What the engine gives for a part of the expression, on what it is applied to."""
        if isinstance(node, tree.Literal):
            return node.value
        text = self._text(node)
        reads = reads_of(text)
        if reads.names & set(env) or any(
            isinstance(each, tree.Variable) and each.name == "$" for each in tree.nodes(node)
        ):
            raise _UnsureError  # it reads the expression's own variables, or the whole from inside
        value = compile_expression(text).evaluate(_plain(focus), self._names, self._clock)
        if reads.clock:
            raise _UnsureError  # time and chance would be drawn a second time
        return value

    def _text(self, node: tree.Node) -> str:
        return self._source[node.start : node.end]


def _true(value: Json) -> bool:
    if value is MISSING or value is None:
        return False
    if isinstance(value, list):
        return any(_true(each) for each in value)
    return bool(value)


__all__ = ["Origin", "Origins", "origins", "value_at"]
