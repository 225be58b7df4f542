"""The mapping language: JSONata with limits and the visit's clock, and text with `{{ }}` in it.

Pure: an evaluation sees the payload, the bound names and the clock that it is given, and nothing else.
"""
