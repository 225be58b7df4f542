"""The sheet that publishes a flow as a template version: its number, its notes, where the file goes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.panels.problems import sentence, told
from flowstudio.editor.theme import Themes, set_look
from flowstudio.errors import FlowStudioError, InvalidInputError, Problem
from flowstudio.flow.called import Called, beside, nowhere
from flowstudio.flow.model import Flow
from flowstudio.plan.bundle import bundled
from flowstudio.plan.compile import compile_flow, problems_of
from flowstudio.sdk.registry import Registry
from flowstudio.templates.version import next_version, publish, template_path, write_template


class ExportSheet(QDialog):
    """One page. A flow that may not run is not published: the sheet says why instead."""

    exported = Signal(str)
    """The file that was written."""

    def __init__(self, document: Document, registry: Registry, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document, self._themes = document, themes
        flow = document.flow
        self.setWindowTitle("Export template")
        self.setMinimumWidth(560)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(14)
        column.addWidget(text_label(f"Export {flow.name} as a template", "title"))
        column.addWidget(self._explain(flow))
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        folder = document.path.parent if document.path is not None else Path.cwd()
        self.version = QLineEdit(next_version(folder, flow.id, flow), self)
        self.version.setAccessibleName("Version")
        self.version.setMaximumWidth(160)
        self.notes = QPlainTextEdit(self)
        self.notes.setAccessibleName("Notes")
        self.notes.setPlaceholderText("What is new for the people who deploy it?")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(96)
        self.folder = QLineEdit(str(folder), self)
        self.folder.setAccessibleName("Folder")
        choose = TextButton(themes, "Choose…", icon="folder-open")
        choose.clicked.connect(self._choose)
        where = QHBoxLayout()
        where.setSpacing(8)
        where.addWidget(self.folder, 1)
        where.addWidget(choose)
        form.addRow(text_label("Version", "label"), self.version)
        form.addRow(text_label("Notes", "label"), self.notes)
        form.addRow(text_label("Folder", "label"), where)
        column.addLayout(form)
        self.fault = text_label(kind="small", tone="err")
        self.fault.setWordWrap(True)
        self.fault.hide()
        column.addWidget(self.fault)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        shield = QLabel(self)
        shield.setPixmap(themes.current.pixmap("shield-check", "ok", 16, self.devicePixelRatioF()))
        buttons.addWidget(shield)
        buttons.addWidget(text_label("Secrets and sample data are never part of a template.", "hint"), 1)
        cancel = TextButton(themes, "Cancel")
        cancel.clicked.connect(self.reject)
        self.export = TextButton(themes, "Export", icon="package", kind="primary", color="accentText")
        self.export.setDefault(True)
        self.export.clicked.connect(self._export)
        buttons.addWidget(cancel)
        buttons.addWidget(self.export)
        column.addLayout(buttons)
        self.version.textChanged.connect(self._forget_fault)
        self.folder.textChanged.connect(self._forget_fault)
        self._registry = registry
        self._show_obstacle(problems_of(flow, registry, self._called()))
        self.version.setFocus()
        self.version.selectAll()

    def _explain(self, flow: Flow) -> QLabel:
        variables, slots = len(flow.variables), len(flow.connections)
        parts = [
            f"{variables} variable{'' if variables == 1 else 's'}",
            f"{slots} connection{'' if slots == 1 else 's'}",
        ]
        label = text_label(f"Each customer fills in {' and '.join(parts)}. Everything else stays fixed.", tone="muted")
        label.setWordWrap(True)
        return label

    def _show_obstacle(self, problems: list[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
            step = errors[0].step
            place = (
                f"{self._document.flow.title_of(step)}: "
                if step is not None and step in self._document.flow.steps
                else ""
            )
            self._show_fault(f"This flow may not run yet. {place}{told(errors[0])}{more}")
            self.export.setEnabled(False)

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
