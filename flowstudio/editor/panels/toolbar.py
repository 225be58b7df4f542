"""The toolbar: which flow this is, the run controls in fixed slots, the sample, the way to every command."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence, QMouseEvent, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QPushButton, QWidget

from flowstudio.editor.actions import SECTIONS, Actions, shown_key
from flowstudio.editor.panels.controls import IconButton, Pane, TextButton, key_cap, rule, text_label
from flowstudio.editor.playback import RunStatus
from flowstudio.editor.theme import Themes

HEIGHT = 52
RUN_WIDTH = 104

_BEGINS_A_GROUP = frozenset(
    {
        "save",
        "export",
        "close_tab",
        "quit",
        "find",
        "back",
        "until",
        "restart",
        "breakpoint",
        "capture",
        "restart_engine",
        "frame_all",
        "problems",
        "theme",
    }
)
"""The commands before which the menu has a line."""


class Toolbar(Pane):
    """Everything in it keeps its place: what cannot be done now is disabled, not gone."""

    menu_asked = Signal(object)
    """The main menu is wanted below this widget."""
    run_asked = Signal(object)
    """Run was pressed; with several triggers their menu is wanted below this widget."""
    sample_asked = Signal(object)
    """The sample picker is wanted below this widget."""

    def __init__(self, actions: Actions, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("panel", parent)
        self.setFixedHeight(HEIGHT)
        self._actions, self._themes = actions, themes
        column = QHBoxLayout(self)
        column.setContentsMargins(8, 0, 14, 0)
        column.setSpacing(0)

        self.left = QWidget(self)
        left = QHBoxLayout(self.left)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(6)
        self.menu = IconButton(themes, "list", "Menu", key="Alt+M", side=32)
        self.menu.setShortcut("Alt+M")
        self.menu.setToolTip("Menu (Alt+M)")
        self.menu.clicked.connect(lambda: self.menu_asked.emit(self.menu))
        left.addWidget(self.menu)
        self.place = Breadcrumb(themes, self)
        left.addWidget(self.place, 1)

        self.middle = QWidget(self)
        middle = QHBoxLayout(self.middle)
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(4)
        self.run = TextButton(themes, "Run", icon="play-fill", kind="run", color="accentText")
        self.run.setFixedSize(RUN_WIDTH, 32)
        self.run.clicked.connect(lambda: self.run_asked.emit(self.run))
        self.steps = [
            self._button(icon, command)
            for icon, command in (
                ("step-back", "back"),
                ("step-over", "over"),
                ("step-into", "into"),
                ("step-out", "out"),
            )
        ]
        self.restart = self._button("arrow-counter-clockwise", "restart")
        self.stop = self._button("stop-fill", "stop")
        self.sample = TextButton(themes, "No sample", icon="flask")
        self.sample.setFixedHeight(32)
        self.sample.setMaximumWidth(280)
        self.sample.setAccessibleName("Sample")
        self.sample.clicked.connect(lambda: self.sample_asked.emit(self.sample))
        middle.addWidget(self.run)
        middle.addSpacing(4)
        for step in self.steps:
            middle.addWidget(step)
        middle.addWidget(self.restart)
        middle.addWidget(self.stop)
        middle.addSpacing(8)
        middle.addWidget(self.sample)

        self.right = QWidget(self)
        right = QHBoxLayout(self.right)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(8)
        right.addStretch(1)
        self.search = SearchButton(themes, shown_key(actions["commands"]), self)
        self.search.clicked.connect(lambda: actions["commands"].trigger())
        self.export = TextButton(themes, "Export template", icon="package")
        self.export.setFixedHeight(32)
        self.export.setToolTip(f"Export template ({shown_key(actions['export'])})")
        self.export.clicked.connect(lambda: actions["export"].trigger())
        right.addWidget(self.search)
        right.addWidget(self.export)

        column.addWidget(self.left, 1)
        column.addWidget(self.middle)
        column.addWidget(self.right, 1)
        self._line = rule("h", self)
        actions["export"].enabledChanged.connect(self.export.setEnabled)
        self.show_status("idle")

    def show_status(self, status: RunStatus, *, stands: bool = False) -> None:
        """Fits the run controls to the state of the run; it `stands` where it waits for a person or an earlier moment."""
        live = status in ("starting", "running", "paused")
        key = shown_key(self._actions["run"])
        if stands:
            words, icon, kind, color, tip = "Continue", "play-fill", "go-on", "warnInk", f"Go on ({key})"
        elif live:
            words, icon, kind, color = "Pause", "pause-fill", "", "text"
            tip = f"Hold the run before its next step ({key})"
        else:
            words, icon, kind, color = "Run", "play-fill", "run", "accentText"
            tip = f"Run the flow on its sample ({key})"
        self.run.setText(words)
        self.run.setAccessibleName(words)
        self.run.set_kind(kind)
        self.run.set_icon(icon, color)
        self.run.setEnabled(status != "starting")
        self.run.setToolTip(tip)
        self.stop.set_icon("stop-fill", "err" if live else "text3")

    def show_sample(self, title: str) -> None:
        """Names the sample that Run starts with."""
        metrics = QFontMetrics(self.sample.font())
        self.sample.setText(metrics.elidedText(title, Qt.TextElideMode.ElideRight, 226))
        self.sample.setToolTip(f"What Run starts with: {title}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._line.setGeometry(0, self.height() - 1, self.width(), 1)
        narrow = self.width() < 1480 * self._themes.current.text_scale
        self.search.set_narrow(narrow)
        self.export.setText("Export" if narrow else "Export template")

    def _button(self, icon: str, command: str) -> IconButton:
        action = self._actions[command]
        button = IconButton(self._themes, icon, action.text(), key=shown_key(action), side=32)
        button.follow(action)
        return button


class Breadcrumb(QWidget):
    """Folder and flow: `Commerce / Order sync`. A double click, or `rename`, writes the flow's name anew."""

    renamed = Signal(str)

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(7)
        self._icon = QLabel(self)
        self._folder = text_label(tone="muted")
        self._slash = text_label("/", tone="faint")
        self._name = text_label(kind="heading")
        for widget in (self._icon, self._folder, self._slash, self._name):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._full_name = ""
        self.field = QLineEdit(self)
        self.field.setAccessibleName("Name of the flow")
        self.field.hide()
        self.field.returnPressed.connect(self._take)
        self.field.editingFinished.connect(self.field.hide)
        leave = QShortcut(QKeySequence("Esc"), self.field, self._leave)
        leave.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._dress()
        themes.changed.connect(self._dress)

    def show_flow(self, name: str, path: Path | None, *, example: bool = False) -> None:
        """Names the flow and where it lies."""
        folder = path.parent.name or str(path.parent) if path is not None else "Example" if example else "Not saved"
        self._folder.setText(folder)
        self._full_name = name
        self._name.setText(name)
        self.setToolTip(str(path) if path is not None else "This flow has no file yet (Ctrl+S)")
        self._fit()

    def rename(self) -> None:
        """Lets the flow's name be written anew, where it stands."""
        self.field.setText(self._full_name)
        self.field.setGeometry(self.rect().adjusted(20, 0, 0, 0))
        self.field.show()
        self.field.raise_()
        self.field.selectAll()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _take(self) -> None:
        name = self.field.text().strip()
        if name and name != self._full_name:
            self.renamed.emit(name)
        self._leave()

    def _leave(self) -> None:
        self.field.hide()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.rename()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 32)

    def _fit(self) -> None:
        metrics = QFontMetrics(self._themes.current.font("ui", 13, 600))
        taken = 4 + 16 + 3 * 7 + self._slash.sizeHint().width()
        folder = self._folder.sizeHint().width()
        self._folder.setVisible(self.width() > taken + folder + 60)
        self._slash.setVisible(self._folder.isVisibleTo(self))
        room = self.width() - taken - (folder if self._folder.isVisibleTo(self) else 0)
        self._name.setText(metrics.elidedText(self._full_name, Qt.TextElideMode.ElideRight, max(60, room)))

    def _dress(self) -> None:
        theme = self._themes.current
        self._icon.setPixmap(theme.pixmap("folder", "text3", 16, self.devicePixelRatioF()))


class SearchButton(QPushButton):
    """Looks like a search field and opens the command palette."""

    def __init__(self, themes: Themes, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(32)
        self.setAccessibleName("Search or run a command")
        self._themes = themes
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 8, 0)
        layout.setSpacing(10)
        self._glass = QLabel(self)
        self._words = text_label("Search or run a command", tone="muted")
        self._key = key_cap(key.replace("+", " "), self)
        layout.addWidget(self._glass)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._key)
        for child in (self._glass, self._words, self._key):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.set_narrow(False)
        self._dress()
        themes.changed.connect(self._dress)

    def set_narrow(self, narrow: bool) -> None:
        """Only the key is shown beside the glass."""
        self._words.setVisible(not narrow)
        self.setFixedWidth(round((104 if narrow else 290) * self._themes.current.text_scale))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # It looks like a field: whoever types into it means to search.
        if event.text().isprintable() and event.text().strip():
            self.click()
            return
        super().keyPressEvent(event)

    def _dress(self) -> None:
        theme = self._themes.current
        self._glass.setPixmap(theme.pixmap("magnifying-glass", "text2", 16, self.devicePixelRatioF()))


def main_menu(actions: Actions, recent: QMenu, parent: QWidget) -> QMenu:
    """The whole menu; `recent` hangs below Open."""
    actions.dress()
    menu = QMenu(parent)
    for section in SECTIONS:
        part = menu.addMenu(section)
        for command, action in actions.of(section):
            if command.name in _BEGINS_A_GROUP:
                part.addSeparator()
            part.addAction(action)
            if command.name == "open_folder":
                part.addMenu(recent)
    return menu
