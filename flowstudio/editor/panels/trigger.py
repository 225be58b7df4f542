"""What stands under a trigger's settings: a webhook's address with its requests, or a schedule's next firings."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QMenu, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import IconButton, Pane, TextButton, rule, text_label
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Sample, Workspace
from flowstudio.runtime.protocol import listening_port
from flowstudio.sdk.clock import firings
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.trigger import Clock

_PUBLIC: Final = "public_address"
_SHOWN: Final = 5
_REQUEST: Final = Qt.ItemDataRole.UserRole
_ROWS_SHOWN: Final = 4
_GLANCE: Final = 60


def next_firings(config: Mapping[str, Any], after: datetime, count: int = _SHOWN) -> list[datetime]:
    """When a schedule of these settings starts runs next, in its own zone; nothing where they do not say."""
    every, cron, zone = config.get("every"), config.get("cron"), config.get("timezone") or "UTC"
    if isinstance(every, (int, float)) and not isinstance(every, bool) and every > 0:
        clock = Clock(every=every)
    elif isinstance(cron, str) and cron.strip() and "{{" not in cron and isinstance(zone, str):
        clock = Clock(cron=cron, timezone=zone)
    else:
        return []
    try:
        return list(islice(firings(clock, after.astimezone()), count))
    except Exception:  # what is wrong with it stands under its field, whatever the library says
        return []


def told_firing(moment: datetime, now: datetime) -> str:
    """A firing as people read it: `Tue 3 Mar, 02:00 CET · in 7 h`."""
    rest = (moment - now).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if rest >= size:
            ahead = f"in {int(rest // size)} {unit}"
            break
    else:
        ahead = "in less than a minute"
    seconds = moment.strftime(":%S") if moment.second else ""
    return (
        f"{moment:%a} {moment.day} {moment:%b}, {moment:%H:%M}{seconds} {moment.tzname() or ''}".rstrip()
        + f" · {ahead}"
    )


def address_of(flow: str, config: Mapping[str, Any], public: str = "", listening: str = "") -> str:
    """Where a webhook is called: at the public address where one is given, else where it listens or would listen."""
    path = str(config.get("path") or "").strip("/")
    if public:
        return f"{public.rstrip('/')}/{path}"
    return listening or f"http://127.0.0.1:{listening_port(flow)}/{path}"


def _glance(payload: Any) -> str:
    """The begin of a payload, to tell one request from another."""
    text = json.dumps(payload, ensure_ascii=False)
    return text if len(text) <= _GLANCE else f"{text[: _GLANCE - 1]}…"


class TriggerPane(Pane):
    """Follows the selected step; hidden where it is neither a webhook nor a schedule."""

    capture_asked = Signal()
    listen_asked = Signal()
    """The flow's triggers shall start runs, or no longer."""
    fire_asked = Signal(str)
    """The trigger shall start a run now."""
    run_asked = Signal(object)
    """A run shall start with this Sample."""
    keep_asked = Signal(object)
    """This Sample shall lie beside the flow."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        registry: Registry,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", parent)
        self._document, self._workspace, self._registry, self._themes = document, workspace, registry, themes
        self._step: str | None = None
        self._listening: Mapping[str, str] = {}
        self._fires = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(rule("h", self))
        self._listeners: list[TextButton] = []
        self._webhook = QWidget(self)
        self._schedule = QWidget(self)
        self._make_webhook()
        self._make_schedule()
        column.addWidget(self._webhook)
        column.addWidget(self._schedule)
        self._clock = QTimer(self, interval=20_000)
        self._clock.timeout.connect(self._tell_firings)
        workspace.sample_changed.connect(self._fill_requests)
        workspace.restored.connect(self.renew)
        document.changed.connect(self._changed)
        self.hide()

    def show_step(self, step: str | None) -> None:
        """Shows what belongs to this step."""
        self._step = step
        self.renew()

    def listen_at(self, addresses: Any, *, fires: bool = False) -> None:
        """A request is awaited at these addresses (a mapping of trigger to URL); an empty one: no longer.

        With `fires` each of them starts a run.
        """
        self._listening = dict(addresses)
        self._fires = fires
        if not fires:
            self.refusal.hide()
        self.renew()

    def show_heard(self, heard: Any) -> None:
        """What came of listening (a running.Heard): a request that was not taken is explained."""
        refused = heard.refused
        if refused is None or refused.get("step") != self._step:
            return
        at = time.strftime("%H:%M:%S", time.localtime(float(refused["at"])))
        self.refusal.setText(f"{at}  {refused['method']} was answered {refused['status']}. {refused['reason']}")
        self.refusal.show()

    def renew(self) -> None:
        """Reads the step's settings anew."""
        kind = self._kind()
        self.setVisible(kind in ("webhook", "schedule"))
        self._webhook.setVisible(kind == "webhook")
        self._schedule.setVisible(kind == "schedule")
        for button in self._listeners:
            button.setText("Stop listening" if self._fires else "Listen")
        if kind == "webhook":
            self.public.setText(str(self._workspace.remembered(_PUBLIC, "") or ""))
            self._show_address()
            waits = bool(self._listening) and not self._fires
            self.capture.setEnabled(not self._listening)
            self.capture.setText("Waiting for a request" if waits else "Capture next request")
            self._fill_requests()
        if kind == "schedule":
            self._clock.start()
            self._tell_firings()
        else:
            self._clock.stop()

    @property
    def url(self) -> str:
        """The webhook's address as Copy gives it."""
        step = self._step or ""
        flow = self._document.flow
        return address_of(flow.id, flow.steps[step].config, self.public.text().strip(), self._listening.get(step, ""))

    def _kind(self) -> str:
        held = self._document.flow.steps.get(self._step or "")
        return held.component.partition("@")[0] if held is not None else ""

    def _make_webhook(self) -> None:
        column = QVBoxLayout(self._webhook)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(8)
        column.addWidget(text_label("Address", "label"))
        line = QHBoxLayout()
        line.setSpacing(4)
        self.address = QLineEdit(self._webhook)
        self.address.setReadOnly(True)
        self.address.setAccessibleName("Address of the webhook")
        self.copy = IconButton(self._themes, "copy", "Copy the address", size=16, parent=self._webhook)
        self.copy.clicked.connect(lambda: self._copied(self.copy, "copy", self.url))
        self.curl = IconButton(self._themes, "terminal-window", "Copy as cURL", size=16, parent=self._webhook)
        self.curl.clicked.connect(lambda: self._copied(self.curl, "terminal-window", self._curl()))
        line.addWidget(self.address, 1)
        line.addWidget(self.copy)
        line.addWidget(self.curl)
        column.addLayout(line)
        self.public = QLineEdit(self._webhook)
        self.public.setPlaceholderText("Public address of your tunnel, if any")
        self.public.setAccessibleName("Public address")
        self.public.setToolTip("Where the world reaches this computer. Copy then gives this address.")
        self.public.editingFinished.connect(self._keep_public)
        column.addWidget(self.public)
        self.capture = TextButton(self._themes, "Capture next request", icon="broadcast", parent=self._webhook)
        self.capture.clicked.connect(self.capture_asked)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.capture, 1)
        self.listen = self._listen_button(self._webhook, "Each request starts a run until it is stopped")
        buttons.addWidget(self.listen)
        column.addLayout(buttons)
        self.refusal = text_label(kind="small", tone="err", parent=self._webhook)
        self.refusal.setWordWrap(True)
        self.refusal.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.refusal.hide()
        column.addWidget(self.refusal)
        self._requests_label = text_label("Last requests", "label")
        column.addWidget(self._requests_label)
        self.requests = QListWidget(self._webhook)
        self.requests.setAccessibleName("Last requests: Enter uses one as sample")
        self.requests.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.requests.customContextMenuRequested.connect(self._open_menu)
        self.requests.itemActivated.connect(self._use)
        self.requests.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.requests.setTextElideMode(Qt.TextElideMode.ElideRight)
        column.addWidget(self.requests)

    def _make_schedule(self) -> None:
        column = QVBoxLayout(self._schedule)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(6)
        column.addWidget(text_label("Next firings", "label"))
        self.firings = QLabel(self._schedule)
        self.firings.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.firings.setAccessibleName("Next firings")
        self.firings.setWordWrap(True)
        column.addWidget(self.firings)
        column.addSpacing(4)
        self.fire = TextButton(self._themes, "Fire now", icon="play", parent=self._schedule)
        self.fire.setToolTip("Starts a run at once, as the clock would")
        self.fire.clicked.connect(self._fire)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.fire, 1)
        buttons.addWidget(self._listen_button(self._schedule, "Fires at these times until it is stopped"))
        column.addLayout(buttons)

    def _listen_button(self, parent: QWidget, told: str) -> TextButton:
        button = TextButton(self._themes, "Listen", icon="ear", parent=parent)
        button.setToolTip(told)
        button.clicked.connect(self.listen_asked)
        self._listeners.append(button)
        return button

    def _fire(self) -> None:
        if self._step is not None:
            self.fire_asked.emit(self._step)

    def _tell_firings(self) -> None:
        held = self._document.flow.steps.get(self._step or "")
        if held is None:
            return
        now = datetime.now(UTC)
        times = next_firings(held.config, now)
        self.firings.setText("\n".join(told_firing(moment, now) for moment in times) or self._no_firings(held.config))

    def _no_firings(self, config: Mapping[str, Any]) -> str:
        if any(isinstance(value, str) and "{{" in value for value in config.values()):
            return "They depend on a variable: each customer has its own times"
        return "None: give a cron line, or the seconds from start to start"

    def _show_address(self) -> None:
        self.address.setText(self.url)
        self.address.setCursorPosition(0)
        self.address.setToolTip(self.url)

    def _keep_public(self) -> None:
        given = self.public.text().strip()
        if given and "://" not in given:
            given = f"https://{given}"
            self.public.setText(given)
        self._workspace.remember(_PUBLIC, given)
        self._show_address()

    def _curl(self) -> str:
        config = self._document.flow.steps[self._step or ""].config
        method = str(next(iter(config.get("methods") or ()), "POST"))
        body = "" if method in ("GET", "HEAD") else """ -H 'Content-Type: application/json' -d '{"hello": "world"}'"""
        quoted = self.url.replace("'", "'\\''")
        return f"curl -X {method} '{quoted}'{body}"

    def _copied(self, button: IconButton, icon: str, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        button.set_icon("check", "ok")
        QTimer.singleShot(1500, button, lambda: button.set_icon(icon, "text2"))

    def _changed(self, _: object, changes: Any) -> None:
        if self._step is not None and (self._step in changes.steps or changes.fields):
            if self._step in self._document.flow.steps:
                self.renew()
            else:
                self.hide()

    def _fill_requests(self) -> None:
        mine = [sample for sample in self._workspace.captured if sample.trigger is None or sample.trigger == self._step]
        self.requests.clear()
        chosen = self._workspace.sample
        theme = self._themes.current
        for sample in mine:
            item = QListWidgetItem(f"{sample.title}  {_glance(sample.payload)}")
            item.setData(_REQUEST, sample)
            on = sample == chosen
            item.setIcon(theme.icon("check-circle-fill" if on else "arrow-right", "ok" if on else "text3", 14))
            item.setData(
                Qt.ItemDataRole.AccessibleTextRole,
                f"{sample.title}, the sample of the next run" if on else sample.title,
            )
            self.requests.addItem(item)
        self._requests_label.setVisible(bool(mine))
        self.requests.setVisible(bool(mine))
        row = max(24, self.requests.sizeHintForRow(0)) if mine else 24
        self.requests.setFixedHeight(row * min(len(mine), _ROWS_SHOWN) + 6)

    def _use(self, item: QListWidgetItem) -> None:
        sample = item.data(_REQUEST)
        if isinstance(sample, Sample):
            self._workspace.choose_sample(sample)

    def _open_menu(self, point: QPoint) -> None:
        item = self.requests.itemAt(point) or self.requests.currentItem()
        sample = item.data(_REQUEST) if item is not None else None
        if not isinstance(sample, Sample):
            return
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.addAction("Use as sample\tEnter").triggered.connect(lambda: self._workspace.choose_sample(sample))
        menu.addAction("Run with it").triggered.connect(lambda: self.run_asked.emit(sample))
        menu.addAction("Keep beside the flow").triggered.connect(lambda: self.keep_asked.emit(sample))
        menu.popup(self.requests.viewport().mapToGlobal(point))
