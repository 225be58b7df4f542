"""The panes around the canvas: where they lie, how large they are, in which order the keyboard goes through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from flowstudio.editor.actions import Actions
from flowstudio.editor.canvas.view import CanvasView
from flowstudio.editor.panels.capture import CaptureBar
from flowstudio.editor.panels.controls import IconButton, Pane, rule
from flowstudio.editor.panels.data import HEIGHT as DATA_HEIGHT
from flowstudio.editor.panels.data import DataPanel
from flowstudio.editor.panels.inspector import WIDTH as INSPECTOR_WIDTH
from flowstudio.editor.panels.inspector import Inspector
from flowstudio.editor.panels.moment import MomentBar
from flowstudio.editor.panels.notice import NoticeBar
from flowstudio.editor.panels.palette import Palette
from flowstudio.editor.panels.tabs import Tabs
from flowstudio.editor.panels.toolbar import Toolbar
from flowstudio.editor.preferences import Preferences
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.sdk.spec import Spec

NARROW: Final = 1500
"""In a window below this width the palette is narrower and the inspector lies over the canvas."""

PALETTE_WIDTH: Final = 240
PALETTE_WIDTH_NARROW: Final = 200

OUTLINE_WIDTH: Final = 280
"""The outline has figures beside the names: less would leave no room for both."""

_LEFT_LEAST: Final = 160

Focus = Callable[[], None]


class Panes(QWidget):
    """Toolbar, palette, tabs with canvas, inspector, data panel. Of each open flow it holds three widgets, one in front."""

    arranged = Signal()
    """A pane was shown or hidden."""

    def __init__(
        self,
        specs: Sequence[Spec],
        actions: Actions,
        themes: Themes,
        preferences: Preferences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._workspace: Workspace | None = None
        self._pinned = preferences.flag("inspector_pinned")
        self._asked = False
        self._folded = False
        self._overlaid = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.toolbar = Toolbar(actions, themes, self)
        column.addWidget(self.toolbar)
        self.rows = _splitter(Qt.Orientation.Vertical, self)
        column.addWidget(self.rows, 1)
        self.upper = QWidget(self.rows)
        upper = QHBoxLayout(self.upper)
        upper.setContentsMargins(0, 0, 0, 0)
        self.columns = _splitter(Qt.Orientation.Horizontal, self.upper)
        upper.addWidget(self.columns)
        # Palette and outline share one place: whichever is wanted stands there.
        self.left = Pane("panel", self.columns)
        self.left.setMinimumWidth(_LEFT_LEAST)
        left = QVBoxLayout(self.left)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        self.palette_pane = Palette(specs, themes, self.left)
        left.addWidget(self.palette_pane)
        self.outlines = QStackedWidget(self.left)
        self.outlines.hide()
        left.addWidget(self.outlines)
        self.palette_pane.model.set_folded(preferences.texts("palette_folded"))
        self.palette_pane.folded.connect(self._keep_folded)
        self.centre = QWidget(self.columns)
        self.centre.setMinimumWidth(320)
        centre = QVBoxLayout(self.centre)
        centre.setContentsMargins(0, 0, 0, 0)
        centre.setSpacing(0)
        self.tabs = Tabs(themes, self.centre)
        centre.addWidget(self.tabs)
        self.notice = NoticeBar(themes, self.centre)
        centre.addWidget(self.notice)
        self.canvases = QStackedWidget(self.centre)
        centre.addWidget(self.canvases, 1)
        self.capture = CaptureBar(themes, self.centre)
        self.moment = MomentBar(themes, self.centre)
        # The inspector lies over the place that the splitter keeps for it, or in a narrow window over the canvas. It never
        # changes its parent: a style sheet then gives every widget in it the font back that it had at first.
        self.inspector_place = Pane("panel", self.columns)
        self.inspector_place.setMinimumWidth(280)
        self.inspector_pane = Pane("panel", self.upper)
        beside = QHBoxLayout(self.inspector_pane)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(0)
        self._edge = rule("v", self.inspector_pane)
        self.inspectors = QStackedWidget(self.inspector_pane)
        beside.addWidget(self._edge)
        beside.addWidget(self.inspectors, 1)
        self.pin = IconButton(themes, "push-pin", "Keep the inspector open", size=14, side=26, parent=self.upper)
        self.pin.setCheckable(True)
        self.pin.setChecked(self._pinned)
        self.pin.hide()
        self.pin.toggled.connect(self._pin)
        for widget in (self.left, self.centre, self.inspector_place):
            self.columns.addWidget(widget)
        self.columns.setStretchFactor(1, 1)
        self.data_pane = Pane("panel", self.rows)
        below = QVBoxLayout(self.data_pane)
        below.setContentsMargins(0, 0, 0, 0)
        self.datas = QStackedWidget(self.data_pane)
        below.addWidget(self.datas)
        self.rows.addWidget(self.upper)
        self.rows.addWidget(self.data_pane)
        self.rows.setStretchFactor(0, 1)
        for watched in (self.upper, self.centre, self.inspector_place):
            watched.installEventFilter(self)

    @property
    def canvas(self) -> CanvasView | None:
        """The canvas in front."""
        widget = self.canvases.currentWidget()
        return widget if isinstance(widget, CanvasView) else None

    @property
    def inspector(self) -> Inspector | None:
        """The inspector in front."""
        widget = self.inspectors.currentWidget()
        return widget if isinstance(widget, Inspector) else None

    @property
    def data(self) -> DataPanel | None:
        """The data panel in front."""
        widget = self.datas.currentWidget()
        return widget if isinstance(widget, DataPanel) else None

    def add(self, canvas: CanvasView, inspector: Inspector, data: DataPanel) -> None:
        """Takes in the widgets of a flow."""
        self.canvases.addWidget(canvas)
        self.inspectors.addWidget(inspector)
        self.datas.addWidget(data)

    def remove(self, canvas: CanvasView, inspector: Inspector, data: DataPanel) -> None:
        """Deletes the widgets of a flow."""
        for stack, widget in ((self.canvases, canvas), (self.inspectors, inspector), (self.datas, data)):
            stack.removeWidget(widget)
            widget.deleteLater()

    def bring(self, canvas: CanvasView, inspector: Inspector, data: DataPanel, workspace: Workspace) -> None:
        """Brings the widgets of a flow to the front."""
        self._workspace = workspace
        self.canvases.setCurrentWidget(canvas)
        self.inspectors.setCurrentWidget(inspector)
        self.datas.setCurrentWidget(data)
        self.place()

    def shows(self, pane: QWidget) -> bool:
        """Whether a pane is to be seen while the panes are."""
        return pane.isVisibleTo(self)

    def toggle_palette(self) -> None:
        """Shows or hides the palette."""
        shown = self.shows(self.palette_pane)
        self.show_outline(None)
        self.left.setVisible(not shown)
        self.arranged.emit()

    def show_outline(self, outline: QWidget | None) -> None:
        """Shows an outline in the palette's place; without one the palette stands there again."""
        was = self.outlined
        if outline is not None:
            if not was:
                self.keep_sizes()
            if self.outlines.indexOf(outline) < 0:
                self.outlines.addWidget(outline)
            self.outlines.setCurrentWidget(outline)
            self.left.show()
        # The splitter heeds the least width of what lies in it directly, not of what lies deeper.
        self.left.setMinimumWidth(OUTLINE_WIDTH if outline is not None else _LEFT_LEAST)
        self.outlines.setVisible(outline is not None)
        self.palette_pane.setVisible(outline is None)
        if was and outline is None:
            self.size_panes()
        self.arranged.emit()

    @property
    def outlined(self) -> bool:
        """Whether the outline is to be seen in the palette's place."""
        return self.shows(self.outlines)

    def toggle_data(self) -> None:
        """Shows or hides the data panel."""
        self.data_pane.setVisible(not self.shows(self.data_pane))
        self.arranged.emit()

    def toggle_inspector(self) -> None:
        """Shows or hides the inspector; where it lies over the canvas, showing it gives it the keyboard too."""
        shown = self.shows(self.inspector_pane)
        if self._overlaid:
            self._asked = not shown
            if shown and self._pinned:
                self.pin.setChecked(False)
            self.place()
            if not shown and self.inspector is not None:
                self.inspector.focus_first()
        else:
            self._folded = shown
            self.place()
        self.arranged.emit()

    def follow_selection(self) -> None:
        """In a narrow window the inspector is there while something is selected, and the canvas makes way for it."""
        if self._overlaid:
            self._asked = False
            self.place()
            self._uncover()
            self.arranged.emit()

    def place(self) -> None:
        """Puts the inspector beside the canvas, or in a narrow window over it."""
        narrow = self.window().width() < NARROW
        self.palette_pane.set_compact(narrow)
        if narrow != self._overlaid:
            self._overlaid = narrow
            self._edge.setVisible(narrow)
            self.size_panes()
        self.inspector_place.setVisible(not narrow and not self._folded)
        if not narrow:
            self._cover(0)
            self.pin.hide()
            self.inspector_pane.setVisible(not self._folded)
            place = self.inspector_place
            self.inspector_pane.setGeometry(QRect(place.mapTo(self.upper, QPoint(0, 0)), place.size()))
            self.inspector_pane.raise_()
            return
        workspace = self._workspace
        wanted = workspace is not None and (self._pinned or self._asked or bool(workspace.selection))
        width = min(INSPECTOR_WIDTH, self.upper.width() - 200)
        self.inspector_pane.setGeometry(self.upper.width() - width, 0, width, self.upper.height())
        self.inspector_pane.setVisible(wanted)
        self.inspector_pane.raise_()
        self._cover(width if wanted else 0)
        self.pin.setVisible(wanted)
        self.pin.move(self.upper.width() - width - 32, 44)
        self.pin.raise_()
        self.place_capture()

    def _cover(self, width: int) -> None:
        """Tells the canvas in front how much of its right side lies below the inspector."""
        if self.canvas is not None:
            self.canvas.viewer.covered = width

    def place_capture(self) -> None:
        """Puts the bars that await a request, or a choice, over the middle of the canvas."""
        top, room = 50, self.centre.width() - 32
        if self._overlaid and self.shows(self.inspector_pane):
            room = min(room, self.inspector_pane.x() - self.centre.geometry().x() - 76)
        for bar in (self.moment, self.capture):
            if bar.isVisibleTo(self.centre):
                width = bar.fit(room) if isinstance(bar, MomentBar) else min(bar.sizeHint().width(), room)
                bar.setGeometry(QRect(16 + (room - width) // 2, top, width, bar.sizeHint().height()))
                size = bar.size()
                bar.raise_()
                top += size.height() + 8

    def size_panes(self) -> None:
        """Gives the panes the sizes that were kept, or the ones they come with."""
        data, palette, inspector = self._wanted_sizes()
        # Before the first layout a splitter goes by its widgets' hints; afterwards it shares out what it is given in
        # proportion, so the middle must be what is left.
        self.left.hint = QSize(palette, 400)
        self.inspector_place.hint = QSize(inspector, 400)
        self.data_pane.hint = QSize(800, data)
        if self.isVisible():
            self.rows.setSizes([max(200, self.rows.height() - data - 1), data])
            width = self.upper.width()
            rest = [width - palette - 1] if self._overlaid else [width - palette - inspector - 2, inspector]
            self.columns.setSizes([palette, *rest])

    def keep_sizes(self) -> None:
        """Keeps the sizes among the preferences."""
        if not self.isVisible() or self.outlined:
            return
        sizes = self.columns.sizes()
        self._preferences.set("rows", self.rows.sizes() if self.data_pane.isVisible() else None)
        if self.left.isVisible() and self._overlaid:
            self._preferences.set("columns_narrow", sizes[:2])
        elif self.left.isVisible() and self.inspector_pane.isVisible():
            self._preferences.set("columns", sizes)

    def reset(self) -> None:
        """Shows all panes in the sizes they come with."""
        for name in ("columns", "columns_narrow", "rows"):
            self._preferences.set(name, None)
        self.pin.setChecked(False)
        self.show_outline(None)
        self.left.show()
        self.data_pane.show()
        self._folded = False
        self.size_panes()
        self.place()
        self.arranged.emit()

    def focus_order(self) -> list[tuple[QWidget, Focus]]:
        """The panes that are to be seen in the order of F6, each with what puts the keyboard into it."""

        def into(widget: QWidget) -> Focus:
            return lambda: widget.setFocus(Qt.FocusReason.TabFocusReason)

        run = self.toolbar.run if self.toolbar.run.isEnabled() else self.toolbar.stop
        order: list[tuple[QWidget, Focus]] = [(self.toolbar, into(run))]
        if self.shows(self.palette_pane):
            order.append((self.palette_pane, into(self.palette_pane.field)))
        outline = self.outlines.currentWidget()
        if outline is not None and self.shows(self.outlines):
            order.append((self.outlines, into(outline)))
        order.append((self.tabs, into(self.tabs.bar)))
        if self.shows(self.notice):
            order.append((self.notice, into(next(iter(self.notice.buttons.values()), self.notice.close_button))))
        if self.canvas is not None:
            order.append((self.canvases, into(self.canvas)))
        if self.inspector is not None and self.shows(self.inspector_pane):
            order.append((self.inspector_pane, self.inspector.focus_first))
        if self.data is not None and self.shows(self.data_pane):
            order.append((self.data_pane, self.data.focus_first))
        return order

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            if watched is self.inspector_place or (watched is self.upper and self._overlaid):
                self.place()
            elif watched is self.centre:
                self.place_capture()
        return super().eventFilter(watched, event)

    def _pin(self, pinned: bool) -> None:
        self._pinned = pinned
        self._preferences.set("inspector_pinned", pinned)
        self.place()

    def _keep_folded(self, groups: object) -> None:
        if isinstance(groups, frozenset):
            self._preferences.set("palette_folded", sorted(groups))

    def _uncover(self) -> None:
        """Pans the canvas so that the inspector does not lie on the step that it shows."""
        canvas = self.canvas
        step = self._workspace.current_step if self._workspace is not None else None
        item = canvas.projection.steps.get(step) if canvas is not None and step is not None else None
        if canvas is None or item is None or not self.shows(self.inspector_pane):
            return
        covered = max(0, self.centre.geometry().right() - self.inspector_pane.x())
        canvas.viewer.reveal(item.card_rect().adjusted(-12, -20, 12 + covered / canvas.zoom, 36))

    def _wanted_sizes(self) -> tuple[int, int, int]:
        """The height of the data panel, the widths of palette and inspector."""
        rows = self._preferences.numbers("rows", 2)
        data = rows[1] if rows is not None else DATA_HEIGHT
        columns = self._preferences.numbers("columns", 3)
        if self.window().width() < NARROW:
            narrow = self._preferences.numbers("columns_narrow", 2)
            return data, narrow[0] if narrow is not None else PALETTE_WIDTH_NARROW, INSPECTOR_WIDTH
        return (data, columns[0], columns[2]) if columns is not None else (data, PALETTE_WIDTH, INSPECTOR_WIDTH)


def _splitter(direction: Qt.Orientation, parent: QWidget) -> QSplitter:
    splitter = QSplitter(direction, parent)
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(False)
    return splitter
