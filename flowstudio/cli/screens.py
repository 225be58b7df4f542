"""The commands that stay: the editor, the session behind it, the demo target."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from flowstudio.cli.output import FAILED, command, say


def edit(
    files: Annotated[list[str] | None, typer.Argument(help="Flow files to open, or a folder of them")] = None,
) -> int:
    """Open the editor.

    Example: flowstudio edit resources/examples/customer-sync.flow.json
    """
    from flowstudio.editor.prerequisites import obstacle

    if sentence := obstacle():
        say(sentence)
        return FAILED
    from flowstudio.editor.app import main

    return main(files or [])


def session() -> int:
    """Serve an editor: JSON-RPC 2.0 on standard input and output, one message a line.

    Example: echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}' | flowstudio session
    """
    from flowstudio.runtime.session import main

    return main()


def demo_target(
    port: Annotated[int, typer.Option(help="Listen here; 0 takes a free port", min=0, max=65535)] = 0,
    fail: Annotated[int, typer.Option(help="Answer the first N requests with 503", min=0)] = 0,
) -> int:
    """Run the examples' target system alone until it is interrupted.

    Example: flowstudio demo-target --port 8080 --fail 2
    """
    from flowstudio.runtime.demo import serve

    asyncio.run(serve(port, fail, say))
    return 0


APPS: Final = {"edit": command(edit), "session": command(session), "demo-target": command(demo_target)}
