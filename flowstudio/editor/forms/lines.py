"""Text inputs without an undo of their own: the document has the one undo stack, and its keys pass through to it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QMimeData, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QTextBlockFormat,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QLineEdit, QMenu, QSizePolicy, QTextEdit, QWidget

from flowstudio.editor.picked import MIME

_BREAK: Final = "\u2029"
"""How a text document writes the end of a line."""


def belongs_to_document(event: QKeyEvent) -> bool:
    """Whether a key undoes or redoes: the document does that, not the input."""
    return event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo)


def means_switch(event: QKeyEvent) -> bool:
    """Whether a key is that of the `fx` tab: Ctrl+Shift+E."""
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    return event.key() == Qt.Key.Key_E and event.modifiers() == both


def units(text: str, index: int) -> int:
    """The place in Qt's text of a place in Python's: Qt counts a character beyond U+FFFF as two."""
    if text.isascii():  # known of every text, and asked for each chip at every key
        return index
    return index + sum(1 for character in text[:index] if character > "\uffff")


def characters(text: str, unit: int) -> int:
    """The place in Python's text of a place in Qt's; one inside a character is that character's."""
    if text.isascii():
        return min(unit, len(text))
    index = passed = 0
    while index < len(text) and passed < unit:
        passed += 2 if text[index] > "\uffff" else 1
        index += 1
    return index


def changed_part(before: str, after: str) -> tuple[int, int, str]:
    """Where two texts differ: the stretch of `before` from start to end gives way to the text."""
    start = 0
    shorter = min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    tail = 0
    while tail < shorter - start and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return start, len(before) - tail, after[start : len(after) - tail]


class LineInput(QLineEdit):
    """One line of text. `textEdited` tells what a person types; `left` that the focus went elsewhere."""

    left = Signal()
    menu_opening = Signal(object)
    """Its context menu (a QMenu) is about to open: more can be added."""
    switch_wanted = Signal()
    """Ctrl+Shift+E: the field's `fx` tab is meant."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(24)
        # The input's own two pixels would set its text off from the labels above it.
        self.setTextMargins(-2, 0, -2, 0)
        # It stands in a frame, which draws border and focus.
        self.setProperty("bare", "true")

    def show_text(self, text: str) -> None:
        """Shows another text; the cursor stays where it was in what both have."""
        before = self.text()
        if text == before:
            return
        start, end, inserted = changed_part(before, text)
        place = characters(before, self.cursorPosition())
        if place >= end:
            place += start + len(inserted) - end
        elif place > start:
            place = start + len(inserted)
        self.setText(text)
        self.setCursorPosition(units(text, place) if self.hasFocus() else 0)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and belongs_to_document(event):
            event.ignore()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if belongs_to_document(event):
            event.ignore()
            return
        if means_switch(event):
            self.switch_wanted.emit()
            return
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # A field of the data panel is an expression: the field around this input takes it, or nobody.
        if event.mimeData().hasFormat(MIME):
            event.ignore()
        else:
            super().dragEnterEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = without_undo(self.createStandardContextMenu())
        self.menu_opening.emit(menu)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.left.emit()


class TextInput(QTextEdit):
    """Plain text of several lines, or of one that wraps; as high as its text, between `rows` lines.

    `typed` tells the whole text after a person changed it; `left` that the focus went elsewhere. Without `breaks` the
    Enter key is passed on and pasted line breaks become spaces.
    """

    typed = Signal(str)
    left = Signal()
    menu_opening = Signal(object)
    """As of LineInput."""

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        rows: tuple[int, int] = (1, 12),
        pitch: float = 20,
        padding: float = 4,
        breaks: bool = True,
    ) -> None:
        super().__init__(parent)
        self._rows = rows
        self._padding = padding
        self._pitch = pitch
        self._breaks = breaks
        self._showing = False
        self._placeholder = ""
        self.setAcceptRichText(False)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(24)
        self.document().setDocumentMargin(0)
        self.textChanged.connect(self._text_changed)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.setProperty("bare", "true")
        self.viewport().setAutoFillBackground(False)
        self._format_blocks()

    def text(self) -> str:
        """The text as it was typed; `toPlainText` would turn hard spaces into soft ones."""
        return self.document().toRawText().replace(_BREAK, "\n")

    def show_text(self, text: str) -> None:
        """Shows another text; cursor and selection stay where they were in what both have."""
        before = self.text()
        if text == before:
            return
        start, end, inserted = changed_part(before, text)
        cursor = QTextCursor(self.document())
        cursor.setPosition(units(before, start))
        cursor.setPosition(units(before, end), QTextCursor.MoveMode.KeepAnchor)
        self._showing = True
        try:
            cursor.insertText(inserted)
            self._format_blocks()
        finally:
            self._showing = False

    def set_pitch(self, pitch: float) -> None:
        """Sets how high a line is, in pixels."""
        if pitch != self._pitch:
            self._pitch = pitch
            self._quietly_format()
            self._fit()

    def set_font(self, font: QFont) -> None:
        """Sets the font of the text."""
        self.setFont(font)
        self.document().setDefaultFont(font)
        self._quietly_format()
        self._fit()

    def setPlaceholderText(self, text: str) -> None:
        # Qt would draw it at the upper border, not where the text will stand.
        self._placeholder = text
        self.viewport().update()

    def placeholderText(self) -> str:
        return self._placeholder

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._placeholder and self.document().isEmpty():
            painter = QPainter(self.viewport())
            painter.setFont(self.font())
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            box = QRectF(0, self._padding, self.viewport().width(), self._pitch)
            align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
            text = QFontMetricsF(self.font()).elidedText(self._placeholder, Qt.TextElideMode.ElideRight, box.width())
            painter.drawText(box, align, text)
            painter.end()

    def indent_of(self, line: int) -> float:
        """How far the first row of a line is moved right, in pixels."""
        return 0.0

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(24, self.height())

    def insertFromMimeData(self, source: QMimeData) -> None:
        text = source.text()
        if not self._breaks:
            text = " ".join(text.split("\n")) if "\n" in text.strip("\n") else text.strip("\n")
        self.textCursor().insertText(text)
        self.ensureCursorVisible()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText() and not source.hasFormat(MIME)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and belongs_to_document(event):
            event.ignore()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if belongs_to_document(event) or (enter and not self._breaks):
            event.ignore()
            return
        if enter:
            # Qt's own Enter takes the height of an empty row away instead of breaking the line.
            self.textCursor().insertText("\n")
            self.ensureCursorVisible()
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = without_undo(self.createStandardContextMenu())
        self.menu_opening.emit(menu)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.left.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The form behind it scrolls, unless the text itself has more than it shows and somebody is in it.
        if not self.hasFocus() or self.verticalScrollBar().maximum() == 0:
            event.ignore()
            return
        super().wheelEvent(event)

    def _text_changed(self) -> None:
        if self._showing:
            return
        self._quietly_format()
        self.typed.emit(self.text())

    def _quietly_format(self) -> None:
        self._showing = True
        try:
            self._format_blocks()
        finally:
            self._showing = False

    def _format_blocks(self) -> None:
        block = self.document().begin()
        line = 0
        while block.isValid():
            indent = self.indent_of(line)
            known = block.blockFormat()
            if known.textIndent() != indent or known.lineHeight() != self._pitch:
                wanted = QTextBlockFormat()
                wanted.setLineHeight(self._pitch, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
                wanted.setTextIndent(indent)
                QTextCursor(block).setBlockFormat(wanted)
            block = block.next()
            line += 1
        self._centre_rows()

    def _centre_rows(self) -> None:
        """Puts the letters into the middle of their rows: Qt sets the baseline of a fixed row at four fifths of it."""
        metrics = QFontMetricsF(self.font())
        baseline = self._pitch * 0.8
        wanted = self._padding + self._pitch / 2 + (metrics.ascent() - metrics.descent()) / 2
        top = max(0.0, round(wanted) - baseline)
        frame = self.document().rootFrame()
        room = frame.frameFormat()
        if room.topMargin() != top:
            room.setTopMargin(top)
            room.setBottomMargin(max(0.0, 2 * self._padding - top))
            frame.setFrameFormat(room)

    def _fit(self, *_: object) -> None:
        wanted = self.document().size().height()
        lowest, highest = (rows * self._pitch + 2 * self._padding for rows in self._rows)
        height = round(min(max(wanted, lowest), highest))
        overflows = wanted > highest + 0.5
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if overflows else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if self.verticalScrollBarPolicy() != policy:
            self.setVerticalScrollBarPolicy(policy)
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)


def without_undo(menu: QMenu) -> QMenu:
    """A text input's own menu, without the undo that it does not have."""
    for action in menu.actions():
        if action.objectName() in ("edit-undo", "edit-redo"):
            menu.removeAction(action)
    first = menu.actions()[0] if menu.actions() else None
    if first is not None and first.isSeparator():
        menu.removeAction(first)
    return menu
