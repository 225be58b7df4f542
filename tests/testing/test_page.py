"""The page about testing holds: its code is run as it stands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.transcripts import blocks

PAGE = Path(__file__).resolve().parents[2] / "resources" / "docs" / "testing.md"
SOURCE = "\n\n".join(block.text for block in blocks(PAGE) if block.language == "python")
MADE: dict[str, Any] = {"__name__": "page"}
# Without this module's own future statements, which the page's readers do not have.
exec(compile(SOURCE, str(PAGE), "exec", dont_inherit=True), MADE)
TESTS = {name: made for name, made in MADE.items() if name.startswith("test_")}


def test_the_page_shows_tests() -> None:
    assert len(TESTS) >= 5


@pytest.mark.parametrize("name", TESTS)
def test_a_test_of_the_page_passes(name: str, tmp_path: Path) -> None:
    test: Callable[..., None] = TESTS[name]
    test(*[tmp_path] * len(inspect.signature(test).parameters))
