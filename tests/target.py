"""The system on the other end: a real server on loopback that counts by path, and fails for whom it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Got(NamedTuple):
    """A request that came."""

    path: str
    key: str
    body: Any
    authorization: str


class Target:
    """`got` is what came, in order; paths that begin with one of `failing` are answered with 500."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.failing: set[str] = set()
        self._open = threading.Event()
        self._open.set()
        self._came = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                content = self.rfile.read(length)
                if len(content) < length:
                    return  # whoever asked died in the middle of it
                body = json.loads(content)
                outer.took(
                    Got(
                        self.path,
                        self.headers.get("idempotency-key", ""),
                        body,
                        self.headers.get("authorization", ""),
                    )
                )
                bad = any(self.path.startswith(prefix) for prefix in outer.failing)
                answer = json.dumps({"error": "down"} if bad else {"id": f"t-{len(outer.got)}"}).encode()
                with contextlib.suppress(OSError):  # whoever asked may have gone
                    self._say(500 if bad else 201, answer)

            def _say(self, status: int, answer: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Says nothing on the console."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Whoever asked may be gone at any moment."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def took(self, got: Got) -> None:
        """A request came; its answer waits while the target holds them back."""
        with self._came:
            self.got.append(got)
            self._came.notify_all()
        self._open.wait()

    def hold(self) -> None:
        """Answers nobody until `let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        """Answers those who wait, and all others."""
        self._open.set()

    def until(self, requests: int) -> None:
        """Waits until so many requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.got) >= requests, 30)

    def by_key(self) -> Counter[str]:
        """How often each idempotency key came."""
        return Counter(got.key for got in list(self.got))

    def close(self) -> None:
        """Ends it."""
        self.let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
