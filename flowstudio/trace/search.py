"""Finds a text in a payload: in keys, and in texts, numbers and words as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flowstudio.trace.canonical import canonical

Json = Any
Path = tuple[str | int, ...]

_encode = msgspec.json.Encoder().encode


def search(payload: Json, text: str) -> list[Path]:
    """The paths of all entries whose key or value holds the text, upper and lower case alike, in their order."""
    wanted = text.casefold()
    return list(_hits(payload, wanted, _needle(text), ())) if wanted else []


def _needle(text: str) -> bytes | None:
    """What the canonical bytes hold where the text is; None where case cannot be told from bytes."""
    if not text.isascii():
        return None
    return canonical(text)[1:-1].lower()


def _hits(value: Json, wanted: str, needle: bytes | None, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, child in value.items():
            if wanted in key.casefold() or _is_hit(child, wanted):
                yield (*path, key)
            if isinstance(child, dict | list):
                yield from _hits(child, wanted, needle, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, dict | list):
                # Most items of a large list hold nothing: their bytes tell that faster than a walk.
                if needle is None or needle in _bytes(item):
                    yield from _hits(item, wanted, needle, (*path, place))
            elif _is_hit(item, wanted):
                yield (*path, place)
    elif not path and _is_hit(value, wanted):
        yield path


def _bytes(item: Json) -> bytes:
    try:
        return _encode(item).lower()
    except (UnicodeEncodeError, RecursionError, ValueError):
        return canonical(item).lower()


def _is_hit(value: Json, wanted: str) -> bool:
    if isinstance(value, str):
        return wanted in value.casefold()
    if isinstance(value, dict | list):
        return False
    return wanted in canonical(value).decode().casefold()


__all__ = ["search"]
