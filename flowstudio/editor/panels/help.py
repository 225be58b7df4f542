"""The help sheet: the reference page of a component, as it is generated from its definition."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import QDialog, QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.theme import Themes
from flowstudio.resources import resources_root
from flowstudio.sdk.spec import Spec


class HelpSheet(QDialog):
    """A page beside the window, which goes on working. A component of a third party is described by its spec alone."""

    def __init__(self, spec: Spec, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Help: {spec.title}")
        self.resize(720, 640)
        self._themes = themes
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        self.page = QTextBrowser(self)
        self.page.setOpenLinks(False)
        self.page.anchorClicked.connect(self._follow)
        self.page.setAccessibleName(f"Help on {spec.title}")
        column.addWidget(self.page, 1)
        row = QHBoxLayout()
        row.addWidget(text_label("Esc closes", "hint"))
        row.addStretch(1)
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)
        QShortcut(QKeySequence("F1"), self, self.accept)
        self._show(spec.key, _described(spec))
        self.page.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show(self, key: str, otherwise: str = "") -> None:
        path = resources_root() / "docs" / "components" / f"{key}.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else otherwise
        theme = self._themes.current
        document = self.page.document()
        document.setDefaultFont(theme.font("ui", 13))
        document.setDocumentMargin(16)
        document.setMarkdown(text)
        self.page.moveCursor(QTextCursor.MoveOperation.Start)
        QTimer.singleShot(0, self.page, lambda: self.page.verticalScrollBar().setValue(0))

    def _follow(self, url: QUrl) -> None:
        name = url.fileName()
        if url.isRelative() and name.endswith(".md"):
            self._show(name.removesuffix(".md"))
        elif url.scheme() in ("http", "https"):
            QDesktopServices.openUrl(url)


def _described(spec: Spec) -> str:
    lines = [f"# {spec.title}", "", spec.description, "", "## Settings", ""]
    lines += [f"- **{field.title}** (`{field.name}`). {field.description}" for field in spec.fields]
    return "\n".join(lines)
