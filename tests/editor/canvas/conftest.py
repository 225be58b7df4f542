"""What every canvas test finds: a way to a canvas of its own, whose NodeGraphQt undo stack must stay empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.theme import load_fonts
from flowstudio.flow.model import Flow
from flowstudio.sdk.registry import Registry
from tests.editor.canvas.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(qapp: QApplication, qtbot: QtBot) -> Iterator[MakeWorld]:
    load_fonts()
    worlds: list[World] = []

    def make(
        flow: Flow | None = None,
        *,
        theme: str = "dark",
        size: tuple[int, int] = (1255, 665),
        registry: Registry | None = None,
    ) -> World:
        world = World(flow, theme=theme, size=size, known=registry)
        qtbot.addWidget(world.view)
        worlds.append(world)
        return world.show()

    yield make
    for world in worlds:
        assert world.view.graph.undo_stack().count() == 0, "NodeGraphQt's own undo stack must stay empty"


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """The flow of the design pictures, on show."""
    return make_world()
