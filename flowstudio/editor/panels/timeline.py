"""The timeline of the run on show: one row for each step, its visits as bars on a common scale, a playhead over them."""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
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
_MOST_AT_ONCE: Final = 40
"""From so many rows on, new ones are put in place a few times a second: Qt lays all of them out each time."""
_RENEW_MS: Final = 150
_KEPT_NAMES: Final = 1_000
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

    fared = Signal()
    """What the rows tell is another; which rows there are is not. (For `dataChanged` Qt lays all rows out anew.)"""

    def __init__(self, playback: Playback, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._document = document
        self._steps: list[str] = []
        self.begin = 0.0
        self.span_ms = 1.0
        self._later = QTimer(self, singleShot=True, interval=_RENEW_MS)
        self._later.timeout.connect(self.renew)
        playback.reset.connect(self.renew)
        playback.changed.connect(self._changed)
        playback.status_changed.connect(self._changed)
        playback.stood.connect(self._changed)
        self.renew()

    def renew(self) -> None:
        """Takes the steps anew."""
        self._later.stop()
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

    def step_at(self, row: int) -> str:
        """The step of a row."""
        return self._steps[row]

    def state_of(self, step: str) -> StepState:
        """How a step fares."""
        return self._playback.state_of(step)

    def title_of(self, step: str) -> str:
        """What people see of a step."""
        return self._title(step)

    def bars(self, step: str) -> list[tuple[float, float, str]]:
        """The visits of a step as (start, length, status), in milliseconds from the run's begin; `later` is the status of
        one that began behind the moment on show."""
        recorded, shown = self._playback.course.visits, self._playback.visits
        places = self._playback.course.visits_of(step)
        if len(places) > _MOST_BARS:
            first, last = (recorded[place] for place in (places[0], places[-1]))
            if first.get("started_at") is None or last.get("started_at") is None:
                return []
            start = self._since(first)
            end = max(self._since(visit) + self._length(visit) for visit in (first, last))
            failed = self._playback.state_of(step).failed > 0
            return [(start, end - start, "failed" if failed else "succeeded")]
        return [
            (
                self._since(recorded[place]),
                self._length(recorded[place]),
                shown[place]["status"] if place < len(shown) else "later",
            )
            for place in places
            if recorded[place].get("started_at") is not None
        ]

    @property
    def playhead(self) -> float | None:
        """Where the moment on show lies, in milliseconds from the run's begin; None while the run moves."""
        playback = self._playback
        if not playback.course.visits or (playback.is_live and playback.paused is None):
            return None
        paused = playback.paused
        visit = playback.course.visit(int(paused["visit"])) if paused is not None and playback.is_looking else None
        if paused is None or visit is None or visit.get("started_at") is None:
            return self.span_ms if playback.ended_at is None else (playback.ended_at - self.begin) * 1000
        return self._since(visit) + (self._length(visit) if paused.get("when") != "before" else 0.0)

    def visit_after(self, ms: float) -> int | None:
        """The visit that begins first behind a moment of the scale; None when none does, so that it is now."""
        visits = self._playback.course.visits
        starts = [self._since(visit) for visit in visits]
        place = bisect_right(starts, ms) if ms > 0 else 0
        return int(visits[place]["visit"]) if place < len(visits) else None

    def _since(self, visit: dict[str, Any]) -> float:
        return (float(visit.get("shown_at", visit.get("started_at") or 0.0)) - self.begin) * 1000

    def _length(self, visit: dict[str, Any]) -> float:
        if visit["status"] == "running":
            return max(0.0, self.span_ms - self._since(visit))
        return float(visit.get("duration_ms") or 0.0)

    def _title(self, step: str) -> str:
        flow = self._document.flow if step in self._document.flow.steps else self._playback.flow
        return flow.title_of(step) if flow is not None and step in flow.steps else step

    def _changed(self, _: object = None) -> None:
        steps = self._playback.steps()
        self._measure()
        if steps != self._steps:
            if len(steps) <= _MOST_AT_ONCE:
                self.renew()
            elif not self._later.isActive():
                self._later.start()
        if self._steps:
            self.fared.emit()

    def _measure(self) -> None:
        playback = self._playback
        if playback.begun_at is None or playback.ended_at is None:
            self.begin, self.span_ms = 0.0, 1.0
            return
        self.begin = playback.begun_at
        took = 0.0 if playback.record.has_stood or playback.record.stood else playback.duration_ms or 0.0
        self.span_ms = max(1.0, took, (playback.ended_at - playback.begun_at) * 1000)


def figures(state: StepState) -> str:
    """What stands at the end of a step's row."""
    if state.where.startswith("Looking"):
        return "here"
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

    def ms(self, x: float) -> float:
        """The moment at a place."""
        return (x - self.left - 2) * self.span_ms / (self.right - self.left - 12)

    def ticks(self) -> list[float]:
        """The moments that have a line."""
        return [self.tick * count for count in range(int(self.span_ms / self.tick + 1e-6) + 1)]


class _Look:
    """Fonts, colours and words of the rows in one theme: made once, a row is painted many times a second."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.name_fonts = (theme.font("ui", 12.5, 600), theme.font("ui", 12.5, 400))
        self.figure_fonts = (theme.font("ui", 12, 500, tabular=True), theme.font("ui", 12, 400, tabular=True))
        self.text, self.text2, self.faint = (theme.color(name) for name in ("text", "text2", "text3"))
        self.selected, self.hovered, self.line = (theme.color(name) for name in ("sel", "hover", "line"))
        self.tones = {"failed": theme.color("err"), "running": theme.color("run"), "paused": theme.color("warn")}
        self._metrics = tuple(map(QFontMetrics, self.name_fonts))
        self._names: dict[tuple[str, int, bool], str] = {}
        self._icons: dict[tuple[str, float], QPixmap] = {}

    def name(self, title: str, width: int, *, off: bool) -> str:
        """A step's title as far as there is room."""
        key = (title, width, off)
        if key not in self._names:
            if len(self._names) > _KEPT_NAMES:
                self._names.clear()
            self._names[key] = self._metrics[off].elidedText(title, Qt.TextElideMode.ElideRight, width)
        return self._names[key]

    def icon(self, status: str, ratio: float, *, off: bool) -> QPixmap:
        """The icon of a state."""
        key = (status, ratio)
        if key not in self._icons:
            tint = self.theme.color("text3") if off else self.theme.state(status)
            self._icons[key] = self.theme.pixmap(self.theme.state_icon(status), tint, 14, ratio)
        return self._icons[key]


class TimelineDelegate(QStyledItemDelegate):
    """Draws a row: state, name, bars, figures. A failed visit has a notch, not only another colour."""

    def __init__(self, model: TimelineModel, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._themes = themes
        self._look: _Look | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        if self._look is None or self._look.theme is not theme:
            self._look = _Look(theme)
        look = self._look
        rect: QRect = option.rect
        flags: QStyle.StateFlag = option.state
        step = self._model.step_at(index.row())
        state = self._model.state_of(step)
        scale = Scale(rect.width(), self._model.span_ms)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(flags & QStyle.StateFlag.State_Selected)
        if selected or flags & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.selected if selected else look.hovered)
            painter.drawRoundedRect(QRectF(rect).adjusted(6, 0.5, -6, -0.5), 6, 6)
        off = state.status in ("not-taken", "idle")
        icon = look.icon(state.status, painter.device().devicePixelRatioF(), off=off)
        painter.drawPixmap(QPoint(rect.left() + 15, rect.center().y() - 6), icon)
        name = look.name(self._model.title_of(step), scale.left - 48, off=off)
        painter.setFont(look.name_fonts[off])
        painter.setPen(look.faint if off else look.text)
        words = QRect(rect.left() + 38, rect.top(), scale.left - 48, rect.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        self._paint_bars(painter, theme, rect, scale, step)
        painter.setFont(look.figure_fonts[off])
        painter.setPen(look.faint if off else look.tones.get(state.status, look.text2))
        painter.drawText(
            rect.adjusted(0, 0, -16, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, figures(state)
        )

    def _paint_bars(self, painter: QPainter, theme: Theme, rect: QRect, scale: Scale, step: str) -> None:
        middle = rect.center().y() + 0.5
        painter.setPen(Qt.PenStyle.NoPen)
        for start, length, status in self._model.bars(step):
            left = scale.x(start)
            bar = QRectF(left, middle - 4.5, max(4.0, scale.x(start + length) - left), 9)
            if status == "later":
                painter.setPen(QPen(theme.color("text3"), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(bar.adjusted(0.5, 0.5, -0.5, -0.5), 2.5, 2.5)
                painter.setPen(Qt.PenStyle.NoPen)
                continue
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
    """The line over the rows that names the ticks, with the handle of the playhead; a drag moves it."""

    dragged = Signal(float)
    """The playhead shall stand at this moment (milliseconds)."""

    def __init__(self, model: TimelineModel, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._themes = themes
        self.setFixedHeight(SCALE_HEIGHT)
        self.setToolTip("Drag to look at an earlier moment (Alt+Up, Alt+Down)")
        model.fared.connect(self._renew)
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
        playhead = self._model.playhead
        if playhead is not None:
            x = round(scale.x(playhead))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("warnLine"))
            bottom = self.height()
            painter.drawPolygon(
                QPolygonF([QPointF(x - 5, bottom - 9), QPointF(x + 5, bottom - 9), QPointF(x, bottom - 2)])
            )
            painter.fillRect(QRect(x, bottom - 4, 1, 4), theme.color("warnLine"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        if self._model.playhead is not None:
            self.dragged.emit(Scale(self.width(), self._model.span_ms).ms(event.position().x()))

    def _renew(self) -> None:
        self.update()


class TimelineRows(QListView):
    """The rows, with the playhead over them; it can be taken anywhere along its line."""

    dragged = Signal(float)
    """The playhead shall stand at this moment (milliseconds)."""

    def __init__(self, model: TimelineModel, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._themes = model, themes
        self._dragging = False
        self.setModel(model)

    def paintEvent(self, event: QPaintEvent) -> None:
        height = self._model.rowCount() * ROW_HEIGHT - self.verticalScrollBar().value()
        if height > 0:
            painter = QPainter(self.viewport())
            scale, line = Scale(self.viewport().width(), self._model.span_ms), self._themes.current.color("line")
            for moment in scale.ticks():
                painter.fillRect(QRect(round(scale.x(moment)) - 2, 0, 1, height), line)
            painter.end()
        super().paintEvent(event)
        x = self._line()
        if x is not None:
            painter = QPainter(self.viewport())
            painter.fillRect(QRect(x, 0, 1, self.viewport().height()), self._themes.current.color("warnLine"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._is_on_line(event):
            self._dragging = True
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            scale = Scale(self.viewport().width(), self._model.span_ms)
            self.dragged.emit(scale.ms(event.position().x()))
            return
        on_line = self._is_on_line(event)
        self.viewport().setCursor(Qt.CursorShape.SizeHorCursor if on_line else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self._dragging = False
            return
        super().mouseReleaseEvent(event)

    def _line(self) -> int | None:
        playhead = self._model.playhead
        if playhead is None or not self._model.rowCount():
            return None
        return round(Scale(self.viewport().width(), self._model.span_ms).x(playhead))

    def _is_on_line(self, event: QMouseEvent) -> bool:
        x = self._line()
        return x is not None and abs(event.position().x() - x) <= 3


class Timeline(QWidget):
    """Scale and rows; choosing a row chooses the step, a click on it shows the moment behind the step too."""

    step_chosen = Signal(str)
    step_clicked = Signal(str)
    moment_asked = Signal(object)
    """The moment before this visit shall be shown; None: now."""

    def __init__(self, playback: Playback, document: Document, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.model = TimelineModel(playback, document, self)
        self.rows = TimelineRows(self.model, themes, self)
        self.rows.setItemDelegate(TimelineDelegate(self.model, themes, self.rows))
        self.rows.setMouseTracking(True)
        self.rows.setUniformItemSizes(True)
        self.rows.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.rows.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setAccessibleName("Timeline")
        self.scale = TimelineScale(self.model, themes, self)
        layout.addWidget(self.scale)
        layout.addWidget(self.rows, 1)
        self._step: str | None = None
        self._following = False
        self._asked: int | None = 0
        for part in (self.scale, self.rows):
            part.dragged.connect(self._drag)
        self.rows.clicked.connect(lambda index: self.step_clicked.emit(index.data(Role.STEP)))
        self.model.fared.connect(self.rows.viewport().update)
        self.model.modelReset.connect(self._mark)
        self.rows.selectionModel().currentChanged.connect(self._chosen)

    def show_step(self, step: str | None) -> None:
        """Marks the row of a step."""
        self._step = step
        self._mark()

    def _drag(self, ms: float) -> None:
        visit = self.model.visit_after(ms)
        if visit != self._asked:
            self._asked = visit
            self.moment_asked.emit(visit)

    def playhead_moved(self) -> None:
        """Another moment is on show: the next drag begins there."""
        self._asked = 0

    def _mark(self) -> None:
        row = self.model.row_of(self._step)
        if row == self.rows.currentIndex().row():
            return
        self._following = True
        if row >= 0:
            self.rows.setCurrentIndex(self.model.index(row))
        else:
            self.rows.setCurrentIndex(QModelIndex())
            self.rows.clearSelection()
        self._following = False

    def _chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._following:
            self.step_chosen.emit(index.data(Role.STEP))
