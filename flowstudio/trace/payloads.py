"""Payloads by content: their hash, and the `Ref` that stands for one wherever it is only mentioned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

from flowstudio.trace.canonical import Json, canonical, parse, too_deep, uncollected
from flowstudio.trace.chunks import Body, Seen, digest, looks_large, tree_of

JsonType = Literal["object", "array", "string", "number", "boolean", "null"]

WHOLE_UP_TO: Final = 1_000_000
"""Canonical bytes of a payload that is hashed and kept whole; a larger one is a tree of chunks."""
PREVIEW_ENTRIES: Final = 8
PREVIEW_CHARACTERS: Final = 80
PREVIEW_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Ref:
    """What stands for a payload in messages and traces.

    `bytes` counts the canonical form, `count` the entries of an object or array or the characters of a string (0 for
    the rest), `preview` is JSON of at most 1 KB. `dropped` says why the payload itself is no longer kept, None where it is.
    """

    hash: str
    type: JsonType
    bytes: int
    count: int
    preview: Json
    dropped: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The reference as the protocol sends it."""
        told = {
            "hash": self.hash,
            "type": self.type,
            "bytes": self.bytes,
            "count": self.count,
            "preview": self.preview,
        }
        return told if self.dropped is None else {**told, "dropped": self.dropped}

    @classmethod
    def from_json(cls, document: dict[str, Json]) -> Ref:
        """The reference that `to_json` wrote."""
        kept = (document["hash"], document["type"], document["bytes"], document["count"], document["preview"])
        return cls(*kept, document.get("dropped"))


@dataclass(frozen=True, slots=True)
class Described:
    """A payload's reference with what has to be kept of it: its `body`, whole or the root of a tree, and that tree's chunks."""

    ref: Ref
    body: bytes
    chunks: Mapping[str, Body] = field(default_factory=dict)


def content_hash(payload: Json) -> str:
    """The name under which a payload is stored: equal payloads have the same, however they were made."""
    return described(payload).ref.hash


def ref_of(payload: Json) -> Ref:
    """What stands for `payload`."""
    return described(payload).ref


def described(payload: Json, seen: Seen | None = None) -> Described:
    """A payload's reference and bytes; what `seen` has met already is neither encoded nor hashed again.

    The hash is that of the canonical bytes, of a large payload that of its tree's root. StepError as `canonical`.
    """
    body = None if looks_large(payload) else canonical(payload)
    if body is None or len(body) > WHOLE_UP_TO:
        with uncollected():
            tree = tree_of(payload, seen)
        if tree.node.size > WHOLE_UP_TO:
            ref = Ref(tree.hash, type_of(payload), tree.node.size, count_of(payload), preview(payload))
            return Described(ref, tree.root, tree.chunks)
        body = canonical(payload)
    return Described(Ref(digest(body), type_of(payload), len(body), count_of(payload), preview(payload)), body)


def type_of(value: Json) -> JsonType:
    """JSON's own word for the type of a value."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "array"


def count_of(value: Json) -> int:
    """Entries of an object or array, characters of a string, 0 for the rest."""
    return len(value) if isinstance(value, str | dict | list | tuple) else 0


def preview(payload: Json) -> Json:
    """The first look at a payload: one level, 8 entries, strings cut at 80 characters, at most 1 KB.

    Inner objects are shown as `{3}`, inner arrays as `[3]`, by their number of entries.
    """
    if isinstance(payload, dict):
        entries = {shortened(key): glance(value) for key, value in islice(payload.items(), PREVIEW_ENTRIES)}
        while len(canonical(entries)) > PREVIEW_BYTES:
            entries.popitem()
        return entries
    if isinstance(payload, list | tuple):
        items = [glance(value) for value in payload[:PREVIEW_ENTRIES]]
        while len(canonical(items)) > PREVIEW_BYTES:
            items.pop()
        return items
    return glance(payload)


def glance(value: Json) -> Json:
    """One value in a preview: a scalar as it is, but short; `{3}` for an object, `[3]` for an array."""
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, dict):
        return f"{{{len(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{len(value)}]"
    if isinstance(value, int) and value.bit_length() > 256:
        return shortened(str(value))
    return value


def shortened(text: str, characters: int = PREVIEW_CHARACTERS) -> str:
    """`text`, cut to `characters` with an ellipsis."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


__all__ = [
    "PREVIEW_BYTES",
    "WHOLE_UP_TO",
    "Described",
    "Json",
    "JsonType",
    "Ref",
    "canonical",
    "content_hash",
    "count_of",
    "described",
    "glance",
    "parse",
    "preview",
    "ref_of",
    "shortened",
    "too_deep",
    "type_of",
    "uncollected",
]
