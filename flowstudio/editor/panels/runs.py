"""The runs page: the history of runs on this machine, found, chosen and looked at beside the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels import about
from flowstudio.editor.panels.controls import Pane, Segments, TextButton, rule, text_label
from flowstudio.editor.panels.run_detail import RunDetail
from flowstudio.editor.panels.runs_table import Run, RunsModel, RunsTable, name_of
from flowstudio.editor.theme import Themes

_TYPING_MS: Final = 250
_NEWS_MS: Final = 400
_STATUSES: Final = (
    ("", "Any status"),
    ("failed", "Failed"),
    ("succeeded", "Succeeded"),
    ("stopped", "Stopped"),
    ("interrupted", "Interrupted"),
    ("running", "Running"),
)
_TIMES: Final = (
    (0, "Any time"),
    (3600, "Last hour"),
    (86_400, "Last day"),
    (7 * 86_400, "Last 7 days"),
    (30 * 86_400, "Last 30 days"),
)
_NEWS: Final = ("finished", "fired", "swept")


class RunsPage(Pane):
    """Finds runs and says what shall be done with them; doing it is for whoever listens."""

    opened = Signal(object)
    again_asked = Signal(object)
    resume_asked = Signal(object)
    sample_asked = Signal(object)
    pin_asked = Signal(object, object)
    """A run, and the step whose last output shall be pinned."""
    compare_asked = Signal(object, object)
    """Two runs."""
    said = Signal(str, str)
    flows_asked = Signal()

    def __init__(self, engine: EngineProcess, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("panel", parent)
        self._engine, self._themes = engine, themes
        self._wanted: str | None = None
        """The run that shall be selected once it is here."""
        self._has_runs: bool | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar())
        column.addWidget(rule("h", self))
        across = QHBoxLayout()
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        self.model = RunsModel(engine, themes, self)
        self.table = RunsTable(self.model, self)
        self._empty = self._make_empty()
        self._left = QStackedWidget(self)
        self._left.addWidget(self.table)
        self._left.addWidget(self._empty)
        left = QVBoxLayout()
        left.setContentsMargins(12, 6, 12, 0)
        left.setSpacing(0)
        left.addWidget(self._scan())
        left.addWidget(self._left, 1)
        self.extent = text_label("", "hint")
        self.extent.setContentsMargins(8, 6, 8, 8)
        left.addWidget(self.extent)
        across.addLayout(left, 1)
        self._edge = rule("v", self)
        across.addWidget(self._edge)
        self.detail = RunDetail(themes, self)
        across.addWidget(self.detail)
        column.addLayout(across, 1)
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._seek)
        self._news = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._news.timeout.connect(self._renew)
        self.model.renewed.connect(self._known)
        self.model.progressed.connect(self._progressed)
        self.model.failed.connect(self._failed)
        self.table.chosen.connect(self._chosen)
        self.table.opened.connect(lambda: self.do("open"))
        self.table.delete_asked.connect(lambda: self.do("delete"))
        self.table.rename_asked.connect(lambda: self.do("rename"))
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.detail.asked.connect(self.do)
        self.detail.run_asked.connect(self.choose)
        self.detail.pin_asked.connect(self._pin)
        engine.notified.connect(self._notified)
        themes.changed.connect(self._chosen)
        self._seek()

    def focus_first(self) -> None:
        """Puts the keyboard into the table, or into the field where there is none."""
        first: QWidget = self.table if self.model.total else self.search
        first.setFocus(Qt.FocusReason.TabFocusReason)

    def renew(self) -> None:
        """Asks the history anew."""
        self._renew()

    def choose(self, run: str) -> None:
        """Selects a run; where the filter hides it the filter is taken away."""
        if self.table.choose(run):
            return
        self._wanted = run
        self.clear()

    def clear(self) -> None:
        """Takes all filters away."""
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.where.choose("words")
        for box in (self.status, self.flow, self.when):
            box.blockSignals(True)
            box.setCurrentIndex(0)
            box.blockSignals(False)
        self._seek()

    def do(self, what: str) -> None:
        """Does something with the selected runs."""
        runs = self.table.selected()
        if not runs:
            return
        one = runs[0] if len(runs) == 1 else None
        signals: dict[str, Callable[[Run], object]] = {
            "open": self.opened.emit,
            "again": self.again_asked.emit,
            "resume": self.resume_asked.emit,
            "sample": self.sample_asked.emit,
        }
        if what in signals and one is not None:
            if one["status"] == "running" and what != "open":
                self.said.emit("This run is under way. Wait for its end, or stop it first.", "warn")
                return
            signals[what](one)
        elif what == "compare":
            self._compare(runs)
        elif what == "keep":
            self._keep(runs)
        elif what == "rename" and one is not None:
            self._rename(one)
        elif what == "delete":
            self._delete(runs)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.model.stop()

    def _bar(self) -> QWidget:
        bar = QWidget(self)
        column = QVBoxLayout(bar)
        column.setContentsMargins(20, 12, 16, 12)
        column.setSpacing(10)
        told = QVBoxLayout()
        told.setSpacing(1)
        told.addWidget(text_label("Runs", "title"))
        told.addWidget(text_label("Every run on this machine, to be looked at again step by step.", "hint"))
        column.addLayout(told)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.search = QLineEdit(bar)
        self.search.setProperty("search", True)
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(200)
        self.search.setMaximumWidth(380)
        self.search.setAccessibleName("Find runs")
        self.search.textChanged.connect(lambda _: self._typing.start())
        self.search.returnPressed.connect(self._seek)
        row.addWidget(self.search, 1)
        self.where = Segments([("words", "Runs"), ("values", "Payloads")], "Where to look", bar)
        self.where.button("words").setToolTip("In labels, steps, errors and ids")
        self.where.button("values").setToolTip("In the keys and values of all that came in and went out")
        self.where.chosen.connect(lambda _: self._seek())
        row.addWidget(self.where)
        self.status = self._box(_STATUSES, "Status")
        self.flow = self._box((("", "Any flow"),), "Flow")
        self.when = self._box(_TIMES, "Time")
        for box in (self.status, self.flow, self.when):
            row.addWidget(box)
        row.addStretch(1)
        column.addLayout(row)
        return bar

    def _box(self, choices: Any, name: str) -> QComboBox:
        box = QComboBox(self)
        for key, words in choices:
            box.addItem(words, key)
        box.setAccessibleName(name)
        box.setMinimumWidth(120)
        box.currentIndexChanged.connect(lambda _: self._seek())
        return box

    def _scan(self) -> QWidget:
        self.scan = QWidget(self)
        row = QHBoxLayout(self.scan)
        row.setContentsMargins(8, 4, 4, 8)
        row.setSpacing(10)
        self.scanned = QProgressBar(self.scan)
        self.scanned.setRange(0, 1000)
        self.scanned.setTextVisible(False)
        self.scanned.setFixedSize(160, 6)
        self.scanned.setAccessibleName("Payloads looked through")
        row.addWidget(self.scanned)
        self.scan_words = text_label("", "hint")
        row.addWidget(self.scan_words, 1)
        self.stop = TextButton(self._themes, "Stop", icon="x", kind="ghost")
        self.stop.setToolTip("What was found so far stays")
        self.stop.clicked.connect(self.model_stop)
        row.addWidget(self.stop)
        self.scan.hide()
        return self.scan

    def model_stop(self) -> None:
        """Looks through no more payloads."""
        self.model.stop()

    def _make_empty(self) -> QWidget:
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.addStretch(2)
        self.empty_what = text_label("", "heading")
        self.empty_hint = text_label("", "hint")
        for label in (self.empty_what, self.empty_hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            column.addWidget(label)
        column.addSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        self.empty_values = TextButton(
            self._themes, "Look in payloads", icon="magnifying-glass", kind="primary", color="accentText"
        )
        self.empty_values.clicked.connect(self._look_in_payloads)
        self.empty_clear = TextButton(self._themes, "Clear filters")
        self.empty_clear.clicked.connect(self.clear)
        self.empty_flows = TextButton(
            self._themes, "Go to the flows", icon="tree-structure", kind="primary", color="accentText"
        )
        self.empty_flows.clicked.connect(self.flows_asked)
        for button in (self.empty_values, self.empty_clear, self.empty_flows):
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(3)
        return page

    def _look_in_payloads(self) -> None:
        self.where.choose("values")
        self._seek()

    @property
    def is_filtered(self) -> bool:
        """Whether not all runs are sought."""
        return bool(self.search.text().strip()) or any(
            box.currentIndex() > 0 for box in (self.status, self.flow, self.when)
        )

    def _seek(self) -> None:
        self._typing.stop()
        in_values = self.where.choice == "values"
        self.search.setPlaceholderText("Find a key or value" if in_values else "Find by label, step, error or id")
        seconds = self.when.currentData()
        text = self.search.text().strip()
        self.model.seek(
            find=text,
            value=in_values and bool(text),
            status=self.status.currentData(),
            flow=self.flow.currentData(),
            since=time.time() - seconds if seconds else None,
        )
        self.scan.setVisible(self.model.is_looking)

    def _renew(self) -> None:
        if not self.isVisible():
            return
        self.model.renew()
        self._engine.request("history", {}, self._overview, lambda _: None, owner=self)

    def _overview(self, told: Any) -> None:
        flows = [("", "Any flow"), *((each["flow"], f"{each['name']}  ({each['runs']:,})") for each in told["flows"])]
        self._has_runs = bool(told["flows"])
        known = [(self.flow.itemData(place), self.flow.itemText(place)) for place in range(self.flow.count())]
        if known != flows:
            chosen = self.flow.currentData()
            self.flow.blockSignals(True)
            self.flow.clear()
            for key, words in flows:
                self.flow.addItem(words, key)
            self.flow.setCurrentIndex(max(0, self.flow.findData(chosen)))
            self.flow.blockSignals(False)
        self._bytes = float(told["bytes"])
        self._known()

    _bytes = 0.0

    def _known(self) -> None:
        """How many there are is known: the table or the words that stand in its place."""
        model = self.model
        self.scan.setVisible(model.is_looking)
        if not model.is_known:
            return
        self._set_beside(bool(model.total or self.is_filtered))
        if model.total or model.is_looking:
            self._left.setCurrentWidget(self.table)
        else:
            self._show_empty()
        runs = f"{model.total:,} run{'' if model.total == 1 else 's'}"
        room = f"  ·  {_size_text(self._bytes)} on disk" if self._bytes and not self.is_filtered else ""
        fits = " found" if self.is_filtered else ""
        self.extent.setText(f"{runs}{fits}{room}" if model.total else "")
        wanted, self._wanted = self._wanted, None
        if wanted is not None and not self.table.choose(wanted):
            self.said.emit("That run is no longer in the history.", "warn")
        kept = self.detail.run
        if kept is not None and not self.table.selected():
            self.table.choose(kept)
        if not self.table.selected() and model.run_at(0) is not None and self.detail.run is None:
            self.table.selectRow(0)
        self._chosen()

    def _set_beside(self, on: bool) -> None:
        """Shows what stands beside the table: not where there is nothing at all to choose from."""
        self._edge.setVisible(on)
        self.detail.setVisible(on)

    def _show_empty(self) -> None:
        text = self.search.text().strip()
        in_values = self.where.choice == "values" and bool(text)
        if self.is_filtered:
            what = f"No payload holds “{text}”" if in_values else f"No run matches “{text}”" if text else "No run fits"
            hint = "Try fewer words, another status or a longer time."
        else:
            what, hint = (
                "No run yet",
                "Run a flow with F5: every run is kept here, with what each step was given and gave.",
            )
        self.empty_what.setText(what)
        self.empty_hint.setText(hint)
        self.empty_values.setVisible(self.is_filtered and bool(text) and not in_values)
        self.empty_clear.setVisible(self.is_filtered)
        self.empty_flows.setVisible(not self.is_filtered)
        self._left.setCurrentWidget(self._empty)
        self.detail.show_runs(())

    def _failed(self, sentence: str) -> None:
        what, _, rest = sentence.partition(";")
        self.empty_what.setText("The history of runs cannot be used")
        self.empty_hint.setText(
            f"{what}.{' ' + rest.strip().capitalize() + '.' if rest else ''} Flows can be run all the same."
        )
        for button in (self.empty_values, self.empty_clear, self.empty_flows):
            button.hide()
        self._left.setCurrentWidget(self._empty)
        self._set_beside(False)
        self.scan.hide()

    def _progressed(self, share: float, looked_at: int, total: int) -> None:
        self.scan.show()
        self.scanned.setValue(int(share * 1000))
        found = self.model.total
        self.scan_words.setText(f"{looked_at:,} of {total:,} runs looked through, {found:,} found")

    def _chosen(self) -> None:
        runs = self.table.selected()
        if not runs:
            return
        shown = [dict(run) for run in runs]
        if shown == self._on_show and self.detail.buttons and not self._is_redressed():
            return
        self._on_show = shown
        self._dressed = self._themes.current
        self.detail.show_runs(shown)
        if len(shown) == 1:
            run = str(shown[0]["run"])

            def told(steps: Any) -> None:
                if self.detail.run == run:
                    self.detail.show_steps(steps)

            self._engine.request("steps", {"run": run}, told, lambda _: None, owner=self)

    _on_show: list[dict[str, Any]] | None = None
    _dressed: Any = None

    def _is_redressed(self) -> bool:
        return self._dressed is not self._themes.current

    def _notified(self, method: str, _: Any) -> None:
        if method in _NEWS and self.isVisible():
            self._news.start()

    def _open_menu(self, at: QPoint) -> None:
        runs = self.table.selected()
        if not runs:
            return
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for key, button in self.detail.buttons.items():
            keys = {"open": "Enter", "rename": "F2", "delete": "Del"}.get(key, "")
            action = menu.addAction(f"{button.text()}\t{keys}" if keys else button.text())
            action.setEnabled(button.isEnabled())
            action.triggered.connect(lambda _=False, key=key: self.do(key))
        menu.popup(self.table.viewport().mapToGlobal(at))

    def _compare(self, runs: list[Run]) -> None:
        if len(runs) == 2:
            older, newer = sorted(runs, key=lambda run: float(run["started_at"]))
            self.compare_asked.emit(older, newer)
            return
        (run,) = runs[:1]

        def came(told: Any) -> None:
            others = [each for each in told["runs"] if each["run"] != run["run"]]
            if not others:
                self.said.emit("This flow has no other run to compare with. Run it again first.", "warn")
                return
            family = [each for each in others if each["root"] == run["root"]]
            before = [each for each in others if each["root"] != run["root"]]
            menu = QMenu(self)
            menu.aboutToHide.connect(menu.deleteLater)
            for each in (*family[:8], *before[:12]):
                kind = "Fork" if each["parent"] else "Its run" if each in family else "Run"
                words = f"{kind} of {about.moment(float(each['started_at']))}: {name_of(each)}, {each['status']}"
                menu.addAction(words).triggered.connect(lambda _=False, each=each: self._compare([run, each]))
            button = self.detail.buttons.get("compare")
            menu.popup((button or self).mapToGlobal(QPoint(0, (button or self).height() + 2)))

        self._engine.request("runs", {"flow": run["flow"], "limit": 60}, came, self._told_off, owner=self)

    def _keep(self, runs: list[Run]) -> None:
        kept = not all(run["kept"] for run in runs)
        names = [run["run"] for run in runs]
        self._engine.request("mark", {"runs": names, "kept": kept}, lambda _: self._renew(), self._told_off, owner=self)

    def _rename(self, run: Run) -> None:
        label, fine = QInputDialog.getText(
            self, "Rename run", "What the run is called in lists:", text=str(run["label"])
        )
        if fine:
            params = {"runs": [run["run"]], "label": label.strip()}
            self._engine.request("mark", params, lambda _: self._renew(), self._told_off, owner=self)

    def _delete(self, runs: list[Run]) -> None:
        names = [run["run"] for run in runs]

        def told(answer: Any) -> None:
            count = len(answer["runs"])
            forks = count - len(names)
            noun = "run" if count == 1 else "runs"
            own = f" {forks:,} of them {'is a fork' if forks == 1 else 'are forks'}." if forks > 0 else ""
            why = f"What was recorded of {'it' if count == 1 else 'them'} is gone then, payloads too.{own}"
            doing = f"Delete {count:,} {noun}"
            if about.ask(f"{doing}?", why, (doing, "Cancel"), self) == doing:
                self.table.clearSelection()
                self.detail.show_runs(())
                self._on_show = None
                self._engine.request("delete", {"runs": names}, deleted, self._told_off, owner=self)

        def deleted(answer: Any) -> None:
            count = int(answer["deleted"])
            self.said.emit(f"Deleted {count:,} {'run' if count == 1 else 'runs'}", "muted")
            self._renew()

        self._engine.request("delete", {"runs": names, "ask": True}, told, self._told_off, owner=self)

    def _pin(self, step: Any) -> None:
        runs = self.table.selected()
        if len(runs) == 1:
            self.pin_asked.emit(runs[0], step)

    def _told_off(self, error: Any) -> None:
        self.said.emit(error.message[:1].upper() + error.message[1:].rstrip(".") + ".", "warn")


def _size_text(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"


__all__ = ["RunsPage"]
