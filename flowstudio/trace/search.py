"""Finds a text in a payload: in keys, and in texts, numbers and words as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flowstudio.trace.canonical import canonical

Json = Any
Path = tuple[str | int, ...]

_encode = msgspec.json.Encoder().encode


class Wanted:
    """A text that is looked for, upper and lower case alike."""

    def __init__(self, text: str) -> None:
        self.folded = text.casefold()
        # Where case cannot be told from bytes there is no needle.
        self._needle = canonical(text)[1:-1].lower() if text.isascii() else None
        self._has_case = self._needle is not None and self._needle.upper() != self._needle

    def may_lie_in(self, body: bytes) -> bool:
        """Whether canonical bytes may hold it: told much faster than by a walk through what they stand for."""
        if self._needle is None:
            return True
        return self._needle in (body.lower() if self._has_case else body)

    def is_in_key(self, key: str) -> bool:
        """Whether a key holds it."""
        return self.folded in key.casefold()

    def is_in(self, value: Json) -> bool:
        """Whether a text, number or word holds it; an object or list does not, what is in them may."""
        if isinstance(value, str):
            return self.folded in value.casefold()
        if isinstance(value, dict | list):
            return False
        return self.folded in canonical(value).decode().casefold()


def search(payload: Json, text: str) -> list[Path]:
    """The paths of all entries whose key or value holds the text, upper and lower case alike, in their order."""
    return list(hits(payload, Wanted(text), ())) if text.casefold() else []


def hits(value: Json, wanted: Wanted, path: Path) -> Iterator[Path]:
    """The paths of what holds the text, at and below a path."""
    if isinstance(value, dict):
        for key, child in value.items():
            if wanted.is_in_key(key) or wanted.is_in(child):
                yield (*path, key)
            if isinstance(child, dict | list):
                yield from hits(child, wanted, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, dict | list):
                # Most items of a large list hold nothing: their bytes tell that faster than a walk.
                if wanted.may_lie_in(_bytes(item)):
                    yield from hits(item, wanted, (*path, place))
            elif wanted.is_in(item):
                yield (*path, place)
    elif not path and wanted.is_in(value):
        yield path


def _bytes(item: Json) -> bytes:
    try:
        return _encode(item)
    except (UnicodeEncodeError, RecursionError, ValueError):
        return canonical(item)


__all__ = ["Wanted", "hits", "search"]
