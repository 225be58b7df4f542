"""The sheet of one value: long texts line by line, pictures as pictures, bytes as bytes, and nothing invisible."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QColor, QGuiApplication, QImage
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.payload_preview import BytesModel, binary_of, may_be_binary
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.payload_tree import visible
from flowstudio.editor.panels.value_sheet import ValueSheet
from flowstudio.editor.theme import Themes
from tests.editor.panels.stored import StoredPayloads


@pytest.fixture
def themes(qtbot: QtBot) -> Themes:
    return Themes("dark")


@pytest.fixture
def stored(qtbot: QtBot, tmp_path: Path) -> Iterator[StoredPayloads]:
    payloads = StoredPayloads(tmp_path)
    yield payloads
    payloads.close()


def picture() -> bytes:
    image = QImage(40, 30, QImage.Format.Format_RGB32)
    image.fill(QColor("#3568d4"))
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload] # takes a device too
    return bytes(buffer.data().data())


def opened(qtbot: QtBot, stored: StoredPayloads, themes: Themes, value: Any) -> ValueSheet:
    sheet = ValueSheet(PayloadSource(stored, stored), stored.put({"value": value}), ("value",), themes)
    qtbot.addWidget(sheet)
    sheet.show()
    qtbot.waitUntil(lambda: sheet.told.text() != "" and sheet.lines.lines.rowCount() > 0)
    return sheet


@pytest.mark.parametrize("form", ["plain", "data URL", "binary value"])
def test_a_picture_is_shown_as_one(qtbot: QtBot, stored: StoredPayloads, themes: Themes, form: str) -> None:
    coded = base64.b64encode(picture()).decode()
    value: Any = {
        "plain": coded,
        "data URL": f"data:image/png;base64,{coded}",
        "binary value": {"base64": coded, "content_type": "image/png", "size": len(picture())},
    }[form]
    sheet = opened(qtbot, stored, themes, value)
    qtbot.waitUntil(lambda: sheet.views.isVisible())
    assert sheet.pages.currentWidget() is sheet.picture
    assert sheet.told.text() == f"image/png · {len(picture())} bytes · 40 × 30"
    assert sheet.views.shown == ("image", "bytes", "value")
    sheet.show_view("bytes")
    assert sheet.bytes.model().index(0, 0).data().startswith("00000000   89 50 4e 47")


def test_coded_text_is_shown_as_text(qtbot: QtBot, stored: StoredPayloads, themes: Themes) -> None:
    xml = '<?xml version="1.0"?>\n<order id="7"/>\n'
    value = {"base64": base64.b64encode(xml.encode()).decode(), "content_type": "application/xml", "size": len(xml)}
    sheet = opened(qtbot, stored, themes, value)
    qtbot.waitUntil(lambda: sheet.views.isVisible())
    assert sheet.decoded.toPlainText() == xml.rstrip("\n")


def test_a_long_text_comes_line_by_line_and_is_copied_whole(
    qtbot: QtBot, stored: StoredPayloads, themes: Themes
) -> None:
    csv = "".join(f"{n};Customer {n};Lisboa\n" for n in range(100_000))
    sheet = opened(qtbot, stored, themes, csv)
    qtbot.waitUntil(lambda: sheet.lines.lines.rowCount() == 100_001)
    qtbot.waitUntil(lambda: sheet.lines.lines.line(99_999) == "99999;Customer 99999;Lisboa")
    sheet.copy()
    qtbot.waitUntil(lambda: sheet.told.text().startswith("Copied,"))
    assert QGuiApplication.clipboard().text() == csv


@given(st.text())
def test_what_cannot_be_seen_is_made_visible(text: str) -> None:
    shown = visible(text)
    assert all(character.isprintable() or character.isspace() for character in shown if ord(character) < 0xA0)
    assert not any("\ud800" <= character <= "\udfff" for character in shown)
    shown.encode()
    if text.isascii() and text.isprintable():
        assert shown == text


def test_marks_that_turn_the_order_around_are_visible() -> None:
    assert visible("a\u202eb\x00\u200b\ud800") == "a\\u202eb\\u0000\\u200b\\ud800"


@given(st.binary(min_size=1, max_size=200))
def test_bytes_are_shown_row_by_row(data: bytes) -> None:
    model = BytesModel(data)
    rows = [model.index(row, 0).data() for row in range(model.rowCount())]
    assert bytes.fromhex("".join(row[11 : 11 + 48] for row in rows)) == data


@pytest.mark.parametrize(
    "text", ["hello", "data: none of it", "iVBORw0KGgo is how a picture begins", '{"a":1}', "/9j/", ""]
)
def test_plain_texts_are_not_taken_for_binary(text: str) -> None:
    assert not may_be_binary(text, is_json=text.startswith("{"))


def test_a_data_url_without_base64_is_a_text() -> None:
    found = binary_of("data:text/plain,a%20b", is_json=False)
    assert found is not None
    assert (found.content_type, found.text) == ("text/plain", "a b")
