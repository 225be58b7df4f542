"""Calls the commands as a person and a script do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flowstudio.cli.main import main

Run = Callable[..., "Printed"]


class Printed:
    """What a command gave: its exit status, standard output and standard error."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def called(*arguments: str) -> Printed:
        monkeypatch.setattr(sys, "argv", ["flowstudio", *arguments])
        status = main()
        out, err = capfd.readouterr()
        return Printed(status, out, err)

    return called
