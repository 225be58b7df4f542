"""What a card on the canvas shows of a step's texts and expressions: one line, braces as `{name}`."""

from __future__ import annotations

import re
from typing import Any, Final

Json = Any

LENGTH: Final = 120

_BRACES: Final = re.compile(r"(?<!\\)\{\{(.*?)\}\}", re.DOTALL)
_LAST_NAME: Final = re.compile(r"(?:.*[.$])?(?:`([^`]+)`|([^\W\d][\w-]*))", re.DOTALL)
_PATH: Final = re.compile(r"""\$?[\w$.`\s\[\]-]+""")


def caption(value: Json, otherwise: str = "") -> str:
    """A stored text on one line; `otherwise` where there is none to show."""
    if not isinstance(value, str) or not value.strip():
        return otherwise
    return one_line(_BRACES.sub(lambda found: "{" + _inside(found[1]) + "}", value).replace(r"\{{", "{{"))


def _inside(expression: str) -> str:
    expression = expression.strip()
    found = _LAST_NAME.fullmatch(expression)
    if found and _PATH.fullmatch(expression):
        return found[1] or found[2]
    return "…"


def one_line(text: str) -> str:
    """Text without line breaks, cut where no card could show more."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LENGTH else flat[: LENGTH - 1] + "…"


def expression_caption(value: Json, otherwise: str = "") -> str:
    """A stored expression on one line, variables by their bare names."""
    if not isinstance(value, str) or not value.strip():
        return otherwise
    return one_line(re.sub(r"\$vars\.", "", value))
