"""How large the values of an evaluation can become, told from the expression and the size of what it reads.

The fast engine stops between two operations, never within one, and cannot be told to use less memory. So what it is
given must be harmless by construction: a `Bound` tells the most that all the values can be together which an
evaluation makes, counted as `measure.count` counts. Where no bound can be told (recursion, lengths that are computed,
values that feed on themselves) there is none, and the expression is left to the careful engine, which checks as it
goes.

A size is a polynomial over the sizes of what is read and of the contexts that are open: in
`orders.{"total": $sum(lines.price)}` the part that depends on an order adds up to the size of `orders` over all
orders, the constant part counts once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flowstudio.expressions import syntax as tree
from flowstudio.expressions.names import FUNCTIONS, ON_CONTEXT, Field, field_name

Size = dict[tuple[int, ...], float]
"""A polynomial: what is multiplied -> the factor. Contexts are numbered from 0 up, what is read from -1 down."""

_TERMS: Final = 200
_STEPS: Final = 5_000
_DEGREE: Final = 8
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})

# What these give is a number, a truth, or a short text.
_SMALL = frozenset(
    """sum count max min average length contains number floor ceil round abs sqrt power random boolean not exists
    toMillis millis parseInteger type formatBase now error assert""".split()
)
# What these give is no larger than the given factor times their first argument.
_FACTORS: Final[Mapping[str, float]] = {
    "lowercase": 3,
    "uppercase": 3,
    "trim": 1,
    "substring": 1,
    "substringBefore": 1,
    "substringAfter": 1,
    "base64encode": 2,
    "base64decode": 2,
    "encodeUrl": 12,
    "encodeUrlComponent": 12,
    "decodeUrl": 1,
    "decodeUrlComponent": 1,
    "spread": 3,
    "merge": 1,
    "lookup": 1,
    "reverse": 1,
}
_PER_ITEM = frozenset({"map", "filter", "single", "sift", "each", "sort"})
_SAFE_CALLBACKS = _SMALL | {"string", "lowercase", "uppercase", "trim", "keys"}
_PICTURED = frozenset({"formatNumber", "formatInteger", "fromMillis", "now"})
_PICTURE: Final = 200
_WIDTH: Final = 10_000


class _UnboundedError(Exception):
    """No bound can be told."""


@dataclass(frozen=True, slots=True)
class Read:
    """Something that is there before the evaluation: a bound name, or nothing for the payload, and fields of it.

    `element` means the largest element alone, where it is a list.
    """

    root: str
    fields: tuple[str, ...]
    element: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that an evaluation makes: a sum of products of the sizes of what it reads."""

    reads: tuple[Read, ...]
    terms: tuple[tuple[float, tuple[int, ...]], ...]

    def at(self, sizes: Sequence[float]) -> float:
        """The bound for the sizes of `reads`."""
        total = 0.0
        for factor, multiplied in self.terms:
            for place in multiplied:
                factor *= sizes[place]
            total += factor
        return total

    def even(self, size: float) -> float:
        """The bound where everything that is read is of one size."""
        return self.at([size] * len(self.reads))


def bound_of(root: tree.Node) -> Bound | None:
    """The bound of an expression; None where none can be told."""
    walker = _Walker()
    try:
        walker.note(walker.size(root))
    except (_UnboundedError, RecursionError):
        return None
    terms = tuple((factor, tuple(-1 - each for each in term)) for term, factor in walker.total.items())
    return Bound(tuple(walker.reads), terms)


def _number(value: float) -> Size:
    return {(): value}


_NONE: Final[Size] = {}
_ONE: Final[Size] = {(): 1.0}
_NUMBER: Final[Size] = {(): 1.0}
"""The size of what is known to be a number."""
_SHORT: Final[Size] = {(): 8.0}


def _sum(sizes: Iterable[Size]) -> Size:
    total: Size = {}
    for size in sizes:
        for term, factor in size.items():
            total[term] = total.get(term, 0.0) + factor
    if len(total) > _TERMS:
        raise _UnboundedError
    return total


def _largest(sizes: Iterable[Size]) -> Size:
    result: Size = {}
    for size in sizes:
        for term, factor in size.items():
            result[term] = max(result.get(term, 0.0), factor)
    return result


def _times(one: Size, other: Size) -> Size:
    product: Size = {}
    for left, first in one.items():
        for right, second in other.items():
            term = tuple(sorted((*left, *right)))
            product[term] = product.get(term, 0.0) + first * second
    if len(product) > _TERMS or any(len(term) > _DEGREE for term in product):
        raise _UnboundedError
    return product


def _scaled(size: Size, factor: float) -> Size:
    return {term: value * factor for term, value in size.items()}


@dataclass(frozen=True, slots=True)
class _Function:
    """A function with a name: where it was made, which variables it saw there."""

    node: tree.Lambda
    context: Size | None
    own: dict[str, Size]


class _Walker:
    """Goes through a tree, adding up what each part that makes values can make; through a function at every call."""

    def __init__(self) -> None:
        self.reads: dict[Read, int] = {}
        self.total: Size = _NONE
        self.largest: list[Size] = []
        """Of each context ever opened, the size that it can have."""
        self.context: Size | None = None
        """The context's size; None while it is the payload itself."""
        self.own: dict[str, Size] = {}
        self.functions: dict[str, _Function] = {}
        self.running: list[tree.Lambda] = []
        self.steps = 0
        self.above: list[Size] = []
        """What the paths that are open went through: where `%` may lead."""
        self.texts: set[int] = set()
        """The contexts that stand for a text that is being gathered."""

    def note(self, size: Size) -> None:
        """Adds a value that is made, at its largest."""
        self.total = _sum((self.total, self.resolved(size)))

    def resolved(self, size: Size) -> Size:
        """A size that depends on no context."""
        parts: list[Size] = []
        for term, factor in size.items():
            part: Size = {tuple(each for each in term if each < 0): factor}
            for context in term:
                if context >= 0:
                    part = _times(part, self.largest[context])
            parts.append(part)
        return _sum(parts)

    def read(self, root: str, fields: tuple[str, ...], element: bool = False) -> Size:
        place = self.reads.setdefault(Read(root, fields, element), len(self.reads))
        return {(-1 - place,): 1.0}

    def payload(self, fields: tuple[Field, ...]) -> Size:
        return self.read("", tuple(map(field_name, fields)))

    def opened(self, whole: Size) -> int:
        """A new context that runs over the parts of a value."""
        self.largest.append(self.resolved(whole))
        return len(self.largest) - 1

    def each(self, whole: Size, body: Callable[[Size], Size]) -> Size:
        """What a body makes over all the parts of a value."""
        context = self.opened(whole)
        made = body({(context,): 1.0})
        total: list[Size] = []
        for term, factor in made.items():
            times = term.count(context)
            rest: Size = {tuple(each for each in term if each != context): factor}
            for _ in range(max(times, 1)):
                rest = _times(rest, whole)
            total.append(rest)
        return _sum(total)

    def within(self, context: Size, node: tree.Node) -> Size:
        outer, self.context = self.context, context
        size = self.size(node)
        self.context = outer
        return size

    def here(self) -> Size:
        return self.payload(()) if self.context is None else self.context

    def size(self, node: tree.Node) -> Size:
        self.steps += 1
        if self.steps > _STEPS:
            raise _UnboundedError
        if isinstance(node, tree.Literal):
            return _number(1 + len(node.value) / 16) if isinstance(node.value, str) else _ONE
        if isinstance(node, tree.Regex):
            return _ONE
        if isinstance(node, tree.Variable):
            return self.variable(node, ())
        if isinstance(node, tree.Name):
            return self.payload((node,)) if self.context is None else self.context
        if isinstance(node, tree.Wildcard):
            return self.here()
        if isinstance(node, tree.Descendant):
            return self.made(_times(self.here(), self.here()))
        if isinstance(node, tree.Parent):
            return _sum(self.above)
        if isinstance(node, tree.Path):
            return self.path(node)
        if isinstance(node, tree.Filter):
            if self.context is None and (name := self.indexed(node)) is not None:
                self.size(node.predicate)
                return self.read("", (name,), element=True)
            target = self.size(node.target)
            self.each(target, lambda item: self.within(item, node.predicate))
            return target
        if isinstance(node, tree.Keep):
            return self.made(self.size(node.target))
        if isinstance(node, tree.Sort):
            target = self.size(node.target)
            for term in node.terms:
                self.each(target, lambda item, term=term: self.within(item, term))  # type: ignore[misc]
            return self.made(target)
        if isinstance(node, (tree.Position, tree.Focus)):
            return self.bound(self.size(node.target), self.here(), node)
        if isinstance(node, tree.Group):
            return self.group(self.size(node.target), node.pairs)
        if isinstance(node, tree.Object):
            constant = all(isinstance(key, tree.Literal) for key, _ in node.pairs)
            if self.context is None and not constant:
                return self.group(self.here(), node.pairs)
            return self.made(_sum((_ONE, *(self.size(part) for pair in node.pairs for part in pair))))
        if isinstance(node, tree.Array):
            return self.made(_sum((_ONE, *map(self.size, node.items))))
        if isinstance(node, tree.Range):
            return self.range(node)
        if isinstance(node, tree.Chain):
            sizes = [self.size(operand) for operand in node.operands]
            if "&" not in node.operators:
                return _ONE
            # A list or an object is written as JSON, where quotes are escaped: at most twice as long.
            joined = _sum(sizes)
            return self.made({term: factor * (1 if self.is_text(term) else 2) for term, factor in joined.items()})
        if isinstance(node, tree.Negation):
            self.size(node.operand)
            return _ONE
        if isinstance(node, tree.Block):
            return self.block(node)
        if isinstance(node, tree.Assignment):
            if isinstance(node.value, tree.Lambda):
                self.own = {key: value for key, value in self.own.items() if key != node.variable.name}
                function = _Function(node.value, self.context, self.own)
                self.functions = {**self.functions, node.variable.name: function}
                return _ONE
            size = self.size(node.value)
            self.assign(node.variable.name, size)
            return size
        if isinstance(node, tree.Condition):
            values: list[Size] = []
            for test, value in node.branches:
                self.size(test)
                values.append(self.size(value))
            if node.otherwise is not None:
                values.append(self.size(node.otherwise))
            return _largest(values)
        if isinstance(node, tree.Default):
            return _largest((self.size(node.left), self.size(node.right)))
        if isinstance(node, tree.Call):
            return self.call(node, ())
        if isinstance(node, tree.Apply):
            return self.apply(node)
        # Functions that are values, transforms and joins: too many ways to grow.
        raise _UnboundedError

    def is_text(self, term: tuple[int, ...]) -> bool:
        return len(term) == 1 and term[0] in self.texts

    def made(self, size: Size) -> Size:
        """A value that is made: its parts, and itself where they are put into a list."""
        size = _sum((_ONE, size))
        self.note(size)
        return size

    def variable(self, node: tree.Variable, fields: tuple[Field, ...]) -> Size:
        if node.name == "$":
            return self.payload(fields)
        if node.name == "":
            return self.payload(fields) if self.context is None else self.context
        if node.name in self.own:
            return self.own[node.name]
        if node.name in self.functions:
            raise _UnboundedError
        if node.name in FUNCTIONS and node.name != "error":
            raise _UnboundedError
        return self.read(node.name, tuple(map(field_name, fields)))

    def path(self, node: tree.Path) -> Size:
        before, functions = self.own, self.functions
        head = node.steps[0]
        rest = node.steps[1:]
        # A path that begins at something that is there before the evaluation: weighed as it is, as far as it is plain.
        root = self.root(head)
        if root is None:
            size = self.size(head)
        else:
            steps = node.steps if root == "" and not isinstance(head, tree.Variable) else rest
            fields = _plain(steps)
            rest = steps[len(fields) :]
            names = tuple(step.value for step in fields)
            indexed = self.indexed(rest[0]) if rest else None
            if indexed is not None:
                rest = rest[1:]
                size = self.read(root, (*names, indexed), element=True)
            else:
                size = self.read(root, names)
        depth = len(self.above)
        self.above.append(_sum((self.here(), size)) if _has_parent(node) else _NONE)
        for step in rest:
            size = self.step(size, step)
            self.above.append(size)
        del self.above[depth:]
        self.own, self.functions = before, functions
        return size

    def root(self, head: tree.Node) -> str | None:
        """The bound name at which a path begins, or nothing for the payload; None where it begins otherwise."""
        if isinstance(head, tree.Variable):
            if head.name == "$" or (head.name == "" and self.context is None):
                return ""
            if head.name == "" or not self.is_outside(head.name):
                return None
            return head.name
        if self.context is not None:
            return None
        return "" if isinstance(head, tree.Name) or self.indexed(head) is not None else None

    def is_outside(self, name: str) -> bool:
        """Whether a variable is bound by nobody in the expression, and no function."""
        return name not in self.own and name not in self.functions and (name == "error" or name not in FUNCTIONS)

    def is_built_in(self, node: tree.Node | None) -> bool:
        """Whether a variable is one of the language's own functions."""
        if not isinstance(node, tree.Variable) or node.name not in FUNCTIONS:
            return False
        return node.name not in self.own and node.name not in self.functions

    def function_of(self, node: tree.Node | None) -> _Function | None:
        """The function that is written there, or named."""
        if isinstance(node, tree.Lambda):
            return _Function(node, self.context, self.own)
        return self.functions.get(node.name) if isinstance(node, tree.Variable) else None

    def indexed(self, step: tree.Node) -> str | None:
        """The field of a step that takes one element of it by number; None for other steps."""
        if not isinstance(step, tree.Filter) or not isinstance(step.target, tree.Name):
            return None
        return step.target.value if self.is_number(step.predicate) else None

    def is_number(self, node: tree.Node) -> bool:
        if isinstance(node, tree.Literal):
            return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        if isinstance(node, tree.Variable):
            return self.own.get(node.name) is _NUMBER
        return isinstance(node, tree.Chain) and _ARITHMETIC.issuperset(node.operators)

    def step(self, before: Size, step: tree.Node) -> Size:
        if isinstance(step, (tree.Name, tree.Wildcard)):
            return before
        if isinstance(step, tree.Filter):
            target = self.step(before, step.target)
            self.each(target, lambda item: self.within(item, step.predicate))
            return target
        if isinstance(step, tree.Keep):
            return self.made(self.step(before, step.target))
        if isinstance(step, (tree.Position, tree.Focus)):
            return self.bound(self.step(before, step.target), before, step)
        if isinstance(step, tree.Group):
            return self.group(self.step(before, step.target), step.pairs)
        if isinstance(step, tree.Sort):
            target = self.step(before, step.target)
            for term in step.terms:
                self.each(target, lambda item, term=term: self.within(item, term))  # type: ignore[misc]
            return self.made(target)
        return self.made(self.each(before, lambda item: self.within(item, step)))

    def bound(self, target: Size, before: Size, node: tree.Position | tree.Focus) -> Size:
        """A step that binds a variable; after `@` the path stands again where it stood before, once for each value."""
        if isinstance(node, tree.Position):
            self.assign(node.variable.name, _NUMBER)
            return self.made(target)
        self.assign(node.variable.name, target)
        return self.made(_times(target, before))

    def assign(self, name: str, size: Size) -> None:
        self.own = {**self.own, name: size}
        if name in self.functions:
            self.functions = {key: value for key, value in self.functions.items() if key != name}

    def group(self, target: Size, pairs: tuple[tuple[tree.Node, tree.Node], ...]) -> Size:
        def body(item: Size) -> Size:
            return _sum((_ONE, *(self.within(item, part) for pair in pairs for part in pair)))

        return self.made(self.each(target, body))

    def range(self, node: tree.Range) -> Size:
        if not isinstance(node.first, tree.Literal) or not isinstance(node.last, tree.Literal):
            raise _UnboundedError
        first, last = node.first.value, node.last.value
        if not isinstance(first, int) or not isinstance(last, int):
            return _ONE
        return self.made(_number(1.0 + max(0, last - first + 1)))

    def block(self, node: tree.Block) -> Size:
        before, functions = self.own, self.functions
        size: Size = _ONE
        for item in node.items:
            size = self.size(item)
        self.own, self.functions = before, functions
        return size

    def apply(self, node: tree.Apply) -> Size:
        size = self.size(node.links[0])
        for link in node.links[1:]:
            if isinstance(link, tree.Call):
                size = self.call(link, (size,))
            elif isinstance(link, tree.Variable) and self.is_built_in(link):
                size = self.function(link.name, (size,), (None,))
            elif (named := self.function_of(link)) is not None:
                size = self.called(named, (size,))
            elif isinstance(link, tree.Regex):
                size = self.function("match", (size, _ONE), (None, link))
            else:
                raise _UnboundedError
        return size

    def call(self, node: tree.Call, given: tuple[Size, ...]) -> Size:
        function = node.function
        nodes: list[tree.Node | None] = [None] * len(given)
        sizes = list(given)
        named = self.function_of(function)
        for argument in node.arguments:
            nodes.append(argument)
            is_function = isinstance(argument, tree.Regex) or self.is_built_in(argument)
            if not is_function and self.function_of(argument) is not None:
                is_function = named is None
            sizes.append(_ONE if is_function else self.size(argument))
        if named is not None:
            return self.called(named, tuple(sizes))
        if not isinstance(function, tree.Variable) or not self.is_built_in(function):
            raise _UnboundedError
        return self.function(function.name, tuple(sizes), tuple(nodes))

    def function(self, name: str, sizes: tuple[Size, ...], nodes: tuple[tree.Node | None, ...]) -> Size:
        """What one of the language's own functions gives."""
        if len(sizes) < ON_CONTEXT.get(name, 0):
            sizes = (self.here(), *sizes)
            nodes = (None, *nodes)
        first = sizes[0] if sizes else _ONE
        if name in _PICTURED and len(sizes) > (name != "now"):
            picture = nodes[name != "now"]
            if not isinstance(picture, tree.Literal) or len(str(picture.value)) > _PICTURE:
                raise _UnboundedError
            return self.made(_number(200.0))
        if name in _SMALL or name in _PICTURED:
            return _SHORT
        if name in _FACTORS:
            return self.made(_scaled(first, _FACTORS[name]))
        if name == "string":
            if len(sizes) > 1:
                raise _UnboundedError
            return self.made(_scaled(first, 2))
        if name == "pad":
            width = nodes[1] if len(nodes) > 1 else None
            if not isinstance(width, tree.Literal) or not isinstance(width.value, int) or abs(width.value) > _WIDTH:
                raise _UnboundedError
            return self.made(_sum((first, _number(1 + abs(width.value) / 4))))
        if name == "join":
            return self.made(_sum((_scaled(first, 2), _times(first, sizes[1]) if len(sizes) > 1 else _ONE)))
        if name == "split":
            return self.made(_scaled(first, 16))
        if name == "match":
            groups = sum(node.pattern.count("(") for node in nodes if isinstance(node, tree.Regex))
            return self.made(_scaled(first, 160.0 + 32 * groups))
        if name == "replace":
            if len(nodes) < 3 or self.function_of(nodes[2]) is not None or self.is_built_in(nodes[2]):
                raise _UnboundedError
            return self.made(_scaled(_times(first, _sum((_ONE, sizes[2]))), 16))
        if name == "append":
            return self.made(_sum((_ONE, *sizes)))
        if name == "zip":
            return self.made(_scaled(_sum((_ONE, *sizes)), 2))
        if name in ("keys", "distinct"):
            # Quadratic in the fast engine, and not stopped on the way.
            self.note(_scaled(_times(first, first), 0.25))
            return self.made(first)
        if name == "reduce":
            return self.reduce(sizes, nodes)
        if name in _PER_ITEM:
            return self.per_item(name, first, nodes)
        raise _UnboundedError

    def per_item(self, name: str, first: Size, nodes: tuple[tree.Node | None, ...]) -> Size:
        callback = nodes[1] if len(nodes) > 1 else None
        if callback is None:
            if name in ("sort", "single") and len(nodes) == 1:
                return self.made(first)
            raise _UnboundedError
        function = self.function_of(callback)
        if function is not None:
            by_key = name in ("each", "sift", "sort")
            produced = self.made(
                self.each(first, lambda item: self.called(function, (item, item if by_key else _NUMBER, first)))
            )
        elif isinstance(callback, tree.Variable) and self.is_built_in(callback) and callback.name in _SAFE_CALLBACKS:
            produced = self.made(_scaled(first, 16))
        else:
            raise _UnboundedError
        return produced if name in ("map", "each") else self.made(first)

    def reduce(self, sizes: tuple[Size, ...], nodes: tuple[tree.Node | None, ...]) -> Size:
        callback = self.function_of(nodes[1]) if len(nodes) > 1 else None
        if callback is None or len(sizes) < 3:
            # Without a value to begin with, the fast engine gives null for an empty list, where there is nothing.
            raise _UnboundedError
        items = sizes[0]
        start = _sum((items, sizes[2]))
        held = len(self.largest)
        self.largest.append(_NONE)
        body_node = callback.node.body
        if isinstance(body_node, tree.Chain) and "&" in body_node.operators:
            self.texts.add(held)

        def body(item: Size) -> Size:
            made = self.called(callback, ({(held,): 1.0}, item, _NUMBER, items))
            if any(held in term and (term != (held,) or factor > 1) for term, factor in made.items()):
                # Each step would multiply what the steps before it made.
                raise _UnboundedError
            return {term: factor for term, factor in made.items() if held not in term}

        # Each step makes a value as large as all that came before; only the last one stays.
        total = _sum((start, self.each(items, body)))
        self.largest[held] = self.resolved(total)
        return self.made(total)

    def called(self, function: _Function, arguments: tuple[Size, ...]) -> Size:
        """What a function gives. It sees the variables of where it was made, which may have been set anew since."""
        if function.node in self.running:
            raise _UnboundedError
        own, context = self.own, self.context
        seen = {name: _largest((size, own.get(name, _NONE))) for name, size in function.own.items()}
        given = {
            parameter.name: arguments[place] if place < len(arguments) else _ONE
            for place, parameter in enumerate(function.node.parameters)
        }
        self.own, self.context = {**own, **seen, **given}, function.context
        self.running.append(function.node)
        size = self.size(function.node.body)
        self.running.pop()
        self.own, self.context = own, context
        return size


def _has_parent(node: tree.Node) -> bool:
    return any(isinstance(part, tree.Parent) for part in tree.nodes(node))


def _plain(steps: tuple[tree.Node, ...]) -> tuple[tree.Name, ...]:
    """The leading steps that are nothing but a field."""
    fields: list[tree.Name] = []
    for step in steps:
        if not isinstance(step, tree.Name):
            break
        fields.append(step)
    return tuple(fields)
