"""How much of the history is kept: the rows of the settings, and how much room it takes now."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels.controls import text_label
from flowstudio.editor.preferences import Preferences

DEFAULTS: Final = (10_000, 30, 2_000)
"""Runs, days, megabytes."""
_KEY: Final = "retention"
_LATER_MS: Final = 800


def retained(preferences: Preferences) -> dict[str, int]:
    """What was chosen, as the session wants it."""
    runs, days, megabytes = preferences.numbers(_KEY, 3) or DEFAULTS
    return {"runs": runs, "days": days, "megabytes": megabytes}


class RetentionRows(QWidget):
    """Three numbers that apply a moment after they were changed."""

    def __init__(self, preferences: Preferences, engine: EngineProcess, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences, self._engine = preferences, engine
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(text_label("History of runs", "heading"))
        column.addWidget(text_label("The oldest beyond any of these are forgotten; runs that you keep stay", "hint"))
        row = QHBoxLayout()
        row.setSpacing(8)
        kept = retained(preferences)
        self.runs = self._box("Runs that are kept", kept["runs"], 1, 1_000_000, " runs", 100)
        self.days = self._box("Days that runs are kept", kept["days"], 1, 3_650, " days", 1)
        self.megabytes = self._box("Megabytes that the history may take", kept["megabytes"], 50, 1_000_000, " MB", 100)
        for box in (self.runs, self.days, self.megabytes):
            row.addWidget(box, 1)
        column.addLayout(row)
        self.room = text_label(" ", "hint")
        column.addWidget(self.room)
        self._later = QTimer(self, singleShot=True, interval=_LATER_MS)
        self._later.timeout.connect(self.apply)
        engine.request("history", {}, self._told, lambda _: None, owner=self)

    def apply(self) -> None:
        """Applies what was changed now."""
        if not self._later.isActive() and retained(self._preferences) == self._given():
            return
        self._later.stop()
        given = self._given()
        self._preferences.set(_KEY, list(given.values()))
        self._preferences.write()
        self._engine.initialize_with(retain=given)
        self._engine.request("retain", given, self._swept, lambda _: None, owner=self)

    def _given(self) -> dict[str, int]:
        return {"runs": self.runs.value(), "days": self.days.value(), "megabytes": self.megabytes.value()}

    def _box(self, name: str, value: int, least: int, most: int, unit: str, step: int) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(least, most)
        box.setSingleStep(step)
        box.setGroupSeparatorShown(True)
        box.setSuffix(unit)
        box.setValue(value)
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.lineEdit().setTextMargins(8, 0, 0, 0)
        box.valueChanged.connect(lambda _: self._later.start())
        return box

    def _swept(self, told: Any) -> None:
        self._engine.request("history", {}, self._told, lambda _: None, owner=self)
        if told["forgotten"]:
            self._forgotten = int(told["forgotten"])

    _forgotten = 0

    def _told(self, told: Any) -> None:
        runs = sum(int(flow["runs"]) for flow in told["flows"])
        gone = f" {self._forgotten:,} were forgotten just now." if self._forgotten else ""
        self.room.setText(f"{runs:,} runs take {told['bytes'] / 1e6:,.0f} MB now.{gone}")


__all__ = ["DEFAULTS", "RetentionRows", "retained"]
