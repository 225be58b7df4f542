"""How a field that was picked in the data panel is written in the expressions of a step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowstudio.editor.forms.suggestions import upstream
from flowstudio.editor.picked import Picked
from flowstudio.errors import PathKey
from flowstudio.expressions.names import written
from flowstudio.flow.model import Flow


@dataclass(frozen=True, slots=True)
class Written:
    """The expression of a field; `only` is the one that means this very element, where the field lies in a list."""

    whole: str
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why a step cannot read a field."""

    reason: str


def write_for(flow: Flow, step: str | None, field: Picked) -> Written | Unreachable:
    """How the step reads the field."""
    if step is None or step not in flow.steps:
        return Unreachable("Select the step first that is to read this field.")
    source = field.step
    if source == step:
        if field.side == "output":
            return Unreachable("This is what the step itself puts out. Pick a field of its input.")
        return _written("", field.path)
    title = flow.title_of(source) if source in flow.steps else source
    before = upstream(flow, step)
    if field.side == "input":
        makers = [wire.source for wire in flow.wires_to(source)] if source in flow.steps else []
        if len(makers) != 1:
            return Unreachable(
                f"What comes into {title} is made by more than one step. Pick the field where it is put out."
            )
        if makers[0] == step:
            return Unreachable(f"{title} comes after this step. Pick a field of a step before it.")
        source = makers[0]
    if source not in before:
        return Unreachable(f"No message comes from {title} to this step. Pick a field of a step before it.")
    return _written(f"$steps.{written(source)}", field.path)


def _written(head: str, path: tuple[PathKey, ...]) -> Written:
    only = _joined(head, path)
    if not any(isinstance(key, int) for key in path):
        return Written(only)
    names = tuple(key for key in path if not isinstance(key, int))
    whole = _joined(head, names)
    # An element itself means its list; a field of one must stay a list also when there is one element.
    kept = whole if all(not isinstance(key, int) for key in path[:-1]) else f"[{whole}]"
    return Written(kept, only)


def _joined(head: str, path: Iterable[PathKey]) -> str:
    text = head
    for key in path:
        if isinstance(key, int):
            text = f"{text or '$'}[{key}]"
        else:
            text += f".{written(key)}" if text else written(key)
    return text or "$"


def last_name(field: Picked) -> str:
    """What a target that takes the field is best called."""
    return next((key for key in reversed(field.path) if isinstance(key, str)), "")
