"""The flow seen from afar: rectangles and straight lines, painted in a few calls however many there are."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from flowstudio.editor.canvas.ink import Ink, pen
from flowstudio.editor.canvas.items import GroupItem, StepItem, WireItem

Drawn = StepItem | GroupItem
"""What is a rectangle from afar: a card, or a folded group."""

_ROUNDED = 150
"""Up to so many cards the small map rounds their corners."""
_WIRE_STATES = ("not-taken", "idle", "executed", "paused", "running", "failed")


class Overview:
    """A rectangle for each card and a line for each wire, kept by state and changed in place."""

    def __init__(self) -> None:
        self._rects: dict[str, dict[Drawn, QRectF]] = {}
        self._chosen: dict[Drawn, QRectF] = {}
        self._bounds: QRectF | None = None
        self.revision = 0
        """Rises whenever a card changes."""
        self._lines: dict[str, dict[WireItem, QLineF]] = {}
        self._state_of: dict[Drawn, str] = {}
        self._line_state_of: dict[WireItem, str] = {}
        self._rect_lists: dict[str, list[QRectF]] = {}
        self._line_lists: dict[str, list[QLineF]] = {}

    def put(self, item: Drawn) -> None:
        """Takes in a card, or what is new of it."""
        if isinstance(item, StepItem) and item.folded is not None:
            self.drop(item)
            return
        state, rect = item.status, item.card_rect()
        before = self._state_of.get(item)
        lay = self._rects[before].get(item) if before is not None else None
        if before != state or lay != rect:
            self.revision += 1
            if lay != rect:
                self._bounds = None
            if before is not None and before != state:
                del self._rects[before][item]
                self._rect_lists.pop(before, None)
            self._state_of[item] = state
            self._rects.setdefault(state, {})[item] = rect
            self._rect_lists.pop(state, None)
        if item.isSelected():
            self._chosen[item] = rect
        else:
            self._chosen.pop(item, None)

    def put_wire(self, item: WireItem) -> None:
        """Takes in a wire, or what is new of it."""
        if item.tucked:
            self.drop_wire(item)
            return
        before = self._line_state_of.get(item)
        if before is not None and before != item.state:
            del self._lines[before][item]
            self._line_lists.pop(before, None)
        self._line_state_of[item] = item.state
        start, end = item.route.start, item.route.end
        self._lines.setdefault(item.state, {})[item] = QLineF(*start, *end)
        self._line_lists.pop(item.state, None)

    def drop(self, item: Drawn) -> None:
        """Forgets a card."""
        self._chosen.pop(item, None)
        state = self._state_of.pop(item, None)
        if state is not None:
            self.revision += 1
            self._bounds = None
            del self._rects[state][item]
            self._rect_lists.pop(state, None)

    def drop_wire(self, item: WireItem) -> None:
        """Forgets a wire."""
        state = self._line_state_of.pop(item, None)
        if state is not None:
            del self._lines[state][item]
            self._line_lists.pop(state, None)

    def rects(self) -> Iterable[tuple[str, list[QRectF]]]:
        """State and rectangles of its cards."""
        for state, rects in self._rects.items():
            if state not in self._rect_lists:
                self._rect_lists[state] = list(rects.values())
            yield state, self._rect_lists[state]

    def bounds(self) -> QRectF:
        """What all cards cover; empty without any."""
        if self._bounds is None:
            edges = [rect.getCoords() for _, group in self.rects() for rect in group]
            lefts, tops, rights, bottoms = zip(*edges, strict=True) if edges else ((0.0,),) * 4
            self._bounds = QRectF(QPointF(min(lefts), min(tops)), QPointF(max(rights), max(bottoms)))
        return self._bounds

    def columns(self) -> set[float]:
        """The left edges of all cards."""
        return {rect.x() for rects in self._rects.values() for rect in rects.values()}

    def paint(self, painter: QPainter, ink: Ink) -> None:
        """Paints all of it as it lies in the scene; the painter's transform is the view's."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for state in _WIRE_STATES:
            lines = self._lines.get(state)
            if lines:
                if state not in self._line_lists:
                    self._line_lists[state] = list(lines.values())
                painter.setPen(_hairline(ink.wires[state].color(), 1))
                painter.drawLines(self._line_lists[state])
        self._paint_rects(painter, ink)
        if self._chosen:
            painter.setBrush(ink.no_brush)
            painter.setPen(_hairline(ink.theme.color("accent"), 2))
            painter.drawRects(list(self._chosen.values()))

    def paint_map(self, painter: QPainter, ink: Ink) -> None:
        """Paints the cards alone, for the small map."""
        if len(self._state_of) > _ROUNDED:
            # With a border of a pixel none is too small to be seen, and smooth edges would take five times as long.
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            for state, rects in self.rects():
                brush = ink.far_brushes.get(state, ink.far_brushes["idle"])
                painter.setBrush(brush)
                painter.setPen(_hairline(brush.color(), 1))
                painter.drawRects(rects)
            return
        painter.setPen(ink.no_pen)
        for state, rects in self.rects():
            painter.setBrush(ink.far_brushes.get(state, ink.far_brushes["idle"]))
            for rect in rects:
                painter.drawRoundedRect(rect, 16, 16)

    def _paint_rects(self, painter: QPainter, ink: Ink) -> None:
        painter.setPen(ink.no_pen)
        for state, rects in self.rects():
            if rects:
                painter.setBrush(ink.far_brushes.get(state, ink.far_brushes["idle"]))
                painter.drawRects(rects)


def _hairline(color: QColor, width: float) -> QPen:
    line = pen(color, width)
    line.setCosmetic(True)
    return line
