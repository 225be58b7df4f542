"""The page about the session's protocol is what its message models say."""

from __future__ import annotations

from tests.runtime.page import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.runtime.page"
