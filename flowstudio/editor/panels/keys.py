"""The sheet of keys: every command that has one, by where it works, with a search."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from flowstudio.editor.actions import SECTIONS, Actions, shown_key
from flowstudio.editor.panels.controls import Pane, TextButton, key_cap, text_label
from flowstudio.editor.theme import Themes

_CANVAS: Final = (
    ("Tab", "Add a step after the selection"),
    ("C", "Connect: arrows choose, Enter wires"),
    ("Arrows", "Move along the wires"),
    ("Ctrl+Arrows", "Nudge"),
    ("F2", "Rename"),
    ("Shift+F2", "Change the id, and all that names it"),
    ("D", "Disable or enable"),
    ("N", "Note"),
    ("Ctrl+D", "Duplicate"),
    ("Delete", "Delete and join the neighbours"),
    ("Shift+Delete", "Delete and leave a gap"),
    ("Ctrl+G", "Group the selection"),
    ("Ctrl+Shift+G", "Ungroup"),
    ("G", "Fold or unfold the group"),
    ("Ctrl+Shift+X", "Extract to a flow of its own"),
    ("Ctrl+Shift+Arrows", "Line edges up"),
    ("Shift+H, Shift+V", "Spread across, down"),
    ("T", "Tidy up the selection, or all"),
    ("F", "Frame the selection"),
    ("Home", "Frame all"),
    ("Enter", "Settings of the step"),
)
"""What keys mean on the canvas, and in the outline, which obeys the same ones."""

_ELSEWHERE: Final = (
    ("F7, Shift+F7", "Next, previous change in the data panel"),
    ("Ctrl+Alt+Left, Right", "Visit before, after"),
    ("Ctrl+.", "Mend the problem, in the list of problems"),
    ("Ctrl+Space", "Suggestions, in an expression"),
)
_COLUMNS: Final = 3

Row = tuple[str, str]


def groups(actions: Actions) -> dict[str, list[Row]]:
    """All keys with what they do, by where they work."""
    found: dict[str, list[Row]] = {}
    for section in SECTIONS:
        rows = [(shown_key(action), action.text().rstrip("…")) for _, action in actions.of(section)]
        found[section] = [row for row in rows if row[0]]
    found["Elsewhere"] = list(_ELSEWHERE)
    found["On the canvas and in the outline"] = list(_CANVAS)
    return found


class KeysSheet(QDialog):
    """The keys in three columns. What is typed leaves those that have it in their words or keys."""

    def __init__(self, actions: Actions, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(14)
        top = QHBoxLayout()
        top.addWidget(text_label("Keys", "title"))
        top.addStretch(1)
        self.field = QLineEdit(self)
        self.field.setPlaceholderText("Find a key")
        self.field.setAccessibleName("Find a key")
        self.field.setFixedWidth(240)
        self.field.textChanged.connect(self._search)
        top.addWidget(self.field)
        column.addLayout(top)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setAccessibleName("Keys")
        page = Pane("panel")
        area.setWidget(page)
        column.addWidget(area, 1)
        across = QHBoxLayout(page)
        across.setContentsMargins(0, 0, 8, 0)
        across.setSpacing(28)
        self._rows: list[tuple[str, QWidget, QWidget]] = []
        self._blocks: list[tuple[QWidget, list[int]]] = []
        told = groups(actions)
        most = sum(len(rows) + 2 for rows in told.values()) / _COLUMNS
        side, filled = self._column(across), 0.0
        for name, rows in told.items():
            if filled and filled + (len(rows) + 2) / 2 > most and across.count() < _COLUMNS:
                side.addStretch(1)
                side, filled = self._column(across), 0.0
            side.addWidget(self._block(name, rows, page))
            filled += len(rows) + 2
        side.addStretch(1)
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        room = parent.size() if parent is not None else self.sizeHint()
        scale = max(1.0, themes.current.text_scale)
        self.resize(min(round(1120 * scale), room.width() - 60), min(round(740 * scale), room.height() - 60))
        self.field.setFocus()

    @property
    def shown(self) -> list[str]:
        """The words of the keys that are to be seen."""
        return [words for words, key, _ in self._rows if key.isVisibleTo(self)]

    def _column(self, across: QHBoxLayout) -> QVBoxLayout:
        side = QVBoxLayout()
        side.setSpacing(18)
        across.addLayout(side, 1)
        return side

    def _block(self, name: str, rows: list[Row], parent: QWidget) -> QWidget:
        block = QWidget(parent)
        grid = QGridLayout(block)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(text_label(name, "label"), 0, 0, 1, 2)
        places = []
        for place, (key, words) in enumerate(rows, 1):
            cap, label = key_cap(key), text_label(words)
            label.setWordWrap(True)
            grid.addWidget(cap, place, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label, place, 1)
            places.append(len(self._rows))
            self._rows.append((f"{words} {key}", cap, label))
        self._blocks.append((block, places))
        return block

    def _search(self, text: str) -> None:
        words = text.casefold().split()
        fitting = [all(word in told.casefold() for word in words) for told, _, _ in self._rows]
        for fits, (_, cap, label) in zip(fitting, self._rows, strict=True):
            cap.setVisible(fits)
            label.setVisible(fits)
        for block, places in self._blocks:
            block.setVisible(any(fitting[place] for place in places))
