"""What the card of a step shows and where its ports are, from the step and its component alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from flowstudio.editor.playback import StepState
from flowstudio.editor.theme import is_icon
from flowstudio.flow.model import ABSENT, DEFAULT_IN, DEFAULT_OUT, ERROR_PORT, Step, Wire
from flowstudio.sdk.registry import Registry, UnknownComponentError
from flowstudio.sdk.spec import FieldSpec, Spec

WIDTH: Final = 232.0
HEIGHT: Final = 64.0
GRID: Final = 24.0
COLUMN: Final = 296.0
AXIS: Final = 32.0
"""How far below the top the first input lies, and the output where there is one."""
ERROR_X: Final = WIDTH - 24.0
"""The error port lies on the lower edge: at the right edge it would crowd the outputs."""
REASON_LENGTH: Final = 32
"""What a caption has room for."""

Side = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class CardPort:
    """Where wires end on a card; x and y from the card's top left corner."""

    side: Side
    name: str
    title: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Card:
    """All that is painted of a step but the state of a run."""

    title: str
    summary: str
    icon: str
    category: str
    height: float
    ports: tuple[CardPort, ...]
    labelled: bool
    """Whether the outputs' titles stand inside."""
    disabled: bool = False
    missing: str = ""
    """What keeps the step from running, a caption's worth; empty if nothing does."""
    note: str = ""
    known: bool = True

    def port(self, side: Side, name: str) -> CardPort | None:
        """The port of that name."""
        return next((port for port in self.ports if port.side == side and port.name == name), None)

    @property
    def outputs(self) -> tuple[CardPort, ...]:
        """The outputs from top to bottom, without `error`."""
        return tuple(port for port in self.ports if port.side == "out" and port.name != ERROR_PORT)

    @property
    def inputs(self) -> tuple[CardPort, ...]:
        """The inputs from top to bottom."""
        return tuple(port for port in self.ports if port.side == "in")


def spec_of(registry: Registry, component: str) -> Spec | None:
    """The component's spec; None if this installation lacks it."""
    try:
        return registry.spec(component)
    except UnknownComponentError:
        return None


def card_of(key: str, step: Step, spec: Spec | None, wires: Iterable[Wire] = ()) -> Card:
    """The card of a step.

    Its ports are those of the component under the step's settings, and every other port that one of the step's `wires`
    names: a wire to a port that is gone is a problem to be seen, not one to be hidden.
    """
    outputs = {port.name: port.title or port.name for port in spec.ports(step.config)} if spec else {}
    inputs = {port.name: port.title or port.name for port in spec.inputs} if spec else {}
    fails = spec.fails if spec else False
    for wire in wires:
        if wire.source == key:
            if wire.source_port == ERROR_PORT:
                fails = True
            else:
                outputs.setdefault(wire.source_port, wire.source_port)
        if wire.target == key:
            inputs.setdefault(wire.target_port, wire.target_port)
    if spec is None:
        inputs = inputs or {DEFAULT_IN: DEFAULT_IN}
        outputs = outputs or {DEFAULT_OUT: DEFAULT_OUT}
    several = len(outputs) > 1
    height = HEIGHT if not several else 40.0 + GRID * len(outputs)
    # On the grid, near the middle: neighbours whose first ports are level have a straight wire between them.
    entry = AXIS + GRID * max(0, math.ceil((height - HEIGHT) / (2 * GRID) - 0.5))
    ports = [CardPort("in", name, title, 0.0, entry + GRID * at) for at, (name, title) in enumerate(inputs.items())]
    first = AXIS if not several else 44.0
    ports += [
        CardPort("out", name, title, WIDTH, first + GRID * at) for at, (name, title) in enumerate(outputs.items())
    ]
    if fails:
        ports.append(CardPort("out", ERROR_PORT, "on error", ERROR_X, height))
    return Card(
        title=step.name or key,
        summary=spec.summary(step.config) if spec else step.component,
        icon=_icon_of(spec),
        category=spec.category if spec else "",
        height=height,
        ports=tuple(ports),
        labelled=several or any(name != DEFAULT_OUT for name in outputs),
        disabled=step.disabled,
        missing=missing_of(step, spec),
        note=step.note or "",
        known=spec is not None,
    )


def _icon_of(spec: Spec | None) -> str:
    # Looked up here, once for a card: a name that is not there would be found out while painting.
    if spec is None:
        return "question"
    return spec.icon if is_icon(spec.icon) else "cube"


def missing_of(step: Step, spec: Spec | None) -> str:
    """What a person has to do before the step can run; empty if nothing."""
    if spec is None:
        return "Component not installed"
    for field in spec.fields:
        if field.required and _is_empty(step.config.get(field.name, ABSENT)):
            return _wanted(field)
    return ""


def _is_empty(value: object) -> bool:
    return value is ABSENT or value is None or value == ""


def _wanted(field: FieldSpec) -> str:
    if field.form == "connection":
        return "Choose a connection"
    return shortened(f"{field.title} is not set", REASON_LENGTH)


def shortened(text: str, length: int) -> str:
    """The text's first line, at most so long."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def duration_text(milliseconds: float) -> str:
    """A duration as captions write it: `184 ms`, `1.2 s`, `3 min 12 s`."""
    if milliseconds < 1:
        return "< 1 ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def count_text(count: int) -> str:
    """A number of messages in a pill: `4`, `12.4 k`, `3.1 M`."""
    if count < 1000:
        return str(count)
    if count < 999_950:
        return f"{count / 1e3:.1f} k"
    if count < 999_950_000:
        return f"{count / 1e6:.1f} M"
    return f"{count / 1e9:.1f} G"


@dataclass(frozen=True, slots=True)
class Caption:
    """The line under a card: a state, which gives icon and colour, and its words."""

    state: str
    text: str


def caption_of(card: Card, fared: StepState) -> Caption | None:
    """What stands under a card, None if nothing is to be said."""
    if fared.status == "idle":
        if card.disabled:
            return Caption("disabled", "Disabled")
        return Caption("not-configured", card.missing) if card.missing else None
    return Caption(fared.status, _words(fared))


def _words(fared: StepState) -> str:
    many = fared.visits > 1
    if fared.status == "running":
        return f"Running · visit {fared.visits:,}" if many else "Running"
    if fared.status == "paused":
        earlier = fared.where.startswith("Looking")
        if not fared.visits or not earlier:
            return "At this moment" if earlier else "Waiting for you"
    if fared.status == "waiting":
        return f"{fared.visits:,} arrived" if many else "Waiting"
    if fared.status == "failed":
        if many:
            return f"{fared.failed:,} of {fared.visits:,} failed"
        return shortened(fared.message, REASON_LENGTH) or "Failed"
    if fared.status == "filtered":
        return f"All {fared.visits:,} filtered" if many else "Filtered out"
    if fared.status == "not-taken":
        return "Not taken"
    took = duration_text(fared.duration_ms)
    if fared.edited:
        took += " · edited input"
    elif fared.replayed:
        took += " · already sent"
    if fared.filtered:
        return f"×{fared.visits:,} · {fared.filtered:,} filtered"
    return f"×{fared.visits:,} · {took}" if many else took


WireState = Literal["idle", "executed", "running", "paused", "failed", "not-taken"]


def wire_state(count: int, source: StepState, target: StepState, live: bool) -> WireState:
    """How a wire fared: `count` messages crossed it, between steps that fared so, in a run that is `live` or over."""
    if count:
        if target.status in ("running", "paused", "failed"):
            return target.status
        return "executed"
    if "not-taken" in (source.status, target.status) or (source.visits and not live):
        return "not-taken"
    return "idle"
