"""The paths that an expression names: where they stand in its text, and which step of the flow each comes from.

Made for drawing while somebody types: any text is read, also one that does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowstudio.errors import ExpressionSyntaxError
from flowstudio.expressions.braces import Brace, scan
from flowstudio.expressions.syntax import Lexer, Token
from flowstudio.flow.model import Flow
from flowstudio.sdk.registry import Registry, UnknownComponentError
from flowstudio.sdk.spec import Spec

_INDEX: Final = re.compile(r"\[\s*(?:-?\d+)?\s*\]")
_OPERANDS: Final = frozenset({"text", "number", "constant", "word", "name", "variable", "regex", ")", "]", "}"})
_BOUND: Final = frozenset(
    {"vars", "steps", "meta", "trigger", "run", "customer", "instance", "item", "state", "error", "", "$"}
)
_ICONS: Final = {
    "vars": "sliders-horizontal",
    "customer": "user",
    "instance": "user",
    "item": "list-numbers",
    "state": "database",
    "error": "warning-circle",
    "run": "play",
}


@dataclass(frozen=True, slots=True)
class NamedPath:
    """A path in a text, from `start` to `end`: `head` is the bound name it begins with, None for the payload's own."""

    start: int
    end: int
    head: str | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a path comes from, as a chip shows it: `category` None is not from a step."""

    icon: str
    category: str | None
    title: str


def _words(source: str, start: int, end: int) -> Iterator[Token]:
    """The words of a text that somebody is still typing: what belongs to no word is passed over."""
    lexer = Lexer(source, start, end)
    operand = False
    while True:
        try:
            word = lexer.next(operand)
        except ExpressionSyntaxError as error:
            if error.code != "S0204" or error.position is None:
                return  # a text or a comment that is not closed reaches to the end
            lexer.place = error.position + 1
            continue
        if word.kind == "end":
            return
        yield word
        operand = word.kind in _OPERANDS


def paths_of(source: str, start: int = 0, end: int | None = None) -> list[NamedPath]:
    """The paths of an expression that stands in `source` from `start` to `end`."""
    stop = len(source) if end is None else end
    words = list(_words(source, start, stop))
    found: list[NamedPath] = []
    index = 0
    while index < len(words):
        word = words[index]
        before = words[index - 1].kind if index else ""
        after = words[index + 1].kind if index + 1 < len(words) else ""
        if not _begins(word, before, after):
            index += 1
            continue
        head = str(word.value) if word.kind == "variable" else None
        keys = [] if head is not None else [str(word.value)]
        last = word.end
        index += 1
        while index < len(words):
            here = words[index]
            if here.kind == "." and index + 1 < len(words) and words[index + 1].kind in ("word", "name"):
                keys.append(str(words[index + 1].value))
                last = words[index + 1].end
                index += 2
                continue
            bracket = _INDEX.match(source, here.start, stop) if here.kind == "[" else None
            if bracket is None:
                break
            last = bracket.end()
            while index < len(words) and words[index].start < last:
                index += 1
        if head in ("", "$") and not keys:
            continue
        found.append(NamedPath(word.start, last, head, tuple(keys)))
    return found


def _begins(word: Token, before: str, after: str) -> bool:
    if word.kind == "variable":
        return word.value in _BOUND and after not in ("(", ":=")
    if before == "." or word.kind not in ("word", "name"):
        return False
    return word.kind == "name" or after != "("


def braces(source: str) -> list[tuple[int, int]]:
    """Where the `{{ }}` of a text stand, each with its braces; one that is not closed reaches to the end."""
    try:
        return [(part.start, part.end) for part in scan(source) if isinstance(part, Brace)]
    except ExpressionSyntaxError as error:
        start = error.position if error.position is not None else len(source)
        return [*braces(source[:start]), (start, len(source))]


class Origins:
    """Tells for one step of a flow where the paths in its settings come from, as far as the flow alone shows it."""

    def __init__(self, flow: Flow, registry: Registry, step: str | None) -> None:
        self._flow = flow
        self._registry = registry
        self._step = step
        self._maker: str | None = None
        self._known = False

    def of(self, path: NamedPath) -> Origin:
        """Where a path comes from."""
        if path.head == "steps":
            return self._of_step(path.keys[0] if path.keys else None)
        if path.head == "trigger" or (path.head == "meta" and path.keys[:1] == ("trigger",)):
            return self._of_step(self._trigger())
        if path.head in (None, "", "$", "meta"):
            return self._of_step(self.maker())
        return Origin(_ICONS[path.head or ""], None, _title(path))

    def maker(self) -> str | None:
        """The step that made the payload which comes in: steps that only let it pass are looked through."""
        if not self._known:
            self._known = True
            self._maker = self._find_maker()
        return self._maker

    def _find_maker(self) -> str | None:
        if self._step is None or self._step not in self._flow.steps:
            return None
        if self._starts(self._step):
            return self._step
        seen = {self._step}
        here = self._step
        while True:
            sources = [wire.source for wire in self._flow.wires_to(here) if wire.source not in seen]
            if not sources:
                return None if here == self._step else here
            here = sources[0]
            seen.add(here)
            if not self._passes(here):
                return here

    def _trigger(self) -> str | None:
        seen: set[str] = set()
        waiting = [self._step] if self._step is not None else []
        while waiting:
            here = waiting.pop()
            if here in seen or here not in self._flow.steps:
                continue
            seen.add(here)
            if self._starts(here):
                return here
            waiting += [wire.source for wire in self._flow.wires_to(here)]
        return None

    def _spec(self, step: str) -> Spec | None:
        try:
            return self._registry.spec(self._flow.steps[step].component)
        except (KeyError, UnknownComponentError):
            return None

    def _starts(self, step: str) -> bool:
        spec = self._spec(step)
        return spec is not None and spec.shape == "trigger"

    def _passes(self, step: str) -> bool:
        spec = self._spec(step)
        return spec is not None and spec.shape == "plain" and spec.category in ("Logic", "Reliability", "Output")

    def _of_step(self, step: str | None) -> Origin:
        spec = self._spec(step) if step is not None else None
        if step is None or spec is None:
            return Origin("brackets-curly", None, "The payload" if step is None else step)
        return Origin(spec.icon, spec.category, f"From {self._flow.title_of(step)}")


def _title(path: NamedPath) -> str:
    kind = {
        "vars": "Variable",
        "customer": "The customer's",
        "instance": "The instance's",
        "item": "Place in the split",
    }
    return kind.get(path.head or "", f"${path.head}")
