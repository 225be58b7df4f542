"""JSONata's *nothing*: the value of a path that leads nowhere, which is not null."""

from __future__ import annotations

from typing import Final


class Missing:
    """The type of `MISSING`, its only value; false as a condition."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
