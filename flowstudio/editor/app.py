"""Starts the editor: makes the application, the stores and the window, opens what was asked for, offers what was lost."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QIcon, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from flowstudio import __version__
from flowstudio.editor.desk import Surround
from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels import about
from flowstudio.editor.panels.rail import mark_picture
from flowstudio.editor.panels.retention import retained
from flowstudio.editor.preferences import Preferences
from flowstudio.editor.theme import Themes
from flowstudio.editor.window import EditorWindow
from flowstudio.editor.workspace import Secrets
from flowstudio.errors import FileError
from flowstudio.flow.files import flow_from_document, layout_from_document
from flowstudio.resources import resources_root
from flowstudio.sdk.registry import Registry
from flowstudio.stores.places import config_dir, data_dir
from flowstudio.stores.recovery import RecoveryStore
from flowstudio.stores.views import RecentFiles, ViewStore

_log = logging.getLogger(__name__)

EXAMPLES = ("customer-sync", "nightly-stock", "orders-to-xml")
"""The examples on the welcome page, in their order; one that this installation lacks is left out."""


class Editor:
    """All that one run of the editor consists of. Whoever makes it closes it."""

    def __init__(self, application: QApplication) -> None:
        self.application = application
        self.preferences = Preferences(config_dir() / "editor.json")
        self.themes = Themes(self.preferences.theme)
        self.themes.set_text_scale(self.preferences.text_scale)
        self.themes.set_high_contrast(self.preferences.flag("high_contrast"))
        self.themes.set_reduced_motion(self.preferences.flag("reduced_motion"))
        self.themes.apply(application)
        self.registry = Registry.from_entry_points()
        self.engine = EngineProcess(initialize={"data": str(data_dir()), "retain": retained(self.preferences)})
        self.previews = EngineProcess()
        self.trials = EngineProcess()
        self.recovery = RecoveryStore(data_dir())
        shared = Surround(
            self.registry,
            self.themes,
            self.engine,
            self.previews,
            self.trials,
            ViewStore(data_dir()),
            _secrets,
            self.recovery,
        )
        self.window = EditorWindow(shared, self.preferences, RecentFiles(data_dir()), examples())
        self.window.setWindowIcon(_icon())

    def open(self, files: Sequence[str | Path]) -> None:
        """Opens these files; without any, the tabs of the last time; without those, the welcome page."""
        wanted = [Path(file) for file in files]
        if not wanted:
            wanted = [path for path in map(Path, self.preferences.texts("tabs")) if path.is_file()]
        for path in wanted:
            if path.is_dir():
                self.window.left.open_folder(path)
            else:
                self.window.desks.open_file(path)
        if not self.window.desks.all:
            self.window.show_welcome()
        elif not files:
            self.window.desks.bring_at(0)

    def offer_recovery(self) -> None:
        """Offers what an editor that was killed has left unsaved."""
        for copy in self.recovery.left_behind():
            try:
                flow = flow_from_document(copy.flow_document)
                flow = flow.with_layout(layout_from_document(copy.layout_document))
            except FileError as error:
                _log.warning("A copy of an unsaved flow could not be read: %s", error)
                continue
            where = copy.path.name if copy.path is not None else "It had no file yet"
            answer = about.ask(
                f"“{flow.name}” was not saved when the editor ended",
                f"{where}. The copy is of {about.moment(copy.at)}.",
                ("Recover", "Discard", "Later"),
                self.window,
            )
            if answer == "Recover":
                self.window.desks.recover(flow, copy.path)
            if answer in ("Recover", "Discard"):
                self.recovery.drop(copy.key)

    def close(self) -> None:
        """Ends the processes and lets the stores go."""
        self.previews.close()
        self.trials.close()
        self.engine.close()
        self.recovery.close()


def examples() -> list[Path]:
    """The example flows of this installation."""
    folder = resources_root() / "examples"
    paths = [folder / f"{name}.flow.json" for name in EXAMPLES]
    return [path for path in paths if path.is_file()]


def application() -> QApplication:
    """The application object, made once in a process."""
    running: QObject | None = QApplication.instance()
    if isinstance(running, QApplication):
        return running
    made = QApplication(["flowstudio"])
    made.setApplicationName("FlowStudio")
    made.setApplicationVersion(__version__)
    QGuiApplication.setDesktopFileName("flowstudio")
    return made


def main(files: Sequence[str] = (), *, on_painted: Callable[[], None] | None = None) -> int:
    """Runs the editor until its window is closed; the exit status. `on_painted` is called after the first paint."""
    app = application()
    editor = Editor(app)
    editor.open(files)
    first = FirstPaint(editor.window)

    def painted() -> None:
        if on_painted is not None:
            on_painted()
        editor.window.wake()
        editor.offer_recovery()

    first.painted.connect(painted)
    interrupts = _close_on_interrupt(editor.window)
    editor.window.show()
    try:
        return app.exec()
    finally:
        interrupts.stop()
        editor.close()


class FirstPaint(QObject):
    """Tells when the canvas, or the page that stands in its place, was painted for the first time."""

    painted = Signal()

    def __init__(self, window: EditorWindow) -> None:
        super().__init__(window)
        self._watched: QWidget = window.first_sight
        self._watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self._watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self.painted.emit)
        return False


def _secrets() -> Secrets:
    # Imported late: the key ring and the cipher take longer to load than the window to paint.
    from flowstudio.stores.secrets import open_secret_store

    return open_secret_store(data_dir(), os.environ)


def _close_on_interrupt(window: QWidget) -> QTimer:
    """Lets Ctrl+C in the terminal close the window: Python handles signals only when it runs, hence the timer."""
    signal.signal(signal.SIGINT, lambda *_: window.close())
    timer = QTimer(window, interval=300)
    timer.timeout.connect(lambda: None)
    timer.start()
    return timer


def _icon() -> QIcon:
    icon = QIcon()
    for side in (32, 64, 128, 256):
        icon.addPixmap(QPixmap.fromImage(mark_picture(side)))
    return icon
