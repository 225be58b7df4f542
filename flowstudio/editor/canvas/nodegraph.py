"""The names of NodeGraphQt that the canvas uses: the only module that imports it.

NodeGraphQt 0.6.44 takes 0.8 s to import as it stands, of which it uses a tenth: `Qt` (Qt.py) loads every name of every Qt
module, `distutils` comes from setuptools with the packaging tools behind it, and its own `__init__` loads property panels and
trees. So the import runs with a small stand-in for each: what they give is the same, and both are gone afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

# Read by Qt.py, should anything import the real one.
os.environ.setdefault("QT_PREFERRED_BINDING", "PySide6")


class _Version(tuple[int, ...]):
    """What NodeGraphQt asks of distutils' LooseVersion: to compare Qt's version with 5.10."""

    def __new__(cls, text: str) -> _Version:
        return super().__new__(cls, (int(part) for part in text.split(".") if part.isdigit()))


def _stand_ins() -> dict[str, ModuleType]:
    # Qt 6 moved some classes from QtWidgets to QtGui; NodeGraphQt looks for them where they were.
    widgets = ModuleType("Qt.QtWidgets")

    def moved(name: str) -> Any:
        return getattr(QtWidgets, name) if hasattr(QtWidgets, name) else getattr(QtGui, name)

    widgets.__getattr__ = moved  # type: ignore[method-assign]
    qt = ModuleType("Qt")
    qt.QtCore, qt.QtGui, qt.QtWidgets = QtCore, QtGui, widgets  # type: ignore[attr-defined]
    version = ModuleType("distutils.version")
    version.LooseVersion = _Version  # type: ignore[attr-defined]
    distutils = ModuleType("distutils")
    distutils.version = version  # type: ignore[attr-defined]
    return {"Qt": qt, "Qt.QtWidgets": widgets, "distutils": distutils, "distutils.version": version}


@contextmanager
def _light_imports() -> Iterator[None]:
    stand_ins = _stand_ins()
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    sys.modules.update(stand_ins)
    if "NodeGraphQt" not in sys.modules and (found := find_spec("NodeGraphQt")) is not None:
        package = ModuleType("NodeGraphQt")
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules["NodeGraphQt"] = package
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]
        sys.modules.update(before)


with _light_imports():
    from NodeGraphQt.base.graph import NodeGraph
    from NodeGraphQt.base.node import NodeObject
    from NodeGraphQt.base.port import Port
    from NodeGraphQt.nodes.backdrop_node import BackdropNode
    from NodeGraphQt.nodes.base_node import BaseNode
    from NodeGraphQt.qgraphics.node_abstract import AbstractNodeItem
    from NodeGraphQt.qgraphics.node_backdrop import BackdropNodeItem
    from NodeGraphQt.qgraphics.node_base import NodeItem
    from NodeGraphQt.qgraphics.pipe import PipeItem
    from NodeGraphQt.qgraphics.port import PortItem
    from NodeGraphQt.widgets.viewer import NodeViewer

__all__ = [
    "AbstractNodeItem",
    "BackdropNode",
    "BackdropNodeItem",
    "BaseNode",
    "NodeGraph",
    "NodeItem",
    "NodeObject",
    "NodeViewer",
    "PipeItem",
    "Port",
    "PortItem",
]
