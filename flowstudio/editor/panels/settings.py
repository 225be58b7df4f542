"""The settings: theme, text size, contrast, motion, how much history is kept. They apply at once."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels.controls import Segments, TextButton, rule, text_label
from flowstudio.editor.panels.retention import RetentionRows
from flowstudio.editor.preferences import TEXT_SCALES, Preferences
from flowstudio.editor.theme import Choice, Themes

_THEMES: tuple[tuple[Choice, str], ...] = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))


class SettingsSheet(QDialog):
    """A few rows; nothing to confirm."""

    changed = Signal()

    def __init__(
        self,
        preferences: Preferences,
        themes: Themes,
        parent: QWidget | None = None,
        *,
        engine: EngineProcess | None = None,
    ) -> None:
        super().__init__(parent)
        self._preferences, self._themes = preferences, themes
        self.setWindowTitle("Settings")
        self.setMinimumWidth(520)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(16)
        column.addWidget(text_label("Settings", "title"))
        self.theme = Segments([(key, words) for key, words in _THEMES], "Theme", self)
        self.theme.choose(preferences.theme)
        self.theme.chosen.connect(self._set_theme)
        column.addLayout(_row("Theme", "", self.theme))
        self.scale = Segments([(str(scale), f"{scale:.0%}") for scale in TEXT_SCALES], "Text size", self)
        self.scale.choose(str(preferences.text_scale))
        self.scale.chosen.connect(self._set_scale)
        column.addLayout(_row("Text size", "The canvas has its own zoom", self.scale))
        self.contrast = self._switch("high_contrast", "High contrast")
        self.contrast.toggled.connect(self._set_contrast)
        column.addLayout(_row("High contrast", "Borders as strong as text, no tints", self.contrast))
        self.motion = self._switch("reduced_motion", "Reduce motion")
        self.motion.toggled.connect(self._set_motion)
        column.addLayout(_row("Reduce motion", "Nothing moves by itself; running wires are solid", self.motion))
        if engine is not None:
            column.addWidget(rule("h", self))
            self.retention = RetentionRows(preferences, engine, self)
            self.finished.connect(lambda _: self.retention.apply())
            column.addWidget(self.retention)
        close = TextButton(themes, "Done", kind="primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        column.addSpacing(4)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)

    def _switch(self, name: str, words: str) -> QCheckBox:
        switch = QCheckBox(self)
        switch.setProperty("switch", True)
        switch.setAccessibleName(words)
        switch.setChecked(self._preferences.flag(name))
        return switch

    def _set_theme(self, choice: str) -> None:
        self._keep("theme", choice)
        self._themes.set(choice)  # type: ignore[arg-type] # one of _THEMES

    def _set_scale(self, scale: str) -> None:
        self._keep("text_scale", float(scale))
        self._themes.set_text_scale(float(scale))

    def _set_contrast(self, on: bool) -> None:
        self._keep("high_contrast", on)
        self._themes.set_high_contrast(on)

    def _set_motion(self, on: bool) -> None:
        self._keep("reduced_motion", on)
        self._themes.set_reduced_motion(on)

    def _keep(self, name: str, value: bool | float | str) -> None:
        self._preferences.set(name, value)
        self._preferences.write()
        self.changed.emit()


def _row(words: str, hint: str, control: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(16)
    told = QVBoxLayout()
    told.setSpacing(1)
    told.addWidget(text_label(words, "heading"))
    if hint:
        told.addWidget(text_label(hint, "hint"))
    row.addLayout(told, 1)
    row.addWidget(control, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return row
