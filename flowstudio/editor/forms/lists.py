"""Fields for lists: single values one below the other, objects as cards that fold to a summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from flowstudio.editor.forms.choices import option_text
from flowstudio.editor.forms.controls import IconButton, WordButton
from flowstudio.editor.forms.field import Field, Path, Row
from flowstudio.editor.forms.groups import empty_of
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.errors import PathKey
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec

MakeRow = Callable[[FieldSpec], Row]


class _ListField(Field):
    """What both kinds have in common: one widget for each element, by position, and a button that adds one."""

    def __init__(
        self, around: Surroundings, spec: FieldSpec, make: MakeRow, add: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(around, parent)
        assert spec.item is not None
        self.spec = spec
        self.item: Final = spec.item
        self._make = make
        self._value: Json = None
        self._rows: list[Row] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._elements = QVBoxLayout()
        self._elements.setContentsMargins(0, 0, 0, 0)
        self._elements.setSpacing(6)
        column.addLayout(self._elements)
        self.add_button: Final = WordButton(around.themes, add, "plus")
        self.add_button.clicked.connect(self.add)
        column.addWidget(self.add_button)

    def show_value(self, value: Json) -> None:
        if not same(value, self._value):
            self._show(value)

    def rows(self) -> Mapping[PathKey, Row]:
        return dict(enumerate(self._rows))

    def elements(self) -> list[Json]:
        """The elements on show: the stored ones, or those of the default."""
        shown = self.spec.default if self._value is ABSENT else self._value
        return list(shown) if isinstance(shown, list | tuple) else []

    def set_name(self, name: str) -> None:
        self.add_button.setAccessibleName(f"{self.add_button.text()} to {name}")
        for number, row in enumerate(self._rows, 1):
            row.field.set_name(f"{name}, {number}")
        self.setAccessibleName(name)

    def enter(self) -> None:
        if self._rows:
            self._rows[0].enter()
        else:
            self.add_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def add(self) -> None:
        """Adds an element at the end."""
        raise NotImplementedError

    def _show(self, value: Json) -> None:
        raise NotImplementedError

    def _put_all(self, elements: list[Json]) -> None:
        self.around.end_series()
        self._show(elements)
        self.changed.emit((), elements)
        self.around.end_series()

    def _remove(self, index: int) -> None:
        elements = self.elements()
        del elements[index]
        self._put_all(elements)

    def _left(self) -> None:
        self.left.emit()


class ListField(_ListField):
    """Single values, one below the other. A new one is stored once something stands in it."""

    def __init__(self, around: Surroundings, spec: FieldSpec, make: MakeRow, parent: QWidget | None = None) -> None:
        super().__init__(around, spec, make, "Add", parent)
        self._draft = False
        self._emptied: set[int] = set()
        self._lines: list[QWidget] = []

    def add(self) -> None:
        if not self._draft:
            self._draft = True
            self._show(self._value)
        self._rows[-1].enter()

    def _show(self, value: Json) -> None:
        self._value = value
        elements = self.elements()
        wanted = len(elements) + self._draft
        while len(self._rows) > wanted:
            self._rows.pop()
            line = self._lines.pop()
            self._elements.removeWidget(line)
            line.deleteLater()
        while len(self._rows) < wanted:
            self._append()
        for index, row in enumerate(self._rows):
            if index not in self._emptied:
                row.show_value(elements[index] if index < len(elements) else ABSENT)
        self.set_name(self.spec.title)

    def _append(self) -> None:
        index = len(self._rows)
        row = self._make(self.item)
        row.changed.connect(lambda path, part, index=index: self._changed(index, path, part))
        row.left.connect(lambda index=index: self._element_left(index))
        remove = IconButton(self.around.themes, "x", f"Remove element {index + 1}", side=24, size=13)
        remove.clicked.connect(lambda _=False, index=index: self._take_out(index))
        line = QWidget()
        layout = QHBoxLayout(line)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(row, 1)
        layout.addWidget(remove, 0, Qt.AlignmentFlag.AlignTop)
        layout.setContentsMargins(0, 0, 0, 0)
        remove.setContentsMargins(0, 4, 0, 0)
        self._rows.append(row)
        self._lines.append(line)
        self._elements.addWidget(line)

    def _changed(self, index: int, path: Path, part: Json) -> None:
        elements = self.elements()
        if index >= len(elements):
            if part is ABSENT:
                return
            self._draft = False
            self._value = [*elements, part]
            self.changed.emit((), self._value)
            return
        if part is ABSENT and not path:
            # It is emptied perhaps to be written anew: the element goes when the field is left empty.
            self._emptied.add(index)
            return
        self._emptied.discard(index)
        elements[index] = part if not path else elements[index]
        self._value = elements
        self.changed.emit((index, *path), part)

    def _element_left(self, index: int) -> None:
        if index in self._emptied:
            self._emptied.clear()
            self._remove(index)
        elif self._draft and index == len(self.elements()):
            self._draft = False
            self._show(self._value)
        self._left()

    def _take_out(self, index: int) -> None:
        self._emptied.clear()
        if index >= len(self.elements()):
            self._draft = False
            self._show(self._value)
        else:
            self._remove(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.add()
            return
        super().keyPressEvent(event)


class SetField(Field):
    """A list whose elements are a few known values, each at most once: buttons that stay down.

    An element that is not known (an expression, a value of a later version) stands behind them until it is let go.
    """

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        assert spec.item is not None
        self.spec = spec
        self._value: Json = None
        self._known = list(spec.item.options)
        self._options: list[Json] = []
        self._buttons: list[QPushButton] = []
        self._flow = FlowBox(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._flow)
        for option in self._known:
            self._add(option)
        self.setFocusProxy(self._buttons[0])

    @property
    def buttons(self) -> list[QPushButton]:
        """The buttons, those of known values first."""
        return list(self._buttons)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        shown = self.spec.default if value is ABSENT else value
        elements = shown if isinstance(shown, list | tuple) else []
        unknown = [element for element in elements if not any(same(option, element) for option in self._known)]
        while len(self._buttons) > len(self._known):
            self._flow.take(self._buttons.pop())
            self._options.pop()
        for element in unknown:
            self._add(element)
        for option, button in zip(self._options, self._buttons, strict=True):
            button.setChecked(any(same(option, element) for element in elements))

    def set_name(self, name: str) -> None:
        self.setAccessibleName(name)
        for button in self._buttons:
            button.setAccessibleName(f"{name}: {button.text()}")

    def _add(self, option: Json) -> None:
        button = QPushButton(option_text(option))
        button.setProperty("small", "true")
        button.setCheckable(True)
        button.clicked.connect(self._clicked)
        self._options.append(option)
        self._buttons.append(button)
        self._flow.add(button)

    def _clicked(self) -> None:
        on = [option for option, button in zip(self._options, self._buttons, strict=True) if button.isChecked()]
        self.around.end_series()
        self._value = on
        self.changed.emit((), on)
        self.around.end_series()


class FlowBox(QWidget):
    """Widgets side by side that go on in the next line where there is no more room."""

    def __init__(self, parent: QWidget | None = None, gap: int = 6) -> None:
        super().__init__(parent)
        self._gap = gap
        self._widgets: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def add(self, widget: QWidget) -> None:
        """Adds a widget at the end."""
        widget.setParent(self)
        widget.show()
        self._widgets.append(widget)
        self._arrange(self.width(), move=True)
        self.updateGeometry()

    def take(self, widget: QWidget) -> None:
        """Takes a widget out, for good."""
        self._widgets.remove(widget)
        widget.hide()
        widget.deleteLater()
        self._arrange(self.width(), move=True)
        self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(width, move=False)

    def sizeHint(self) -> QSize:
        return QSize(200, self._arrange(max(self.width(), 200), move=False))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self._arrange(max(self.width(), 60), move=False))

    def resizeEvent(self, event: QEvent) -> None:
        self._arrange(self.width(), move=True)
        self.updateGeometry()

    def showEvent(self, event: QEvent) -> None:
        self._arrange(self.width(), move=True)

    def _arrange(self, width: int, *, move: bool) -> int:
        x = y = tallest = 0
        for widget in self._widgets:
            size = widget.sizeHint()
            if x and x + size.width() > width:
                x, y, tallest = 0, y + tallest + self._gap, 0
            if move:
                widget.setGeometry(x, y, size.width(), size.height())
            x += size.width() + self._gap
            tallest = max(tallest, size.height())
        return y + tallest


class CardHeader(QAbstractButton):
    """The line of a card that folds it; closed it tells what is inside."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._title = ""
        self._summary = ""
        self._wrong = False
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def tell(self, title: str, summary: str) -> None:
        """Shows a title and what is inside."""
        self._title, self._summary = title, summary
        self.setAccessibleName(f"{title}: {summary}" if summary else title)
        self.update()

    def set_wrong(self, wrong: bool) -> None:
        """Shows that something inside is wrong."""
        self._wrong = wrong
        self.update()

    @property
    def summary(self) -> str:
        """What is said to be inside."""
        return self._summary

    def sizeHint(self) -> QSize:
        return QSize(120, round(32 * self._around.theme.text_scale))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._around.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = self.devicePixelRatioF()
        middle = self.height() / 2
        caret = theme.pixmap("caret-down-bold" if self.isChecked() else "caret-right-bold", "text3", 10, ratio)
        painter.drawPixmap(10, round(middle - 5), caret)
        left, right = 28.0, self.width() - 6.0
        if self._wrong:
            painter.drawPixmap(round(left), round(middle - 7), theme.pixmap("warning-circle-fill", "err", 14, ratio))
            left += 20
        font = theme.font("ui", 12, 600)
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        metrics = QFontMetricsF(font)
        title = metrics.elidedText(self._title, Qt.TextElideMode.ElideRight, (right - left) * 0.6)
        painter.drawText(QRectF(left, 0, right - left, self.height()), align, title)
        if not self.isChecked() and self._summary:
            left += metrics.horizontalAdvance(title) + 10
            small = theme.font("mono", 11.5)
            painter.setFont(small)
            painter.setPen(theme.color("text2"))
            text = QFontMetricsF(small).elidedText(self._summary, Qt.TextElideMode.ElideRight, right - left)
            painter.drawText(QRectF(left, 0, right - left, self.height()), align, text)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 7, 7)
        painter.end()


class Card(QWidget):
    """One object of a list: a header that folds it, and its fields."""

    removed = Signal()
    moved = Signal(int)
    """One place up (-1) or down (1)."""

    def __init__(self, around: Surroundings, row: Row, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self.row: Final = row
        self.header: Final = CardHeader(around)
        self._tools = [
            IconButton(around.themes, "caret-up", "Move up", side=24, size=13),
            IconButton(around.themes, "caret-down", "Move down", side=24, size=13),
            IconButton(around.themes, "x", f"Remove {number + 1}", side=24, size=13),
        ]
        up, down, remove = self._tools
        up.clicked.connect(lambda: self.moved.emit(-1))
        down.clicked.connect(lambda: self.moved.emit(1))
        remove.clicked.connect(self.removed)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 6, 0)
        top.setSpacing(0)
        top.addWidget(self.header, 1)
        for tool in self._tools:
            top.addWidget(tool)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(12, 4, 12, 12)
        body.addWidget(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self._body)
        self.header.toggled.connect(self._body.setVisible)
        self._body.hide()
        row.problems_changed.connect(lambda: self.header.set_wrong(row.has_problems()))
        self._show_tools()

    @property
    def is_open(self) -> bool:
        """Whether its fields are on show."""
        return self.header.isChecked()

    def set_open(self, open_: bool) -> None:
        """Folds or unfolds it."""
        self.header.setChecked(open_)

    def _show_tools(self) -> None:
        for tool in self._tools:
            tool.set_shown(self.underMouse())

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_tools()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_tools()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._around.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("line2"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 9, 9)
        painter.end()


class CardsField(_ListField):
    """Objects, each a card. Two stand open; of more only the one that is worked on."""

    def __init__(self, around: Surroundings, spec: FieldSpec, make: MakeRow, parent: QWidget | None = None) -> None:
        super().__init__(around, spec, make, f"Add {_singular(spec.title)}", parent)
        self._cards: list[Card] = []
        self._seen = False

    def add(self) -> None:
        elements = self.elements()
        self._put_all([*elements, empty_of(self.item)])
        self._cards[-1].set_open(True)
        self._rows[-1].enter()

    def cards(self) -> list[Card]:
        """The cards, in the list's order."""
        return list(self._cards)

    def unfold(self, key: PathKey) -> None:
        if isinstance(key, int) and key < len(self._cards):
            self._cards[key].set_open(True)

    def _show(self, value: Json) -> None:
        self._value = value
        elements = self.elements()
        while len(self._cards) > len(elements):
            self._rows.pop()
            card = self._cards.pop()
            self._elements.removeWidget(card)
            card.deleteLater()
        while len(self._cards) < len(elements):
            self._append()
        for row, element in zip(self._rows, elements, strict=True):
            row.show_value(element)
        if not self._seen:
            self._seen = True
            for card in self._cards if len(elements) <= 2 else ():
                card.set_open(True)
        self._tell()
        self.set_name(self.spec.title)

    def _append(self) -> None:
        index = len(self._rows)
        row = self._make(self.item)
        row.changed.connect(lambda path, part, index=index: self._changed(index, path, part))
        row.left.connect(self._left)
        card = Card(self.around, row, index)
        card.removed.connect(lambda index=index: self._remove(index))
        card.moved.connect(lambda by, index=index: self._move(index, by))
        self._rows.append(row)
        self._cards.append(card)
        self._elements.addWidget(card)

    def _changed(self, index: int, path: Path, part: Json) -> None:
        self.changed.emit((index, *path), part)

    def _move(self, index: int, by: int) -> None:
        elements = self.elements()
        to = index + by
        if not 0 <= to < len(elements):
            return
        elements[index], elements[to] = elements[to], elements[index]
        was_open = self._cards[index].is_open, self._cards[to].is_open
        self._put_all(elements)
        self._cards[to].set_open(was_open[0])
        self._cards[index].set_open(was_open[1])

    def _tell(self) -> None:
        noun = _singular(self.spec.title)
        for number, (card, element) in enumerate(zip(self._cards, self.elements(), strict=True), 1):
            card.header.tell(f"{noun[:1].upper()}{noun[1:]} {number}", summary_of(element, self.item.fields))


def summary_of(element: Json, fields: Iterable[FieldSpec]) -> str:
    """An object in one line: the values that were given, in the order of its fields."""
    if not isinstance(element, Mapping):
        return "" if element in (None, ABSENT) else json.dumps(element, ensure_ascii=False)
    told: list[str] = []
    for spec in fields:
        value = element.get(spec.name)
        if isinstance(value, str) and value:
            told.append(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            told.append(json.dumps(value))
    return "  ·  ".join(told)


def _singular(title: str) -> str:
    title = title[:1].lower() + title[1:]
    if title.endswith("ies"):
        return f"{title[:-3]}y"
    return title.removesuffix("s") if not title.endswith("ss") else title
