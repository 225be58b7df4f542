"""The rail on the left: the mark, the pages of the program, the settings."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import Pane, rule
from flowstudio.editor.theme import Themes

WIDTH: Final = 68

_PAGES: Final = (
    ("flows", "Flows", "tree-structure"),
    ("runs", "Runs", "clock-counter-clockwise"),
    ("connections", "Connections", "key"),
)
"""Key, word, icon. A page that does not work yet has no entry."""


class Rail(Pane):
    """Chooses what the window shows."""

    page_chosen = Signal(str)
    settings_asked = Signal()
    home_asked = Signal()

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("app", parent)
        self.setFixedWidth(WIDTH)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        column = QVBoxLayout()
        column.setContentsMargins(0, 10, 0, 8)
        column.setSpacing(6)
        outer.addLayout(column)
        outer.addWidget(rule("v", self))
        self.mark = Mark(self)
        self.mark.clicked.connect(self.home_asked)
        column.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(12)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, RailButton] = {}
        for key, word, icon in _PAGES:
            button = RailButton(themes, icon, word, self)
            button.clicked.connect(lambda _=False, key=key: self.page_chosen.emit(key))
            self._group.addButton(button)
            self.buttons[key] = button
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self.settings = RailButton(themes, "gear-six", "Settings", self, checkable=False, worded=False)
        self.settings.clicked.connect(self.settings_asked)
        column.addWidget(self.settings, 0, Qt.AlignmentFlag.AlignHCenter)
        self.buttons["flows"].setChecked(True)
        self._edge = _Edge(themes, self)
        self._group.buttonToggled.connect(self._move_edge)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._move_edge()

    def _move_edge(self) -> None:
        button = self._group.checkedButton()
        if button is not None:
            self._edge.setGeometry(0, button.y() + 11, 3, button.height() - 22)


class _Edge(QWidget):
    """The bar at the window's edge beside the page that is on."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._themes.current.color("accent"))
        painter.drawRoundedRect(QRectF(-2, 0, 5, self.height()), 2, 2)


class RailButton(QToolButton):
    """An icon over its word; the page that is on has a bar at the window's edge."""

    def __init__(
        self,
        themes: Themes,
        icon: str,
        word: str,
        parent: QWidget | None = None,
        *,
        checkable: bool = True,
        worded: bool = True,
    ) -> None:
        super().__init__(parent)
        self._icon_name, self._themes = icon, themes
        self.setProperty("rail", True)
        self.setCheckable(checkable)
        self.setText(word)
        self.setAccessibleName(word)
        self.setIconSize(QSize(18, 18))
        self.setFixedHeight(48 if worded else 36)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        if worded:
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        else:
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            self.setToolTip(word)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.toggled.connect(self._toggled)
        themes.changed.connect(self._dress)
        self._dress()

    def _toggled(self) -> None:
        self._dress()

    def _dress(self) -> None:
        theme = self._themes.current
        on = self.isChecked()
        name = f"{self._icon_name}-fill" if on else self._icon_name
        self.setIcon(theme.icon(name, "accent" if on else "text2", 18))


class Mark(QAbstractButton):
    """The program's mark; a click goes to the welcome page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(34, 34)
        self.setAccessibleName("Welcome page")
        self.setToolTip("Welcome page")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_mark(painter, QRectF(self.rect()))
        if self.hasFocus() and self.property("ring"):
            painter.setPen(QColor("white"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 7, 7)


def paint_mark(painter: QPainter, rect: QRectF) -> None:
    """Draws the mark: a wire between two ports on a blue tile. It looks the same in every theme."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    fall = QLinearGradient(rect.topLeft(), rect.bottomRight())
    fall.setColorAt(0, QColor("#5B8CFF"))
    fall.setColorAt(1, QColor("#3568D4"))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(fall)
    painter.drawRoundedRect(rect, rect.width() * 0.26, rect.width() * 0.26)
    painter.translate(rect.topLeft())
    painter.scale(rect.width() / 34, rect.height() / 34)
    from_port, to_port = (10.5, 21.5), (23.5, 12.5)
    path = QPainterPath()
    path.moveTo(*from_port)
    path.cubicTo(18, 21.5, 15.5, 12.5, *to_port)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor("white"), 2.2))
    painter.drawPath(path)
    for x, y in (from_port, to_port):
        painter.setBrush(QColor("white"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QRectF(x - 3, y - 3, 6, 6))
    painter.restore()


def mark_picture(side: int) -> QImage:
    """The mark as a picture, for the window's icon."""
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    paint_mark(painter, QRectF(0, 0, side, side))
    painter.end()
    return image
