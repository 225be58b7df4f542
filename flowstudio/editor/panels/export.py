"""The sheet that publishes a flow as a template version, on one page."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import Pane, TextButton, rule, text_label
from flowstudio.editor.panels.export_asked import AskedList
from flowstudio.editor.panels.export_values import SpecificValues
from flowstudio.editor.panels.problems import ROW_HEIGHT, ProblemsPane, sentence, told
from flowstudio.editor.theme import Themes, set_look
from flowstudio.errors import FileError, FlowStudioError, InvalidInputError, Problem
from flowstudio.flow.called import Called, beside, nowhere
from flowstudio.plan.bundle import bundled
from flowstudio.plan.compile import compile_flow, problems_of
from flowstudio.sdk.registry import Registry
from flowstudio.templates.version import (
    breaking,
    changes_since,
    next_version,
    publish,
    read_template,
    template_path,
    versions_in,
    write_template,
)

_MOST_ROWS: Final = 4
"""Problems in sight at once; the list scrolls."""
_MOST_NEWS: Final = 6


class ExportSheet(QDialog):
    """One page. A flow that may not run is not published: the sheet lists why, and each place is a click away."""

    exported = Signal(str)
    """The file that was written."""
    problem_chosen = Signal(object)
    """The place of this Problem shall be shown."""

    def __init__(self, document: Document, registry: Registry, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._registry, self._themes = document, registry, themes
        flow = document.flow
        self.setWindowTitle("Export template")
        self.resize(760, 720)
        self.setMinimumWidth(640)
        folder = document.path.parent if document.path is not None else Path.cwd()
        self.version = QLineEdit(next_version(folder, flow.id, flow), self)
        self.version.setAccessibleName("Version")
        self.version.setMaximumWidth(160)
        self.notes = QPlainTextEdit(self)
        self.notes.setAccessibleName("Notes")
        self.notes.setPlaceholderText("What is new for the people who deploy it?")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(72)
        self.folder = QLineEdit(str(folder), self)
        self.folder.setAccessibleName("Folder")
        self.problems = ProblemsPane(flow.title_of, themes, self)
        self.asked = AskedList(themes, self)
        self.values = SpecificValues(document, registry, themes, self)
        self.news = text_label(kind="hint")
        self.news.setWordWrap(True)
        self.fault = text_label(kind="small", tone="err")
        self.fault.setWordWrap(True)
        self.fault.hide()
        self.export = TextButton(themes, "Export", icon="package", kind="primary", color="accentText")
        self.export.setDefault(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(14)
        column.addWidget(text_label(f"Export {flow.name} as a template", "title"))
        column.addLayout(self._form())
        column.addWidget(rule())
        column.addWidget(self._sections(), 1)
        column.addWidget(self.fault)
        column.addLayout(self._buttons())
        self.export.clicked.connect(self._export)
        self.version.textChanged.connect(self._forget_fault)
        self.folder.textChanged.connect(self._forget_fault)
        self.folder.editingFinished.connect(self._show_news)
        self.problems.chosen.connect(self._go_to)
        self.asked.chosen.connect(lambda name: self._go_to(Problem(name, field=name)))
        self.values.step_chosen.connect(lambda step, field: self._go_to(Problem(field, step=step, field=field)))
        self.values.changed.connect(self._look)
        self._look()
        self.version.setFocus()
        self.version.selectAll()

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        choose = TextButton(self._themes, "Choose…", icon="folder-open")
        choose.clicked.connect(self._choose)
        where = QHBoxLayout()
        where.setSpacing(8)
        where.addWidget(self.folder, 1)
        where.addWidget(choose)
        form.addRow(text_label("Version", "label"), self.version)
        form.addRow("", self.news)
        form.addRow(text_label("Notes", "label"), self.notes)
        form.addRow(text_label("Folder", "label"), where)
        return form

    def _sections(self) -> QScrollArea:
        page = Pane("panel")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(8)
        self._asked_title = text_label(kind="heading")
        self._problems_title = text_label(kind="heading")
        self._values_title = text_label(kind="heading")
        for title, part in (
            (self._problems_title, self.problems),
            (self._asked_title, self.asked),
            (self._values_title, self.values),
        ):
            column.addWidget(title)
            column.addWidget(part)
            column.addSpacing(10)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(page)
        return scroll

    def _buttons(self) -> QHBoxLayout:
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        shield = QLabel(self)
        shield.setPixmap(self._themes.current.pixmap("shield-check", "ok", 16, self.devicePixelRatioF()))
        buttons.addWidget(shield)
        buttons.addWidget(text_label("Secrets and sample data are never part of a template.", "hint"), 1)
        cancel = TextButton(self._themes, "Cancel")
        cancel.clicked.connect(self.reject)
        buttons.addWidget(cancel)
        buttons.addWidget(self.export)
        return buttons

    def _look(self) -> None:
        """Shows what the flow asks for, what is wrong with it, and what is new, as it is now."""
        flow = self._document.flow
        found = problems_of(flow, self._registry, self._called())
        errors = sum(problem.severity == "error" for problem in found)
        self.problems.show_problems(found)
        self.problems.setFixedHeight(ROW_HEIGHT * min(len(found), _MOST_ROWS))
        self.problems.setVisible(bool(found))
        self.export.setEnabled(not errors)
        if errors:
            self._problems_title.setText(
                f"This flow may not run yet: {errors} problem{'' if errors == 1 else 's'} to mend first"
            )
        elif found:
            self._problems_title.setText(f"Nothing stops it; {len(found)} warning{'' if len(found) == 1 else 's'}")
        else:
            self._problems_title.setText("No problems")
        self.asked.show_flow(flow, self._registry)
        some = bool(flow.variables or flow.connections)
        self._asked_title.setText(
            "Each customer fills in" if some else "Customers fill in nothing: the flow is the same for all of them"
        )
        self._values_title.setText(self.values.heading)
        self._show_news()

    def _show_news(self) -> None:
        """What changed since the newest version in the folder."""
        flow, folder = self._document.flow, self.folder.text().strip() or "."
        known = versions_in(folder, flow.id)
        newest = None
        if known:
            with contextlib.suppress(FileError):
                newest = read_template(Path(folder) / f"{flow.id}-{known[-1]}.template.json")
        if newest is None:
            self.news.setText("The first version of this template in the folder." if not known else "")
            return
        changes = changes_since(newest, flow)
        lines = [line for line in changes.lines() if not line.startswith("    ")]
        shown = "; ".join(lines[:_MOST_NEWS])
        more = f"; and {len(lines) - _MOST_NEWS} more" if len(lines) > _MOST_NEWS else ""
        again = breaking(changes)
        words = f"Since {newest.version}: {shown}{more}." if lines else f"Nothing changed since {newest.version}."
        if again:
            words += f" Customers must answer again: {'; '.join(again)}."
        self.news.setText(words)
        self.notes.setPlaceholderText("\n".join(lines) or self.notes.placeholderText())

    def _go_to(self, problem: Any) -> None:
        self.reject()
        self.problem_chosen.emit(problem)

    def _called(self) -> Called:
        path = self._document.path
        return nowhere if path is None else beside(path)

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Where the template goes", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _export(self) -> None:
        try:
            flow, flows = bundled(compile_flow(self._document.flow, self._registry, self._called()))
            version = publish(flow, self.version.text().strip(), self.notes.toPlainText().strip(), flows)
            path = template_path(self.folder.text().strip() or ".", version)
            write_template(path, version)
        except InvalidInputError as error:
            self._show_fault(" ".join(told(problem) for problem in error.problems))
        except FlowStudioError as error:
            self._show_fault(sentence(str(error)))
        else:
            self.exported.emit(str(path))
            self.accept()

    def _show_fault(self, words: str) -> None:
        self.fault.setText(words)
        self.fault.show()
        set_look(self.version, invalid="version" in words.casefold())

    def _forget_fault(self) -> None:
        if self.export.isEnabled():
            self.fault.hide()
            set_look(self.version, invalid=False)
