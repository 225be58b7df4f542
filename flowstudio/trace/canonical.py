"""The canonical bytes of a payload, by which it is hashed and stored, and the payload of such bytes."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from flowstudio.errors import StepError

Json = Any

INTEGER_DIGITS: Final = 4300
"""Python neither reads nor writes longer integers (`sys.set_int_max_str_digits`)."""

_LARGE: Final = 1_000_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


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
