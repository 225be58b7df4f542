"""The full value of one place in a payload, whatever its length, to read and to copy; binary content as what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QGuiApplication, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListView,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.controls import Segments, TextButton, text_label
from flowstudio.editor.panels.payload_json import PayloadJson
from flowstudio.editor.panels.payload_preview import LARGEST, Binary, BytesModel, binary_of, may_be_binary
from flowstudio.editor.panels.payload_source import Path, PayloadSource
from flowstudio.editor.panels.payload_tree import expression_of, visible
from flowstudio.editor.theme import Themes

_VIEWS: Final = (("image", "Image"), ("decoded", "Text"), ("bytes", "Bytes"), ("value", "Value"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def surrogates_escaped(text: str) -> str:
    """A text with the lone surrogates in it, which no clipboard takes, as JSON escapes them."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Picture(QLabel):
    """A picture, as large as there is room for and no larger than it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmap = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(80, 80)

    def show_picture(self, pixmap: QPixmap) -> None:
        """Shows this one."""
        self._pixmap = pixmap
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._pixmap.isNull():
            return
        room = self.size()
        fits = self._pixmap.width() <= room.width() and self._pixmap.height() <= room.height()
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        self.setPixmap(self._pixmap if fits else self._pixmap.scaled(room, keep, smooth))


class ValueSheet(QDialog):
    """Read-only, with Copy; lines are fetched as they are scrolled to."""

    def __init__(
        self, source: PayloadSource, ref: Mapping[str, Any], path: Path, themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source, self._ref, self._path, self._themes = source, ref, path, themes
        title = visible(expression_of(path))
        self.setWindowTitle(title)
        self.resize(760, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        top = QHBoxLayout()
        heading = text_label(title, "title")
        heading.setFont(themes.current.font("mono", 14, 600))
        heading.setMinimumWidth(40)
        top.addWidget(heading, 1)
        self.views = Segments(_VIEWS, "View of the value", self)
        self.views.hide()
        self.views.chosen.connect(self.show_view)
        top.addWidget(self.views)
        column.addLayout(top)
        self.pages = QStackedWidget(self)
        column.addWidget(self.pages, 1)
        self.lines = PayloadJson(source, themes, self.pages)
        self.lines.setAccessibleName("Value")
        self.lines.copied.connect(lambda *_: self.copy())
        self.lines.lines.failed.connect(self._fail)
        self.picture = Picture(self.pages)
        self.picture.setAccessibleName("The picture that the value is")
        self.decoded = QPlainTextEdit(self.pages)
        self.decoded.setReadOnly(True)
        self.decoded.setAccessibleName("The text that the value is")
        self.bytes = QListView(self.pages)
        self.bytes.setUniformItemSizes(True)
        self.bytes.setAccessibleName("The bytes of the value")
        for view in (self.decoded, self.bytes):
            view.setFont(self._mono())
        for page in (self.lines, self.picture, self.decoded, self.bytes):
            self.pages.addWidget(page)
        row = QHBoxLayout()
        self.told = text_label("", "hint")
        row.addWidget(self.told)
        row.addStretch(1)
        self.copy_ = TextButton(themes, "Copy", icon="copy")
        self.copy_.clicked.connect(self.copy)
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        row.addWidget(self.copy_)
        row.addWidget(close)
        column.addLayout(row)
        self._look()

    def show_view(self, view: str) -> None:
        """Shows the value itself, or what it is as `image`, `decoded` text or `bytes`."""
        self.views.choose(view)
        pages = {"image": self.picture, "decoded": self.decoded, "bytes": self.bytes, "value": self.lines}
        self.pages.setCurrentWidget(pages[view])

    def copy(self) -> None:
        """Puts the whole value on the clipboard."""

        def came(text: str) -> None:
            QGuiApplication.clipboard().setText(surrogates_escaped(text))
            self.told.setText(f"Copied, {len(text):,} characters")

        self._source.text(
            self._ref["hash"],
            self._path,
            came,
            self._fail,
            lambda share: self.told.setText(f"Copying… {share:.0%}"),
            owner=self,
        )

    def _mono(self) -> QFont:
        return self._themes.current.font("mono", 12.5)

    def _look(self) -> None:
        """Looks at the beginning: it says what the value is."""

        def came(piece: Mapping[str, Any]) -> None:
            is_json, size = bool(piece["json"]), int(piece["size"])
            if is_json:
                self.lines.show_lines(self._ref, self._path)
            else:
                self.lines.show_text(self._ref, self._path)
            self.told.setText(f"{size:,} characters" if size != 1 else "1 character")
            if size <= LARGEST and may_be_binary(piece["text"], is_json=is_json):
                self._source.text(self._ref["hash"], self._path, decode(is_json), self._fail, owner=self)

        def decode(is_json: bool) -> Any:
            return lambda text: self._preview(binary_of(text, is_json=is_json))

        params = {"hash": self._ref["hash"], "path": list(self._path), "offset": 0}
        self._source.ask("value", params, came, self._fail, owner=self)

    def _preview(self, binary: Binary | None) -> None:
        if binary is None:
            return
        views = ["bytes", "value"]
        text = binary.text
        image = binary.image
        if text is not None:
            self.decoded.setPlainText(visible_lines(text))
            views.insert(0, "decoded")
        if image is not None:
            self.picture.show_picture(QPixmap.fromImage(image))
            views.insert(0, "image")
        self.bytes.setModel(BytesModel(binary.data, self.bytes))
        self.views.set_shown(views)
        self.views.show()
        size = f"{len(binary.data):,} bytes"
        pixels = "" if image is None else f" · {image.width():,} × {image.height():,}"
        self.told.setText(f"{binary.content_type or 'binary'} · {size}{pixels}")
        self.show_view(views[0])

    def _fail(self, fault: Any) -> None:
        self.told.setText(fault.message)


def visible_lines(text: str) -> str:
    """A text with its line feeds and tabs as they are, and what else cannot be seen made visible."""
    return "\n".join("\t".join(visible(part) for part in line.split("\t")) for line in text.splitlines())
