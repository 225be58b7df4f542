"""A small process that speaks newline-delimited JSON-RPC: what the tests of the editor's side talk to.

It knows `initialize`, `echo`, `fail`, `flood`, `exit`, `hang`, `noise`; `stop` is answered unless it hangs.
"""

from __future__ import annotations

import json
import sys
import threading


def say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(number: int, result: object) -> None:
    say({"jsonrpc": "2.0", "id": number, "result": result})


def main() -> None:
    initialized = None
    for line in sys.stdin:
        message = json.loads(line)
        number, method, params = message["id"], message["method"], message["params"]
        if method == "initialize":
            initialized = params
            answer(number, {})
        elif initialized is None:
            say({"jsonrpc": "2.0", "id": number, "error": {"code": -32600, "message": "initialize comes first"}})
        elif method == "echo":
            answer(number, params)
        elif method == "initialized":
            answer(number, initialized)
        elif method == "fail":
            say({"jsonrpc": "2.0", "id": number, "error": {"code": -32001, "message": "no", "data": {"problems": []}}})
        elif method == "flood":
            for count in range(params["count"]):
                sys.stdout.write(json.dumps({"jsonrpc": "2.0", "method": "visit", "params": {"visit": count}}) + "\n")
            sys.stdout.flush()
            answer(number, params["count"])
        elif method == "noise":
            sys.stdout.write("this is not JSON\n\n[1, 2]\n")
            answer(number, "heard")
        elif method == "exit":
            sys.stderr.write("goodbye\n")
            sys.stderr.flush()
            sys.exit(params["status"])
        elif method == "hang":
            threading.Event().wait()
        elif method == "stop":
            answer(number, {})


if __name__ == "__main__":
    main()
