"""Where the pointer is, and what lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QPointF, Qt

from flowstudio.editor.canvas.cards import CardPort
from flowstudio.editor.canvas.items import GroupItem, NoteItem, StepItem, WireItem

HitKind = Literal["nothing", "step", "port", "stub", "corner", "pill", "wire", "note", "group", "grip", "fold"]


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies at a point of the canvas."""

    kind: HitKind = "nothing"
    step: StepItem | None = None
    port: CardPort | None = None
    wire: WireItem | None = None
    frame: NoteItem | GroupItem | None = None


NOTHING: Final = Hit()


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the pointer is, in the viewport and in the scene, and which modifier keys are held."""

    view: QPointF
    scene: QPointF
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier

    def has(self, modifier: Qt.KeyboardModifier) -> bool:
        """Whether a modifier key is held."""
        return bool(self.modifiers & modifier)
