"""The sheet that compares two states of a flow: a readable list by step and field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.theme import Themes
from flowstudio.flow.diff import Changes, Moved, diff
from flowstudio.flow.model import Flow

_STEP: Final = Qt.ItemDataRole.UserRole
_TONES: Final = {
    "added": ("plus-circle", "ok"),
    "removed": ("minus-circle", "err"),
    "changed": ("pencil-simple", "warn"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """What changed about one thing: its lines, and the step that it is, if it is one."""

    title: str
    kind: str
    lines: tuple[str, ...]
    step: str | None = None


def sections(before: Flow, after: Flow) -> Iterator[Section]:
    """What has changed from one flow to the other, thing by thing; nothing where they are the same."""
    changes = diff(before, after)
    own = Changes(fields=changes.fields)
    if own:
        yield Section("The flow itself", "changed", _bare(own, "Flow"))
    for old, new in changes.renamed.items():
        yield Section(after.title_of(new), "changed", (f"id {old} → {new}",), new)
    renamed = {*changes.renamed, *changes.renamed.values()}
    for key, change in changes.steps.items():
        if key in renamed:
            continue
        flow = before if change.kind == "removed" else after
        lines = _bare(Changes(steps={key: change}), "Step")
        yield Section(flow.title_of(key), change.kind, lines if change.kind == "changed" else (), key)
    wires = [f"{wire} added" for wire in changes.wires_added] + [f"{wire} removed" for wire in changes.wires_removed]
    if wires:
        yield Section("Wires", "changed", tuple(wires))
    for key, change in changes.variables.items():
        lines = _bare(Changes(variables={key: change}), "Variable") if change.kind == "changed" else ()
        yield Section(f"Variable {key}", change.kind, lines)
    for key, change in changes.connections.items():
        lines = _bare(Changes(connections={key: change}), "Connection") if change.kind == "changed" else ()
        yield Section(f"Connection {key}", change.kind, lines)
    for key, change in changes.notes.items():
        yield Section(f"Note {key}", change.kind, _bare(Changes(notes={key: change}), "Note"))
    for key, change in changes.groups.items():
        yield Section(f"Group {key}", change.kind, _bare(Changes(groups={key: change}), "Group"))
    rest = Changes(reordered=changes.reordered, moved=changes.moved if changes.moved else Moved())
    if rest:
        yield Section("Order and place", "changed", tuple(rest.lines()))


def _bare(changes: Changes, noun: str) -> tuple[str, ...]:
    """The lines without the name that already stands over them."""
    lines = []
    for line in changes.lines():
        head, colon, rest = line.partition(": ")
        lines.append(rest if colon and head.startswith(noun) else line)
    return tuple(lines)


class CompareSheet(QDialog):
    """The list; Enter on a step shows it on the canvas."""

    step_chosen = Signal(str)

    def __init__(
        self, what: str, before: Flow, after: Flow, themes: Themes, parent: QWidget | None = None, hint: str = ""
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(what)
        self.resize(760, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(text_label(what, "title"))
        self.told = tuple(sections(before, after))
        found = len(self.told)
        count = f"{found} thing differs" if found == 1 else f"{found} things differ" if found else "Nothing differs"
        column.addWidget(text_label(f"{hint}. {count}" if hint else count, "hint"))
        self.tree = QTreeWidget(self)
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(what)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._fill(themes, after)
        self.tree.itemActivated.connect(self._activated)
        column.addWidget(self.tree, 1)
        row = QHBoxLayout()
        row.addWidget(text_label("Enter on a step shows it on the canvas", "hint"))
        row.addStretch(1)
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)

    def _fill(self, themes: Themes, after: Flow) -> None:
        theme = themes.current
        for section in self.told:
            icon, tone = _TONES[section.kind]
            item = QTreeWidgetItem([f"{section.title}  {section.kind}"])
            item.setIcon(0, theme.icon(icon, tone, 16))
            item.setFont(0, theme.font("ui", 13, 600))
            if section.step in after.steps:
                item.setData(0, _STEP, section.step)
            self.tree.addTopLevelItem(item)
            for line in section.lines:
                inner = QTreeWidgetItem([line.strip()])
                if line.startswith("    "):
                    inner.setFont(0, theme.font("mono", 12))
                    tint = {"+": "ok", "-": "err"}.get(line.strip()[:1])
                    if tint is not None:
                        inner.setForeground(0, QBrush(theme.color(tint)))
                inner.setToolTip(0, line.strip())
                inner.setData(0, _STEP, item.data(0, _STEP))
                item.addChild(inner)
        self.tree.expandAll()
        first = self.tree.topLevelItem(0)
        if first is not None:
            self.tree.setCurrentItem(first)

    def _activated(self, item: QTreeWidgetItem) -> None:
        step = item.data(0, _STEP)
        if isinstance(step, str):
            self.step_chosen.emit(step)
            self.accept()
