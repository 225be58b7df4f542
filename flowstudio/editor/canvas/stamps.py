"""Pictures of the faces of cards: one that is painted again and has not changed is stamped instead."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap, QTransform

_MOST_BYTES: Final = 24_000_000
"""What all pictures together may take: two screens full of cards."""

_AFTER: Final = 2
"""A face that was painted so often with one look will be again; while one zooms none is."""

Look = tuple[object, ...]
"""All that a face depends on; where it lies is not among it."""


class Stamps:
    """The pictures at one zoom. A face gets one when it is painted again with the same look."""

    def __init__(self) -> None:
        self._looks: dict[object, tuple[Look, int]] = {}
        """The look with which a card was painted last, and how often."""
        self._pictures: OrderedDict[object, tuple[Look, QPixmap]] = OrderedDict()
        self._bytes = 0

    def clear(self) -> None:
        """Forgets all pictures: the zoom is another one."""
        self._looks.clear()
        self._pictures.clear()
        self._bytes = 0

    def paint(
        self,
        painter: QPainter,
        card: object,
        look: Look,
        bounds: QRectF,
        ratio: float,
        draw: Callable[[QPainter], None],
    ) -> None:
        """Paints a card's face at the painter's place, by its picture or by `draw`; `bounds` are where `draw` paints."""
        held = self._pictures.get(card)
        if held is not None:
            if held[0] == look:
                self._pictures.move_to_end(card)
                painter.drawPixmap(_corner(bounds), held[1])
                return
            self._drop(card)
        before, times = self._looks.get(card, (None, 0))
        times = times + 1 if before == look else 1
        if times < _AFTER:
            self._looks[card] = (look, times)
            draw(painter)
            return
        picture = _drawn(bounds, ratio, painter.renderHints(), draw)
        self._pictures[card] = (look, picture)
        self._bytes += _size(picture)
        while self._bytes > _MOST_BYTES and len(self._pictures) > 1:
            self._drop(next(iter(self._pictures)))
        painter.drawPixmap(_corner(bounds), picture)

    def _drop(self, card: object) -> None:
        _, picture = self._pictures.pop(card)
        self._bytes -= _size(picture)


def _corner(bounds: QRectF) -> QPointF:
    return QPointF(round(bounds.left()), round(bounds.top()))


def _size(picture: QPixmap) -> int:
    return picture.width() * picture.height() * 4


def _drawn(bounds: QRectF, ratio: float, hints: QPainter.RenderHint, draw: Callable[[QPainter], None]) -> QPixmap:
    corner = _corner(bounds)
    width, height = bounds.right() - corner.x(), bounds.bottom() - corner.y()
    picture = QPixmap(ceil(width * ratio), ceil(height * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    try:
        painter.setRenderHints(hints)
        painter.setWorldTransform(QTransform.fromTranslate(-corner.x(), -corner.y()))
        draw(painter)
    finally:
        painter.end()  # a picture that is let go while it is painted takes the process with it
    return picture


__all__ = ["Look", "Stamps"]
