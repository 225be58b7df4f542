"""Evaluation of an expression: JSONata with limits and the visit's clock.

There are three ways, and they differ in nothing but speed and care:

1. plain paths and literals are read by Python directly;
2. the fast engine (`swift`) takes expressions whose values are known to stay small, given what they read (`growth`);
3. the careful engine (`careful`) takes the rest: recursion, computed lengths, `$eval`, whole numbers beyond 2^53.

Time and chance are the caller's: an expression that reads them is refused without a clock, so that nobody gets the
wall clock by forgetting it. Who wants real time passes `VisitClock(time.time(), seed)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from flowstudio.errors import ExpressionError, ExpressionLimitError, ExpressionSyntaxError
from flowstudio.expressions import faults, growth, swift
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.advice import remedy_of
from flowstudio.expressions.engine import Json, RefusedError, StoppedError, VisitClock, limits_for
from flowstudio.expressions.measure import EXACT, NotJsonError, count, weigh
from flowstudio.expressions.names import FUNCTIONS, NAMES, Field, Reads, Uses, field_name, reads_of, uses_of
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.swift import NeedsCareError

__all__ = ["Expression", "Names", "VisitClock", "compile_expression", "plain_path"]


class Names(Protocol):
    """The bound names, without their dollar: a mapping, or what makes them when they are asked for."""

    def get(self, name: str, default: Any, /) -> Any:
        """The value of a name."""


Trie = dict[str, "Trie | None"]
"""The fields of a value that are read; None for all that is in one."""

_UNSURE: Final = object()
_PROBES: Final = tuple(1 << power for power in range(20, 6, -2))
_MOST: Final = 5_000_000
_LARGE: Final = 50_000
_EMPTY: Final[Mapping[str, Json]] = {}


class Expression:
    """A compiled expression: made once, evaluated for each message, by any thread."""

    __slots__ = (
        "_bound",
        "_bound_of_size",
        "_care",
        "_clocked",
        "_computes",
        "_is_bounded",
        "_payload",
        "_plain",
        "_tree",
        "_unchecked",
        "constant",
        "reads",
        "source",
    )

    def __init__(self, source: str, root: tree.Node, care: bool) -> None:
        self.source: Final = source
        self.reads: Final[Reads] = reads_of(source)
        self.constant: Final[Json] = root.value if isinstance(root, tree.Literal) else MISSING
        """The value, if the expression is nothing but a literal; MISSING for every other."""
        self._tree = root
        self._plain = plain_path(root)
        self._care = care
        uses = uses_of(root)
        self._payload = _trie(uses.payload) if not uses.evaluates else None
        self._bound = _bound(uses)
        self._clocked = uses.clock
        self._computes = _computes(root)
        self._is_bounded = False
        self._bound_of_size: growth.Bound | None = None
        self._unchecked = -1
        """The weight up to which the fast engine may be used without another look."""

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, payload: Json, names: Names = _EMPTY, clock: VisitClock | None = None) -> Json:
        """The value for a payload and bound names; MISSING where it gives nothing.

        ExpressionError with JSONata's code; ExpressionLimitError when it would take too much.
        """
        if self._plain is not None:
            value = self._plain(payload, names)
            if value is not _UNSURE:
                return value
        if clock is None and self._clocked:
            raise ExpressionError(
                "$now, $millis, $random and $shuffle need the clock of a visit, and there is none here",
                remedy="take them out: this is evaluated before a message comes",
                source=self.source,
            )
        try:
            weight = _weigh(payload, self._payload) if self.reads.payload else 0
            bound: dict[str, Json] | None = None
            if self._bound:
                bound = {}
                for name, trie in self._bound:
                    value = names.get(name, MISSING)
                    if trie is not None and value.__class__ is dict:
                        part: dict[str, Json] = {}
                        bound[name] = part
                        weight += _read(value, trie, part)
                    elif value is not MISSING:
                        weight += weigh(value)
                        bound[name] = dict(value) if isinstance(value, Mapping) else value
            if not self._care and (weight <= self._unchecked or self._is_harmless(payload, names, weight)):
                value = swift.compiled(self.source, self._clocked).evaluate(
                    payload,
                    bound,
                    clock if self._clocked else None,
                    None if weight < _LARGE else limits_for(weight),
                )
            else:
                value = self._carefully(payload, bound, clock)
        except NeedsCareError:
            value = self._carefully(payload, bound, clock)
        except RefusedError as error:
            raise self._failed(error) from error
        except NotJsonError as error:
            raise self._not_json(error) from None
        except RecursionError:
            raise faults.limited(self.source, "the data is nested too deeply", code="U1001") from None
        if self._computes and value.__class__ is not bool and not _finite(value):
            raise self._failed(RefusedError("D1001", ""))
        return value

    def _is_harmless(self, payload: Json, names: Names, weight: int) -> bool:
        """Whether the values that are made are known to stay within the limits."""
        if weight >= EXACT:
            return False
        if not self._is_bounded:
            bound = growth.bound_of(self._tree)
            if bound is not None:
                self._unchecked = next((probe for probe in _PROBES if bound.even(probe) <= _MOST), -1)
            self._bound_of_size = bound
            self._is_bounded = True
            if weight <= self._unchecked:
                return True
        bound = self._bound_of_size
        if bound is None:
            return False
        return bound.at([size_of(read, payload, names) for read in bound.reads]) <= max(_MOST, 32 * weight)

    def _carefully(self, payload: Json, bound: dict[str, Json] | None, clock: VisitClock | None) -> Json:
        try:
            # What the fast engine does not look at could still be none of JSON.
            weight = sum(map(count, (bound or {}).values())) + (count(payload) if payload is not MISSING else 0)
            return _careful().evaluate(self.source, payload, bound or {}, clock, limits_for(weight % EXACT))
        except StoppedError as error:
            raise faults.limited(self.source, error.what, code=error.code) from error
        except RefusedError as error:
            raise self._failed(error) from error
        except NotJsonError as error:
            raise self._not_json(error) from None
        except RecursionError:
            raise faults.limited(self.source, "the data is nested too deeply", code="U1001") from None

    def _not_json(self, error: NotJsonError) -> ExpressionError:
        return ExpressionError(
            f"the data holds a value of Python's type {error.kind}, which is not JSON", source=self.source
        )

    def _failed(self, error: RefusedError) -> ExpressionError:
        return faults.failed(self.source, error.code, error.detail, remedy_of)


def compile_expression(source: str) -> Expression:
    """Compiles an expression.

    ExpressionSyntaxError tells where it breaks, in characters from 0, and for a common slip what to write instead.
    """
    if not isinstance(source, str):
        raise ExpressionSyntaxError(f"an expression is a text, not {type(source).__name__}")
    return _compiled(source)


@lru_cache(maxsize=4_096)
def _compiled(source: str) -> Expression:
    try:
        root = tree.parse(source)
        care = _is_checked(source, root)
        return Expression(source, root, care)
    except ExpressionSyntaxError as error:
        if not error.remedy:
            error.remedy = remedy_of(source)
        raise
    except RecursionError:
        raise _too_deep(source) from None


def plain_path(root: tree.Node) -> Callable[[Json, Names], Json] | None:
    """A literal, a variable or a path of plain fields as a function; it gives up where a list is on the way."""
    if isinstance(root, tree.Literal):
        constant = root.value
        if isinstance(constant, int) and not isinstance(constant, bool) and abs(constant) > 1 << 53:
            return None
        return lambda payload, names: constant
    steps = root.steps if isinstance(root, tree.Path) else (root,)
    head, rest = steps[0], steps[1:]
    if not all(isinstance(step, tree.Name) for step in rest):
        return None
    fields = tuple(step.value for step in rest if isinstance(step, tree.Name))
    if isinstance(head, tree.Name):
        fields = (head.value, *fields)
    elif not isinstance(head, tree.Variable):
        return None
    elif head.name not in ("", "$"):
        return _named(head.name, fields)
    if not fields:
        return lambda payload, names: payload
    if len(fields) == 1:
        return _field(fields[0])
    return _fields(fields)


def _field(name: str) -> Callable[[Json, Names], Json]:
    def read(payload: Json, names: Names) -> Json:
        if payload.__class__ is dict:
            return payload.get(name, MISSING)
        return _UNSURE if isinstance(payload, (list, Mapping)) else MISSING

    return read


def _fields(fields: tuple[str, ...]) -> Callable[[Json, Names], Json]:
    def read(payload: Json, names: Names) -> Json:
        value = payload
        for name in fields:
            if value.__class__ is not dict:
                return _UNSURE if isinstance(value, (list, Mapping)) else MISSING
            value = value.get(name, MISSING)
        return value

    return read


def _named(root: str, fields: tuple[str, ...]) -> Callable[[Json, Names], Json] | None:
    if root not in NAMES and root in FUNCTIONS:
        return None
    # A function of the language, where no such name is bound.
    is_function = root in FUNCTIONS

    def read(payload: Json, names: Names) -> Json:
        value = names.get(root, MISSING)
        if is_function and value is MISSING:
            return _UNSURE
        for name in fields:
            if value.__class__ is not dict:
                if not isinstance(value, Mapping):
                    return _UNSURE if isinstance(value, list) else MISSING
                value = value.get(name, MISSING)
                continue
            value = value.get(name, MISSING)
        return value

    return read


def _trie(paths: list[tuple[Field, ...]]) -> Trie | None:
    """What is read of a value, given the plain fields of each place that reads it; None for all."""
    root: Trie = {}
    for path in paths:
        if not path:
            return None
        place = root
        for number, field in enumerate(path):
            name = field_name(field)
            if name in place and place[name] is None:
                break
            if number == len(path) - 1:
                place[name] = None
                break
            inner = place.setdefault(name, {})
            assert inner is not None
            place = inner
    return root


def _bound(uses: Uses) -> tuple[tuple[str, Trie | None], ...]:
    """The names to bind, each with what is read of it."""
    if uses.evaluates:
        return tuple((name, None) for name in sorted({*NAMES, *uses.names()}))
    paths: dict[str, list[tuple[Field, ...]]] = {}
    for use in uses.free:
        paths.setdefault(use.variable.name, []).append(use.fields)
    return tuple((name, _trie(found)) for name, found in paths.items())


def _weigh(value: Json, trie: Trie | None) -> int:
    """The weight of what is read of a value."""
    if trie is None:
        return 1 if value is MISSING else weigh(value)
    if value.__class__ is not dict:
        return 0 if value is MISSING else weigh(value)
    weight = 0
    for name, inner in trie.items():
        part = value.get(name)
        if part is None or part.__class__ is bool:
            weight += 1
        elif inner is None:
            weight += weigh(part)
        else:
            weight += _weigh(part, inner)
    return weight


def size_of(read: growth.Read, payload: Json, names: Names) -> float:
    """The size of something that is read."""
    value = payload if read.root == "" else names.get(read.root, MISSING)
    element = read.element
    for field in read.fields:
        if value.__class__ is not dict:
            # The field is one of a list's elements: all of them together are no larger than the list.
            element = False
            break
        value = value.get(field, MISSING)
    if value is MISSING:
        return 1.0
    if element and value.__class__ is list:
        return float(max((weigh(part) % EXACT for part in value), default=1))
    return float(weigh(value) % EXACT)


def _read(value: dict[str, Json], trie: Trie, result: dict[str, Json]) -> int:
    """Puts the part of an object that is read into another, and weighs it: engines convert all that they are given."""
    weight = 0
    for name, inner in trie.items():
        part = value.get(name, MISSING)
        if part is MISSING:
            continue
        if inner is None or part.__class__ is not dict:
            weight += weigh(part)
            result[name] = part
        else:
            inside: dict[str, Json] = {}
            result[name] = inside
            weight += _read(part, inner, inside)
    return weight


_NUMERIC = frozenset({"+", "-", "*", "/", "%"})
_NUMERIC_FUNCTIONS = frozenset({"power", "sum", "average", "round", "abs", "sqrt", "number", "formatBase", "eval"})


def _computes(root: tree.Node) -> bool:
    """Whether a value may be a number that JSON does not have: infinite, or none."""
    for node in tree.nodes(root):
        if isinstance(node, tree.Chain) and not _NUMERIC.isdisjoint(node.operators):
            return True
        if isinstance(node, tree.Variable) and node.name in _NUMERIC_FUNCTIONS:
            return True
    return False


def _finite(value: Json) -> bool:
    """Whether every number in a value is one that JSON has."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is dict or kind is list:
        waiting: list[Any] = [value]
        while waiting:
            inside = waiting.pop()
            for part in inside.values() if type(inside) is dict else inside:
                kind = type(part)
                if kind is float:
                    if not math.isfinite(part):
                        return False
                elif kind is dict or kind is list:
                    waiting.append(part)
    return True


def _is_checked(source: str, root: tree.Node) -> bool:
    """Has the engines read an expression too; tells whether only the careful one can evaluate it."""
    care = False
    for node in tree.nodes(root):
        if isinstance(node, tree.Regex):
            care = _checked_regex(source, node) or care
        elif isinstance(node, tree.Literal) and type(node.value) is int and abs(node.value) > 1 << 53:
            care = True
    try:
        swift.compiled(source, uses_of(root).clock)
    except NeedsCareError:
        return True
    except RefusedError as error:
        if error.code == "U1002":
            raise _too_deep(source) from error
        if error.code not in ("S0217", "S0214", "S0213"):
            careful = _careful()
            try:
                careful.check(source)
            except StoppedError:
                raise _too_deep(source) from error
            except RefusedError as refused:
                place = _parent(root) if refused.code == "S0217" else careful.position_of(source)
                raise faults.unreadable(source, refused.code or error.code, refused.detail, place) from error
            return True
        raise faults.unreadable(source, error.code, error.detail, _parent(root)) from error
    return care


def _too_deep(source: str) -> ExpressionLimitError:
    return ExpressionLimitError(
        "the expression is nested too deeply, or too long a chain",
        code="U1002",
        remedy="split it into parts",
        source=source,
    )


def _checked_regex(source: str, node: tree.Regex) -> bool:
    """Whether a regular expression needs the careful engine."""
    if swift.regex_fault(source[node.start : node.end]) is None:
        return False
    fault = _careful().regex_fault(node.pattern, node.flags)
    if fault is not None:
        raise ExpressionSyntaxError(
            f"the regular expression is not well formed: {fault}", code="S0302", position=node.start, source=source
        )
    return True


def _parent(root: tree.Node) -> int | None:
    places = [node.start for node in tree.nodes(root) if isinstance(node, tree.Parent)]
    return places[0] if places else None


def _careful() -> Any:
    # Not at the top: its library takes 70 ms to import, and most flows never need it.
    from flowstudio.expressions import careful

    return careful
