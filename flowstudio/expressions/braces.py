"""Where the `{{ }}` of a text stand.

A `{{` ends at the first `}}` outside the expression's texts and brackets; `\\{{` is a literal `{{`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flowstudio.errors import ExpressionSyntaxError
from flowstudio.expressions.syntax import Lexer


@dataclass(frozen=True, slots=True)
class Brace:
    """One `{{ expression }}`, from `start` up to, not including, `end`; the expression begins at `start + 2`."""

    expression: str
    start: int
    end: int


def scan(source: str) -> tuple[str | Brace, ...]:
    """A text's parts: the literal ones as they will be written, the others as they stand there.

    ExpressionSyntaxError with the place of the `{{` that nothing closes.
    """
    parts: list[str | Brace] = []
    literal: list[str] = []
    place = 0
    while True:
        start = source.find("{{", place)
        if start < 0:
            literal.append(source[place:])
            break
        if start > place and source[start - 1] == "\\":
            literal.append(source[place : start - 1] + "{{")
            place = start + 2
            continue
        literal.append(source[place:start])
        if text := "".join(literal):
            parts.append(text)
        literal = []
        end = _end(source, start)
        parts.append(Brace(source[start + 2 : end - 2], start, end))
        place = end
    if text := "".join(literal):
        parts.append(text)
    return tuple(parts)


def braces_of(source: str) -> str | None:
    """The expression of a text that is exactly one `{{ }}`; None for every other text."""
    if not source.startswith("{{"):
        return None
    try:
        end = _end(source, 0)
    except ExpressionSyntaxError:
        return None
    return source[2 : end - 2] if end == len(source) else None


def escape(text: str) -> str:
    """The text that is written as `text`: each `{{` in it stands for itself."""
    return text.replace("{{", "\\{{")


def _end(source: str, start: int) -> int:
    """The place after the `}}` that closes the `{{` at `start`."""
    lexer = Lexer(source, start + 2)
    opened: list[tuple[str, int]] = []
    operand = False
    passed = False
    while True:
        try:
            token = lexer.next(operand)
        except ExpressionSyntaxError as error:
            if error.code != "S0204" or error.position is None:
                raise _unclosed(source, start, error.message) from error
            lexer.place = error.position + 1
            continue
        kind = token.kind
        if kind == "end":
            inside = None
            if passed and opened:
                bracket, place = opened[-1]
                inside = f"the {bracket} at character {place} is not closed"
            raise _unclosed(source, start, inside)
        if kind in "([{":
            opened.append((kind, token.start))
        elif kind == "}" and source.startswith("}}", token.start) and not opened:
            return token.start + 2
        elif kind in ")]}":
            passed = passed or source.startswith("}}", token.start)
            if opened and opened[-1][0] == _OPENING[kind]:
                opened.pop()
        operand = kind in (")", "]", "}", "text", "number", "constant", "word", "name", "variable", "regex")


_OPENING = {")": "(", "]": "[", "}": "{"}


def _unclosed(source: str, start: int, inside: str | None) -> ExpressionSyntaxError:
    message = "the {{ is never closed" if inside is None else f"the {{{{ is never closed: {inside}"
    return ExpressionSyntaxError(
        message,
        code="S0203",
        position=start,
        remedy="write }} after the expression, or \\{{ for the two characters",
        source=source,
    )
