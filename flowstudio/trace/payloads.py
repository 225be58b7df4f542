"""Payloads by content: their canonical bytes, their hash, and the `Ref` that stands for one wherever it is only mentioned."""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

import msgspec

from flowstudio.errors import StepError

Json = Any
JsonType = Literal["object", "array", "string", "number", "boolean", "null"]

PREVIEW_ENTRIES: Final = 8
PREVIEW_CHARACTERS: Final = 80
PREVIEW_BYTES: Final = 1024
INTEGER_DIGITS: Final = 4300
"""Python neither reads nor writes longer integers (`sys.set_int_max_str_digits`)."""

_LARGE: Final = 1_000_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Ref:
    """What stands for a payload in messages and traces.

    `bytes` counts the canonical form, `count` the entries of an object or array or the characters of a string (0 for
    the rest), `preview` is JSON of at most 1 KB.
    """

    hash: str
    type: JsonType
    bytes: int
    count: int
    preview: Json

    def to_json(self) -> dict[str, Json]:
        """The reference as the protocol sends it."""
        return {
            "hash": self.hash,
            "type": self.type,
            "bytes": self.bytes,
            "count": self.count,
            "preview": self.preview,
        }

    @classmethod
    def from_json(cls, document: dict[str, Json]) -> Ref:
        """The reference that `to_json` wrote."""
        return cls(document["hash"], document["type"], document["bytes"], document["count"], document["preview"])


def canonical(payload: Json) -> bytes:
    """The bytes by which a payload is hashed and stored: compact JSON, keys in their order, integers exact.

    StepError when it nests too deep or holds an integer beyond what Python writes.
    """
    try:
        return _encode(payload)
    except UnicodeEncodeError:
        # A lone surrogate cannot be UTF-8; JSON's own escape keeps it. msgspec has no such mode.
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        if "digits" not in str(error):
            raise
        raise StepError(
            f"A number has more than {INTEGER_DIGITS:,} digits, which is the longest that can be written; "
            "send it as text",
            type="NumberTooLong",
            retryable=False,
        ) from None


def parse(body: bytes) -> Json:
    """The payload of canonical bytes; ValueError when they are no JSON, StepError when they nest too deep."""
    if len(body) < _LARGE:
        return _parsed(body)
    with uncollected():
        return _parsed(body)


@contextmanager
def uncollected() -> Iterator[None]:
    """Holds the collector of circles back while very many objects are made, which are none: else it takes 2/3 of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # In several threads at once the first that came in lets it go on.
        if collecting:
            gc.enable()


def _parsed(body: bytes) -> Json:
    try:
        return _decode(body)
    except RecursionError:
        raise too_deep() from None
    except msgspec.DecodeError:
        # msgspec 0.22 takes a lone surrogate's escape for the end of the input.
        try:
            return json.loads(body)
        except RecursionError:
            raise too_deep() from None


def too_deep() -> StepError:
    """What is raised where a payload nests deeper than Python can follow."""
    return StepError(
        "A payload nests lists and objects too deep to be kept (about 1,000 levels); flatten it where it comes from",
        type="TooDeep",
        retryable=False,
    )


def hash_of(body: bytes) -> str:
    """SHA-256 of canonical bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def content_hash(payload: Json) -> str:
    """The name under which a payload is stored."""
    return hash_of(canonical(payload))


def ref_of(payload: Json) -> Ref:
    """What stands for `payload`."""
    return described(payload)[0]


def described(payload: Json) -> tuple[Ref, bytes]:
    """A payload's reference with its canonical bytes, for whoever stores them too."""
    body = canonical(payload)
    return Ref(hash_of(body), type_of(payload), len(body), count_of(payload), preview(payload)), body


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
