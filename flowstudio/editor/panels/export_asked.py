"""What each customer fills in, as the export sheet lists it: variables and connections, and what they lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import TextButton, chip, text_label
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import ABSENT, Flow, Variable
from flowstudio.plan.references import uses_of_connection, uses_of_variable
from flowstudio.sdk.registry import Registry
from flowstudio.trace.payloads import canonical

_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """A variable or a connection that a customer gives."""

    sort: Literal["variable", "connection"]
    name: str
    title: str
    type: str
    given: str
    """Whether it must be given, and what stands in for it."""
    lacks: str
    """What would make it easier to fill in, or why nobody needs it; nothing when all is well."""


def asked(flow: Flow, registry: Registry) -> Iterator[Asked]:
    """All that customers give, in the order of the flow."""
    for name, variable in flow.variables.items():
        yield Asked(
            "variable",
            name,
            variable.title or name,
            variable.type,
            _given(variable),
            _lack(variable.title, variable.hint, is_read=bool(uses_of_variable(flow, registry, name))),
        )
    for name, slot in flow.connections.items():
        yield Asked(
            "connection",
            name,
            slot.title or name,
            slot.type,
            "optional" if slot.required is False else "required",
            _lack(slot.title, slot.hint, is_read=bool(uses_of_connection(flow, registry, name))),
        )


def _given(variable: Variable) -> str:
    if variable.default is not ABSENT:
        shown = canonical(variable.default).decode() if not isinstance(variable.default, str) else variable.default
        return f"default {shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + '…'}"
    return "required" if variable.required else "optional"


def _lack(title: str | None, hint: str | None, *, is_read: bool) -> str:
    if not is_read:
        return "nothing reads it"
    missing = [word for word, given in (("title", title), ("hint", hint)) if not given]
    return f"no {' and no '.join(missing)} for the people who fill it in" if missing else ""


class AskedList(QWidget):
    """The rows; the name of one leads to where it is changed."""

    chosen = Signal(str)
    """The variable or connection of this name shall be shown."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)

    def show_flow(self, flow: Flow, registry: Registry) -> None:
        """Lists what a flow asks of customers."""
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for each in asked(flow, registry):
            self._column.addWidget(self._row(each))

    def _row(self, each: Asked) -> QWidget:
        row = QWidget(self)
        across = QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(8)
        icon = "key" if each.sort == "connection" else "sliders-horizontal"
        name = TextButton(self._themes, each.title, icon=icon, kind="link", color="accent", parent=row)
        name.setAccessibleName(f"{each.title}, {each.sort} {each.name}, {each.type}, {each.given}")
        name.setToolTip(f"Change this {each.sort}")
        name.clicked.connect(lambda: self.chosen.emit(each.name))
        across.addWidget(name)
        across.addWidget(chip(each.type, parent=row))
        across.addWidget(text_label(each.given, "hint", parent=row))
        across.addStretch(1)
        if each.lacks:
            across.addWidget(text_label(each.lacks, "hint", "warn", parent=row))
        return row


__all__ = ["Asked", "AskedList", "asked"]
