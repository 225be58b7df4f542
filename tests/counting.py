"""A real server on loopback that answers with what it got, counts, and refuses what it is told to refuse."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CountingServer:
    """`got` is what came, in order; while `refuse` is set, it is answered with 422 and that text."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.keys: list[str] = []
        self.refuse = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.got.append(body)
                outer.keys.append(self.headers.get("idempotency-key", ""))
                number = len(outer.got)
                told = (
                    {"error": outer.refuse} if outer.refuse else {"id": f"V-{number}", "number": number, "echo": body}
                )
                answer = json.dumps(told).encode()
                self.send_response(422 if outer.refuse else 201)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Says nothing on the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/invoices"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
