"""Document, canvas, outline and undo stack agree, whatever is done: any edits, and any gestures."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from flowstudio.editor.canvas import AddRequest
from flowstudio.editor.canvas.keys import COMMANDS
from flowstudio.editor.panels.outline import Outline, Role
from flowstudio.flow.model import Flow, Group
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import COMPONENTS, World, each, orders
from tests.flow.strategies import edits_of, flows

EVENTS = 20_000
"""Of the long walk: about an hour of a busy person."""
_MODIFIERS = (
    *(Qt.KeyboardModifier.NoModifier,) * 6,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier,
)
_TYPED = ("x", "Über", "שלום", "\U0001f600", "new-id", "", "a b", "{{ x }}")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_any_edits_then_all_undos_then_all_redos(make_world: MakeWorld) -> None:
    # Made once: a window takes longer to make than an example to try.
    world, fresh = make_world(Flow("one", "One")), make_world(Flow("two", "Two"))

    @settings(max_examples=max(10, settings.default.max_examples // 3))
    @given(data=st.data())
    def tried(data: st.DataObject) -> None:
        world.document.new(data.draw(flows()))
        seen = [(world.flow, world.shown())]
        for _ in range(data.draw(st.integers(1, 8))):
            count = world.document.undo_stack.count()
            world.document.apply(data.draw(edits_of(world.flow)))
            world.document.end_series()
            world.check()
            if world.document.undo_stack.count() > count:
                seen.append((world.flow, world.shown()))
        for before, shown in reversed(seen[:-1]):
            world.document.undo_stack.undo()
            assert world.flow == before
            assert world.shown() == shown
        assert not world.document.undo_stack.canUndo()
        for after, shown in seen[1:]:
            world.document.undo_stack.redo()
            assert world.flow == after
            assert world.shown() == shown
        fresh.document.new(world.flow)
        assert fresh.shown() == world.shown(), "a canvas that sees the flow for the first time shows the same"

    tried()


class Walk:
    """A person without a plan: seeded, so that what fails once fails again."""

    def __init__(self, world: World, outline: Outline, seed: int) -> None:
        self.world = world
        self.outline = outline
        self.random = random.Random(seed)
        self.requests: list[AddRequest] = []
        world.view.add_requested.connect(self.requests.append)
        self._size = world.viewer.viewport().size()

    def go(self, events: int) -> None:
        """Sends about so many events."""
        acts: list[Callable[[], int]] = [self.drag, self.drag, self.click, self.keys, self.keys, self.wheel, self.hover]
        acts += [self.answer, self.history, self.double_click, self.other_window]
        left = events
        number = 0
        while left > 0:
            left -= self.random.choice(acts)()
            if self.random.random() < 0.2:
                QApplication.processEvents()
            self._close_what_opened()
            number += 1
            if number % 25 == 0:
                self.check()
        self.check()

    def check(self) -> None:
        """Canvas and outline show the document as it is."""
        self.rest()
        self.world.check()
        QApplication.processEvents()
        flow, model = self.world.flow, self.outline.model
        assert sorted(model.order) == sorted(flow.steps)
        assert all(model.index_of(step).data() == flow.title_of(step) for step in flow.steps)
        chosen = {index.data(Role.STEP) for index in self.outline.tree.selectedIndexes()}
        assert chosen == set(self.world.workspace.selection)

    def rest(self) -> None:
        """Lets go of everything."""
        self.world.viewer.cancel()
        self.world.view.cancel_request()
        self.world.viewer.finish_motion()
        if len(self.world.flow.steps) > 60:
            # A flow that only grows is another test.
            self.world.document.undo_stack.setIndex(0)

    def point(self) -> QPointF:
        """Somewhere; mostly where something is."""
        items = [*self.world.view.projection.steps, *self.world.view.projection.groups]
        if items and self.random.random() < 0.75:
            key = self.random.choice(items)
            step = self.world.view.projection.steps.get(key)
            rect = step.card_rect() if step is not None else self.world.view.projection.groups[key].rect()
            x = rect.x() + rect.width() * self.random.choice((0.0, 0.02, 0.5, 0.9, 1.0, 1.1))
            y = rect.y() + rect.height() * self.random.choice((0.0, 0.2, 0.5, 0.6, 1.0))
            return self.world.at(QPointF(x, y))
        return QPointF(self.random.uniform(0, self._size.width()), self.random.uniform(0, self._size.height()))

    def drag(self) -> int:
        """A drag with some stops, now and then given up."""
        keys, start = self.random.choice(_MODIFIERS), self.point()
        button = self.random.choice((*(Qt.MouseButton.LeftButton,) * 8, Qt.MouseButton.MiddleButton))
        self.world.press(start, keys, button)
        stops = self.random.randint(1, 5)
        at = start
        for _ in range(stops):
            at = self.point()
            self.world.drag_to(at, keys, button)
        if self.random.random() < 0.1:
            self.press(Qt.Key.Key_Escape)
        if self.random.random() < 0.95:
            self.world.release(at, keys, button)
        return stops + 2

    def click(self) -> int:
        """A click."""
        self.world.click(self.point(), self.random.choice(_MODIFIERS))
        return 2

    def double_click(self) -> int:
        """A double click; what it opens is typed into."""
        self.world.double_click(self.point())
        return 4 + self.type()

    def hover(self) -> int:
        """The pointer passes."""
        self.world.hover(self.point())
        return 1

    def wheel(self) -> int:
        """The wheel, with and without Ctrl."""
        at = self.point()
        viewport = self.world.viewer.viewport()
        turned = QPoint(0, self.random.choice((-240, -120, 120, 240)))
        keys = self.random.choice((Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier))
        where, none, phase = viewport.mapToGlobal(at), Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        QApplication.sendEvent(viewport, QWheelEvent(at, where, QPoint(), turned, none, keys, phase, False))
        return 1

    def press(self, key: Qt.Key, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """A key, down and up."""
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(self.world.viewer, QKeyEvent(kind, key, keys))

    def keys(self) -> int:
        """One of the canvas's commands; what it opens is typed into."""
        keys, key = self.random.choice(list(COMMANDS))
        self.press(key, keys)
        return 2 + self.type()

    def type(self) -> int:
        """Text for the field that lies over the canvas, kept or not."""
        field = self.world.view.field
        if field is None:
            return 0
        field.finish(self.random.choice((*_TYPED, None)))
        return 1

    def answer(self) -> int:
        """A component for the search that is open, or none."""
        if not self.requests:
            component = self.random.choice(COMPONENTS)
            self.world.view.add_component(f"{component.key}@1", self.world.viewer.to_scene(self.point()))
            return 1
        request = self.requests.pop()
        if self.random.random() < 0.7:
            self.world.view.add_component(f"{self.random.choice(COMPONENTS).key}@1", request=request)
        else:
            self.world.view.cancel_request()
        self.requests.clear()
        return 1

    def history(self) -> int:
        """Some undos or redos."""
        self.rest()
        stack = self.world.document.undo_stack
        for _ in range(self.random.randint(1, 4)):
            if self.random.random() < 0.6:
                stack.undo()
            else:
                stack.redo()
        return 1

    def other_window(self) -> int:
        """The window loses the keyboard in the midst of things, or something else is copied elsewhere."""
        if self.random.random() < 0.5:
            self.world.viewer.clearFocus()
            self.world.viewer.setFocus()
        else:
            QGuiApplication.clipboard().setText(
                self.random.choice(("", "{", '{"edit": "Several", "edits": [{}]}', "x"))
            )
        return 1

    def _close_what_opened(self) -> None:
        for menu in self.world.view.findChildren(QMenu):
            menu.close()


def _walked(qtbot: QtBot, make_world: MakeWorld, flow: Flow, events: int, seed: int) -> None:
    world = make_world(flow)
    outline = Outline(
        world.document, world.workspace, world.playback, world.registry, world.themes, lambda event: False
    )
    qtbot.addWidget(outline)
    outline.show()
    walk = Walk(world, outline, seed)
    held: list[int] = []
    rounds, changes = 5, 0
    for _ in range(rounds):
        world.document.new(flow)
        world.workspace.select()
        walk.go(events // rounds)
        stack = world.document.undo_stack
        changes += stack.count()
        while stack.canUndo():
            stack.undo()
        assert world.flow == flow, "all undone, it is as it was"
        walk.check()
        while stack.canRedo():
            stack.redo()
        walk.check()
        world.document.new(Flow("empty", "Empty"))
        QGuiApplication.clipboard().clear()
        walk.requests.clear()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
        held.append(len(gc.get_objects()))
        assert not world.in_scene()
    assert changes > events // 50, "the walk does change things"
    # The first round fills caches: fonts, pictures, specs.
    assert held[-1] - held[1] < 400 + held[1] // 100, held


def test_a_short_walk(qtbot: QtBot, make_world: MakeWorld) -> None:
    _walked(qtbot, make_world, each(), 120, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_walk(qtbot: QtBot, make_world: MakeWorld, seed: int) -> None:
    _walked(qtbot, make_world, replace(orders(), groups={"g1": Group("Invoices", ("vat", "us"))}), EVENTS // 2, seed)
