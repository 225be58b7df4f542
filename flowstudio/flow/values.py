"""What a variable's value may be: read from text by its type, or checked as JSON, refused with reason and remedy.

The command line, customers files and forms read values by it; a value is used as it was given, nothing is added to it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from flowstudio.errors import BindError, FileError, Problem
from flowstudio.flow.jsonvalue import decode, describe, same, why_not_json
from flowstudio.flow.model import Json, Variable

DEMO: Final = "demo:"
"""How a value begins that stands for a small target system, started where the flow runs."""

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EMAIL: Final = re.compile(r"[^@\s<>\",;]+@[^@\s<>\",;.]+(\.[^@\s<>\",;.]+)*")
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class _RefusedError(Exception):
    def __init__(self, wanted: str, remedy: str, why: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.remedy = remedy
        self.why = why


def read_value(name: str, variable: Variable, text: str) -> Json:
    """The value that a text means for a variable: from `--set`, a table's cell, a form's field.

    Lists and `json` are written as JSON. BindError names the variable, the text and what to do; a secret's text never.
    """
    try:
        return _reader(variable)(text)
    except _RefusedError as refused:
        raise BindError(_problem(name, variable, text, refused, None)) from None


def check_value(name: str, variable: Variable, value: Json, called: str | None = None) -> Problem | None:
    """Why a JSON value is none of the variable's type, and what to do; None when it is one, or null, which is none given.

    A secret's value is never told. `called` is what the problem calls the value, by default the variable's title.
    """
    if value is None:
        return None
    try:
        _checker(variable)(value)
    except _RefusedError as refused:
        return _problem(name, variable, value, refused, called)
    return None


def is_demo(value: Json) -> bool:
    """Whether a value stands for the small target system that is started where the flow runs."""
    return isinstance(value, str) and value.startswith(DEMO)


def options_of(variable: Variable) -> list[tuple[Json, str]]:
    """The values that a choice offers, each with the title that people see."""
    found: list[tuple[Json, str]] = []
    for option in variable.options if isinstance(variable.options, list) else ():
        value = option.get("value") if isinstance(option, dict) else option
        title = option.get("title") if isinstance(option, dict) else None
        found.append((value, title if isinstance(title, str) else _plain(value)))
    return found


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _problem(name: str, variable: Variable, value: Json, refused: _RefusedError, called: str | None) -> Problem:
    shown = "a secret's value is not shown" if variable.type == "secret" else f"it is {describe(value)}"
    return Problem(
        f"{called or variable.title or name} is not {refused.wanted}",
        refused.why or shown,
        refused.remedy,
        field=name,
        path=("variables", name),
    )


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise _RefusedError("a text", "put it in quotes")


def _secret(value: Json) -> str:
    if isinstance(value, str) and value:
        return value
    raise _RefusedError("a secret", "give a text that is not empty")


def _number(value: Json) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf:
        return value
    quoted = isinstance(value, str) and _NUMBER.fullmatch(value)
    raise _RefusedError("a number", "write it without quotes" if quoted else "give a number, such as 12.5")


def _number_text(text: str) -> float:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        comma = _NUMBER.fullmatch(text.replace(",", "."))
        raise _RefusedError("a number", "write decimals with a point" if comma else "give a number, such as 12.5")
    if _INTEGER.fullmatch(text):
        return _whole(text)
    value = float(text)
    if math.isinf(value):
        raise _RefusedError("a number that can be kept", "give a smaller one")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _RefusedError("a number that can be kept", "give one of at most 4,300 digits") from None


def _integer(value: Json) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _RefusedError("an integer", "give a whole number without decimals and quotes, such as 12")


def _integer_text(text: str) -> int:
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return _whole(text)
    raise _RefusedError("an integer", "give a whole number without decimals, such as 12")


def _boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    raise _RefusedError("true or false", "write true or false, without quotes")


def _boolean_text(text: str) -> bool:
    value = _WORDS.get(text.strip().lower())
    if value is None:
        raise _RefusedError("true or false", "write true or false")
    return value


def _date(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    remedy = "write year, month and day, such as 2025-03-31"
    if not _DATE.fullmatch(text):
        raise _RefusedError("a date", remedy)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise _RefusedError("a date", remedy, "the calendar has no such day") from None
    return text


def _url(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    if is_demo(text):
        if not text.removeprefix(DEMO).strip("/"):
            raise _RefusedError("an address", "write demo://crm", "it names no target system")
        return text
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise _RefusedError("an address", "write %20 for a space, or take it away", "an address holds no spaces")
    if not _SCHEME.match(text):
        bare = re.fullmatch(r"[\w-]+(\.[\w-]+)+(:[0-9]+)?(/\S*)?", text)
        raise _RefusedError("an address", f"did you mean https://{text}?" if bare else "write https://example.com")
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise _RefusedError("an address", "write https://example.com", str(error)) from None
    if not named:
        raise _RefusedError("an address", "write https://example.com", "it names no host")
    return text


def _email(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    if len(text) <= 254 and _EMAIL.fullmatch(text):
        return text
    raise _RefusedError("a mail address", "write one address alone, such as name@example.com")


def _list(value: Json) -> list[Json]:
    if isinstance(value, list):
        _json(value)
        return value
    raise _RefusedError("a list", 'write ["a", "b"]')


def _json(value: Json) -> Json:
    if (why := why_not_json(value)) is not None:
        raise _RefusedError("JSON", "give a JSON value", why)
    return value


def _json_text(text: str) -> Json:
    try:
        return decode(text.encode("utf-8", "surrogatepass"))
    except FileError as error:
        problem = error.problems[0]
        why = problem.why if problem.path == () else problem.what
        raise _RefusedError("JSON", 'write "a text" in quotes, 12, [1, 2] or the like', why) from None


def _list_text(text: str) -> list[Json]:
    try:
        return _list(_json_text(text))
    except _RefusedError as refused:
        raise _RefusedError("a list in JSON", 'write ["a", "b"]', refused.why) from None


def _choice(variable: Variable, value: Json) -> Json:
    offered = [option for option, _ in options_of(variable)]
    if not offered:
        return _text(value)
    for option in offered:
        if same(option, value):
            return option
    raise _no_option(offered)


def _choice_text(variable: Variable, text: str) -> Json:
    offered = [option for option, _ in options_of(variable)]
    for option in offered:
        if _plain(option) in (text, text.strip()):
            return option
    if not offered:
        return text
    raise _no_option(offered)


def _no_option(offered: list[Json]) -> _RefusedError:
    names = [_plain(option) for option in offered]
    return _RefusedError("one of its options", f"choose {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")


_CHECKERS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "text": _text,
    "long-text": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "url": _url,
    "email": _email,
    "secret": _secret,
    "list": _list,
    "json": _json,
}
_READERS: Final[Mapping[str, Callable[[str], Json]]] = {
    **_CHECKERS,
    "number": _number_text,
    "integer": _integer_text,
    "boolean": _boolean_text,
    "date": lambda text: _date(text.strip()),
    "url": lambda text: _url(text.strip()),
    "email": lambda text: _email(text.strip()),
    "list": _list_text,
    "json": _json_text,
}
VARIABLE_TYPES: Final = (
    *("text", "long-text", "number", "integer", "boolean", "choice"),
    *("date", "url", "email", "secret", "list", "json"),
)


def _checker(variable: Variable) -> Callable[[Json], Json]:
    return partial(_choice, variable) if variable.type == "choice" else _of_type(_CHECKERS, variable)


def _reader(variable: Variable) -> Callable[[str], Json]:
    return partial(_choice_text, variable) if variable.type == "choice" else _of_type(_READERS, variable)


def _of_type(table: Mapping[str, Callable[[str], Json]], variable: Variable) -> Callable[[str], Json]:
    if variable.type not in table:
        why = f"this FlowStudio knows no type {variable.type}"
        raise _RefusedError(f"a {variable.type}", "update FlowStudio, or correct the type", why)
    return table[variable.type]
