"""What a person can ask of the window: one table of commands with their words, keys and icons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from flowstudio.editor.theme import Themes


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table; several keys may mean it, the first is shown."""

    name: str
    text: str
    section: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    hint: str = ""
    checkable: bool = False
    listed: bool = True
    """Whether the command palette offers it."""


COMMANDS: Final[tuple[Command, ...]] = (
    Command("new", "New flow", "File", ("Ctrl+N",), "file-plus"),
    Command("open", "Open…", "File", ("Ctrl+O",), "folder-open"),
    Command("open_folder", "Open folder…", "File", ("Ctrl+Alt+O",), "folder", "its flows as a project"),
    Command("save", "Save", "File", ("Ctrl+S",), "floppy-disk"),
    Command("save_as", "Save as…", "File", ("Ctrl+Shift+S",)),
    Command("reload", "Reload from disk", "File", (), "arrows-clockwise", "what another program has written"),
    Command("compare_saved", "Compare with saved…", "File", (), "git-diff", "what is not saved yet"),
    Command("compare_commit", "Compare with last commit…", "File", (), "git-commit", "in a git folder"),
    Command("export", "Export template…", "File", ("Ctrl+E",), "package", "from this flow"),
    Command("rename_flow", "Rename the flow", "File", (), "pencil-simple", "its name, not that of its file"),
    Command("close_tab", "Close tab", "File", ("Ctrl+W",)),
    Command("welcome", "Welcome page", "File", (), "house"),
    Command("settings", "Settings…", "File", ("Ctrl+,",), "gear-six"),
    Command("quit", "Quit", "File", ("Ctrl+Q",)),
    Command("undo", "Undo", "Edit", ("Ctrl+Z",), "arrow-u-up-left"),
    Command("redo", "Redo", "Edit", ("Ctrl+Shift+Z", "Ctrl+Y"), "arrow-u-up-right"),
    Command("find", "Find in this flow", "Edit", ("Ctrl+F",), "magnifying-glass", "steps, settings, notes"),
    Command("where_used", "Where is it used", "Edit", ("Shift+F12",), "crosshair-simple", "the selected step"),
    Command("run", "Run", "Run", ("F5",), "play", "with breakpoints; goes on where the run stands"),
    Command("run_free", "Run without stops", "Run", ("Ctrl+F5",), "fast-forward", "no breakpoint holds the run"),
    Command("pause", "Pause", "Run", ("Pause", "Ctrl+Alt+P"), "pause", "before the next step"),
    Command("back", "Step back", "Run", ("Alt+Up",), "step-back", "to the moment before; sends nothing"),
    Command("on", "Step on", "Run", ("Alt+Down",), "", "to the next moment that was recorded"),
    Command("over", "Step over", "Run", ("F10",), "step-over"),
    Command("into", "Step into", "Run", ("F11",), "step-into", "the called flow, or the next item"),
    Command("out", "Step out", "Run", ("Shift+F11",), "step-out", "of the item or the called flow"),
    Command("until", "Run to here", "Run", ("Ctrl+F10",), "arrow-line-right", "to the selected step"),
    Command("run_from", "Run from here", "Run", ("Ctrl+Alt+Return",), "", "on what came to the selected step last"),
    Command("run_step", "Run this step", "Run", ("Ctrl+Return",), "", "on what came to it last; stops behind it"),
    Command("to_now", "Back to now", "Run", (), "skip-forward", "leaves the earlier moment"),
    Command("fork", "Continue from here", "Run", ("Ctrl+Alt+F5",), "git-fork", "in a fork of the run"),
    Command("retry", "Retry this step", "Run", ("Alt+F5",), "arrow-clockwise", "in a fork; keeps earlier results"),
    Command("restart", "Restart", "Run", ("Ctrl+Shift+F5",), "arrow-counter-clockwise", "the run, from its trigger"),
    Command("stop", "Stop", "Run", ("Shift+F5",), "stop"),
    Command("breakpoint", "Breakpoint", "Run", ("F9",), "record", "before the selected steps"),
    Command("condition", "Breakpoint condition…", "Run", ("Ctrl+F9",), "", "condition, hits, log text"),
    Command("mute", "Mute breakpoints", "Run", ("Ctrl+Shift+F9",), "", "no breakpoint stops", checkable=True),
    Command("errors_stop", "Stop on any error", "Run", (), "", "as a breakpoint on every step", checkable=True),
    Command("edit_pin", "Edit the pin…", "Run", ("Ctrl+Alt+I",), "push-pin", "what stands in for the selected step"),
    Command(
        "capture",
        "Capture next request",
        "Run",
        ("Ctrl+Shift+L",),
        "broadcast",
        "the webhook's next call becomes the sample",
    ),
    Command("listen", "Listen to triggers", "Run", ("Ctrl+Alt+L",), "ear", "each request is a run", checkable=True),
    Command("edit_sample", "Edit sample as JSON…", "Run", (), "brackets-curly"),
    Command("keep_sample", "Keep sample beside the flow", "Run", (), "bookmark-simple", "as NAME.LABEL.sample.json"),
    Command("restart_engine", "Restart the engine", "Run", (), "cpu"),
    Command("palette", "Palette", "View", ("Ctrl+B",), checkable=True),
    Command("data", "Data panel", "View", ("Ctrl+J",), checkable=True),
    Command("inspector", "Inspector", "View", ("Ctrl+I",), checkable=True),
    Command("outline", "Outline", "View", ("Ctrl+Shift+O",), "list-numbers", "the steps in run order", checkable=True),
    Command("project", "Flows of the folder", "View", ("Ctrl+Shift+E",), "folder-open", checkable=True),
    Command("runs", "Runs", "View", ("Ctrl+Alt+R",), "clock-counter-clockwise", "the history: find, open, resume"),
    Command("connections", "Connections", "View", (), "key", "the logins of the flows at hand"),
    Command("focus", "Focus view", "View", (), "arrows-out", "the selected step alone: Enter, or a double click"),
    Command("frame_all", "Frame all", "View", (), "frame-corners"),
    Command("problems", "Problems", "View", ("Ctrl+Shift+M",), "warning"),
    Command("log", "Log", "View", (), "list-bullets"),
    Command("find_payload", "Find in the payload", "View", ("Ctrl+Alt+F",), "", "keys and values of what is on show"),
    Command("filter_payload", "Filter the payload…", "View", (), "funnel", "the items that an expression is true of"),
    Command("compare_payload", "Compare the payload with…", "View", (), "", "the input, another visit, run or fork"),
    Command("ledger", "What was sent", "View", (), "paper-plane-tilt", "requests, keys and answers of the run"),
    Command("theme", "Switch between dark and light", "View", (), "circle-half"),
    Command("reset_layout", "Reset layout", "View"),
    Command("next_pane", "Next pane", "View", ("F6",), listed=False),
    Command("previous_pane", "Previous pane", "View", ("Shift+F6",), listed=False),
    Command("next_tab", "Next tab", "View", ("Ctrl+Tab", "Ctrl+PgDown"), listed=False),
    Command("previous_tab", "Previous tab", "View", ("Ctrl+Shift+Tab", "Ctrl+PgUp"), listed=False),
    Command(
        "commands", "Search or run a command", "Help", ("Ctrl+K", "Ctrl+Shift+P"), "magnifying-glass", listed=False
    ),
    Command("help", "Help", "Help", ("F1",), "question", "of the selected step"),
    Command("keys", "Keys", "Help", ("?",), "keyboard"),
    Command("about", "About FlowStudio", "Help", (), "info"),
)

SECTIONS: Final = ("File", "Edit", "Run", "View", "Help")


class Actions(QObject):
    """The commands as QActions, valid in the whole window they were made for."""

    def __init__(self, window: QWidget, themes: Themes) -> None:
        super().__init__(window)
        self._themes = themes
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.text, window)
            action.setObjectName(command.name)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setCheckable(command.checkable)
            window.addAction(action)
            self._actions[command.name] = action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def of(self, section: str) -> Iterator[tuple[Command, QAction]]:
        """The commands of one menu, in their order."""
        return ((command, self._actions[command.name]) for command in COMMANDS if command.section == section)

    def offered(self) -> Iterator[tuple[Command, QAction]]:
        """The commands that the command palette offers now."""
        for command in COMMANDS:
            action = self._actions[command.name]
            if command.listed and action.isEnabled():
                yield command, action

    def dress(self) -> None:
        """Gives the commands their icons in the colours of the theme that is on: before a menu shows them."""
        theme = self._themes.current
        for command in COMMANDS:
            if command.icon:
                self._actions[command.name].setIcon(theme.icon(command.icon, "text2", 16))


def shown_key(action: QAction) -> str:
    """The first key of an action, as this system writes it; empty when it has none."""
    keys = action.shortcuts()
    return keys[0].toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
