"""What can be read at a step on its sample: the payload that comes in, and the values of the bound names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from flowstudio.editor.forms.preview import Preview, Previewed
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import Json

PAYLOAD: Final = "$"
STEPS: Final = "$steps"
NAMES: Final = '{"vars": $vars, "meta": $meta, "trigger": $trigger}'
"""What is asked of the sample. Each for itself: one that is too large to be sent takes nothing along."""

_MOST_ITEMS: Final = 1_000
"""So many items of a list are looked at for the names in them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a step's surroundings on the sample; `payload` is MISSING where nothing came in yet.

    `names` holds the bound names without their dollar, `steps` among them.
    """

    payload: Json = MISSING
    names: Mapping[str, Json] = field(default_factory=dict)

    @property
    def sampled(self) -> bool:
        """Whether there is a payload."""
        return self.payload is not MISSING

    def at(self, head: str | None, keys: tuple[str, ...]) -> Json:
        """What a path gives, lists gone through as the language does it; MISSING where it gives nothing."""
        here = self.payload if head in (None, "$") else self.names.get(head or "", MISSING)
        for key in keys:
            here = step_into(here, key)
        return here


def step_into(value: Json, key: str) -> Json:
    """The field of that name of an object, or of each object in a list; MISSING where there is none."""
    if isinstance(value, Mapping):
        return value.get(key, MISSING)
    if not isinstance(value, list):
        return MISSING
    found: list[Json] = []
    for item in value[:_MOST_ITEMS]:
        inner = step_into(item, key)
        if inner is MISSING:
            continue
        if isinstance(inner, list):
            found += inner
        else:
            found.append(inner)
    return found or MISSING


def names_in(value: Json) -> list[str]:
    """The names of the fields of an object, or of the objects in a list, in the order in which they come."""
    if isinstance(value, Mapping):
        return [str(key) for key in value]
    if isinstance(value, list):
        found: dict[str, None] = {}
        for item in value[:_MOST_ITEMS]:
            found.update(dict.fromkeys(names_in(item)))
        return list(found)
    return []


class StepSample(QObject):
    """Asks for what is known at the step on show: when somebody wants it, and anew once it may be another."""

    changed = Signal()
    """What is known is another."""

    def __init__(self, preview: Preview, step: Callable[[], str | None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preview = preview
        self._step = step
        self._asked: tuple[int, str | None] | None = None
        self._turn = 0
        self._payload: Json = MISSING
        self._names: dict[str, Json] = {}

    @property
    def known(self) -> Known:
        """What is known by now; asks for it where nobody did, and `changed` tells when it came."""
        self._ask()
        return Known(self._payload, self._names)

    def renew(self) -> None:
        """Takes what is known as old."""
        self._turn += 1

    def _ask(self) -> None:
        turn = (self._turn, self._step())
        if turn == self._asked:
            return
        if self._asked is None or self._asked[1] != turn[1]:
            self._payload, self._names = MISSING, {}
        self._asked = turn

        def awaited() -> bool:
            # The form may have gone meanwhile.
            return isValid(self) and turn == self._asked

        def payload(result: Previewed) -> None:
            if awaited():
                self._payload = MISSING if result.reason or not result.sampled else result.value
                self.changed.emit()

        def names(result: Previewed) -> None:
            if awaited() and isinstance(result.value, Mapping):
                self._names.update({str(name): value for name, value in result.value.items()})
                self.changed.emit()

        def steps(result: Previewed) -> None:
            if awaited() and isinstance(result.value, Mapping):
                self._names["steps"] = result.value
                self.changed.emit()

        self._preview(PAYLOAD, payload)
        self._preview(NAMES, names)
        self._preview(STEPS, steps)
