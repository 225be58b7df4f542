"""Writes the reference pages: `python -m tests.conformance`."""

from __future__ import annotations

from tests.conformance.reference import write

for path in write():
    print(path)
