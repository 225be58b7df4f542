"""The values of variables: read from text by the variable's type, and checked."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from flowstudio.errors import BindError, FileError, Problem
from flowstudio.flow.jsonvalue import decode
from flowstudio.flow.model import Variable

Json = Any

DEMO: Final = "demo:"
"""A value that begins so stands for a target system that is started for the run."""

_TRUE: Final = frozenset({"true", "yes", "1", "on"})
_FALSE: Final = frozenset({"false", "no", "0", "off"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4300}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

EXPECTED: Final[dict[str, str]] = {
    "text": "a text",
    "long-text": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "choice": "one of its options",
    "date": "a date such as 2026-01-31",
    "url": "an address such as https://example.com",
    "email": "an address such as ann@example.com",
    "secret": "a text",
    "list": "a list in JSON",
    "json": "JSON",
}


def read_value(name: str, variable: Variable, text: str) -> Json:
    """The value that a text writes: from `--set`, a table's cell, a form's field. BindError when it writes none."""
    kind = variable.type
    value: Json = text
    if (kind == "integer" and _INTEGER.fullmatch(text.strip())) or (kind == "number" and _INTEGER.fullmatch(text.strip())):
        value = int(text)
    elif kind == "number" and _NUMBER.fullmatch(text.strip()):
        value = float(text)
    elif kind == "boolean" and text.strip().lower() in _TRUE | _FALSE:
        value = text.strip().lower() in _TRUE
    elif kind in ("list", "json"):
        try:
            value = decode(text.encode(errors="surrogatepass"))
        except FileError as error:
            raise BindError(_problem(name, variable, text, error.problems[0].why)) from None
    elif kind == "choice":
        value = next((option for option in options_of(variable) if str(option) == text), text)
    elif kind in ("url", "email", "date"):
        value = text.strip()
    problem = check_value(name, variable, value)
    if problem is not None:
        raise BindError(problem)
    return value


def check_value(name: str, variable: Variable, value: Json) -> Problem | None:
    """Why a value does not fit its variable; None when it does. A secret's value is never told."""
    if value is None or _fits(variable, value):
        return None
    return _problem(name, variable, value)


def options_of(variable: Variable) -> list[Json]:
    """The values that a choice offers; options are values, or objects with `value` and `title`."""
    options = variable.options
    if not isinstance(options, list):
        return []
    return [option["value"] if isinstance(option, dict) and "value" in option else option for option in options]


def _fits(variable: Variable, value: Json) -> bool:
    kind = variable.type
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list)
    if kind == "choice":
        options = options_of(variable)
        return not options or any(type(option) is type(value) and option == value for option in options)
    if kind not in EXPECTED or kind == "json":
        return True
    if not isinstance(value, str):
        return False
    if kind == "url":
        return _is_url(value)
    if kind == "email":
        return bool(_EMAIL.fullmatch(value))
    if kind == "date":
        return _is_date(value)
    return True


def _is_url(value: str) -> bool:
    if value.startswith(DEMO):
        return len(value.removeprefix(DEMO).strip("/")) > 0
    if any(sign.isspace() or not sign.isprintable() for sign in value):
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _is_date(value: str) -> bool:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            read(value)
        except ValueError:
            continue
        return True
    return False


def _problem(name: str, variable: Variable, value: Json, reason: str = "") -> Problem:
    kind = variable.type
    expected = EXPECTED.get(kind, kind)
    options = options_of(variable)
    if kind == "choice" and options:
        expected = f"one of {', '.join(map(str, options))}"
    shown = "it is something else" if kind == "secret" else f"it is {_short(value)}"
    return Problem(
        f"{variable.title or name} is not {expected}",
        why=reason or shown,
        remedy=f"give {name} {expected}",
        field=name,
        path=("variables", name),
    )


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
