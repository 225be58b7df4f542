"""Speaks with an engine process as the editor does."""

from __future__ import annotations

import json
import subprocess
from typing import Any


class Client:
    """Speaks with a session; notifications that come while an answer is awaited are kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.notifications: list[dict[str, Any]] = []
        self._next = 0

    def send(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the session ended"
        message: dict[str, Any] = json.loads(line)
        return message

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer, a result or an error."""
        self._next += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}).encode())
        while True:
            message = self.read()
            if message.get("id") == self._next:
                return message
            self.notifications.append(message)

    def call(self, method: str, **params: Any) -> Any:
        """The result; an error fails the test."""
        answer = self.ask(method, **params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def until(self, method: str) -> dict[str, Any]:
        """The parameters of the next notification of a kind."""
        while True:
            for place, message in enumerate(self.notifications):
                if message["method"] == method:
                    del self.notifications[: place + 1]
                    params: dict[str, Any] = message["params"]
                    return params
            self.notifications.append(self.read())
