"""A JSON value, exactly: read from bytes without losing anything silently, compared, and named to a person."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from flowstudio.errors import FileError, PathKey, Problem
from flowstudio.flow.model import Json

MAX_DEPTH: Final = 500
"""How deep lists and objects may nest. Python's own reader and writer give up at about a thousand, at a depth that
depends on who calls them; below this bound both always succeed."""

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_PRECISE: Final = re.compile(r"(.*): line (\d+) column (\d+) \(char \d+\)", re.DOTALL)


class _Repeated(dict[str, Any]):
    """An object in whose text a key stands twice; exists only between reading and reporting."""

    __slots__ = ("names",)
    names: list[str]


class _NotAValueError(Exception):
    """What Python's reader would take and JSON forbids, or what Python cannot hold."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def decode(data: bytes, file: str | None = None, *, repeated_keys: bool = False) -> Json:
    """The JSON value that `data` holds, or FileError with everything that is wrong.

    UTF-8, with or without a byte order mark. NaN, Infinity and numbers too large to keep are refused, integers are
    exact, lone surrogates written as escapes are kept. A key that stands twice in one object is refused with its path;
    with `repeated_keys` the last one counts, as is usual for payloads.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(_not_text(data, error, file)) from None
    if not text.strip():
        raise FileError(
            Problem("the file is empty", "JSON has at least one value", "restore it or delete it", file=file)
        )
    twice: list[_Repeated] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs) or repeated_keys:
            return made
        seen: set[str] = set()
        marked = _Repeated(made)
        marked.names = list(dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
        twice.append(marked)
        return marked

    try:
        value = json.loads(
            text, object_pairs_hook=object_of, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise FileError(_not_json(error, file)) from None
    except _NotAValueError as error:
        raise FileError(Problem("the file is not JSON that can be kept", error.why, error.remedy, file=file)) from None
    except RecursionError:
        raise FileError(_too_deep(file)) from None
    if deeper_than(value, MAX_DEPTH):
        raise FileError(_too_deep(file))
    if twice:
        raise FileError(list(_repetitions(value, file)))
    return value


def _constant(name: str) -> NoReturn:
    raise _NotAValueError(f"{name} is not JSON", "write null, or leave it out")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _NotAValueError(f"the number {_cut(text, 40)} is too large", "write it as a text, in quotes")
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _NotAValueError(
            f"the number {_cut(text, 20)} has {len(text):,} digits, at most 4,300 can be read",
            "write it as a text, in quotes",
        ) from None


def _not_text(data: bytes, error: UnicodeDecodeError, file: str | None) -> Problem:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("the file is not UTF-8", "it begins with the mark of UTF-16", "save it as UTF-8", file=file)
    line = data.count(b"\n", 0, error.start) + 1
    why = f"byte {error.start} (line {line}) is 0x{data[error.start]:02x}, which cannot stand there"
    return Problem("the file is not UTF-8", why, "save it as UTF-8", file=file)


def _not_json(error: json.JSONDecodeError, file: str | None) -> Problem:
    message = error.msg[:1].lower() + error.msg[1:]
    why = f"line {error.lineno}, column {error.colno}: {message}"
    return Problem("the file is not JSON", why, "mend that place, or restore the file", file=file)


def _too_deep(file: str | None) -> Problem:
    why = f"its lists and objects nest deeper than {MAX_DEPTH} levels"
    return Problem("the file is not JSON that can be kept", why, "make it flatter", file=file)


def _repetitions(value: Json, file: str | None) -> list[Problem]:
    found: list[Problem] = []
    waiting: list[tuple[tuple[PathKey, ...], Json]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, _Repeated):
            for name in item.names:
                place = (*path, name)
                what = f"{path_text(place)} stands there twice"
                found.append(Problem(what, "only one of them can count", "delete the wrong one", path=place, file=file))
        children = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        waiting += reversed([((*path, key), child) for key, child in children])
    return found


def deeper_than(value: Json, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit` levels; looks level by level, never by recursion."""
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            return True
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return False


def why_not_json(value: Any, depth: int = 0) -> str | None:
    """Why `value` cannot stand in a file `depth` levels deep, or None if it can: exactly what `decode` would give."""
    if deeper_than(value, MAX_DEPTH - depth):
        return f"it would nest deeper than {MAX_DEPTH} levels"
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            for key in item:
                if type(key) is not str:
                    return f"the key {key!r} is not a text"
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, float):
            if not math.isfinite(item):
                return f"{item} is not JSON"
        elif type(item) is int:
            if _unwritable(item):
                return "an integer in it has more than 4,300 digits"
        elif not (item is None or type(item) in (str, bool)):
            return f"{type(item).__name__} is not JSON"
    return None


def same(a: Json, b: Json) -> bool:
    """Whether two JSON values are written the same: `1`, `1.0` and `true` differ, and so does the order of keys."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            key == other and same(item, b[key]) for (key, item), other in zip(a.items(), b, strict=True)
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return repr(a) == repr(b)
    return bool(a == b)


def describe(value: Json) -> str:
    """A value named in a sentence, cut where it is long: `the number 3`, `an empty text`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a huge number" if _unwritable(value) else f"the number {_cut(json.dumps(value), 40)}"
    if isinstance(value, str):
        return f"the text {json.dumps(_cut(value, 40), ensure_ascii=False)}" if value else "an empty text"
    return "a list" if isinstance(value, list | tuple) else "an object"


def _unwritable(value: float) -> bool:
    """Whether an integer has more digits than Python reads and writes."""
    try:
        str(value)
    except ValueError:
        return True
    return False


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def path_text(path: Sequence[PathKey]) -> str:
    """A JSON path as people write it: `steps.push.config.cases[0].when`; odd keys in quotes."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(_cut(key, 60), ensure_ascii=False)}]"
    return text or "the value"
