"""Advice for people who come from other languages: what they wrote, as JSONata has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from flowstudio.errors import ExpressionError
from flowstudio.expressions import swift
from flowstudio.expressions import syntax as tree
from flowstudio.expressions.braces import Brace, braces_of, scan
from flowstudio.expressions.engine import RefusedError
from flowstudio.expressions.names import FUNCTIONS, uses_of, written

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence about the characters of `span`, and what to put in their place: the whole compiles then."""

    span: Span
    message: str
    replacement: str

    def applied(self, source: str) -> str:
        """The source with the advice followed."""
        start, end = self.span
        return source[:start] + self.replacement + source[end:]


def advise(source: str) -> tuple[Advice, ...]:
    """What in an expression was probably meant otherwise, in the order of the text.

    Where only all of it together compiles, it is one advice about the whole.
    """
    return _that_compile(source, _found(source, certain=True))


def remedy_of(source: str, code: str = "") -> str:
    """What to write instead, for an expression that failed with an error's code; nothing where no slip is seen."""
    found = _that_compile(source, _found(source, certain=code not in ("T2001", "T2002")))
    if not found:
        return ""
    advice = found[0]
    fixed = advice.applied(source).strip()
    return f"{advice.message}: {fixed}" if len(fixed) <= 120 else advice.message


def may_collapse(source: str) -> Advice | None:
    """The first place where a list gives its only element instead when it has just one; None where there is none."""
    if not _compiles(source):
        return None
    for node in _values(tree.parse(source)):
        if _gives_list(node):
            return Advice(
                (node.start, node.end),
                "this is a list only if it has several elements: with one it is the element itself, with none nothing",
                f"[{source[node.start : node.end]}]",
            )
    return None


def _that_compile(source: str, found: list[Advice]) -> tuple[Advice, ...]:
    found = sorted(found, key=lambda advice: advice.span)
    apart: list[Advice] = []
    for advice in found:
        if not apart or advice.span[0] >= apart[-1].span[1]:
            apart.append(advice)
    alone = tuple(advice for advice in apart if _compiles(advice.applied(source)))
    if len(alone) == len(apart):
        return alone
    fixed = source
    for advice in reversed(apart):
        fixed = advice.applied(fixed)
    if not _compiles(fixed):
        # What stands inside the one may itself need another: follow them one after the other.
        for _ in range(8):
            more = sorted(_found(fixed, certain=True), key=lambda advice: advice.span)
            if not more or _compiles(fixed):
                break
            fixed = more[-1].applied(fixed)
        if not _compiles(fixed):
            return alone
    messages = list(dict.fromkeys(advice.message for advice in apart))
    return (Advice((0, len(source)), "; ".join(messages), fixed),)


def _compiles(source: str) -> bool:
    """Whether a text is an expression, also for the engine: the grammar alone lets a `%` without a parent pass."""
    try:
        root = tree.parse(source)
        swift.compiled(source, uses_of(root).clock)
        return all(
            swift.regex_fault(source[node.start : node.end]) is None
            for node in tree.nodes(root)
            if isinstance(node, tree.Regex)
        )
    except swift.NeedsCareError:
        return True
    except (ExpressionError, RefusedError, RecursionError):
        return False


def _found(source: str, certain: bool) -> list[Advice]:
    """`certain` leaves out what is no slip for all that the text alone can tell."""
    if (inside := braces_of(source.strip())) is not None and inside.strip():
        start = len(source) - len(source.lstrip())
        message = "braces are for text fields; an expression is written without them"
        return [Advice((start, start + len(source.strip())), message, inside.strip())]
    try:
        root = tree.parse(source)
    except (ExpressionError, RecursionError):
        words = _words(source)
        return [advice for look in _IN_WORDS for advice in look(source, words)]
    found = [advice for look in _IN_TREES for advice in look(source, root)]
    for chain in tree.nodes(root):
        if isinstance(chain, tree.Chain) and "+" in chain.operators:
            found += _added(source, chain, certain)
    return found


def _words(source: str) -> list[tree.Token]:
    """The words of a text that is no expression; a character that is none of the language is a word of its own."""
    found: list[tree.Token] = []
    lexer = tree.Lexer(source)
    while True:
        try:
            token = lexer.next(bool(found) and found[-1].kind in _CLOSED)
        except ExpressionError as error:
            if error.code != "S0204" or error.position is None:
                return found
            place = error.position
            lexer.place = place + 1
            token = tree.Token(source[place], source[place], place, place + 1)
        if token.kind == "end":
            return found
        found.append(token)


_CLOSED = frozenset({"text", "number", "constant", "word", "name", "variable", ")", "]", "}"})
_OPEN = {"(": ")", "[": "]", "{": "}"}


def _adjacent(words: list[tree.Token], place: int, *kinds: str) -> bool:
    """Whether these words follow from a place on without blanks between them."""
    found = words[place : place + len(kinds)]
    return [word.kind for word in found] == list(kinds) and all(
        one.end == other.start for one, other in pairwise(found)
    )


_OPERATORS: Final = (
    (("=", "=", "="), "=", "JSONata compares with a single ="),
    (("=", "="), "=", "JSONata compares with a single ="),
    (("!=", "="), "!=", "JSONata compares with !="),
    (("<", ">"), "!=", "JSONata compares with !="),
    (("&", "&"), "and", "JSONata joins conditions with and"),
    (("|", "|"), "or", "JSONata joins conditions with or"),
    (("?", "."), ".", "a path that leads nowhere gives nothing: a plain dot is enough"),
)


def _operators(source: str, words: list[tree.Token]) -> Iterator[Advice]:
    place = 0
    while place < len(words):
        for kinds, written_as, message in _OPERATORS:
            if _adjacent(words, place, *kinds):
                start, end = words[place].start, words[place + len(kinds) - 1].end
                if written_as.isalpha():
                    before = "" if start == 0 or source[start - 1].isspace() else " "
                    after = "" if source[end : end + 1].isspace() else " "
                    written_as = f"{before}{written_as}{after}"
                yield Advice((start, end), message, written_as)
                place += len(kinds) - 1
                break
        place += 1


def _negations(source: str, words: list[tree.Token]) -> Iterator[Advice]:
    for place, word in enumerate(words):
        if word.kind != "!":
            continue
        end = _operand_end(words, place + 1)
        if end is None:
            continue
        operand = source[words[place + 1].start : end]
        if operand.startswith("(") and words[place + 1].kind == "(" and end == _closing(words, place + 1):
            operand = operand[1:-1]
        yield Advice((word.start, end), "JSONata negates with the function $not", f"$not({operand})")


def _operand_end(words: list[tree.Token], place: int) -> int | None:
    """Where an operand ends: a word or brackets, with the steps, predicates and calls that follow."""
    end: int | None = None
    while place < len(words):
        kind = words[place].kind
        if kind in _OPEN and (end is None or kind != "{"):
            end = _closing(words, place)
            if end is None:
                return None
            place = next(i for i, word in enumerate(words) if word.end == end) + 1
        elif end is None and kind in ("word", "name", "variable", "constant", "number", "text"):
            end = words[place].end
            place += 1
        elif kind == "." and end is not None and place + 1 < len(words):
            end = words[place + 1].end
            place += 2
        else:
            break
    return end


def _closing(words: list[tree.Token], place: int) -> int | None:
    expected: list[str] = []
    for word in words[place:]:
        if word.kind in _OPEN:
            expected.append(_OPEN[word.kind])
        elif word.kind in (")", "]", "}"):
            if not expected or expected.pop() != word.kind:
                return None
            if not expected:
                return word.end
    return None


def _comments(source: str, words: list[tree.Token]) -> Iterator[Advice]:
    """`// to the end of the line`, which begins an empty regular expression."""
    last = words[-1].start if words and words[-1].kind == "/" else words[-1].end if words else 0
    match = re.compile(r"\s*//([^\n]*)").match(source, last)
    if match is not None:
        start = source.index("//", last)
        yield Advice((start, match.end()), "comments stand between /* and */", f"/*{match.group(1)} */")


_IN_WORDS: Final[tuple[Callable[[str, list[tree.Token]], Iterator[Advice]], ...]] = (_operators, _negations, _comments)

_ALIASES: Final = {
    "upper": "uppercase",
    "touppercase": "uppercase",
    "ucase": "uppercase",
    "lower": "lowercase",
    "tolowercase": "lowercase",
    "lcase": "lowercase",
    "strip": "trim",
    "len": "count",
    "size": "count",
    "avg": "average",
    "mean": "average",
    "str": "string",
    "tostring": "string",
    "int": "number",
    "float": "number",
    "tonumber": "number",
    "parsefloat": "number",
    "parseint": "number",
    "substr": "substring",
    "includes": "contains",
    "unique": "distinct",
    "uniq": "distinct",
    "today": "now",
    "ceiling": "ceil",
    "rand": "random",
    "pow": "power",
    "isset": "exists",
    "sorted": "sort",
    "reversed": "reverse",
}
_METHODS: Final = {
    "toUpperCase": "uppercase",
    "upper": "uppercase",
    "toLowerCase": "lowercase",
    "lower": "lowercase",
    "trim": "trim",
    "strip": "trim",
    "toString": "string",
    "includes": "contains",
    "contains": "contains",
    "split": "split",
    "join": "join",
    "replace": "replace",
    "replaceAll": "replace",
    "substring": "substring",
    "substr": "substring",
    "toFixed": "round",
    "reverse": "reverse",
    "sort": "sort",
    "keys": "keys",
    "concat": "append",
    "size": "count",
    "count": "count",
    "length": "length",
    "padStart": "pad",
    "padEnd": "pad",
    "sum": "sum",
}
_BUILT = {name.lower(): name for name in FUNCTIONS}


def _function_named(name: str) -> str | None:
    return _BUILT.get(name.lower()) or _ALIASES.get(name.lower())


def _calls(source: str, root: tree.Node) -> Iterator[Advice]:
    """`upper(x)`, `$upper(x)`, `x.toUpperCase()`, `if(a, b, c)`."""
    methods = {
        part.function
        for path in tree.nodes(root)
        if isinstance(path, tree.Path)
        for step in path.steps[1:]
        for part in _wrappings(step)
        if isinstance(part, tree.Call) and isinstance(part.function, tree.Name) and part.function.value in _METHODS
    }
    free = {use.variable for use in uses_of(root).free}
    for node in tree.nodes(root):
        if isinstance(node, tree.Path):
            yield from _methods(source, node)
        if not isinstance(node, tree.Call):
            continue
        function = node.function
        if isinstance(function, tree.Name) and function not in methods:
            texts = [source[argument.start : argument.end] for argument in node.arguments]
            lowered = function.value.lower()
            if lowered in ("if", "iif", "iff") and len(texts) in (2, 3):
                message = "JSONata chooses with test ? value : other value"
                yield Advice((node.start, node.end), message, f"({texts[0]} ? {' : '.join(texts[1:])})")
            elif lowered in ("concat", "concatenate") and len(texts) > 1:
                yield Advice((node.start, node.end), "JSONata joins text with &", f"({' & '.join(texts)})")
            elif lowered in ("coalesce", "ifnull", "isnull", "nvl") and len(texts) == 2:
                message = "JSONata takes another value for nothing with ??"
                yield Advice((node.start, node.end), message, f"({' ?? '.join(texts)})")
            elif (name := _function_named(function.value)) is not None:
                message = f"functions begin with a dollar; this one is ${name}"
                yield Advice((function.start, function.end), message, f"${name}")
        elif isinstance(function, tree.Variable) and function in free and function.name not in FUNCTIONS:
            name = _function_named(function.name)
            if name is not None:
                yield Advice((function.start, function.end), f"this function is ${name}", f"${name}")


def _methods(source: str, path: tree.Path) -> Iterator[Advice]:
    for place, whole in enumerate(path.steps[1:], start=1):
        step = whole
        while isinstance(step, (tree.Filter, tree.Keep)):
            step = step.target
        if not isinstance(step, tree.Call) or not isinstance(step.function, tree.Name):
            continue
        name = _METHODS.get(step.function.value)
        if name is None:
            continue
        target = source[path.start : path.steps[place - 1].end]
        if name == "length" and _is_plural(path.steps[place - 1]):
            name = "count"
        arguments = [source[argument.start : argument.end] for argument in step.arguments]
        if step.function.value == "padStart" and arguments:
            arguments[0] = f"-{arguments[0]}"
        message = f"functions stand before what they work on; this one is ${name}"
        yield Advice((path.start, step.end), message, f"${name}({', '.join([target, *arguments])})")
        return


def _lengths(source: str, root: tree.Node) -> Iterator[Advice]:
    """`orders.length`, and `name.length` for texts."""
    for path in tree.nodes(root):
        if not isinstance(path, tree.Path):
            continue
        last, before = path.steps[-1], path.steps[-2]
        if not isinstance(last, tree.Name) or last.value not in ("length", "size", "count"):
            continue
        target = source[path.start : before.end]
        if _is_plural(before):
            yield Advice(
                (path.start, path.end), "a list has no length; $count counts its elements", f"$count({target})"
            )
        elif last.value == "length" and _is_text(before):
            message = "a text has no field length; $length counts its characters"
            yield Advice((path.start, path.end), message, f"$length({target})")


_PAYLOADS: Final = frozenset({"payload", "$json", "$payload", "$input", "$body", "$msg", "$data"})


def _roots(source: str, root: tree.Node) -> Iterator[Advice]:
    """`payload.x`, `$json.x`, `vars.x`."""
    uses = uses_of(root)
    starts: list[tuple[tree.Node, str]] = [
        (use.variable, f"${use.variable.name}") for use in uses.free if use.variable.name not in FUNCTIONS
    ]
    starts += [(fields[0], str(fields[0].value)) for fields in uses.payload if fields]
    paths = {id(path.steps[0]): path for path in tree.nodes(root) if isinstance(path, tree.Path)}
    for node, name in starts:
        path = paths.get(id(node))
        if name in _PAYLOADS and source[node.start] not in "`\"'":
            message = f"the payload is the context itself: its fields are written without {name}"
            if path is None:
                if name != "payload":
                    yield Advice((node.start, node.end), "the payload itself is written $", "$")
            elif isinstance(path.steps[1], tree.Name):
                yield Advice((node.start, path.steps[1].start), message, "")
        elif name in ("vars", "steps") and path is not None and source[node.start] not in "`\"'":
            yield Advice((node.start, node.end), f"what is bound beside the payload has a dollar: ${name}", f"${name}")


def _hyphens(source: str, root: tree.Node) -> Iterator[Advice]:
    """`first-name`, which subtracts."""
    for chain in tree.nodes(root):
        if not isinstance(chain, tree.Chain) or "-" not in chain.operators:
            continue
        place = 0
        while place < len(chain.operators):
            last = place
            while last < len(chain.operators) and _hyphenated(source, chain, last):
                last += 1
            if last > place:
                first = _last_step(chain.operands[place])
                final = _first_step(chain.operands[last])
                assert first is not None
                assert final is not None
                name = source[first.start : final.end]
                if all(len(part) < 2 for part in name.split("-")) or name.split("-")[-1].isdigit():
                    # a-b and n-1 are sums.
                    place = last + 1
                    continue
                message = "- subtracts; a name that has a hyphen stands in back-ticks"
                yield Advice((first.start, final.end), message, written(name))
            place = last + 1


def _hyphenated(source: str, chain: tree.Chain, place: int) -> bool:
    """Whether a minus stands right between two bare names."""
    if chain.operators[place] != "-":
        return False
    left, right = _last_step(chain.operands[place]), _first_step(chain.operands[place + 1])
    if left is None or right is None:
        return False
    return (
        left.end == chain.places[place] == right.start - 1
        and all(source[node.start] not in "`\"'" for node in (left, right))
        # In the middle of a longer name there can be no dot.
        and (place + 1 == len(chain.operators) or isinstance(chain.operands[place + 1], tree.Name))
    )


def _last_step(node: tree.Node) -> tree.Name | None:
    last = node.steps[-1] if isinstance(node, tree.Path) else node
    return last if isinstance(last, tree.Name) else None


def _first_step(node: tree.Node) -> tree.Name | None:
    first = node.steps[0] if isinstance(node, tree.Path) else node
    return first if isinstance(first, tree.Name) else None


def _constants(source: str, root: tree.Node) -> Iterator[Advice]:
    """`True`, `None`, `undefined`."""
    known = {
        "True": "true",
        "TRUE": "true",
        "False": "false",
        "FALSE": "false",
        "None": "null",
        "NULL": "null",
        "nil": "null",
    }
    for fields in uses_of(root).payload:
        if len(fields) == 1 and (meant := known.get(str(fields[0].value))) and source[fields[0].start] != "`":
            span = (fields[0].start, fields[0].end)
            yield Advice(span, f"this reads a field; the constant is written {meant}", meant)


def _templates(source: str, root: tree.Node) -> Iterator[Advice]:
    """`"Hello {{ name }}"`, which is just that text."""
    for node in tree.nodes(root):
        if not isinstance(node, tree.Literal) or not isinstance(node.value, str) or "{{" not in node.value:
            continue
        try:
            parts = scan(node.value)
        except ExpressionError:
            continue
        if not any(isinstance(part, Brace) for part in parts):
            continue
        joined = " & ".join(
            _grouped(part.expression.strip()) if isinstance(part, Brace) else json.dumps(part, ensure_ascii=False)
            for part in parts
        )
        message = "braces are for text fields; an expression joins text with &"
        yield Advice((node.start, node.end), message, joined)


def _grouped(expression: str) -> str:
    try:
        node = tree.parse(expression)
    except ExpressionError:
        return f"({expression})"
    simple = isinstance(node, (tree.Literal, tree.Name, tree.Variable, tree.Path, tree.Call, tree.Block, tree.Filter))
    return expression if simple else f"({expression})"


def _products(source: str, root: tree.Node) -> Iterator[Advice]:
    """`$sum(orders.qty * orders.price)`, which multiplies lists."""
    for call in tree.nodes(root):
        if not isinstance(call, tree.Call) or len(call.arguments) != 1 or not isinstance(call.function, tree.Variable):
            continue
        chain = call.arguments[0]
        if call.function.name not in ("sum", "average", "max", "min") or not isinstance(chain, tree.Chain):
            continue
        paths = [operand for operand in chain.operands if isinstance(operand, tree.Path)]
        if len(paths) != len(chain.operands):
            continue
        shared = {tuple(source[step.start : step.end] for step in path.steps[:-1]) for path in paths}
        if len(shared) != 1:
            continue
        body = source[chain.start : chain.end]
        prefix = source[paths[0].start : paths[0].steps[-1].start]
        message = "a whole list cannot be multiplied; compute within each of its elements"
        yield Advice((chain.start, chain.end), message, f"{prefix}({body.replace(prefix, '')})")


def _added(source: str, chain: tree.Chain, certain: bool) -> Iterator[Advice]:
    """`first + last`, where they are texts."""
    if set(chain.operators) - {"+", "&"}:
        return
    texts = [_is_text(operand) for operand in chain.operands]
    numbers = [_is_number(operand) for operand in chain.operands]
    if certain and not any(texts):
        return
    if all(numbers):
        return
    parts = [source[chain.start : chain.places[0]]]
    for place, start in enumerate(chain.places):
        end = chain.places[place + 1] if place + 1 < len(chain.places) else chain.end
        parts.append("&" + source[start + 1 : end])
    yield Advice((chain.start, chain.end), "+ adds numbers; join text with &", "".join(parts))


_TEXT_FUNCTIONS = frozenset(
    """string lowercase uppercase trim substring substringBefore substringAfter pad join replace formatNumber
    formatInteger formatBase base64encode base64decode encodeUrl encodeUrlComponent fromMillis now""".split()
)
_TEXT_WORDS = frozenset(
    """name first last middle title salutation street city country county state region zip postcode email mail phone
    text label description comment note message subject url uri link path host domain prefix suffix slug username
    firstname lastname forename surname fullname company currency language locale brand model color colour""".split()
)


def _name_of(node: tree.Node) -> str:
    last = node.steps[-1] if isinstance(node, tree.Path) else node
    while isinstance(last, (tree.Filter, tree.Keep)):
        last = last.target
    return last.value if isinstance(last, tree.Name) else ""


def _is_text(node: tree.Node) -> bool:
    """Whether a part is text, as far as its name or function tells."""
    if isinstance(node, tree.Literal):
        return isinstance(node.value, str)
    if isinstance(node, tree.Call):
        return isinstance(node.function, tree.Variable) and node.function.name in _TEXT_FUNCTIONS
    if isinstance(node, tree.Block) and node.items:
        return _is_text(node.items[-1])
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", _name_of(node)).lower()
    parts = re.split(r"[^a-z]+", name)
    return bool(parts) and (parts[-1] in _TEXT_WORDS or "".join(parts) in _TEXT_WORDS)


def _is_number(node: tree.Node) -> bool:
    if isinstance(node, tree.Literal):
        return not isinstance(node.value, str)
    return isinstance(node, tree.Chain) and "&" not in node.operators


def _is_plural(node: tree.Node) -> bool:
    name = _name_of(node).lower()
    return (name.endswith("s") and not name.endswith("ss")) or name in ("list", "array", "data", "entries", "children")


_IN_TREES: Final[tuple[Callable[[str, tree.Node], Iterator[Advice]], ...]] = (
    _calls,
    _lengths,
    _roots,
    _hyphens,
    _constants,
    _templates,
    _products,
)


def _values(node: tree.Node) -> Iterator[tree.Node]:
    """The parts of an expression that are its value, or a value in an object that it makes."""
    if isinstance(node, tree.Object):
        for _, value in node.pairs:
            yield from _values(value)
    elif isinstance(node, tree.Block):
        if node.items:
            yield from _values(node.items[-1])
    elif isinstance(node, tree.Condition):
        for _, value in node.branches:
            yield from _values(value)
        if node.otherwise is not None:
            yield from _values(node.otherwise)
    elif isinstance(node, tree.Default):
        yield from _values(node.left)
        yield from _values(node.right)
    elif isinstance(node, tree.Array):
        for item in node.items:
            if isinstance(item, tree.Object):
                yield from _values(item)
    else:
        yield node
        if isinstance(node, tree.Path) and isinstance(node.steps[-1], tree.Object):
            yield from _values(node.steps[-1])


_ONE_OF = re.compile(
    r"(?i)(^|[_-])(id|key|code|sku|number|no|name|email|uuid|guid|slug|type|kind)$|[a-z](Id|Key|Code)$"
)


def _gives_list(node: tree.Node) -> bool:
    """Whether a part makes one value of each element of something."""
    if isinstance(node, tree.Call):
        function = node.function
        return isinstance(function, tree.Variable) and function.name in ("map", "filter") and len(node.arguments) > 1
    if isinstance(node, tree.Apply):
        last = node.links[-1]
        return (
            isinstance(last, tree.Call)
            and isinstance(last.function, tree.Variable)
            and last.function.name in ("map", "filter")
        )
    if isinstance(node, (tree.Sort, tree.Filter)):
        return _is_selection(node)
    if not isinstance(node, tree.Path):
        return False
    if any(isinstance(part, tree.Keep) for step in node.steps for part in _wrappings(step)):
        return False
    head = node.steps[0]
    if isinstance(head, tree.Array) and len(head.items) != 1:
        return False
    for step in node.steps[1:]:
        if isinstance(step, (tree.Object, tree.Block, tree.Wildcard, tree.Descendant)):
            return True
    return any(_is_selection(step) for step in node.steps) and not any(
        isinstance(part, tree.Filter) and _is_index(part.predicate) for step in node.steps for part in _wrappings(step)
    )


def _wrappings(node: tree.Node) -> Iterator[tree.Node]:
    while True:
        yield node
        if not isinstance(node, (tree.Filter, tree.Keep, tree.Sort, tree.Focus, tree.Position, tree.Group)):
            return
        node = node.target


def _is_selection(node: tree.Node) -> bool:
    """Whether a step picks several elements: by a condition that is not about what tells them apart."""
    parts = list(_wrappings(node))
    if any(isinstance(part, (tree.Keep, tree.Group)) for part in parts):
        return False
    predicates = [part.predicate for part in parts if isinstance(part, tree.Filter)]
    if any(_is_index(predicate) or _tells_apart(predicate) for predicate in predicates):
        return False
    return bool(predicates) or any(isinstance(part, tree.Sort) for part in parts)


def _is_index(predicate: tree.Node) -> bool:
    return isinstance(predicate, tree.Literal) and isinstance(predicate.value, int)


def _tells_apart(predicate: tree.Node) -> bool:
    return (
        isinstance(predicate, tree.Chain)
        and predicate.operators == ("=",)
        and any(_ONE_OF.search(_name_of(operand)) for operand in predicate.operands if _name_of(operand))
    )
