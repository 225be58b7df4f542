"""Input and output of one visit, side by side: payloads, changes, or why there is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from flowstudio.editor.panels.changes import SIGNS, ChangesView, compare, counts
from flowstudio.editor.panels.controls import IconButton, chip, set_chip, text_label
from flowstudio.editor.panels.failure import FailurePage, tell
from flowstudio.editor.panels.payload_pane import PayloadPane, bytes_text
from flowstudio.editor.panels.payload_source import WHOLE_BYTES, PayloadSource
from flowstudio.editor.panels.visit_log import VisitLog
from flowstudio.editor.panels.visits import VisitPicker
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

_OUTPUT_VIEWS: Final = (("changes", "Changes"), ("error", "Error"), ("request", "Request"), ("response", "Response"))


class Sides(QWidget):
    """Input on the left, output (or why there is none) on the right."""

    said = Signal(str)
    edited = Signal(object, object)
    """What waits shall have another value at this path (a tuple)."""
    edit_asked = Signal(object)
    """What lies at this path of what waits shall be edited as JSON."""
    retry_asked = Signal()
    """The step on show shall be tried again, in a fork."""

    def __init__(
        self, source: PayloadSource, playback: Playback, themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source, self._playback, self._themes = source, playback, themes
        self._visit: Mapping[str, Any] = {}
        self._wanted = "tree"
        self._compared: tuple[str, str] | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        outer.addWidget(self.split)
        self.input = PayloadPane("Input", source, themes, self)
        self.of = text_label(kind="hint", tone="faint")
        self.input.header.add_extra(self.of)
        self.picker = VisitPicker(playback, themes, self)
        self.input.header.left.addWidget(self.picker)
        self.output = PayloadPane("Output", source, themes, self, more=_OUTPUT_VIEWS)
        self.changes = ChangesView(themes, self.output.pages)
        self.output.pages.addWidget(self.changes)
        self.failure = FailurePage(themes, self.output.pages)
        self.output.pages.addWidget(self.failure)
        self.tally = [chip("", tone, self) for _, tone in SIGNS.values()]
        for label in self.tally:
            label.hide()
            self.output.header.add_extra(label)
        self.previous = IconButton(themes, "caret-up-bold", "Previous change", key="Shift+F7", size=12)
        self.next = IconButton(themes, "caret-down-bold", "Next change", key="F7", size=12)
        self.previous.clicked.connect(lambda: self.changes.step(-1))
        self.next.clicked.connect(lambda: self.changes.step(1))
        for button in (self.previous, self.next):
            button.hide()
            self.output.header.right.addWidget(button)
        self.log = VisitLog(playback, themes, self)
        column = self.output.layout()
        if isinstance(column, QVBoxLayout):
            column.addWidget(self.log)
        self.mark = chip("", "warn", self)
        self.mark.hide()
        self.input.header.left.addWidget(self.mark)
        self.pencil = IconButton(themes, "pencil-simple", "Edit what waits", key="F2", size=14)
        self.pencil.hide()
        self.pencil.clicked.connect(self.edit)
        self.input.header.right.addWidget(self.pencil)
        self.since = text_label(kind="hint", tone="muted")
        self.output.header.add_extra(self.since)
        self.sent = chip("", "neutral", self)
        self.sent.hide()
        self.output.header.left.addWidget(self.sent)
        self.input.views.edited.connect(self.edited)
        self.input.views.edit_asked.connect(self.edit_asked)
        self.failure.retry.clicked.connect(self.retry_asked)
        self.failure.retry.show()
        self.split.addWidget(self.input)
        self.split.addWidget(self.output)
        self.split.setSizes([500, 740])
        self.split.setStretchFactor(0, 2)
        self.split.setStretchFactor(1, 3)
        self.input.said.connect(self.said)
        self.output.said.connect(self.said)
        self.output.segments.chosen.disconnect(self.output.choose_view)
        self.output.segments.chosen.connect(self._choose)
        self.output.segments.set_shown(["tree", "table", "json", "changes"])

    def show_visit(self, title: str, visit: Mapping[str, Any]) -> None:
        """Shows one visit."""
        self._visit = visit
        self._set_editable(False)
        self.since.setText("")
        self._set_mark("edited input" if visit.get("edited") else "")
        replayed = any(effect.get("replayed") for effect in visit.get("effects") or ())
        self._set_sent("Already sent" if replayed else "", "Nothing was sent again: the recorded answer stands in")
        self.of.setText(title)
        self.input.header.fit()
        self.log.show_visit(visit["visit"])
        self.input.views.set_origin(visit.get("step"), "input")
        received = visit.get("input")
        if received is not None:
            self.input.show_payload(received)
        else:
            self.input.show_nothing("Nothing came in")
        views = [view for view, possible in self._possible(visit).items() if possible]
        self.output.segments.set_shown(views)
        failed = visit["status"] == "failed"
        wanted = "error" if failed and self._wanted not in ("request", "response") else self._wanted
        self.show_output_view(wanted if wanted in views else views[0])

    def show_unvisited(self, title: str, *, live: bool) -> None:
        """Says that no message came to the step."""
        self._visit = {}
        self._set_editable(False)
        self._set_mark("")
        self._set_sent("")
        self.since.setText("")
        self.of.setText(title)
        self.picker.hide()
        self.log.show_visit(None)
        self._hide_tally()
        self.input.show_nothing("No message has come here yet" if live else "No message came here in this run")
        self.output.segments.set_shown(["tree", "table", "json", "changes"])
        self.output.header.title.setText("Output")
        self.output.show_nothing("")

    def show_waiting(
        self,
        title: str,
        payload: Mapping[str, Any],
        count: int,
        *,
        before: Mapping[str, Any] | None = None,
        since: str = "",
        editable: bool = False,
        edited: bool = False,
    ) -> None:
        """Shows what waits before a step, and what has changed in it `since` a step put out `before`."""
        self._visit = {"status": "waiting", "input": before, "output": payload, "waits": True}
        self.of.setText(title)
        self.picker.hide()
        self.log.show_visit(None)
        self.input.views.set_origin(None, "input")
        self._set_mark("edited input" if edited else f"{count:,} wait" if count > 1 else "")
        self._set_sent("")
        self._set_editable(editable)
        self.since.setText(f"since {since}" if since else "")
        self.input.show_payload(dict(payload))
        self.output.segments.set_shown(["changes"])
        self.show_output_view("changes")

    def say_pinned(self) -> None:
        """Says that what the step puts out is pinned."""
        self._set_sent("Pinned", "A run goes past this step with what is pinned (P takes it off)")
        self.output.header.fit()

    def show_question(self, title: str, visit: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        """Shows a visit that asks before it sends, with what it would send."""
        self.show_visit(title, {**visit, "effects": [{"request": request}]})
        self.show_output_view("request")
        self.output.header.title.setText("Would send")
        self.output.header.fit()

    def edit(self) -> None:
        """Begins to edit what waits."""
        self.input.views.edit()

    def _set_editable(self, editable: bool) -> None:
        self.input.views.set_editable(editable)
        self.pencil.setVisible(editable)
        self.input.header.fit()

    def _set_mark(self, words: str) -> None:
        self.mark.setText(words)
        self.mark.setVisible(bool(words))
        self.input.header.fit()

    def _set_sent(self, words: str, tip: str = "") -> None:
        self.sent.setText(words)
        self.sent.setToolTip(tip)
        self.sent.setVisible(bool(words))

    def show_output_view(self, view: str) -> None:
        """Shows the output that way."""
        self.output.segments.choose(view)
        visit = self._visit
        self._hide_tally()
        title = {"error": "Error", "request": "Request", "response": "Response", "changes": "Changes"}
        self.output.header.title.setText(title.get(view, "Output"))
        self.since.setVisible(view == "changes" and bool(self.since.text()))
        if view == "error":
            self._show_error(visit)
        elif view == "changes":
            self._show_changes(visit)
        elif view in ("request", "response"):
            effect = visit["effects"][-1]
            self.output.views.set_origin(None, "output")
            self.output.views.show_view("tree")
            self.output.show_payload(effect["request" if view == "request" else "answer"])
        elif visit.get("output") is not None:
            self.output.views.set_origin(visit.get("step"), "output")
            self.output.views.show_view(view)
            self.output.show_payload(visit["output"])
        else:
            self.output.show_nothing(_no_output(visit))

    def _choose(self, view: str) -> None:
        self._wanted = view
        if self._visit:
            self.show_output_view(view)
        else:
            self.output.views.show_view(view if view in ("tree", "table", "json") else "tree")

    def _possible(self, visit: Mapping[str, Any]) -> dict[str, bool]:
        failed = visit["status"] == "failed"
        effect = (visit.get("effects") or [{}])[-1]
        return {
            "error": failed,
            "tree": not failed,
            "table": not failed,
            "json": not failed,
            "changes": not failed,
            "request": effect.get("request") is not None,
            "response": failed and effect.get("answer") is not None,
        }

    def _show_error(self, visit: Mapping[str, Any]) -> None:
        told = tell(visit.get("error"))
        if not told.remedy and "response" in self.output.segments.shown:
            told = replace(told, remedy="Response has all that the other system said, Request what it was sent.")
        self.failure.show_failure(told)
        self.output.pages.setCurrentWidget(self.failure)
        self.output.extent.setVisible(bool(told.status))
        set_chip(self.output.extent, told.status, "err")

    def _show_changes(self, visit: Mapping[str, Any]) -> None:
        before, after = visit.get("input"), visit.get("output")
        self.output.extent.hide()
        if before is None or after is None:
            self.output.show_nothing("Nothing came before it" if visit.get("waits") else _no_output(visit))
            return
        if max(before["bytes"], after["bytes"]) > WHOLE_BYTES:
            size = bytes_text(max(before["bytes"], after["bytes"]))
            self.output.show_nothing(f"Changes are shown for payloads up to 1 MB. This one has {size}.")
            return
        pair = (before["hash"], after["hash"])
        if pair == self._compared:
            self._show_compared()
            return
        self.output.show_nothing("")

        def came_after(new: Any, old: Any) -> None:
            if self._visit is visit and self.output.segments.choice == "changes":
                self._compared = pair
                self.changes.show_changes(compare(old, new))
                self._show_compared()

        def came_before(old: Any) -> None:
            self._source.whole(after, (), lambda new: came_after(new, old), self.output.show_nothing)

        self._source.whole(before, (), came_before, self.output.show_nothing)

    def _show_compared(self) -> None:
        self.output.extent.hide()
        self.output.pages.setCurrentWidget(self.changes)
        found = counts(self.changes.changes.root)
        for label, (op, (_, tone)) in zip(self.tally, SIGNS.items(), strict=True):
            set_chip(label, f"{found[op]:,} {op}", tone)
            label.setVisible(found[op] > 0)
        some = any(found[op] for op in SIGNS)
        self.previous.setVisible(some)
        self.next.setVisible(some)
        self.output.header.fit()
        if not some:
            waits = self._visit.get("waits")
            self.output.show_nothing("Nothing has changed" if waits else "Nothing changed: the output is the input")

    def _hide_tally(self) -> None:
        for widget in (*self.tally, self.previous, self.next):
            widget.hide()
        self.output.header.fit()


def _no_output(visit: Mapping[str, Any]) -> str:
    """Why a visit has put out nothing."""
    match visit.get("status"):
        case "filtered":
            return "Nothing passed: the message did not match, so its path ends here"
        case "running":
            return "Running"
        case "waiting":
            return "Waiting"
        case "failed":
            return "The step failed, so nothing came out"
        case _:
            return "Nothing came out"
