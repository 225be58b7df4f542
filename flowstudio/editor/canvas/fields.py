"""The text fields that lie over the canvas while a name or a note is typed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

Placed = Callable[[], QRect]


class NameField(QLineEdit):
    """One line over a title: Enter or leaving it keeps the text, Esc does not."""

    def __init__(
        self,
        parent: QWidget,
        text: str,
        font: QFont,
        place: Placed,
        done: Callable[[str | None], None],
        called: str = "Name",
    ) -> None:
        super().__init__(text, parent)
        self._place = place
        self._done: Callable[[str | None], None] | None = done
        self.setProperty("compact", True)
        self.setFont(font)
        self.setAccessibleName(called)
        self.setTextMargins(0, 0, 0, 0)
        self.follow()
        self.selectAll()
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.returnPressed.connect(lambda: self.finish(self.text()))

    def follow(self) -> None:
        """Lies where the title is now."""
        self.setGeometry(self._place())

    def finish(self, text: str | None) -> None:
        """Goes away, with this text or without any."""
        done, self._done = self._done, None
        if done is not None:
            self.hide()
            self.deleteLater()
            done(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.finish(None)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.finish(self.text())


class NoteField(QPlainTextEdit):
    """Lines over a note: Ctrl+Enter or leaving it keeps the text, Esc does not."""

    def __init__(
        self, parent: QWidget, text: str, font: QFont, place: Placed, done: Callable[[str | None], None]
    ) -> None:
        super().__init__(text, parent)
        self._place = place
        self._done: Callable[[str | None], None] | None = done
        self.setFont(font)
        self.setAccessibleName("Note")
        self.setPlaceholderText("What should others know?")
        self.setTabChangesFocus(True)
        self.follow()
        self.selectAll()
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def follow(self) -> None:
        """Lies where the note is now."""
        self.setGeometry(self._place())

    def finish(self, text: str | None) -> None:
        """Goes away, with this text or without any."""
        done, self._done = self._done, None
        if done is not None:
            self.hide()
            self.deleteLater()
            done(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.finish(None)
        elif (
            event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            self.finish(self.toPlainText())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.finish(self.toPlainText())
