"""Input and output of one visit, side by side: payloads, changes, or why there is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from flowstudio.editor.panels.against import Against, Other
from flowstudio.editor.panels.changes import SIGNS, ChangesView, compare, counts
from flowstudio.editor.panels.changes_list import ChangesList
from flowstudio.editor.panels.controls import IconButton, chip, set_chip, text_label
from flowstudio.editor.panels.exchange import ExchangeStrip
from flowstudio.editor.panels.failure import FailurePage, tell
from flowstudio.editor.panels.payload_pane import PayloadPane
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.visit_log import VisitLog
from flowstudio.editor.panels.visits import VisitPicker
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

_BESIDE_EACH_OTHER: Final = 200_000
"""Bytes up to which both payloads are shown beside each other, what is the same too; of larger ones the engine tells
what differs."""
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
        self._tallied: Mapping[Any, int] = {}
        self._other: Other | None = None
        """What the visit on show is compared with; None: with what came in."""
        self._try = -1
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
        self.large = ChangesList(source, themes, self.output.pages)
        self.output.pages.addWidget(self.large)
        self.large.changes.counted.connect(self._count_large)
        self.large.changes.failed.connect(lambda fault: self.output.show_nothing(fault.message))
        self.large.copied.connect(self._copy_change)
        self.large.value_asked.connect(self._open_change)
        self.failure = FailurePage(themes, self.output.pages)
        self.output.pages.addWidget(self.failure)
        self.tally = [chip("", tone, self) for _, tone in SIGNS.values()]
        for label in self.tally:
            label.hide()
            self.output.header.add_extra(label)
        self.previous = IconButton(themes, "caret-up-bold", "Previous change", key="Shift+F7", size=12)
        self.next = IconButton(themes, "caret-down-bold", "Next change", key="F7", size=12)
        self.previous.clicked.connect(lambda: self.step_change(-1))
        self.next.clicked.connect(lambda: self.step_change(1))
        for button in (self.previous, self.next):
            button.hide()
            self.output.header.right.addWidget(button)
        self.against = Against(playback, themes, self)
        self.against.chosen.connect(self._compare_with)
        self.output.header.left.addWidget(self.against)
        self.log = VisitLog(playback, themes, self)
        self.strip = ExchangeStrip(themes, self)
        self.strip.stepped.connect(self._step_try)
        column = self.output.layout()
        if isinstance(column, QVBoxLayout):
            column.insertWidget(2, self.strip)
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
        if visit.get("step") != self._visit.get("step"):
            self._other = None
        if visit.get("visit") != self._visit.get("visit"):
            self._try = -1
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
        self.strip.hide()
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
        self.strip.hide()
        if view == "error":
            self._show_error(visit)
        elif view == "changes":
            self._show_changes(visit)
        elif view in ("request", "response"):
            self._show_exchange(visit, view)
        elif visit.get("output") is not None:
            self.output.views.set_origin(visit.get("step"), "output")
            self.output.views.show_view(view)
            self.output.show_payload(visit["output"])
        else:
            self.output.show_nothing(_no_output(visit))

    def _choose(self, view: str) -> None:
        self._wanted = view
        if view == "changes":
            self._other = None if self._visit.get("waits") else self._other
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
            "response": effect.get("answer") is not None,
        }

    def _show_exchange(self, visit: Mapping[str, Any], view: str) -> None:
        """Shows a request or its response as it was sent, over it what was called and how long each phase took."""
        effects = visit["effects"]
        place = len(effects) - 1 if self._try < 0 else min(self._try, len(effects) - 1)
        effect = effects[place]
        self.output.views.set_origin(None, "output")
        self.output.views.show_view("tree")
        ref = effect["request" if view == "request" else "answer"]
        if ref is None:
            self.output.show_nothing("No response came to this try")
        else:
            self.output.show_payload(ref)
        if "started_at" not in effect:  # a request that has not been sent
            return
        self.strip.show_effect(effect, place, len(effects))
        request, answer = effect["request"], effect.get("answer")
        if request is not None and request["type"] == "object" and "url" in (request["preview"] or {}):
            self._source.text(request["hash"], ("url",), self.strip.show_address, lambda _: None, owner=self.strip)
        if answer is not None and answer["type"] == "object":
            self._source.whole(answer, ("timings",), self.strip.show_timings, lambda _: None)

    def _step_try(self, by: int) -> None:
        effects = self._visit.get("effects") or ()
        here = len(effects) - 1 if self._try < 0 else self._try
        self._try = max(0, min(here + by, len(effects) - 1))
        self.show_output_view(self.output.segments.choice)

    def step_change(self, by: int) -> bool:
        """Goes to the next (1) or previous (-1) change; False when there is none that way."""
        on_list = self.output.pages.currentWidget() is self.large
        return self.large.step(by) if on_list else self.changes.step(by)

    def _compare_with(self, other: Any) -> None:
        self._other = other
        self.show_output_view("changes")

    def _sides(self, visit: Mapping[str, Any]) -> tuple[Any, Any]:
        """The two payloads that are compared."""
        if self._other is None:
            return visit.get("input"), visit.get("output")
        # Two visits are compared by what they put out; where one put out nothing, by what came to them.
        like = "output" if visit.get("output") is not None and self._other.payload("output") is not None else "input"
        return self._other.payload(like), visit.get(like)

    def _show_error(self, visit: Mapping[str, Any]) -> None:
        told = tell(visit.get("error"))
        if not told.remedy and "response" in self.output.segments.shown:
            told = replace(told, remedy="Response has all that the other system said, Request what it was sent.")
        self.failure.show_failure(told)
        self.output.pages.setCurrentWidget(self.failure)
        self.output.extent.setVisible(bool(told.status))
        set_chip(self.output.extent, told.status, "err")

    def _show_changes(self, visit: Mapping[str, Any]) -> None:
        before, after = self._sides(visit)
        self.output.extent.hide()
        if visit.get("visit") is not None:
            self.against.show_choice(str(visit.get("step")), int(visit["visit"]), self._other)
            self.against.show()
            self.output.header.fit()
        if before is None or after is None:
            self.output.show_nothing("Nothing came before it" if visit.get("waits") else _no_output(visit))
            return
        pair = (before["hash"], after["hash"])
        if pair == self._compared:
            self._show_compared()
            return
        self.output.show_nothing("")
        if max(before["bytes"], after["bytes"]) > _BESIDE_EACH_OTHER:
            self._compared = pair
            self._tallied = {}
            if before["hash"] == after["hash"]:
                self._tell_none()
                return
            self.large.changes.show(before["hash"], after["hash"])
            self.output.pages.setCurrentWidget(self.large)
            self._is_large = True
            return

        def came_after(new: Any, old: Any) -> None:
            if self._visit is visit and self.output.segments.choice == "changes":
                self._compared = pair
                self._is_large = False
                self.changes.show_changes(compare(old, new))
                self._tallied = counts(self.changes.changes.root)
                self._show_compared()

        def came_before(old: Any) -> None:
            self._source.whole(after, (), lambda new: came_after(new, old), self.output.show_nothing)

        self._source.whole(before, (), came_before, self.output.show_nothing)

    _is_large = False

    def _count_large(self, found: Any, share: float) -> None:
        self._tallied = found
        if self.output.segments.choice != "changes" or not self._is_large:
            return
        self._show_compared(share)

    def _show_compared(self, share: float = 1.0) -> None:
        self.output.extent.hide()
        self.output.pages.setCurrentWidget(self.large if self._is_large else self.changes)
        found = self._tallied
        for label, (op, (_, tone)) in zip(self.tally, SIGNS.items(), strict=True):
            set_chip(label, f"{found.get(op, 0):,} {op}", tone)
            label.setVisible(found.get(op, 0) > 0)
        some = any(found.get(op) for op in SIGNS)
        self.previous.setVisible(some)
        self.next.setVisible(some)
        if share < 1.0:
            set_chip(self.output.extent, f"{share:.0%}", "run")
            self.output.extent.setToolTip("So much of both was compared by now")
            self.output.extent.show()
        self.output.header.fit()
        if not some and share >= 1.0:
            self._tell_none()

    def _tell_none(self) -> None:
        if self._other is not None:
            words = "Nothing differs"
        elif self._visit.get("waits"):
            words = "Nothing has changed"
        else:
            words = "Nothing changed: the output is the input"
        self.output.show_nothing(words)

    def _copy_change(self, what: str, path: Any) -> None:
        _, after = self._sides(self._visit)
        if after is not None:
            self.output.views.copy_of(after, what, path)

    def _open_change(self, path: Any) -> None:
        _, after = self._sides(self._visit)
        if after is not None:
            self.output.views.open_of(after, path)

    def _hide_tally(self) -> None:
        for widget in (*self.tally, self.previous, self.next, self.against):
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
