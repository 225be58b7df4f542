"""The welcome page: examples to open and run, an empty flow, recent files, three keys to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from flowstudio.editor.actions import Actions, shown_key
from flowstudio.editor.panels.controls import Pane, TextButton, key_cap, rule, text_label
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Flow
from flowstudio.sdk.registry import Registry

WIDTH: Final = 1140
_CARD: Final = 300
_SHOWN_STEPS: Final = 5


@dataclass(frozen=True, slots=True)
class ExampleFlow:
    """An example as its card shows it."""

    path: Path
    flow: Flow


class Welcome(Pane):
    """What stands in the window before a flow is open."""

    example_opened = Signal(object)
    """The file of an example that shall be opened and run."""
    recent_opened = Signal(object)

    def __init__(
        self,
        examples: Sequence[ExampleFlow],
        registry: Registry,
        actions: Actions,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("canvas", parent)
        self._themes = themes
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self._bar(actions))
        outer.addWidget(rule("h", self))
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = Pane("canvas")
        area.setWidget(page)
        outer.addWidget(area, 1)
        across = QHBoxLayout(page)
        across.setContentsMargins(32, 0, 32, 0)
        across.addStretch(1)
        self._column = QWidget(page)
        self._column.setMaximumWidth(WIDTH)
        across.addWidget(self._column, 100)
        across.addStretch(1)
        column = QVBoxLayout(self._column)
        column.setContentsMargins(0, 120, 0, 48)
        column.setSpacing(0)
        column.addWidget(text_label("Build your first flow", "display"))
        column.addSpacing(8)
        self._lead = text_label(
            "Pick an example. It comes with sample data, so you can run it straight away without any account.",
            tone="muted",
        )
        column.addWidget(self._lead)
        column.addSpacing(28)
        cards = QGridLayout()
        cards.setHorizontalSpacing(18)
        cards.setVerticalSpacing(18)
        column.addLayout(cards)
        self.cards: list[ExampleCard] = []
        for place, example in enumerate(examples[:3]):
            card = ExampleCard(example, registry, themes, first=place == 0, parent=self)
            card.opened.connect(self.example_opened)
            self.cards.append(card)
            cards.addWidget(card, 0, place)
        column.addSpacing(18)
        below = QHBoxLayout()
        below.setSpacing(10)
        column.addLayout(below)
        offers: list[tuple[str, str, str, str]] = [
            ("new", "plus", "Start from an empty canvas", "A trigger first, then what shall happen."),
            ("open", "folder-open", "Open a file…", "Any flow on this computer: NAME.flow.json."),
        ]
        offers.append(("open_folder", "folder", "Open a folder…", "All the flows in it, as a project."))
        for place in range(len(self.cards), 3):
            if offers:
                command, icon, words, hint = offers.pop(0)
                cards.addWidget(OfferCard(actions, command, icon, words, hint, themes, self), 0, place)
        for command, icon, words, _ in offers:
            button = TextButton(themes, words, icon=icon)
            button.clicked.connect(actions[command].trigger)
            below.addWidget(button)
        for place in range(3):
            cards.setColumnStretch(place, 1)
        below.addStretch(1)
        self._recent = QHBoxLayout()
        self._recent.setSpacing(14)
        below.addLayout(self._recent)
        column.addSpacing(40)
        column.addWidget(text_label("Three keys to know", "label"))
        column.addSpacing(12)
        keys = QGridLayout()
        keys.setHorizontalSpacing(18)
        column.addLayout(keys)
        told = (
            ("Tab", "Add a step", "anywhere on the canvas"),
            (shown_key(actions["run"]), "Run the flow", "on the sample beside it"),
            (shown_key(actions["commands"]).replace("+", " "), "Find anything", "steps and commands"),
        )
        for place, (key, what, more) in enumerate(told):
            keys.addLayout(_key_hint(key, what, more), 0, place)
            keys.setColumnStretch(place, 1)
        column.addStretch(1)
        themes.changed.connect(self._dress)
        self._dress()

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Offers the files that were open last."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        if not paths:
            return
        self._recent.addWidget(text_label("Recent", "label"))
        for path in paths[:4]:
            link = TextButton(self._themes, path.name.removesuffix(".json").removesuffix(".flow"), kind="link")
            link.setToolTip(str(path))
            link.clicked.connect(lambda _=False, path=path: self.recent_opened.emit(path))
            self._recent.addWidget(link)

    def focus_first(self) -> None:
        """Puts the keyboard on the first example: Enter opens and runs it."""
        if self.cards:
            self.cards[0].button.setFocus(Qt.FocusReason.TabFocusReason)

    def _dress(self) -> None:
        self._lead.setFont(self._themes.current.font("ui", 15))

    def _bar(self, actions: Actions) -> QWidget:
        bar = Pane("panel", self)
        bar.setFixedHeight(52)
        row = QHBoxLayout(bar)
        row.setContentsMargins(18, 0, 14, 0)
        row.setSpacing(8)
        row.addWidget(text_label("FlowStudio", "heading"))
        row.addStretch(1)
        for command, icon, words in (("theme", "circle-half", "Theme"), ("keys", "question", "Keys")):
            button = TextButton(self._themes, words, icon=icon)
            button.setToolTip(actions[command].text())
            button.clicked.connect(actions[command].trigger)
            row.addWidget(button)
        return bar


def _key_hint(key: str, what: str, more: str) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(12)
    row.addWidget(key_cap(key), 0, Qt.AlignmentFlag.AlignVCenter)
    words = QVBoxLayout()
    words.setSpacing(1)
    words.addWidget(text_label(what, "heading"))
    words.addWidget(text_label(more, "hint"))
    row.addLayout(words, 1)
    return row


class ExampleCard(QFrame):
    """One example: its steps drawn small, its name, what it does, the button that opens and runs it."""

    opened = Signal(object)

    def __init__(
        self, example: ExampleFlow, registry: Registry, themes: Themes, *, first: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "panel")
        self.setMinimumHeight(_CARD)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 16)
        column.setSpacing(0)
        column.addWidget(FlowPicture(example.flow, registry, themes, self), 1)
        column.addSpacing(16)
        inner = QVBoxLayout()
        inner.setContentsMargins(4, 0, 4, 0)
        inner.setSpacing(0)
        column.addLayout(inner)
        line = QHBoxLayout()
        line.addWidget(text_label(example.flow.name, "title"))
        line.addStretch(1)
        steps = len(example.flow.steps)
        line.addWidget(text_label(f"{steps} step" if steps == 1 else f"{steps} steps", "hint"))
        inner.addLayout(line)
        inner.addSpacing(4)
        described = text_label(example.flow.description or "", tone="muted")
        described.setWordWrap(True)
        described.setMinimumHeight(round(38 * max(1.0, themes.current.text_scale)))
        described.setAlignment(Qt.AlignmentFlag.AlignTop)
        inner.addWidget(described)
        inner.addSpacing(14)
        self.button = TextButton(
            themes,
            "Open and run",
            icon="play-fill",
            kind="run" if first else None,
            color="accentText" if first else "text2",
        )
        self.button.setAccessibleName(f"Open and run {example.flow.name}")
        self.button.setAutoDefault(True)
        self.button.clicked.connect(lambda: self.opened.emit(example.path))
        inner.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)


class OfferCard(QFrame):
    """A card that stands where there is no example: it offers a command."""

    def __init__(
        self,
        actions: Actions,
        command: str,
        icon: str,
        words: str,
        hint: str,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("card", "panel")
        self.setMinimumHeight(_CARD)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 16)
        column.setSpacing(0)
        column.addWidget(IconPicture(icon, themes, self), 1)
        column.addSpacing(16)
        inner = QVBoxLayout()
        inner.setContentsMargins(4, 0, 4, 0)
        inner.setSpacing(0)
        column.addLayout(inner)
        inner.addWidget(text_label(words.rstrip("…"), "title"))
        inner.addSpacing(4)
        told = text_label(hint, tone="muted")
        told.setWordWrap(True)
        told.setMinimumHeight(38)
        told.setAlignment(Qt.AlignmentFlag.AlignTop)
        inner.addWidget(told)
        inner.addSpacing(14)
        button = TextButton(themes, "New flow" if command == "new" else "Open…", icon=icon)
        button.setToolTip(shown_key(actions[command]))
        button.setAutoDefault(True)
        button.clicked.connect(actions[command].trigger)
        inner.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)


class _Picture(QWidget):
    """A small piece of canvas."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setMinimumHeight(120)
        themes.changed.connect(self._renew)

    def paint_ground(self, painter: QPainter) -> None:
        theme = self._themes.current
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("canvas"))
        painter.drawRoundedRect(QRectF(self.rect()), 8, 8)
        painter.setBrush(theme.color("dot"))
        for x in range(12, self.width() - 4, 20):
            for y in range(12, self.height() - 4, 20):
                painter.drawEllipse(QPointF(x, y), 0.8, 0.8)

    def _renew(self) -> None:
        self.update()


class FlowPicture(_Picture):
    """The first steps of a flow as tiles on a wire."""

    def __init__(self, flow: Flow, registry: Registry, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(themes, parent)
        specs = [registry.spec(step.component) for step in flow.steps.values() if registry.knows(step.component)]
        self._tiles = [(spec.icon, spec.category) for spec in specs[:_SHOWN_STEPS]]
        self._more = len(specs) > _SHOWN_STEPS

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_ground(painter)
        theme = self._themes.current
        count = len(self._tiles)
        if not count:
            return
        side = 44.0 if self.width() > 320 else 36.0
        pitch = min(84.0, (self.width() - 40 - side) / max(1, count - 1))
        left = (self.width() - (count - 1) * pitch - side) / 2
        middle = self.height() / 2
        drop = 12.0 if count > 3 else 0.0
        places = [
            QRectF(left + place * pitch, middle - side / 2 + (drop if place % 2 else -drop), side, side)
            for place in range(count)
        ]
        painter.setPen(QPen(theme.color("wire"), 1.75))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for before, after in pairwise(places):
            start, end = QPointF(before.right(), before.center().y()), QPointF(after.left(), after.center().y())
            path = QPainterPath(start)
            bend = (end.x() - start.x()) / 2
            path.cubicTo(start + QPointF(bend, 0), end - QPointF(bend, 0), end)
            painter.drawPath(path)
        if self._more:
            last = places[-1]
            path = QPainterPath(QPointF(last.right(), last.center().y()))
            path.lineTo(QPointF(min(last.right() + 28, self.width() - 8), last.center().y()))
            pen = QPen(theme.color("wire"), 1.75)
            pen.setDashPattern([2, 2.5])
            painter.setPen(pen)
            painter.drawPath(path)
        ratio = self.devicePixelRatioF()
        for rect, (icon, category) in zip(places, self._tiles, strict=True):
            tint = theme.category(category)
            painter.setPen(QPen(theme.blend("node", tint, 0.3), 1))
            painter.setBrush(theme.tile(category))
            painter.drawRoundedRect(rect, 11, 11)
            painter.drawPixmap(rect.center() - QPointF(10, 10), theme.pixmap(icon, tint, 20, ratio))


class IconPicture(_Picture):
    """One icon in a dashed tile."""

    def __init__(self, icon: str, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(themes, parent)
        self._icon = icon

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint_ground(painter)
        theme = self._themes.current
        tile = QRectF(0, 0, 48, 48)
        tile.moveCenter(QRectF(self.rect()).center())
        pen = QPen(theme.color("fieldLine"), 1.25)
        pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setBrush(theme.color("panel"))
        painter.drawRoundedRect(tile, 12, 12)
        picture = theme.pixmap(self._icon, "text2", 20, self.devicePixelRatioF())
        painter.drawPixmap(tile.center() - QPointF(10, 10), picture)
