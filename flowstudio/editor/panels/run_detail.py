"""The selected run beside the table: what began it, how it fared step by step, why it failed, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import IconButton, Pane, TextButton, chip, rule, text_label
from flowstudio.editor.panels.failure import tell
from flowstudio.editor.panels.runs_table import WORDS, Run, name_of
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.theme import Themes

WIDTH: Final = 440
_MOST_STEPS: Final = 40
_CHIPS: Final = {"succeeded": "ok", "failed": "err", "interrupted": "warn", "running": "run"}


class RunDetail(QScrollArea):
    """One run, or several together."""

    asked = Signal(str)
    """What shall be done with the selected runs: open, again, resume, compare, keep, rename, delete, sample."""
    pin_asked = Signal(object)
    """The last output of this step shall be pinned (as the session's `steps` tells of it)."""
    run_asked = Signal(str)
    """This run shall be selected."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.buttons: dict[str, TextButton] = {}
        self._steps: QVBoxLayout | None = None
        self._shown: tuple[str, ...] = ()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(WIDTH)
        self.show_runs(())

    @property
    def run(self) -> str | None:
        """The run on show; None where none is, or several are."""
        return self._shown[0] if len(self._shown) == 1 else None

    def show_runs(self, runs: Sequence[Run]) -> None:
        """Shows the selected runs."""
        self._shown = tuple(str(run["run"]) for run in runs)
        self.buttons = {}
        self._steps = None
        page = Pane("panel")
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 18, 20, 18)
        column.setSpacing(12)
        if len(runs) == 1:
            self._fill(column, runs[0])
        elif runs:
            self._fill_several(column, runs)
        else:
            hint = text_label("Select a run to see what began it, how it fared and what can be done with it.", "hint")
            hint.setWordWrap(True)
            column.addWidget(hint)
        column.addStretch(1)
        self.setWidget(page)

    def show_steps(self, told: Mapping[str, Any]) -> None:
        """Shows how the steps fared, once the history has told."""
        resume = self.buttons.get("resume")
        if resume is not None and not told["whole"]:
            resume.setEnabled(False)
            resume.setToolTip("Not all of what happened in it was recorded. Run it again with the same input.")
        column = self._steps
        if column is None:
            return
        steps = told["steps"]
        for step in steps[:_MOST_STEPS]:
            column.addWidget(self._step(step))
        if len(steps) > _MOST_STEPS:
            column.addWidget(text_label(f"and {len(steps) - _MOST_STEPS:,} more: open the run to see them", "hint"))
        if not steps:
            column.addWidget(text_label("No visit was recorded", "hint"))

    def _fill(self, column: QVBoxLayout, run: Run) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        title = text_label(name_of(run), "title")
        title.setWordWrap(True)
        title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        head.addWidget(title, 1)
        word = WORDS.get(run["status"], (str(run["status"]).capitalize(), "", ""))[0]
        head.addWidget(chip(word, _CHIPS.get(run["status"], "neutral")), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(self._facts(run))
        marks = [word for word in ("edited", "kept") if run[word]]
        if run["parent"] is not None or marks:
            column.addLayout(self._marks(run, marks))
        if run["status"] == "failed":
            column.addWidget(self._failure(run))
        elif run["status"] == "interrupted":
            told = "The engine process ended while this run was under way. What it had recorded is here."
            column.addWidget(self._box(told, "", "warning-fill", "warn"))
        column.addLayout(self._actions(run))
        column.addWidget(rule("h"))
        column.addWidget(text_label("Steps", "label"))
        steps = QVBoxLayout()
        steps.setSpacing(2)
        column.addLayout(steps)
        self._steps = steps

    def _facts(self, run: Run) -> QLabel:
        visits = "visit" if run["visits"] == 1 else "visits"
        parts = [
            f"{run['name']}, started by {run['trigger']}",
            time.strftime("%A, %d %B %Y, %H:%M:%S", time.localtime(float(run["started_at"]))),
        ]
        figures = [] if run["visits"] is None else [f"{run['visits']:,} {visits}"]
        if run["filtered"]:
            figures.append(f"{run['filtered']:,} filtered")
        if run["duration_ms"] is not None:
            figures.append(duration_text(float(run["duration_ms"])))
        parts.append("  ·  ".join(figures))
        facts = text_label("\n".join(part for part in parts if part), "hint")
        facts.setWordWrap(True)
        facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return facts

    def _marks(self, run: Run, marks: Sequence[str]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        words = {"edited": "Edited: somebody changed what it worked on", "kept": "Kept"}
        for mark in marks:
            label = chip(words[mark].partition(":")[0], "warn" if mark == "edited" else "accent")
            label.setToolTip(words[mark])
            row.addWidget(label)
        if run["parent"] is not None:
            link = TextButton(self._themes, f"Fork, from before visit {run['parent']['at']:,}", kind="link")
            link.setToolTip("Select the run of which it is a fork")
            link.clicked.connect(lambda: self.run_asked.emit(str(run["parent"]["run"])))
            row.addWidget(link)
        row.addStretch(1)
        return row

    def _failure(self, run: Run) -> QFrame:
        error = run["error"] or {}
        told = tell(error)
        at = f" at {error['step']}" if error.get("step") else ""
        rest = " ".join(part for part in (told.why, told.remedy) if part)
        return self._box(told.what, rest, "warning-circle-fill", "err", f"Failed{at}")

    def _box(self, what: str, rest: str, icon: str, tone: str, over: str = "") -> QFrame:
        box = QFrame()
        box.setProperty("banner", tone)
        row = QHBoxLayout(box)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        mark = QLabel()
        mark.setPixmap(self._themes.current.pixmap(icon, tone, 16, self.devicePixelRatioF()))
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(3)
        for text, kind in ((over, "small"), (what, ""), (rest, "small")):
            if text:
                label = text_label(text, kind, "muted" if kind else "")
                label.setWordWrap(True)
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                words.addWidget(label)
        row.addLayout(words, 1)
        return box

    def _actions(self, run: Run) -> QVBoxLayout:
        is_over = run["status"] != "running"
        rows = QVBoxLayout()
        rows.setSpacing(8)
        goes_on = run["status"] in ("failed", "interrupted", "stopped")
        first = [
            ("open", "Open", "arrow-square-out", "Shows it in the editor as it was; going back sends nothing (Enter)")
        ]
        if goes_on:
            words = "Resume from the failed step" if run["status"] == "failed" else "Resume where it ended"
            first.append(
                (
                    "resume",
                    words,
                    "arrow-clockwise",
                    "What was sent is not sent again; what failed is asked about first",
                )
            )
        second = [
            ("again", "Run again", "repeat", "Runs the flow as it is now, with the same input"),
            ("compare", "Compare…", "git-diff", "With its run, a fork, or the run before of the same flow"),
            ("sample", "Use as sample", "file-arrow-down", "What began it becomes the flow's sample"),
        ]
        third = [
            ("keep", "Let go" if run["kept"] else "Keep", "push-pin", "A run that is kept is never swept away"),
            ("rename", "Rename…", "pencil-simple", "Gives it another label (F2)"),
            ("delete", "Delete…", "trash", "With its forks (Delete)"),
        ]
        for group in (first, second, third):
            row = QHBoxLayout()
            row.setSpacing(6)
            for key, words, icon, hint in group:
                primary = key == "open"
                button = TextButton(
                    self._themes,
                    words,
                    icon=icon,
                    kind="primary" if primary else "ghost" if group is third else None,
                    color="accentText" if primary else "text2",
                )
                button.setToolTip(hint)
                button.setEnabled(is_over or key in ("keep", "rename"))
                button.clicked.connect(lambda _=False, key=key: self.asked.emit(key))
                self.buttons[key] = button
                row.addWidget(button)
            row.addStretch(1)
            rows.addLayout(row)
        return rows

    def _fill_several(self, column: QVBoxLayout, runs: Sequence[Run]) -> None:
        column.addWidget(text_label(f"{len(runs):,} runs selected", "title"))
        hint = "Two runs can be compared, visit by visit." if len(runs) != 2 else "Compare them visit by visit."
        column.addWidget(text_label(hint, "hint"))
        row = QHBoxLayout()
        row.setSpacing(6)
        every = all(run["kept"] for run in runs)
        for key, words, icon in (
            ("compare", "Compare", "git-diff"),
            ("keep", "Let go" if every else "Keep", "push-pin"),
            ("delete", f"Delete {len(runs):,}…", "trash"),
        ):
            button = TextButton(self._themes, words, icon=icon, kind="primary" if key == "compare" else None)
            if key == "compare":
                button.set_icon(icon, "accentText")
                button.setEnabled(len(runs) == 2)
            button.clicked.connect(lambda _=False, key=key: self.asked.emit(key))
            self.buttons[key] = button
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)

    def _step(self, step: Mapping[str, Any]) -> QWidget:
        line = QWidget()
        line.setMinimumHeight(30)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        theme, last = self._themes.current, step["last"]
        status = "failed" if step["failed"] else str(last["status"])
        mark = QToolButton()
        mark.setProperty("bare", True)
        mark.setEnabled(True)
        mark.setIconSize(QSize(14, 14))
        mark.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        icon = theme.state_icon(status if status in ("failed", "filtered", "waiting", "running") else "succeeded")
        mark.setIcon(theme.icon(icon, theme.state(status), 14))
        mark.setAccessibleName(status)
        mark.setToolTip(status.capitalize())
        row.addWidget(mark)
        title = text_label(str(step["title"] or step["step"]))
        title.setToolTip(str(step["step"]))
        row.addWidget(title, 1)
        many = f"×{step['visits']:,}  ·  " if step["visits"] > 1 else ""
        failed = f"{step['failed']:,} failed  ·  " if step["failed"] and step["visits"] > 1 else ""
        row.addWidget(text_label(f"{many}{failed}{duration_text(float(step['duration_ms']))}", "small", "muted"))
        name = step["title"] or step["step"]
        pin = IconButton(self._themes, "push-pin", f"Pin what {name} put out", size=14, side=24)
        pin.setEnabled(last.get("output") is not None)
        pin.clicked.connect(lambda: self.pin_asked.emit(step))
        row.addWidget(pin)
        return line


__all__ = ["WIDTH", "RunDetail"]
