"""The buttons and sections that forms are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from flowstudio.editor.theme import Themes

SEGMENTS_HEIGHT: Final = 32


class IconButton(QToolButton):
    """A small button that is an icon; its name is told to screen readers and in the tooltip."""

    def __init__(
        self,
        themes: Themes,
        icon: str,
        name: str,
        *,
        side: int = 26,
        height: int = 0,
        size: int = 16,
        color: str = "text2",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name, self._size, self._color = icon, size, color
        self._shown = True
        self.setIconSize(QSize(size, size))
        self.setProperty("bare", "true")
        self.setFixedSize(side, height or side)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(name)
        self.setAccessibleName(name)
        self._themes = themes
        themes.changed.connect(self._dress)
        self._dress()

    def set_shown(self, shown: bool) -> None:
        """Shows it or leaves its place empty; hiding it would move what stands beside it. The keyboard always finds it."""
        if shown != self._shown:
            self._shown = shown
            self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._shown or self.hasFocus() or self.underMouse():
            super().paintEvent(event)

    def _dress(self, *_: object) -> None:
        self.setIcon(self._themes.current.icon(self._icon_name, self._color, self._size))


class WordButton(QPushButton):
    """A button with an icon and words; `ghost` ones have no border."""

    def __init__(
        self, themes: Themes, text: str, icon: str | None = None, *, ghost: bool = False, parent: QWidget | None = None
    ) -> None:
        # The style leaves 4 pixels between icon and words; a space makes it 8.
        super().__init__(f" {text}" if icon else text, parent)
        self.setAccessibleName(text)
        self._icon_name = icon
        self.setIconSize(QSize(15, 15))
        if ghost:
            self.setProperty("kind", "ghost")
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._themes = themes
        themes.changed.connect(self._dress)
        self._dress()

    def _dress(self, *_: object) -> None:
        if self._icon_name is not None:
            self.setIcon(self._themes.current.icon(self._icon_name, "text2", 15))


class Segments(QWidget):
    """A few choices side by side, of which at most one is on. One stop for Tab, the arrow keys choose."""

    chosen = Signal(int)
    """The index that a person chose."""
    left = Signal()

    def __init__(
        self, themes: Themes, labels: Sequence[str], *, height: int = SEGMENTS_HEIGHT, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._height = height
        self._labels = list(labels)
        self._index = -1
        self._hovered = -1
        self._enabled = [True] * len(self._labels)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    @property
    def index(self) -> int:
        """The choice that is on, -1 for none."""
        return self._index

    def choose(self, index: int) -> None:
        """Turns a choice on, without a signal; -1 turns all off."""
        if index != self._index:
            self._index = index
            self.setAccessibleDescription(self._labels[index] if index >= 0 else "not set")
            self.update()

    def box_of(self, index: int) -> QRectF:
        """Where a choice lies."""
        widths = self._widths()
        return QRectF(2 + sum(widths[:index]), 2, widths[index], self.height() - 4)

    def sizeHint(self) -> QSize:
        return QSize(round(sum(self._widths())) + 4, round(self._height * self._themes.current.text_scale))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def wanted_width(self) -> float:
        """How wide it is when nothing is cut."""
        return sum(self._widths()) + 4

    def _widths(self) -> list[float]:
        metrics = QFontMetricsF(self._themes.current.font("ui", 12, 600))
        return [metrics.horizontalAdvance(label) + 24 for label in self._labels]

    def _at(self, x: float) -> int:
        for index in range(len(self._labels)):
            if self.box_of(index).left() <= x < self.box_of(index).right():
                return index
        return -1

    def _take(self, index: int) -> None:
        if 0 <= index < len(self._labels) and index != self._index:
            self.choose(index)
            self.chosen.emit(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._take(self._at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hovered = self._at(event.position().x())
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._labels) - 1
        if event.key() in (Qt.Key.Key_Right, Qt.Key.Key_Down):
            self._take(min(self._index + 1, last))
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Up):
            self._take(max(self._index - 1, 0))
        elif event.key() == Qt.Key.Key_Home:
            self._take(0)
        elif event.key() == Qt.Key.Key_End:
            self._take(last)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QEvent) -> None:
        self.update()
        self.left.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(0, 0, self.wanted_width(), self.height())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("segment"))
        painter.drawRoundedRect(ground, 8, 8)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(ground.adjusted(1, 1, -1, -1), 7, 7)
        for index, label in enumerate(self._labels):
            box = self.box_of(index)
            on = index == self._index
            if on:
                painter.setPen(QPen(theme.color("line2"), 1))
                painter.setBrush(theme.color("segmentOn"))
                painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6.5, 6.5)
            lit = on or index == self._hovered
            painter.setPen(theme.color("text" if lit and self.isEnabled() else "text2"))
            painter.setFont(theme.font("ui", 12, 600 if on else 500))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
        painter.end()


class SectionHeader(QAbstractButton):
    """The line that folds a section: a caret, its title, how much is in it, and a dot when something in it is wrong."""

    def __init__(self, themes: Themes, title: str, *, open_: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._count = ""
        self._wrong = False
        self._code = False
        self.setText(title)
        self.setAccessibleName(title)
        self.setCheckable(True)
        self.setChecked(open_)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.toggled.connect(self._tell)
        self._tell(open_)

    def set_count(self, text: str) -> None:
        """Shows a figure at the right."""
        self._count = text
        self.update()

    def set_code(self, code: bool) -> None:
        """Writes the title as code: it is a name that expressions read."""
        self._code = code
        self.update()

    def set_wrong(self, wrong: bool) -> None:
        """Shows that something in the section is wrong."""
        if wrong != self._wrong:
            self._wrong = wrong
            self.update()

    def _tell(self, on: bool) -> None:
        self.setAccessibleDescription("open" if on else "closed")

    def sizeHint(self) -> QSize:
        return QSize(120, round(26 * self._themes.current.text_scale))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() in (Qt.Key.Key_Right, Qt.Key.Key_Left):
            self.setChecked(event.key() == Qt.Key.Key_Right)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        ratio = self.devicePixelRatioF()
        caret = theme.pixmap("caret-down-bold" if self.isChecked() else "caret-right-bold", "text3", 10, ratio)
        painter.drawPixmap(QPointF(1, middle - 5), caret)
        font = theme.font("mono", 11.5) if self._code else theme.font("ui", 12, 600)
        painter.setFont(font)
        painter.setPen(theme.color("text" if self.underMouse() else "text2"))
        box = QRectF(18, 0, self.width() - 18, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        right = 18 + QFontMetricsF(font).horizontalAdvance(self.text()) + 8
        if self._wrong:
            picture = theme.pixmap("warning-circle-fill", "err", 13, ratio)
            painter.drawPixmap(QPointF(right, middle - 6.5), picture)
        if self._count:
            painter.setFont(theme.font("ui", 11.5, 400, tabular=True))
            painter.setPen(theme.color("text3"))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._count)
        if self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 5, 5)
        painter.end()


class Section(QWidget):
    """A part of a form that folds."""

    folded = Signal(bool)
    """A person opened (True) or closed it."""

    def __init__(self, themes: Themes, title: str, *, open_: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header: Final = SectionHeader(themes, title, open_=open_)
        self.content: Final = QWidget()
        self.rows: Final = QVBoxLayout(self.content)
        self.rows.setContentsMargins(0, 8, 0, 0)
        self.rows.setSpacing(14)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.content)
        self.content.setVisible(open_)
        self.header.toggled.connect(self.content.setVisible)
        self.header.clicked.connect(lambda: self.folded.emit(self.header.isChecked()))

    def open(self) -> None:
        """Opens it."""
        self.header.setChecked(True)

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self.header.isChecked()
