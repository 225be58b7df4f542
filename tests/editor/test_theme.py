"""The theme: colours, fonts, icons, style sheet, and what follows a change of the settings of the eye."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.theme import Theme, Themes, UnknownLookError, icon_path, is_icon, load_fonts
from flowstudio.sdk.component import Category


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest, qapp: QApplication) -> Theme:
    load_fonts()
    return Theme(request.param)


def _luminance(color: QColor) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF())


def _contrast(a: QColor, b: QColor) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("text", ["text", "text2", "text3", "accent", "ok", "err", "warn", "run"])
@pytest.mark.parametrize("ground", ["panel", "canvas", "node", "raised", "sel"])
def test_text_is_readable_on_every_ground(theme: Theme, text: str, ground: str) -> None:
    assert _contrast(theme.color(text), theme.color(ground)) >= 4.5


@pytest.mark.parametrize(
    "fill", ["accentFill", "accentFillHover", "errFill", "errFillHover", "runButton", "runButtonHover"]
)
def test_white_words_are_readable_on_filled_buttons(theme: Theme, fill: str) -> None:
    assert _contrast(theme.color("accentText"), theme.color(fill)) >= 4.5


def test_every_category_has_its_colour(theme: Theme) -> None:
    colours = {category: theme.category(category).name() for category in Category}
    assert colours[Category.RELIABILITY] == colours[Category.LOGIC]
    assert len(set(colours.values())) == len(Category) - 1


def test_what_is_not_there_is_refused_by_name(theme: Theme) -> None:
    with pytest.raises(UnknownLookError, match="no colour 'mauve'"):
        theme.color("mauve")
    with pytest.raises(UnknownLookError, match="no icon 'plugg'"):
        theme.pixmap("plugg")
    with pytest.raises(UnknownLookError, match="no state 'asleep'"):
        theme.state("asleep")


@pytest.mark.parametrize(
    "name", ["check-circle-fill", "caret-down-bold", "step-over", "step-back", "step-into", "step-out", "spinner"]
)
def test_an_icon_fills_its_square_and_nothing_beyond(name: str, qapp: QApplication) -> None:
    box = icon_path(name).boundingRect()
    assert 0 <= box.left() < box.right() <= 16
    assert 0 <= box.top() < box.bottom() <= 16
    assert box.width() > 4 or box.height() > 4


def test_every_state_has_an_icon_that_exists(theme: Theme) -> None:
    for state in (
        "idle",
        "running",
        "waiting",
        "succeeded",
        "replayed",
        "filtered",
        "failed",
        "paused",
        "not-taken",
        "disabled",
        "not-configured",
    ):
        assert is_icon(theme.state_icon(state)), state
        assert theme.state(state).isValid()


def test_an_icon_is_painted_in_its_colour(theme: Theme) -> None:
    image = theme.pixmap("square-fill", "accent", 16, 2.0).toImage()
    assert image.width() == 32
    assert image.pixelColor(16, 16).name() == theme.hex("accent").lower()


def test_the_style_sheet_leaves_no_placeholder(theme: Theme) -> None:
    sheet = theme.style_sheet()
    assert "@" not in sheet.replace("@2x", "")
    assert sheet.count("{") == sheet.count("}") > 100
    for file in re.findall(r'url\("([^"]+)"\)', sheet):
        assert Path(file).read_bytes().startswith(b"\x89PNG")


def test_the_bundled_fonts_are_used(theme: Theme) -> None:
    assert QFontInfo(theme.font("ui", 13, 600)).family() == "Inter"
    assert QFontInfo(theme.font("mono", 12)).family() == "JetBrains Mono"
    assert QFontInfo(theme.font("ui", 13, 600)).weight() == 600


def test_figures_are_of_one_width_where_asked(theme: Theme) -> None:
    metrics = QFontMetricsF(theme.font("ui", 11, 500, tabular=True))
    assert metrics.horizontalAdvance("1111") == pytest.approx(metrics.horizontalAdvance("8888"))


def test_data_shows_no_ligatures(theme: Theme) -> None:
    metrics = QFontMetricsF(theme.font("mono", 12))
    assert metrics.horizontalAdvance("!=") == pytest.approx(2 * metrics.horizontalAdvance("="))


def test_sizes_may_be_fractions_of_a_pixel(theme: Theme) -> None:
    assert theme.font("ui", 11.5).pointSizeF() == pytest.approx(11.5 * theme.font("ui", 100).pointSizeF() / 100)


def test_a_change_of_theme_is_told_once(qapp: QApplication) -> None:
    themes = Themes("dark")
    heard: list[Theme] = []
    themes.changed.connect(heard.append)
    themes.set("light")
    themes.set("light")
    assert [theme.name for theme in heard] == ["light"]
    assert themes.current.name == "light"


def test_text_size_contrast_and_motion_are_settings_of_the_eye(qapp: QApplication) -> None:
    themes = Themes("dark")
    heard: list[Theme] = []
    themes.changed.connect(heard.append)
    themes.set_text_scale(1.3)
    assert themes.current.font("ui", 10).pointSizeF() == pytest.approx(Theme("dark").font("ui", 13).pointSizeF())
    assert themes.current.font("ui", 10, scaled=False).pointSizeF() == pytest.approx(
        Theme("dark").font("ui", 10).pointSizeF()
    )
    themes.set_high_contrast(True)
    assert themes.current.hex("line2") == themes.current.hex("text2")
    assert themes.current.tile("Logic") == themes.current.color("node")
    themes.set_reduced_motion(True)
    assert themes.reduced_motion
    assert len(heard) == 3


def test_the_ring_goes_with_the_keyboards_focus(qapp: QApplication, qtbot: QtBot) -> None:
    themes = Themes("dark")
    themes.apply(qapp)
    window = QWidget()
    qtbot.addWidget(window)
    row = QHBoxLayout(window)
    first, second = QPushButton("One"), QPushButton("Two")
    row.addWidget(first)
    row.addWidget(second)
    with qtbot.waitActive(window):
        window.show()
    first.setFocus()
    QTest.keyClick(first, Qt.Key.Key_Tab)
    assert second.hasFocus()
    assert second.property("ring")
    assert not first.property("ring")
    # A synthetic click does not tell the application that a button is down, as a real one does before the focus moves:
    # what is tested is that the ring leaves with the focus.
    first.setFocus(Qt.FocusReason.MouseFocusReason)
    assert not second.property("ring")
