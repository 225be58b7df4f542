"""The header of a pane: what is in it gives way as it grows, and comes back as there is room again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.controls import PaneHeader, Segments


@pytest.fixture
def header(qtbot: QtBot) -> Iterator[PaneHeader]:
    pane = QWidget()
    pane.resize(1_000, 60)
    qtbot.addWidget(pane)
    made = PaneHeader("Input", pane)
    made.segments = Segments(
        (("tree", "Tree"), ("table", "Table"), ("json", "JSON"), ("changes", "Changes")), "View", made
    )  # type: ignore[attr-defined]
    made.right.addWidget(made.segments)  # type: ignore[attr-defined]
    pane.show()
    yield made
    pane.close()


def settled() -> None:
    for _ in range(5):
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def test_choices_fold_when_more_of_them_are_shown_and_unfold_when_fewer_are(header: PaneHeader) -> None:
    segments: Segments = header.segments  # type: ignore[attr-defined]
    segments.set_shown(("tree", "table"))
    settled()
    header.resize(header.left.sizeHint().width() + segments.full_width + 60, header.height())
    settled()
    assert segments.button("tree").isVisible()
    segments.set_shown(("tree", "table", "json", "changes"))
    settled()
    assert not segments.button("tree").isVisible()
    assert segments.geometry().right() <= header.width()
    segments.set_shown(("tree", "table"))
    settled()
    assert segments.button("tree").isVisible()


def test_a_longer_title_folds_them_too(header: PaneHeader) -> None:
    segments: Segments = header.segments  # type: ignore[attr-defined]
    header.resize(header.left.sizeHint().width() + segments.full_width + 60, header.height())
    settled()
    assert segments.button("tree").isVisible()
    header.title.setText("Output of a step with a long name")
    settled()
    assert not segments.button("tree").isVisible()
    header.title.setText("Out")
    settled()
    assert segments.button("tree").isVisible()
