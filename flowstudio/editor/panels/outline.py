"""The outline: the flow as a tree of steps in run order, for the keyboard and for screen readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import IconButton, Pane, PaneHeader
from flowstudio.editor.panels.run_order import run_order
from flowstudio.editor.panels.timeline import figures
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import Problem
from flowstudio.flow.diff import Change, Changes
from flowstudio.flow.edits import SetStep
from flowstudio.flow.model import ERROR_PORT, Flow
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec

ROW: Final = 30
_FAILED_ROW: Final = 46

_STATE_WORDS: Final = {"not-taken": "not taken", "idle": "", "succeeded": "done"}

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    STEP = Qt.ItemDataRole.UserRole


class OutlineModel(QAbstractItemModel):
    """The steps in run order; those inside a split or a loop are its children."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        registry: Registry,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document, self._workspace, self._playback, self._registry = document, workspace, playback, registry
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._children: dict[str | None, list[str]] = {None: []}
        self._scope: dict[str, str | None] = {}
        self._rows: dict[str, int] = {}
        self._errors: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()

    @property
    def order(self) -> Sequence[str]:
        """All steps in run order."""
        return self._order

    @property
    def playback(self) -> Playback:
        """The run on show."""
        return self._playback

    @property
    def flow(self) -> Flow:
        """The flow as it is now."""
        return self._document.flow

    def spec(self, step: str) -> Spec | None:
        """What a step's component is; None where it is not installed."""
        component = self.flow.steps[step].component
        return self._registry.spec(component) if self._registry.knows(component) else None

    def renew(self) -> None:
        """Reads the flow anew."""
        self.beginResetModel()
        scopes = run_order(self.flow, self._shape)
        self._order = list(scopes)
        self._places = {step: place for place, step in enumerate(self._order)}
        self._scope = dict(scopes)
        self._children = {None: []}
        self._rows = {}
        for step, scope in scopes.items():
            inside = self._children.setdefault(scope, [])
            self._rows[step] = len(inside)
            inside.append(step)
        self.endResetModel()

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Takes over how many problems each step has."""
        errors: Counter[str] = Counter()
        warnings: Counter[str] = Counter()
        for problem in problems:
            if problem.step is not None:
                (errors if problem.severity == "error" else warnings)[problem.step] += 1
        if (errors, warnings) != (self._errors, self._warnings):
            touched = {*errors, *warnings, *self._errors, *self._warnings}
            self._errors, self._warnings = errors, warnings
            self.tell(touched)

    def tell(self, steps: Iterable[str]) -> None:
        """Something about these steps changed."""
        for step in steps:
            index = self.index_of(step)
            if index.isValid():
                self.dataChanged.emit(index, index, [])

    def problems_of(self, step: str) -> tuple[int, int]:
        """How many errors and warnings a step has."""
        return self._errors[step], self._warnings[step]

    def index_of(self, step: str | None) -> QModelIndex:
        """Where a step stands."""
        if step is None or step not in self._places:
            return QModelIndex()
        return self.createIndex(self._rows[step], 0, self._places[step])

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's own
        inside = self._children.get(self._step(parent), ())
        if column != 0 or not 0 <= row < len(inside):
            return QModelIndex()
        return self.createIndex(row, 0, self._places[inside[row]])

    def parent(self, index: Index | None = None) -> Any:
        if index is None:
            return super().parent()
        step = self._step(index)
        return self.index_of(self._scope.get(step)) if step is not None else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return len(self._children.get(self._step(parent), ()))

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        step = self._step(index)
        if step is None or step not in self.flow.steps:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self.flow.title_of(step)
        if role == Role.STEP:
            return step
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._told(step)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return self._ways(step)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        step = self._step(index)
        if step is None or role != Qt.ItemDataRole.EditRole:
            return False
        name = str(value).strip()
        if not name or name == self.flow.title_of(step):
            return False
        return self._document.apply(SetStep(step, "name", name))

    def _step(self, index: Index) -> str | None:
        if not index.isValid():
            return None
        place = index.internalId()
        return self._order[place] if place < len(self._order) else None

    def _shape(self, step: str) -> str:
        spec = self.spec(step)
        return spec.shape if spec is not None else ""

    def _told(self, step: str) -> str:
        """A row as a screen reader says it: name, kind, how it fared, what is wrong."""
        state, spec = self._playback.state_of(step), self.spec(step)
        errors, warnings = self.problems_of(step)
        parts = [self.flow.title_of(step), spec.title if spec is not None else self.flow.steps[step].component]
        parts += ["disabled"] if self.flow.steps[step].disabled else []
        if state.status != "idle":
            word = _STATE_WORDS.get(state.status, state.status)
            shown = figures(state)
            parts.append(word if shown == word else f"{word}, {shown}" if shown else word)
        parts += [f"{errors} error" if errors == 1 else f"{errors} errors"] if errors else []
        parts += [f"{warnings} warning" if warnings == 1 else f"{warnings} warnings"] if warnings else []
        parts += ["breakpoint"] if step in self._workspace.breakpoints else []
        parts += ["pinned"] if step in self._workspace.pins else []
        told = ", ".join(parts)
        return f"{told}. {state.message}" if state.message else told

    def _ways(self, step: str) -> str:
        """Where its wires lead."""
        ways = []
        for wire in self.flow.wires_from(step):
            title = self.flow.title_of(wire.target)
            port = "" if wire.source_port == "out" else f"{wire.source_port}: "
            ways.append(f"on error: {title}" if wire.source_port == ERROR_PORT else f"{port}{title}")
        return f"Goes to {', '.join(ways)}" if ways else "Goes nowhere"


class OutlineDelegate(QStyledItemDelegate):
    """Draws a step: its icon, name and how it fared; under it why it failed."""

    def __init__(self, model: OutlineModel, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model, self._themes = model, themes

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        step: str | None = index.data(Role.STEP)
        failed = step is not None and bool(self._model.playback.state_of(step).message)
        scale = max(1.0, self._themes.current.text_scale)
        return QSize(120, round((_FAILED_ROW if failed else ROW) * scale))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        step: str | None = index.data(Role.STEP)
        if step is None:
            return
        theme, model = self._themes.current, self._model
        rect: QRect = option.rect
        flags: QStyle.StateFlag = option.state
        state, spec = model.playback.state_of(step), model.spec(step)
        errors, warnings = model.problems_of(step)
        disabled = model.flow.steps[step].disabled
        painter.save()
        if flags & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif flags & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        ratio = painter.device().devicePixelRatioF()
        line = round(ROW * max(1.0, theme.text_scale))
        middle = rect.top() + line // 2
        tint = theme.category(spec.category) if spec is not None and not disabled else theme.color("text3")
        painter.drawPixmap(
            QPoint(rect.left() + 4, middle - 8), theme.pixmap(spec.icon if spec else "cube", tint, 16, ratio)
        )
        right = rect.right() - 10
        off = state.status in ("idle", "not-taken")
        if errors or warnings:
            icon, tone = ("warning-circle-fill", "err") if errors else ("warning-fill", "warn")
            painter.drawPixmap(QPoint(right - 14, middle - 7), theme.pixmap(icon, tone, 14, ratio))
            right -= 20
        if state.status != "idle":
            look = theme.color("text3") if off else theme.state(state.status)
            painter.drawPixmap(
                QPoint(right - 14, middle - 7), theme.pixmap(theme.state_icon(state.status), look, 14, ratio)
            )
            right -= 19
            small = theme.font("ui", 11.5, 500, tabular=True)
            painter.setFont(small)
            painter.setPen(theme.color("text3" if off else "text2"))
            shown = figures(state)
            taken = QFontMetrics(small).horizontalAdvance(shown)
            name = QFontMetrics(theme.font("ui", 12.5, 500)).horizontalAdvance(model.flow.title_of(step))
            if name + taken + 12 < right - rect.left() - 28 or taken < (right - rect.left()) // 3:
                painter.drawText(
                    QRect(right - taken, rect.top(), taken + 2, line), Qt.AlignmentFlag.AlignVCenter, shown
                )
                right -= taken + 8
        font = theme.font("ui", 12.5, 500)
        font.setStrikeOut(disabled)
        painter.setFont(font)
        painter.setPen(theme.color("text3" if disabled else "text"))
        left = rect.left() + 28
        room = max(0, right - left)
        title = QFontMetrics(font).elidedText(model.flow.title_of(step), Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(left, rect.top(), room, line), Qt.AlignmentFlag.AlignVCenter, title)
        if state.message:
            small = theme.font("ui", 11.5)
            painter.setFont(small)
            painter.setPen(theme.color("err"))
            room = rect.right() - 10 - left
            shown = QFontMetrics(small).elidedText(state.message, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(left, rect.top() + line - 6, room, 18), Qt.AlignmentFlag.AlignVCenter, shown)
        painter.restore()


class OutlineTree(QTreeView):
    """The rows. Keys that a tree does not use itself mean on its selection what they mean on the canvas."""

    menu_asked = Signal(str, QPoint)
    """A step's menu shall open at this place of the screen."""
    left = Signal()
    """Esc: the keyboard goes back to the canvas."""

    def __init__(self, obey: Callable[[QKeyEvent], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._obey = obey

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() == QAbstractItemView.State.EditingState:
            # What the field over the row does not use itself comes up to here: Return would open the step.
            return
        key, bare = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key == Qt.Key.Key_Escape:
            self.left.emit()
            return
        plain = bare in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
        walks = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
        if plain and key in (*walks, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_F2 and bare == Qt.KeyboardModifier.NoModifier:
            self.edit(self.currentIndex())
        elif not self._obey(event):
            super().keyPressEvent(event)

    def event(self, event: Any) -> bool:
        # Tab adds a step here as it does on the canvas; F6 leaves.
        if isinstance(event, QKeyEvent) and event.type() == QKeyEvent.Type.KeyPress and event.key() == Qt.Key.Key_Tab:
            self.keyPressEvent(event)
            return True
        return bool(super().event(event))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index = (
            self.currentIndex() if event.reason() == QContextMenuEvent.Reason.Keyboard else self.indexAt(event.pos())
        )
        step: str | None = index.data(Role.STEP) if index.isValid() else None
        if step is not None:
            place = self.visualRect(index).bottomLeft() + QPoint(28, 0)
            asked = self.viewport().mapToGlobal(place)
            self.menu_asked.emit(
                step, asked if event.reason() == QContextMenuEvent.Reason.Keyboard else event.globalPos()
            )


class Outline(Pane):
    """The tree with its header. It reads the flow only while it is to be seen."""

    closed = Signal()
    menu_asked = Signal(str, QPoint)
    left = Signal()
    step_chosen = Signal(str)
    """A row was chosen: this step shall be in sight."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        registry: Registry,
        themes: Themes,
        obey: Callable[[QKeyEvent], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", parent)
        self._workspace = workspace
        self._stale = True
        self._sharing = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PaneHeader("Outline", self)
        close = IconButton(themes, "x", "Close the outline", key="Ctrl+Shift+O", size=14, side=26, parent=self)
        close.clicked.connect(self.closed)
        header.right.addWidget(close)
        column.addWidget(header)
        self.model = OutlineModel(document, workspace, playback, registry, self)
        self.tree = OutlineTree(obey, self)
        self.setFocusProxy(self.tree)
        self.tree.setModel(self.model)
        self.tree.setItemDelegate(OutlineDelegate(self.model, themes, self.tree))
        self.tree.setHeaderHidden(True)
        self.tree.setIndentation(18)
        self.tree.setMouseTracking(True)
        self.tree.setAccessibleName("Outline: the steps in run order")
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.addWidget(self.tree, 1)
        self.empty = QLabel("No steps yet. Tab adds the first one.", self)
        self.empty.setProperty("type", "hint")
        self.empty.setContentsMargins(14, 0, 14, 0)
        self.empty.setWordWrap(True)
        column.addWidget(self.empty)
        column.setStretchFactor(self.tree, 1)
        self.tree.menu_asked.connect(self.menu_asked)
        self.tree.left.connect(self.left)
        self.tree.selectionModel().selectionChanged.connect(self._chosen)
        self._renewing = QTimer(self, singleShot=True, interval=0)
        self._renewing.timeout.connect(self._renew)
        document.changed.connect(self._flow_changed)
        playback.changed.connect(self._fared)
        playback.reset.connect(self._fared_all)
        workspace.selection_changed.connect(self._follow)
        workspace.marks_changed.connect(self._fared)
        themes.changed.connect(self._dress)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Marks the steps that have problems."""
        self.model.show_problems(problems)

    def focus_tree(self) -> None:
        """Puts the keyboard on the selected step, or on the first one."""
        self._renew()
        self.tree.setFocus(Qt.FocusReason.TabFocusReason)
        if not self.tree.currentIndex().isValid() and self.model.order:
            self.tree.setCurrentIndex(self.model.index_of(self.model.order[0]))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._renew()

    def _flow_changed(self, _: object, changes: Any) -> None:
        if self._stale:
            return
        known: Changes = changes
        elsewhere = known.wires_added or known.wires_removed or known.renamed or known.reordered
        if elsewhere or any(_is_other(change) for change in known.steps.values()):
            self._stale = True
            if self.isVisible():
                # After the news of the edit: the selection that goes with it is told then.
                self._renewing.start()
        else:
            self.model.tell(known.steps)

    def _renew(self) -> None:
        self._renewing.stop()
        if not self._stale:
            return
        self._stale = False
        self._sharing = True
        folded = {step for step in self.model.order if self._is_folded(step)}
        place = self.tree.verticalScrollBar().value()
        self.model.renew()
        self.tree.expandAll()
        for step in folded:
            self.tree.collapse(self.model.index_of(step))
        self.tree.verticalScrollBar().setValue(place)
        self._sharing = False
        self.empty.setVisible(not self.model.order)
        self._follow()

    def _is_folded(self, step: str) -> bool:
        index = self.model.index_of(step)
        return index.isValid() and self.model.rowCount(index) > 0 and not self.tree.isExpanded(index)

    def _fared(self, steps: Any) -> None:
        if self._stale:
            return
        grown = any(self.model.playback.state_of(step).message for step in steps)
        self.model.tell(steps)
        if grown:
            self.tree.scheduleDelayedItemsLayout()

    def _fared_all(self) -> None:
        self._fared(list(self.model.order))
        self.tree.scheduleDelayedItemsLayout()

    def _dress(self) -> None:
        self.tree.scheduleDelayedItemsLayout()

    def _follow(self) -> None:
        """Selects what is selected in the workspace."""
        if self._sharing or self._stale:
            return
        self._sharing = True
        picked = QItemSelection()
        for step in self._workspace.selection:
            index = self.model.index_of(step)
            if index.isValid():
                picked.select(index, index)
        self.tree.selectionModel().select(picked, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        current = self.model.index_of(self._workspace.current_step)
        if current.isValid() and current != self.tree.currentIndex():
            self.tree.selectionModel().setCurrentIndex(current, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.tree.scrollTo(current)
        self._sharing = False

    def _chosen(self) -> None:
        if self._sharing:
            return
        self._sharing = True
        current = self.tree.currentIndex().data(Role.STEP)
        indexes = self.tree.selectionModel().selectedIndexes()
        chosen = [step for index in indexes if (step := index.data(Role.STEP)) is not None]
        # The one that the keyboard is on comes last: it is the one that inspector and data panel show.
        chosen.sort(key=lambda step: step == current)
        self._workspace.select(chosen)
        self._sharing = False
        if current in chosen:
            self.step_chosen.emit(current)


def _is_other(change: Change) -> bool:
    """Whether a step came, went, or is of another component."""
    return change.kind != "changed" or any(part.path[:1] == ("component",) for part in change.fields)
