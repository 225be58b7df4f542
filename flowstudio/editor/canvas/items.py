"""The things on the canvas: cards, wires, notes and frames as graphics items that paint themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen, QStaticText, QTransform
from PySide6.QtWidgets import QGraphicsItem, QGraphicsPathItem, QStyleOptionGraphicsItem, QWidget

from flowstudio.editor.canvas.cards import WIDTH, Caption, Card, CardPort, WireState, count_text
from flowstudio.editor.canvas.ink import FAR, MARGIN, PLAIN, READABLE, SMALL_FONT_PIXELS, Ink, pen
from flowstudio.editor.canvas.nodegraph import AbstractNodeItem, BackdropNodeItem, NodeItem, PipeItem, PortItem
from flowstudio.editor.canvas.routes import Route, route
from flowstudio.flow.model import ERROR_PORT, Wire

FADE_MS: Final = 120
TURN_MS: Final = 900
FADED_TARGET: Final = 0.35
"""How strong a step shows to which the wire in hand cannot go."""
CAPTION_HEIGHT: Final = 25.0
STUB: Final = 44.0
"""The room of the "+" to the right of a free output."""

FOLDED_AT: Final = (24.0, 48.0)
"""Where in its frame the card of a folded group lies: where its first step was."""
_FOLDED_HEIGHT: Final = 64.0

_Z_FRAME: Final = -3.0
_Z_NOTE: Final = -2.0
_Z_WIRE: Final = -1.0
_Z_STEP: Final = 1.0
_Z_LIVE: Final = 4.0

_ALIVE: Final = frozenset({"running", "paused", "failed"})
_PILL_HEIGHT: Final = 19.0
_NO_PORT: Final = (0.0, 32.0)

# Read once: reading Qt's flags takes longer than setting them, and there are thousands of items.
_SELECTABLE: Final = QGraphicsItem.GraphicsItemFlag.ItemIsSelectable
_NO_PEN: Final = QPen(Qt.PenStyle.NoPen)

_log = logging.getLogger(__name__)


class Stage:
    """What all items of one canvas paint by: the ink, the clock of what moves, and the wire in hand."""

    def __init__(self, ink: Ink) -> None:
        self.ink = ink
        self.ratio = 1.0
        self.now_ms = 0.0
        self.still = False
        """Nothing moves by itself."""
        self.draft = False
        """A gesture runs on a screen that is slow to paint: no text, no smooth edges."""
        self.wiring = False
        self.refusals: Mapping[str, str] = {}
        """Steps at which the wire in hand cannot end."""
        self.fading: set[StepItem] = set()

    def pixel(self, position: float) -> float:
        """The nearest whole pixel of the screen."""
        return round(position * self.ratio) / self.ratio


class PortDot(PortItem):  # type: ignore[misc]  # NodeGraphQt ships no types
    """A place where wires end. It is in no scene: its card paints it, and knows where it is."""

    def __init__(self, step: StepItem) -> None:
        # Not PortItem's own: as children of the cards, with hover events, position signals and device caches, ports are three
        # quarters of all items, and cost more than everything that is painted.
        QGraphicsItem.__init__(self)
        self._step = step
        self._pipes: list[WireItem] = []
        self._name = ""
        self._port_type: str | None = None
        self._hovered = False
        self._locked = False
        self._multi_connection = True
        self._display_name = False

    @property
    def node(self) -> StepItem:
        """The card that it belongs to."""
        return self._step

    def connect_to(self, port: PortDot) -> None:
        """Makes the item of a wire; called by NodeGraphQt when two ports are connected."""
        self._step.viewer().establish_connection(self, port)

    def redraw_connected_pipes(self) -> None:
        """Routes are the viewer's."""

    # Qt's own again: NodeGraphQt's override costs a call into Python, with an enum made for it, at every change.
    itemChange = QGraphicsItem.itemChange  # noqa: N815


class StepItem(NodeItem):  # type: ignore[misc]  # NodeGraphQt ships no types
    """The card of a step. Its position is the card's top left corner."""

    def __init__(self, name: str = "node", parent: QGraphicsItem | None = None) -> None:
        # Not NodeItem's own: it makes a pixmap item, a text item and an overlay for every node, and a device cache.
        QGraphicsItem.__init__(self, parent)
        self._properties: dict[str, Any] = {"id": None, "name": name, "type_": "", "selected": False}
        self._direction = 0
        self._width, self._height = WIDTH, 64.0
        self.setFlags(_SELECTABLE)
        self.setZValue(_Z_STEP)
        self._input_items: dict[PortDot, None] = {}
        self._output_items: dict[PortDot, None] = {}
        self._widgets: dict[str, Any] = {}
        self._bounds = QRectF(0, 0, WIDTH, 64)
        self._words: dict[object, QStaticText] = {}
        self._points: dict[tuple[str, str], tuple[float, float]] = {}
        self._fade: tuple[str, float] | None = None
        self._broken = False
        self.stage: Stage | None = None
        self.card: Card | None = None
        self.status = "idle"
        self.caption: Caption | None = None
        self.hovered = False
        self.hovered_port: CardPort | None = None
        self.hovered_stub: CardPort | None = None
        self.hovered_corner = False
        self.breakpoint: str | None = None
        """`on`, `condition` or `off`; None where there is none."""
        self.pinned = False
        self.pill = ""
        """How the run stands here, while it does."""
        self.folded: GroupItem | None = None
        """The folded group that it is put away in."""

    def show_card(self, card: Card) -> None:
        """Takes over what the card says and where its ports are; their dots have to be there."""
        self.card = card
        self._points = {(port.side, port.name): (port.x, port.y) for port in card.ports}
        self._words.clear()
        self._width, self._height = WIDTH, card.height
        bounds = QRectF(-MARGIN, -MARGIN, WIDTH + MARGIN + STUB, card.height + MARGIN + CAPTION_HEIGHT + 3)
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.update()

    def fare(self, status: str, caption: Caption | None) -> None:
        """Shows how the step fared."""
        if (status, caption) == (self.status, self.caption):
            return
        before = self._look()
        self.status, self.caption = status, caption
        self._words.pop("caption", None)
        if before != self._look() and self.stage is not None and not self.stage.still:
            self._fade = (before, self.stage.now_ms)
            self.stage.fading.add(self)
        self.update()

    def forget_words(self) -> None:
        """The fonts are other ones."""
        self._words.clear()
        self.update()

    @property
    def fading_since(self) -> float:
        """When its look began to change, on the stage's clock."""
        return self._fade[1] if self._fade is not None else 0.0

    @property
    def key(self) -> str:
        """The step's id."""
        return str(self.id)

    def dot(self, side: str, name: str) -> PortDot | None:
        """The dot of a port."""
        dots = self._input_items if side == "in" else self._output_items
        return next((dot for dot in dots if dot.name == name), None)

    def is_wired(self, port: CardPort) -> bool:
        """Whether any wire ends there."""
        dot = self.dot(port.side, port.name)
        return dot is not None and bool(dot.connected_pipes)

    def shows(self, port: CardPort) -> bool:
        """Whether a port is to be seen: `error` is only when it matters."""
        if port.side == "in" or port.name != ERROR_PORT:
            return True
        wiring = self.stage is not None and self.stage.wiring
        return self.hovered or self.isSelected() or wiring or self.is_wired(port)

    def has_stub(self, port: CardPort) -> bool:
        """Whether a "+" stands behind the port."""
        return port.side == "out" and port.name != ERROR_PORT and not self.is_wired(port)

    def port_point(self, side: str, name: str) -> tuple[float, float]:
        """Where a port is, in the scene; at the folded group's edge where the step is put away."""
        if self.folded is not None:
            return self.folded.port_point(side)
        x, y = self._points.get((side, name), _NO_PORT)
        return self.x() + x, self.y() + y

    def card_rect(self) -> QRectF:
        """The card alone, in the scene."""
        return QRectF(self.x(), self.y(), WIDTH, self._height)

    def wires(self) -> list[WireItem]:
        """All wires that end at this step."""
        return [pipe for dot in (*self._input_items, *self._output_items) for pipe in dot.connected_pipes]

    def boundingRect(self) -> QRectF:
        return self._bounds

    itemChange = QGraphicsItem.itemChange  # noqa: N815

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem | None = None, widget: QWidget | None = None
    ) -> None:
        # An exception that leaves a paint event ends the process, one that is told in every frame hides what it says.
        try:
            if self.card is not None and self.stage is not None:
                self._paint(painter, self.card, self.stage)
        except Exception:
            if not self._broken:
                self._broken = True
                _log.exception("The card of %s could not be painted", self.id)

    def _look(self) -> str:
        if self.status in _ALIVE:
            return f"{self.status}+" if self.isSelected() else self.status
        if self.isSelected():
            return "selected"
        if self.card is not None and self.card.disabled:
            return "disabled"
        if self.status == "not-taken":
            return "not-taken"
        return "hover" if self.hovered else "idle"

    def _paint(self, painter: QPainter, card: Card, stage: Stage) -> None:
        ink = stage.ink
        at = painter.worldTransform()
        zoom = at.m11()
        painter.setWorldTransform(QTransform.fromTranslate(stage.pixel(at.dx()), stage.pixel(at.dy())))
        refused = bool(stage.refusals) and self.id in stage.refusals
        if refused:
            painter.setOpacity(FADED_TARGET)
        corner = QPointF(-MARGIN * zoom, -MARGIN * zoom)
        if self._fade is not None:
            share = (stage.now_ms - self._fade[1]) / FADE_MS
            if share >= 1:
                self._fade = None
            else:
                painter.drawPixmap(corner, ink.card(self._fade[0], card.height))
                painter.setOpacity(painter.opacity() * max(0.0, share))
        if painter.opacity() > 0:
            painter.drawPixmap(corner, ink.card(self._look(), card.height))
        if self._fade is not None:
            painter.setOpacity(FADED_TARGET if refused else 1.0)
        self._paint_face(painter, card, stage, zoom)
        if self.caption is not None and not stage.draft and zoom >= READABLE:
            self._paint_caption(painter, self.caption, card, stage, zoom)
        self._paint_marks(painter, card, stage, zoom)

    def _paint_face(self, painter: QPainter, card: Card, stage: Stage, zoom: float) -> None:
        """What changes seldom: tile, ports and words. Painted again and again it is a picture."""
        selected = self.isSelected()
        pale = self.status == "not-taken" and not selected
        # Which ports are to be seen follows from these (see `shows`); to ask each port takes longer than to paint them.
        wired = tuple(bool(dot._pipes) for dot in (*self._input_items, *self._output_items))
        seen = (self.hovered or selected or stage.wiring, wired, self.hovered_port, self.hovered_stub)
        look = (stage.draft, card, pale, self._marks_width(card), seen)
        bounds = QRectF(-8 * zoom, -8 * zoom, (WIDTH + STUB + 8) * zoom, (card.height + 16) * zoom)

        def draw(painter: QPainter) -> None:
            painter.drawPixmap(self._at(12, 12, zoom), stage.ink.tile(card.icon, card.category, pale or card.disabled))
            if zoom >= PLAIN:
                self._paint_ports(painter, card, stage.ink, zoom)
            if not stage.draft:
                self._paint_words(painter, card, stage, zoom)

        stage.ink.stamps.paint(painter, self, look, bounds, stage.ratio, draw)

    def _at(self, x: float, y: float, zoom: float) -> QPointF:
        ratio = self.stage.ratio if self.stage is not None else 1.0
        return QPointF(round(x * zoom * ratio) / ratio, round(y * zoom * ratio) / ratio)

    def _paint_ports(self, painter: QPainter, card: Card, ink: Ink, zoom: float) -> None:
        for port in card.ports:
            if not self.shows(port):
                continue
            wired = self.is_wired(port)
            if not wired and self.has_stub(port):
                painter.drawPixmap(
                    QPointF((port.x + 4) * zoom, (port.y - 12) * zoom), ink.stub(port is self.hovered_stub)
                )
            hovered = port is self.hovered_port
            picture = ink.port(wired, hovered, port.name == ERROR_PORT and port.side == "out")
            painter.drawPixmap(QPointF((port.x - 8) * zoom, (port.y - 8) * zoom), picture)

    def _paint_words(self, painter: QPainter, card: Card, stage: Stage, zoom: float) -> None:
        ink = stage.ink
        dim = card.disabled or (self.status == "not-taken" and not self.isSelected())
        ahead = ink.text3 if dim else ink.text
        room = WIDTH - 62 - self._marks_width(card)
        painter.setPen(ahead)
        if zoom < PLAIN or zoom * 13 < 11:
            font = ink.middle_font if zoom >= 0.55 else ink.small_font
            width = int(room * zoom / 6) * 6
            title = self._line(("title", id(font), width), card.title, font, width, ink)
            painter.setFont(font)
            two_lines = zoom >= READABLE
            middle = (23.5 if two_lines else 32.0) * zoom
            painter.drawStaticText(QPointF(62 * zoom, middle - ink.metrics(font).height() / 2), title)
            painter.scale(zoom, zoom)
        else:
            painter.scale(zoom, zoom)
            painter.setFont(ink.title_font)
            painter.drawStaticText(QPointF(62, 15.6), self._line("title", card.title, ink.title_font, room, ink))
        if zoom < READABLE:
            return
        painter.setPen(ink.text3 if dim else ink.text2)
        labels = card.outputs if card.labelled else ()
        beside = max((self._label(port, ink).size().width() for port in labels if abs(port.y - 42) < 14), default=-8.0)
        summary_room = WIDTH - 62 - 14 - (beside + 8)
        painter.setFont(ink.summary_font)
        painter.drawStaticText(
            QPointF(62, 34.4), self._line("summary", card.summary, ink.summary_font, summary_room, ink)
        )
        if labels:
            painter.setFont(ink.label_font)
            for port in labels:
                words = self._label(port, ink)
                size = words.size()
                painter.drawStaticText(QPointF(WIDTH - 14 - size.width(), port.y - size.height() / 2), words)
            for port in card.inputs[1:]:
                # The first is where every wire goes; a loop's second lies below the tile, where its name has room.
                words = self._label(port, ink)
                painter.drawStaticText(QPointF(14, max(54.0, port.y - words.size().height() / 2)), words)

    def _paint_caption(self, painter: QPainter, caption: Caption, card: Card, stage: Stage, zoom: float) -> None:
        ink = stage.ink
        dim = card.disabled or (self.status == "not-taken" and not self.isSelected())
        at = painter.worldTransform()
        painter.setWorldTransform(QTransform(zoom, 0, 0, zoom, at.dx(), at.dy()))
        painter.setFont(ink.label_font)
        painter.setPen(ink.text3 if dim else ink.state_pen(caption.state))
        words = self._line("caption", caption.text, ink.label_font, WIDTH - 24, ink)
        painter.drawStaticText(QPointF(23.5, card.height + 14 - words.size().height() / 2), words)
        painter.setWorldTransform(at)

    def _marks_width(self, card: Card) -> float:
        marks = (self.pinned or self.status == "running") + bool(card.note)
        return (12.0, 34.0, 52.0)[marks]

    def _line(self, key: object, text: str, font: Any, room: float, ink: Ink) -> QStaticText:
        words = self._words.get(key)
        if words is None:
            words = self._words[key] = ink.words(text, font, room)
            if len(self._words) > 40:
                self._words = {key: words}
        return words

    def _label(self, port: CardPort, ink: Ink) -> QStaticText:
        return self._line(("label", port.name), port.title, ink.label_font, WIDTH * 0.6, ink)

    def _paint_marks(self, painter: QPainter, card: Card, stage: Stage, zoom: float) -> None:
        if zoom < PLAIN:
            return
        ink = stage.ink
        at = painter.worldTransform()
        if at.m11() != 1.0:
            painter.setWorldTransform(QTransform.fromTranslate(at.dx(), at.dy()))
        if self.caption is not None and zoom >= READABLE:
            color = ink.theme.state(self.caption.state)
            picture = ink.icon(ink.theme.state_icon(self.caption.state), color, 14)
            painter.drawPixmap(self._at(4, card.height + 7, zoom), picture)
        if self.status == "running":
            self._paint_spinner(painter, stage, zoom)
        elif self.pinned:
            picture = ink.icon("push-pin-fill", ink.theme.color("cTrigger"), 15)
            painter.drawPixmap(self._at(WIDTH - 28.5, 13, zoom), picture)
        if card.note:
            beside = 18 if self.pinned or self.status == "running" else 0
            picture = ink.icon("note", ink.theme.color("text3"), 14)
            painter.drawPixmap(self._at(WIDTH - 28 - beside, 14, zoom), picture)
        if self.status == "failed":
            painter.drawPixmap(self._at(WIDTH - 14.5, -11.5, zoom), ink.badge("error"))
        elif self.status == "paused":
            self._paint_paused(painter, ink, zoom)
        kind = {"on": "breakpoint", "condition": "breakpoint-condition", "off": "breakpoint-off"}.get(
            self.breakpoint or ""
        )
        if kind is None and self.hovered_corner:
            kind = "breakpoint-hint"
        if kind is not None:
            painter.drawPixmap(self._at(-11.5, -11.5, zoom), ink.badge(kind))

    def _paint_spinner(self, painter: QPainter, stage: Stage, zoom: float) -> None:
        turn = 0.0 if stage.still else (stage.now_ms % TURN_MS) / TURN_MS
        painter.drawPixmap(self._at(WIDTH - 29, 13, zoom), stage.ink.spinner(turn))

    def _paint_paused(self, painter: QPainter, ink: Ink, zoom: float) -> None:
        if zoom < 0.6:
            return
        theme = ink.theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(zoom, zoom)
        pill = self.pill or "Paused before"
        words = self._line(("paused", pill), pill, ink.pill_font, 200, ink)
        width = words.size().width() + 30
        box = QRectF(WIDTH - 11 - width, -10, width, 20)
        painter.setPen(ink.no_pen)
        painter.setBrush(theme.color("warnFill"))
        painter.drawRoundedRect(box, 10, 10)
        painter.setBrush(theme.color("warnInk"))
        painter.drawRoundedRect(QRectF(box.left() + 10, -4, 2.4, 8), 1, 1)
        painter.drawRoundedRect(QRectF(box.left() + 14.6, -4, 2.4, 8), 1, 1)
        painter.setPen(QPen(theme.color("warnInk")))
        painter.setFont(ink.pill_font)
        painter.drawStaticText(QPointF(box.left() + 21, -words.size().height() / 2), words)

    def mousePressEvent(self, event: Any) -> None:
        """Gestures are the viewer's."""

    def add_input(self, name: str = "in", *settings: Any) -> PortDot:
        """The dot of a new input; called by NodeGraphQt's BaseNode."""
        return self._new_dot(name, "in", self._input_items)

    def add_output(self, name: str = "out", *settings: Any) -> PortDot:
        """The dot of a new output; called by NodeGraphQt's BaseNode."""
        return self._new_dot(name, "out", self._output_items)

    def _new_dot(self, name: str, side: str, dots: dict[PortDot, None]) -> PortDot:
        dot = PortDot(self)
        dot._name, dot._port_type = name, side
        dots[dot] = None
        return dot

    def draw_node(self) -> None:
        """Nothing is laid out: there are no child items."""

    def post_init(self, viewer: Any = None, pos: Any = None) -> None:
        """NodeGraphQt has put the item into the scene, and leaves its place to us."""
        if pos is not None:
            self.setPos(pos[0], pos[1])

    @property
    def selected(self) -> bool:
        """Whether the step is selected."""
        return bool(self.isSelected())

    @selected.setter
    def selected(self, selected: bool) -> None:
        self.setSelected(selected)

    @property
    def name(self) -> str:
        """NodeGraphQt's name of the node, which nothing shows."""
        return str(self._properties["name"])

    @name.setter
    def name(self, name: str) -> None:
        self._properties["name"] = name

    @property
    def layout_direction(self) -> int:
        """Flows run from left to right."""
        return self._direction

    @layout_direction.setter
    def layout_direction(self, value: int) -> None:
        self._direction = value


class WireItem(PipeItem):  # type: ignore[misc]  # NodeGraphQt ships no types
    """A wire from an output to an input. Its position is the scene's origin: only its line moves."""

    def __init__(self, stage: Stage) -> None:
        # Not PipeItem's own: it makes an arrow as a child item, and a device cache.
        QGraphicsPathItem.__init__(self)
        self.setFlags(_SELECTABLE)
        self.setZValue(_Z_WIRE)
        self.setPen(_NO_PEN)
        self._color: Any = None
        self._style = 0
        self._active = False
        self._highlight = False
        self._input_port: PortDot | None = None
        self._output_port: PortDot | None = None
        self._curve: QPainterPath | None = None
        self._pill: tuple[str, QStaticText] | None = None
        self._broken = False
        self.stage = stage
        self.wire: Wire | None = None
        self.route: Route = route((0.0, 0.0), (0.0, 0.0))
        self.state: WireState = "idle"
        self.count = 0
        self.hovered = False
        self.tucked = False
        """Both ends are put away in the same folded group."""

    @property
    def marked(self) -> bool:
        """Whether it is hovered, selected or about to take a step in."""
        return self.hovered or bool(self.isSelected())

    def ends(self) -> tuple[StepItem, StepItem] | None:
        """The steps that it joins."""
        if self._output_port is None or self._input_port is None:
            return None
        return self._output_port.node, self._input_port.node

    def reroute(self) -> None:
        """Finds its way anew, after an end moved."""
        ends = self.ends()
        if ends is None:
            return
        source, target = ends
        assert self._output_port is not None
        assert self._input_port is not None
        error = self._output_port.name == ERROR_PORT and source.folded is None
        start = source.port_point("out", self._output_port.name)
        self.route = route(start, target.port_point("in", self._input_port.name), error)
        # Found when it is painted: from afar it is a straight line, and a drag moves many that are not to be seen.
        self._curve = None
        # The item's own path is the rectangle around it: QGraphicsPathItem finds its bounds from that without Python,
        # and without stroking a curve for every move.
        around = QPainterPath()
        around.addRect(self.route.bounds(14.0))
        self.setPath(around)

    def fare(self, state: WireState, count: int) -> None:
        """Shows how many messages crossed it, and what became of them."""
        if (state, count) != (self.state, self.count):
            self.state, self.count = state, count
            self.update()

    def mark(self, on: bool) -> None:
        """Shows it in the accent's colour, or no longer."""
        if on != self.hovered:
            self.hovered = on
            self.update()

    def pill_rect(self) -> QRectF:
        """Where the number of messages stands, in the scene; empty if it does not."""
        if self.count < 2:
            return QRectF()
        width = self._pill_words().size().width() + 16
        x, y = self.route.middle
        return QRectF(x - width / 2, y - _PILL_HEIGHT / 2, width, _PILL_HEIGHT)

    itemChange = QGraphicsPathItem.itemChange  # noqa: N815

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem | None = None, widget: QWidget | None = None
    ) -> None:
        try:
            self._paint(painter)
        except Exception:
            if not self._broken:
                self._broken = True
                _log.exception("The wire %s could not be painted", self.wire)

    def _paint(self, painter: QPainter) -> None:
        stage, ink = self.stage, self.stage.ink
        zoom = painter.worldTransform().m11()
        if stage.refusals:
            ends = self.ends()
            if ends is not None and (ends[0].id in stage.refusals or ends[1].id in stage.refusals):
                painter.setOpacity(FADED_TARGET)
        painter.setBrush(ink.no_brush)
        if self.marked:
            self._draw(painter, ink.wires["marked"])
        elif self.state == "running":
            self._draw(painter, ink.wires["running-glow"])
            self._draw(painter, ink.wires["running"])
            if not stage.still and zoom >= PLAIN:
                dots = QPen(ink.wires["running-dots"])
                dots.setDashOffset(-stage.now_ms / 33 * 0.5)
                self._draw(painter, dots)
        else:
            self._draw(painter, ink.wires[self.state])
        if zoom < 0.6 or stage.draft:
            return
        if self.count > 1:
            self._paint_pill(painter, ink, zoom)
        if (
            zoom >= READABLE
            and self._output_port is not None
            and self._output_port.name == ERROR_PORT
            and not self._put_away()
        ):
            painter.setPen(ink.state_pen("failed"))
            painter.setFont(ink.label_font)
            x, y = self.route.start
            painter.drawText(QPointF(x + 9, y + 15), "on error")

    def _put_away(self) -> bool:
        ends = self.ends()
        return ends is not None and ends[0].folded is not None

    def _draw(self, painter: QPainter, line: QPen) -> None:
        painter.setPen(line)
        if self.route.straight:
            painter.drawLine(QPointF(*self.route.start), QPointF(*self.route.end))
        else:
            if self._curve is None:
                self._curve = self.route.path()
            painter.drawPath(self._curve)

    def _pill_words(self) -> QStaticText:
        text = count_text(self.count)
        if self._pill is None or self._pill[0] != text:
            self._pill = text, self.stage.ink.words(text, self.stage.ink.pill_font, 200)
        return self._pill[1]

    def forget_words(self) -> None:
        """The fonts are other ones."""
        self._pill = None
        self.update()

    def _paint_pill(self, painter: QPainter, ink: Ink, zoom: float) -> None:
        words = self._pill_words()
        painter.translate(*self.route.middle)
        grown = max(1.0, SMALL_FONT_PIXELS / (10.5 * zoom))
        painter.scale(grown, grown)
        size = words.size()
        width = size.width() + 16
        box = QRectF(-width / 2, -_PILL_HEIGHT / 2, width, _PILL_HEIGHT)
        painter.setPen(ink.pill_pens["marked" if self.marked else self.state])
        painter.setBrush(ink.theme.color("node"))
        painter.drawRoundedRect(box, _PILL_HEIGHT / 2, _PILL_HEIGHT / 2)
        painter.setPen(ink.text)
        painter.setFont(ink.pill_font)
        painter.drawStaticText(QPointF(-size.width() / 2, -size.height() / 2), words)

    def set_connections(self, port1: PortDot, port2: PortDot) -> None:
        """Ties the wire to its two dots, in whichever order they come."""
        output, entry = (port1, port2) if port1.port_type == "out" else (port2, port1)
        self._output_port, self._input_port = output, entry
        output.add_pipe(self)
        entry.add_pipe(self)
        self.wire = Wire(output.node.id, entry.node.id, output.name, entry.name)
        self.reroute()

    def draw_path(self, start_port: Any, end_port: Any = None, cursor_pos: Any = None) -> None:
        """Called by NodeGraphQt where an end has changed."""
        self.reroute()

    def activate(self) -> None:
        """Colours follow the state alone."""

    highlight = reset = activate

    def delete(self) -> None:
        """Takes the wire out of the scene and off its dots."""
        for dot in (self._output_port, self._input_port):
            if dot is not None and self in dot.connected_pipes:
                dot.remove_pipe(self)
        if self.scene() is not None:
            self.scene().removeItem(self)


class LiveWire(QGraphicsPathItem):
    """The wire in hand, from a port to the pointer."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setZValue(_Z_LIVE)
        self.setPen(_NO_PEN)
        self._stage = stage
        self._route = route((0.0, 0.0), (0.0, 0.0))
        self._curve = QPainterPath()
        self._end = QPointF()

    def draw(self, start: tuple[float, float], end: tuple[float, float], error: bool, backwards: bool) -> None:
        """Shows it between two points; `backwards` where it starts at an input."""
        self._route = route(end, start) if backwards else route(start, end, error)
        self._curve = self._route.path()
        self._end = QPointF(*end)
        around = QPainterPath()
        around.addRect(self._route.bounds(14.0))
        self.setPath(around)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem | None = None, widget: QWidget | None = None
    ) -> None:
        ink = self._stage.ink
        painter.setBrush(ink.no_brush)
        painter.setPen(ink.wires["marked"])
        painter.drawPath(self._curve)
        painter.setBrush(ink.canvas_brush)
        painter.setPen(ink.port_pens[1])
        painter.drawEllipse(self._end, 4.5, 4.5)


class _Frame(BackdropNodeItem):  # type: ignore[misc]  # NodeGraphQt ships no types
    """What notes and groups share: a rectangle with text."""

    def __init__(self, name: str = "", parent: QGraphicsItem | None = None) -> None:
        # Not BackdropNodeItem's own: its sizer writes into the item, past the document.
        AbstractNodeItem.__init__(self, name, parent)
        self._properties["backdrop_text"] = ""
        self._width: float = 10.0
        self._height: float = 10.0
        self.setCacheMode(QGraphicsItem.CacheMode.NoCache)
        self.setFlags(_SELECTABLE)
        self._bounds = QRectF(0, 0, 10, 10)
        self._broken = False
        self.stage: Stage | None = None
        self.hovered = False
        self.text = ""

    @property
    def key(self) -> str:
        """The note's or group's id in the flow."""
        return str(self.id).partition(":")[2]

    def rect(self) -> QRectF:
        """Its rectangle in the scene."""
        return QRectF(self.x(), self.y(), self._width, self._height)

    def place(self, x: float, y: float, width: float, height: float) -> None:
        """Puts it there."""
        self.setPos(x, y)
        if (width, height) != (self._width, self._height) or self._bounds.width() < width:
            self.prepareGeometryChange()
            self._width, self._height = width, height
            self._bounds = QRectF(-4, -4, width + 8, height + 8)
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    itemChange = QGraphicsItem.itemChange  # noqa: N815

    def forget_words(self) -> None:
        """The fonts are other ones."""
        self.update()

    def mousePressEvent(self, event: Any) -> None:
        """Gestures are the viewer's."""

    def post_init(self, viewer: Any = None, pos: Any = None) -> None:
        """There is nothing to make."""

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem | None = None, widget: QWidget | None = None
    ) -> None:
        try:
            if self.stage is not None:
                self._paint(painter, self.stage)
        except Exception:
            if not self._broken:
                self._broken = True
                _log.exception("%s could not be painted", self.id)

    def _paint(self, painter: QPainter, stage: Stage) -> None:
        raise NotImplementedError

    def _border(self, ink: Ink, quiet: QPen) -> QPen:
        return pen(ink.theme.color("accent"), 2) if self.isSelected() else quiet

    def _paint_grip(self, painter: QPainter, ink: Ink) -> None:
        if not (self.hovered or self.isSelected()):
            return
        painter.setPen(pen(ink.theme.color("text3"), 1.5, cap=Qt.PenCapStyle.RoundCap))
        right, bottom = self._width - 5, self._height - 5
        painter.drawLine(QPointF(right - 8, bottom), QPointF(right, bottom - 8))
        painter.drawLine(QPointF(right - 4, bottom), QPointF(right, bottom - 4))


class NoteItem(_Frame):
    """A note: its first line is the title where more follow."""

    def __init__(self, name: str = "", parent: QGraphicsItem | None = None) -> None:
        super().__init__(name, parent)
        self.setZValue(_Z_NOTE)

    def _paint(self, painter: QPainter, stage: Stage) -> None:
        ink = stage.ink
        theme = ink.theme
        zoom = painter.worldTransform().m11()
        painter.setBrush(theme.blend("canvas", "cTrigger", 0.07))
        painter.setPen(self._border(ink, pen(theme.blend("canvas", "cTrigger", 0.22), 1)))
        painter.drawRoundedRect(QRectF(0.5, 0.5, self._width - 1, self._height - 1), 10, 10)
        if zoom * 12 >= SMALL_FONT_PIXELS and not stage.draft:
            title, newline, body = self.text.partition("\n")
            area = QRectF(16, 12, self._width - 32, self._height - 20)
            painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
            if newline:
                painter.setFont(ink.note_title_font)
                painter.setPen(ink.text)
                painter.drawText(area, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, title)
                area = area.adjusted(0, 21, 0, 0)
            painter.setFont(ink.note_font)
            painter.setPen(ink.text2)
            wrap = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
            painter.drawText(area, int(wrap), body if newline else title)
            painter.setClipping(False)
        elif zoom >= FAR and not stage.draft:
            self._paint_first_line(painter, ink, zoom)
        self._paint_grip(painter, ink)

    def _paint_first_line(self, painter: QPainter, ink: Ink, zoom: float) -> None:
        """What a note says where the whole of it would be too small to read."""
        grown = SMALL_FONT_PIXELS / (12 * zoom)
        if self._height < 26 * grown:
            return
        first = self.text.strip().partition("\n")[0]
        words = ink.metrics(ink.note_title_font).elidedText(
            first, Qt.TextElideMode.ElideRight, (self._width - 28) / grown
        )
        painter.save()
        painter.setFont(ink.note_title_font)
        painter.setPen(ink.text2)
        painter.scale(grown, grown)
        painter.drawText(QPointF(14 / grown, 19), words)
        painter.restore()


class GroupItem(_Frame):
    """A group: a frame with its title in the upper left corner, or, folded, a card that stands for its steps."""

    def __init__(self, name: str = "", parent: QGraphicsItem | None = None) -> None:
        super().__init__(name, parent)
        self.setZValue(_Z_FRAME)
        self.automatic = False
        """It has no place of its own, but lies around its steps."""
        self.folded = False
        self.count = 0
        """How many steps it holds."""
        self.entered = self.left = False
        """Whether wires lead in, and out."""
        self.status = "idle"
        self.caption: Caption | None = None
        self.hovered_fold = False
        self._words: dict[str, tuple[str, QStaticText]] = {}

    def frame(self) -> tuple[float, float, float, float]:
        """Where the frame lies, also while it is folded: x, y, width, height."""
        dx, dy = FOLDED_AT if self.folded else (0.0, 0.0)
        return self.x() - dx, self.y() - dy, self._width, self._height

    def place(self, x: float, y: float, width: float, height: float) -> None:
        """Puts the frame there, or the card that stands for it."""
        if not self.folded:
            super().place(x, y, width, height)
            return
        self.setPos(x + FOLDED_AT[0], y + FOLDED_AT[1])
        self._width, self._height = width, height
        bounds = QRectF(-MARGIN, -MARGIN, WIDTH + 2 * MARGIN, _FOLDED_HEIGHT + MARGIN + CAPTION_HEIGHT + 3)
        if bounds != self._bounds:
            self.prepareGeometryChange()
            self._bounds = bounds
        self.update()

    def fold(self, folded: bool) -> None:
        """Becomes a card, or a frame again, at the same place."""
        if folded != self.folded:
            frame = self.frame()
            self.folded = folded
            self.setZValue(_Z_STEP if folded else _Z_FRAME)
            self.prepareGeometryChange()
            self._bounds = QRectF(-4, -4, self._width + 8, self._height + 8)
            self.place(*frame)

    def rect(self) -> QRectF:
        return self.card_rect() if self.folded else super().rect()

    def card_rect(self) -> QRectF:
        """The card that it is while folded, in the scene."""
        return QRectF(self.x(), self.y(), WIDTH, _FOLDED_HEIGHT)

    def port_point(self, side: str) -> tuple[float, float]:
        """Where the wires of what is put away in it end."""
        return self.x() + (0.0 if side == "in" else WIDTH), self.y() + _FOLDED_HEIGHT / 2

    def title_rect(self) -> QRectF:
        """The strip that takes clicks: the rest of the frame lets them through to what it holds."""
        return QRectF(self.x(), self.y(), self._width, 32)

    def fold_rect(self) -> QRectF:
        """The mark that folds and unfolds, in the scene."""
        if self.folded:
            return QRectF(self.x() + WIDTH - 30, self.y() + 4, 26, 26)
        return QRectF(self.x() + 5, self.y() + 4, 26, 26)

    def fare(self, status: str, caption: Caption | None) -> None:
        """Shows how its steps fared, while folded."""
        if (status, caption) != (self.status, self.caption):
            self.status, self.caption = status, caption
            self.update()

    def forget_words(self) -> None:
        """The fonts are other ones."""
        self._words.clear()
        self.update()

    def _paint(self, painter: QPainter, stage: Stage) -> None:
        if self.folded:
            self._paint_card(painter, stage)
        else:
            self._paint_frame(painter, stage)

    def _paint_frame(self, painter: QPainter, stage: Stage) -> None:
        ink = stage.ink
        theme = ink.theme
        zoom = painter.worldTransform().m11()
        painter.setBrush(theme.color("text3", 0.05 if theme.dark else 0.06))
        painter.setPen(self._border(ink, pen(theme.color("line2"), 1)))
        painter.drawRoundedRect(QRectF(0.5, 0.5, self._width - 1, self._height - 1), 12, 12)
        if not stage.draft:
            painter.setPen(ink.text2)
            grown = max(1.0, SMALL_FONT_PIXELS / (12 * zoom))
            left = 14.0
            if zoom >= PLAIN:
                left = 31.0
                self._paint_fold(painter, ink, zoom, "caret-down", 18.0, 16.5)
            painter.setFont(ink.note_title_font)
            painter.scale(grown, grown)
            room = (self._width - left - 14) / grown
            text = ink.metrics(ink.note_title_font).elidedText(self.text, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QPointF(left / grown, 21 if grown == 1.0 else 17), text)
            painter.scale(1 / grown, 1 / grown)
        self._paint_grip(painter, ink)

    def _paint_fold(self, painter: QPainter, ink: Ink, zoom: float, icon: str, x: float, y: float) -> None:
        color = ink.theme.color("text" if self.hovered_fold else "text3")
        picture = ink.icon(icon, color, 14)
        painter.save()
        painter.translate(x - 7, y - 7)
        painter.scale(1 / zoom, 1 / zoom)
        painter.drawPixmap(QPointF(0, 0), picture)
        painter.restore()

    def _look(self) -> str:
        if self.status in _ALIVE:
            return f"{self.status}+" if self.isSelected() else self.status
        if self.isSelected():
            return "selected"
        return "hover" if self.hovered else "idle"

    def _paint_card(self, painter: QPainter, stage: Stage) -> None:
        ink = stage.ink
        theme = ink.theme
        at = painter.worldTransform()
        zoom = at.m11()
        if zoom < FAR:
            return  # it is among the rectangles that are painted from afar
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not stage.draft)
        painter.setPen(pen(theme.color("line2"), 1))
        painter.setBrush(theme.color("node"))
        for back in (8.0, 4.0):
            edge = QRectF(back + 0.5, back + 0.5, WIDTH - 2 * back - 1, _FOLDED_HEIGHT - 1)
            painter.drawRoundedRect(edge, 10, 10)
        painter.setWorldTransform(QTransform.fromTranslate(stage.pixel(at.dx()), stage.pixel(at.dy())))
        painter.drawPixmap(QPointF(-MARGIN * zoom, -MARGIN * zoom), ink.card(self._look(), _FOLDED_HEIGHT))
        painter.drawPixmap(QPointF(12 * zoom, 12 * zoom), ink.tile("stack", "", False))
        if zoom >= PLAIN:
            for shown, x in ((self.entered, 0.0), (self.left, WIDTH)):
                if shown:
                    spot = QPointF((x - 8) * zoom, (_FOLDED_HEIGHT / 2 - 8) * zoom)
                    painter.drawPixmap(spot, ink.port(True, False, False))
        painter.scale(zoom, zoom)
        if not stage.draft:
            self._paint_card_words(painter, ink, zoom)
        if zoom >= PLAIN:
            self._paint_fold(painter, ink, zoom, "caret-right", WIDTH - 17, 17)
            if self.caption is not None and zoom >= READABLE:
                icon = ink.icon(theme.state_icon(self.caption.state), theme.state(self.caption.state), 14)
                painter.setWorldTransform(QTransform.fromTranslate(stage.pixel(at.dx()), stage.pixel(at.dy())))
                painter.drawPixmap(QPointF(4 * zoom, (_FOLDED_HEIGHT + 11) * zoom), icon)

    def _paint_card_words(self, painter: QPainter, ink: Ink, zoom: float) -> None:
        small = zoom < PLAIN or zoom * 13 < 11
        font = ink.note_title_font if small else ink.title_font
        grown = max(1.0, (11 if zoom >= 0.55 else SMALL_FONT_PIXELS) / (12 * zoom)) if small else 1.0
        room = WIDTH - 62 - 34
        painter.setPen(ink.text)
        painter.setFont(font)
        title = self._line("title", self.text, font, int(room / grown / 6) * 6, ink)
        middle = 23.5 if zoom >= READABLE else 32.0
        painter.save()
        painter.translate(62, middle)
        painter.scale(grown, grown)
        painter.drawStaticText(QPointF(0, -title.size().height() / 2), title)
        painter.restore()
        if zoom < READABLE:
            return
        painter.setPen(ink.text2)
        painter.setFont(ink.summary_font)
        told = f"{self.count} step{'s' if self.count != 1 else ''}, folded"
        painter.drawStaticText(QPointF(62, 34.4), self._line("summary", told, ink.summary_font, room, ink))
        if self.caption is not None:
            painter.setFont(ink.label_font)
            painter.setPen(ink.state_pen(self.caption.state))
            words = self._line("caption", self.caption.text, ink.label_font, WIDTH - 24, ink)
            painter.drawStaticText(QPointF(23.5, _FOLDED_HEIGHT + 18 - words.size().height() / 2), words)

    def _line(self, key: str, text: str, font: Any, room: float, ink: Ink) -> QStaticText:
        told = f"{id(font)} {room} {text}"
        kept = self._words.get(key)
        if kept is None or kept[0] != told:
            kept = self._words[key] = told, ink.words(text, font, room)
        return kept[1]
