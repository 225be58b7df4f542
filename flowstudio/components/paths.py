"""Paths into a JSON value as config fields write them: `customer.address.city`, `lines[0].price`, `` `odd.key`.x ``.

Names are joined by dots. A name that holds a dot, bracket or quote, or begins with a dollar, is quoted: in back-ticks as
in expressions, or in double quotes as in JSON. `[0]` is an element of a list, `[-1]` the last one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from flowstudio.sdk import MISSING

Json = Any
Path = tuple[str | int, ...]

_BARE: Final = re.compile(r"""[^.\[\]`"'$\s](?:[^.\[\]`"']*[^.\[\]`"'\s])?""")
_BACKTICKS: Final = re.compile(r"`([^`]+)`")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_INDEX: Final = re.compile(r"\[\s*(-?\d{1,9})\s*\]")
_BRACKETED: Final = re.compile(r"""\[\s*("(?:[^"\\]|\\.)*"|`[^`]+`)\s*\]""")
_PLAIN: Final = re.compile(r"[^.\[\]`\"'$\s][^.\[\]`\"'\s]*")


class PathSyntaxError(ValueError):
    """A path is not written as one; `position` counts characters from 0."""

    def __init__(self, message: str, position: int, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.remedy = remedy


@lru_cache(maxsize=2048)
def parse_path(source: str) -> Path:
    """The names and indexes that `source` writes; PathSyntaxError says where it goes wrong."""
    if not source.strip():
        raise PathSyntaxError("the path is empty", 0, "name a field, such as customer.name")
    keys: list[str | int] = []
    position = len(source) - len(source.lstrip())
    end = len(source.rstrip())
    while True:
        key, position = _name(source, position) if source[position] != "[" else _bracket(source, position)
        keys.append(key)
        while position < end and source[position] == "[":
            key, position = _bracket(source, position)
            keys.append(key)
        if position >= end:
            return tuple(keys)
        if source[position] != ".":
            raise PathSyntaxError(
                f"{source[position]!r} cannot follow a name",
                position,
                "join names with dots, quote odd ones in `back-ticks`",
            )
        position += 1
        if position >= end:
            raise PathSyntaxError("the path ends with a dot", position - 1, "name the field after it, or take it away")


def _name(source: str, position: int) -> tuple[str, int]:
    if found := _BACKTICKS.match(source, position):
        return found[1], found.end()
    if found := _QUOTED.match(source, position):
        return _unquoted(found[0], position), found.end()
    if found := _BARE.match(source, position):
        return found[0], found.end()
    character = source[position]
    if character == "$":
        raise PathSyntaxError(
            "a path begins inside the payload, not with $", position, "leave $. out, or quote the name in `back-ticks`"
        )
    if character in "`\"'":
        raise PathSyntaxError("a quoted name does not end", position, 'close it with ` or "')
    raise PathSyntaxError(f"{character!r} stands where a name belongs", position, "name the field")


def _bracket(source: str, position: int) -> tuple[str | int, int]:
    if found := _INDEX.match(source, position):
        return int(found[1]), found.end()
    if found := _BRACKETED.match(source, position):
        quoted = found[1]
        return (quoted[1:-1] if quoted[0] == "`" else _unquoted(quoted, found.start(1))), found.end()
    raise PathSyntaxError(
        "brackets hold the number of a list's element", position, "write [0] for the first one, [-1] for the last"
    )


def _unquoted(quoted: str, position: int) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise PathSyntaxError(
            "a quoted name is not written as JSON writes texts", position, "use `back-ticks`"
        ) from None


def written(path: Sequence[str | int]) -> str:
    """The path as people write it; `parse_path` reads it back."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
            continue
        if not _PLAIN.fullmatch(key):
            key = f"`{key}`" if key and "`" not in key else json.dumps(key, ensure_ascii=False)
        text += f".{key}" if text else key
    return text


def value_at(value: Json, path: Sequence[str | int]) -> Json:
    """What lies at a path; MISSING where it leads nowhere."""
    for key in path:
        if isinstance(key, str):
            if not isinstance(value, dict) or key not in value:
                return MISSING
            value = value[key]
        else:
            if not isinstance(value, list) or not -len(value) <= key < len(value):
                return MISSING
            value = value[key]
    return value


def kind_of(value: Json) -> str:
    """What sort of JSON a value is, in a sentence: `a text`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
