"""A canvas to test on: components of every shape, a flow that uses them, and the widget over a real document."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from flowstudio.editor.canvas import CanvasView
from flowstudio.editor.canvas.items import GroupItem, NoteItem, StepItem, WireItem
from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.model import Flow, Group, Layout, Note, Step, Wire
from flowstudio.sdk.component import Category, Component, Port
from flowstudio.sdk.fields import Expression, Settings, SlotName, setting
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.shapes import Collect, Loop, Split
from flowstudio.sdk.trigger import Trigger

NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


class Hook(Trigger):
    key, title, description, icon = "hook", "Webhook", "Starts on an HTTP call.", "broadcast"

    class Config(Settings):
        path: str = setting("orders")

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return f"POST /{config['path']}"


class Fetch(Component):
    key, title, description, icon, category = "fetch", "HTTP request", "Calls an API.", "globe", Category.CONNECT

    class Config(Settings):
        url: str = setting("")

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return config["url"] or cls.title


class Shape(Component):
    key, title, description, icon, category = "shape", "Map", "Shapes.", "brackets-curly", Category.TRANSFORM

    class Config(Settings):
        about: str = setting("7 fields, 2 computed")

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return str(config["about"])


class Pick(Component):
    key, title, description, icon, category = "pick", "Choice", "Chooses.", "git-fork", Category.LOGIC

    class Config(Settings):
        ports: list[str] = setting(default_factory=lambda: ["EU", "US", "anything else"])

    @classmethod
    def ports(cls, config: Mapping[str, Any]) -> tuple[Port, ...]:
        return tuple(Port(name) for name in config["ports"])

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return "by country"


class Store(Component):
    key, title, description, icon, category = "store", "SQL write", "Writes rows.", "database", Category.CONNECT

    class Config(Settings):
        connection: SlotName = setting(title="Connection")
        table: str = setting("invoices")

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return f"INSERT INTO {config['table']}"


class Tell(Component):
    key, title, description, icon, category = "tell", "Log", "Writes a line.", "chat-circle-text", Category.OUTPUT

    @classmethod
    def summary(cls, config: Mapping[str, Any]) -> str:
        return "Message to #orders"


class Each(Split):
    key, title, description, icon = "each", "Split", "One message for each item.", "arrows-out-line-horizontal"


class Gather(Collect):
    key, title, description, icon = "gather", "Aggregate", "Collects.", "stack"


class Again(Loop):
    key, title, description, icon = "again", "Loop", "Repeats.", "repeat"

    class Config(Settings):
        again: Expression = setting("false")


COMPONENTS = (Hook, Fetch, Shape, Pick, Store, Tell, Each, Gather, Again)


def registry() -> Registry:
    """The components of this world."""
    made = Registry()
    for component in COMPONENTS:
        made.add(component)
    return made


def orders(store: Mapping[str, Any] | None = None) -> Flow:
    """Shop orders become invoices: the flow of the design pictures."""
    config = {"connection": "db"} if store is None else store
    steps = {
        "order": Step("hook@1", name="Order created"),
        "lines": Step("fetch@1", {"url": "GET {shop_url}/orders/{id}"}, name="Get order lines"),
        "map": Step("shape@1", name="Map to invoice"),
        "region": Step("pick@1", name="Which region?"),
        "vat": Step("store@1", {**config, "table": "Invoice__c"}, name="Create VAT invoice"),
        "us": Step("store@1", config, name="Create US invoice"),
        "ask": Step("tell@1", name="Ask the team"),
    }
    wires = [
        "order -> lines",
        "lines -> map",
        "map -> region",
        "region:EU -> vat",
        "region:US -> us",
        "region:anything else -> ask",
    ]
    layout = Layout(
        steps={
            "order": (0, 0),
            "lines": (296, 0),
            "map": (592, 0),
            "region": (888, -24),
            "vat": (1200, -144),
            "us": (1200, 0),
            "ask": (1200, 120),
        },
        notes={"n1": (-24, 144, 432, 96)},
    )
    text = "Shop orders to invoices\nEach order becomes one invoice. Customers choose the region rules in their setup."
    return Flow(
        "orders", "Order sync", steps, tuple(Wire.parse(w) for w in wires), notes={"n1": Note(text)}, layout=layout
    )


def chain(*names: str) -> Flow:
    """A row of steps, wired one after the other: the first is a trigger."""
    steps = {name: Step("hook@1" if at == 0 else "shape@1") for at, name in enumerate(names)}
    wires = tuple(Wire(a, b) for a, b in itertools.pairwise(names))
    return Flow(
        "chain", "Chain", steps, wires, layout=Layout({name: (296.0 * at, 0.0) for at, name in enumerate(names)})
    )


def each() -> Flow:
    """A split, two steps inside, what closes it, and one after."""
    steps = {
        "hook": Step("hook@1"),
        "each": Step("each@1", name="Orders"),
        "one": Step("shape@1"),
        "two": Step("fetch@1"),
        "all": Step("gather@1"),
        "after": Step("tell@1"),
    }
    names = list(steps)
    wires = tuple(Wire(a, b) for a, b in itertools.pairwise(names))
    return Flow(
        "each",
        "Each",
        steps,
        wires,
        groups={"g1": Group("Inside", ("one", "two"))},
        layout=Layout({name: (296.0 * at, 0.0) for at, name in enumerate(names)}),
    )


class World:
    """A canvas of its own with everything it stands on."""

    def __init__(
        self,
        flow: Flow | None = None,
        *,
        theme: str = "dark",
        size: tuple[int, int] = (1255, 665),
        known: Registry | None = None,
    ) -> None:
        self.themes = Themes(theme)  # type: ignore[arg-type]
        self.themes.set_reduced_motion(True)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self.document = Document()
        self.document.new(flow if flow is not None else orders())
        self.workspace = Workspace()
        self.playback = Playback()
        self.registry = registry() if known is None else known
        self.view = CanvasView(self.document, self.workspace, self.playback, self.registry, self.themes)
        # As the desk does, after the canvas has heard of it.
        changed: Any = self.document.changed
        changed.connect(lambda now, changes: self.workspace.follow(now, changes.renamed))
        self.view.resize(*size)
        self.problems: list[str] = []
        self.view.problem.connect(self.problems.append)

    @property
    def flow(self) -> Flow:
        return self.document.flow

    @property
    def viewer(self) -> Any:
        return self.view.viewer

    def show(self) -> World:
        self.view.show()
        self.view.viewer.setFocus()
        QApplication.processEvents()
        return self

    def item(self, step: str) -> StepItem:
        return self.view.projection.steps[step]

    def place(self, step: str) -> tuple[float, float]:
        item = self.item(step)
        return item.x(), item.y()

    def centre(self, step: str) -> QPointF:
        """The middle of a card, in the viewport."""
        return self.at(self.item(step).card_rect().center())

    def port(self, step: str, side: str, name: str) -> QPointF:
        """A port, in the viewport."""
        return self.at(QPointF(*self.item(step).port_point(side, name)))

    def at(self, scene: QPointF) -> QPointF:
        """A point of the scene, in the viewport."""
        return QPointF(self.viewer.to_view(scene))

    def mouse(
        self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, buttons: Qt.MouseButton, keys: Qt.KeyboardModifier
    ) -> None:
        viewport = self.viewer.viewport()
        event = QMouseEvent(kind, at, viewport.mapToGlobal(at), button, buttons, keys)
        QApplication.sendEvent(viewport, event)

    def hover(self, at: QPointF) -> None:
        self.mouse(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, NONE)

    def press(self, at: QPointF, keys: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
        self.mouse(QEvent.Type.MouseButtonPress, at, button, button, keys)

    def drag_to(self, at: QPointF, keys: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
        self.mouse(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, button, keys)

    def release(self, at: QPointF, keys: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
        self.mouse(QEvent.Type.MouseButtonRelease, at, button, Qt.MouseButton.NoButton, keys)

    def click(self, at: QPointF, keys: Qt.KeyboardModifier = NONE) -> None:
        self.press(at, keys)
        self.release(at, keys)

    def double_click(self, at: QPointF) -> None:
        self.click(at)
        self.mouse(QEvent.Type.MouseButtonDblClick, at, LEFT, LEFT, NONE)
        self.release(at)

    def drag(
        self, start: QPointF, end: QPointF, keys: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT
    ) -> None:
        """A whole drag, with a stop on the way."""
        self.press(start, keys, button)
        self.drag_to(start + (end - start) / 2, keys, button)
        self.drag_to(end, keys, button)
        self.release(end, keys, button)

    def global_point(self, at: QPointF) -> QPoint:
        return self.viewer.viewport().mapToGlobal(at.toPoint())

    def shown(self) -> dict[str, Any]:
        """What the canvas shows, in plain values: two canvases that show the same give the same."""
        items = self.view.projection
        return {
            "steps": {
                key: (item.x(), item.y(), item.card, item.isVisible(), item.status, item.caption)
                for key, item in items.steps.items()
            },
            "wires": {wire: (item.route, item.isVisible()) for wire, item in items.wires.items()},
            "notes": {key: (item.rect(), item.text) for key, item in items.notes.items()},
            "groups": {key: (item.frame(), item.text, item.folded, item.count) for key, item in items.groups.items()},
            "far": sorted((state, *rect.getRect()) for state, rects in self.viewer.overview.rects() for rect in rects),
        }

    def in_scene(self) -> set[Any]:
        """The cards, wires, notes and groups that the scene holds."""
        kinds = StepItem, WireItem, NoteItem, GroupItem
        return {item for item in self.viewer.scene().items() if isinstance(item, kinds)}

    def check(self) -> None:
        """Document, canvas, selection and undo stack agree."""
        flow, items, workspace = self.flow, self.view.projection, self.workspace
        assert items.flow is flow
        assert sorted(items.steps) == sorted(flow.steps)
        known = {w for w in flow.wires if w.source in flow.steps and w.target in flow.steps}
        assert set(items.wires) == known
        assert (set(items.notes), set(items.groups)) == (set(flow.notes), set(flow.groups))
        for key, item in items.steps.items():
            if key in flow.layout.steps:
                assert (item.x(), item.y()) == flow.layout.steps[key]
            assert item.card == items.cards[key]
            assert item.card is not None
            assert item.card.title == flow.title_of(key)
            assert {wire.wire for wire in item.wires()} == {w for w in known if key in (w.source, w.target)}
        for wire, line in items.wires.items():
            assert line.route.start == items.steps[wire.source].port_point("out", wire.source_port)
            assert line.route.end == items.steps[wire.target].port_point("in", wire.target_port)
        selected = workspace.selected
        assert set(selected.steps) <= set(flow.steps)
        assert set(selected.wires) <= set(flow.wires)
        drawn = set(self.viewer.scene().selectedItems())
        assert drawn == {
            *(items.steps[key].folded or items.steps[key] for key in selected.steps),
            *(items.wires[wire] for wire in selected.wires if not items.wires[wire].tucked),
            *(items.notes[key] for key in selected.notes),
            *(items.groups[key] for key in selected.groups),
        }
        frames = [*items.steps.values(), *items.wires.values(), *items.notes.values(), *items.groups.values()]
        assert self.in_scene() == set(frames), "nothing is left over in the scene"
        assert len(self.view.graph.all_nodes()) == len(flow.steps) + len(flow.notes) + len(flow.groups)
        stack = self.document.undo_stack
        if stack.index():
            command: Any = stack.command(stack.index() - 1)
            assert command.after is flow
