"""The palette: all components by category, found by their own words and by other tools', dragged or added by a key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QMimeData,
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
from PySide6.QtGui import QDrag, QFontMetrics, QHelpEvent, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.controls import Pane
from flowstudio.editor.theme import Theme, Themes
from flowstudio.sdk.component import Category
from flowstudio.sdk.spec import Spec

COMPONENT_MIME: Final = "application/x-flowstudio-component"

_GROUPS: Final = {
    "Trigger": "Triggers",
    "Connect": "Connect",
    "Transform": "Transform",
    "Logic": "Logic",
    "Reliability": "Reliability",
    "Output": "Output",
}

_FALLBACK: Final = ("http", "script")
"""What the palette offers where nothing matches: with these two, most systems can be reached."""

Index = QModelIndex | QPersistentModelIndex


def search(specs: Iterable[Spec], text: str) -> list[Spec]:
    """The components that `text` may mean, the likeliest first; all of them, in their order, for an empty text."""
    words = text.casefold().split()
    if not words:
        return list(specs)
    ranked = []
    for place, spec in enumerate(specs):
        ranks = [_rank(spec, word) for word in words]
        if None not in ranks:
            ranked.append((sum(rank for rank in ranks if rank is not None), place, spec))
    return [spec for _, _, spec in sorted(ranked, key=lambda found: found[:2])]


def _rank(spec: Spec, word: str) -> int | None:
    """How far from sure it is that a word means a component; None: it does not."""
    title, key = spec.title.casefold(), spec.key.casefold()
    if title.startswith(word) or key.startswith(word):
        return 0
    if any(part.startswith(word) for part in title.split()):
        return 1
    aliases = [alias.casefold() for alias in spec.aliases]
    if any(alias.startswith(word) for alias in aliases):
        return 2
    if any(part.startswith(word) for alias in aliases for part in alias.split()):
        return 3
    if word in title or any(word in alias for alias in aliases):
        return 4
    if any(part.startswith(word) for part in spec.description.casefold().split()):
        return 5
    return None


class Role(IntEnum):
    """What the palette's model tells beside Qt's own roles."""

    SPEC = Qt.ItemDataRole.UserRole
    GROUP = Qt.ItemDataRole.UserRole + 1
    COUNT = Qt.ItemDataRole.UserRole + 2
    FOLDED = Qt.ItemDataRole.UserRole + 3


@dataclass(frozen=True, slots=True)
class _Row:
    group: str
    spec: Spec | None = None
    count: int = 0


class PaletteModel(QAbstractListModel):
    """Category lines and their components, filtered by a search; while searching, no category is folded."""

    def __init__(self, specs: Sequence[Spec], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._specs = list(specs)
        self._text = ""
        self._folded: set[str] = set()
        self._rows: list[_Row] = []
        self._fill()

    @property
    def text(self) -> str:
        """What is searched for."""
        return self._text

    @property
    def folded(self) -> frozenset[str]:
        """The categories that are folded."""
        return frozenset(self._folded)

    def set_text(self, text: str) -> None:
        """Searches."""
        self._text = text.strip()
        self._refill()

    def set_folded(self, groups: Iterable[str]) -> None:
        """Folds these categories and unfolds the others."""
        self._folded = set(groups)
        self._refill()

    def toggle(self, group: str) -> None:
        """Folds or unfolds a category."""
        self._folded ^= {group}
        self._refill()

    def first(self) -> Spec | None:
        """The best match."""
        return next((row.spec for row in self._rows if row.spec is not None), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Role.SPEC:
            return row.spec
        if role == Role.GROUP:
            return row.group
        if role == Role.COUNT:
            return row.count
        if role == Role.FOLDED:
            return not self._text and row.group in self._folded
        if role == Qt.ItemDataRole.DisplayRole:
            return row.spec.title if row.spec is not None else _GROUPS.get(row.group, row.group)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            return row.spec.description if row.spec is not None else f"{row.count} components"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.isValid() and self._rows[index.row()].spec is not None:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        return [COMPONENT_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        spec = next((self._rows[index.row()].spec for index in indexes if index.isValid()), None)
        if spec is not None:
            data.setData(COMPONENT_MIME, spec.name.encode())
        return data

    def _refill(self) -> None:
        self.beginResetModel()
        self._fill()
        self.endResetModel()

    def _fill(self) -> None:
        found = search(self._specs, self._text)
        rows: list[_Row] = []
        order = [str(category) for category in Category]
        if self._text:
            # The likeliest component's category comes first: Enter adds what stands on top.
            order = list(dict.fromkeys(spec.category for spec in found))
        for group in order:
            members = [spec for spec in found if spec.category == group]
            if not members:
                continue
            rows.append(_Row(group, None, len(members)))
            if self._text or group not in self._folded:
                rows.extend(_Row(group, spec) for spec in members)
        self._rows = rows


class PaletteDelegate(QStyledItemDelegate):
    """Draws a category line, or a component: its tile, its title and, where there is room, what it does."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.compact = False

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        scale = self._themes.current.text_scale
        if index.data(Role.SPEC) is None:
            return QSize(0, 32)
        return QSize(0, 36 if self.compact else round(43 * scale))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        body = QRectF(rect).adjusted(8, 1, -8, -1)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("sel" if selected else "hover"))
            painter.drawRoundedRect(body, 7, 7)
        if selected and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme.color("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(body.adjusted(0.75, 0.75, -0.75, -0.75), 7, 7)
        spec: Spec | None = index.data(Role.SPEC)
        if spec is None:
            self._paint_group(painter, theme, rect, index)
        else:
            paint_component(painter, theme, spec, rect.adjusted(16, 0, -12, 0), compact=self.compact)
        painter.restore()

    def _paint_group(self, painter: QPainter, theme: Theme, rect: QRect, index: Index) -> None:
        middle = rect.center().y() + 1
        icon = "caret-right-bold" if index.data(Role.FOLDED) else "caret-down-bold"
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(QPoint(rect.left() + 15, middle - 5), theme.pixmap(icon, "text3", 10, ratio))
        painter.setFont(theme.font("ui", 12, 600))
        painter.setPen(theme.color("text2"))
        painter.drawText(
            rect.adjusted(31, 0, -40, 0),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            index.data(Qt.ItemDataRole.DisplayRole),
        )
        painter.setFont(theme.font("ui", 11.5, 500, tabular=True))
        painter.setPen(theme.color("text3"))
        painter.drawText(
            rect.adjusted(0, 0, -18, 0),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            str(index.data(Role.COUNT)),
        )


def paint_component(painter: QPainter, theme: Theme, spec: Spec, rect: QRect, *, compact: bool = False) -> None:
    """Draws a component as the palette shows it: tile, title and (unless compact) one line of what it does."""
    side = 26 if compact else 28
    tile = QRectF(rect.left(), rect.center().y() - side / 2 + 0.5, side, side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.tile(spec.category))
    painter.drawRoundedRect(tile, 7, 7)
    ratio = painter.device().devicePixelRatioF()
    icon = theme.pixmap(spec.icon, theme.category(spec.category), 16, ratio)
    painter.drawPixmap((tile.center() - QPoint(8, 8)).toPoint(), icon)
    text = rect.adjusted(side + 10, 0, 0, 0)
    title = theme.font("ui", 13, 600)
    painter.setFont(title)
    painter.setPen(theme.color("text"))
    elide = Qt.TextElideMode.ElideRight
    if compact:
        shown = QFontMetrics(title).elidedText(spec.title, elide, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        return
    line = round(17 * theme.text_scale)
    upper = QRect(text.left(), rect.center().y() - line, text.width(), line + 1)
    painter.drawText(
        upper, Qt.AlignmentFlag.AlignVCenter, QFontMetrics(title).elidedText(spec.title, elide, text.width())
    )
    small = theme.font("ui", 11.5)
    painter.setFont(small)
    painter.setPen(theme.color("text2"))
    lower = upper.translated(0, line)
    shown = QFontMetrics(small).elidedText(_short(spec.description), elide, text.width())
    painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, shown)


def _short(sentence: str) -> str:
    return sentence.rstrip(".")


class PaletteList(QListView):
    """The list itself: one click selects, a double-click or Enter adds, a drag carries the component to the canvas."""

    added = Signal(str)
    """A component's name (`http@1`)."""

    def __init__(self, model: PaletteModel, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._model = model
        self.setModel(model)
        self.rows = PaletteDelegate(themes, self)
        self.setItemDelegate(self.rows)
        self.setAccessibleName("Components")
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.doubleClicked.connect(self._add)
        self.clicked.connect(self._clicked)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and index.isValid():
            if index.data(Role.SPEC) is None:
                self._fold(index)
            else:
                self._add(index)
            return
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and index.isValid() and index.data(Role.SPEC) is None:
            if bool(index.data(Role.FOLDED)) == (key == Qt.Key.Key_Right):
                self._fold(index)
            return
        super().keyPressEvent(event)

    def startDrag(self, actions: Qt.DropAction) -> None:
        spec: Spec | None = self.currentIndex().data(Role.SPEC)
        if spec is None:
            return
        drag = QDrag(self)
        drag.setMimeData(self._model.mimeData([self.currentIndex()]))
        drag.setPixmap(self._picture(spec))
        drag.setHotSpot(QPoint(24, 24))
        drag.exec(Qt.DropAction.CopyAction)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self.indexAt(event.pos())
            spec: Spec | None = index.data(Role.SPEC) if index.isValid() else None
            text = f"<b>{spec.title}</b><br>{spec.description}" if spec is not None else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().viewportEvent(event)

    def _picture(self, spec: Spec) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(200 * ratio), round(48 * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self._themes.current
        painter.setPen(QPen(theme.color("accent"), 1.5))
        painter.setBrush(theme.color("node"))
        painter.drawRoundedRect(QRectF(1, 1, 198, 46), 10, 10)
        paint_component(painter, theme, spec, QRect(10, 0, 184, 48), compact=True)
        painter.end()
        return picture

    def _clicked(self, index: QModelIndex) -> None:
        if index.data(Role.SPEC) is None:
            self._fold(index)

    def _fold(self, index: QModelIndex) -> None:
        row = index.row()
        self._model.toggle(index.data(Role.GROUP))
        self.setCurrentIndex(self._model.index(row))

    def _add(self, index: QModelIndex) -> None:
        spec: Spec | None = index.data(Role.SPEC)
        if spec is not None:
            self.added.emit(spec.name)


class Palette(Pane):
    """The search field over the list."""

    added = Signal(str)
    """A component's name, to be added to the flow."""
    folded = Signal(object)
    """The folded categories, when they changed by hand."""

    def __init__(self, specs: Sequence[Spec], themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("panel", parent)
        self._themes = themes
        self._specs = list(specs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.setSpacing(8)
        self.field = QLineEdit(self)
        self.field.setProperty("search", True)
        self.field.setPlaceholderText("Find a step")
        self.field.setAccessibleName("Find a step")
        self._glass = self.field.addAction(
            themes.current.icon("magnifying-glass", "text3", 16), QLineEdit.ActionPosition.LeadingPosition
        )
        self._clear = self.field.addAction(
            themes.current.icon("x", "text3", 14), QLineEdit.ActionPosition.TrailingPosition
        )
        self._glass.setText("Find a step")
        self._clear.setText("Show all steps")
        self._clear.setToolTip("Show all steps (Esc)")
        self._clear.setVisible(False)
        self._clear.triggered.connect(self.field.clear)
        around = QVBoxLayout()
        around.setContentsMargins(12, 0, 12, 0)
        around.addWidget(self.field)
        layout.addLayout(around)
        self.model = PaletteModel(self._specs, self)
        self.list = PaletteList(self.model, themes, self)
        layout.addWidget(self.list, 1)
        self.nothing = QLabel(self)
        self.nothing.setProperty("type", "hint")
        self.nothing.setWordWrap(True)
        self.nothing.setContentsMargins(14, 0, 14, 0)
        self.nothing.setTextFormat(Qt.TextFormat.RichText)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.nothing.linkActivated.connect(self.added)
        self.nothing.hide()
        layout.addWidget(self.nothing, 1)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self._add_first)
        self.field.installEventFilter(self)
        self.list.added.connect(self.added)
        self.model.modelReset.connect(lambda: self.folded.emit(self.model.folded))
        themes.changed.connect(self._dress)

    def set_compact(self, compact: bool) -> None:
        """One line a component: for narrow windows."""
        if self.list.rows.compact != compact:
            self.list.rows.compact = compact
            self.list.scheduleDelayedItemsLayout()
            self.list.viewport().update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Down and self.model.rowCount():
                self.list.setFocus(Qt.FocusReason.TabFocusReason)
                self.list.setCurrentIndex(self.model.index(min(1, self.model.rowCount() - 1)))
                return True
            if event.key() == Qt.Key.Key_Escape and self.field.text():
                self.field.clear()
                return True
        return super().eventFilter(watched, event)

    def _search(self, text: str) -> None:
        self.model.set_text(text)
        self._clear.setVisible(bool(text))
        empty = self.model.rowCount() == 0
        self.list.setVisible(not empty)
        self.nothing.setVisible(empty)
        if empty:
            self.nothing.setText(self._nothing_matches(text.strip()))

    def _nothing_matches(self, text: str) -> str:
        offers = [spec for key in _FALLBACK for spec in self._specs if spec.key == key]
        color = self._themes.current.hex("accent")
        links = " or ".join(
            f'<a href="{spec.name}" style="color:{color};text-decoration:none">{spec.title}</a>' for spec in offers
        )
        said = text.replace("&", "&amp;").replace("<", "&lt;")
        return f"No step matches “{said}”." + (f" Use {links}." if links else "")

    def _add_first(self) -> None:
        first = self.model.first() if self.model.text else None
        if first is not None:
            self.added.emit(first.name)

    def _dress(self) -> None:
        theme = self._themes.current
        self._glass.setIcon(theme.icon("magnifying-glass", "text3", 16))
        self._clear.setIcon(theme.icon("x", "text3", 14))
        self.list.scheduleDelayedItemsLayout()
        self.list.viewport().update()
