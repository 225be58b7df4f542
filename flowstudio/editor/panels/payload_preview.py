"""Binary content in a payload (a data URL, Base64, a binary value) as what it is: a picture, a text or its bytes."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QBuffer, QByteArray, QIODevice, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QImage, QImageReader

from flowstudio.errors import StepError
from flowstudio.trace.payloads import parse

LARGEST: Final = 40_000_000
"""Characters of Base64 beyond which nothing is previewed."""
_TEXT_SHOWN: Final = 200_000
_WIDTH: Final = 16

# What Base64 of well-known formats begins with.
_MAGIC: Final = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGODdh": "image/gif",
    "R0lGODlh": "image/gif",
    "UklGR": "image/webp",
    "JVBERi0": "application/pdf",
    "UEsDBBQ": "application/zip",
    "H4sIA": "application/gzip",
}
_DATA_URL: Final = re.compile(r"data:(?P<type>[\w.+/-]*)(?:;[\w.=+-]+)*?(?P<coded>;base64)?,", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\r\n-]+={0,2}\s*")
_SNIFFED: Final = 4_000

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes, and what they are said to be or begin like."""

    content_type: str
    data: bytes

    @property
    def text(self) -> str | None:
        """The bytes as the text that they are; None where they are none."""
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return None
        return None if "\x00" in text else text[:_TEXT_SHOWN]

    @property
    def image(self) -> QImage | None:
        """The bytes as a picture; None where they are none that can be shown."""
        buffer = QBuffer()
        buffer.setData(QByteArray(self.data))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        reader = QImageReader(buffer)
        reader.setAutoTransform(True)
        image = reader.read()
        return None if image.isNull() else image


def may_be_binary(begin: str, *, is_json: bool) -> bool:
    """Whether a value that begins so is worth fetching whole for a preview."""
    if is_json:
        return begin[:1] == "{" and '"base64":"' in begin
    if begin.startswith("data:"):
        return _DATA_URL.match(begin) is not None
    sniffed = begin[:_SNIFFED]
    return len(sniffed) >= 16 and _magic(sniffed) != "" and _BASE64.fullmatch(sniffed) is not None


def binary_of(text: str, *, is_json: bool) -> Binary | None:
    """The binary content of a value; None where it holds none."""
    if is_json:
        try:
            value = parse(text.encode("utf-8", "surrogatepass"))
        except (ValueError, StepError):
            return None
        coded = value.get("base64") if isinstance(value, dict) else None
        if not isinstance(coded, str):
            return None
        return _decoded(coded, str(value.get("content_type") or _magic(coded)))
    url = _DATA_URL.match(text)
    if url is not None:
        if url["coded"]:
            return _decoded(text[url.end() :], url["type"])
        return Binary(url["type"] or "text/plain", _percent_decoded(text[url.end() :]))
    return _decoded(text, _magic(text)) if _magic(text) else None


def _decoded(coded: str, content_type: str) -> Binary | None:
    plain = "".join(coded.split()).translate(str.maketrans("-_", "+/"))
    try:
        return Binary(content_type, base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, ValueError):
        return None


def _percent_decoded(text: str) -> bytes:
    from urllib.parse import unquote_to_bytes  # for data URLs alone

    return unquote_to_bytes(text)


def _magic(text: str) -> str:
    return next((kind for begin, kind in _MAGIC.items() if text.startswith(begin)), "")


class BytesModel(QAbstractListModel):
    """Bytes as rows of sixteen: the offset, each byte in two digits, and the characters that they are."""

    def __init__(self, data: bytes, parent: Any = None) -> None:
        super().__init__(parent)
        self._data = data

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else -(-len(self._data) // _WIDTH)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        start = index.row() * _WIDTH
        row = self._data[start : start + _WIDTH]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        return f"{start:08x}   {row.hex(' '):<{3 * _WIDTH}}  {characters}"
