"""The editor of code and of JSON: a fixed-width font, line numbers, indentation, a mark on the line that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QTextEdit, QVBoxLayout, QWidget

from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import belongs_to_document, changed_part, units, without_undo
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import Theme, Themes
from flowstudio.errors import FileError
from flowstudio.flow.jsonvalue import decode, same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

Syntax = Literal["python", "json"]

_BREAK: Final = "\u2029"
_INDENT: Final = "    "

_PYTHON: Final = re.compile(
    r"""(?P<comment>\#.*)
    | (?P<text>[fFrRbBuU]{0,2}(?:"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?))
    | (?P<number>\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)
    | (?P<word>\b(?:and|as|assert|break|continue|def|del|elif|else|except|False|finally|for|from|if|import|in|is|lambda
        |None|not|or|pass|raise|return|True|try|while|with)\b)""",
    re.VERBOSE,
)
_JSON: Final = re.compile(
    r"""(?P<key>"(?:\\.|[^"\\])*"(?=\s*:))
    | (?P<text>"(?:\\.|[^"\\])*"?)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>\b(?:true|false)\b)
    | (?P<null>\bnull\b)""",
    re.VERBOSE,
)
_COLORS: Final = {"comment": "text3", "text": "jStr", "number": "jNum", "word": "jBool", "key": "jKey", "null": "jNull"}


class _Colours(QSyntaxHighlighter):
    def __init__(self, document: QTextDocument, owner: CodeInput, syntax: Syntax) -> None:
        super().__init__(document)
        self._owner = owner
        self._pattern = _PYTHON if syntax == "python" else _JSON

    def highlightBlock(self, text: str) -> None:
        for found in self._pattern.finditer(text):
            format_ = QTextCharFormat()
            format_.setForeground(self._owner.theme.color(_COLORS[str(found.lastgroup)]))
            start = units(text, found.start())
            self.setFormat(start, units(text, found.end()) - start, format_)


class CodeInput(QPlainTextEdit):
    """Code of several lines. Tab indents by 4 spaces; Escape, then Tab, goes to the next field."""

    typed = Signal(str)
    left = Signal()

    def __init__(
        self, themes: Themes, syntax: Syntax, *, rows: tuple[int, int] = (6, 24), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._rows = rows
        self._showing = False
        self._tab_leaves = False
        self._faults: tuple[tuple[int, int], ...] = ()
        self._wrong_lines: frozenset[int] = frozenset()
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setProperty("bare", "true")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.document().setDocumentMargin(0)
        self._gutter = _Gutter(self)
        self._colours = _Colours(self.document(), self, syntax)
        self.textChanged.connect(self._text_changed)
        self.blockCountChanged.connect(self._fit)
        self.updateRequest.connect(self._scroll_gutter)
        themes.changed.connect(self._dress)
        self._dress()

    @property
    def theme(self) -> Theme:
        """The theme that is on."""
        return self._themes.current

    def text(self) -> str:
        """The text as it was typed."""
        return self.document().toRawText().replace(_BREAK, "\n")

    def show_text(self, text: str) -> None:
        """Shows another text; the cursor stays where it was in what both have."""
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
        finally:
            self._showing = False
        self._fit()

    def set_faults(self, places: Iterable[tuple[int, int]]) -> None:
        """Marks the lines of these places, counted in characters of the text, and underlines the places."""
        text = self.text()
        self._faults = tuple((units(text, start), units(text, max(end, start + 1))) for start, end in places)
        lines: set[int] = set()
        marks: list[QTextEdit.ExtraSelection] = []
        for start, end in self._faults:
            cursor = QTextCursor(self.document())
            cursor.setPosition(min(start, max(0, self.document().characterCount() - 1)))
            lines.add(cursor.blockNumber())
            line = QTextEdit.ExtraSelection()
            line.cursor = QTextCursor(cursor)
            line.format = QTextCharFormat()
            line.format.setBackground(self.theme.color("errSoft"))
            line.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
            cursor.setPosition(min(end, max(0, self.document().characterCount() - 1)), QTextCursor.MoveMode.KeepAnchor)
            place = QTextEdit.ExtraSelection()
            place.cursor = cursor
            place.format = QTextCharFormat()
            place.format.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            place.format.setUnderlineColor(self.theme.color("err"))
            marks += [line, place]
        self._wrong_lines = frozenset(lines)
        self.setExtraSelections(marks)
        self._gutter.update()

    @property
    def wrong_lines(self) -> frozenset[int]:
        """The lines that are marked, from 0."""
        return self._wrong_lines

    def gutter_width(self) -> int:
        """How wide the line numbers are."""
        digits = max(2, len(str(self.blockCount())))
        return round(self.fontMetrics().horizontalAdvance("9") * digits) + 14

    def paint_gutter(self, event: QPaintEvent) -> None:
        """Paints the line numbers."""
        theme = self.theme
        painter = QPainter(self._gutter)
        painter.setFont(theme.font("mono", 11))
        current = self.textCursor().blockNumber() if self.hasFocus() else -1
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        while block.isValid() and top <= event.rect().bottom():
            height = self.blockBoundingRect(block).height()
            number = block.blockNumber()
            wrong = number in self._wrong_lines
            if wrong:
                painter.fillRect(QRect(0, round(top), self._gutter.width(), round(height)), theme.color("errSoft"))
            painter.setPen(theme.color("err" if wrong else "text" if number == current else "text3"))
            box = QRect(0, round(top), self._gutter.width() - 9, round(height))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number + 1))
            top += height
            block = block.next()
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and belongs_to_document(event):
            event.ignore()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if belongs_to_document(event):
            event.ignore()
            return
        if key == Qt.Key.Key_Escape:
            self._tab_leaves = True
            return
        if key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            if self._tab_leaves:
                self.focusNextPrevChild(key == Qt.Key.Key_Tab)
            else:
                self._indent(key == Qt.Key.Key_Tab)
            return
        if key not in (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt):
            self._tab_leaves = False
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._break_line()
            return
        if key == Qt.Key.Key_Backspace and event.modifiers() == Qt.KeyboardModifier.NoModifier and self._unindent():
            return
        super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:  # noqa: A002 - Qt's name
        # The editor's own version never lets a Tab out.
        return QWidget.focusNextPrevChild(self, next) if self._tab_leaves else False

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._tab_leaves = False
        super().focusInEvent(event)
        self._gutter.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._gutter.update()
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.left.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = without_undo(self.createStandardContextMenu())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus() or self.verticalScrollBar().maximum() == 0:
            event.ignore()
            return
        super().wheelEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_gutter()

    def _indent(self, further: bool) -> None:
        cursor = self.textCursor()
        if further and not cursor.hasSelection():
            column = cursor.positionInBlock()
            cursor.insertText(" " * (len(_INDENT) - column % len(_INDENT)))
            return
        document = self.document()
        first = document.findBlock(cursor.selectionStart()).blockNumber()
        last_block = document.findBlock(cursor.selectionEnd())
        last = last_block.blockNumber()
        if last > first and cursor.selectionEnd() == last_block.position():
            last -= 1
        cursor.beginEditBlock()
        for number in range(first, last + 1):
            block = document.findBlockByNumber(number)
            place = QTextCursor(block)
            if further:
                if block.text().strip():
                    place.insertText(_INDENT)
            else:
                spaces = len(block.text()) - len(block.text().lstrip(" "))
                for _ in range(min(len(_INDENT), spaces)):
                    place.deleteChar()
        cursor.endEditBlock()

    def _break_line(self) -> None:
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        indent = before[: len(before) - len(before.lstrip(" "))]
        if before.rstrip().endswith((":", "{", "[", "(")):
            indent += _INDENT if before.rstrip().endswith(":") else "  "
        cursor.insertText("\n" + indent)
        self.ensureCursorVisible()

    def _unindent(self) -> bool:
        cursor = self.textCursor()
        column = cursor.positionInBlock()
        before = cursor.block().text()[:column]
        if cursor.hasSelection() or not before or before.strip(" "):
            return False
        for _ in range((column - 1) % len(_INDENT) + 1):
            cursor.deletePreviousChar()
        return True

    def _text_changed(self) -> None:
        self._fit()
        if not self._showing:
            self.typed.emit(self.text())

    def _fit(self, *_: object) -> None:
        self.setViewportMargins(self.gutter_width(), 6, 0, 6)
        lines = min(max(self.blockCount(), self._rows[0]), self._rows[1])
        height = round(lines * self.fontMetrics().lineSpacing()) + 14
        if self.horizontalScrollBar().isVisible():
            height += self.horizontalScrollBar().height()
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)
        self._place_gutter()

    def _place_gutter(self) -> None:
        seen = self.viewport().geometry()
        self._gutter.setGeometry(QRect(self.contentsRect().left(), seen.top(), self.gutter_width(), seen.height()))

    def _scroll_gutter(self, box: QRect, dy: int) -> None:
        if dy:
            self._gutter.scroll(0, dy)
        else:
            self._gutter.update(0, box.y(), self._gutter.width(), box.height())

    def _dress(self, *_: object) -> None:
        font = self.theme.font("mono", 12)
        self.setFont(font)
        self.document().setDefaultFont(font)
        self._colours.rehighlight()
        self._fit()
        self._gutter.update()


class _Gutter(QWidget):
    def __init__(self, owner: CodeInput) -> None:
        super().__init__(owner)
        self._owner = owner

    def paintEvent(self, event: QPaintEvent) -> None:
        self._owner.paint_gutter(event)


class CodeField(Field):
    """Source code, stored as it stands; `{{ }}` in it is plain text."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self.input: Final = CodeInput(around.themes, "python")
        self.frame: Final = Frame(around.themes, self.input, tab=False)
        self.frame.make_room(left=4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.typed.connect(self._typed)
        self.input.left.connect(self.left)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.input.show_text(value if isinstance(value, str) else "" if value in (ABSENT, None) else json.dumps(value))

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        self.input.set_faults(spans)

    def _typed(self, text: str) -> None:
        self._value = text if text else ABSENT
        self.changed.emit((), self._value)


class JsonField(Field):
    """Any JSON, written out. What is not JSON yet is not stored: the line that is wrong is marked."""

    has_tab = True

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self.input: Final = CodeInput(around.themes, "json", rows=(3, 18))
        self.frame: Final = Frame(around.themes, self.input, tab=spec.kind is Kind.VALUE)
        self.frame.make_room(left=4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.typed.connect(self._typed)
        self.input.left.connect(self.left)
        if self.frame.tab is not None:
            self.frame.tab.clicked.connect(self.expression_wanted)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.input.show_text("" if value is ABSENT else json.dumps(value, ensure_ascii=False, indent=2))
        self.input.set_faults(())
        self.faulted.emit("")

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if text.lstrip().startswith("{{"):
            self.braces_typed.emit(text)
            return
        if not text.strip():
            self._put(ABSENT)
            return
        try:
            value = decode(text.encode("utf-8", "surrogatepass"))
        except FileError as error:
            problem = error.problems[0]
            self.faulted.emit(json_reason(problem.why or problem.what))
            self.input.set_faults(_place(text, problem.why))
            return
        self._put(value)

    def _put(self, value: Json) -> None:
        self.input.set_faults(())
        self.faulted.emit("")
        self._value = value
        self.changed.emit((), value)


def json_reason(why: str) -> str:
    """Why a text is not JSON, as it stands under a field."""
    return f"This is not JSON yet: {why.rstrip('.')}."


def _place(text: str, why: str) -> list[tuple[int, int]]:
    found = re.match(r"line (\d+), column (\d+)", why)
    if found is None:
        return []
    line, column = int(found[1]), int(found[2])
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1]) + column - 1
    return [(min(start, max(0, len(text) - 1)), min(start + 1, len(text)))]
