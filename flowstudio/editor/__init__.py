"""The desktop: a window that edits flows and shows runs; it never runs a flow itself."""
