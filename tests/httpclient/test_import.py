"""What importing the client loads: nothing of httpx's command line, and nothing that only a sender needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SHOW = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", f"{code}\n{SHOW}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_command_line_of_httpx_is_not_loaded() -> None:
    loaded = modules_after("import flowstudio.httpclient")
    assert "httpx" in loaded
    assert loaded.isdisjoint({"httpx._main", "click", "rich", "pygments", "markdown_it"})
    assert loaded.isdisjoint({"httpcore", "anyio", "h11"}), "they are for those who send"


@pytest.mark.slow
def test_a_request_can_be_made_without_loading_what_sends_it() -> None:
    loaded = modules_after(
        "from flowstudio.httpclient import build_request\nbuild_request('POST', 'https://example.com', content=b'{}')"
    )
    assert loaded.isdisjoint({"httpcore", "anyio", "click"})


@pytest.mark.slow
def test_the_command_line_of_httpx_works_for_whoever_asks_for_it() -> None:
    loaded = modules_after("import flowstudio.httpclient, httpx._main")
    assert "click" in loaded


@pytest.mark.slow
def test_an_httpx_that_is_loaded_already_is_left_as_it_is() -> None:
    modules_after("import httpx\nmain = httpx.main\nimport flowstudio.httpclient\nassert httpx.main is main")
