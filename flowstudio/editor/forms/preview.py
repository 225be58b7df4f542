"""The live preview of an expression: what is asked of the engine process beside the editor, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import Json


@dataclass(frozen=True, slots=True)
class Previewed:
    """What an expression gives on the sample of the step that is shown.

    `value` is MISSING where it gives nothing. A `reason` says why there is no value (`position` counts its characters from
    0, `remedy` what to do); `sampled` False that there is no payload to try it on yet, which is no fault.
    """

    value: Json = MISSING
    reason: str = ""
    position: int | None = None
    remedy: str = ""
    sampled: bool = True


Preview = Callable[[str, Callable[[Previewed], None]], None]
"""`preview(expression, on_result)`: calls back once, later, on the thread of the window; or never, when it was overtaken."""
