"""Text with `{{ }}` in it: compiled once, written for each message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowstudio.errors import ExpressionError, ExpressionSyntaxError
from flowstudio.expressions.braces import Brace, braces_of, escape, scan
from flowstudio.expressions.engine import Json, VisitClock
from flowstudio.expressions.language import Expression, Names, compile_expression
from flowstudio.expressions.names import NOTHING_READ, Reads
from flowstudio.expressions.nothing import MISSING

__all__ = ["Text", "braces_of", "compile_text", "escape"]

_NO_NAMES: Final[Mapping[str, Json]] = {}


class Text:
    """A compiled text: made once, written for each message, by any thread."""

    __slots__ = ("_parts", "_single", "constant", "reads", "single", "source")

    def __init__(self, source: str, parts: tuple[str | Expression, ...]) -> None:
        self.source: Final = source
        self._parts = parts
        expressions = [part for part in parts if not isinstance(part, str)]
        self._single: Expression | None = expressions[0] if len(parts) == 1 and expressions else None
        self.single: Final = self._single is not None
        """Whether it is exactly one `{{ }}`: then its value keeps its type where a type is asked."""
        self.constant: Final[Json] = MISSING if expressions else "".join(map(str, parts))
        """The text, if it has no `{{ }}`; MISSING otherwise."""
        reads = NOTHING_READ
        for expression in expressions:
            reads |= expression.reads
        self.reads: Final[Reads] = reads

    def __repr__(self) -> str:
        return f"Text({self.source!r})"

    def text(self, payload: Json, names: Names = _NO_NAMES, clock: VisitClock | None = None) -> str:
        """The text for a message: values as `$string` writes them, null and nothing as no text."""
        written: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                written.append(part)
            else:
                value = part.evaluate(payload, names, clock)
                written.append(value if value.__class__ is str else as_text(value))
        return "".join(written)

    def value(self, payload: Json, names: Names = _NO_NAMES, clock: VisitClock | None = None) -> Json:
        """A single `{{ }}`'s value with its type, MISSING where it gives nothing; of all else the text."""
        if self._single is not None:
            return self._single.evaluate(payload, names, clock)
        return self.text(payload, names, clock)

    def nothing_at(self, payload: Json, names: Names = _NO_NAMES, clock: VisitClock | None = None) -> str | None:
        """The source of the first `{{ }}` whose value is nothing or null, as for a URL; None where all have one."""
        mark = clock.mark() if clock is not None else 0
        try:
            for part in self._parts:
                if not isinstance(part, str):
                    value = part.evaluate(payload, names, clock)
                    if value is MISSING or value is None:
                        return part.source
            return None
        finally:
            if clock is not None:
                # The text is written afterwards, with the same numbers.
                clock.rewind(mark)


def compile_text(source: str) -> Text:
    """Compiles a text. ExpressionSyntaxError tells the place in the text, in characters from 0."""
    if not isinstance(source, str):
        raise ExpressionSyntaxError(f"a text is a string, not {type(source).__name__}")
    parts: list[str | Expression] = []
    for part in scan(source):
        if isinstance(part, str):
            parts.append(part)
            continue
        if not part.expression.strip():
            raise ExpressionSyntaxError(
                "there is nothing between the braces",
                code="S0207",
                position=part.start,
                remedy="write an expression between them, or \\{{ for the two characters",
                source=source,
            )
        try:
            parts.append(compile_expression(part.expression))
        except ExpressionError as error:
            raise _placed(error, part, source) from error
    return Text(source, tuple(parts))


def as_text(value: Json) -> str:
    """A value as it stands in a text: as `$string` writes it, whole numbers exactly, null and nothing as no text."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    written: str = _STRING.evaluate(value)
    return written


_STRING: Final = compile_expression("$string($)")


def _placed(error: ExpressionError, part: Brace, source: str) -> ExpressionError:
    """An expression's error with its place in the whole text."""
    position = part.start if error.position is None else part.start + 2 + error.position
    kind: type[Any] = type(error)
    placed: ExpressionError = kind(
        error.message, code=error.code, position=position, remedy=error.remedy, source=source
    )
    return placed
