"""The popover in which a breakpoint gets its condition, its count of hits, its item, its log text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QIntValidator, QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import Segments, TextButton, text_label
from flowstudio.editor.theme import Themes, set_look
from flowstudio.errors import ExpressionError
from flowstudio.flow.model import Json

_WHEN = (("before", "Before"), ("after", "After"), ("error", "On error"))
_WIDTH = 420


class BreakpointPopover(QFrame):
    """Enter or a click elsewhere takes it over, while it can be understood; Esc leaves the breakpoint as it was."""

    chosen = Signal(object)
    """The breakpoint (a dict as the session takes it), or None: it shall go."""

    def __init__(
        self, title: str, mark: Mapping[str, Json] | None, themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("toolbox", True)
        self.setFixedWidth(_WIDTH)
        self._given_up = False
        known: Mapping[str, Any] = mark or {}
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.addWidget(text_label("Breakpoint", "heading"))
        head.addWidget(text_label(title, tone="muted"), 1)
        column.addLayout(head)
        self.when = Segments(_WHEN, "When it stops", self)
        self.when.choose(str(known.get("when", "before")))
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        mono = themes.current.font("mono", 12.5)
        self.condition = self._field("Condition", "total > 100", known.get("condition"))
        self.condition.setFont(mono)
        self.hits = self._field("Hits", "from the first on", known.get("hits"))
        self.hits.setValidator(QIntValidator(1, 1_000_000_000, self.hits))
        self.item = self._field("Only for item", "any", known.get("item"))
        self.item.setValidator(QIntValidator(0, 1_000_000_000, self.item))
        self.log = self._field("Log text", "Order {{ id }}: writes a line and does not stop", known.get("log"))
        rows: tuple[tuple[str, str, QWidget], ...] = (
            ("Stops", "", self.when),
            ("Condition", "JSONata over the message that comes", self.condition),
            ("Hits", "Stops from this message on, counted over those that satisfy the rest", self.hits),
            ("Only for item", "Its place in the split, from 0", self.item),
            ("Log text", "Goes into the run's log instead of a stop", self.log),
        )
        for row, (words, tip, widget) in enumerate(rows):
            label = text_label(words, tone="muted")
            label.setToolTip(tip)
            widget.setToolTip(tip)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1, Qt.AlignmentFlag.AlignLeft if widget is self.when else Qt.AlignmentFlag(0))
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        self.disabled = QCheckBox("Disabled", self)
        self.disabled.setChecked(bool(known.get("disabled")))
        self.fault = QLabel(self)
        self.fault.setProperty("tone", "err")
        self.fault.setProperty("type", "small")
        self.fault.setWordWrap(True)
        self.fault.hide()
        column.addWidget(self.fault)
        foot = QHBoxLayout()
        foot.addWidget(self.disabled)
        foot.addStretch(1)
        self.remove = TextButton(themes, "Remove", kind="ghost")
        self.remove.clicked.connect(self._remove)
        self.done = TextButton(themes, "Done", kind="primary", color="accentText")
        self.done.clicked.connect(self._finish)
        foot.addWidget(self.remove)
        foot.addWidget(self.done)
        column.addLayout(foot)
        self._checking = QTimer(self, singleShot=True, interval=300)
        self._checking.timeout.connect(self._check)
        for field in (self.condition, self.log):
            field.textChanged.connect(lambda _: self._checking.start())

    def open_at(self, place: QPoint) -> None:
        """Opens below a place of the screen."""
        self.adjustSize()
        screen = self.screen().availableGeometry()
        x = max(screen.left() + 8, min(place.x(), screen.right() - self.width() - 8))
        y = max(screen.top() + 8, min(place.y(), screen.bottom() - self.height() - 8))
        self.move(x, y)
        self.show()
        self.condition.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def mark(self) -> dict[str, Json]:
        """The breakpoint as it is set here."""
        mark: dict[str, Json] = {"when": self.when.choice}
        if condition := self.condition.text().strip():
            mark["condition"] = condition
        if self.hits.text():
            mark["hits"] = int(self.hits.text())
        if self.item.text():
            mark["item"] = int(self.item.text())
        if log := self.log.text().strip():
            mark["log"] = log
        if self.disabled.isChecked():
            mark["disabled"] = True
        return mark

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish()
        elif event.key() == Qt.Key.Key_Escape:
            self._given_up = True
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: Any) -> None:
        # A click elsewhere closes a popup: what was typed counts, unless nobody could make sense of it.
        if not self._given_up and self._check():
            self._given_up = True
            self.chosen.emit(self.mark)
        super().closeEvent(event)

    def _field(self, name: str, hint: str, value: Any) -> QLineEdit:
        field = QLineEdit("" if value is None else str(value), self)
        field.setPlaceholderText(hint)
        field.setAccessibleName(name)
        return field

    def _finish(self) -> None:
        if self._check():
            self.close()

    def _remove(self) -> None:
        self._given_up = True
        self.chosen.emit(None)
        self.close()

    def _check(self) -> bool:
        self._checking.stop()
        # Loaded here: the expression language is nothing that the first paint waits for.
        from flowstudio.expressions.language import compile_expression
        from flowstudio.expressions.text import compile_text

        fault = ""
        for field, compiled in ((self.condition, compile_expression), (self.log, compile_text)):
            wrong = False
            if text := field.text().strip():
                try:
                    compiled(text)
                except ExpressionError as error:
                    wrong = True
                    told = ". ".join(part.rstrip(".") for part in (error.message, error.remedy or "") if part)
                    fault = fault or f"{field.accessibleName()}: {told}."
            set_look(field, invalid=wrong)
        self.fault.setText(fault)
        self.fault.setVisible(bool(fault))
        self.adjustSize()
        return not fault
