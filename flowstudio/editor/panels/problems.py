"""The list of problems: what may not run, why, and what to do; a click goes to the field, or mends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final, Protocol

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QListView,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from flowstudio.editor.theme import Themes
from flowstudio.errors import Problem

ROW_HEIGHT: Final = 46

FIX_KEY: Final = "Ctrl+."


class Offered(Protocol):
    """What can be done about a problem (see panels/fixes)."""

    @property
    def words(self) -> str:
        """What the button says."""
        ...


Fixes = Callable[[Problem], Sequence[Offered]]

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
        self._fixes: dict[int, Sequence[Offered]] = {}
        self.look_for_fixes: Fixes = lambda problem: ()
        """Says what can be done about a problem; asked once for each that is to be seen."""

    @property
    def problems(self) -> Sequence[Problem]:
        """The problems on show."""
        return self._problems

    def show(self, problems: Sequence[Problem]) -> None:
        """Shows these."""
        self.beginResetModel()
        self._fixes = {}
        self._problems = sorted(problems, key=lambda problem: problem.severity != "error")
        self.endResetModel()

    def fixes(self, row: int) -> Sequence[Offered]:
        """What can be done about the problem in a row."""
        if row not in self._fixes:
            self._fixes[row] = self.look_for_fixes(self._problems[row])
        return self._fixes[row]

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
            fixes = self.fixes(index.row())
            fix = f"{fixes[0].words}: {FIX_KEY}." if fixes else ""
            return " ".join(part for part in (f"{word}.", self._place(problem), told(problem), fix) if part)
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
    """Draws a problem: icon, what and where on the first line, why and what to do on the second, a fix at its end."""

    def __init__(self, model: ProblemsModel, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._themes = themes

    def fix_rect(self, rect: QRect, index: Index) -> QRect:
        """Where the first fix of a row is to be clicked; empty without one."""
        fixes = self._model.fixes(index.row())
        if not fixes:
            return QRect()
        font = self._themes.current.font("ui", 12, 600)
        width = min(QFontMetrics(font).horizontalAdvance(fixes[0].words) + 16, rect.width() // 2)
        return QRect(rect.right() - width - 8, rect.top() + rect.height() - 25, width, 24)

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
        fix = self.fix_rect(rect, index)
        width -= fix.width()
        plain = theme.font("ui", 12)
        painter.setFont(plain)
        painter.setPen(theme.color("text2"))
        shown = QFontMetrics(plain).elidedText(rest, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(left, rect.top() + 23, width, 18), middle, shown)
        if not fix.isEmpty():
            painter.setFont(theme.font("ui", 12, 600))
            painter.setPen(theme.color("accent"))
            words = QFontMetrics(painter.font()).elidedText(
                self._model.fixes(index.row())[0].words, Qt.TextElideMode.ElideRight, fix.width() - 12
            )
            painter.drawText(
                fix.adjusted(0, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words
            )


class ProblemsList(QListView):
    """The rows. The words at the end of a row mend; Ctrl+. does so by the keyboard, the menu offers all there is."""

    fix_asked = Signal(object)
    """This fix was chosen (one of the model's)."""

    def __init__(self, model: ProblemsModel, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.rows = ProblemsDelegate(model, themes, self)
        self.setModel(model)
        self.setItemDelegate(self.rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Period and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            index = self.currentIndex()
            if index.isValid():
                self._mend(index)
            return
        super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self._under(event.position().toPoint())
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            self.fix_asked.emit(self._model.fixes(index.row())[0])
            return
        super().mouseReleaseEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hand = self._under(event.position().toPoint()).isValid()
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        if index.isValid():
            place = self.visualRect(index).bottomLeft() if by_key else event.pos()
            self._open_menu(index, self.viewport().mapToGlobal(place))

    def viewportEvent(self, event: QEvent) -> bool:
        # A press on the words is theirs alone: it does not choose the row.
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            point = event.position().toPoint()
            if self._under(point).isValid():
                return True
        return super().viewportEvent(event)

    def _under(self, point: QPoint) -> QModelIndex:
        index = self.indexAt(point)
        if index.isValid() and self.rows.fix_rect(self.visualRect(index), index).contains(point):
            return index
        return QModelIndex()

    def _mend(self, index: QModelIndex) -> None:
        fixes = self._model.fixes(index.row())
        if len(fixes) == 1:
            self.fix_asked.emit(fixes[0])
        elif fixes:
            self._open_menu(index, self.viewport().mapToGlobal(self.visualRect(index).bottomLeft()))

    def _open_menu(self, index: QModelIndex, place: QPoint) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for fix in self._model.fixes(index.row()):
            menu.addAction(fix.words).triggered.connect(lambda _=False, fix=fix: self.fix_asked.emit(fix))
        if menu.actions():
            menu.addSeparator()
        menu.addAction("Go to the field\tEnter").triggered.connect(lambda: self.activated.emit(index))
        menu.setActiveAction(menu.actions()[0])
        menu.popup(place)


class ProblemsPane(QWidget):
    """The list, or one sentence when there is none."""

    chosen = Signal(object)
    """The Problem whose place shall be shown."""
    fix_asked = Signal(object)
    """This fix was chosen, one of those that `look_for_fixes` told."""

    def __init__(self, title_of: Callable[[str], str], themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ProblemsModel(title_of, self)
        self.list = ProblemsList(self.model, themes, self)
        self.list.fix_asked.connect(self.fix_asked)
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
