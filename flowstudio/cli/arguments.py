"""Reads what is written on the command line in the place of a document."""

from __future__ import annotations

import sys
from typing import Any

from flowstudio.flow.files import read_payload
from flowstudio.flow.jsonvalue import decode

Json = Any


def json_argument(text: str, option: str) -> Json:
    """JSON from the command line: inline, `@FILE`, or `-` for standard input; `option` is what messages name."""
    if text.startswith("@"):
        return read_payload(text[1:])
    data = sys.stdin.buffer.read() if text == "-" else text.encode(errors="surrogateescape")
    return decode(data, "standard input" if text == "-" else option, repeated_keys=True)


__all__ = ["json_argument"]
