"""An expression as each engine must be given it, so that it means what it means in the reference.

Each change here goes around a fault of a library whose version is fixed; the tests hold both engines against JSONata's
own cases and against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from flowstudio.expressions import syntax as tree
from flowstudio.expressions.names import FUNCTIONS, ON_CONTEXT

LARGEST: Final = 1 << 53
PAYLOAD: Final = "payload_"
"""The variable that stands for the payload where the careful engine must be given one."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters that are replaced; of several at one place those of a lower rank come first."""

    start: int
    end: int
    text: str
    rank: float = 0


def _edited(source: str, edits: Iterable[_Edit]) -> str:
    parts: list[str] = []
    place = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end > each.start, each.rank)):
        parts += [source[place : edit.start], edit.text]
        place = edit.end
    return "".join([*parts, source[place:]])


@lru_cache(maxsize=512)
def for_swift(source: str) -> str:
    """jsonatapy 2.2.13 takes `$exists($)` for false whatever the context is, where `$exists(($))` is right; `^( )` and
    `{ }` bind tighter there than they should; and each `&` of a chain is a step deeper into the stack.
    """
    if not any(part in source for part in ("$exists", "^", "{")) and source.count("&") < _LONG:
        return source
    root = tree.parse(source)
    edits = [
        _Edit(argument.start, argument.end, "($)")
        for call in tree.nodes(root)
        if isinstance(call, tree.Call) and isinstance(call.function, tree.Variable) and call.function.name == "exists"
        for argument in call.arguments
        if isinstance(argument, tree.Variable) and argument.name == ""
    ]
    return _edited(source, [*edits, *_bracketed_targets(root), *_bracketed_texts(root)])


_LONG: Final = 64
_PART: Final = 16


def _bracketed_texts(root: tree.Node) -> list[_Edit]:
    """Brackets around parts of a long chain of `&`, which may be joined in any order."""
    edits: list[_Edit] = []
    for chain in tree.nodes(root):
        if isinstance(chain, tree.Chain) and len(chain.operands) >= _LONG and set(chain.operators) == {"&"}:
            for place in range(0, len(chain.operands), _PART):
                part = chain.operands[place : place + _PART]
                edits += _brackets(part[0].start, part[-1].end)
    return edits


def _bracketed_targets(root: tree.Node) -> list[_Edit]:
    """Brackets around what an order-by or a grouping applies to, where that is no step."""
    targets = [node.target for node in tree.nodes(root) if isinstance(node, (tree.Sort, tree.Group))]
    return [edit for target in targets if isinstance(target, _LOOSE) for edit in _brackets(target.start, target.end)]


def _bracketed_chains(root: tree.Node) -> list[_Edit]:
    """Brackets around what operators of the same rank have joined, from the left."""
    edits: list[_Edit] = []
    for node in tree.nodes(root):
        if isinstance(node, tree.Apply) and isinstance(node.links[0], _LOOSE):
            edits += _brackets(node.links[0].start, node.links[0].end)
        if isinstance(node, tree.Chain) and len(set(node.operators)) > 1:
            for operand in node.operands[1:-1]:
                edits += _brackets(node.start, operand.end)
    return edits


def _brackets(start: int, end: int) -> tuple[_Edit, _Edit]:
    # The longer of two that begin, or end, at the same place is the outer one.
    return _Edit(start, start, "(", _OPENING - end), _Edit(end, end, ")", _CLOSING - start)


# At one place brackets close before others open, and what is put before a name stands next to it.
_CLOSING: Final = -1e6
_OPENING: Final = 1e6
_INNERMOST: Final = 2e6
_LOOSE = (tree.Chain, tree.Negation, tree.Apply, tree.Default, tree.Condition, tree.Assignment)


@dataclass(frozen=True, slots=True)
class Careful:
    """A source for the careful engine, the numbers that its variables stand for, and whether it needs `PAYLOAD`."""

    text: str
    numbers: tuple[tuple[str, int], ...]
    payload: bool


@lru_cache(maxsize=512)
def for_careful(source: str) -> Careful:
    """jsonata2py 0.1.3 is exact with whole numbers, but not with those that are written in an expression; it takes the
    payload for `$$` as a later step of a path even where the path before it leads nowhere; it evaluates the body of a
    function with several parameters on these parameters, where the context is that of the function's place; it ranks
    `~>`, `&` and `in` differently; and it takes `not` for a word of the language.
    """
    root = tree.parse(source)
    large = large_numbers(root)
    edits = [_Edit(node.start, node.end, f"$exact_{node.start}") for node in large]
    payload = False
    for path in tree.nodes(root):
        for step in path.steps[1:] if isinstance(path, tree.Path) else ():
            inner = step
            while isinstance(inner, (tree.Filter, tree.Keep)) or _is_bracketed(inner):
                inner = inner.items[0] if isinstance(inner, tree.Block) else inner.target  # type: ignore[attr-defined]
            if isinstance(inner, tree.Variable) and inner.name == "$":
                edits.append(_Edit(inner.start, inner.end, f"(${PAYLOAD})"))
                payload = True
        if isinstance(path, tree.Name) and path.value == "not" and path.end - path.start == 3:
            edits.append(_Edit(path.start, path.end, "`not`"))
    edits += [*_bracketed_targets(root), *_bracketed_chains(root)]
    contexts = _Contexts()
    contexts.walk(root, contexts.root, False)
    edits += contexts.edits()
    numbers = tuple((f"exact_{node.start}", int(node.value)) for node in large)  # type: ignore[arg-type]
    return Careful(_edited(source, edits), numbers, payload)


def large_numbers(root: tree.Node) -> list[tree.Literal]:
    """The whole numbers in a tree that a float cannot hold."""
    return [
        node
        for node in tree.nodes(root)
        if isinstance(node, tree.Literal) and type(node.value) is int and abs(node.value) > LARGEST
    ]


def _is_bracketed(node: tree.Node) -> bool:
    return isinstance(node, tree.Block) and len(node.items) == 1


@dataclass(slots=True)
class _Context:
    """A part of an expression that is evaluated on a context of its own, and what functions in it read of that."""

    node: tree.Node | None
    heads: list[tree.Node] = field(default_factory=list)


class _Contexts:
    """Finds what functions with several parameters read of their context, and names that context around them."""

    def __init__(self) -> None:
        self.root = _Context(None)
        self.found = [self.root]

    def edits(self) -> list[_Edit]:
        edits: list[_Edit] = []
        for number, context in enumerate(self.found):
            name = "$$" if context.node is None else f"$context_{number}"
            for head in context.heads:
                if isinstance(head, tree.Variable):
                    edits.append(_Edit(head.start, head.end, name))
                else:
                    edits.append(_Edit(head.start, head.start, f"{name}.", _INNERMOST))
            if context.heads and context.node is not None:
                node = context.node
                opening, closing = _brackets(node.start, node.end)
                edits += [replace(opening, text=f"({name} := $; "), closing]
        return edits

    def opened(self, node: tree.Node) -> None:
        """A part that has a context of its own."""
        if isinstance(node, tree.Array):
            # Brackets around it would change what it is as a step of a path: around each element they do not.
            for item in node.items:
                self.opened(item)
            return
        context = _Context(node)
        self.found.append(context)
        self.walk(node, context, False)

    def walk(self, node: tree.Node, context: _Context, inside: bool) -> None:
        """`inside` tells whether this is in such a function, and its context that of the function's place."""
        if isinstance(node, (tree.Name, tree.Wildcard, tree.Descendant)):
            if inside:
                context.heads.append(node)
        elif isinstance(node, tree.Variable):
            if inside and node.name == "":
                context.heads.append(node)
        elif isinstance(node, tree.Path):
            self.walk(node.steps[0], context, inside)
            for step in node.steps[1:]:
                self.step(step, context)
        elif isinstance(node, tree.Filter):
            self.walk(node.target, context, inside)
            self.opened(node.predicate)
        elif isinstance(node, tree.Sort):
            self.walk(node.target, context, inside)
            for term in node.terms:
                self.opened(term)
        elif isinstance(node, tree.Group):
            self.walk(node.target, context, inside)
            for pair in node.pairs:
                for part in pair:
                    self.opened(part)
        elif isinstance(node, tree.Transform):
            for part in tree.children(node):
                self.opened(part)
        elif isinstance(node, tree.Lambda):
            self.walk(node.body, context, inside or len(node.parameters) > 1)
        elif isinstance(node, (tree.Focus, tree.Position)):
            self.walk(node.target, context, inside)
        elif isinstance(node, tree.Call):
            self.call(node, context, inside, given=0)
        elif isinstance(node, tree.Apply):
            for number, link in enumerate(node.links):
                if isinstance(link, tree.Call) and number:
                    self.call(link, context, inside, given=1)
                else:
                    self.walk(link, context, inside)
        else:
            for part in tree.children(node):
                self.walk(part, context, inside)

    def step(self, step: tree.Node, context: _Context) -> None:
        """A later step of a path."""
        if isinstance(step, (tree.Filter, tree.Keep, tree.Group, tree.Sort, tree.Focus, tree.Position)):
            self.step(step.target, context)
            for part in tree.children(step):
                if part is not step.target and not isinstance(step, (tree.Focus, tree.Position)):
                    self.opened(part)
        elif not isinstance(step, (tree.Name, tree.Wildcard, tree.Descendant, tree.Parent, tree.Variable)):
            self.opened(step)

    def call(self, node: tree.Call, context: _Context, inside: bool, given: int) -> None:
        function = node.function
        if isinstance(function, tree.Variable) and function.name in FUNCTIONS:
            if inside and given + len(node.arguments) < ON_CONTEXT.get(function.name, 0):
                context.heads.append(node)
                inside = False
        else:
            self.walk(function, context, inside)
        for argument in node.arguments:
            self.walk(argument, context, inside)
