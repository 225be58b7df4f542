"""The list of what can be written at the cursor of an expression, with what each gives on the sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
)
from PySide6.QtGui import QFontMetricsF, QHideEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from flowstudio.editor.forms.chips import ChipInput
from flowstudio.editor.forms.paths import NamedPath, Origin, Origins, braces
from flowstudio.editor.forms.preview import Previewed, short
from flowstudio.editor.forms.suggestions import Place, Suggestion, example_on, place_of, suggest
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import set_look
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import Json

ROW_HEIGHT: Final = 28
MOST_ROWS: Final = 8
WIDTH: Final = 460

_EXAMPLE_AFTER_MS: Final = 120
"""How long a function must stay chosen before its example is run."""

_MOVES: Final = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -MOST_ROWS,
    Qt.Key.Key_PageDown: MOST_ROWS,
}
_TAKES: Final = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab})

Index = QModelIndex | QPersistentModelIndex


def value_color(value: Json) -> str:
    """The colour in which a value is written."""
    if value is MISSING or isinstance(value, dict | list):
        return "text3"
    if value is None:
        return "jNull"
    if isinstance(value, bool):
        return "jBool"
    return "jStr" if isinstance(value, str) else "jNum"


class _Lines(QAbstractListModel):
    """The suggestions, in the order of the list."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.found: Sequence[Suggestion] = ()

    def show(self, found: Sequence[Suggestion]) -> None:
        """Shows other suggestions."""
        self.beginResetModel()
        self.found = found
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.found)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line = self.found[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{line.text}, {_told(line)}"
        return None


def _told(line: Suggestion) -> str:
    """What stands at the right of a line."""
    return line.says if line.value is MISSING else short(line.value, 80)


class _Drawn(QStyledItemDelegate):
    """One line: where it comes from, what is written, what that gives."""

    def __init__(self, around: Surroundings, lines: _Lines) -> None:
        super().__init__(lines)
        self._around = around
        self._lines = lines
        self.origins: Origins | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(WIDTH, round(ROW_HEIGHT * self._around.theme.text_scale))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._around.theme
        line = self._lines.found[index.row()]
        box: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(theme.color("sel"))
            painter.drawRoundedRect(QRectF(box).adjusted(0, 1, 0, -1), 6, 6)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme.color("hover"))
            painter.drawRoundedRect(QRectF(box).adjusted(0, 1, 0, -1), 6, 6)
        origin = self._origin(line)
        color = theme.color("text2") if origin.category is None else theme.category(origin.category)
        ratio = painter.device().devicePixelRatioF() if painter.device() is not None else 1.0
        painter.drawPixmap(box.left() + 8, box.center().y() - 6, theme.pixmap(origin.icon, color, 14, ratio))
        middle = Qt.AlignmentFlag.AlignVCenter
        mono = theme.font("mono", 12)
        metrics = QFontMetricsF(mono)
        body = QRectF(box).adjusted(30, 0, -10, 0)
        wanted = metrics.horizontalAdvance(line.text)
        room = min(wanted, body.width() * 0.62)
        painter.setFont(mono)
        painter.setPen(theme.color("text"))
        text = metrics.elidedText(line.text, Qt.TextElideMode.ElideMiddle, room + 1)
        painter.drawText(body, middle | Qt.AlignmentFlag.AlignLeft, text)
        plain = line.value is MISSING
        font = theme.font("ui", 11.5) if plain else theme.font("mono", 11.5)
        rest = body.adjusted(room + 14, 0, 0, 0)
        painter.setFont(font)
        painter.setPen(theme.color("text3" if plain else value_color(line.value)))
        told = QFontMetricsF(font).elidedText(_told(line), Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, middle | Qt.AlignmentFlag.AlignRight, told)

    def _origin(self, line: Suggestion) -> Origin:
        if line.function is not None:
            return Origin("math-operations", None, "")
        if self.origins is None:
            return Origin("brackets-curly", None, "")
        return self.origins.of(NamedPath(0, 0, line.head, line.keys))


class CompletionList(QFrame):
    """The card with the list and, below it, more about the chosen line. The keyboard stays in the input."""

    def __init__(self, around: Surroundings, parent: QWidget) -> None:
        super().__init__(parent)
        self._around = around
        self._asked = 0
        self._sampled = True
        set_look(self, card="panel")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Suggestions")
        self.lines: Final = _Lines(self)
        self.drawn: Final = _Drawn(around, self.lines)
        self.view: Final = QListView()
        self.view.setModel(self.lines)
        self.view.setItemDelegate(self.drawn)
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName("Suggestions")
        self.view.setProperty("transparent", True)
        self.view.viewport().setAutoFillBackground(False)
        self.call: Final = QLabel()
        self.call.setTextFormat(Qt.TextFormat.PlainText)
        self.says: Final = QLabel()
        self.says.setTextFormat(Qt.TextFormat.PlainText)
        self.says.setWordWrap(True)
        self.says.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.says.setProperty("type", "hint")
        self.example: Final = QLabel()
        self.example.setTextFormat(Qt.TextFormat.PlainText)
        self.example.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.more: Final = QWidget()
        more = QVBoxLayout(self.more)
        more.setContentsMargins(10, 8, 10, 6)
        more.setSpacing(4)
        for label in (self.call, self.says, self.example):
            more.addWidget(label)
        self._rule = QFrame()
        set_look(self._rule, rule="h")
        column = QVBoxLayout(self)
        column.setContentsMargins(5, 5, 5, 5)
        column.setSpacing(0)
        column.addWidget(self.view)
        column.addWidget(self._rule)
        column.addWidget(self.more)
        self._timer = QTimer(self, singleShot=True, interval=_EXAMPLE_AFTER_MS)
        self._timer.timeout.connect(self.run_example)
        self.view.selectionModel().currentChanged.connect(self._tell_more)
        self.hide()

    @property
    def chosen(self) -> Suggestion | None:
        """The chosen line."""
        row = self.view.currentIndex().row()
        return self.lines.found[row] if 0 <= row < len(self.lines.found) else None

    def show_found(self, found: Sequence[Suggestion], origins: Origins, sampled: bool) -> None:
        """Shows suggestions, the first of them chosen."""
        self.drawn.origins = origins
        self.lines.show(found)
        self._sampled = sampled
        self.view.setCurrentIndex(self.lines.index(0, 0))
        self._tell_more()
        rows = min(len(found), MOST_ROWS)
        self.view.setFixedHeight(rows * round(ROW_HEIGHT * self._around.theme.text_scale) + 2)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def move_by(self, by: int) -> None:
        """Chooses another line; past the end it begins again."""
        count, row = len(self.lines.found), self.view.currentIndex().row()
        wanted = (row + by) % count if abs(by) == 1 else max(0, min(count - 1, row + by))
        self.view.setCurrentIndex(self.lines.index(wanted, 0))

    def run_example(self) -> None:
        """Runs the example of the chosen function on the sample."""
        self._timer.stop()
        line = self.chosen
        if line is None or line.function is None:
            return
        source = example_on(line.function, self._around.sample.known)
        self._asked += 1
        asked = self._asked

        def came(result: Previewed) -> None:
            if asked == self._asked and isValid(self):
                given = "nothing" if result.value is MISSING else short(result.value, 60)
                self._show_example(f"{source}  →  {result.reason or given}" if result.sampled else source)

        self._show_example(source)
        self._around.preview(source, came)

    def _tell_more(self, *_: object) -> None:
        theme = self._around.theme
        line = self.chosen
        self._asked += 1
        self._timer.stop()
        if line is None:
            return
        self.call.setFont(theme.font("mono", 12, 500))
        self.example.setFont(theme.font("mono", 11.5))
        if line.function is not None:
            self.call.setText(line.function.call)
            self.says.setText(line.says)
            self._show_example(line.function.example)
            self._timer.start()
        else:
            self.call.setText(line.text)
            hint = "" if self._sampled else "Run the step before to see its fields"
            self.says.setText(" · ".join(part for part in (line.says, hint) if part))
            self._show_example("" if line.value is MISSING else short(line.value, 400))
        self.call.setVisible(line.function is not None)
        self.says.setVisible(bool(self.says.text()))
        shown = line.function is not None or bool(self.says.text() or self.example.text())
        self.more.setVisible(shown)
        self._rule.setVisible(shown)
        self.setAccessibleDescription(f"{line.text}, {_told(line)}")
        self.fit()

    def fit(self) -> None:
        """Takes the height that it needs."""
        width = min(WIDTH, self.window().width() - 16)
        layout = self.layout()
        if layout is not None:
            layout.activate()
            height = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()
            self.resize(width, height)

    def _show_example(self, text: str) -> None:
        metrics = QFontMetricsF(self.example.font())
        self.example.setText(metrics.elidedText(text, Qt.TextElideMode.ElideRight, min(WIDTH, self.width()) - 34))
        self.example.setToolTip(text)
        self.example.setVisible(bool(text))


class Completion(QObject):
    """Offers at the cursor of one input what can be written there: on Ctrl+Space, and while somebody types."""

    def __init__(self, around: Surroundings, input_: ChipInput) -> None:
        super().__init__(input_)
        self._around = around
        self._input = input_
        self._list: CompletionList | None = None
        self._place: Place | None = None
        self._outside = False
        self._inserting = False
        self._asked_for = False
        self._closing = 0
        """So many closing brackets stand behind the cursor that nobody typed: typing one goes over it."""
        input_.completion_wanted.connect(lambda: self.open(asked_for=True))
        input_.typed.connect(self._typed)
        input_.cursorPositionChanged.connect(self._moved)
        input_.left.connect(self.close)
        input_.installEventFilter(self)
        around.sample.changed.connect(self._sample_changed)

    @property
    def list(self) -> CompletionList | None:
        """The card, where it is open."""
        return self._list if self._list is not None and self._list.isVisible() else None

    def open(self, *, asked_for: bool = False) -> None:
        """Offers what fits at the cursor; nothing where nothing does."""
        self._asked_for = asked_for
        place = self._find_place()
        if place is None or (not asked_for and not self._is_wanted(place)):
            self.close()
            return
        known = self._around.sample.known
        found = suggest(place, known, self._around.flow, self._around.step)
        text = self._input.text()
        if not found or (len(found) == 1 and found[0].text == text[place.start : place.end] and not asked_for):
            self.close()
            return
        self._place = place
        if self._list is None or self._list.window() is not self._input.window():
            self._list = CompletionList(self._around, self._input.window())
            self._list.view.clicked.connect(lambda _: self.take())
        origins = Origins(self._around.flow, self._around.registry, self._around.step)
        self._list.show_found(found, origins, known.sampled)
        self._put()
        self._list.show()
        self._list.raise_()
        self._list.fit()
        self._put()

    def close(self) -> None:
        """Takes the list away."""
        if self._list is not None:
            self._list.hide()
        self._place = None

    def take(self) -> None:
        """Writes the chosen line in the place of what was typed."""
        shown, place = self.list, self._place
        line = shown.chosen if shown is not None else None
        if line is None or place is None:
            return
        text = self._input.text()
        written, back = line.text, 0
        if line.function is not None and text[place.end : place.end + 1] != "(":
            written, back = f"{written}()", 1 if line.function.call != f"{line.text}()" else 0
        if self._outside:
            written, back = f"{{{{ {written} }}}}", back + 3 if back else 0
        elif self._input.language == "text" and _is_open(text, place.start):
            written, back = f"{written} }}}}", back + 3 if back else 0
        self._around.end_series()
        self._inserting = True
        try:
            self._input.replace(place.start, place.end, written, back)
        finally:
            self._inserting = False
        self._around.end_series()
        self._closing = 1 if back else 0
        self.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        shown = self.list
        typed = event.text() if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) else ""
        if self._closing and typed == ")" and self._goes_over():
            return True
        if shown is None or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        key = Qt.Key(event.key())
        mine = key in _MOVES or key in _TAKES or key == Qt.Key.Key_Escape
        if event.modifiers() or not mine:
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        if key in _MOVES:
            shown.move_by(_MOVES[key])
        elif key in _TAKES:
            self.take()
        else:
            self.close()
        return True

    def _goes_over(self) -> bool:
        """Moves over the bracket that was written along with a function; False where it is not there any more."""
        self._closing = 0
        text, cursor = self._input.text(), self._input.cursor_place()
        if text[cursor : cursor + 1] != ")" or text.count("(") > text.count(")"):
            return False
        self._input.moveCursor(self._input.textCursor().MoveOperation.Right)
        return True

    def _find_place(self) -> Place | None:
        text, cursor = self._input.text(), self._input.cursor_place()
        self._outside = False
        if self._input.language == "expression":
            return place_of(text, cursor)
        if self._input.language == "plain":
            return None
        for begin, end in braces(text):
            closed = text.endswith("}}", 0, end) and end - begin >= 4
            if begin + 2 <= cursor <= (end - 2 if closed else end):
                return place_of(text, cursor, begin + 2, end - 2 if closed else end)
        self._outside = True
        return Place(cursor, cursor, "", (None, ()), False, True) if self._asked_for else None

    def _is_wanted(self, place: Place) -> bool:
        return place.wanted and (place.after_dot or bool(place.prefix))

    def _typed(self, _: str) -> None:
        if self._inserting or not self._input.hasFocus():
            return
        self.open(asked_for=self._asked_for and self.list is not None)

    def _moved(self) -> None:
        shown, place = self.list, self._place
        if shown is None or place is None or self._inserting:
            return
        if not place.start <= self._input.cursor_place() <= place.end + 1:
            self.close()

    def _sample_changed(self) -> None:
        if self.list is not None:
            self.open(asked_for=self._asked_for)

    def _put(self) -> None:
        """Puts the list below the cursor, or above it where there is no room."""
        shown, window = self._list, self._input.window()
        if shown is None:
            return
        here = self._input.cursorRect()
        below = self._input.viewport().mapTo(window, here.bottomLeft() + QPoint(0, 9))
        above = self._input.viewport().mapTo(window, here.topLeft() - QPoint(0, 9))
        left = max(8, min(below.x() - 30, window.width() - shown.width() - 8))
        fits = below.y() + shown.height() <= window.height() - 4
        top = below.y() if fits else max(4, above.y() - shown.height())
        shown.move(left, top)


def _is_open(text: str, place: int) -> bool:
    """Whether the `{{` around a place of a text is not closed."""
    return any(begin < place <= end and not text.endswith("}}", 0, end) for begin, end in braces(text))
