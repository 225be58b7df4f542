"""When a value counts as true: the cast that JSONata's `$boolean` makes."""

from __future__ import annotations

from typing import Any

from flowstudio.sdk import MISSING

Json = Any


def holds(value: Json) -> bool:
    """Whether a condition with this value holds; nothing, null, 0, empty text, `{}` and lists without a true element do not."""
    if value is MISSING or value is None:
        return False
    if isinstance(value, list):
        # A list of lists is walked without recursion: how deep it nests is the sender's choice.
        waiting = list(value)
        while waiting:
            element = waiting.pop()
            if isinstance(element, list):
                waiting.extend(element)
            elif holds(element):
                return True
        return False
    return bool(value)
