"""The canvas: draws the document's flow with NodeGraphQt as a view toolkit, and turns gestures into edits.

The document is the only truth. Everything on the canvas follows from its flow (`projection`), and every gesture ends in one
edit (`gestures`, `compose`) that the document may refuse.
"""

from __future__ import annotations

from flowstudio.editor.canvas.view import AddRequest, CanvasView, MenuRequest
from flowstudio.editor.canvas.viewer import MIME_COMPONENT

__all__ = ["MIME_COMPONENT", "AddRequest", "CanvasView", "MenuRequest"]
