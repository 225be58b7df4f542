"""The strip of tabs over the canvas: one for each open flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QTabBar, QWidget

from flowstudio.editor.panels.controls import IconButton, Pane, rule
from flowstudio.editor.theme import Themes

HEIGHT = 36
_WIDEST = 220


@dataclass(frozen=True, slots=True)
class TabFace:
    """What a tab shows of its flow."""

    name: str
    modified: bool = False
    tip: str = ""


class Tabs(Pane):
    """The tabs and the button that starts another flow."""

    chosen = Signal(int)
    close_asked = Signal(int)
    moved = Signal(int, int)
    new_asked = Signal()

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("app", parent)
        self.setFixedHeight(HEIGHT)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(6)
        self.bar = TabStrip(themes, self)
        self.bar.currentChanged.connect(self._current_changed)
        self.bar.close_asked.connect(self.close_asked)
        self.bar.tabMoved.connect(lambda here, there: self.moved.emit(here, there))
        layout.addWidget(self.bar)
        self.add = IconButton(themes, "plus", "New flow", key="Ctrl+N", size=14)
        self.add.clicked.connect(self.new_asked)
        layout.addWidget(self.add)
        layout.addStretch(1)
        self._line = rule("h", self)
        self._line.lower()
        self._filling = False

    def fill(self, faces: Sequence[TabFace], current: int) -> None:
        """Shows these tabs."""
        self._filling = True
        while self.bar.count() > len(faces):
            self.bar.removeTab(self.bar.count() - 1)
        while self.bar.count() < len(faces):
            self.bar.addTab("")
        for place, face in enumerate(faces):
            self.set_face(place, face)
        self.bar.setCurrentIndex(current)
        self._filling = False

    def set_face(self, place: int, face: TabFace) -> None:
        """Shows one tab anew."""
        self.bar.setTabText(place, face.name)
        self.bar.setTabData(place, face.modified)
        self.bar.setTabToolTip(place, face.tip)
        self.bar.setAccessibleTabName(place, f"{face.name}, not saved" if face.modified else face.name)
        self.bar.updateGeometry()
        self.bar.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._line.setGeometry(0, self.height() - 1, self.width(), 1)

    def _current_changed(self, place: int) -> None:
        if not self._filling and place >= 0:
            self.chosen.emit(place)


class TabStrip(QTabBar):
    """Draws the tabs: name, a dot where something is not saved, a cross under the pointer."""

    close_asked = Signal(int)

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._hovered = -1
        self._on_cross = False
        self.setProperty("documents", True)
        self.setAccessibleName("Open flows")
        self.setMovable(True)
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setUsesScrollButtons(True)
        self.setMouseTracking(True)
        self.setElideMode(Qt.TextElideMode.ElideRight)
        themes.changed.connect(self._dress)

    def tabSizeHint(self, index: int) -> QSize:
        metrics = QFontMetrics(self._themes.current.font("ui", 13, 600))
        return QSize(min(_WIDEST, metrics.horizontalAdvance(self.tabText(index)) + 34 + 36), HEIGHT)

    def minimumTabSizeHint(self, index: int) -> QSize:
        return QSize(110, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = self.devicePixelRatioF()
        for place in range(self.count()):
            rect = self.tabRect(place)
            current = place == self.currentIndex()
            hovered = place == self._hovered
            if current:
                painter.fillRect(rect, theme.color("canvas"))
                painter.fillRect(QRect(rect.left(), 0, rect.width(), 2), theme.color("accent"))
            elif hovered:
                painter.fillRect(rect.adjusted(0, 0, 0, -1), theme.color("hover"))
            painter.fillRect(QRect(rect.right(), 0, 1, rect.height()), theme.color("line"))
            icon = theme.pixmap("tree-structure", "text" if current else "text3", 14, ratio)
            painter.drawPixmap(QPoint(rect.left() + 14, rect.center().y() - 6), icon)
            font = theme.font("ui", 13, 600 if current else 500)
            painter.setFont(font)
            painter.setPen(theme.color("text" if current else "text2"))
            words = rect.adjusted(36, 1, -32, 0)
            shown = QFontMetrics(font).elidedText(self.tabText(place), Qt.TextElideMode.ElideRight, words.width())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
            cross = self.cross_rect(place)
            if hovered or (current and not self.tabData(place)):
                if hovered and self._on_cross:
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(theme.color("sel" if not current else "hover"))
                    painter.drawRoundedRect(QRectF(cross), 5, 5)
                tint = "text" if hovered and self._on_cross else "text3"
                painter.drawPixmap(cross.center() - QPoint(5, 5), theme.pixmap("x", tint, 12, ratio))
            elif self.tabData(place):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.color("text2"))
                painter.drawEllipse(QRectF(cross).center(), 3.5, 3.5)
        if self.property("ring") and self.currentIndex() >= 0:
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.tabRect(self.currentIndex())).adjusted(3, 4, -4, -4), 5, 5)

    def cross_rect(self, place: int) -> QRect:
        """Where a tab's cross is: 24 × 24."""
        rect = self.tabRect(place)
        return QRect(rect.right() - 29, rect.center().y() - 11, 24, 24)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self.tabAt(event.position().toPoint())
        on_cross = place >= 0 and self.cross_rect(place).contains(event.position().toPoint())
        if (place, on_cross) != (self._hovered, self._on_cross):
            self._hovered, self._on_cross = place, on_cross
            self.update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered, self._on_cross = -1, False
        self.update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.tabAt(event.position().toPoint())
        on_cross = place >= 0 and self.cross_rect(place).contains(event.position().toPoint())
        if on_cross and event.button() == Qt.MouseButton.LeftButton:
            return
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        place = self.tabAt(event.position().toPoint())
        on_cross = place >= 0 and self.cross_rect(place).contains(event.position().toPoint())
        left, middle = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
        if place >= 0 and (event.button() == middle or (on_cross and event.button() == left)):
            self.close_asked.emit(place)
            return
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.currentIndex() >= 0:
            self.close_asked.emit(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _dress(self) -> None:
        self.update()
