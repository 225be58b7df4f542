"""The line that a wire takes between two ports."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath


@dataclass(frozen=True, slots=True)
class Route:
    """A cubic from an output to an input, with horizontal tangents; from an `error` port it starts downwards.

    One that goes back to about its own level, as a loop's does, goes up and over the cards between, which would hide it.
    """

    start: tuple[float, float]
    first: tuple[float, float]
    second: tuple[float, float]
    end: tuple[float, float]

    @property
    def straight(self) -> bool:
        """Whether the line is level, and so can be drawn as one."""
        return self.start[1] == self.first[1] == self.end[1] and self.start[0] <= self.end[0]

    @property
    def middle(self) -> tuple[float, float]:
        """The point halfway."""
        return self.at(0.5)

    def at(self, share: float) -> tuple[float, float]:
        """The point at a share of the curve from 0 to 1."""
        rest = 1 - share
        a, b, c, d = rest**3, 3 * rest * rest * share, 3 * rest * share * share, share**3
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = self.start, self.first, self.second, self.end
        return a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3

    def distance(self, x: float, y: float) -> float:
        """How far a point is from the line, to about a unit."""
        best = float("inf")
        px, py = self.start
        for step in range(1, 25):
            qx, qy = self.at(step / 24)
            best = min(best, _to_segment(x, y, px, py, qx, qy))
            px, py = qx, qy
        return best

    def bounds(self, margin: float) -> QRectF:
        """A rectangle around the curve, at least `margin` away from it."""
        xs = (self.start[0], self.first[0], self.second[0], self.end[0])
        ys = (self.start[1], self.first[1], self.second[1], self.end[1])
        left, top = min(xs) - margin, min(ys) - margin
        return QRectF(left, top, max(xs) + margin - left, max(ys) + margin - top)

    def path(self) -> QPainterPath:
        """The curve, to be drawn."""
        path = QPainterPath(QPointF(*self.start))
        if self.straight:
            path.lineTo(QPointF(*self.end))
        else:
            path.cubicTo(QPointF(*self.first), QPointF(*self.second), QPointF(*self.end))
        return path


def route(start: tuple[float, float], end: tuple[float, float], downwards: bool = False) -> Route:
    """The route between two points; `downwards` where it leaves the lower edge of a card."""
    dx = end[0] - start[0]
    reach = min(max(dx / 2, 36.0), 140.0) if dx >= 0 else min(90.0 + abs(dx) / 4, 220.0)
    lift = _lift(dx, end[1] - start[1])
    first = (start[0], start[1] + min(reach, 90.0)) if downwards else (start[0] + reach, start[1] - lift)
    return Route(start, first, (end[0] - reach, end[1] - lift), end)


def _lift(dx: float, dy: float) -> float:
    """How far the tangents of a wire that goes back point upwards: less the more it rises or falls by itself."""
    if dx >= 0:
        return 0.0
    over = min(110.0 + abs(dx) / 8, 400.0) * min(1.0, abs(dx) / 200)
    return over * max(0.0, 1 - abs(dy) / 300)


def _to_segment(x: float, y: float, px: float, py: float, qx: float, qy: float) -> float:
    dx, dy = qx - px, qy - py
    length = dx * dx + dy * dy
    share = 0.0 if length == 0 else max(0.0, min(1.0, ((x - px) * dx + (y - py) * dy) / length))
    rx, ry = px + share * dx - x, py + share * dy - y
    return float((rx * rx + ry * ry) ** 0.5)
