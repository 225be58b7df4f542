"""An engine process for the tests of the protocol."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.clients import Client


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Client]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flowstudio", "session"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    client = Client(process)
    client.call("initialize", data=str(tmp_path))
    yield client
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
