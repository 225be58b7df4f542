"""What an expression or a text reads, and the same with a step or a variable under another name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from flowstudio.errors import ExpressionError
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.braces import Brace, scan

NAMES: Final = ("meta", "vars", "steps", "trigger", "run", "customer", "instance", "item", "state", "error")
"""The names that can be bound to an expression beside its payload, without their dollar."""

FUNCTIONS: Final = frozenset(
    """
    sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad
    match contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs
    sqrt power random boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse
    each error assert type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl
    decodeUrlComponent decodeUrl eval toMillis fromMillis now millis
    """.split()
)
"""The language's own functions, without their dollar."""

CLOCKED: Final = frozenset({"now", "millis", "random", "shuffle"})
"""The functions that need the time or the chance of a visit."""

ON_CONTEXT: Final = {
    **dict.fromkeys(
        """string length trim lowercase uppercase number floor ceil round abs sqrt boolean not keys spread
        base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl toMillis fromMillis
        formatBase eval""".split(),
        1,
    ),
    **dict.fromkeys(
        """substring substringBefore substringAfter pad match contains split formatNumber formatInteger parseInteger
        power lookup each sift""".split(),
        2,
    ),
    "replace": 3,
}
"""Functions that work on the context when they have fewer arguments than this."""

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"and", "or", "in", "true", "false", "null", "function"})


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expression or text reads. `variables` and `steps` are None where it cannot be told beforehand.

    `names` are the bound names without their dollar, also those that nobody binds; `payload` tells whether the
    payload is read, `clock` whether time or chance is.
    """

    names: frozenset[str] = frozenset()
    variables: frozenset[str] | None = frozenset()
    steps: frozenset[str] | None = frozenset()
    payload: bool = False
    clock: bool = False

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.names | other.names,
            None if self.variables is None or other.variables is None else self.variables | other.variables,
            None if self.steps is None or other.steps is None else self.steps | other.steps,
            self.payload or other.payload,
            self.clock or other.clock,
        )


NOTHING_READ: Final = Reads()


@lru_cache(maxsize=512)
def reads_of(source: str) -> Reads:
    """What an expression reads; ExpressionError when it is none."""
    uses = uses_of(tree.parse(source))
    if uses.evaluates:
        return Reads(frozenset(NAMES) | uses.names(), None, None, payload=True, clock=True)
    return Reads(uses.names(), uses.fields("vars"), uses.fields("steps"), bool(uses.payload), uses.clock)


def reads_of_text(source: str) -> Reads:
    """What a text with `{{ }}` reads; ExpressionError when it is none."""
    reads = NOTHING_READ
    for part in scan(source):
        if isinstance(part, Brace):
            reads |= reads_of(part.expression)
    return reads


def rename_step(source: str, old: str, new: str) -> str:
    """An expression that reads the step `old` under its new id, all else kept; one that does not compile is kept."""
    return _renamed(source, "steps", old, new)


def rename_variable(source: str, old: str, new: str) -> str:
    """An expression that reads the variable `old` under its new name, all else kept."""
    return _renamed(source, "vars", old, new)


def rename_step_in_text(source: str, old: str, new: str) -> str:
    """A text whose `{{ }}` read the step `old` under its new id, all else kept."""
    return _renamed_in_text(source, "steps", old, new)


def rename_variable_in_text(source: str, old: str, new: str) -> str:
    """A text whose `{{ }}` read the variable `old` under its new name, all else kept."""
    return _renamed_in_text(source, "vars", old, new)


def written(name: str) -> str:
    """A field's name as it is written in a path: bare, or in back-ticks where it must be."""
    if _BARE.fullmatch(name) and name not in _RESERVED:
        return name
    return json.dumps(name, ensure_ascii=False) if "`" in name else f"`{name}`"


def _renamed(source: str, root: str, old: str, new: str) -> str:
    if old not in source:
        return source
    try:
        uses = uses_of(tree.parse(source))
    except ExpressionError:
        return source
    spans = sorted(
        (use.fields[0].start, use.fields[0].end)
        for use in uses.free
        if use.variable.name == root and use.fields and field_name(use.fields[0]) == old
    )
    parts: list[str] = []
    place = 0
    for start, end in spans:
        parts.append(source[place:start])
        quote = source[start]
        if quote in "\"'":
            inside = json.dumps(new, ensure_ascii=False)[1:-1]
            parts.append(quote + (inside if quote == '"' else inside.replace('\\"', '"')) + quote)
        else:
            parts.append(written(new))
        place = end
    return "".join([*parts, source[place:]])


def _renamed_in_text(source: str, root: str, old: str, new: str) -> str:
    try:
        parts = scan(source)
    except ExpressionError:
        return source
    place = 0
    renamed: list[str] = []
    for part in parts:
        if isinstance(part, Brace):
            renamed.append(source[place : part.start + 2])
            renamed.append(_renamed(part.expression, root, old, new))
            place = part.end - 2
    return "".join([*renamed, source[place:]])


Field = tree.Name | tree.Literal


def field_name(node: Field) -> str:
    """The name of a field that a path or `$lookup` goes through."""
    return str(node.value)


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a bound name is read: the variable, and the plain fields that directly follow it."""

    variable: tree.Variable
    fields: tuple[Field, ...]


@dataclass(slots=True)
class Uses:
    """All that an expression reads from outside itself."""

    free: list[Use] = field(default_factory=list)
    payload: list[tuple[Field, ...]] = field(default_factory=list)
    """Of each place where the payload is read, the plain fields that it goes through; none for the whole."""
    functions: set[str] = field(default_factory=set)

    @property
    def clock(self) -> bool:
        """Whether time or chance is read."""
        return not self.functions.isdisjoint(CLOCKED)

    @property
    def evaluates(self) -> bool:
        """Whether text is evaluated, so that nothing can be told."""
        return "eval" in self.functions

    def names(self) -> frozenset[str]:
        """The bound names that are read."""
        return frozenset(use.variable.name for use in self.free)

    def fields(self, root: str) -> frozenset[str] | None:
        """The fields of a bound name that are read; None where one cannot be told."""
        found = set()
        for use in self.free:
            if use.variable.name == root:
                if not use.fields:
                    return None
                found.add(field_name(use.fields[0]))
        return frozenset(found)


def uses_of(root: tree.Node) -> Uses:
    """What a tree reads from outside itself."""
    reader = _Reader()
    reader.walk(root, True)
    return reader.uses


class _Frame:
    """The variables that one block, function or path binds: those bound so far, and those bound somewhere in it."""

    __slots__ = ("bound", "later")

    def __init__(self, bound: set[str], later: set[str]) -> None:
        self.bound = bound
        self.later = later


_PATHS = (tree.Path, tree.Filter, tree.Keep, tree.Group, tree.Sort, tree.Focus, tree.Position)


class _Reader:
    """Walks a tree in the order of evaluation, knowing which variables are the expression's own.

    Where that depends on the data (a variable that is set in one branch only) the name counts as read from outside.
    """

    def __init__(self) -> None:
        self.uses = Uses()
        self.frames = [_Frame(set(), set())]
        self.function = 0
        """The first frame that belongs to the innermost function: the ones before it are complete when it is called."""

    def is_own(self, name: str) -> bool:
        for place in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[place]
            if name in frame.bound or (place < self.function and name in frame.later):
                return True
        return False

    def within(self, node: tree.Node, on_payload: bool) -> None:
        """Walks a part that may not be evaluated: what it binds does not count afterwards."""
        self.frames.append(_Frame(set(), set()))
        self.walk(node, on_payload)
        self.frames.pop()

    def walk(self, node: tree.Node, on_payload: bool) -> None:
        """`on_payload` tells whether the context is the payload itself."""
        if isinstance(node, tree.Variable):
            self.variable(node, (), on_payload)
        elif isinstance(node, tree.Name):
            if on_payload:
                self.uses.payload.append((node,))
        elif isinstance(node, (tree.Wildcard, tree.Descendant, tree.Parent)):
            if on_payload:
                self.uses.payload.append(())
        elif isinstance(node, _PATHS):
            self.frames.append(_Frame(set(), set()))
            self.path(node, on_payload)
            self.frames.pop()
        elif isinstance(node, tree.Block):
            later = {part.variable.name for part in _in_this_block(node) if isinstance(part, tree.Assignment)}
            self.frames.append(_Frame(set(), later))
            for item in node.items:
                self.walk(item, on_payload)
            self.frames.pop()
        elif isinstance(node, tree.Assignment):
            if isinstance(node.value, tree.Lambda):
                self.frames[-1].later.add(node.variable.name)
            self.walk(node.value, on_payload)
            self.frames[-1].bound.add(node.variable.name)
        elif isinstance(node, tree.Lambda):
            outer, self.function = self.function, len(self.frames)
            self.frames.append(_Frame({parameter.name for parameter in node.parameters}, set()))
            self.walk(node.body, on_payload)
            self.frames.pop()
            self.function = outer
        elif isinstance(node, tree.Call):
            self.call(node, on_payload, given=0)
        elif isinstance(node, tree.Apply):
            self.walk(node.links[0], on_payload)
            for link in node.links[1:]:
                if isinstance(link, tree.Call):
                    self.call(link, on_payload, given=1)
                else:
                    self.walk(link, on_payload)
        elif isinstance(node, tree.Condition):
            for place, (test, value) in enumerate(node.branches):
                if place == 0:
                    self.walk(test, on_payload)
                else:
                    self.within(test, on_payload)
                self.within(value, on_payload)
            if node.otherwise is not None:
                self.within(node.otherwise, on_payload)
        elif isinstance(node, tree.Default):
            self.walk(node.left, on_payload)
            self.within(node.right, on_payload)
        elif isinstance(node, tree.Chain) and node.operators[0] in ("and", "or"):
            self.walk(node.operands[0], on_payload)
            for operand in node.operands[1:]:
                self.within(operand, on_payload)
        elif isinstance(node, tree.Transform):
            for child in tree.children(node):
                self.within(child, False)
        else:
            for child in tree.children(node):
                self.walk(child, on_payload)

    def variable(self, node: tree.Variable, fields: tuple[Field, ...], on_payload: bool) -> None:
        """A variable, with the plain fields that follow it."""
        if node.name in ("", "$"):
            if on_payload or node.name == "$":
                self.uses.payload.append(fields)
        elif not self.is_own(node.name):
            if node.name in FUNCTIONS:
                self.uses.functions.add(node.name)
            if node.name not in FUNCTIONS or node.name in NAMES:
                self.uses.free.append(Use(node, fields))

    def path(self, node: tree.Node, on_payload: bool) -> None:
        """A path or what wraps one; what its steps bind is known to all that comes after."""
        if isinstance(node, tree.Path):
            fields = _plain(node.steps[1:])
            head = node.steps[0]
            if isinstance(head, tree.Variable):
                self.variable(head, fields, on_payload)
            elif isinstance(head, tree.Name):
                if on_payload:
                    self.uses.payload.append((head, *fields))
            elif isinstance(head, _PATHS):
                self.path(head, on_payload)
            else:
                self.walk(head, on_payload)
            for place, step in enumerate(node.steps[1:], start=2):
                if isinstance(step, tree.Variable):
                    self.variable(step, _plain(node.steps[place:]), False)
                elif isinstance(step, _PATHS):
                    self.path(step, False)
                else:
                    self.walk(step, False)
            return
        assert isinstance(node, (tree.Filter, tree.Keep, tree.Group, tree.Sort, tree.Focus, tree.Position))
        if isinstance(node.target, _PATHS):
            self.path(node.target, on_payload)
        else:
            self.walk(node.target, on_payload)
        if isinstance(node, tree.Filter):
            self.within(node.predicate, False)
        elif isinstance(node, tree.Group):
            for pair in node.pairs:
                for part in pair:
                    self.within(part, False)
        elif isinstance(node, tree.Sort):
            for term in node.terms:
                self.within(term, False)
        elif isinstance(node, (tree.Focus, tree.Position)):
            self.frames[-1].bound.add(node.variable.name)

    def call(self, node: tree.Call, on_payload: bool, given: int) -> None:
        """A call; `given` arguments come from the left side of `~>`."""
        arguments = node.arguments
        function = node.function
        if isinstance(function, tree.Variable) and function.name in FUNCTIONS and not self.is_own(function.name):
            self.variable(function, (), on_payload)
            if on_payload and given + len(arguments) < ON_CONTEXT.get(function.name, 0):
                self.uses.payload.append(())
            if function.name == "lookup" and not given and len(arguments) == 2:
                target, key = arguments
                if isinstance(target, tree.Variable) and isinstance(key, tree.Literal) and isinstance(key.value, str):
                    self.variable(target, (key,), on_payload)
                    return
        else:
            self.walk(function, on_payload)
        for argument in arguments:
            self.walk(argument, on_payload)


def _plain(steps: tuple[tree.Node, ...]) -> tuple[Field, ...]:
    """The leading steps that are plain fields; the last one may have predicates."""
    fields: list[Field] = []
    for step in steps:
        inner = step
        while isinstance(inner, (tree.Filter, tree.Keep, tree.Focus, tree.Position)):
            inner = inner.target
        if not isinstance(inner, tree.Name):
            break
        fields.append(inner)
        if inner is not step:
            break
    return tuple(fields)


def _in_this_block(block: tree.Block) -> list[tree.Node]:
    """The nodes of a block that share its variables."""
    found: list[tree.Node] = []
    waiting: list[tree.Node] = list(block.items)
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, (tree.Block, tree.Lambda)):
            waiting.extend(tree.children(node))
    return found
