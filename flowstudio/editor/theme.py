"""How everything looks: colours, fonts, icons and the style sheet, read from `resources/themes` and `resources/fonts`.

Widgets ask for a look by a dynamic property (`widget.setProperty("kind", "primary")`), never by a colour of their own:

    QPushButton   kind = primary | run | go-on | danger | ghost | figure | offer | link; segment (inside a segmented QFrame), small = true
    QToolButton   rail, mini (24 × 24), bare = true
    QFrame        segmented, card, overlay, toolbox = true; card = panel; rule = h | v; banner = err | warn | run | accent | bar
    QWidget       pane = app | panel | raised | canvas (a subclass of QWidget needs WA_StyledBackground too)
    QLabel        type = title | heading | label | hint | small | tiny | figure | display
                  tone = muted | faint | accent | ok | err | warn | run; chip = neutral | accent | ok | err | warn | run
                  key = true (a key cap)
    fields        invalid, search, compact, flat = true. A style sheet cannot indent a spin box's text: lineEdit().setTextMargins
                  (8, 0, 0, 0) does. bare = true | caption | title: a frame around it draws border and focus
    QCheckBox     switch = true
    QTabBar       documents = true

`ring` is set by the theme itself, on the button or tab bar that got the focus by the keyboard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, QTemporaryDir, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QImage,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPalette,
    QPen,
    QPixmap,
    QRawFont,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QTabBar, QWidget

from flowstudio.resources import resource

ThemeName = Literal["light", "dark"]
Choice = Literal["light", "dark", "system"]
Family = Literal["ui", "mono"]

_FAMILIES: Final[Mapping[Family, str]] = {"ui": "Inter", "mono": "JetBrains Mono"}

_TRACKING: Final = 98.5
"""The distance of letters in the user interface, in percent of the font's own."""

_CATEGORIES: Final[Mapping[str, str]] = {
    "Trigger": "cTrigger",
    "Connect": "cConnect",
    "Transform": "cTransform",
    "Logic": "cLogic",
    "Reliability": "cLogic",
    "Output": "cOutput",
}

_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "idle": ("line2", "circle"),
    "running": ("run", "circle-half-fill"),
    "waiting": ("run", "hourglass-medium-fill"),
    "succeeded": ("ok", "check-circle-fill"),
    "replayed": ("ok", "clock-counter-clockwise"),
    "filtered": ("text3", "funnel-fill"),
    "failed": ("err", "warning-circle-fill"),
    "paused": ("warnLine", "pause-circle-fill"),
    "not-taken": ("text3", "minus-circle"),
    "disabled": ("text3", "prohibit"),
    "not-configured": ("warn", "warning-fill"),
}


class UnknownLookError(KeyError):
    """A colour, state, font file or icon that is not there; raised when asked for, never inside a paint event."""

    def __str__(self) -> str:
        return str(self.args[0])


def load_fonts() -> None:
    """Loads the bundled fonts into the running application, once."""
    application = QGuiApplication.instance()
    if application is None or application.property("flowstudioFonts"):
        return
    for path in sorted(resource("fonts").glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) == -1:
            raise UnknownLookError(f"the font {path.name} could not be read; install FlowStudio again")
    application.setProperty("flowstudioFonts", True)


@cache
def _icon_folder() -> Path:
    # QtAwesome's own Python face is passed by: importing it takes 0.3 s (qtpy loads every name of Qt), its first icon
    # another 0.1 s (it reads twelve fonts), and a name that is missing raises inside paint.
    found = find_spec("qtawesome")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    if not folders:
        raise UnknownLookError("QtAwesome, which holds the icons, is missing; install FlowStudio again")
    return Path(folders[0], "fonts")


@cache
def _icon_codes() -> Mapping[str, str]:
    codes: Mapping[str, str] = json.loads(next(_icon_folder().glob("phosphor-charmap-*.json")).read_bytes())
    return codes


@cache
def _icon_font() -> QRawFont:
    file = next(_icon_folder().glob("phosphor-[0-9]*.ttf"))
    return QRawFont(str(file), 256.0, QFont.HintingPreference.PreferNoHinting)


def is_icon(name: str) -> bool:
    """Whether there is an icon of this name."""
    return name in _PAINTED or name in _icon_codes()


@cache
def icon_path(name: str) -> QPainterPath:
    """The outline of an icon in a square of 16 × 16; UnknownLookError when there is none of this name."""
    if name in _PAINTED:
        return _PAINTED[name]()
    codes, font = _icon_codes(), _icon_font()
    if name not in codes:
        raise UnknownLookError(f"there is no icon {name!r}; its name must be one of Phosphor's, as in caret-down-bold")
    path = font.pathForGlyph(font.glyphIndexesForString(chr(int(codes[name], 16)))[0])
    for index in range(path.elementCount()):
        element = path.elementAt(index)
        path.setElementPositionAt(index, element.x / 16, (element.y + font.ascent()) / 16)
    path.setFillRule(Qt.FillRule.WindingFill)
    return path


def _line_drawing(draw: Callable[[QPainterPath], None], dot: QPointF | None = None) -> QPainterPath:
    lines = QPainterPath()
    draw(lines)
    stroker = QPainterPathStroker(QPen(Qt.GlobalColor.black, 1.25))
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
    stroker.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    outline = stroker.createStroke(lines)
    outline.setFillRule(Qt.FillRule.WindingFill)
    if dot is not None:
        outline.addEllipse(dot, 1.6, 1.6)
    return outline


def _polyline(path: QPainterPath, *points: tuple[float, float]) -> None:
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)


def _step_over() -> QPainterPath:
    def draw(path: QPainterPath) -> None:
        path.moveTo(2.5, 9.5)
        path.cubicTo(3.2, 3.2, 11.2, 2.6, 13.2, 8.4)
        _polyline(path, (9.9, 7.9), (13.3, 8.6), (14.1, 5.2))

    return _line_drawing(draw, QPointF(8, 12.4))


def _step_back() -> QPainterPath:
    def draw(path: QPainterPath) -> None:
        path.moveTo(13.5, 9.5)
        path.cubicTo(12.8, 3.2, 4.8, 2.6, 2.8, 8.4)
        _polyline(path, (6.1, 7.9), (2.7, 8.6), (1.9, 5.2))

    return _line_drawing(draw, QPointF(8, 12.4))


def _step_into() -> QPainterPath:
    def draw(path: QPainterPath) -> None:
        _polyline(path, (8, 1.8), (8, 8.6))
        _polyline(path, (5.2, 6), (8, 8.8), (10.8, 6))

    return _line_drawing(draw, QPointF(8, 12.9))


def _step_out() -> QPainterPath:
    def draw(path: QPainterPath) -> None:
        _polyline(path, (8, 2.2), (8, 9))
        _polyline(path, (5.2, 4.8), (8, 2), (10.8, 4.8))

    return _line_drawing(draw, QPointF(8, 12.9))


def _spinner() -> QPainterPath:
    def draw(path: QPainterPath) -> None:
        path.arcMoveTo(QRectF(2, 2, 12, 12), 90)
        path.arcTo(QRectF(2, 2, 12, 12), 90, -270)

    return _line_drawing(draw)


_PAINTED: Final[Mapping[str, Callable[[], QPainterPath]]] = {
    "step-over": _step_over,
    "step-back": _step_back,
    "step-into": _step_into,
    "step-out": _step_out,
    "spinner": _spinner,
}
"""The icons that Phosphor lacks."""


class Theme:
    """One theme: every colour, font, icon and style rule of it. Nothing in it changes."""

    def __init__(self, name: ThemeName, *, text_scale: float = 1.0, high_contrast: bool = False) -> None:
        self.name: Final[ThemeName] = name
        self.text_scale: Final = text_scale
        self.high_contrast: Final = high_contrast
        self._tokens: Final = _tokens(name, high_contrast)
        self._colors = {token: QColor(value) for token, value in self._tokens.items()}
        self._icons: dict[tuple[str, int, int], QIcon] = {}
        self._pixmaps: dict[tuple[str, int, float, float], QPixmap] = {}
        self._pictures: QTemporaryDir | None = None

    @property
    def dark(self) -> bool:
        """Whether the theme is light on dark."""
        return self.name == "dark"

    def color(self, token: str, alpha: float = 1.0) -> QColor:
        """The colour of a token of `tokens.json`, opaque or with an alpha from 0 to 1."""
        color = QColor(self._colors[self._known(token)])
        if alpha < 1.0:
            color.setAlphaF(alpha)
        return color

    def hex(self, token: str) -> str:
        """The colour of a token as `#RRGGBB`."""
        return self._tokens[self._known(token)]

    def category(self, category: str) -> QColor:
        """The colour of a palette group."""
        return self.color(_CATEGORIES.get(str(category), "text2"))

    def tile(self, category: str) -> QColor:
        """The ground under a category's icon: its colour over the card, 18 % on dark and 12 % on light."""
        return self.blend("node", self.category(category), 0.0 if self.high_contrast else 0.18 if self.dark else 0.12)

    def state(self, state: str) -> QColor:
        """The colour of a run state of a step."""
        return self.color(_look_of(state)[0])

    def state_icon(self, state: str) -> str:
        """The name of the icon that always goes with a state's word."""
        return _look_of(state)[1]

    def blend(self, under: str | QColor, over: str | QColor, share: float) -> QColor:
        """The opaque colour of `over` laid on `under` with an opacity of `share`."""
        a, b = self._as_color(under), self._as_color(over)
        return QColor.fromRgbF(
            a.redF() + (b.redF() - a.redF()) * share,
            a.greenF() + (b.greenF() - a.greenF()) * share,
            a.blueF() + (b.blueF() - a.blueF()) * share,
        )

    def font(
        self, family: Family = "ui", size: float = 13, weight: int = 400, *, tabular: bool = False, scaled: bool = True
    ) -> QFont:
        """A font by its size in pixels; `tabular` gives figures of one width, `scaled` follows the text size setting."""
        font = QFont(_FAMILIES[family])
        font.setPointSizeF(self._points(size) if scaled else _points(size))
        font.setWeight(QFont.Weight(weight))
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        if family == "mono":
            font.setStyleHint(QFont.StyleHint.Monospace)
            # Ligatures would show `!=` and `->` as signs that nobody typed.
            font.setFeature(QFont.Tag("calt"), 0)
        else:
            font.setStyleHint(QFont.StyleHint.SansSerif)
            # Inter is spaced for running text; titles, labels and figures of a user interface look calmer a little closer.
            font.setLetterSpacing(QFont.SpacingType.PercentageSpacing, _TRACKING)
            if tabular:
                font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def icon(self, name: str, color: str | QColor = "text2", size: int = 16) -> QIcon:
        """An icon for a widget, sharp at one, two and three times the size, faint when disabled."""
        tint = self._as_color(color)
        key = (name, tint.rgba(), size)
        if key not in self._icons:
            icon = QIcon()
            for ratio in (1.0, 2.0, 3.0):
                icon.addPixmap(self.pixmap(name, tint, size, ratio))
                icon.addPixmap(self.pixmap(name, "text3", size, ratio), QIcon.Mode.Disabled)
            self._icons[key] = icon
        return self._icons[key]

    def pixmap(self, name: str, color: str | QColor = "text2", size: float = 16, ratio: float = 1.0) -> QPixmap:
        """An icon as a picture of `size` × `size`, for a screen of that device pixel ratio."""
        tint = self._as_color(color)
        key = (name, tint.rgba(), size, ratio)
        if key not in self._pixmaps:
            self._pixmaps[key] = QPixmap.fromImage(_icon_image(name, tint, size, ratio))
        return self._pixmaps[key]

    def palette(self) -> QPalette:
        """The colours for what no style rule reaches."""
        palette = QPalette()
        role = QPalette.ColorRole
        for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive, QPalette.ColorGroup.Disabled):
            text = self.color("text3" if group == QPalette.ColorGroup.Disabled else "text")
            for target, color in {
                role.Window: self.color("panel"),
                role.WindowText: text,
                role.Base: self.color("field"),
                role.AlternateBase: self.color("raised"),
                role.Text: text,
                role.Button: self.color("raised"),
                role.ButtonText: text,
                role.BrightText: self.color("accentText"),
                role.PlaceholderText: self.color("text3"),
                role.ToolTipBase: self.color("raised"),
                role.ToolTipText: self.color("text"),
                role.Highlight: self.color("accentFill"),
                role.HighlightedText: self.color("accentText"),
                role.Link: self.color("accent"),
                role.LinkVisited: self.color("accent"),
                role.Light: self.color("line2"),
                role.Midlight: self.color("line"),
                role.Mid: self.color("line"),
                role.Dark: self.color("line2"),
                role.Shadow: self.color("shadow"),
                role.Accent: self.color("accent"),
            }.items():
                palette.setColor(group, target, color)
        return palette

    def style_sheet(self) -> str:
        """The application's style sheet in this theme's colours."""
        source = re.sub(r"/\*.*?\*/", "", resource("themes", "app.qss").read_text(encoding="utf-8"), flags=re.DOTALL)
        source = re.sub(r"@pt\(([\d.]+)\)", lambda m: f"{self._points(float(m[1])):.3f}pt", source)
        source = re.sub(
            r"@glyph\(([\w-]+), (\w+), (\d+)\)", lambda m: f'url("{self._picture(m[1], m[2], int(m[3]))}")', source
        )
        return re.sub(r"@(\w+)", lambda m: self.hex(m[1]), source)

    def apply(self, app: QApplication) -> None:
        """Dresses the application: fonts, palette and style sheet."""
        load_fonts()
        if app.style().objectName() != "fusion" and not app.styleSheet():
            app.setStyle("Fusion")
        app.setFont(self.font())
        app.setPalette(self.palette())
        app.setStyleSheet(self.style_sheet())

    def _known(self, token: str) -> str:
        if token not in self._tokens:
            raise UnknownLookError(f"the theme {self.name} has no colour {token!r}; its colours stand in tokens.json")
        return token

    def _as_color(self, color: str | QColor) -> QColor:
        return self.color(color) if isinstance(color, str) else color

    def _points(self, pixels: float) -> float:
        return _points(pixels * self.text_scale)

    def _picture(self, name: str, token: str, size: int) -> str:
        # Style sheets load pictures from files alone; @2x is Qt's own mark for screens of twice the density.
        if self._pictures is None:
            self._pictures = QTemporaryDir()
        folder = Path(self._pictures.path())
        file = folder / f"{name}-{token}-{size}.png"
        if not file.exists():
            _control_image(self, name, token, size, 1.0).save(str(file))
            _control_image(self, name, token, size, 2.0).save(str(file.with_name(f"{file.stem}@2x.png")))
        return file.as_posix()


class Themes(QObject):
    """Which theme is on, and the other settings of the eye; dresses the application whenever one of them changes."""

    changed = Signal(object)
    """The new Theme. Also sent when only the text size, the contrast or the motion changed."""

    def __init__(self, choice: Choice = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choice: Choice = choice
        self._text_scale = 1.0
        self._high_contrast = False
        self._reduced_motion = False
        self._current = Theme(self._wanted())
        self._app: QApplication | None = None
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._follow_system)

    @property
    def current(self) -> Theme:
        """The theme that is on."""
        return self._current

    @property
    def choice(self) -> Choice:
        """What was asked for; `system` follows the desktop."""
        return self._choice

    @property
    def reduced_motion(self) -> bool:
        """Whether nothing may move by itself."""
        return self._reduced_motion

    def set(self, choice: Choice) -> None:
        """Chooses light, dark or what the desktop says."""
        self._choice = choice
        self._renew()

    def set_text_scale(self, scale: float) -> None:
        """Sets the size of all text but the canvas's: 1.0, 1.15 or 1.3."""
        self._text_scale = scale
        self._renew()

    def set_high_contrast(self, on: bool) -> None:
        """Makes borders as strong as text, and takes the tints away."""
        self._high_contrast = on
        self._renew()

    def set_reduced_motion(self, on: bool) -> None:
        """Stops, or allows again, everything that moves by itself."""
        if on != self._reduced_motion:
            self._reduced_motion = on
            self.changed.emit(self._current)

    def apply(self, app: QApplication) -> None:
        """Dresses the application, now and after every change."""
        if self._app is None:
            app.focusChanged.connect(_ring_the_focus)
        self._app = app
        self._current.apply(app)

    def _wanted(self) -> ThemeName:
        if self._choice != "system":
            return self._choice
        scheme = QGuiApplication.styleHints().colorScheme()
        return "dark" if scheme == Qt.ColorScheme.Dark else "light"

    def _follow_system(self) -> None:
        if self._choice == "system":
            self._renew()

    def _renew(self) -> None:
        theme, old = self._wanted(), self._current
        if (theme, self._text_scale, self._high_contrast) == (old.name, old.text_scale, old.high_contrast):
            return
        self._current = Theme(theme, text_scale=self._text_scale, high_contrast=self._high_contrast)
        if self._app is not None:
            self._current.apply(self._app)
        self.changed.emit(self._current)


def set_look(widget: QWidget, **properties: str | bool) -> None:
    """Sets properties that style rules select by, and lets the rules look at the widget again."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def _ring_the_focus(old: QWidget | None, new: QWidget | None) -> None:
    # A ring shows where the keyboard is. A click gives the focus too, and needs no ring: then a mouse button is down.
    if isinstance(old, (QAbstractButton, QTabBar)) and old.property("ring"):
        set_look(old, ring=False)
    if isinstance(new, (QAbstractButton, QTabBar)) and QGuiApplication.mouseButtons() == Qt.MouseButton.NoButton:
        set_look(new, ring=True)


def _look_of(state: str) -> tuple[str, str]:
    if state not in _STATES:
        raise UnknownLookError(f"there is no state {state!r}; the states are {', '.join(_STATES)}")
    return _STATES[state]


@cache
def _tokens(name: ThemeName, high_contrast: bool) -> Mapping[str, str]:
    tokens: dict[str, str] = json.loads(resource("themes", f"{name}.json").read_bytes())
    del tokens["name"]
    if high_contrast:
        for border in ("line", "line2", "fieldLine"):
            tokens[border] = tokens["text2"]
        for tint in ("accentSoft", "okSoft", "errSoft", "warnSoft", "runSoft"):
            tokens[tint] = tokens["panel"]
    for fill in ("accentFill", "errFill", "warnFill"):
        # White text on the fills has little contrast to spare: hovering darkens on light and only just lifts on dark.
        tokens[f"{fill}Hover"] = QColor(tokens[fill]).darker(108).name()
    return tokens


def _points(pixels: float) -> float:
    # Qt takes fractions of a point but no fractions of a pixel.
    screen = QGuiApplication.primaryScreen()
    return pixels * 72 / (screen.logicalDotsPerInch() if screen is not None else 96.0)


def _canvas_image(width: float, height: float, ratio: float) -> tuple[QImage, QPainter]:
    image = QImage(round(width * ratio), round(height * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return image, painter


def _icon_image(name: str, color: QColor, size: float, ratio: float) -> QImage:
    path = icon_path(name)
    image, painter = _canvas_image(size, size, ratio)
    painter.scale(size / 16, size / 16)
    painter.fillPath(path, color)
    painter.end()
    return image


def _control_image(theme: Theme, name: str, token: str, size: int, ratio: float) -> QImage:
    kind, _, rest = name.partition("-")
    if kind in ("check", "radio", "switch") and rest.split("-")[0] in ("on", "off", "part"):
        return _toggle_image(theme, kind, rest.removesuffix("-ring"), rest.endswith("-ring"), token, size, ratio)
    return _icon_image(name, theme.color(token), size, ratio)


def _toggle_image(theme: Theme, kind: str, value: str, ring: bool, token: str, size: int, ratio: float) -> QImage:
    width = 38 if kind == "switch" else size
    image, painter = _canvas_image(width, size, ratio)
    box = QRectF(3, 3, width - 6, size - 6) if kind == "switch" else QRectF(1.5, 1.5, size - 3, size - 3)
    radius = 4.5 if kind == "check" else box.height() / 2
    if ring:
        painter.setPen(QPen(theme.color("accent"), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        around = box.adjusted(-2, -2, 2, 2) if kind == "switch" else box.adjusted(-0.5, -0.5, 0.5, 0.5)
        painter.drawRoundedRect(around, radius + 2, radius + 2)
    on = value in ("on", "part")
    painter.setPen(Qt.PenStyle.NoPen if on or kind == "switch" else QPen(theme.color(token), 1.25))
    painter.setBrush(theme.color(token if on or kind == "switch" else "field"))
    if not (ring and kind != "switch" and not on):
        painter.drawRoundedRect(box, radius, radius)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color("accentText"))
    if kind == "switch":
        knob = box.height() - 4
        left = box.right() - knob - 2 if on else box.left() + 2
        painter.drawEllipse(QRectF(left, box.top() + 2, knob, knob))
    elif kind == "radio" and on:
        painter.drawEllipse(box.center(), 3, 3)
    elif value == "part":
        painter.drawRoundedRect(QRectF(box.center().x() - 4, box.center().y() - 1, 8, 2), 1, 1)
    elif on:
        tick = QPen(theme.color("accentText"), 1.75)
        tick.setCapStyle(Qt.PenCapStyle.RoundCap)
        tick.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(tick)
        painter.drawPolyline([QPointF(5.2, 9.3), QPointF(7.9, 12), QPointF(12.8, 6.3)])
    painter.end()
    return image
