"""How large a JSON value is, and whether it holds a whole number that a float cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

Json = Any

EXACT: Final = 1 << 60
"""Stands in a weight when the value holds a whole number beyond 2^53: a weight of this or more is not a size."""

_LARGEST: Final = 1 << 53
_FEW: Final = 64
_SHORT: Final = 8_192

_encode = msgspec.json.Encoder().encode
# 2^53 has 16 digits: the text of a value without as many in a row holds no number beyond it.
_DIGITS: Final = b"0" * 16
_AS_DIGITS: Final = bytes(ord("0") if chr(code) in "0123456789" else 0 for code in range(256))


class NotJsonError(Exception):
    """A value is not JSON; says of which type."""

    def __init__(self, value: Any) -> None:
        super().__init__(type(value).__name__)
        self.kind = type(value).__name__


def weigh(value: Json) -> int:
    """An upper bound on the number of values in a small value, and nearly that number for a large one.

    A text counts one more for each 16 characters. `EXACT` is added for whole numbers beyond 2^53. NotJsonError where
    a value is found that is none of JSON; not every one is found in a small value.
    """
    kind = type(value)
    if kind is bool or kind is float or value is None:
        return 1
    if kind is int:
        return 1 if -_LARGEST <= value <= _LARGEST else EXACT + 1
    if kind is str:
        return 1 + (len(value) >> 4)
    if (kind is dict or kind is list) and len(value) <= _FEW:
        # For what is small, writing it down in C and looking at the digits is four times as fast as going through it.
        try:
            written = _encode(value)
        except (TypeError, ValueError, OverflowError):
            return count(value)
        if len(written) <= _SHORT and _DIGITS not in written.translate(_AS_DIGITS):
            return (len(written) >> 1) + 1
    return count(value)


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
