"""The keys of the canvas: which command each one means."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent

_CTRL: Final = Qt.KeyboardModifier.ControlModifier
_SHIFT: Final = Qt.KeyboardModifier.ShiftModifier
_NONE: Final = Qt.KeyboardModifier.NoModifier
_KEY: Final = Qt.Key

COMMANDS: Final[dict[tuple[Qt.KeyboardModifier, Qt.Key], str]] = {
    (_NONE, _KEY.Key_Delete): "delete",
    (_NONE, _KEY.Key_Backspace): "delete",
    (_SHIFT, _KEY.Key_Delete): "delete-apart",
    (_SHIFT, _KEY.Key_Backspace): "delete-apart",
    (_CTRL, _KEY.Key_D): "duplicate",
    (_CTRL, _KEY.Key_A): "select-all",
    (_CTRL, _KEY.Key_C): "copy",
    (_CTRL, _KEY.Key_X): "cut",
    (_CTRL, _KEY.Key_V): "paste",
    (_NONE, _KEY.Key_Left): "walk-left",
    (_NONE, _KEY.Key_Right): "walk-right",
    (_NONE, _KEY.Key_Up): "walk-up",
    (_NONE, _KEY.Key_Down): "walk-down",
    (_CTRL, _KEY.Key_Left): "nudge-left",
    (_CTRL, _KEY.Key_Right): "nudge-right",
    (_CTRL, _KEY.Key_Up): "nudge-up",
    (_CTRL, _KEY.Key_Down): "nudge-down",
    (_NONE, _KEY.Key_F2): "rename",
    (_SHIFT, _KEY.Key_F2): "change-id",
    (_CTRL, _KEY.Key_G): "group",
    (_CTRL | _SHIFT, _KEY.Key_G): "ungroup",
    (_NONE, _KEY.Key_G): "fold",
    (_CTRL | _SHIFT, _KEY.Key_X): "extract",
    (_NONE, _KEY.Key_T): "tidy",
    (_CTRL | _SHIFT, _KEY.Key_Left): "align-left",
    (_CTRL | _SHIFT, _KEY.Key_Right): "align-right",
    (_CTRL | _SHIFT, _KEY.Key_Up): "align-top",
    (_CTRL | _SHIFT, _KEY.Key_Down): "align-bottom",
    (_SHIFT, _KEY.Key_H): "spread-across",
    (_SHIFT, _KEY.Key_V): "spread-down",
    (_NONE, _KEY.Key_D): "disable",
    (_NONE, _KEY.Key_P): "pin",
    (_NONE, _KEY.Key_N): "note",
    (_NONE, _KEY.Key_C): "connect",
    (_NONE, _KEY.Key_F9): "breakpoint",
    (_NONE, _KEY.Key_Tab): "add",
    (_NONE, _KEY.Key_Return): "open",
    (_NONE, _KEY.Key_Enter): "open",
    (_NONE, _KEY.Key_Escape): "escape",
    (_NONE, _KEY.Key_F): "frame-selection",
    (_NONE, _KEY.Key_Home): "frame-all",
    (_CTRL, _KEY.Key_0): "zoom-whole",
    (_CTRL, _KEY.Key_Equal): "zoom-in",
    (_CTRL, _KEY.Key_Plus): "zoom-in",
    (_CTRL | _SHIFT, _KEY.Key_Plus): "zoom-in",
    (_CTRL | _SHIFT, _KEY.Key_Equal): "zoom-in",
    (_CTRL, _KEY.Key_Minus): "zoom-out",
}


def command_of(event: QKeyEvent) -> str | None:
    """The command that a key press means; None if it means none."""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    combination = QKeyCombination(modifiers, Qt.Key(event.key()))
    return COMMANDS.get((combination.keyboardModifiers(), combination.key()))
