"""What a person does with mouse and keys in the editor, by real events."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.forms.mapping import MappingField
from flowstudio.editor.panels.palette import Role

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


class Hand:
    """What a person does with mouse and keys in the editor."""

    def __init__(self, qtbot: QtBot, editor: Editor, desk: Desk) -> None:
        self.qtbot, self.editor, self.desk = qtbot, editor, desk

    @property
    def viewport(self) -> QWidget:
        viewport: QWidget = self.desk.canvas.viewer.viewport()
        return viewport

    def drag_from_palette(self, title: str, place: QPointF) -> str:
        """Drags a component to a place on the canvas; the new step's id."""
        before = set(self.desk.document.flow.steps)
        palette = self.editor.window.panes.palette_pane
        model = palette.model
        row = next(row for row in range(model.rowCount()) if model.index(row).data() == title)
        assert model.index(row).data(Role.SPEC) is not None
        data = model.mimeData([model.index(row)])
        action = Qt.DropAction.CopyAction
        QApplication.sendEvent(self.viewport, QDragEnterEvent(place.toPoint(), action, data, LEFT, NONE))
        QApplication.sendEvent(self.viewport, QDragMoveEvent(place.toPoint(), action, data, LEFT, NONE))
        QApplication.sendEvent(self.viewport, QDropEvent(place, action, data, LEFT, NONE))
        (added,) = set(self.desk.document.flow.steps) - before
        return added

    def wire(self, source: str, target: str) -> None:
        """Draws a wire from port to port."""
        items = self.desk.canvas.projection.steps
        to_view = self.desk.canvas.viewer.to_view
        start = QPointF(to_view(QPointF(*items[source].port_point("out", "out"))))
        end = QPointF(to_view(QPointF(*items[target].port_point("in", "in"))))
        self.mouse(QEvent.Type.MouseButtonPress, start, LEFT, LEFT)
        self.mouse(QEvent.Type.MouseMove, (start + end) / 2, Qt.MouseButton.NoButton, LEFT)
        self.mouse(QEvent.Type.MouseMove, end, Qt.MouseButton.NoButton, LEFT)
        self.mouse(QEvent.Type.MouseButtonRelease, end, LEFT, Qt.MouseButton.NoButton)

    def click_step(self, step: str) -> None:
        """Selects a step on the canvas."""
        item = self.desk.canvas.projection.steps[step]
        at = QPointF(self.desk.canvas.viewer.to_view(item.card_rect().center()))
        self.mouse(QEvent.Type.MouseButtonPress, at, LEFT, LEFT)
        self.mouse(QEvent.Type.MouseButtonRelease, at, LEFT, Qt.MouseButton.NoButton)
        assert self.desk.workspace.selection == (step,)

    def come_back(self) -> None:
        """Makes the window active after a sheet has closed, as every desktop does by itself."""
        window = self.editor.window
        self.qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
        window.activateWindow()
        self.qtbot.waitUntil(window.isActiveWindow)

    def mouse(self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, buttons: Qt.MouseButton) -> None:
        event = QMouseEvent(kind, at, self.viewport.mapToGlobal(at), button, buttons, NONE)
        QApplication.sendEvent(self.viewport, event)

    def type_into(self, step: str, field: str, text: str) -> None:
        """Types into a setting of a step, after clicking the step."""
        self.click_step(step)
        form = self.desk.inspector.step_form
        form.focus_field(field)
        row = form.rows[field]
        for mapping in row.findChildren(MappingField):
            as_text = mapping.switch.box_of(1).center().toPoint()
            self.qtbot.mouseClick(mapping.switch, Qt.MouseButton.LeftButton, pos=as_text)
            self.qtbot.waitUntil(lambda shown=mapping: not shown.is_table)
        self.qtbot.waitUntil(lambda: row.isAncestorOf(self.editor.window.focusWidget()))
        widget = self.editor.window.focusWidget()
        assert isinstance(widget, QLineEdit | QPlainTextEdit | QComboBox) or widget is not None
        self.qtbot.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        self.qtbot.keyClicks(widget, text)
        self.qtbot.keyClick(self.editor.window, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
