"""The canvas: NodeGraphQt used as a view toolkit, driven by the document alone."""
