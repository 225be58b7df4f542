"""What the canvas paints with: fonts, pens and ready-made pictures of one theme, kept for the zoom of the moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPixmap, QStaticText, QTransform

from flowstudio.editor.canvas.cards import WIDTH
from flowstudio.editor.canvas.stamps import Stamps
from flowstudio.editor.theme import Theme, icon_path

MARGIN: Final = 16.0
"""Around a card's picture, for its shadow or halo."""
RADIUS: Final = 10.0
FAR: Final = 0.25
"""Below this zoom everything is a plain rectangle."""
PLAIN: Final = 0.45
"""Below this zoom a card has tile and title only."""
READABLE: Final = 0.8
"""Below this zoom captions and summaries would be too small to read, and are left out."""

_BORDERS: Final[Mapping[str, tuple[str, float]]] = {
    "idle": ("line2", 1.0),
    "hover": ("line2", 1.0),
    "selected": ("accent", 2.0),
    "running": ("run", 2.0),
    "paused": ("warnLine", 2.0),
    "failed": ("err", 2.0),
    "not-taken": ("line2", 1.0),
    "disabled": ("line2", 1.0),
}
_HALOS: Final = frozenset({"selected", "running", "paused", "failed"})
_FADED: Final = 0.5

SMALL_FONT_PIXELS: Final = 9.0
"""No text on the canvas is smaller on the screen."""
_SPINNER_PLACES: Final = 28
"""As many as a turn has frames."""


def pen(color: QColor, width: float, *, cap: Qt.PenCapStyle = Qt.PenCapStyle.FlatCap) -> QPen:
    """A pen with round joins."""
    made = QPen(color, width)
    made.setCapStyle(cap)
    made.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return made


class Ink:
    """One theme's means of painting. Pictures are made on demand and forgotten when the zoom changes."""

    def __init__(self, theme: Theme) -> None:
        self.theme: Final = theme
        self.title_font: Final = theme.font("ui", 13, 600, scaled=False)
        self.middle_font: Final = theme.font("ui", 11, 600, scaled=False)
        self.small_font: Final = theme.font("ui", 9, 600, scaled=False)
        self.summary_font: Final = theme.font("ui", 11.5, 400, scaled=False)
        self.label_font: Final = theme.font("ui", 11, 500, tabular=True, scaled=False)
        self.pill_font: Final = theme.font("ui", 10.5, 600, tabular=True, scaled=False)
        self.note_font: Final = theme.font("ui", 12, 400, scaled=False)
        self.note_title_font: Final = theme.font("ui", 12, 600, scaled=False)
        # A stamp has no ground whose colours the pixels' parts could be mixed with: no text here is painted so.
        for font in (self.title_font, self.middle_font, self.small_font, self.summary_font, self.label_font):
            font.setStyleStrategy(QFont.StyleStrategy.PreferAntialias | QFont.StyleStrategy.NoSubpixelAntialias)
        self.text: Final = QPen(theme.color("text"))
        self.text2: Final = QPen(theme.color("text2"))
        self.text3: Final = QPen(theme.color("text3"))
        self.no_pen: Final = QPen(Qt.PenStyle.NoPen)
        self.no_brush: Final = QBrush(Qt.BrushStyle.NoBrush)
        self.canvas_brush: Final = QBrush(theme.color("canvas"))
        self._zoom = 0.0
        self._ratio = 0.0
        self._pictures: dict[tuple[object, ...], QPixmap] = {}
        self.stamps: Final = Stamps()
        self._shadows: dict[float, QImage] = {}
        self._state_pens: dict[str, QPen] = {}
        self._metrics: dict[int, QFontMetricsF] = {}

    def prepare(self, zoom: float, ratio: float) -> None:
        """Called before painting at a zoom on a screen of a device pixel ratio."""
        if zoom != self._zoom or ratio != self._ratio:
            self._zoom, self._ratio = zoom, ratio
            self._pictures.clear()
            self.stamps.clear()

    def state_pen(self, state: str) -> QPen:
        """The pen that writes a state's words."""
        if state not in self._state_pens:
            plain = state in ("succeeded", "replayed", "not-taken", "filtered", "disabled", "idle")
            color = self.theme.color("text2") if plain else self.theme.state(state)
            if state == "paused":
                color = self.theme.color("warn")
            self._state_pens[state] = QPen(color)
        return self._state_pens[state]

    def metrics(self, font: QFont) -> QFontMetricsF:
        """The metrics of one of the ink's own fonts."""
        key = id(font)
        if key not in self._metrics:
            self._metrics[key] = QFontMetricsF(font)
        return self._metrics[key]

    def words(self, text: str, font: QFont, width: float) -> QStaticText:
        """A line of text, laid out once, cut with an ellipsis where it is wider than `width`."""
        made = QStaticText(self.metrics(font).elidedText(text, Qt.TextElideMode.ElideRight, width) if width > 0 else "")
        made.setTextFormat(Qt.TextFormat.PlainText)
        made.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
        made.prepare(QTransform(), font)
        return made

    @cached_property
    def wires(self) -> Mapping[str, QPen]:
        """State of a wire to its pen."""
        theme = self.theme
        not_taken = pen(theme.color("wireOff"), 1.75)
        not_taken.setDashPattern([3, 4])
        dots = pen(theme.color("run"), 3, cap=Qt.PenCapStyle.RoundCap)
        dots.setDashPattern([1.2, 4.5])
        return {
            "idle": pen(theme.color("wire"), 2),
            "executed": pen(theme.color("ok", 0.75), 2),
            "running": pen(theme.color("run"), 2),
            "running-glow": pen(theme.color("run", 0.2), 6),
            "running-dots": dots,
            "paused": pen(theme.color("warnLine"), 2.5),
            "failed": pen(theme.color("err"), 2),
            "not-taken": not_taken,
            "marked": pen(theme.color("accent"), 3),
        }

    @cached_property
    def pill_pens(self) -> Mapping[str, QPen]:
        """State of a wire to the border of its pill."""
        theme = self.theme
        colors = {
            "idle": theme.color("line2"),
            "executed": theme.blend("canvas", "ok", 0.6),
            "running": theme.blend("canvas", "run", 0.7),
            "paused": theme.blend("canvas", "warnLine", 0.7),
            "failed": theme.blend("canvas", "err", 0.7),
            "not-taken": theme.color("wireOff"),
            "marked": theme.color("accent"),
        }
        return {state: pen(color, 1) for state, color in colors.items()}

    @cached_property
    def port_pens(self) -> tuple[QPen, QPen, QPen]:
        """The borders of a port: at rest, hovered, error."""
        theme = self.theme
        return pen(theme.color("wire"), 1.75), pen(theme.color("accent"), 2), pen(theme.color("err"), 1.75)

    @cached_property
    def port_brushes(self) -> tuple[QBrush, QBrush, QBrush]:
        """The fillings of a wired port: at rest, hovered, error."""
        theme = self.theme
        return QBrush(theme.color("wire")), QBrush(theme.color("accent")), QBrush(theme.color("err"))

    @cached_property
    def far_brushes(self) -> Mapping[str, QBrush]:
        """State of a step to the filling of its rectangle, seen from afar."""
        theme = self.theme
        colors = {state: theme.state(state) for state in ("running", "waiting", "failed", "paused", "not-configured")}
        colors["succeeded"] = colors["replayed"] = theme.blend("canvas", "ok", 0.85)
        colors["idle"] = theme.blend("canvas", "wire", 0.85)
        colors["filtered"] = colors["disabled"] = colors["not-taken"] = theme.blend("canvas", "wire", 0.5)
        return {state: QBrush(color) for state, color in colors.items()}

    def icon(self, name: str, color: QColor, size: float) -> QPixmap:
        """An icon of that size in scene units, at the zoom of the moment."""
        return self._picture(
            ("icon", name, color.rgba(), size), size, size, lambda p: self._draw_icon(p, name, color, size)
        )

    def tile(self, name: str, category: str, faded: bool) -> QPixmap:
        """The tile of 40 × 40 with the icon of a component."""
        return self._picture(
            ("tile", name, category, faded), 40, 40, lambda p: self._draw_tile(p, name, category, faded)
        )

    def card(self, look: str, height: float) -> QPixmap:
        """A card without what is written on it; it begins MARGIN to the left of and above the card's corner."""
        key = ("card", look, height)
        return self._picture(key, WIDTH + 2 * MARGIN, height + 2 * MARGIN, lambda p: self._draw_card(p, look, height))

    def port(self, wired: bool, hovered: bool, error: bool, faded: bool = False) -> QPixmap:
        """A port's circle in a square of 16 × 16."""
        return self._picture(
            ("port", wired, hovered, error, faded), 16, 16, lambda p: self._draw_port(p, wired, hovered, error, faded)
        )

    def stub(self, hovered: bool) -> QPixmap:
        """The line and the "+" button behind a free output, 44 × 24, the line's left end at (0, 12)."""
        return self._picture(("stub", hovered), 44, 24, lambda p: self._draw_stub(p, hovered))

    def spinner(self, turn: float) -> QPixmap:
        """The ring with its running arc in a square of 16 × 16, turned by a share of a whole turn."""
        place = round(turn * _SPINNER_PLACES) % _SPINNER_PLACES
        return self._picture(("spinner", place), 16, 16, lambda p: self._draw_spinner(p, place / _SPINNER_PLACES))

    def badge(self, kind: str) -> QPixmap:
        """A round badge in a square of 26 × 26: error, breakpoint, breakpoint-condition, breakpoint-off, breakpoint-hint."""
        return self._picture(("badge", kind), 26, 26, lambda p: self._draw_badge(p, kind))

    def _picture(
        self, key: tuple[object, ...], width: float, height: float, draw: Callable[[QPainter], None]
    ) -> QPixmap:
        found = self._pictures.get(key)
        if found is None:
            scale = self._zoom * self._ratio
            image = QImage(
                max(1, round(width * scale + 0.5)),
                max(1, round(height * scale + 0.5)),
                QImage.Format.Format_ARGB32_Premultiplied,
            )
            image.fill(Qt.GlobalColor.transparent)
            painter = QPainter(image)
            painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
            painter.scale(scale, scale)
            try:
                draw(painter)
            finally:
                # An image that is let go while it is painted on takes the process with it.
                painter.end()
            image.setDevicePixelRatio(self._ratio)
            found = self._pictures[key] = QPixmap.fromImage(image)
        return found

    @staticmethod
    def _draw_icon(painter: QPainter, name: str, color: QColor, size: float) -> None:
        painter.scale(size / 16, size / 16)
        painter.fillPath(icon_path(name), color)

    def _draw_tile(self, painter: QPainter, name: str, category: str, faded: bool) -> None:
        painter.setOpacity(_FADED if faded else 1.0)
        painter.setPen(self.no_pen)
        painter.setBrush(self.theme.tile(category))
        painter.drawRoundedRect(QRectF(0, 0, 40, 40), 9, 9)
        painter.translate(9.5, 9.5)
        self._draw_icon(painter, name, self.theme.category(category), 21)

    def _draw_card(self, painter: QPainter, look: str, height: float) -> None:
        theme = self.theme
        painter.translate(MARGIN, MARGIN)
        # A state's border stays when the step is selected: then its halo is stronger.
        look, selected = look.removesuffix("+"), look.endswith("+")
        if look == "not-taken":
            painter.setOpacity(_FADED)
        color, width = _BORDERS[look]
        if look in _HALOS:
            painter.setPen(self.no_pen)
            painter.setBrush(theme.color(color, 0.36 if selected else 0.18))
            painter.drawRoundedRect(QRectF(-4, -4, WIDTH + 8, height + 8), RADIUS + 4, RADIUS + 4)
        elif look != "not-taken":
            self._draw_shadow(painter, height)
        inset = width / 2
        border = QRectF(inset, inset, WIDTH - width, height - width)
        line = pen(theme.color(color), width)
        if look == "disabled":
            line = pen(theme.color("wire"), 1.25)
            line.setDashPattern([4, 3])
        painter.setPen(line)
        painter.setBrush(theme.color("nodeHover" if look == "hover" else "node"))
        painter.drawRoundedRect(border, RADIUS - inset, RADIUS - inset)

    def _draw_shadow(self, painter: QPainter, height: float) -> None:
        # Soft, so one picture does for all zooms: drawn anew it would take most of the time of a zoom's first frame.
        shadow = self._shadows.get(height)
        around = QRectF(-MARGIN, -MARGIN, WIDTH + 2 * MARGIN, height + 2 * MARGIN)
        if shadow is None:
            image = QImage(round(around.width()), round(around.height()), QImage.Format.Format_ARGB32_Premultiplied)
            image.fill(Qt.GlobalColor.transparent)
            layers = QPainter(image)
            layers.setRenderHint(QPainter.RenderHint.Antialiasing)
            layers.translate(MARGIN, MARGIN)
            layers.setPen(self.no_pen)
            strength = 0.055 if self.theme.dark else 0.012
            for step in range(8):
                grow = 5.0 - step
                layers.setBrush(self.theme.color("shadow", strength))
                layers.drawRoundedRect(
                    QRectF(-grow, 4 - grow, WIDTH + 2 * grow, height + 2 * grow), RADIUS + grow, RADIUS + grow
                )
            layers.end()
            shadow = self._shadows[height] = image
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(around, shadow)

    def _draw_spinner(self, painter: QPainter, turn: float) -> None:
        box = QRectF(2, 2, 12, 12)
        painter.setBrush(self.no_brush)
        painter.setPen(QPen(self.theme.color("run", 0.3), 1.9))
        painter.drawEllipse(box)
        painter.setPen(pen(self.theme.color("run"), 1.9, cap=Qt.PenCapStyle.RoundCap))
        painter.drawArc(box, round((90 - 360 * turn) * 16), -110 * 16)

    def _draw_port(self, painter: QPainter, wired: bool, hovered: bool, error: bool, faded: bool) -> None:
        at = 1 if hovered else 2 if error else 0
        size = 11.0 if hovered else 9.0
        line = self.port_pens[at]
        painter.setOpacity(_FADED if faded else 1.0)
        if wired:
            painter.setPen(self.no_pen)
            painter.setBrush(self.port_brushes[at])
            painter.drawEllipse(QPointF(8, 8), size / 2, size / 2)
        else:
            painter.setPen(line)
            painter.setBrush(self.canvas_brush)
            around = (size - line.widthF()) / 2
            painter.drawEllipse(QPointF(8, 8), around, around)

    def _draw_stub(self, painter: QPainter, hovered: bool) -> None:
        color = self.theme.color("accent" if hovered else "wire")
        painter.setPen(pen(color, 1.75))
        painter.drawLine(QPointF(0, 12), QPointF(20, 12))
        painter.setPen(pen(color, 1.5))
        painter.setBrush(self.theme.color("canvas"))
        painter.drawRoundedRect(QRectF(20.75, 2.75, 18.5, 18.5), 5.5, 5.5)
        painter.setPen(pen(self.theme.color("accent" if hovered else "text2"), 1.5, cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(25.5, 12), QPointF(34.5, 12))
        painter.drawLine(QPointF(30, 7.5), QPointF(30, 16.5))

    def _draw_badge(self, painter: QPainter, kind: str) -> None:
        theme, centre = self.theme, QPointF(13, 13)
        painter.setPen(self.no_pen)
        if kind == "error":
            painter.setBrush(theme.color("canvas"))
            painter.drawEllipse(centre, 12, 12)
            painter.setBrush(theme.color("errFill"))
            painter.drawEllipse(centre, 10, 10)
            painter.setBrush(theme.color("accentText"))
            painter.drawRoundedRect(QRectF(12, 7.5, 2, 6.5), 1, 1)
            painter.drawEllipse(QPointF(13, 17), 1.2, 1.2)
            return
        if kind == "breakpoint-hint":
            painter.setPen(pen(theme.color("bp", 0.7), 1.5))
            painter.setBrush(theme.color("bp", 0.18))
            painter.drawEllipse(centre, 7, 7)
            return
        painter.setBrush(theme.color("canvas"))
        painter.drawEllipse(centre, 10.5, 10.5)
        if kind == "breakpoint-off":
            painter.setPen(pen(theme.color("bp"), 2))
            painter.drawEllipse(centre, 7, 7)
            return
        painter.setBrush(theme.color("bp"))
        painter.drawEllipse(centre, 8, 8)
        if kind == "breakpoint-condition":
            painter.setBrush(theme.color("accentText"))
            painter.drawRoundedRect(QRectF(9.2, 10.2, 7.6, 1.8), 0.9, 0.9)
            painter.drawRoundedRect(QRectF(9.2, 14.0, 7.6, 1.8), 0.9, 0.9)
