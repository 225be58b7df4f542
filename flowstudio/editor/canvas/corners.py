"""What lies over the corners of the canvas: the zoom bar, the small map, and the words on an empty one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from flowstudio.editor.canvas.viewer import FlowViewer
from flowstudio.editor.theme import Theme

MAP_SIZE: Final = QSize(172, 104)
_INSET: Final = 9.0
_RENEW_MS: Final = 60
_CARDS_MS: Final = 300
"""How long the map's cards may lag behind: thousands of them take longer to paint than a frame has."""


class ZoomBar(QFrame):
    """Out, the zoom, in, frame all, tidy up."""

    zoomed = Signal(int)
    """One step in (1) or out (-1), or to 100 % (0)."""
    framed = Signal()
    tidied = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("toolbox", True)
        self.setFixedHeight(32)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(0)
        self._buttons: dict[str, QToolButton] = {}
        self._add(row, "minus", "Zoom out", "Ctrl+-", lambda: self.zoomed.emit(-1))
        self._percent = QPushButton("100%")
        self._percent.setProperty("kind", "figure")
        self._percent.setFixedWidth(38)
        self._percent.setToolTip("Show in its own size (Ctrl+0)")
        self._percent.setAccessibleName("Zoom")
        self._percent.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._percent.clicked.connect(lambda: self.zoomed.emit(0))
        row.addWidget(self._percent)
        self._add(row, "plus", "Zoom in", "Ctrl+=", lambda: self.zoomed.emit(1))
        row.addSpacing(2)
        self._add(row, "corners-out", "Frame all", "Home", self.framed.emit)
        self._add(row, "magic-wand", "Tidy up: lay the flow out anew", "", self.tidied.emit)

    def _add(self, row: QHBoxLayout, icon: str, name: str, key: str, act: Callable[[], None]) -> None:
        button = QToolButton()
        button.setToolTip(f"{name} ({key})" if key else name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setProperty("mini", True)
        button.clicked.connect(lambda: act())
        self._buttons[icon] = button
        row.addWidget(button)

    def show_zoom(self, zoom: float) -> None:
        """Shows how large the flow is shown."""
        self._percent.setText(f"{zoom * 100:.0f}%")
        self._percent.setAccessibleDescription(self._percent.text())

    def dress(self, theme: Theme) -> None:
        """Takes over a theme's icons."""
        for icon, button in self._buttons.items():
            button.setIcon(theme.icon(icon, "text2", 14))
            button.setIconSize(QSize(14, 14))


class SmallMap(QWidget):
    """The whole flow in small, with a frame around what is to be seen; a click or drag looks there."""

    def __init__(self, viewer: FlowViewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer: Final = viewer
        self._flow_rect = QRectF()
        self._picture: tuple[tuple[object, ...], QPixmap] | None = None
        self.setFixedSize(MAP_SIZE)
        self.setAccessibleName("Map of the flow")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._later = QTimer(self, singleShot=True, interval=_RENEW_MS)
        self._later.timeout.connect(self.renew)
        self._painted = (-1, 0.0)
        """The overview's revision that the picture shows, and when it was painted."""
        self._cards_later = QTimer(self, singleShot=True)
        self._cards_later.timeout.connect(self.update)

    def renew_soon(self) -> None:
        """Looks again at what there is, a few times a second at most."""
        if not self._later.isActive():
            self._later.start()

    def renew(self) -> None:
        """Looks again at what there is; the map is hidden while the whole flow is to be seen."""
        self._later.stop()
        self._flow_rect = self._viewer.overview.bounds()
        seen = self._viewer.seen
        self.setVisible(not self._flow_rect.isEmpty() and not seen.contains(self._flow_rect))
        self.update()

    def _scale(self) -> tuple[float, QPointF]:
        whole = self._flow_rect.adjusted(-96, -96, 96, 96)
        area = QRectF(self.rect()).adjusted(_INSET, _INSET, -_INSET, -_INSET)
        scale = min(area.width() / max(whole.width(), 1), area.height() / max(whole.height(), 1))
        return scale, area.center() - whole.center() * scale

    def paintEvent(self, event: QPaintEvent) -> None:
        ink = self._viewer.stage.ink
        theme = ink.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("line2"), 1))
        painter.setBrush(theme.color("panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        scale, origin = self._scale()
        seen = self._viewer.seen
        area = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        frame = QRectF(seen.topLeft() * scale + origin, seen.size() * scale).intersected(area)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent", 0.1))
        painter.drawRoundedRect(frame, 3, 3)
        painter.drawPixmap(0, 0, self._cards(scale, origin))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("accent"), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(frame, 3, 3)
        painter.end()

    def _cards(self, scale: float, origin: QPointF) -> QPixmap:
        # The map lies over the view and is painted with every frame of it: the cards are a picture, renewed when the flow or
        # the run changed.
        ink, ratio = self._viewer.stage.ink, self.devicePixelRatioF()
        key = (scale, origin.x(), origin.y(), ratio, id(ink))
        revision, now = self._viewer.overview.revision, self._viewer.clock()
        if self._picture is not None and self._picture[0] == key and self._painted[0] != revision:
            wait = self._painted[1] + _CARDS_MS / 1000 - now
            if wait > 0:
                # A drag or a run changes it with every frame: where it looks follows at once, the cards a little later.
                if not self._cards_later.isActive():
                    self._cards_later.start(round(wait * 1000) + 1)
                return self._picture[1]
        if self._picture is None or self._picture[0] != key or self._painted[0] != revision:
            self._painted = revision, now
            picture = QPixmap(self.size() * ratio)
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(origin)
            painter.scale(scale, scale)
            self._viewer.overview.paint_map(painter, ink)
            painter.end()
            self._picture = key, picture
        return self._picture[1]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._look(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._look(event.position())

    def _look(self, point: QPointF) -> None:
        scale, origin = self._scale()
        self._viewer.look_at(self._viewer.zoom, (point - origin) / scale)


class EmptyHint(QWidget):
    """What an empty canvas says: start with a trigger."""

    chosen = Signal(str)
    """The component of a card."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setSpacing(14)
        title = QLabel("Start with a trigger")
        title.setProperty("type", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(title)
        self._row = QHBoxLayout()
        self._row.setSpacing(12)
        column.addLayout(self._row)
        foot = QLabel("or press Tab")
        foot.setProperty("tone", "faint")
        foot.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(foot)
        self._cards: list[tuple[QPushButton, str]] = []

    def offer(self, triggers: list[tuple[str, str, str]]) -> None:
        """Offers these components: name, title, icon."""
        for name, title, icon in triggers:
            # The space keeps the icon off the words: style sheets cannot.
            card = QPushButton(f"  {title}")
            card.setProperty("kind", "offer")
            card.setAccessibleName(title)
            card.setMinimumWidth(152)
            card.setIconSize(QSize(20, 20))
            card.clicked.connect(lambda _=False, component=name: self.chosen.emit(component))
            self._row.addWidget(card)
            self._cards.append((card, icon))

    def dress(self, theme: Theme) -> None:
        """Takes over a theme's icons."""
        for card, icon in self._cards:
            card.setIcon(theme.icon(icon, "cTrigger", 20))
