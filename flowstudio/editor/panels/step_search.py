"""The small search that opens on the canvas where a step shall be added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from flowstudio.editor.panels.palette import PaletteList, PaletteModel, Role
from flowstudio.editor.theme import Themes
from flowstudio.sdk.spec import Spec

_WIDTH: Final = 300
_HEIGHT: Final = 360


class StepSearch(QFrame):
    """A popup with the palette's search; Enter adds the step on top."""

    chosen = Signal(str)
    """A component's name."""
    opened = Signal(str)
    """A component's name, whose settings shall be shown at once (Shift+Enter)."""
    closed = Signal()
    """It was closed without a choice."""

    def __init__(self, specs: Sequence[Spec], themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("toolbox", True)
        self.resize(_WIDTH, _HEIGHT)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.field = QLineEdit(self)
        self.field.setProperty("search", True)
        self.field.setPlaceholderText("Add a step")
        self.field.setAccessibleName("Add a step")
        self.field.installEventFilter(self)
        self.model = PaletteModel(specs, self)
        self.list = PaletteList(self.model, themes, self)
        self.list.setDragEnabled(False)
        self.list.rows.compact = True
        self.list.added.connect(self._choose)
        self.list.clicked.connect(self._clicked)
        column.addWidget(self.field)
        column.addWidget(self.list, 1)
        self.field.textChanged.connect(self._search)
        self._chosen = False
        self._go(1)

    def open_at(self, place: QPoint) -> None:
        """Opens with its corner there, moved into the screen."""
        screen = QGuiApplication.screenAt(place) or QGuiApplication.primaryScreen()
        room = screen.availableGeometry()
        self.move(
            min(max(room.left() + 4, place.x()), room.right() - _WIDTH - 4),
            min(max(room.top() + 4, place.y()), room.bottom() - _HEIGHT - 4),
        )
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._go(1 if event.key() == Qt.Key.Key_Down else -1)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                spec: Spec | None = self.list.currentIndex().data(Role.SPEC)
                if spec is not None:
                    self._choose(spec.name, settings=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
                return True
        return super().eventFilter(watched, event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not self._chosen:
            self.closed.emit()
        self.deleteLater()

    def _search(self, text: str) -> None:
        self.model.set_text(text)
        self._go(1, start=-1)

    def _go(self, by: int, start: int | None = None) -> None:
        row = self.list.currentIndex().row() if start is None else start
        while 0 <= row + by < self.model.rowCount():
            row += by
            index = self.model.index(row)
            if index.data(Role.SPEC) is not None:
                self.list.setCurrentIndex(index)
                return

    def _clicked(self) -> None:
        spec: Spec | None = self.list.currentIndex().data(Role.SPEC)
        if spec is not None:
            self._choose(spec.name)

    def _choose(self, name: str, settings: bool = False) -> None:
        self._chosen = True
        self.hide()
        (self.opened if settings else self.chosen).emit(name)
