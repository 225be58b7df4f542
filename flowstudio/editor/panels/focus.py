"""The focus view: one step over the whole window, what comes in, its settings and what goes out beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeySequence, QMouseEvent, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from flowstudio.editor.canvas.paths import neighbour
from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import IconButton, Pane, TextButton, rule, text_label
from flowstudio.editor.panels.data import DataPanel
from flowstudio.editor.panels.inspector import Inspector
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.sdk.registry import Registry

_MARGIN: Final = (92, 64)
_SMALLEST: Final = (860, 420)
_SHADOW: Final = 24


class FocusView(QWidget):
    """Lies over the window while it is open. Esc and a click beside it close it; Alt+Left and Alt+Right go on.

    The data panel lends its payloads, so that what was chosen in them stays so; it has them back once this closes.
    """

    closed = Signal()
    run_asked = Signal()
    """The flow shall run up to the step on show."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        registry: Registry,
        themes: Themes,
        data: DataPanel,
        make_inspector: Callable[[QWidget], Inspector],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._document, self._workspace, self._playback = document, workspace, playback
        self._registry, self._themes, self._data = registry, themes, data
        self._open = True
        self._came_from = parent.window().focusWidget()
        self.setAccessibleName("Focus view")
        self.sheet = QFrame(self)
        self.sheet.setProperty("overlay", True)
        column = QVBoxLayout(self.sheet)
        column.setContentsMargins(1, 6, 1, 10)
        column.setSpacing(0)
        column.addWidget(self._make_header())
        column.addWidget(rule("h", self.sheet))
        self._body = QSplitter(Qt.Orientation.Horizontal, self.sheet)
        self._body.setHandleWidth(1)
        self._body.setChildrenCollapsible(False)
        column.addWidget(self._body, 1)
        self.inspector = make_inspector(self)
        self.inspector.setMinimumWidth(300)
        self.inspector.wake()
        # Its title stands over all three parts.
        self.inspector.step_form.header.hide()
        self._body.addWidget(data.lend())
        self._place()
        self._arrange()
        parent.installEventFilter(self)
        workspace.selection_changed.connect(self._follow)
        document.changed.connect(self._follow)
        playback.status_changed.connect(self._arrange)
        for key, do in (
            ("Esc", self.close_view),
            ("Alt+Left", lambda: self._go("left")),
            ("Alt+Right", lambda: self._go("right")),
        ):
            shortcut = QShortcut(QKeySequence(key), self, do)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._follow()
        self.show()
        self.raise_()
        self.inspector.focus_first()

    def close_view(self) -> None:
        """Gives back what was lent, and closes."""
        if not self._open:
            return
        self._open = False
        self.inspector.setParent(None)
        self.inspector.deleteLater()
        self._data.take_back()
        self.hide()
        self.closed.emit()
        if self._came_from is not None and self._came_from.isVisible():
            self._came_from.setFocus(Qt.FocusReason.PopupFocusReason)
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.parent() and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab stays in here: what lies behind cannot be seen, and is not to be used until this closes."""
        here: QWidget = self.focusWidget() or self
        at = here
        while True:
            following = at.nextInFocusChain() if forward else at.previousInFocusChain()
            if following is None or following is here:
                return True
            at = following
            takes = at.focusPolicy() & Qt.FocusPolicy.TabFocus
            if takes and self.isAncestorOf(at) and at.isEnabled() and at.isVisible() and at.focusProxy() is None:
                at.setFocus(Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason)
                return True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.sheet.geometry().contains(event.position().toPoint()):
            self.close_view()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0, 150 if self._themes.current.dark else 90))
        # A graphics effect would paint all payloads anew into a picture at every change.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 7))
        for spread in range(_SHADOW, 0, -2):
            area = QRectF(self.sheet.geometry()).adjusted(-spread, 12 - spread, spread, 12 + spread)
            painter.drawRoundedRect(area, 14 + spread, 14 + spread)

    def _make_header(self) -> QWidget:
        bar = Pane("panel", self.sheet)
        row = QHBoxLayout(bar)
        row.setContentsMargins(12, 9, 12, 9)
        row.setSpacing(8)
        self.back = IconButton(self._themes, "caret-left-bold", "The step before (Alt+Left)", size=16, parent=bar)
        self.back.clicked.connect(lambda: self._go("left"))
        self.before = text_label(tone="muted", parent=bar)
        self.on = IconButton(self._themes, "caret-right-bold", "The step after (Alt+Right)", size=16, parent=bar)
        self.on.clicked.connect(lambda: self._go("right"))
        self.after = text_label(tone="muted", parent=bar)
        self.title = text_label(kind="heading", parent=bar)
        self.kind = text_label(kind="hint", parent=bar)
        self._picture = QLabel(bar)
        told = QVBoxLayout()
        told.setSpacing(0)
        told.addWidget(self.title)
        told.addWidget(self.kind)
        self.run = TextButton(self._themes, "Run to here", icon="play-fill", kind="run", color="accentText", parent=bar)
        self.run.clicked.connect(self.run_asked)
        close = IconButton(self._themes, "x", "Close (Esc)", size=16, parent=bar)
        close.clicked.connect(self.close_view)
        row.addWidget(self.back)
        row.addWidget(self.before)
        row.addStretch(1)
        row.addWidget(self._picture)
        row.addLayout(told)
        row.addStretch(1)
        row.addWidget(self.after)
        row.addWidget(self.on)
        row.addWidget(self.run)
        row.addWidget(close)
        return bar

    def _arrange(self, _: object = None) -> None:
        """The settings stand between what comes in and what goes out, once there is any of it."""
        if not self._open:
            return
        sides = self._data.sides if self._data.shows_sides else None
        if sides is not None:
            if sides.split.indexOf(self.inspector) < 0:
                sides.split.insertWidget(1, self.inspector)
                tenth = max(1, self.sheet.width() // 10)
                sides.split.setSizes([tenth * 3, tenth * 4, tenth * 3])
        elif self._body.indexOf(self.inspector) < 0:
            self._body.insertWidget(0, self.inspector)

    def _follow(self, *_: object) -> None:
        if not self._open:
            return
        flow, step = self._document.flow, self._workspace.current_step
        if step is None or step not in flow.steps:
            self.close_view()
            return
        made = flow.steps[step]
        self.title.setText(flow.title_of(step))
        if self._registry.knows(made.component):
            spec = self._registry.spec(made.component)
            theme = self._themes.current
            picture = theme.pixmap(spec.icon, theme.category(spec.category), 22, self.devicePixelRatioF())
            self._picture.setPixmap(picture)
            self.kind.setText(spec.title)
        for label, button, way in ((self.before, self.back, "left"), (self.after, self.on, "right")):
            other = neighbour(flow, step, "left" if way == "left" else "right")
            label.setText(flow.title_of(other) if other is not None else "")
            button.setEnabled(other is not None)

    def _go(self, way: str) -> None:
        step = self._workspace.current_step
        other = None if step is None else neighbour(self._document.flow, step, "left" if way == "left" else "right")
        if other is not None:
            self._workspace.select([other])
            # The field that had the keyboard is gone with its step.
            self.inspector.focus_first()

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        self.setGeometry(parent.rect())
        width = max(min(_SMALLEST[0], parent.width() - 16), parent.width() - 2 * _MARGIN[0])
        height = max(min(_SMALLEST[1], parent.height() - 16), parent.height() - 2 * _MARGIN[1])
        self.sheet.setGeometry((parent.width() - width) // 2, (parent.height() - height) // 2, width, height)


__all__ = ["FocusView"]
