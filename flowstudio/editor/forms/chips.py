"""The input for expressions and texts: plain text to edit, in which the paths are drawn as chips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QMimeData, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextBlock,
    QTextCharFormat,
    QTextDocument,
)
from PySide6.QtWidgets import QWidget

from flowstudio.editor.forms.lines import TextInput, characters, means_switch, units
from flowstudio.editor.forms.paths import NamedPath, Origins, braces, paths_of
from flowstudio.editor.picked import picked
from flowstudio.editor.theme import Theme, Themes

Language = Literal["expression", "text", "plain"]
"""What stands in it: JSONata, a text with `{{ }}`, or a text that is nothing but itself."""

PITCH: Final = 22
_ICON: Final = 12
_PADDING: Final = 5
_GAP: Final = 4
_LEAD: Final = _PADDING + _ICON + _GAP
"""The room that a chip takes before the first letter of its path."""

_BEFORE: Final = 3
_TRAIL: Final = _PADDING + 3
"""The room after its last letter, of which 3 lie outside the chip."""


@dataclass(frozen=True, slots=True)
class _Chip:
    start: int
    end: int
    icon: str
    color: QColor
    title: str


class _Highlighter(QSyntaxHighlighter):
    """Gives braces, paths and faults their look, and makes the room in which chips are painted."""

    def __init__(self, document: QTextDocument, owner: ChipInput) -> None:
        super().__init__(document)
        self._owner = owner

    def highlightBlock(self, text: str) -> None:
        owner = self._owner
        length = self.currentBlock().length() - 1
        start = self.currentBlock().position()
        formats: list[QTextCharFormat] = [QTextCharFormat() for _ in range(length)]

        def stretch(begin: int, end: int) -> range:
            return range(max(begin - start, 0), min(end - start, length))

        for begin, end in owner.brace_places():
            for index in stretch(begin, end):
                formats[index].setFont(owner.mono_font)
            for index in (*stretch(begin, begin + 2), *stretch(max(end - 2, begin + 2), end)):
                formats[index].setForeground(owner.theme.color("text3"))
        for chip in owner.chips():
            for index in stretch(chip.start, chip.end):
                formats[index].setForeground(chip.color)
            for index in stretch(chip.start - 1, chip.start):
                _widen(formats[index], _LEAD + _BEFORE)
            for index in stretch(chip.end - 1, chip.end):
                _widen(formats[index], _TRAIL)
        for begin, end in owner.faults():
            for index in stretch(begin, max(end, begin + 1)):
                formats[index].setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
                formats[index].setUnderlineColor(owner.theme.color("err"))
        for begin, end in owner.doubts() if not owner.faults() else ():
            for index in stretch(begin, end):
                formats[index].setUnderlineStyle(QTextCharFormat.UnderlineStyle.DashUnderline)
                formats[index].setUnderlineColor(owner.theme.color("warn"))
        for index, format_ in enumerate(formats):
            self.setFormat(index, 1, format_)


def _widen(format_: QTextCharFormat, by: float) -> None:
    format_.setFontLetterSpacingType(QFont.SpacingType.AbsoluteSpacing)
    format_.setFontLetterSpacing(by)


class ChipInput(TextInput):
    """Text with the paths in it drawn as chips in the colour of the step that they come from."""

    completion_wanted = Signal()
    """Ctrl+Space: whoever can list paths and functions does it at the cursor."""
    switch_wanted = Signal()
    """Ctrl+Shift+E: the field's `fx` tab is meant."""
    field_dropped = Signal(object)
    """A field of the data panel (Picked) was dropped at the cursor."""

    def __init__(
        self,
        themes: Themes,
        language: Language,
        parent: QWidget | None = None,
        *,
        breaks: bool = True,
        rows: tuple[int, int] = (1, 12),
    ) -> None:
        self._themes = themes
        self._language: Language = language
        self._origins: Origins | None = None
        self._faults: tuple[tuple[int, int], ...] = ()
        self._doubts: tuple[tuple[int, int], ...] = ()
        self._read: str | None = None
        self.take_pasted: Callable[[str], bool] | None = None
        """Takes a text that is pasted; False leaves it to the input."""
        self._chips: list[_Chip] = []
        self._braces: list[tuple[int, int]] = []
        super().__init__(parent, rows=rows, pitch=PITCH, breaks=breaks)
        self._highlighter = _Highlighter(self.document(), self)
        themes.changed.connect(self._dress)
        self._dress()

    @property
    def theme(self) -> Theme:
        """The theme that is on."""
        return self._themes.current

    @property
    def mono_font(self) -> QFont:
        """The font of expressions."""
        return self.theme.font("mono", 12)

    @property
    def language(self) -> Language:
        """What stands in it."""
        return self._language

    def set_language(self, language: Language) -> None:
        """Reads the same text as something else."""
        if language != self._language:
            self._language = language
            self._dress()

    def set_origins(self, origins: Origins | None) -> None:
        """Tells where paths come from; renewed whenever the flow changed."""
        self._origins = origins
        before = self._chips
        self._read = None
        if self.chips() != before:
            self._renew()

    def set_faults(self, places: Iterable[tuple[int, int]]) -> None:
        """Underlines these places, counted in characters of the text."""
        faults = self._in_units(places)
        if faults != self._faults:
            self._faults = faults
            self._renew()

    def set_doubts(self, places: Iterable[tuple[int, int]]) -> None:
        """Underlines what is no fault and yet probably meant otherwise, counted in characters of the text."""
        doubts = self._in_units(places)
        if doubts != self._doubts:
            self._doubts = doubts
            self._renew()

    def doubts(self) -> tuple[tuple[int, int], ...]:
        """The places that are underlined as doubtful."""
        return self._doubts

    def _in_units(self, places: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        text = self.text()
        return tuple(
            (units(text, min(begin, max(len(text) - 1, 0))), units(text, min(max(end, begin + 1), len(text))))
            for begin, end in places
        )

    def faults(self) -> tuple[tuple[int, int], ...]:
        """The places that are underlined."""
        return self._faults

    def chips(self) -> list[_Chip]:
        """The chips in the text as it is."""
        self._read_text()
        return self._chips

    def brace_places(self) -> list[tuple[int, int]]:
        """Where braces stand in the text as it is."""
        self._read_text()
        return self._braces

    def indent_of(self, line: int) -> float:
        block = self.document().findBlockByNumber(line)
        begins = any(chip.start == block.position() for chip in self.chips())
        return float(_LEAD) if begins else 0.0

    def insert(self, text: str, back: int = 0) -> None:
        """Puts text at the cursor in the place of what is selected; the cursor ends so many characters before its end."""
        cursor = self.textCursor()
        cursor.insertText(text)
        cursor.setPosition(cursor.position() - back)
        self.setTextCursor(cursor)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if self.take_pasted is None or not self.take_pasted(source.text()):
            super().insertFromMimeData(source)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if control and event.key() == Qt.Key.Key_Space:
            self.completion_wanted.emit()
            return
        if means_switch(event):
            self.switch_wanted.emit()
            return
        super().keyPressEvent(event)

    def replace(self, start: int, end: int, text: str, back: int = 0) -> None:
        """Puts text in the place of the characters from `start` to `end`; the cursor ends `back` before its end."""
        before = self.text()
        cursor = self.textCursor()
        cursor.setPosition(units(before, start))
        cursor.setPosition(units(before, end), cursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)
        self.insert(text, back)

    def cursor_place(self) -> int:
        """Where the cursor stands, counted in characters of the text."""
        return characters(self.text(), self.textCursor().position())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if picked(event.mimeData()) is None:
            super().dragEnterEvent(event)
        else:
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if picked(event.mimeData()) is None:
            super().dragMoveEvent(event)
            return
        self.setTextCursor(self.cursorForPosition(event.position().toPoint()))
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        field = picked(event.mimeData())
        if field is None:
            super().dropEvent(event)
            return
        self.setTextCursor(self.cursorForPosition(event.position().toPoint()))
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        event.acceptProposedAction()
        self.field_dropped.emit(field)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._language != "plain" and self.chips():
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for chip in self.chips():
                self._paint_chip(painter, chip)
            painter.end()
        super().paintEvent(event)

    def _paint_chip(self, painter: QPainter, chip: _Chip) -> None:
        theme = self.theme
        share = 0.0 if theme.high_contrast else 0.16 if theme.dark else 0.11
        block = self.document().findBlock(chip.start)
        while block.isValid() and block.position() < chip.end:
            for box, first in self._boxes(block, chip):
                painter.setBrush(theme.blend("field", chip.color, share))
                painter.setPen(QPen(theme.blend("field", chip.color, 0.45), 1))
                painter.drawRoundedRect(box, 5, 5)
                if first:
                    picture = theme.pixmap(chip.icon, chip.color, _ICON, self.devicePixelRatioF())
                    place = QPointF(box.left() + _PADDING, box.center().y() - _ICON / 2)
                    painter.drawPixmap(place, picture)
            block = block.next()

    def _boxes(self, block: QTextBlock, chip: _Chip) -> Iterable[tuple[QRectF, bool]]:
        """The rounded boxes of one chip in one block, one for each row it stands in; True where there is room for the icon."""
        layout = block.layout()
        origin = self.document().documentLayout().blockBoundingRect(block).topLeft()
        origin -= QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        begin, end = chip.start - block.position(), chip.end - block.position()
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            first, last = line.textStart(), line.textStart() + line.textLength()
            if last <= begin or first >= end:
                continue
            left = _x(line.cursorToX(max(begin, first)))
            right = _x(line.cursorToX(min(end, last)))
            room = begin >= first and (begin > first or number == 0)
            middle = origin.y() + line.position().y() + line.height() / 2
            left -= _LEAD if room else min(left, 3)
            right += -3 if end <= last else 2
            yield QRectF(origin.x() + left + 0.5, middle - 10.5, right - left - 1, 21), room

    def _read_text(self) -> None:
        text = self.text()
        if text == self._read:
            return
        self._read = text
        self._braces = []
        named: list[NamedPath] = []
        if self._language == "expression":
            named = paths_of(text)
        elif self._language == "text":
            for begin, end in braces(text):
                self._braces.append((units(text, begin), units(text, end)))
                closed = end - 2 if text.endswith("}}", 0, end) else end
                named += paths_of(text, begin + 2, closed)
        self._chips = [self._chip(text, path) for path in named]

    def _chip(self, text: str, path: NamedPath) -> _Chip:
        start, end = units(text, path.start), units(text, path.end)
        if self._origins is None:
            return _Chip(start, end, "brackets-curly", self.theme.color("text2"), "")
        origin = self._origins.of(path)
        color = self.theme.color("text2") if origin.category is None else self.theme.category(origin.category)
        return _Chip(start, end, origin.icon, color, origin.title)

    def _dress(self, *_: object) -> None:
        mono = self._language == "expression"
        self.set_font(self.theme.font("mono", 12) if mono else self.theme.font("ui", 13))
        self.set_pitch(round(PITCH * self.theme.text_scale))
        self._read = None
        self._renew()

    def _renew(self) -> None:
        self._showing = True
        try:
            self._highlighter.rehighlight()
            self._format_blocks()
        finally:
            self._showing = False
        self.viewport().update()


def _x(found: object) -> float:
    return float(found[0] if isinstance(found, tuple) else found)  # type: ignore[arg-type] # differs by version
