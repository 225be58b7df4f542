"""What can be written at a place of an expression: paths with their values on the sample, and functions.

Made for somebody who is still typing: the text need not compile.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flowstudio.editor.forms.sample import Known, names_in, step_into
from flowstudio.errors import ExpressionSyntaxError
from flowstudio.expressions.functions import FUNCTIONS, Function
from flowstudio.expressions.names import written
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.syntax import Lexer, Token
from flowstudio.flow.model import Flow, Json

Base = tuple[str | None, tuple[str, ...]]
"""A path from its beginning: the bound name it begins with, None for the payload, and the fields it goes through."""

SuggestionKind = Literal["path", "name", "function"]

_OPERANDS: Final = frozenset({"text", "number", "constant", "word", "name", "variable", "regex", ")", "]", "}"})
_ROOTS: Final = frozenset({"vars", "steps", "meta", "trigger", "run", "customer", "instance", "item", "state", "error"})
_DEEPEST: Final = 4
_MOST_PATHS: Final = 400
_NAMES: Final = (
    ("$meta", "What came with the message: method, headers, status"),
    ("$trigger", "The payload that the run began with"),
    ("$run", "id, started_at, attempt and test of this run"),
    ("$customer", "id and name of the customer"),
    ("$instance", "id, version and webhooks of the instance"),
    ("$item", "index and total in the innermost split"),
    ("$state", "What the flow remembers between runs"),
    ("$error", "What failed, on an error route"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is being typed: from `start` to `end` stands `prefix`, the beginning of what is meant.

    `base` is the path that the word is a part of or, without `after_dot`, the context it is read in; None where the text
    alone does not tell. `wanted` is False after a complete operand, where only an operator can follow.
    """

    start: int
    end: int
    prefix: str
    base: Base | None
    after_dot: bool
    wanted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A field's name in an expression, and the path that it is read from; None where the text does not tell."""

    start: int
    end: int
    name: str
    base: Base | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of the list: `text` takes the place of what is typed, `value` is what it gives on the sample.

    `says` tells what a name without a value is; `head` is the bound name that a path begins with.
    """

    text: str
    kind: SuggestionKind
    value: Json = MISSING
    says: str = ""
    head: str | None = None
    keys: tuple[str, ...] = ()
    function: Function | None = None


@dataclass(frozen=True, slots=True)
class Misnamed:
    """A name from `start` to `end` that the sample does not have, with the names that come nearest to it."""

    start: int
    end: int
    name: str
    nearest: tuple[str, ...]


@dataclass(slots=True)
class _Frame:
    context: Base | None
    path: Base | None
    """The path before the bracket, which goes on after it."""
    goes_on: bool


class _Reading:
    """One pass over the words of an expression, which keeps the context that each name is read in."""

    def __init__(self, source: str, start: int, end: int) -> None:
        self._source, self._end = source, end
        self._lexer = Lexer(source, start, end)
        self.context: Base | None = (None, ())
        self.path: Base | None = None
        self._frames: list[_Frame] = []
        self.last: Token | None = None
        self.before: Token | None = None
        self.before_path: Base | None = None
        """What `path` was before the last word."""
        self.unclosed: tuple[str, int] | None = None
        """The code and the place of a text, comment or name that reaches over the end."""
        self._lambda = False

    def words(self) -> Iterator[Word]:
        """The names of fields in it; at the end the attributes tell about what stands last."""
        while True:
            try:
                token = self._lexer.next(self.last is not None and self.last.kind in _OPERANDS)
            except ExpressionSyntaxError as error:
                if error.code != "S0204" or error.position is None:
                    self.unclosed = (error.code or "", error.position if error.position is not None else self._end)
                    return
                self._lexer.place = error.position + 1
                continue
            if token.kind == "end":
                return
            word = self._take(token)
            self.before, self.last = self.last, token
            if word is not None:
                yield word

    def _take(self, token: Token) -> Word | None:
        kind, last = token.kind, self.last.kind if self.last is not None else ""
        self.before_path = self.path
        if kind in ("word", "name"):
            if kind == "word" and token.value == "function" and last != ".":
                self._lambda, self.path = True, None
                return None
            base = self.path if last == "." else self.context
            self.path = None if base is None else (base[0], (*base[1], str(token.value)))
            return Word(token.start, token.end, str(token.value), base)
        if kind == "variable":
            name = str(token.value)
            if last == ".":
                self.path = None
            elif not name:
                self.path = self.context
            elif name == "$":
                self.path = (None, ())
            else:
                self.path = (name, ()) if name in _ROOTS else None
        elif kind in (".", "^"):
            pass
        elif kind in ("(", "[", "{"):
            self._open(kind, last)
        elif kind in (")", "]", "}"):
            self._close(kind)
        else:
            self.path = None
        return None

    def _open(self, kind: str, last: str) -> None:
        operand = last in _OPERANDS
        inside = self.context
        goes_on = False
        if kind == "[" and operand:
            inside, goes_on = self.path, True
        elif kind in ("(", "{") and last in (".", "^"):
            inside, goes_on = self.path, last == "^"
        elif kind == "{" and operand and not self._lambda:
            inside = self.path
        if kind == "{":
            self._lambda = False
        self._frames.append(_Frame(self.context, self.path, goes_on))
        self.context, self.path = inside, None

    def _close(self, kind: str) -> None:
        if not self._frames:
            self.path = None
            return
        frame = self._frames.pop()
        self.context = frame.context
        if frame.goes_on:
            self.path = frame.path
        elif kind != ")" or self._lambda:
            self.path = None


def words_of(source: str, start: int = 0, end: int | None = None) -> list[Word]:
    """The names of fields in an expression that stands in `source` from `start` to `end`, but not those of functions."""
    stop = len(source) if end is None else end
    found = list(_Reading(source, start, stop).words())
    return [word for word in found if not source[word.end : stop].lstrip().startswith("(")]


def place_of(source: str, cursor: int, start: int = 0, end: int | None = None) -> Place | None:
    """What is being typed at the cursor of an expression; None in a text or a comment."""
    stop = len(source) if end is None else end
    reading = _Reading(source, start, cursor)
    words = list(reading.words())
    last, before = reading.last, reading.before
    if reading.unclosed is not None:
        code, begin = reading.unclosed
        if code != "S0105":
            return None
        dotted = last is not None and last.kind == "."
        base = reading.path if dotted else reading.context
        return Place(begin, cursor, source[begin + 1 : cursor], base, dotted, True)
    if last is None:
        return Place(cursor, cursor, "", reading.context, False, True)
    if last.end == cursor and last.kind in ("word", "name", "variable", "and", "or", "in", "constant"):
        dotted = before is not None and before.kind == "."
        finish = cursor
        while finish < stop and (source[finish].isalnum() or source[finish] == "_"):
            finish += 1
        base = words[-1].base if last.kind in ("word", "name") and words else reading.context
        if dotted and last.kind == "variable":
            base = reading.before_path
        return Place(last.start, finish, source[last.start : cursor].strip("`"), base, dotted, True)
    if last.kind == ".":
        finish = cursor
        while finish < stop and (source[finish].isalnum() or source[finish] == "_"):
            finish += 1
        return Place(cursor, finish, "", reading.path, True, True)
    return Place(cursor, cursor, "", reading.context, False, last.kind not in _OPERANDS)


def suggest(place: Place, known: Known, flow: Flow, step: str | None) -> list[Suggestion]:
    """What may stand at a place, what is meant most likely first."""
    found: list[Suggestion] = []
    base = place.base
    dollar = place.prefix.startswith("$")
    if not dollar or place.prefix == "$":
        head = base[0] if base is not None else None
        if base is not None and head == "steps" and not base[1]:
            found += [each for each in _steps(known, flow, step, "") if len(each.keys) == 1]
        elif base is not None and head == "vars" and not base[1]:
            found += _variables(known, flow, "")
        elif base is not None and not dollar:
            found += _paths(known.at(*base), head, base[1], "")
    if not place.after_dot:
        found += _steps(known, flow, step, "$steps.")
        found += _variables(known, flow, "$vars.")
        found += [Suggestion(name, "name", known.names.get(name[1:], MISSING), says, name[1:]) for name, says in _NAMES]
    if dollar or not place.after_dot:
        found += [
            Suggestion(f"${function.name}", "function", says=function.says, function=function)
            for function in FUNCTIONS.values()
        ]
    return _matching(found, place.prefix)


def _matching(found: Sequence[Suggestion], prefix: str) -> list[Suggestion]:
    wanted = prefix.lower().lstrip("$")
    if not wanted:
        return [each for each in found if not prefix or each.text.startswith("$")]
    ranked: list[tuple[int, int, Suggestion]] = []
    for number, each in enumerate(found):
        if prefix.startswith("$") and not each.text.startswith("$"):
            continue
        text = each.text.lower().lstrip("$")
        name = each.keys[-1].lower() if each.keys else text
        rank = _rank(wanted, text, name)
        if each.function is not None and rank > 1 and not prefix.startswith("$"):
            continue  # a name that is typed is seldom a function's
        if rank >= 0:
            ranked.append((rank, number, each))
    return [each for _, _, each in sorted(ranked, key=lambda entry: entry[:2])]


def _rank(wanted: str, text: str, name: str) -> int:
    """How well a line fits what is typed, 0 best; -1 not at all."""
    if text.startswith(wanted):
        return 0
    if name.startswith(wanted):
        return 1
    if wanted in text:
        return 2
    return 3 if len(wanted) > 1 and _scattered(wanted, name) else -1


def _scattered(wanted: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in wanted)


def _paths(
    value: Json, head: str | None, above: tuple[str, ...], written_above: str, deepest: int = _DEEPEST
) -> list[Suggestion]:
    """The fields of a value and those in them, each field before what is in it."""
    found: list[Suggestion] = []

    def list_(here: Json, keys: tuple[str, ...], text: str, depth: int) -> None:
        for name in names_in(here):
            if len(found) >= _MOST_PATHS:
                return
            inner = step_into(here, name)
            path = f"{text}.{written(name)}" if text else written(name)
            found.append(Suggestion(path, "path", inner, "", head, (*keys, name)))
            if depth < deepest:
                list_(inner, (*keys, name), path, depth + 1)

    list_(value, above, written_above, 1)
    return found


def _steps(known: Known, flow: Flow, step: str | None, lead: str) -> list[Suggestion]:
    outputs = known.names.get("steps")
    outputs = outputs if isinstance(outputs, Mapping) else {}
    found: list[Suggestion] = []
    for name in upstream(flow, step):
        value = outputs.get(name, MISSING)
        text = f"{lead}{written(name)}"
        title = flow.title_of(name)
        found.append(Suggestion(text, "path", value, f"What {title} put out", "steps", (name,)))
        found += _paths(value, "steps", (name,), text, 2)
    return found


def _variables(known: Known, flow: Flow, lead: str) -> list[Suggestion]:
    values = known.names.get("vars")
    values = values if isinstance(values, Mapping) else {}
    return [
        Suggestion(f"{lead}{written(name)}", "path", values.get(name, MISSING), variable.title or "", "vars", (name,))
        for name, variable in flow.variables.items()
    ]


def upstream(flow: Flow, step: str | None) -> list[str]:
    """The steps from which a message can come to a step, the nearest first."""
    if step is None or step not in flow.steps:
        return []
    sources: dict[str, list[str]] = {}
    for wire in flow.wires:
        sources.setdefault(wire.target, []).append(wire.source)
    seen = {step}
    found: list[str] = []
    waiting = list(sources.get(step, ()))
    while waiting:
        here = waiting.pop(0)
        if here in seen or here not in flow.steps:
            continue
        seen.add(here)
        found.append(here)
        waiting += sources.get(here, ())
    return found


def misnamed(source: str, known: Known, start: int = 0, end: int | None = None) -> list[Misnamed]:
    """The names in an expression that give nothing on the sample, though what they are read from has others."""
    if not known.sampled:
        return []
    found = []
    for word in words_of(source, start, end):
        if word.base is None:
            continue
        there = known.at(*word.base)
        names = names_in(there)
        if not names or word.name in names:
            continue
        near = sorted(names, key=lambda name: -_likeness(word.name, name))[:3]
        found.append(Misnamed(word.start, word.end, word.name, tuple(near)))
    return found


def _likeness(one: str, other: str) -> float:
    one, other = one.lower(), other.lower()
    return difflib.SequenceMatcher(None, one, other).ratio() + (0.3 if one in other or other in one else 0.0)


def example_on(function: Function, known: Known) -> str:
    """A call of a function with a path of the sample where its first argument stands; its own example without one."""
    if function.takes == "nothing":
        return function.usual
    for each in _paths(known.payload, None, (), "", 3):
        if _fits(function, each.value):
            return function.usual.replace("{}", each.text)
    return function.example


def _fits(function: Function, value: Json) -> bool:
    match function.takes:
        case "text":
            return isinstance(value, str)
        case "number":
            return _is_number(value)
        case "numbers":
            return isinstance(value, list) and bool(value) and all(_is_number(item) for item in value[:50])
        case "list":
            return isinstance(value, list) and bool(value)
        case "objects":
            return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value[:50])
        case "object":
            return isinstance(value, Mapping)
        case _:
            return value is not MISSING


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
