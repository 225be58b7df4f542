"""What the flow in front is started with: chosen from a menu, edited as JSON, kept beside the flow's file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QWidget

from flowstudio.editor.actions import Actions
from flowstudio.editor.desks import Desks
from flowstudio.editor.panels.samples import SampleSheet, sample_menu
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Sample
from flowstudio.errors import FileError
from flowstudio.flow.files import read_payload

Say = Callable[[str, str], object]
"""Says a sentence in a tone."""


class Sampling(QObject):
    """Answers the commands about the sample of the flow in front."""

    def __init__(self, desks: Desks, actions: Actions, themes: Themes, say: Say, window: QWidget) -> None:
        super().__init__(window)
        self._desks = desks
        self._actions = actions
        self._themes = themes
        self._say = say
        self._window = window

    def open_menu(self, button: Any) -> None:
        """Offers all samples under a button."""
        desk = self._desks.front
        if desk is None:
            return
        trigger = desk.running.trigger()
        menu = sample_menu(
            desk.running.samples(trigger),
            desk.workspace.captured,
            desk.running.sample(trigger),
            desk.workspace.choose_sample,
            [self._actions[name] for name in ("edit_sample", "capture", "keep_sample")],
            self._window,
        )
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))

    def edit(self) -> None:
        """Opens the payload that Run starts with as JSON."""
        desk = self._desks.front
        if desk is None:
            return
        sample = desk.running.sample(desk.running.trigger())
        payload = sample.payload
        if sample.kind == "file" and sample.path is not None:
            try:
                payload = read_payload(sample.path)
            except FileError as error:
                self._say(f"The sample cannot be read. {error}", "warn")
                return
        title = sample.title if sample.kind != "none" else "null"
        sheet = SampleSheet(title, payload, self._themes, self._window)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def use() -> None:
            name = title if sample.kind in ("file", "captured", "edited") else "payload"
            desk.workspace.choose_sample(Sample("edited", name, sheet.payload, sample.meta, sample.trigger))

        sheet.accepted.connect(use)
        sheet.open()

    def keep(self) -> None:
        """Keeps the sample in a file beside the flow's."""
        kept = self._desks.front.running.keep_sample() if self._desks.front is not None else None
        if kept is not None:
            self._say(f"Kept as {kept.name}", "ok")


__all__ = ["Sampling"]
