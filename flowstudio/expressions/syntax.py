"""JSONata's grammar: an expression's text as a tree whose nodes know the characters that they came from.

The engines that evaluate have parsers of their own; this one exists for what needs places: faults with a position,
what an expression reads, renaming, advice, and bounds on how much an evaluation may produce.

Chains of one operator (`a & b & c`, `a.b.c`, `x ? 1 : y ? 2 : 3`) are one node, so that a tree is only as deep as its
brackets: what walks it may recurse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final

from flowstudio.errors import ExpressionLimitError, ExpressionSyntaxError

MAX_DEPTH: Final = 100
"""How deep brackets may be nested."""

MAX_TEXT: Final = 5 * 1024
"""How many bytes (UTF-8) an expression may have."""


@dataclass(slots=True, eq=False)
class Node:
    """A part of an expression: the characters from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(slots=True, eq=False)
class Literal(Node):
    """A text, number, true, false or null. Whole numbers are exact at any size."""

    value: str | int | float | bool | None


@dataclass(slots=True, eq=False)
class Regex(Node):
    """`/pattern/flags`."""

    pattern: str
    flags: str


@dataclass(slots=True, eq=False)
class Name(Node):
    """A field's name, bare, in back-ticks, or a text that is a step of a path."""

    value: str


@dataclass(slots=True, eq=False)
class Variable(Node):
    """`$name`; the name is empty for `$` and a dollar for `$$`."""

    name: str


@dataclass(slots=True, eq=False)
class Wildcard(Node):
    """`*` as a step."""


@dataclass(slots=True, eq=False)
class Descendant(Node):
    """`**` as a step."""


@dataclass(slots=True, eq=False)
class Parent(Node):
    """`%` as a step."""


@dataclass(slots=True, eq=False)
class Placeholder(Node):
    """`?` for an argument that is given later."""


@dataclass(slots=True, eq=False)
class Path(Node):
    """Two or more steps joined by dots."""

    steps: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Filter(Node):
    """`target[predicate]`."""

    target: Node
    predicate: Node


@dataclass(slots=True, eq=False)
class Keep(Node):
    """`target[]`: one value stays a list."""

    target: Node


@dataclass(slots=True, eq=False)
class Group(Node):
    """`target{key: value}`."""

    target: Node
    pairs: tuple[tuple[Node, Node], ...]


@dataclass(slots=True, eq=False)
class Sort(Node):
    """`target^(terms)`."""

    target: Node
    terms: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Focus(Node):
    """`target@$variable`."""

    target: Node
    variable: Variable


@dataclass(slots=True, eq=False)
class Position(Node):
    """`target#$variable`."""

    target: Node
    variable: Variable


@dataclass(slots=True, eq=False)
class Chain(Node):
    """Operands joined by operators that bind equally; `operators[i]` stands before `operands[i + 1]`."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]
    places: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Negation(Node):
    """`-operand`."""

    operand: Node


@dataclass(slots=True, eq=False)
class Array(Node):
    """`[items]`."""

    items: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Range(Node):
    """`first..last`, an item of an array."""

    first: Node
    last: Node


@dataclass(slots=True, eq=False)
class Object(Node):
    """`{key: value}`."""

    pairs: tuple[tuple[Node, Node], ...]


@dataclass(slots=True, eq=False)
class Block(Node):
    """`(items)`: its value is the last one's."""

    items: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Call(Node):
    """`function(arguments)`."""

    function: Node
    arguments: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Lambda(Node):
    """`function($a, $b)<signature>{body}`."""

    parameters: tuple[Variable, ...]
    signature: str
    body: Node


@dataclass(slots=True, eq=False)
class Condition(Node):
    """`test ? value : test ? value : otherwise`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(slots=True, eq=False)
class Default(Node):
    """`left ?: right`, where left is false, or `left ?? right`, where it is nothing."""

    operator: str
    left: Node
    right: Node


@dataclass(slots=True, eq=False)
class Assignment(Node):
    """`$variable := value`."""

    variable: Variable
    value: Node


@dataclass(slots=True, eq=False)
class Apply(Node):
    """`first ~> next ~> next`."""

    links: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Transform(Node):
    """`|pattern|update, deletion|`."""

    pattern: Node
    update: Node
    deletion: Node | None


@lru_cache(maxsize=512)
def parse(source: str) -> Node:
    """The tree of an expression. ExpressionSyntaxError tells where it breaks, ExpressionLimitError what is too large."""
    size = len(source) if source.isascii() else len(source.encode(errors="surrogatepass"))
    if size > MAX_TEXT:
        raise ExpressionLimitError(
            f"the expression has {size:,} bytes, and {MAX_TEXT:,} is the most that one may have",
            remedy="split the work over several steps, or use a script",
            source=source[:200],
        )
    return _Parser(source).whole()


def nodes(tree: Node) -> Iterator[Node]:
    """The tree's nodes, each before what is in it, in the order of the text."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(children(node))))


def children(node: Node) -> Iterator[Node]:
    """The nodes directly in a node, in the order of the text."""
    for name in _parts_of(type(node)):
        yield from _nodes_in(getattr(node, name))


def _nodes_in(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)


_parts: dict[type[Node], tuple[str, ...]] = {}


def _parts_of(kind: type[Node]) -> tuple[str, ...]:
    found = _parts.get(kind)
    if found is None:
        found = _parts[kind] = tuple(each.name for each in fields(kind) if each.name not in ("start", "end"))
    return found


@dataclass(slots=True, eq=False)
class Token:
    """A word of the language: its kind, what it stands for, and where."""

    kind: str
    """`text number word name variable regex end` (`word` is bare, `name` in back-ticks), or the operator itself."""
    value: Any
    start: int
    end: int
    flags: str = ""


_OPERATOR = re.compile(r"\.\.|:=|!=|>=|<=|\*\*|~>|\?:|\?\?|[.\[\]{}(),@#;:?+\-*/%|=<>^&]")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_BARE = re.compile(r"[^\s.\[\]{}(),@#;:?+\-*/%|=<>^&!~\"'`$\\\x00-\x1f]+")
_WORD_OPERATORS = frozenset({"and", "or", "in"})
_CONSTANTS = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# A text in single quotes may not escape its own quote in the reference; both engines follow it.
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_OPENING = {")": "(", "]": "[", "}": "{"}

_POWERS = {
    ".": 75,
    "[": 80,
    "{": 70,
    "(": 80,
    "@": 80,
    "#": 80,
    "?": 20,
    "+": 50,
    "-": 50,
    "*": 60,
    "/": 60,
    "%": 60,
    "=": 40,
    "<": 40,
    ">": 40,
    "^": 40,
    ":=": 10,
    "!=": 40,
    "<=": 40,
    ">=": 40,
    "~>": 40,
    "?:": 40,
    "??": 40,
    "and": 30,
    "or": 25,
    "in": 40,
    "&": 50,
}
_CHAINED = frozenset({"+", "-", "*", "/", "%", "=", "<", ">", "!=", "<=", ">=", "and", "or", "in", "&"})


class Lexer:
    """Reads an expression's text word by word."""

    __slots__ = ("end", "place", "source")

    def __init__(self, source: str, place: int = 0, end: int | None = None) -> None:
        self.source = source
        self.place = place
        self.end = len(source) if end is None else end

    def next(self, after_operand: bool) -> Token:
        """The next word; a slash divides after an operand and begins a regular expression elsewhere."""
        source = self.source
        start = self._past_blanks()
        if start >= self.end:
            return Token("end", None, self.end, self.end)
        character = source[start]
        if character == "/" and not after_operand:
            return self._regex(start)
        if (match := _OPERATOR.match(source, start, self.end)) is not None:
            self.place = match.end()
            return Token(match.group(), match.group(), start, self.place)
        if character in "\"'":
            return self._text(start, character)
        if (match := _NUMBER.match(source, start, self.end)) is not None:
            return self._number(match)
        if character == "`":
            close = source.find("`", start + 1, self.end)
            if close < 0:
                raise _fault("S0105", "the name in back-ticks has no closing `", start, source)
            self.place = close + 1
            return Token("name", source[start + 1 : close], start, self.place)
        if character == "$":
            match = _BARE.match(source, start + 1, self.end)
            if source.startswith("$$", start) and self.end > start + 1:
                self.place = start + 2
                return Token("variable", "$", start, self.place)
            self.place = start + 1 if match is None else match.end()
            return Token("variable", source[start + 1 : self.place], start, self.place)
        if (match := _BARE.match(source, start, self.end)) is not None:
            self.place = match.end()
            word = match.group()
            if word in _WORD_OPERATORS:
                return Token(word, word, start, self.place)
            if word in _CONSTANTS:
                return Token("constant", _CONSTANTS[word], start, self.place)
            return Token("word", word, start, self.place)
        raise _fault("S0204", f"{_shown(character)} is not part of the language", start, source)

    def _past_blanks(self) -> int:
        source, place, end = self.source, self.place, self.end
        while place < end:
            if source[place].isspace():
                place += 1
            elif source.startswith("/*", place) and place + 1 < end:
                close = source.find("*/", place + 2, end)
                if close < 0:
                    raise _fault("S0106", "the comment has no closing */", place, source)
                place = close + 2
            else:
                break
        self.place = place
        return place

    def _number(self, match: re.Match[str]) -> Token:
        self.place = match.end()
        written = match.group()
        value: int | float
        if match.group(1) is None and match.group(2) is None:
            value = int(written) if len(written) <= 4000 else float("inf")
        else:
            value = float(written)
        if value in (float("inf"), float("-inf")):
            raise _fault(
                "S0102", f"the number {written[:20]} is larger than a number can be", match.start(), self.source
            )
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            value = int(value)
        return Token("number", value, match.start(), self.place)

    def _text(self, start: int, quote: str) -> Token:
        source, end = self.source, self.end
        parts: list[str] = []
        place = start + 1
        while True:
            stop = place
            while stop < end and source[stop] != quote and source[stop] != "\\":
                stop += 1
            parts.append(source[place:stop])
            if stop >= end:
                raise _fault("S0101", f"the text has no closing {quote}", start, source)
            if source[stop] == quote:
                self.place = stop + 1
                return Token("text", _paired("".join(parts)), start, self.place)
            escaped = source[stop + 1] if stop + 1 < end else ""
            if escaped in _ESCAPES and escaped:
                parts.append(_ESCAPES[escaped])
                place = stop + 2
            elif escaped == "u":
                match = _HEX.match(source, stop + 2, end)
                if match is None:
                    raise _fault("S0104", "\\u must be followed by four hexadecimal digits", stop, source)
                parts.append(chr(int(match.group(), 16)))
                place = match.end()
            elif not escaped:
                raise _fault("S0101", f"the text has no closing {quote}", start, source)
            else:
                raise _fault("S0103", f"\\{escaped} is no escape that a text may have", stop, source)

    def _regex(self, start: int) -> Token:
        source, end = self.source, self.end
        depth = 0
        place = start + 1
        while place < end:
            character = source[place]
            if character == "\\":
                place += 2
                continue
            if character == "/" and depth <= 0:
                if place == start + 1:
                    raise _fault("S0301", "the regular expression is empty", start, source)
                pattern = source[start + 1 : place]
                flags = place + 1
                while flags < end and source[flags] in "im":
                    flags += 1
                self.place = flags
                return Token("regex", pattern, start, flags, source[place + 1 : flags])
            if character in "([{":
                depth += 1
            elif character in ")]}":
                depth -= 1
            place += 1
        raise _fault("S0302", "the regular expression has no closing /", start, source)


def words(source: str, start: int = 0) -> Iterator[Token]:
    """The words of a text that need not be a whole expression; a slash is read by what stands before it."""
    lexer = Lexer(source, start)
    operand = False
    while True:
        token = lexer.next(operand)
        yield token
        if token.kind == "end":
            return
        operand = token.kind in _OPERANDS


_OPERANDS = frozenset({"text", "number", "constant", "word", "name", "variable", "regex", ")", "]", "}"})


def _paired(text: str) -> str:
    """Two escaped halves of a surrogate pair as the one character that they are."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text


def _shown(character: str) -> str:
    if character.isprintable():
        return f"the character {character}"
    return f"the character U+{ord(character):04X}"


def _fault(code: str, message: str, place: int, source: str) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(message, code=code, position=place, source=source)


class _Parser:
    """Top-down operator precedence, as the reference has it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lexer = Lexer(source)
        self.depth = 0
        self.open: list[Token] = []
        self.last_end = 0
        self.token = self.lexer.next(after_operand=False)

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise _fault("S0207", "the expression is empty", 0, self.source)
        tree = self.expression(0)
        if self.token.kind != "end":
            raise self.unexpected("S0201")
        return tree

    def fault(self, code: str, message: str, place: int) -> ExpressionSyntaxError:
        return _fault(code, message, place, self.source)

    def unexpected(self, code: str) -> ExpressionSyntaxError:
        token = self.token
        if token.kind == "end":
            return self.fault("S0207", f"the expression ends too early{self.still_open()}", token.start)
        written = self.source[token.start : token.end]
        if token.kind in _OPENING and not self.open:
            return self.fault(code, f"there is a {written} too many", token.start)
        return self.fault(code, f"{written} cannot stand here", token.start)

    def still_open(self) -> str:
        if not self.open:
            return ""
        return f": the {self.open[-1].kind} at character {self.open[-1].start} is not closed"

    def advance(self, after_operand: bool = False) -> Token:
        """Steps over the current word, and returns it."""
        token = self.token
        self.last_end = token.end
        self.token = self.lexer.next(after_operand)
        return token

    def expect(self, kind: str, after_operand: bool = False) -> Token:
        token = self.token
        if token.kind != kind:
            if token.kind == "end":
                raise self.fault(
                    "S0203", f"the expression ends where {kind} should come{self.still_open()}", token.start
                )
            written = self.source[token.start : token.end]
            raise self.fault("S0202", f"{written} stands where {kind} should come", token.start)
        return self.advance(after_operand)

    def enter(self, token: Token) -> None:
        self.open.append(token)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionLimitError(
                f"the expression is nested deeper than {MAX_DEPTH} brackets",
                code="U1002",
                position=token.start,
                remedy="split it into parts that are given names",
                source=self.source,
            )

    def leave(self) -> None:
        self.open.pop()
        self.depth -= 1

    def expression(self, power: int, left: Node | None = None) -> Node:
        """An expression up to the first operator that binds no tighter than `power`."""
        if left is None:
            left = self.operand()
        while power < _POWERS.get(self.token.kind, 0):
            left = self.operation(left)
        return left

    def operand(self) -> Node:
        token = self.token
        kind = token.kind
        if kind in ("text", "number", "constant"):
            self.advance(after_operand=True)
            return Literal(token.start, token.end, token.value)
        if kind in ("word", "name"):
            self.advance(after_operand=True)
            return Name(token.start, token.end, token.value)
        if kind == "variable":
            self.advance(after_operand=True)
            return Variable(token.start, token.end, token.value)
        if kind == "regex":
            self.advance(after_operand=True)
            return Regex(token.start, token.end, token.value, token.flags)
        if kind in _WORD_OPERATORS:
            self.advance(after_operand=True)
            return Name(token.start, token.end, token.value)
        if kind == "*":
            self.advance(after_operand=True)
            return Wildcard(token.start, token.end)
        if kind == "**":
            self.advance(after_operand=True)
            return Descendant(token.start, token.end)
        if kind == "%":
            self.advance(after_operand=True)
            return Parent(token.start, token.end)
        if kind == "-":
            return self.negation()
        if kind == "(":
            return self.block()
        if kind == "[":
            return self.array()
        if kind == "{":
            return self.object()
        if kind == "|":
            return self.transform()
        raise self.unexpected("S0211")

    def negation(self) -> Node:
        signs = [self.advance()]
        while self.token.kind == "-":
            signs.append(self.advance())
        node = self.expression(70)
        for sign in reversed(signs):
            if isinstance(node, Literal) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
                node = Literal(sign.start, node.end, -node.value)
            else:
                node = Negation(sign.start, node.end, node)
        return node

    def block(self) -> Node:
        opening = self.advance()
        self.enter(opening)
        items: list[Node] = []
        while self.token.kind != ")":
            items.append(self.expression(0))
            if self.token.kind != ";":
                break
            self.advance()
        closing = self.expect(")", after_operand=True)
        self.leave()
        return Block(opening.start, closing.end, tuple(items))

    def array(self) -> Node:
        opening = self.advance()
        self.enter(opening)
        items: list[Node] = []
        if self.token.kind != "]":
            while True:
                item = self.expression(0)
                if self.token.kind == "..":
                    self.advance()
                    last = self.expression(0)
                    item = Range(item.start, last.end, item, last)
                items.append(item)
                if self.token.kind != ",":
                    break
                self.advance()
        closing = self.expect("]", after_operand=True)
        self.leave()
        return Array(opening.start, closing.end, tuple(items))

    def object(self) -> Node:
        opening = self.advance()
        pairs, end = self.pairs(opening)
        return Object(opening.start, end, pairs)

    def pairs(self, opening: Token) -> tuple[tuple[tuple[Node, Node], ...], int]:
        self.enter(opening)
        pairs: list[tuple[Node, Node]] = []
        if self.token.kind != "}":
            while True:
                key = self.expression(0)
                self.expect(":")
                pairs.append((key, self.expression(0)))
                if self.token.kind != ",":
                    break
                self.advance()
        closing = self.expect("}", after_operand=True)
        self.leave()
        return tuple(pairs), closing.end

    def transform(self) -> Node:
        opening = self.advance()
        self.enter(opening)
        pattern = self.expression(0)
        self.expect("|")
        update = self.expression(0)
        deletion = None
        if self.token.kind == ",":
            self.advance()
            deletion = self.expression(0)
        closing = self.expect("|")
        self.leave()
        return Transform(opening.start, closing.end, pattern, update, deletion)

    def operation(self, left: Node) -> Node:
        kind = self.token.kind
        if kind == ".":
            return self.path(left)
        if kind in _CHAINED:
            return self.chain(left)
        if kind == "[":
            return self.filter(left)
        if kind == "(":
            return self.call(left)
        if kind == "{":
            return self.group(left)
        if kind == "?":
            return self.condition(left)
        if kind == "~>":
            return self.apply(left)
        if kind == "^":
            return self.sort(left)
        if kind in ("@", "#"):
            return self.binding(left)
        if kind == ":=":
            return self.assignment(left)
        operator = self.advance()
        right = self.expression(0)
        return Default(left.start, right.end, operator.kind, left, right)

    def path(self, left: Node) -> Node:
        steps = list(left.steps) if isinstance(left, Path) else [left]
        while self.token.kind == ".":
            self.advance()
            step = self.expression(75)
            steps.extend(step.steps if isinstance(step, Path) else (step,))
        return Path(left.start, steps[-1].end, tuple(self.step(step) for step in steps))

    def step(self, node: Node) -> Node:
        """A step of a path: there a text is a name, and a number none."""
        if isinstance(node, Literal):
            if isinstance(node.value, str):
                return Name(node.start, node.end, node.value)
            written = self.source[node.start : node.end]
            raise self.fault("S0213", f"{written} cannot be a step of a path", node.start)
        if isinstance(node, (Filter, Keep, Focus, Position)):
            node.target = self.step(node.target)
        return node

    def chain(self, left: Node) -> Node:
        power = _POWERS[self.token.kind]
        operands = [left]
        operators: list[str] = []
        places: list[int] = []
        while self.token.kind in _CHAINED and _POWERS[self.token.kind] == power:
            operator = self.advance()
            operators.append(operator.kind)
            places.append(operator.start)
            operands.append(self.expression(power))
        return Chain(left.start, operands[-1].end, tuple(operands), tuple(operators), tuple(places))

    def filter(self, left: Node) -> Node:
        opening = self.advance()
        self.enter(opening)
        if self.token.kind == "]":
            closing = self.advance(after_operand=True)
            self.leave()
            return Keep(left.start, closing.end, left)
        if isinstance(left, Group) and not isinstance(left.target, (Name, Path)):
            raise self.fault("S0209", "a predicate cannot follow { } on the same step", opening.start)
        predicate = self.expression(0)
        closing = self.expect("]", after_operand=True)
        self.leave()
        return Filter(left.start, closing.end, left, predicate)

    def call(self, left: Node) -> Node:
        opening = self.advance()
        self.enter(opening)
        arguments: list[Node] = []
        if self.token.kind != ")":
            while True:
                if self.token.kind == "?":
                    mark = self.advance()
                    arguments.append(Placeholder(mark.start, mark.end))
                else:
                    arguments.append(self.expression(0))
                if self.token.kind != ",":
                    break
                self.advance()
        closing = self.expect(")", after_operand=True)
        self.leave()
        if isinstance(left, Name) and left.value in ("function", "λ") and self.source[left.start] != "`":
            return self.function(left, arguments)
        return Call(left.start, closing.end, left, tuple(arguments))

    def function(self, left: Name, arguments: list[Node]) -> Node:
        parameters: list[Variable] = []
        for argument in arguments:
            if not isinstance(argument, Variable):
                written = self.source[argument.start : argument.end]
                raise self.fault(
                    "S0208", f"{written} cannot be a parameter: parameters begin with a dollar", argument.start
                )
            parameters.append(argument)
        signature = ""
        if self.token.kind == "<":
            opening = self.token
            depth = 0
            while self.token.kind not in ("{", "end"):
                depth += {"<": 1, ">": -1}.get(self.token.kind, 0)
                self.advance()
                if depth == 0:
                    break
            if depth > 0:
                raise self.fault("S0202", "the signature has no closing >", opening.start)
            signature = self.source[opening.start : self.last_end]
            self.check(signature, opening.start)
        opening = self.expect("{")
        self.enter(opening)
        body = self.expression(0)
        closing = self.expect("}", after_operand=True)
        self.leave()
        return Lambda(left.start, closing.end, tuple(parameters), signature, body)

    def check(self, signature: str, place: int) -> None:
        """What the reference refuses in a signature; unknown letters it lets pass."""
        if (choice := re.search(r"\([^)]*<", signature)) is not None:
            message = "a choice of types in ( ) cannot hold a type with < >"
            raise self.fault("S0402", message, place + choice.start())
        if (nested := re.search(r"[^af]<", signature[1:])) is not None:
            message = "only an array or a function can have a type in < >"
            raise self.fault("S0401", message, place + 1 + nested.start())

    def group(self, left: Node) -> Node:
        opening = self.advance()
        if isinstance(left, Group):
            raise self.fault("S0210", "only one { } can follow a step", opening.start)
        pairs, end = self.pairs(opening)
        return Group(left.start, end, left, pairs)

    def condition(self, left: Node) -> Node:
        branches: list[tuple[Node, Node]] = []
        otherwise: Node | None = None
        test = left
        while True:
            self.advance()
            value = self.expression(0)
            branches.append((test, value))
            end = value.end
            if self.token.kind != ":":
                break
            self.advance()
            test = self.expression(_POWERS["?"])
            if self.token.kind != "?":
                otherwise = self.expression(0, test)
                end = otherwise.end
                break
        return Condition(left.start, end, tuple(branches), otherwise)

    def apply(self, left: Node) -> Node:
        links = [left]
        while self.token.kind == "~>":
            self.advance()
            links.append(self.expression(_POWERS["~>"]))
        return Apply(left.start, links[-1].end, tuple(links))

    def sort(self, left: Node) -> Node:
        self.advance()
        opening = self.expect("(")
        self.enter(opening)
        terms: list[Node] = []
        while True:
            if self.token.kind in ("<", ">"):
                self.advance()
            terms.append(self.expression(0))
            if self.token.kind != ",":
                break
            self.advance()
        closing = self.expect(")", after_operand=True)
        self.leave()
        return Sort(left.start, closing.end, left, tuple(terms))

    def binding(self, left: Node) -> Node:
        operator = self.advance()
        right = self.expression(80)
        if not isinstance(right, Variable):
            raise self.fault("S0214", f"{operator.kind} must be followed by a $variable", right.start)
        last = left.steps[-1] if isinstance(left, Path) else left
        bound = last
        while isinstance(bound, (Focus, Position)):
            if isinstance(bound, Focus if operator.kind == "@" else Position):
                raise self.fault("S0214", f"only one {operator.kind} can follow a step", operator.start)
            bound = bound.target
        if operator.kind == "#":
            return Position(left.start, right.end, left, right)
        if isinstance(last, Filter):
            raise self.fault("S0215", "@ must come before the predicate of its step", operator.start)
        if isinstance(last, Sort):
            raise self.fault("S0216", "@ must come before the order-by of its step", operator.start)
        return Focus(left.start, right.end, left, right)

    def assignment(self, left: Node) -> Node:
        if not isinstance(left, Variable):
            written = self.source[left.start : left.end]
            raise self.fault("S0212", f"{written} cannot be given a value: := needs a $variable", left.start)
        self.advance()
        value = self.expression(9)
        return Assignment(left.start, value.end, left, value)
