"""The mapping language."""
