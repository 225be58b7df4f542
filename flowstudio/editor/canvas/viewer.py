"""The view of the canvas: where it looks, how it paints, what lies under the pointer, and which gesture gets the mouse."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from html import escape
from typing import Final

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QMimeData,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsItem, QGraphicsView, QToolTip, QWidget
from shiboken6 import isValid

from flowstudio.editor.canvas.cards import GRID, WIDTH, CardPort
from flowstudio.editor.canvas.gestures import Gesture, gesture_for
from flowstudio.editor.canvas.hits import NOTHING, Hit, Pointer
from flowstudio.editor.canvas.ink import FAR, PLAIN, SMALL_FONT_PIXELS, Ink
from flowstudio.editor.canvas.items import GroupItem, LiveWire, NoteItem, PortDot, Stage, StepItem, WireItem
from flowstudio.editor.canvas.nodegraph import NodeViewer
from flowstudio.editor.canvas.overview import Overview

LEAST_ZOOM: Final = 0.15
MOST_ZOOM: Final = 2.0
LEAST_FRAMED_ZOOM: Final = 0.03
OPENING_ZOOM: Final = 0.8
MIME_COMPONENT: Final = "application/x-flowstudio-component"

_WORLD: Final = QRectF(-2e6, -2e6, 4e6, 4e6)
"""Constant, so that panning is a matter of scroll bars; as wide as a chain of 6,000 steps."""
_FRAME_MS: Final = 33
_GLIDE_MS: Final = 160
_FRAMING_MS: Final = 200
_SHARP_AGAIN_MS: Final = 120
_SLOW_FRAME_S: Final = 0.024
"""A frame that took longer is worth a draft while a gesture runs."""
_SLOW_FRAMES: Final = 4
_EDGE: Final = 24.0
"""A drag this near to an edge of the viewport takes the canvas along."""
_MARGIN: Final = 48.0
"""What stays free around a framed flow, in pixels."""


class FlowViewer(NodeViewer):  # type: ignore[misc]  # NodeGraphQt ships no types
    """NodeGraphQt's viewer with our own ways of looking, painting and reading the mouse.

    Gestures end in the stock signals (`moved_nodes`, `connection_changed`, `connection_sliced`, `insert_node`,
    `data_dropped`, `node_backdrop_updated`, `node_name_changed`), which the graph turns into edits.
    """

    looked = Signal()
    """Zoom or centre changed, or what is to be seen."""
    selection_made = Signal(object)
    """A gesture selected these items: a list of step, wire, note and group items."""
    stub_pressed = Signal(object, object)
    """The "+" of a step's port: StepItem, CardPort."""
    corner_pressed = Signal(object)
    """The corner where breakpoints sit: StepItem."""
    pill_pressed = Signal(object)
    """The number on a wire: WireItem."""
    fold_pressed = Signal(object)
    """The mark that folds a group: GroupItem."""
    framed = Signal(object, object)
    """A frame was drawn around these step items; the QRectF in the scene."""
    opened = Signal(object)
    """A double click: on a step, note or group item, or None on the bare canvas."""
    copied = Signal(object, float, float)
    """Step items dragged with Alt or Ctrl, and how far."""
    wire_dropped = Signal(object, object, object, object)
    """A wire let go over nothing: StepItem, CardPort, the picked-up WireItem or None, the point in the scene."""
    component_dropped = Signal(str, object, object)
    """A component's name from the palette, the point in the scene, the WireItem below or None."""
    menu_wanted = Signal(object, object)
    """A right click: Hit, QPoint on the screen."""

    def __init__(self, stage: Stage, parent: QWidget | None = None) -> None:
        super().__init__(parent, undo_stack=None)
        self.stage: Final = stage
        self.overview: Final = Overview()
        self.live: Final = LiveWire(stage)
        self.acyclic = False
        self.frames: list[NoteItem | GroupItem] = []
        """The notes and frames, those further back first."""
        self.ghost: QRectF | None = None
        """Where a component from the palette would land."""
        self.ghosts: list[QRectF] = []
        """Where copies would land."""
        self.marquee: QRectF | None = None
        self.slice: tuple[QPointF, QPointF] | None = None
        self.band: tuple[QRectF, QColor, str] | None = None
        """The scope of what is selected: where it lies, its colour, its name."""
        self.key_handler: Callable[[QKeyEvent], bool] = lambda _: False
        self.clock: Callable[[], float] = time.monotonic
        self.refusals: Callable[[StepItem, CardPort], dict[str, str]] = lambda step, port: {}
        """Steps at which a wire from this port cannot end, and why."""
        self.members: Callable[[GroupItem], list[StepItem]] = lambda group: []
        self.words_for: Callable[[Hit], str] = lambda hit: ""
        """What a tooltip says of what lies under the pointer."""
        self.is_busy: Callable[[], Iterable[QGraphicsItem]] = lambda: ()
        """The items that move by themselves."""
        self._gesture: Gesture | None = None
        self._hovered: Hit = NOTHING
        self._space = False
        self._zoom = 1.0
        self._row: tuple[tuple[float, ...], QPixmap] | None = None
        self._grid: QPixmap | None = None
        self._pointer = QPointF(0, 0)
        self._moving: dict[str, QVariantAnimation] = {}
        """What moves by itself: the look (`look`), the cards (`cards`). Tidying up moves both at once."""
        self.covered = 0
        """So many pixels of the right side lie below something else."""
        self._slow_frames = 0
        self._timer = QTimer(self, interval=_FRAME_MS)
        self._timer.timeout.connect(self._tick)
        self._edge = QTimer(self, interval=_FRAME_MS)
        self._edge.timeout.connect(self._scroll_on)
        self._modifiers = Qt.KeyboardModifier.NoModifier
        self._sharpen = QTimer(self, singleShot=True, interval=_SHARP_AGAIN_MS)
        self._sharpen.timeout.connect(self._end_draft)
        self._dress()

    def _dress(self) -> None:
        scene = self.scene()
        scene.addItem(self.live)
        self.live.hide()
        # The stock overlay text and search widget belong to interactions that are not used.
        scene.removeItem(self._cursor_text)
        self._search_widget.deleteLater()
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setCacheMode(QGraphicsView.CacheModeFlag.CacheNone)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing, True)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setSceneRect(_WORLD)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport().setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 80)

    @property
    def zoom(self) -> float:
        """How large the flow is shown; 1 is its own size."""
        return self._zoom

    @property
    def seen(self) -> QRectF:
        """The part of the scene that is to be seen."""
        size = self.viewport().size()
        top_left = self.to_scene(QPointF(0, 0))
        return QRectF(top_left.x(), top_left.y(), size.width() / self._zoom, size.height() / self._zoom)

    def to_scene(self, point: QPointF) -> QPointF:
        """The point of the scene under a point of the viewport, without rounding."""
        x = (point.x() + self.horizontalScrollBar().value()) / self._zoom
        y = (point.y() + self.verticalScrollBar().value()) / self._zoom
        return QPointF(x, y)

    def to_view(self, point: QPointF) -> QPointF:
        """The point of the viewport over a point of the scene."""
        return QPointF(
            point.x() * self._zoom - self.horizontalScrollBar().value(),
            point.y() * self._zoom - self.verticalScrollBar().value(),
        )

    def pan_by(self, dx: float, dy: float) -> None:
        """Moves the flow by so many pixels."""
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() - round(dx))
        down.setValue(down.value() - round(dy))
        self._begin_draft()
        self.looked.emit()

    def zoom_about(self, zoom: float, point: QPointF, least: float = LEAST_ZOOM) -> None:
        """Zooms while what is under a point of the viewport stays there."""
        zoom = min(MOST_ZOOM, max(min(least, self._zoom), zoom))
        if math.isclose(zoom, self._zoom, rel_tol=1e-6):
            return
        fixed = self.to_scene(point)
        self._set_zoom(zoom)
        self.horizontalScrollBar().setValue(round(fixed.x() * zoom - point.x()))
        self.verticalScrollBar().setValue(round(fixed.y() * zoom - point.y()))
        self._begin_draft()
        self.looked.emit()

    def look_at(self, zoom: float, centre: QPointF, *, animated: bool = False) -> None:
        """Shows a point of the scene in the middle, at a zoom."""
        if animated and not self.stage.still and self.isVisible():
            self._travel(zoom, centre)
            return
        self._set_zoom(zoom)
        size = self.viewport().size()
        self.horizontalScrollBar().setValue(round(centre.x() * zoom - size.width() / 2))
        self.verticalScrollBar().setValue(round(centre.y() * zoom - size.height() / 2))
        self.looked.emit()

    def frame(self, rect: QRectF, *, animated: bool = True, most: float = 1.0) -> None:
        """Shows a part of the scene as large as it fits, not larger than `most`."""
        if rect.isEmpty():
            self.look_at(1.0, QPointF(0, 0), animated=animated)
            return
        zoom = self.fitting_zoom(rect, most)
        self.look_at(zoom, rect.center() + QPointF(self.covered / 2 / zoom, 0), animated=animated)

    def fitting_zoom(self, rect: QRectF, most: float = 1.0) -> float:
        """The zoom at which a part of the scene fits."""
        size: QSize = self.viewport().size()
        wide = max(1.0, size.width() - self.covered - 2 * _MARGIN) / max(rect.width(), 1.0)
        high = max(1.0, size.height() - 2 * _MARGIN) / max(rect.height(), 1.0)
        return max(LEAST_FRAMED_ZOOM, min(wide, high, most))

    def reveal(self, rect: QRectF) -> None:
        """Pans so that a part of the scene is to be seen, if it is not."""
        if self.seen.contains(rect):
            return
        self.look_at(self._zoom, rect.center(), animated=True)

    def _set_zoom(self, zoom: float) -> None:
        if zoom != self._zoom:
            self._zoom = zoom
            self.setTransform(QTransform.fromScale(zoom, zoom))
            self.viewport().update()

    def _travel(self, zoom: float, centre: QPointF) -> None:
        start_zoom, start = self._zoom, self.seen.center()

        def step(share: float) -> None:
            between = start_zoom * (zoom / start_zoom) ** share
            self.look_at(between, start + (centre - start) * share)

        self._animate("look", _FRAMING_MS, step, lambda: self.look_at(zoom, centre))

    def glide(self, places: dict[StepItem, tuple[QPointF, QPointF]]) -> None:
        """Lets cards slide from where they were to where they are."""
        if self.stage.still or not self.isVisible() or not places:
            return

        def step(share: float) -> None:
            for item, (before, after) in places.items():
                if item.scene() is not None:
                    item.setPos(before + (after - before) * share)
            self.moved(item for item in places if item.scene() is not None)

        step(0.0)
        self._animate("cards", _GLIDE_MS, step, lambda: step(1.0))

    def finish_motion(self) -> None:
        """Brings everything that is under way to where it goes."""
        for what in list(self._moving):
            self._finish(what)

    def _finish(self, what: str) -> None:
        animation = self._moving.get(what)
        if animation is not None:
            animation.setCurrentTime(animation.duration())
            animation.stop()

    def _animate(self, what: str, duration: int, step: Callable[[float], None], end: Callable[[], None]) -> None:
        self._finish(what)
        animation = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=duration)
        animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        animation.valueChanged.connect(step)
        self._moving[what] = animation

        def stopped() -> None:
            # A canvas that goes takes its animations along, which end then.
            if isValid(self) and self._moving.get(what) is animation:
                del self._moving[what]
                end()
                animation.deleteLater()

        animation.stateChanged.connect(lambda now, _: stopped() if now == QVariantAnimation.State.Stopped else None)
        animation.start()

    def columns(self) -> set[float]:
        """The left edges of all cards."""
        return self.overview.columns()

    def moved(self, items: Iterable[StepItem | GroupItem]) -> None:
        """These cards lie elsewhere: their wires find their way anew, each once."""
        wires: set[WireItem] = set()
        for item in items:
            if isinstance(item, StepItem):
                wires.update(item.wires())
            self.overview.put(item)
        for wire in wires:
            wire.reroute()
            self.overview.put_wire(wire)
        if self._zoom < FAR:
            self.viewport().update()

    def refresh(self) -> None:
        """Something changed that is painted from afar too."""
        if self._zoom < FAR:
            self.viewport().update()

    def set_ink(self, ink: Ink) -> None:
        """Paints in another theme."""
        self.stage.ink = ink
        self._row = None
        for item in self.scene().items():
            if isinstance(item, StepItem | WireItem | NoteItem | GroupItem):
                item.forget_words()
        self.viewport().update()

    def at(self, point: QPointF) -> Hit:
        """What lies at a point of the scene: ports before cards, cards before wires, wires before notes and frames."""
        near = 16.0
        found = self.scene().items(QRectF(point.x() - near, point.y() - near, 2 * near, 2 * near))
        steps = [item for item in found if isinstance(item, StepItem)]
        if self._zoom >= PLAIN:
            hit = self._detail_at(point, steps)
            if hit is not None:
                return hit
        for step in steps:
            if step.card_rect().contains(point):
                return Hit("step", step=step)
        for group in found:
            if isinstance(group, GroupItem) and group.folded and group.card_rect().contains(point):
                mark = self._zoom >= PLAIN and group.fold_rect().contains(point)
                return Hit("fold" if mark else "group", frame=group)
        wires = [item for item in found if isinstance(item, WireItem)]
        if self._zoom >= 0.6:
            for wire in wires:
                if wire.pill_rect().contains(point):
                    return Hit("pill", wire=wire)
        reach = max(6.0, 6.0 / self._zoom)
        at_hand = [(wire.route.distance(point.x(), point.y()), id(wire), wire) for wire in wires]
        if at_hand and min(at_hand)[0] <= reach:
            return Hit("wire", wire=min(at_hand)[2])
        return self._frame_at(point, found)

    def _detail_at(self, point: QPointF, steps: Iterable[StepItem]) -> Hit | None:
        best: tuple[float, StepItem, CardPort] | None = None
        for step in steps:
            if step.card is None:
                continue
            x, y = point.x() - step.x(), point.y() - step.y()
            for port in step.card.ports:
                distance = math.hypot(port.x - x, port.y - y)
                inside = 0 <= x <= WIDTH and 0 <= y <= step.card.height
                if distance <= (9 if inside else 14) and (best is None or distance < best[0]):
                    best = distance, step, port
                if step.has_stub(port) and 20 <= x - port.x <= 46 and abs(y - port.y) <= 12:
                    return Hit("stub", step=step, port=port)
            if math.hypot(x, y) <= 9:
                return Hit("corner", step=step)
        return Hit("port", step=best[1], port=best[2]) if best is not None else None

    def _frame_at(self, point: QPointF, found: Iterable[QGraphicsItem]) -> Hit:
        for item in found:
            if not isinstance(item, NoteItem | GroupItem):
                continue
            rect = item.rect()
            if not rect.contains(point) or (isinstance(item, GroupItem) and item.folded):
                continue
            if isinstance(item, GroupItem) and self._zoom >= PLAIN and item.fold_rect().contains(point):
                return Hit("fold", frame=item)
            if rect.right() - point.x() <= 18 and rect.bottom() - point.y() <= 18:
                return Hit("grip", frame=item)
            if isinstance(item, NoteItem):
                return Hit("note", frame=item)
            if item.title_rect().contains(point) or not rect.adjusted(7, 7, -7, -7).contains(point):
                return Hit("group", frame=item)
        return NOTHING

    def wire_under(self, rect: QRectF, besides: StepItem | None = None) -> WireItem | None:
        """The wire that runs through the middle of a card that is held over it."""
        centre = rect.center()
        best: tuple[float, WireItem] | None = None
        for item in self.scene().items(rect):
            if not isinstance(item, WireItem) or (besides is not None and besides in (item.ends() or ())):
                continue
            distance = item.route.distance(centre.x(), centre.y())
            if distance <= 40 and (best is None or distance < best[0]):
                best = distance, item
        return best[1] if best is not None else None

    def inside(self, rect: QRectF) -> list[QGraphicsItem]:
        """The cards, wires and notes that a rectangle touches, and the frames that it holds whole."""
        found: list[QGraphicsItem] = []
        for item in self.scene().items(rect):
            if isinstance(item, StepItem):
                if item.card_rect().intersects(rect):
                    found.append(item)
            elif isinstance(item, WireItem):
                if any(rect.contains(*item.route.at(share / 12)) for share in range(13)):
                    found.append(item)
            elif isinstance(item, NoteItem) or (
                isinstance(item, GroupItem)
                and (item.card_rect().intersects(rect) if item.folded else rect.contains(item.rect()))
            ):
                found.append(item)
        return found

    def wires_near(self, rect: QRectF) -> list[WireItem]:
        """The wires whose surroundings touch a rectangle."""
        return [item for item in self.scene().items(rect) if isinstance(item, WireItem)]

    def select_items(self, items: Iterable[QGraphicsItem]) -> None:
        """A gesture selects these and nothing else."""
        self.selection_made.emit(list(items))

    def show_selected(self, items: Iterable[QGraphicsItem]) -> None:
        """Shows these as selected, and nothing else."""
        scene = self.scene()
        wanted, now = set(items), set(scene.selectedItems())
        blocked = scene.blockSignals(True)
        for item in now ^ wanted:
            item.setSelected(item in wanted)
            if isinstance(item, StepItem) or (isinstance(item, GroupItem) and item.folded):
                self.overview.put(item)
            item.update()
        scene.blockSignals(blocked)
        if now != wanted:
            self.refresh()

    def chosen(self) -> list[QGraphicsItem]:
        """The selected items."""
        return list(self.scene().selectedItems())

    def start_wire(self, step: StepItem, port: CardPort, end: QPointF) -> None:
        """Takes a wire in hand."""
        start = step.port_point(port.side, port.name)
        self.live.draw(start, (end.x(), end.y()), port.name == "error" and port.side == "out", port.side == "in")
        self.live.show()

    def end_wire(self) -> None:
        """Lets the wire in hand go."""
        self.live.hide()
        self.set_wiring(False, {})

    def set_wiring(self, wiring: bool, refusals: dict[str, str]) -> None:
        """Says that a wire is in hand, and where it cannot end."""
        if (wiring, refusals) == (self.stage.wiring, self.stage.refusals):
            return
        self.stage.wiring, self.stage.refusals = wiring, refusals
        self.viewport().update()

    def animate(self) -> None:
        """Starts the clock of what moves by itself; it stops when nothing does."""
        if not self._timer.isActive():
            self.read_clock()
            self._timer.start()

    def read_clock(self) -> None:
        """Tells the items what time it is."""
        self.stage.now_ms = self.clock() * 1000

    def _tick(self) -> None:
        self.read_clock()
        seen = self.seen
        busy = [] if self.stage.still else [item for item in self.is_busy() if _bounds(item).intersects(seen)]
        fading = list(self.stage.fading)
        self.stage.fading = {item for item in fading if self.stage.now_ms - item.fading_since < 150}
        moving: list[QGraphicsItem] = [*busy, *fading]
        for item in moving:
            item.update()
        if not busy and not fading:
            self._timer.stop()

    def _begin_draft(self) -> None:
        if self._slow_frames >= _SLOW_FRAMES:
            self.stage.draft = True
            self._sharpen.start()

    def _end_draft(self) -> None:
        self.stage.draft = False
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        self.stage.ratio = ratio
        self.stage.ink.prepare(self._zoom, ratio)
        started = time.perf_counter()
        if self._zoom < FAR:
            self._paint_from_afar(event)
        else:
            self.setRenderHint(QPainter.RenderHint.Antialiasing, not self.stage.draft)
            super().paintEvent(event)
        whole = event.rect().width() * event.rect().height() > 0.5 * self.viewport().width() * self.viewport().height()
        if whole and not self.stage.draft:
            # One slow frame is an accident (fonts are loaded, pictures made for a new zoom), several are a slow screen.
            self._slow_frames = self._slow_frames + 1 if time.perf_counter() - started > _SLOW_FRAME_S else 0

    def _paint_from_afar(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setClipRegion(event.region())
        self._paint_ground(painter, event.rect())
        painter.setWorldTransform(self.viewportTransform())
        for item in self.frames:
            painter.save()
            painter.translate(item.pos())
            item.paint(painter)
            painter.restore()
        self.overview.paint(painter, self.stage.ink)
        self._paint_above(painter)
        painter.end()

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        painter.save()
        painter.resetTransform()
        self._paint_ground(painter, self.viewport().rect())
        painter.restore()
        if self.band is not None:
            self._paint_band(painter, *self.band)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        self._paint_above(painter)

    def _paint_ground(self, painter: QPainter, area: QRect) -> None:
        if self._zoom < FAR:
            painter.fillRect(area, self.stage.ink.theme.color("canvas"))
            return
        spacing = GRID * self._zoom
        while spacing < 13:
            spacing *= 2
        pixel, edge = self.stage.pixel, math.ceil(spacing)
        x = pixel(-self.horizontalScrollBar().value() % spacing) - edge
        y = pixel(-self.verticalScrollBar().value() % spacing) - edge
        ratio, size = self.devicePixelRatioF(), self.viewport().size()
        key = (spacing, ratio, size.width(), size.height())
        # Dots lie at fractions of a pixel, so no tile repeats exactly: one row of them is painted for a zoom, and from the
        # second frame at that zoom on a picture of the whole viewport and a bit more is shifted while panning.
        if self._row is None or self._row[0] != key:
            self._row = key, self._row_of_dots(spacing, edge)
            self._grid = None
            painter.fillRect(area, self.stage.ink.theme.color("canvas"))
            self._paint_rows(painter, x, y, spacing, edge)
            return
        if self._grid is None:
            whole = QPixmap(
                math.ceil((size.width() + 2 * edge + 1) * ratio), math.ceil((size.height() + 2 * edge + 1) * ratio)
            )
            whole.setDevicePixelRatio(ratio)
            whole.fill(self.stage.ink.theme.color("canvas"))
            onto = QPainter(whole)
            self._paint_rows(onto, 0, 0, spacing, edge)
            onto.end()
            self._grid = whole
        painter.drawPixmap(QPointF(x, y), self._grid)

    def _paint_rows(self, painter: QPainter, x: float, y: float, spacing: float, edge: int) -> None:
        assert self._row is not None
        down = edge - spacing
        while down < self.viewport().height() + 2 * edge + 1:
            painter.drawPixmap(QPointF(x, y + self.stage.pixel(down) - 1), self._row[1])
            down += spacing

    def _row_of_dots(self, spacing: float, edge: int) -> QPixmap:
        theme, ratio = self.stage.ink.theme, self.devicePixelRatioF()
        width = self.viewport().width() + 2 * edge + 1
        row = QPixmap(math.ceil(width * ratio), math.ceil(3 * ratio))
        row.setDevicePixelRatio(ratio)
        row.fill(theme.color("canvas"))
        painter = QPainter(row)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("dot"))
        radius = 0.95 if spacing >= 20 else 0.85
        at = edge + 0.5
        while at < width:
            painter.drawEllipse(QPointF(self.stage.pixel(at - 0.5) + 0.5, 1.5), radius, radius)
            at += spacing
        at = edge - spacing + 0.5
        if at > 0:
            painter.drawEllipse(QPointF(self.stage.pixel(at - 0.5) + 0.5, 1.5), radius, radius)
        painter.end()
        return row

    def _paint_band(self, painter: QPainter, rect: QRectF, color: QColor, name: str) -> None:
        ink = self.stage.ink
        tint = QColor(color)
        tint.setAlphaF(0.08)
        edge = QColor(color)
        edge.setAlphaF(0.25)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(edge, 1))
        painter.setBrush(tint)
        painter.drawRoundedRect(rect, 14, 14)
        grown = max(1.0, SMALL_FONT_PIXELS / (11 * self._zoom))
        painter.setPen(QPen(color))
        painter.setFont(ink.label_font)
        painter.save()
        painter.translate(rect.x() + 14, rect.y() + 19)
        painter.scale(grown, grown)
        painter.drawText(QPointF(0, 0), name)
        painter.restore()

    def _paint_above(self, painter: QPainter) -> None:
        if self.ghost is None and not self.ghosts and self.marquee is None and self.slice is None:
            return
        theme = self.stage.ink.theme
        line = QPen(theme.color("accent"), 1.5)
        line.setCosmetic(True)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for rect in (*([self.ghost] if self.ghost is not None else ()), *self.ghosts):
            painter.setPen(line)
            painter.setBrush(theme.color("accent", 0.12))
            painter.drawRoundedRect(rect, 10, 10)
        if self.marquee is not None:
            line.setWidthF(1)
            painter.setPen(line)
            painter.setBrush(theme.color("accent", 0.1))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.drawRect(self.marquee)
        if self.slice is not None:
            line.setColor(theme.color("err"))
            line.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(line)
            painter.drawLine(*self.slice)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        # What is painted at a place of the window, not of the scene, must not be scrolled along; and the dots are placed
        # by fractions of a pixel.
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The middle stays in the middle, and the zoom what it is (the stock viewer rescales the flow)."""
        old, new = event.oldSize(), event.size()
        QGraphicsView.resizeEvent(self, event)
        if old.isValid() and old.width() > 0 and old.height() > 0 and self.isVisible():
            self.pan_by((new.width() - old.width()) / 2, (new.height() - old.height()) / 2)
        self.looked.emit()

    def _pointer_of(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> Pointer:
        self._pointer = position
        return Pointer(position, self.to_scene(position), modifiers)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        pointer = self._pointer_of(event.position(), event.modifiers())
        if self._gesture is not None or event.button() == Qt.MouseButton.RightButton:
            return
        self.finish_motion()
        if self.live.isVisible():
            self.end_wire()
        hit = self.at(pointer.scene) if event.button() == Qt.MouseButton.LeftButton else NOTHING
        self._gesture = gesture_for(self, hit, pointer, event.button(), self._space)
        if self._gesture is not None:
            self._set_cursor()
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pointer = self._pointer_of(event.position(), event.modifiers())
        if self._gesture is None:
            self._hover(self.at(pointer.scene))
        else:
            self._gesture.move(pointer)
            self._begin_draft()
            self._set_cursor()
            if self._gesture.scrolls and self._gesture.dragging and self._over_edge() != QPointF(0, 0):
                self._modifiers = event.modifiers()
                self._edge.start()
        event.accept()

    def _over_edge(self) -> QPointF:
        """How fast the canvas follows a drag that has come to an edge of the viewport, in pixels a frame."""
        area, at = self.viewport().rect(), self._pointer

        def speed(before: float, behind: float) -> float:
            return max(0.0, _EDGE - before) - max(0.0, _EDGE - behind)

        across = speed(at.x() - area.left(), area.right() - at.x())
        down = speed(at.y() - area.top(), area.bottom() - at.y())
        return QPointF(min(_EDGE, max(-_EDGE, across)), min(_EDGE, max(-_EDGE, down)))

    def _scroll_on(self) -> None:
        by = self._over_edge()
        gesture = self._gesture
        if gesture is None or not gesture.dragging or by == QPointF(0, 0):
            self._edge.stop()
            return
        self.pan_by(by.x(), by.y())
        gesture.move(self._pointer_of(self._pointer, self._modifiers))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pointer = self._pointer_of(event.position(), event.modifiers())
        gesture = self._gesture
        if gesture is not None and event.button() == gesture.button:
            self._gesture = None
            gesture.release(pointer)
            self._hover(self.at(pointer.scene))
            self._set_cursor()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        pointer = self._pointer_of(event.position(), event.modifiers())
        if event.button() != Qt.MouseButton.LeftButton:
            return
        hit = self.at(pointer.scene)
        if hit.kind in ("port", "stub", "corner", "pill", "fold"):
            self.mousePressEvent(event)
        elif hit.kind in ("step", "note", "group", "nothing"):
            self.opened.emit(hit.step or hit.frame)
        event.accept()

    def cancel(self) -> bool:
        """Gives up the gesture under way; False if there is none."""
        gesture, self._gesture = self._gesture, None
        if gesture is None:
            return False
        gesture.cancel()
        self._set_cursor()
        return True

    @property
    def gesture(self) -> Gesture | None:
        """The gesture that has the mouse."""
        return self._gesture

    @property
    def pointer(self) -> QPointF:
        """Where the pointer was last, in the viewport."""
        return self._pointer

    def _hover(self, hit: Hit) -> None:
        before, self._hovered = self._hovered, hit
        if before != hit:
            if before.step is not None and before.step is not hit.step:
                self._unhover(before.step)
            if before.wire is not None and before.wire is not hit.wire:
                before.wire.mark(False)
            if before.frame is not None and before.frame is not hit.frame:
                before.frame.hovered = False
                before.frame.update()
            if hit.step is not None:
                hit.step.hovered = True
                hit.step.hovered_port = hit.port if hit.kind == "port" else None
                hit.step.hovered_stub = hit.port if hit.kind == "stub" else None
                hit.step.hovered_corner = hit.kind == "corner"
                hit.step.update()
            if hit.wire is not None:
                hit.wire.mark(True)
            if isinstance(before.frame, GroupItem):
                before.frame.hovered_fold = False
                before.frame.update()
            if isinstance(hit.frame, GroupItem):
                hit.frame.hovered_fold = hit.kind == "fold"
            if hit.frame is not None:
                hit.frame.hovered = True
                hit.frame.update()
            self._set_cursor()

    @staticmethod
    def _unhover(step: StepItem) -> None:
        step.hovered = step.hovered_corner = False
        step.hovered_port = step.hovered_stub = None
        step.update()

    def forget(self, item: QGraphicsItem) -> None:
        """The item leaves the scene: nothing may point at it."""
        if item in (self._hovered.step, self._hovered.wire, self._hovered.frame):
            self._hovered = NOTHING

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._gesture is not None:
            shape = self._gesture.cursor
        elif self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._hovered.kind == "grip":
            shape = Qt.CursorShape.SizeFDiagCursor
        elif self._hovered.kind == "port":
            shape = Qt.CursorShape.CrossCursor
        elif self._hovered.kind in ("stub", "pill", "corner", "fold"):
            shape = Qt.CursorShape.PointingHandCursor
        if self.viewport().cursor().shape() != shape:
            self.viewport().setCursor(shape)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._hover(NOTHING)
        elif isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            words = self.words_for(self.at(self.to_scene(QPointF(event.pos())))) if self._gesture is None else ""
            if words:
                QToolTip.showText(event.globalPos(), _plain(words), self.viewport())
            else:
                QToolTip.hideText()
            return True
        return bool(super().viewportEvent(event))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        hit = self.at(self.to_scene(QPointF(event.pos())))
        target: QGraphicsItem | None = hit.step or hit.wire or hit.frame
        if target is not None and not target.isSelected():
            self.select_items([target])
        self.menu_wanted.emit(hit, event.globalPos())
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.finish_motion()
        turned = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_about(self._zoom * 1.0015 ** turned.y(), event.position())
        else:
            pixels = event.pixelDelta()
            by = QPointF(pixels) if not pixels.isNull() else QPointF(turned) * (48 / 120)
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and by.x() == 0:
                by = QPointF(by.y(), 0)
            self.pan_by(by.x(), by.y())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = True
            self._set_cursor()
        elif not self.key_handler(event):
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._set_cursor()
        else:
            event.ignore()

    def event(self, event: QEvent) -> bool:
        # Tab adds a step here; Qt would move the focus before any key event.
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Tab and not event.modifiers():  # type: ignore[attr-defined]
            self.keyPressEvent(event)  # type: ignore[arg-type]
            return True
        return bool(super().event(event))

    def focusInEvent(self, event: QFocusEvent) -> None:
        QGraphicsView.focusInEvent(self, event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = False
        self.clear_key_state()
        self.cancel()
        QGraphicsView.focusOutEvent(self, event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(MIME_COMPONENT):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if not event.mimeData().hasFormat(MIME_COMPONENT):
            event.ignore()
            return
        self._hold_over(self.to_scene(event.position()))
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._hold_over(None)
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        self._hold_over(None)
        if not event.mimeData().hasFormat(MIME_COMPONENT):
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        point = self.to_scene(event.position())
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.data_dropped.emit(event.mimeData(), QPoint(round(point.x()), round(point.y())))

    def _hold_over(self, point: QPointF | None) -> None:
        self._hover(NOTHING)
        self.ghost = None
        if point is not None:
            self.ghost = ghost_at(point)
            wire = self.wire_under(self.ghost)
            if wire is not None:
                self._hover(Hit("wire", wire=wire))
        self.viewport().update()

    def establish_connection(self, start_port: PortDot, end_port: PortDot) -> None:
        """Makes the item of a wire; called by NodeGraphQt when two ports are connected."""
        wire = WireItem(self.stage)
        self.scene().addItem(wire)
        wire.set_connections(start_port, end_port)

    def get_zoom(self) -> float:
        """The zoom as NodeGraphQt counts it: 0 is the flow's own size."""
        return self._zoom - 1.0

    def set_zoom(self, value: float = 0.0) -> None:
        """Sets the zoom as NodeGraphQt counts it."""
        self.zoom_about(1.0 + value, QPointF(self.viewport().rect().center()))

    def reset_zoom(self, cent: QPointF | None = None) -> None:
        """Shows the flow in its own size."""
        self.look_at(1.0, cent if cent is not None else self.seen.center())

    def zoom_to_nodes(self, nodes: Iterable[QGraphicsItem]) -> None:
        """Frames items."""
        rect = QRectF()
        for node in nodes:
            rect = rect.united(_bounds(node))
        self.frame(rect)

    def center_selection(self, nodes: Iterable[QGraphicsItem] | None = None) -> None:
        """Frames items, by default the selected ones."""
        self.zoom_to_nodes(nodes if nodes is not None else self.chosen())

    def scene_rect(self) -> list[float]:
        """What is to be seen, as x, y, width, height."""
        seen = self.seen
        return [seen.x(), seen.y(), seen.width(), seen.height()]

    def set_scene_rect(self, rect: list[float]) -> None:
        """Frames a part of the scene."""
        self.frame(QRectF(*rect), animated=False, most=MOST_ZOOM)

    def scene_center(self) -> list[float]:
        """The middle of what is to be seen."""
        centre = self.seen.center()
        return [centre.x(), centre.y()]

    def force_update(self) -> None:
        """Paints everything anew."""
        self.viewport().update()

    def _update_scene(self) -> None:
        """The stock viewer fits its scene rectangle into the view here, two pixels off at every call."""

    def _set_viewer_pan(self, pos_x: float, pos_y: float) -> None:
        self.pan_by(-pos_x * self._zoom, -pos_y * self._zoom)

    def _set_viewer_zoom(self, value: float, sensitivity: float | None = None, pos: QPoint | None = None) -> None:
        self.zoom_about(self._zoom * 1.001**value, QPointF(pos) if pos is not None else self._pointer)


def _plain(words: str) -> str:
    """Words for a tooltip, which takes for markup what looks like it: names are what a person typed, or a file brought."""
    return f"<p>{escape(words)}</p>".replace("\n", "<br>") if "<" in words else words


def ghost_at(point: QPointF) -> QRectF:
    """Where a card lands whose middle is held at a point of the scene."""
    x = round((point.x() - WIDTH / 2) / GRID) * GRID
    y = round((point.y() - 32) / GRID) * GRID
    return QRectF(x, y, WIDTH, 64)


def dropped_component(data: QMimeData) -> str:
    """The component that a drag from the palette carries; empty if it carries none."""
    return bytes(data.data(MIME_COMPONENT).data()).decode("utf-8", "replace")


def _bounds(item: QGraphicsItem) -> QRectF:
    return item.mapRectToScene(item.boundingRect())
