"""Secrets that are planted everywhere are found nowhere: not in stores, traces, messages, logs, templates or words."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.leaks import forms, kept, leaks

SECRETS = {
    "the token of a connection": 'tok"en/+ &~{x}-7f3a9c51',
    "a secret variable": "pass phrase?%=&-41b77e2d",
    "a field that is marked": "ssn-078-05-1120-canary",
    "a login in the address": "user-pw-9d4e1fa0c2",
}


class Echo:
    """A system that sends back what it was sent: headers, address and PIN, and refuses it every other time."""

    def __init__(self) -> None:
        self.asked = 0
        echo = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                echo.asked += 1
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                told = {"headers": dict(self.headers.items()), "path": self.path, "pin": json.loads(body).get("pin")}
                answer = json.dumps({"message": f"cannot do {json.dumps(told)}", "echo": told}).encode()
                self.send_response(422 if echo.asked % 2 == 0 else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Set-Cookie", f"sid={SECRETS['the token of a connection'].encode().hex()}")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


def flow_to(host: str) -> dict[str, Any]:
    """A flow that uses every secret, repeats what comes back, and logs it."""
    body = '{"pin": $vars.pin, "customer": customer, "note": "by " & $vars.pin}'
    config = {
        "method": "POST",
        "url": f"http://{host}/in?pin={{{{ $vars.pin }}}}",
        "headers": {"X-Pin": "{{ $vars.pin }}", "Cookie": "sid={{ $vars.pin }}"},
        "connection": "crm",
        "body": body,
    }
    code = "log.info('answered', answer=payload)\nlog.warning(str(payload))\nreturn payload"
    return {
        "format": "flowstudio/flow@1",
        "id": "leaky",
        "name": "Leaky",
        "redact": ["customer.ssn"],
        "steps": {
            "start": {"component": "manual@1"},
            "first": {"component": "http@1", "config": config},
            "tell": {"component": "script@1", "config": {"code": code}},
            "again": {"component": "http@1", "config": {**config, "body": "$steps.start"}},
        },
        "wires": ["start -> first", "first -> tell", "tell -> again"],
        "variables": {"pin": {"type": "secret", "required": True}},
        "connections": {"crm": {"type": "bearer"}},
    }


PAYLOAD = {"customer": {"name": "Ines", "ssn": SECRETS["a field that is marked"]}}


def test_every_form_of_a_planted_secret_is_found(tmp_path: Path) -> None:
    from flowstudio.stores.payloads import PayloadStore

    for secret in SECRETS.values():
        for form, needle in forms(secret).items():
            assert len(needle) >= 10, form
    store = PayloadStore(tmp_path)
    store.put({"plain": [SECRETS["a secret variable"]] * 500})
    store.close()
    found = leaks(SECRETS, kept(tmp_path))
    assert any("a secret variable (plain)" in each for each in found)
    (tmp_path / "coded").write_bytes(
        b"Authorization: Basic " + base64.b64encode(b"me:" + SECRETS["a login in the address"].encode())
    )
    assert any("a login in the address (base64" in each and "coded" in each for each in leaks(SECRETS, kept(tmp_path)))


@pytest.mark.slow
def test_a_session_keeps_and_tells_none_of_them(tmp_path: Path, echo: Echo) -> None:
    data, flow = tmp_path / "data", flow_to(echo.host)
    secrets = {"crm": {"token": SECRETS["the token of a connection"]}}
    values = {"pin": SECRETS["a secret variable"]}
    begun = {"flow": flow, "payload": PAYLOAD, "vars": values, "secrets": secrets}
    asked = [
        ("initialize", {"data": str(data)}),
        ("run", {**begun, "breakpoints": [{"step": "tell", "when": "after"}, {"step": None, "when": "error"}]}),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "flowstudio", "session"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "FLOWSTUDIO_DATA": str(tmp_path / "home")},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    told: list[bytes] = []
    number = 0

    def send(method: str, params: dict[str, Any]) -> None:
        nonlocal number
        number += 1
        line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr] # looked at above
        process.stdin.flush()  # type: ignore[union-attr]

    def until(method: str) -> dict[str, Any]:
        while True:
            line = process.stdout.readline()  # type: ignore[union-attr]
            assert line
            told.append(line)
            message = json.loads(line)
            if message.get("method") == method or message.get("id") == method:
                return dict(message)

    for method, params in asked:
        send(method, params)
    until("paused")
    for method in ("ledger", "trace"):
        send(method, {})
        until(number)  # type: ignore[arg-type] # an answer is awaited by its number
    send("origin", {"visit": 3, "path": []})
    until(number)  # type: ignore[arg-type]
    send("continue", {})
    finished = until("paused")
    assert finished["params"]["reason"] == "error"
    send("continue", {})
    assert until("finished")["params"]["status"] == "failed"
    send("runs", {})
    until(number)  # type: ignore[arg-type]
    process.stdin.close()
    told.append(process.stdout.read())
    assert process.wait(20) == 0
    told.append(process.stderr.read())
    process.stdout.close()
    process.stderr.close()
    assert echo.asked == 2
    places = chain(
        kept(data), kept(tmp_path / "home") if (tmp_path / "home").exists() else (), [("told", b"".join(told))]
    )
    assert leaks(SECRETS, iter(places)) == []


@pytest.mark.slow
def test_the_command_line_keeps_and_prints_none_of_them(tmp_path: Path, echo: Echo) -> None:
    path, payload = tmp_path / "leaky.flow.json", tmp_path / "in.json"
    values, out = tmp_path / "values", tmp_path / "out"
    for folder in (values, out):
        folder.mkdir()
    path.write_text(json.dumps(flow_to(echo.host)), encoding="utf-8")
    payload.write_text(json.dumps(PAYLOAD), encoding="utf-8")
    (values / "v.json").write_text(json.dumps({"pin": SECRETS["a secret variable"]}), encoding="utf-8")
    environ = {**os.environ, "TOKEN": SECRETS["the token of a connection"], "FLOWSTUDIO_DATA": str(out / "home")}
    arguments = ["--payload", f"@{payload}", "--vars", f"@{values / 'v.json'}", "--secret", "crm.token=TOKEN"]
    more = ["--trace", str(out / "trace.jsonl"), "--data", str(out / "data"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "flowstudio", "run", str(path), *arguments, *more],
        capture_output=True,
        env=environ,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    exported = subprocess.run(
        [
            sys.executable,
            "-m",
            "flowstudio",
            "export",
            str(path),
            "-o",
            str(out / "t.template.json"),
            "--version",
            "1.0.0",
        ],
        capture_output=True,
        env=environ,
        check=True,
    )
    told = b"".join((done.stdout, done.stderr, exported.stdout, exported.stderr))
    assert leaks(SECRETS, chain(kept(out), [("told", told)])) == []
