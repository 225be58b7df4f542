"""The flow as data: files, edits, differences, layout."""
