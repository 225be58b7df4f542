"""How large a JSON value is, and whether it holds a whole number that a float cannot."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec

Json = Any

EXACT: Final = 1 << 60
"""Stands in a weight when the value holds a whole number beyond 2^53: a weight of this or more is not a size."""

_LARGEST: Final = 1 << 53
_FEW: Final = 64
_SHORT: Final = 8_192
_HEAVY: Final = 20_000
_REMEMBERED: Final = 2

_encode = msgspec.json.Encoder().encode
# 2^53 has 16 digits: the text of a value without as many in a row holds no number beyond it.
_DIGITS: Final = b"0" * 16
_WHOLE: Final = re.compile(rb"(?<![0-9.eE+])[0-9]{16,}(?![0-9.eE])")
_AS_DIGITS: Final = bytes(ord("0") if chr(code) in "0123456789" else 0 for code in range(256))


class NotJsonError(Exception):
    """A value is not JSON; says of which type."""

    def __init__(self, value: Any) -> None:
        super().__init__(type(value).__name__)
        self.kind = type(value).__name__


def weigh(value: Json) -> int:
    """An upper bound on the number of values in a value, a text counting one more for each 16 characters.

    `EXACT` is added when it holds a whole number beyond 2^53. NotJsonError where a value is found that is none of
    JSON; not every one is found.
    """
    kind = type(value)
    if kind is bool or kind is float or value is None:
        return 1
    if kind is int:
        return 1 if -_LARGEST <= value <= _LARGEST else EXACT + 1
    if kind is str:
        return 1 + (len(value) >> 4)
    if kind is not dict and kind is not list:
        return count(value)
    if len(value) > _FEW:
        for seen, weight in _recent.weighed:
            if seen is value:
                return weight
    # Writing it down in C and looking at the characters is several times as fast as going through it.
    try:
        written = _encode(value)
    except (TypeError, ValueError, OverflowError):
        return count(value)
    if _DIGITS in written.translate(_AS_DIGITS) and _WHOLE.search(written) is not None:
        # It may be in a text.
        return count(value)
    if len(written) <= _SHORT:
        return (len(written) >> 1) + 1
    parts = written.count(b",") + written.count(b":") + written.count(b"[") + written.count(b"{")
    weight = 1 + parts + (len(written) >> 4)
    if weight > _HEAVY and len(value) > _FEW:
        _recent.weighed = [(value, weight), *_recent.weighed[: _REMEMBERED - 1]]
    return weight


class _Recent(threading.local):
    """The large values that a thread weighed last: the steps of a flow read the same payload one after the other.

    Each is kept, so that no other takes its identity, until others have taken its place.
    """

    def __init__(self) -> None:
        self.weighed: list[tuple[Any, int]] = []


_recent = _Recent()


def count(value: Json) -> int:
    """The number of values in a value, itself included, a text counting one more for each 16 characters.

    `EXACT` is added once for each list or object that holds a whole number beyond 2^53. NotJsonError where a value is
    none of JSON.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return _scalar(value)
    weight = 1
    waiting: list[Any] = [value]
    while waiting:
        inside = waiting.pop()
        parts = inside
        if type(inside) is dict:
            weight += len(inside)
            parts = inside.values()
        elif len(inside) > _FEW:
            weight += _uniform(inside, waiting)
            continue
        for part in parts:
            kind = type(part)
            if kind is str:
                weight += 1 + (len(part) >> 4)
            elif kind is int:
                weight += 1 if -_LARGEST <= part <= _LARGEST else EXACT + 1
            elif kind is dict or kind is list:
                weight += 1
                if part:
                    waiting.append(part)
            elif kind is float or kind is bool or part is None:
                weight += 1
            else:
                weight += _scalar(part)
    return weight


def _uniform(values: list[Any], waiting: list[Any]) -> int:
    """The weight of a long list's elements; most are of one type, which the interpreter's loops in C walk faster."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is dict or kind is list:
            waiting.extend(values)
            return len(values)
        if kind is int:
            exact = min(values) < -_LARGEST or max(values) > _LARGEST
            return len(values) + (EXACT if exact else 0)
        if kind is float or kind is bool or kind is type(None):
            return len(values)
        if kind is str:
            return len(values) + (sum(map(len, values)) >> 4)
    weight = 0
    for value in values:
        if type(value) is dict or type(value) is list:
            weight += 1
            waiting.append(value)
        else:
            weight += _scalar(value)
    return weight


def _scalar(value: Any) -> int:
    """The weight of what is no plain dict or list."""
    if value is None or isinstance(value, (bool, float)):
        return 1
    if isinstance(value, int):
        return 1 if -_LARGEST <= value <= _LARGEST else EXACT + 1
    if isinstance(value, str):
        return 1 + (len(value) >> 4)
    if isinstance(value, Mapping):
        return count(dict(value))
    if isinstance(value, list):
        return count(list(value))
    raise NotJsonError(value)
