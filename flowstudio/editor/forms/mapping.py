"""The field for an expression that makes an object: a table of its fields, or the same expression as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from flowstudio.editor.forms.chips import ChipInput
from flowstudio.editor.forms.completion import Completion, value_color
from flowstudio.editor.forms.controls import Segments, WordButton
from flowstudio.editor.forms.dropping import take_dropped
from flowstudio.editor.forms.expression import PREVIEW_AFTER_MS, ExpressionField
from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput, belongs_to_document
from flowstudio.editor.forms.mapping_model import Column, MappingModel
from flowstudio.editor.forms.notes import Note
from flowstudio.editor.forms.paths import Origins, paths_of
from flowstudio.editor.forms.picking import last_name
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.forms.sample import names_in
from flowstudio.editor.forms.suggestions import Misnamed, misnamed
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.picked import Picked, picked
from flowstudio.editor.theme import set_look
from flowstudio.expressions.advice import advise
from flowstudio.expressions.constructor import NOTHING_YET, Place, new_table
from flowstudio.expressions.names import written
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec

ROW_HEIGHT: Final = 30
HEADER_HEIGHT: Final = 26
MOST_ROWS: Final = 20
"""With more rows the table scrolls by itself."""

BOTH_FROM: Final = 760
"""From this width on the text stands beside the table."""

Index = QModelIndex | QPersistentModelIndex


class _Cells(QStyledItemDelegate):
    """Draws a row's cells, paths as chips; gives the cell that is edited an input with room to the right."""

    typed = Signal(tuple, int, str)
    """The place, the column and the text that a person types."""
    grew = Signal(int)
    """The input needs the table to reach down to here."""
    tabbed = Signal(int)
    """A person wants the next (1) or the previous (-1) cell that can be edited."""
    moved_on = Signal(int)
    """A person wants the cell so many rows further down."""

    def __init__(self, around: Surroundings, model: MappingModel, parent: QTreeView) -> None:
        super().__init__(parent)
        self._around = around
        self._model = model
        self._view = parent
        self.misnamed: dict[Place, list[Misnamed]] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(60, round(ROW_HEIGHT * self._around.theme.text_scale))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._around.theme
        box: QRect = option.rect
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, theme.color("sel"))
        painter.fillRect(QRect(box.left(), box.bottom(), box.width(), 1), theme.color("line"))
        place = self._model.place_of(index)
        column = Column(index.column())
        body = QRectF(box).adjusted(6, 0, -6, -1)
        text = str(index.data() or "")
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if column is Column.EXPRESSION:
            self._paint_expression(painter, body, place, text)
        else:
            shown, dimmed = self._model.preview_at(place)
            if column is Column.TARGET:
                font = theme.font("mono", 12) if self._model.is_computed(place) else theme.font("ui", 12.5)
                color = "text"
            else:
                value = shown.value if shown is not None else MISSING
                font = theme.font("mono", 11.5)
                color = "text3" if dimmed else "warn" if text == "nothing" else value_color(value)
            painter.setFont(font)
            painter.setPen(theme.color(color))
            elided = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, body.width())
            painter.drawText(body, left, elided)
        if state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -2), 4, 4)
        painter.restore()

    def _paint_expression(self, painter: QPainter, body: QRectF, place: Place, text: str) -> None:
        theme = self._around.theme
        entry = self._model.table.at(place)
        wrong = bool(self._model.reason_at(place))
        doubtful = place in self.misnamed
        if wrong or doubtful:
            ratio = painter.device().devicePixelRatioF() if painter.device() is not None else 1.0
            icon, color = ("warning-circle-fill", "err") if wrong else ("warning-fill", "warn")
            painter.drawPixmap(int(body.right()) - 13, int(body.center().y()) - 6, theme.pixmap(icon, color, 13, ratio))
            body = body.adjusted(0, 0, -18, 0)
        if entry.inner is not None:
            told = "object" if entry.inner.kind == "object" else "for each of"
            font = theme.font("ui", 11.5)
            painter.setFont(font)
            painter.setPen(theme.color("text3"))
            painter.drawText(body, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, told)
            body = body.adjusted(QFontMetricsF(font).horizontalAdvance(told) + 8, 0, 0, 0)
            if entry.inner.kind == "object":
                return
        if text == NOTHING_YET:
            painter.setFont(theme.font("ui", 12))
            painter.setPen(theme.color("text3"))
            painter.drawText(body, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, "no value yet")
            return
        line = " ".join(text.split())
        _draw_chips(
            painter, body, line, Origins(self._around.flow, self._around.registry, self._around.step), self._around
        )

    def createEditor(self, parent: QWidget | None, option: QStyleOptionViewItem, index: Index) -> QWidget:
        place = self._model.place_of(index)
        column = Column(index.column())
        input_: ChipInput | LineInput
        if column is Column.TARGET:
            input_ = LineInput()
            input_.setFont(self._around.theme.font("ui", 12.5))
            input_.textEdited.connect(lambda text: self.typed.emit(place, column, text))
        else:
            input_ = ChipInput(self._around.themes, "expression", breaks=False, rows=(1, 8))
            input_.set_origins(Origins(self._around.flow, self._around.registry, self._around.step))
            input_.typed.connect(lambda text: self.typed.emit(place, column, text))
            input_.field_dropped.connect(lambda field: take_dropped(self._around, field, input_, input_.insert))
            self._model.hold(place)
        input_.setAccessibleName(
            f"{index.model().headerData(column, Qt.Orientation.Horizontal)} of row {place[-1] + 1}"
        )
        frame = Frame(self._around.themes, input_, tab=False, parent=parent)
        frame.make_room(6)
        input_.installEventFilter(self)
        if isinstance(input_, ChipInput):
            Completion(self._around, input_)
        input_.left.connect(lambda: self._finish(frame))
        return frame

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        input_ = editor.focusProxy()
        text = self._model.text_at(self._model.place_of(index), Column(index.column()))
        if isinstance(input_, ChipInput):
            fresh = not input_.property("begun")
            input_.setProperty("begun", True)
            input_.show_text("" if text == NOTHING_YET and (fresh or not input_.text()) else text)
            if fresh:
                input_.setProperty("before", text)
                input_.moveCursor(input_.textCursor().MoveOperation.End)
        elif isinstance(input_, LineInput) and input_.text() != text:
            input_.show_text(text)
            if input_.property("before") is None:
                input_.setProperty("before", text)
                input_.selectAll()

    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        """Nothing is left to be stored: every key did it."""

    def destroyEditor(self, editor: QWidget, index: Index) -> None:
        self._model.hold(None)
        self.grew.emit(0)
        super().destroyEditor(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        if index.column() == Column.EXPRESSION:
            box = QRect(box.left(), box.top(), self._view.viewport().width() - box.left(), box.height())
        input_ = editor.focusProxy()
        # The frame's own hint is that of before until its layout comes to it.
        height = max(box.height(), input_.height() + 4 if isinstance(input_, ChipInput) else 0)
        editor.setGeometry(QRect(box.left(), box.top(), box.width(), height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(watched, ChipInput | LineInput):
            return super().eventFilter(watched, event)
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            frame = watched.parentWidget()
            if frame is not None:
                room = self._view.visualRect(self._view.currentIndex()).height()
                height = max(watched.height() + 4, room) if isinstance(watched, ChipInput) else room
                if height != frame.height():
                    frame.resize(frame.width(), height)
                self.grew.emit(frame.y() + height)
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        frame = watched.parentWidget()
        if frame is None or belongs_to_document(event):
            return False
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish(frame)
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)
        elif key == Qt.Key.Key_Escape:
            self._give_up(watched)
            self._finish(frame)
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._finish(frame)
            self.tabbed.emit(1 if key == Qt.Key.Key_Tab else -1)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not event.modifiers() and _one_row(watched):
            self.moved_on.emit(-1 if key == Qt.Key.Key_Up else 1)
        else:
            return False
        return True

    def _give_up(self, input_: ChipInput | LineInput) -> None:
        before = input_.property("before")
        index = self._view.currentIndex()
        if isinstance(before, str) and before != input_.text() and index.isValid():
            self.typed.emit(self._model.place_of(index), index.column(), before)

    def _finish(self, frame: QWidget) -> None:
        self._close(frame, QAbstractItemDelegate.EndEditHint.NoHint)

    def _close(self, frame: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        if isValid(frame) and not frame.property("closing"):
            frame.setProperty("closing", True)
            self.closeEditor.emit(frame, hint)


def _one_row(input_: ChipInput | LineInput) -> bool:
    return isinstance(input_, LineInput) or input_.document().size().height() < 2 * ROW_HEIGHT


def _draw_chips(painter: QPainter, body: QRectF, text: str, origins: Origins, around: Surroundings) -> None:
    """One line of an expression, cut at the right, its paths in the colour of the step that they come from."""
    theme = around.theme
    font = theme.font("mono", 12)
    metrics = QFontMetricsF(font)
    painter.setFont(font)
    share = 0.0 if theme.high_contrast else 0.16 if theme.dark else 0.11
    align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    left, place = body.left(), 0
    paths = paths_of(text)
    pieces: list[tuple[int, int, bool]] = []
    for path in paths:
        if path.start > place:
            pieces.append((place, path.start, False))
        pieces.append((path.start, path.end, True))
        place = path.end
    pieces.append((place, len(text), False))
    named = {path.start: path for path in paths}
    for start, end, chip in pieces:
        room = body.right() - left - (12 if chip else 0)
        if start == end:
            continue
        if room < metrics.horizontalAdvance("…") + (6 if chip else 0):
            painter.setPen(theme.color("text3"))
            end_of_line = QRectF(body.right() - metrics.horizontalAdvance("…"), body.top(), 20, body.height())
            painter.drawText(end_of_line, align, "…")
            return
        shown = metrics.elidedText(text[start:end], Qt.TextElideMode.ElideRight, room)
        width = metrics.horizontalAdvance(shown)
        if chip:
            origin = origins.of(named[start])
            color = theme.color("text2") if origin.category is None else theme.category(origin.category)
            box = QRectF(left + 0.5, body.center().y() - 10, width + 11, 20)
            painter.setBrush(theme.blend("panel", color, share))
            painter.setPen(QPen(theme.blend("panel", color, 0.45), 1))
            painter.drawRoundedRect(box, 5, 5)
            painter.setPen(color)
            painter.drawText(QRectF(left + 6, body.top(), width + 2, body.height()), align, shown)
            left += width + 14
        else:
            painter.setPen(theme.color("text"))
            painter.drawText(QRectF(left, body.top(), width + 2, body.height()), align, shown)
            left += width
        if shown != text[start:end]:
            return


class MappingView(QTreeView):
    """The table: arrows move, Enter, F2 or typing edits, Insert adds, Delete removes, Alt with an arrow moves a row."""

    menu_wanted = Signal(tuple, QPoint)
    dropped = Signal(object, tuple, int)
    """A field was dropped on a row (the empty place for none) and a column."""

    def __init__(self, around: Surroundings, model: MappingModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._model = model
        self.setModel(model)
        self.cells: Final = _Cells(around, model, self)
        self.setItemDelegate(self.cells)
        self.setRootIsDecorated(True)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setAnimated(False)
        self.setItemsExpandable(True)
        self.setExpandsOnDoubleClick(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.AnyKeyPressed)
        self.setTabKeyNavigation(False)
        self.setAcceptDrops(True)
        self.setAccessibleName("Fields to make")
        self.setProperty("transparent", True)
        header = self.header()
        header.setFixedHeight(HEADER_HEIGHT)
        header.setSectionsMovable(False)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(48)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        model.modelReset.connect(self._renewed)
        self.expanded.connect(self.fit)
        self.collapsed.connect(self.fit)
        self._shares = (0.30, 0.42)
        self._reach = 0
        self.cells.grew.connect(self._reach_down)

    @property
    def place(self) -> Place:
        """The chosen row; the empty place for none."""
        return self._model.place_of(self.currentIndex())

    def choose(self, place: Place, column: Column = Column.TARGET) -> None:
        """Makes a cell the current one."""
        for depth in range(1, len(place)):
            self.expand(self._model.index_of(place[:depth]))
        self.setCurrentIndex(self._model.index_of(place, column))

    def edit_cell(self, place: Place, column: Column) -> None:
        """Puts the cursor into a cell."""
        self.choose(place, column)
        self.edit(self.currentIndex())

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        # Taking the focus back, Qt's own code closes an editor that is being closed.
        if not editor.property("closed"):
            editor.setProperty("closed", True)
            super().closeEditor(editor, hint)

    def fit(self, *_: object) -> None:
        """Takes the height of its rows, up to a bound."""
        rows = self._visible_rows(QModelIndex())
        height = round(ROW_HEIGHT * self._around.theme.text_scale)
        self.setFixedHeight(HEADER_HEIGHT + max(max(1, min(rows, MOST_ROWS)) * height, self._reach) + 6)

    def _reach_down(self, to: int) -> None:
        self._reach = to
        self.fit()

    def _visible_rows(self, parent: QModelIndex) -> int:
        count = self._model.rowCount(parent)
        for row in range(count if count < 500 else 0):
            index = self._model.index(row, 0, parent)
            if self.isExpanded(index):
                count += self._visible_rows(index)
        return count

    def _renewed(self) -> None:
        self.expandAll()
        self.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = self.viewport().width()
        target, expression = (round(width * share) for share in self._shares)
        header = self.header()
        for column, size in (
            (Column.TARGET, target),
            (Column.EXPRESSION, expression),
            (Column.PREVIEW, width - target - expression),
        ):
            header.resizeSection(column, size)

    def drawBranches(self, painter: QPainter, rect: QRect, index: Index) -> None:
        theme = self._around.theme
        if self.selectionModel().isSelected(index):
            painter.fillRect(rect, theme.color("sel"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.color("line"))
        if self._model.rowCount(index):
            icon = "caret-down-bold" if self.isExpanded(index) else "caret-right-bold"
            picture = theme.pixmap(icon, "text3", 9, self.devicePixelRatioF())
            painter.drawPixmap(rect.right() - 11, rect.center().y() - 4, picture)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        on_branch = index.isValid() and event.position().x() < self.visualRect(index).left()
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and not on_branch:
            if index.column() == Column.PREVIEW:
                index = index.siblingAtColumn(Column.EXPRESSION)
            if self._model.flags(index) & Qt.ItemFlag.ItemIsEditable:
                self.setCurrentIndex(index)
                self.edit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        place = self.place
        alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        if belongs_to_document(event):
            event.ignore()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2) and place:
            if self._model.flags(self.currentIndex()) & Qt.ItemFlag.ItemIsEditable:
                self.edit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Insert:
            self.menu_wanted.emit(("add", place), QPoint())
        elif event.key() == Qt.Key.Key_Delete and place:
            self.menu_wanted.emit(("remove", place), QPoint())
        elif alt and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and place:
            self.menu_wanted.emit(("up" if event.key() == Qt.Key.Key_Up else "down", place), QPoint())
        elif event.matches(QKeySequence.StandardKey.Copy) and place:
            QWidget.keyPressEvent(self, event)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not event.modifiers() and place:
            self._sideways(1 if event.key() == Qt.Key.Key_Right else -1)
        else:
            super().keyPressEvent(event)

    def _sideways(self, by: int) -> None:
        index = self.currentIndex()
        column = index.column() + by
        if column < 0:
            self.collapse(index)
        elif column < len(Column):
            self.setCurrentIndex(index.siblingAtColumn(column))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = self._model.place_of(self.indexAt(event.pos())) if event.reason() == event.Reason.Mouse else self.place
        self.menu_wanted.emit(("menu", place), event.globalPos())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if picked(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if picked(event.mimeData()) is None:
            return
        index = self.indexAt(event.position().toPoint())
        if index.isValid():
            self.setCurrentIndex(index)
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        event.acceptProposedAction()
        self.dropped.emit(picked(event.mimeData()), self._model.place_of(index), index.column())


class MappingTable(QWidget):
    """The table with its buttons, and below it what is wrong with the row that is chosen."""

    changed = Signal(str)
    left = Signal()

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._asked: dict[str, Previewed | None] = {}
        self._notes: list[Note] = []
        self._noted: list[tuple[str, str, tuple[str, ...]]] = []
        self.model: Final = MappingModel(self)
        self.view: Final = MappingView(around, self.model)
        self._nothing = QLabel("No fields yet. Add one, or drag fields here from the data panel.")
        self._nothing.setProperty("type", "hint")
        self._nothing.setWordWrap(True)
        self.add_button: Final = WordButton(around.themes, "Add field", "plus")
        self.match_button: Final = WordButton(around.themes, "Match by name", "magic-wand", ghost=True)
        self.match_button.setToolTip("Make a field for each field that comes in")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.view)
        column.addWidget(self._nothing)
        self._below = QVBoxLayout()
        self._below.setContentsMargins(0, 0, 0, 0)
        self._below.setSpacing(2)
        column.addLayout(self._below)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 2, 0, 0)
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.match_button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self.setAcceptDrops(True)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.ask)
        self.add_button.clicked.connect(lambda: self.add(()))
        self.match_button.clicked.connect(lambda: self.match(()))
        self.model.edited.connect(self._edited)
        self.view.cells.typed.connect(self._typed)
        self.view.cells.moved_on.connect(self._move_on)
        self.view.cells.tabbed.connect(self._tab)
        self.view.cells.closeEditor.connect(self._closed)
        self.view.menu_wanted.connect(self._act)
        self.view.dropped.connect(self._dropped)
        self.view.selectionModel().currentChanged.connect(self._show_notes)
        around.preview_outdated.connect(self._outdated)
        around.sample.changed.connect(self._look_at_names)
        self._show_extent()

    def show_source(self, source: str) -> bool:
        """Shows an expression; False where it is no table."""
        if not self.model.show(source):
            return False
        self._show_extent()
        self._timer.start(0)
        return True

    def add(self, above: Place, name: str = "", value: str = NOTHING_YET) -> None:
        """Adds a field and puts the cursor into its name, or into its value where it has a name."""
        self._around.end_series()
        place = self.model.add(above, name, value)
        self._around.end_series()
        self.view.edit_cell(place, Column.EXPRESSION if name else Column.TARGET)

    def match(self, path: Sequence[str], lead: str = "") -> None:
        """Makes a field for each field of what comes in, or of a part of it, except where there is one of that name."""
        known = self._around.sample.known
        taken = {entry.name for entry in self.model.table.entries}
        names = [name for name in names_in(known.at(None, tuple(path))) if name not in taken]
        if not names:
            return
        lead = lead or ".".join(written(name) for name in path)
        fields = [(name, f"{lead}.{written(name)}" if lead else written(name)) for name in names]
        self._around.end_series()
        if not self.model.table.entries:
            source = new_table(fields)
            if self.model.show(source):
                self._edited(source)
        else:
            for name, value in fields:
                self.model.add((), name, value)
        self._around.end_series()

    def ask(self) -> None:
        """Asks what the rows give on the sample, as far as that is not known."""
        self._timer.stop()
        _ = self._around.sample.known  # asked for now: "Match by name" must not wait for it
        for place, _ in self.model.table.places():
            source = self.model.previewed_source(place)
            if source is None or source == NOTHING_YET:
                self.model.set_preview(place, None)
            elif source in self._asked:
                self.model.set_preview(place, self._asked[source])
            else:
                self._asked[source] = None
                self._around.preview(source, partial(self._came, source))
        self._look_at_names()

    def _came(self, source: str, result: Previewed) -> None:
        if not isValid(self):
            return
        self._asked[source] = result
        for place, _ in self.model.table.places():
            if self.model.previewed_source(place) == source:
                self.model.set_preview(place, result)
        self._show_notes()

    def _outdated(self) -> None:
        self._asked = {}
        if self.isVisibleTo(self.window()):
            self._timer.start(PREVIEW_AFTER_MS)

    def _edited(self, source: str) -> None:
        self._timer.start(PREVIEW_AFTER_MS)
        self.changed.emit(source)
        self._show_extent()

    def _typed(self, place: Place, column: int, text: str) -> None:
        if column == Column.TARGET:
            self._rename(place, text)
        else:
            self.model.set_value(place, text)
        self._show_notes()

    def _rename(self, place: Place, name: str) -> None:
        if not name:
            return  # it is emptied perhaps to be named anew: until then it keeps its name
        fresh = self.model.text_at(place, Column.EXPRESSION) == NOTHING_YET
        self.model.set_name(place, name)
        outermost = len(place) == 1 and self.model.table.kind == "object"
        # A field that is called as one that comes in is most likely that one.
        if fresh and outermost and name in names_in(self._around.sample.known.payload):
            self.model.set_value(place, written(name))

    def _closed(self, *_: object) -> None:
        self._around.end_series()
        self.left.emit()

    def _move_on(self, by: int) -> None:
        index = self.view.currentIndex()
        beside = self.view.indexBelow(index) if by > 0 else self.view.indexAbove(index)
        if beside.isValid():
            self.view.edit_cell(self.model.place_of(beside), Column(index.column()))

    def _tab(self, by: int) -> None:
        """Goes to the next cell that can be edited; past the last one out of the table."""
        index = self.view.currentIndex()
        while index.isValid():
            beside = index.siblingAtColumn(index.column() + by)
            if not beside.isValid() or beside.column() == Column.PREVIEW:
                row = self.view.indexBelow(index) if by > 0 else self.view.indexAbove(index)
                beside = row.siblingAtColumn(Column.TARGET if by > 0 else Column.EXPRESSION)
            index = beside
            if index.isValid() and self.model.flags(index) & Qt.ItemFlag.ItemIsEditable:
                self.view.edit_cell(self.model.place_of(index), Column(index.column()))
                return
        (self.add_button if by > 0 else self.view).setFocus(Qt.FocusReason.TabFocusReason)

    def _act(self, what: tuple[str, Place], at: QPoint) -> None:
        name, place = what
        if name == "menu":
            menu = self.menu(place)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(at)
        else:
            self._actions(place)[name]()

    def _actions(self, place: Place) -> dict[str, Callable[[], None]]:
        last = len(self.model.table.table_at(place[:-1]).entries) - 1 if place else 0
        number = place[-1] if place else 0
        return {
            "add": lambda: self.add(place[:-1]),
            "remove": lambda: self._once(lambda: self.model.remove(place)),
            "up": lambda: self._move(place, max(0, number - 1)),
            "down": lambda: self._move(place, min(last, number + 1)),
        }

    def _once(self, do: Callable[[], object]) -> None:
        self._around.end_series()
        do()
        self._around.end_series()

    def _move(self, place: Place, to: int) -> None:
        if to != place[-1]:
            column = Column(self.view.currentIndex().column())
            self._once(lambda: self.model.move(place, to))
            self.view.choose((*place[:-1], to), column)

    def menu(self, place: Place) -> QMenu:
        """What can be done with a row."""
        menu = QMenu(self)
        actions = self._actions(place)
        if not place:
            menu.addAction("Add field", lambda: self.add(()))
            return menu
        entry = self.model.table.at(place)
        menu.addAction("Add field\tIns", actions["add"])
        if entry.inner is not None:
            menu.addAction("Add field inside", lambda: self.add(place))
            menu.addAction("Make it one value", lambda: self._once(lambda: self.model.flatten(place)))
        else:
            menu.addAction("Make it an object", lambda: self._nest(place, "object"))
            if entry.source != NOTHING_YET:
                menu.addAction("Make one for each of these", lambda: self._nest(place, "list"))
        menu.addSeparator()
        if place[-1] > 0:
            menu.addAction("Move up\tAlt+Up", actions["up"])
        if place[-1] < len(self.model.table.table_at(place[:-1]).entries) - 1:
            menu.addAction("Move down\tAlt+Down", actions["down"])
        menu.addSeparator()
        menu.addAction("Remove\tDel", actions["remove"])
        return menu

    def _nest(self, place: Place, kind: str) -> None:
        self._once(lambda: self.model.nest(place, "list" if kind == "list" else "object", "field"))
        self.view.edit_cell((*place, 0), Column.TARGET)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if picked(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self._dropped(picked(event.mimeData()), (), -1)

    def _dropped(self, field: object, place: Place, column: int) -> None:
        """A field on a row's expression becomes its value; anywhere else it becomes a row."""
        if not isinstance(field, Picked):
            return
        if place and column != Column.TARGET:
            take_dropped(self._around, field, self.view, lambda source: self.model.set_value(place, source))
            return
        own = field.step == self._around.step and field.side == "input"
        names = tuple(str(key) for key in field.path)
        inside = names_in(self._around.sample.known.at(None, names)) if own and field.kind == "object" else []
        if inside and not self.model.table.entries:
            menu = QMenu(self)
            said = "1 field" if len(inside) == 1 else f"{len(inside)} fields"
            menu.addAction(f"Match by name: {said}", lambda: self.match(names))
            if field.path:
                menu.addAction("As one field", lambda: self._add_dropped(field))
            menu.setActiveAction(menu.actions()[0])
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(self.view.mapToGlobal(QPoint(8, HEADER_HEIGHT)))
        else:
            self._add_dropped(field)

    def _add_dropped(self, field: Picked) -> None:
        name = last_name(field) or "value"
        take_dropped(self._around, field, self.view, lambda source: self._add_named(name, source))

    def _add_named(self, name: str, source: str) -> None:
        self.view.choose(self.model.add((), name, source))

    def _look_at_names(self) -> None:
        found: dict[Place, list[Misnamed]] = {}
        source = self.model.source if self.model.is_whole else ""
        for each in misnamed(source, self._around.sample.known) if source else []:
            inner = None
            for place, entry in self.model.table.places():
                if entry.value[0] <= each.start and each.end <= entry.value[1]:
                    inner = place
            if inner is not None:
                found.setdefault(inner, []).append(each)
        if found != self.view.cells.misnamed:
            self.view.cells.misnamed = found
            self.view.viewport().update()
            self._show_notes()

    def notes(self) -> list[Note]:
        """What stands below the table about the chosen row."""
        return list(self._notes)

    def _show_notes(self, *_: object) -> None:
        place = self.view.place
        wanted: list[tuple[str, str, tuple[str, ...]]] = []
        fixes: list[Callable[[str], None]] = []
        if place and self.model.index_of(place).isValid():
            reason = self.model.reason_at(place)
            text = self.model.text_at(place, Column.EXPRESSION)
            advice = advise(text) if text.strip() else ()
            if reason:
                wanted.append(("err", f"{reason[:1].upper()}{reason[1:]}.", ()))
                fixes.append(lambda _: None)
            for each in advice:
                wanted.append(("accent", each.message, ("Change it",)))
                fixes.append(partial(self._follow, place, each.applied(text)))
            for name in self.view.cells.misnamed.get(place, [])[:3]:
                wanted.append(("warn", f"{name.name} is not in this sample. Did you mean one of these?", name.nearest))
                fixes.append(partial(self._rewrite, place, name))
        if wanted == self._noted:
            return
        self._noted = wanted
        for note in self._notes:
            self._below.removeWidget(note)
            note.deleteLater()
        self._notes = []
        for (tone, message, choices), fix in zip(wanted, fixes, strict=True):
            note = Note(
                self._around.themes,
                "err" if tone == "err" else "warn" if tone == "warn" else "accent",
                message,
                choices=choices,
            )
            note.chosen.connect(fix)
            self._below.addWidget(note)
            self._notes.append(note)

    def _follow(self, place: Place, text: str, _: str) -> None:
        self._once(lambda: self.model.set_value(place, text))

    def _rewrite(self, place: Place, name: Misnamed, chosen: str) -> None:
        entry = self.model.table.at(place)
        text = self.model.text_at(place, Column.EXPRESSION)
        start = (entry.inner.over_span if entry.inner is not None and entry.inner.kind == "list" else entry.value)[0]
        better = text[: name.start - start] + written(chosen) + text[name.end - start :]
        self._once(lambda: self.model.set_value(place, better))

    def _show_extent(self) -> None:
        some = bool(self.model.table.entries)
        self.view.setVisible(some)
        self._nothing.setVisible(not some)
        self.view.fit()


class MappingField(Field):
    """An expression as a table of the fields that it makes, or as text: whatever else it is, it is text."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = None
        self._wants_text = False
        self._fits = True
        self.switch: Final = Segments(around.themes, ("Table", "Text"), height=26)
        self.switch.setAccessibleName("How the expression is shown")
        self.text: Final = ExpressionField(around, spec)
        self.table: Final = MappingTable(around)
        self.why: Final = QLabel("Only an object, { … }, shows as a table.")
        self.why.setProperty("type", "hint")
        set_look(self.why, tone="faint")
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.switch)
        top.addSpacing(8)
        top.addWidget(self.why)
        top.addStretch(1)
        self._both = QHBoxLayout()
        self._both.setContentsMargins(0, 0, 0, 0)
        self._both.setSpacing(16)
        self._both.addWidget(self.table, 3, Qt.AlignmentFlag.AlignTop)
        self._both.addWidget(self.text, 2, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(self._both)
        self.switch.chosen.connect(self._choose)
        self.table.changed.connect(self._table_changed)
        self.table.left.connect(self.left)
        self.text.changed.connect(self._text_changed)
        self.text.left.connect(self._text_left)
        self.text.faulted.connect(self.faulted)
        self.text.menu_opening.connect(self.menu_opening)
        self.show_value(ABSENT)

    @property
    def is_table(self) -> bool:
        """Whether the table is on show."""
        return self.table.isVisibleTo(self)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self._fits = self.table.show_source(self._source())
        self._arrange()

    def set_invalid(self, invalid: bool) -> None:
        self.text.set_invalid(invalid)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        self.text.mark(spans)

    def set_name(self, name: str) -> None:
        self.text.set_name(name)
        self.setAccessibleName(name)

    def enter(self) -> None:
        if not self.is_table:
            self.text.enter()
        elif self.table.model.table.entries:
            self.table.view.choose((0,), Column.EXPRESSION)
            self.table.view.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.table.add_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _source(self) -> str:
        return self._value if isinstance(self._value, str) else ""

    def _arrange(self) -> None:
        """Shows the table where the expression is one and nobody wants the text; in a wide form both."""
        typing = self.text.box.input.hasFocus()
        fits, wide = self._fits, self.width() >= BOTH_FROM
        table = fits and (wide or not (self._wants_text or typing))
        self.table.setVisible(table)
        if wide or not table:
            # Hidden it is not kept up: its chips and advice would be made anew at every key in the table.
            self.text.show_value(self._value)
        else:
            self.faulted.emit("")  # the table tells what is wrong in its rows
        self.text.setVisible(wide or not table)
        self.switch.setVisible(not (wide and fits))
        self.why.setVisible(not fits)
        self.switch.choose(0 if table else 1)

    def _choose(self, index: int) -> None:
        self._wants_text = index == 1
        self._arrange()
        self.switch.choose(0 if self.is_table else 1)
        if not self.is_table:
            self.text.enter()

    def _table_changed(self, source: str) -> None:
        value: Json = source or ABSENT
        self._value = value
        self._fits = True
        if self.text.isVisibleTo(self):
            self.text.show_value(value)
        self.changed.emit((), value)

    def _text_changed(self, path: tuple[object, ...], value: Json) -> None:
        self._value = value
        self._wants_text = True
        self._fits = self.table.show_source(self._source())
        self.changed.emit((), value)

    def _text_left(self) -> None:
        self._arrange()
        self.left.emit()
