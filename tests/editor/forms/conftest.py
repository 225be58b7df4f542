"""The bench at which forms are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Flow
from flowstudio.sdk.registry import Registry
from tests.editor.forms.bench import Bench, one_step, settle, toys

MakeBench = Callable[..., Bench]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The components of the bench."""
    return toys()


@pytest.fixture
def themes(qapp: QApplication) -> Iterator[Themes]:
    """The dark theme, on."""
    themes = Themes("dark")
    yield themes
    themes.deleteLater()


@pytest.fixture
def make_bench(qtbot: QtBot, registry: Registry, themes: Themes) -> MakeBench:
    """Makes a bench for a config, or for a whole flow and one of its steps."""

    def make(
        config: Mapping[str, Any] | None = None,
        *,
        flow: Flow | None = None,
        step: str = "s",
        registry: Registry = registry,
    ) -> Bench:
        bench = Bench(registry, themes, flow if flow is not None else one_step(config))
        qtbot.addWidget(bench.form)
        bench.form.resize(356, 800)
        bench.form.show()
        bench.form.show_step(step)
        bench.form.activateWindow()
        qtbot.waitUntil(bench.form.isActiveWindow)
        settle()
        return bench

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """A bench on a step in which nothing is set."""
    return make_bench()
