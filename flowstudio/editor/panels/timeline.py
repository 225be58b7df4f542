"""The timeline of the run on show: one row for each step, its visits as bars on a common scale."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback, StepState
from flowstudio.editor.theme import Theme, Themes

ROW_HEIGHT: Final = 28
SCALE_HEIGHT: Final = 26

_NAMES: Final = 0.34
"""The share of the width that the steps' names have."""
_FIGURES: Final = 84
_MOST_BARS: Final = 400
"""Visits of a step beyond this many are drawn as one bar from the first to the last."""

_WORDS: Final = {"not-taken": "not taken", "running": "running", "paused": "paused", "waiting": "waiting"}

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    STEP = Qt.ItemDataRole.UserRole
    STATE = Qt.ItemDataRole.UserRole + 1


def duration_text(ms: float) -> str:
    """A duration as people read it: `0.4 ms`, `184 ms`, `2.35 s`, `3 min 20 s`."""
    if ms < 0.1:
        return "< 0.1 ms"
    if ms < 1:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.2f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} min {seconds} s"


def tick_step(span_ms: float, ticks: int = 4) -> float:
    """The distance of round ticks, so that about so many stand within a span."""
    rough = max(span_ms, 0.001) / ticks
    magnitude = 1.0
    while magnitude > rough:
        magnitude /= 10
    while magnitude * 10 <= rough:
        magnitude *= 10
    return next((magnitude * factor for factor in (1, 2, 2.5, 5) if magnitude * factor >= rough), magnitude * 10)


def tick_text(ms: float) -> str:
    """What stands beside a tick: round numbers without noughts behind the point."""
    if ms == 0:
        return "0"
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


class TimelineModel(QAbstractListModel):
    """The steps of the run on show, in order of their first visit, then those that were not reached."""

    def __init__(self, playback: Playback, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._document = document
        self._steps: list[str] = []
        self.begin = 0.0
        self.span_ms = 1.0
        playback.reset.connect(self.renew)
        playback.changed.connect(self._changed)
        playback.status_changed.connect(self._changed)
        self.renew()

    def renew(self) -> None:
        """Takes the steps anew."""
        self.beginResetModel()
        self._steps = self._playback.steps()
        self._measure()
        self.endResetModel()

    def row_of(self, step: str | None) -> int:
        """Where a step stands; -1 when it takes no part."""
        return self._steps.index(step) if step in self._steps else -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._steps)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        step = self._steps[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(step)
        if role == Role.STEP:
            return step
        if role == Role.STATE:
            return self._playback.state_of(step)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            state = self._playback.state_of(step)
            told = f"{self._title(step)}: {state.status.replace('-', ' ')}, {figures(state)}"
            return f"{told}. {state.message}" if state.message else told
        return None

    def bars(self, step: str) -> list[tuple[float, float, str]]:
        """The visits of a step as (start, length, status), in milliseconds from the run's begin."""
        places = self._playback.visits_of(step)
        if len(places) > _MOST_BARS:
            first, last = (self._playback.visits[place] for place in (places[0], places[-1]))
            if first.get("started_at") is None or last.get("started_at") is None:
                return []
            start = self._since(first)
            end = max(self._since(visit) + self._length(visit) for visit in (first, last))
            failed = self._playback.state_of(step).failed > 0
            return [(start, end - start, "failed" if failed else "succeeded")]
        visits = (self._playback.visits[place] for place in places)
        return [
            (self._since(visit), self._length(visit), visit["status"])
            for visit in visits
            if visit.get("started_at") is not None
        ]

    def _since(self, visit: dict[str, Any]) -> float:
        return (float(visit["started_at"]) - self.begin) * 1000

    def _length(self, visit: dict[str, Any]) -> float:
        if visit["status"] == "running":
            return max(0.0, self.span_ms - self._since(visit))
        return float(visit.get("duration_ms") or 0.0)

    def _title(self, step: str) -> str:
        flow = self._document.flow if step in self._document.flow.steps else self._playback.flow
        return flow.title_of(step) if flow is not None and step in flow.steps else step

    def _changed(self, _: object) -> None:
        steps = self._playback.steps()
        self._measure()
        if steps != self._steps:
            self.renew()
        elif self._steps:
            self.dataChanged.emit(self.index(0), self.index(len(self._steps) - 1), [])

    def _measure(self) -> None:
        playback = self._playback
        if playback.begun_at is None or playback.ended_at is None:
            self.begin, self.span_ms = 0.0, 1.0
            return
        self.begin = playback.begun_at
        self.span_ms = max(1.0, playback.duration_ms or 0.0, (playback.ended_at - playback.begun_at) * 1000)


def figures(state: StepState) -> str:
    """What stands at the end of a step's row."""
    if state.status in _WORDS:
        return _WORDS[state.status]
    if state.status == "idle":
        return ""
    told = duration_text(state.duration_ms)
    if state.failed and state.visits > 1:
        return f"{state.failed:,} of {state.visits:,} failed"
    return f"×{state.visits:,} · {told}" if state.visits > 1 else told


class Scale:
    """Where milliseconds lie in a row of some width."""

    def __init__(self, width: int, span_ms: float) -> None:
        self.left = 38 + int(width * _NAMES)
        self.right = max(self.left + 40, width - _FIGURES)
        self.span_ms = span_ms
        self.tick = tick_step(span_ms)

    def x(self, ms: float) -> float:
        """The place of a moment."""
        return self.left + 2 + (self.right - self.left - 12) * ms / self.span_ms

    def ticks(self) -> list[float]:
        """The moments that have a line."""
        return [self.tick * count for count in range(int(self.span_ms / self.tick + 1e-6) + 1)]


class TimelineDelegate(QStyledItemDelegate):
    """Draws a row: state, name, bars, figures. A failed visit has a notch, not only another colour."""

    def __init__(self, model: TimelineModel, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._themes = themes

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        rect: QRect = option.rect
        flags: QStyle.StateFlag = option.state
        state: StepState = index.data(Role.STATE)
        scale = Scale(rect.width(), self._model.span_ms)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(flags & QStyle.StateFlag.State_Selected)
        if selected or flags & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("sel" if selected else "hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(6, 0.5, -6, -0.5), 6, 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for moment in scale.ticks():
            painter.fillRect(QRect(round(scale.x(moment)) - 2, rect.top(), 1, rect.height()), theme.color("line"))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        off = state.status in ("not-taken", "idle")
        ratio = painter.device().devicePixelRatioF()
        look = "idle" if state.status == "idle" else state.status
        tint = theme.color("text3") if off else theme.state(look)
        icon = theme.pixmap(theme.state_icon(look), tint, 14, ratio)
        painter.drawPixmap(QPoint(rect.left() + 15, rect.center().y() - 6), icon)
        font = theme.font("ui", 12.5, 400 if off else 600)
        painter.setFont(font)
        painter.setPen(theme.color("text3" if off else "text"))
        words = QRect(rect.left() + 38, rect.top(), scale.left - 48, rect.height())
        name = QFontMetrics(font).elidedText(
            index.data(Qt.ItemDataRole.DisplayRole), Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        self._paint_bars(painter, theme, rect, scale, index.data(Role.STEP))
        painter.setFont(theme.font("ui", 12, 400 if off else 500, tabular=True))
        tone = {"failed": "err", "running": "run", "paused": "warn"}.get(state.status, "text3" if off else "text2")
        painter.setPen(theme.color(tone))
        painter.drawText(
            rect.adjusted(0, 0, -16, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, figures(state)
        )
        painter.restore()

    def _paint_bars(self, painter: QPainter, theme: Theme, rect: QRect, scale: Scale, step: str) -> None:
        middle = rect.center().y() + 0.5
        painter.setPen(Qt.PenStyle.NoPen)
        for start, length, status in self._model.bars(step):
            left = scale.x(start)
            bar = QRectF(left, middle - 4.5, max(4.0, scale.x(start + length) - left), 9)
            painter.setBrush(theme.state(status if status in ("failed", "running", "paused") else "succeeded"))
            painter.drawRoundedRect(bar, 2.5, 2.5)
            if status == "failed":
                painter.setBrush(theme.color("panel"))
                painter.drawPolygon(
                    [
                        bar.bottomRight() + QPoint(1, 1),
                        bar.bottomRight() + QPoint(-6, 1),
                        bar.bottomRight() + QPoint(1, -6),
                    ]
                )


class TimelineScale(QWidget):
    """The line over the rows that names the ticks."""

    def __init__(self, model: TimelineModel, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._themes = themes
        self.setFixedHeight(SCALE_HEIGHT)
        model.dataChanged.connect(self._renew)
        model.modelReset.connect(self._renew)
        themes.changed.connect(self._renew)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._model.rowCount():
            return
        theme = self._themes.current
        painter = QPainter(self)
        scale = Scale(self.width(), self._model.span_ms)
        painter.setFont(theme.font("ui", 11, 500, tabular=True))
        metrics = painter.fontMetrics()
        last = -1.0
        for moment in scale.ticks():
            x = round(scale.x(moment)) - 2
            painter.fillRect(QRect(x, 0, 1, self.height()), theme.color("line"))
            label = tick_text(moment)
            width = metrics.horizontalAdvance(label)
            if x + 5 > last and x + 5 + width < self.width() - 8:
                painter.setPen(QPen(theme.color("text3")))
                painter.drawText(QRect(x + 5, 0, width + 4, self.height()), Qt.AlignmentFlag.AlignVCenter, label)
                last = x + 5 + width + 8

    def _renew(self) -> None:
        self.update()


class Timeline(QWidget):
    """Scale and rows; choosing a row chooses the step."""

    step_chosen = Signal(str)

    def __init__(self, playback: Playback, document: Document, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.model = TimelineModel(playback, document, self)
        self.rows = QListView(self)
        self.rows.setModel(self.model)
        self.rows.setItemDelegate(TimelineDelegate(self.model, themes, self.rows))
        self.rows.setMouseTracking(True)
        self.rows.setUniformItemSizes(True)
        self.rows.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.rows.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setAccessibleName("Timeline")
        layout.addWidget(TimelineScale(self.model, themes, self))
        layout.addWidget(self.rows, 1)
        self._step: str | None = None
        self._following = False
        self.model.modelReset.connect(self._mark)
        self.rows.selectionModel().currentChanged.connect(self._chosen)

    def show_step(self, step: str | None) -> None:
        """Marks the row of a step."""
        self._step = step
        self._mark()

    def _mark(self) -> None:
        self._following = True
        row = self.model.row_of(self._step)
        if row >= 0:
            self.rows.setCurrentIndex(self.model.index(row))
        else:
            self.rows.setCurrentIndex(QModelIndex())
            self.rows.clearSelection()
        self._following = False

    def _chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._following:
            self.step_chosen.emit(index.data(Role.STEP))
