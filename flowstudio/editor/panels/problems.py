"""The list of problems: what may not run, why, and what to do; a click goes to the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from flowstudio.editor.theme import Themes
from flowstudio.errors import Problem

ROW_HEIGHT: Final = 46

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    PROBLEM = Qt.ItemDataRole.UserRole
    PLACE = Qt.ItemDataRole.UserRole + 1


class ProblemsModel(QAbstractListModel):
    """Problems, errors before warnings."""

    def __init__(self, title_of: Callable[[str], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._title_of = title_of
        self._problems: list[Problem] = []

    @property
    def problems(self) -> Sequence[Problem]:
        """The problems on show."""
        return self._problems

    def show(self, problems: Sequence[Problem]) -> None:
        """Shows these."""
        self.beginResetModel()
        self._problems = sorted(problems, key=lambda problem: problem.severity != "error")
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._problems)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        problem = self._problems[index.row()]
        if role == Role.PROBLEM:
            return problem
        if role == Role.PLACE:
            return self._place(problem)
        if role == Qt.ItemDataRole.DisplayRole:
            return sentence(problem.what)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            word = "Error" if problem.severity == "error" else "Warning"
            return " ".join(part for part in (f"{word}.", self._place(problem), told(problem)) if part)
        return None

    def _place(self, problem: Problem) -> str:
        if problem.step is None:
            return ""
        title = self._title_of(problem.step)
        return f"{title} · {problem.field}" if problem.field else title


def sentence(text: str) -> str:
    """A part of a problem as a sentence: a capital at its begin and a full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?!…" else ".")


def told(problem: Problem) -> str:
    """The whole problem in sentences."""
    return " ".join(sentence(part) for part in (problem.what, problem.why, problem.remedy) if part)


class ProblemsDelegate(QStyledItemDelegate):
    """Draws a problem: icon, what and where on the first line, why and what to do on the second."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        problem: Problem = index.data(Role.PROBLEM)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        error = problem.severity == "error"
        icon, tone = ("warning-circle-fill", "err") if error else ("warning-fill", "warn")
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(QPoint(rect.left() + 14, rect.top() + 8), theme.pixmap(icon, tone, 15, ratio))
        left, width = rect.left() + 38, rect.width() - 52
        first = QRect(left, rect.top() + 5, width, 18)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        place, small = index.data(Role.PLACE), theme.font("ui", 11.5, 500)
        taken = min(QFontMetrics(small).horizontalAdvance(place) + 2, width // 2) if place else 0
        bold = theme.font("ui", 12.5, 600)
        painter.setFont(bold)
        painter.setPen(theme.color("text"))
        what = index.data(Qt.ItemDataRole.DisplayRole)
        room = width - taken - 16
        painter.drawText(first, middle, QFontMetrics(bold).elidedText(what, Qt.TextElideMode.ElideRight, room))
        if place:
            painter.setFont(small)
            painter.setPen(theme.color("text2"))
            shown = QFontMetrics(small).elidedText(place, Qt.TextElideMode.ElideRight, taken)
            painter.drawText(first, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)
        rest = " ".join(sentence(part) for part in (problem.why, problem.remedy) if part)
        plain = theme.font("ui", 12)
        painter.setFont(plain)
        painter.setPen(theme.color("text2"))
        shown = QFontMetrics(plain).elidedText(rest, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(left, rect.top() + 23, width, 18), middle, shown)


class ProblemsPane(QWidget):
    """The list, or one sentence when there is none."""

    chosen = Signal(object)
    """The Problem whose place shall be shown."""

    def __init__(self, title_of: Callable[[str], str], themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ProblemsModel(title_of, self)
        self.list = QListView(self)
        self.list.setModel(self.model)
        self.list.setItemDelegate(ProblemsDelegate(themes, self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Problems")
        self.list.clicked.connect(self._choose)
        self.list.activated.connect(self._choose)
        self.empty = QLabel("No problems: this flow can run", self)
        self.empty.setProperty("type", "hint")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.list)

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Shows these."""
        self.model.show(problems)
        self._stack.setCurrentWidget(self.list if problems else self.empty)

    def _choose(self, index: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(index.data(Role.PROBLEM))
